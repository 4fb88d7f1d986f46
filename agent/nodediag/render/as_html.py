"""The report as one page for a person: a file that asks for nothing, runs nothing, and is read at any width or printed.

Its content security policy allows its own style sheet, by hash, and nothing else.
"""

import base64
import hashlib
from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.facts.snapshot import Facts
from nodediag.host import package
from nodediag.model.evidence import Evidence
from nodediag.model.outcome import Severity, Verdict
from nodediag.model.report import Node, Report, Scope
from nodediag.render import words
from nodediag.render.html import checks, facts, layout_drawing, logs, parts, problems
from nodediag.render.html.markup import Html, escape, joined, page, style, tag

_STYLE: Final = "render/html/style.css"
_SECTIONS: Final = (
    ("problems", "Problems"),
    ("layout", "Layout"),
    ("logs", "Journal"),
    ("checks", "Checks"),
    ("blind-spots", "Blind spots"),
    ("facts", "Facts"),
)
_UNTOLD: Final = frozenset({"", "unknown", "none"})


def render(report: Report[Facts]) -> bytes:
    """Give the report as a page."""
    css = package.text(_STYLE)
    return page(_head(report, css), _body(report)).encode()


def _head(report: Report[Facts], css: str) -> Iterator[Html]:
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    yield tag("meta", charset="utf-8")
    yield tag("meta", http_equiv="Content-Security-Policy", content=policy)
    yield tag("meta", name="viewport", content="width=device-width, initial-scale=1")
    yield tag("meta", name="color-scheme", content="light dark")
    yield tag("meta", name="referrer", content="no-referrer")
    yield tag("title", f"{report.verdict.value}: {_name(report.node)} - nodediag")
    yield style(css)


def _name(node: Node) -> str:
    return next((name for name in (node.name, node.hostname) if name not in _UNTOLD), "a node")


def _body(report: Report[Facts]) -> Iterator[Html]:
    yield _header(report)
    links = (tag("a", title, href=f"#{identity}") for identity, title in _SECTIONS)
    yield tag("nav", parts.listed(links), aria_label="Sections")
    yield tag(
        "main", problems.section(report), layout_drawing.section(report), logs.section(report), checks.section(report),
        checks.blind_spots(report), facts.section(report),
    )  # fmt: skip
    yield _footer(report)


def _header(report: Report[Facts]) -> Html:
    verdict = report.verdict.value
    partial = report.scope is Scope.PARTIAL
    return tag(
        "header",
        tag("h1", parts.badge(verdict.upper(), verdict), " ", tag("span", _name(report.node))),
        tag("p", _because(report), class_="because"),
        tag("p", words.about(report), ". ", words.judged(report)),
        tag("p", said) if (said := words.captured(report)) else escape(""),
        tag("p", "Not every check was selected: this is a part of a diagnosis.") if partial else escape(""),
        tag("p", joined(_counts(report)), class_="counts"),
        problems.summary(report),
        parts.folded("What this node is, and what the image is told by", _identity(report), _told_by(report)),
        class_=verdict,
    )  # fmt: skip


def _because(report: Report[Facts]) -> str:
    said = words.headline(report)
    return said[:1].upper() + said[1:] if report.verdict in {Verdict.HEALTHY, Verdict.UNKNOWN} else said


def _counts(report: Report[Facts]) -> Iterator[Html]:
    """Give the numbers at a glance, each a link to what it counts."""
    for severity in Severity:
        count = report.counts.severities.get(severity.value, 0)
        if count:
            yield tag("a", parts.badge(f"{count} {severity.value}", severity.value), href="#problems")
    unseen = report.counts.outcomes.get("unknown", 0) + report.counts.outcomes.get("broken", 0)
    if unseen:
        yield tag("a", parts.badge(f"{parts.counted(unseen, 'check')} could not look", "unknown"), href="#checks")
    passed = report.counts.outcomes.get("passed", 0)
    yield tag("a", parts.badge(f"{passed} passed", "passed"), href="#checks")


def _identity(report: Report[Facts]) -> Html:
    node = report.node
    rows = (
        ("Node", node.name), ("Host name", node.hostname), ("Image type", node.image_type.value),
        ("Operating system", f"{node.os.name} {node.os.version}"), ("Build", node.os.build),
        ("Kernel", node.kernel.release), ("Kubelet", node.kubelet.version), ("GKE", node.platform.gke_version),
        ("Runtime", f"{node.runtime.name.value} {node.runtime.version}"), ("cgroup", node.cgroup.version),
        ("Architecture", node.arch), ("Zone", node.zone), ("Instance", node.instance_id),
        ("Machine id", node.machine_id), ("Boot id", node.boot_id), ("Booted", node.booted_at),
        ("Looked at", parts.moment(report.observed_at)),
        ("Seen from", f"{report.view.origin.value} at {report.view.root} as uid {report.view.uid}"),
    )  # fmt: skip
    return parts.pairs((name, value) for name, value in rows if value not in _UNTOLD)


def _told_by(report: Report[Facts]) -> Html:
    return tag(
        "ul",
        joined(
            tag("li", tag("span", f"{field.replace('_', ' ')}: {one.says}", class_="place"), *_quoted(one.evidence))
            for field, findings in report.node.evidence.items()
            for one in findings
        ),
        class_="evidence",
    )


def _quoted(evidence: Evidence) -> Iterator[Html]:
    yield tag("pre", words.told(evidence))


def _footer(report: Report[Facts]) -> Html:
    used = report.profile
    profile = "" if used is msgspec.UNSET else f"; profile {used.name} {used.version} of {used.date} ({used.digest})"
    made = parts.moment(report.generated_at)
    took = ", ".join(f"{step} {took} ms" for step, took in report.duration_ms.items())
    data = "; ".join(f"{kind} of {age.date}" for kind, age in report.tool.data.items())
    departures = () if used is msgspec.UNSET else used.departures
    rows = ((tag("code", one.path), one.says, one.document) for one in departures)
    table = parts.table("Departures", ("Path", "Real nodes and the document", "Row"), rows)
    return tag(
        "footer",
        parts.folded("Where real nodes depart from the document", table) if departures else escape(""),
        tag("p", f"nodediag {report.tool.version}, data {report.tool.data_digest} ({data}){profile}."),
        tag("p", f"Made {made}; it took: {took or 'unknown'}. The same as JSON, with all evidence: "
                 "`nodediag report --format json`, schema ", tag("code", report.schema), "."),
    )  # fmt: skip
