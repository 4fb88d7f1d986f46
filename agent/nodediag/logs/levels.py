"""The level of a message, from its own text: the journal gives everything a service prints priority 6.

klog headers (`E0716 02:08:55.559351 3356 file.go:42] ...`), logfmt as containerd and dockerd write, JSON lines,
logrus on a terminal (`ERRO[0000] ...`), python's logging as cloud-init has it. Only what begins a message tells its
level: words further on are its text, which may hold another program's lines. Where a message says nothing of its
level, the journal's priority counts, see syslog(3).
"""

import re
from typing import Final

_PREFIX: Final = re.compile(  # what a syslog, a terminal or a collector puts before
    r"(?:\x1b\[[\d;]*m|\s)*(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8} [\w.@-]+ )?(?:[\w./@-]+(?:\[\d+\])?: )?(?:\x1b\[[\d;]*m)*"
)
_KLOG: Final = re.compile(r"([IWEF])\d{4} \d{2}:\d{2}:\d{2}\.\d+ +\d+ [\w.+/-]+:\d+\]")
_LOGFMT: Final = re.compile(r'(?:[\w.-]+=(?:"(?:[^"\\]|\\.)*"|[^\s"]*)\s+)*?(?:level|severity|lvl)="?([A-Za-z]+)\b')
_JSON: Final = re.compile(r'[{,]\s*"(?:level|severity|lvl)"\s*:\s*"?([A-Za-z]+|\d+)')
_ZAP: Final = re.compile(r'\{"ts":[\d.]+,(?:"caller":"[^"]*",)?')  # the kubelet's JSON: an error alone has no "v"
_TERMINAL: Final = re.compile(r"(TRAC|DEBU|INFO|WARN|ERRO|FATA|PANI)(?:\x1b\[\d*m)?\[\d+\]")
_PYTHON: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d+ - [\w.]+\[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\]: ")
_KLOG_LEVELS: Final = {"I": "info", "W": "warning", "E": "error", "F": "fatal"}
_WORDS: Final = {
    "trace": "debug", "debug": "debug", "info": "info", "notice": "info", "warn": "warning", "warning": "warning",
    "error": "error", "err": "error", "crit": "fatal", "critical": "fatal", "fatal": "fatal", "panic": "fatal",
    "dpanic": "fatal", "alert": "fatal", "emerg": "fatal", "emergency": "fatal",
    "trac": "debug", "debu": "debug", "erro": "error", "fata": "fatal", "pani": "fatal",
    "10": "debug", "20": "debug", "30": "info", "40": "warning", "50": "error", "60": "fatal",
}  # fmt: skip
_PRIORITIES: Final = ("fatal", "fatal", "fatal", "error", "warning", "info", "info", "debug")
_LOOKED_AT: Final = 300
# RE2 patterns that a message of a level above info has, for the set that looks at many messages at once.
MARKS: Final = (
    r"\b[WEF]\d{4} \d\d:\d\d:\d\d\.",
    r"""(?:level|severity|lvl)"?\s*[=:]\s*"?(?i:warn|err|crit|fatal|d?panic|alert|emerg)""",
    r"""(?:level|severity|lvl)"?\s*[=:]\s*"?[456]0\b""",
    r"""\b(?:WARN|ERRO|FATA|PANI)(?:\x1b\[\d*m)?\[\d+\]|\[(?:WARNING|ERROR|CRITICAL)\]: |^\{"ts":[\d.]+,"caller":""",
)


def level(message: bytes, priority: int | None = None) -> str:
    """Give fatal, error, warning, info, debug, or unknown."""
    if message[1:5].isdigit() and message[5:6] == b" " and message[8:9] == b":":  # most lines of a kubelet, at once
        quick = _KLOG_LEVELS.get(chr(message[0]))
        if quick is not None:
            return quick
    head = message[:_LOOKED_AT].decode("latin-1")
    said = _said(head, 0)
    if not said:
        prefix = _PREFIX.match(head)
        said = _said(head, prefix.end()) if prefix is not None and prefix.end() else ""
    if said:
        return said
    if priority is not None and 0 <= priority < len(_PRIORITIES):
        return _PRIORITIES[priority]
    return "unknown"


def _said(head: str, start: int) -> str:
    """Give the level that a message says from here on; empty where it says none."""
    klog = _KLOG.match(head, start)
    if klog is not None:
        return _KLOG_LEVELS[klog[1]]
    if head.startswith("{", start):
        field = _JSON.search(head, start)
        if field is None and _ZAP.match(head, start):
            return "info" if '"v":' in head else "error"
    else:
        field = _LOGFMT.match(head, start) or _TERMINAL.match(head, start) or _PYTHON.match(head, start)
    return _WORDS.get(field[1].lower(), "") if field is not None else ""
