"""Kubernetes' quantities, `100Mi`, `1.5G`, `2e9`, and the percentages that eviction thresholds may be given in."""

import re
from typing import Final

from nodediag.errors import ParseError

_FORM: Final = (
    r"\+?(?P<whole>[0-9]{1,20})(?:\.(?P<part>[0-9]{0,20}))?(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?"
)
_PERCENT: Final = r"(?P<whole>[0-9]{1,3})(?:\.(?P<part>[0-9]{1,9}))?%"
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_STEPS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_STEP: Final = 1024
_PER_CENT: Final = 100
_MOST: Final = (1 << 63) - 1  # as Kubernetes caps them


def amount(text: str) -> int:
    """Give a quantity as a number, rounded up as Kubernetes does; raises ParseError."""
    found = re.fullmatch(_FORM, text)
    if found is None:
        raise ParseError("a quantity", text, "a number as `100Mi`, `1.5G` or `2e9`")
    part, suffix = found["part"] or "", found["suffix"] or ""
    number, places = int(found["whole"] + part), len(part)
    if suffix in _BINARY:
        number <<= _BINARY[suffix]
    else:
        places -= _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    scale: int = 10 ** abs(places)
    return min(number * scale if places < 0 else -(-number // scale), _MOST)


def of_whole(text: str, whole: int) -> int:
    """Give a quantity, or a percentage of a whole, as a number; raises ParseError."""
    found = re.fullmatch(_PERCENT, text)
    if found is None:
        return amount(text)
    part = found["part"] or ""
    scale: int = 10 ** len(part)
    return min(int(found["whole"] + part) * whole // (_PER_CENT * scale), _MOST)


def size(count: int) -> str:
    """Give bytes for a person."""
    number, unit = float(count), 0
    while number >= _STEP and unit < len(_STEPS) - 1:
        number, unit = number / _STEP, unit + 1
    return f"{number:.1f} {_STEPS[unit]}" if unit else f"{count} bytes"
