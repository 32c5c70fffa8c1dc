"""
``python -m cobranza_sdk`` is ``cobranza``.
"""

from __future__ import annotations

from cobranza_sdk.cli import main

main()
