"""
A bench for payment providers: links that are asked for, payments that are asked about, and what their checks share.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar, NoReturn

import httpx
from attrs import define, evolve

from cobranza_sdk.loading import FixedClock
from cobranza_sdk.model import EventKind, Money
from cobranza_sdk.spec import (
    Event,
    PaymentLink,
    PaymentProvider,
    PaymentSandbox,
    ProviderError,
    UnsupportedCapabilityError,
    WebhookRequest,
)
from cobranza_sdk.testing._bench import Workbench, beginning, replaced
from cobranza_sdk.testing._conformance import Conformance, fail, not_applicable
from cobranza_sdk.testing._providers import EPOCH
from cobranza_sdk.testing._wire import Hooks, Relay

#: What a payer reads: letters that 7-bit alphabets lack, a sign outside Latin-1, one outside the first plane.
TEXT = "Cuota de agosto, Señor Núñez: não é cobrança judicial, € 12,50 🙂"
MAX_CUTS = 60
MOST_CURRENCIES = 20
SOON_S = 0.3
#: Amounts in minor units that a float gets wrong, 0.29 and 2 ** 53 + 1 among them.
MINORS = (29, 115, 1607, 123_457, 9_007_199_254_740_993)
KINDS = {
    "approved": EventKind.PAYMENT_APPROVED,
    "pending": EventKind.PAYMENT_PENDING,
    "rejected": EventKind.PAYMENT_REJECTED,
}
#: Answers with status 200 that did nothing and tell nothing, as vendors give them.
REFUSALS: tuple[Any, ...] = (
    {"error": {"code": 1, "message": "no"}},
    {"code": 20001, "message": "no"},
    {"status": "rejected"},
    {},
    [],
    None,
    "ok",
)
NO_ADDRESSES = (
    "javascript:alert(1)",
    "http://pay.example.com/1",
    "https://user:word@pay.example.com/1",
    "https://",
    "//pay.example.com/1",
    "https://pay.example.com/a b",
    "https://pay.example.com/\r\nx",
    "ftp://pay.example.com/1",
)
NO_IDS = ("", " ", "../account", "a/b", "1?x=1", "1#x", "ñ", "9" * 5000, "1\r\nx: y")
LOST: tuple[Callable[[], httpx.HTTPError], ...] = (
    lambda: httpx.ReadTimeout("late"),
    lambda: httpx.ReadError("cut"),
    lambda: httpx.RemoteProtocolError("cut"),
)
NEW_WORD = "word_of_tomorrow"
WORD = re.compile(r"[A-Za-z][A-Za-z_ -]*")
REFERENCES = ("R-1", "r-1", "OUT_01.x:y-2", "01J9ZQ4T7M8N5P6R2S3V4W5X6Y7Z8A9B")


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


class PaymentChecks(Conformance):
    """
    What the checks of payment providers share. See `PaymentProviderConformance`.
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

    def document_of(self, bench: Bench, payment_id: str) -> Any:
        """
        The vendor's last answer when it is asked for a payment.
        """
        bench.state(payment_id)
        return self._last_document(bench)

    def currencies(self) -> list[str]:
        """
        Those whose amounts are checked.
        """
        return sorted(self.provider.capabilities.currencies)[:MOST_CURRENCIES]

    def link_document(self, bench: Bench) -> Any:
        """
        The vendor's last answer when it is asked for a link.
        """
        bench.run(bench.link)
        return self._last_document(bench)

    def _last_document(self, bench: Bench) -> Any:
        if not bench.wire.exchanges:
            not_applicable("it does not speak HTTP through its services")
        try:
            return json.loads(bench.wire.exchanges[-1].body)
        except ValueError:
            not_applicable("its vendor does not answer in JSON")

    def require_met(self, bench: Bench) -> None:
        """
        End the check, visibly, where what was prepared has met no request.
        """
        if bench.wire.is_armed:
            not_applicable("it does not speak HTTP through its services")


def amounts_of(currency: str) -> list[Money]:
    """
    A whole amount, and those that floats get wrong.
    """
    return [Money.of(120, currency), *(Money(minor, currency) for minor in MINORS)]


def later(bench: Bench) -> datetime:
    """
    Some days from now, told with another offset than UTC.
    """
    return (bench.clock.now() + timedelta(days=3, seconds=7)).astimezone(timezone(timedelta(hours=-5)))


async def account_of(provider: PaymentProvider) -> str:
    """
    Whom its settings speak for.
    """
    return provider.account


async def telling(bench: Bench, payment_id: str, provider: PaymentProvider) -> Event | ProviderError:
    """
    `Bench.told` with the provider last, for `Bench.run`.
    """
    return await bench.told(provider, payment_id)


async def telling_nothing(bench: Bench, payment_id: str, provider: PaymentProvider) -> ProviderError:
    """
    `Bench.untold` likewise.
    """
    return await bench.untold(provider, payment_id)


def lost_answer(error: Callable[[], httpx.HTTPError], _: httpx.Response) -> NoReturn:
    """
    The vendor has answered, and nobody hears it.
    """
    raise error()


def cut_short(keep: float, response: httpx.Response) -> httpx.Response:
    """
    The vendor's answer up to there.
    """
    return httpx.Response(response.status_code, headers=response.headers, content=beginning(keep, response.content))


def shaped(path: tuple[Any, ...], wrong: Any, response: httpx.Response) -> httpx.Response:
    """
    The vendor's answer with another value in one place.
    """
    return httpx.Response(response.status_code, json=replaced(json.loads(response.content), path, wrong))


def next_value(value: Any) -> Any:
    """
    Another value of the same type.
    """
    if isinstance(value, str):
        return str(int(value) + 1) if value.isdecimal() else f"{value}x"
    return value + 1
