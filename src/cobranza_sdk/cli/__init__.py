"""
The command line: thin over `cobranza_sdk.app`.
"""

from __future__ import annotations

import sys


def main() -> None:
    """
    Run ``cobranza``; never returns.
    """
    from cobranza_sdk.cli._root import run

    sys.exit(run(sys.argv[1:]))
