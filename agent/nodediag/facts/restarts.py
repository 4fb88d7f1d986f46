"""How often systemd itself has restarted services (NRestarts): one more table of the counters of a look."""

from typing import Final

import msgspec

from nodediag.facts import counters as counters_, units as units_
from nodediag.facts.cgroup_counters import Row
from nodediag.facts.counters import Counters, Table
from nodediag.facts.fact import Fact, Unknown, settle
from nodediag.facts.units import Units
from nodediag.host.host import Host
from nodediag.model.reason import Code, Reason

COUNTER: Final = "restarts"
_SUFFIX: Final = ".service"


def look(host: Host) -> Counters:
    """Look once at all counters, those of units among them; raises as `counters.collect` does."""
    return with_restarts(counters_.collect(host), settle(lambda: units_.collect(host)))


def with_restarts(counters: Counters, units: Fact[Units]) -> Counters:
    """Add what systemd has told to the other counters of the same look; services without a restart are left out."""
    told = _told(units)
    if isinstance(told, Reason):
        return msgspec.structs.replace(counters, unread={**counters.unread, Table.RESTARTS: told})
    return msgspec.structs.replace(counters, tables={**counters.tables, Table.RESTARTS: told})


def _told(fact: Fact[Units]) -> dict[str, Row] | Reason:
    """Give the counts, or why they are not known: systemd was not asked, or is too old to count."""
    if isinstance(fact, Unknown):
        return fact.reason
    units = fact.value
    if units.reason is not msgspec.UNSET:
        return units.reason
    running = [unit for unit in units.units if unit.name.endswith(_SUFFIX) and unit.sub == "running"]
    if running and all(unit.restarts is msgspec.UNSET for unit in running):
        detail = f"systemd {units.version} does not count restarts"
        return Reason(code=Code.UNSUPPORTED, detail=detail, needs="systemd 235 or later")
    return {unit.name: Row(values={COUNTER: unit.restarts}, lines=()) for unit in units.units if unit.restarts}
