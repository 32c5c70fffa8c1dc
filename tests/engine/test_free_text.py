"""
A channel that carries free text only while a conversation is open, as WhatsApp does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk import Address, Cobranza, Consent, ContactPoint, Event, EventKind
from cobranza_sdk.loading import FixedClock

TEMPLATES = """
format = 1
[[template]]
id = "administrative"
channel = "whatsapp"
locale = "es"
purpose = "reminder"
discloses = true
text = "{{ creditor }}: {{ amount }}, {{ due_on }}, {{ contact_line }}"
[[template]]
id = "first"
channel = "whatsapp"
locale = "es"
purpose = "reminder"
discloses = true
text = "{{ creditor }}: {{ amount }}, {{ due_on }}, {{ contact_line }}"
vendor = { name = "first", language = "es", parameters = ["creditor", "amount"] }
[[template]]
id = "identity"
channel = "whatsapp"
locale = "es"
purpose = "identity"
discloses = false
text = "{{ creditor }}: ¿es usted?"
"""
STRATEGY = """
name = "chat"
version = 1
[[step]]
id = "first"
days = 8
until = 8
purpose = "reminder"
channels = ["whatsapp"]
template = "first"
[[step]]
id = "second"
days = 9
until = 20
purpose = "reminder"
channels = ["whatsapp"]
template = "administrative"
"""

PHONE = Address("e164", "+51900555001")


def answer(house: Cobranza, clock: FixedClock) -> None:
    """
    The person answers the first message, and somebody lifts the pause that follows.
    """
    account, now = house.accounts.channels["chat"].provider.account, clock.now()
    said = Event(
        kind=EventKind.INBOUND_MESSAGE, key="k1", occurred_at=now, account=account, address=PHONE, text="gracias"
    )
    house.tenant.inbox.store("chat", [said], now)
    house.process_inbox()
    (hold,) = house.events(kinds=["hold.placed"])
    house.holds.lift(hold.subject_refs["hold"], by="ana")


@pytest.mark.parametrize(
    ("wrote", "state"),
    [(None, "suppressed"), ({"hours": 24}, "suppressed"), ({"hours": 23, "minutes": 59}, "accepted")],
)
def test_f30_free_text_leaves_only_within_a_day_of_what_the_person_wrote(
    make_house: Callable[..., Cobranza],
    clock: FixedClock,
    box: Any,
    debtor: Any,
    receivable: Any,
    later: Any,
    tmp_path: Path,
    wrote: dict[str, int] | None,
    state: str,
) -> None:
    """
    Half-open: after twenty-four hours to the minute only a template of the vendor's would be carried.
    """
    clock.set(clock.now() + timedelta(days=7))  # the day after is no holiday then
    (tmp_path / "chat.toml").write_text(STRATEGY, "utf-8")
    (tmp_path / "words.toml").write_text(TEMPLATES, "utf-8")
    house = make_house(
        channels={"chat": {"provider": "fake_chat"}},
        strategies={"chat": str(tmp_path / "chat.toml")},
        templates={"files": [str(tmp_path / "words.toml")]},
    )
    point = ContactPoint(address=PHONE, holder_role="debtor", state="confirmed")
    house.portfolio.put(debtor(contact_points=[point], consents=[Consent(channel="whatsapp")]), receivable())
    house.plan()
    house.dispatch()
    if wrote is not None:
        answer(house, clock)
    later(**(wrote or {"hours": 24}))
    house.plan()

    house.dispatch()

    first, second = house.attempts.list()
    assert first["state"] == "accepted"
    assert second["state"] == state, second["reason"]
    assert len(box["fake_chat"]) == 1 + (state == "accepted")
    assert state == "accepted" or "only after the person wrote" in second["reason"]
