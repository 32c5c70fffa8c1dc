"""
The engine under chaos: whatever becomes of webhooks, nobody is written to twice for one reason, who left is left alone,
states only rise, and money is counted once. The same seed is the same chaos.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from cobranza_acme_sms._channel import AcmeSms
from cobranza_acme_sms._sandbox import AcmeSmsSandbox
from cobranza_sdk.loading import Plugins, Provided, load_plugins
from cobranza_sdk.testing import Chaos, Fault, Rehearsal

#: The first few with every run of the tests, all with the long ones.
SEEDS = [pytest.param(seed, marks=[pytest.mark.proof] if seed >= 6 else []) for seed in range(60)]
DAYS = 4
#: Later and repeated receipts end in the highest of these; an attempt never falls.
RANK = ("accepted", "sent", "failed", "delivered", "read")
#: What people answer: each leaves, or does not.
ANSWERS = ("BAJA", "BAJA", "¿Puedo pagar mañana?")
BASE = load_plugins(allow=["compliance_latam", "smtp_email", "mercado_pago"])


def plugins() -> Plugins:
    """
    The scaffold's channel, for its emulator starts at once; mail and payments beside it.
    """
    acme = {
        (family, "acme_sms"): Provided(
            family=family, name="acme_sms", plugin="acme", distribution="cobranza-acme-sms", item=item
        )
        for family, item in (("channel", AcmeSms), ("sandbox", AcmeSmsSandbox))
    }
    return Plugins(plugins=BASE.plugins, failures=(), provided={**BASE.provided, **acme})


class Story:
    """
    Some days of a house whose people answer by chance, and what must hold after each of its steps.
    """

    def __init__(self, house: Rehearsal, seed: int) -> None:
        self.house = house
        self.chance = random.Random(seed)
        self.seen: set[str] = set()
        self.left: dict[tuple[str, str], int] = {}
        self.ranks: dict[str, int] = {}

    def day(self) -> None:
        """
        Write to people, let them react, and let half a day's webhooks come in, twice.
        """
        self.house.run()
        self.look()
        for message in self.house.messages:
            if message.message.provider_message_id not in self.seen:
                self.seen.add(message.message.provider_message_id)
                self.react(message)
        for _ in range(2):
            self.house.later(hours=12)
            self.look()

    def react(self, message: Any) -> None:
        draw = self.chance.random()
        if draw < 0.15:
            message.fail()
            return
        message.deliver()
        if draw < 0.6:
            message.read()
        if draw > 0.35:
            words = self.chance.choice(ANSWERS)
            message.reply(words)
            if words == "BAJA":
                self.left.setdefault((message.account, message.message.to.value), len(self.sent(message)))

    def sent(self, message: Any) -> list[Any]:
        place = (message.account, message.message.to)
        return [each for each in self.house.messages if (each.account, each.message.to) == place]

    def look(self) -> None:
        """
        No attempt falls back.
        """
        for line in self.house.cobranza.attempts.list():
            rank = RANK.index(line["state"]) if line["state"] in RANK else -1
            assert rank >= self.ranks.get(line["attempt_id"], -1), f"{line['attempt_id']} fell to {line['state']}"
            self.ranks[line["attempt_id"]] = rank

    def end(self) -> None:
        """
        Let everything arrive that is under way, and try to write on, over the next two steps of the strategy.
        """
        self.house.settle()
        self.look()
        before = Counter((each.account, each.message.to.value) for each in self.house.messages)
        for _ in range(5):
            self.house.later(days=2).run()
        after = Counter((each.account, each.message.to.value) for each in self.house.messages)
        for place in self.left:
            assert after[place] == before[place], "who left was written to"


def told(seed: int) -> list[Fault]:
    """
    One story under chaos; its faults.
    """
    with Rehearsal(channels=["sms", "email"], chaos=Chaos(seed=seed), seed=seed, plugins=plugins()) as house:
        for number in range(5):
            house.portfolio.debtor(consents=["sms", "email"]).owes("100.00", days_past_due=number % 3)
        story = Story(house, seed)
        for _ in range(DAYS):
            story.day()
        story.end()
        _nothing_twice(house)
        _withdrawn_once(house, story)
        return house.post.faults


def _nothing_twice(house: Rehearsal) -> None:
    carried = Counter(each.message.attempt_id for each in house.messages)
    assert set(carried.values()) <= {1}
    accepted = [line["attempt_id"] for line in house.cobranza.attempts.list() if line["provider_message_id"]]
    assert sorted(accepted) == sorted(str(attempt) for attempt in carried)


def _withdrawn_once(house: Rehearsal, story: Story) -> None:
    events = list(house.cobranza.events(kinds=["consent.withdrawn"]))
    places = {(event.subject_refs["debtor"], event.payload["channel"]) for event in events}
    assert len(events) == len(places) == len(story.left)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_engine_holds_under_chaos(seed: int) -> None:
    """
    Duplicates, disorder, delays, lost receipts and reversals, of mail and SMS.
    """
    assert told(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_money_is_counted_once_under_chaos(seed: int) -> None:
    """
    Notices of payments that come twice, late and in disorder, and payments that are charged back: each moves the debt
    at most once each way. One that was taken back before anybody heard of it moves nothing.
    """
    with Rehearsal(channels=["email"], payments=True, chaos=Chaos(seed=seed), plugins=plugins()) as house:
        for _ in range(3):
            house.portfolio.debtor(consents=["email"]).owes("100.00")
        house.run()
        vendor = house.sandboxes["payments"]
        paid = [vendor.pay(link["id"]) for link in vendor.preferences]
        for payment in paid:
            vendor.announce(payment, action="payment.created")
            vendor.announce(payment)
        house.hear()
        house.settle()

        inner: Any = vendor.inner
        taken_back = [payment for payment in paid if inner._payments[payment].status == "charged_back"]
        posted, reversed_ = (moved(house, kind) for kind in ("payment.posted", "payment.reversed"))
        assert len(paid) == 3
        assert set(posted.values()) | set(reversed_.values()) <= {1}
        assert reversed_.keys() <= posted.keys()
        assert len(posted) - len(reversed_) == 3 - len(taken_back)
        assert owed(house) == 10_000 * len(taken_back)


def moved(house: Rehearsal, kind: str) -> Counter[str]:
    """
    How often each payment was told of so.
    """
    return Counter(str(event.subject_refs["payment"]) for event in house.cobranza.events(kinds=[kind]))


def owed(house: Rehearsal) -> int:
    """
    What is open, in minor units, by the report.
    """
    (report,) = house.cobranza.report()
    return sum(line.amount.minor for line in report.aging)


def test_the_same_seed_is_the_same_chaos() -> None:
    """
    A seed that found a fault finds it again; another one finds others.
    """
    first, again, other = told(1), told(1), told(2)

    assert first == again
    assert first != other
    assert {fault.kind for fault in [*first, *other]} == {"lost", "delayed", "duplicated", "overtaken", "reversed"}


def test_without_chaos_webhooks_come_at_once_and_in_order() -> None:
    """
    The default of a rehearsal is a perfect world.
    """
    with Rehearsal(channels=["sms"], plugins=plugins()) as house:
        house.portfolio.debtor().owes("100.00")
        house.run()
        house.messages[0].deliver()

        assert (house.post.faults, house.post.next_at) == ([], None)


def test_chaos_is_what_its_shares_say() -> None:
    """
    Each fault can be had alone: everything twice, nothing else.
    """
    chaos = Chaos(seed=1, duplicates=1.0, delays=0.0, losses=0.0, reversals=0.0, disorder=False)
    with Rehearsal(channels=["sms"], chaos=chaos, plugins=plugins()) as house:
        house.portfolio.debtor().owes("100.00")
        house.run()
        house.messages[0].deliver()
        house.settle()

        assert [fault.kind for fault in house.post.faults] == ["duplicated"]
        assert house.post.faults[0].until is not None
        assert house.post.faults[0].until <= house.clock.now()
