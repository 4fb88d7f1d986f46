"""Every check has a story in which it fails, and beside it in the same file the near miss in which it passes."""

from typing import Final

import pytest

from nodediag.checks import CHECKS
from tests.checks.test_outcomes import NEVER_FAILS
from tests.scenarios.story import STORIES, Case, cases_of, read_story

TOLD: Final = {path.stem: cases_of(read_story(path.name, path.read_text())) for path in STORIES}


def is_bad(case: Case, check: str) -> bool:
    """Tell whether a check fails; of those that ask what can be known, whether it is not."""
    if check in NEVER_FAILS:
        return check in (case.expect.unknown or ())
    return any(line.split(" ")[0] == check for line in case.expect.failed)


@pytest.mark.parametrize("check", [check.id for check in CHECKS])
def test_it_fails_in_a_story_and_passes_in_the_near_miss(check: str) -> None:
    bad = {name for name, cases in TOLD.items() if any(is_bad(case, check) for case in cases)}
    assert bad, f"no story has {check} {'unknown' if check in NEVER_FAILS else 'failed'}"
    good = {name for name in bad if any(check in case.expect.passed for case in TOLD[name])}
    assert good, f"of {', '.join(sorted(bad))} none says where {check} has passed"


def test_what_is_said_never_to_fail_fails_nowhere() -> None:
    failed = {line.split(" ")[0] for cases in TOLD.values() for case in cases for line in case.expect.failed}
    assert failed & NEVER_FAILS == set()
