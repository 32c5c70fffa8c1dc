"""
A real store in a file, and a hand that leads debtors and attempts through it. Every name and number is invented.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from cobranza_sdk.loading import FixedClock, TimeIds
from cobranza_sdk.model import Address, Debtor, Decision, EventKind, Finding, Receivable, Verdict
from cobranza_sdk.spec import Event
from cobranza_sdk.store import Claimed, CreditorStore, Entry, Facts, Outcome, Prepared, Settlement, Store
from cobranza_sdk.strategy import Due, Step

STEP = Step(id="late-1", days=1, until=20, purpose="reminder", channels=("sms", "email"), template="administrative")
ANCHOR = date(2026, 8, 4)
LEASE = timedelta(minutes=5)
SENDING = timedelta(seconds=30)


def allow(_facts: Facts, at: datetime) -> Decision:
    """
    A judge that permits.
    """
    return Decision(verdict=Verdict.ALLOW, at=at, basis=("test 1: test.rule",))


def _hasty(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")  # no power is cut here; that the store sets FULL is proven elsewhere


class World:
    """
    One store, one tenant and one creditor, ``acme``.
    """

    def __init__(
        self, path: Path, clock: FixedClock, debtor: Callable[..., Debtor], owed: Callable[..., Receivable]
    ) -> None:
        self.path, self.clock = path, clock
        self.ids = TimeIds(clock)
        self.store = Store.open(f"sqlite:///{path}", clock=clock, ids=self.ids)
        self.engine = self.store._engine
        event.listen(self.engine, "connect", _hasty)
        self.engine.dispose()
        self.tenant = self.store.tenant("t1")
        self.acme = self.tenant.creditor("acme")
        self._debtor, self._owed = debtor, owed
        self._keys = 0

    # -- looking ---------------------------------------------------------------------------------------------------

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """
        Rows straight from the file, past every handle.
        """
        with sqlite3.connect(self.path) as connection:
            connection.row_factory = sqlite3.Row
            found = [dict(row) for row in connection.execute(sql, values)]
        connection.close()
        return found

    def dump(self, *, without: Sequence[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
        """
        Every row of every table, in the order of making.
        """
        tables = [row["name"] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {
            name: [tuple(row.values()) for row in self.rows(f"SELECT * FROM {name} ORDER BY rowid")]  # noqa: S608  # our own names
            for name in tables
            if name not in without and not name.startswith("sqlite_")
        }

    def kinds(self) -> list[str]:
        """
        Kinds of all events of the tenant, in order.
        """
        return [event.kind for event in self.tenant.events()]

    def debtor_id(self, key: str = "D-1", creditor: str = "acme") -> str:
        """
        Our id of a debtor.
        """
        rows = self.rows("SELECT id FROM debtors WHERE external_id = ? AND creditor_id = ?", key, creditor)
        return str(rows[0]["id"])

    def attempt(self, attempt_id: str) -> dict[str, Any]:
        """
        An attempt's row.
        """
        return self.rows("SELECT * FROM attempts WHERE id = ?", attempt_id)[0]

    def opened(self, creditor: str = "acme") -> dict[str, int]:
        """
        What is open, by the creditor's key of the receivable.
        """
        return {
            row["external_id"]: row["open"]
            for row in self.rows(
                "SELECT r.external_id, sum(i.open_minor) AS open FROM installments i JOIN receivables r "
                "ON r.id = i.receivable_id WHERE r.creditor_id = ? GROUP BY 1",
                creditor,
            )
        }

    def points(self, key: str = "D-1") -> list[tuple[str, str]]:
        """
        Addresses of a debtor and how far each is known, in the order of making.
        """
        rows = self.rows("SELECT value, state FROM contact_points WHERE debtor_id = ? ORDER BY id", self.debtor_id(key))
        return [(row["value"], row["state"]) for row in rows]

    def consent(self, key: str = "D-1", channel: str = "sms") -> str:
        """
        What stands of a debtor's consent: ``yes``, ``no`` or ``opted_out``.
        """
        rows = self.rows(
            "SELECT c.granted FROM consents c JOIN debtors d ON d.person_id = c.person_id "
            "AND d.creditor_id = c.creditor_id WHERE d.external_id = ? AND c.channel = ?",
            key,
            channel,
        )
        return {None: "no", 1: "yes", 0: "opted_out"}[rows[0]["granted"] if rows else None]

    # -- leading attempts ------------------------------------------------------------------------------------------

    def put(self, *records: Any, creditor: CreditorStore | None = None, **more: Any) -> Any:
        """
        Put records in by hand.
        """
        return (creditor or self.acme).portfolio.put(records, actor="test", **more)

    def owing(self, key: str = "D-1", *, creditor: CreditorStore | None = None, **changes: Any) -> str:
        """
        A debtor who owes one invoice; returns our id.
        """
        creditor = creditor or self.acme
        self.put(self._debtor(key, **changes), self._owed(f"F-{key}", key), creditor=creditor)
        return self.debtor_id(key, creditor.creditor_id)

    def due(self, key: str = "D-1", *, creditor: str = "acme", step: Step = STEP, anchor: date = ANCHOR) -> Due:
        """
        A step that is due for a debtor.
        """
        return Due(
            debtor_id=self.debtor_id(key, creditor), currency="PEN", step=step, anchor_on=anchor, stage="administrative"
        )

    def plan(
        self, key: str = "D-1", *, channel: str = "sms", creditor: CreditorStore | None = None, **more: Any
    ) -> str:
        """
        An outreach with its first attempt; returns the attempt's id.
        """
        creditor = creditor or self.acme
        due = self.due(key, creditor=creditor.creditor_id, **more)
        scheme = "email" if channel == "email" else "e164"
        point = self.rows(
            "SELECT id FROM contact_points WHERE debtor_id = ? AND scheme = ? AND state != 'closed' ORDER BY position",
            due.debtor_id,
            scheme,
        )
        made = creditor.attempts.add(
            [(due, date(2026, 8, 5))],
            strategy="test",
            version=1,
            reach=lambda _debtor, _channels: [(channel, point[0]["id"])],
        )
        assert made == 1
        return str(self.rows("SELECT max(id) AS id FROM attempts")[0]["id"])

    def lease(self, limit: int = 100, *, creditor: CreditorStore | None = None) -> dict[str, int]:
        """
        Take what is due.
        """
        return dict((creditor or self.acme).attempts.lease(limit, LEASE))

    def prepared(
        self,
        leased: dict[str, int],
        *,
        account: str = "sms",
        discloses: bool = True,
        creditor: CreditorStore | None = None,
    ) -> list[Prepared]:
        """
        Judge and render by the facts of now.
        """
        facts = (creditor or self.acme).attempts.facts(list(leased))
        return [
            Prepared(
                attempt_id=attempt_id,
                token=leased[attempt_id],
                fingerprint=item.fingerprint,
                template_id="administrative",
                discloses=discloses,
                digest="d" * 64,
                account=account,
            )
            for attempt_id, item in facts.items()
        ]

    def claim(
        self, prepared: Sequence[Prepared], judge: Any = allow, *, creditor: CreditorStore | None = None
    ) -> list[Claimed]:
        """
        Ask for permission to send.
        """
        return (creditor or self.acme).attempts.claim(prepared, judge, SENDING)

    def sending(self, key: str = "D-1", *, creditor: CreditorStore | None = None, **how: Any) -> Claimed:
        """
        Lead a debtor to an attempt that is being sent.
        """
        creditor = creditor or self.acme
        if not self.rows("SELECT 1 FROM debtors WHERE external_id = ? AND creditor_id = ?", key, creditor.creditor_id):
            self.owing(key, creditor=creditor)
        planned = {name: how[name] for name in ("channel", "step", "anchor") if name in how}
        attempt_id = self.plan(key, creditor=creditor, **planned)
        ready = {name: how[name] for name in ("account", "discloses") if name in how}
        (claimed,) = self.claim(
            [
                item
                for item in self.prepared(self.lease(creditor=creditor), creditor=creditor, **ready)
                if item.attempt_id == attempt_id
            ],
            creditor=creditor,
        )
        return claimed

    def accepted(self, key: str = "D-1", message_id: str = "M-1", **how: Any) -> str:
        """
        Lead a debtor to an attempt that the vendor has accepted; returns its id.
        """
        claimed = self.sending(key, **how)
        (how.get("creditor") or self.acme).attempts.settle(
            [Settlement(attempt_id=claimed.attempt_id, token=claimed.token, provider_message_id=message_id)]
        )
        return claimed.attempt_id

    # -- the inbox -------------------------------------------------------------------------------------------------

    def event(self, kind: EventKind | str = EventKind.DELIVERED, **values: Any) -> Event:
        """
        What a vendor reports, with a key of its own.
        """
        self._keys += 1
        return Event(
            **{"key": f"K-{self._keys}", "account": "A", "occurred_at": self.clock.now(), "kind": kind, **values}
        )

    def says(
        self, text: str = "hola", *, phone: str | None = None, reply_to: str | None = None, **values: Any
    ) -> Event:
        """
        What a person writes.
        """
        address = None if phone is None else Address("e164", phone)
        return self.event(EventKind.INBOUND_MESSAGE, text=text, address=address, reply_to=reply_to, **values)

    def store_event(self, event: Event, *, endpoint: str = "sms") -> Entry:
        """
        Store an event and find it among what waits.
        """
        self.tenant.inbox.store(endpoint, [event], self.clock.now())
        return next(entry for entry in self.tenant.inbox.pending() if entry.event.key == event.key)

    def apply(self, event: Event, intent: str | None = None, *, endpoint: str = "sms", **more: Any) -> Outcome:
        """
        Store an event and act on it.
        """
        return self.tenant.inbox.apply(self.store_event(event, endpoint=endpoint), intent, **more)


def refusal(verdict: Verdict, not_before: datetime | None = None) -> Callable[[Facts, datetime], Decision]:
    """
    A judge that does not permit.
    """
    finding = Finding(rule="test.rule", verdict=verdict, citation="Law 1", pack="test 1", not_before=not_before)
    return lambda _facts, at: Decision(verdict=verdict, at=at, not_before=not_before, findings=(finding,))


@pytest.fixture
def judge_that() -> Callable[..., Any]:
    """
    Makes judges that do not permit.
    """
    return refusal


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A file with the newest schema, to be copied: the migrations are proven elsewhere.
    """
    path = tmp_path_factory.mktemp("store") / "empty.db"
    clock = FixedClock(datetime(2026, 8, 5, tzinfo=UTC))
    Store.open(f"sqlite:///{path}", clock=clock, ids=TimeIds(clock)).close()
    return path


@pytest.fixture
def make_world(
    tmp_path: Path,
    empty_store: Path,
    clock: FixedClock,
    debtor: Callable[..., Debtor],
    receivable: Callable[..., Receivable],
) -> Iterator[Callable[[], World]]:
    """
    Makes worlds, each with a file of its own.
    """
    made: list[World] = []

    def make() -> World:
        path = tmp_path / f"store-{len(made)}.db"
        shutil.copy(empty_store, path)
        made.append(World(path, clock, debtor, receivable))
        return made[-1]

    yield make
    for world in made:
        world.store.close()


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    """
    A store with a hand to lead it.
    """
    return make_world()
