"""The shape of a message: what stays when numbers, ids, paths and quoted values are masked."""

import re
from typing import Final

_HEAD: Final = re.compile(r'^[IWEF]\d{4} [\d:.]+ +\d+ (?:[\w.+-]+:\d+\] )?|^time="?[^" ]+"? ')
_MASKS: Final = (
    (re.compile(r'"(?:[^"\\]|\\.)*"'), '"…"'),
    (re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b(?:0x)?[0-9a-fA-F]{8,}\b"), "…"),
    (re.compile(r"(?:/[\w.@:~+-]+){2,}/?"), "/…"),
    (re.compile(r"\d+(?:[.:]\d+)*"), "0"),
)
_LONGEST: Final = 240


def shape(message: str) -> str:
    """Give the shape of a message, cut to what a line can show. The words of a klog or logfmt message are kept."""
    text = _HEAD.sub("", message[:2000])
    words = re.search(r'\bmsg="((?:[^"\\]|\\.)*)"', text)
    quoted = re.match(r'"((?:[^"\\]|\\.)*)"', text)
    for said in (words, quoted):
        if said is not None:
            text = said[1] + text[said.end() :]
            break
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text[:_LONGEST]
