"""
Acme for cobranza-sdk. This module is imported whenever plugins are listed: keep it small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobranza_sdk import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cobranza_sdk import PaymentProvider, Sandbox


@hookimpl
def cobranza_payment_providers() -> Sequence[type[PaymentProvider]]:
    """
    The payment provider.
    """
    from cobranza_acme_pay._provider import AcmePay

    return [AcmePay]


@hookimpl
def cobranza_sandboxes() -> Sequence[type[Sandbox]]:
    """
    The emulator.
    """
    from cobranza_acme_pay._sandbox import AcmePaySandbox

    return [AcmePaySandbox]
