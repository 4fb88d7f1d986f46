"""systemd's restarts among the counters of a look."""

from typing import Final

import pytest

from nodediag.facts.counters import Counters, Table
from nodediag.facts.fact import Fact, Known, Unknown
from nodediag.facts.restarts import with_restarts
from nodediag.facts.units import How, Unit, Units
from nodediag.model.reason import Code, Reason

LOOK: Final = Counters(boot_id="a", uptime_s=100.0)
RUNS: Final = Unit(name="kubelet.service", active="active", sub="running", restarts=0)
CAME_BACK: Final = Unit(name="fluent-bit.service", active="active", sub="running", restarts=4)
OLD: Final = Unit(name="kubelet.service", active="active", sub="running")
REFUSED: Final = Reason(code=Code.NOT_PERMITTED, detail="the bus refused")


def test_services_that_systemd_has_restarted_are_counted_and_no_others() -> None:
    found = with_restarts(LOOK, Known(Units(how=How.DBUS, units=(RUNS, CAME_BACK))))
    assert {name: row.values for name, row in found.tables[Table.RESTARTS].items()} == {
        "fluent-bit.service": {"restarts": 4}
    }
    assert (found.boot_id, found.unread) == ("a", {})


@pytest.mark.parametrize(
    ("units", "code"),
    [
        (Unknown(REFUSED), Code.NOT_PERMITTED),
        (Known(Units(how=How.CGROUPS, reason=REFUSED, units=(RUNS,))), Code.NOT_PERMITTED),
        (Known(Units(how=How.DBUS, version="229", units=(OLD,))), Code.UNSUPPORTED),
    ],
)
def test_where_systemd_was_not_asked_or_does_not_count_nothing_is_known(units: Fact[Units], code: Code) -> None:
    found = with_restarts(LOOK, units)
    assert found.unread[Table.RESTARTS].code is code
    assert Table.RESTARTS not in found.tables
