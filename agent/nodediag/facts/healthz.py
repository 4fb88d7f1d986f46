"""What the running kubelet answers at /healthz: whether its main loop still turns. See healthzPort in its settings."""

from typing import Final

import msgspec

from nodediag.errors import ReadError
from nodediag.facts.fact import Fact, Known
from nodediag.facts.kubelet import Kubelet
from nodediag.host.answer import HealthzOutcome
from nodediag.host.ask import Namespace
from nodediag.host.host import Host
from nodediag.model.evidence import HttpEvidence
from nodediag.model.reason import Code, Reason

PORT: Final = 10248
_PORT_KEY: Final = "healthzPort"
_ADDRESS_KEY: Final = "healthzBindAddress"
_ALL: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - what the kubelet may listen at
_MOST_PORT: Final = 65_535
_OK: Final = 200


class Healthz(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; the status is HTTP's, 0 where there was none."""

    url: str
    outcome: HealthzOutcome
    status: int
    text: str

    @property
    def well(self) -> bool:
        """Whether it said so."""
        return self.status == _OK

    @property
    def evidence(self) -> HttpEvidence:
        """Quote it."""
        said = f"{self.status} {self.text}" if self.status else self.outcome.value
        return HttpEvidence(url=self.url, server="kubelet", text=said)


class Collector:
    """Asks a kubelet that is known; its loopback is that of its network namespace alone."""

    def __init__(self, kubelet: Fact[Kubelet]) -> None:
        self.NAMESPACE: Namespace | None = Namespace.NET if _runs(kubelet) else None
        self._kubelet = kubelet

    def collect(self, host: Host) -> Healthz:
        """Ask it; raises ReadError where none runs, or none may be asked."""
        if not isinstance(self._kubelet, Known):
            raise ReadError("/healthz", self._kubelet.reason)
        kubelet = self._kubelet.value
        if not kubelet.running:
            raise ReadError("/healthz", Reason(code=Code.ABSENT, detail="no kubelet runs here"))
        if kubelet.config_reason is not msgspec.UNSET:
            raise ReadError("/healthz", kubelet.config_reason)
        address, port = _place(kubelet)
        answer = host.healthz(address, port)
        shown = f"[{address}]" if ":" in address else address
        return Healthz(
            url=f"http://{shown}:{port}/healthz", outcome=answer.outcome, status=answer.status, text=answer.text
        )


def _runs(kubelet: Fact[Kubelet]) -> bool:
    return isinstance(kubelet, Known) and kubelet.value.running


def _place(kubelet: Kubelet) -> tuple[str, int]:
    """Give where it listens; raises ReadError where it is told not to, or what it is told is no port."""
    told, bound = kubelet.told.get(_PORT_KEY), kubelet.told.get(_ADDRESS_KEY)
    text = str(PORT) if told is None else told.value
    port = int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(_MOST_PORT)) else _MOST_PORT + 1
    if port == 0:
        raise ReadError("/healthz", Reason(code=Code.ABSENT, detail="the kubelet's healthz is switched off"))
    if port > _MOST_PORT:
        raise ReadError("/healthz", Reason(code=Code.UNPARSABLE, detail=f"{_PORT_KEY}: {text} is no port"))
    address = "" if bound is None else bound.value
    return _ALL.get(address, address), port
