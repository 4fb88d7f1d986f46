"""The files of a bundle, from one look at a node: its recording, the report, the journal's part, and what judged."""

import re
from typing import Final

import msgspec

from nodediag.bundle.pack import Member
from nodediag.facts.snapshot import Facts
from nodediag.host.recording import PROFILE, REPORT, Head, Recorder
from nodediag.model.report import Origin, Report
from nodediag.redact import redact
from nodediag.render import as_json, as_text

_LONGEST: Final = 3000
_NO_NAME: Final = re.compile(r"[^A-Za-z0-9.-]+")


def folder_of(report: Report[Facts]) -> str:
    """Name the folder in which a bundle unpacks: by the node and the time it was looked at."""
    name = report.node.name if report.node.name not in {"unknown", "none"} else report.node.hostname
    return f"nodediag-{_NO_NAME.sub('-', name).strip('-.')[:100] or 'node'}-{report.observed_at:%Y%m%dT%H%M%SZ}"


def recorded(recorder: Recorder, head: Head, others: dict[str, bytes]) -> list[Member]:
    """Give what the diagnosis read and was told."""
    told = [Member(path=path, data=data, source="the node") for path, data in recorder.files(head, _LONGEST)]
    return [*told, *(Member(path=path, data=data, source="the diagnosis") for path, data in others.items())]


def judged(report: Report[Facts], profile: str, signatures: dict[str, str], *, asked: bool) -> list[Member]:
    """Give the report, and the data that it rests on; a profile that somebody named judges wherever this is opened."""
    told = _timeless(report)
    named = PROFILE if asked else f"data/{PROFILE}"
    return [
        Member(path="report.txt", data=as_text.render(told, colour=False), source="the diagnosis"),
        Member(path=REPORT, data=as_json.render(told), source="the diagnosis"),
        Member(path=named, data=redact(profile.encode()), source="the profile that judged"),
        *(_signatures(name, text) for name, text in sorted(signatures.items())),
    ]


def _signatures(name: str, text: str) -> Member:
    path = f"data/signatures/{name.rpartition('/')[2]}"
    return Member(path=path, data=redact(text.encode()), source="the signatures that were looked for")


def _timeless(report: Report[Facts]) -> Report[Facts]:
    """Give the report of a recording as of when the node was looked at: packed again it is the same."""
    if report.view.origin is not Origin.RECORDING:
        return report
    return msgspec.structs.replace(report, generated_at=report.observed_at, duration_ms={}, captured=msgspec.UNSET)
