"""Our own log: structlog, configured once, to stderr; JSON unless a person watches. Imported only when asked for."""

import sys
from datetime import datetime

import structlog


def configure(*, terminal: bool) -> None:
    """Send whole events to stderr, as JSON lines or readable."""
    renderer: structlog.types.Processor = structlog.processors.JSONRenderer()
    if terminal:
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[structlog.processors.add_log_level, renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def event(name: str, *, level: str, at: datetime, fields: dict[str, str | int]) -> None:
    """Log one event that happened at a time, at the level of a method of that name."""
    getattr(structlog.get_logger(), level)(name, timestamp=at.isoformat().replace("+00:00", "Z"), **fields)
