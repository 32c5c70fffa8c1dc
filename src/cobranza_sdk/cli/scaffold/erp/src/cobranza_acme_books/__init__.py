"""
Acme for cobranza-sdk. This module is imported whenever plugins are listed: keep it small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobranza_sdk import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cobranza_sdk import Erp, Sandbox


@hookimpl
def cobranza_erps() -> Sequence[type[Erp]]:
    """
    The ERP.
    """
    from cobranza_acme_books._erp import AcmeBooks

    return [AcmeBooks]


@hookimpl
def cobranza_sandboxes() -> Sequence[type[Sandbox]]:
    """
    The emulator.
    """
    from cobranza_acme_books._sandbox import AcmeBooksSandbox

    return [AcmeBooksSandbox]
