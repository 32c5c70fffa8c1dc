"""
One seller, one clock and one emulator for all tests. Every id and secret is invented.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx
from hypothesis import settings

from cobranza_mercado_pago._provider import MercadoPago
from cobranza_mercado_pago._sandbox import MercadoPagoSandbox
from cobranza_sdk import Money
from cobranza_sdk.testing import FixedClock, make_provider

# No test is timed: a busy machine is not a fault.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def build(clock: FixedClock) -> Callable[..., MercadoPago]:
    """
    Build a provider with some settings changed, None removes one; nobody listens where it calls.
    """

    def make(*, http: httpx.AsyncClient | None = None, **changes: Any) -> MercadoPago:
        chosen = {
            "access_token": "APP_USR-canary-4242",
            "collector_id": "724484980",
            "webhook_secret": "mp_webhook_secret_test",
            "base_url": "http://127.0.0.1:9",
        }
        settings = {name: value for name, value in {**chosen, **changes}.items() if value is not None}
        return make_provider(MercadoPago, settings, clock=clock, http=http)

    return make


@pytest.fixture
def api() -> Iterator[respx.MockRouter]:
    """
    The vendor's API, answering as each test says.
    """
    with respx.mock(base_url="http://127.0.0.1:9", assert_all_called=False) as router:
        yield router


@pytest.fixture
def vendor(clock: FixedClock) -> Iterator[MercadoPagoSandbox]:
    with MercadoPagoSandbox(clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
async def live(vendor: MercadoPagoSandbox, clock: FixedClock, anyio_backend: str) -> AsyncIterator[MercadoPago]:
    """
    A provider that speaks to the emulator over real HTTP; its reads time out soon.
    """
    async with httpx.AsyncClient(timeout=httpx.Timeout(5.0, read=2.0), trust_env=False) as http:
        yield make_provider(MercadoPago, vendor.settings, clock=clock, http=http)


@pytest.fixture
def wanted() -> Callable[..., dict[str, Any]]:
    """
    What a link is asked for, with some of it changed.
    """

    def ask(amount: str = "100.50", currency: str = "PEN", **changes: Any) -> dict[str, Any]:
        chosen: dict[str, Any] = {
            "amount": Money.of(amount, currency),
            "reference": "out_01",
            "description": "Saldo con Tienda Andina",
            "idempotency_key": "out_01|10050",
        }
        return {**chosen, **changes}

    return ask
