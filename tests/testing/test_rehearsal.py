"""
Rehearsals and invented portfolios: what integrators test their own products with.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import phonenumbers
import pytest

from cobranza_sdk import CobranzaError, InvalidValueError
from cobranza_sdk.testing import FixedClock, PortfolioBuilder, Rehearsal
from cobranza_sdk.testing._portfolio import _PLACES

pytest_plugins = ["cobranza_sdk.testing.fixtures"]

WEDNESDAY = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
pytest.importorskip("cobranza_twilio_sms", reason="no channel with an emulator is installed")


def test_who_leaves_is_written_to_no_more(make_rehearsal: Callable[..., Rehearsal]) -> None:
    """
    The whole way in a dozen lines: invented, planned, sent, answered, obeyed.
    """
    house = make_rehearsal(channels=["sms"])
    ana = house.portfolio.debtor("ana").owes("150.00", days_past_due=1)
    bruno = house.portfolio.debtor("bruno").owes("80.00", days_past_due=1)

    house.run()
    house.messages_to(ana)[0].reply("BAJA")
    house.later(days=6).run()

    assert len(house.messages_to(ana)) == 1
    assert len(house.messages_to(bruno)) == 2


def test_receipts_reach_the_attempt(rehearsal: Rehearsal) -> None:
    """
    Every installed channel takes part; webhooks pass real signatures and are answered with 200.
    """
    ana = rehearsal.portfolio.debtor("ana", consents=["sms"]).owes("150.00")
    rehearsal.run()
    (message,) = rehearsal.messages_to(ana)

    message.deliver()

    assert {"sms", "email"} <= rehearsal.sandboxes.keys()
    assert {line["channel"]: line["state"] for line in rehearsal.cobranza.attempts.list()}["sms"] == "delivered"


def test_a_failure_goes_on_by_the_next_channel(make_rehearsal: Callable[..., Rehearsal]) -> None:
    """
    Two emulators in one house, told apart by the account that carried a message.
    """
    house = make_rehearsal(channels=["sms", "email"])
    ana = house.portfolio.debtor("ana").owes("150.00")
    house.run()

    house.messages_to(ana)[0].fail()
    house.run()

    assert [each.account for each in house.messages_to(ana)] == ["sms", "email"]


def test_what_is_put_twice_brings_no_consent_back(make_rehearsal: Callable[..., Rehearsal]) -> None:
    """
    A debt that is added later stores that debt, and not the debtor's first answers once more.
    """
    house = make_rehearsal(channels=["sms"])
    ana = house.portfolio.debtor("ana").owes("150.00")
    house.run()
    house.messages_to(ana)[0].reply("BAJA")
    ana.owes("20.00", days_past_due=1)

    assert [type(record).__name__ for record in house.portfolio.take()] == ["Receivable"]


def test_payment_links_are_the_emulators(make_rehearsal: Callable[..., Rehearsal]) -> None:
    """
    What a person pays at the emulator ends what is owed.
    """
    pytest.importorskip("cobranza_mercado_pago", reason="no payment provider with an emulator is installed")
    house = make_rehearsal(channels=["sms"], payments=True)
    ana = house.portfolio.debtor("ana").owes("150.00")
    house.run()
    vendor = house.sandboxes["payments"]
    (link,) = vendor.preferences

    vendor.announce(vendor.pay(link["id"]))
    house.hear()
    house.later(days=7).run()

    assert len(house.messages_to(ana)) == 1
    assert [event.kind for event in house.cobranza.events(kinds=["payment.posted"])] == ["payment.posted"]


def test_no_clock_goes_back(rehearsal: Rehearsal) -> None:
    """
    A slip of a sign would let a test pass in a house whose past is rewritten.
    """
    with pytest.raises(InvalidValueError, match="later: found -86400 seconds"):
        rehearsal.later(days=-1)

    assert rehearsal.clock.now() == WEDNESDAY


def test_a_channel_that_nobody_has_is_told(make_rehearsal: Callable[..., Rehearsal]) -> None:
    with pytest.raises(CobranzaError, match=r"none installed of telegram; pip install 'cobranza-sdk\[demo\]'"):
        make_rehearsal(channels=["telegram"])


def test_the_same_seed_invents_the_same_people() -> None:
    """
    A failure that a sample has found can be looked at again.
    """
    taken = []
    for seed in (7, 7, 8):
        portfolio = PortfolioBuilder(FixedClock(WEDNESDAY), seed=seed)
        portfolio.sample(40, countries=["PE", "CO", "BR"])
        taken.append(portfolio.take())

    assert taken[0] == taken[1] != taken[2]
    assert sum(type(record).__name__ == "Debtor" for record in taken[0]) == 40


def test_days_are_counted_where_the_debtor_is() -> None:
    """
    At 03:00 in Greenwich it is still yesterday in Lima.
    """
    portfolio = PortfolioBuilder(FixedClock(datetime(2026, 8, 6, 3, 0, tzinfo=UTC)))

    ana = portfolio.debtor().owes("10.00", days_past_due=1, installments=2).promises_to_pay("10.00", in_days=3)

    assert [part.due_on for part in ana.receivables[0].installments] == [date(2026, 8, 4), date(2026, 9, 3)]
    assert ana.promises[0].due_on == date(2026, 8, 8)


@pytest.mark.parametrize("country", sorted(_PLACES))
def test_invented_numbers_are_well_formed(country: str) -> None:
    """
    A product that checks numbers takes them; each debtor has one of their own.
    """
    portfolio = PortfolioBuilder(FixedClock(WEDNESDAY), country=country)
    drafts = portfolio.sample(60)

    numbers = [draft.debtor.contact_points[0].address.value for draft in drafts]

    assert len(set(numbers)) == 60
    for number in numbers:
        read = phonenumbers.parse(number)
        assert phonenumbers.is_valid_number(read), number
        assert phonenumbers.region_code_for_number(read) == country


def test_a_country_without_people_is_refused() -> None:
    """
    An invented number of an unknown plan might be somebody's.
    """
    with pytest.raises(InvalidValueError, match="country: found ES, expected one of AR, BR"):
        PortfolioBuilder(FixedClock(WEDNESDAY), country="ES")


def test_a_key_is_given_once() -> None:
    """
    A second debtor under one key would silently be the first.
    """
    portfolio = PortfolioBuilder(FixedClock(WEDNESDAY))
    portfolio.debtor("ana")

    with pytest.raises(InvalidValueError, match="has a debtor ana already"):
        portfolio.debtor("ana")
