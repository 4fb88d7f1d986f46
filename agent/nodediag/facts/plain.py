"""Files of the API and the cloud, JSON or YAML, as plain values; and words taken out of them, whatever stands there."""

import re
from datetime import date, datetime
from typing import Final

import msgspec

from nodediag.errors import ParseError
from nodediag.host import yaml_text
from nodediag.host.host import EVIDENCE_CAP
from nodediag.host.yaml_text import Yaml

YAML_CAP: Final = 512 * 1024  # characters; PyYAML takes a second and 50 MB for a million
_NO_SECRET: Final = re.compile(r"[A-Za-z0-9._-]{0,15}|[0-9]*")  # a word too short for a rule, or a number
_UTC: Final = "+00:00"


def load(text: str, place: str) -> Yaml:
    """Parse a document; raises ParseError, which shows none of the text: it may hold keys."""
    if text.lstrip()[:1] in {"{", "["}:
        return from_json(text.encode("utf-8", "surrogatepass"), place)
    if len(text) > YAML_CAP:
        raise ParseError(place, None, f"at most {YAML_CAP} characters of YAML; JSON may be longer")
    return yaml_text.load(text, place, quote=False)


def from_json(data: bytes | msgspec.Raw, place: str) -> Yaml:
    """Parse JSON; raises ParseError, as above."""
    try:
        loaded: Yaml = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ParseError(place, None, f"JSON: {error}") from error
    return loaded


def at(value: Yaml, *keys: str) -> Yaml:
    """Give what stands at a path of keys, None where nothing does."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def items_at(value: Yaml, *keys: str) -> list[Yaml]:
    """Give the list at a path of keys, empty where there is none."""
    found = at(value, *keys)
    return found if isinstance(found, list) else []


def word_at(value: Yaml, *keys: str) -> str:
    """Give the word at a path of keys, empty where there is none; a YAML that lost its quotes makes other kinds."""
    found: object = at(value, *keys)  # PyYAML makes dates too
    match found:
        case str() as text:
            return clean(text)
        case bool() as truth:
            return str(truth)
        case int() | float() as number:
            return _number(number)
        case datetime() | date() as time:
            return time.isoformat().replace(_UTC, "Z")
        case _:
            return ""


def words_at(value: Yaml, *keys: str) -> dict[str, str]:
    """Give the table of words at a path of keys, as labels are."""
    found = at(value, *keys)
    return clean_table({str(key): _label(found[key]) for key in found}) if isinstance(found, dict) else {}


def _label(value: Yaml) -> str:
    return str(value).lower() if isinstance(value, bool) else word_at({"": value}, "")


def clean(text: str) -> str:
    """Free a text of secrets and of what is no text, and cut it to what a report may hold."""
    if _NO_SECRET.fullmatch(text):
        return text[:EVIDENCE_CAP]
    from nodediag.redact import redact_text  # noqa: PLC0415 - most nodes are looked at without such files

    whole = text[: 4 * EVIDENCE_CAP].encode("utf-8", "backslashreplace").decode()
    return redact_text(whole)[:EVIDENCE_CAP]


def clean_table(table: dict[str, str]) -> dict[str, str]:
    """Free a table of secrets, which may be such by their names, and of what is no text."""
    from nodediag.redact import redact_field  # noqa: PLC0415 - as above

    words = ((clean(name), clean(text)) for name, text in table.items())
    return {name: redact_field(name, text)[:EVIDENCE_CAP] for name, text in words}


def _number(number: float) -> str:
    try:
        return str(number)
    except ValueError:  # Python writes no integer of thousands of digits
        return ""
