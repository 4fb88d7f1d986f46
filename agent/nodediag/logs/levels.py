"""The level of a message, from its own text: the journal gives everything a service prints priority 6.

klog headers (`E0716 02:08:55.559351 3356 file.go:42] ...`), logfmt as containerd and dockerd write, JSON lines. Where
a message says nothing of its level, the journal's priority counts, see syslog(3).
"""

import re
from typing import Final

_KLOG: Final = re.compile(r"([IWEF])\d{4} \d{2}:\d{2}:\d{2}\.\d+ +\d+ [\w.+-]+\.(?:go|s|c):\d+\]")
_FIELD: Final = re.compile(r'(?:^|[\s{,])"?(?:level|severity|lvl)"?\s*[=:]\s*"?([A-Za-z]+)')
_KLOG_LEVELS: Final = {"I": "info", "W": "warning", "E": "error", "F": "fatal"}
_WORDS: Final = {
    "trace": "debug", "debug": "debug", "info": "info", "notice": "info", "warn": "warning", "warning": "warning",
    "error": "error", "err": "error", "crit": "fatal", "critical": "fatal", "fatal": "fatal", "panic": "fatal",
}  # fmt: skip
_PRIORITIES: Final = ("fatal", "fatal", "fatal", "error", "warning", "info", "info", "debug")
_LOOKED_AT: Final = 300
_KLOG_HEAD: Final = 30  # `E0716 02:08:55.559351    3356 `, the pid padded to seven places
_TIME_END: Final = 48
# RE2 patterns that a message of a level above info has, for the set that looks at many messages at once.
MARKS: Final = (
    r"\b[WEF]\d{4} \d\d:\d\d:\d\d\.",
    r"""(?:level|severity|lvl)"?\s*[=:]\s*"?(?i:warn|err|crit|fatal|panic)""",
)


def level(message: bytes, priority: int | None = None) -> str:
    """Give fatal, error, warning, info, debug, or unknown."""
    if message[1:5].isdigit() and message[5:6] == b" " and message[8:9] == b":":  # most lines of a kubelet, at once
        quick = _KLOG_LEVELS.get(chr(message[0]))
        if quick is not None:
            return quick
    head = message[:_LOOKED_AT].decode("latin-1")
    klog = _KLOG.search(head)
    if klog is not None:
        return _KLOG_LEVELS[klog[1]]
    field = _FIELD.search(head)
    if field is not None and field[1].lower() in _WORDS:
        return _WORDS[field[1].lower()]
    if priority is not None and 0 <= priority < len(_PRIORITIES):
        return _PRIORITIES[priority]
    return "unknown"


def timeless(message: bytes) -> int:
    """Tell where a message goes on behind the time and process id that begin a klog header or a logfmt line."""
    if message[1:5].isdigit() and message[5:6] == b" " and message[8:9] == b":" and message[29:30] == b" ":
        return _KLOG_HEAD
    if message.startswith(b'time="'):
        return max(0, message.find(b'" ', len(b'time="'), _TIME_END))
    return 0
