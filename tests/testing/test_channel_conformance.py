"""
The kit for channels, held against a zoo: the channel that `cobranza new channel` writes passes every check,
and each check has its own mutant.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

import attrs
import httpx
import pytest
from attrs import evolve, field, frozen

from cobranza_acme_sms._channel import SIGNATURE, AcmeSms, AcmeSmsSettings, sign
from cobranza_acme_sms._sandbox import AcmeSmsSandbox
from cobranza_sdk import (
    Absent,
    Accepted,
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


SECRET = str(AcmeSmsSandbox(clock=FixedClock(EPOCH)).settings["webhook_secret"])


class AcmeChat(AcmeSms):
    """
    The same where a conversation has to be open for free text.
    """

    capabilities = evolve(AcmeSms.capabilities, session_window=timedelta(hours=24), templates=True)

    def form(self, message: OutboundMessage) -> dict[str, Any]:
        form, template = super().form(message), message.template
        return form if template is None else form | {"template": template.name, "text": "\n".join(template.parameters)}


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


class TestByTheBook(Signs):
    """
    Nothing is wrong with it.
    """


class TestChatByTheBook(SignsChat):
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


class Stubborn(AcmeSms):
    async def send(self, message: OutboundMessage) -> Accepted:
        try:
            return await super().send(message)
        except asyncio.CancelledError:
            raise ProviderError.unrecognised() from None


class Blocking(AcmeSms):
    async def send(self, message: OutboundMessage) -> Accepted:
        body = json.dumps(self.form(message)).encode()
        answer = httpx.post(f"{self.settings.base_url}/messages", content=body, headers=self.headers())  # noqa: ASYNC210
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
    "test_free_text_passes_after_the_person_wrote": FormsOnly,
    "test_each_message_has_an_id_of_its_own": OneId,
    "test_a_repeated_call_is_one_message_where_that_is_declared": Forgetful,
    "test_looking_up_finds_what_was_sent": NeverThere,
    "test_a_refused_connection_means_not_transmitted": Timid,
    "test_a_cut_connection_never_denies_what_the_vendor_has": Denies,
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
    "test_a_redelivery_has_the_same_keys": KeysByTime,
    "test_signed_rubbish_is_rejected_or_says_nothing": Fragile,
    "test_nothing_personal_or_secret_is_told": Talkative,
    "test_only_declared_hosts_are_reached": Secretive,
    "test_two_accounts_stand_side_by_side": OneForAll,
    "test_it_can_be_closed_and_built_again": ClosesOnce,
    "test_check_tells_whether_it_works": AlwaysWell,
}


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


@pytest.mark.parametrize("name", sorted(ZOO))
def test_every_mutant_is_caught_by_its_check(name: str) -> None:
    """
    The failure says what was found, what was expected, and why that matters.
    """
    mutant = ZOO[name]
    base = SignsChat if issubclass(mutant, AcmeChat) else Signs
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

    with pytest.raises(AssertionError, match="found: 1 connections were opened"):
        kit.test_only_declared_hosts_are_reached()
