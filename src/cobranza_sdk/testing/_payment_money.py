"""
Checks of payments: what was paid, what went back, and how exactly it is told.
"""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import httpx

from cobranza_sdk.model import EventKind, Money
from cobranza_sdk.spec import Disposition, Event, PaymentProvider, ProviderError, Transmitted
from cobranza_sdk.testing._bench import WRONG, at, leaves, replaced
from cobranza_sdk.testing._conformance import check, not_applicable
from cobranza_sdk.testing._payment_bench import (
    KINDS,
    LOST,
    NEW_WORD,
    NO_IDS,
    WORD,
    Bench,
    PaymentChecks,
    account_of,
    amounts_of,
    lost_answer,
    next_value,
    shaped,
)


class MoneyChecks(PaymentChecks):
    """
    What is told is what happened at the vendor, to the minor unit.
    """

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
                    ("account", told.account, bench.run(account_of)),
                    ("time", told.occurred_at.replace(microsecond=0), bench.clock.now().replace(microsecond=0)),
                    ("offset", told.occurred_at.utcoffset(), timedelta(0)),
                ]
            )

    @check("pending money is not there, rejected money never comes: only approved money lowers a debt")
    def test_every_outcome_has_its_kind(self) -> None:
        with self.bench() as bench:
            link = bench.run(bench.link)
            for outcome, kind in KINDS.items():
                payment_id = bench.sandbox.pay(link.id, outcome)
                if payment_id is None and outcome != "approved":
                    continue
                if payment_id is None:
                    bench.fail("the emulator's payers cannot pay", "an approved payment")
                told = bench.state(payment_id)
                bench.expect([(f"kind of a payment that is {outcome}", told.kind, kind)])

    @check("0.29 as a float is 28 cents, and a debt that was paid stays open")
    def test_amounts_are_read_to_the_minor_unit(self) -> None:
        for currency in self.currencies():
            with self.bench(currency=currency) as bench:
                bench.run(partial(self._read_exactly, bench))

    async def _read_exactly(self, bench: Bench, provider: PaymentProvider) -> None:
        for amount in amounts_of(bench.currency):
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
            one, other = (self.document_of(bench, each) for each in (payment_id, rejected))
            places = [
                path
                for path in leaves(one)
                if isinstance(word := at(one, path), str) and WORD.fullmatch(word) and _differs(other, path, word)
            ]
            if not places:
                not_applicable("no word of its vendor's answer tells approved from rejected")

            def alter(response: httpx.Response) -> httpx.Response:
                document = json.loads(response.content)
                for path in places:
                    replaced(document, path, NEW_WORD)
                return httpx.Response(response.status_code, json=document)

            async def ask(provider: PaymentProvider) -> Event | ProviderError:
                bench.wire.altered = alter
                return await bench.told(provider, payment_id)

            told = bench.run(ask)
            if isinstance(told, Event) and told.kind is not EventKind.UNKNOWN:
                bench.fail(f"{told.kind} for a status {NEW_WORD!r}", "unknown")

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
            for wrong in NO_IDS:
                bench.run(lambda provider, wrong=wrong: bench.untold(provider, wrong))  # type: ignore[misc]  # bound now

    @check("an answer about another payment, taken for the one asked for, is posted to the wrong debt")
    def test_another_payment_than_asked_for_is_no_payment(self) -> None:
        with self.bench() as bench:
            _, payment_id = bench.payment()
            document = self.document_of(bench, payment_id)
            places = [path for path in leaves(document) if str(at(document, path)) == payment_id]
            if not places:
                not_applicable("its vendor's answer does not hold the payment's id")

            def alter(response: httpx.Response) -> httpx.Response:
                told = json.loads(response.content)
                for path in places:
                    replaced(told, path, next_value(at(told, path)))
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
                bench.wire.altered = partial(lost_answer, LOST[0])
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

    @check("a damaged answer about money must not post a cent")
    def test_a_payment_of_the_wrong_shape_is_read_with_care(self) -> None:
        with self.bench() as bench:
            link, payment_id = bench.payment()
            real = self.document_of(bench, payment_id)

            async def all_shapes(provider: PaymentProvider) -> None:
                for path in leaves(real):
                    for wrong in WRONG:
                        bench.wire.altered = partial(shaped, path, wrong)
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


def _differs(document: Any, path: tuple[Any, ...], value: object) -> bool:
    try:
        return bool(at(document, path) != value)
    except (KeyError, IndexError, TypeError):
        return True
