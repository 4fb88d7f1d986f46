"""How the watch itself is: what `/healthz` and `/readyz` answer, and its own metrics. Times are monotonic seconds."""

from typing import Final

import msgspec

from nodediag.render.exposition import family, gauge

_MOST_FAILED: Final = 3  # in a row; once may be another run that holds the node


class Status(msgspec.Struct, kw_only=True):
    """Kept up to date by the loop."""

    allowed_s: float  # how long a diagnosis may take, with its grace
    started: float | None = None  # of the diagnosis that runs
    is_killed: bool = False  # it was too long, and has been told to end
    overdue: str = ""  # why the last one, if it had to be killed, was
    failed: int = 0  # in a row
    done: int = 0
    results: dict[str, int] = {}
    changes: dict[str, int] = {}
    took_s: float = 0.0
    waiting: int = 0
    refused: int = 0
    open: int = 0
    files: int = 0  # of the journal that are followed
    entries: int = 0
    followers: int = 0  # how often one was started
    unsaved: str = ""
    unkept: str = ""
    unsent: str = ""

    def done_in(self, took_s: float) -> None:
        """Count a diagnosis that was done."""
        self.count("done")
        self.done += 1
        self.failed = 0
        self.overdue = ""
        self.took_s = took_s

    def count(self, result: str) -> None:
        """Count a diagnosis that has ended."""
        self.results[result] = self.results.get(result, 0) + 1

    def sick(self, now: float) -> str:
        """Say why the watch does not do its work; empty when it does."""
        if self.started is not None and now - self.started > self.allowed_s:
            took = f"has run for {now - self.started:.0f} s, {self.allowed_s:.0f} s were allowed"
            return f"a diagnosis {took}" + (", and it does not end though it was killed" if self.is_killed else "")
        if self.overdue:
            return self.overdue
        return f"the last {self.failed} diagnoses failed" if self.failed >= _MOST_FAILED else ""

    def unready(self) -> str:
        """Say why there is nothing to tell yet; empty when there is."""
        return "" if self.done else "no diagnosis has been done yet"

    def metrics(self, now: float) -> str:
        """Give the watch's own families."""
        running = now - self.started if self.started is not None else 0.0
        gauges = (
            ("running_seconds", "How long the diagnosis that runs has been running; 0 when none does.", running),
            ("last_duration_seconds", "How long it took, with its process.", self.took_s),
            ("healthy", "What /healthz says.", not self.sick(now)),
            ("open_problems", "Problems that have begun and not ended.", self.open),
            ("lines_waiting", "Lines that standard output has not taken yet.", self.waiting),
            ("state_saved", "Whether the state folder takes what is to be kept.", not (self.unsaved or self.unkept)),
            ("output_taken", "Whether standard output takes lines.", not self.unsent),
            ("journal_files", "Files of the journal that are followed; 0 when it is not.", self.files),
        )
        results = [({"result": result}, float(count)) for result, count in self.results.items()]
        changes = [({"change": change}, float(count)) for change, count in self.changes.items()]
        return "".join(
            [
                family("nodediag_watch_diagnoses", "counter", "Diagnoses, by how they ended.", results),
                family("nodediag_watch_changes", "counter", "Problems that began and ended.", changes),
                _counter("journal_entries", "Entries of the journal read between diagnoses.", self.entries),
                _counter("followers", "How often the journal's reader was started.", self.followers),
                _counter("lines_refused", "Lines for which there was no room.", self.refused),
                *(gauge(f"nodediag_watch_{name}", about, float(value)) for name, about, value in gauges),
            ]
        )


def _counter(name: str, about: str, value: float) -> str:
    return family(f"nodediag_watch_{name}", "counter", about, [({}, value)])
