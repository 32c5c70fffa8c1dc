"""
What the source is told after it was read: each result once, and nothing that it brought itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, ClassVar

import pytest
from tests.conftest import WEDNESDAY, NoSettings, make_debtor, make_receivable

from cobranza_sdk import (
    Cobranza,
    ConfigurationError,
    Erp,
    ErpBatch,
    ErpCapabilities,
    Money,
    Payment,
    ProviderError,
)
from cobranza_sdk.engine import SyncError

TOLD: list[list[dict[str, Any]]] = []
FAILS: list[BaseException] = []


class Books(Erp):
    """
    Brings one debtor with one invoice and one payment of a part, and keeps what it is told.
    """

    name = "books"
    config: ClassVar[type] = NoSettings
    capabilities = ErpCapabilities(write_back=True)

    async def read(self, cursor: str | None) -> AsyncIterator[ErpBatch]:
        paid = Payment(
            external_id="P-own",
            debtor_id="D-1",
            receivable_id="F-1",
            amount=Money.of("10.00", "PEN"),
            paid_at=WEDNESDAY,
        )
        if cursor is None:
            yield ErpBatch(records=[make_debtor(), make_receivable(), paid], cursor="1")

    async def write_back(self, updates: Sequence[Any]) -> None:
        if FAILS:
            raise FAILS.pop(0)
        TOLD.append([dict(update) for update in updates])


class Mute(Books):
    """
    Takes nothing back.
    """

    name = "mute"
    capabilities = ErpCapabilities()


@pytest.fixture
def books(make_house: Callable[..., Cobranza]) -> Cobranza:
    """
    A house whose ERP wants to hear.
    """
    TOLD.clear()
    FAILS.clear()
    return make_house(("erp", Books), erps={"books": {"provider": "books", "write_back": True}})


def told() -> list[tuple[str, str]]:
    """
    Kind and state of every update so far.
    """
    return [(update["kind"], update["state"]) for updates in TOLD for update in updates]


def test_attempts_and_strangers_payments_are_told_once(books: Cobranza) -> None:
    """
    The attempt and the payment by link; not the payment that the source brought, and nothing twice.
    """
    books.sync()
    books.plan()
    books.dispatch()
    money = Money.of("90.00", "PEN")
    books.portfolio.put(
        Payment(external_id="mp:1", debtor_id="D-1", receivable_id="F-1", amount=money, paid_at=WEDNESDAY, method="pix")
    )

    first, second = books.sync(), books.sync()

    assert (first[0].written, second[0].written) == (2, 0)
    (updates,) = TOLD
    attempt, payment = updates
    (line,) = books.attempts.list()
    assert {"kind": "attempt", "state": "accepted", "debtor_id": "D-1", "channel": "sms", "step": "late-1"}.items() <= (
        attempt.items()
    )
    assert (attempt["attempt_id"], attempt["at"]) == (line["attempt_id"], WEDNESDAY)
    assert payment == {
        "kind": "payment",
        "payment_id": "mp:1",
        "debtor_id": "D-1",
        "receivable_id": "F-1",
        "amount": money,
        "paid_at": WEDNESDAY,
        "method": "pix",
        "state": "posted",
    }


def test_what_was_not_taken_comes_again(books: Cobranza) -> None:
    """
    F75: the source was locked; the same updates in the same cut, so that it can know them.
    """
    books.sync()
    books.plan()
    books.dispatch()
    FAILS.append(ProviderError("provider_down", "fix_first", "no"))

    with pytest.raises(SyncError, match=r"erps.books: results cannot be written: provider_down"):
        books.sync()
    books.sync()

    assert told() == [("attempt", "accepted")]


def test_who_keeps_an_older_position_brings_nothing_back(books: Cobranza) -> None:
    """
    Of two that tell at once, the slower one has told less: what the faster one told must not be told again.
    """
    books.sync()
    books.plan()
    books.dispatch()
    books.sync()

    books.tenant.creditor("default").results.keep("books", 0)

    assert books.sync()[0].written == 0


def test_no_update_names_a_person_or_an_address(books: Cobranza) -> None:
    """
    The source knows its debtors by key; what goes into files is not more than that.
    """
    books.sync()
    books.plan()
    books.dispatch()
    books.sync()

    words = repr(TOLD)
    assert "D-1" in words
    assert "Ana" not in words
    assert "+519" not in words


def test_a_source_that_takes_nothing_back_is_not_asked_to(make_house: Callable[..., Cobranza]) -> None:
    """
    A wish that nobody fulfils is a mistake in the configuration, told at once.
    """
    house = make_house(("erp", Mute), erps={"mute": {"provider": "mute", "write_back": True}})

    with pytest.raises(ConfigurationError, match=r"erps.mute.write_back: found true, and mute takes nothing back"):
        house.sync()


def test_without_the_wish_nothing_is_written(make_house: Callable[..., Cobranza]) -> None:
    """
    Writing into somebody's books is asked for by name.
    """
    TOLD.clear()
    house = make_house(("erp", Books), erps={"books": {"provider": "books"}})
    house.sync()
    house.plan()
    house.dispatch()
    house.sync()

    assert TOLD == []
