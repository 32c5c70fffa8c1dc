"""
The tests that every channel passes.
"""

from __future__ import annotations

import json
import traceback
import typing
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

import anyio
import httpx
from anyio.lowlevel import checkpoint
from attrs import define, evolve

from cobranza_sdk.loading import FixedClock
from cobranza_sdk.model import Address, EventKind
from cobranza_sdk.spec import (
    Absent,
    Accepted,
    Action,
    Attachment,
    AttemptRef,
    Category,
    Channel,
    ChannelCapabilities,
    Disposition,
    Event,
    Found,
    MessageTemplate,
    OutboundMessage,
    ProviderError,
    Sandbox,
    Secret,
    Transmitted,
    UnsupportedCapabilityError,
    WebhookRejectedError,
    WebhookRequest,
    require_supported,
)
from cobranza_sdk.testing._bench import (
    GREETINGS,
    RUBBISH,
    TLS_ALERT,
    WRONG,
    Workbench,
    at,
    beginning,
    forgeries,
    leaves,
    replaced,
)
from cobranza_sdk.testing._conformance import (
    Conformance,
    check,
    descriptor_problems,
    fail,
    not_applicable,
)
from cobranza_sdk.testing._providers import EPOCH
from cobranza_sdk.testing._settings import hold_credentials, hold_settings
from cobranza_sdk.testing._wire import Hooks, Relay, overheard, reached

T = TypeVar("T")

#: Letters of these languages that 7-bit alphabets lack, a sign outside Latin-1, one outside the first plane.
TEXT = "Señor Núñez: su cuota de € 12,50 vence mañana. Não é cobrança judicial. ¿Dudas? Escríbanos 🙂"
_ADDRESSES = {"e164": "+51900100001", "email": "ana.prueba@example.com"}
#: Words with which people leave.
_LEAVE = ("BAJA", "SAIR")
_REPORTS = {"delivered": "deliver", "read": "read", "failed": "fail"}
_MAX_CUTS = 60
_SOON_S = 0.3
_LATE = timedelta(days=3)
#: What a person writes, to be found nowhere.
_SAID = "Soy Canaria Núñez, no me escriban al trabajo"
#: A file with every byte, ends of lines and of mails, and more than one packet.
_EVERY_BYTE = b"%PDF-1.4\r\n.\r\n..\n" + bytes(range(256)) * 300
#: Answers with status 200 that accept nothing, as vendors give them.
_REFUSALS: tuple[Any, ...] = (
    {"error": {"code": 1, "message": "no"}},
    {"code": 20001, "message": "no"},
    {"status": "rejected"},
    {},
    [],
    None,
    "ok",
)


@define
class Bench(Workbench[Sandbox]):
    """
    A channel, its vendor's emulator, and what stands between them.
    """

    def message(self, **changes: Any) -> OutboundMessage:
        """
        A message like no other.
        """
        self.count += 1
        can = self.cls.provider.capabilities
        told: dict[str, Any] = {
            "attempt_id": f"conformance-{self.count}",
            "idempotency_key": f"conformance-{self.count}",
            "channel": can.channel,
            "to": self.cls.address or Address(can.schemes[0], _ADDRESSES.get(can.schemes[0], "conformance-1")),
            "locale": "es-PE",
            "text": f"{TEXT} {self.count}",
            "subject": f"Su cuota, {self.count}" if can.subject else None,
            "callback_url": self.hooks.url,
        }
        if self.cls.template is not None and (can.session_window is not None or not can.free_text):
            told["template"] = self.cls.template
        return OutboundMessage(**{**told, **changes})

    async def sent(self, provider: Channel, message: OutboundMessage) -> Accepted | ProviderError:
        """
        Send; whatever is not of the contract is a problem.
        """
        try:
            answer: object = await provider.send(message)
        except ProviderError as error:
            return error
        except Exception as error:  # noqa: BLE001  # whatever a plugin raises
            name = type(error).__name__
            self.fail(f"send raised {name}", "an Accepted or a ProviderError that says what may be done")
        if not isinstance(answer, Accepted):
            self.fail(f"send returned {type(answer).__name__}", "an Accepted with the vendor's id")
        return answer

    async def refused(self, provider: Channel) -> ProviderError:
        """
        Send where nothing can be accepted.
        """
        answer = await self.sent(provider, self.message())
        if isinstance(answer, Accepted):
            self.fail("send claims that the vendor accepted", "a ProviderError")
        return answer


class ChannelConformance(Conformance):
    """
    Subclass it in a test file, name the channel and its vendor's emulator, and pytest runs every check.

    Attributes:
        provider: The channel.
        sandbox: The vendor's emulator.
        settings: Settings beside those that the emulator gives.
        address: A person's address that the emulator accepts; one of the first scheme when None.
        template: A template that the emulator knows, for channels that carry free text not at all or only after the
            person wrote.
        refusals: Bodies with status 200 with which this vendor refuses, beside the usual ones.
        attachment: A file that the vendor carries, for channels with attachments.
    """

    provider: ClassVar[type[Channel]]
    sandbox: ClassVar[type[Sandbox]]
    settings: ClassVar[Mapping[str, Any]] = {}
    address: ClassVar[Address | None] = None
    template: ClassVar[MessageTemplate | None] = None
    refusals: ClassVar[Sequence[Any]] = ()
    attachment: ClassVar[Attachment] = Attachment(
        filename="Estado de cuenta ñ.pdf", content_type="application/pdf", content=_EVERY_BYTE
    )

    def signed(self, sandbox: Sandbox, body: bytes, like: WebhookRequest) -> WebhookRequest | None:  # noqa: ARG002  # for subclasses
        """
        The webhook *like* with another body, signed as the vendor signs; None where no signature covers a body.

        To be written for channels with receipts or answers.
        """
        fail(
            "the test class does not write signed()",
            "a request that the vendor could have signed, to hold rubbish against",
        )

    def batched(self, sandbox: Sandbox, requests: Sequence[WebhookRequest]) -> WebhookRequest | None:  # noqa: ARG002  # for subclasses
        """
        One webhook that holds what *requests* hold, as the vendor batches and signs; None where it never does.

        To be written for vendors that report several things at once.
        """
        return None

    @classmethod
    def certifies(cls) -> tuple[str, str]:
        """
        Family and name of what it holds.
        """
        return "channel", cls.provider.name

    @contextmanager
    def bench(self, *, relayed: bool = False) -> Iterator[Bench]:
        """
        Everything a check needs, for tests of your own too.
        """
        clock = FixedClock(EPOCH)
        with Hooks(clock.now) as hooks, self.sandbox(clock=clock, webhook_url=hooks.url) as sandbox:
            if not relayed:
                yield Bench(cls=type(self), sandbox=sandbox, hooks=hooks, clock=clock)
                return
            if not sandbox.listens:
                not_applicable("its emulator listens nowhere: there is nothing to stand between")
            with Relay(sandbox.port) as relay:
                yield Bench(cls=type(self), sandbox=sandbox, hooks=hooks, clock=clock, relay=relay)

    # -- what it says of itself ------------------------------------------------------------------------------------

    @check("an operator finds, configures and trusts a provider by its descriptor")
    def test_the_descriptor_is_complete(self) -> None:
        cls, can = self.provider, self.provider.capabilities
        problems = descriptor_problems(cls)
        if can.lookup and cls.lookup is Channel.lookup:
            problems.append("lookup is declared and not written")
        if (can.receipts or can.inbound) and (cls.verify is Channel.verify or cls.parse is Channel.parse):
            problems.append("receipts or answers are declared, and verify or parse is not written")
        if can.attachment_links and not can.attachments:
            problems.append("attachment_links are declared without attachments")
        if can.template_parts and not can.templates:
            problems.append("template_parts are declared without templates")
        if self.sandbox.name != cls.name:
            problems.append(f"the emulator stands in for {self.sandbox.name!r}, expected {cls.name!r}")
        if problems:
            fail("; ".join(problems), "a descriptor that holds")

    @check("a slip in the configuration is found when it is read, not when the first debtor is written to")
    def test_wrong_settings_are_refused_by_name(self) -> None:
        with self.bench() as bench:
            hold_settings(self.provider, bench.settings(), bench.clock)

    @check("what is no Secret is printed, logged and kept")
    def test_credentials_are_typed_as_secrets(self) -> None:
        hold_credentials(self.provider)

    # -- sending ---------------------------------------------------------------------------------------------------

    @check("a debtor reads what was judged and recorded, to the letter, or the record is worth nothing")
    def test_what_is_asked_is_what_arrives(self) -> None:
        with self.bench() as bench:
            message = bench.message()
            answer = bench.run(lambda provider: bench.sent(provider, message))
            if isinstance(answer, ProviderError):
                bench.fail(f"the emulator's own answer became {answer}", "Accepted")
            if len(bench.sandbox.received) != 1:
                bench.fail(f"{len(bench.sandbox.received)} messages arrived", "one")
            got = bench.sandbox.received[0]
            pairs = [
                ("recipient", got.to, message.to),
                ("vendor's id", got.provider_message_id, answer.provider_message_id),
            ]
            if self.provider.capabilities.subject:
                pairs.append(("subject", got.subject, message.subject))
            if message.template is None:
                pairs.append(("text", got.text.strip(), message.text))
            else:
                pairs.append(("template", got.template, message.template.name))
                pairs.append(("parameters", got.text, "\n".join(message.template.parameters)))
            if self.provider.capabilities.correlation:
                pairs.append(("attempt id", got.attempt_id, message.attempt_id))
            for name, found, wanted in pairs:
                if found != wanted:
                    bench.fail(f"{name} {found!r} arrived", f"{wanted!r}")

    @check("a text that is cut off names no amount and no way to leave; nobody sees that it was")
    def test_the_longest_text_arrives_whole(self) -> None:
        longest = self.provider.capabilities.text_length
        if longest is None or not self.provider.capabilities.free_text:
            not_applicable("no length is declared")
        with self.bench() as bench:
            if self.provider.capabilities.session_window is not None:
                self._reported(bench, "reply", "¿Cuánto debo?")
            message = bench.message(template=None, text=("pague hoy " * longest)[: longest - 1] + ".")
            answer = bench.run(lambda provider: bench.sent(provider, message))
            got = bench.sandbox.received[-1].text.strip() if bench.sandbox.received else ""
            if not isinstance(answer, Accepted) or got != message.text:
                bench.fail(f"{answer}, and {len(got)} characters arrived", f"all {longest}, as declared")

    @check("a statement of account that is cut, renamed or another's is worse than none")
    def test_attachments_arrive_whole(self) -> None:
        can = self.provider.capabilities
        if not can.attachments:
            not_applicable("no attachments are declared")
        asked = [self.attachment]
        if can.attachment_links:
            kind = self.attachment.content_type
            asked.append(Attachment(filename="cuenta.pdf", content_type=kind, url="https://files.example.com/c.pdf"))
        with self.bench() as bench:
            for file in asked:
                message = bench.message(attachments=[file])
                answer = bench.run(partial(_send, bench, message))
                if not isinstance(answer, Accepted):
                    bench.fail(f"{answer}", "Accepted")
                got = bench.sandbox.received[-1].files
                if [(each.filename, each.content, each.url) for each in got] != [
                    (file.filename, file.content, file.url)
                ]:
                    told = ", ".join(f"{each.filename!r} of {len(each.content)} bytes" for each in got) or "no file"
                    wanted = f"{file.filename!r} of {len(file.content)} bytes"
                    bench.fail(f"{told} arrived", f"{wanted}, told by the emulator in SandboxMessage.files")
                if file.content and got[0].content_type != file.content_type:
                    bench.fail(f"type {got[0].content_type}", file.content_type)

    @check("what a channel cannot carry must not vanish on the way: half a message is sent, a whole one is recorded")
    def test_what_is_denied_is_refused_before_any_io(self) -> None:
        with self.bench() as bench:

            async def ask(provider: Channel) -> None:
                for name, message in _beyond(self.provider.capabilities, bench):
                    try:
                        require_supported(provider, message)
                        await bench.sent(provider, message)
                    except UnsupportedCapabilityError:
                        if not bench.wire.exchanges and not bench.sandbox.received:
                            continue
                        bench.fail(f"{name}: a request was made first", "the refusal before any I/O")
                    bench.fail(f"a message with {name} was taken", "UnsupportedCapabilityError: it is not declared")

            bench.run(ask)

    @check("within a conversation people expect words, not forms")
    def test_free_text_passes_after_the_person_wrote(self) -> None:
        can = self.provider.capabilities
        if can.session_window is None or not can.free_text or not can.inbound:
            not_applicable("free text needs no conversation")
        with self.bench() as bench:
            self._reported(bench, "reply", "¿Cuánto debo?")
            message = bench.message(template=None)
            answer = bench.run(lambda provider: bench.sent(provider, message))
            got = bench.sandbox.received[-1]
            if not isinstance(answer, Accepted) or (got.template, got.text.strip()) != (None, message.text):
                bench.fail(f"{answer}, and {got.text!r} arrived", f"{message.text!r}")

    @check("receipts are matched by the vendor's id: one id for two messages credits the wrong debtor")
    def test_each_message_has_an_id_of_its_own(self) -> None:
        with self.bench() as bench:

            async def several(provider: Channel) -> list[Accepted | ProviderError]:
                return [await bench.sent(provider, bench.message()) for _ in range(3)]

            ids = [answer.provider_message_id for answer in bench.run(several) if isinstance(answer, Accepted)]
            known = [message.provider_message_id for message in bench.sandbox.received]
            if len(set(ids)) != 3 or ids != known:  # noqa: PLR2004  # as many as were sent
                bench.fail(f"ids {ids}, while the emulator gave {known}", "the emulator's three ids, in order")

    @check("what the vendor offers as a safeguard against double sending has to be used")
    def test_a_repeated_call_is_one_message_where_that_is_declared(self) -> None:
        if self.provider.capabilities.idempotency_window is None:
            not_applicable("no idempotency window is declared")
        with self.bench() as bench:
            message = bench.message()

            async def twice(provider: Channel) -> list[Accepted | ProviderError]:
                return [await bench.sent(provider, message) for _ in range(2)]

            first, second = bench.run(twice)
            if len(bench.sandbox.received) != 1 or first != second:
                bench.fail(
                    f"{len(bench.sandbox.received)} messages for one key, answers {first} and {second}",
                    "one message and the same answer twice",
                )

    @check("an unknown outcome is cleared up by looking, or stays unknown; it is never guessed")
    def test_looking_up_finds_what_was_sent(self) -> None:
        with self.bench() as bench:
            message = bench.message()

            async def look(provider: Channel) -> None:
                absent = AttemptRef(
                    attempt_id=message.attempt_id, to=message.to, sent_at=bench.clock.now(), text=message.text
                )
                if not self.provider.capabilities.lookup:
                    await self._expect_unsupported(bench, provider, absent)
                    return
                if isinstance(found := await provider.lookup(absent), Found):
                    bench.fail(f"{found} before anything was sent", "Absent or Undetermined")
                answer = await bench.sent(provider, message)
                if not isinstance(answer, Accepted):
                    bench.fail(f"{answer}", "Accepted")
                sent_id = answer.provider_message_id
                for attempt in (absent, evolve(absent, provider_message_id=sent_id)):
                    found = await provider.lookup(attempt)
                    if isinstance(found, Absent):
                        bench.fail("Absent, while the vendor has it", "Found, or Undetermined in doubt")
                    if isinstance(found, Found) and found.provider_message_id != sent_id:
                        bench.fail(f"{found}", f"the id {sent_id}")
                    if attempt.provider_message_id is not None and not isinstance(found, Found):
                        bench.fail(f"{found} for the vendor's own id", "Found")

            bench.run(look)

    async def _expect_unsupported(self, bench: Bench, provider: Channel, attempt: AttemptRef) -> None:
        try:
            await provider.lookup(attempt)
        except UnsupportedCapabilityError:
            if bench.wire.exchanges:
                bench.fail("a request was made first", "the refusal before any I/O")
            return
        bench.fail("lookup answered", "UnsupportedCapabilityError, since it is not declared")

    # -- faults ----------------------------------------------------------------------------------------------------

    @check("what never left may be sent again; without this every outage costs a message")
    def test_a_refused_connection_means_not_transmitted(self) -> None:
        with self.bench(relayed=True) as bench:
            relay = bench.between
            relay.close()
            error = bench.run(bench.refused)
            if error.transmitted is not Transmitted.NO or error.disposition is Disposition.NEVER:
                bench.fail(f"{error}", "transmitted: no, and to be tried again")

    @check("'not transmitted' said of a message that is out sends it twice: the double charge of this trade")
    def test_a_cut_connection_never_denies_what_the_vendor_has(self) -> None:
        for pieces in range(_MAX_CUTS):
            with self.bench(relayed=True) as bench:
                relay = bench.between
                relay.cut_after = pieces
                answer = bench.run(lambda provider: bench.sent(provider, bench.message()))
                if not relay.was_cut:
                    return
                has_it = bool(bench.sandbox.received)
                if isinstance(answer, Accepted):
                    if not has_it or bench.sandbox.received[0].provider_message_id != answer.provider_message_id:
                        bench.fail(f"cut after {pieces} answers, {answer}", "no acceptance without the vendor's")
                elif has_it and answer.transmitted is Transmitted.NO:
                    bench.fail(f"cut after {pieces} answers: {answer}", "transmitted: maybe; the vendor has it")
        fail(f"after {_MAX_CUTS} answers the exchange is still not over", "a send that ends")

    @check("before bytes leave a time-out costs nothing; after that, trying again is a second message")
    def test_a_timeout_is_told_by_when_it_came(self) -> None:
        with self.bench() as bench:
            for early in (httpx.ConnectTimeout, httpx.PoolTimeout):
                error = self._timed_out(bench, unsent=early)
                if error.transmitted is not Transmitted.NO or error.disposition is Disposition.NEVER:
                    bench.fail(f"{early.__name__}: {error}", "transmitted: no, and to be tried again")
            for late in (httpx.WriteTimeout, httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError):
                error = self._timed_out(bench, unanswered=late)
                if error.transmitted is Transmitted.NO:
                    bench.fail(f"{late.__name__}: {error}", "transmitted: maybe; the vendor has it")

    def _timed_out(
        self,
        bench: Bench,
        *,
        unsent: type[httpx.TransportError] | None = None,
        unanswered: type[httpx.TransportError] | None = None,
    ) -> ProviderError:
        async def send(provider: Channel) -> ProviderError:
            bench.wire.unsent, bench.wire.unanswered = unsent, unanswered
            answer = await bench.sent(provider, bench.message())
            if not bench.wire.exchanges:
                not_applicable("it does not speak HTTP through its services")
            if isinstance(answer, Accepted):
                bench.fail(f"{answer}", "a ProviderError: nothing was answered")
            return answer

        return bench.run(send)

    @check("networks deliver answers in pieces, and some never to the end: a piece is not the answer")
    def test_a_slow_body_is_read_to_its_end_or_not_believed(self) -> None:
        with self.bench(relayed=True) as bench:
            bench.between.trickles = True

            async def send(provider: Channel) -> Accepted | ProviderError:
                bench.wire.trickles = True
                return await bench.sent(provider, bench.message())

            answer = bench.run(send)
            known = [message.provider_message_id for message in bench.sandbox.received]
            if not isinstance(answer, Accepted) or [answer.provider_message_id] != known:
                bench.fail(f"{answer} for an answer in pieces", f"Accepted with the vendor's id {known}")

            async def stall(provider: Channel) -> Accepted | ProviderError:
                bench.wire.stalls = True
                return await bench.sent(provider, bench.message())

            answer = bench.run(stall)
            if bench.wire.exchanges and (isinstance(answer, Accepted) or answer.transmitted is Transmitted.NO):
                bench.fail(f"{answer} for half an answer", "a ProviderError, transmitted: maybe; the vendor has it")

    @check("a vendor behind the wrong port or a broken proxy must not be taken for one that accepts")
    def test_a_wrong_protocol_is_told(self) -> None:
        for greeting in GREETINGS:
            with self.bench(relayed=True) as bench:
                relay = bench.between
                relay.greeting = greeting
                bench.run(bench.refused)

    @check("a certificate that does not hold may be an attacker's: nothing is said to it, nothing was sent")
    def test_a_tls_failure_means_not_transmitted(self) -> None:
        with self.bench(relayed=True) as bench:
            relay = bench.between
            relay.greeting = TLS_ALERT
            secure = bench.secured()
            if not secure:
                not_applicable("no setting of the emulator is an http address")
            error = bench.run(bench.refused, **secure)
            if error.transmitted is not Transmitted.NO:
                bench.fail(f"{error}", "transmitted: no")

    @check("the core ends a call at its deadline; what swallows that holds a worker for ever")
    def test_a_cancelled_call_ends_at_once(self) -> None:
        with self.bench(relayed=True) as bench:
            relay = bench.between
            relay.mute = True
            ended: list[bool] = []

            async def cancelled(provider: Channel) -> None:
                with anyio.move_on_after(_SOON_S) as scope:
                    await bench.sent(provider, bench.message())
                ended.append(scope.cancelled_caught)
                relay.release()

            bench.run(cancelled)
            if ended != [True]:
                bench.fail("the cancellation was swallowed", "CancelledError passed on")

    @check("one provider that blocks the event loop stops every other message and every webhook")
    def test_waiting_never_blocks_the_loop(self) -> None:
        with self.bench(relayed=True) as bench:
            relay = bench.between
            relay.mute = True

            answers: list[Accepted | ProviderError] = []

            async def send(provider: Channel) -> None:
                answers.append(await bench.sent(provider, bench.message()))

            async def both(provider: Channel) -> None:
                async with anyio.create_task_group() as group:
                    group.start_soon(send, provider)
                    while not relay.connections:  # told by a thread
                        await checkpoint()
                    relay.release()

            bench.run(both)
            if not isinstance(answers[0], Accepted):
                bench.fail(f"{answers[0]}, since nothing else ran meanwhile", "Accepted: the loop goes on")

    @check("a vendor's 429 says wait; hammering it gets the account closed, giving up loses the message")
    def test_too_many_requests_are_waited_out(self) -> None:
        with self.bench() as bench:
            later = format_datetime(bench.clock.now() + timedelta(seconds=9), usegmt=True)
            for headers, wait in (
                ({"Retry-After": "7"}, 7),
                ({"Retry-After": later}, 9),
                ({}, None),
                ({"Retry-After": "soon"}, None),
            ):
                error = self._answered(bench, httpx.Response(429, headers=headers, json={}))
                right = (error.category, error.disposition, error.transmitted) == (
                    Category.RATE_LIMIT,
                    Disposition.RETRY,
                    Transmitted.NO,
                )
                if not right or (wait is not None and error.retry_after != wait):
                    bench.fail(
                        f"{error}, retry_after {error.retry_after} for {headers}",
                        f"rate_limit, retry, not transmitted, {wait}",
                    )

    @check("a vendor that is down comes back; what it did with the message nobody knows unless it says so")
    def test_server_errors_promise_nothing(self) -> None:
        with self.bench() as bench:
            for status in (500, 502, 503, 504):
                for body in (b"", b"<html>gateway</html>", b'{"error": {"message": "down"}}'):
                    error = self._answered(bench, httpx.Response(status, content=body))
                    if error.transmitted is Transmitted.YES or error.category in (
                        Category.VALIDATION,
                        Category.RECIPIENT,
                    ):
                        bench.fail(f"{error} for {status}", "provider_down, transmitted: no or maybe")

    @check(
        "wrong credentials are mended by a person; repeated they lock the account, blamed on the debtor they lose them"
    )
    def test_wrong_credentials_are_the_accounts_fault(self) -> None:
        with self.bench() as bench:
            error = self._answered(bench, httpx.Response(401, json={}))
            if (
                error.category not in (Category.AUTH, Category.CONFIG)
                or error.disposition is not Disposition.FIX_FIRST
                or error.transmitted is not Transmitted.NO
            ):
                bench.fail(f"{error}", "auth, fix_first, not transmitted")

    @check("'accepted' without the vendor's id is a message that nobody can trace")
    def test_status_200_alone_accepts_nothing(self) -> None:
        with self.bench() as bench:
            for body in (*_REFUSALS, *self.refusals):
                self._answered(bench, httpx.Response(200, json=body))

    @check("half an answer is no answer; but the vendor may have the message")
    def test_a_broken_answer_is_unknown_not_refused(self) -> None:
        with self.bench() as bench:
            for keep in (0, 1, 0.5, 0.9):
                error = self._altered(bench, partial(beginning, keep))
                if error.transmitted is Transmitted.NO:
                    bench.fail(f"{error}", "transmitted: maybe or yes; the vendor has it")

    @check("vendors change their answers without notice; a worker that stumbles over one stops for all")
    def test_an_answer_of_the_wrong_shape_is_read_with_care(self) -> None:
        with self.bench() as bench:
            answer = bench.run(lambda provider: bench.sent(provider, bench.message()))
            if not bench.wire.exchanges:
                not_applicable("it does not speak HTTP through its services")
            if not isinstance(answer, Accepted):
                bench.fail(f"{answer}", "Accepted")
            try:
                real = json.loads(bench.wire.exchanges[-1].body)
            except ValueError:
                not_applicable("its vendor does not answer in JSON")

            async def all_shapes(provider: Channel) -> None:
                for path in leaves(real):
                    for wrong in WRONG:
                        await self._shaped(bench, provider, path, wrong)

            bench.run(all_shapes)

    async def _shaped(self, bench: Bench, provider: Channel, path: tuple[Any, ...], wrong: Any) -> None:
        def alter(response: httpx.Response) -> httpx.Response:
            return httpx.Response(response.status_code, json=replaced(json.loads(response.content), path, wrong))

        bench.wire.altered = alter
        answer = await bench.sent(provider, bench.message())
        where = f"{'.'.join(map(str, path))} = {wrong!r}"
        if isinstance(answer, Accepted):
            if answer.provider_message_id != bench.sandbox.received[-1].provider_message_id:
                bench.fail(f"{answer} for {where}", "the vendor's id or no acceptance")
        elif answer.transmitted is Transmitted.NO:
            bench.fail(f"{answer} for {where}", "transmitted: maybe or yes; the vendor has it")

    def _answered(self, bench: Bench, response: httpx.Response) -> ProviderError:
        """
        What the provider makes of an answer.
        """

        async def send(provider: Channel) -> ProviderError:
            bench.wire.instead = response
            answer = await bench.sent(provider, bench.message())
            if bench.wire.is_armed:
                not_applicable("it does not speak HTTP through its services")
            if isinstance(answer, Accepted):
                bench.fail(f"{answer}", "a ProviderError")
            return answer

        return bench.run(send)

    def _altered(self, bench: Bench, change: Callable[[bytes], bytes]) -> ProviderError:
        async def send(provider: Channel) -> ProviderError:
            bench.wire.altered = lambda response: httpx.Response(
                response.status_code, headers=response.headers, content=change(response.content)
            )
            answer = await bench.sent(provider, bench.message())
            if bench.wire.is_armed:
                not_applicable("it does not speak HTTP through its services")
            if isinstance(answer, Accepted):
                bench.fail(f"{answer}", "a ProviderError")
            return answer

        return bench.run(send)

    # -- webhooks --------------------------------------------------------------------------------------------------

    @check("a receipt that is declared and never read leaves every message 'sent' for ever")
    def test_declared_receipts_are_told(self) -> None:
        declared = sorted(self.provider.capabilities.receipts & _REPORTS.keys())
        if not declared:
            not_applicable("no receipts are declared")
        with self.bench() as bench:
            for kind in declared:
                message, requests = self._reported(bench, _REPORTS[kind])
                events = bench.events(requests)
                told = [event for event in events if event.kind == kind]
                if not told:
                    bench.fail(f"events {[str(event.kind) for event in events]}", f"one of the kind {kind}")
                wanted = bench.sandbox.received[-1].provider_message_id
                if told[0].provider_message_id != wanted and told[0].attempt_id != message.attempt_id:
                    bench.fail(f"{told[0]}", f"the vendor's id {wanted}")
                if told[0].account != bench.run(_account):
                    bench.fail(f"account {told[0].account}", "the account that these settings speak for")

    def _reported(
        self, bench: Bench, report: str, *words: str, needed: bool = True
    ) -> tuple[OutboundMessage, list[WebhookRequest]]:
        """
        A message that was sent, and the webhooks that the emulator then posts about it.
        """
        message = bench.message()
        answer = bench.run(lambda provider: bench.sent(provider, message))
        if not isinstance(answer, Accepted):
            bench.fail(f"{answer}", "Accepted")
        bench.hooks.take()
        status = getattr(bench.sandbox, report)(answer.provider_message_id, *words)
        requests = bench.hooks.take()
        if needed and (status is None or not requests):
            bench.fail(f"the emulator posts nothing for {report}", "a webhook, since the capability is declared")
        return message, requests

    @check("what a debtor writes is how they opt out, dispute and prove that they paid")
    def test_answers_are_told(self) -> None:
        if not self.provider.capabilities.inbound:
            not_applicable("no answers are declared")
        for words in ("¿Puedo pagar mañana? 🙂", *_LEAVE):
            with self.bench() as bench:
                message, requests = self._reported(bench, "reply", words, needed=words in _LEAVE)
                if not requests:  # a channel whose answers are clicks, not words
                    continue
                events = bench.events(requests)
                told = [event for event in events if event.kind in (EventKind.INBOUND_MESSAGE, EventKind.OPT_OUT)]
                if not told:
                    bench.fail(f"events {[str(event.kind) for event in events]}", "the answer")
                if told[0].kind is EventKind.INBOUND_MESSAGE and told[0].text != words:
                    bench.fail(f"text {told[0].text!r}", f"{words!r}")
                if told[0].address is not None and told[0].address.value != message.to.value:
                    bench.fail("another address", "the person's who was written to")

    def _a_webhook(self, bench: Bench) -> WebhookRequest:
        can = self.provider.capabilities
        reports = [(_REPORTS[kind], ()) for kind in sorted(can.receipts & _REPORTS.keys())]
        if can.inbound:
            reports.append(("reply", ("BAJA",)))  # type: ignore[arg-type]  # words of the person
        if not reports:
            not_applicable("neither receipts nor answers are declared")
        report, words = reports[0]
        return self._reported(bench, report, *words)[1][0]

    @check("whoever can post to a public address could otherwise mark debts as disputed or people as opted out")
    def test_forged_webhooks_are_rejected(self) -> None:
        with self.bench() as bench:
            request = self._a_webhook(bench)
            good = bench.events([request])
            bare = evolve(request, headers={}, url=request.url.partition("?")[0])
            if bench.outcome(bare) is not None:
                bench.fail("taken without headers and query", "WebhookRejectedError: nothing proves the sender")
            for name, forged in forgeries(request):
                found = bench.outcome(forged)
                if found is not None and _comparable(found) != _comparable(good):
                    bench.fail(f"taken with {name}: {found}", "WebhookRejectedError, or the same events")

    @check("a webhook of one account must not speak for another")
    def test_another_accounts_secret_does_not_verify(self) -> None:
        with self.bench() as bench:
            request = self._a_webhook(bench)
            hints = typing.get_type_hints(self.provider.config)
            secret = {
                name: _changed(value)
                for name, value in bench.settings().items()
                if isinstance(value, str) and value and _is_secret(hints.get(name))
            }
            if not secret:
                not_applicable("the emulator's settings hold no secret")

            async def verify(provider: Channel) -> bool:
                try:
                    provider.verify(request)
                except WebhookRejectedError:
                    return False
                return True

            if bench.run(verify, **secret):
                bench.fail("taken with other secrets", "WebhookRejectedError")

    @check("a secret is changed while webhooks signed with the old one are still under way")
    def test_a_rotated_secret_still_verifies(self) -> None:
        hints = typing.get_type_hints(self.provider.config)
        with self.bench() as bench:
            request = self._a_webhook(bench)
            real = {
                name: value
                for name, value in bench.settings().items()
                if isinstance(value, str) and value and _is_secret(hints.get(name), several=True)
            }
            if not real:
                not_applicable("no setting takes several secrets")
            good = _told(bench.events([request]))
            strange = {name: _changed(value) for name, value in real.items()}
            for order in ((strange, real), (real, strange)):
                both = {name: [table[name] for table in order] for name in real}
                try:
                    told = _told(bench.events([request], **both))
                except WebhookRejectedError:
                    bench.fail("refused while both secrets are configured", "the events, whichever secret signed")
                if told != good:
                    bench.fail(f"{told} while both secrets are configured", f"{good}")

    @check("a receipt that was held up for days is still the only word on what became of a message")
    def test_late_webhooks_are_told(self) -> None:
        with self.bench() as bench:
            requests = self._all_webhooks(bench)
            soon = _told(bench.events(requests))
            bench.clock.advance(_LATE)
            late = [evolve(request, received_at=request.received_at + _LATE) for request in requests]
            outcome = [self._taken_late(bench, request) for request in late]
            events = [event for found in outcome for event in found or ()]
            if None in outcome or _told(events) != soon:
                bench.fail(f"{_told(events)} after {_LATE.days} days", f"{soon}, as at once")
            if any(event.occurred_at > bench.clock.now() for event in events):
                bench.fail("an event of the future", "when it happened, or when it was received")

    def _taken_late(self, bench: Bench, request: WebhookRequest) -> list[Event] | None:
        """
        What is made of a late webhook. A signature that tells its time ends: then the vendor signs again.
        """
        found = bench.outcome(request)
        again = self.signed(bench.sandbox, request.body, request) if found is None else None
        return found if again is None else bench.outcome(again)

    @check("vendors promise no order: what is told may not hang on what was told before")
    def test_the_order_of_webhooks_changes_nothing(self) -> None:
        with self.bench() as bench:
            requests = self._all_webhooks(bench)
            forth, back = (bench.events(several) for several in (requests, requests[::-1]))
            if sorted(_told(forth)) != sorted(_told(back)):
                bench.fail(f"{_told(back)} in another order", f"{_told(forth)}, in any order")
            keys = [event.key for event in forth]
            if len(set(keys)) != len(keys):
                bench.fail(f"keys {keys}", "a key of its own for each event: one key is stored once")

    def _all_webhooks(self, bench: Bench) -> list[WebhookRequest]:
        """
        Whatever this vendor reports, of two messages.
        """
        can = self.provider.capabilities
        reports = [(_REPORTS[kind], ()) for kind in sorted(can.receipts & _REPORTS.keys())]
        if can.inbound:
            reports.append(("reply", ("BAJA",)))  # type: ignore[arg-type]  # words of the person
        if not reports:
            not_applicable("neither receipts nor answers are declared")

        async def two(provider: Channel) -> list[Accepted | ProviderError]:
            return [await bench.sent(provider, bench.message()) for _ in range(2)]

        answers = bench.run(two)
        bench.hooks.take()
        for answer in answers:
            if not isinstance(answer, Accepted):
                bench.fail(f"{answer}", "Accepted")
            for report, words in reports:
                getattr(bench.sandbox, report)(answer.provider_message_id, *words)
        return bench.hooks.take()

    @check("what a vendor packs into one webhook is told once: the rest of a batch has no second chance")
    def test_a_batch_of_webhooks_is_read_whole(self) -> None:
        with self.bench() as bench:
            requests = self._all_webhooks(bench)
            batch = self.batched(bench.sandbox, requests)
            if batch is None:
                not_applicable("its vendor reports one thing at a time; where it batches, write batched()")
            singly, together = bench.events(requests), bench.events([batch])
            if sorted(_told(together)) != sorted(_told(singly)):
                bench.fail(f"{_told(together)} out of a batch", f"{_told(singly)}, as one by one")

    @check("vendors deliver twice, late and out of order; only a stable key keeps one answer one answer")
    def test_a_redelivery_has_the_same_keys(self) -> None:
        with self.bench() as bench:
            request = self._a_webhook(bench)
            later = evolve(request, received_at=request.received_at + timedelta(hours=2))
            first, second = (bench.events([each]) for each in (request, later))
            if [event.key for event in first] != [event.key for event in second] or not first:
                bench.fail("other keys for the same webhook", "the same keys, at any time")
            keys = [event.key for event in first]
            if len(set(keys)) != len(keys):
                bench.fail(f"keys {keys}", "each once")

    @check("a vendor adds kinds of webhooks without asking; a signed one that stumbles is redelivered for days")
    def test_signed_rubbish_is_rejected_or_says_nothing(self) -> None:
        with self.bench() as bench:
            request = self._a_webhook(bench)
            huge = b'{"object": "' + b"x" * (self.provider.capabilities.webhook_bytes - 32) + b'"}'
            for body in (*RUBBISH, huge):
                signed = self.signed(bench.sandbox, body, request)
                if signed is None:
                    not_applicable("no signature covers a body")
                kinds = _kinds(bench, signed)
                if kinds - {EventKind.UNKNOWN}:
                    bench.fail(f"{kinds} out of {body[:40]!r}", "nothing, unknown, or WebhookRejectedError")

    @check("a new word of the vendor's, taken for one that is known, marks as paid for or lost what is neither")
    def test_an_unknown_kind_is_never_taken_for_another(self) -> None:
        declared = sorted(self.provider.capabilities.receipts & _REPORTS.keys())
        if not declared:
            not_applicable("no receipts are declared")
        with self.bench() as bench:
            for kind in declared:
                for request in self._reported(bench, _REPORTS[kind])[1]:
                    self._hold_strange_kinds(bench, request)

    def _hold_strange_kinds(self, bench: Bench, request: WebhookRequest) -> None:
        try:
            real = json.loads(request.body)
        except ValueError:
            not_applicable("its webhooks are no JSON")
        known = _kinds(bench, request) | {EventKind.UNKNOWN}
        for path in leaves(real):
            is_switch = isinstance(at(real, path), bool)  # its other position is no new word
            for strange in ("x_new_word", *(value for value in WRONG if not (is_switch and isinstance(value, bool)))):
                body = json.dumps(replaced(json.loads(request.body), path, strange)).encode()
                signed = self.signed(bench.sandbox, body, request)
                if signed is None:
                    not_applicable("no signature covers a body")
                beyond = _kinds(bench, signed) - known
                if beyond:
                    where = f"{'.'.join(map(str, path))} = {strange!r}"
                    bench.fail(f"{sorted(beyond)} for {where}", f"at most {sorted(known)}, or WebhookRejectedError")

    # -- what must not be seen, and whom it talks to ---------------------------------------------------------------

    @check("a name or number in a log is a leak that nobody can take back")
    def test_nothing_personal_or_secret_is_told(self) -> None:
        can = self.provider.capabilities
        with self.bench() as bench:
            message = bench.message(subject="Canario de asunto" if can.subject else None)
            if can.attachments:
                message = evolve(message, attachments=[evolve(self.attachment, filename="Canario Núñez.pdf")])
            echo = {"message": f"{message.to.value} {message.text}", "error": {"message": message.to.value, "code": 1}}
            said: list[str] = []

            async def talk(provider: Channel) -> None:
                said.extend([repr(provider), repr(provider.settings), str(provider.settings)])
                for status in (400, 401, 403, 500, 200):
                    bench.wire.instead = httpx.Response(status, json=echo)
                    said.extend(_words_of(await bench.sent(provider, message)))
                    bench.wire.instead = None
                said.extend(_words_of(await bench.sent(provider, message)))
                attempt = AttemptRef(attempt_id=message.attempt_id, to=message.to, sent_at=bench.clock.now())
                for _ in range(2 if can.lookup else 0):
                    said.extend(_words_of(await _answer_or_error(provider.lookup(attempt))))
                    bench.wire.instead = httpx.Response(500, json=echo)
                bench.wire.instead = None
                said.extend(_words_of(await _answer_or_error(provider.check())))

            with overheard() as lines:
                bench.run(talk)
                if can.inbound:
                    said += self._said_of_answers(bench)
            said += [*bench.log.lines, *lines]
            hints = typing.get_type_hints(self.provider.config)
            secrets = [
                value
                for name, value in bench.sandbox.settings.items()
                if isinstance(value, str) and value and _is_secret(hints.get(name))
            ]
            texts = [message.text, message.subject, *(message.template.parameters if message.template else ())]
            files = [file.filename for file in message.attachments]
            for canary in filter(None, (message.to.value, *_spelt(message.to.value), *texts, *files, *secrets, _SAID)):
                leaks = [line for line in said if canary in line]
                if leaks:
                    fail(f"told: {leaks[0][:120]}", "ids and codes only")

    def _said_of_answers(self, bench: Bench) -> list[str]:
        """
        What is said while a person's answer is read, rightly signed and forged.
        """
        said: list[str] = []
        for words in (_SAID, "BAJA"):
            for request in self._reported(bench, "reply", words, needed=False)[1]:
                bench.log.lines.append(repr(request))
                for each in (request, *(forged for _, forged in forgeries(request))):
                    try:
                        said += [repr(event) for event in bench.events([each])]
                    except WebhookRejectedError as error:
                        said += _words_of(error)
        return said

    @check("an operator opens a firewall for the hosts that a provider names, and for no other")
    def test_only_declared_hosts_are_reached(self) -> None:
        with self.bench() as bench:

            async def send(provider: Channel) -> set[str]:
                await bench.sent(provider, bench.message())
                return set(provider.hosts)

            with reached() as hosts:
                declared = bench.run(send)
            if not bench.sandbox.listens and hosts:  # whatever way it went: not only by its services
                bench.fail(f"connections to {sorted(hosts)}", "none, since its emulator listens nowhere")
            if not declared and bench.sandbox.listens:
                bench.fail("no hosts are declared", "every host that it connects to")
            strangers = (bench.wire.hosts | hosts) - declared - _addresses(declared)
            if strangers:
                bench.fail(f"reached {', '.join(sorted(strangers))}", f"only {', '.join(sorted(declared))}")

    @check("an agency runs many accounts of one vendor in one process")
    def test_two_accounts_stand_side_by_side(self) -> None:
        with self.bench() as one, self.bench() as two:

            async def send() -> None:
                async with one.provider() as first, two.provider() as second, anyio.create_task_group() as group:
                    for _ in range(3):
                        group.start_soon(one.sent, first, one.message(text="uno"))
                        group.start_soon(two.sent, second, two.message(text="dos"))

            anyio.run(send)
            for bench, word in ((one, "uno"), (two, "dos")):
                texts = [message.text.strip() for message in bench.sandbox.received if message.template is None]
                if len(bench.sandbox.received) != 3 or set(texts) - {word}:  # noqa: PLR2004  # as many as were sent
                    bench.fail(f"{len(bench.sandbox.received)} messages {texts}", f"three of {word!r}")

    @check("a process that cannot be shut down is killed, amid what it is doing")
    def test_it_can_be_closed_and_built_again(self) -> None:
        with self.bench() as bench:

            async def close(provider: Channel) -> None:
                await bench.sent(provider, bench.message())
                await provider.aclose()
                await provider.aclose()

            bench.run(close)
            answer = bench.run(lambda provider: bench.sent(provider, bench.message()))
            if not isinstance(answer, Accepted):
                bench.fail(f"{answer} after closing and building again", "Accepted")

    @check("doctor tells an operator what is wrong before the first message does")
    def test_check_tells_whether_it_works(self) -> None:
        with self.bench(relayed=True) as bench:
            looks = bench.hold_check()
            if bench.sandbox.received:
                bench.fail("a message was sent by checking", "no side effects")
            if looks:
                bench.hold_check_while_nobody_answers()


async def _account(provider: Channel) -> str:
    return provider.account


async def _send(bench: Bench, message: OutboundMessage, provider: Channel) -> Accepted | ProviderError:
    return await bench.sent(provider, message)


def _beyond(can: ChannelCapabilities, bench: Bench) -> Iterator[tuple[str, OutboundMessage]]:
    """
    Messages that ask for what is not declared, each with the name of that.
    """
    file = Attachment(filename="cuenta.pdf", content_type="application/pdf", content=b"%PDF-")
    link = evolve(file, content=b"", url="https://files.example.com/cuenta.pdf")
    form = MessageTemplate(name="conformance", language="es")
    wants: list[tuple[str, bool, dict[str, Any]]] = [
        ("an address of another scheme", False, {"to": Address("conformance", "conformance-1")}),
        ("a template", can.templates, {"template": form}),
        ("free text", can.free_text, {"template": None}),
        ("an attachment", can.attachments, {"attachments": [file]}),
        ("an attachment by its address", can.attachment_links, {"attachments": [link]}),
        ("HTML", can.html, {"html": "<p>Hola</p>"}),
        ("something to tap", can.actions, {"actions": [Action(id="pay", title="Pagar")]}),
    ]
    parts: dict[str, Any] = {"header": "Señora", "named": {"name": "Ana"}, "replies": {0: "no"}, "codes": {0: "PAY"}}
    wants += [
        (f"a template's {part}", part in can.template_parts, {"template": evolve(form, **{part: value})})
        for part, value in parts.items()
    ]
    if can.text_length is not None and can.free_text:
        wants.append(("too long a text", False, {"template": None, "text": "x" * (can.text_length + 1)}))
    for name, is_declared, asked in wants:
        if not is_declared:
            yield name, bench.message(**asked)


async def _answer_or_error(asked: Awaitable[object]) -> object:
    try:
        return await asked
    except Exception as error:  # noqa: BLE001  # what it says is looked at
        return error


def _words_of(answer: object) -> list[str]:
    """
    All that a host could print of an answer or an error: with what caused it, as a traceback shows that.
    """
    said = [repr(answer), str(answer)]
    if isinstance(answer, BaseException):
        told = traceback.TracebackException.from_exception(answer)
        said += list(told.format())
    return said


def _spelt(address: str) -> tuple[str, str]:
    """
    The address as it stands in a query, and without its plus sign.
    """
    return quote(address, safe=""), address.removeprefix("+")


def _addresses(hosts: Iterable[str]) -> set[str]:
    """
    The numbers behind names that this machine knows without asking anybody.
    """
    return {"127.0.0.1", "::1"} if "localhost" in hosts else set()


def _is_secret(hint: object, *, several: bool = False) -> bool:
    words = str(hint)
    return Secret.__name__ in words and (not several or words.startswith("tuple["))


def _changed(secret: str) -> str:
    return f"{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}"


def _told(events: Sequence[Event]) -> list[tuple[str, ...]]:
    """
    What events say, apart from when.
    """
    return [
        tuple(map(str, (each.key, each.kind, each.account, each.provider_message_id, each.attempt_id, each.text)))
        for each in events
    ]


def _comparable(events: Sequence[Event]) -> list[tuple[Event, str]]:
    """
    Events apart from their errors, which are equal only to themselves, and what these say.
    """
    return [(evolve(event, error=None), str(event.error)) for event in events]


def _kinds(bench: Bench, request: WebhookRequest) -> set[EventKind]:
    return {event.kind for event in bench.outcome(request) or ()}
