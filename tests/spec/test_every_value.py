"""
Sweeps over every attrs class of the model and the contract: instants, days, and what may be printed.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import attrs
import pytest

from cobranza_sdk import InvalidValueError, Money, ProviderError, SandboxMessage, Verdict, model, spec
from cobranza_sdk.loading import FixedClock
from cobranza_sdk.model import (
    Address,
    Consent,
    Contact,
    ContactPoint,
    Creditor,
    Debtor,
    Decision,
    Finding,
    Installment,
    LedgerEvent,
    PastContact,
    Payment,
    Person,
    Promise,
    Receivable,
)
from cobranza_sdk.spec import (
    Absent,
    Accepted,
    Action,
    Attachment,
    AttemptRef,
    ChannelCapabilities,
    ErpBatch,
    ErpCapabilities,
    Event,
    Found,
    Health,
    InboundMessage,
    Interpretation,
    MessageTemplate,
    OutboundMessage,
    PaymentCapabilities,
    PaymentLink,
    RejectedRecord,
    SandboxLink,
    Services,
    Undetermined,
    WebhookRequest,
)

NOON = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
DAY = date(2026, 8, 5)
PEN = Money(100, "PEN")
TO = Address("e164", "+51987654321")
PART = Installment(due_on=DAY, amount=PEN, open=PEN)

#: One valid set of arguments per class.
VALID: dict[type, dict[str, Any]] = {
    Address: {"scheme": "bsuid", "value": "a"},
    Consent: {"channel": "sms", "at": NOON},
    Contact: {"at": NOON, "channel": "sms", "country": "PE"},
    ContactPoint: {"address": TO},
    Creditor: {"id": "a", "name": "A", "country": "PE"},
    Debtor: {"external_id": "a", "country": "PE"},
    Decision: {"verdict": Verdict.ALLOW, "at": NOON, "not_before": NOON, "not_after": NOON},
    Finding: {"rule": "a", "verdict": "deny", "citation": "a", "pack": "a"},
    Installment: {"due_on": DAY, "amount": PEN, "open": PEN},
    LedgerEvent: {
        "seq": 1,
        "id": "a",
        "tenant_id": "a",
        "creditor_id": None,
        "kind": "a",
        "at": NOON,
        "recorded_at": NOON,
        "actor": "a",
        "subject_refs": {},
    },
    Money: {"minor": 1, "currency": "PEN"},
    PastContact: {"at": NOON, "channel": "sms"},
    Payment: {"external_id": "a", "debtor_id": "a", "amount": PEN, "paid_at": NOON},
    Person: {},
    Promise: {"external_id": "a", "debtor_id": "a", "amount": PEN, "made_on": DAY, "due_on": DAY},
    Receivable: {"external_id": "a", "debtor_id": "a", "installments": (PART,)},
    Absent: {"checked_until": NOON},
    Accepted: {"provider_message_id": "a"},
    Action: {"id": "a", "title": "a"},
    Attachment: {"filename": "a", "content_type": "a", "content": b"a"},
    AttemptRef: {"attempt_id": "a", "to": TO, "sent_at": NOON},
    ChannelCapabilities: {"channel": "sms", "family": "message", "schemes": ("e164",)},
    ErpBatch: {"records": ()},
    ErpCapabilities: {},
    Event: {"kind": "sent", "key": "a", "occurred_at": NOON, "account": "a"},
    Found: {"provider_message_id": "a"},
    Health: {"ok": True},
    InboundMessage: {"channel": "sms", "text": "a", "received_at": NOON},
    Interpretation: {"intent": "other"},
    MessageTemplate: {"name": "a", "language": "es"},
    OutboundMessage: {"attempt_id": "a", "channel": "sms", "to": TO},
    PaymentCapabilities: {"currencies": ("PEN",)},
    PaymentLink: {"id": "a", "url": "a", "reference": "a", "amount": PEN},
    RejectedRecord: {"source": "a", "line": 1, "column": None, "reason": "a"},
    SandboxLink: {"id": "a", "url": "a", "amount": PEN, "reference": "a", "description": "a"},
    SandboxMessage: {"provider_message_id": "a", "to": TO, "text": "a", "at": NOON},
    Services: {"http": object(), "clock": FixedClock(NOON), "ids": object(), "logger": object(), "egress": object()},
    Undetermined: {},
    WebhookRequest: {"method": "POST", "url": "https://a/", "headers": {}, "body": b"", "received_at": NOON},
}

#: Fields of free content, by class, that hold ids, words of ours or a vendor's code, and so may be printed.
SHOWN: dict[type, set[str]] = {
    Address: {"scheme"},
    Consent: {"channel", "source"},
    Contact: {"channel", "country", "region", "purpose", "timezones", "creditor_id", "debtor_id", "receivable_ids"}
    | {"flags"},
    Creditor: {"id", "name", "legal_name", "tax_id", "contact_line"},
    Debtor: {"external_id", "region", "timezone", "language"},
    Decision: {"obligations", "basis", "drafts", "accepted_risks"},
    Finding: {"rule", "citation", "pack", "obligations", "message", "reading", "confidence", "source", "facts"},
    LedgerEvent: {"id", "tenant_id", "creditor_id", "kind", "actor", "subject_refs", "causation_id", "correlation_id"}
    | {"payload"},
    PastContact: {"channel", "outcome", "creditor_id", "receivable_ids", "recipient"},
    Payment: {"external_id", "debtor_id", "receivable_id", "method"},
    Person: {"external_id"},
    Promise: {"external_id", "debtor_id"},
    Receivable: {"external_id", "debtor_id", "document"},
    Accepted: {"provider_message_id", "status"},
    Action: {"id", "title"},
    Attachment: {"content_type"},
    AttemptRef: {"attempt_id", "provider_message_id"},
    ChannelCapabilities: {"channel", "schemes", "receipts", "template_parts"},
    ErpBatch: {"cursor", "scope"},
    Event: {"key", "account", "provider_message_id", "attempt_id", "reply_to", "reference"},
    Found: {"provider_message_id"},
    Health: {"detail"},
    InboundMessage: {"channel", "locale"},
    Interpretation: {"intent"},
    MessageTemplate: {"name", "language"},
    OutboundMessage: {"attempt_id", "channel", "sender", "locale", "purpose", "correlation", "idempotency_key"}
    | {"callback_url"},
    PaymentCapabilities: {"currencies"},
    PaymentLink: {"id", "reference"},
    RejectedRecord: {"source", "column", "reason", "key"},
    SandboxLink: {"id", "reference"},
    SandboxMessage: {"provider_message_id", "template", "attempt_id"},
    Services: {"webhook_url"},
    Undetermined: {"reason"},
    WebhookRequest: {"method", "url", "headers"},  # of the address host and path, of the headers their names
}
CANARY = "canary-of-a-person"


def classes() -> list[type]:
    public = [getattr(room, name) for room in (model, spec) for name in room.__all__]
    kinds = {kind for kind in public if isinstance(kind, type) and attrs.has(kind)}
    return sorted(kinds, key=lambda kind: kind.__name__)


def annotation(kind: type, name: str) -> str:
    """
    A field's type as it is written; what reads the classes for storing replaces attrs' own copy of it.
    """
    return str(kind.__annotations__[name])


def fields_of(word: str, *, without: str = "\0") -> Iterator[Any]:
    for kind in classes():
        for field in attrs.fields(kind):
            if word in annotation(kind, field.name) and without not in annotation(kind, field.name):
                yield pytest.param(kind, field.name, id=f"{kind.__name__}.{field.name}")


def contents_of(owner: type, field: Any) -> list[Any]:
    """
    What a field of free content takes, each with the canary in it; nothing for other fields.
    """
    kind = annotation(owner, field.name).removesuffix(" | None")
    shapes = {
        "str": [CANARY],
        "bytes": [CANARY.encode()],
        "tuple[str, ...]": [(CANARY,)],
        "frozenset[str]": [frozenset({CANARY})],
        "Mapping[str, str]": [{"k": CANARY}, {CANARY: "v"}],
        "Mapping[int, str]": [{0: CANARY}],
        "Mapping[str, object]": [{"k": CANARY}],
        "Mapping[str, Any]": [{"k": CANARY}],
    }
    return shapes.get(kind, [])


def test_every_value_is_swept() -> None:
    """
    A class that is added must be added to the table above, or the sweeps below would pass over it.
    """
    assert set(VALID) == set(classes())
    for kind, values in VALID.items():
        kind(**values)


@pytest.mark.parametrize(("kind", "name"), list(fields_of("datetime")))
def test_a_naive_datetime_raises_everywhere(kind: type, name: str) -> None:
    """
    Law 4: without an offset nobody knows whether it is night where the debtor sleeps.
    """
    with pytest.raises(InvalidValueError, match=rf"{kind.__name__}\.{name}.*naive"):
        kind(**{**VALID[kind], name: NOON.replace(tzinfo=None)})


def test_the_sweep_of_instants_finds_them() -> None:
    """
    An empty sweep would pass as well.
    """
    assert len(list(fields_of("datetime"))) >= 18
    assert len(list(fields_of("date", without="datetime"))) >= 6


@pytest.mark.parametrize(("kind", "name"), list(fields_of("date", without="datetime")))
def test_a_day_is_no_instant(kind: type, name: str) -> None:
    """
    A datetime passes as a date until the first comparison, which then fails in the middle of a plan.
    """
    with pytest.raises(InvalidValueError, match=rf"{kind.__name__}\.{name} must be a date"):
        kind(**{**VALID[kind], name: NOON})


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_what_is_printed_is_declared(kind: type) -> None:
    """
    Law 10: a field of free content is hidden unless the table above says what it holds.
    """
    shown = set()
    for field in attrs.fields(kind):
        for content in contents_of(kind, field):
            try:
                value = kind(**{**VALID[kind], field.name: content})
            except ValueError:  # a closed list of words: nothing of a person fits in
                continue
            texts = (repr(value), str(value), f"{value}", f"{[value]!r}")
            shown |= {field.name for text in texts if CANARY in text}

    assert shown == SHOWN.get(kind, set())


def test_no_person_is_printed_from_inside_another_value() -> None:
    """
    Law 10: a log line holds the outer value, and the address sits three deep.
    """
    address = Address("email", f"{CANARY}@example.com")
    person = Person(name=CANARY, tax_id=CANARY)
    debtor = Debtor(external_id="D-1", country="PE", person=person, contact_points=(ContactPoint(address=address),))
    error = ProviderError("recipient", "never", "no", vendor_message=CANARY)
    message = OutboundMessage(
        attempt_id="a",
        channel="sms",
        to=address,
        subject=CANARY,
        text=CANARY,
        html=CANARY,
        template=MessageTemplate(
            name="t",
            language="es",
            named={"name": CANARY},
            buttons={0: CANARY},
            header=Attachment(filename=CANARY, content_type="application/pdf", url=f"https://a.example.com/{CANARY}"),
            replies={1: CANARY},
            codes={2: CANARY},
        ),
        attachments=(
            Attachment(filename=f"{CANARY}.pdf", content_type="application/pdf", content=CANARY.encode()),
            Attachment(filename="a.pdf", content_type="application/pdf", reference=CANARY),
        ),
        actions=(Action(id="pay", title="Pagar", url=f"https://pay.example.com/{CANARY}"),),
    )
    event = Event(
        kind="failed",
        key="k",
        occurred_at=NOON,
        account="a",
        address=address,
        text=CANARY,
        error=error,
        raw={"a": CANARY},
    )
    batch = ErpBatch(records=(debtor,))
    taken = SandboxMessage(provider_message_id="m", to=address, text=CANARY, at=NOON)
    asked = AttemptRef(attempt_id="a", to=address, sent_at=NOON, text=CANARY)

    for value in (address, person, debtor, message, event, batch, taken, asked, error):
        assert CANARY not in repr(value), type(value).__name__
        assert CANARY not in f"{value!s:>10}"


@pytest.mark.parametrize(
    "url",
    [
        f"https://hooks.example.com/webhooks/wa?hub.mode=subscribe&hub.verify_token={CANARY}",
        f"https://user:{CANARY}@hooks.example.com/webhooks/wa",
        f"https://[{CANARY}/webhooks",
    ],
)
def test_a_webhook_does_not_print_what_was_called_with(url: str) -> None:
    """
    Law 10: a handshake carries its token in the query, and some vendors sign in within the address.
    """
    request = WebhookRequest(
        method="GET", url=url, headers={"X-Hub-Signature-256": CANARY}, body=CANARY.encode(), received_at=NOON
    )

    assert CANARY not in repr(request)
    assert request.url == url


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_a_value_never_changes(kind: type) -> None:
    """
    A plugin is handed the core's own values: one that could write to them would reach beyond itself (law 8).
    """
    value = kind(**VALID[kind])

    for field in attrs.fields(kind):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, field.name, None)


def test_an_error_about_an_address_does_not_quote_it_in_its_traceback() -> None:
    """
    Law 10: what is logged is the whole chain, not the last line.
    """
    with pytest.raises(InvalidValueError) as caught:
        Address("e164", CANARY)

    assert CANARY not in "".join(traceback.format_exception_only(caught.value))
