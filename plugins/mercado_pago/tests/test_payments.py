"""
Payments as they stand: every status, refunds, and what is not ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from cobranza_mercado_pago._amounts import DECIMALS, from_vendor, read_json, to_vendor, write_json
from cobranza_mercado_pago._config import MercadoPagoConfig
from cobranza_mercado_pago._payments import read_payment
from cobranza_mercado_pago._provider import MercadoPago
from cobranza_mercado_pago._sandbox import OUTCOMES, MercadoPagoSandbox
from cobranza_sdk import EventKind, Money, ProviderError, Secret

PAYMENT: dict[str, Any] = {
    "id": 18552260055,
    "status": "approved",
    "status_detail": "accredited",
    "external_reference": "out_01",
    "transaction_amount": Decimal("100.50"),
    "transaction_amount_refunded": 0,
    "currency_id": "PEN",
    "date_created": "2026-08-05T12:00:00.000-05:00",
    "date_approved": "2026-08-05T12:00:30.000-05:00",
    "date_last_updated": "2026-08-05T12:01:00.000-05:00",
    "collector_id": 724484980,
    "live_mode": True,
    "payer": {"email": "ana@example.com", "identification": {"number": "45678901"}},
}


def config(**changes: Any) -> MercadoPagoConfig:
    return MercadoPagoConfig(access_token=Secret(lambda: "t"), collector_id="724484980", **changes)


@pytest.mark.parametrize(
    ("status", "detail", "back", "kind", "refunded"),
    [
        ("approved", "accredited", "0", "payment_approved", None),
        ("approved", "partially_refunded", "40.25", "payment_refunded", "40.25"),
        ("approved", "partially_refunded", "100.50", "payment_refunded", "100.50"),
        ("pending", "pending_waiting_payment", "0", "payment_pending", None),
        ("pending", "pending_waiting_transfer", "0", "payment_pending", None),
        ("in_process", "pending_contingency", "0", "payment_pending", None),
        ("in_process", "pending_review_manual", "0", "payment_pending", None),
        ("in_mediation", "pending", "0", "payment_pending", None),
        ("authorized", "pending_capture", "0", "payment_pending", None),
        ("rejected", "cc_rejected_insufficient_amount", "0", "payment_rejected", None),
        ("cancelled", "expired", "0", "payment_rejected", None),
        ("cancelled", "by_collector", "0", "payment_rejected", None),
        ("refunded", "refunded", "100.50", "payment_refunded", "100.50"),
        ("refunded", "refunded", "0", "payment_refunded", "100.50"),
        ("refunded", "by_admin", "100.50", "payment_refunded", "100.50"),
        ("charged_back", "settled", "0", "payment_charged_back", "100.50"),
        ("charged_back", "in_process", "40.25", "payment_charged_back", "100.50"),
        ("charged_back", "reimbursed", "0", "unknown", None),
        ("settled_by_moon", "new", "0", "unknown", None),
        ("Approved", None, "0", "unknown", None),
        (None, None, "0", "unknown", None),
    ],
)
def test_every_status_says_how_the_money_stands(
    status: str | None, detail: str | None, back: str, kind: str, refunded: str | None
) -> None:
    """
    A debt is paid by what was approved and is not back; a word nobody knows is doubt, not fact.
    """
    resource = {**PAYMENT, "status": status, "status_detail": detail, "transaction_amount_refunded": Decimal(back)}

    event = read_payment(resource, config())

    assert event is not None
    assert event.kind == kind
    assert event.money == Money.of("100.50", "PEN")
    assert event.refunded == (None if refunded is None else Money.of(refunded, "PEN"))
    assert (event.reference, event.provider_message_id, event.account) == ("out_01", "18552260055", "724484980")


def test_an_unknown_word_is_kept_and_a_strange_one_is_not_printed() -> None:
    """
    A person has to see what the vendor said; a text that is no word might quote somebody.
    """
    new = read_payment({**PAYMENT, "status": "settled_by_moon"}, config())
    odd = read_payment({**PAYMENT, "status": "Ana Prueba 45678901"}, config())

    assert new is not None
    assert odd is not None
    assert (new.raw["status"], odd.raw["status"]) == ("settled_by_moon", "unprintable")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"collector_id": 1}, "other_collector"),
        ({"collector_id": None}, "other_collector"),
        ({"live_mode": False}, "test_payment"),
        ({"live_mode": None}, "test_payment"),
        ({"transaction_amount": None}, "amount"),
        ({"transaction_amount": "100.50"}, "amount"),
        ({"transaction_amount": Decimal("100.505")}, "amount"),
        ({"transaction_amount": Decimal("NaN")}, "amount"),
        ({"transaction_amount": -5}, "amount"),
        ({"transaction_amount": True}, "amount"),
        ({"transaction_amount_refunded": Decimal("100.51")}, "amount"),
        ({"transaction_amount_refunded": "x"}, "amount"),
        ({"currency_id": "XXY"}, "amount"),
        ({"currency_id": None}, "amount"),
    ],
)
def test_what_is_not_surely_ours_is_unknown(change: dict[str, Any], problem: str) -> None:
    """
    Another seller's money, play money and an amount that cannot be read pay no debt.
    """
    event = read_payment({**PAYMENT, **change}, config())

    assert event is not None
    assert (event.kind, event.raw["problem"], event.refunded) == (EventKind.UNKNOWN, problem, None)


def test_play_money_counts_where_it_is_asked_for() -> None:
    """
    An integrator tries it out in test mode.
    """
    event = read_payment({**PAYMENT, "live_mode": False}, config(accept_test_payments=True))

    assert event is not None
    assert event.kind is EventKind.PAYMENT_APPROVED


@pytest.mark.parametrize(
    "change",
    [{"id": None}, {"id": "1/2"}, {"id": True}, {"date_created": 7, "date_approved": None, "date_last_updated": "x"}],
)
def test_what_is_no_payment_is_no_event(change: dict[str, Any]) -> None:
    """
    Without an id and a time nothing can be said of it.
    """
    assert read_payment({**PAYMENT, **change}, config()) is None


def test_nothing_of_the_payer_is_kept() -> None:
    """
    Law 10: who paid is the vendor's to know.
    """
    event = read_payment(PAYMENT, config())

    assert event is not None
    assert "ana@example.com" not in repr(event) + json.dumps(dict(event.raw))
    assert event.address is None


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.decimals() | st.text(), st.lists, max_leaves=3),
    st.sampled_from(sorted(PAYMENT)),
)
def test_no_answer_breaks_the_reading(value: Any, name: str) -> None:
    """
    Whatever a field holds, the answer is an event or none.
    """
    read_payment({**PAYMENT, name: value}, config())


@given(st.integers(1, 10**15), st.sampled_from(sorted(DECIMALS)))
def test_amounts_survive_the_way_there_and_back(minor: int, currency: str) -> None:
    """
    Minor unit by minor unit: no float stands between.
    """
    money = Money(minor * 100 if currency == "COP" else minor, currency)

    text = write_json({"amount": to_vendor(money)})

    assert from_vendor(read_json(text.encode())["amount"], currency) == money


@pytest.mark.parametrize("outcome", sorted(OUTCOMES))
async def test_a_payment_is_read_back_however_it_ended(
    live: MercadoPago, vendor: MercadoPagoSandbox, wanted: Callable[..., dict[str, Any]], outcome: str
) -> None:
    """
    The emulator and the provider mean the same by each word.
    """
    link = await live.create_link(**wanted())

    event = await live.fetch(vendor.pay(link.id, outcome))

    assert event.raw["status"] == OUTCOMES[outcome][0]
    assert (event.money, event.reference) == (Money.of("100.50", "PEN"), "out_01")
    assert [event] == list(await live.find_payments("out_01"))
    assert await live.find_payments("out_02") == ()


async def test_a_refund_tells_how_the_payment_stands_and_repeats_nothing(
    live: MercadoPago, vendor: MercadoPagoSandbox, wanted: Callable[..., dict[str, Any]]
) -> None:
    """
    A second call with the same key, and one for money that is back, give nothing back again.
    """
    link = await live.create_link(**wanted())
    paid = vendor.pay(link.id)

    part = await live.refund(paid, idempotency_key="r1", amount=Money.of("40.25", "PEN"))
    again = await live.refund(paid, idempotency_key="r1", amount=Money.of("40.25", "PEN"))
    whole = await live.refund(paid, idempotency_key="r2")
    late = await live.refund(paid, idempotency_key="r3")

    assert part.refunded == again.refunded == Money.of("40.25", "PEN")
    assert whole.refunded == late.refunded == Money.of("100.50", "PEN")
    assert (part.kind, late.kind) == ("payment_refunded", "payment_refunded")


async def test_a_refund_whose_answer_is_lost_may_be_repeated_with_its_key(
    live: MercadoPago, vendor: MercadoPagoSandbox, wanted: Callable[..., dict[str, Any]]
) -> None:
    """
    Here the vendor honours the key.
    """
    link = await live.create_link(**wanted())
    paid = vendor.pay(link.id)
    vendor.fail_next("taken_but_server_error")

    with pytest.raises(ProviderError) as caught:
        await live.refund(paid, idempotency_key="r1", amount=Money.of("40.25", "PEN"))
    after = await live.refund(paid, idempotency_key="r1", amount=Money.of("40.25", "PEN"))

    assert (caught.value.disposition, caught.value.transmitted) == ("retry", "maybe")
    assert after.refunded == Money.of("40.25", "PEN")


@pytest.mark.parametrize(
    ("outcome", "amount", "code"),
    [("pending", None, "2063"), ("approved", "100.51", "4040"), ("rejected", None, "2063")],
)
async def test_a_refund_that_cannot_be_is_refused(
    live: MercadoPago,
    vendor: MercadoPagoSandbox,
    wanted: Callable[..., dict[str, Any]],
    outcome: str,
    amount: str | None,
    code: str,
) -> None:
    """
    Nothing was given back, and asking again does not help.
    """
    link = await live.create_link(**wanted())
    paid = vendor.pay(link.id, outcome)

    with pytest.raises(ProviderError) as caught:
        await live.refund(paid, idempotency_key="r", amount=None if amount is None else Money.of(amount, "PEN"))

    assert (caught.value.category, caught.value.transmitted, caught.value.vendor_code) == ("validation", "no", code)


async def test_a_refund_that_the_bank_rejects_is_none(build: Callable[..., MercadoPago], api: respx.MockRouter) -> None:
    """
    The vendor answers 201 all the same.
    """
    api.post("/v1/payments/1/refunds").mock(return_value=httpx.Response(201, json={"status": "rejected"}))

    with pytest.raises(ProviderError, match="rejected"):
        await build().refund("1", idempotency_key="r")


async def test_money_that_is_back_and_cannot_be_read_is_still_back(
    build: Callable[..., MercadoPago], api: respx.MockRouter
) -> None:
    """
    The caller must not take it for a refund that failed.
    """
    api.post("/v1/payments/1/refunds").mock(return_value=httpx.Response(201, json={"status": "approved"}))
    api.get("/v1/payments/1").mock(return_value=httpx.Response(500))

    with pytest.raises(ProviderError) as caught:
        await build().refund("1", idempotency_key="r")

    assert (caught.value.disposition, caught.value.transmitted) == ("retry", "yes")


@pytest.mark.parametrize("fault", ["rate_limit", "server_error", "hang", "bad_json", "locked"])
async def test_a_question_that_failed_may_be_asked_again(
    live: MercadoPago, vendor: MercadoPagoSandbox, wanted: Callable[..., dict[str, Any]], fault: str
) -> None:
    """
    Reading changes nothing, and what became of the payment stays open.
    """
    link = await live.create_link(**wanted())
    paid = vendor.pay(link.id)
    vendor.fail_next(fault)

    with pytest.raises(ProviderError) as caught:
        await live.fetch(paid)

    assert (caught.value.disposition, caught.value.transmitted) == ("retry", "maybe")
    assert (await live.fetch(paid)).kind is EventKind.PAYMENT_APPROVED


async def test_a_payment_that_is_not_there_yet_is_asked_for_again(live: MercadoPago) -> None:
    """
    Right after its webhook the vendor may not find it.
    """
    with pytest.raises(ProviderError) as caught:
        await live.fetch("404404")

    assert (caught.value.disposition, caught.value.vendor_code) == ("retry", "404")


async def test_another_payment_than_asked_for_is_no_answer(
    build: Callable[..., MercadoPago], api: respx.MockRouter
) -> None:
    """
    A cache that mixes two payments up must not pay a debt.
    """
    api.get("/v1/payments/7").mock(return_value=httpx.Response(200, text=write_json(PAYMENT)))

    with pytest.raises(ProviderError) as caught:
        await build().fetch("7")

    assert caught.value.category == "protocol"


@pytest.mark.parametrize("payment_id", ["", "../users/me", "12a", "1" * 21])
async def test_an_id_that_is_no_payments_is_refused(build: Callable[..., MercadoPago], payment_id: str) -> None:
    """
    An id becomes part of an address.
    """
    with pytest.raises(ProviderError, match="validation"):
        await build().fetch(payment_id)
