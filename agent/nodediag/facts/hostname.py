"""The host name the kernel has, see hostname(7); it belongs to a UTS namespace."""

from typing import Final

import msgspec

from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.evidence import UnameEvidence

NAMESPACE: Final = Namespace.UTS


class Hostname(msgspec.Struct, frozen=True, kw_only=True):
    """The name, as the kernel has it."""

    name: str
    evidence: UnameEvidence


def collect(host: Host) -> Hostname:
    """Ask the kernel."""
    name = host.uname().nodename
    return Hostname(name=name, evidence=UnameEvidence(text=name))
