"""
The tests that every payment provider passes.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import anyio
import httpx

from cobranza_sdk.model import InvalidValueError, Money
from cobranza_sdk.spec import Event, PaymentLink, PaymentProvider, ProviderError, WebhookRequest
from cobranza_sdk.testing._conformance import check, descriptor_problems, fail
from cobranza_sdk.testing._payment_bench import TEXT, later, telling
from cobranza_sdk.testing._payment_faults import FaultChecks
from cobranza_sdk.testing._payment_links import LinkChecks
from cobranza_sdk.testing._payment_money import MoneyChecks
from cobranza_sdk.testing._payment_webhooks import WebhookChecks
from cobranza_sdk.testing._settings import hold_credentials, hold_settings
from cobranza_sdk.testing._wire import overheard


class PaymentProviderConformance(WebhookChecks, FaultChecks, MoneyChecks, LinkChecks):
    """
    Subclass it in a test file, name the provider and its vendor's emulator, and pytest runs every check.

    Attributes:
        provider: The payment provider.
        sandbox: The vendor's emulator.
        settings: Settings beside those that the emulator gives.
        refusals: Bodies with status 200 with which this vendor refuses, beside the usual ones.
        replay_window: How long after its signing a webhook is taken; None where the vendor signs no time.
    """

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
            hold_settings(self.provider, bench.settings(), bench.clock)

    @check("what is no Secret is printed, logged and kept")
    def test_credentials_are_typed_as_secrets(self) -> None:
        hold_credentials(self.provider)

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
                    (can.expiry, "expires_at", lambda: provider.create_link(**bench.wanted(expires_at=later(bench)))),
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
                    for call in (bench.made, partial(telling, bench, payment_id)):
                        bench.wire.instead = httpx.Response(status, json=echo)
                        answer = await call(provider)
                        if isinstance(answer, ProviderError):
                            said.extend([repr(answer), str(answer), str(answer.__cause__ or "")])
                        bench.wire.instead = None
                bench.wire.altered = partial(_with_payer, payer)
                told = await bench.told(provider, payment_id)
                kept = [repr(told), json.dumps(dict(told.raw), default=str)] if isinstance(told, Event) else []
                said.extend([*kept, str(told)])

            with overheard() as lines:
                bench.run(talk)
            said += [*bench.log.lines, *lines]
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
                for call in (bench.made, partial(telling, bench, payment_id)):
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
            looks = bench.hold_check()
            if bench.sandbox.links:
                bench.fail("a link was made by checking", "no side effects")
            if looks:
                bench.hold_check_while_nobody_answers()


def _exists(currency: str) -> bool:
    try:
        Money(1, currency)
    except InvalidValueError:
        return False
    return True


def _with_payer(payer: Mapping[str, str], response: httpx.Response) -> httpx.Response:
    """
    The answer with what a vendor knows of the payer.
    """
    document = json.loads(response.content)
    if isinstance(document, dict):
        document |= {"payer": payer, "customer": payer, **payer}
    return httpx.Response(response.status_code, json=document)
