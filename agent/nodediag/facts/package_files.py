"""Files of the packages that an image stands on, against the checksums their packages brought: dpkg's *.md5sums.

Asked with `--deep` only. Configuration files are not among them, nor what a package makes when it is installed.
"""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts.fact import Fact, Unknown
from nodediag.facts.kernel import Kernel
from nodediag.facts.packages import Packages
from nodediag.host.host import EVIDENCE_CAP, Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

FOLDER: Final = "/var/lib/dpkg/info"
NAMES: Final = (
    "containerd", "containerd.io", "runc", "docker.io", "docker-ce", "docker-ce-cli", "kubelet", "cri-tools", "systemd",
)  # fmt: skip
_KERNELS: Final = ("linux-image-{}", "linux-image-unsigned-{}", "linux-modules-{}")
_LINE: Final = re.compile(r"(?P<md5>[0-9a-f]{32})  (?P<path>[^/].*)")
_MOST_FILES: Final = 10_000
_CAP_BYTES: Final = 512 * 1024 * 1024
_MOST: Final = 50


class ChangedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is not the package's: `missing`, or with another checksum."""

    path: str
    package: str
    missing: bool
    evidence: FileEvidence


class PackageFiles(msgspec.Struct, frozen=True, kw_only=True):
    """How many files of which packages were looked at, what differs, and the first reason why some could not be."""

    packages: tuple[str, ...]
    compared: int
    changed: tuple[ChangedFile, ...] = ()
    unseen: int = 0
    unseen_reason: Reason | msgspec.UnsetType = msgspec.UNSET


def derive(host: Host, kernel: Fact[Kernel], packages: Fact[Packages]) -> PackageFiles:
    """Compare; raises ReadError where the lists cannot be read."""
    if isinstance(packages, Unknown):
        raise ReadError(FOLDER, packages.reason)
    if not packages.value.manager:
        return PackageFiles(packages=(), compared=0)
    if isinstance(kernel, Unknown):
        raise ReadError(FOLDER, kernel.reason)
    wanted = {*NAMES, *(name.format(kernel.value.release) for name in _KERNELS)}
    files = [name for name in host.list(FOLDER) if name.endswith(".md5sums")]
    lists = {name.removesuffix(".md5sums").partition(":")[0]: name for name in files}
    listed = [(name, parse(host.lines(f"{FOLDER}/{file}"))) for name, file in lists.items() if name in wanted]
    return _compared(host, listed)


def parse(lines: tuple[Line, ...]) -> dict[str, tuple[str, FileEvidence]]:
    """Parse `MD5  PATH` by path, without its first slash; raises ParseError at the first line that is none."""
    found: dict[str, tuple[str, FileEvidence]] = {}
    for line in lines:
        entry = _LINE.fullmatch(line.text)
        if entry is None:
            raise ParseError(f"{line.path}:{line.number}", line.text, "a line `MD5  PATH`")
        found[f"/{entry['path']}"] = (entry["md5"], line.evidence)
    return found


def _compared(host: Host, listed: list[tuple[str, dict[str, tuple[str, FileEvidence]]]]) -> PackageFiles:
    changed: list[ChangedFile] = []
    unseen: list[Reason] = []
    files = [(name, path, *entry) for name, entries in listed for path, entry in entries.items()]
    for name, path, md5, evidence in files[:_MOST_FILES]:
        try:
            found = host.md5(path, cap_bytes=_CAP_BYTES)
        except ReadError as error:
            if error.reason.code is not Code.ABSENT:
                unseen.append(error.reason)
                continue
            found = ""
        if found != md5:
            changed.append(ChangedFile(path=path[:EVIDENCE_CAP], package=name, missing=not found, evidence=evidence))
    if len(files) > _MOST_FILES:
        unseen.append(Reason(code=Code.TOO_LARGE, detail=f"only the first {_MOST_FILES} files were compared"))
    return PackageFiles(
        packages=tuple(name for name, _ in listed),
        compared=min(len(files), _MOST_FILES) - len(unseen),
        changed=tuple(changed[:_MOST]),
        unseen=len(unseen),
        unseen_reason=unseen[0] if unseen else msgspec.UNSET,
    )
