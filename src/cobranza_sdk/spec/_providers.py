"""
The contract with providers: classes that the hooks name and the core builds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from attrs import field, frozen, validators

from cobranza_sdk.model import (
    CHANNEL_FAMILIES,
    FAMILIES,
    Address,
    Contact,
    Debtor,
    Finding,
    InvalidValueError,
    LedgerEvent,
    Money,
    Payment,
    Receivable,
)
from cobranza_sdk.model._checks import aware, not_blank, one_of, text_set, texts
from cobranza_sdk.spec._errors import UnsupportedCapabilityError, WebhookRejectedError
from cobranza_sdk.spec._messages import (
    Absent,
    Accepted,
    Attachment,
    AttemptRef,
    Event,
    Found,
    Health,
    InboundMessage,
    Interpretation,
    OutboundMessage,
    PaymentLink,
    Undetermined,
)
from cobranza_sdk.spec._services import Clock, Services
from cobranza_sdk.spec._webhooks import VerifiedEnvelope, WebhookRequest

_rate = validators.optional(validators.gt(0))

#: Contract level of this SDK. It supports providers of this level and of the one before.
API_VERSION = 1


class Provider(ABC):
    """
    What every provider is: a descriptor, settings, and a way to be checked and closed.

    The core builds it as ``Class(settings, services)``, where *settings* is an instance of `config`.
    """

    #: Contract level it was written for.
    api: ClassVar[int] = API_VERSION
    #: Unique in its family, for example ``twilio_sms``.
    name: ClassVar[str]
    #: An attrs class; credentials are typed `Secret`.
    config: ClassVar[type]

    def __init__(self, config: Any, services: Services) -> None:
        self.settings = config
        self.services = services

    @property
    def account(self) -> str:
        """
        The vendor's sender or account id that these settings speak for; events carry the same.
        """
        return self.name

    @property
    def hosts(self) -> Sequence[str]:
        """
        Every host this provider connects to with these settings, for the interlock and for ``doctor``.
        """
        return ()

    async def refresh_keys(self) -> None:
        """
        Fetch the vendor's public signing keys, for vendors that rotate them. Called at start and hourly.
        """

    async def check(self) -> Health:
        """
        Try the credentials without side effects.
        """
        return Health(ok=True, detail="nothing to check")

    async def aclose(self) -> None:
        """
        Release what was opened. Called once; the injected HTTP client stays open.
        """


class _Receives:
    """
    The half of a provider that takes webhooks. All of it is synchronous and does no I/O.
    """

    def challenge(self, request: WebhookRequest) -> str | None:
        """
        Answer the vendor's handshake: the body to send back, or None when this is no handshake.

        Raises:
            WebhookRejectedError: It is one, and its token is wrong.
        """
        return None

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        """
        Prove by the raw bytes that the vendor sent this. Nothing of the body is parsed before.

        Raises:
            WebhookRejectedError: It is not proven.
        """
        msg = "this provider takes no webhooks"
        raise WebhookRejectedError(msg)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        """
        Read what was signed. Nothing to report is an empty answer.

        Raises:
            WebhookRejectedError: It cannot be read.
        """
        return ()

    def acknowledge(self) -> tuple[str, str]:
        """
        What the vendor wants as the answer to a webhook that was stored: content type and body.
        """
        return ("text/plain", "")


@frozen(kw_only=True)
class ChannelCapabilities:
    """
    What a channel can do. The core refuses the rest before any I/O.

    Attributes:
        channel: How law calls it: ``sms``, ``whatsapp``, ``email``, ``call``, ``letter``, ``visit``, ``in_app`` or an
            own name.
        family: ``call``, ``message``, ``email``, ``letter`` or ``visit``: what rules of law speak of. A known
            channel keeps its own.
        schemes: Address schemes it reaches, in order of preference, for example ``("e164",)``.
        free_text: Whether it carries text that no vendor has approved.
        session_window: How long after a message from the person free text may be sent; None: always.
        templates: Whether it sends templates that the vendor holds.
        template_parts: Which parts of a template it fills beside the body's variables in order and the addresses of
            buttons: ``header``, ``named``, ``replies``, ``codes``.
        subject: Whether messages have a subject.
        html: Whether it carries HTML.
        attachments: Whether it carries files.
        attachment_bytes: Largest file, or None.
        attachment_links: Whether a file may be given by its address or by the vendor's id of it.
        actions: Whether it carries things to tap.
        receipts: Kinds of receipt that come back, for example ``{"delivered", "failed"}``.
        inbound: Whether messages from the person come back.
        lookup: Whether `Channel.lookup` can tell what became of an attempt.
        correlation: Whether the vendor echoes our attempt id.
        idempotency_window: How long the vendor honours an idempotency key, or None.
        text_length: Longest text in characters, or None.
        messages_per_second: Rate the account is allowed, or None; ``calls_per_second`` of the account's table wins.
        burst: How many may leave at once after a pause; None is what one second allows.
        recipient_per_second: Rate to one address, or None.
        recipient_burst: How many may leave to one address at once after a pause.
        webhook_bytes: Largest webhook that the vendor sends; a larger one is refused before it is read.
    """

    channel: str = field(validator=not_blank)
    family: str = field(validator=one_of(FAMILIES))
    schemes: tuple[str, ...] = field(converter=texts, validator=validators.min_len(1))
    free_text: bool = True
    session_window: timedelta | None = None
    templates: bool = False
    template_parts: frozenset[str] = field(default=frozenset(), converter=text_set)
    subject: bool = False
    html: bool = False
    attachments: bool = False
    attachment_bytes: int | None = None
    attachment_links: bool = False
    actions: bool = False
    receipts: frozenset[str] = field(default=frozenset(), converter=text_set)
    inbound: bool = False
    lookup: bool = False
    correlation: bool = False
    idempotency_window: timedelta | None = None
    text_length: int | None = None
    messages_per_second: float | None = field(default=None, validator=_rate)
    burst: int | None = field(default=None, validator=validators.optional(validators.ge(1)))
    recipient_per_second: float | None = field(default=None, validator=_rate)
    recipient_burst: int = field(default=1, validator=validators.ge(1))
    webhook_bytes: int = field(default=1024 * 1024, validator=validators.in_(range(1, 16 * 1024 * 1024 + 1)))

    def __attrs_post_init__(self) -> None:
        if CHANNEL_FAMILIES.get(self.channel, self.family) != self.family:
            msg = f"ChannelCapabilities.family of {self.channel} must be {CHANNEL_FAMILIES[self.channel]}"
            raise InvalidValueError(msg, hint="a channel that law knows otherwise needs a name of its own")


class Channel(Provider, _Receives):
    """
    Carries one message to one address and reports what became of it.

    Only `send` must be written. A capability that is declared needs its method.
    """

    capabilities: ClassVar[ChannelCapabilities]

    @abstractmethod
    async def send(self, message: OutboundMessage) -> Accepted:
        """
        Hand *message* to the vendor, once. Retrying is the core's business.

        Raises:
            ProviderError: With what may be done next and whether the message may be out. Any other exception
                counts as "may be out, never again".
        """

    async def lookup(self, attempt: AttemptRef) -> Found | Absent | Undetermined:
        """
        Ask the vendor what became of an attempt.

        Raises:
            ProviderError: The question could not be asked.
        """
        msg = f"{self.name} does not declare lookup"
        raise UnsupportedCapabilityError(msg)


@frozen(kw_only=True)
class RejectedRecord:
    """
    A row that was not taken.

    Attributes:
        source: File or resource.
        line: Line in the source, from 1, or None.
        column: Name of the column, or None when it is the row as a whole.
        reason: What was found and what was expected, without personal data.
        key: The row's own key when it could be read, or None.
    """

    source: str
    line: int | None
    column: str | None
    reason: str
    key: str | None = None


#: What an ERP streams.
Record = Debtor | Receivable | Payment


def _records(values: Iterable[Record]) -> tuple[Record, ...]:
    return tuple(values)


def _rejections(values: Iterable[RejectedRecord]) -> tuple[RejectedRecord, ...]:
    return tuple(values)


@frozen(kw_only=True)
class ErpBatch:
    """
    Some records and where to go on.

    Attributes:
        records: `Debtor`, `Receivable` and `Payment` values; a debtor comes before what refers to it.
        rejected: Rows that were not taken.
        cursor: Opaque; stored with the rows and handed to the next `Erp.read`.
        scope: What the batch's snapshot covers, for example ``("currency:PEN",)``; empty when it is no snapshot.
        complete: True on the last batch of a full snapshot of *scope*: what was not named since the snapshot began
            is then closed as absent, not as paid.
    """

    records: tuple[Record, ...] = field(converter=_records)
    rejected: tuple[RejectedRecord, ...] = field(default=(), converter=_rejections)
    cursor: str | None = None
    scope: tuple[str, ...] = field(default=(), converter=texts)
    complete: bool = False


@frozen(kw_only=True)
class ErpCapabilities:
    """
    What an ERP plugin can do.

    Attributes:
        incremental: Whether a cursor leads to what changed since.
        snapshot: Whether it declares complete snapshots.
        write_back: Whether `Erp.write_back` is written.
    """

    incremental: bool = False
    snapshot: bool = False
    write_back: bool = False


class Erp(Provider):
    """
    Streams debtors, receivables and payments in, and takes results back.
    """

    capabilities: ClassVar[ErpCapabilities]

    @abstractmethod
    def read(self, cursor: str | None) -> AsyncIterator[ErpBatch]:
        """
        Stream what there is since *cursor*, or all when it is None or no longer understood.

        Raises:
            ProviderError: The source cannot be read.
        """

    async def write_back(self, updates: Sequence[Mapping[str, Any]]) -> None:
        """
        Write results to the source.

        Args:
            updates: In the order in which they happened. Each has ``kind`` and its keys, None where one does not apply:

                * ``attempt``: ``attempt_id``, ``debtor_id`` (the source's own), ``channel``, ``step``, ``state`` (of
                  `AttemptState`, or ``resolved``), ``at``, ``outcome``, ``reason``;
                * ``payment``: ``payment_id``, ``debtor_id``, ``receivable_id``, ``amount`` (`Money`), ``paid_at``,
                  ``method``, ``state`` (``posted`` or ``reversed``).

                After a crash the same updates may come once more, in the same cut.

        Raises:
            ProviderError: It was not written; the same comes again.
        """
        msg = f"{self.name} does not declare write_back"
        raise UnsupportedCapabilityError(msg)


@frozen(kw_only=True)
class PaymentCapabilities:
    """
    What a payment provider can do.

    Attributes:
        currencies: ISO 4217 codes it takes.
        cancel: Whether a link can be withdrawn.
        idempotency_window: How long it honours an idempotency key, or None.
        expiry: Whether a link can be given an end.
        refund: Whether a payment can be given back.
        search: Whether links and payments can be found by reference.
        webhooks: Whether payments are announced by webhook.
        calls_per_second: Rate the account is allowed, or None; ``calls_per_second`` of the account's table wins.
        webhook_bytes: Largest webhook that the vendor sends; a larger one is refused before it is read.
    """

    currencies: frozenset[str] = field(converter=text_set)
    cancel: bool = False
    idempotency_window: timedelta | None = None
    expiry: bool = False
    refund: bool = False
    search: bool = False
    webhooks: bool = False
    calls_per_second: float | None = field(default=None, validator=_rate)
    webhook_bytes: int = field(default=64 * 1024, validator=validators.in_(range(1, 16 * 1024 * 1024 + 1)))


class PaymentProvider(Provider, _Receives):
    """
    Makes payment links and tells what was paid. A webhook is a hint: only what `fetch` returns is posted.
    """

    capabilities: ClassVar[PaymentCapabilities]

    @abstractmethod
    async def create_link(
        self,
        *,
        amount: Money,
        reference: str,
        description: str,
        idempotency_key: str,
        expires_at: datetime | None = None,
    ) -> PaymentLink:
        """
        Make a link for *amount* that carries *reference*.

        Args:
            amount: What it asks for, above zero.
            reference: Ours; every payment by the link echoes it.
            description: What the payer reads.
            idempotency_key: The same for the same link: repeated, it makes no second one where the vendor honours it.
            expires_at: When it stops working, aware; None leaves it to the provider. Needs the capability ``expiry``.

        Raises:
            ProviderError: It was not made, or nobody knows.
        """

    @abstractmethod
    async def fetch(self, payment_id: str) -> Event:
        """
        Ask the vendor for one payment, by the vendor's id.

        Returns:
            The payment as it stands now: its whole amount in `Event.money`, what was given back of it in
            `Event.refunded`, its id in `Event.provider_message_id`.

        Raises:
            ProviderError: The question could not be asked or answered.
        """

    async def find_payments(self, reference: str) -> Sequence[Event]:
        """
        Every payment that carries *reference*, as `fetch` would tell it.

        Raises:
            ProviderError: The question could not be asked or answered.
        """
        msg = f"{self.name} does not declare search"
        raise UnsupportedCapabilityError(msg)

    async def find_links(self, reference: str) -> Sequence[PaymentLink]:
        """
        Every link that carries *reference* and still works: what became of a `create_link` whose answer was lost.

        Raises:
            ProviderError: The question could not be asked or answered.
        """
        msg = f"{self.name} does not declare search"
        raise UnsupportedCapabilityError(msg)

    async def refund(self, payment_id: str, *, idempotency_key: str, amount: Money | None = None) -> Event:
        """
        Give back a payment, or *amount* of it; returns the payment as it stands afterwards.

        Raises:
            ProviderError: It was not given back, or nobody knows.
        """
        msg = f"{self.name} does not declare refund"
        raise UnsupportedCapabilityError(msg)

    async def cancel_link(self, link_id: str) -> None:
        """
        Withdraw a link.

        Raises:
            ProviderError: It was not withdrawn.
        """
        msg = f"{self.name} does not declare cancel"
        raise UnsupportedCapabilityError(msg)


class EventObserver(ABC):
    """
    Is told of ledger events after they are committed, at best effort. It cannot veto.
    """

    @abstractmethod
    def observe(self, event: LedgerEvent) -> None:
        """
        Take note of *event*. What is raised is logged and forgotten.
        """


class ReplyInterpreter(ABC):
    """
    Says what a debtor's reply means.
    """

    @abstractmethod
    def interpret(self, message: InboundMessage) -> Interpretation | None:
        """
        Read *message*; None when it says nothing to this interpreter. Raising counts as None.
        """


class CompliancePolicy(ABC):
    """
    A rule that data cannot say. Pure, and it can only restrict.
    """

    #: Unique, for example ``house.no_mondays``.
    name: ClassVar[str]

    @abstractmethod
    def judge(self, contact: Contact) -> Sequence[Finding]:
        """
        Say what stands against *contact*; nothing is an empty answer. Raising or taking too long denies.
        """


class _NamedText:
    """
    A TOML text with a name.

    Args:
        name: Unique among its kind.
        text: The TOML, or a function that reads it when it is first needed.
        origin: File or resource it came from, for messages.
    """

    __slots__ = ("_text", "name", "origin")

    def __init__(self, name: str, text: str | Callable[[], str], *, origin: str = "<text>") -> None:
        self.name = name
        self._text = text
        self.origin = origin

    @property
    def text(self) -> str:
        """
        The TOML; read now when a function was given.
        """
        return self._text() if callable(self._text) else self._text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, origin={self.origin!r})"


class CompliancePack(_NamedText):
    """
    A country pack as data: its name (``pe``), its TOML or a function that reads it, and where it came from.

    Args:
        name: Unique among packs.
        text: The TOML, or a function that reads it when it is first needed.
        origin: File or resource it came from, for messages.
        cases: Its golden cases as CSV, or a function that reads them; None where it ships none.
    """

    __slots__ = ("_cases",)

    def __init__(
        self,
        name: str,
        text: str | Callable[[], str],
        *,
        origin: str = "<text>",
        cases: str | Callable[[], str] | None = None,
    ) -> None:
        super().__init__(name, text, origin=origin)
        self._cases = cases

    @property
    def cases(self) -> str | None:
        """
        The golden cases; read now when a function was given.
        """
        return self._cases() if callable(self._cases) else self._cases


class TemplateCatalogue(_NamedText):
    """
    Message templates as data: a name, the TOML or a function that reads it, and where it came from.
    """

    __slots__ = ()


def _files(values: Iterable[Attachment]) -> tuple[Attachment, ...]:
    return tuple(values)


@frozen(kw_only=True)
class SandboxMessage:
    """
    A message that an emulator took.

    Attributes:
        provider_message_id: The id it gave out.
        to: The address it was sent to.
        text: The words that arrived (for a template: the parameters, one a line).
        template: Name of the vendor's template, or None.
        attempt_id: Our id where the vendor would echo it, or None.
        at: When, by the emulator's clock.
        subject: Its subject line, or None.
        files: What came with it, in order, with the bytes or with the address that stood for them. A name is what the
            debtor would see, or ``file`` where the vendor shows none.
    """

    provider_message_id: str
    to: Address
    text: str = field(repr=False)
    template: str | None = None
    attempt_id: str | None = None
    at: datetime = field(validator=aware)
    subject: str | None = field(default=None, repr=False)
    files: tuple[Attachment, ...] = field(default=(), converter=_files)


class Sandbox(ABC):
    """
    A vendor's emulator for development: real protocol, on loopback, without an account.

    It answers as the vendor does. What happens to a message is asked for by `deliver`, `read`, `fail` and `reply`:
    each posts the vendor's signed webhook and returns the status code of our answer.

    Args:
        clock: The time it lives in.
        port: Port on 127.0.0.1, 0 for a free one.
        webhook_url: Where it posts webhooks, or None to post none.
    """

    #: Name of the provider it stands in for.
    name: ClassVar[str]
    #: Whether it serves on a port. False where the provider connects to nothing: then *port* means nothing.
    listens: ClassVar[bool] = True

    def __init__(self, *, clock: Clock, port: int = 0, webhook_url: str | None = None) -> None:
        self.clock = clock
        self.port = port
        self.webhook_url = webhook_url

    @abstractmethod
    def start(self) -> None:
        """
        Serve on loopback in a background thread; *port* then holds the real one.
        """

    @abstractmethod
    def stop(self) -> None:
        """
        Stop serving. Safe to call twice.
        """

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """
        Settings with which the provider reaches this emulator, secrets as plain text.
        """

    @property
    @abstractmethod
    def received(self) -> Sequence[SandboxMessage]:
        """
        Messages taken so far, in order.
        """

    def deliver(self, provider_message_id: str) -> int | None:
        """
        Report the message as delivered; None when this vendor sends no such receipt.
        """
        return None

    def read(self, provider_message_id: str) -> int | None:
        """
        Report the message as read; None when this vendor sends no such receipt.
        """
        return None

    def fail(self, provider_message_id: str) -> int | None:
        """
        Report that the person cannot be reached; None when this vendor sends no such receipt.
        """
        return None

    def reply(self, provider_message_id: str, text: str) -> int | None:
        """
        Let the person answer the message; None when this vendor carries no answers.
        """
        return None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


@frozen(kw_only=True)
class SandboxLink:
    """
    A payment link that an emulator made, as its vendor understood it.

    Attributes:
        id: The id it gave out.
        url: Where to pay. Whoever has it sees the debt: never printed.
        amount: What it asks for.
        reference: Ours.
        description: What the payer reads.
        expires_at: When it stops working, or None.
        is_open: Whether it can be paid now.
    """

    id: str
    url: str = field(repr=False)
    amount: Money
    reference: str
    description: str = field(repr=False)
    expires_at: datetime | None = field(default=None, validator=validators.optional(aware))
    is_open: bool = True


class PaymentSandbox(Sandbox):
    """
    The emulator of a vendor of payments: it makes links, and its payers and banks do what they are told.

    Nothing is announced by itself: `announce` posts the vendor's signed webhook.

    Args:
        clock: The time it lives in.
        port: Port on 127.0.0.1, 0 for a free one.
        webhook_url: Where it posts webhooks, or None to post none.
        currency: The account's, where the vendor's accounts have one; None leaves it to the emulator.
    """

    def __init__(
        self, *, clock: Clock, port: int = 0, webhook_url: str | None = None, currency: str | None = None
    ) -> None:
        super().__init__(clock=clock, port=port, webhook_url=webhook_url)
        self.currency = currency

    @property
    def received(self) -> Sequence[SandboxMessage]:
        """
        Nothing: payments are no messages. See `links`.
        """
        return ()

    @property
    @abstractmethod
    def links(self) -> Sequence[SandboxLink]:
        """
        Links made so far, in order, as they stand now.
        """

    @abstractmethod
    def pay(self, link_id: str, outcome: str = "approved") -> str | None:
        """
        Let somebody pay the whole amount of a link; returns the payment's id.

        Args:
            link_id: The link's id.
            outcome: ``approved``, ``pending`` or ``rejected``; None answers one that this vendor does not know.

        Raises:
            InvalidValueError: There is no such link, or it is not open.
        """

    def give_back(self, payment_id: str, amount: Money | None = None) -> bool:
        """
        Refund a payment, or *amount* of it, as the seller does at the vendor; False where nothing is given back.
        """
        return False

    def charge_back(self, payment_id: str) -> bool:
        """
        Let the payer's bank take a payment back; False where that cannot happen.
        """
        return False

    def announce(self, *payment_ids: str) -> int | None:
        """
        Post the webhook of these payments: one for all where the vendor batches, else one for each. Returns the status
        of the last answer, or None where nothing is posted.
        """
        return None


def reachable(capabilities: ChannelCapabilities, address: Address) -> bool:
    """
    Whether a channel reaches an address of this scheme.
    """
    return address.scheme in capabilities.schemes


def require_supported(channel: type[Channel] | Channel, message: OutboundMessage) -> None:
    """
    Refuse what *channel* does not declare, before any I/O.

    Raises:
        UnsupportedCapabilityError: Naming the capability.
        InvalidValueError: The message says nothing.
    """
    can = channel.capabilities
    missing = [
        name
        for name, asked in (
            (f"address scheme {message.to.scheme}", not reachable(can, message.to)),
            ("templates", message.template is not None and not can.templates),
            *((f"template {part}", part not in can.template_parts) for part in _parts(message)),
            ("free_text", message.template is None and not can.free_text),
            ("attachments", bool(message.attachments) and not can.attachments),
            ("attachment_links", any(each.is_elsewhere for each in message.attachments) and not can.attachment_links),
            ("html", message.html is not None and not can.html),
            ("actions", bool(message.actions) and not can.actions),
            (f"text of {len(message.text)} characters", bool(can.text_length) and _too_long(can, message)),
        )
        if asked
    ]
    if missing:
        msg = f"{channel.name} does not support: {', '.join(missing)}"
        raise UnsupportedCapabilityError(msg)
    if message.template is None and not message.text.strip():
        msg = "OutboundMessage.text is blank and there is no template"
        raise InvalidValueError(msg)


def _parts(message: OutboundMessage) -> list[str]:
    return [] if message.template is None else sorted(message.template.parts)


def _too_long(can: ChannelCapabilities, message: OutboundMessage) -> bool:
    return can.text_length is not None and message.template is None and len(message.text) > can.text_length
