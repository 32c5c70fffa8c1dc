"""
Checks of links: what is asked for, and what comes back.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

from cobranza_sdk.model import InvalidValueError, Money
from cobranza_sdk.spec import (
    Event,
    PaymentLink,
    PaymentProvider,
    ProviderError,
    Transmitted,
    UnsupportedCapabilityError,
)
from cobranza_sdk.testing._bench import WRONG, at, leaves
from cobranza_sdk.testing._conformance import check, not_applicable
from cobranza_sdk.testing._payment_bench import (
    LOST,
    NO_ADDRESSES,
    REFERENCES,
    Bench,
    PaymentChecks,
    amounts_of,
    later,
    lost_answer,
    next_value,
    shaped,
)


class LinkChecks(PaymentChecks):
    """
    What is asked is what arrives, once, and nothing else is taken for it.
    """

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
        for currency in self.currencies():
            with self.bench(currency=currency) as bench:
                bench.run(partial(self._exact, bench))

    async def _exact(self, bench: Bench, provider: PaymentProvider) -> None:
        for amount in amounts_of(bench.currency):
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
            for reference in REFERENCES:
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
            ends_at = later(bench)
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
                naive = later(bench).replace(tzinfo=None)
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
                bench.wire.altered = partial(lost_answer, LOST[0])
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

    @check("vendors change their answers without notice; a link must still be the one that was asked for")
    def test_an_answer_of_the_wrong_shape_is_read_with_care(self) -> None:
        with self.bench() as bench:
            real = self.link_document(bench)

            async def all_shapes(provider: PaymentProvider) -> None:
                for path in leaves(real):
                    for wrong in WRONG:
                        bench.wire.altered = partial(shaped, path, wrong)
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

    @check("a link for another sum or another debt, sent to a debtor, collects what is not owed")
    def test_another_link_than_asked_for_is_no_link(self) -> None:
        with self.bench() as bench:
            real = self.link_document(bench)

            async def others(provider: PaymentProvider) -> None:
                for path in leaves(real):
                    value = at(real, path)
                    if isinstance(value, (dict, list, bool)) or value is None:
                        continue
                    asked = bench.wanted()
                    bench.wire.altered = partial(shaped, path, next_value(value))
                    answer = await bench.made(provider, **asked)
                    if isinstance(answer, PaymentLink):
                        where = f"{'.'.join(map(str, path))} = {next_value(value)!r}"
                        found = (answer.amount, answer.reference)
                        bench.expect([(f"with {where}: link", found, (asked["amount"], asked["reference"]))])

            bench.run(others)

    @check("people tap what a collector sends them: an address that is no safe one is a weapon in its name")
    def test_the_address_of_a_link_is_safe(self) -> None:
        with self.bench() as bench:
            real = self.link_document(bench)
            url = bench.sandbox.links[-1].url
            parts = urlsplit(url)
            if parts.scheme != "https" and (parts.scheme, parts.hostname) != ("http", "127.0.0.1"):
                bench.fail(f"address {url}", "https, or http on this machine")
            places = [path for path in leaves(real) if at(real, path) == url]
            if not places:
                not_applicable("its vendor's answer does not hold the address")

            async def unsafe(provider: PaymentProvider) -> None:
                for address in NO_ADDRESSES:
                    bench.wire.altered = partial(shaped, places[0], address)
                    error = await bench.made(provider)
                    if isinstance(error, PaymentLink):
                        bench.fail(f"a link with the address {address!r}", "a ProviderError")

            bench.run(unsafe)


def _other(bench: Bench) -> Money:
    return Money.of(130, bench.currency)


def _payment_id(event: Event) -> str:
    return event.provider_message_id or ""
