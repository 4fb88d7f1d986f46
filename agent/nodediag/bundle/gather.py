"""The files of a bundle, from one look at a node: its recording, the report, the journal's part, and what judged."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.anonymise import Anonymiser, strings
from nodediag.bundle.pack import Member, Redaction
from nodediag.facts.snapshot import Facts
from nodediag.host import package
from nodediag.host.answer import Counting
from nodediag.host.ask import place
from nodediag.host.recording import LOG, PROFILE, REPORT, File, Head, Told, files
from nodediag.model.report import Report
from nodediag.redact import redact
from nodediag.render import as_json, as_text

_LONGEST: Final = 3000
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9.-]+")


class Gathered(msgspec.Struct, frozen=True, kw_only=True):
    """All that a bundle is made of; a profile that somebody `asked` for judges wherever the bundle is opened.

    `others` stand in the recording beside its answers, in JSON; the journal, and the `log` that the run kept of itself,
    are in lines of JSON. `masked` says by path how many secrets were masked in `others` and the log when they came in,
    by the rule's id.
    """

    report: Report[Facts]
    told: tuple[Told, ...]
    head: Head
    others: dict[str, bytes]
    log: bytes
    profile: str
    asked: bool
    signatures: dict[str, str]
    journal: Member
    masked: dict[str, dict[str, int]]

    def strings(self) -> Iterator[str]:
        """Give all that is said in it but for the report."""
        for told in self.told:
            yield from strings(told)
        yield self.head.root
        for data in (*self.others.values(), *self.journal.data.splitlines(), *self.log.splitlines()):
            yield from strings(msgspec.json.decode(data, type=object))
        yield self.profile

    def disguised(self, by: Anonymiser) -> "Gathered":
        """Give it with pseudonyms, the signatures of this release as they are."""
        public = package.texts("signatures/data")
        return Gathered(
            report=by.record(self.report),
            told=tuple(by.record(told) for told in self.told),
            head=msgspec.structs.replace(self.head, root=by.text(self.head.root)),
            others={path: by.json(data) for path, data in self.others.items()},
            log=by.lines(self.log),
            profile=by.data(self.profile.encode()).decode(),
            asked=self.asked,
            signatures={
                name: text if public.get(name) == text else by.data(text.encode()).decode()
                for name, text in self.signatures.items()
            },
            journal=msgspec.structs.replace(self.journal, data=by.lines(self.journal.data)),
            masked=self.masked,
        )

    def folder(self) -> str:
        """Name the folder in which the bundle unpacks: by the node and the time it was looked at."""
        node, at = self.report.node, self.report.observed_at
        name = node.name if node.name not in {"unknown", "none"} else node.hostname
        return f"nodediag-{_NO_NAME.sub('-', name).strip('-.')[:100] or 'node'}-{at:%Y%m%dT%H%M%SZ}"

    def members(self) -> list[Member]:
        """Give the files but for the journal: the report and the data that it rests on, and what the diagnosis read."""
        report = self.report.timeless()
        profile = PROFILE if self.asked else f"data/{PROFILE}"
        made = [
            Member(path="report.txt", data=as_text.render(report, colour=False), source="the diagnosis"),
            Member(path=REPORT, data=as_json.render(report), source="the diagnosis"),
            Member(path=profile, data=redact(self.profile.encode()), source="the profile that judged"),
            *(_signatures(name, text) for name, text in sorted(self.signatures.items())),
            *(self._come_in(path, data, "the diagnosis") for path, data in self.others.items()),
            self._come_in(LOG, self.log, "nodediag's own log"),
        ]
        at = report.generated_at
        asked = [read(file) for file in files(self.told, self.head, _LONGEST)]
        return [*(msgspec.structs.replace(one, at=at) for one in made), *asked]

    def _come_in(self, path: str, data: bytes, source: str) -> Member:
        return Member(path=path, data=data, source=source, redactions=redactions(path, self.masked.get(path)))


def redactions(path: str, counts: dict[str, int] | None, of: str = "") -> tuple[Redaction, ...]:
    """Give what was masked in a file, by the rule's id."""
    return tuple(Redaction(path=path, of=of, kind=kind, count=count) for kind, count in (counts or {}).items())


def read(file: File) -> Member:
    """Give a file of the recording, with what it says of its answers."""
    known = [one.timing for one in file.told if one.timing is not None]
    masked = [(place(one.ask), one.masked or _masked(one)) for one in file.told]
    return Member(
        path=file.path,
        data=file.data,
        source="the node",
        at=min(one.at for one in known) if known else msgspec.UNSET,
        took_us=sum(one.took_us for one in known) if known else msgspec.UNSET,
        redactions=tuple(one for of, counts in masked for one in redactions(file.path, counts, of)),
    )


def _masked(told: Told) -> dict[str, int]:
    return (told.reply.masked or {}) if isinstance(told.reply, Counting) else {}


def _signatures(name: str, text: str) -> Member:
    path = f"data/signatures/{name.rpartition('/')[2]}"
    return Member(path=path, data=redact(text.encode()), source="the signatures that were looked for")
