"""What is told of a check is read off its code, the profiles and facts/data/needs.toml, and is whole."""

from typing import Final

import pytest

from nodediag.checks import CHECKS
from nodediag.checks.about import About, about
from nodediag.checks.asks import asks
from nodediag.checks.check import Check
from nodediag.facts.needs import Needs, needs
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Severity
from nodediag.profiles.load import Catalogue, builtin

PROFILES: Final = Catalogue(builtin()).all()
NEEDS: Final = needs()


def told(one: str) -> About:
    return about(next(check for check in CHECKS if check.id == one), PROFILES, NEEDS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_asks_for_a_fact(check: Check) -> None:
    assert asks(check).facts != ()


def test_every_fact_says_what_reading_it_takes() -> None:
    assert sorted(NEEDS) == sorted(Facts.__struct_fields__), "facts/data/needs.toml has a record for each fact"
    assert all(one.reads for one in NEEDS.values())


def test_facts_that_helpers_of_a_check_ask_for_are_told() -> None:
    facts = [name for name, _ in told("limits.pids").facts]
    assert facts == ["kubelet", "load", "pids", "kubepods"]  # the kubelet's is asked for in checks/eviction.py


def test_rights_mounts_and_options_are_those_of_the_facts() -> None:
    one = told("node.conditions-agree")
    assert one.options == ("--node-object FILE", "not with --no-logs")
    assert one.rights == ("root, or the group systemd-journal",)
    assert one.mounts == ("/run/log", "/var/log/journal")
    assert told("disks.space").mounts == ("/",)


def test_a_threshold_is_told_with_its_reason_and_by_the_profiles_that_have_it() -> None:
    rules = {rule.key: rule for rule in told("memory.available").judged_by}
    assert sorted(rules) == ["eviction.memory.available", "thresholds.memory.available"]
    assert rules["thresholds.memory.available"].says == "warning from 95"
    assert "Node-pressure Eviction" in rules["eviction.memory.available"].source
    assert len(rules["eviction.memory.available"].profiles) == len(PROFILES)


def test_thresholds_of_one_check_are_not_told_of_another() -> None:
    keys = [rule.key for rule in told("pressure.io").judged_by]
    assert keys == ["thresholds.pressure.io.full", "thresholds.pressure.io.some"]


def test_a_family_of_keys_is_told_where_the_code_puts_them_together() -> None:
    keys = [rule.key for rule in told("disks.inodes").judged_by]
    assert "eviction.nodefs.inodesFree" in keys
    assert "eviction.memory.available" not in keys


def test_how_grave_a_problem_can_be_is_told() -> None:
    assert told("disks.writable").severities == (Severity.CRITICAL,)
    assert told("rates.forks").severities == (Severity.WARNING,)
    assert told("rates.throttled-pods").severities == (Severity.INFO,)


def test_a_fact_without_a_record_is_left_out_rather_than_guessed() -> None:
    check = next(check for check in CHECKS if check.id == "limits.files")
    assert about(check, PROFILES, {}).facts == ()
    assert about(check, PROFILES, {"file_handles": Needs(reads="a file")}).rights == ()
