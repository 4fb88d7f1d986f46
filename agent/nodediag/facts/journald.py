"""How journald is set up, from its files as it reads them, see journald.conf(5)."""

import re
from typing import Final

import msgspec

from nodediag.host.ask import Namespace
from nodediag.host.host import Host, Line
from nodediag.model.evidence import FileEvidence

NAMESPACE: Final = Namespace.MOUNT
_NAME: Final = "journald.conf"
_PLACES: Final = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")  # the first one wins
_SECTION: Final = "Journal"
_SIZE: Final = re.compile(r"(\d{1,15})(?:\.\d+)?\s*([BKMGTPE]?)(?:i?B)?")
_POWERS: Final = "BKMGTPE"
_OLD_NAMES: Final = {"RateLimitInterval": "RateLimitIntervalSec"}
DEFAULTS: Final = {"Storage": "auto"}
DEFAULT_MOST_BYTES: Final = 4 << 30  # at most, whatever the disk has


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting that is in effect, and the line that makes it so."""

    value: str
    evidence: FileEvidence


class Journald(msgspec.Struct, frozen=True, kw_only=True):
    """What is set; what is not has journald's default."""

    settings: dict[str, Setting]

    @property
    def storage(self) -> str:
        """Where entries are kept: persistent, volatile, auto or none."""
        setting = self.settings.get("Storage")
        return setting.value if setting is not None else DEFAULTS["Storage"]

    @property
    def most_bytes(self) -> int:
        """How much of the disk the journal may take."""
        setting = self.settings.get("SystemMaxUse")
        return parse_size(setting.value if setting is not None else "") or DEFAULT_MOST_BYTES


def collect(host: Host) -> Journald:
    """Read the file, then its drop-ins by name; raises ReadError where a place of them cannot be seen."""
    main = next(filter(None, (host.absent(host.lines, f"{place}/{_NAME}") for place in _PLACES)), ())
    drop_ins: dict[str, str] = {}
    for place in _PLACES:
        for name in host.absent(host.list, f"{place}/{_NAME}.d") or ():
            if name.endswith(".conf"):
                drop_ins.setdefault(name, f"{place}/{_NAME}.d/{name}")
    settings = parse(main)
    for name in sorted(drop_ins):
        settings = merged(settings, parse(_text(host, drop_ins[name])))
    return Journald(settings={name: setting for name, setting in sorted(settings.items()) if setting.value})


def parse(lines: tuple[Line, ...]) -> dict[str, Setting]:
    """Parse one file; an empty value stays, since it takes away what an earlier file has set."""
    settings: dict[str, Setting] = {}
    section = pending = ""
    for line in lines:
        text = pending + line.text.strip()
        if line.text.lstrip().startswith(("#", ";")):
            continue
        if text.endswith("\\"):
            pending = f"{text[:-1]} "
            continue
        pending = ""
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
        name, equals, value = text.partition("=")
        if section == _SECTION and equals:
            name = _OLD_NAMES.get(name.strip(), name.strip())
            settings[name] = Setting(value=value.strip(), evidence=line.evidence)
    return settings


def merged(under: dict[str, Setting], over: dict[str, Setting]) -> dict[str, Setting]:
    """Lay a later file over earlier ones."""
    return {**under, **over}


def parse_size(text: str) -> int:
    """Give bytes, as systemd reads `2G`; 0 for what is no size."""
    match = _SIZE.fullmatch(text.strip())
    return int(match[1]) << (10 * _POWERS.index(match[2] or "B")) if match else 0


def _text(host: Host, path: str) -> tuple[Line, ...]:
    """Read a drop-in; one that is a link to /dev/null says nothing."""
    if (host.absent(host.link, path) or "").endswith("/dev/null"):
        return ()
    return host.absent(host.lines, path) or ()
