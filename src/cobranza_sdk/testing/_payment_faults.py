"""
Checks of bad days: wires that break, and vendors that refuse, hurry or rest.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from functools import partial

import anyio
import httpx
from anyio.lowlevel import checkpoint

from cobranza_sdk.spec import Category, Disposition, PaymentLink, PaymentProvider, ProviderError, Transmitted
from cobranza_sdk.testing._bench import GREETINGS, TLS_ALERT
from cobranza_sdk.testing._conformance import check, fail, not_applicable
from cobranza_sdk.testing._payment_bench import (
    LOST,
    MAX_CUTS,
    REFUSALS,
    SOON_S,
    Bench,
    PaymentChecks,
    cut_short,
    lost_answer,
    telling_nothing,
)


class FaultChecks(PaymentChecks):
    """
    Whatever happens, what is said of a link is true, and nothing is done twice.
    """

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
                    self.require_met(bench)
                    return answer

                error = bench.run(ask)
                if error.transmitted is not Transmitted.NO or error.disposition is not Disposition.RETRY:
                    bench.fail(f"{error} for {type(failing).__name__}", "transmitted: no, and to be tried again")

    @check("a link that the vendor has made and nobody knows of can be paid twice")
    def test_a_lost_answer_is_repeated_only_under_a_key(self) -> None:
        keyed = self.provider.capabilities.idempotency_window is not None
        with self.bench() as bench:
            for number, lost in enumerate(LOST, 1):

                async def ask(
                    provider: PaymentProvider, lost: Callable[[], httpx.HTTPError] = lost
                ) -> PaymentLink | ProviderError:
                    bench.wire.altered = partial(lost_answer, lost)
                    answer = await bench.made(provider)
                    self.require_met(bench)
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
        for pieces in range(MAX_CUTS):
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
        fail(f"after {MAX_CUTS} answers the exchange is still not over", "a call that ends")

    @check("a vendor behind the wrong port or a broken proxy must not be taken for one that made a link")
    def test_a_wrong_protocol_is_told(self) -> None:
        for greeting in GREETINGS:
            with self.bench(relayed=True) as bench:
                _, payment_id = bench.payment()
                bench.between.greeting = greeting
                bench.run(bench.unmade)
                bench.run(lambda provider, known=payment_id, bench=bench: bench.untold(provider, known))  # type: ignore[misc]  # bound now

    @check("a certificate that does not hold may be an attacker's: nothing is said to it, nothing was asked")
    def test_a_tls_failure_means_no_link(self) -> None:
        with self.bench(relayed=True) as bench:
            bench.between.greeting = TLS_ALERT
            secure = bench.secured()
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
                    with anyio.move_on_after(SOON_S) as scope:
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
                    with anyio.move_on_after(SOON_S):
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
                    for call in (bench.unmade, partial(telling_nothing, bench, payment_id)):
                        if isinstance(fault, httpx.Response):
                            bench.wire.instead = fault
                        else:
                            bench.wire.failing = fault
                        await call(provider)
                        self.require_met(bench)

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
            for body in (*REFUSALS, *self.refusals):
                self._answered(bench, payment_id, httpx.Response(200, json=body))

    @check("half an answer is no answer; but the vendor may have made the link")
    def test_a_broken_answer_is_unknown_not_refused(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()

            async def ask(provider: PaymentProvider) -> None:
                for keep in (0, 1, 0.5, 0.9):
                    for call in (bench.unmade, partial(telling_nothing, bench, payment_id)):
                        bench.wire.altered = partial(cut_short, keep)
                        error = await call(provider)
                        self.require_met(bench)
                        if error.transmitted is Transmitted.NO:
                            bench.fail(f"{error}", "transmitted: maybe or yes; the vendor has it")

            bench.run(ask)

    def _answered(self, bench: Bench, payment_id: str, response: httpx.Response) -> tuple[ProviderError, ProviderError]:
        """
        What the provider makes of an answer when it asks for a link, and for a payment.
        """

        async def ask(provider: PaymentProvider) -> tuple[ProviderError, ProviderError]:
            errors = []
            for call in (bench.unmade, partial(telling_nothing, bench, payment_id)):
                bench.wire.instead = httpx.Response(
                    response.status_code, headers=response.headers, content=response.content
                )
                errors.append(await call(provider))
                self.require_met(bench)
            return errors[0], errors[1]

        return bench.run(ask)
