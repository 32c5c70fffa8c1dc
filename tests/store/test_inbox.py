"""
What vendors report: stored once, acted on once, whatever the order.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from cobranza_sdk.model import Address, Consent, ContactPoint, Debtor, EventKind, Money
from cobranza_sdk.spec import ProviderError
from cobranza_sdk.store import Settlement

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
BOUNCED = ProviderError("recipient", "never", "yes", vendor_code="550")
PHONE = "+51987000001"

ORDERS = list(permutations(["accepted", "sent", "failed", "delivered", "read"]))


def with_phone(key: str, phone: str, **more: Any) -> Debtor:
    return Debtor(
        external_id=key,
        country="PE",
        contact_points=[ContactPoint(address=Address("e164", phone), holder_role="debtor")],
        consents=[Consent(channel="sms"), Consent(channel="whatsapp")],
        **more,
    )


def phone_of(world: Any, key: str = "D-1") -> str:
    return next(value for value, _ in world.points(key) if value.startswith("+"))


def holds(world: Any) -> list[tuple[str, int]]:
    rows = world.rows("SELECT reason, until_at - placed_at AS length FROM holds ORDER BY id")
    return [(row["reason"], row["length"] // 3_600_000_000) for row in rows]


# -- storing ---------------------------------------------------------------------------------------------------------


def test_fifty_parallel_posts_of_one_event_are_one_row(world: Any) -> None:
    """
    F43: vendors post the same webhook many times at once; it has one effect.
    """
    attempt_id = world.accepted()
    event = world.event(EventKind.DELIVERED, provider_message_id="M-1")
    gate = threading.Barrier(10)

    def post(_: int) -> int:
        gate.wait()
        return sum(world.tenant.inbox.store("sms", [event], NOW) for _ in range(5))

    with ThreadPoolExecutor(10) as pool:
        stored = sum(pool.map(post, range(10)))

    (entry,) = world.tenant.inbox.pending()
    assert (stored, world.tenant.inbox.apply(entry, None).what) == (1, "applied")
    assert world.tenant.inbox.pending() == []
    assert world.attempt(attempt_id)["state"] == "delivered"
    assert world.kinds().count("attempt.delivered") == 1


def test_money_comes_back_as_it_was_stored(world: Any) -> None:
    """
    Amounts are whole minor units on both sides, in their currency.
    """
    event = world.event(
        EventKind.PAYMENT_REFUNDED, money=Money(10_000, "PEN"), refunded=Money(2_500, "PEN"), reference="R-1"
    )

    world.tenant.inbox.store("sms", [event], NOW)

    assert [entry.event for entry in world.tenant.inbox.pending()] == [event]


def test_an_old_webhook_replayed_later_is_not_stored_again(world: Any, later: Any) -> None:
    """
    F42: a valid body that is posted again days later has no second effect.
    """
    event = world.event(EventKind.READ)
    world.tenant.inbox.store("sms", [event], NOW)
    later(days=10)

    assert world.tenant.inbox.store("sms", [event, event], world.clock.now()) == 0


def test_one_key_of_two_accounts_is_two_events(world: Any) -> None:
    """
    A vendor's key is unique in its account alone.
    """
    event = world.event(key="K")

    assert world.tenant.inbox.store("sms", [event], NOW) == 1
    assert world.tenant.inbox.store("other", [event], NOW) == 1
    assert world.tenant.inbox.store("sms", [world.event(key="K", account="B")], NOW) == 1


def test_an_event_comes_out_as_it_went_in(world: Any) -> None:
    """
    Nothing the vendor said is lost between the post and the act.
    """
    event = world.says(
        "ñandú 💬", phone=PHONE, reply_to="M-1", error=BOUNCED, raw={"b": [1, None], "a": "x"}, reference="r"
    )

    stored = world.store_event(event).event

    assert (stored.error.vendor_code, stored.error.category) == ("550", "recipient")
    for name in ("kind", "key", "occurred_at", "account", "address", "text", "reply_to", "reference", "raw"):
        assert getattr(stored, name) == getattr(event, name)


def test_parked_events_do_not_hold_up_the_rest(world: Any) -> None:
    """
    Five hundred receipts of somebody else's messages must not stand before an opt-out.
    """
    world.tenant.inbox.store("sms", [world.event(provider_message_id=f"X-{n}") for n in range(20)], NOW)
    for entry in world.tenant.inbox.pending(20):
        world.tenant.inbox.apply(entry, None)

    fresh = world.says("BAJA", phone=PHONE)
    world.tenant.inbox.store("sms", [fresh], NOW)

    assert [entry.event.key for entry in world.tenant.inbox.pending(1)] == [fresh.key]
    assert len(world.tenant.inbox.pending()) == 21


def test_what_is_parked_is_looked_at_ever_more_rarely(world: Any, later: Any) -> None:
    """
    Strangers who write to a shared number cost a few looks in a day, not one with every webhook.
    """
    world.store_event(world.event(provider_message_id="X"))
    looks = 0
    for _ in range(26 * 60):
        for entry in world.tenant.inbox.pending():
            world.tenant.inbox.apply(entry, None)
            looks += 1
        later(minutes=1)

    assert 24 <= looks <= 40
    assert world.rows("SELECT outcome FROM inbox") == [{"outcome": "unmatched"}]


def test_an_entry_put_aside_is_not_acted_on(world: Any) -> None:
    """
    What belongs to no configured account is kept, and kept away.
    """
    entry = world.store_event(world.event())

    world.tenant.inbox.close(entry, "quarantined")

    assert world.tenant.inbox.pending() == []
    assert world.rows("SELECT outcome FROM inbox") == [{"outcome": "quarantined"}]


# -- receipts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["accepted", "unknown", "sending"])
def test_receipts_in_every_order_end_equal(world: Any, start: str) -> None:
    """
    S-055, F44: all 120 orders of five receipts, each told twice, leave the same attempt; so they do when the call had
    not returned, or its answer was lost.
    """
    ends = set()
    for number, order in enumerate(ORDERS if start == "accepted" else ORDERS[::4]):
        creditor = world.tenant.creditor(f"c{number}")
        claimed = world.sending("D-1", creditor=creditor)
        error = ProviderError("network", "never", "maybe") if start == "unknown" else None
        if start != "sending":
            creditor.attempts.settle(
                [
                    Settlement(
                        attempt_id=claimed.attempt_id,
                        token=claimed.token,
                        provider_message_id=None if error else f"M-{number}",
                        error=error,
                    )
                ]
            )
        told = [
            world.event(
                name,
                attempt_id=claimed.attempt_id,
                provider_message_id=f"M-{number}",
                occurred_at=NOW + timedelta(seconds=ORDERS[0].index(name)),
                error=BOUNCED if name == "failed" else None,
            )
            for name in [*order, *order]
        ]
        world.tenant.inbox.store("sms", told, NOW)
        for entry in world.tenant.inbox.pending():
            world.tenant.inbox.apply(entry, None)
        row = world.attempt(claimed.attempt_id)
        names = ("state", "delivered_at", "read_at", "failed_at", "reason", "resolution", "settled_at")
        ends.add(tuple(row[name] for name in names))

    assert len(ends) == 1
    assert next(iter(ends))[0] == "read"
    assert {row["kind"] for row in world.rows("SELECT kind FROM contact_events")} == {"charge"}


def test_a_repeated_receipt_is_no_news(world: Any) -> None:
    """
    The same state under another key writes no second event.
    """
    world.accepted()
    world.apply(world.event(EventKind.DELIVERED, provider_message_id="M-1"))
    before = world.kinds()

    assert world.apply(world.event(EventKind.DELIVERED, provider_message_id="M-1")).what == "repeated"
    assert world.apply(world.event(EventKind.SENT, provider_message_id="M-1")).what == "repeated"
    assert world.kinds() == before


def test_the_earliest_time_of_a_receipt_counts(world: Any) -> None:
    """
    Of two reports of one delivery the provider's earlier time is when it was delivered.
    """
    attempt_id = world.accepted()
    for seconds in (30, 10, 20):
        at = NOW + timedelta(seconds=seconds)
        world.apply(world.event(EventKind.DELIVERED, provider_message_id="M-1", occurred_at=at))

    assert world.attempt(attempt_id)["delivered_at"] == int((NOW + timedelta(seconds=10)).timestamp()) * 1_000_000


def test_a_late_failure_is_failed_and_stays_counted(world: Any) -> None:
    """
    A bounce after acceptance asks for another channel and gives no contact back.
    """
    attempt_id = world.accepted()

    outcome = world.apply(world.event(EventKind.FAILED, provider_message_id="M-1", error=BOUNCED))

    assert (outcome.what, outcome.failed_attempt, outcome.creditor_id) == ("applied", attempt_id, "acme")
    assert world.attempt(attempt_id)["state"] == "failed"
    assert [row["kind"] for row in world.rows("SELECT kind FROM contact_events")] == ["charge"]
    again = world.apply(world.event(EventKind.FAILED, provider_message_id="M-1", error=BOUNCED))
    assert (again.what, again.failed_attempt) == ("repeated", None)


@pytest.mark.parametrize(
    ("told", "seen", "is_direct"),
    [
        ("no_answer", "no_answer", False),
        ("voicemail", "voicemail", False),
        ("wrong_number", "wrong_number", False),
        ("expired", "failed", False),
        ("not_sent", "failed", False),  # that nothing left the house is not for a receipt to say
        ("cancelled", "failed", False),
        (None, "failed", False),
    ],
)
def test_what_a_person_found_is_what_the_rules_see(world: Any, told: str | None, seen: str, is_direct: bool) -> None:
    """
    Whoever called and reached nobody has made an attempt and no direct contact; no word takes the attempt away.
    """
    world.accepted()
    world.apply(world.event(EventKind.FAILED, provider_message_id="M-1", outcome=told))
    following = world.plan(anchor=date(2026, 8, 3))

    (past,) = world.acme.attempts.facts([following])[following].history

    assert (past.outcome, past.is_attempt, past.is_direct) == (seen, True, is_direct)


@pytest.mark.parametrize("kind", [EventKind.DELIVERED, EventKind.READ])
def test_a_word_does_not_make_a_contact_unmade(world: Any, kind: EventKind) -> None:
    """
    Only a failure is made in vain: what was delivered or read counts whatever word comes with it.
    """
    world.accepted()
    world.apply(world.event(kind, provider_message_id="M-1", outcome="no_answer"))
    following = world.plan(anchor=date(2026, 8, 3))

    (past,) = world.acme.attempts.facts([following])[following].history

    assert (past.is_attempt, past.is_direct) == (True, True)


def test_what_a_person_found_stands_in_the_ledger(world: Any) -> None:
    """
    Who answered is evidence: the ledger keeps the word, and the attempt its reason.
    """
    attempt_id = world.accepted()
    world.apply(world.event(EventKind.DELIVERED, provider_message_id="M-1", outcome="other_person"))

    (told,) = [event for event in world.tenant.events() if event.kind == "attempt.delivered"]

    assert told.payload == {"channel": "sms", "outcome": "other_person"}
    assert world.attempt(attempt_id)["state"] == "delivered"


def test_a_read_message_did_not_fail(world: Any) -> None:
    """
    A failure told after the reading starts no fallback, and one told before is overruled.
    """
    attempt_id = world.accepted()
    world.apply(world.event(EventKind.READ, provider_message_id="M-1"))

    outcome = world.apply(world.event(EventKind.FAILED, provider_message_id="M-1", error=BOUNCED))

    assert (outcome.failed_attempt, world.attempt(attempt_id)["state"]) == (None, "read")


def test_a_status_before_the_call_returned_finds_its_attempt(world: Any) -> None:
    """
    F45: by the id that the vendor echoes, while the attempt is still being sent.
    """
    claimed = world.sending()

    assert world.apply(world.event(EventKind.DELIVERED, attempt_id=claimed.attempt_id)).what == "applied"
    assert world.attempt(claimed.attempt_id)["state"] == "delivered"


def test_a_status_without_our_id_is_parked_until_the_call_returned(world: Any) -> None:
    """
    F45: a vendor that echoes nothing is matched by its own id, once we know it.
    """
    claimed = world.sending()
    entry = world.store_event(world.event(EventKind.DELIVERED, provider_message_id="M-1"))
    assert world.tenant.inbox.apply(entry, None).what == "parked"
    world.acme.attempts.settle(
        [Settlement(attempt_id=claimed.attempt_id, token=claimed.token, provider_message_id="M-1")]
    )

    assert world.tenant.inbox.apply(world.tenant.inbox.pending()[0], None).what == "applied"
    assert world.attempt(claimed.attempt_id)["state"] == "delivered"


def test_what_fits_nothing_for_a_day_is_unmatched(world: Any, later: Any) -> None:
    """
    F46: kept for 24 hours, then counted and no longer tried.
    """
    entry = world.store_event(world.event(provider_message_id="X"))
    later(hours=24)
    assert world.tenant.inbox.apply(entry, None).what == "parked"
    later(seconds=1)

    assert world.tenant.inbox.apply(entry, None).what == "unmatched"
    assert world.tenant.inbox.pending() == []
    assert world.rows("SELECT outcome FROM inbox") == [{"outcome": "unmatched"}]


def test_a_receipt_of_another_account_touches_nothing(world: Any) -> None:
    """
    Two vendors may use the same message id.
    """
    attempt_id = world.accepted(account="sms")

    assert world.apply(world.event(EventKind.READ, provider_message_id="M-1"), endpoint="other").what == "parked"
    assert world.attempt(attempt_id)["state"] == "accepted"


def test_a_receipt_resolves_what_was_unknown(world: Any) -> None:
    """
    Law 3: the vendor's report is proof that the message was taken.
    """
    claimed = world.sending()
    error = ProviderError("network", "never", "maybe")
    world.acme.attempts.settle([Settlement(attempt_id=claimed.attempt_id, token=claimed.token, error=error)])

    world.apply(world.event(EventKind.DELIVERED, attempt_id=claimed.attempt_id, provider_message_id="M-1"))

    row = world.attempt(claimed.attempt_id)
    assert (row["state"], row["resolution"], row["provider_message_id"]) == ("delivered", "accepted", "M-1")


def test_a_reply_resolves_what_was_unknown(world: Any) -> None:
    """
    Law 3: who answers a message has it, and the ledger says how we know.
    """
    claimed = world.sending()
    error = ProviderError("network", "never", "maybe")
    world.acme.attempts.settle([Settlement(attempt_id=claimed.attempt_id, token=claimed.token, error=error)])

    world.apply(world.says("ok", phone=phone_of(world)), "other")

    row = world.attempt(claimed.attempt_id)
    assert (row["state"], row["resolution"]) == ("accepted", "accepted")
    assert [event.payload for event in world.acme.events(kinds=["attempt.resolved"])] == [{"outcome": "accepted"}]


def test_receipts_and_opt_outs_stand_in_the_creditors_own_ledger(world: Any) -> None:
    """
    A creditor who reads its ledger sees what became of its messages.
    """
    world.accepted()
    world.apply(world.event(EventKind.READ, provider_message_id="M-1"))
    world.apply(world.says("BAJA", phone=phone_of(world)), "opt_out")

    assert [event.kind for event in world.acme.events()][-3:] == [
        "attempt.read",
        "message.received",
        "consent.withdrawn",
    ]


@pytest.mark.parametrize("before", [EventKind.READ, EventKind.FAILED])
def test_a_failure_that_says_opted_out_is_believed_in_any_order(world: Any, before: EventKind) -> None:
    """
    The carrier's word on consent does not depend on what else was reported first.
    """
    world.accepted()
    world.apply(world.event(before, provider_message_id="M-1"))

    error = ProviderError("opted_out", "never", "yes")
    world.apply(world.event(EventKind.FAILED, provider_message_id="M-1", error=error))

    assert world.consent() == "opted_out"


def test_what_nobody_can_read_is_noted_only(world: Any) -> None:
    """
    Law 12: a status that is unknown changes no state.
    """
    attempt_id = world.accepted()

    assert world.apply(world.event(EventKind.UNKNOWN, provider_message_id="M-1")).what == "noted"
    assert world.attempt(attempt_id)["state"] == "accepted"
    assert world.kinds()[-1] == "provider.reported"


# -- people ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "writes"),
    [
        ("+525512345678", "+5215512345678"),
        ("+5215512345678", "+525512345678"),
        ("+541112345678", "+5491112345678"),
        ("+5491112345678", "+541112345678"),
        ("+5511987654321", "+551187654321"),
        ("+551187654321", "+5511987654321"),
        ("+51987000001", "+51987000001"),
    ],
)
def test_an_opt_out_is_heard_under_any_spelling_of_the_number(world: Any, stored: str, writes: str) -> None:
    """
    Messaging vendors add or drop a digit in Mexico, Argentina and Brazil: BAJA must count all the same.
    """
    world.put(with_phone("D-1", stored), with_phone("D-2", "+51900000009"))

    assert world.apply(world.says("BAJA", phone=writes), "opt_out").what == "applied"

    assert (world.consent("D-1"), world.consent("D-2")) == ("opted_out", "yes")


def test_a_shared_phone_opts_out_everybody_who_holds_it(world: Any) -> None:
    """
    Who wrote cannot be told: no one is written to at that channel, at any creditor.
    """
    world.put(with_phone("D-1", PHONE), with_phone("D-2", PHONE))
    world.put(with_phone("E-1", PHONE), creditor=world.tenant.creditor("other"))

    world.apply(world.says("BAJA", phone=PHONE), "opt_out")

    assert [world.consent(key) for key in ("D-1", "D-2", "E-1")] == ["opted_out"] * 3


def test_an_opt_out_closes_the_channel_of_the_account_whatever_its_name(world: Any) -> None:
    """
    An account called ``lima`` carries SMS: BAJA to it closes SMS, not "lima".
    """
    world.put(with_phone("D-1", PHONE), with_phone("D-2", "+51987000002"))
    world.accepted("D-3", account="lima")

    world.apply(world.says("BAJA", phone=PHONE), "opt_out", endpoint="lima")
    world.apply(world.says("BAJA", phone="+51987000002"), "opt_out", endpoint="lima-2", channel="whatsapp")

    assert (world.consent("D-1"), world.consent("D-1", "whatsapp")) == ("opted_out", "yes")
    assert (world.consent("D-2"), world.consent("D-2", "whatsapp")) == ("yes", "opted_out")


def test_a_message_from_nobody_known_waits_for_its_debtor(world: Any) -> None:
    """
    An opt-out that comes before the import is not lost.
    """
    entry = world.store_event(world.says("BAJA", phone=PHONE))
    assert world.tenant.inbox.apply(entry, "opt_out").what == "parked"
    world.put(with_phone("D-1", PHONE))

    assert world.tenant.inbox.apply(entry, "opt_out").what == "applied"
    assert world.consent("D-1") == "opted_out"


@pytest.mark.parametrize(
    ("intent", "placed"),
    [
        ("other", [("reply", 24)]),
        ("paid", [("says_paid", 120)]),
        ("dispute", [("dispute", 120)]),
        ("opt_out", []),
        ("wrong_number", []),
        ("holder_confirmed", []),
    ],
)
def test_a_reply_pauses_what_is_automatic(world: Any, intent: str, placed: list[tuple[str, int]]) -> None:
    """
    A person answers a person: the machine waits, longer where the debt itself is in doubt.
    """
    attempt_id = world.accepted()

    world.apply(world.says("…", phone=phone_of(world)), intent)

    assert holds(world) == placed
    assert world.kinds().count("hold.placed") == len(placed)
    assert world.attempt(attempt_id)["replied_at"] is not None


def test_a_vendors_word_that_a_number_changed_hands_is_no_answer(world: Any) -> None:
    """
    Law 12: it closes the address, and proves neither that somebody answered nor that our message arrived.
    """
    attempt_id = world.sending().attempt_id
    world.clock.advance(timedelta(hours=1))
    world.acme.attempts.recover(timedelta(0))
    report = world.event(EventKind.WRONG_NUMBER, address=Address("e164", phone_of(world)))

    world.apply(report, "wrong_number")

    row = world.attempt(attempt_id)
    assert (row["state"], row["replied_at"]) == ("unknown", None)
    assert world.rows("SELECT state FROM contact_points WHERE scheme = 'e164'") == [{"state": "wrong_party"}]


def test_a_wrong_number_is_never_used_again(world: Any) -> None:
    """
    Law 7: whoever says "not me" hears nothing more of the debt.
    """
    world.accepted()

    world.apply(world.says("número equivocado", phone=phone_of(world)), "wrong_number")

    assert dict(world.points())[phone_of(world)] == "wrong_party"
    assert phone_of(world) not in {
        row.value for row in world.acme.attempts.points([world.debtor_id()])[world.debtor_id()]
    }


def test_who_confirms_after_a_message_that_told_nothing_is_told(world: Any) -> None:
    """
    The step's own message follows only once the holder has said who they are.
    """
    world.put(with_phone("D-1", PHONE), world._owed("F-1", "D-1"))
    attempt_id = world.accepted("D-1", discloses=False)
    event = world.says("sí soy", reply_to="M-1")
    assert world.tenant.inbox.was_identity(event, "sms")

    outcome = world.apply(event, "holder_confirmed")

    assert (outcome.confirmed_attempt, outcome.creditor_id) == (attempt_id, "acme")
    point = world.rows("SELECT state, holder_role FROM contact_points")[0]
    assert tuple(point.values()) == ("confirmed", "debtor")


@pytest.mark.parametrize(("scheme", "believed"), [("e164", True), ("email", False)])
def test_a_sender_that_anybody_can_write_confirms_nobody(world: Any, scheme: str, believed: bool) -> None:
    """
    Law 7: a carrier vouches for a phone number, nobody for the From of a mail. A mail has to quote the message.
    """
    world.put(with_phone("D-1", PHONE), world._owed("F-1", "D-1"))
    world.accepted("D-1", discloses=False)
    value = PHONE if scheme == "e164" else "d1@example.com"
    world.rows("UPDATE contact_points SET scheme = ?, value = ?", scheme, value)
    event = world.event(EventKind.INBOUND_MESSAGE, text="sí soy", address=Address(scheme, value))
    quoting = world.event(EventKind.INBOUND_MESSAGE, text="sí soy", address=Address(scheme, value), reply_to="M-1")

    assert world.tenant.inbox.was_identity(event, "sms") is believed
    assert world.tenant.inbox.was_identity(quoting, "sms")


def test_a_confirmation_of_a_message_that_told_all_asks_for_nothing_more(world: Any) -> None:
    """
    The debt was told already: it is not told again.
    """
    world.accepted("D-1", discloses=True)
    event = world.says("sí soy", reply_to="M-1")

    assert not world.tenant.inbox.was_identity(event, "sms")
    assert world.apply(event, "holder_confirmed").confirmed_attempt is None


def test_a_reply_by_address_belongs_to_the_latest_message(world: Any, later: Any) -> None:
    """
    Without a quotation the last message is what is being answered.
    """
    first = world.accepted("D-1", "M-1")
    later(hours=1)
    second = world.accepted("D-1", "M-2", anchor=(NOW - timedelta(days=30)).date())

    world.apply(world.says("hola", phone=phone_of(world)), "other")

    assert [world.attempt(item)["replied_at"] is None for item in (first, second)] == [True, False]


def test_acting_fails_whole(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An event that could not be acted on to its end waits as if it had never been tried.
    """
    world.accepted()
    entry = world.store_event(world.says("BAJA", phone=phone_of(world)))
    before = world.dump()
    monkeypatch.setattr(world.tenant.inbox, "mark", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        world.tenant.inbox.apply(entry, "opt_out")

    assert world.dump() == before
