"""
Named points at which a test lets the process die as a power cut would.
"""

from __future__ import annotations

import os
import signal

#: Names the point, in the environment of a test's own child process.
VARIABLE = "COBRANZA_CRASH_AT"
POINTS = ("after_lease", "after_claim", "after_transmission", "before_settling")


def crashpoint(name: str) -> None:
    """
    Kill this process at once if the environment names this point; otherwise do nothing.
    """
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
