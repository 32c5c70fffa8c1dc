"""
Nobody sees or touches another's rows, through any method of any handle.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve

from cobranza_sdk.model import Address, AttemptState, ContactPoint, Debtor, EventKind, Money, Payment, Person
from cobranza_sdk.spec import ErpBatch, Event, RejectedRecord
from cobranza_sdk.store import Settlement, Unsent
from cobranza_sdk.store._ledger import Recorder

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
PHONE = "+51987000001"
LEASE = timedelta(minutes=5)


def granted(creditor: Any) -> str:
    """
    An override for a debtor of the victim.
    """
    return str(
        creditor.overrides.grant(
            "D-1",
            "hours_agreed",
            channel="sms",
            by="ana",
            role="supervisor",
            reason="recording 17",
            until=NOW + timedelta(days=1),
            rules=["xx.window"],
        )
    )


class Two:
    """
    A victim with one of everything, and an intruder who knows every id of it.
    """

    def __init__(self, world: Any, tenant: str, creditor: str) -> None:
        self.world = world
        self.attempt = world.accepted("D-1")
        self.waiting = world.plan("D-1", anchor=date(2026, 7, 1))
        world.accepted("D-2", "M-9", channel="email")
        world.acme.consents.withdraw("D-2", "email", source="call")
        self.hold = world.acme.holds.place("D-2", "dispute", by="ana")
        self.override = granted(world.acme)
        world.tenant.risks.record({"some.risk": ["some 1"]})
        self.entry = world.store_event(world.event(EventKind.READ, provider_message_id="M-1"))
        rejected = [RejectedRecord(source="a.csv", line=3, column="x", reason="bad", key="F-D-1")]
        _, run = world.acme.portfolio.begin_sync("main")
        batch = ErpBatch(records=(), rejected=rejected, cursor="secret", scope=("currency:PEN",))
        world.acme.portfolio.put_batch(batch, erp="main", run=run, confirmed=False)
        self.debtor = world.debtor_id("D-1")
        self.point = world.rows("SELECT id FROM contact_points")[0]["id"]
        self.phone = world.points("D-1")[0][0]
        self.tenant = world.store.tenant(tenant)
        self.creditor = self.tenant.creditor(creditor)

    def within(self, work: Callable[[Any], Any]) -> Any:
        with self.world.engine.begin() as connection:
            return work(connection)

    def paid(self, reference: str) -> Event:
        return Event(
            kind=EventKind.PAYMENT_APPROVED,
            key="k",
            occurred_at=NOW,
            account="a",
            provider_message_id="7",
            money=Money(1, "PEN"),
            reference=reference,
        )

    def settlement(self) -> Settlement:
        return Settlement(attempt_id=self.attempt, token=2, provider_message_id="stolen")

    def unsent(self) -> Unsent:
        return Unsent(attempt_id=self.waiting, token=0, state=AttemptState.CANCELLED, reason="mine now")

    def prepared(self) -> Any:
        return self.world.prepared({self.waiting: 0})


Try = Callable[[Two], Any]

#: What an intruder at another creditor tries, by handle and method. An error is as good as nothing found.
CREDITOR: dict[str, Try] = {
    "events": lambda two: list(two.creditor.events()),
    "rejected": lambda two: two.creditor.rejected(),
    "portfolio.put": lambda two: two.creditor.portfolio.put([two.world._owed("F-D-1", "D-1")], actor="x"),
    "portfolio.begin_sync": lambda two: two.creditor.portfolio.begin_sync("main")[0],
    "portfolio.put_batch": lambda two: (
        two.creditor.portfolio.put_batch(
            ErpBatch(records=(), rejected=(), cursor="mine", scope=("currency:PEN",), complete=True),
            erp="main",
            run=99,
            confirmed=True,
        )
        and None
    ),
    "portfolio.room": lambda two: two.within(
        lambda connection: two.creditor.portfolio.room(connection, two.debtor, "PEN", NOW)
    ),
    "portfolio.post": lambda two: two.within(
        lambda connection: two.creditor.portfolio.post(
            connection,
            Payment(external_id="mine", debtor_id="D-1", amount=Money(1, "PEN"), paid_at=NOW),
            SimpleNamespace(id=two.debtor),
            Recorder(two.creditor._scope, "x"),
            creditor_id=two.creditor.creditor_id,
        )
    ),
    "attempts.positions": lambda two: two.creditor.attempts.positions("test", lambda _: date(2026, 8, 5)),
    "attempts.add": lambda two: two.creditor.attempts.add(
        [(two.world.due("D-1", anchor=date(2026, 6, 1)), date(2026, 8, 5))],
        strategy="test",
        version=1,
        reach=lambda *_: [],
    ),
    "attempts.points": lambda two: two.creditor.attempts.points([two.debtor]),
    "attempts.recover": lambda two: two.creditor.attempts.recover(timedelta(days=-1)),
    "attempts.lease": lambda two: two.creditor.attempts.lease(100, LEASE),
    "attempts.due": lambda two: two.creditor.attempts.due(100),
    "attempts.facts_of_made": lambda two: two.creditor.attempts.facts_of_made(two.attempt),
    "attempts.facts": lambda two: two.creditor.attempts.facts([two.attempt, two.waiting]),
    "attempts.claim": lambda two: two.world.claim(two.prepared(), creditor=two.creditor),
    "attempts.decline": lambda two: two.creditor.attempts.decline([two.unsent()]),
    "attempts.settle": lambda two: two.creditor.attempts.settle([two.settlement()]),
    "attempts.follow": lambda two: two.creditor.attempts.follow(two.attempt, "email", None),
    "attempts.listing": lambda two: two.creditor.attempts.listing(debtor=two.debtor),
    "consents.grant": lambda two: two.creditor.consents.grant("D-2", "email", source="x", at=NOW + timedelta(days=1)),
    "consents.withdraw": lambda two: two.creditor.consents.withdraw("D-1", "sms", source="x"),
    "contact_points.confirm": lambda two: two.creditor.contact_points.confirm("D-1", two.phone, by="x"),
    "contact_points.deny": lambda two: two.creditor.contact_points.deny("D-1", two.phone, by="x"),
    "holds.place": lambda two: two.creditor.holds.place("D-1", "x", by="x"),
    "holds.lift": lambda two: two.creditor.holds.lift(two.hold, by="x"),
    "overrides.grant": lambda two: granted(two.creditor),
    "overrides.withdraw": lambda two: two.creditor.overrides.withdraw(two.override, by="x"),
    "overrides.listing": lambda two: two.creditor.overrides.listing(),
    "resolutions.resolve": lambda two: two.creditor.resolutions.resolve(two.attempt, "absent", by="x", reason="x"),
    "figures.by_state": lambda two: two.creditor.figures.by_state(),
    "figures.replied": lambda two: two.creditor.figures.replied(),
    "figures.verdicts": lambda two: two.creditor.figures.verdicts(),
    "figures.aging": lambda two: two.creditor.figures.aging(date(2026, 8, 5)),
    "figures.rejected": lambda two: two.creditor.figures.rejected(),
    "figures.decisions_of": lambda two: two.creditor.figures.decisions_of(two.attempt),
    "results.pending": lambda two: two.creditor.results.pending("csv")[0],
    "results.keep": lambda two: two.creditor.results.keep("csv", 10**6),
    "past.places": lambda two: two.creditor.past.places(),
    "past.decisions": lambda two: list(two.creditor.past.decisions()),
}

#: The same at another tenant.
TENANT: dict[str, Try] = {
    "creditor": lambda two: list(two.tenant.creditor("acme").events()),
    "events": lambda two: list(two.tenant.events()),
    "inbox.store": lambda two: two.tenant.inbox.store("sms", [two.entry.event], NOW) - 1,
    "inbox.pending": lambda two: two.tenant.inbox.pending(),
    "inbox.close": lambda two: two.tenant.inbox.close(two.entry, "mine"),
    "inbox.was_identity": lambda two: two.tenant.inbox.was_identity(
        two.world.says("x", reply_to="M-1", phone=two.phone), "sms"
    ),
    "inbox.postpone": lambda two: two.tenant.inbox.postpone(two.entry) == "x",
    "inbox.concerned": lambda two: two.tenant.inbox.concerned(two.entry),
    "inbox.apply": lambda two: (
        {two.tenant.inbox.apply(two.entry, intent).what for intent in (None, "opt_out")} - {"parked"}
    ),
    "inbox.mark": lambda two: two.within(lambda connection: two.tenant.inbox.mark(connection, two.entry, "mine")),
    "inbox.wait": lambda two: two.within(lambda connection: two.tenant.inbox.wait(connection, two.entry, "mine")),
    "payments.apply": lambda two: (
        {
            two.tenant.payments.apply(two.entry, two.paid(reference), source="x", serves=lambda _: True)
            for reference in (two.world.attempt(two.attempt)["outreach_id"], "F-D-1")
        }
        - {"refused"}
    ),
    "payments.postpone": lambda two: two.tenant.payments.postpone(two.entry, "x") == "x",
    "switch.stop": lambda two: two.tenant.switch.stop("x", by="x"),
    "switch.resume": lambda two: two.tenant.switch.resume(by="x"),
    "switch.reason": lambda two: two.tenant.switch.reason(),
    "risks.accepted": lambda two: two.tenant.risks.accepted(),
    "risks.record": lambda two: two.tenant.risks.record({"other.risk": []}),
}


def public(handle: Any) -> set[str]:
    """
    Names of all methods of a handle and of the handles it carries.
    """
    found = set()
    for name, value in inspect.getmembers(handle):
        if name.startswith("_") or isinstance(value, str):
            continue
        if inspect.ismethod(value):
            found.add(name)
        else:
            found |= {f"{name}.{method}" for method in public(value)}
    return found


def test_every_public_method_is_tried(world: Any) -> None:
    """
    A new method is not free of the proof below because nobody thought of it.
    """
    assert public(world.acme) == set(CREDITOR)
    assert public(world.tenant) == set(TENANT)


def rows_of(world: Any) -> dict[str, list[Any]]:
    """
    All rows of the victim.
    """
    found: dict[str, list[Any]] = {}
    for name in world.dump():
        if name == "cobranza_version":
            continue
        columns = {row["name"] for row in world.rows(f"PRAGMA table_info({name})")}
        own = "tenant_id = 't1'" + (" AND creditor_id = 'acme'" if "creditor_id" in columns else "")
        found[name] = world.rows(f"SELECT * FROM {name} WHERE {own}")  # noqa: S608  # our own names
    return found


@pytest.mark.parametrize("where", [("t2", "acme"), ("t1", "other")], ids=["another tenant", "another creditor"])
@pytest.mark.parametrize("method", sorted(CREDITOR))
def test_a_creditors_handle_reaches_no_other(world: Any, method: str, where: tuple[str, str]) -> None:
    """
    With every id of another's rows in hand, nothing is read and nothing is changed.
    """
    two = Two(world, *where)
    before = rows_of(world)

    try:
        found = CREDITOR[method](two)
    except (KeyError, LookupError, ValueError):
        found = None

    assert not found
    assert rows_of(world) == before


@pytest.mark.parametrize("method", sorted(TENANT))
def test_a_tenants_handle_reaches_no_other(world: Any, method: str) -> None:
    """
    The inbox and the switch are a tenant's own.
    """
    two = Two(world, "t2", "acme")
    before = rows_of(world)

    found = TENANT[method](two)

    assert not found
    assert rows_of(world) == before
    assert world.tenant.switch.reason() is None


def test_a_person_of_one_tenant_shares_contacts_across_creditors_and_no_further(world: Any) -> None:
    """
    F89: a cap per person counts what other creditors of the tenant sent; another tenant's are never known.
    """
    person = Debtor(
        external_id="D-1",
        country="PE",
        person=Person(external_id="P-1"),
        contact_points=[ContactPoint(address=Address("e164", PHONE))],
    )
    handles = [world.acme, world.tenant.creditor("other"), world.store.tenant("t2").creditor("acme")]
    for handle in handles:
        handle.portfolio.put([person, world._owed("F-1", "D-1")], actor="test")
    world.accepted("D-1")

    seen = []
    for handle in handles[1:]:
        (row,) = world.rows(
            "SELECT id, tenant_id FROM debtors WHERE tenant_id = ? AND creditor_id = ?",
            handle._scope.tenant_id,
            handle.creditor_id,
        )
        handle.attempts.add(
            [(evolve(world.due("D-1"), debtor_id=row["id"]), date(2026, 8, 5))],
            strategy="test",
            version=1,
            reach=lambda *_: [("sms", None)],
        )
        (attempt_id,) = handle.attempts.due(9)
        history = handle.attempts.facts([attempt_id])[attempt_id].history
        seen.append([past.creditor_id for past in history])

    assert seen == [["acme"], []]


def test_a_person_being_sent_to_is_busy_for_every_creditor_of_the_tenant(world: Any) -> None:
    """
    G5 and F89: two creditors of one tenant do not write to one person at the same moment.
    """
    person = Person(external_id="P-1")
    other = world.tenant.creditor("other")
    world.owing("D-1", person=person)
    world.owing("D-1", person=person, creditor=other)
    world.sending("D-1")
    world.plan("D-1", creditor=other)

    assert world.lease(creditor=other) == {}


def test_a_stop_halts_one_tenant(world: Any) -> None:
    """
    Law 13: the switch of one tenant is not the switch of all.
    """
    world.tenant.switch.stop("wrong list", by="ana")

    assert world.tenant.switch.reason() == "wrong list"
    assert world.store.tenant("t2").switch.reason() is None
    world.tenant.switch.resume(by="ana")
    assert world.tenant.switch.reason() is None
