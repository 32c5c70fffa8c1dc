"""
The checks that every payment provider passes. They cannot be overridden.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from attrs import evolve

from cobranza_acme_pay._provider import AcmePay
from cobranza_acme_pay._sandbox import AcmePaySandbox
from cobranza_acme_pay._webhooks import SIGNATURE, WINDOW, signature
from cobranza_sdk import PaymentProvider, PaymentSandbox, WebhookRequest
from cobranza_sdk.testing import PaymentProviderConformance


class TestAcmePay(PaymentProviderConformance):
    """
    The provider against its vendor's emulator.
    """

    provider: ClassVar[type[PaymentProvider]] = AcmePay
    sandbox: ClassVar[type[PaymentSandbox]] = AcmePaySandbox
    replay_window: ClassVar[timedelta | None] = WINDOW

    def signed(self, sandbox: PaymentSandbox, body: bytes, like: WebhookRequest) -> WebhookRequest:
        """
        A webhook with any body, as the vendor would sign it.
        """
        secret = str(sandbox.settings["webhook_secret"])
        return evolve(like, body=body, headers={SIGNATURE: signature(secret, sandbox.clock.now(), body)})
