"""
The checks that every channel passes. They cannot be overridden.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve

from cobranza_acme_sms._channel import SIGNATURE, AcmeSms, sign
from cobranza_acme_sms._sandbox import AcmeSmsSandbox
from cobranza_sdk import Channel, Sandbox, WebhookRequest
from cobranza_sdk.testing import ChannelConformance


class TestAcmeSms(ChannelConformance):
    """
    The channel against its vendor's emulator.
    """

    provider: ClassVar[type[Channel]] = AcmeSms
    sandbox: ClassVar[type[Sandbox]] = AcmeSmsSandbox

    def signed(self, sandbox: Sandbox, body: bytes, like: WebhookRequest) -> WebhookRequest:
        """
        A webhook with any body, as the vendor would sign it.
        """
        return evolve(like, body=body, headers={SIGNATURE: sign(str(sandbox.settings["webhook_secret"]), body)})
