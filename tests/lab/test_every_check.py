"""Every check is provoked on a node of the lab, or it is said here why none can."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nodediag.checks import CHECKS
from tests.checks.test_outcomes import NEVER_FAILS

CANNOT: Final = {
    "kernel.modules": "a module of others would have to be loaded into this machine's kernel",
    "rates.conntrack-drops": "the table's limit is this machine's, and a race for one entry cannot be had at will",
    "rates.packet-backlog": "this machine's CPUs would have to be flooded with packets, whoever else uses them",
}
OF_SIGHT: Final = "test_daemonset.py"  # names checks by what a pod does not see


def named(file: Path) -> Iterator[str]:
    """Give the first word of each text in a file, which of what must be found is the check."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition(" ")[0]


def test_every_check_is_provoked_or_said_not_to_be() -> None:
    files = [
        file for file in Path(__file__).parent.glob("test_*.py") if file.name not in {OF_SIGHT, Path(__file__).name}
    ]
    provoked = {word for file in files for word in named(file)}
    every = {check.id for check in CHECKS}
    assert every - provoked - NEVER_FAILS - CANNOT.keys() == set()
    assert every >= CANNOT.keys()
