"""A process's own log: events with their facts on standard error, as text or JSON lines."""

from __future__ import annotations

import logging
import sys

import structlog

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}


def set_up_logs(level: str, log_format: str) -> None:
    """Log at this level and above from now on; may be called again.

    Libraries that use the standard logging are heard from warnings on.
    """
    number = _LEVELS[level]
    render: structlog.typing.Processor
    if log_format == "json":
        exceptions: list[structlog.typing.Processor] = [structlog.processors.format_exc_info]
        render = structlog.processors.JSONRenderer()
    else:
        # The console renderer lays out tracebacks itself.
        exceptions = []
        render = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *exceptions,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, force=True)
