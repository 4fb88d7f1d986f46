"""The kernel's command line: bootparam(7), quoted as GRUB quotes and as the kernel's next_arg() takes apart.

A device-mapper table on it stands in one of two spellings: ChromiumOS's own `dm=`, up to COS 101, and the kernel's
`dm-mod.create=`, see dm-init in the kernel's device-mapper documents. Both may hold a dm-verity target.
"""

import re
from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence

NAMESPACE: Final[Namespace | None] = None  # one kernel, one command line
PATH: Final = "/proc/cmdline"
_PARTUUID: Final = "PARTUUID="
_WORD: Final = re.compile(r'(?:[^ \t\r\n"]|"[^"]*(?:"|$))+')
_CHROMIUM_DEVICE: Final = re.compile(r"(?:[0-9]+ )?(?P<name>\S+) \S+ (?P<mode>r[ow])(?: [0-9]+)?")


class Argument(msgspec.Struct, frozen=True):
    """One argument; `value` is empty for a bare word."""

    name: str
    value: str


class VerityDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device that the kernel makes at boot and checks block by block."""

    name: str
    read_only: bool
    part_uuid: str


class Cmdline(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments in order; dashes and underscores in names are one to the kernel, and are underscores here."""

    arguments: tuple[Argument, ...]
    verity: tuple[VerityDevice, ...]
    evidence: FileEvidence

    def values(self, name: str) -> tuple[str, ...]:
        """Give every value of an argument, in order."""
        return tuple(argument.value for argument in self.arguments if argument.name == name.replace("-", "_"))

    def has(self, name: str) -> bool:
        """Tell whether an argument stands there, with a value or without."""
        return any(argument.name == name.replace("-", "_") for argument in self.arguments)

    @property
    def boots_cos(self) -> bool:
        """Whether COS's boot loader started this kernel: `cros_efi`, where ChromeOS hardware has `cros_secure`."""
        return self.has("cros_efi") and not self.has("cros_secure") and any(d.name == "vroot" for d in self.verity)

    def last(self, name: str) -> str:
        """Give the value that counts, that of the last; empty where there is none."""
        return (self.values(name) or ("",))[-1]


def collect(host: Host) -> Cmdline:
    """Read the command line with which the running kernel was started."""
    return parse(host.first_line(PATH))


def parse(line: Line) -> Cmdline:
    """Take a command line apart; raises ParseError for an empty one."""
    arguments = tuple(_argument(word) for word in split(line.text))
    if not arguments:
        raise ParseError(line.path, line.text, "kernel arguments")
    return Cmdline(arguments=arguments, verity=_verity(arguments), evidence=line.evidence)


def split(text: str) -> list[str]:
    """Split at spaces outside double quotes; an open quote ends with the line. The quotes go, as in next_arg()."""
    return [word.replace('"', "") for word in _WORD.findall(text)]


def _argument(word: str) -> Argument:
    name, _, value = word.partition("=")
    return Argument(name.replace("-", "_"), value)


def _verity(arguments: tuple[Argument, ...]) -> tuple[VerityDevice, ...]:
    found: list[VerityDevice] = []
    for argument in arguments:
        if argument.name == "dm":
            found += _chromium_tables(argument.value)
        elif argument.name == "dm_mod.create":
            found += _kernel_tables(argument.value)
    return tuple(found)


def _chromium_tables(value: str) -> list[VerityDevice]:
    """Parse `<devices> <name> <uuid> <mode> <tables>,<table>[,<table>...][,<name> <uuid> <mode> <tables>,...]`."""
    found = []
    device: re.Match[str] | None = None
    for piece in value.split(","):
        table = piece.split()
        head = _CHROMIUM_DEVICE.fullmatch(" ".join(table))
        if head is not None:
            device = head
        elif device is not None and _is_verity(table):
            uuid = _part_uuid(table, "payload=")
            found.append(VerityDevice(name=device["name"], read_only=device["mode"] == "ro", part_uuid=uuid))
    return found


def _kernel_tables(value: str) -> list[VerityDevice]:
    """Parse `<name>,<uuid>,<minor>,<flags>,<table>[,<table>...][;<another device>]`."""
    found = []
    for device in value.split(";"):
        name, _uuid, _minor, mode, *tables = (*device.split(","), "", "", "")
        table = next((words for words in map(str.split, tables) if _is_verity(words)), None)
        if table is not None:
            uuid = _part_uuid(table, "")
            found.append(VerityDevice(name=name.strip(), read_only=mode.strip() == "ro", part_uuid=uuid))
    return found


def _is_verity(table: list[str]) -> bool:
    """Tell a table `<first sector> <sectors> verity <arguments>`."""
    return table[2:3] == ["verity"]


def _part_uuid(table: list[str], key: str) -> str:
    """Give the partition that is checked; empty where it is named otherwise, or by its distance from another."""
    start = key + _PARTUUID
    uuid = next((word.removeprefix(start) for word in table if word.startswith(start)), "")
    return "" if "/" in uuid else uuid.lower()
