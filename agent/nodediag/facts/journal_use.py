"""What the journal takes of the disk: the node's own files below /var/log/journal, see systemd-journald.service(8)."""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts import machine
from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.evidence import PathEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT
FOLDER: Final = "/var/log/journal"
_ENDINGS: Final = (".journal", ".journal~")
_MOST: Final = 4096


class JournalUse(msgspec.Struct, frozen=True, kw_only=True):
    """The files that are kept over a reboot; `folder` tells whether there is a place for them at all."""

    folder: bool
    files: int
    bytes: int

    @property
    def evidence(self) -> PathEvidence:
        """The folder as evidence."""
        return PathEvidence(path=FOLDER, type="directory" if self.folder else "absent")


def collect(host: Host) -> JournalUse:
    """Add up the sizes; raises ReadError or ParseError where the folder or the machine's id cannot be known."""
    if host.absent(host.list, FOLDER) is None:
        return JournalUse(folder=False, files=0, bytes=0)
    below = f"{FOLDER}/{machine.collect(host).id}"
    names = [name for name in host.absent(host.list, below) or () if name.endswith(_ENDINGS)]
    if len(names) > _MOST:
        raise ReadError(below, Reason(code=Code.TOO_LARGE, detail=f"{below} holds more than {_MOST} journal files"))
    found = [stat for name in names if (stat := host.absent(host.stat, f"{below}/{name}")) is not None]
    return JournalUse(folder=True, files=len(found), bytes=sum(stat.size_bytes for stat in found))
