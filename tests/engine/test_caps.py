"""
Law 2 and A-06: caps hold under eight workers, because the lock, the count and the reservation are one transaction.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from cobranza_sdk import CompliancePack, Contact, Decision
from cobranza_sdk.compliance import Decider
from cobranza_sdk.loading import FixedClock, TimeIds
from cobranza_sdk.store import Attempts, Claimed, Facts, Prepared, open_engine
from cobranza_sdk.store import Store as StoreType
from cobranza_sdk.store import _attempts as module
from cobranza_sdk.store._schema import attempts as table
from cobranza_sdk.store._schema import contact_events
from cobranza_sdk.strategy import Due, Step

PERSONS, EACH, WORKERS, CAP, BATCH = 200, 12, 8, 3, 50
NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
PACK = """
format = 1
[pack]
name = "test"
version = "1"
status = "draft"
updated_on = 2026-01-01
title = { es = "t", pt = "t", en = "t" }
[countries.PE]
zones = { "*" = ["America/Lima"] }
holidays = { calendar = "PE", through = 2035 }
[norms.n]
title = "N"
source = "test"
read_on = 2026-01-01
effective_from = 2000-01-01
[[rule]]
id = "test.cap"
kind = "cap"
norm = "n"
article = "1"
limit = 3
period = "7 days"
confidence = "high"
message = { es = "tope", pt = "teto", en = "cap" }
"""


class House:
    """
    Two hundred people with twelve attempts each, all leased at once, as if twelve workers had taken each person.
    """

    def __init__(self, path: Path, debtor: Any, receivable: Any) -> None:
        clock = FixedClock(NOW)
        self.engine = open_engine(f"sqlite:///{path / 'caps.db'}")
        store = StoreType(self.engine, clock=clock, ids=TimeIds(clock))
        creditor = store.tenant("t").creditor("acme")
        keys = [f"D-{number:03d}" for number in range(PERSONS)]
        creditor.portfolio.put(
            [record for key in keys for record in (debtor(key), receivable(f"F-{key}", key))], actor="t"
        )
        self.attempts: Attempts = creditor.attempts
        positions = self.attempts.positions("s", lambda _row: date(2026, 8, 5))
        steps = [
            Step(id=f"s{n}", days=1, until=30, purpose="demand", channels=("sms",), template="x") for n in range(EACH)
        ]
        dues = [
            (
                Due(
                    debtor_id=p.debtor_id, currency="PEN", step=step, anchor_on=date(2026, 8, 4), stage="administrative"
                ),
                date(2026, 8, 5),
            )
            for step in steps
            for p in positions
        ]
        points = self.attempts.points({p.debtor_id for p in positions})
        self.attempts.add(
            dues, strategy="s", version=1, reach=lambda debtor_id, _channels: [("sms", str(points[debtor_id][0].id))]
        )
        with self.engine.begin() as connection:
            connection.execute(update(table).values(state="leased", token=1, lease_until=NOW + timedelta(hours=1)))
            self.ids = list(connection.scalars(select(table.c.id).order_by(table.c.id)))
        random.Random(6).shuffle(self.ids)  # so that every worker has attempts of every person
        self.decider = Decider([CompliancePack("test", PACK)])

    def judge(self, facts: Facts, now: datetime) -> Decision:
        return self.decider.decide(
            Contact(
                at=now,
                channel="sms",
                country="PE",
                recipient="debtor",
                holder_confirmed=True,
                history=facts.history,
                creditor_id="acme",
            )
        )

    def prepared(self, facts: Sequence[Facts]) -> list[Prepared]:
        return [
            Prepared(
                attempt_id=item.attempt.id,
                token=item.attempt.token,
                fingerprint=item.fingerprint,
                template_id="x",
                discloses=True,
                digest="d",
                account="sms",
            )
            for item in facts
        ]

    def lease_again(self, ids: Sequence[str]) -> list[str]:
        """
        Take back what the claim released because the facts had changed.
        """
        with self.engine.begin() as connection:
            released = list(
                connection.scalars(select(table.c.id).where(table.c.id.in_(ids), table.c.state == "planned"))
            )
            connection.execute(update(table).where(table.c.id.in_(released)).values(state="leased"))
        return released

    def charges(self) -> Counter[str]:
        with self.engine.connect() as connection:
            return Counter(
                connection.scalars(select(contact_events.c.person_id).where(contact_events.c.kind == "charge"))
            )


@pytest.fixture
def crowd(tmp_path: Path, debtor: Any, receivable: Any) -> House:
    """
    The crowd.
    """
    return House(tmp_path, debtor, receivable)


def test_law_2_a_06_eight_workers_make_exactly_the_permitted_contacts(crowd: House) -> None:
    """
    A second message to a debtor is our double charge: 200 people, a cap of 3, 2,400 attempts, 8 workers, 600 contacts.
    """
    start = threading.Barrier(WORKERS)

    def worker(number: int) -> int:
        mine = crowd.ids[number::WORKERS]
        start.wait()
        made = 0
        while mine:
            batch, mine = mine[:BATCH], mine[BATCH:]
            facts = crowd.attempts.facts(batch)
            made += len(crowd.attempts.claim(crowd.prepared(list(facts.values())), crowd.judge, timedelta(seconds=30)))
            mine += crowd.lease_again(batch)
        return made

    with ThreadPoolExecutor(WORKERS) as pool:
        made = sum(pool.map(worker, range(WORKERS)))

    charges = crowd.charges()
    assert made == PERSONS * CAP
    assert set(charges.values()) == {CAP}
    assert len(charges) == PERSONS


def test_a_06_the_same_test_fails_when_the_facts_are_read_before_the_lock(
    crowd: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The test of the test: a count outside the transaction passes the cap, as the defaults of every layer would.
    """
    start = threading.Barrier(WORKERS)

    def worker(number: int) -> list[Claimed]:
        mine = crowd.ids[number::WORKERS]
        stale = crowd.attempts.facts(mine)
        start.wait()
        local.facts = stale
        return crowd.attempts.claim(crowd.prepared(list(stale.values())), crowd.judge, timedelta(seconds=30))

    local = threading.local()
    monkeypatch.setattr(module, "read_facts", lambda *_args: local.facts)
    # The workers read what they need before the mutant is asked for it: by the handle's own path.
    monkeypatch.setattr(Attempts, "facts", _read_before)
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(worker, range(WORKERS)))

    assert max(crowd.charges().values()) > CAP


def _read_before(self: Attempts, ids: Sequence[str]) -> dict[str, Facts]:
    from cobranza_sdk.store._database import reading
    from cobranza_sdk.store._facts import read_facts

    with reading(self._scope.engine) as connection:
        return read_facts(connection, self._scope, ids, NOW)
