"""What the kernel is kept busy with: new processes, pages read back, swap, and stalls measured over minutes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from nodediag.checks.check import Check, NotApplicableError, check
from nodediag.checks.rates import TWO_LOOKS, judged, looks, values
from nodediag.checks.threshold import Measured, asked, held
from nodediag.facts.counters import Table
from nodediag.facts.fact import NotKnownError
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Subject
from nodediag.profiles.profile import Profile, ThresholdRule

if TYPE_CHECKING:
    from nodediag.facts.rates import Change

_REFAULTS: Final = ("workingset_refault", "workingset_refault_anon", "workingset_refault_file")
_MICROSECONDS: Final = 1_000_000
_SOME_MEMORY: Final = "memory.some"


@check("rates.forks", title="Processes are not started by the thousand", needs=f"{TWO_LOOKS}, /proc/stat")
def forks(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """A shell script in a loop or a probe gone wild costs a whole CPU in starting alone, and uses up process ids."""
    yield from judged(facts, profile, "rates.forks", Table.FORKS, _forks)


@check(
    "rates.thrashing",
    title="Memory is not read back from disk again and again",
    needs=f"{TWO_LOOKS}, /proc/vmstat, /proc/pressure/memory",
)
def thrashing(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Where the programs' own pages do not fit, each is read again as soon as it was dropped: the node crawls."""
    rule = asked(profile, "rates.thrashing")
    stalls = {change.name: change for change in looks(facts, Table.PRESSURE)}
    if _SOME_MEMORY not in stalls:
        raise NotApplicableError("this kernel keeps no pressure stall information")
    waited = _stalled(stalls[_SOME_MEMORY])
    for change in looks(facts, Table.MEMORY):
        faults = change.each_second("pgmajfault")
        if faults < rule.minimum:
            continue
        refaults, swapped = change.each_second(*_REFAULTS), change.each_second("pswpin")
        message = (
            f"for {change.seconds:.0f} s {faults:.0f} pages a second were read from disk for want of memory"
            f" ({refaults:.0f} that had just been dropped, {swapped:.0f} from swap), and work waited"
            f" for memory {waited:.0f} % of the time"
        )
        measured = Measured(
            subject=Subject("memory", "node"), value=waited, unit="% of the time", message=message,
            values=values(change, waited_percent=round(waited, 1)),
            evidence=(*stalls[_SOME_MEMORY].evidence, *change.lines_of("pgmajfault", *_REFAULTS, "pswpin")),
        )  # fmt: skip
        yield from held(profile, "rates.thrashing", measured)


@check("rates.swapping", title="Memory is not swapped in and out all the time", needs=f"{TWO_LOOKS}, /proc/vmstat")
def swapping(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """Swap that is used is harmless; swap that is read and written all the time makes memory as slow as the disk."""
    yield from judged(facts, profile, "rates.swapping", Table.MEMORY, _swapped)


@check(
    "rates.pressure", title="Between two looks work did not stand still for long", needs=f"{TWO_LOOKS}, /proc/pressure"
)
def pressure(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """The kernel's own averages fade; its totals tell exactly how long work has waited since the earlier look."""
    least = asked(profile, "rates.pressure").minimum
    changes = tuple(looks(facts, Table.PRESSURE))
    if not changes:
        raise NotApplicableError("this kernel keeps no pressure stall information")
    if changes[0].seconds < least:
        raise NotApplicableError(f"the looks lie less than {least:g} s apart; `pressure.*` judges so short a time")
    unsure: NotKnownError | None = None
    for change in changes:
        key = f"pressure.{change.name}"
        if key in profile.thresholds:
            try:
                yield from held(profile, key, _pressed(change))
            except NotKnownError as error:
                unsure = unsure or error
    if unsure is not None:
        raise unsure


def _forks(change: "Change", _rule: ThresholdRule) -> Measured:
    found = change.each_second("processes")
    return Measured(
        subject=Subject("processes", "forks"),
        value=found,
        unit="a second",
        message=f"{found:.0f} processes and threads a second were started, for {change.seconds:.0f} s",
        values=values(change),
        evidence=change.evidence,
    )


def _swapped(change: "Change", _rule: ThresholdRule) -> Measured:
    into, out = change.each_second("pswpin"), change.each_second("pswpout")
    return Measured(
        subject=Subject("swap", "all"),
        value=into + out,
        unit="pages a second",
        message=f"{into:.0f} pages a second were swapped in and {out:.0f} out, for {change.seconds:.0f} s",
        values=values(change),
        evidence=change.lines_of("pswpin", "pswpout"),
    )


def _pressed(change: "Change") -> Measured:
    waited = _stalled(change)
    resource, _, kind = change.name.partition(".")
    who = "all work" if kind == "full" else "some of the work"
    return Measured(
        subject=Subject("pressure", change.name),
        value=waited,
        unit="% of the time",
        message=f"{who} waited for {resource} in {waited:.0f} % of the {change.seconds:.0f} s since the earlier look",
        values=values(change),
        evidence=change.evidence,
    )


def _stalled(change: "Change") -> float:
    return 100 * change.each_second("total_us") / _MICROSECONDS


CHECKS: Final[tuple[Check, ...]] = (forks, thrashing, swapping, pressure)
