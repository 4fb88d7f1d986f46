"""Nodes whose kubelet has a fault, one for each check of the kubelet's."""

from datetime import UTC, datetime
from typing import Protocol

import msgspec

from nodediag.facts.fact import Known, known
from nodediag.facts.snapshot import Facts


class Make(Protocol):
    def __call__(self, **facts: object) -> Facts: ...


def kubelet_faults(healthy: Make) -> dict[str, Facts]:
    """Give the facts in which each check finds its fault."""
    held = known(healthy().kubelet_certificates)
    assert held is not None
    (client,) = held.held
    old = msgspec.structs.replace(client.certificates[0], not_after=datetime(2026, 11, 20, tzinfo=UTC))
    expired = msgspec.structs.replace(held, held=(msgspec.structs.replace(client, certificates=(old,)),))
    asked = known(healthy().healthz)
    assert asked is not None
    stuck = msgspec.structs.replace(asked, status=500, text="[-]syncloop failed")
    return {
        "kubelet.healthz": healthy(healthz=Known(stuck)),
        "kubelet.certificates": healthy(kubelet_certificates=Known(expired)),
    }
