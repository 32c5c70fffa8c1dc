"""
What a hostile debtor, vendor or plugin may try, and a tired operator get wrong.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from cobranza_sdk import (
    Address,
    Category,
    Cobranza,
    ContactPoint,
    Disposition,
    Event,
    EventKind,
    InvalidValueError,
    Money,
    Payment,
    Promise,
    ProviderError,
    Transmitted,
)
from cobranza_sdk.loading import FixedClock

UNCONFIRMED = [ContactPoint(address=Address("e164", "+51900123456"), holder_role="debtor")]


def go(house: Cobranza) -> None:
    """
    Plan and dispatch.
    """
    house.plan()
    house.dispatch()


def test_an_opt_out_behind_a_thousand_receipts_is_heard_before_anything_is_sent(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    G4: what was stored before the dispatch is obeyed by it, however long the queue.
    """
    house.portfolio.put(debtor(), receivable())
    house.plan()
    noise = [
        Event(
            kind=EventKind.DELIVERED,
            key=f"n{n}",
            occurred_at=clock.now(),
            account="fake_sms",
            provider_message_id=f"x{n}",
        )
        for n in range(600)
    ]
    phone = debtor().contact_points[0].address
    opt_out = Event(kind=EventKind.OPT_OUT, key="stop", occurred_at=clock.now(), account="fake_sms", address=phone)
    house.tenant.inbox.store("sms", [*noise, opt_out], clock.now())

    house.dispatch()

    assert not box.get("fake_sms")
    assert len(box["fake_email"]) == 1


def test_one_account_cannot_speak_for_another(
    make_house: Callable[..., Cobranza], box: Any, debtor: Any, receivable: Any, webhook: Any, monkeypatch: Any
) -> None:
    """
    Law 9: a request proven by one account's secret that names another account is set aside, unless that one proves it.
    """
    house = make_house(channels={"mine": {"provider": "fake_sms"}, "theirs": {"provider": "fake_sms"}})
    house.portfolio.put(debtor(), receivable())
    mine = house.accounts.channels["mine"].provider
    phone = debtor().contact_points[0].address
    forged = Event(kind=EventKind.OPT_OUT, key="k", occurred_at=house.clock.now(), account="other", address=phone)
    monkeypatch.setattr(mine, "parse", lambda _envelope: [forged], raising=False)
    theirs = house.accounts.channels["theirs"].provider
    monkeypatch.setattr(type(theirs), "account", property(lambda self: "other" if self is theirs else "fake_sms"))
    monkeypatch.setattr(theirs, "verify", lambda _request: None, raising=False)

    assert house.inbox.receive("mine", webhook("opt_out", "k")).status == 200

    assert house.process_inbox() == {"quarantined": 1}
    assert not list(house.events(kinds=["consent.withdrawn"]))


def test_confirming_four_times_brings_the_message_once(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, webhook: Any, clock: FixedClock
) -> None:
    """
    An impatient "sí, sí, sí" is one answer.
    """
    house.portfolio.put(debtor(contact_points=UNCONFIRMED), receivable())
    go(house)
    clock.advance(timedelta(minutes=1))

    for number in range(4):
        house.inbox.receive("sms", webhook("inbound_message", f"k{number}", "fake_sms-1", "sí"))
        house.dispatch()

    assert len(box["fake_sms"]) == 2


def test_who_said_no_cannot_be_talked_into_yes(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, webhook: Any, clock: FixedClock
) -> None:
    """
    Law 7: a number that was denied stays denied; a later "sí" opens nothing.
    """
    house.portfolio.put(debtor(contact_points=UNCONFIRMED), receivable())
    go(house)
    clock.advance(timedelta(minutes=1))

    house.inbox.receive("sms", webhook("inbound_message", "k1", "fake_sms-1", "No"))
    house.process_inbox()
    house.inbox.receive("sms", webhook("inbound_message", "k2", "fake_sms-1", "sí"))
    house.dispatch()

    assert len(box["fake_sms"]) == 1
    assert len(list(house.events(kinds=["contact_point.wrong_party"]))) == 1
    assert not list(house.events(kinds=["contact_point.verified"]))


def test_a_bare_yes_from_a_shared_phone_confirms_nobody(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    Laws 7 and 12: two people were asked at one number; "sí" alone may be either.
    """
    for key in ("D-1", "D-2"):
        house.portfolio.put(debtor(key, contact_points=UNCONFIRMED), receivable(f"F-{key}", key))
    go(house)
    answer = Event(
        kind=EventKind.INBOUND_MESSAGE,
        key="k",
        occurred_at=clock.now(),
        account="fake_sms",
        address=UNCONFIRMED[0].address,
        text="Sí",
    )
    house.tenant.inbox.store("sms", [answer], clock.now())
    house.dispatch()

    assert not list(house.events(kinds=["contact_point.verified"]))
    assert len(box["fake_sms"]) == 2


def test_a_wrong_number_told_on_another_channel_closes_the_address(
    house: Cobranza, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    Law 7: nothing was sent there yet, and whoever holds it says that it is not the debtor's.
    """
    house.portfolio.put(debtor(contact_points=UNCONFIRMED), receivable())
    told = Event(
        kind=EventKind.WRONG_NUMBER,
        key="k",
        occurred_at=clock.now(),
        account="fake_sms",
        address=UNCONFIRMED[0].address,
    )
    house.tenant.inbox.store("sms", [told], clock.now())

    assert house.process_inbox() == {"applied": 1}
    assert len(list(house.events(kinds=["contact_point.wrong_party"]))) == 1


def test_a_clock_that_is_set_back_does_not_open_the_cap(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    Law 2, F53: Colombia allows one direct contact a day; a contact from the "future" counts as well.
    """
    person = debtor(country="CO")
    house.portfolio.put(person, receivable("F-1", currency="COP"))
    go(house)
    clock.set(clock.now() - timedelta(minutes=30))
    house.portfolio.put(receivable("F-2", currency="USD"))
    go(house)

    assert len(box["fake_sms"]) == 1
    assert {line["reason"] for line in house.attempts.list(states=["deferred"])} == {"co.cap.day"}


def test_a_zone_that_the_country_does_not_have_cannot_open_the_night(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    Law 4: an ERP that writes "UTC" everywhere must not lead to messages at 03:00 in Lima.
    """
    clock.set(clock.now().replace(hour=8))  # 03:00 in Lima
    house.portfolio.put(debtor(timezone="UTC"), receivable())

    go(house)

    assert not box.get("fake_sms")
    assert {line["state"] for line in house.attempts.list()} == {"deferred"}


@pytest.mark.parametrize("wait", [math.nan, math.inf, 1e300, "30", -5, True], ids=repr)
def test_a_providers_absurd_wait_harms_nobody(
    house: Cobranza, box: Any, script: Any, debtor: Any, receivable: Any, wait: Any
) -> None:
    """
    Law 8: the attempt is tried again in reasonable time, and its neighbours of the same wave are settled.
    """
    for key in ("D-1", "D-2"):
        house.portfolio.put(debtor(key), receivable(f"F-{key}", key))
    script["fake_sms"] = [ProviderError(Category.RATE_LIMIT, Disposition.RETRY, Transmitted.NO, retry_after=wait)]

    go(house)

    assert sorted(line["state"] for line in house.attempts.list()) == ["accepted", "not_sent", "planned"]


def test_a_plugin_that_cancels_itself_harms_only_its_own_attempt(
    house: Cobranza, script: Any, debtor: Any, receivable: Any
) -> None:
    """
    Law 8: a cancellation that nobody asked for is an unknown outcome, not the end of the dispatch.
    """
    for key in ("D-1", "D-2"):
        house.portfolio.put(debtor(key), receivable(f"F-{key}", key))
    script["fake_sms"] = [asyncio.CancelledError()]

    go(house)

    assert sorted(line["state"] for line in house.attempts.list()) == ["accepted", "unknown"]


def test_a_code_that_looks_like_a_phone_is_not_printed() -> None:
    """
    Law 10: vendors' codes are logged, so they hold no text and no number to call.
    """
    for code in ("+51999888777", "51999888777 Ana", "x" * 50, b"1", object()):
        error = ProviderError("recipient", "never", "no", vendor_code=code)  # type: ignore[arg-type]  # hostile
        assert "999888777" not in str(error)
        assert error.vendor_code in (None, "unprintable")
    assert ProviderError("recipient", "never", "no", vendor_code="21610").vendor_code == "21610"


def test_an_account_that_cannot_be_built_costs_no_step(
    make_house: Callable[..., Cobranza], box: Any, debtor: Any, receivable: Any, clock: FixedClock, monkeypatch: Any
) -> None:
    """
    G1: a wrong host or a broken plugin for one night leaves the messages waiting, not lost.
    """
    broken = make_house()
    provider = type(broken.accounts.channels["sms"].provider)
    broken.portfolio.put(debtor(contact_points=debtor().contact_points[:1]), receivable())
    with monkeypatch.context() as night:
        night.setattr(provider, "hosts", property(lambda _self: ["api.example.com"]))
        late = make_house()
        late.plan()
        late.dispatch()
        (line,) = late.attempts.list()
        assert (line["state"], line["reason"]) == ("deferred", "account_failed")

    clock.advance(timedelta(hours=2))
    mended = make_house()
    mended.dispatch()

    assert len(box["fake_sms"]) == 1


def test_what_a_person_calls_absent_is_tried_again(
    house: Cobranza, box: Any, script: Any, debtor: Any, receivable: Any
) -> None:
    """
    Law 3: resent only because a person said so, as a new attempt that is judged anew.
    """
    house.portfolio.put(debtor(), receivable())
    script["fake_sms"] = [ProviderError(Category.NETWORK, Disposition.NEVER, Transmitted.MAYBE)]
    go(house)
    (line,) = house.attempts.list()

    house.attempts.resolve(line["attempt_id"], "absent", by="ana", reason="the vendor's list has no such message")
    house.dispatch()

    assert [line["state"] for line in house.attempts.list()] == ["not_sent", "accepted"]


def test_what_the_portfolio_does_not_know_is_refused(house: Cobranza) -> None:
    """
    A promise that is put and silently forgotten would be the worst answer.
    """
    promise = Promise(
        external_id="P", debtor_id="D", amount=Money(1, "PEN"), made_on=date(2026, 8, 5), due_on=date(2026, 8, 6)
    )

    with pytest.raises(InvalidValueError, match="found Promise, expected Debtor, Receivable and Payment"):
        house.portfolio.put(promise)  # type: ignore[arg-type]  # the mistake


def test_lifting_a_hold_lets_the_waiting_message_go_at_once(
    house: Cobranza, box: Any, debtor: Any, receivable: Any
) -> None:
    """
    A dispute that is settled at noon need not wait for tomorrow.
    """
    house.portfolio.put(debtor(), receivable())
    hold = house.holds.place("D-1", "dispute", by="ana")
    go(house)
    assert not box.get("fake_sms")

    house.holds.lift(hold, by="ana")
    house.dispatch()

    assert len(box["fake_sms"]) == 1


def test_a_payment_that_comes_before_its_invoice_is_not_lost(
    house: Cobranza, box: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    S-039: the bank was faster than the billing system; who has paid is not written to.
    """
    paid = Payment(
        external_id="P",
        debtor_id="D-1",
        amount=Money.of("100.00", "PEN"),
        paid_at=clock.now() - timedelta(days=1),
        receivable_id="F-1",
    )
    house.portfolio.put(debtor(), paid)
    house.portfolio.put(receivable("F-1"))
    house.portfolio.put(receivable("F-1"))

    go(house)

    assert not box.get("fake_sms")
    assert house.attempts.list() == []
