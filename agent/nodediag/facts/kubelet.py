"""The running kubelet: its command line, and the configuration file that this command line names.

The kubelet's reference: flags win over the file; `--config` is the only way to a file, so one that merely lies at a
likely path (COS ships such a one for stand-alone use) says nothing about the kubelet that runs.
"""

from enum import StrEnum
from itertools import pairwise
from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.facts import kubelet_config, kubelet_settings
from nodediag.facts.kubelet_config import Config, Told
from nodediag.facts.kubelet_settings import Settings
from nodediag.facts.process_list import WITH_KUBELET, listed
from nodediag.host import yaml_text
from nodediag.host.answer import Process
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host, Line
from nodediag.model.evidence import Evidence, ProcessEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.PID
STATE_PATH: Final = "/var/lib/kubelet"
_REFUSED: Final = frozenset({Code.NOT_PERMITTED, Code.TIMED_OUT})


class EndpointFrom(StrEnum):
    """Where the runtime endpoint was found; `nowhere` means that flags and file were read and have none."""

    FLAG = "flag"
    CONFIG = "config"
    NOWHERE = "nowhere"
    UNREAD = "unread"


class Kubelet(msgspec.Struct, frozen=True, kw_only=True):
    """The kubelet of this node. When none runs, `running` is false and the rest stays empty."""

    running: bool
    pids: tuple[int, ...] = ()
    flags: dict[str, str] = {}
    labels: dict[str, str] = {}
    version: str = ""
    config_path: str = ""
    config_reason: Reason | msgspec.UnsetType = msgspec.UNSET
    endpoint: str = ""
    endpoint_from: EndpointFrom = EndpointFrom.UNREAD
    cgroup_driver: str = ""
    told: dict[str, Told] = {}  # what its files and flags set, by path of keys; unknown where config_reason is there
    settings: Settings | msgspec.UnsetType = msgspec.UNSET
    settings_reason: Reason | msgspec.UnsetType = msgspec.UNSET
    state_folder: bool = False
    state_reason: Reason | msgspec.UnsetType = msgspec.UNSET  # why it is not known whether it is there
    evidence: tuple[Evidence, ...] = ()

    def flag_evidence(self, flag: str) -> tuple[Evidence, ...]:
        """Give the part of the command line that a flag takes, as evidence."""
        if flag not in self.flags or not self.pids:
            return self.evidence
        text = f"--{flag}={self.flags[flag]}"[:EVIDENCE_CAP]
        return (ProcessEvidence(pid=self.pids[0], name="kubelet", text=text),)


def collect(host: Host) -> Kubelet:
    """Find the node's own kubelet and read what it was told."""
    seen = listed(host)
    found = [process for process in seen.processes if is_kubelet(process) and _of_this_node(host, process)]
    parts = [process for process in seen.processes if within(process) and _of_this_node(host, process)]
    if not found and parts:
        return _part_of(parts)
    if not found and not seen.complete:
        detail = "no kubelet is among the processes that were captured"
        raise ReadError("/proc", Reason(code=Code.NOT_CAPTURED, detail=detail, needs="the kubelet's /proc/PID/cmdline"))
    if not found:
        return _stopped(host)
    process = found[0]
    flags = parse_flags(process.argv)
    path = flags.get("config", "")
    config, reason = kubelet_config.read(host, flags)
    settings, unsettled = _settings(process, flags, config, reason)
    endpoint, where = _endpoint(flags, config, readable=reason is msgspec.UNSET)
    return Kubelet(
        running=True,
        pids=tuple(process.pid for process in found),
        flags=flags,
        labels=parse_labels(flags.get("node-labels", "")),
        version=flags.get("version", "") if flags.get("version", "").startswith("v") else "",
        config_path=path,
        config_reason=reason,
        endpoint=endpoint,
        endpoint_from=where,
        cgroup_driver=flags.get("cgroup-driver") or yaml_text.text_at(config.loaded, "cgroupDriver"),
        settings=settings,
        settings_reason=unsettled,
        told=kubelet_config.values(config, flags, process.pid),
        state_folder=True,
        evidence=_evidence(process, config, where),
    )


def is_kubelet(process: Process) -> bool:
    """Tell a kubelet by the name of its program, which may stand behind `hyperkube` or a snap's path."""
    words = [argument.rpartition("/")[2] for argument in process.argv[:2]]
    return words[:1] == ["kubelet"] or words == ["hyperkube", "kubelet"]


def within(process: Process) -> str:
    """Name the distribution whose one program holds the kubelet, empty for other programs.

    k3s writes `k3s agent` over its whole command line, lest its token be seen there.
    """
    words = " ".join(process.argv[:2]).split()[:2]
    name = words[0].rpartition("/")[2] if words else ""
    if name == "k3s" and words[1:] not in (["server"], ["agent"]):
        return ""
    return WITH_KUBELET.get(name, "")


def _part_of(processes: list[Process]) -> Kubelet:
    """Tell of a kubelet that runs as a part of another program: that it runs, and nothing of what it was told."""
    first = processes[0]
    detail = f"the kubelet is a part of {within(first)}, which hands it its flags inside; they are not read"
    return Kubelet(
        running=True,
        pids=tuple(process.pid for process in processes),
        config_reason=Reason(code=Code.UNSUPPORTED, detail=detail),
        settings_reason=Reason(code=Code.UNSUPPORTED, detail=detail),
        state_folder=True,
        evidence=(ProcessEvidence(pid=first.pid, name=first.name, text=" ".join(first.argv).strip()[:EVIDENCE_CAP]),),
    )


def parse_flags(argv: tuple[str, ...]) -> dict[str, str]:
    """Parse flags as the kubelet does: `--name=value`, `--name value`, a bare name is true; repeated labels add up.

    An underscore in a name is a dash to it.
    """
    flags: dict[str, str] = {}
    for word, after in pairwise((*argv[1:], "-")):
        if not word.startswith("-"):
            continue
        spelled, equals, value = word.lstrip("-").partition("=")
        name = spelled.replace("_", "-")
        if not equals:
            value = "true" if after.startswith("-") else after
        flags[name] = f"{flags[name]},{value}" if name == "node-labels" and name in flags else value
    flags.pop("", None)
    return flags


def parse_labels(text: str) -> dict[str, str]:
    """Parse `key=value,key=value`."""
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {key.strip(): value for key, _, value in pairs}


def _of_this_node(host: Host, process: Process) -> bool:
    """Tell the node's kubelet from what only bears its name: it is root's, in no nested PID namespace, in no pod.

    `NSpid` has a number for each nested PID namespace, see proc_pid_status(5). What a capture lacks excludes nothing.
    """
    status = {line.text.split()[0]: line.text.split()[1:] for line in _lines(host, f"/proc/{process.pid}/status")}
    if status.get("Uid:", ["0"])[:1] != ["0"] or len(status.get("NSpid:", [])) > 1:
        return False
    return not any("kubepods" in line.text for line in _lines(host, f"/proc/{process.pid}/cgroup"))


def _lines(host: Host, path: str) -> tuple[Line, ...]:
    try:
        return tuple(line for line in host.lines(path) if line.text.strip())
    except ReadError:
        return ()


def _stopped(host: Host) -> Kubelet:
    """Tell whether a node without a running kubelet has had one: the folder alone may come with the image."""
    try:
        return Kubelet(running=False, state_folder=bool(host.list(STATE_PATH)))
    except ReadError as error:
        if error.reason.code is Code.NOT_CAPTURED:
            return Kubelet(running=False, state_reason=error.reason)
        return Kubelet(running=False, state_folder=error.reason.code in _REFUSED)


def _settings(
    process: Process, flags: dict[str, str], config: Config, unread: Reason | msgspec.UnsetType
) -> tuple[Settings | msgspec.UnsetType, Reason | msgspec.UnsetType]:
    """Give its thresholds and reservations, or why they are not known."""
    if unread is not msgspec.UNSET:
        return msgspec.UNSET, unread
    try:
        return kubelet_settings.read(flags, process.pid, config), msgspec.UNSET
    except ParseError as error:
        return msgspec.UNSET, error.reason


def _endpoint(flags: dict[str, str], config: Config, *, readable: bool) -> tuple[str, EndpointFrom]:
    flag = flags.get("container-runtime-endpoint", "")
    if flag:
        return flag, EndpointFrom.FLAG
    named = yaml_text.text_at(config.loaded, "containerRuntimeEndpoint")
    if named:
        return named, EndpointFrom.CONFIG
    return "", EndpointFrom.NOWHERE if readable else EndpointFrom.UNREAD


def _evidence(process: Process, config: Config, where: EndpointFrom) -> tuple[Evidence, ...]:
    command = ProcessEvidence(pid=process.pid, name=process.name, text=" ".join(process.argv)[:EVIDENCE_CAP])
    if where is not EndpointFrom.CONFIG:
        return (command,)
    return command, config.line("containerRuntimeEndpoint")
