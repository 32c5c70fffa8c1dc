"""
One account, one clock and one message for all tests. Every number and secret is invented.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx
from hypothesis import HealthCheck, settings

from cobranza_sdk import Address, AttemptRef, OutboundMessage, WebhookRequest
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_twilio_sms._channel import TwilioSms
from cobranza_twilio_sms._sandbox import TwilioSandbox

# No test is timed: a busy machine is not a fault.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
TOKEN = "12345678901234567890123456789012"
CALLBACK = "https://hooks.example.com/webhooks/sms"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def settings() -> dict[str, Any]:
    return {
        "account_sid": "AC" + "0" * 32,
        "auth_token": TOKEN,
        "from_number": "+15005550006",
        "base_url": "http://127.0.0.1:9",
    }


@pytest.fixture
def build(settings: dict[str, Any], clock: FixedClock) -> Callable[..., TwilioSms]:
    """
    Build a channel with some settings changed; None removes one.
    """

    def make(*, http: httpx.AsyncClient | None = None, webhook_url: str | None = CALLBACK, **changes: Any) -> TwilioSms:
        chosen = {name: value for name, value in {**settings, **changes}.items() if value is not None}
        return make_provider(TwilioSms, chosen, clock=clock, http=http, webhook_url=webhook_url)

    return make


@pytest.fixture
def channel(build: Callable[..., TwilioSms]) -> TwilioSms:
    return build()


@pytest.fixture
def message() -> Callable[..., OutboundMessage]:
    """
    Write a message with some fields changed.
    """

    def write(**changes: Any) -> OutboundMessage:
        chosen = {
            "attempt_id": "att_01",
            "channel": "sms",
            "to": Address("e164", "+51987654321"),
            "text": "Hola, su cuota vence hoy.",
            "not_after": NOW + timedelta(hours=2),
        }
        return OutboundMessage(**{**chosen, **changes})

    return write


@pytest.fixture
def attempt() -> AttemptRef:
    return AttemptRef(
        attempt_id="att_01", to=Address("e164", "+51987654321"), sent_at=NOW, text="Hola, su cuota vence hoy."
    )


@pytest.fixture
def api(settings: dict[str, Any]) -> Iterator[respx.MockRouter]:
    """
    The vendor's API, answering as each test says.
    """
    base = f"{settings['base_url']}/2010-04-01/Accounts/{settings['account_sid']}"
    with respx.mock(base_url=base, assert_all_called=False) as router:
        yield router


@pytest.fixture
def webhook() -> Callable[..., WebhookRequest]:
    """
    Build a request that claims to come from the vendor.
    """

    def make(url: str, body: bytes, signature: str | None, method: str = "POST", **headers: str) -> WebhookRequest:
        fields = {"Content-Type": "application/x-www-form-urlencoded"}
        if signature is not None:
            fields["x-twilio-signature"] = signature
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        return WebhookRequest(method=method, url=url, headers=fields, body=body, received_at=NOW)

    return make


@pytest.fixture
def vendor(clock: FixedClock) -> Iterator[TwilioSandbox]:
    with TwilioSandbox(clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
async def live(vendor: TwilioSandbox, clock: FixedClock, anyio_backend: str) -> AsyncIterator[TwilioSms]:
    """
    A channel that speaks to the emulator over real HTTP; its reads time out soon.
    """
    http = httpx.AsyncClient(timeout=httpx.Timeout(5.0, read=2.0), trust_env=False)
    async with http:
        yield make_provider(TwilioSms, vendor.settings, clock=clock, http=http)
