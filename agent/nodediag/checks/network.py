"""Is the node's packet filter as the image sets it up?"""

from collections.abc import Iterator
from typing import Final

from nodediag.checks import state
from nodediag.checks.check import Check, check
from nodediag.facts.fact import need
from nodediag.facts.packet_filter import NEEDS, NONE, ChainPolicy
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Problem, Severity, Subject
from nodediag.profiles.profile import Profile

_POLICY: Final = "network.filter-policy"


@check("network.filter-policy", title="The packet filter's default policies are the image's", needs=NEEDS)
def filter_policy(facts: Facts, profile: Profile) -> Iterator[Problem]:
    """The policy decides on what no rule names; where it is ACCEPT, each port that something opens is open to all."""
    rule = state.asked(facts, profile, _POLICY)
    for one in need(facts.packet_filter).policies:
        if not rule.fits(one.policy):
            yield rule.broken(
                Problem(
                    severity=Severity.WARNING,
                    subject=Subject("chain", one.chain),
                    message=_said(one),
                    expected=rule.wanted,
                    observed=one.policy,
                    values={"chain": one.chain, "policy": one.policy},
                    evidence=(one.evidence,),
                )
            )


def _said(one: ChainPolicy) -> str:
    if one.policy == NONE:
        return f"the packet filter has no chain {one.chain}: all packets pass there"
    return f"the chain {one.chain} of the packet filter has the policy {one.policy}"


CHECKS: Final[tuple[Check, ...]] = (filter_policy,)
