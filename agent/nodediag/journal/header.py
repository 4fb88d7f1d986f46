"""The header of a journal file, see "Journal File Format" of systemd: how many entries it says it holds, and of when.

libsystemd gives fewer entries of a damaged file and no error, so what was read is held against this.
"""

import struct
from typing import Final

from nodediag.journal.journal import Source

BYTES: Final = 208
_SIGNATURE: Final = b"LPKSHHRH"
_STATES: Final = ("offline", "online", "archived")
_FORM: Final = struct.Struct("<8sIIB7x16s16s16s16s14Q")


def parse(data: bytes, name: str) -> Source | None:
    """Parse a header; None for a file that has none."""
    if len(data) < _FORM.size:
        return None
    fields = _FORM.unpack_from(data)
    if fields[0] != _SIGNATURE:
        return None
    state = _STATES[fields[3]] if fields[3] < len(_STATES) else "unknown"
    numbers = fields[8:]
    return Source(path=name, entries=numbers[8], first_us=numbers[12], last_us=numbers[13], state=state)
