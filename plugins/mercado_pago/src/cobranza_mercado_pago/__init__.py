"""
Payment links by Mercado Pago.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cobranza_sdk import hookimpl

if TYPE_CHECKING:
    from cobranza_sdk import PaymentProvider, Sandbox


@hookimpl
def cobranza_payment_providers() -> Iterable[type[PaymentProvider]]:
    """
    Register `MercadoPago`.
    """
    from cobranza_mercado_pago._provider import MercadoPago

    return [MercadoPago]


@hookimpl
def cobranza_sandboxes() -> Iterable[type[Sandbox]]:
    """
    Register `MercadoPagoSandbox`; its web server is imported when it starts.
    """
    from cobranza_mercado_pago._sandbox import MercadoPagoSandbox

    return [MercadoPagoSandbox]
