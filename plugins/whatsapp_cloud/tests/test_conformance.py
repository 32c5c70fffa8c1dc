"""
What every channel has to hold, held against an emulator of the Cloud API.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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

    def batched(self, sandbox: Sandbox, requests: Sequence[WebhookRequest]) -> WebhookRequest:
        """
        Entries of several webhooks in one, and changes of several entries in one of them.
        """
        documents = [json.loads(request.body) for request in requests]
        entries = [entry for document in documents for entry in document["entry"]]
        first = {**entries[0], "changes": [change for entry in entries[:2] for change in entry["changes"]]}
        body = json.dumps({**documents[0], "entry": [first, *entries[2:]]}).encode()
        return self.signed(sandbox, body, requests[0])
