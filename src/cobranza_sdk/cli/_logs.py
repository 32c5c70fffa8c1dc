"""
Logs of the command line: one line each on standard error, since standard output belongs to the answer.
"""

from __future__ import annotations

import logging
import sys


def log_to_stderr(*, everything: bool) -> None:
    """
    Configure structlog for a command that runs the application.

    Args:
        everything: Whether lines below a warning are shown.
    """
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if everything else logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
