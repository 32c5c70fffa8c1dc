"""
Records put in: once, kept current, never guessed at.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cobranza_sdk.model import (
    Address,
    Consent,
    ContactPoint,
    Debtor,
    Installment,
    InvalidValueError,
    Money,
    Payment,
    Person,
    Receivable,
)
from cobranza_sdk.spec import ErpBatch, RejectedRecord

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
PHONE, OTHER = "+51987000001", "+51987000002"

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def person(key: str = "D-1", *phones: str, **changes: Any) -> Debtor:
    points = [ContactPoint(address=Address("e164", phone), holder_role="debtor") for phone in phones]
    return Debtor(**{"external_id": key, "country": "PE", "contact_points": points, **changes})


def owed(
    key: str,
    minor: int,
    *,
    debtor: str = "D-1",
    due: int = 1,
    amount: int | None = None,
    currency: str = "PEN",
    **more: Any,
) -> Receivable:
    part = Installment(
        due_on=date(2026, 8, due),
        amount=Money(minor if amount is None else amount, currency),
        open=Money(minor, currency),
    )
    return Receivable(**{"external_id": key, "debtor_id": debtor, "installments": [part], **more})


def paid(key: str, minor: int, *, at: datetime = NOW, currency: str = "PEN", on: str | None = None) -> Payment:
    return Payment(external_id=key, debtor_id="D-1", amount=Money(minor, currency), paid_at=at, receivable_id=on)


def batch(*records: Any, complete: bool = True, rejected: Any = (), currency: str = "PEN") -> ErpBatch:
    return ErpBatch(records=records, rejected=rejected, scope=(f"currency:{currency}",), complete=complete, cursor="c")


def synced(world: Any, *batches: ErpBatch, erp: str = "main", confirmed: bool = False) -> None:
    _, run = world.acme.portfolio.begin_sync(erp)
    for item in batches:
        world.acme.portfolio.put_batch(item, erp=erp, run=run, confirmed=confirmed)


# -- once ------------------------------------------------------------------------------------------------------------

keys = st.sampled_from(["1", "2", "3"])
debtors = st.builds(
    lambda key, phones, consent: person(
        f"D-{key}", *phones, consents=[Consent(channel="sms", granted=consent)], person=Person(external_id=f"P-{key}")
    ),
    keys,
    st.lists(st.sampled_from([PHONE, OTHER]), max_size=2, unique=True),
    st.booleans(),
)
receivables = st.builds(
    lambda key, debtor, minor: owed(f"F-{key}", minor, debtor=f"D-{debtor}"), keys, keys, st.integers(1, 500)
)
payments = st.builds(
    lambda key, minor: evolve(paid(f"P-{key}", minor), debtor_id=f"D-{key}"), keys, st.integers(1, 500)
)


@quick
@given(
    st.lists(debtors, max_size=3, unique_by=lambda item: item.external_id),
    st.lists(receivables, max_size=3, unique_by=lambda item: item.external_id),
    st.lists(payments, max_size=3, unique_by=lambda item: item.external_id),
    st.randoms(use_true_random=False),
)
def test_putting_again_in_any_order_changes_nothing(
    world: Any, own: list[Debtor], bills: list[Receivable], money: list[Payment], chance: random.Random
) -> None:
    """
    A host that cannot tell whether it already delivered must be free to deliver again.
    """
    creditor = world.store.tenant(world.ids.new()).creditor("acme")
    everything = [*[person(f"D-{key}") for key in "123" if key not in {d.external_id[2:] for d in own}], *own]
    everything += [*bills, *money]
    creditor.portfolio.put(everything, actor="test")
    before = world.dump()
    chance.shuffle(everything)

    again = creditor.portfolio.put(everything, actor="test")

    assert world.dump() == before
    assert (again.created, again.changed, sum(again.unchanged.values())) == ({}, {}, len(everything))


def test_the_same_file_twice_changes_nothing(world: Any) -> None:
    """
    S-001: an import that is repeated after a doubt is no news to anybody, the ledger included.
    """
    rejected = [RejectedRecord(source="a.csv", line=3, column="amount", reason="is no amount", key="F-9")]
    file = batch(person("D-1", PHONE), owed("F-1", 100), paid("P-1", 30), rejected=rejected, complete=False)
    synced(world, file)
    before = world.dump(without=["sync_state"])

    synced(world, file)

    assert world.dump(without=["sync_state"]) == before
    assert len(world.acme.rejected()) == 1


def test_good_rows_are_stored_beside_rejected_ones(world: Any) -> None:
    """
    S-001: three broken rows do not keep the others out, and each comes back with where and why.
    """
    rejected = [RejectedRecord(source="a.csv", line=line, column="due_on", reason="is no date") for line in (2, 5, 9)]

    synced(world, batch(person(), *[owed(f"F-{n}", 100) for n in range(40)], rejected=rejected))

    assert len(world.opened()) == 40
    assert [(row["line"], row["column"], row["reason"]) for row in world.acme.rejected()] == [
        (2, "due_on", "is no date"),
        (5, "due_on", "is no date"),
        (9, "due_on", "is no date"),
    ]


def test_a_changed_figure_is_adjusted_once(world: Any) -> None:
    """
    F72: a new amount is a change of state, so one event tells it, and one only.
    """
    world.put(person(), owed("F-1", 100))

    world.put(owed("F-1", 70, amount=100))
    world.put(owed("F-1", 70, amount=100))

    assert world.opened() == {"F-1": 70}
    assert world.kinds().count("receivable.adjusted") == 1


@pytest.mark.parametrize("change", [{"judicial": True}, {"document": "E-77"}, {"kind": "loan"}])
def test_a_change_that_is_no_figure_is_told_too(world: Any, change: dict[str, Any]) -> None:
    """
    A lawsuit silences a debt: the ledger must be able to say since when.
    """
    world.put(person(), owed("F-1", 100))

    result = world.put(owed("F-1", 100, **change))

    assert result.changed == {"receivable": 1}
    assert world.kinds().count("receivable.adjusted") == 1


def test_a_receivable_named_twice_in_one_batch_ends_as_named_last(world: Any) -> None:
    """
    Overlapping exports name an invoice twice: the batch is not lost for it.
    """
    world.put(person(), owed("F-1", 100), owed("F-1", 60, amount=100), owed("F-1", 100), owed("F-1", 80, amount=100))

    assert world.opened() == {"F-1": 80}


def test_a_receivable_moves_to_whom_the_source_names(world: Any) -> None:
    """
    Law 7: once the source says that somebody else owes it, the first debtor is asked no more.
    """
    world.put(person("D-1"), person("D-2"), owed("F-1", 100, debtor="D-1"))

    world.put(owed("F-1", 100, debtor="D-2"))

    rows = world.rows("SELECT DISTINCT d.external_id FROM installments i JOIN debtors d ON d.id = i.debtor_id")
    assert [row["external_id"] for row in rows] == ["D-2"]
    assert world.kinds()[-1] == "receivable.adjusted"


@pytest.mark.parametrize("orphan", [owed("F-2", 10, debtor="D-9"), evolve(paid("P-2", 10), debtor_id="D-9")])
def test_an_orphan_undoes_the_whole_put(world: Any, orphan: Any) -> None:
    """
    A put by hand is all or nothing: the caller learns of it and has nothing to clean up.
    """
    before = world.dump()

    with pytest.raises(InvalidValueError, match="refers to a debtor that is not there"):
        world.put(person(), owed("F-1", 100), orphan)

    assert world.dump() == before


def test_an_orphan_in_a_batch_is_rejected_alone(world: Any) -> None:
    """
    A file is not refused for one row: the row comes back, the others are in.
    """
    synced(
        world, batch(person(), owed("F-1", 100), owed("F-2", 10, debtor="D-9"), evolve(paid("P", 1), debtor_id="D-9"))
    )

    assert world.opened() == {"F-1": 100}
    assert [row["column"] for row in world.acme.rejected()] == ["debtor_id", "debtor_id"]


def test_a_stored_receivable_whose_new_debtor_is_unknown_is_rejected_and_spared(world: Any) -> None:
    """
    What the file does name is not closed as absent because its row cannot be followed.
    """
    synced(world, batch(person(), owed("F-1", 100), owed("F-2", 50)))

    synced(world, batch(owed("F-1", 100), owed("F-2", 10, debtor="D-9")))

    assert world.opened() == {"F-1": 100, "F-2": 50}
    assert len(world.acme.rejected()) == 1


def test_the_hosts_transaction_takes_the_put_with_it(world: Any) -> None:
    """
    A host that writes its own rows beside ours rolls both back, or neither.
    """
    engine = world.engine
    before = world.dump()

    with engine.connect() as connection:
        transaction = connection.begin()
        world.put(person("D-1", PHONE), owed("F-1", 100), paid("P-1", 10), connection=connection)
        transaction.rollback()

    assert world.dump() == before
    with engine.begin() as connection:
        world.put(person(), connection=connection)
    assert world.debtor_id("D-1")


# -- persons ---------------------------------------------------------------------------------------------------------


def test_a_person_named_later_is_the_same_person(world: Any) -> None:
    """
    A source that begins to name persons must not lose a withdrawal, nor the contacts that caps count.
    """
    attempt_id = world.accepted("D-1")
    world.acme.consents.withdraw("D-1", "sms", source="call")

    world.put(person("D-1", person=Person(external_id="P-1", name="Ana"), consents=[Consent(channel="sms")]))

    facts = world.acme.attempts.facts([attempt_id])[attempt_id]
    assert facts.consent == "opted_out"
    assert len(facts.history) == 1


def test_a_debtor_who_turns_out_to_be_another_person_takes_the_contacts_along(world: Any) -> None:
    """
    Two debtors who are one person have one cap and one word on consent.
    """
    world.put(person("D-2", person=Person(external_id="P-1")))
    attempt_id = world.accepted("D-1")
    world.acme.consents.withdraw("D-1", "sms", source="call")

    world.put(person("D-1", person=Person(external_id="P-1")))

    facts = world.acme.attempts.facts([attempt_id])[attempt_id]
    assert (facts.consent, len(facts.history)) == ("opted_out", 1)
    assert world.consent("D-2") == "opted_out"
    assert len(world.rows("SELECT DISTINCT person_id FROM debtors")) == 1


def test_a_source_that_does_not_name_the_person_says_nothing_of_who_it_is(world: Any) -> None:
    """
    A second source without the person's key must not split the person in two.
    """
    world.put(person("D-1", person=Person(external_id="P-1", name="Ana", tax_id="10443322")))

    world.put(person("D-1", OTHER))

    assert len(world.rows("SELECT * FROM persons")) == 1
    assert "10443322" in world.rows("SELECT data FROM personal_data")[0]["data"]


# -- contact points --------------------------------------------------------------------------------------------------


def test_a_replaced_number_is_closed_and_a_reopened_one_is_new(world: Any) -> None:
    """
    S-003: what was known of a number then is kept; a number that comes back starts unknown.
    """
    world.put(person("D-1", PHONE))
    world.put(person("D-1", OTHER))

    assert world.points() == [(PHONE, "closed"), (OTHER, "unconfirmed")]

    world.put(person("D-1", PHONE))

    assert world.points() == [(PHONE, "closed"), (OTHER, "closed"), (PHONE, "unconfirmed")]
    assert world.kinds().count("contact_point.closed") == 2


def test_no_attempt_uses_a_closed_number(world: Any) -> None:
    """
    S-003: an attempt planned for the old number finds no address any more.
    """
    world.owing("D-1")
    attempt_id = world.plan("D-1")
    world.put(person("D-1", OTHER))

    assert world.acme.attempts.facts([attempt_id])[attempt_id].address is None
    assert [
        row.value for row in world.acme.attempts.points([world.debtor_id()])[world.debtor_id()] if row.scheme == "e164"
    ] == [OTHER]


def test_a_source_that_names_no_phone_says_nothing_of_phones(world: Any) -> None:
    """
    A file with e-mail addresses alone must not silence every phone.
    """
    world.put(person("D-1", PHONE))

    world.put(person("D-1", contact_points=[ContactPoint(address=Address("email", "a@example.com"))]))
    world.put(person("D-1", region="PE-LIM"))

    assert dict(world.points())[PHONE] == "unconfirmed"


@pytest.mark.parametrize("state", ["confirmed", "wrong_party"])
def test_what_a_person_said_of_a_number_survives_a_file(world: Any, state: str) -> None:
    """
    Law 7: a file that repeats an address does not know better than who answered it.
    """
    world.put(person("D-1", PHONE))
    judge = world.acme.contact_points.confirm if state == "confirmed" else world.acme.contact_points.deny
    judge("D-1", PHONE, by="ana")

    world.put(person("D-1", PHONE, region="PE-LIM"), confirmed=state != "confirmed")

    assert world.points() == [(PHONE, state)]


def test_a_bouncing_address_survives_a_file(world: Any) -> None:
    """
    An address that bounced is not good again because the source repeats it.
    """
    address = Address("email", "a@example.com")
    world.put(person(contact_points=[ContactPoint(address=address, state="bouncing")]))

    world.put(person(contact_points=[ContactPoint(address=address, state="confirmed")]))

    assert world.points() == [("a@example.com", "bouncing")]


def test_a_wrong_number_stays_wrong_when_a_file_drops_it_and_brings_it_back(world: Any) -> None:
    """
    Law 7: an old export must not send the debt to a stranger again.
    """
    world.put(person("D-1", PHONE), confirmed=True)
    world.acme.contact_points.deny("D-1", PHONE, by="ana")

    world.put(person("D-1", OTHER), confirmed=True)
    world.put(person("D-1", PHONE), confirmed=True)

    assert (PHONE, "wrong_party") in world.points()
    assert world.acme.attempts.points([world.debtor_id()]) == {}


def test_a_source_that_calls_an_address_wrong_is_believed(world: Any) -> None:
    """
    Law 7: the stricter word wins, even over a confirmation.
    """
    world.put(person("D-1", PHONE), confirmed=True)

    world.put(
        person(contact_points=[ContactPoint(address=Address("e164", PHONE), state="wrong_party")]), confirmed=True
    )

    assert world.points() == [(PHONE, "wrong_party")]


@pytest.mark.parametrize(
    ("role", "state"), [("debtor", "confirmed"), ("unknown", "confirmed"), ("reference", "unconfirmed")]
)
def test_only_the_debtors_own_addresses_count_as_confirmed(world: Any, role: str, state: str) -> None:
    """
    A reference's phone does not become the debtor's by a setting of the ERP.
    """
    world.put(person(contact_points=[ContactPoint(address=Address("e164", PHONE), holder_role=role)]), confirmed=True)

    assert world.points() == [(PHONE, state)]


# -- consent ---------------------------------------------------------------------------------------------------------


def test_a_withdrawal_survives_an_import_without_a_date(world: Any, later: Any) -> None:
    """
    A file says "consent: yes" for ever; who wrote BAJA after it was filled in is not asked again.
    """
    world.put(person(consents=[Consent(channel="sms")]))
    world.acme.consents.withdraw("D-1", "sms", source="reply")
    later(days=3)

    world.put(person(consents=[Consent(channel="sms")], region="PE-LIM"))

    assert world.consent() == "opted_out"


@pytest.mark.parametrize(("hours", "stands"), [(-1, "opted_out"), (0, "opted_out"), (1, "yes")])
def test_only_a_later_consent_undoes_a_withdrawal(world: Any, hours: int, stands: str) -> None:
    """
    Of two dated words of one person the later one counts, and a tie is a no.
    """
    world.put(person())
    world.acme.consents.withdraw("D-1", "sms", source="reply", at=NOW)

    world.put(person(consents=[Consent(channel="sms", at=NOW + timedelta(hours=hours))]))

    assert world.consent() == stands


def test_a_second_withdrawal_renews_the_first(world: Any) -> None:
    """
    A consent from between two withdrawals does not undo the later one.
    """
    world.put(person(consents=[Consent(channel="sms", granted=False, at=NOW - timedelta(days=9))]))
    world.acme.consents.withdraw("D-1", "sms", source="reply", at=NOW)

    world.acme.consents.grant("D-1", "sms", source="contract", at=NOW - timedelta(days=5))

    assert world.consent() == "opted_out"


def test_consent_is_per_channel_and_what_is_not_listed_is_not_changed(world: Any) -> None:
    """
    A file that speaks of e-mail only takes no SMS consent away.
    """
    world.put(person(consents=[Consent(channel="sms"), Consent(channel="email")]))

    world.put(person(consents=[Consent(channel="email", granted=False)]))

    assert (world.consent(channel="sms"), world.consent(channel="email")) == ("yes", "opted_out")


# -- payments and figures --------------------------------------------------------------------------------------------


def test_one_payment_over_two_and_a_half_invoices(world: Any) -> None:
    """
    S-004: the allocations add up to the payment, the oldest first, the third in part.
    """
    world.put(person(), owed("F-3", 100, due=3), owed("F-1", 100, due=1), owed("F-2", 100, due=2))

    world.put(paid("P-1", 250))

    parts = world.rows(
        "SELECT r.external_id, a.amount_minor FROM allocations a "
        "JOIN receivables r ON r.id = a.receivable_id ORDER BY 1"
    )
    assert [tuple(part.values()) for part in parts] == [("F-1", 100), ("F-2", 100), ("F-3", 50)]
    assert world.opened() == {"F-1": 0, "F-2": 0, "F-3": 50}


def test_a_payment_goes_first_to_the_receivable_it_names(world: Any) -> None:
    """
    S-004: what the debtor meant to pay is paid, and only the rest goes to the oldest.
    """
    world.put(person(), owed("F-1", 100, due=1), owed("F-2", 100, due=2))

    world.put(paid("P-1", 130, on="F-2"))

    assert world.opened() == {"F-1": 70, "F-2": 0}


def test_a_payment_told_twice_is_posted_once(world: Any) -> None:
    """
    S-100: payment webhooks come twice as a matter of course.
    """
    world.put(person(), owed("F-1", 100))

    first, second = world.put(paid("P-1", 30)), world.put(paid("P-1", 30))

    assert (first.created, second.unchanged) == ({"payment": 1}, {"payment": 1})
    assert world.opened() == {"F-1": 70}
    assert world.kinds().count("payment.posted") == 1


def test_more_than_is_owed_stays_unallocated(world: Any) -> None:
    """
    Money beyond the debt is kept visible and makes nothing negative.
    """
    world.put(person(), owed("F-1", 100))

    world.put(paid("P-1", 140))

    assert world.opened() == {"F-1": 0}
    assert world.rows("SELECT unallocated_minor FROM payments") == [{"unallocated_minor": 40}]


def test_a_payment_leaves_other_currencies_alone(world: Any) -> None:
    """
    Law 11: soles pay no dollars.
    """
    world.put(person(), owed("F-1", 100, currency="USD"), owed("F-2", 100, due=2))

    world.put(paid("P-1", 150))

    assert world.opened() == {"F-1": 100, "F-2": 0}


def test_a_figure_in_another_currency_starts_anew(world: Any) -> None:
    """
    Law 11: the fall from 100 soles to 30 dollars is no payment of 70.
    """
    world.put(person(), owed("F-1", 100))
    world.put(paid("P-1", 50))

    world.put(owed("F-1", 30, currency="USD"))

    row = world.rows("SELECT currency, open_minor, applied_minor, unabsorbed_minor FROM installments")[0]
    assert tuple(row.values()) == ("USD", 30, 0, 0)


def test_a_credit_note_nets_the_balance(world: Any) -> None:
    """
    What the creditor owes back is deducted before anybody is asked for money.
    """
    world.put(person("D-1", PHONE), owed("F-1", 100), owed("NC-1", -30, kind="credit_note"))

    attempt_id = world.plan()

    assert world.acme.attempts.facts([attempt_id])[attempt_id].balance == Money(70, "PEN")


@pytest.mark.parametrize("amount", [-100, 100])
def test_a_credit_note_that_grows_or_is_used_up_swallows_no_payment(world: Any, amount: int, later: Any) -> None:
    """
    A payment pays invoices: lost in a credit note, the debtor would be asked again for what was paid.
    """
    note = {"kind": "credit_note", "amount": amount}
    world.put(person(), owed("NC-1", -60, **note), owed("NC-2", 0, **note), owed("F-1", 100, due=2))
    world.put(owed("NC-1", -100, **note))
    later(hours=1)

    world.put(paid("P-1", 30, at=NOW - timedelta(days=1)))

    assert world.opened() == {"NC-1": -100, "NC-2": 0, "F-1": 70}


@quick
@given(
    st.lists(
        st.tuples(st.integers(1, 28), st.integers(1, 300), st.sampled_from(["PEN", "USD"])), min_size=1, max_size=5
    ),
    st.lists(st.tuples(st.integers(1, 400), st.sampled_from(["PEN", "USD"])), max_size=5),
)
def test_payments_flow_to_the_oldest_debt_of_their_currency(
    world: Any, bills: list[tuple[int, int, str]], money: list[tuple[int, str]]
) -> None:
    """
    Against a waterfall of ten lines: nothing is lost, nothing goes below zero, no currency pays another.
    """
    creditor = world.store.tenant(world.ids.new()).creditor(world.ids.new())
    world.put(
        person(),
        *[owed(f"F-{n}", minor, due=day, currency=code) for n, (day, minor, code) in enumerate(bills)],
        *[paid(f"P-{n}", minor, currency=code, at=NOW + timedelta(hours=1)) for n, (minor, code) in enumerate(money)],
        creditor=creditor,
    )

    opened = world.opened(creditor.creditor_id)
    for code in ("PEN", "USD"):
        order = sorted((n for n, bill in enumerate(bills) if bill[2] == code), key=lambda n: bills[n][0])
        left = sum(minor for minor, paid_in in money if paid_in == code)
        by_day: dict[int, int] = {}
        found: dict[int, int] = {}
        for n in order:
            used = min(left, bills[n][1])
            left -= used
            by_day[bills[n][0]] = by_day.get(bills[n][0], 0) + bills[n][1] - used
            found[bills[n][0]] = found.get(bills[n][0], 0) + opened[f"F-{n}"]
        assert found == by_day
    assert min(opened.values()) >= 0
    spread = world.rows(
        "SELECT p.amount_minor - p.unallocated_minor - coalesce(sum(a.amount_minor), 0) AS rest FROM payments p "
        "LEFT JOIN allocations a ON a.payment_id = p.id WHERE p.creditor_id = ? GROUP BY p.id",
        creditor.creditor_id,
    )
    assert all(row["rest"] == 0 for row in spread)


class _Source:
    """
    The truth: what was billed and paid, what the source has booked, and what we were told.
    """

    def __init__(self, billed: list[int]) -> None:
        self.billed = billed
        self.figure = list(billed)
        self.payments: list[tuple[int, int, datetime]] = []
        self.told: set[int] = set()
        self.booked: set[int] = set()

    def less(self, bill: int, which: set[int]) -> int:
        return self.billed[bill] - sum(self.payments[n][1] for n in which if self.payments[n][0] == bill)

    def bill(self, bill: int) -> Receivable:
        return owed(f"F-{bill}", self.figure[bill], amount=self.billed[bill])

    def payment(self, number: int) -> Payment:
        bill, minor, at = self.payments[number]
        return paid(f"P-{number}", minor, at=at, on=f"F-{bill}")


def stories() -> st.SearchStrategy[list[tuple[str, int]]]:
    """
    Orders in which up to three payments are told, booked and shown by the source; some are told twice.
    """
    steps = [(what, number) for number in range(3) for what in ("tell", "tell", "book", "report", "report")]
    return st.permutations(steps).flatmap(lambda order: st.integers(5, len(order)).map(lambda length: order[:length]))


@settings(quick, max_examples=60)
@given(
    st.tuples(st.lists(st.integers(1, 200), min_size=1, max_size=2), stories()),
    st.lists(st.integers(1, 120), min_size=3, max_size=3),
)
def test_payments_and_the_sources_figures_are_counted_once(
    world: Any, story: tuple[list[int], list[tuple[str, int]]], amounts: list[int]
) -> None:
    """
    A payment may be told by its webhook and by the falling figure, in any order, late and again: it counts once.
    """
    billed, steps = story
    creditor = world.store.tenant(world.ids.new()).creditor(world.ids.new())
    source = _Source(billed)
    world.put(person(), *[source.bill(n) for n in range(len(billed))], creditor=creditor)
    made: dict[int, int] = {}

    def check() -> None:
        opened = world.opened(creditor.creditor_id)
        everything = set(range(len(source.payments)))
        for bill in range(len(billed)):
            truth, known = source.less(bill, everything), source.less(bill, source.told)
            # Never less than is owed, never more than the lower of both witnesses says.
            assert truth <= opened[f"F-{bill}"] <= min(source.figure[bill], known)

    for what, number in steps:
        world.clock.advance(timedelta(minutes=1))
        bill = number % len(billed)
        if what == "report":
            source.figure[bill] = source.less(bill, source.booked)
            world.put(source.bill(bill), creditor=creditor)
        else:
            owes = source.less(bill, set(range(len(source.payments))))
            if number not in made and owes > 0:
                made[number] = len(source.payments)
                source.payments.append((bill, min(amounts[number], owes), world.clock.now()))
                world.clock.advance(timedelta(minutes=1))
            if number in made and what == "book":
                source.booked.add(made[number])
            elif number in made:
                source.told.add(made[number])
                world.put(source.payment(made[number]), creditor=creditor)
        check()
    world.clock.advance(timedelta(minutes=1))
    for number in range(len(source.payments)):
        source.told.add(number)
        source.booked.add(number)
        world.put(source.payment(number), creditor=creditor)
    for bill in range(len(billed)):
        source.figure[bill] = source.less(bill, source.booked)
        world.put(source.bill(bill), creditor=creditor)
    check()


@pytest.mark.parametrize(
    ("order", "left"),
    [("pay tell", 70), ("pay book", 70), ("pay tell book", 70), ("pay book tell", 70), ("book pay tell", 40)],
)
def test_a_payment_and_the_figure_that_holds_it_are_one(world: Any, later: Any, order: str, left: int) -> None:
    """
    Told by both, in either order, thirty are deducted once; a payment made after the figure fell is another one.
    """
    world.put(person(), owed("F-1", 100))
    at = NOW
    for word in order.split():
        later(minutes=1)
        if word == "pay":
            at = world.clock.now()
        elif word == "tell":
            world.put(paid("P-1", 30, at=at))
        else:
            world.put(owed("F-1", 70, amount=100))

    assert world.opened() == {"F-1": left}


@pytest.mark.parametrize(("at", "left"), [(NOW - timedelta(days=1), 70), (NOW + timedelta(minutes=1), 40)])
def test_a_first_figure_holds_what_was_paid_before_it(world: Any, at: datetime, left: int) -> None:
    """
    An invoice that arrives half paid is not paid again by the record of that payment.
    """
    world.put(person(), owed("F-1", 70, amount=100))

    world.put(paid("P-1", 30, at=at))

    assert world.opened() == {"F-1": left}


def test_a_figure_holds_one_payment_once(world: Any) -> None:
    """
    What the source has shown explains the first of two old payments, not both.
    """
    world.put(person(), owed("F-1", 70, amount=100))

    world.put(paid("P-1", 30, at=NOW - timedelta(days=2)), paid("P-2", 30, at=NOW - timedelta(days=1)))

    assert world.opened() == {"F-1": 40}


# -- snapshots -------------------------------------------------------------------------------------------------------


def test_a_complete_snapshot_closes_what_it_does_not_name(world: Any) -> None:
    """
    What vanished from the source is asked for no more, and is not called paid.
    """
    synced(world, batch(person(), owed("F-1", 100), owed("F-2", 50)))

    synced(world, batch(owed("F-1", 100)))

    assert world.opened() == {"F-1": 100, "F-2": 0}
    (event,) = world.acme.events(kinds=["receivable.cancelled"])
    assert event.payload == {"reason": "absent_from_snapshot"}
    assert world.rows("SELECT count(*) AS n FROM allocations")[0]["n"] == 0


@pytest.mark.parametrize(
    "second",
    [
        batch(owed("F-1", 100), complete=False),
        batch(owed("F-1", 100), currency="USD"),
        ErpBatch(records=(owed("F-1", 100),), complete=True),
        batch(owed("F-1", 100), rejected=[RejectedRecord(source="a", line=3, column="x", reason="bad", key="F-2")]),
    ],
    ids=["not complete", "of another currency", "of no scope", "the row was there but unreadable"],
)
def test_what_is_not_proven_absent_stays_open(world: Any, second: ErpBatch) -> None:
    """
    Absence is believed only of a whole snapshot, within its scope, and of rows that could be read.
    """
    synced(world, batch(person(), owed("F-1", 100), owed("F-2", 50)))

    synced(world, second)

    assert world.opened() == {"F-1": 100, "F-2": 50}


def test_a_snapshot_that_was_cut_short_does_not_close_its_own_beginning(world: Any) -> None:
    """
    A crash half way through a file, resumed by its cursor, must not silence the half that was already read.
    """
    synced(world, batch(person(), owed("F-0", 10)))
    synced(world, batch(owed("F-1", 100), complete=False))

    synced(world, batch(owed("F-2", 50)))

    assert world.opened() == {"F-0": 0, "F-1": 100, "F-2": 50}


def test_a_new_snapshot_does_not_spare_what_an_increment_named(world: Any) -> None:
    """
    What changed last week and is gone today is closed today, not one snapshot later.
    """
    synced(world, batch(person(), owed("F-1", 100), owed("F-2", 50)))
    synced(world, ErpBatch(records=(owed("F-2", 40, amount=50),)))

    synced(world, batch(owed("F-1", 100)))

    assert world.opened() == {"F-1": 100, "F-2": 0}


def test_one_erps_snapshot_leaves_anothers_receivables_alone(world: Any) -> None:
    """
    Two sources of one creditor do not know each other's debts: neither may close them.
    """
    synced(world, batch(person(), owed("A-1", 100)), erp="billing")
    for _ in range(3):
        synced(world, batch(owed("B-1", 50)), erp="loans")

    synced(world, batch(owed("B-2", 10)), erp="loans")

    assert world.opened() == {"A-1": 100, "B-1": 0, "B-2": 10}


def test_a_snapshot_leaves_what_was_put_by_hand(world: Any) -> None:
    """
    What no source ever named cannot be missing from it.
    """
    world.put(person(), owed("H-1", 100))

    synced(world, batch(owed("F-1", 50)))
    synced(world, batch(owed("F-1", 50)))

    assert world.opened() == {"H-1": 100, "F-1": 50}


def test_a_closed_receivable_that_comes_back_is_open_again(world: Any) -> None:
    """
    A source that had lost it and found it is heard, and payments known meanwhile still count.
    """
    synced(world, batch(person(), owed("F-1", 100), owed("F-2", 50)))
    world.put(paid("P-1", 20, at=NOW + timedelta(hours=1), on="F-2"))
    synced(world, batch(owed("F-1", 100)))

    synced(world, batch(owed("F-1", 100), owed("F-2", 50)))

    assert world.opened() == {"F-1": 100, "F-2": 30}
    assert world.rows("SELECT DISTINCT closed_reason FROM receivables") == [{"closed_reason": None}]


def test_the_cursor_is_stored_with_its_rows(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A batch that fails leaves the cursor where it was, so that nothing is skipped.
    """
    synced(world, ErpBatch(records=(person(),), cursor="one"))
    before = world.dump()
    monkeypatch.setattr(world.acme.portfolio, "_save_state", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        synced(world, ErpBatch(records=(owed("F-1", 100),), cursor="two"))

    assert world.dump() == before
    assert world.acme.portfolio.begin_sync("main")[0] == "one"
