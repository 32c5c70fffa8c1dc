"""
A mail server on loopback, a channel to it, and a message.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import settings

from cobranza_sdk import Address, OutboundMessage
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_smtp_email._channel import SmtpEmail
from cobranza_smtp_email._sandbox import SmtpSandbox

# No test is timed: a busy machine is not a fault.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    """
    The SMTP library speaks asyncio only.
    """
    return "asyncio"


@pytest.fixture
def clock() -> FixedClock:
    """
    A Wednesday noon in Lima that does not pass.
    """
    return FixedClock(NOW)


@pytest.fixture
def sandbox(clock: FixedClock) -> Iterator[SmtpSandbox]:
    """
    A running mail server.
    """
    with SmtpSandbox(clock=clock) as server:
        yield server


@pytest.fixture
async def channel(sandbox: SmtpSandbox) -> AsyncIterator[SmtpEmail]:
    """
    A channel to that server, with links that lead nowhere public.
    """
    made = make_provider(
        SmtpEmail, sandbox.settings, now=NOW, webhook_url="https://cobranza.example.com/webhooks/email"
    )
    yield made
    await made.aclose()


@pytest.fixture
def make_message() -> Callable[..., OutboundMessage]:
    """
    Build a reminder, with any field changed.
    """

    def make(to: str = "ana@example.net", **changes: Any) -> OutboundMessage:
        fields: dict[str, Any] = {
            "attempt_id": "01j4k5m6n7p8q9r0s1t2v3w4x5",
            "channel": "email",
            "to": Address("email", to),
            "locale": "es-PE",
            "subject": "Recordatorio de pago",
            "text": "Hola, su cuota vence mañana.",
        }
        return OutboundMessage(**{**fields, **changes})

    return make
