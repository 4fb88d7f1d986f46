"""Our own log: structlog, configured once, to stderr; JSON unless a person watches. Imported only when asked for."""

import sys

import structlog


def configure(*, terminal: bool) -> None:
    """Send whole events to stderr, as JSON lines or readable."""
    renderer: structlog.types.Processor = structlog.processors.JSONRenderer()
    if terminal:
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper("iso", utc=True), renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def event(name: str, **fields: str | int) -> None:
    """Log one event."""
    structlog.get_logger().info(name, **fields)
