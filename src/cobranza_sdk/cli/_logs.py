"""
Logs of the command line: one line each on standard error, since standard output belongs to the answer.
"""

from __future__ import annotations

import logging


def log_to_stderr(*, everything: bool) -> None:
    """
    Show the application's log lines on standard error.

    Args:
        everything: Whether lines below a warning are shown.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("cobranza")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.DEBUG if everything else logging.WARNING)
