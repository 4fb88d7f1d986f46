"""What a check asks for: which facts and which sections and keys of a profile, read off its own code.

So that no list of them has to be kept beside each check. The parameters are named `facts` and `profile` throughout.
"""

import dis
from collections.abc import Collection, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Final

import msgspec

from nodediag.checks.check import Check
from nodediag.facts.snapshot import Facts
from nodediag.model.outcome import Severity
from nodediag.profiles.profile import Profile

_ROOM: Final = "nodediag.checks"
_BY_RULE: Final = "nodediag.checks.threshold"  # how grave a problem is there is said by the rule


class Asks(msgspec.Struct, frozen=True, kw_only=True):
    """The names of facts and of sections, in their own order, the severities, and all words that stand in the code."""

    facts: tuple[str, ...]
    sections: tuple[str, ...]
    severities: tuple[Severity, ...]
    words: frozenset[str]

    def keys(self, check_id: str, held: Collection[str]) -> tuple[str, ...]:
        """Give the keys of a section that are this check's: its id or a part of it, or a word that stands in its code.

        Where there is none, those that start as such a word does which ends with a dot.
        """
        exact = tuple(key for key in held if key in self.words or f"{key}.".startswith(f"{check_id}."))
        starts = tuple(word for word in self.words if word.endswith("."))
        return exact or tuple(key for key in held if starts and key.startswith(starts))


def asks(check: Check) -> Asks:
    """Read a check's code, and that of all functions of this room that it calls."""
    found: set[tuple[str, str]] = set()
    words: set[str] = set()
    for module, code in _codes(check.judge, set()):
        attributes = _attributes(code)
        found.update(pair for pair in attributes if module != _BY_RULE or pair[0] != Severity.__name__)
        words.update(const for const in code.co_consts if isinstance(const, str))
    return Asks(
        facts=tuple(name for name in Facts.__struct_fields__ if ("facts", name) in found),
        sections=tuple(name for name in Profile.__struct_fields__ if ("profile", name) in found),
        severities=tuple(one for one in Severity if (Severity.__name__, one.name) in found),
        words=frozenset(words),
    )


def _codes(function: object, seen: set[CodeType]) -> Iterator[tuple[str, CodeType]]:
    """Give the module and the code of a function and of all that it calls by name or as `module.name`, each once."""
    if not isinstance(function, FunctionType) or not function.__module__.startswith(_ROOM):
        return
    waiting = [function.__code__]
    while waiting:
        code = waiting.pop()
        if code in seen:
            continue
        seen.add(code)
        yield function.__module__, code
        waiting += [const for const in code.co_consts if isinstance(const, CodeType)]
        for name in code.co_names:
            held = function.__globals__.get(name)
            for called in _members(held, code.co_names) if isinstance(held, ModuleType) else (held,):
                yield from _codes(called, seen)


def _members(module: ModuleType, names: tuple[str, ...]) -> Iterator[object]:
    yield from (vars(module)[name] for name in names if name in vars(module))


def _attributes(code: CodeType) -> Iterator[tuple[str, str]]:
    """Give the pairs (variable, attribute) that a piece of code looks up."""
    before: object = None
    for step in dis.get_instructions(code):
        if step.opname == "LOAD_ATTR" and isinstance(step.argval, str):
            variable = before[-1] if isinstance(before, tuple) else before
            if isinstance(variable, str):
                yield variable, step.argval
        before = step.argval
