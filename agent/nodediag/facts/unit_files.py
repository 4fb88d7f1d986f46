"""Which unit files and links somebody put below /etc and /run: masks, links that enable, drop-ins, see systemd.unit(5).

Files tell this from a pod and from a folder too, where systemd cannot be asked.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.host.ask import List, Namespace, Readlink
from nodediag.host.host import Host
from nodediag.model.evidence import PathEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT
PLACES: Final = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/etc/systemd/system.control",  # systemctl set-property
    "/run/systemd/system.control",
)
IMAGE_PLACES: Final = ("/usr/lib/systemd/system", "/lib/systemd/system")
_TYPES: Final = (".service", ".socket", ".target", ".timer", ".mount", ".automount", ".path", ".slice", ".swap")
_ENABLING: Final = (".wants", ".requires", ".upholds")
_MOST: Final = 2000


class UnitFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file or link about a unit; `over` is the image's own unit file that it takes the place of."""

    unit: str
    path: str
    over: str = ""

    @property
    def evidence(self) -> PathEvidence:
        """This as evidence."""
        return PathEvidence(path=self.path, type="file")


class UnitFiles(msgspec.Struct, frozen=True, kw_only=True):
    """What lies below PLACES: unit files, masked units, links in `.wants` and the like, drop-ins."""

    files: tuple[UnitFile, ...]
    masked: tuple[UnitFile, ...]
    enabled: tuple[UnitFile, ...]
    drop_ins: tuple[UnitFile, ...]

    def mask(self, unit: str) -> UnitFile | None:
        """Give what masks a unit."""
        return next((file for file in self.masked if file.unit == unit), None)


def collect(host: Host) -> UnitFiles:
    """List the places; raises ReadError where one of them cannot be seen, since then nothing is known to be missing."""
    listed = {place: host.absent(host.list, place) or () for place in PLACES}
    if sum(map(len, listed.values())) > _MOST:
        raise ReadError(PLACES[0], Reason(code=Code.TOO_LARGE, detail=f"more than {_MOST} names below {PLACES[0]}"))
    shipped = _shipped(host)
    files: list[UnitFile] = []
    masked: list[UnitFile] = []
    paths = [f"{place}/{name}" for place, names in listed.items() for name in names if name.endswith(_TYPES)]
    host.ahead(*map(Readlink, paths))
    for path in paths:
        name = path.rpartition("/")[2]
        target = host.absent(host.link, path)
        if target is None:
            empty = host.stat(path).size_bytes == 0
            file = UnitFile(unit=name, path=path, over=shipped.get(name, ""))
            (masked if empty else files).append(file)
        elif target.endswith("/dev/null"):
            masked.append(UnitFile(unit=name, path=path))
    return UnitFiles(
        files=tuple(files),
        masked=tuple(masked),
        enabled=tuple(_below(host, listed, _ENABLING, _TYPES)),
        drop_ins=tuple(
            UnitFile(unit=file.path.split("/")[-2].removesuffix(".d"), path=file.path)
            for file in _below(host, listed, (".d",), (".conf",))
        ),
    )


def _shipped(host: Host) -> dict[str, str]:
    """Give the image's own unit files by name; a place that was not captured leaves `over` empty."""
    for place in IMAGE_PLACES:
        try:
            return {name: f"{place}/{name}" for name in host.list(place)}
        except ReadError:
            continue
    return {}


def _below(
    host: Host, listed: dict[str, tuple[str, ...]], folders: tuple[str, ...], kinds: tuple[str, ...]
) -> Iterator[UnitFile]:
    """Give what lies in the folders of a kind, by the name it has there."""
    below = [f"{place}/{name}" for place, names in listed.items() for name in names if name.endswith(folders)]
    host.ahead(*map(List, below))
    for folder in below:
        for name in host.absent(host.list, folder) or ():
            if name.endswith(kinds):
                yield UnitFile(unit=name, path=f"{folder}/{name}")
