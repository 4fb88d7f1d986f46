"""Touches every page of a file again and again: in a cgroup that may hold fewer, each is read back from the disk.

Usage: `python thrash.py FILE SECONDS`.
"""

import mmap
import os
import sys
import time
from pathlib import Path

with Path(sys.argv[1]).open("r+b") as file:
    os.fsync(file.fileno())
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # pages are charged to who reads them first
    pages = mmap.mmap(file.fileno(), 0)
    pages.madvise(mmap.MADV_RANDOM)
    until = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < until:
        for place in range(0, len(pages), mmap.PAGESIZE):
            pages[place]
