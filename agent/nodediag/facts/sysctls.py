"""Kernel parameters against the snapshot that GKE's node scripts take of them when they are done: `sysctl -a`.

Of the thousand that a snapshot holds, those are read again that decide how safe a node is and how its network works.
What depends on the network namespace is read only where ours is PID 1's.
"""

from typing import Final

import msgspec

from nodediag.errors import ParseError, ReadError
from nodediag.host.answer import Sharing
from nodediag.host.ask import Namespace
from nodediag.host.host import EVIDENCE_CAP, Host, Line
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

NAMESPACE: Final = Namespace.MOUNT
PATH: Final = "/home/kubernetes/npd-custom-plugins/configs/init-sysctls.conf"
WATCHED: Final = (
    "fs.inotify.max_user_instances", "fs.inotify.max_user_watches", "fs.protected_hardlinks", "fs.protected_symlinks",
    "fs.suid_dumpable", "kernel.core_pattern", "kernel.hung_task_panic", "kernel.kptr_restrict", "kernel.panic",
    "kernel.panic_on_oops", "kernel.pid_max", "kernel.randomize_va_space", "kernel.softlockup_panic", "kernel.sysrq",
    "kernel.unprivileged_bpf_disabled", "kernel.yama.ptrace_scope", "net.bridge.bridge-nf-call-iptables",
    "net.core.bpf_jit_harden", "net.core.somaxconn", "net.ipv4.conf.all.forwarding", "net.ipv4.conf.all.rp_filter",
    "net.ipv4.ip_forward", "net.ipv4.tcp_mtu_probing", "net.ipv6.conf.all.disable_ipv6", "vm.max_map_count",
    "vm.overcommit_memory", "vm.panic_on_oom", "vm.swappiness",
)  # fmt: skip


class Sysctl(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter that is not as it was: the value of the snapshot, and that of now."""

    name: str
    was: str
    value: str
    evidence: tuple[FileEvidence, ...]


class Sysctls(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed, of how many that were compared; `unseen` are those that could not be, with the first reason."""

    snapshot: bool
    compared: int = 0
    changed: tuple[Sysctl, ...] = ()
    unseen: tuple[str, ...] = ()
    unseen_reason: Reason | msgspec.UnsetType = msgspec.UNSET


def collect(host: Host) -> Sysctls:
    """Compare, where there is a snapshot."""
    lines = host.absent(host.lines, PATH)
    if lines is None:
        return Sysctls(snapshot=False)
    kept = parse(lines)
    own_net = host.namespaces().sharing.get(Namespace.NET, Sharing.UNKNOWN) is Sharing.SAME
    changed: list[Sysctl] = []
    unseen: dict[str, Reason] = {}
    for name in (name for name in WATCHED if name in kept):
        try:
            found = _changed(host, name, kept[name], own_net=own_net)
        except ReadError as error:
            unseen[name] = error.reason
            continue
        changed += [found] if found is not None else []
    compared = sum(name in kept for name in WATCHED) - len(unseen)
    reason = next(iter(unseen.values()), msgspec.UNSET)
    return Sysctls(snapshot=True, compared=compared, changed=tuple(changed), unseen=tuple(unseen), unseen_reason=reason)


def parse(lines: tuple[Line, ...]) -> dict[str, Line]:
    """Parse `NAME = VALUE` as `sysctl -a` prints it, the value as the text of each line; raises ParseError for none."""
    found: dict[str, Line] = {}
    for line in lines:
        name, equals, value = line.text.partition("=")
        if equals:
            found[name.strip().replace("/", ".")] = msgspec.structs.replace(line, text=_plain(value))
    if not found:
        raise ParseError(PATH, lines[0].text if lines else "", "lines `NAME = VALUE`")
    return found


def _changed(host: Host, name: str, kept: Line, *, own_net: bool) -> Sysctl | None:
    path = "/proc/sys/" + name.replace(".", "/")
    if name.startswith("net.") and not own_net:
        detail = f"{path} tells of our network namespace, which is not that of PID 1"
        raise ReadError(path, Reason(code=Code.OTHER_NAMESPACE, detail=detail, needs="to run on the node itself"))
    line = host.first_line(path)
    value = _plain(line.text)
    if value == kept.text:
        return None
    was = FileEvidence(path=PATH, line=kept.number, text=f"{name} = {kept.text}"[:EVIDENCE_CAP])
    return Sysctl(name=name, was=kept.text[:EVIDENCE_CAP], value=value[:EVIDENCE_CAP], evidence=(was, line.evidence))


def _plain(value: str) -> str:
    return " ".join(value.split())
