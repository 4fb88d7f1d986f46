"""Nodes whose kubelet has a fault, one for each check of the kubelet's."""

from datetime import UTC, datetime
from typing import Final, Protocol

import msgspec

from nodediag.facts.fact import Known, known
from nodediag.facts.kubelet_config import Told
from nodediag.facts.snapshot import Facts
from nodediag.model.evidence import FileEvidence
from nodediag.model.logs import LogFinding, LogSample
from nodediag.model.outcome import Severity

EVICTED: Final = LogFinding(
    id="kubelet.memory-pressure-eviction", condition="memory-pressure-eviction", title="The kubelet evicts pods",
    severity=Severity.CRITICAL, count=3, first="2026-11-20T10:00:00Z", last="2026-11-20T11:00:00Z", active=False,
    subjects=("namespace=default", "pod=web-1"), units=("kubelet.service",), cause="need", remedy="look", source="here",
    samples=(LogSample(time="2026-11-20T11:00:00Z", unit="kubelet.service", cursor="s=1", text="must evict pod(s)"),),
)  # fmt: skip
LEASE: Final = LogFinding(
    id="kubelet.node-lease-failed", condition="node-lease-failed", title="The lease cannot be renewed",
    severity=Severity.CRITICAL, count=30, first="2026-11-20T10:00:00Z", last="2026-11-20T10:05:00Z", active=False,
    subjects=(), units=("kubelet.service",), cause="need", remedy="look", source="here",
    samples=(LogSample(time="2026-11-20T10:05:00Z", unit="kubelet.service", cursor="s=1", text="Failed to update"),),
)  # fmt: skip


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
    kubelet, files = known(healthy().kubelet), known(healthy().kubelet_files)
    assert kubelet is not None
    assert files is not None
    anybody = Told(
        value="AlwaysAllow", by="mode in /k", evidence=FileEvidence(path="/k", line=2, text="  mode: AlwaysAllow")
    )
    open_file = msgspec.structs.replace(files.files[0], mode="0666")
    logs = known(healthy().logs)
    assert logs is not None
    return {
        "logs.node-updates": healthy(logs=Known(msgspec.structs.replace(logs, signatures=(LEASE,)))),
        "logs.evictions": healthy(logs=Known(msgspec.structs.replace(logs, signatures=(EVICTED,)))),
        "kubelet.file-modes": healthy(kubelet_files=Known(msgspec.structs.replace(files, files=(open_file,)))),
        "kubelet.configuration": healthy(
            kubelet=Known(msgspec.structs.replace(kubelet, told={"authorization.mode": anybody}))
        ),
        "kubelet.healthz": healthy(healthz=Known(stuck)),
        "kubelet.certificates": healthy(kubelet_certificates=Known(expired)),
    }
