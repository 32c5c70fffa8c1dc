"""
The inbox: what vendors report, stored once, and only then acted on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from cobranza_sdk.model import Address, AttemptState, Consent, EventKind, Money
from cobranza_sdk.spec import Event, ProviderError
from cobranza_sdk.store._attempts import Attempts
from cobranza_sdk.store._database import insert_ignoring, reading, writing
from cobranza_sdk.store._ledger import Recorder
from cobranza_sdk.store._portfolio import write_consent
from cobranza_sdk.store._schema import attempts, contact_points, debtors, holds, inbox
from cobranza_sdk.store._scope import CreditorScope, TenantScope

#: How long an event that fits no attempt yet is kept for one to appear.
PARKED_FOR = timedelta(hours=24)
#: Longest pause between two looks at such an event; before that, as long as it has waited already.
_LOOK_EVERY = timedelta(hours=1)
#: How long automatic steps pause after a reply nobody has classified.
REPLY_PAUSE = timedelta(hours=24)
#: How long they pause after the debtor says that it is paid, or disputes the debt.
CLAIM_PAUSE = timedelta(days=5)

_RECEIPTS = {
    EventKind.ACCEPTED: (AttemptState.ACCEPTED, None),
    EventKind.SENT: (AttemptState.SENT, None),
    EventKind.FAILED: (AttemptState.FAILED, "failed_at"),
    EventKind.DELIVERED: (AttemptState.DELIVERED, "delivered_at"),
    EventKind.READ: (AttemptState.READ, "read_at"),
}
_RECEIPT_KINDS = sorted(str(kind) for kind in _RECEIPTS)
#: Late, repeated and unordered receipts end in the highest of these.
_RANK = {
    AttemptState.SENDING: 0,
    AttemptState.UNKNOWN: 0,
    AttemptState.ACCEPTED: 1,
    AttemptState.SENT: 2,
    AttemptState.FAILED: 3,
    AttemptState.DELIVERED: 4,
    AttemptState.READ: 5,
}
#: Holds that a reply of some intent places.
_PAUSES = {"other": ("reply", REPLY_PAUSE), "paid": ("says_paid", CLAIM_PAUSE), "dispute": ("dispute", CLAIM_PAUSE)}


@frozen(kw_only=True)
class Entry:
    """
    A stored event that waits to be acted on.

    Attributes:
        id: Ours.
        endpoint: Configured name of the account it came in by.
        event: What the vendor reported.
        received_at: When it came in.
    """

    id: str
    endpoint: str
    event: Event
    received_at: datetime


@frozen(kw_only=True)
class Outcome:
    """
    What acting on an event did.

    Attributes:
        what: ``applied``, ``repeated``, ``parked``, ``unmatched`` or ``noted``.
        failed_attempt: Id of an attempt that has just failed and may be followed by another channel.
        confirmed_attempt: Id of an attempt that asked who the person is, and was told: the step's own message follows.
        creditor_id: Creditor of either.
    """

    what: str
    failed_attempt: str | None = None
    confirmed_attempt: str | None = None
    creditor_id: str | None = None


class Inbox:
    """
    Events of one tenant.

    Args:
        scope: Whose.
    """

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def store(self, endpoint: str, events: Iterable[Event], received_at: datetime) -> int:
        """
        Store events that were not stored before, in one transaction.

        Returns:
            How many are new.
        """
        rows = [
            {
                "id": self._scope.ids.new(),
                "tenant_id": self._scope.tenant_id,
                "endpoint": endpoint,
                "account": event.account,
                "event_key": event.key,
                "kind": str(event.kind),
                "occurred_at": event.occurred_at,
                "received_at": received_at,
                "data": _packed(event),
            }
            for event in events
        ]
        new = 0
        if rows:
            with writing(self._scope.engine) as connection:
                for row in rows:
                    new += connection.execute(insert_ignoring(connection, inbox).values(**row)).rowcount
        return new

    def pending(
        self, limit: int = 500, *, only: Collection[str] | None = None, without: Collection[str] = ()
    ) -> list[Entry]:
        """
        What waits to be acted on, in the order it came in; what is parked comes last, lest it hold up the rest, and
        ever more rarely.

        Args:
            limit: Most entries.
            only: Only what came in by these accounts; None is all.
            without: Nothing that came in by these.
        """
        asked = [] if only is None else [inbox.c.endpoint.in_(sorted(only))]
        now = self._scope.clock.now()
        statement = (
            select(inbox)
            .where(
                self._scope.mine(inbox),
                inbox.c.processed_at.is_(None),
                or_(inbox.c.again_at.is_(None), inbox.c.again_at <= now),
                inbox.c.endpoint.not_in(sorted(without)),
                *asked,
            )
            .order_by(inbox.c.outcome.is_not(None), inbox.c.kind.in_(_RECEIPT_KINDS), inbox.c.id)
            .limit(limit)
        )
        with reading(self._scope.engine) as connection:
            return [_entry(row) for row in connection.execute(statement)]

    def close(self, entry: Entry, outcome: str) -> None:
        """
        Put an event aside without acting on it, for example as ``quarantined``.
        """
        with writing(self._scope.engine) as connection:
            self.mark(connection, entry, outcome)

    def postpone(self, entry: Entry) -> str:
        """
        Leave an event that could not be acted on for later; after a day it is set aside as ``poisoned``.
        """
        with writing(self._scope.engine) as connection:
            if self._scope.clock.now() - entry.received_at > PARKED_FOR:
                self.mark(connection, entry, "poisoned")
                return "poisoned"
            self.wait(connection, entry, "failing")
        return "failing"

    def was_identity(self, event: Event, endpoint: str) -> bool:
        """
        Whether *event* is the first answer to a message that told nothing and asked one person who they are.
        """
        with reading(self._scope.engine) as connection:
            row = self._answered(connection, event, endpoint)
            if row is None or row.discloses is not False or row.replied_at is not None:
                return False
            if event.reply_to or event.attempt_id:
                return True
            # Who shares a phone and quotes nothing may be anybody; and anybody can write whom a mail is from.
            forgeable = event.address is None or event.address.scheme == "email"
            return not forgeable and len(self._people(connection, event, row)) == 1

    def concerned(self, entry: Entry) -> tuple[str, str] | None:
        """
        The attempt that an entry is about and its creditor, or None when there is none.
        """
        event = entry.event
        with reading(self._scope.engine) as connection:
            row = (
                self._sent(connection, event.provider_message_id, event.attempt_id, entry.endpoint)
                if event.kind in _RECEIPTS
                else self._answered(connection, event, entry.endpoint)
            )
        return None if row is None else (row.id, row.creditor_id)

    def apply(
        self,
        entry: Entry,
        intent: str | None,
        *,
        channel: str | None = None,
        follow: tuple[str, str | None] | None = None,
    ) -> Outcome:
        """
        Act on one event, in one transaction that also marks it as done.

        Args:
            entry: Which.
            intent: Meaning of a message from a person: ``opt_out``, ``wrong_number``, ``holder_confirmed``, ``paid``,
                ``dispute`` or ``other``; None for a receipt.
            channel: Channel that the entry's account serves; None takes it from what that account has sent.
            follow: Channel and contact point of the attempt that follows, if the entry turns out to call for one.
        """
        event = entry.event
        with writing(self._scope.engine) as connection:
            done = connection.scalar(
                select(inbox.c.processed_at).where(self._scope.mine(inbox), inbox.c.id == entry.id)
            )
            if done is not None:  # another worker was faster
                return Outcome(what="repeated")
            record = Recorder(self._scope, f"channel:{entry.endpoint}")
            if event.kind in _RECEIPTS:
                outcome = self._receipt(connection, record, entry)
            elif intent is not None:
                outcome = self._message(connection, record, entry, intent, channel)
            else:
                record("provider.reported", {}, {"kind": str(event.kind), "reference": event.reference})
                outcome = Outcome(what="noted")
            record.write(connection)
            before = outcome.failed_attempt or outcome.confirmed_attempt
            if before is not None and outcome.creditor_id is not None and follow is not None:
                Attempts(self._creditor(outcome.creditor_id)).follow(before, *follow, connection=connection)
            waited = self._scope.clock.now() - entry.received_at
            if outcome.what != "parked":
                self.mark(connection, entry, outcome.what)
            elif waited > PARKED_FOR:
                self.mark(connection, entry, "unmatched")
                outcome = Outcome(what="unmatched")
            else:
                self.wait(connection, entry, "parked")
        return outcome

    def mark(self, connection: Connection, entry: Entry, outcome: str) -> None:
        """
        Note that an event is done with, in the transaction that acts on it.
        """
        connection.execute(self._change(entry).values(processed_at=self._scope.clock.now(), outcome=outcome))

    def wait(self, connection: Connection, entry: Entry, outcome: str, *, at_least: timedelta = timedelta()) -> None:
        """
        Note that an event is to be looked at again, the later the longer it has waited.
        """
        now = self._scope.clock.now()
        again_at = now + max(at_least, min(now - entry.received_at, _LOOK_EVERY))
        connection.execute(self._change(entry).values(outcome=outcome, again_at=again_at))

    def _change(self, entry: Entry) -> Any:
        return update(inbox).where(self._scope.mine(inbox), inbox.c.id == entry.id)

    # -- receipts --------------------------------------------------------------------------------------------------

    def _receipt(self, connection: Connection, record: Recorder, entry: Entry) -> Outcome:
        event = entry.event
        row = self._sent(connection, event.provider_message_id, event.attempt_id, entry.endpoint)
        if row is None or row.state not in _RANK:
            return Outcome(what="parked" if row is None else "noted")
        state, column = _RECEIPTS[event.kind]
        values: dict[str, Any] = {}
        if event.provider_message_id and row.provider_message_id is None:
            values["provider_message_id"] = event.provider_message_id
        if column is not None and (getattr(row, column) is None or event.occurred_at < getattr(row, column)):
            values[column] = event.occurred_at
        rises = _RANK[state] > _RANK[AttemptState(row.state)]
        if rises:
            values |= {"state": state, "settled_at": self._scope.clock.now()}
            if row.state == AttemptState.UNKNOWN:
                values["resolution"] = "accepted"
            values["reason"] = event.outcome or str(event.error or "failed") if state is AttemptState.FAILED else None
        if state is AttemptState.FAILED and event.error is not None and event.error.category == "opted_out":
            self._withdraw(
                connection, record, row.creditor_id, row.person_id, row.debtor_id, row.channel, event.occurred_at
            )
        if not values:
            return Outcome(what="repeated")
        connection.execute(update(attempts).where(attempts.c.id == row.id).values(**values))
        record(
            f"attempt.{state}",
            _subjects(row),
            {"channel": row.channel, **_told(event)},
            at=event.occurred_at,
            creditor_id=row.creditor_id,
            correlation=row.outreach_id,
        )
        if rises and state is AttemptState.FAILED:
            return Outcome(what="applied", failed_attempt=row.id, creditor_id=row.creditor_id)
        return Outcome(what="applied")

    def _sent(
        self, connection: Connection, provider_message_id: str | None, attempt_id: str | None, endpoint: str
    ) -> Row[Any] | None:
        ways = []
        if provider_message_id:
            ways.append(attempts.c.provider_message_id == provider_message_id)
        if attempt_id:
            ways.append(attempts.c.id == attempt_id)
        if not ways:
            return None
        statement = select(attempts).where(self._scope.mine(attempts), attempts.c.account == endpoint, or_(*ways))
        return connection.execute(statement.order_by(attempts.c.id.desc()).limit(1)).one_or_none()

    # -- messages from people --------------------------------------------------------------------------------------

    def _answered(self, connection: Connection, event: Event, endpoint: str) -> Row[Any] | None:
        """
        The attempt that a message answers: the one it quotes, else the latest to its address.
        """
        row = self._sent(connection, event.reply_to, event.attempt_id, endpoint)
        if row is not None or event.address is None:
            return row
        statement = (
            select(attempts)
            .join(contact_points, contact_points.c.id == attempts.c.contact_point_id)
            .where(
                self._scope.mine(attempts),
                attempts.c.account == endpoint,
                contact_points.c.value.in_(_variants(event.address)),
                attempts.c.state.in_([str(state) for state in _RANK]),
            )
            .order_by(attempts.c.sending_at.desc(), attempts.c.id.desc())
            .limit(1)
        )
        return connection.execute(statement).one_or_none()

    def _message(
        self, connection: Connection, record: Recorder, entry: Entry, intent: str, channel: str | None
    ) -> Outcome:
        event = entry.event
        row = self._answered(connection, event, entry.endpoint)
        people = self._people(connection, event, row)
        if not people:
            return Outcome(what="parked")
        # A vendor's report that the number changed hands is no answer.
        answers = row is not None and event.kind is not EventKind.WRONG_NUMBER
        if row is not None and answers and (row.replied_at is None or event.occurred_at > row.replied_at):
            values: dict[str, Any] = {"replied_at": event.occurred_at}
            if row.state == AttemptState.UNKNOWN:  # who answers a message has it
                values |= {"state": AttemptState.ACCEPTED, "resolution": "accepted", "reason": None}
                record(
                    "attempt.resolved",
                    _subjects(row),
                    {"outcome": "accepted"},
                    creditor_id=row.creditor_id,
                    correlation=row.outreach_id,
                )
            connection.execute(update(attempts).where(attempts.c.id == row.id).values(**values))
        channel = row.channel if row is not None else channel or self._channel_of(connection, entry.endpoint)
        for debtor in people:
            subjects = {"debtor": debtor.id, "attempt": None if row is None else row.id, "inbox": entry.id}
            record(
                "message.received",
                subjects,
                {"channel": channel, "intent": intent},
                at=event.occurred_at,
                creditor_id=debtor.creditor_id,
                correlation=None if row is None else row.outreach_id,
            )
            if intent == "opt_out":
                self._withdraw(
                    connection, record, debtor.creditor_id, debtor.person_id, debtor.id, channel, event.occurred_at
                )
            if intent in _PAUSES:
                self._pause(connection, record, debtor, *_PAUSES[intent])
        if intent == "wrong_number":
            self._deny_points(connection, record, entry, row, [debtor.id for debtor in people])
        if intent == "holder_confirmed" and row is not None and self._confirm_point(connection, record, row, entry):
            return Outcome(what="applied", confirmed_attempt=row.id, creditor_id=row.creditor_id)
        return Outcome(what="applied")

    def _channel_of(self, connection: Connection, endpoint: str) -> str:
        """
        The channel of an account that may bear another name: what it has sent tells.
        """
        statement = (
            select(attempts.c.channel)
            .where(self._scope.mine(attempts), attempts.c.account == endpoint)
            .order_by(attempts.c.id.desc())
            .limit(1)
        )
        return connection.scalar(statement) or endpoint

    def _people(self, connection: Connection, event: Event, row: Row[Any] | None) -> Sequence[Row[Any]]:
        """
        Debtors that a message may come from: the one written to, and all who share the address.
        """
        ways = []
        if row is not None:
            ways.append(debtors.c.id == row.debtor_id)
        if event.address is not None:
            holding = select(contact_points.c.debtor_id).where(
                self._scope.mine(contact_points),
                contact_points.c.scheme == event.address.scheme,
                contact_points.c.value.in_(_variants(event.address)),
                contact_points.c.state != "closed",
            )
            ways.append(debtors.c.id.in_(holding))
        if not ways:
            return []
        return connection.execute(select(debtors).where(self._scope.mine(debtors), or_(*ways))).all()

    def _creditor(self, creditor_id: str) -> CreditorScope:
        return CreditorScope(
            engine=self._scope.engine,
            clock=self._scope.clock,
            ids=self._scope.ids,
            tenant_id=self._scope.tenant_id,
            creditor_id=creditor_id,
        )

    def _withdraw(
        self,
        connection: Connection,
        record: Recorder,
        creditor_id: str,
        person_id: str,
        debtor_id: str,
        channel: str,
        at: datetime,
    ) -> None:
        consent = Consent(channel=channel, granted=False, at=at, source="reply")
        write_consent(connection, self._creditor(creditor_id), person_id, consent, record, debtor_id)

    def _pause(
        self, connection: Connection, record: Recorder, debtor: Row[Any], reason: str, length: timedelta
    ) -> None:
        now = self._scope.clock.now()
        hold_id = self._scope.ids.new()
        connection.execute(
            insert(holds).values(
                id=hold_id,
                tenant_id=self._scope.tenant_id,
                creditor_id=debtor.creditor_id,
                debtor_id=debtor.id,
                reason=reason,
                placed_at=now,
                until_at=now + length,
                placed_by="inbox",
            )
        )
        record(
            "hold.placed", {"debtor": debtor.id, "hold": hold_id}, {"reason": reason}, creditor_id=debtor.creditor_id
        )

    def _confirm_point(self, connection: Connection, record: Recorder, row: Row[Any], entry: Entry) -> bool:
        """
        Confirm the holder of an address that nobody has judged before; returns whether it was confirmed now.
        """
        changed = connection.execute(
            update(contact_points)
            .where(contact_points.c.id == row.contact_point_id, contact_points.c.state == "unconfirmed")
            .values(state="confirmed", holder_role="debtor", **self._judged(entry))
        )
        if not changed.rowcount:
            return False
        subjects = {"debtor": row.debtor_id, "contact_point": row.contact_point_id}
        record("contact_point.verified", subjects, creditor_id=row.creditor_id)
        return row.discloses is False

    def _deny_points(
        self, connection: Connection, record: Recorder, entry: Entry, row: Row[Any] | None, debtor_ids: Sequence[str]
    ) -> None:
        """
        Close an address to whoever it was taken for: the one written to and, when it is told, all who share it.
        """
        address = entry.event.address
        ways = []
        if row is not None and row.contact_point_id is not None:
            ways.append(contact_points.c.id == row.contact_point_id)
        if address is not None and (row is None or not entry.event.reply_to):
            same = contact_points.c.value.in_(_variants(address))
            ways.append(and_(contact_points.c.debtor_id.in_(debtor_ids), same))
        if not ways:
            return
        points = connection.execute(
            select(contact_points).where(
                self._scope.mine(contact_points), or_(*ways), contact_points.c.state.not_in(("closed", "wrong_party"))
            )
        ).all()
        for point in points:
            connection.execute(
                update(contact_points)
                .where(contact_points.c.id == point.id)
                .values(state="wrong_party", **self._judged(entry))
            )
            subjects = {"debtor": point.debtor_id, "contact_point": point.id}
            record("contact_point.wrong_party", subjects, creditor_id=point.creditor_id)

    def _judged(self, entry: Entry) -> dict[str, Any]:
        return {"changed_by": f"channel:{entry.endpoint}", "changed_at": self._scope.clock.now()}


def _variants(address: Address) -> list[str]:
    """
    The ways in which one mobile number is written: messaging vendors add or drop a digit in three countries.
    """
    value = address.value
    if address.scheme != "e164":
        return [value]
    found = {value}
    for prefix, extra in (("+52", "1"), ("+54", "9")):
        if value.startswith(prefix):
            rest = value.removeprefix(prefix)
            found |= {prefix + extra + rest, prefix + rest.removeprefix(extra)}
    if value.startswith("+55"):
        area, rest = value[3:5], value[5:]
        found |= {f"+55{area}9{rest}", f"+55{area}{rest.removeprefix('9')}"}
    return sorted(found)


def _subjects(row: Row[Any]) -> dict[str, str | None]:
    return {"debtor": row.debtor_id, "outreach": row.outreach_id, "attempt": row.id}


def _told(event: Event) -> dict[str, Any]:
    """
    What a receipt tells beside its kind.
    """
    found = {} if event.outcome is None else {"outcome": event.outcome}
    error = event.error
    return found if error is None else {**found, "category": str(error.category), "code": error.vendor_code}


def _packed(event: Event) -> dict[str, Any]:
    error = event.error
    return {
        "provider_message_id": event.provider_message_id,
        "attempt_id": event.attempt_id,
        "address": None if event.address is None else [event.address.scheme, event.address.value],
        "text": event.text,
        "reply_to": event.reply_to,
        "error": None if error is None else [error.category, error.disposition, error.transmitted, error.vendor_code],
        "money": None if event.money is None else [event.money.minor, event.money.currency],
        "reference": event.reference,
        "raw": dict(event.raw),
        "refunded": None if event.refunded is None else [event.refunded.minor, event.refunded.currency],
        "outcome": event.outcome,
    }


def _entry(row: Row[Any]) -> Entry:
    data = row.data
    error, refunded = data["error"], data.get("refunded")  # rows of before have none
    event = Event(
        kind=EventKind(row.kind),
        key=row.event_key,
        occurred_at=row.occurred_at,
        account=row.account,
        provider_message_id=data["provider_message_id"],
        attempt_id=data["attempt_id"],
        address=None if data["address"] is None else Address(*data["address"]),
        text=data["text"],
        reply_to=data["reply_to"],
        error=None if error is None else ProviderError(*error[:3], vendor_code=error[3]),
        money=None if data["money"] is None else Money(*data["money"]),
        reference=data["reference"],
        raw=data["raw"],
        refunded=None if refunded is None else Money(*refunded),
        outcome=data.get("outcome"),
    )
    return Entry(id=row.id, endpoint=row.endpoint, event=event, received_at=row.received_at)
