"""
The kit for channels, held against a zoo: the channel that `cobranza new channel` writes passes every check,
and each check has its own mutant.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import attrs
import httpx
import pytest
from attrs import evolve, field, frozen
from opentelemetry import trace

from cobranza_acme_sms._channel import SIGNATURE, AcmeSms, AcmeSmsSettings, sign
from cobranza_acme_sms._sandbox import AcmeSmsSandbox
from cobranza_sdk import (
    Absent,
    Accepted,
    Attachment,
    AttemptRef,
    Category,
    Channel,
    Disposition,
    Event,
    EventKind,
    Found,
    Health,
    MessageTemplate,
    OutboundMessage,
    ProviderError,
    Sandbox,
    SandboxMessage,
    Secret,
    Transmitted,
    Undetermined,
    VerifiedEnvelope,
    WebhookRejectedError,
    WebhookRequest,
)
from cobranza_sdk.testing import ChannelConformance, FixedClock, Skip

EPOCH = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


_SOON_S = 0.3
SECRET = str(AcmeSmsSandbox(clock=FixedClock(EPOCH)).settings["webhook_secret"])


class AcmeChat(AcmeSms):
    """
    The same where a conversation has to be open for free text.
    """

    capabilities = evolve(AcmeSms.capabilities, session_window=timedelta(hours=24), templates=True)

    def form(self, message: OutboundMessage) -> dict[str, Any]:
        form, template = super().form(message), message.template
        return form if template is None else form | {"template": template.name, "text": "\n".join(template.parameters)}


@frozen(kw_only=True)
class RichSettings(AcmeSmsSettings):
    webhook_secret: tuple[Secret, ...]  # type: ignore[assignment]  # the same under the same name, several


class AcmeRich(AcmeSms):
    """
    The same with files, several secrets, and several reports in one webhook.
    """

    config = RichSettings
    capabilities = evolve(AcmeSms.capabilities, attachments=True, attachment_links=True)
    settings: RichSettings

    def form(self, message: OutboundMessage) -> dict[str, Any]:
        return {**super().form(message), "files": [self.file(file) for file in message.attachments]}

    def file(self, file: Attachment) -> dict[str, Any]:
        held = base64.b64encode(file.content).decode()
        return {"name": file.filename, "type": file.content_type, "held": held, "url": file.url}

    @property
    def secrets(self) -> Sequence[Secret]:
        return self.settings.webhook_secret

    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        given = request.headers.get(SIGNATURE)
        if given not in [sign(secret.reveal(), request.body) for secret in self.secrets]:
            msg = "the signature does not match"
            raise WebhookRejectedError(msg)
        return request.verified(account=self.account, scheme="hmac-sha256", signed=request.body)

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        try:
            told = json.loads(envelope.signed)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, list):
            return super().parse(envelope)
        try:
            return [self.event(each, envelope) for each in told]
        except (KeyError, TypeError, ValueError):
            msg = "the signed body is not what the vendor sends"
            raise WebhookRejectedError(msg) from None


class AcmeRichSandbox(AcmeSmsSandbox):
    """
    The vendor of that.
    """

    @property
    def received(self) -> Sequence[SandboxMessage]:
        files = [[self.file(file) for file in each["files"]] for each in self.messages]
        return [evolve(message, files=files[place]) for place, message in enumerate(super().received)]

    def file(self, told: dict[str, Any]) -> Attachment:
        held = base64.b64decode(told["held"])
        return Attachment(filename=told["name"], content_type=told["type"], content=held, url=told["url"])


def no(category: Category, disposition: Disposition, wait: float | None = None) -> ProviderError:
    """
    It did not leave.
    """
    return ProviderError(category, disposition, Transmitted.NO, retry_after=wait)


class Signs(ChannelConformance):
    """
    How Acme signs.
    """

    provider: ClassVar[type[Channel]] = AcmeSms
    sandbox: ClassVar[type[Sandbox]] = AcmeSmsSandbox

    def signed(self, sandbox: Sandbox, body: bytes, like: WebhookRequest) -> WebhookRequest:
        return evolve(like, body=body, headers={SIGNATURE: sign(SECRET, body)})


class SignsChat(Signs):
    """
    The same, in conversations.
    """

    provider: ClassVar[type[Channel]] = AcmeChat
    template: ClassVar[MessageTemplate | None] = MessageTemplate(
        name="due", language="es_PE", parameters=["Señor Núñez", "€ 12,50 🙂"]
    )


class SignsRich(Signs):
    """
    With files, several secrets and batches.
    """

    provider: ClassVar[type[Channel]] = AcmeRich
    sandbox: ClassVar[type[Sandbox]] = AcmeRichSandbox

    def batched(self, sandbox: Sandbox, requests: Sequence[WebhookRequest]) -> WebhookRequest:
        body = json.dumps([json.loads(request.body) for request in requests]).encode()
        return self.signed(sandbox, body, requests[0])


class TestByTheBook(Signs):
    """
    Nothing is wrong with it.
    """


class TestChatByTheBook(SignsChat):
    """
    Nor with that one.
    """


class TestRichByTheBook(SignsRich):
    """
    Nor with that one.
    """


# -- the zoo: each says which check is to catch it -----------------------------------------------------------------


@frozen(kw_only=True)
class PlainSettings(AcmeSmsSettings):
    token: str  # type: ignore[assignment]  # what is wrong with it


@frozen(kw_only=True)
class BlankSettings:
    base_url: str = field(validator=attrs.fields(AcmeSmsSettings).base_url.validator)
    sender: str
    token: Secret
    webhook_secret: Secret


class Shouting(AcmeSms):
    name = "Acme Post"


class TakesBlanks(AcmeSms):
    config = BlankSettings


class PlainToken(AcmeSms):
    config = PlainSettings

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings.token}"}


class Ascii(AcmeSms):
    def form(self, message: OutboundMessage) -> dict[str, Any]:
        return {**super().form(message), "text": message.text.encode("ascii", "replace").decode()}


class FormsOnly(AcmeChat):
    def form(self, message: OutboundMessage) -> dict[str, Any]:
        return {**super().form(message), "template": "due"}


class OneId(AcmeSms):
    def read_accepted(self, response: httpx.Response) -> Accepted:
        super().read_accepted(response)
        return Accepted(provider_message_id="pg")


class Forgetful(AcmeSms):
    def form(self, message: OutboundMessage) -> dict[str, Any]:
        return {**super().form(message), "key": None}


class NeverThere(AcmeSms):
    async def lookup(self, attempt: AttemptRef) -> Found | Absent | Undetermined:
        return Absent(checked_until=self.services.clock.now())


class Timid(AcmeSms):
    def unsent(self, error: httpx.HTTPError) -> ProviderError:
        return ProviderError(Category.NETWORK, Disposition.NEVER, Transmitted.MAYBE)


class Denies(AcmeSms):
    def unsent(self, error: httpx.HTTPError) -> ProviderError:
        return no(Category.NETWORK, Disposition.RETRY)


class Credulous(AcmeSms):
    async def send(self, message: OutboundMessage) -> Accepted:
        try:
            return await super().send(message)
        except ProviderError as error:
            if error.transmitted is Transmitted.MAYBE:
                return Accepted(provider_message_id="probably")
            raise


class TrustsNoTls(Timid):
    def unsent(self, error: httpx.HTTPError) -> ProviderError:
        secure = self.settings.base_url.startswith("https:")
        return super().unsent(error) if secure else AcmeSms.unsent(self, error)


class CutsTexts(AcmeSms):
    def form(self, message: OutboundMessage) -> dict[str, Any]:
        return {**super().form(message), "text": message.text[:1530]}


class NamesNothing(AcmeRich):
    def file(self, file: Attachment) -> dict[str, Any]:
        return {**super().file(file), "name": "document.pdf"}


class OpensFiles(AcmeRich):
    def file(self, file: Attachment) -> dict[str, Any]:
        return super().file(evolve(file, content=file.content.replace(b"\r\n", b"\n")))


class Boastful(AcmeSms):
    def __init__(self, config: Any, services: Any) -> None:
        super().__init__(config, services)
        self.capabilities = evolve(self.capabilities, attachments=True)  # type: ignore[misc]  # what is wrong with it


class LateIsNever(AcmeSms):
    def unsent(self, error: httpx.HTTPError) -> ProviderError:
        if isinstance(error, httpx.TimeoutException):
            return no(Category.NETWORK, Disposition.RETRY)
        return super().unsent(error)


class FirstPiece(AcmeSms):
    async def answer(self, message: OutboundMessage) -> httpx.Response:
        url, form = f"{self.settings.base_url}/messages", self.form(message)
        try:
            async with self.services.http.stream("POST", url, json=form, headers=self.headers()) as response:
                piece = await anext(response.aiter_raw())
        except httpx.HTTPError as error:
            raise self.unsent(error) from error
        if response.status_code >= 400:
            raise self.refusal(response)
        return httpx.Response(response.status_code, content=piece)


class Stubborn(AcmeSms):
    async def send(self, message: OutboundMessage) -> Accepted:
        try:
            return await super().send(message)
        except asyncio.CancelledError:
            raise ProviderError.unrecognised() from None


class Blocking(AcmeSms):
    async def send(self, message: OutboundMessage) -> Accepted:
        body = json.dumps(self.form(message)).encode()
        try:
            answer = httpx.post(  # noqa: ASYNC210
                f"{self.settings.base_url}/messages", content=body, headers=self.headers(), timeout=_SOON_S
            )
        except httpx.HTTPError:
            raise ProviderError.unrecognised() from None
        return Accepted(provider_message_id=answer.json()["id"])


class Impatient(AcmeSms):
    def refusal(self, response: httpx.Response) -> ProviderError:
        return (
            no(Category.RATE_LIMIT, Disposition.RETRY, 1) if response.status_code == 429 else super().refusal(response)
        )


class BlamesTheDebtor(AcmeSms):
    def refusal(self, response: httpx.Response) -> ProviderError:
        return no(Category.RECIPIENT, Disposition.NEVER) if response.status_code >= 500 else super().refusal(response)


class RetriesLogins(AcmeSms):
    def refusal(self, response: httpx.Response) -> ProviderError:
        return no(Category.AUTH, Disposition.RETRY) if response.status_code == 401 else super().refusal(response)


class StatusIsEnough(AcmeSms):
    def read_accepted(self, response: httpx.Response) -> Accepted:
        try:
            return super().read_accepted(response)
        except ProviderError:
            return Accepted(provider_message_id="unknown")


class HalfIsNothing(AcmeSms):
    def read_accepted(self, response: httpx.Response) -> Accepted:
        try:
            return super().read_accepted(response)
        except ProviderError:
            raise no(Category.PROTOCOL, Disposition.RETRY) from None


class Stumbles(AcmeSms):
    def read_accepted(self, response: httpx.Response) -> Accepted:
        accepted = super().read_accepted(response)
        return evolve(accepted, segments=len(response.json()["price"]["parts"]))


class Confuses(AcmeSms):
    def event(self, told: Any, envelope: VerifiedEnvelope) -> Event:
        event = super().event(told, envelope)
        return evolve(event, kind=EventKind.READ) if event.kind is EventKind.DELIVERED else event


class Mumbles(AcmeSms):
    def event(self, told: Any, envelope: VerifiedEnvelope) -> Event:
        event = super().event(told, envelope)
        return evolve(event, text=event.text.lower() if event.text else None)


class Trusting(AcmeSms):
    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        if SIGNATURE not in request.headers:
            msg = "there is no signature"
            raise WebhookRejectedError(msg)
        return request.verified(account=self.account, scheme="none", signed=request.body)


class OneSecretForAll(AcmeSms):
    def verify(self, request: WebhookRequest) -> VerifiedEnvelope:
        if request.headers.get(SIGNATURE) != sign(SECRET, request.body):
            msg = "the signature does not match"
            raise WebhookRejectedError(msg)
        return request.verified(account=self.account, scheme="hmac-sha256", signed=request.body)


class NewestOnly(AcmeRich):
    @property
    def secrets(self) -> Sequence[Secret]:
        return self.settings.webhook_secret[:1]


class Punctual(AcmeSms):
    def event(self, told: Any, envelope: VerifiedEnvelope) -> Event:
        event = super().event(told, envelope)
        if envelope.received_at - event.occurred_at > timedelta(minutes=5):
            msg = "the webhook is too old"
            raise WebhookRejectedError(msg)
        return event


class Orderly(AcmeSms):
    def __init__(self, config: Any, services: Any) -> None:
        super().__init__(config, services)
        self.done: set[str | None] = set()

    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        events = [each for each in super().parse(envelope) if each.provider_message_id not in self.done]
        self.done |= {each.provider_message_id for each in events if each.kind is EventKind.FAILED}
        return events


class OneKey(AcmeSms):
    def event(self, told: Any, envelope: VerifiedEnvelope) -> Event:
        event = super().event(told, envelope)
        return evolve(event, key=str(event.provider_message_id))


class FirstOfBatch(AcmeRich):
    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        return super().parse(envelope)[:1]


class Guesses(AcmeSms):
    def event(self, told: Any, envelope: VerifiedEnvelope) -> Event:
        event = super().event(told, envelope)
        return evolve(event, kind=EventKind.DELIVERED) if event.kind is EventKind.UNKNOWN else event


class KeysByTime(AcmeSms):
    def event(self, told: Any, envelope: VerifiedEnvelope) -> Event:
        event = super().event(told, envelope)
        return evolve(event, key=f"{event.key}:{envelope.received_at.isoformat()}")


class Fragile(AcmeSms):
    def parse(self, envelope: VerifiedEnvelope) -> Sequence[Event]:
        return (self.event(json.loads(envelope.signed), envelope),)


class Talkative(AcmeSms):
    async def send(self, message: OutboundMessage) -> Accepted:
        self.services.logger.info("sending", to=message.to.value)
        return await super().send(message)


class Quotes(AcmeSms):
    def refusal(self, response: httpx.Response) -> ProviderError:
        error = super().refusal(response)
        error.__cause__ = RuntimeError(response.text)
        return error


class Traces(AcmeSms):
    async def send(self, message: OutboundMessage) -> Accepted:
        with trace.get_tracer("acme").start_as_current_span("send", attributes={"to": message.to.value}):
            return await super().send(message)


class AsksAloud(AcmeSms):
    async def lookup(self, attempt: AttemptRef) -> Found | Absent | Undetermined:
        logging.getLogger("acme").info("asked for %s", attempt.to.value)
        return await super().lookup(attempt)


class Whispers(AcmeSms):
    async def send(self, message: OutboundMessage) -> Accepted:
        with suppress(OSError), socket.create_connection(("127.0.0.2", 9), timeout=_SOON_S):
            """Somebody is told."""
        return await super().send(message)


class Secretive(AcmeSms):
    @property
    def hosts(self) -> Sequence[str]:
        return ("api.acme.example",)


class OneForAll(AcmeSms):
    first: ClassVar[list[str]] = []

    def __init__(self, config: Any, services: Any) -> None:
        super().__init__(config, services)
        self.first.append(config.base_url)
        self.settings = evolve(config, base_url=self.first[0])


class ClosesOnce(AcmeSms):
    closed = False

    async def aclose(self) -> None:
        if self.closed:
            raise RuntimeError
        self.closed = True


class AlwaysWell(AcmeSms):
    async def check(self) -> Health:
        return Health(ok=True, detail="certainly")


ZOO: dict[str, type[Channel]] = {
    "test_the_descriptor_is_complete": Shouting,
    "test_wrong_settings_are_refused_by_name": TakesBlanks,
    "test_credentials_are_typed_as_secrets": PlainToken,
    "test_what_is_asked_is_what_arrives": Ascii,
    "test_the_longest_text_arrives_whole": CutsTexts,
    "test_attachments_arrive_whole": NamesNothing,
    "test_what_is_denied_is_refused_before_any_io": Boastful,
    "test_free_text_passes_after_the_person_wrote": FormsOnly,
    "test_each_message_has_an_id_of_its_own": OneId,
    "test_a_repeated_call_is_one_message_where_that_is_declared": Forgetful,
    "test_looking_up_finds_what_was_sent": NeverThere,
    "test_a_refused_connection_means_not_transmitted": Timid,
    "test_a_cut_connection_never_denies_what_the_vendor_has": Denies,
    "test_a_timeout_is_told_by_when_it_came": LateIsNever,
    "test_a_slow_body_is_read_to_its_end_or_not_believed": FirstPiece,
    "test_a_wrong_protocol_is_told": Credulous,
    "test_a_tls_failure_means_not_transmitted": TrustsNoTls,
    "test_a_cancelled_call_ends_at_once": Stubborn,
    "test_waiting_never_blocks_the_loop": Blocking,
    "test_too_many_requests_are_waited_out": Impatient,
    "test_server_errors_promise_nothing": BlamesTheDebtor,
    "test_wrong_credentials_are_the_accounts_fault": RetriesLogins,
    "test_status_200_alone_accepts_nothing": StatusIsEnough,
    "test_a_broken_answer_is_unknown_not_refused": HalfIsNothing,
    "test_an_answer_of_the_wrong_shape_is_read_with_care": Stumbles,
    "test_declared_receipts_are_told": Confuses,
    "test_answers_are_told": Mumbles,
    "test_forged_webhooks_are_rejected": Trusting,
    "test_another_accounts_secret_does_not_verify": OneSecretForAll,
    "test_a_rotated_secret_still_verifies": NewestOnly,
    "test_late_webhooks_are_told": Punctual,
    "test_the_order_of_webhooks_changes_nothing": Orderly,
    "test_a_batch_of_webhooks_is_read_whole": FirstOfBatch,
    "test_an_unknown_kind_is_never_taken_for_another": Guesses,
    "test_a_redelivery_has_the_same_keys": KeysByTime,
    "test_signed_rubbish_is_rejected_or_says_nothing": Fragile,
    "test_nothing_personal_or_secret_is_told": Talkative,
    "test_only_declared_hosts_are_reached": Secretive,
    "test_two_accounts_stand_side_by_side": OneForAll,
    "test_it_can_be_closed_and_built_again": ClosesOnce,
    "test_check_tells_whether_it_works": AlwaysWell,
}


#: Further faults of checks that look at several things.
ALSO: list[tuple[str, type[Channel]]] = [
    ("test_attachments_arrive_whole", OpensFiles),
    ("test_the_order_of_webhooks_changes_nothing", OneKey),
    ("test_nothing_personal_or_secret_is_told", Quotes),
    ("test_nothing_personal_or_secret_is_told", AsksAloud),
    ("test_nothing_personal_or_secret_is_told", Traces),
    ("test_only_declared_hosts_are_reached", Whispers),
]


def names(cls: type[ChannelConformance]) -> set[str]:
    """
    Every standard check.
    """
    return {name for name in dir(cls) if name.startswith("test_")}


def test_every_check_has_its_mutant() -> None:
    """
    A check that nothing fails is no check.
    """
    assert set(ZOO) == names(ChannelConformance)


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        pytest.param(name, mutant, id=f"{name}-{mutant.__name__}")
        for name, mutant in [*sorted(ZOO.items(), key=lambda item: item[0]), *ALSO]
    ],
)
def test_every_mutant_is_caught_by_its_check(name: str, mutant: type[Channel]) -> None:
    """
    The failure says what was found, what was expected, and why that matters.
    """
    base = SignsChat if issubclass(mutant, AcmeChat) else SignsRich if issubclass(mutant, AcmeRich) else Signs
    kit = type("Kit", (base,), {"provider": mutant})()
    OneForAll.first.clear()

    with pytest.raises(AssertionError) as caught:
        getattr(kit, name)()

    words = str(caught.value)
    assert [line.partition(":")[0] for line in words.splitlines()[:3]] == ["found", "expected", "why it matters"]


def test_a_failure_shows_the_exchange() -> None:
    kit = type("Kit", (Signs,), {"provider": RetriesLogins})()

    with pytest.raises(AssertionError, match=r"exchange:\n  POST http://127\.0\.0\.1:\d+/messages -> 401"):
        kit.test_wrong_credentials_are_the_accounts_fault()


def test_a_standard_check_cannot_be_replaced() -> None:
    with pytest.raises(TypeError, match="replaces test_answers_are_told: standard checks cannot be overridden"):
        type("Kit", (Signs,), {"test_answers_are_told": lambda self: None})


def test_only_a_check_that_exists_is_skipped() -> None:
    skips = {"test_answers": Skip(reason="no answers yet", until=date(2026, 12, 31))}
    with pytest.raises(TypeError, match="skips names test_answers: there are no such checks"):
        type("Kit", (Signs,), {"skips": skips})


def test_a_skip_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="reason may not be blank"):
        Skip(reason=" ", until=date(2026, 12, 31))


@pytest.mark.parametrize(("today", "runs"), [(date(2026, 12, 31), False), (date(2027, 1, 1), True)])
def test_a_skip_ends(today: date, runs: bool) -> None:
    """
    The last day is included.
    """
    skips = {"test_answers_are_told": Skip(reason="the vendor mends it", until=date(2026, 12, 31))}
    kit = type("Kit", (Signs,), {"provider": Mumbles, "skips": skips, "today": today})()

    with pytest.raises(
        AssertionError if runs else pytest.skip.Exception, match="text" if runs else "the vendor mends it"
    ):
        kit.test_answers_are_told()


class FolderSandbox(Sandbox):
    """
    Stands in for a vendor that takes messages out of memory: it listens nowhere.
    """

    name = "acme_sms"
    listens = False
    taken: ClassVar[list[SandboxMessage]] = []

    def start(self) -> None:
        self.taken.clear()

    def stop(self) -> None: ...

    @property
    def settings(self) -> dict[str, Any]:
        return dict(AcmeSmsSandbox(clock=self.clock).settings)

    @property
    def received(self) -> Sequence[SandboxMessage]:
        return self.taken


class Folder(AcmeSms):
    @property
    def hosts(self) -> Sequence[str]:
        return ()

    async def send(self, message: OutboundMessage) -> Accepted:
        made = Accepted(provider_message_id=f"f-{len(FolderSandbox.taken)}")
        now = self.services.clock.now()
        FolderSandbox.taken.append(
            SandboxMessage(provider_message_id=made.provider_message_id, to=message.to, text=message.text, at=now)
        )
        return made


class Smuggler(Folder):
    async def send(self, message: OutboundMessage) -> Accepted:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
            return await super().send(message)


def test_a_channel_without_connections_has_no_wire_to_be_cut() -> None:
    """
    Where the emulator listens nowhere, the checks that stand between say that they do not apply.
    """
    kit = type("Kit", (Signs,), {"provider": Folder, "sandbox": FolderSandbox})()

    with pytest.raises(pytest.skip.Exception, match="not applicable: its emulator listens nowhere"):
        kit.test_a_cut_connection_never_denies_what_the_vendor_has()
    kit.test_only_declared_hosts_are_reached()


def test_a_channel_that_says_it_connects_to_nothing_is_held_to_it() -> None:
    """
    Whichever library opens a connection, it is seen: no channel gets past the wire by saying that there is none.
    """
    kit = type("Kit", (Signs,), {"provider": Smuggler, "sandbox": FolderSandbox})()

    with pytest.raises(AssertionError, match=r"found: connections to \['127.0.0.1'\]"):
        kit.test_only_declared_hosts_are_reached()
