"""
What every channel has to hold, held against a real mail server on loopback.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve

from cobranza_sdk import Channel, Sandbox, Secret, WebhookRequest
from cobranza_sdk.testing import ChannelConformance
from cobranza_smtp_email import _signature
from cobranza_smtp_email._channel import SmtpEmail
from cobranza_smtp_email._sandbox import SmtpSandbox


class TestSmtpEmail(ChannelConformance):
    provider: ClassVar[type[Channel]] = SmtpEmail
    sandbox: ClassVar[type[Sandbox]] = SmtpSandbox

    def signed(self, sandbox: Sandbox, body: bytes, like: WebhookRequest) -> WebhookRequest:
        """
        Another mail, handed over with the emulator's own secret.
        """
        assert isinstance(sandbox, SmtpSandbox)
        value = _signature.sign(body, Secret(sandbox.inbound_secret), like.received_at)
        return evolve(like, body=body, headers={**like.headers, _signature.HEADER: value})
