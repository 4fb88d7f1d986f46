"""What the kubelet was told of thresholds and reservations: keys of its configuration, and the flags that win.

See `Node-pressure Eviction` and `Reserve Compute Resources for System Daemons` in Kubernetes' documentation. A set of
thresholds replaces the kubelet's own as a whole: a signal that it leaves out is not watched.
"""

from typing import Final

import msgspec

from nodediag.facts import quantity
from nodediag.facts.kubelet_config import Config, Told
from nodediag.host.host import EVIDENCE_CAP
from nodediag.host.yaml_text import Yaml
from nodediag.model.evidence import ProcessEvidence

_OFF: Final = frozenset({"0%", "100%"})  # the kubelet takes both for "do not watch"
_RESERVED: Final = ("kubeReserved", "systemReserved")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """By signal and by resource; `hard` is unset where the kubelet's own thresholds hold."""

    hard: dict[str, Told] | msgspec.UnsetType = msgspec.UNSET
    soft: dict[str, Told] = {}
    soft_grace: dict[str, str] = {}
    defaults_merged: bool = False
    reserved: dict[str, Told] = {}  # such as `kubeReserved.memory`
    fail_swap_on: bool = True
    swap_behavior: str = ""


class _Source(msgspec.Struct, frozen=True):
    flags: dict[str, str]
    pid: int
    config: Config

    def table(self, key: str, flag: str, between: str) -> dict[str, Told] | None:
        """Give a table of the file, or of the flag that takes its place; None where neither is there."""
        if flag in self.flags:
            pairs = (pair.partition(between) for pair in self.flags[flag].split(",") if pair.strip())
            evidence = ProcessEvidence(pid=self.pid, name="kubelet", text=f"--{flag}={self.flags[flag]}"[:EVIDENCE_CAP])
            return {
                name.strip(): Told(value=value.strip(), by=f"the flag --{flag}", evidence=evidence)
                for name, _, value in pairs
            }
        held = self.config.held.get(key)
        if not isinstance(held, dict):
            return None
        lines = {name: self.config.line(key, str(name)) for name in held}
        return {
            str(name): Told(value=str(value), by=f"{key} in {lines[name].path}", evidence=lines[name])
            for name, value in held.items()
        }


def read(flags: dict[str, str], pid: int, config: Config) -> Settings:
    """Read what flags and files say; raises ParseError for a threshold that the kubelet would not start with."""
    source = _Source(flags, pid, config)
    hard = source.table("evictionHard", "eviction-hard", "<")
    soft = source.table("evictionSoft", "eviction-soft", "<") or {}
    grace = source.table("evictionSoftGracePeriod", "eviction-soft-grace-period", "=") or {}
    reserved = {
        f"{key}.{name}": told for key in _RESERVED for name, told in (source.table(key, _flag(key), "=") or {}).items()
    }
    for told in reserved.values():
        quantity.of_whole(told.value, 0)
    held = config.held
    swap = held.get("memorySwap")
    behavior = swap.get("swapBehavior") if isinstance(swap, dict) else ""
    return Settings(
        hard=msgspec.UNSET if hard is None else _watched(hard),
        soft=_watched(soft),
        soft_grace={signal: told.value for signal, told in grace.items()},
        defaults_merged=held.get("mergeDefaultEvictionSettings") is True,
        reserved=reserved,
        fail_swap_on=_fails_on_swap(flags, held),
        swap_behavior=behavior if isinstance(behavior, str) else "",
    )


def _flag(key: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in key)


def _watched(table: dict[str, Told]) -> dict[str, Told]:
    """Leave out what is switched off, and refuse what is no threshold."""
    for told in table.values():
        quantity.of_whole(told.value, 0)
    return {signal: told for signal, told in table.items() if told.value not in _OFF}


def _fails_on_swap(flags: dict[str, str], held: dict[str, Yaml]) -> bool:
    if "fail-swap-on" in flags:
        return flags["fail-swap-on"].lower() not in {"false", "f", "0"}
    return held.get("failSwapOn") is not False
