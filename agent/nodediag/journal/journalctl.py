"""The journal through `journalctl -o json`, see journalctl(1): where libsystemd cannot be used from Python."""

import re
from collections.abc import Iterator
from itertools import islice
from time import monotonic
from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.host.commands import Command, Run
from nodediag.host.journal_files import Found, JournalFile
from nodediag.journal import header
from nodediag.journal.form import parse
from nodediag.journal.journal import BATCH, KERNEL, Batch, Entry, Query, Source, left_out
from nodediag.journal.record import MOST_LINE_BYTES, Record, lines
from nodediag.model.reason import BlindSpot, Code, Reason

_FORM: Final = ("-o", "json", "--all", "--output-fields=MESSAGE,PRIORITY")
_WHOSE: Final = (*_FORM[:-1], f"{_FORM[-1]},_TRANSPORT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER")
_BOOT: Final = re.compile(rb"\s*-?\d+ ([0-9a-f]{32}) ")
_OUR_NAME: Final = re.compile(r"/proc/self/fd/(\d+)")


class JournalctlJournal:
    """Some journal files, which host opened inside the node's root, as our own journalctl tells of them."""

    name = "journalctl"

    def __init__(self, found: Found, *, since_us: int = 0, budget_s: float = 60.0) -> None:
        self._until = monotonic() + budget_s
        self._cut: dict[str, int] = {}
        self._spots: dict[str, BlindSpot] = {}
        self._files = tuple(file for file in found.files if parse(file.head) is not None)
        if self._refused(self._files):  # one that cannot be opened keeps it from opening the others
            for file in self._files:
                if why := self._refused((file,)):
                    self._spots[file.name] = header.spot(file.name, f"it cannot be opened: {why}")
            self._files = tuple(file for file in self._files if file.name not in self._spots)
        opened = tuple(file for file in found.files if file.name not in self._spots)
        self._readable = header.look(Found(files=opened, refused=found.refused, machine=found.machine), since_us)

    def _refused(self, files: tuple[JournalFile, ...]) -> str:
        """Look whether journalctl opens some files, and say why not; no time, or no journalctl, is told later."""
        if not files:
            return ""
        run = self._run(files, "--lines=0")
        try:
            list(run.chunks())
        except ReadError:
            return run.complaint
        return ""

    def _run(self, files: tuple[JournalFile, ...], *arguments: str) -> Run:
        return Run(
            Command.JOURNALCTL,
            ("--quiet", "--no-pager", *(f"--file={file.path}" for file in files), *arguments),
            until=self._until,
            files=tuple(file.fd for file in files),
        )

    def batches(self, unit: str, query: Query) -> Iterator[Batch]:
        """Give the entries of a unit in the window, in the journal's order."""
        beyond = 0
        if sum(source.entries for source in self._readable.sources) > query.cap:
            beyond = max(0, sum(1 for _ in self._entries(unit, query)) - query.cap)
        self._cut[unit] = beyond
        wanted = islice(self._entries(unit, query), beyond, None)
        while batch := Batch(islice(wanted, BATCH)):
            yield batch

    def _entries(self, unit: str, query: Query) -> Iterator[Entry]:
        """Ask for all since the window's beginning: with `--until` it stops where a clock ran ahead for a while."""
        since, until = query.window_us
        asked = [f"_TRANSPORT={KERNEL}"] if unit == KERNEL else [f"--unit={unit}"]
        if query.boot:
            asked.append(f"_BOOT_ID={query.boot}")
        if since > 0:
            asked.append(f"--since=@{since // 1_000_000}.{since % 1_000_000:06d}")
        decode = msgspec.json.Decoder(Record).decode
        for line in self._lines(unit, *_FORM, *asked):
            try:
                entry = decode(line).entry()
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self._say(unit, Code.UNPARSABLE, f"{unit}: an entry cannot be understood: {error}")
                continue
            if since <= entry.time_us <= until:
                yield entry

    def _lines(self, what: str, *arguments: str) -> Iterator[bytes]:
        """Run journalctl and give its lines; what it complains of is kept."""
        if not self._files:
            return
        run = self._run(self._files, *arguments)
        try:
            for line in lines(run.chunks()):
                if line is None:
                    self._say(
                        what, Code.TOO_LARGE, f"{what}: an entry of more than {MOST_LINE_BYTES} bytes was left out"
                    )
                else:
                    yield line
        except ReadError as error:
            self._say(what, error.reason.code, f"{what}: {self._named(error.reason.detail)}")
        else:
            for complaint in run.complaint.splitlines():
                self._say("journalctl", Code.UNPARSABLE, self._named(complaint))

    def _named(self, complaint: str) -> str:
        """Put the node's names of files for ours."""
        names = {str(file.fd): file.name for file in self._files}
        return _OUR_NAME.sub(lambda found: names.get(found[1], found[0]), complaint)

    def _say(self, what: str, code: Code, detail: str) -> None:
        self._spots.setdefault(detail, BlindSpot(what=what, reason=Reason(code=code, detail=detail)))

    def cut(self, unit: str) -> int:
        """Give how many entries of a unit were left out for the cap."""
        return self._cut.get(unit, 0)

    def units(self) -> tuple[str, ...]:
        """Name the units that have entries of their own, and kernel."""
        found = {line.decode("utf-8", "backslashreplace") for line in self._lines("units", "--field=_SYSTEMD_UNIT")}
        return (KERNEL, *sorted(found))

    def boots(self) -> tuple[str, ...]:
        """Give the ids of the boots, oldest first; the table has been printed the same way by every release."""
        return tuple(found[1].decode() for line in self._lines("boots", "--list-boots") if (found := _BOOT.match(line)))

    def ending(self, boot: str, most: int) -> list[tuple[str, Entry]]:
        """Give the last entries of a boot."""
        decode = msgspec.json.Decoder(Record).decode
        found: list[tuple[str, Entry]] = []
        for line in self._lines(f"boot {boot}", *_WHOSE, f"--lines={most}", f"_BOOT_ID={boot}"):
            try:
                record = decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                self._say(boot, Code.UNPARSABLE, f"boot {boot}: an entry cannot be understood: {error}")
                continue
            found.append((record.source(), record.entry()))
        return found

    def sources(self) -> tuple[Source, ...]:
        """Give each file's header."""
        return self._readable.sources

    def blind_spots(self) -> tuple[BlindSpot, ...]:
        """Name the files that could not be opened, those that are damaged, and what journalctl complained of."""
        return (*self._readable.blind_spots, *self._spots.values(), *left_out(self._cut))

    def cursor(self, unit: str, entry: Entry) -> str:
        """Give the cursor that journalctl printed."""
        del unit
        return entry.cursor
