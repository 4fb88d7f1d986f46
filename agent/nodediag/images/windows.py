"""Which Windows Server a node runs, LTSC or SAC: by its build, and where two releases share one by the name's year."""

import pkgutil
import re
from enum import StrEnum
from functools import cache
from typing import Final

import msgspec

from nodediag import prepared
from nodediag.facts.snapshot import Facts
from nodediag.images import told
from nodediag.images.decision import Decision, found, short
from nodediag.model.evidence import Evidence
from nodediag.model.reason import Code, Reason

_BUILD: Final = r"10\.0\.(\d{4,6})(?:\.\d+)?"
_YEAR: Final = r"\b(20\d\d)\b"


class Channel(StrEnum):
    """Microsoft's servicing channels."""

    LTSC = "ltsc"
    SAC = "sac"


class Release(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A release; `version` is a year, or as `20H2`."""

    build: int
    channel: Channel
    version: str


class _Releases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    release: tuple[Release, ...]


@cache
def releases() -> tuple[Release, ...]:
    """Give the releases we know."""
    text = pkgutil.get_data("nodediag", "images/windows.toml")
    known: _Releases = prepared.decode((text or b"").decode(), _Releases)
    return known.release


def decide(facts: Facts) -> Decision[Release | None]:
    """Decide by the build; a node whose name has no year where two releases share the build is of the SAC."""
    build, evidence = _build(facts)
    name = _name(facts)
    if evidence is None:
        pool = _by_pool(facts)
        return pool or _open("the build of Windows is not known", "status.nodeInfo.kernelVersion of the node object")
    fitting = [one for one in releases() if one.build == build]
    year = re.search(_YEAR, name)
    if len(fitting) > 1 and name:
        fitting = [one for one in fitting if (one.channel is Channel.LTSC) == (year is not None)]
    if len(fitting) > 1:
        return _open(f"the build {build} is that of two releases", "status.nodeInfo.osImage of the node object")
    if not fitting:
        detail = f"the build {build} is that of no release of Windows Server we know"
        return Decision(value=None, open=Reason(code=Code.UNSUPPORTED, detail=detail))
    (one,) = fitting
    says = f"the build {build} is Windows Server {one.version}, {one.channel.value.upper()}"
    return Decision(value=one, findings=(found(says, evidence),))


def at_odds(facts: Facts) -> str:
    """Say how the name's year and the build disagree; empty where they do not."""
    build, evidence = _build(facts)
    year = re.search(_YEAR, _name(facts))
    years = {one.version for one in releases() if one.build == build and one.channel is Channel.LTSC}
    if evidence is None or year is None or year[1] in years or not any(one.build == build for one in releases()):
        return ""
    return f"the system is called {_name(facts)}, but its build {build} is not one of {year[1]}"


def _build(facts: Facts) -> tuple[int, Evidence | None]:
    theirs = told.node_object(facts)
    kernel = re.fullmatch(_BUILD, theirs.info.get("kernelVersion", "")) if theirs is not None else None
    if theirs is not None and kernel:
        return int(kernel[1]), theirs.info_evidence("kernelVersion")
    labelled = told.label(facts, told.WINDOWS_BUILD)
    match = re.fullmatch(_BUILD, labelled[0]) if labelled is not None else None
    return (int(match[1]), labelled[1]) if match and labelled is not None else (0, None)


def _name(facts: Facts) -> str:
    theirs = told.node_object(facts)
    return theirs.info.get("osImage", "") if theirs is not None else ""


def _by_pool(facts: Facts) -> Decision[Release | None] | None:
    """Take the channel alone, from the type of a node pool or GKE's label."""
    words = [(one.image_type, one.evidence["image_type"]) for one in told.instances(facts) if one.image_type]
    labelled = told.label(facts, told.DISTRIBUTION)
    for word, evidence in (*words, *((labelled,) if labelled is not None else ())):
        for channel in Channel:
            if f"windows_{channel.value}" in word:
                value = Release(0, channel, "unknown")
                return Decision(value=value, findings=(found(f"GKE calls it {word}", evidence),))
    return None


def _open(detail: str, needs: str) -> Decision[Release | None]:
    return Decision(value=None, open=short(detail, needs))
