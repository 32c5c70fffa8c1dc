"""
Payments from the webhook to the debt: the vendor's emulator over real HTTP, a real SQLite file.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest

from cobranza_sdk import Cobranza, ConfigurationError, Event, EventKind, Money, Payment, ProviderError, WebhookRequest
from cobranza_sdk.loading import FixedClock, load_plugins
from cobranza_sdk.testing import make_provider

pytest.importorskip("cobranza_mercado_pago", reason="the Mercado Pago plugin is not installed")

PROVIDED = load_plugins(allow=["mercado_pago"]).provided
PROVIDER = PROVIDED["payment", "mercado_pago"].item
SANDBOX = PROVIDED["sandbox", "mercado_pago"].item
TWO_CREDITORS = {
    "acme": {"name": "Tienda Andina", "country": "PE", "contact_line": "ayuda@example.com", "strategy": "test"},
    "other": {"name": "Otra Tienda", "country": "PE", "contact_line": "otra@example.com", "strategy": "test"},
}


class Shop:
    """
    A house whose debtor was written to, the vendor, and what happens between them.
    """

    def __init__(self, vendor: Any, path: Path, clock: FixedClock, make_house: Callable[..., Cobranza]) -> None:
        self.vendor, self.path, self.clock = vendor, path, clock
        self._make_house = make_house
        self.house = make_house(("payment", PROVIDER), payments={"mp": self.account()})
        self._webhooks = 0

    def account(self, **changes: Any) -> dict[str, Any]:
        """
        The account's table, secrets as functions.
        """
        table = {**self.vendor.settings, "provider": "mercado_pago"}
        for name in ("access_token", "webhook_secret"):
            table[name] = lambda value=table[name]: value
        return {**table, **changes}

    def rebuild(self, **changes: Any) -> None:
        """
        The same store under another configuration.
        """
        self.house = self._make_house(("payment", PROVIDER), **{"payments": {"mp": self.account()}, **changes})

    def worker(self) -> Cobranza:
        """
        Another process on the same store.
        """
        return self._make_house(("payment", PROVIDER), payments={"mp": self.account()})

    def link(self, reference: str, amount: str = "100.00", currency: str = "PEN") -> str:
        """
        Make a link as the house would; returns its id.
        """
        provider = make_provider(PROVIDER, self.vendor.settings, clock=self.clock)
        money = Money.of(amount, currency)

        async def make() -> str:
            made = await provider.create_link(
                amount=money, reference=reference, description="Saldo", idempotency_key=reference
            )
            await provider.services.http.aclose()
            return str(made.id)

        return anyio.run(make)

    def paid(self, amount: str = "100.00", outcome: str = "approved", **changes: Any) -> str:
        """
        Let the debtor pay by a link of the message; returns the payment's id.
        """
        return str(self.vendor.pay(self.link(self.reference, amount), outcome, **changes))

    def hear(self, payment_id: str, *, name: str = "mp") -> dict[str, int]:
        """
        Let the vendor announce a payment, and act on it.
        """
        assert self.announce(payment_id, name=name) == 200
        return self.house.process_inbox()

    def announce(self, payment_id: str, *, name: str = "mp", number: int | None = None) -> int:
        self._webhooks += 1
        url, headers, body = self.vendor.webhook(payment_id, number=self._webhooks if number is None else number)
        request = WebhookRequest(
            method="POST",
            url=f"https://hooks.example.com/webhooks/{name}{url}",
            headers=headers,
            body=body,
            received_at=self.clock.now(),
        )
        return self.house.inbox.receive(name, request).status

    @property
    def reference(self) -> str:
        return str(self.rows("SELECT id FROM outreaches ORDER BY id")[0]["id"])

    @property
    def owed(self) -> int:
        """
        What is open, in minor units.
        """
        return int(self.rows("SELECT sum(open_minor) AS open FROM installments")[0]["open"])

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with sqlite3.connect(self.path) as connection:
            connection.row_factory = sqlite3.Row
            found = [dict(row) for row in connection.execute(sql)]
        connection.close()
        return found

    def told(self, *kinds: str) -> list[tuple[str, Any]]:
        """
        Events about payments: kind and reason or status.
        """
        events = self.house.events(kinds=kinds or ["payment.posted", "payment.reversed", "payment.refused"])
        return [(event.kind, event.payload.get("reason") or event.payload.get("status")) for event in events]

    def holds(self) -> list[str]:
        return [row["reason"] for row in self.rows("SELECT reason FROM holds WHERE lifted_at IS NULL ORDER BY id")]

    def balanced(self) -> bool:
        """
        Whether each entry is spent to the cent: on debts, or on nothing.
        """
        rows = self.rows(
            "SELECT p.amount_minor - p.unallocated_minor - coalesce(sum(a.amount_minor), 0) AS rest FROM payments p "
            "LEFT JOIN allocations a ON a.payment_id = p.id GROUP BY p.id"
        )
        return all(row["rest"] == 0 for row in rows)


@pytest.fixture
def vendor(clock: FixedClock) -> Iterator[Any]:
    with SANDBOX(clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def shop(
    vendor: Any,
    tmp_path: Path,
    clock: FixedClock,
    make_house: Callable[..., Cobranza],
    debtor: Callable[..., Any],
    receivable: Callable[..., Any],
) -> Shop:
    """
    One debtor who owes 100.00 and was written to.
    """
    made = Shop(vendor, tmp_path / "test.db", clock, make_house)
    made.house.portfolio.put(debtor(), receivable())
    made.house.plan()
    made.house.dispatch()
    return made


def test_an_approved_payment_lowers_the_debt_once(shop: Shop) -> None:
    """
    However often the vendor says it, and by whichever notice, the same payment is posted once.
    """
    paid = shop.paid()

    outcomes = [shop.hear(paid), shop.hear(paid), shop.hear(paid)]

    assert outcomes == [{"applied": 1}, {"repeated": 1}, {"repeated": 1}]
    assert shop.owed == 0
    assert shop.told() == [("payment.posted", None)]
    assert shop.rows("SELECT external_id, method FROM payments") == [
        {"external_id": f"mercado_pago:{paid}", "method": "mercado_pago"}
    ]


def test_the_same_webhook_twice_is_one_question(shop: Shop) -> None:
    """
    A captured notice that is sent again, with whatever body, is not even stored.
    """
    paid = shop.paid("40.00")
    shop.announce(paid, number=7)
    shop.announce(paid, number=7)

    assert shop.house.process_inbox() == {"applied": 1}
    assert shop.house.process_inbox() == {}
    assert shop.owed == 6000


def test_workers_that_ask_at_the_same_time_post_and_reverse_once(shop: Shop) -> None:
    """
    Notices of one payment are acted on by several processes at once; the debt moves once each way.
    """
    workers = [shop.worker() for _ in range(4)]
    paid = shop.paid()
    outcomes = []
    for happens in (lambda: None, lambda: shop.vendor.charge_back(paid)):
        happens()
        for _ in range(8):
            shop.announce(paid)
        with ThreadPoolExecutor(4) as pool:
            outcomes.append(sum((Counter(counts) for counts in pool.map(Cobranza.process_inbox, workers)), Counter()))

    assert [counts["applied"] for counts in outcomes] == [1, 1]
    assert [set(counts) for counts in outcomes] == [{"applied", "repeated"}] * 2
    assert [row["amount_minor"] for row in shop.rows("SELECT amount_minor FROM payments ORDER BY rowid")] == [
        10_000,
        -10_000,
    ]
    assert (shop.owed, shop.holds(), shop.balanced()) == (10_000, ["payment_reversed"], True)


def test_who_paid_is_not_written_to(shop: Shop, later: Any) -> None:
    """
    The next step finds nothing owed, though nobody imported anything.
    """
    shop.hear(shop.paid())
    later(days=7)

    assert shop.house.plan() == 0


def test_dispatch_hears_of_a_payment_before_it_sends(shop: Shop, later: Any, box: Any) -> None:
    """
    F87: a webhook that was stored while nobody acted on it stops the next message.
    """
    before = len(box["fake_sms"])
    later(days=7)
    assert shop.house.plan() == 1
    shop.announce(shop.paid())

    report = shop.house.dispatch()

    assert report.reasons == {("cancelled", "paid"): 1}
    assert len(box["fake_sms"]) == before


@pytest.mark.parametrize("outcome", ["pending", "in_process", "authorized", "rejected", "cancelled"])
def test_what_is_not_paid_changes_no_debt_and_can_be_seen(shop: Shop, outcome: str) -> None:
    """
    A voucher is no money; people can see that one was taken.
    """
    paid = shop.paid(outcome=outcome)

    assert shop.hear(paid) == {"noted": 1}
    assert (shop.owed, shop.holds()) == (10_000, [])
    assert shop.told("payment.reported") == [("payment.reported", outcome)]


def test_a_voucher_counts_when_it_was_paid(shop: Shop, later: Any) -> None:
    """
    Days later, at a counter.
    """
    paid = shop.paid(outcome="pending")
    shop.hear(paid)
    later(days=2)
    shop.vendor.approve(paid)

    assert shop.hear(paid) == {"applied": 1}
    assert shop.owed == 0


@pytest.mark.parametrize(
    ("status", "detail"), [("settled_by_moon", "new"), ("in_mediation", "open"), ("charged_back", "reimbursed")]
)
def test_a_word_that_decides_nothing_leaves_a_paid_debt_paid(shop: Shop, status: str, detail: str) -> None:
    """
    A dispute, or a status of tomorrow: people see it, and nothing is undone by guessing.
    """
    paid = shop.paid()
    shop.hear(paid)
    shop.vendor.set_status(paid, status, detail)

    assert shop.hear(paid) == {"noted": 1}
    assert shop.owed == 0
    assert shop.told("payment.reported") == [("payment.reported", status)]


# -- money that goes again -------------------------------------------------------------------------------------------


def test_a_refund_reopens_what_it_gave_back_and_waits_for_a_person(shop: Shop) -> None:
    """
    In two parts, each told twice: what is owed again is what was given back, and nobody is chased by itself for it.
    """
    paid = shop.paid()
    shop.hear(paid)
    owed = []
    for amount in ("40.25", "59.75"):
        shop.vendor.give_back(paid, Money.of(amount, "PEN"))
        outcomes = [shop.hear(paid), shop.hear(paid)]
        assert outcomes == [{"applied": 1}, {"repeated": 1}]
        owed.append(shop.owed)

    assert owed == [4025, 10_000]
    assert shop.told() == [
        ("payment.posted", None),
        ("payment.reversed", "payment_refunded"),
        ("payment.reversed", "payment_refunded"),
    ]
    assert shop.holds() == ["payment_reversed"]
    assert shop.balanced()


def test_a_charge_back_reopens_the_debt_and_nothing_goes_out(shop: Shop, later: Any, box: Any) -> None:
    """
    F88: the card's holder took the money back. That is a dispute: the next message needs a person's decision.
    """
    paid = shop.paid()
    shop.hear(paid)
    sent = len(box["fake_sms"])
    shop.vendor.charge_back(paid)
    shop.hear(paid)
    later(days=7)
    shop.house.plan()

    report = shop.house.dispatch()

    assert shop.owed == 10_000
    assert report.reasons == {("deferred", "hold: payment_reversed"): 1}
    assert len(box["fake_sms"]) == sent
    assert shop.balanced()


def test_a_charge_back_that_is_won_is_left_to_a_person(shop: Shop) -> None:
    """
    The vendor says approved again. Whether the money is there, only the account shows.
    """
    paid = shop.paid()
    shop.hear(paid)
    shop.vendor.charge_back(paid)
    shop.hear(paid)
    shop.vendor.approve(paid)

    assert shop.hear(paid) == {"refused": 1}
    assert shop.owed == 10_000
    assert shop.told()[-1] == ("payment.refused", "reversal_withdrawn")


def test_money_that_came_and_went_before_anybody_looked_changes_nothing(shop: Shop) -> None:
    """
    Only the last state is told: there is nothing to post, and nothing to reverse.
    """
    paid = shop.paid()
    shop.vendor.give_back(paid)

    assert shop.hear(paid) == {"noted": 1}
    assert (shop.owed, shop.rows("SELECT * FROM payments")) == (10_000, [])


def test_a_payment_first_seen_with_a_part_given_back_counts_for_the_rest(shop: Shop) -> None:
    """
    Both are entries: what came, and what went.
    """
    paid = shop.paid()
    shop.vendor.give_back(paid, Money.of("30.00", "PEN"))

    assert shop.hear(paid) == {"applied": 1}
    assert shop.owed == 3000
    assert [row["amount_minor"] for row in shop.rows("SELECT amount_minor FROM payments ORDER BY id")] == [
        10_000,
        -3000,
    ]
    assert shop.balanced()


def test_a_reversal_takes_back_what_is_due_latest_first(shop: Shop, receivable: Callable[..., Any]) -> None:
    """
    What was paid longest stays paid.
    """
    shop.house.portfolio.put(receivable("F-2", due_on=shop.clock.now().date() + timedelta(days=20)))
    paid = shop.paid("150.00")
    shop.hear(paid)

    shop.vendor.give_back(paid, Money.of("60.00", "PEN"))
    shop.hear(paid)

    assert [row["open_minor"] for row in shop.rows("SELECT open_minor FROM installments ORDER BY due_on")] == [
        1000,
        10_000,
    ]
    assert shop.balanced()


def test_a_figure_of_the_source_that_holds_the_payment_is_corrected_once(
    shop: Shop, receivable: Callable[..., Any], later: Any
) -> None:
    """
    The source showed the payment, then the vendor took it back, then the source shows that: owed once, not twice.
    """
    paid = shop.paid()
    shop.hear(paid)
    later(hours=1)
    shop.house.portfolio.put(lower(receivable(), "0.00"))
    shop.vendor.charge_back(paid)

    shop.hear(paid)
    reopened = shop.owed
    shop.house.portfolio.put(lower(receivable(), "100.00"))

    assert (reopened, shop.owed) == (10_000, 10_000)


def test_a_payment_that_went_again_is_not_taken_off_a_later_figure(
    shop: Shop, receivable: Callable[..., Any], later: Any
) -> None:
    """
    The source never saw it: its next figure is owed in full.
    """
    paid = shop.paid("40.00")
    shop.hear(paid)
    shop.vendor.charge_back(paid)
    shop.hear(paid)
    later(hours=1)

    shop.house.portfolio.put(lower(receivable(), "99.00"))

    assert shop.owed == 9900


def lower(receivable: Any, amount: str) -> Any:
    from attrs import evolve

    (part,) = receivable.installments
    return evolve(receivable, installments=[evolve(part, open=Money.of(amount, "PEN"))])


# -- what is odd -----------------------------------------------------------------------------------------------------


def test_too_much_changes_no_debt_and_can_be_seen(shop: Shop) -> None:
    """
    A link that was paid stays payable; who paid twice is not chased while people look.
    """
    link = shop.link(shop.reference)
    first, second = shop.vendor.pay(link), shop.vendor.pay(link)

    assert [shop.hear(first), shop.hear(second)] == [{"applied": 1}, {"refused": 1}]
    assert shop.owed == 0
    assert shop.told() == [("payment.posted", None), ("payment.refused", "overpaid")]
    assert shop.holds() == ["payment_refused"]


def test_who_paid_too_much_is_left_alone_until_a_person_has_looked(shop: Shop, later: Any, box: Any) -> None:
    """
    The debt stands, since the payment fits nothing; with its next step due it is still not asked for.
    """
    paid = shop.paid("130.00")
    assert shop.hear(paid) == {"refused": 1}
    box.clear()

    later(days=8)
    shop.house.plan()
    shop.house.dispatch()

    assert shop.owed == 10_000
    assert not any(box.values())


def test_too_much_is_taken_once_the_rest_is_given_back(shop: Shop) -> None:
    """
    The creditor gives back what was over, in the vendor's panel, and the debt is paid.
    """
    paid = shop.paid("130.00")
    assert shop.hear(paid) == {"refused": 1}
    assert shop.owed == 10_000

    shop.vendor.give_back(paid, Money.of("30.00", "PEN"))

    assert shop.hear(paid) == {"applied": 1}
    assert shop.owed == 0
    assert "payment_reversed" not in shop.holds()


def test_another_currency_changes_no_debt(shop: Shop) -> None:
    """
    F73: nothing is converted silently.
    """
    paid = shop.paid(money=Money.of("100.00", "USD"))

    assert shop.hear(paid) == {"refused": 1}
    assert shop.owed == 10_000
    assert shop.told() == [("payment.refused", "wrong_currency")]


@pytest.mark.parametrize("reference", ["nobody", "01h00000000000000000000000", "F-1' OR '1'='1"])
def test_an_unknown_reference_changes_no_debt(shop: Shop, reference: str) -> None:
    """
    Money for something else than a debt of ours; people can see that it came.
    """
    paid = shop.paid(reference=reference)

    assert shop.hear(paid) == {"refused": 1}
    assert (shop.owed, shop.holds()) == (10_000, [])
    assert shop.told() == [("payment.refused", "unknown_reference")]


@pytest.mark.parametrize("changes", [{"collector": "1"}, {"live": False}])
def test_another_sellers_money_and_play_money_change_no_debt(shop: Shop, changes: dict[str, Any]) -> None:
    """
    The vendor also shows what this account paid to somebody else, and what was paid in test mode.
    """
    paid = shop.paid(**changes)

    assert shop.hear(paid) == {"noted": 1}
    assert shop.owed == 10_000


def test_an_account_pays_debts_of_its_own_creditors_only(
    vendor: Any,
    tmp_path: Path,
    clock: FixedClock,
    settings: dict[str, Any],
    make_house: Callable[..., Cobranza],
    debtor: Callable[..., Any],
    receivable: Callable[..., Any],
) -> None:
    """
    Money on one creditor's account must not settle a debt to another.
    """
    del settings["creditor"]
    settings["creditors"] = TWO_CREDITORS
    shop = Shop(vendor, tmp_path / "test.db", clock, make_house)
    shop.rebuild(payments={"mp": shop.account(creditors=["acme"])})
    shop.house.for_creditor("other").portfolio.put(debtor(), receivable())
    shop.house.plan()
    shop.house.dispatch()

    assert shop.hear(shop.paid()) == {"refused": 1}
    assert (shop.owed, shop.holds()) == (10_000, [])
    assert shop.told() == [("payment.refused", "other_creditor")]


def test_a_receivables_key_is_a_reference_too(
    shop: Shop, receivable: Callable[..., Any], debtor: Callable[..., Any]
) -> None:
    """
    A host that makes links of its own names the invoice; that one is paid first.
    """
    shop.house.portfolio.put(receivable("F-2", due_on=shop.clock.now().date() + timedelta(days=20)))
    paid = shop.vendor.pay(shop.link("F-2", "100.00"))

    assert shop.hear(paid) == {"applied": 1}
    assert shop.rows(
        "SELECT r.external_id, open_minor FROM installments i JOIN receivables r ON r.id = i.receivable_id "
        "ORDER BY r.external_id"
    ) == [{"external_id": "F-1", "open_minor": 10_000}, {"external_id": "F-2", "open_minor": 0}]


# -- asking ----------------------------------------------------------------------------------------------------------


def test_a_vendor_that_is_down_is_asked_again_and_nothing_is_lost(shop: Shop, later: Any) -> None:
    """
    The webhook was answered: the vendor will not repeat it, so we must.
    """
    paid = shop.paid()
    for fault in ("server_error",) * 3 + ("rate_limit",) * 3:  # each question is asked three times
        shop.vendor.fail_next(fault)

    first = shop.hear(paid)
    second = shop.house.process_inbox()
    waiting = shop.house.process_inbox()
    later(minutes=1)
    last = shop.house.process_inbox()

    assert (first, second, waiting, last) == ({"failing": 1}, {"failing": 1}, {}, {"applied": 1})
    assert shop.owed == 0


def test_what_cannot_be_looked_up_for_a_fortnight_is_told(shop: Shop, later: Any) -> None:
    """
    An id that is no payment's, or a token that nobody renewed: people have to look.
    """
    assert shop.hear("404404") == {"failing": 1}
    later(days=16)

    assert shop.house.process_inbox() == {"poisoned": 1}
    assert shop.told("payment.unverified") == [
        ("payment.unverified", "validation (code 404): retry, transmitted: maybe")
    ]


def test_a_webhook_that_is_not_signed_stores_nothing(shop: Shop) -> None:
    """
    F41: whoever knows the address could otherwise make us ask for anything.
    """
    request = WebhookRequest(
        method="POST",
        url="https://hooks.example.com/webhooks/mp?data.id=1&type=payment",
        headers={"x-signature": f"ts={int(shop.clock.now().timestamp())},v1={'0' * 64}", "x-request-id": "r"},
        body=b"{}",
        received_at=shop.clock.now(),
    )

    assert shop.house.inbox.receive("mp", request).status == 403
    assert shop.rows("SELECT * FROM inbox") == []


def test_a_webhook_waits_for_an_account_that_cannot_be_built(shop: Shop) -> None:
    """
    A setting that broke overnight must not lose what was stored before.
    """
    paid = shop.paid()
    shop.announce(paid)
    shop.rebuild(payments={"mp": shop.account(base_url="https://api.vendor.example")})
    broken = shop.house.process_inbox()
    shop.rebuild()

    assert (broken, shop.house.process_inbox()) == ({}, {"applied": 1})


def test_inside_a_loop_the_twin_is_named(shop: Shop) -> None:
    """
    Payments have to be asked for, so the inbox needs a loop of its own, or an await.
    """
    shop.announce(shop.paid())

    async def both() -> dict[str, int]:
        with pytest.raises(Exception, match="aprocess_inbox"):
            shop.house.process_inbox()
        try:
            return await shop.house.aprocess_inbox()
        finally:
            await shop.house.aclose()

    assert anyio.run(both) == {"applied": 1}


class Liar(PROVIDER):  # type: ignore[misc,valid-type]
    """
    Answers for another payment, or with what is no answer.
    """

    answers: ClassVar[list[Any]] = []

    async def fetch(self, payment_id: str) -> Event:
        told = self.answers.pop()
        if isinstance(told, BaseException):
            raise told
        return told  # type: ignore[no-any-return]


def told(**changes: Any) -> Event:
    values: dict[str, Any] = {
        "kind": EventKind.PAYMENT_APPROVED,
        "key": "k",
        "occurred_at": datetime.fromisoformat("2026-08-05T15:00:00+00:00"),
        "account": "724484980",
        "provider_message_id": "7",
        "money": Money.of("10", "PEN"),
    }
    return Event(**{**values, **changes})


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "paid",
        told(provider_message_id="8"),
        told(account="1"),
        SystemExit(),
        ValueError("Ana Prueba"),
    ],
)
def test_a_provider_that_lies_harms_nothing(shop: Shop, answer: Any, caplog: Any) -> None:
    """
    Law 8: another payment's answer, no answer, or an attempt to end the process.
    """
    reference = shop.reference
    Liar.answers = [answer]
    shop.house = shop._make_house(("payment", Liar), payments={"mp": shop.account()})
    shop.announce("7")

    assert shop.house.process_inbox() == {"failing": 1}
    assert (reference, shop.owed) == (shop.reference, 10_000)
    assert "Ana" not in caplog.text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"money": None}, "amount"),
        ({"money": Money(0, "PEN")}, "amount"),
        ({"refunded": Money.of("1", "USD")}, "amount"),
        ({"refunded": Money.of("11", "PEN")}, "amount"),
        ({"refunded": Money.of("-1", "PEN")}, "amount"),
    ],
)
def test_amounts_that_contradict_themselves_change_no_debt(shop: Shop, changes: dict[str, Any], reason: str) -> None:
    """
    The core does not trust a provider's arithmetic.
    """
    Liar.answers = [told(reference=shop.reference, **changes)]
    shop.house = shop._make_house(("payment", Liar), payments={"mp": shop.account()})
    shop.announce("7")

    assert shop.house.process_inbox() == {"refused": 1}
    assert (shop.owed, shop.told()) == (10_000, [("payment.refused", reason)])


def test_a_posted_payment_whose_amount_changes_is_refused(shop: Shop) -> None:
    """
    An amount does not change afterwards: something is wrong, and nobody guesses what.
    """
    Liar.answers = [told(reference=shop.reference, money=Money.of("20", "PEN")), told(reference=shop.reference)]
    shop.house = shop._make_house(("payment", Liar), payments={"mp": shop.account()})

    assert [shop.hear("7"), shop.hear("7")] == [{"applied": 1}, {"refused": 1}]
    assert shop.owed == 9000
    assert shop.told()[-1] == ("payment.refused", "changed_amount")


def test_a_payment_that_the_source_showed_first_is_not_taken_twice(
    shop: Shop, receivable: Callable[..., Any], later: Any
) -> None:
    """
    The ERP's figure fell before our question: the payment explains it.
    """
    paid = shop.paid()
    later(hours=1)
    shop.house.portfolio.put(lower(receivable(), "0.00"))

    assert shop.hear(paid) == {"applied": 1}
    assert shop.owed == 0


def test_the_whole_way_over_http(shop: Shop, debtor: Any) -> None:
    """
    The vendor posts to the served address; the answer comes before the payment is asked for, and the debt is paid.
    """
    uvicorn = pytest.importorskip("uvicorn")
    app = shop.house.webhooks
    accepting = threading.Event()

    class Server(uvicorn.Server):  # type: ignore[misc,name-defined]
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            accepting.set()

    server = Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert accepting.wait(20)
    port = server.servers[0].sockets[0].getsockname()[1]
    shop.vendor.webhook_url = f"http://127.0.0.1:{port}/webhooks/mp"
    paid = shop.paid()

    answered = shop.vendor.announce(paid)
    server.should_exit = True
    thread.join(20)

    assert answered == 200
    assert shop.owed == 0


def test_a_payment_that_the_host_put_under_its_key_is_not_posted_again(shop: Shop) -> None:
    """
    What the host puts by hand and what the vendor says are two payments only if they have two keys.
    """
    paid = shop.paid("40.00")
    shop.house.portfolio.put(
        Payment(
            external_id=f"mercado_pago:{paid}",
            debtor_id="D-1",
            amount=Money.of("40.00", "PEN"),
            paid_at=shop.clock.now(),
        )
    )

    assert shop.hear(paid) == {"repeated": 1}
    assert shop.owed == 6000


# -- a link for each message -----------------------------------------------------------------------------------------


@pytest.fixture
def linked(
    vendor: Any,
    tmp_path: Path,
    clock: FixedClock,
    settings: dict[str, Any],
    make_house: Callable[..., Cobranza],
    debtor: Callable[..., Any],
    receivable: Callable[..., Any],
) -> Shop:
    """
    A creditor whose messages get links of the vendor's; one is due.
    """
    settings["payments"] = {"mp": {**vendor.settings, "provider": "mercado_pago"}}
    for name in ("access_token", "webhook_secret"):
        settings["payments"]["mp"][name] = lambda value=vendor.settings[name]: value
    settings["creditor"]["payments"] = "mp"
    made = Shop(vendor, tmp_path / "test.db", clock, make_house)
    made.house.portfolio.put(debtor(), receivable())
    made.house.plan()
    return made


def test_each_message_carries_a_link_for_what_is_owed(linked: Shop, box: Any) -> None:
    """
    The debtor pays by it, and the debt is paid.
    """
    linked.house.dispatch()

    (link,) = linked.vendor.preferences
    (message,) = box["fake_sms"]
    assert link["init_point"] in message.text
    assert (link["external_reference"], link["items"][0]["unit_price"]) == (linked.reference, 100)
    assert linked.hear(linked.vendor.pay(link["id"])) == {"applied": 1}
    assert linked.owed == 0


@pytest.mark.parametrize("fault", ["server_error", "rate_limit", "bad_json", "locked"])
def test_a_vendor_that_makes_no_link_does_not_stop_the_message(linked: Shop, box: Any, fault: str) -> None:
    """
    The configured address stands in.
    """
    for _ in range(3):
        linked.vendor.fail_next(fault)

    linked.house.dispatch()

    (message,) = box["fake_sms"]
    assert f"https://pagos.example.com/{linked.reference}" in message.text
    assert linked.vendor.preferences == ()


def test_without_an_address_to_stand_in_people_are_told_whom_to_ask(
    linked: Shop, settings: dict[str, Any], box: Any
) -> None:
    """
    No message with an empty place where the link should be.
    """
    del settings["creditor"]["payment_url"]
    linked.rebuild(payments=settings["payments"])
    linked.vendor.fail_next("server_error")

    linked.house.dispatch()

    (message,) = box["fake_sms"]
    assert "ayuda@example.com" in message.text


def test_a_link_whose_answer_was_lost_is_found_and_used(linked: Shop, box: Any) -> None:
    """
    One link, not two: the first could be paid as well.
    """
    provider = linked.house.place.accounts.payments["mp"].provider
    found = provider.find_links

    async def first_nothing(reference: str) -> Any:
        answer = await found(reference)
        linked.vendor.fail_next("taken_but_server_error")
        provider.find_links = found
        return answer

    provider.find_links = first_nothing

    async def dispatch() -> None:
        await linked.house.adispatch()
        await linked.house.aclose()

    anyio.run(dispatch)

    (link,) = linked.vendor.preferences
    assert link["init_point"] in box["fake_sms"][0].text


def test_an_attempt_that_was_put_off_uses_the_link_it_has(linked: Shop, box: Any, script: Any) -> None:
    """
    The next try of the same outreach makes no second link.
    """
    script["fake_sms"] = [ProviderError("recipient", "never", "no")]
    linked.house.dispatch()
    linked.house.dispatch()

    (link,) = linked.vendor.preferences
    assert box["fake_sms"] == []
    assert link["init_point"] in box["fake_email"][0].text


def test_a_link_for_an_amount_that_is_not_owed_any_more_is_withdrawn(linked: Shop, box: Any) -> None:
    """
    Who pays by the older message must not pay too much.
    """
    linked.link(linked.reference, "250.00")

    linked.house.dispatch()

    old, new = linked.vendor.preferences
    assert new["init_point"] in box["fake_sms"][0].text
    with pytest.raises(ValueError, match="the link has ended"):
        linked.vendor.pay(old["id"])


def test_what_is_not_permitted_gets_no_link(linked: Shop, later: Any, box: Any) -> None:
    """
    At night nothing is written, so nothing is asked of the vendor; a preview asks for nothing either.
    """
    assert linked.house.dispatch_preview()[0]["would"] == "send"
    later(hours=12)

    linked.house.dispatch()

    assert linked.vendor.preferences == ()
    assert box["fake_sms"] == []


def test_no_link_is_asked_for_in_a_currency_that_the_account_does_not_take(
    linked: Shop, debtor: Callable[..., Any], receivable: Callable[..., Any], box: Any, caplog: Any
) -> None:
    """
    The vendor would refuse it; the configured address stands in, and nothing has failed.
    """
    linked.house.portfolio.put(debtor("D-2"), receivable("F-2", "D-2", currency="USD"))
    linked.house.plan()

    linked.house.dispatch()

    assert [link["items"][0]["currency_id"] for link in linked.vendor.preferences] == ["PEN"]
    assert sum("https://pagos.example.com/" in message.text for message in box["fake_sms"]) == 1
    assert "link.not_made" not in caplog.text


@pytest.mark.parametrize("name", ["mpp", "elsewhere"])
def test_a_creditor_names_an_account_that_serves_it(settings: dict[str, Any], name: str) -> None:
    """
    A slip would send every debtor to the stand-in.
    """
    settings["creditor"]["payments"] = name
    settings["payments"] = {"elsewhere": {"provider": "mercado_pago", "creditors": []}}

    with pytest.raises(ConfigurationError, match=f"creditor.payments: found {name}"):
        Cobranza(settings)
