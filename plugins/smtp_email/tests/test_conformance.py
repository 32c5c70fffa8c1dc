"""
What every channel has to hold, held against a real mail server on loopback.
"""

from __future__ import annotations

from typing import ClassVar

from cobranza_sdk import Channel, Sandbox, WebhookRequest
from cobranza_sdk.testing import ChannelConformance
from cobranza_smtp_email._channel import SmtpEmail
from cobranza_smtp_email._sandbox import SmtpSandbox


class TestSmtpEmail(ChannelConformance):
    provider: ClassVar[type[Channel]] = SmtpEmail
    sandbox: ClassVar[type[Sandbox]] = SmtpSandbox

    def signed(self, sandbox: Sandbox, body: bytes, like: WebhookRequest) -> None:
        """
        The link is signed; what is posted to it says nothing.
        """
