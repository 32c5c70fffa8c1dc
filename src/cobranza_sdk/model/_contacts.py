"""
What the rules judge: a contact about to be made, and the ones before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from attrs import field, frozen, validators

from cobranza_sdk.model._checks import a_flag, a_text, all_of, aware, not_blank, one_of, text_set, texts
from cobranza_sdk.model._errors import InvalidValueError
from cobranza_sdk.model._people import HOLDER_ROLES

#: Family known to law, by channel.
CHANNEL_FAMILIES: dict[str, str] = {
    "whatsapp": "message",
    "sms": "message",
    "in_app": "message",
    "email": "email",
    "call": "call",
    "letter": "letter",
    "visit": "visit",
}
FAMILIES = ("call", "message", "email", "letter", "visit")
STAGES = ("preventive", "administrative", "extrajudicial", "judicial")
COLLECTORS = ("creditor", "agency", "buyer")
SECTORS = ("financial", "any")
CONSENTS = ("yes", "no", "opted_out")
#: Purpose of an answer to the person's own message: no contact that somebody began, if the history shows that message.
REPLY = "reply"

#: What a message can say, as rules on words ask for it; a contact tells that it does with the flag ``says_…``.
PARTS = (
    "creditor",
    "collector",
    "amount",
    "breakdown",
    "document",
    "due_on",
    "how_to_pay",
    "contact_line",
    "complaints",
    "opt_out",
    "debt_collector",
    "recording",
    "not_judicial",
    "rights",
)

#: Outcomes that prove that nobody was reached. All others, and none at all, may have reached the person.
NOT_REACHED = frozenset(
    {
        "no_answer",
        "unanswered",
        "busy",
        "voicemail",
        "delivered",
        "failed",
        "rejected",
        "undelivered",
        "bounced",
        "not_sent",
        "wrong_number",
        "wrong_party",
        "cancelled",
    }
)

#: Outcomes that prove that no attempt was made at all: nothing left the house.
NOT_ATTEMPTED = frozenset({"not_sent", "rejected", "cancelled"})


def _derived() -> Any:
    """
    A field that follows from the others: not given, not shown, not compared.
    """
    return field(init=False, repr=False, eq=False)


@frozen(kw_only=True)
class PastContact:
    """
    A contact that was made or attempted.

    Attributes:
        at: When, with offset.
        channel: As in `Contact`.
        direction: ``outbound``; ``inbound`` when the person wrote or called; ``reply`` for an answer to that, which
            counts for no cap.
        outcome: ``answered``, ``read``, ``replied``, ``no_answer``, ``delivered``, ``failed`` …; None while it is
            open. What is open or unknown counts as if the person had been reached.
        outcome_at: When it was read or answered, or None when that is *at*.
        creditor_id: Who wrote, or None when it is not known: it then counts for every creditor.
        receivable_ids: The debts it was about; empty counts for all.
        recipient: Role of who was addressed.
        family: Family known to law; None takes it from *channel*.
        epoch: *at* as whole epoch seconds; made from it.
        outcome_epoch: The same of *outcome_at*.
        is_attempt: Whether something left the house: what every cap on attempts counts.
        is_direct: Whether the person was, or may have been, reached: what caps on direct contacts count.
        is_conversation: Whether both sides spoke or wrote, or may have, whoever began: what quiet days follow.
        is_notice: Whether it was a formal notice: what rules ask for that want one before a step.
    """

    at: datetime = field(validator=aware)
    channel: str = field(validator=not_blank)
    direction: str = field(default="outbound", validator=one_of(("outbound", "inbound", "reply")))
    outcome: str | None = None
    outcome_at: datetime | None = field(default=None, validator=aware)
    creditor_id: str | None = field(default=None, validator=a_text)
    receivable_ids: tuple[str, ...] = field(default=(), converter=texts)
    recipient: str = "debtor"
    family: str | None = field(default=None, validator=validators.optional(one_of(FAMILIES)))
    epoch: int = _derived()
    outcome_epoch: int | None = _derived()
    is_attempt: bool = _derived()
    is_direct: bool = _derived()
    is_conversation: bool = _derived()
    is_notice: bool = _derived()

    def __attrs_post_init__(self) -> None:
        outbound, reached = self.direction == "outbound", self.outcome not in NOT_REACHED
        later = self.outcome_at
        told = {
            "family": self.family or CHANNEL_FAMILIES.get(self.channel),
            "epoch": int(self.at.timestamp()),
            "outcome_epoch": None if later is None else int(later.timestamp()),
            "is_attempt": outbound and self.outcome not in NOT_ATTEMPTED,
            "is_direct": outbound and reached,
            "is_conversation": reached,
            "is_notice": outbound and self.outcome == "notice",
        }
        for name, value in told.items():
            object.__setattr__(self, name, value)


def _pasts(values: Iterable[PastContact]) -> tuple[PastContact, ...]:
    given: Any = values
    if not isinstance(given, Iterable):
        msg = f"Contact.history must hold PastContact values only, found {type(given).__name__}"
        raise InvalidValueError(msg)
    return tuple(given)


@frozen(kw_only=True)
class Contact:
    """
    One contact that somebody wants to make, with all that the rules may ask.

    Every default is the strict one.

    Attributes:
        at: When, with offset.
        channel: ``whatsapp``, ``sms``, ``email``, ``call``, ``letter``, ``visit``, ``in_app``, or a plugin's own.
        country: ISO 3166-1 code of the debtor's place.
        region: ISO 3166-2 code, or None.
        recipient: Role of who holds the address, one of `HOLDER_ROLES`.
        collector: Who asks: ``creditor``, ``agency`` or ``buyer``.
        sector: ``financial`` for supervised lenders, else ``any``.
        stage: ``preventive``, ``administrative``, ``extrajudicial`` or ``judicial``.
        purpose: ``reminder``, ``demand``, ``offer``, ``identity``, ``confirm``, ``receipt``, ``information`` …;
            ``reply`` for an answer to the person's own message.
        consent: What the person said about this channel: ``yes``, ``no`` (nothing on record) or ``opted_out``.
        holder_confirmed: Whether the address is known to be that person's.
        history: Contacts before this one, in any order; what lies after *at* is ignored.
        timezones: All IANA zones the person may be in; empty takes them from country and region.
        creditor_id: Who writes, or None.
        debtor_id: Whom it concerns, or None.
        receivable_ids: The debts it is about; empty stands for all.
        content: The text to be sent, or None when it is not written yet.
        flags: Facts that rules ask for by name, for example ``judicial_lookalike`` or ``discloses_nothing``.
        family: Family known to law; None takes it from *channel*. A channel of no known family is denied.
        epoch: *at* as whole epoch seconds; made from it.
        kind: All that rules ask for apart from time, history and whose debt it is; made from the others.
    """

    at: datetime = field(validator=aware)
    channel: str = field(validator=not_blank)
    country: str = field(validator=not_blank)
    region: str | None = field(default=None, validator=a_text)
    recipient: str = field(default="unknown", validator=one_of(HOLDER_ROLES))
    collector: str = field(default="agency", validator=one_of(COLLECTORS))
    sector: str = field(default="financial", validator=one_of(SECTORS))
    stage: str = field(default="administrative", validator=one_of(STAGES))
    purpose: str = field(default="demand", validator=not_blank)
    consent: str = field(default="no", validator=one_of(CONSENTS))
    holder_confirmed: bool = field(default=False, validator=a_flag)
    history: tuple[PastContact, ...] = field(default=(), converter=_pasts, validator=all_of(PastContact))
    timezones: tuple[str, ...] = field(default=(), converter=texts)
    creditor_id: str | None = field(default=None, validator=a_text)
    debtor_id: str | None = field(default=None, validator=a_text)
    receivable_ids: tuple[str, ...] = field(default=(), converter=texts)
    content: str | None = field(default=None, repr=False, validator=a_text)
    flags: frozenset[str] = field(default=frozenset(), converter=text_set)
    family: str | None = field(default=None, validator=validators.optional(one_of(FAMILIES)))

    epoch: int = _derived()
    kind: tuple[object, ...] = _derived()

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "epoch", int(self.at.timestamp()))
        if self.family is None:
            object.__setattr__(self, "family", CHANNEL_FAMILIES.get(self.channel))
        kind = (
            self.country,
            self.region,
            self.channel,
            self.family,
            self.stage,
            self.purpose,
            self.collector,
            self.sector,
            self.flags,
            self.recipient,
            self.holder_confirmed,
            self.consent,
            self.timezones,
            self.content is None,
        )
        object.__setattr__(self, "kind", kind)
