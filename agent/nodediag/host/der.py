"""DER, as far as certificates need it: tag, length, content; see ITU-T X.690. Any bytes give a value or ValueError.

Lengths must be definite and end within what holds them; nothing here recurses, so depth cannot be had by input.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final, NamedTuple

_LONG: Final = 0x80
_MOST_LENGTH_BYTES: Final = 4
_MOST_PARTS: Final = 1000
_MULTI_BYTE_TAG: Final = 0x1F
_YEARS_OF_1900: Final = 50  # RFC 5280, 4.1.2.5.1: YY of 50 or more is 19YY


class Tag(IntEnum):
    """The tags that a certificate is made of; a constructed one has 0x20 in it."""

    BOOLEAN = 0x01
    INTEGER = 0x02
    BIT_STRING = 0x03
    OCTET_STRING = 0x04
    OID = 0x06
    BMP_STRING = 0x1E
    UTC_TIME = 0x17
    GENERALIZED_TIME = 0x18
    SEQUENCE = 0x30
    SET = 0x31
    VERSION = 0xA0
    EXTENSIONS = 0xA3


class Part(NamedTuple):
    """One element: its tag, and the bytes between its length and its end."""

    tag: int
    content: bytes

    def of(self, tag: Tag) -> bytes:
        """Give the content of what must have a tag."""
        if self.tag != tag:
            raise ValueError(f"found tag {self.tag:#04x}, wanted {tag.name}")
        return self.content


def parts(data: bytes) -> Iterator[Part]:
    """Give the elements that follow each other, to the last byte."""
    at = count = 0
    while at < len(data):
        count += 1
        if count > _MOST_PARTS:
            raise ValueError(f"more than {_MOST_PARTS} elements")
        part, at = _part(data, at)
        yield part


def _part(data: bytes, at: int) -> tuple[Part, int]:
    if at + 2 > len(data):
        raise ValueError("an element is cut short")
    tag, length = data[at], data[at + 1]
    at += 2
    if tag & _MULTI_BYTE_TAG == _MULTI_BYTE_TAG:
        raise ValueError("a tag of several bytes")
    if length >= _LONG:
        count = length - _LONG
        if not 1 <= count <= _MOST_LENGTH_BYTES or at + count > len(data):
            raise ValueError("a length that is indefinite, too long or cut short")
        length = int.from_bytes(data[at : at + count], "big")
        at += count
    if at + length > len(data):
        raise ValueError("an element is cut short")
    return Part(tag, data[at : at + length]), at + length


def oid(content: bytes) -> str:
    """Give an object identifier as numbers with dots."""
    numbers: list[int] = []
    value = 0
    for byte in content[:64]:
        value = value << 7 | byte & 0x7F
        if not byte & _LONG:
            numbers.append(value)
            value = 0
    if not numbers:
        raise ValueError("an empty object identifier")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def time(part: Part) -> datetime:
    """Give a UTCTime or GeneralizedTime, which a certificate has in UTC and to the second."""
    text = part.content.decode("ascii")
    if not (text.endswith("Z") and text[:-1].isdecimal()):
        raise ValueError("a time that is not in digits and Z")
    if part.tag == Tag.UTC_TIME and len(text) == len("YYMMDDHHMMSSZ"):
        text = ("19" if int(text[:2]) >= _YEARS_OF_1900 else "20") + text
    elif part.tag != Tag.GENERALIZED_TIME or len(text) != len("YYYYMMDDHHMMSSZ"):
        raise ValueError("a time of another form")
    return datetime.fromisoformat(f"{text[:8]}T{text[8:14]}").replace(tzinfo=UTC)
