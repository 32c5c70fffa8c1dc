"""
A channel whose vendor is a router in memory, and messages to send.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx
from hypothesis import settings

from cobranza_sdk import Address, MessageTemplate, OutboundMessage, WebhookRequest
from cobranza_sdk.testing import make_provider
from cobranza_whatsapp_cloud._channel import WhatsAppCloud

# No test is timed: a busy machine is not a fault.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
SETTINGS = {
    "phone_number_id": "106540352242922",
    "waba_id": "102290129340398",
    "access_token": "token-canary",
    "app_secret": "app_secret_test",
    "verify_token": "verify-canary",
    "base_url": "https://graph.example.com",
}


@pytest.fixture
def anyio_backend() -> str:
    """Only asyncio: the emulator's server runs on it too."""
    return "asyncio"


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings as in ``cobranza.toml``, secrets as plain text."""
    return dict(SETTINGS)


@pytest.fixture
def vendor() -> respx.MockRouter:
    """The vendor's API in memory."""
    return respx.MockRouter(assert_all_called=False)


@pytest.fixture
def channel(vendor: respx.MockRouter, settings: dict[str, Any]) -> WhatsAppCloud:
    """The channel, speaking to *vendor*."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(vendor.async_handler))
    return make_provider(WhatsAppCloud, settings, now=NOW, http=http)


@pytest.fixture
def calls(vendor: respx.MockRouter) -> respx.Route:
    """The route on which messages are sent, answering with success."""
    url = f"{SETTINGS['base_url']}/v25.0/{SETTINGS['phone_number_id']}/messages"
    return vendor.post(url).respond(
        json={
            "messaging_product": "whatsapp",
            "contacts": [{"input": "+51987654321", "wa_id": "51987654321"}],
            "messages": [{"id": "wamid.HBgMTE=", "message_status": "accepted"}],
        }
    )


@pytest.fixture
def outbound() -> Callable[..., OutboundMessage]:
    """Builds a message; what is not given is a template to a phone."""

    def build(**changes: Any) -> OutboundMessage:
        defaults: dict[str, Any] = {
            "attempt_id": "01k1attempt",
            "channel": "whatsapp",
            "to": Address("e164", "+51987654321"),
            "text": "Hola, su factura F-1 vence pronto.",
            "template": MessageTemplate(
                name="recordatorio_factura",
                language="es_PE",
                parameters=("José", "F-1", "S/ 120.00"),
                buttons={0: "f1-9f2c"},
            ),
        }
        return OutboundMessage(**(defaults | changes))

    return build


@pytest.fixture
def signed() -> Callable[..., WebhookRequest]:
    """Builds a webhook request with a right signature; bytes go as they are."""

    def build(document: Any, *, secret: str = SETTINGS["app_secret"]) -> WebhookRequest:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return WebhookRequest(
            method="POST",
            url="https://cobranza.example.com/webhooks/whatsapp",
            headers={"X-Hub-Signature-256": f"sha256={signature}"},
            body=body,
            received_at=NOW,
        )

    return build


@pytest.fixture
def parsed(channel: WhatsAppCloud, signed: Callable[..., WebhookRequest]) -> Callable[..., Any]:
    """Wraps values into the vendor's envelope, verifies and parses."""

    def read(*values: dict[str, Any], field: str = "messages", **entry: Any) -> Any:
        metadata = {"display_phone_number": "51900000000", "phone_number_id": SETTINGS["phone_number_id"]}
        changes = [
            {"field": field, "value": {"metadata": metadata, **value} if field == "messages" else value}
            for value in values
        ]
        document = {
            "object": "whatsapp_business_account",
            "entry": [{"id": SETTINGS["waba_id"], "changes": changes, **entry}],
        }
        return list(channel.parse(channel.verify(signed(document))))

    return read
