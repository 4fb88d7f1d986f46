"""OpenMetrics text: families of samples, and the end that closes them. See https://github.com/prometheus/OpenMetrics."""

from collections.abc import Iterable, Mapping
from typing import Final

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
END: Final = "# EOF\n"
_MOST_LABEL: Final = 256
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})

Labels = Mapping[str, str]
Samples = Iterable[tuple[Labels, float]]


def family(name: str, kind: str, about: str, samples: Samples) -> str:
    """Write one family; one without samples is left out. Labels may hold any text."""
    suffix = {"counter": "_total", "info": "_info"}.get(kind, "")
    rows = [f"{name}{suffix}{_labels(labels)} {_number(value)}\n" for labels, value in samples]
    return f"# TYPE {name} {kind}\n# HELP {name} {about.translate(_ESCAPES)}\n{''.join(rows)}" if rows else ""


def gauge(name: str, about: str, value: float) -> str:
    """Write a family that is one number."""
    return family(name, "gauge", about, [({}, value)])


def stateset(name: str, about: str, states: Iterable[str], current: str) -> str:
    """Write a family of states of which one is the current."""
    return family(name, "stateset", about, [({name: state}, float(state == current)) for state in states])


def _labels(labels: Labels) -> str:
    inside = ",".join(f'{key}="{_shown(value)}"' for key, value in labels.items())
    return f"{{{inside}}}" if inside else ""


def _shown(value: str) -> str:
    """Escape what a label may not hold as it is; other control characters are not a scraper's to show."""
    plain = value if value.isprintable() else "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in value)
    return plain[:_MOST_LABEL].translate(_ESCAPES)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.6f}"
