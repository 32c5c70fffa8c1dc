"""
The tests that every payment provider passes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import partial
from typing import Any, ClassVar, NoReturn
from urllib.parse import urlsplit

import anyio
import httpx
from anyio.lowlevel import checkpoint
from attrs import define, evolve

from cobranza_sdk.loading import ConfigurationError, FixedClock
from cobranza_sdk.model import EventKind, InvalidValueError, Money
from cobranza_sdk.spec import (
    Category,
    Disposition,
    Event,
    PaymentLink,
    PaymentProvider,
    PaymentSandbox,
    ProviderError,
    Transmitted,
    UnsupportedCapabilityError,
    WebhookRequest,
)
from cobranza_sdk.testing._bench import (
    RUBBISH,
    WRONG,
    Workbench,
    at,
    beginning,
    forgeries,
    leaves,
    other_secrets,
    replaced,
)
from cobranza_sdk.testing._conformance import (
    Conformance,
    check,
    descriptor_problems,
    fail,
    not_applicable,
    plain_credentials,
    wrong_settings,
)
from cobranza_sdk.testing._providers import EPOCH, make_provider
from cobranza_sdk.testing._wire import Hooks, Relay

#: What a payer reads: letters that 7-bit alphabets lack, a sign outside Latin-1, one outside the first plane.
TEXT = "Cuota de agosto, Señor Núñez: não é cobrança judicial, € 12,50 🙂"
_MAX_CUTS = 60
_MOST_CURRENCIES = 20
_SOON_S = 0.3
#: Amounts in minor units that a float gets wrong, 0.29 and 2 ** 53 + 1 among them.
_MINORS = (29, 115, 1607, 123_457, 9_007_199_254_740_993)
_KINDS = {
    "approved": EventKind.PAYMENT_APPROVED,
    "pending": EventKind.PAYMENT_PENDING,
    "rejected": EventKind.PAYMENT_REJECTED,
}
#: Answers with status 200 that did nothing and tell nothing, as vendors give them.
_REFUSALS: tuple[Any, ...] = (
    {"error": {"code": 1, "message": "no"}},
    {"code": 20001, "message": "no"},
    {"status": "rejected"},
    {},
    [],
    None,
    "ok",
)
_GREETINGS = (
    b"SSH-2.0-x\r\n",
    b"\x15\x03\x03\x00\x02\x02\x28",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot js",
)
_TLS_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
_NO_ADDRESSES = (
    "javascript:alert(1)",
    "http://pay.example.com/1",
    "https://user:word@pay.example.com/1",
    "https://",
    "//pay.example.com/1",
    "https://pay.example.com/a b",
    "https://pay.example.com/\r\nx",
    "ftp://pay.example.com/1",
)
_NO_IDS = ("", " ", "../account", "a/b", "1?x=1", "1#x", "ñ", "9" * 5000, "1\r\nx: y")
_LOST: tuple[Callable[[], httpx.HTTPError], ...] = (
    lambda: httpx.ReadTimeout("late"),
    lambda: httpx.ReadError("cut"),
    lambda: httpx.RemoteProtocolError("cut"),
)
_NEW_WORD = "word_of_tomorrow"
_WORD = re.compile(r"[A-Za-z][A-Za-z_ -]*")
_REFERENCES = ("R-1", "r-1", "OUT_01.x:y-2", "01J9ZQ4T7M8N5P6R2S3V4W5X6Y7Z8A9B")


@define
class Bench(Workbench[PaymentSandbox]):
    """
    A payment provider, its vendor's emulator, and what stands between them.
    """

    currency: str = ""

    def wanted(self, **changes: Any) -> dict[str, Any]:
        """
        What a link is asked for, like no other.
        """
        self.count += 1
        told: dict[str, Any] = {
            "amount": Money.of(120, self.currency),
            "reference": f"conformance-{self.count}",
            "description": f"{TEXT} {self.count}",
            "idempotency_key": f"conformance-{self.count}:12000",
        }
        return {**told, **changes}

    async def made(self, provider: PaymentProvider, **changes: Any) -> PaymentLink | ProviderError:
        """
        Ask for a link; whatever is not of the contract is a problem.
        """
        try:
            answer: object = await provider.create_link(**self.wanted(**changes))
        except ProviderError as error:
            return error
        except Exception as error:  # noqa: BLE001  # whatever a plugin raises
            name = type(error).__name__
            self.fail(f"create_link raised {name}", "a PaymentLink, or a ProviderError that says what may be done")
        if not isinstance(answer, PaymentLink):
            self.fail(f"create_link returned {type(answer).__name__}", "a PaymentLink")
        return answer

    async def link(self, provider: PaymentProvider, **changes: Any) -> PaymentLink:
        """
        A link, where nothing hinders it.
        """
        answer = await self.made(provider, **changes)
        if isinstance(answer, ProviderError):
            self.fail(f"the emulator's own answer became {answer}", "a PaymentLink")
        return answer

    async def unmade(self, provider: PaymentProvider, **changes: Any) -> ProviderError:
        """
        Ask for a link where none can be had.
        """
        answer = await self.made(provider, **changes)
        if isinstance(answer, PaymentLink):
            self.fail("create_link claims that there is a link", "a ProviderError")
        return answer

    async def told(self, provider: PaymentProvider, payment_id: str) -> Event | ProviderError:
        """
        Ask for a payment; whatever is not of the contract is a problem.
        """
        try:
            answer: object = await provider.fetch(payment_id)
        except ProviderError as error:
            return error
        except Exception as error:  # noqa: BLE001  # whatever a plugin raises
            name = type(error).__name__
            self.fail(f"fetch raised {name}", "an Event, or a ProviderError that says what may be done")
        if not isinstance(answer, Event):
            self.fail(f"fetch returned {type(answer).__name__}", "an Event")
        return answer

    async def untold(self, provider: PaymentProvider, payment_id: str) -> ProviderError:
        """
        Ask for a payment where nothing can be learnt.
        """
        answer = await self.told(provider, payment_id)
        if isinstance(answer, Event):
            self.fail(f"fetch tells {answer.kind} of {answer.money}", "a ProviderError")
        return answer

    def payment(self, outcome: str = "approved", **changes: Any) -> tuple[PaymentLink, str]:
        """
        A link that somebody paid at, and the payment's id.
        """
        link = self.run(lambda provider: self.link(provider, **changes))
        return link, self.paid(link.id, outcome)

    def paid(self, link_id: str, outcome: str = "approved") -> str:
        """
        Somebody pays at a link; returns the payment's id.
        """
        payment_id = self.sandbox.pay(link_id, outcome)
        if payment_id is None:
            not_applicable(f"no payment of this vendor is {outcome}")
        return payment_id

    def state(self, payment_id: str) -> Event:
        """
        How a payment stands, as a provider that was just built tells it.
        """
        answer = self.run(lambda provider: self.told(provider, payment_id))
        if isinstance(answer, ProviderError):
            self.fail(f"the emulator's own answer became {answer}", "an Event")
        return answer

    async def refused(self, what: str, call: Callable[[], Awaitable[Any]]) -> None:
        """
        Ask for what is not declared.
        """
        before = len(self.wire.exchanges)
        try:
            await call()
        except UnsupportedCapabilityError:
            if len(self.wire.exchanges) != before:
                self.fail(f"{what}: a request was made first", "the refusal before any I/O")
            return
        except ProviderError as error:
            self.fail(f"{what}: {error}", "UnsupportedCapabilityError, since it is not declared")
        self.fail(f"{what} did something", "UnsupportedCapabilityError, since it is not declared")

    def expect(self, pairs: Sequence[tuple[str, object, object]]) -> None:
        """
        Compare what was found with what was wanted, name by name.
        """
        for name, found, wanted in pairs:
            if found != wanted:
                self.fail(f"{name} {found!r}", f"{wanted!r}")


class PaymentProviderConformance(Conformance):
    """
    Subclass it in a test file, name the provider and its vendor's emulator, and pytest runs every check.

    Attributes:
        provider: The payment provider.
        sandbox: The vendor's emulator.
        settings: Settings beside those that the emulator gives.
        refusals: Bodies with status 200 with which this vendor refuses, beside the usual ones.
        replay_window: How long after its signing a webhook is taken; None where the vendor signs no time.
    """

    provider: ClassVar[type[PaymentProvider]]
    sandbox: ClassVar[type[PaymentSandbox]]
    settings: ClassVar[Mapping[str, Any]] = {}
    refusals: ClassVar[Sequence[Any]] = ()
    replay_window: ClassVar[timedelta | None] = None

    def signed(self, sandbox: PaymentSandbox, body: bytes, like: WebhookRequest) -> WebhookRequest | None:  # noqa: ARG002  # for subclasses
        """
        The webhook *like* with another body, signed as the vendor signs; None where no body is ever read.

        To be written for providers with webhooks.
        """
        fail(
            "the test class does not write signed()",
            "a request that the vendor could have signed, to hold rubbish against",
        )

    @classmethod
    def certifies(cls) -> tuple[str, str]:
        """
        Family and name of what it holds.
        """
        return "payment", cls.provider.name

    @contextmanager
    def bench(self, *, relayed: bool = False, currency: str | None = None) -> Iterator[Bench]:
        """
        Everything a check needs, for tests of your own too.
        """
        clock, currency = FixedClock(EPOCH), currency or min(self.provider.capabilities.currencies)
        with (
            Hooks(clock.now) as hooks,
            self.sandbox(clock=clock, webhook_url=hooks.url, currency=currency) as sandbox,
        ):
            plain = Bench(cls=type(self), sandbox=sandbox, hooks=hooks, clock=clock, currency=currency)
            if not relayed:
                yield plain
                return
            with Relay(sandbox.port) as relay:
                yield evolve(plain, relay=relay)

    # -- what it says of itself ------------------------------------------------------------------------------------

    @check("an operator finds, configures and trusts a provider by its descriptor")
    def test_the_descriptor_is_complete(self) -> None:
        cls, can = self.provider, self.provider.capabilities
        problems = descriptor_problems(cls)
        promised = {
            "cancel_link": can.cancel,
            "refund": can.refund,
            "find_links": can.search,
            "find_payments": can.search,
            "verify": can.webhooks,
            "parse": can.webhooks,
        }
        for name, is_promised in promised.items():
            if is_promised and getattr(cls, name) is getattr(PaymentProvider, name):
                problems.append(f"{name} is declared and not written")
        problems += [f"currency {code!r} is not of ISO 4217" for code in sorted(can.currencies) if not _exists(code)]
        if not can.currencies:
            problems.append("no currency is declared")
        if self.sandbox.name != cls.name:
            problems.append(f"the emulator stands in for {self.sandbox.name!r}, expected {cls.name!r}")
        if problems:
            fail("; ".join(problems), "a descriptor that holds")

    @check("a slip in the configuration is found when it is read, not when the first debtor wants to pay")
    def test_wrong_settings_are_refused_by_name(self) -> None:
        with self.bench() as bench:
            for wrong, name in wrong_settings(self.provider.config, bench.settings()):
                try:
                    make_provider(self.provider, wrong, clock=bench.clock)
                except ConfigurationError as error:
                    if name in str(error):
                        continue
                    fail(f"the error does not name {name}: {error}", "the key, in the error")
                fail(f"settings with a wrong or missing {name} were taken", "a ConfigurationError")

    @check("what is no Secret is printed, logged and kept")
    def test_credentials_are_typed_as_secrets(self) -> None:
        plain = plain_credentials(self.provider.config)
        if plain:
            fail(f"plain text: {', '.join(plain)}", "cobranza_sdk.Secret for every credential")

    @check("what is not declared must not look as if it had been done: the core relies on the refusal")
    def test_what_is_not_declared_is_refused_before_any_call(self) -> None:
        can = self.provider.capabilities
        with self.bench() as bench:
            link, payment_id = bench.payment()

            async def ask(provider: PaymentProvider) -> None:
                asked: list[tuple[bool, str, Callable[[], Awaitable[Any]]]] = [
                    (can.cancel, "cancel_link", lambda: provider.cancel_link(link.id)),
                    (can.refund, "refund", lambda: provider.refund(payment_id, idempotency_key="k")),
                    (can.search, "find_links", lambda: provider.find_links(link.reference)),
                    (can.search, "find_payments", lambda: provider.find_payments(link.reference)),
                    (can.expiry, "expires_at", lambda: provider.create_link(**bench.wanted(expires_at=_later(bench)))),
                ]
                for is_declared, what, call in asked:
                    if not is_declared:
                        await bench.refused(what, call)

            bench.run(ask)
            if not can.webhooks:
                empty = WebhookRequest(
                    method="POST", url=bench.hooks.url, headers={}, body=b"{}", received_at=bench.clock.now()
                )
                if bench.outcome(empty) is not None:
                    bench.fail("a webhook was taken", "WebhookRejectedError, since none are declared")

    # -- links -----------------------------------------------------------------------------------------------------

    @check("a debtor pays what the page shows, for what it names: it has to be what was asked for")
    def test_what_is_asked_is_what_arrives(self) -> None:
        with self.bench() as bench:
            asked = bench.wanted()
            link = bench.run(lambda provider: bench.link(provider, **asked))
            if len(bench.sandbox.links) != 1:
                bench.fail(f"{len(bench.sandbox.links)} links were made", "one")
            made = bench.sandbox.links[0]
            bench.expect(
                [
                    ("amount at the vendor", made.amount, asked["amount"]),
                    ("reference at the vendor", made.reference, asked["reference"]),
                    ("description at the vendor", " ".join(made.description.split()), asked["description"]),
                    ("amount", link.amount, asked["amount"]),
                    ("reference", link.reference, asked["reference"]),
                    ("id", link.id, made.id),
                    ("address", link.url, made.url),
                ]
            )

    @check("a cent that is rounded away stays owed for ever, and a debtor is chased for it")
    def test_amounts_arrive_to_the_minor_unit(self) -> None:
        for currency in self._currencies():
            with self.bench(currency=currency) as bench:
                bench.run(partial(self._exact, bench))

    async def _exact(self, bench: Bench, provider: PaymentProvider) -> None:
        for amount in _amounts(bench.currency):
            links, calls = len(bench.sandbox.links), len(bench.wire.exchanges)
            answer = await bench.made(provider, amount=amount)
            if isinstance(answer, ProviderError):
                # A vendor may take no fractions, or not as much: then nothing is asked of it.
                whole = amount == Money.of(120, bench.currency)
                if whole or answer.transmitted is not Transmitted.NO or len(bench.wire.exchanges) != calls:
                    bench.fail(f"{answer} for {amount}", "a link, or a refusal before any call")
            elif len(bench.sandbox.links) != links + 1 or bench.sandbox.links[-1].amount != amount:
                arrived = [each.amount for each in bench.sandbox.links[links:]]
                bench.fail(f"{arrived} for {amount}", f"{amount}")

    def _currencies(self) -> list[str]:
        return sorted(self.provider.capabilities.currencies)[:_MOST_CURRENCIES]

    @check("a link in another currency asks for another sum under the same number")
    def test_a_currency_that_is_not_declared_is_refused_before_any_call(self) -> None:
        declared = self.provider.capabilities.currencies
        strange = next((code for code in ("USD", "JPY", "KWD", "PEN", "CLP", "XAF") if code not in declared), None)
        if strange is None:
            not_applicable("every currency is declared")
        with self.bench() as bench:
            self._expect_refusal(bench, Money.of(120, strange))

    @check("a link over nothing, or over less, is a receipt for a debt that was never paid")
    def test_an_amount_that_is_not_above_zero_is_refused_before_any_call(self) -> None:
        with self.bench() as bench:
            for minor in (0, -100):
                self._expect_refusal(bench, Money(minor, bench.currency))

    def _expect_refusal(self, bench: Bench, amount: Money) -> None:
        async def ask(provider: PaymentProvider) -> None:
            try:
                answer: object = await provider.create_link(**bench.wanted(amount=amount))
            except (UnsupportedCapabilityError, InvalidValueError):
                answer = None
            except ProviderError as error:
                answer = error if error.transmitted is not Transmitted.NO else None
            if answer is not None or bench.wire.exchanges or bench.sandbox.links:
                bench.fail(f"{answer} for {amount}", "a refusal before any call, transmitted: no")

        bench.run(ask)

    @check("the reference is all that ties a payment to a debt")
    def test_a_reference_is_echoed_exactly(self) -> None:
        with self.bench() as bench:
            for reference in _REFERENCES:
                link, payment_id = bench.payment(reference=reference)
                told = bench.state(payment_id)
                bench.expect(
                    [
                        ("reference at the vendor", bench.sandbox.links[-1].reference, reference),
                        ("reference of the link", link.reference, reference),
                        ("reference of the payment", told.reference, reference),
                    ]
                )

    @check("a link that outlives its offer is paid after the debt was sold, settled or forgiven")
    def test_a_link_ends_when_it_was_asked_to(self) -> None:
        if not self.provider.capabilities.expiry:
            not_applicable("no expiry is declared")
        with self.bench() as bench:
            ends_at = _later(bench)
            link = bench.run(lambda provider: bench.link(provider, expires_at=ends_at))
            made = bench.sandbox.links[0]
            bench.expect([("end at the vendor", made.expires_at, ends_at), ("end", link.expires_at, ends_at)])
            bench.clock.set(ends_at + timedelta(seconds=1))
            if bench.sandbox.links[0].is_open:
                bench.fail("the link still works at the vendor", "that it has ended")

    @check("a naive end means another hour on each machine")
    def test_an_end_without_an_offset_is_refused(self) -> None:
        if not self.provider.capabilities.expiry:
            not_applicable("no expiry is declared")
        with self.bench() as bench:

            async def ask(provider: PaymentProvider) -> None:
                naive = _later(bench).replace(tzinfo=None)
                try:
                    await provider.create_link(**bench.wanted(expires_at=naive))
                except Exception:  # noqa: BLE001  # any refusal will do: it is a mistake of the caller
                    if not bench.wire.exchanges:
                        return
                bench.fail("an instant without offset was handed over", "a refusal before any call")

            bench.run(ask)

    @check("two links are found apart by their ids: one withdrawn for the other leaves a wrong one open")
    def test_each_link_has_an_id_of_its_own(self) -> None:
        with self.bench() as bench:

            async def several(provider: PaymentProvider) -> list[PaymentLink]:
                return [await bench.link(provider) for _ in range(3)]

            links = bench.run(several)
            made = [(link.id, link.url) for link in bench.sandbox.links]
            if len({link.id for link in links}) != 3 or [(link.id, link.url) for link in links] != made:  # noqa: PLR2004  # as many as were asked for
                bench.fail(f"ids {[link.id for link in links]}", f"the emulator's three, in order: {made}")

    @check("what the vendor offers as a safeguard against a second link has to be used: both can be paid")
    def test_a_repeated_call_is_one_link_where_that_is_declared(self) -> None:
        if self.provider.capabilities.idempotency_window is None:
            not_applicable("no idempotency window is declared")
        with self.bench() as bench:
            asked = bench.wanted()

            async def thrice(provider: PaymentProvider) -> list[PaymentLink]:
                bench.wire.altered = partial(_lost, _LOST[0])
                await bench.unmade(provider, **asked)
                return [await bench.link(provider, **asked) for _ in range(2)]

            first, second = bench.run(thrice)
            if len(bench.sandbox.links) != 1 or first != second:
                bench.fail(
                    f"{len(bench.sandbox.links)} links for one key, answers {first} and {second}",
                    "one link and the same answer each time, the first answer having been lost",
                )

    @check("an amount that is not owed any more must not be paid: the old link is withdrawn")
    def test_a_link_is_withdrawn(self) -> None:
        can = self.provider.capabilities
        if not can.cancel:
            not_applicable("cancel is not declared")
        with self.bench() as bench:

            async def withdraw(provider: PaymentProvider) -> None:
                gone, kept = await bench.link(provider), await bench.link(provider)
                await provider.cancel_link(gone.id)
                is_open = {link.id: link.is_open for link in bench.sandbox.links}
                bench.expect([("what still works", is_open, {gone.id: False, kept.id: True})])
                if can.search and await provider.find_links(gone.reference):
                    bench.fail("find_links still names it", "links that still work")
                try:
                    await provider.cancel_link(f"{gone.id[:-1]}{'x' if gone.id[-1] != 'x' else 'y'}")
                except ProviderError:
                    return
                bench.fail("a link that does not exist was withdrawn", "a ProviderError")

            bench.run(withdraw)

    @check("a link whose answer was lost is looked for before another one is made")
    def test_links_and_payments_are_found_by_reference(self) -> None:
        if not self.provider.capabilities.search:
            not_applicable("search is not declared")
        with self.bench() as bench:

            async def look(provider: PaymentProvider) -> None:
                none = [*await provider.find_links("R-1"), *await provider.find_payments("R-1")]
                short = await bench.link(provider, reference="R-1", idempotency_key="a")
                again = await bench.link(provider, reference="R-1", idempotency_key="b", amount=_other(bench))
                await bench.link(provider, reference="R-10", idempotency_key="c")
                ids = {bench.paid(short.id), bench.paid(again.id)}
                links = sorted(await provider.find_links("R-1"), key=lambda link: link.id)
                payments = list(await provider.find_payments("R-1"))
                fetched = [await provider.fetch(payment_id) for payment_id in sorted(ids)]
                bench.expect(
                    [
                        ("before there was anything", none, []),
                        ("links", links, sorted([short, again], key=lambda link: link.id)),
                        ("payments", sorted(payments, key=_payment_id), sorted(fetched, key=_payment_id)),
                    ]
                )

            bench.run(look)

    # -- payments --------------------------------------------------------------------------------------------------

    @check("what is posted to a debt is what fetch tells, and nothing else")
    def test_a_payment_is_told_whole(self) -> None:
        with self.bench() as bench:
            link, payment_id = bench.payment()
            told = bench.state(payment_id)
            bench.expect(
                [
                    ("kind", told.kind, EventKind.PAYMENT_APPROVED),
                    ("amount", told.money, link.amount),
                    ("given back", told.refunded or Money(0, bench.currency), Money(0, bench.currency)),
                    ("reference", told.reference, link.reference),
                    ("payment", told.provider_message_id, payment_id),
                    ("account", told.account, bench.run(_account)),
                    ("time", told.occurred_at.replace(microsecond=0), bench.clock.now().replace(microsecond=0)),
                    ("offset", told.occurred_at.utcoffset(), timedelta(0)),
                ]
            )

    @check("pending money is not there, rejected money never comes: only approved money lowers a debt")
    def test_every_outcome_has_its_kind(self) -> None:
        with self.bench() as bench:
            link = bench.run(bench.link)
            for outcome, kind in _KINDS.items():
                payment_id = bench.sandbox.pay(link.id, outcome)
                if payment_id is None and outcome != "approved":
                    continue
                if payment_id is None:
                    bench.fail("the emulator's payers cannot pay", "an approved payment")
                told = bench.state(payment_id)
                bench.expect([(f"kind of a payment that is {outcome}", told.kind, kind)])

    @check("0.29 as a float is 28 cents, and a debt that was paid stays open")
    def test_amounts_are_read_to_the_minor_unit(self) -> None:
        for currency in self._currencies():
            with self.bench(currency=currency) as bench:
                bench.run(partial(self._read_exactly, bench))

    async def _read_exactly(self, bench: Bench, provider: PaymentProvider) -> None:
        for amount in _amounts(bench.currency):
            if isinstance(await bench.made(provider, amount=amount), ProviderError):
                continue
            told = await bench.told(provider, bench.paid(bench.sandbox.links[-1].id))
            if isinstance(told, ProviderError) or told.money != bench.sandbox.links[-1].amount:
                bench.fail(f"{told if isinstance(told, ProviderError) else told.money} for {amount}", f"{amount}")

    @check("money that went back is owed again, that part and no more")
    def test_what_was_given_back_is_told(self) -> None:
        with self.bench() as bench:
            link, payment_id = bench.payment()
            part, half = Money.of(30, bench.currency), Money.of(60, bench.currency)
            whole = link.amount
            for given, back in ((part, part), (part, half), (None, whole)):
                if not bench.sandbox.give_back(payment_id, given):
                    not_applicable("this vendor gives nothing back")
                told = bench.state(payment_id)
                bench.expect(
                    [
                        ("kind", told.kind, EventKind.PAYMENT_REFUNDED),
                        ("amount", told.money, whole),
                        ("given back", told.refunded, back),
                    ]
                )

    @check("what the payer's bank took back is owed again; a debtor marked as paid is never asked")
    def test_a_charge_back_is_told(self) -> None:
        with self.bench() as bench:
            link, payment_id = bench.payment()
            if not bench.sandbox.charge_back(payment_id):
                not_applicable("this vendor knows no charge-backs")
            told = bench.state(payment_id)
            bench.expect(
                [
                    ("kind", told.kind, EventKind.PAYMENT_CHARGED_BACK),
                    ("amount", told.money, link.amount),
                    ("given back", told.refunded, link.amount),
                ]
            )

    @check("doubt is not recorded as fact: a status that nobody knows yet is no money")
    def test_a_new_status_is_unknown(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()
            rejected = bench.sandbox.pay(bench.sandbox.links[0].id, "rejected")
            if rejected is None:
                not_applicable("no payment of this vendor is rejected")
            one, other = (self._document(bench, each) for each in (payment_id, rejected))
            places = [
                path
                for path in leaves(one)
                if isinstance(word := at(one, path), str) and _WORD.fullmatch(word) and _differs(other, path, word)
            ]
            if not places:
                not_applicable("no word of its vendor's answer tells approved from rejected")

            def alter(response: httpx.Response) -> httpx.Response:
                document = json.loads(response.content)
                for path in places:
                    replaced(document, path, _NEW_WORD)
                return httpx.Response(response.status_code, json=document)

            async def ask(provider: PaymentProvider) -> Event | ProviderError:
                bench.wire.altered = alter
                return await bench.told(provider, payment_id)

            told = bench.run(ask)
            if isinstance(told, Event) and told.kind is not EventKind.UNKNOWN:
                bench.fail(f"{told.kind} for a status {_NEW_WORD!r}", "unknown")

    def _document(self, bench: Bench, payment_id: str) -> Any:
        """
        The vendor's last answer when it is asked for a payment.
        """
        bench.state(payment_id)
        if not bench.wire.exchanges:
            not_applicable("it does not speak HTTP through its services")
        try:
            return json.loads(bench.wire.exchanges[-1].body)
        except ValueError:
            not_applicable("its vendor does not answer in JSON")

    @check("an event is told again and again; by its key the core knows whether anything is new")
    def test_a_payment_has_the_same_key_until_it_changes(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()
            first = bench.state(payment_id).key
            bench.clock.advance(timedelta(hours=2))
            bench.expect([("key of an unchanged payment", bench.state(payment_id).key, first)])
            if bench.sandbox.give_back(payment_id) and bench.state(payment_id).key == first:
                bench.fail("the same key after it was given back", "another key")
            _, other = bench.payment()
            if bench.state(other).key == first:
                bench.fail("the same key for another payment", "another key")

    @check("an id that nobody knows must not become somebody's payment, nor lead to another address")
    def test_an_unknown_payment_is_an_error(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()
            last = payment_id[-1]
            absent = f"{payment_id[:-1]}{(int(last) + 5) % 10 if last.isdecimal() else 'x'}"
            bench.run(lambda provider: bench.untold(provider, absent))
            for wrong in _NO_IDS:
                bench.run(lambda provider, wrong=wrong: bench.untold(provider, wrong))  # type: ignore[misc]  # bound now

    @check("an answer about another payment, taken for the one asked for, is posted to the wrong debt")
    def test_another_payment_than_asked_for_is_no_payment(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()
            document = self._document(bench, payment_id)
            places = [path for path in leaves(document) if str(at(document, path)) == payment_id]
            if not places:
                not_applicable("its vendor's answer does not hold the payment's id")

            def alter(response: httpx.Response) -> httpx.Response:
                told = json.loads(response.content)
                for path in places:
                    replaced(told, path, _next(at(told, path)))
                return httpx.Response(response.status_code, json=told)

            async def ask(provider: PaymentProvider) -> None:
                bench.wire.altered = alter
                await bench.untold(provider, payment_id)

            bench.run(ask)

    # -- giving back -----------------------------------------------------------------------------------------------

    @check("a refund of the wrong amount is money lost, or a debtor who was promised more")
    def test_a_refund_gives_back_what_was_asked(self) -> None:
        if not self.provider.capabilities.refund:
            not_applicable("refund is not declared")
        with self.bench() as bench:
            link, payment_id = bench.payment()
            part, back = Money.of(30, bench.currency), Money.of(30, bench.currency)
            for given in (part, None):
                told = bench.run(
                    lambda provider, given=given: provider.refund(  # type: ignore[misc]  # bound now
                        payment_id, idempotency_key=f"refund-{given}", amount=given
                    )
                )
                stands = bench.state(payment_id)
                wanted = back if given is not None else link.amount
                bench.expect(
                    [
                        ("given back at the vendor", stands.refunded, wanted),
                        ("answer", (told.kind, told.money, told.refunded), (stands.kind, link.amount, wanted)),
                    ]
                )

    @check("a refund whose answer was lost is asked for again: twice the money must not go out")
    def test_a_repeated_refund_is_one(self) -> None:
        if not self.provider.capabilities.refund:
            not_applicable("refund is not declared")
        with self.bench() as bench:
            _, payment_id = bench.payment()
            part = Money.of(30, bench.currency)

            async def twice(provider: PaymentProvider) -> None:
                bench.wire.altered = partial(_lost, _LOST[0])
                for _ in range(2):
                    try:
                        await provider.refund(payment_id, idempotency_key="one", amount=part)
                    except ProviderError as error:
                        if error.transmitted is Transmitted.NO:
                            bench.fail(f"{error}", "transmitted: maybe or yes; the vendor did it")

            bench.run(twice)
            bench.expect([("given back by one key", bench.state(payment_id).refunded, part)])

    @check("more than was paid is never given back")
    def test_an_excessive_refund_is_refused(self) -> None:
        if not self.provider.capabilities.refund:
            not_applicable("refund is not declared")
        with self.bench() as bench:
            link, payment_id = bench.payment()
            more = Money(link.amount.minor * 2, bench.currency)

            async def ask(provider: PaymentProvider) -> None:
                try:
                    await provider.refund(payment_id, idempotency_key="more", amount=more)
                except ProviderError as error:
                    if error.transmitted is Transmitted.NO and error.disposition is not Disposition.RETRY:
                        return
                    bench.fail(f"{error}", "transmitted: no, and not to be tried again")
                bench.fail("more than was paid was given back", "a ProviderError")

            bench.run(ask)

    # -- faults ----------------------------------------------------------------------------------------------------

    @check("what never left may be asked again; without this every outage costs a link")
    def test_a_refused_connection_means_no_link(self) -> None:
        with self.bench(relayed=True) as bench:
            bench.between.close()
            error = bench.run(bench.unmade)
            if error.transmitted is not Transmitted.NO or error.disposition is not Disposition.RETRY:
                bench.fail(f"{error}", "transmitted: no, and to be tried again")

    @check("a time-out before a byte left did nothing; taken for doubt, it costs a link")
    def test_a_timeout_before_anything_left_means_no_link(self) -> None:
        with self.bench() as bench:
            for failing in (httpx.ConnectTimeout("late"), httpx.PoolTimeout("late")):

                async def ask(provider: PaymentProvider, failing: httpx.HTTPError = failing) -> ProviderError:
                    bench.wire.failing = failing
                    answer = await bench.unmade(provider)
                    self._require_met(bench)
                    return answer

                error = bench.run(ask)
                if error.transmitted is not Transmitted.NO or error.disposition is not Disposition.RETRY:
                    bench.fail(f"{error} for {type(failing).__name__}", "transmitted: no, and to be tried again")

    @check("a link that the vendor has made and nobody knows of can be paid twice")
    def test_a_lost_answer_is_repeated_only_under_a_key(self) -> None:
        keyed = self.provider.capabilities.idempotency_window is not None
        with self.bench() as bench:
            for number, lost in enumerate(_LOST, 1):

                async def ask(
                    provider: PaymentProvider, lost: Callable[[], httpx.HTTPError] = lost
                ) -> PaymentLink | ProviderError:
                    bench.wire.altered = partial(_lost, lost)
                    answer = await bench.made(provider)
                    self._require_met(bench)
                    return answer

                answer = bench.run(ask)
                if len(bench.sandbox.links) != number:
                    bench.fail(f"{len(bench.sandbox.links)} links after {number} calls", "one for each call")
                if isinstance(answer, PaymentLink):
                    bench.fail("create_link claims that there is a link", "a ProviderError: the answer was lost")
                if answer.transmitted is Transmitted.NO:
                    bench.fail(f"{answer}", "transmitted: maybe; the vendor has it")
                if answer.disposition is Disposition.RETRY and not keyed:
                    bench.fail(f"{answer}", "never, since the vendor honours no key")

    @check("'no link' said of one that exists makes a second: the double payment of this trade")
    def test_a_cut_connection_never_denies_what_the_vendor_has(self) -> None:
        for pieces in range(_MAX_CUTS):
            with self.bench(relayed=True) as bench:
                relay = bench.between
                relay.cut_after = pieces
                answer = bench.run(bench.made)
                if not relay.was_cut:
                    return
                has_it = bool(bench.sandbox.links)
                if isinstance(answer, PaymentLink):
                    if not has_it or bench.sandbox.links[0].id != answer.id:
                        bench.fail(f"cut after {pieces} answers, {answer}", "no link without the vendor's")
                elif has_it and answer.transmitted is Transmitted.NO:
                    bench.fail(f"cut after {pieces} answers: {answer}", "transmitted: maybe; the vendor has it")
        fail(f"after {_MAX_CUTS} answers the exchange is still not over", "a call that ends")

    @check("a vendor behind the wrong port or a broken proxy must not be taken for one that made a link")
    def test_a_wrong_protocol_is_told(self) -> None:
        for greeting in _GREETINGS:
            with self.bench(relayed=True) as bench:
                _, payment_id = bench.payment()
                bench.between.greeting = greeting
                bench.run(bench.unmade)
                bench.run(lambda provider, known=payment_id, bench=bench: bench.untold(provider, known))  # type: ignore[misc]  # bound now

    @check("a certificate that does not hold may be an attacker's: nothing is said to it, nothing was asked")
    def test_a_tls_failure_means_no_link(self) -> None:
        with self.bench(relayed=True) as bench:
            bench.between.greeting = _TLS_ALERT
            secure = {
                name: value.replace("http://127", "https://127")
                for name, value in bench.settings().items()
                if isinstance(value, str) and value.startswith("http://127")
            }
            if not secure:
                not_applicable("no setting of the emulator is an http address")
            error = bench.run(bench.unmade, **secure)
            if error.transmitted is not Transmitted.NO:
                bench.fail(f"{error}", "transmitted: no")

    @check("the core ends a call at its deadline; what swallows that holds a worker for ever")
    def test_a_cancelled_call_ends_at_once(self) -> None:
        with self.bench(relayed=True) as bench:
            link, payment_id = bench.payment()
            ended: dict[str, bool] = {}
            bench.between.mute = True

            async def cancelled(provider: PaymentProvider) -> None:
                for name, call in (
                    ("create_link", lambda: bench.made(provider)),
                    ("fetch", lambda: bench.told(provider, payment_id)),
                ):
                    with anyio.move_on_after(_SOON_S) as scope:
                        await call()
                    ended[name] = scope.cancelled_caught
                bench.between.release()

            bench.run(cancelled)
            bench.expect([(f"cancelled, with {link.id} made before", ended, {"create_link": True, "fetch": True})])

    @check("one provider that blocks the event loop stops every message and every webhook")
    def test_waiting_never_blocks_the_loop(self) -> None:
        for name in ("create_link", "fetch"):
            with self.bench(relayed=True) as bench:
                _, payment_id = bench.payment()
                relay = bench.between
                before, relay.mute = relay.connections, True

                async def both(
                    provider: PaymentProvider,
                    bench: Bench = bench,
                    name: str = name,
                    known: str = payment_id,
                    before: int = before,
                ) -> None:
                    relay = bench.between
                    async with anyio.create_task_group() as group:
                        if name == "create_link":
                            group.start_soon(bench.made, provider)
                        else:
                            group.start_soon(bench.told, provider, known)
                        while relay.connections == before:  # told by a thread
                            await checkpoint()
                        relay.release()

                bench.run(both)

    @check("the core sets the deadline: a provider with a shorter one of its own loses what the vendor did")
    def test_a_slow_answer_is_waited_for(self) -> None:
        with self.bench(relayed=True) as bench:
            relay = bench.between
            relay.mute = True
            links: list[PaymentLink] = []

            async def slowly(provider: PaymentProvider) -> None:
                async def ask() -> None:
                    links.append(await bench.link(provider))

                async with anyio.create_task_group() as group:
                    group.start_soon(ask)
                    with anyio.move_on_after(_SOON_S):
                        await anyio.sleep_forever()
                    relay.release()

            bench.run(slowly)
            bench.expect([("links", [link.id for link in links], [link.id for link in bench.sandbox.links])])

    @check("retrying is the core's, which knows of keys, deadlines and other workers")
    def test_nothing_is_tried_again_by_itself(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()

            async def ask(provider: PaymentProvider) -> None:
                for fault in (
                    httpx.Response(500),
                    httpx.Response(429, headers={"Retry-After": "0"}),
                    httpx.ConnectTimeout("late"),
                    httpx.ReadTimeout("late"),
                ):
                    for call in (bench.unmade, partial(_untold, bench, payment_id)):
                        if isinstance(fault, httpx.Response):
                            bench.wire.instead = fault
                        else:
                            bench.wire.failing = fault
                        await call(provider)
                        self._require_met(bench)

            bench.run(ask)

    @check("a vendor's 429 says wait; hammering it gets the account closed, giving up loses the link")
    def test_too_many_requests_are_waited_out(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()
            later = format_datetime(bench.clock.now() + timedelta(seconds=9), usegmt=True)
            for headers, wait in (
                ({"Retry-After": "7"}, 7),
                ({"Retry-After": later}, 9),
                ({}, None),
                ({"Retry-After": "soon"}, None),
            ):
                made, fetched = self._answered(bench, payment_id, httpx.Response(429, headers=headers, json={}))
                for error in (made, fetched):
                    right = (error.category, error.disposition) == (Category.RATE_LIMIT, Disposition.RETRY)
                    if not right or (wait is not None and error.retry_after != wait):
                        bench.fail(
                            f"{error}, retry_after {error.retry_after} for {headers}", f"rate_limit, retry, {wait}"
                        )
                if made.transmitted is not Transmitted.NO:
                    bench.fail(f"{made}", "transmitted: no")

    @check("a vendor that is down comes back; what it did nobody knows unless it says so")
    def test_server_errors_promise_nothing(self) -> None:
        keyed = self.provider.capabilities.idempotency_window is not None
        with self.bench() as bench:
            _, payment_id = bench.payment()
            for status in (500, 502, 503, 504):
                for body in (b"", b"<html>gateway</html>", b'{"error": {"message": "down"}}'):
                    made, fetched = self._answered(bench, payment_id, httpx.Response(status, content=body))
                    doubtful = made.transmitted is not Transmitted.NO
                    if made.category is Category.VALIDATION or made.transmitted is Transmitted.YES:
                        bench.fail(f"{made} for {status}", "provider_down, transmitted: no or maybe")
                    if doubtful and made.disposition is Disposition.RETRY and not keyed:
                        bench.fail(f"{made} for {status}", "never, since the vendor honours no key")
                    if fetched.category is Category.VALIDATION or fetched.disposition is not Disposition.RETRY:
                        bench.fail(f"{fetched} for {status}", "provider_down, retry: a question may be asked again")

    @check("wrong credentials are mended by a person; repeated they lock the account")
    def test_wrong_credentials_are_the_accounts_fault(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()
            made, fetched = self._answered(bench, payment_id, httpx.Response(401, json={}))
            for error in (made, fetched):
                if (
                    error.category not in (Category.AUTH, Category.CONFIG)
                    or error.disposition is not Disposition.FIX_FIRST
                ):
                    bench.fail(f"{error}", "auth, fix_first")
            if made.transmitted is not Transmitted.NO:
                bench.fail(f"{made}", "transmitted: no")

    @check("a link without address, or a payment without amount, is none, whatever the status says")
    def test_status_200_alone_says_nothing(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()
            for body in (*_REFUSALS, *self.refusals):
                self._answered(bench, payment_id, httpx.Response(200, json=body))

    @check("half an answer is no answer; but the vendor may have made the link")
    def test_a_broken_answer_is_unknown_not_refused(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()

            async def ask(provider: PaymentProvider) -> None:
                for keep in (0, 1, 0.5, 0.9):
                    for call in (bench.unmade, partial(_untold, bench, payment_id)):
                        bench.wire.altered = partial(_cut, keep)
                        error = await call(provider)
                        self._require_met(bench)
                        if error.transmitted is Transmitted.NO:
                            bench.fail(f"{error}", "transmitted: maybe or yes; the vendor has it")

            bench.run(ask)

    @check("vendors change their answers without notice; a link must still be the one that was asked for")
    def test_an_answer_of_the_wrong_shape_is_read_with_care(self) -> None:
        with self.bench() as bench:
            real = self._link_document(bench)

            async def all_shapes(provider: PaymentProvider) -> None:
                for path in leaves(real):
                    for wrong in WRONG:
                        bench.wire.altered = partial(_shaped, path, wrong)
                        answer = await bench.made(provider)
                        where = f"{'.'.join(map(str, path))} = {wrong!r}"
                        if isinstance(answer, PaymentLink):
                            made = bench.sandbox.links[-1]
                            found = (answer.id, answer.url, answer.reference, answer.amount)
                            if found != (made.id, made.url, made.reference, made.amount):
                                bench.fail(f"{answer} for {where}", "the vendor's link, or none")
                        elif answer.transmitted is Transmitted.NO:
                            bench.fail(f"{answer} for {where}", "transmitted: maybe or yes; the vendor has it")

            bench.run(all_shapes)

    def _link_document(self, bench: Bench) -> Any:
        bench.run(bench.link)
        if not bench.wire.exchanges:
            not_applicable("it does not speak HTTP through its services")
        try:
            return json.loads(bench.wire.exchanges[-1].body)
        except ValueError:
            not_applicable("its vendor does not answer in JSON")

    @check("a link for another sum or another debt, sent to a debtor, collects what is not owed")
    def test_another_link_than_asked_for_is_no_link(self) -> None:
        with self.bench() as bench:
            real = self._link_document(bench)

            async def others(provider: PaymentProvider) -> None:
                for path in leaves(real):
                    value = at(real, path)
                    if isinstance(value, (dict, list, bool)) or value is None:
                        continue
                    asked = bench.wanted()
                    bench.wire.altered = partial(_shaped, path, _next(value))
                    answer = await bench.made(provider, **asked)
                    if isinstance(answer, PaymentLink):
                        where = f"{'.'.join(map(str, path))} = {_next(value)!r}"
                        found = (answer.amount, answer.reference)
                        bench.expect([(f"with {where}: link", found, (asked["amount"], asked["reference"]))])

            bench.run(others)

    @check("people tap what a collector sends them: an address that is no safe one is a weapon in its name")
    def test_the_address_of_a_link_is_safe(self) -> None:
        with self.bench() as bench:
            real = self._link_document(bench)
            url = bench.sandbox.links[-1].url
            parts = urlsplit(url)
            if parts.scheme != "https" and (parts.scheme, parts.hostname) != ("http", "127.0.0.1"):
                bench.fail(f"address {url}", "https, or http on this machine")
            places = [path for path in leaves(real) if at(real, path) == url]
            if not places:
                not_applicable("its vendor's answer does not hold the address")

            async def unsafe(provider: PaymentProvider) -> None:
                for address in _NO_ADDRESSES:
                    bench.wire.altered = partial(_shaped, places[0], address)
                    error = await bench.made(provider)
                    if isinstance(error, PaymentLink):
                        bench.fail(f"a link with the address {address!r}", "a ProviderError")

            bench.run(unsafe)

    @check("a damaged answer about money must not post a cent")
    def test_a_payment_of_the_wrong_shape_is_read_with_care(self) -> None:
        with self.bench() as bench:
            link, payment_id = bench.payment()
            real = self._document(bench, payment_id)

            async def all_shapes(provider: PaymentProvider) -> None:
                for path in leaves(real):
                    for wrong in WRONG:
                        bench.wire.altered = partial(_shaped, path, wrong)
                        told = await bench.told(provider, payment_id)
                        where = f"{'.'.join(map(str, path))} = {wrong!r}"
                        if isinstance(told, ProviderError) or told.kind is EventKind.UNKNOWN:
                            continue
                        posted = told.kind is EventKind.PAYMENT_APPROVED
                        if told.provider_message_id != payment_id or (posted and told.money != link.amount):
                            bench.fail(f"{told} for {where}", "the payment as it is, unknown, or a ProviderError")
                        if told.kind in (EventKind.PAYMENT_REFUNDED, EventKind.PAYMENT_CHARGED_BACK):
                            bench.fail(f"{told.kind} for {where}", "nothing that was never told")

            bench.run(all_shapes)

    def _answered(self, bench: Bench, payment_id: str, response: httpx.Response) -> tuple[ProviderError, ProviderError]:
        """
        What the provider makes of an answer when it asks for a link, and for a payment.
        """

        async def ask(provider: PaymentProvider) -> tuple[ProviderError, ProviderError]:
            errors = []
            for call in (bench.unmade, partial(_untold, bench, payment_id)):
                bench.wire.instead = httpx.Response(
                    response.status_code, headers=response.headers, content=response.content
                )
                errors.append(await call(provider))
                self._require_met(bench)
            return errors[0], errors[1]

        return bench.run(ask)

    def _require_met(self, bench: Bench) -> None:
        if bench.wire.is_armed:
            not_applicable("it does not speak HTTP through its services")

    # -- webhooks --------------------------------------------------------------------------------------------------

    def _announced(self, bench: Bench, *payment_ids: str) -> list[WebhookRequest]:
        if not self.provider.capabilities.webhooks:
            not_applicable("no webhooks are declared")
        bench.hooks.take()
        status = bench.sandbox.announce(*payment_ids)
        requests = bench.hooks.take()
        if status is None or not requests:
            bench.fail("the emulator announces nothing", "a webhook, since they are declared")
        return requests

    def _a_webhook(self, bench: Bench) -> tuple[WebhookRequest, str]:
        _, payment_id = bench.payment()
        return self._announced(bench, payment_id)[0], payment_id

    @check("a webhook names a payment and is believed in nothing else; what it holds is asked for")
    def test_a_webhook_is_a_hint(self) -> None:
        with self.bench(relayed=True) as bench:
            link = bench.run(bench.link)
            for outcome, kind in _KINDS.items():
                payment_id = bench.sandbox.pay(link.id, outcome)
                if payment_id is None:
                    continue
                requests = self._announced(bench, payment_id)
                before = bench.between.connections
                events = bench.events(requests)
                if bench.wire.exchanges or bench.between.connections != before:
                    bench.fail("a request was made while a webhook was read", "no I/O: the core asks, later")
                if {event.provider_message_id for event in events} != {payment_id}:
                    named = [event.provider_message_id for event in events]
                    bench.fail(f"payments {named}", f"the payment {payment_id}")
                if {event.account for event in events} != {bench.run(_account)}:
                    bench.fail(f"account {events[0].account}", "the account that these settings speak for")
                told = bench.state(payment_id)
                bench.expect([("kind of what it names", told.kind, kind)])

    @check("whoever can post to a public address could otherwise make us ask for any payment")
    def test_forged_webhooks_are_rejected(self) -> None:
        with self.bench() as bench:
            request, _ = self._a_webhook(bench)
            good = bench.events([request])
            bare = evolve(request, headers={}, url=request.url.partition("?")[0])
            if bench.outcome(bare) is not None:
                bench.fail("taken without headers and query", "WebhookRejectedError: nothing proves the sender")
            for name, forged in forgeries(request):
                found = bench.outcome(forged)
                if found is not None and found != good:
                    bench.fail(f"taken with {name}: {found}", "WebhookRejectedError, or the same events")

    @check("an account that was set up without its secret must trust nobody, and one account not another's")
    def test_another_accounts_secret_does_not_verify(self) -> None:
        with self.bench() as bench:
            request, _ = self._a_webhook(bench)
            secrets = bench.secrets()
            if not secrets:
                not_applicable("the emulator's settings hold no secret")
            if bench.outcome(request, **other_secrets(secrets)) is not None:
                bench.fail("taken with other secrets", "WebhookRejectedError")

    @check("while a secret is rotated the vendor signs with both; a webhook refused is a payment not seen")
    def test_a_rotated_secret_verifies(self) -> None:
        with self.bench() as bench:
            request, _ = self._a_webhook(bench)
            good = bench.events([request])
            old = {name: value for name, value in bench.secrets().items() if self._is_several(name)}
            if not old:
                not_applicable("no setting takes several secrets")
            new = other_secrets(old)
            for several in ([new, old], [old, new]):
                both = {name: [each[name] for each in several] for name in old}
                if bench.outcome(request, **both) != good:
                    bench.fail("refused while the secret is rotated", "the same events")
            if bench.outcome(request, **{name: [value] for name, value in new.items()}) is not None:
                bench.fail("taken after the old secret was removed", "WebhookRejectedError")

    def _is_several(self, name: str) -> bool:
        return "tuple" in str(self.provider.config.__annotations__.get(name, "")).lower()

    @check("a webhook that somebody kept must not be played again a year later")
    def test_an_old_webhook_is_not_replayed(self) -> None:
        window = self.replay_window
        if window is None:
            not_applicable("its vendor signs no time")
        with self.bench() as bench:
            request, _ = self._a_webhook(bench)
            good, at_once = bench.events([request]), request.received_at
            for away in (window * 0.9, window * 1.1, timedelta(days=3650), -timedelta(days=1)):
                found = bench.outcome(evolve(request, received_at=at_once + away))
                wanted = good if timedelta(0) <= away <= window else None
                if found != wanted:
                    bench.fail(f"{'taken' if found else 'rejected'} {away} after its signing", f"{window} at most")

    @check("vendors deliver twice, late and out of order; only a stable key keeps one payment one payment")
    def test_a_redelivery_has_the_same_keys(self) -> None:
        late = timedelta(hours=2) if self.replay_window is None else min(timedelta(hours=2), self.replay_window / 2)
        with self.bench() as bench:
            _, one = bench.payment()
            _, two = bench.payment()
            first = self._announced(bench, one)
            later = [evolve(each, received_at=each.received_at + late) for each in first]
            keys, again = ([event.key for event in bench.events(each)] for each in (first, later))
            if keys != again or not keys:
                bench.fail(f"keys {again} for the webhook of {keys}", "the same keys, at any time")
            both = keys + [event.key for event in bench.events(self._announced(bench, two))]
            if len(set(both)) != len(both):
                bench.fail(f"keys {both}", "each once")

    @check("a batch that is read to its first entry loses every payment behind it")
    def test_several_payments_are_all_named(self) -> None:
        with self.bench() as bench:
            ids = [bench.payment()[1] for _ in range(3)]
            events = bench.events(self._announced(bench, *ids))
            named = {event.provider_message_id for event in events}
            if named != set(ids) or len({event.key for event in events}) != len(events):
                bench.fail(f"payments {named}, keys {[event.key for event in events]}", f"{ids}, each key once")

    @check("a vendor adds kinds of webhooks without asking; a signed one that stumbles is redelivered for days")
    def test_signed_rubbish_is_rejected_or_says_nothing(self) -> None:
        with self.bench() as bench:
            request, _ = self._a_webhook(bench)
            huge = b'{"object": "' + b"x" * (self.provider.capabilities.webhook_bytes - 32) + b'"}'
            for body in (*RUBBISH, huge):
                signed = self.signed(bench.sandbox, body, request)
                if signed is None:
                    not_applicable("no body is ever read")
                for event in bench.outcome(signed) or ():
                    if event.kind is not EventKind.UNKNOWN:
                        bench.fail(f"{event.kind} out of {body[:40]!r}", "nothing, unknown, or WebhookRejectedError")

    @check("new words and missing parts in a webhook are tomorrow's release of the vendor")
    def test_a_webhook_of_the_wrong_shape_is_read_with_care(self) -> None:
        with self.bench() as bench:
            request, payment_id = self._a_webhook(bench)
            try:
                real = json.loads(request.body)
            except ValueError:
                not_applicable("its vendor's webhooks are no JSON")
            for path in leaves(real):
                for wrong in (*WRONG, _NEW_WORD):
                    body = json.dumps(replaced(json.loads(request.body), path, wrong)).encode()
                    signed = self.signed(bench.sandbox, body, request)
                    if signed is None:
                        not_applicable("no body is ever read")
                    where = f"{'.'.join(map(str, path))} = {wrong!r}"
                    named = {payment_id, None, str(wrong), *(wrong if isinstance(wrong, list) else ())}
                    for event in bench.outcome(signed) or ():
                        if event.provider_message_id not in named:
                            bench.fail(f"{event} for {where}", f"{payment_id}, nothing, or WebhookRejectedError")

    # -- what must not be seen, and whom it talks to ---------------------------------------------------------------

    @check("a name, a number or a token in a log is a leak that nobody can take back")
    def test_nothing_personal_or_secret_is_told(self) -> None:
        with self.bench() as bench:
            link, payment_id = bench.payment()
            payer = {"name": "Canaria Secreta", "email": "canaria@example.com", "number": "4111000000001111"}
            echo = {"message": f"{payer} {TEXT}", "error": {"message": payer["email"], "code": payer["number"]}}
            said: list[str] = []

            async def talk(provider: PaymentProvider) -> None:
                said.extend([repr(provider), repr(provider.settings), str(provider.settings), repr(link)])
                for status in (400, 401, 403, 404, 500, 200):
                    for call in (bench.made, partial(_told, bench, payment_id)):
                        bench.wire.instead = httpx.Response(status, json=echo)
                        answer = await call(provider)
                        if isinstance(answer, ProviderError):
                            said.extend([repr(answer), str(answer), str(answer.__cause__ or "")])
                        bench.wire.instead = None
                bench.wire.altered = partial(_with_payer, payer)
                told = await bench.told(provider, payment_id)
                kept = [repr(told), json.dumps(dict(told.raw), default=str)] if isinstance(told, Event) else []
                said.extend([*kept, str(told)])

            bench.run(talk)
            said += bench.log.lines
            for canary in (*payer.values(), TEXT, link.url, *bench.secrets().values()):
                leaks = [line for line in said if canary in line]
                if leaks:
                    fail(f"told: {leaks[0][:120]}", "ids, words of status and codes only")

    @check("an operator opens a firewall for the hosts that a provider names, and for no other")
    def test_only_declared_hosts_are_reached(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()

            async def talk(provider: PaymentProvider) -> set[str]:
                await bench.link(provider)
                for call in (bench.made, partial(_told, bench, payment_id)):
                    bench.wire.instead = httpx.Response(307, headers={"Location": "http://127.0.0.2:9/taken"})
                    await call(provider)
                return set(provider.hosts)

            declared = bench.run(talk)
            if not declared:
                bench.fail("no hosts are declared", "every host that it connects to")
            strangers = bench.wire.hosts - declared
            if strangers:
                bench.fail(f"reached {', '.join(sorted(strangers))}", f"only {', '.join(sorted(declared))}")

    @check("an agency runs many accounts of one vendor in one process")
    def test_two_accounts_stand_side_by_side(self) -> None:
        with self.bench() as one, self.bench() as two:

            async def ask() -> None:
                async with one.provider() as first, two.provider() as second, anyio.create_task_group() as group:
                    for number in range(3):
                        group.start_soon(partial(one.made, first, reference=f"uno-{number}"))
                        group.start_soon(partial(two.made, second, reference=f"dos-{number}"))

            anyio.run(ask)
            for bench, word in ((one, "uno"), (two, "dos")):
                found = sorted(link.reference for link in bench.sandbox.links)
                bench.expect([("links", found, [f"{word}-{number}" for number in range(3)])])

    @check("a process that cannot be shut down is killed, amid what it is doing")
    def test_it_can_be_closed_and_built_again(self) -> None:
        with self.bench() as bench:

            async def close(provider: PaymentProvider) -> None:
                await bench.link(provider)
                await provider.aclose()
                await provider.aclose()

            bench.run(close)
            answer = bench.run(bench.made)
            if not isinstance(answer, PaymentLink):
                bench.fail(f"{answer} after closing and building again", "a PaymentLink")

    @check("doctor tells an operator what is wrong before the first debtor does")
    def test_check_tells_whether_it_works(self) -> None:
        with self.bench(relayed=True) as bench:
            health = bench.run(lambda provider: provider.check())
            if not health.ok:
                bench.fail(f"{health} with the emulator's own settings", "ok")
            if bench.sandbox.links:
                bench.fail("a link was made by checking", "no side effects")
            if health.detail == "nothing to check":
                return
            bench.between.close()

            async def ask(provider: PaymentProvider) -> bool:
                try:
                    return (await provider.check()).ok
                except ProviderError:
                    return False

            if bench.run(ask):
                bench.fail("ok, while nobody can be reached", "not ok, or a ProviderError")


def _exists(currency: str) -> bool:
    try:
        Money(1, currency)
    except InvalidValueError:
        return False
    return True


def _amounts(currency: str) -> list[Money]:
    return [Money.of(120, currency), *(Money(minor, currency) for minor in _MINORS)]


def _other(bench: Bench) -> Money:
    return Money.of(130, bench.currency)


def _later(bench: Bench) -> datetime:
    """
    Some days from now, told with another offset than UTC.
    """
    return (bench.clock.now() + timedelta(days=3, seconds=7)).astimezone(timezone(timedelta(hours=-5)))


def _payment_id(event: Event) -> str:
    return event.provider_message_id or ""


async def _account(provider: PaymentProvider) -> str:
    return provider.account


async def _told(bench: Bench, payment_id: str, provider: PaymentProvider) -> Event | ProviderError:
    return await bench.told(provider, payment_id)


async def _untold(bench: Bench, payment_id: str, provider: PaymentProvider) -> ProviderError:
    return await bench.untold(provider, payment_id)


def _lost(error: Callable[[], httpx.HTTPError], _: httpx.Response) -> NoReturn:
    """
    The vendor has answered, and nobody hears it.
    """
    raise error()


def _cut(keep: float, response: httpx.Response) -> httpx.Response:
    return httpx.Response(response.status_code, headers=response.headers, content=beginning(keep, response.content))


def _shaped(path: tuple[Any, ...], wrong: Any, response: httpx.Response) -> httpx.Response:
    return httpx.Response(response.status_code, json=replaced(json.loads(response.content), path, wrong))


def _with_payer(payer: Mapping[str, str], response: httpx.Response) -> httpx.Response:
    """
    The answer with what a vendor knows of the payer.
    """
    document = json.loads(response.content)
    if isinstance(document, dict):
        document |= {"payer": payer, "customer": payer, **payer}
    return httpx.Response(response.status_code, json=document)


def _differs(document: Any, path: tuple[Any, ...], value: object) -> bool:
    try:
        return bool(at(document, path) != value)
    except (KeyError, IndexError, TypeError):
        return True


def _next(value: Any) -> Any:
    """
    Another value of the same type.
    """
    if isinstance(value, str):
        return str(int(value) + 1) if value.isdecimal() else f"{value}x"
    return value + 1
