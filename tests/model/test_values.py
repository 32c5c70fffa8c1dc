"""
What the values of the field refuse and promise.
"""

from __future__ import annotations

import itertools
import json
import pickle
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import pytest

from cobranza_sdk import (
    Address,
    CobranzaError,
    Consent,
    Contact,
    ContactPoint,
    Creditor,
    Debtor,
    Decision,
    Finding,
    Installment,
    InvalidValueError,
    LedgerEvent,
    Money,
    PastContact,
    Payment,
    Promise,
    Receivable,
    Verdict,
)
from cobranza_sdk.model import CHANNEL_FAMILIES, CONTACT_POINT_STATES, FAMILIES, HOLDER_ROLES

NOON = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
CANARY = "+51987654321"


@pytest.mark.parametrize(
    ("scheme", "value"),
    [
        ("e164", "51987654321"),
        ("e164", "+"),
        ("e164", "+51 987"),
        ("e164", "+٥١٩٨٧"),
        ("e164", "+1234567890123456"),
        ("e164", "+51987\n"),
        ("email", "ana"),
        ("email", "@example.com"),
        ("email", "ana@"),
        ("email", "ana perez@example.com"),
        ("email", "ana@example.com,eva@example.com"),
        ("email", "ana@example.com;eva"),
        ("email", "Ana <ana@example.com>"),
        ("email", "ana@example.com\r\nBcc: eva@example.com"),
        ("bsuid", ""),
        ("bsuid", "   "),
        ("bsuid", "a\x00b"),
        ("bsuid", "a" * 321),
        ("", "x"),
    ],
)
def test_an_impossible_address_is_refused_and_not_quoted(scheme: str, value: str) -> None:
    """
    Laws 7 and 10: nothing smuggles a second recipient, and the error shows nobody's address.
    """
    with pytest.raises(InvalidValueError) as caught:
        Address(scheme, value)

    assert len(value.strip()) < 3 or value not in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "value"),
    [("e164", "+51987654321"), ("email", "ana.perez+x@example.com"), ("bsuid", "PE.123"), ("postal", "Av. Arequipa 1")],
)
def test_a_possible_address_is_kept_as_it_was_given(scheme: str, value: str) -> None:
    """
    A plugin's own scheme is not ours to judge.
    """
    assert Address(scheme, value).value == value


@pytest.mark.parametrize("country", ["peru", "pe", "P1", "PER", "", "ПЕ"])
@pytest.mark.parametrize("kind", [Creditor, Debtor])
def test_a_country_is_two_capitals(kind: type, country: str) -> None:
    """
    Law 4: a country that no pack can be found for must not look like one.
    """
    values = {"id": "a", "name": "A"} if kind is Creditor else {"external_id": "D-1"}

    with pytest.raises(InvalidValueError, match="country"):
        kind(country=country, **values)


def test_an_error_of_a_wrong_member_names_its_type_only() -> None:
    """
    Law 10: an ERP plugin that hands over bare phones must not have them logged.
    """
    with pytest.raises(InvalidValueError) as caught:
        Debtor(external_id="D-1", country="PE", contact_points=(CANARY,))

    assert str(caught.value) == "Debtor.contact_points must hold ContactPoint values only, found str"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ContactPoint, {"address": Address("bsuid", "x"), "holder_role": "neighbour"}),
        (ContactPoint, {"address": Address("bsuid", "x"), "state": "sure"}),
        (Consent, {"channel": " "}),
        (PastContact, {"at": NOON, "channel": "sms", "direction": "sideways"}),
        (PastContact, {"at": NOON, "channel": "sms", "family": "sms"}),
        (Contact, {"at": NOON, "channel": "sms", "country": "PE", "recipient": "cousin"}),
        (Contact, {"at": NOON, "channel": "sms", "country": "PE", "consent": "maybe"}),
        (Contact, {"at": NOON, "channel": "sms", "country": "PE", "stage": "late"}),
        (Contact, {"at": NOON, "channel": "sms", "country": "PE", "family": "sms"}),
        (Contact, {"at": NOON, "channel": "sms", "country": "PE", "flags": "judicial_lookalike"}),
        (Contact, {"at": NOON, "channel": "sms", "country": "PE", "timezones": "America/Lima"}),
        (Contact, {"at": NOON, "channel": "sms", "country": "PE", "history": ("sms",)}),
    ],
)
def test_a_word_that_no_rule_knows_is_refused(kind: type, values: dict[str, Any]) -> None:
    """
    Law 4: rules would pass over a word they do not know, and the contact would be made.
    """
    with pytest.raises(InvalidValueError):
        kind(**values)


def test_the_defaults_of_a_contact_are_the_strict_ones() -> None:
    """
    Law 4: who leaves something out is judged as if it were the worst.
    """
    contact = Contact(at=NOON, channel="sms", country="PE")

    assert (contact.recipient, contact.consent, contact.collector) == ("unknown", "no", "agency")
    assert (contact.sector, contact.stage, contact.purpose) == ("financial", "administrative", "demand")
    assert (contact.holder_confirmed, contact.history, contact.timezones, contact.flags) == (False, (), (), frozenset())


def test_the_defaults_of_a_contact_point_are_the_strict_ones() -> None:
    """
    Law 7: an address of which nothing is said is nobody's.
    """
    point = ContactPoint(address=Address("e164", CANARY))

    assert (point.holder_role, point.state) == ("unknown", "unconfirmed")
    assert point.holder_role in HOLDER_ROLES
    assert point.state in CONTACT_POINT_STATES


@pytest.mark.parametrize(
    ("channel", "family"),
    [
        ("whatsapp", "message"),
        ("sms", "message"),
        ("in_app", "message"),
        ("email", "email"),
        ("call", "call"),
        ("letter", "letter"),
        ("visit", "visit"),
        ("telepathy", None),
    ],
)
def test_a_channel_belongs_to_the_family_that_law_knows(channel: str, family: str | None) -> None:
    """
    Law 4: a channel of no known family stays without one, and is denied.
    """
    assert Contact(at=NOON, channel=channel, country="PE").family == family


def test_every_known_channel_has_a_known_family() -> None:
    """
    Rules speak of families: a channel mapped to another word would escape them all.
    """
    assert set(CHANNEL_FAMILIES.values()) <= set(FAMILIES)
    assert Contact(at=NOON, channel="telepathy", country="PE", family="call").family == "call"


@pytest.mark.parametrize(
    ("outcome", "attempt", "direct"),
    [
        (None, True, True),
        ("vendor says so", True, True),
        ("read", True, True),
        ("no_answer", True, False),
        ("delivered", True, False),
        ("failed", True, False),
        ("not_sent", False, False),
    ],
)
def test_an_open_outcome_counts_as_if_the_person_was_reached(outcome: str | None, attempt: bool, direct: bool) -> None:
    """
    Law 12: doubt is not recorded as fact, so caps count what may have been.
    """
    past = PastContact(at=NOON, channel="sms", outcome=outcome)

    assert (past.is_attempt, past.is_direct) == (attempt, direct)


def test_what_the_debtor_sends_is_charged_to_no_cap() -> None:
    """
    Law 2 counts our contacts: a debtor who writes often must not silence our answer's budget.
    """
    past = PastContact(at=NOON, channel="sms", direction="inbound", outcome="answered")

    assert (past.is_attempt, past.is_direct) == (False, False)


def test_the_strictest_verdict_ranks_highest() -> None:
    """
    Law 5: deny > defer > amend > allow, whatever the order of policies.
    """
    strictest_first = (Verdict.DENY, Verdict.DEFER, Verdict.AMEND, Verdict.ALLOW)

    for order in itertools.permutations(Verdict):
        assert tuple(sorted(order, key=lambda verdict: -verdict.rank)) == strictest_first


def finding(**changes: Any) -> Finding:
    values = {
        "rule": "pe.window.messages",
        "verdict": "defer",
        "citation": "Ley 29571, art. 61",
        "pack": "pe 2026.1",
        "not_before": NOON,
        "message": {"es": "Fuera de horario.", "en": "Out of hours."},
        "effective_from": date(2024, 1, 1),
        "facts": {"local_time": "22:10"},
    }
    return Finding(**{**values, **changes})


def test_a_decision_is_json() -> None:
    """
    Law 6: ``--json`` prints it and the ledger keeps it, every instant with its offset.
    """
    decision = Decision(
        verdict=Verdict.DEFER, at=NOON, not_before=NOON, not_after=None, findings=(finding(),), basis=("pe 2026.1: a",)
    )

    told = json.loads(json.dumps(decision.to_dict()))

    assert (told["verdict"], told["at"], told["not_after"]) == ("defer", "2026-08-05T17:00:00+00:00", None)
    assert told["findings"][0]["citation"] == "Ley 29571, art. 61"
    assert told["findings"][0]["effective_from"] == "2024-01-01"


@pytest.mark.parametrize("language", ["es", "pt", "en", "qu", "es-PE"])
def test_a_decision_explains_itself_in_words(language: str) -> None:
    """
    Law 6: rule, law, pack and the next permitted time stand in every language.
    """
    text = Decision(verdict=Verdict.DEFER, at=NOON, not_before=NOON, findings=(finding(),)).explain(language)

    for part in ("pe.window.messages", "Ley 29571, art. 61", "pe 2026.1", "2026-08-05 17:00"):
        assert part in text


@pytest.mark.parametrize("blank", ["rule", "citation", "pack"])
def test_a_finding_without_its_law_is_refused(blank: str) -> None:
    """
    Law 6: a refusal that nobody can look up explains nothing.
    """
    with pytest.raises(InvalidValueError, match=blank):
        finding(**{blank: " "})


PEN = Money(100, "PEN")


def promise(**changes: Any) -> Promise:
    values = {
        "external_id": "P-1",
        "debtor_id": "D-1",
        "amount": PEN,
        "made_on": date(2026, 3, 1),
        "due_on": date(2026, 3, 5),
    }
    return Promise(**{**values, **changes})


def test_a_promise_breaks_the_day_after_its_tolerance() -> None:
    """
    A debtor who paid nothing is in good standing until the last tolerated day.
    """
    nothing = Money(0, "PEN")

    assert not promise().is_broken(paid=nothing, today=date(2026, 3, 7))
    assert promise().is_broken(paid=nothing, today=date(2026, 3, 8))
    assert promise().is_broken(paid=Money(99, "PEN"), today=date(2026, 3, 8))
    assert not promise().is_broken(paid=PEN, today=date(2027, 1, 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Money(0, "PEN")},
        {"amount": Money(-1, "PEN")},
        {"due_on": date(2026, 2, 28)},
        {"tolerance_days": -1},
        {"external_id": ""},
    ],
)
def test_an_impossible_promise_is_refused(changes: dict[str, Any]) -> None:
    """
    A promise for nothing would pause collection for nothing.
    """
    with pytest.raises(ValueError, match=r"Promise|tolerance_days"):
        promise(**changes)


def test_a_promise_is_not_kept_in_another_currency() -> None:
    """
    Law 11: whether dollars pay a promise in soles is not decided by a comparison of integers.
    """
    with pytest.raises(InvalidValueError, match="across currencies"):
        promise().is_broken(paid=Money(100, "USD"), today=date(2026, 4, 1))


def part(number: int = 1, minor: int = 100, currency: str = "PEN") -> Installment:
    money = Money(minor, currency)
    return Installment(number=number, due_on=date(2026, 3, 1), amount=money, open=money)


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([], "invoice"),
        ([part(1), part(1)], "invoice"),
        ([part(1), part(2, currency="USD")], "invoice"),
        ([part(1, -100)], "invoice"),
        ([part(1)], "gift"),
        (["F-1"], "invoice"),
    ],
)
def test_an_impossible_receivable_is_refused(parts: list[Any], kind: str) -> None:
    """
    Aging and balances are sums over installments: one that cannot be added poisons the debtor's whole balance.
    """
    with pytest.raises(ValueError, match=r"Receivable|installments"):
        Receivable(external_id="F-1", debtor_id="D-1", installments=parts, kind=kind)


def test_only_a_credit_note_may_be_negative() -> None:
    """
    It lowers what is owed; an invoice that does is a mistake of the source.
    """
    note = Receivable(external_id="N-1", debtor_id="D-1", installments=[part(1, -100)], kind="credit_note")

    assert (note.currency, note.installments[0].open.minor) == ("PEN", -100)


def test_an_installment_has_one_currency() -> None:
    """
    Law 11: an amount in soles of which dollars are open is no debt anyone can pay.
    """
    with pytest.raises(InvalidValueError, match="in USD"):
        Installment(due_on=date(2026, 3, 1), amount=PEN, open=Money(100, "USD"))


@pytest.mark.parametrize("minor", [0, -1])
def test_a_payment_is_more_than_zero(minor: int) -> None:
    """
    A reversal is an event of its own, not a negative payment.
    """
    with pytest.raises(InvalidValueError, match="more than zero"):
        Payment(external_id="1", debtor_id="D-1", amount=Money(minor, "PEN"), paid_at=NOON)


class Nowhere(tzinfo):
    """
    A zone that knows no offset: Python counts such a datetime as naive.
    """

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None


def test_a_zone_without_an_offset_is_as_naive_as_none() -> None:
    """
    Law 4: an instant that cannot be placed on the clock is refused, however it hides that.
    """
    with pytest.raises(InvalidValueError, match="naive"):
        Contact(at=datetime(2026, 8, 5, 12, 0, tzinfo=Nowhere()), channel="sms", country="PE")


@pytest.mark.parametrize("wrong", [date(2026, 8, 5), "2026-08-05T12:00:00Z", 0])
def test_what_is_no_instant_is_refused_by_name(wrong: Any) -> None:
    """
    A text or a day slips in from a host's own database; the error says where.
    """
    with pytest.raises(InvalidValueError, match=r"Contact\.at"):
        Contact(at=wrong, channel="sms", country="PE")


def test_a_ledger_event_is_json() -> None:
    """
    It leaves the house as evidence.
    """
    event = LedgerEvent(
        seq=1,
        id="a",
        tenant_id="default",
        creditor_id=None,
        kind="attempt.accepted",
        at=NOON,
        recorded_at=NOON,
        actor="engine",
        subject_refs={"attempt": "b"},
        payload={"n": 1},
    )

    assert json.loads(json.dumps(event.to_dict()))["recorded_at"] == "2026-08-05T17:00:00+00:00"


def test_errors_cross_a_process_with_their_hint() -> None:
    """
    A worker process that cannot hand its error back hangs its pool.
    """
    error = pickle.loads(pickle.dumps(CobranzaError("no", hint="do this")))  # noqa: S301  # our own bytes

    assert (str(error), error.hint) == ("no", "do this")
