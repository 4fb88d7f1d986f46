"""A journal as `journalctl` printed it for people: `-o short` and its like, see journalctl(1).

A line has a time and the name under which a program logs; `-o with-unit` has the unit in place of that. It has no
priority and no cursor, and as a rule no unit: units are told by those names, and where PID 1 speaks of one. In some
forms the time has no year and no zone.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import msgspec

from nodediag.host import sosreport
from nodediag.host.host import Taken
from nodediag.host.sosreport import MONTHS
from nodediag.journal.journal import Journal
from nodediag.journal.record import lines
from nodediag.journal.saved import SavedJournal, peeked
from nodediag.model.reason import BlindSpot, Code, Reason

NEEDS: Final = "the journal's own files, or `journalctl -o json`"
_LINE: Final = re.compile(
    rb"(?:"
    rb"(?P<name>" + "|".join(MONTHS).encode() + rb") (?P<mday>[ \d]\d) "  # short, short-precise
    rb"|(?:[A-Z][a-z]{2} )?(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T ]"  # short-iso, short-full, with-unit
    rb")(?P<clock>\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,6}))?(?P<zone> ?[+-]\d\d:?\d\d|Z| [A-Z]{3,5})?"
    rb" (?:[^\s:\[]+ )?(?P<by>[^\s\[:][^\[:]*?)(?:\[(?P<pid>\d+)\])?: (?P<says>.*)",
    re.DOTALL,
)
_BOOT: Final = re.compile(rb"-- Boot ([0-9a-f]{32}) --\s*")
_REBOOT: Final = re.compile(rb"-- Reboot --\s*")
_ABOUT: Final = (b"-- ", "░░".encode())  # where the journal begins, and what the catalogue explains
_KINDS: Final = "service|mount|socket|timer|slice|scope|target|swap|path"
_OF_UNIT: Final = re.compile(rf"([A-Za-z0-9:_.@\\-]+\.(?:{_KINDS})): ".encode())
_UNIT: Final = re.compile(rf"[A-Za-z0-9:_.@\\-]+\.(?:{_KINDS})(?:/.+)?")
_MANAGER: Final = frozenset({"systemd", "init.scope"})  # by its name, or where units are named
_PID_1: Final = b"1"
_GREENWICH: Final = frozenset({"UTC", "GMT", "Z"})
_UNITLESS: Final = "which unit logged an entry is told by the name it logs under"
_YEARLESS: Final = "the year of its times is not in it, and taken for the last in which they can have been"
_ZONELESS: Final = "the node's time zone is not known, its times are taken for UTC"
_REBOOTS: Final = "where another boot begins is told, but not which one it is"
_MOST_LINES: Final = 200  # of one entry
_MOST_LOOKED_AT: Final = 20
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


_Clock: TypeAlias = tuple[int, int, int, int]  # to the microsecond


class PrintedJournal(SavedJournal):
    """Entries from such a text; what it lacks is a blind spot."""

    name = "printed"

    def __init__(self, chunks: Iterator[bytes], path: str, taken: Taken, now: datetime) -> None:
        self._taken = taken
        self._until = (taken.at or now).astimezone(UTC)
        self._strange = 0
        self._lacks: dict[str, None] = {}  # in the order in which it was missed
        super().__init__(chunks, path)

    def _records(self, chunks: Iterator[bytes]) -> Iterator[bytes | None]:
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
                yield encode(_joined(*held))
                held = None
            if match is not None:
                entry = self._entry(match, boot)
                held = None if entry is None else (entry, [match["says"]])
            elif line is not None and (begins := _BOOT.fullmatch(line)):
                boot = begins[1].decode()
            elif line is not None and _REBOOT.fullmatch(line):
                boot, self._lacks[_REBOOTS] = "", None
            elif line is None or not line.startswith(_ABOUT):
                self._strange += 1
        if held is not None:
            yield encode(_joined(*held))

    def _entry(self, match: re.Match[bytes], boot: str) -> _Line | None:
        name = match["by"].decode("utf-8", "backslashreplace")
        at = self._time(match)
        if at is None:
            self._strange += 1
            return None
        manager = name in _MANAGER and match["pid"] == _PID_1
        about = _OF_UNIT.match(match["says"]) if manager else None
        kernel = name == "kernel" and match["pid"] is None
        return _Line(
            realtime=str(int(at.timestamp()) * 1_000_000 + at.microsecond),
            message="",
            identifier=name,
            boot=boot,
            pid=(match["pid"] or b"").decode(),
            unit="" if kernel or (name == "systemd" and not manager) else self._unit(name),
            about=about[1].decode() if about else "",
            transport="kernel" if kernel else "",
        )

    def _unit(self, name: str) -> str:
        """Give the unit that is named, a user's manager before its own units, or that which logs under a name."""
        if _UNIT.fullmatch(name):
            return name.partition("/")[0]
        self._lacks[_UNITLESS] = None
        return _UNITS.get(name, f"{name}.service")

    def _time(self, match: re.Match[bytes]) -> datetime | None:
        """Give the time in UTC; one without a year is of the last in which it is not later than the text."""
        hour, minute, second = map(int, match["clock"].split(b":"))
        clock = hour, minute, min(second, 59), int((match["fraction"] or b"").ljust(6, b"0"))
        away = self._away(match["zone"])
        if match["year"] is not None:
            return _utc(int(match["year"]), int(match["month"]), int(match["day"]), clock, away)
        if self._taken.at is None:
            self._lacks[_YEARLESS] = None
        month, day = MONTHS.index(match["name"].decode()) + 1, int(match["mday"])
        for year in (self._until.year + 1, self._until.year, self._until.year - 1):  # local time may be in the next one
            at = _utc(year, month, day, clock, away)
            if at is not None and at <= self._until + _LATE:
                return at
        return None

    def _away(self, zone: bytes | None) -> timedelta:
        """Give how far a line's time is from UTC: by its own word, or else by what is known of the node."""
        word = (zone or b"").strip().decode()
        if word in _GREENWICH:
            return timedelta()
        if word[:1] in {"+", "-"}:
            away = timedelta(hours=int(word[1:3]), minutes=int(word[-2:]))
            return -away if word[0] == "-" else away
        if self._taken.zone_s is None:
            self._lacks[_ZONELESS] = None
        return timedelta(seconds=self._taken.zone_s or 0)

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """Name what such a text does not tell, and its lines that are no entries."""
        lacks = ["priorities of entries are not in it", *self._lacks]
        if self._strange:
            lacks.append(f"{self._strange} lines are no journal entries")
        spots = (
            BlindSpot(
                what=self._path, reason=Reason(code=Code.NOT_CAPTURED, detail=f"{self._path}: {one}", needs=NEEDS)
            )
            for one in lacks
        )
        return (*spots, *super().blind_spots())


def _utc(year: int, month: int, day: int, clock: _Clock, away: timedelta) -> datetime | None:
    try:
        return datetime(year, month, day, *clock, tzinfo=UTC) - away
    except (ValueError, OverflowError):
        return None


def _joined(line: _Line, words: list[bytes]) -> _Line:
    return msgspec.structs.replace(line, message=b"\n".join(words).decode("utf-8", "backslashreplace"))


def either(chunks: Iterator[bytes], path: str, now: datetime) -> SavedJournal:
    """Read a text of which nothing else is known: lines of JSON, or for people where it begins like that."""
    begins, whole = peeked(chunks)
    if any(line.startswith(_ABOUT) or _LINE.fullmatch(line) for line in begins.splitlines()[:_MOST_LOOKED_AT]):
        return PrintedJournal(whole, path, Taken(), now)
    return SavedJournal(whole, path)


def printed(folder: str, taken: Taken, now: datetime) -> Journal | None:
    """Read what a sosreport keeps of the journal, None where it keeps nothing of it."""
    with sosreport.journal(folder) as found:
        if found is None:
            return None
        if found.is_json:
            return SavedJournal(found.chunks(), found.path)
        return PrintedJournal(found.chunks(), found.path, taken, now)
