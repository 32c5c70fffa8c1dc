"""
What is this plugin's own. Write a test for each field of the vendor's, and for each of its error codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

import cobranza_acme_books
from cobranza_acme_books._erp import AcmeBooks
from cobranza_acme_books._sandbox import AcmeBooksSandbox
from cobranza_sdk import ErpBatch, Money, Payment, ProviderError, Receivable
from cobranza_sdk.testing import FixedClock, make_provider

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def vendor() -> Iterator[AcmeBooksSandbox]:
    with AcmeBooksSandbox(clock=FixedClock(NOW)) as sandbox:
        yield sandbox


async def read(vendor: AcmeBooksSandbox, **changes: Any) -> list[ErpBatch]:
    """
    All batches.
    """
    async with httpx.AsyncClient(trust_env=False) as http:
        books = make_provider(AcmeBooks, {**vendor.settings, **changes}, http=http)
        return [batch async for batch in books.read(None)]


def test_the_plugin_brings_an_erp_and_its_emulator() -> None:
    """
    Both under one name, by which the configuration asks for them.
    """
    (erp,) = cobranza_acme_books.cobranza_erps()
    (sandbox,) = cobranza_acme_books.cobranza_sandboxes()

    assert erp.name == sandbox.name == "acme_books"


@pytest.mark.anyio
async def test_every_amount_arrives_to_the_cent(vendor: AcmeBooksSandbox) -> None:
    """
    What is still open is what is chased, and what was paid is not.
    """
    records = [record for batch in await read(vendor) for record in batch.records]

    still_open = [part.open for each in records if isinstance(each, Receivable) for part in each.installments]
    assert still_open == [Money.of("40.00", "PEN"), Money.of("50.00", "PEN"), Money.of("75.50", "PEN")]
    assert [each.amount for each in records if isinstance(each, Payment)] == [Money.of("60.00", "PEN")]


@pytest.mark.anyio
async def test_a_wrong_token_is_an_error(vendor: AcmeBooksSandbox) -> None:
    """
    An empty answer would look as if nobody owed anything.
    """
    with pytest.raises(ProviderError) as caught:
        await read(vendor, token="other")

    assert (caught.value.category, caught.value.disposition) == ("auth", "fix_first")


@pytest.mark.anyio
async def test_results_are_written_once(vendor: AcmeBooksSandbox) -> None:
    """
    Writing the same again is harmless: the core repeats what it is not sure of.
    """
    async with httpx.AsyncClient(trust_env=False) as http:
        books = make_provider(AcmeBooks, vendor.settings, http=http)
        for _ in range(2):
            await books.write_back([{"kind": "attempt", "id": "a-1"}])

    assert vendor.results == [{"kind": "attempt", "id": "a-1"}]
