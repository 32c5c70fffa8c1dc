"""
The state machine of an attempt: leased, claimed, settled, each by who holds the token.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from cobranza_sdk.model import AttemptState, EventKind, InvalidValueError, Money, Payment, Verdict
from cobranza_sdk.spec import ProviderError
from cobranza_sdk.store import Settlement, StoreError, Unsent
from cobranza_sdk.strategy import Step

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)
SLACK = timedelta(seconds=60)
SECOND = Step(id="late-7", days=7, until=20, purpose="demand", channels=("sms",), template="administrative")

REFUSED = ProviderError("validation", "never", "no", vendor_code="21211")
TRY_AGAIN = ProviderError("rate_limit", "retry", "no")
NOBODY_KNOWS = ProviderError("network", "never", "maybe")


def settle(world: Any, claimed: Any, error: ProviderError | None = None, **more: Any) -> int:
    """
    Settle one; returns how many were stale.
    """
    values = {"attempt_id": claimed.attempt_id, "token": claimed.token, "error": error, **more}
    return 1 - len(world.acme.attempts.settle([Settlement(**values)]))


def charges(world: Any) -> list[str]:
    return [row["kind"] for row in world.rows("SELECT kind FROM contact_events ORDER BY rowid")]


# -- planning --------------------------------------------------------------------------------------------------------


def test_an_outreach_is_made_once(world: Any) -> None:
    """
    S-034: a scheduler that plans again after an outage, with a newer strategy, sends nothing twice.
    """
    world.owing()
    first = [(world.due(), date(2026, 8, 5))]

    made = [
        world.acme.attempts.add(first, strategy="test", version=version, reach=lambda *_: [("sms", None)])
        for version in (1, 1, 2)
    ]

    assert made == [1, 0, 0]
    assert len(world.rows("SELECT * FROM attempts")) == 1
    assert world.kinds().count("step.planned") == 1


def test_an_outreach_is_made_once_by_eight_planners(world: Any) -> None:
    """
    The unique key holds, not the order in which planners looked.
    """
    world.owing()
    due = [(world.due(), date(2026, 8, 5))]
    gate = threading.Barrier(8)

    def add(_: int) -> int:
        gate.wait()
        made = world.acme.attempts.add(due, strategy="test", version=1, reach=lambda *_: [("sms", None)])
        return int(made)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(add, range(8)))

    assert sorted(made) == [0] * 7 + [1]
    assert len(world.rows("SELECT * FROM attempts")) == 1


@pytest.mark.parametrize("change", [{"step": SECOND}, {"anchor": date(2026, 7, 4)}])
def test_another_step_or_anchor_is_another_outreach(world: Any, change: dict[str, Any]) -> None:
    """
    The key is no wider than it must be: the next step and the next invoice do go out.
    """
    world.owing()
    world.plan()

    assert world.plan(**change)


def test_a_position_is_busy_while_its_attempt_waits(world: Any) -> None:
    """
    The plan must see that an earlier outreach about the same debt has not gone out yet.
    """
    world.owing()
    world.plan()

    (position,) = world.acme.attempts.positions("test", lambda _: date(2026, 8, 5))

    assert (position.busy, position.issued, position.last_on) == (
        True,
        frozenset({("late-1", date(2026, 8, 4))}),
        date(2026, 8, 5),
    )
    assert [part.open_minor for part in position.installments] == [10000]


# -- leasing ---------------------------------------------------------------------------------------------------------


def test_a_lease_takes_one_attempt_per_person_the_oldest_due_first(world: Any, later: Any) -> None:
    """
    G5: two messages to one person are never prepared at the same time.
    """
    world.owing("D-1")
    world.owing("D-2")
    first = world.plan("D-1")
    later(minutes=1)
    second = world.plan("D-2")
    world.plan("D-1", step=SECOND)

    assert list(world.lease()) == [first, second]
    assert world.lease() == {}


def test_a_lease_keeps_to_its_limit_and_to_what_is_due(world: Any, later: Any) -> None:
    """
    A batch is as large as asked, and nothing leaves before its time.
    """
    for key in ("D-1", "D-2", "D-3"):
        world.owing(key)
        world.plan(key)
    leased = world.lease(limit=2)
    (token,) = [token for attempt_id, token in leased.items() if attempt_id == min(leased)]
    due_at = NOW + timedelta(hours=1)
    world.acme.attempts.decline(
        [Unsent(attempt_id=min(leased), token=token, state=AttemptState.DEFERRED, reason="test.rule", due_at=due_at)]
    )

    assert len(leased) == 2
    assert len(world.lease()) == 1
    later(minutes=59)
    assert min(leased) not in world.lease()
    later(minutes=1)
    assert min(leased) in world.lease()


def test_a_lease_that_ran_out_is_taken_over_with_a_higher_token(world: Any, later: Any) -> None:
    """
    R-01: who was lost while rendering holds nothing up, and cannot come back with the old token.
    """
    world.owing()
    attempt_id = world.plan()
    first = world.lease()
    later(minutes=5)
    assert world.lease() == {}
    later(seconds=1)

    second = world.lease()

    assert second[attempt_id] > first[attempt_id]


def test_a_paused_channel_is_not_leased(world: Any) -> None:
    """
    An account without funds must not burn the attempts of its channel.
    """
    world.owing("D-1")
    world.owing("D-2")
    world.plan("D-1", channel="sms")
    email = world.plan("D-2", channel="email")

    assert [item for item, _ in world.acme.attempts.lease(9, LEASE, skip_channels=["sms"])] == [email]


def test_eight_workers_lease_each_attempt_once(world: Any) -> None:
    """
    F90: reading what is due and taking it are one transaction.
    """
    for number in range(24):
        world.owing(f"D-{number}")
        world.plan(f"D-{number}")
    gate = threading.Barrier(8)

    def lease(_: int) -> list[str]:
        gate.wait()
        return list(world.lease(limit=5))

    with ThreadPoolExecutor(8) as pool:
        taken = [item for found in pool.map(lease, range(8)) for item in found]

    assert len(taken) == len(set(taken)) == 24


# -- claiming --------------------------------------------------------------------------------------------------------


def test_a_claim_reserves_records_and_sends_in_one_transaction(world: Any) -> None:
    """
    Law 1: the allow, the charge and the state stand together.
    """
    claimed = world.sending()

    row = world.attempt(claimed.attempt_id)
    assert (row["state"], row["token"], row["account"]) == ("sending", claimed.token, "sms")
    assert row["lease_until"] - row["sending_at"] == 30_000_000
    assert charges(world) == ["charge"]
    assert [event.payload["verdict"] for event in world.acme.events(kinds=["decision.made"])] == ["allow"]
    assert world.kinds()[-3:] == ["decision.made", "budget.reserved", "attempt.dispatched"]
    assert world.acme.figures.decisions_of(claimed.attempt_id) == [claimed.decision.to_dict()]


def test_a_claim_that_fails_after_reserving_leaves_nothing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Law 1: no charge without its allow, no allow without its charge, whatever breaks in between.
    """
    world.owing()
    world.plan()
    prepared = world.prepared(world.lease())
    before = world.dump()
    reserve = world.acme.attempts._reserve

    def broken(*values: Any) -> None:
        reserve(*values)
        raise OSError

    monkeypatch.setattr(world.acme.attempts, "_reserve", broken)
    with pytest.raises(OSError):  # noqa: PT011  # the bare one that was raised
        world.claim(prepared)

    assert world.dump() == before
    monkeypatch.undo()
    assert len(world.claim(prepared)) == 1


def test_a_claim_whose_event_cannot_be_written_leaves_nothing(world: Any) -> None:
    """
    Law 1: the ledger is part of the transaction, not written after it.
    """
    world.owing()
    world.plan()
    prepared = world.prepared(world.lease())
    with world.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT raise(ABORT, 'no room'); END"
        )
    before = world.dump()

    with pytest.raises(StoreError, match="nothing was half-applied"):
        world.claim(prepared)

    assert world.dump() == before


def opt_out(world: Any) -> None:
    world.acme.consents.withdraw("D-1", "sms", source="reply")


def pay(world: Any) -> None:
    world.put(Payment(external_id="P-1", debtor_id="D-1", amount=Money(10000, "PEN"), paid_at=NOW))


def pay_a_part(world: Any) -> None:
    world.put(Payment(external_id="P-1", debtor_id="D-1", amount=Money(1, "PEN"), paid_at=NOW))


def hold(world: Any) -> None:
    world.acme.holds.place("D-1", "dispute", by="ana")


def stop(world: Any) -> None:
    world.tenant.switch.stop("wrong list", by="ana")


def deny_number(world: Any) -> None:
    address = world.points()[0][0]
    world.acme.contact_points.deny("D-1", address, by="ana")


def sue(world: Any) -> None:
    with world.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE receivables SET judicial = 1")


def contact_elsewhere(world: Any) -> None:
    """
    Another creditor of the tenant writes to the same person.
    """
    (person,) = world.rows("SELECT person_id FROM debtors")
    other = world.tenant.creditor("other")
    world.sending("E-1", creditor=other)
    with world.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE contact_events SET person_id = ?", (person["person_id"],))


@pytest.mark.parametrize("happens", [opt_out, pay, pay_a_part, hold, stop, deny_number, sue, contact_elsewhere])
def test_what_happens_between_lease_and_claim_stops_the_claim(world: Any, happens: Callable[[Any], None]) -> None:
    """
    R-03, S-039, F86, F87, F91: a decision made earlier is only a plan; the facts are read again inside the claim.
    """
    world.owing()
    attempt_id = world.plan()
    prepared = world.prepared(world.lease())
    happens(world)
    charged = len(charges(world))

    assert world.claim(prepared) == []

    row = world.attempt(attempt_id)
    assert (row["state"], row["sending_at"], len(charges(world))) == ("planned", None, charged)


def test_the_person_stays_free_when_nothing_happens(world: Any) -> None:
    """
    The counterpart: an unchanged world does not send attempts round in circles.
    """
    world.owing()
    world.plan()
    prepared = world.prepared(world.lease())
    world.put(world._debtor("D-1"))

    assert len(world.claim(prepared)) == 1


@pytest.mark.parametrize(
    ("verdict", "not_before", "state"),
    [(Verdict.DEFER, NOW + timedelta(hours=2), "deferred"), (Verdict.DENY, None, "planned")],
)
def test_a_claim_that_the_rules_refuse_charges_nothing(
    world: Any, judge_that: Any, verdict: Verdict, not_before: datetime | None, state: str
) -> None:
    """
    A window that closed since the lease defers; a refusal sends the attempt back to be judged as a whole.
    """
    world.owing()
    attempt_id = world.plan()

    assert world.claim(world.prepared(world.lease()), judge_that(verdict, not_before)) == []

    assert world.attempt(attempt_id)["state"] == state
    assert charges(world) == []
    assert [event.payload["verdict"] for event in world.acme.events(kinds=["decision.made"])] == [verdict]


def test_a_stale_token_claims_nothing(world: Any, later: Any) -> None:
    """
    A worker that slept through its lease is told no by the row, not by its own clock.
    """
    world.owing()
    attempt_id = world.plan()
    old = world.prepared(world.lease())
    later(minutes=6)
    new = world.prepared(world.lease())
    before = world.dump()

    assert world.claim(old) == []
    assert (
        world.acme.attempts.decline(
            [Unsent(attempt_id=attempt_id, token=old[0].token, state=AttemptState.CANCELLED, reason="paid")]
        )
        == []
    )
    assert world.dump() == before
    assert len(world.claim(new)) == 1
    assert world.claim(new) == []


def test_one_person_is_never_sent_two_messages_at_once(world: Any, later: Any) -> None:
    """
    G5: once a lease ran out, another attempt of the person may be leased: the slow worker gets nothing any more.
    """
    world.owing()
    world.plan()
    slow = world.prepared(world.lease())
    world.plan(step=SECOND)
    later(minutes=6)
    with world.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempts SET due_at = 0 WHERE state = 'planned'")
    leased = dict(world.acme.attempts.lease(1, LEASE))
    assert set(leased) != {slow[0].attempt_id}
    prepared = world.prepared(leased)

    assert world.claim(slow) == []
    assert len(world.claim(prepared)) == 1
    assert world.claim(slow) == []

    assert [row["n"] for row in world.rows("SELECT count(*) AS n FROM attempts WHERE state = 'sending'")] == [1]
    assert world.lease() == {}


def test_two_attempts_of_one_person_in_a_batch_are_not_both_granted(world: Any) -> None:
    """
    G5, law 2: the second would be judged by a history that lacks the first.
    """
    world.owing()
    for number in range(3):
        world.plan(anchor=date(2026, 7, 1 + number))
    with world.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempts SET state = 'leased', token = 1, lease_until = 9000000000000000")
    leased = {row["id"]: row["token"] for row in world.rows("SELECT id, token FROM attempts")}

    assert len(world.claim(world.prepared(leased))) == 1

    states = [row["state"] for row in world.rows("SELECT state FROM attempts ORDER BY state")]
    assert states == ["planned", "planned", "sending"]
    assert charges(world) == ["charge"]


# -- declining -------------------------------------------------------------------------------------------------------


def test_what_is_not_sent_says_why_and_may_be_followed(world: Any) -> None:
    """
    A suppressed attempt keeps its reason, and the step's next channel is a new row with the next number.
    """
    world.owing()
    attempt_id = world.plan()
    leased = world.lease()

    (declined,) = world.acme.attempts.decline(
        [
            Unsent(
                attempt_id=attempt_id,
                token=leased[attempt_id],
                state=AttemptState.SUPPRESSED,
                reason="no_address",
                next_channel="email",
            )
        ]
    )

    assert declined.attempt_id == attempt_id
    listed = world.acme.attempts.listing()
    assert [(row["state"], row["channel"], row["reason"]) for row in listed] == [
        ("suppressed", "sms", "no_address"),
        ("planned", "email", None),
    ]
    assert [row["number"] for row in world.rows("SELECT number FROM attempts ORDER BY id")] == [1, 2]
    assert charges(world) == []


# -- settling --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "state", "rows"),
    [
        (None, "accepted", ["charge"]),
        (REFUSED, "rejected", ["charge", "refund"]),
        (TRY_AGAIN, "not_sent", ["charge", "refund"]),
        (NOBODY_KNOWS, "unknown", ["charge"]),
        (ProviderError("provider_down", "retry", "maybe"), "unknown", ["charge"]),
        (ProviderError("recipient", "never", "yes"), "unknown", ["charge"]),
    ],
)
def test_the_cap_is_given_back_only_when_nothing_left(
    world: Any, error: ProviderError | None, state: str, rows: list[str]
) -> None:
    """
    R-05, law 3: a refund is a row of its own, and whatever may be out stays counted.
    """
    claimed = world.sending()

    assert settle(world, claimed, error, provider_message_id=None if error else "M-1") == 0

    assert world.attempt(claimed.attempt_id)["state"] == state
    assert charges(world) == rows
    assert world.kinds().count("budget.released") == rows.count("refund")
    facts = world.acme.attempts.facts([claimed.attempt_id])[claimed.attempt_id]
    assert len(facts.history) == (0 if "refund" in rows else 1)


def test_a_zombies_settlement_is_late_evidence(world: Any, later: Any) -> None:
    """
    Who comes back after being given up overwrites nothing; the vendor's id is kept so that a receipt finds the row.
    """
    claimed = world.sending()
    later(minutes=2)
    assert world.acme.attempts.recover(SLACK) == 1

    assert settle(world, claimed, provider_message_id="M-1") == 1

    row = world.attempt(claimed.attempt_id)
    assert (row["state"], row["provider_message_id"]) == ("unknown", "M-1")
    assert world.kinds()[-1] == "attempt.late_evidence"
    assert charges(world) == ["charge"]


def test_a_late_refusal_refunds_and_follows_nothing(world: Any, later: Any) -> None:
    """
    A stale worker's word neither gives a contact back nor starts another channel.
    """
    claimed = world.sending()
    later(minutes=2)
    world.acme.attempts.recover(SLACK)

    settle(world, claimed, REFUSED, next_channel="email", next_due_at=NOW)

    assert charges(world) == ["charge"]
    assert len(world.rows("SELECT * FROM attempts")) == 1


@pytest.mark.parametrize("token", [-1, 1])
def test_settling_needs_the_token_of_the_claim(world: Any, token: int) -> None:
    """
    The fence: a token that is not the claim's changes no state.
    """
    claimed = world.sending()

    assert settle(world, evolve(claimed, token=claimed.token + token), provider_message_id="M-1") == 1

    assert world.attempt(claimed.attempt_id)["state"] == "sending"


def test_settling_twice_refunds_once(world: Any) -> None:
    """
    A retried settlement is stale the second time.
    """
    claimed = world.sending()

    assert (settle(world, claimed, REFUSED), settle(world, claimed, REFUSED)) == (0, 1)

    assert charges(world) == ["charge", "refund"]


def test_a_group_settles_together_whatever_became_of_each(world: Any) -> None:
    """
    One stale call in a group takes nothing from the others.
    """
    one, two = world.sending("D-1"), world.sending("D-2")

    written = world.acme.attempts.settle(
        [
            Settlement(attempt_id=one.attempt_id, token=one.token + 7, provider_message_id="M-1"),
            Settlement(attempt_id=two.attempt_id, token=two.token, provider_message_id="M-2"),
        ]
    )

    assert [item.attempt_id for item in written] == [two.attempt_id]
    assert [world.attempt(item.attempt_id)["state"] for item in (one, two)] == ["sending", "accepted"]


@pytest.mark.parametrize("together", [True, False])
def test_f34_an_id_that_another_attempt_has_proves_nothing(world: Any, together: bool) -> None:
    """
    F34: one receipt would otherwise settle two messages, and one of them was perhaps never taken.
    """
    one, two = world.sending("D-1"), world.sending("D-2")
    settlements = [
        Settlement(attempt_id=item.attempt_id, token=item.token, provider_message_id="M-1") for item in (one, two)
    ]

    for group in [settlements] if together else [[settlement] for settlement in settlements]:
        world.acme.attempts.settle(group)

    first, second = (world.attempt(item.attempt_id) for item in (one, two))
    assert (first["state"], first["provider_message_id"]) == ("accepted", "M-1")
    assert (second["state"], second["provider_message_id"]) == ("unknown", None)
    assert "id_reused" in second["reason"]
    assert charges(world) == ["charge", "charge"]


def test_f34_two_accounts_may_number_alike(world: Any) -> None:
    """
    A vendor's id is unique within an account, and nowhere else.
    """
    one = world.sending("D-1")
    settle(world, one, provider_message_id="M-1")
    world.rows("UPDATE attempts SET account = 'another' WHERE id = ?", one.attempt_id)
    two = world.sending("D-2")

    settle(world, two, provider_message_id="M-1")

    assert world.attempt(two.attempt_id)["state"] == "accepted"


def test_a_vendor_that_says_opted_out_is_believed(world: Any) -> None:
    """
    Some people tell the carrier, not us.
    """
    claimed = world.sending()

    settle(world, claimed, ProviderError("opted_out", "never", "no", vendor_code="21610"))

    assert world.consent() == "opted_out"


def test_attempts_that_follow_are_numbered_on(world: Any) -> None:
    """
    A retry or a fallback is a new row: the history of the old one stays. What was rejected is no try of the message.
    """
    claimed = world.sending()
    settle(world, claimed, TRY_AGAIN, next_channel="sms", next_due_at=NOW)
    (again,) = world.claim(world.prepared(world.lease()))
    settle(world, again, REFUSED, next_channel="email", next_due_at=NOW)
    world.acme.attempts.follow(again.attempt_id, "email", None)

    rows = world.rows("SELECT number, state, channel FROM attempts ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        (1, "not_sent", "sms"),
        (2, "rejected", "sms"),
        (3, "planned", "email"),
        (4, "planned", "email"),
    ]
    latest = world.rows("SELECT max(id) AS id FROM attempts")[0]["id"]
    assert world.acme.attempts.facts([latest])[latest].tried == {"sms": 1, "email": 2}


def test_eight_follow_ups_at_once_have_numbers_of_their_own(world: Any) -> None:
    """
    The number is read and written in one transaction.
    """
    attempt_id = world.accepted()
    gate = threading.Barrier(8)

    def follow(_: int) -> None:
        gate.wait()
        world.acme.attempts.follow(attempt_id, "email", None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(follow, range(8)))

    assert [row["number"] for row in world.rows("SELECT number FROM attempts ORDER BY number")] == list(range(1, 10))


# -- recovering ------------------------------------------------------------------------------------------------------


def test_what_was_being_sent_by_somebody_lost_is_unknown(world: Any, later: Any) -> None:
    """
    Law 3: it may be out, so it is neither sent again nor given back.
    """
    claimed = world.sending()
    later(seconds=90)
    assert world.acme.attempts.recover(SLACK) == 0
    later(seconds=1)

    assert world.acme.attempts.recover(SLACK) == 1

    assert world.attempt(claimed.attempt_id)["state"] == "unknown"
    assert charges(world) == ["charge"]
    assert world.kinds()[-1] == "attempt.unknown"
    later(days=1)
    assert (world.acme.attempts.recover(SLACK), world.lease()) == (0, {})


@pytest.mark.parametrize(
    ("outcome", "state", "rows"),
    [
        ("accepted", "accepted", ["charge"]),
        ("absent", "not_sent", ["charge", "refund"]),
        ("abandoned", "unknown", ["charge"]),
    ],
)
def test_a_person_resolves_what_nobody_can_know(world: Any, outcome: str, state: str, rows: list[str]) -> None:
    """
    Only "it did not go out" gives the contact back; "nobody can tell" stays counted.
    """
    claimed = world.sending()
    settle(world, claimed, NOBODY_KNOWS)

    world.acme.resolutions.resolve(claimed.attempt_id, outcome, by="ana", reason="asked the vendor")

    row = world.attempt(claimed.attempt_id)
    assert (row["state"], row["resolution"], charges(world)) == (state, outcome, rows)
    assert world.kinds().count("attempt.resolved") == 1


def test_only_an_unknown_attempt_is_resolved(world: Any) -> None:
    """
    A word by hand does not undo what is known.
    """
    attempt_id = world.accepted()

    with pytest.raises(InvalidValueError, match="whose state is unknown"):
        world.acme.resolutions.resolve(attempt_id, "absent", by="ana", reason="")
    with pytest.raises(InvalidValueError, match="must be one of"):
        world.acme.resolutions.resolve(attempt_id, "delivered", by="ana", reason="")


# -- holds -----------------------------------------------------------------------------------------------------------


def test_a_hold_ends_by_itself_or_by_hand(world: Any, later: Any) -> None:
    """
    Of several holds the one that lasts longest counts; lifted or over, it no longer does.
    """
    world.owing()
    attempt_id = world.plan()

    def held() -> tuple[str | None, datetime | None]:
        facts = world.acme.attempts.facts([attempt_id])[attempt_id]
        return facts.hold, facts.hold_until

    world.acme.holds.place("D-1", "reply", by="ana", until=NOW + timedelta(hours=1))
    long = world.acme.holds.place("D-1", "dispute", by="ana")
    assert held() == ("dispute", None)
    world.acme.holds.lift(long, by="ana")
    world.acme.holds.lift(long, by="ana")
    assert held() == ("reply", NOW + timedelta(hours=1))
    later(hours=1)
    assert held() == (None, None)
    assert world.kinds().count("hold.lifted") == 1


def test_a_hold_needs_an_offset(world: Any) -> None:
    """
    A naive end would be read in whichever zone the machine has.
    """
    world.owing()

    with pytest.raises(InvalidValueError, match="needs a UTC offset"):
        world.acme.holds.place("D-1", "dispute", by="ana", until=datetime(2026, 8, 6))  # noqa: DTZ001  # the point


def test_nothing_by_hand_is_written_for_nobody(world: Any) -> None:
    """
    A mistyped id must be an error, not a hold on nobody.
    """
    before = world.dump()

    for act in (
        lambda: world.acme.holds.place("X", "dispute", by="ana"),
        lambda: world.acme.holds.lift("X", by="ana"),
        lambda: world.acme.consents.withdraw("X", "sms", source="ana"),
        lambda: world.acme.consents.grant("X", "sms", source="ana"),
        lambda: world.acme.contact_points.deny("X", "+51900000000", by="ana"),
        lambda: world.acme.contact_points.confirm("X", "+51900000000", by="ana"),
    ):
        with pytest.raises(InvalidValueError, match="there is no"):
            act()

    assert world.dump() == before


def test_a_receipt_that_beats_the_settlement_wins(world: Any) -> None:
    """
    F45: the vendor's own report of delivery is not undone by the call that returns later.
    """
    claimed = world.sending()
    world.apply(world.event(EventKind.DELIVERED, attempt_id=claimed.attempt_id, provider_message_id="M-1"))

    assert settle(world, claimed, provider_message_id="M-1") == 1

    assert world.attempt(claimed.attempt_id)["state"] == "delivered"
