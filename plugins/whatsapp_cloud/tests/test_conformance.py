"""
What every channel has to hold, held against an emulator of the Cloud API.
"""

from __future__ import annotations

from typing import ClassVar

from attrs import evolve

from cobranza_sdk import Channel, MessageTemplate, Sandbox, WebhookRequest
from cobranza_sdk.testing import ChannelConformance
from cobranza_whatsapp_cloud._channel import WhatsAppCloud
from cobranza_whatsapp_cloud._sandbox import WhatsAppSandbox, sign


class TestWhatsAppCloud(ChannelConformance):
    provider: ClassVar[type[Channel]] = WhatsAppCloud
    sandbox: ClassVar[type[Sandbox]] = WhatsAppSandbox
    template: ClassVar[MessageTemplate | None] = MessageTemplate(
        name="cuota_vencida", language="es_PE", parameters=["Señor Núñez", "€ 12,50 🙂"]
    )

    def signed(self, sandbox: Sandbox, body: bytes, like: WebhookRequest) -> WebhookRequest:
        return evolve(like, body=body, headers={"X-Hub-Signature-256": sign(body)})
