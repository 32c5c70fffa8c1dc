"""
What somebody carries out later is judged again when they do: a call, a visit, a letter.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cobranza_sdk import Cobranza, Money, Payment, Verdict
from cobranza_sdk.model import InvalidValueError

#: Wednesday, 10:00 in Bogotá; Ley 2300 knows one channel a week and one contact a day.
MORNING = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)


@pytest.fixture
def handed(make_house: Callable[..., Cobranza], clock: Any, debtor: Any, receivable: Any) -> Cobranza:
    """
    One attempt in somebody's hands, in Colombia.
    """
    house = make_house(operators={"ana": ["supervisor"]})
    owed = receivable("F-1", currency="COP", amount="90000.00")
    house.portfolio.put(debtor("D-1", country="CO"), owed)
    house.plan()
    assert house.dispatch().counts == {"accepted": 1}
    return house


def attempt(house: Cobranza) -> str:
    """
    Its id.
    """
    return str(house.attempts.list()[0]["attempt_id"])


def pay(house: Cobranza) -> None:
    """
    All that is owed.
    """
    payment = Payment(
        external_id="P-1", debtor_id="D-1", receivable_id="F-1", amount=Money.of("90000.00", "COP"), paid_at=MORNING
    )
    house.portfolio.put(payment)


def test_it_is_no_history_of_its_own(handed: Cobranza, later: Any) -> None:
    """
    The one contact that Colombia's day allows is this one: it does not stand in its own way.
    """
    later(hours=1)

    decision = handed.attempts.recheck(attempt(handed))

    assert decision.verdict is Verdict.ALLOW
    assert decision.not_after == datetime(2026, 8, 6, 0, 0, tzinfo=UTC)  # 19:00 in Bogotá


@pytest.mark.parametrize(
    ("change", "reason", "verdict"),
    [
        (pay, "paid", Verdict.DENY),
        (lambda house: house.holds.place("D-1", "dispute", by="ana"), "hold: dispute", Verdict.DEFER),
        (lambda house: house.stop("audit"), "stopped", Verdict.DEFER),
    ],
    ids=["paid", "held", "stopped"],
)
def test_what_ends_its_ground_denies_it_and_what_passes_defers_it(
    handed: Cobranza, change: Any, reason: str, verdict: Verdict
) -> None:
    """
    S-039: nobody is called about what was paid since the task was written; a stop or a hold may end.
    """
    change(handed)

    decision = handed.attempts.recheck(attempt(handed))

    assert decision.verdict is verdict
    assert [(finding.rule, finding.facts["reason"]) for finding in decision.findings] == [("sdk.not_any_more", reason)]


def test_an_opt_out_since_then_denies_it(handed: Cobranza) -> None:
    """
    S-085: the person wrote BAJA while the task lay in the list.
    """
    handed.consents.withdraw("D-1", "sms", source="call")

    assert handed.attempts.recheck(attempt(handed)).verdict is Verdict.DENY


def test_at_night_it_waits(handed: Cobranza, later: Any) -> None:
    """
    A task that was written in the morning is not carried out at ten in the evening.
    """
    later(hours=12)

    decision = handed.attempts.recheck(attempt(handed))

    assert decision.verdict is Verdict.DEFER
    assert decision.not_before is not None


def test_another_contact_since_then_counts(handed: Cobranza, later: Any, webhook: Any) -> None:
    """
    Only its own contact is left out: what was sent for the next step is history.
    """
    first = attempt(handed)
    later(days=6)
    handed.plan()
    assert handed.dispatch().counts == {"accepted": 1}

    decision = handed.attempts.recheck(first)

    assert decision.verdict is not Verdict.ALLOW


def test_who_is_not_confirmed_any_more_is_told_of_no_debt(handed: Cobranza, debtor: Any) -> None:
    """
    Law 7: the script was written for the holder; what it discloses cannot be taken back out of it.
    """
    handed.contact_points.deny("D-1", debtor("D-1", country="CO").contact_points[0].address, by="ana")

    assert handed.attempts.recheck(attempt(handed)).verdict is Verdict.DENY


def test_an_override_that_it_used_still_holds_until_it_ends(
    make_house: Callable[..., Cobranza], clock: Any, debtor: Any, receivable: Any, later: Any
) -> None:
    """
    A supervisor answers for this contact until an instant, and not a minute longer.
    """
    sunday = datetime(2026, 8, 9, 17, 0, tzinfo=UTC)
    clock.advance(sunday - clock.now())
    house = make_house(operators={"ana": ["supervisor"]})
    owed = receivable("F-1", due_on=(sunday - timedelta(days=1)).date(), currency="COP", amount="90000.00")
    house.portfolio.put(debtor("D-1", country="CO"), owed)
    house.plan()
    house.overrides.grant(
        "D-1", "hours_agreed", channel="sms", by="ana", reason="agreed", until=sunday + timedelta(hours=2)
    )
    assert house.dispatch().counts == {"accepted": 1}

    before = house.attempts.recheck(attempt(house))
    later(hours=2)
    after = house.attempts.recheck(attempt(house))

    assert (before.verdict, before.not_after) == (Verdict.ALLOW, sunday + timedelta(hours=2))
    assert after.verdict is Verdict.DEFER


@pytest.mark.parametrize("which", ["none", "planned"])
def test_what_is_in_nobodys_hands_is_refused(house: Cobranza, debtor: Any, receivable: Any, which: str) -> None:
    """
    Only the claim lets an attempt begin: a look at one that waits is no permission.
    """
    house.portfolio.put(debtor("D-1"), receivable("F-1", "D-1"))
    house.plan()
    name = "nothing" if which == "none" else attempt(house)

    with pytest.raises(InvalidValueError, match="no such attempt" if which == "none" else "planned"):
        house.attempts.recheck(name)


def test_nothing_is_charged_or_recorded(handed: Cobranza) -> None:
    """
    An agent may look as often as they like.
    """
    before = [event.kind for event in handed.events()]
    for _ in range(3):
        handed.attempts.recheck(attempt(handed))

    assert [event.kind for event in handed.events()] == before
