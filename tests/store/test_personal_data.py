"""
Personal data stands in three places, so that one subject's can be found, shown and erased.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cobranza_sdk.model import Address, Consent, ContactPoint, Debtor, EventKind, Money, Payment, Person
from cobranza_sdk.spec import ErpBatch, ProviderError, RejectedRecord
from cobranza_sdk.store import Settlement

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
NAME, TAX_ID, PHONE, EMAIL = "Ana Canario Prueba", "10-44332211-9", "+51987000001", "canario@example.com"
TEXT, VENDOR = "soy Ana, ya pagué en Canarias", "rejected canario@example.com by Ana"
CANARIES = (NAME, TAX_ID, PHONE, PHONE[1:], EMAIL, TEXT, VENDOR, "anario", "44332211", "87000001", "pagué")
HOUSES = {"personal_data": {"data"}, "contact_points": {"value"}, "inbox": {"data"}}


@pytest.fixture
def lived(world: Any) -> Any:
    """
    A store in which everything that can happen to a person has happened.
    """
    ana = Debtor(
        external_id="D-1",
        person=Person(external_id="P-1", name=NAME, tax_id=TAX_ID),
        country="PE",
        contact_points=[
            ContactPoint(address=Address("e164", PHONE), holder_role="debtor"),
            ContactPoint(address=Address("email", EMAIL)),
        ],
        consents=[Consent(channel="sms")],
    )
    rejected = [RejectedRecord(source="a.csv", line=3, column="amount", reason="is no amount", key="F-9")]
    _, run = world.acme.portfolio.begin_sync("main")
    world.acme.portfolio.put_batch(
        ErpBatch(records=(ana, world._owed("F-1", "D-1")), rejected=rejected, cursor="1"),
        erp="main",
        run=run,
        confirmed=True,
    )
    world.put(Payment(external_id="P-1", debtor_id="D-1", amount=Money(100, "PEN"), paid_at=NOW))
    world.acme.contact_points.confirm("D-1", EMAIL, by="ana")
    world.accepted("D-1")
    failure = ProviderError("recipient", "never", "yes", vendor_code="550", vendor_message=VENDOR)
    world.apply(world.event(EventKind.FAILED, provider_message_id="M-1", error=failure, address=Address("e164", PHONE)))
    for intent in ("other", "paid", "wrong_number", "holder_confirmed", "opt_out"):
        world.apply(world.says(TEXT, phone=PHONE, raw={"from": PHONE, "name": NAME}), intent)
    for hold in world.rows("SELECT id FROM holds"):
        world.acme.holds.lift(hold["id"], by="ana")
    claimed = world.sending("D-1", channel="email", anchor=(NOW - timedelta(days=40)).date(), account="email")
    refused = ProviderError("recipient", "never", "no", vendor_message=VENDOR)
    world.acme.attempts.settle([Settlement(attempt_id=claimed.attempt_id, token=claimed.token, error=refused)])
    world.put(Debtor(external_id="D-1", country="PE", contact_points=[ContactPoint(address=Address("e164", "+519"))]))
    return world


def columns_with(world: Any, canary: str) -> dict[str, set[str]]:
    """
    Columns in which a text stands, by table.
    """
    found: dict[str, set[str]] = {}
    for table in world.dump():
        for row in world.rows(f"SELECT * FROM {table}"):  # noqa: S608  # our own names
            names = {name for name, value in row.items() if canary.lower() in str(value).lower()}
            if names:
                found.setdefault(table, set()).update(names)
    return found


@pytest.mark.parametrize("canary", CANARIES)
def test_personal_data_stands_in_its_three_houses_only(lived: Any, canary: str) -> None:
    """
    Law 10: what is erased there is gone, and the ledger can be kept.
    """
    found = columns_with(lived, canary)

    for table, names in found.items():
        assert names <= HOUSES.get(table, set()), f"{table}: {names}"


@pytest.mark.parametrize(
    ("canary", "house"),
    [
        (NAME, "personal_data"),
        (TAX_ID, "personal_data"),
        (PHONE, "contact_points"),
        (EMAIL, "contact_points"),
        (TEXT, "inbox"),
    ],
)
def test_the_canaries_did_fly(lived: Any, canary: str, house: str) -> None:
    """
    The search above finds what is there: without this it would pass on an empty store.
    """
    assert columns_with(lived, canary)[house]


def test_no_event_of_the_ledger_tells_who(lived: Any) -> None:
    """
    Law 10: a ledger that is exported names ids alone.
    """
    told = "".join(str(event.to_dict()) for event in lived.tenant.events())

    assert len(told) > 2000
    assert not [canary for canary in CANARIES if canary in told]


def test_nothing_the_handles_return_prints_a_person(lived: Any) -> None:
    """
    Law 10: what lands in a log by its repr shows ids.
    """
    (attempt_id, *_) = [row["attempt_id"] for row in lived.acme.attempts.listing()]
    facts = lived.acme.attempts.facts([attempt_id])[attempt_id]
    entry = lived.store_event(lived.says(TEXT, phone=PHONE))

    told = f"{facts!r} {entry!r} {lived.acme.attempts.listing()!r} {lived.acme.rejected()!r} {lived.store!r}"

    assert facts.name == NAME
    assert not [canary for canary in CANARIES if canary in told]
