"""
What goes to a channel and what comes back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen
from attrs.validators import optional

from cobranza_sdk.model import Address, EventKind, InvalidValueError, Money
from cobranza_sdk.model._checks import aware, not_blank, opaque_id, texts
from cobranza_sdk.spec._errors import ProviderError

_WORD = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)


@frozen(kw_only=True)
class Attachment:
    """
    A file that travels with a message: its bytes, or where the vendor finds it.

    Attributes:
        filename: Name the debtor sees; no path. May name a person: never printed.
        content_type: MIME type.
        content: The bytes; none where *url* or *reference* is given.
        url: Address from which the vendor fetches it, or None. Whoever has it reads the file: never printed.
        reference: The vendor's id of a file that was uploaded before, or None. Never printed.

    Raises:
        InvalidValueError: It is given in more than one of these ways.
    """

    filename: str = field(validator=not_blank, repr=False)
    content_type: str = field(validator=not_blank)
    content: bytes = field(default=b"", repr=False)
    url: str | None = field(default=None, validator=optional(not_blank), repr=False)
    reference: str | None = field(default=None, validator=optional(not_blank), repr=False)

    def __attrs_post_init__(self) -> None:
        if sum((bool(self.content), self.url is not None, self.reference is not None)) > 1:
            msg = "Attachment takes one of content, url and reference"
            raise InvalidValueError(msg)

    @property
    def is_elsewhere(self) -> bool:
        """
        Whether the bytes are not here.
        """
        return self.url is not None or self.reference is not None


@frozen(kw_only=True)
class MessageTemplate:
    """
    A template that the vendor holds and has approved.

    Attributes:
        name: The vendor's name of it.
        language: The vendor's language code, for example ``es_PE``.
        parameters: Values of the body's variables, in order. Personal data: never printed.
        buttons: Values of the addresses' variables, by the button's position from 0 among all buttons.
        header: Value of the header's variable, or the file that the header shows; None when it takes neither.
        named: Values of the body's variables by name, for a template whose variables have names.
        replies: What a tap on a quick reply sends back, by the button's position.
        codes: What a button lets the person copy, by the button's position.

    Raises:
        InvalidValueError: Values are given both in order and by name, two buttons have one position, or a part is
            not of its type.
    """

    name: str = field(validator=not_blank)
    language: str = field(validator=not_blank)
    parameters: tuple[str, ...] = field(default=(), converter=texts, repr=False)
    buttons: Mapping[int, str] = field(factory=dict, repr=False)
    header: Attachment | str | None = field(default=None, repr=False)
    named: Mapping[str, str] = field(factory=dict, repr=False)
    replies: Mapping[int, str] = field(factory=dict, repr=False)
    codes: Mapping[int, str] = field(factory=dict, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.parameters and self.named:
            msg = "MessageTemplate takes parameters in order or by name, not both"
            raise InvalidValueError(msg)
        header: object = self.header
        if header is not None and not isinstance(header, (Attachment, str)):
            msg = f"MessageTemplate.header must be text, an Attachment or None, found {type(header).__name__}"
            raise InvalidValueError(msg)
        names: tuple[object, ...] = (*self.named, *self.named.values())
        if not all(isinstance(part, str) for part in names):
            msg = "MessageTemplate.named must map texts to texts"
            raise InvalidValueError(msg)
        if len({*self.buttons, *self.replies, *self.codes}) < sum(map(len, (self.buttons, self.replies, self.codes))):
            msg = "MessageTemplate has two buttons at one position"
            raise InvalidValueError(msg)

    @property
    def parts(self) -> frozenset[str]:
        """
        What it fills beyond *parameters* and *buttons*, in the words of `ChannelCapabilities.template_parts`.
        """
        filled = {"header": self.header is not None, "named": self.named, "replies": self.replies, "codes": self.codes}
        return frozenset(name for name, is_filled in filled.items() if is_filled)


@frozen(kw_only=True)
class Action:
    """
    Something the debtor can tap.

    Attributes:
        id: Comes back in the reply.
        title: What is shown.
        url: Where it leads, or None for a reply. May open a person's account: never printed.
    """

    id: str = field(validator=not_blank)
    title: str = field(validator=not_blank)
    url: str | None = field(default=None, repr=False)


def _attachments(values: Iterable[Attachment]) -> tuple[Attachment, ...]:
    return tuple(values)


def _actions(values: Iterable[Action]) -> tuple[Action, ...]:
    return tuple(values)


@frozen(kw_only=True)
class OutboundMessage:
    """
    One message to one address. Rendered, judged and recorded: the channel only carries it.

    Attributes:
        attempt_id: Ours, at most 32 ASCII characters; the channel passes it on where the vendor echoes it.
        channel: ``whatsapp``, ``sms``, ``email`` …
        sender: From whom, as the account is configured, or None for the account's own.
        to: To whom.
        locale: BCP 47 tag of the text, for example ``es-PE``.
        purpose: ``reminder``, ``identity`` …
        subject: Subject line, or None where the channel has none.
        text: Plain text; with a template, the same words for the record.
        html: HTML of the same, or None.
        template: The vendor's template to use, or None for free text.
        attachments: Files.
        actions: What can be tapped.
        correlation: Shared by the attempts of one outreach.
        idempotency_key: For vendors that honour one; the same for the same attempt.
        callback_url: Where receipts are to go, or None.
        not_after: End of the legal window: the vendor must not deliver later. None when there is no end.
    """

    attempt_id: str = field(validator=opaque_id)
    channel: str
    sender: str | None = None
    to: Address
    locale: str = "es"
    purpose: str = "reminder"
    subject: str | None = field(default=None, repr=False)
    text: str = field(default="", repr=False)
    html: str | None = field(default=None, repr=False)
    template: MessageTemplate | None = None
    attachments: tuple[Attachment, ...] = field(default=(), converter=_attachments)
    actions: tuple[Action, ...] = field(default=(), converter=_actions)
    correlation: str | None = None
    idempotency_key: str | None = None
    callback_url: str | None = None
    not_after: datetime | None = field(default=None, validator=aware)


@frozen(kw_only=True)
class Accepted:
    """
    The vendor took the message. Not yet: it arrived.

    Attributes:
        provider_message_id: The vendor's id. Never blank: without one, nothing was accepted.
        status: The vendor's own word, or None.
        segments: Billed parts (SMS), or None.
    """

    provider_message_id: str = field(validator=not_blank)
    status: str | None = None
    segments: int | None = None


@frozen(kw_only=True)
class AttemptRef:
    """
    An attempt whose outcome is not known, for `Channel.lookup`.

    Attributes:
        attempt_id: Ours.
        to: Where it went.
        sent_at: When the call began, aware UTC.
        provider_message_id: The vendor's id when one is known.
        text: What was sent, or None when it is no longer kept.
    """

    attempt_id: str = field(validator=opaque_id)
    to: Address
    sent_at: datetime = field(validator=aware)
    provider_message_id: str | None = None
    text: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class Found:
    """
    The vendor has the message.

    Attributes:
        provider_message_id: The vendor's id.
        kind: What became of it.
        occurred_at: When, aware UTC, or None when the vendor does not say.
    """

    provider_message_id: str = field(validator=not_blank)
    kind: EventKind = EventKind.ACCEPTED
    occurred_at: datetime | None = field(default=None, validator=aware)


@frozen(kw_only=True)
class Absent:
    """
    The vendor does not have the message. Believed only when said twice, at least 60 s apart.

    Attributes:
        checked_until: Up to which instant the vendor's list is complete, aware UTC.
    """

    checked_until: datetime = field(validator=aware)


@frozen(kw_only=True)
class Undetermined:
    """
    The vendor cannot tell.

    Attributes:
        reason: Why, without personal data.
    """

    reason: str = "no look-up"


def _a_word(_instance: object, _attribute: object, value: Any) -> None:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        msg = "Event.outcome must be one word of small letters and _, for example no_answer"
        raise InvalidValueError(msg)


@frozen(kw_only=True)
class Event:
    """
    What a provider reports.

    Attributes:
        kind: What happened. A status nobody knows is ``unknown``, with the vendor's word in *raw*.
        key: Stable over redeliveries, unique in the account.
        occurred_at: When, aware UTC.
        account: The vendor's sender or account id; the core maps it.
        provider_message_id: The vendor's id of the message concerned (for an inbound one: its own), or None.
        attempt_id: Ours, when the vendor echoes it, or None.
        address: Who wrote, or whom it concerns, or None.
        text: What the debtor wrote or tapped, or None.
        reply_to: The vendor's id of our message that was answered, or None.
        error: Why it failed, or None.
        money: Whole amount of a payment, whatever became of it later, or None.
        refunded: What was given back of *money* so far, refunds and charge-backs together, or None.
        reference: Reference of a payment or a template, or None.
        raw: The vendor's own fields worth keeping, JSON-ready.
        outcome: What a person found who carried the contact out, in a word such as ``no_answer`` or ``other_person``;
            it stands in the ledger. One that proves that nobody was reached is, with *kind* ``failed``, what rules see.
            None where no person did.
    """

    kind: EventKind = field(converter=EventKind)
    key: str = field(validator=not_blank)
    occurred_at: datetime = field(validator=aware)
    account: str = field(validator=not_blank)
    provider_message_id: str | None = None
    attempt_id: str | None = None
    address: Address | None = None
    text: str | None = field(default=None, repr=False)
    reply_to: str | None = None
    error: ProviderError | None = None
    money: Money | None = None
    reference: str | None = None
    raw: Mapping[str, object] = field(factory=dict, repr=False)
    refunded: Money | None = None
    outcome: str | None = field(default=None, validator=optional(_a_word))


@frozen(kw_only=True)
class Health:
    """
    Whether a provider can work.

    Attributes:
        ok: True when its credentials work.
        detail: What was found, without secrets.
    """

    ok: bool
    detail: str = ""


@frozen(kw_only=True)
class InboundMessage:
    """
    What a debtor wrote, for reply interpreters.

    Attributes:
        channel: Where.
        text: The words.
        received_at: When, aware UTC.
        locale: Language we write to this person in.
        answers_identity: Whether it answers a message that asked who they are.
    """

    channel: str
    text: str = field(repr=False)
    received_at: datetime = field(validator=aware)
    locale: str = "es"
    answers_identity: bool = False


@frozen(kw_only=True)
class Interpretation:
    """
    What a reply means.

    Attributes:
        intent: ``opt_out``, ``wrong_number``, ``holder_confirmed``, ``paid``, ``dispute`` or ``other``.
        confidence: 0 to 1.
    """

    intent: str
    confidence: float = 1.0


@frozen(kw_only=True)
class PaymentLink:
    """
    An address at which a debtor can pay.

    Attributes:
        id: The vendor's id of it.
        url: Where to pay. Whoever has it sees the debt: never printed.
        reference: Ours, echoed when paid.
        amount: What it asks for.
        expires_at: When it stops working, aware UTC, or None.
    """

    id: str = field(validator=not_blank)
    url: str = field(validator=not_blank, repr=False)
    reference: str = field(validator=not_blank)
    amount: Money
    expires_at: datetime | None = field(default=None, validator=aware)
