"""Touches every page of a file, or of memory, again and again, so that a cgroup which may hold fewer gives them back.

Those of a file are read anew from the disk, others go to swap and come back. Usage: `python thrash.py FILE|- SECONDS`.
"""

import mmap
import os
import sys
import time
from pathlib import Path

MEMORY_BYTES = 40 << 20


def pages_of(path: str) -> mmap.mmap:
    """Map a file of which no page is in memory yet, or memory that has been written to."""
    if path == "-":
        return mmap.mmap(-1, MEMORY_BYTES)
    with Path(path).open("r+b") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # pages are charged to who reads them first
        return mmap.mmap(file.fileno(), 0)


pages = pages_of(sys.argv[1])
pages.madvise(mmap.MADV_RANDOM)
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    for place in range(0, len(pages), mmap.PAGESIZE):
        if sys.argv[1] == "-":
            pages[place] = 1
        pages[place]
