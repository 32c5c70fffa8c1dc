"""
An override: one message past a rule whose pack knows the exception, answered for by name, kept in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cobranza_sdk import Address, Cobranza, ConfigurationError
from cobranza_sdk.model import InvalidValueError

#: Sunday, noon in Bogotá: Ley 2300 closes it, unless the person agreed to other hours.
SUNDAY = datetime(2026, 8, 9, 17, 0, tzinfo=UTC)
REASON = "agreed by telephone, recording 17"
OPERATORS = {"ana": ["supervisor"], "luis": []}


@pytest.fixture
def make(make_house: Callable[..., Cobranza], clock: Any, debtor: Any, receivable: Any) -> Callable[..., Cobranza]:
    """
    A house in Colombia with one debtor whose invoice fell due the day before, on a Sunday at noon.
    """

    def build(**changes: Any) -> Cobranza:
        clock.advance(SUNDAY - clock.now())
        house = make_house(operators=OPERATORS, **changes)
        owed = receivable("F-1", due_on=(SUNDAY - timedelta(days=1)).date(), currency="COP", amount="90000.00")
        house.portfolio.put(debtor("D-1", country="CO"), owed)
        house.plan()
        return house

    return build


@pytest.fixture
def colombia(make: Callable[..., Cobranza]) -> Cobranza:
    return make()


def grant(house: Cobranza, ground: str = "hours_agreed", **changes: Any) -> str:
    """
    What Ana grants for two hours of that Sunday.
    """
    told = {"channel": "sms", "by": "ana", "reason": REASON, "until": SUNDAY + timedelta(hours=2)} | changes
    return house.overrides.grant("D-1", ground, **told)


def kinds(house: Cobranza, start: str = "override.") -> list[str]:
    """
    Kinds of events in the ledger.
    """
    return [event.kind for event in house.events() if event.kind.startswith(start)]


def test_one_message_passes_the_rule_and_the_ledger_tells_who_answers(colombia: Cobranza, box: Any) -> None:
    assert colombia.dispatch().counts == {"deferred": 1}
    override = grant(colombia)

    assert colombia.dispatch().counts == {"accepted": 1}

    assert [message.not_after for message in box["fake_sms"]] == [SUNDAY + timedelta(hours=2)]
    granted, used = (event for event in colombia.events() if event.kind.startswith("override."))
    assert granted.actor == "user:ana"
    assert granted.payload["role"] == "supervisor"
    assert granted.payload["reason"] == REASON
    assert used.subject_refs["override"] == granted.subject_refs["override"] == override
    assert used.payload == {"ground": "hours_agreed", "granted_by": "ana", "rules": ["co.window"]}
    (line,) = colombia.overrides.list()
    assert (line["state"], line["attempt_id"]) == ("used", used.subject_refs["attempt"])
    made = [event for event in colombia.events() if event.kind == "decision.made"]
    assert [event.payload.get("grounds") for event in made] == [None, ["hours_agreed"]]


def test_it_is_used_once(colombia: Cobranza, box: Any, receivable: Any, later: Any) -> None:
    grant(colombia)
    assert colombia.dispatch().counts == {"accepted": 1}
    later(days=7)  # the next Sunday, and the next step of the strategy
    colombia.plan()
    assert colombia.dispatch().counts == {"deferred": 1}
    assert len(box["fake_sms"]) == 1


def test_what_is_permitted_anyway_uses_none(colombia: Cobranza, later: Any) -> None:
    assert colombia.dispatch().counts == {"deferred": 1}
    grant(colombia, until=SUNDAY + timedelta(days=2))
    later(days=1)  # Monday noon
    assert colombia.dispatch().counts == {"accepted": 1}
    assert [line["state"] for line in colombia.overrides.list()] == ["open"]
    assert kinds(colombia) == ["override.granted"]


@pytest.mark.parametrize("minutes", [119, 120])
def test_it_ends_on_the_minute(make: Callable[..., Cobranza], later: Any, minutes: int) -> None:
    """
    A call may take its deadline: what could end later than the override is not begun.
    """
    house = make(runner={"deadline_s": 60})
    grant(house)
    later(minutes=minutes)
    expected = {"accepted": 1} if minutes < 120 else {"deferred": 1}
    assert house.dispatch().counts == expected


def test_a_call_that_could_end_after_it_is_not_begun(make: Callable[..., Cobranza], later: Any, box: Any) -> None:
    house = make(runner={"deadline_s": 61})
    grant(house)
    later(minutes=119)
    house.dispatch()
    assert box.get("fake_sms", []) == []
    assert [line["state"] for line in house.attempts.list()] == ["deferred"]
    assert [line["state"] for line in house.overrides.list()] == ["open"]


def test_another_channel_is_not_let_through(colombia: Cobranza) -> None:
    grant(colombia, channel="email")
    assert colombia.dispatch().counts == {"deferred": 1}


@pytest.mark.parametrize("stands", ["opted out", "hold", "stop", "paid", "day cap"])
def test_everything_else_judges_as_always(colombia: Cobranza, box: Any, receivable: Any, stands: str) -> None:
    grant(colombia)
    if stands == "opted out":
        colombia.consents.withdraw("D-1", "sms", source="call")
        colombia.consents.withdraw("D-1", "email", source="call")
    elif stands == "hold":
        colombia.holds.place("D-1", "dispute", by="ana")
    elif stands == "stop":
        colombia.stop("fire")
    elif stands == "paid":
        colombia.portfolio.put(receivable("F-1", due_on=SUNDAY.date(), currency="COP", amount="0.00"))
    else:
        colombia.dispatch()
        box["fake_sms"].clear()
        grant(colombia, channel="email")
        colombia.portfolio.put(
            receivable("F-2", due_on=(SUNDAY - timedelta(days=7)).date(), currency="COP", amount="5000.00")
        )
        colombia.plan()
    colombia.dispatch()
    assert box.get("fake_sms", []) == []
    assert box.get("fake_email", []) == []


@pytest.mark.parametrize("by", ["luis", "eva", ""])
def test_only_a_supervisor_answers_for_it(colombia: Cobranza, by: str) -> None:
    with pytest.raises(ConfigurationError, match="role supervisor"):
        grant(colombia, by=by)
    override = grant(colombia)
    with pytest.raises(ConfigurationError, match="role supervisor"):
        colombia.overrides.withdraw(override, by=by)
    assert kinds(colombia) == ["override.granted"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ground": "because"}, "found because, expected an exception that a rule names: .*hours_agreed"),
        ({"ground": "accepted_risk.whatsapp.collections"}, "expected an exception"),
        ({"ground": "discloses_nothing"}, "expected an exception"),
        ({"until": SUNDAY}, "within 7 days"),
        ({"until": SUNDAY + timedelta(days=7, seconds=1)}, "within 7 days"),
        ({"until": datetime(2026, 8, 9, 18)}, "offset"),  # noqa: DTZ001  # naive on purpose
        ({"reason": " "}, "tell why"),
        ({"reason": "x" * 201}, "tell why"),
        ({"reason": "asked from ana@example.com"}, "addresses"),
        ({"reason": "asked from 300 123 45 67"}, "addresses"),
    ],
)
def test_bad_input_grants_nothing(colombia: Cobranza, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidValueError, match=words):
        grant(colombia, **changes)
    assert colombia.overrides.list() == []
    assert kinds(colombia) == []


def test_a_debtor_that_does_not_exist(colombia: Cobranza) -> None:
    with pytest.raises(InvalidValueError, match="no debtor"):
        colombia.overrides.grant(
            "D-9", "hours_agreed", channel="sms", by="ana", reason=REASON, until=SUNDAY + timedelta(hours=1)
        )


def test_a_withdrawn_one_lets_nothing_through(colombia: Cobranza) -> None:
    override = grant(colombia)
    colombia.overrides.withdraw(override, by="ana")
    colombia.overrides.withdraw(override, by="ana")
    assert colombia.dispatch().counts == {"deferred": 1}
    assert kinds(colombia) == ["override.granted", "override.withdrawn"]


def test_a_used_one_cannot_be_withdrawn(colombia: Cobranza) -> None:
    override = grant(colombia)
    colombia.dispatch()
    with pytest.raises(InvalidValueError, match="used already"):
        colombia.overrides.withdraw(override, by="ana")
    with pytest.raises(InvalidValueError, match="no such override"):
        colombia.overrides.withdraw("nothing", by="ana")


def test_a_message_that_did_not_leave_has_used_it_all_the_same(
    colombia: Cobranza, script: dict[str, list[Any]], box: Any
) -> None:
    """
    Who wants to try once more answers for it once more.
    """
    from cobranza_sdk import Category, Disposition, ProviderError, Transmitted

    script["fake_sms"] = [ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.NO)]
    grant(colombia)
    assert colombia.dispatch().counts["not_sent"] == 1
    assert [line["state"] for line in colombia.overrides.list()] == ["used"]


def test_withdrawn_between_judging_and_claiming(colombia: Cobranza, box: Any, monkeypatch: Any) -> None:
    """
    The claim reads the facts again: what was withdrawn meanwhile is not used.
    """
    from cobranza_sdk.store import Attempts

    override = grant(colombia)
    claim = Attempts.claim

    def withdraw_first(self: Attempts, *given: Any) -> Any:
        monkeypatch.setattr(Attempts, "claim", claim)
        colombia.overrides.withdraw(override, by="ana")
        return claim(self, *given)

    monkeypatch.setattr(Attempts, "claim", withdraw_first)
    counts = colombia.dispatch().counts
    assert counts == {"released": 1, "deferred": 1}
    assert box.get("fake_sms", []) == []


def test_another_creditors_debtor_does_not_profit(
    make_house: Callable[..., Cobranza], clock: Any, settings: Any, debtor: Any, receivable: Any, box: Any
) -> None:
    clock.advance(SUNDAY - clock.now())
    creditor = settings["creditor"] | {"country": "CO"}
    one, two = creditor | {"name": "Uno", "strategy": "test"}, creditor | {"name": "Dos", "strategy": "test"}
    settings.pop("creditor")
    house = make_house(operators=OPERATORS, creditors={"one": one, "two": two})
    for key in ("one", "two"):
        mine = house.for_creditor(key)
        owed = receivable("F-1", due_on=(SUNDAY - timedelta(days=1)).date(), currency="COP", amount="90000.00")
        mine.portfolio.put(debtor("D-1", country="CO"), owed)
        mine.plan()
    grant(house.for_creditor("one"))
    assert house.for_creditor("two").dispatch().counts == {"deferred": 1}
    assert house.for_creditor("one").dispatch().counts == {"accepted": 1}
    assert house.for_creditor("two").overrides.list() == []


def test_two_workers_use_it_once(colombia: Cobranza, settings: Any, clock: Any, debtor: Any, receivable: Any) -> None:
    """
    Two outreaches of one debtor, two workers at once, one override: one message.
    """
    from tests.conftest import fake_plugins

    colombia.portfolio.put(
        receivable("F-2", due_on=(SUNDAY - timedelta(days=7)).date(), currency="USD", amount="50.00")
    )
    colombia.plan()
    assert len(colombia.attempts.list()) == 2
    grant(colombia)
    barrier = Barrier(2)

    def work(_: int) -> int:
        with Cobranza({**settings, "operators": OPERATORS}, clock=clock, plugins=fake_plugins()) as worker:
            barrier.wait()
            return worker.dispatch().counts.get("accepted", 0)

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(work, range(2))) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    minutes=st.integers(0, 7 * 24 * 60),
    consent=st.sampled_from(["yes", "no", "opted_out"]),
    recipient=st.sampled_from(["debtor", "reference", "unknown"]),
)
def test_an_exception_never_makes_a_decision_stricter_and_lifts_only_its_rules(
    minutes: int, consent: str, recipient: str
) -> None:
    """
    What the exception is held against: the same contact with and without it.
    """
    from attrs import evolve

    from cobranza_sdk import Contact

    contact = Contact(
        at=SUNDAY + timedelta(minutes=minutes),
        channel="sms",
        country="CO",
        consent=consent,
        recipient=recipient,
        holder_confirmed=True,
    )
    decider = Cobranza().decider
    plain, lifted = decider.decide(contact), decider.decide(evolve(contact, flags=frozenset({"hours_agreed"})))
    assert lifted.verdict.rank <= plain.verdict.rank
    before = {finding.rule for finding in plain.findings}
    after = {finding.rule for finding in lifted.findings}
    assert after == before - {"co.window"}


def test_a_backtest_knows_the_exception(colombia: Cobranza) -> None:
    grant(colombia)
    colombia.dispatch()
    found = colombia.backtest()
    assert (found.contacts, found.not_reproduced) == (1, 0)


def test_settings_refuse_unknown_roles_and_names(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Cobranza({**settings, "operators": {"ana": ["boss"], "with blank": ["supervisor"]}})
    assert "operators.ana: found boss, expected one of supervisor" in str(raised.value)
    assert "operators.with blank: expected" in str(raised.value)


def test_addresses_stay_out_of_the_ledger(colombia: Cobranza) -> None:
    grant(colombia)
    colombia.dispatch()
    told = str([event.to_dict() for event in colombia.events()])
    assert str(Address("e164", "+57300").value) not in told
