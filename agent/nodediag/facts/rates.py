"""What changed between two looks at a node: a plain subtraction, and what must not be subtracted."""

from collections.abc import Iterator
from typing import Final

import msgspec

from nodediag.facts.cgroup_counters import Row
from nodediag.facts.counters import Counters, Table
from nodediag.facts.fact import NotKnownError
from nodediag.model.evidence import FileEvidence
from nodediag.model.reason import Code, Reason

_NOTHING: Final = Row(values={}, lines=())


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One row at both looks, `seconds` apart."""

    name: str
    seconds: float
    earlier: Row
    later: Row

    def of(self, *names: str) -> int:
        """Give by how much some counters grew in all; raises NotKnownError where one went backwards."""
        whole = 0
        for name in names:
            grown = self.later.values.get(name, 0) - self.earlier.values.get(name, 0)
            if grown < 0:
                detail = f"{name} of {self.name} went backwards between the two looks: it wrapped, or began anew"
                raise NotKnownError(Reason(code=Code.ONE_SAMPLE, detail=detail, needs="another look"))
            whole += grown
        return whole

    def each_second(self, *names: str) -> float:
        """Give by how much they grew a second."""
        return self.of(*names) / self.seconds

    @property
    def evidence(self) -> tuple[FileEvidence, ...]:
        """The lines of both looks."""
        return (*self.earlier.lines, *self.later.lines)

    def lines_of(self, *names: str) -> tuple[FileEvidence, ...]:
        """The lines of both looks that begin with one of these names, where each counter has a line of its own."""
        return tuple(line for line in self.evidence if line.text.partition(" ")[0] in names)


def changes(earlier: Counters, later: Counters, table: Table) -> Iterator[Change]:
    """Give what changed of each row that is there now; raises NotKnownError where a look could not read the table.

    What the node did not have at the earlier look, such as any cgroup of pods, has counted from zero since.
    """
    for look in (later, earlier):
        if table in look.unread and (look is later or look.unread[table].code is not Code.ABSENT):
            raise NotKnownError(look.unread[table])
    if table not in earlier.tables and table not in earlier.unread:
        detail = f"the earlier look is of a release that did not count {table}"
        raise NotKnownError(Reason(code=Code.ONE_SAMPLE, detail=detail, needs="an earlier look by this release"))
    seconds = later.uptime_s - earlier.uptime_s
    before = earlier.tables.get(table, {})
    for name, row in later.tables.get(table, {}).items():
        yield Change(name=name, seconds=seconds, earlier=before.get(name, _NOTHING), later=row)
