"""The kernel's command line: bootparam(7), quoted as GRUB quotes and as the kernel's next_arg() takes apart.

A device-mapper table on it stands in one of two spellings: ChromiumOS's own `dm=`, up to COS 101, and the kernel's
`dm-mod.create=`, see dm-init in the kernel's device-mapper documents. Both may hold a dm-verity target.
"""

from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence

NAMESPACE: Final[Namespace | None] = None  # one kernel, one command line
PATH: Final = "/proc/cmdline"
_PARTUUID: Final = "PARTUUID="


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
    words: list[str] = []
    word = ""
    quoted = started = False
    for letter in text:
        if letter == '"':
            quoted = not quoted
            started = True
        elif letter in " \t\n" and not quoted:
            if word or started:
                words.append(word)
            word, started = "", False
        else:
            word += letter
    return [*words, word] if word else words


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
    """Parse `<count> <name> <uuid> <mode> <tables>,<table>[,<table>...]`, further devices following each other."""
    found = []
    for piece in value.split(","):
        words = piece.split()
        if words and words[0].isdigit() and "verity" not in words:
            head = words[1:] if len(words) > 4 else words  # noqa: PLR2004 - only the first device has the count
            name, mode = head[0], head[2] if len(head) > 2 else ""  # noqa: PLR2004 - name, uuid, mode
            found.append(VerityDevice(name=name, read_only=mode == "ro", part_uuid=""))
        elif "verity" in words and found:
            uuid = next((word for word in words if word.startswith("payload=" + _PARTUUID)), "")
            made = found.pop()
            found.append(
                VerityDevice(name=made.name, read_only=made.read_only, part_uuid=uuid.rpartition("=")[2].lower()),
            )
    return [device for device in found if " verity " in f" {value} "]


def _kernel_tables(value: str) -> list[VerityDevice]:
    """Parse `<name>,<uuid>,<minor>,<flags>,<table>[,<table>...][;<another device>]`."""
    found = []
    for device in value.split(";"):
        name, *rest = device.split(",")
        tables = [piece.split() for piece in rest[3:]]
        table = next((words for words in tables if "verity" in words), None)
        if table is not None and len(rest) > 3:  # noqa: PLR2004 - uuid, minor, flags, then tables
            uuid = next((word for word in table if word.startswith(_PARTUUID)), "")
            found.append(
                VerityDevice(
                    name=name.strip(), read_only=rest[2] == "ro", part_uuid=uuid.removeprefix(_PARTUUID).lower()
                ),
            )
    return found
