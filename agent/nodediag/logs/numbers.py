"""Messages that differ only in their numbers and ids, as those of a storm do: most of them mean the same.

A few do not, since a signature asks for a certain number (a status 404, an Xid 79). Its patterns are widened to any
number; what they match then is looked at each time anew.
"""

import re
from typing import Final

MASK: Final = bytes.maketrans(b"0123456789abcdef", b"0" * 16)  # for bytes.translate(): what such messages share
_TOKEN: Final = re.compile(
    r"""
    \(\?P<\w+>                                # the name of a group
    | \\x\{?[0-9A-Fa-f]+\}? | \\.             # an escape
    | \{\d+(?:,\d*)?\}                        # a count
    | \[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]    # a class
    | \d | .
    """,
    re.VERBOSE | re.DOTALL,
)


def widened(pattern: str) -> str:
    """Make every certain digit of a pattern any digit; a pattern that asks for none comes back as it is."""
    return "".join(_widened(token) for token in _TOKEN.findall(pattern))


def _widened(token: str) -> str:
    if token.isdecimal():
        return r"\d"
    if not token.startswith("[") or not re.search(r"\d", token.replace("0-9", "")):
        return token
    if token.startswith("[^"):
        return r"[\s\S]"
    return f"{token[:-1]}0-9a-f]"
