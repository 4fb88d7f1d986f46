"""`--anonymise KEYFILE`: pseudonyms by a key, the same in a report and in all that a bundle holds."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, ParamSpec

import click

from nodediag.host import own, package

if TYPE_CHECKING:
    from nodediag.anonymise import Anonymiser
    from nodediag.facts.snapshot import Facts
    from nodediag.model.report import Report

KEY_BYTES: Final = 32

P = ParamSpec("P")


def anonymise_option(command: Callable[P, int]) -> Callable[P, int]:
    """Give a verb `--anonymise`."""
    help_text = "Put pseudonyms for addresses and names, by this key: made where there is none."
    return click.option("--anonymise", metavar="KEYFILE", help=help_text)(command)


def key_of(path: str | None) -> bytes | None:
    """Read the key that the option names, or make it; raises UsageError."""
    return None if path is None else own.secret("--anonymise", path, KEY_BYTES)


def anonymiser(report: "Report[Facts]", key: bytes, others: Iterable[str] = ()) -> "Anonymiser":
    """Give what makes pseudonyms of all names that a report speaks of, and other texts after it."""
    from nodediag.anonymise import Anonymiser, learned, strings, words_of  # noqa: PLC0415 - only who asks for it pays

    known = {report.node.hostname: "host", report.node.name: "node"}
    words = words_of((*package.texts("profiles/data").values(), package.text("facts/data/needs.toml")))
    return Anonymiser(key, learned(_both(strings(report), others), known), words)


def _both(one: Iterable[str], other: Iterable[str]) -> Iterable[str]:
    yield from one
    yield from other
