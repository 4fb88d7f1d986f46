"""COS's toolbox: a script that starts a container with systemd-nspawn(1), for debugging.

/etc/default/toolbox names its image for all users; a user's own ~/.toolboxrc is not looked for.
"""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.process_list import TOOLBOX, listed
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host, Line
from nodediag.model.evidence import FileEvidence, PathEvidence, ProcessEvidence
from nodediag.model.reason import Reason

NAMESPACE: Final = Namespace.MOUNT
PATH: Final = "/usr/bin/toolbox"
CONFIG_PATH: Final = "/etc/default/toolbox"
STATE_PATH: Final = "/var/lib/toolbox"
_SHOWN: Final = 20


class Toolbox(msgspec.Struct, frozen=True, kw_only=True):
    """The script, its configured image (empty where it is not told), those unpacked, and those that run."""

    present: bool
    image: str = ""
    tag: str = ""
    unpacked: tuple[str, ...] = ()
    running: tuple[ProcessEvidence, ...] = ()
    running_reason: Reason | msgspec.UnsetType = msgspec.UNSET  # why it is not known whether one runs
    config: tuple[FileEvidence, ...] = ()
    evidence: PathEvidence


def collect(host: Host) -> Toolbox:
    """Look for the script; raises ReadError where it cannot be told whether there is one."""
    found = host.absent(host.stat, PATH)
    if found is None:
        return Toolbox(present=False, evidence=PathEvidence(path=PATH, type="none"))
    evidence = PathEvidence(path=PATH, type=found.kind.value, mode=found.mode)
    config = parse(_config(host))
    running, reason = _running(host)
    return Toolbox(
        present=True,
        image=config["TOOLBOX_DOCKER_IMAGE"].text if "TOOLBOX_DOCKER_IMAGE" in config else "",
        tag=config["TOOLBOX_DOCKER_TAG"].text if "TOOLBOX_DOCKER_TAG" in config else "",
        unpacked=_unpacked(host),
        running=running,
        running_reason=reason,
        config=tuple(line.evidence for line in config.values()),
        evidence=evidence,
    )


def parse(lines: tuple[Line, ...]) -> dict[str, Line]:
    """Read the assignments of a shell file by name, quotes taken off; the last counts."""
    found: dict[str, Line] = {}
    for line in lines:
        name, equals, value = line.text.strip().removeprefix("export ").partition("=")
        if equals and name.isidentifier():
            found[name] = msgspec.structs.replace(line, text=value.strip().strip("'\"")[:EVIDENCE_CAP])
    return found


def _config(host: Host) -> tuple[Line, ...]:
    try:
        return host.lines(CONFIG_PATH)
    except ReadError:
        return ()


def _unpacked(host: Host) -> tuple[str, ...]:
    try:
        return host.list(STATE_PATH)[:_SHOWN]
    except ReadError:
        return ()


def _running(host: Host) -> tuple[tuple[ProcessEvidence, ...], Reason | msgspec.UnsetType]:
    try:
        seen = listed(host)
    except ReadError as error:
        return (), error.reason
    return tuple(
        ProcessEvidence(pid=one.pid, name=one.name, text=" ".join(one.argv)[:EVIDENCE_CAP])
        for one in seen.processes
        if one.name == TOOLBOX and any(STATE_PATH in word for word in one.argv)
    ), msgspec.UNSET
