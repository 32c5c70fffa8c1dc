"""
The checks that every payment provider passes. They cannot be overridden.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from attrs import evolve

from cobranza_mercado_pago._provider import MercadoPago
from cobranza_mercado_pago._sandbox import MercadoPagoSandbox
from cobranza_sdk import PaymentProvider, PaymentSandbox, WebhookRequest
from cobranza_sdk.testing import PaymentProviderConformance


class TestMercadoPago(PaymentProviderConformance):
    """
    The provider against its vendor's emulator.
    """

    provider: ClassVar[type[PaymentProvider]] = MercadoPago
    sandbox: ClassVar[type[PaymentSandbox]] = MercadoPagoSandbox
    replay_window: ClassVar[timedelta | None] = timedelta(days=20)

    def signed(self, sandbox: PaymentSandbox, body: bytes, like: WebhookRequest) -> WebhookRequest:
        """
        The vendor's signature does not cover the body: the same one fits any.
        """
        return evolve(like, body=body)
