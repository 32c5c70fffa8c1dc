"""
What every channel has to hold, held against Twilio's emulator.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar

from attrs import evolve

from cobranza_sdk import Channel, Sandbox, WebhookRequest
from cobranza_sdk.testing import ChannelConformance
from cobranza_twilio_sms._channel import TwilioSms
from cobranza_twilio_sms._sandbox import TwilioSandbox
from cobranza_twilio_sms._webhooks import SIGNATURE, sign


class TestTwilioSms(ChannelConformance):
    provider: ClassVar[type[Channel]] = TwilioSms
    sandbox: ClassVar[type[Sandbox]] = TwilioSandbox

    def signed(self, sandbox: Sandbox, body: bytes, like: WebhookRequest) -> WebhookRequest:
        """
        As JSON, whose hash stands in the address that is signed.
        """
        url = f"{like.url.partition('?')[0]}?bodySHA256={hashlib.sha256(body).hexdigest()}"
        headers = {"Content-Type": "application/json", SIGNATURE: sign(str(sandbox.settings["auth_token"]), url)}
        return evolve(like, url=url, body=body, headers=headers)
