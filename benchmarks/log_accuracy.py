"""Holds the signatures against labelled log lines, and prints how many are named right and how many cry wolf.

Usage: python benchmarks/log_accuracy.py FILE [--show]. FILE has one JSON object a line: `message`, `unit`, `priority`,
`label` (a condition, or "healthy"), `also` (further right conditions).
"""

import argparse
import sys
from pathlib import Path

import msgspec

import nodediag
from nodediag.logs.matcher import Matcher
from nodediag.model.outcome import Severity
from nodediag.signatures.load import merge

RIGHT_BAR = 0.95
WOLF_BAR = 0.01


class Labelled(msgspec.Struct):
    """One line and what it is."""

    id: str
    unit: str
    message: str
    label: str
    priority: int | None = None
    also: tuple[str, ...] | None = None


def main() -> int:
    """Print both shares; the exit status says whether both bars were held."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--show", action="store_true", help="print the lines that were named wrong")
    arguments = parser.parse_args()
    folder = Path(nodediag.__file__).parent / "signatures/data"
    matcher = Matcher(merge({file.name: file.read_text() for file in sorted(folder.glob("*.toml"))}))
    right = failures = wolves = healthy = 0
    for raw in arguments.file.read_bytes().splitlines():
        line = msgspec.json.decode(raw, type=Labelled)
        found = matcher.match(line.message.encode("utf-8", "surrogatepass"), line.unit, line.priority)
        conditions = [signature.condition for signature in found]
        if line.label == "healthy":
            healthy += 1
            # One line can raise no failure that needs several.
            bad = any(signature.severity is not Severity.INFO and signature.minimum == 1 for signature in found)
            wolves += bad
        else:
            failures += 1
            bad = not {line.label, *(line.also or ())} & set(conditions[:1])
            right += not bad
        if bad and arguments.show:
            print(f"{line.id} {line.unit} wanted {line.label} found {conditions}: {line.message[:300]!r}")
    print(f"failures named right: {right}/{failures} = {right / failures:.3f} (bar {RIGHT_BAR})")
    print(f"healthy lines raising a warning or worse: {wolves}/{healthy} = {wolves / healthy:.3f} (bar {WOLF_BAR})")
    return 0 if right >= RIGHT_BAR * failures and wolves <= WOLF_BAR * healthy else 1


if __name__ == "__main__":
    sys.exit(main())
