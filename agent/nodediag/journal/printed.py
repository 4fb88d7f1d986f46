"""A journal as `journalctl` printed it in its short form, see journalctl(1): what a sosreport keeps.

A line has the node's local time to the second, without a year, and the name under which a program logs. It has no
priority, no unit and no cursor: units are told by those names, and where PID 1 speaks of one.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from nodediag.host import sosreport
from nodediag.host.host import Taken
from nodediag.host.sosreport import MONTHS
from nodediag.journal.journal import Journal
from nodediag.journal.record import lines
from nodediag.journal.saved import SavedJournal
from nodediag.model.reason import BlindSpot, Code, Reason

NEEDS: Final = "the journal's own files, or `journalctl -o json`"
_LINE: Final = re.compile(
    rb"(" + "|".join(MONTHS).encode() + rb") ([ \d]\d) (\d\d):(\d\d):(\d\d) \S+ ([^\s\[:][^\[:]*?)(?:\[(\d+)\])?: (.*)",
    re.DOTALL,
)
_BOOT: Final = re.compile(rb"-- Boot ([0-9a-f]{32}) --\s*")
_REBOOT: Final = re.compile(rb"-- Reboot --\s*")
_ABOUT: Final = (b"-- ", "░░".encode())  # where the journal begins, and what the catalogue explains
_OF_UNIT: Final = re.compile(rb"([A-Za-z0-9:_.@\\-]+\.(?:service|mount|socket|timer|slice|scope|target|swap|path)): ")
_PID_1: Final = b"1"
_MOST_LINES: Final = 200  # of one entry
_LATE: Final = timedelta(days=1)  # what seems later than this is of the year before
_UNITS: Final = {  # of names under which programs log that are not their units'
    "GCEGuestAgent": "google-guest-agent.service",
    "GCEMetadataScripts": "google-startup-scripts.service",
    "configure-helper.sh": "kube-node-configuration.service",
    "configure.sh": "kube-node-installation.service",
    "containerd.daemon": "snap.microk8s.daemon-containerd.service",
    "dockerd": "docker.service",
    "google_guest_agent": "google-guest-agent.service",
    "google_metadata_script_runner": "google-startup-scripts.service",
    "kubelet.daemon": "snap.kubelet.daemon.service",
    "systemd": "init.scope",
    "update_engine": "update-engine.service",
}


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry, in the words of systemd.journal-fields(7)."""

    realtime: str = msgspec.field(name="__REALTIME_TIMESTAMP")
    message: str = msgspec.field(name="MESSAGE")
    identifier: str = msgspec.field(name="SYSLOG_IDENTIFIER")
    boot: str = msgspec.field(name="_BOOT_ID", default="")
    pid: str = msgspec.field(name="_PID", default="")
    unit: str = msgspec.field(name="_SYSTEMD_UNIT", default="")
    about: str = msgspec.field(name="UNIT", default="")
    transport: str = msgspec.field(name="_TRANSPORT", default="")


class PrintedJournal(SavedJournal):
    """Entries from such a text; what it lacks is a blind spot."""

    name = "printed"

    def __init__(self, chunks: Iterator[bytes], path: str, taken: Taken, now: datetime) -> None:
        self._until = (taken.at or now).astimezone(UTC)
        self._zone = timedelta(seconds=taken.zone_s or 0)
        self._zone_known = taken.zone_s is not None
        self._strange = 0
        self._reboots = False
        super().__init__(self._records(chunks), path)

    def _records(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Give the lines as `journalctl -o json` would have printed them, as far as they tell."""
        encode = msgspec.json.Encoder().encode
        boot = ""
        held: tuple[_Line, list[bytes]] | None = None
        for line in lines(chunks):
            match = None if line is None else _LINE.fullmatch(line)
            if match is None and line is not None and line[:1] == b" " and held is not None:
                if len(held[1]) < _MOST_LINES:
                    held[1].append(line.lstrip(b" "))
                continue
            if held is not None:
                yield encode(_joined(*held)) + b"\n"
                held = None
            if match is not None:
                entry = self._entry(match, boot)
                held = None if entry is None else (entry, [match[8]])
            elif line is not None and (begins := _BOOT.fullmatch(line)):
                boot = begins[1].decode()
            elif line is not None and _REBOOT.fullmatch(line):
                boot, self._reboots = "", True
            elif line is None or not line.startswith(_ABOUT):
                self._strange += 1
        if held is not None:
            yield encode(_joined(*held)) + b"\n"

    def _entry(self, match: re.Match[bytes], boot: str) -> _Line | None:
        month, day, hour, minute, second = (word.decode() for word in match.groups()[:5])
        name = match[6].decode("utf-8", "backslashreplace")
        at = self._time(MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second))
        if at is None:
            self._strange += 1
            return None
        about = _OF_UNIT.match(match[8]) if name == "systemd" and match[7] == _PID_1 else None
        kernel = name == "kernel" and match[7] is None
        return _Line(
            realtime=str(int(at.timestamp()) * 1_000_000),
            message="",
            identifier=name,
            boot=boot,
            pid=(match[7] or b"").decode(),
            unit="" if kernel or (name == "systemd" and match[7] != _PID_1) else _UNITS.get(name, f"{name}.service"),
            about=about[1].decode() if about else "",
            transport="kernel" if kernel else "",
        )

    def _time(self, month: int, day: int, hour: int, minute: int, second: int) -> datetime | None:
        """Give the time in UTC, in the last year in which it is not later than the sosreport."""
        for year in (self._until.year + 1, self._until.year, self._until.year - 1):  # local time may be in the next one
            try:
                at = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC) - self._zone
            except ValueError:
                continue
            if at <= self._until + _LATE:
                return at
        return None

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """Name what such a text does not tell, and its lines that are no entries."""
        lacks = ["priorities of entries are not in it, and which unit logged one is told by the name it logs under"]
        if self._strange:
            lacks.append(f"{self._strange} lines are no journal entries")
        if self._reboots:
            lacks.append("where another boot begins is told, but not which one it is")
        if not self._zone_known:
            lacks.append("the node's time zone is not known, its times are taken for UTC")
        spots = (
            BlindSpot(
                what=self._path, reason=Reason(code=Code.NOT_CAPTURED, detail=f"{self._path}: {one}", needs=NEEDS)
            )
            for one in lacks
        )
        return (*spots, *super().blind_spots())


def _joined(line: _Line, words: list[bytes]) -> _Line:
    return msgspec.structs.replace(line, message=b"\n".join(words).decode("utf-8", "backslashreplace"))


def printed(folder: str, taken: Taken, now: datetime) -> Journal | None:
    """Read what a sosreport keeps of the journal, None where it keeps nothing of it."""
    with sosreport.journal(folder) as found:
        if found is None:
            return None
        if found.is_json:
            return SavedJournal(found.chunks(), found.path)
        return PrintedJournal(found.chunks(), found.path, taken, now)
