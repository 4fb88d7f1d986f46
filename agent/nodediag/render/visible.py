"""Text of a node made safe to show: control characters become visible, so nothing can move a cursor or hide a word."""

from typing import Final

_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_STRAY: Final = range(0xDC80, 0xDD00)  # PEP 383


def visible(text: str) -> str:
    """Write each control, format, surrogate and line-separating character as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter) for letter in text)


def _shown(letter: str) -> str:
    import unicodedata  # noqa: PLC0415 - only for text that is not plain

    if unicodedata.category(letter) not in _UNSAFE_CATEGORIES:
        return letter
    if ord(letter) in _STRAY:  # as Python takes a byte of a name that is not UTF-8
        return f"\\x{ord(letter) - _STRAY[0] + 0x80:02x}"
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
