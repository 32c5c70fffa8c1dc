"""
How an outreach goes on after a report: in the transaction that acts on the report, and once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from cobranza_sdk import Address, Cobranza, ContactPoint
from cobranza_sdk.loading import FixedClock


@pytest.fixture
def sent(house: Cobranza, debtor: Any, receivable: Any) -> Cobranza:
    """
    One SMS that the vendor accepted.
    """
    house.portfolio.put(debtor(), receivable())
    house.plan()
    house.dispatch()
    return house


def test_a_late_failure_is_followed_by_the_next_channel(sent: Cobranza, webhook: Any, box: Any) -> None:
    """
    F37: the vendor took it and could not deliver it; the email goes out, the first contact stays counted.
    """
    sent.inbox.receive("sms", webhook("failed", "k1", "fake_sms-1"))
    sent.process_inbox()
    sent.dispatch()

    assert [(line["channel"], line["state"]) for line in sent.attempts.list()] == [
        ("sms", "failed"),
        ("email", "accepted"),
    ]
    assert not list(sent.events(kinds=["budget.released"]))


def test_a_report_that_many_workers_see_at_once_is_acted_on_once(sent: Cobranza, webhook: Any) -> None:
    """
    F43: the web process and the dispatcher both find the entry; one follow-up is made, not two.
    """
    sent.inbox.receive("sms", webhook("failed", "k1", "fake_sms-1"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: sent.process_inbox(), range(8)))

    assert [line["channel"] for line in sent.attempts.list()] == ["sms", "email"]


def test_the_report_and_what_follows_are_one_transaction(
    sent: Cobranza, webhook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    S-055: if the follow-up cannot be written, the report is not marked as done and is acted on again.
    """
    from cobranza_sdk.store import Attempts

    sent.inbox.receive("sms", webhook("failed", "k1", "fake_sms-1"))

    def refuse(*_args: Any, **_more: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(Attempts, "follow", refuse)
        assert sent.process_inbox() == {"failing": 1}
    assert [line["state"] for line in sent.attempts.list()] == ["accepted"]

    assert sent.process_inbox() == {"applied": 1}
    assert [line["channel"] for line in sent.attempts.list()] == ["sms", "email"]


def test_an_opt_out_without_a_quote_closes_the_channel_not_the_account(
    make_house: Callable[..., Cobranza], webhook: Any, debtor: Any, receivable: Any, clock: FixedClock
) -> None:
    """
    S-085: the account may be called anything; what the person left is the channel.
    """
    from cobranza_sdk import Event, EventKind

    house = make_house(channels={"lima": {"provider": "fake_sms"}})
    point = ContactPoint(address=Address("e164", "+51900123456"), holder_role="debtor", state="confirmed")
    house.portfolio.put(debtor(contact_points=[point]), receivable())
    event = Event(
        kind=EventKind.OPT_OUT,
        key="k",
        occurred_at=clock.now() + timedelta(seconds=1),
        account="fake_sms",
        address=Address("e164", "+51900123456"),
        text="BAJA",
    )

    house.tenant.inbox.store("lima", [event], clock.now())
    assert house.process_inbox() == {"applied": 1}

    (withdrawn,) = house.events(kinds=["consent.withdrawn"])
    assert withdrawn.payload["channel"] == "sms"


def test_an_opt_out_is_one_whatever_the_plugin_keeps_beside_it(house: Cobranza, debtor: Any, clock: FixedClock) -> None:
    """
    `raw` is the vendor's own: a key in it that happens to have some name may not keep a withdrawal from being heard.
    """
    from cobranza_sdk import Event, EventKind

    point = ContactPoint(address=Address("e164", "+51900123456"), holder_role="debtor", state="confirmed")
    house.portfolio.put(debtor(contact_points=[point]))
    event = Event(
        kind=EventKind.OPT_OUT,
        key="k",
        occurred_at=clock.now() + timedelta(seconds=1),
        account="fake_sms",
        address=point.address,
        raw={"scope": "marketing"},
    )

    house.tenant.inbox.store("sms", [event], clock.now())
    house.process_inbox()

    (withdrawn,) = house.events(kinds=["consent.withdrawn"])
    assert withdrawn.payload["channel"] == "sms"
