"""
Attempts: planned, leased, claimed, settled. A change of state and the event that tells it stand in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from typing import Any

from attrs import evolve, field, frozen
from sqlalchemy import Connection, Row, and_, exists, func, insert, or_, select, update

from cobranza_sdk.model import AttemptState, Consent, Decision
from cobranza_sdk.spec import ProviderError
from cobranza_sdk.store._database import insert_ignoring, reading, writing
from cobranza_sdk.store._facts import Facts, read_facts
from cobranza_sdk.store._ledger import Recorder
from cobranza_sdk.store._overrides import Override, use_overrides
from cobranza_sdk.store._portfolio import write_consent
from cobranza_sdk.store._schema import (
    attempts,
    contact_events,
    contact_points,
    debtors,
    decisions,
    installments,
    outreaches,
    person_guard,
    receivables,
)
from cobranza_sdk.store._scope import CreditorScope
from cobranza_sdk.strategy import DebtorPosition, Due, OpenInstallment

_ENGINE = "engine"
_WAITING = [str(state) for state in AttemptState if state.is_waiting]


@frozen(kw_only=True)
class Prepared:
    """
    An attempt that was judged and rendered, ready to be claimed.

    Attributes:
        attempt_id: Which.
        token: Fencing token of its lease.
        fingerprint: Of the facts it was judged by.
        template_id: Template of its text.
        discloses: Whether the text tells of a debt.
        digest: Digest of the text.
        account: Configured name of the account that will carry it.
        overrides: What it needs and somebody answers for.
        set_aside: Rules that these let it pass.
    """

    attempt_id: str
    token: int
    fingerprint: str
    template_id: str
    discloses: bool
    digest: str
    account: str
    overrides: tuple[Override, ...] = ()
    set_aside: tuple[str, ...] = ()


@frozen(kw_only=True)
class Claimed:
    """
    An attempt that may now be sent, once, by whoever holds the token.
    """

    attempt_id: str
    token: int
    decision: Decision


_ID_REUSED = ProviderError.unrecognised(vendor_code="id_reused")


@frozen(kw_only=True)
class Settlement:
    """
    What became of a call.

    Attributes:
        attempt_id: Which.
        token: The token it was claimed with.
        provider_message_id: The vendor's id when it accepted.
        error: Why it did not, when it did not.
        next_channel: Channel of the new attempt that follows, or None.
        next_point_id: Its contact point.
        next_due_at: When it is due, or None for none.
    """

    attempt_id: str
    token: int
    provider_message_id: str | None = None
    error: ProviderError | None = field(default=None, repr=False)
    next_channel: str | None = None
    next_point_id: str | None = None
    next_due_at: datetime | None = None

    @property
    def state(self) -> AttemptState:
        """
        The state that the axes of the error lead to.
        """
        if self.error is None:
            return AttemptState.ACCEPTED
        if self.error.transmitted != "no":
            return AttemptState.UNKNOWN
        return AttemptState.NOT_SENT if self.error.disposition == "retry" else AttemptState.REJECTED


@frozen(kw_only=True)
class Unsent:
    """
    An attempt that is not to be sent now, and why.

    Attributes:
        attempt_id: Which.
        token: Fencing token of its lease.
        state: ``deferred``, ``suppressed``, ``cancelled``, ``expired`` or ``planned`` (released).
        reason: Rule, or a word such as ``paid``.
        due_at: When it is looked at again, for ``deferred`` and ``planned``.
        decision: What was decided, or None when it did not come to that.
        fingerprint: Of the facts it was judged by.
        next_channel: Channel of the new attempt that follows, or None.
        next_point_id: Its contact point.
    """

    attempt_id: str
    token: int
    state: AttemptState
    reason: str
    due_at: datetime | None = None
    decision: Decision | None = None
    fingerprint: str = ""
    next_channel: str | None = None
    next_point_id: str | None = None


#: Judges facts by compiled rules inside the claim: no plugin code.
Judge = Callable[[Facts, datetime], Decision]


class Attempts:
    """
    The outreaches and attempts of one creditor.

    Args:
        scope: Whose.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    # -- planning --------------------------------------------------------------------------------------------------

    def positions(self, strategy: str, today_of: Callable[[Row[Any]], date]) -> list[DebtorPosition]:
        """
        What every debtor owes, by currency, and what was begun about it.

        Args:
            strategy: Name of the strategy.
            today_of: Date at a debtor's place, given the debtor's row.
        """
        with reading(self._scope.engine) as connection:
            open_parts = self._open_parts(connection)
            begun = self._begun(connection, strategy)
            people = {row.id: row for row in connection.execute(select(debtors).where(self._scope.mine(debtors)))}
        positions = []
        for (debtor_id, currency), parts in sorted(open_parts.items()):
            issued = begun.get((debtor_id, currency), [])
            positions.append(
                DebtorPosition(
                    debtor_id=debtor_id,
                    currency=currency,
                    today=today_of(people[debtor_id]),
                    installments=tuple(parts),
                    issued=frozenset((row.step, row.anchor_on) for row in issued),
                    busy=any(row.waiting for row in issued),
                    last_on=max((row.planned_on for row in issued), default=None),
                )
            )
        return positions

    def _open_parts(self, connection: Connection) -> dict[tuple[str, str], list[OpenInstallment]]:
        statement = (
            select(
                installments.c.debtor_id,
                installments.c.currency,
                installments.c.due_on,
                installments.c.open_minor,
                receivables.c.judicial,
            )
            .join(receivables, receivables.c.id == installments.c.receivable_id)
            .where(self._scope.mine(receivables), installments.c.open_minor != 0)
        )
        found: dict[tuple[str, str], list[OpenInstallment]] = {}
        for row in connection.execute(statement):
            found.setdefault((row.debtor_id, row.currency), []).append(
                OpenInstallment(due_on=row.due_on, open_minor=row.open_minor, judicial=row.judicial)
            )
        return found

    def _begun(self, connection: Connection, strategy: str) -> dict[tuple[str, str], list[Row[Any]]]:
        waiting = exists().where(attempts.c.outreach_id == outreaches.c.id, attempts.c.state.in_(_WAITING))
        statement = select(
            outreaches.c.debtor_id,
            outreaches.c.currency,
            outreaches.c.step,
            outreaches.c.anchor_on,
            outreaches.c.planned_on,
            waiting.label("waiting"),
        ).where(self._scope.mine(outreaches), outreaches.c.strategy == strategy)
        found: dict[tuple[str, str], list[Row[Any]]] = {}
        for row in connection.execute(statement):
            found.setdefault((row.debtor_id, row.currency), []).append(row)
        return found

    def add(
        self,
        dues: Iterable[tuple[Due, date]],
        *,
        strategy: str,
        version: int,
        reach: Callable[[str, Sequence[str]], Sequence[tuple[str, str]]],
    ) -> int:
        """
        Write the outreaches that are due, each with its first attempt; what was made before is skipped.

        Args:
            dues: Each with today's date at the debtor's place.
            strategy: Name of the strategy.
            version: Version of the strategy.
            reach: Channels and contact points by which a debtor can be reached, in order, of those wanted.

        Returns:
            How many are new.
        """
        made = 0
        with writing(self._scope.engine) as connection:
            record = Recorder(self._scope, _ENGINE)
            rows = connection.execute(select(debtors.c.id, debtors.c.person_id).where(self._scope.mine(debtors)))
            people = {row.id: row.person_id for row in rows}
            for due, today in dues:
                outreach_id = self._scope.ids.new()
                added = connection.execute(
                    insert_ignoring(connection, outreaches).values(
                        id=outreach_id,
                        tenant_id=self._scope.tenant_id,
                        creditor_id=self._scope.creditor_id,
                        debtor_id=due.debtor_id,
                        person_id=people[due.debtor_id],
                        currency=due.currency,
                        strategy=strategy,
                        strategy_version=version,
                        step=due.step.id,
                        anchor_on=due.anchor_on,
                        stage=due.stage,
                        planned_on=today,
                        last_day=due.anchor_on + timedelta(days=due.step.until),
                    )
                )
                if added.rowcount == 0:
                    continue
                made += 1
                subjects = {"debtor": due.debtor_id, "outreach": outreach_id}
                ways = reach(due.debtor_id, due.step.channels)
                channel, point_id = ways[0] if ways else (due.step.channels[0], None)
                record(
                    "step.planned",
                    subjects,
                    {"step": due.step.id, "stage": due.stage, "anchor_on": due.anchor_on.isoformat()},
                    correlation=outreach_id,
                )
                self._insert_attempt(
                    connection,
                    record,
                    outreach_id=outreach_id,
                    debtor_id=due.debtor_id,
                    person_id=people[due.debtor_id],
                    number=1,
                    channel=channel,
                    point_id=point_id,
                    due_at=self._scope.clock.now(),
                )
            record.write(connection)
        return made

    def _insert_attempt(
        self,
        connection: Connection,
        record: Recorder,
        *,
        outreach_id: str,
        debtor_id: str,
        person_id: str,
        number: int,
        channel: str,
        point_id: str | None,
        due_at: datetime,
    ) -> None:
        attempt_id = self._scope.ids.new()
        connection.execute(
            insert(attempts).values(
                id=attempt_id,
                tenant_id=self._scope.tenant_id,
                creditor_id=self._scope.creditor_id,
                person_id=person_id,
                debtor_id=debtor_id,
                outreach_id=outreach_id,
                number=number,
                channel=channel,
                contact_point_id=point_id,
                state=AttemptState.PLANNED,
                due_at=due_at,
                token=0,
            )
        )
        record(
            "attempt.planned",
            {"debtor": debtor_id, "outreach": outreach_id, "attempt": attempt_id},
            {"number": number, "channel": channel},
            correlation=outreach_id,
        )

    def points(self, debtor_ids: Collection[str]) -> dict[str, list[Row[Any]]]:
        """
        Usable contact points of each debtor, in order of preference.
        """
        found: dict[str, list[Row[Any]]] = {}
        wanted = sorted(debtor_ids)
        with reading(self._scope.engine) as connection:
            for start in range(0, len(wanted), 400):
                statement = (
                    select(contact_points)
                    .where(
                        self._scope.mine(contact_points),
                        contact_points.c.debtor_id.in_(wanted[start : start + 400]),
                        contact_points.c.state.in_(("confirmed", "unconfirmed")),
                    )
                    .order_by(contact_points.c.position)
                )
                for row in connection.execute(statement):
                    found.setdefault(row.debtor_id, []).append(row)
        return found

    # -- leasing ---------------------------------------------------------------------------------------------------

    def recover(self, slack: timedelta) -> int:
        """
        Mark what was being sent by somebody who is gone as ``unknown``: it may be out, and is not sent again.

        Returns:
            How many.
        """
        now = self._scope.clock.now()
        with writing(self._scope.engine) as connection:
            lost = connection.execute(
                select(attempts).where(
                    self._scope.mine(attempts),
                    attempts.c.state == AttemptState.SENDING,
                    attempts.c.lease_until < now - slack,
                )
            ).all()
            record = Recorder(self._scope, _ENGINE)
            for row in lost:
                connection.execute(
                    update(attempts)
                    .where(attempts.c.id == row.id)
                    .values(state=AttemptState.UNKNOWN, settled_at=now, reason="worker lost while sending")
                )
                record(
                    "attempt.unknown",
                    _subjects(row),
                    {"reason": "worker lost while sending"},
                    correlation=row.outreach_id,
                )
            record.write(connection)
        return len(lost)

    def lease(self, limit: int, lease_for: timedelta, *, skip_channels: Collection[str] = ()) -> list[tuple[str, int]]:
        """
        Take up to *limit* attempts that are due, at most one per person, none of a person who has one being sent.

        Returns:
            Ids and fencing tokens.
        """
        now = self._scope.clock.now()
        sending = attempts.alias("sending")
        due = or_(
            and_(attempts.c.state.in_(("planned", "deferred")), attempts.c.due_at <= now),
            and_(attempts.c.state == AttemptState.LEASED, attempts.c.lease_until < now),
        )
        busy = exists().where(
            sending.c.person_id == attempts.c.person_id,
            or_(
                sending.c.state == AttemptState.SENDING,
                and_(sending.c.state == AttemptState.LEASED, sending.c.lease_until >= now),
            ),
        )
        statement = (
            select(attempts.c.id, attempts.c.person_id, attempts.c.token)
            .where(self._scope.mine(attempts), due, ~busy)
            .order_by(attempts.c.due_at, attempts.c.id)
            .limit(limit * 2)
        )
        if skip_channels:
            statement = statement.where(attempts.c.channel.not_in(skip_channels))
        with writing(self._scope.engine) as connection:
            chosen: dict[str, tuple[str, int]] = {}
            for row in connection.execute(statement):
                if len(chosen) < limit and row.person_id not in chosen:
                    chosen[row.person_id] = (row.id, row.token + 1)
            for attempt_id, token in chosen.values():
                connection.execute(
                    update(attempts)
                    .where(attempts.c.id == attempt_id)
                    .values(state=AttemptState.LEASED, token=token, lease_until=now + lease_for)
                )
        return list(chosen.values())

    def due(self, limit: int) -> list[str]:
        """
        What `lease` would take, without taking it.
        """
        now = self._scope.clock.now()
        statement = (
            select(attempts.c.id)
            .where(self._scope.mine(attempts), attempts.c.state.in_(("planned", "deferred")), attempts.c.due_at <= now)
            .order_by(attempts.c.due_at, attempts.c.id)
            .limit(limit)
        )
        with reading(self._scope.engine) as connection:
            return list(connection.scalars(statement))

    def facts(self, attempt_ids: Sequence[str]) -> dict[str, Facts]:
        """
        Facts of every attempt, by id.
        """
        with reading(self._scope.engine) as connection:
            return read_facts(connection, self._scope, attempt_ids, self._scope.clock.now())

    def facts_of_made(self, attempt_id: str) -> Facts | None:
        """
        Facts of an attempt that was made, as they would be had it not been made yet; None where there is none.
        """
        with reading(self._scope.engine) as connection:
            return read_facts(connection, self._scope, [attempt_id], self._scope.clock.now(), made=attempt_id).get(
                attempt_id
            )

    # -- claiming --------------------------------------------------------------------------------------------------

    def claim(self, prepared: Sequence[Prepared], judge: Judge, sending_for: timedelta) -> list[Claimed]:
        """
        Grant permission to send, in one transaction: lock the persons, read the facts again, judge again by the
        compiled rules, reserve the contact, record the ``allow``, set ``sending``.

        Where the facts changed since the text was rendered, the attempt goes back to ``planned``. Where the rules no
        longer allow, it is deferred or suppressed. A lease that ran out claims nothing: another attempt for the same
        person may have been leased since, and of one person at most one is being sent. No plugin code, no network and
        no file is touched in here.
        """
        granted: list[Claimed] = []
        with writing(self._scope.engine) as connection:
            now = self._scope.clock.now()
            record = Recorder(self._scope, _ENGINE)
            known = {item.attempt_id: item for item in prepared}
            self._lock_persons(connection, list(known))
            served: set[str] = set()
            for attempt_id, facts in read_facts(connection, self._scope, list(known), now).items():
                item = known[attempt_id]
                row = facts.attempt
                if row.state != AttemptState.LEASED or row.token != item.token:
                    continue
                if row.lease_until is not None and row.lease_until < now:
                    continue
                # One attempt per person and batch: a second one would be judged by a history that lacks the first.
                if row.person_id in served or facts.fingerprint != item.fingerprint:
                    self._move(connection, item.attempt_id, item.token, state=AttemptState.PLANNED, due_at=now)
                    continue
                served.add(row.person_id)
                decision = judge(facts, now)
                used = item.overrides if decision.verdict == "allow" else ()
                self._record_decision(connection, record, row, decision, item.fingerprint, used)
                if decision.verdict == "allow":
                    use_overrides(connection, used, row.id)
                    token = self._reserve(connection, record, item, row, now, now + sending_for)
                    granted.append(Claimed(attempt_id=attempt_id, token=token, decision=decision))
                else:
                    self._turn_down(connection, record, row, decision)
            record.write(connection)
        return granted

    def _lock_persons(self, connection: Connection, attempt_ids: Sequence[str]) -> None:
        """
        The first statement of the claim. SQLite's BEGIN IMMEDIATE has already locked everything; elsewhere the rows do.
        """
        wanted = select(attempts.c.person_id).where(attempts.c.id.in_(attempt_ids))
        connection.execute(
            select(person_guard.c.person_id)
            .where(person_guard.c.person_id.in_(wanted))
            .order_by(person_guard.c.person_id)
            .with_for_update()
        ).all()

    def _record_decision(
        self,
        connection: Connection,
        record: Recorder,
        row: Row[Any],
        decision: Decision,
        fingerprint: str,
        used: Sequence[Override] = (),
    ) -> None:
        decision_id = self._scope.ids.new()
        grounds = {"grounds": [override.ground for override in used]} if used else {}
        connection.execute(
            insert(decisions).values(
                id=decision_id,
                tenant_id=self._scope.tenant_id,
                creditor_id=self._scope.creditor_id,
                attempt_id=row.id,
                at=decision.at,
                verdict=decision.verdict,
                fingerprint=fingerprint,
                data=decision.to_dict() | grounds,
            )
        )
        record(
            "decision.made",
            {**_subjects(row), "decision": decision_id},
            {
                "verdict": str(decision.verdict),
                "rules": [finding.rule for finding in decision.findings],
                "basis": list(decision.basis),
                "accepted_risks": list(decision.accepted_risks),
                "channel": row.channel,
                "not_before": None if decision.not_before is None else decision.not_before.isoformat(),
                **grounds,
            },
            correlation=row.outreach_id,
        )

    def _reserve(
        self, connection: Connection, record: Recorder, item: Prepared, row: Row[Any], now: datetime, until: datetime
    ) -> int:
        token = item.token + 1
        self._move(
            connection,
            item.attempt_id,
            item.token,
            state=AttemptState.SENDING,
            new_token=token,
            lease_until=until,
            sending_at=now,
            template_id=item.template_id,
            discloses=item.discloses,
            digest=item.digest,
            account=item.account,
            reason=None,
        )
        connection.execute(
            insert(contact_events).values(
                tenant_id=self._scope.tenant_id, attempt_id=row.id, kind="charge", person_id=row.person_id, at=now
            )
        )
        for override in item.overrides:
            record(
                "override.used",
                {**_subjects(row), "override": override.id},
                {"ground": override.ground, "granted_by": override.by, "rules": list(item.set_aside)},
                correlation=row.outreach_id,
            )
        record("budget.reserved", _subjects(row), {"channel": row.channel}, correlation=row.outreach_id)
        record(
            "attempt.dispatched",
            _subjects(row),
            {"channel": row.channel, "template": item.template_id, "digest": item.digest},
            correlation=row.outreach_id,
        )
        return token

    def _turn_down(self, connection: Connection, record: Recorder, row: Row[Any], decision: Decision) -> None:
        reason = decision.findings[0].rule
        if decision.not_before is not None:
            self._move(
                connection, row.id, row.token, state=AttemptState.DEFERRED, due_at=decision.not_before, reason=reason
            )
            record("attempt.deferred", _subjects(row), {"reason": reason}, correlation=row.outreach_id)
        else:
            self._move(connection, row.id, row.token, state=AttemptState.PLANNED, due_at=self._scope.clock.now())

    def _move(self, connection: Connection, attempt_id: str, token: int, **values: Any) -> bool:
        """
        Change a leased attempt, if the token still holds.
        """
        new_token = values.pop("new_token", token)
        moved = connection.execute(
            update(attempts)
            .where(attempts.c.id == attempt_id, attempts.c.token == token, attempts.c.state == AttemptState.LEASED)
            .values(token=new_token, **values)
        )
        return bool(moved.rowcount)

    def decline(self, items: Sequence[Unsent]) -> list[Unsent]:
        """
        Record what is not sent now, and why; returns those that still held their token.
        """
        declined: list[Unsent] = []
        with writing(self._scope.engine) as connection:
            record = Recorder(self._scope, _ENGINE)
            rows = self._rows(connection, [item.attempt_id for item in items])
            for item in items:
                row = rows[item.attempt_id]
                values: dict[str, Any] = {"state": item.state, "reason": item.reason}
                if item.due_at is not None:
                    values["due_at"] = item.due_at
                if item.state not in _WAITING:
                    values["settled_at"] = self._scope.clock.now()
                if not self._move(connection, item.attempt_id, item.token, **values):
                    continue
                declined.append(item)
                if item.decision is not None:
                    self._record_decision(connection, record, row, item.decision, item.fingerprint)
                if item.state is not AttemptState.PLANNED:
                    payload: dict[str, Any] = {"reason": item.reason, "channel": row.channel}
                    if item.due_at is not None:
                        payload["not_before"] = item.due_at.isoformat()
                    record(f"attempt.{item.state}", _subjects(row), payload, correlation=row.outreach_id)
                if item.next_channel is not None:
                    self._follow(
                        connection, record, row, item.next_channel, item.next_point_id, self._scope.clock.now()
                    )
            record.write(connection)
        return declined

    # -- settling --------------------------------------------------------------------------------------------------

    def settle(self, items: Sequence[Settlement]) -> list[Settlement]:
        """
        Write what became of calls; returns what was written. What was stale changed nothing but the ledger.

        A vendor's id that another attempt of the account has proves nothing: that message is ``unknown``.
        """
        written: list[Settlement] = []
        now = self._scope.clock.now()
        with writing(self._scope.engine) as connection:
            record = Recorder(self._scope, _ENGINE)
            rows = self._rows(connection, [item.attempt_id for item in items])
            used = self._ids_in_use(connection, items, rows)
            for told in items:
                row, item = rows[told.attempt_id], told
                if told.provider_message_id is not None and (row.account, told.provider_message_id) in used:
                    item = evolve(told, provider_message_id=None, error=_ID_REUSED)
                used.add((row.account, told.provider_message_id))
                if item.error is not None and item.error.category == "opted_out":  # true however late it comes
                    consent = Consent(channel=row.channel, granted=False, at=now, source="provider")
                    write_consent(connection, self._scope, row.person_id, consent, record, row.debtor_id)
                moved = connection.execute(
                    update(attempts)
                    .where(
                        attempts.c.id == item.attempt_id,
                        attempts.c.token == item.token,
                        attempts.c.state == AttemptState.SENDING,
                    )
                    .values(
                        state=item.state,
                        settled_at=now,
                        provider_message_id=func.coalesce(item.provider_message_id, attempts.c.provider_message_id),
                        reason=None if item.error is None else str(item.error),
                    )
                )
                if moved.rowcount:
                    written.append(item)
                else:
                    if item.provider_message_id and row.provider_message_id is None:
                        connection.execute(
                            update(attempts)
                            .where(attempts.c.id == item.attempt_id)
                            .values(provider_message_id=item.provider_message_id)
                        )
                    record(
                        "attempt.late_evidence",
                        _subjects(row),
                        {"outcome": str(item.state)},
                        correlation=row.outreach_id,
                    )
                    continue
                # Some vendors' message ids hold the phone number: they stay out of the ledger.
                payload = {"channel": row.channel}
                if item.error is not None:
                    payload |= {"category": str(item.error.category), "code": item.error.vendor_code}
                record(f"attempt.{item.state}", _subjects(row), payload, correlation=row.outreach_id)
                if item.state in (AttemptState.REJECTED, AttemptState.NOT_SENT):
                    refund(connection, self._scope, row, record)
                if item.next_channel is not None and item.next_due_at is not None:
                    self._follow(connection, record, row, item.next_channel, item.next_point_id, item.next_due_at)
            record.write(connection)
        return written

    def _ids_in_use(
        self, connection: Connection, items: Sequence[Settlement], rows: Mapping[str, Row[Any]]
    ) -> set[tuple[str | None, str | None]]:
        """
        Accounts and vendor's ids among those of *items* that other attempts of the tenant have.
        """
        theirs = {item.provider_message_id for item in items} - {None}
        statement = select(attempts.c.id, attempts.c.account, attempts.c.provider_message_id).where(
            attempts.c.tenant_id == self._scope.tenant_id, attempts.c.provider_message_id.in_(theirs)
        )
        return {(row.account, row.provider_message_id) for row in connection.execute(statement) if row.id not in rows}

    def follow(
        self, attempt_id: str, channel: str, point_id: str | None, *, connection: Connection | None = None
    ) -> None:
        """
        Add the attempt that follows one that failed late, or one that asked who the person is and was told.

        Args:
            attempt_id: Which went before.
            channel: Channel of the new one.
            point_id: Its contact point.
            connection: The transaction that acts on the report, or None for one of our own.
        """
        with nullcontext(connection) if connection is not None else writing(self._scope.engine) as joined:
            record = Recorder(self._scope, _ENGINE)
            row = self._rows(joined, [attempt_id])[attempt_id]
            self._follow(joined, record, row, channel, point_id, self._scope.clock.now())
            record.write(joined)

    def _follow(
        self,
        connection: Connection,
        record: Recorder,
        row: Row[Any],
        channel: str,
        point_id: str | None,
        due_at: datetime,
    ) -> None:
        number = connection.scalar(select(func.max(attempts.c.number)).where(attempts.c.outreach_id == row.outreach_id))
        self._insert_attempt(
            connection,
            record,
            outreach_id=row.outreach_id,
            debtor_id=row.debtor_id,
            person_id=row.person_id,
            number=(number or 0) + 1,
            channel=channel,
            point_id=point_id,
            due_at=due_at,
        )

    def _rows(self, connection: Connection, attempt_ids: Sequence[str]) -> dict[str, Row[Any]]:
        statement = select(attempts).where(self._scope.mine(attempts), attempts.c.id.in_(attempt_ids))
        return {row.id: row for row in connection.execute(statement)}

    # -- looking ---------------------------------------------------------------------------------------------------

    def listing(self, *, states: Sequence[str] = (), debtor: str | None = None) -> list[dict[str, Any]]:
        """
        What ``cobranza attempts --json`` prints, in the order of making.

        Args:
            states: Only these; empty is all.
            debtor: Only this debtor's, by our id or by the creditor's.
        """
        statement = (
            select(attempts, outreaches.c.step, debtors.c.external_id)
            .join(outreaches, outreaches.c.id == attempts.c.outreach_id)
            .join(debtors, debtors.c.id == attempts.c.debtor_id)
            .where(self._scope.mine(attempts))
            .order_by(attempts.c.id)
        )
        if states:
            statement = statement.where(attempts.c.state.in_(states))
        if debtor is not None:
            statement = statement.where(or_(debtors.c.id == debtor, debtors.c.external_id == debtor))
        with reading(self._scope.engine) as connection:
            return [_listed(row) for row in connection.execute(statement)]


def _listed(row: Row[Any]) -> dict[str, Any]:
    waits = row.state in (AttemptState.DEFERRED, AttemptState.PLANNED)
    return {
        "attempt_id": row.id,
        "debtor_id": row.external_id,
        "step": row.step,
        "channel": row.channel,
        "state": row.state,
        "provider_message_id": row.provider_message_id,
        "not_before": row.due_at.isoformat() if waits else None,
        "reason": row.reason,
    }


def _subjects(row: Row[Any]) -> dict[str, str]:
    return {"debtor": row.debtor_id, "outreach": row.outreach_id, "attempt": row.id}


def refund(connection: Connection, scope: Any, row: Row[Any], record: Recorder) -> None:
    """
    Give the contact back, once it is proven that nothing was sent: a row of its own, never a deletion.
    """
    added = connection.execute(
        insert_ignoring(connection, contact_events).values(
            tenant_id=scope.tenant_id,
            attempt_id=row.id,
            kind="refund",
            person_id=row.person_id,
            at=scope.clock.now(),
        )
    )
    if added.rowcount:
        record("budget.released", _subjects(row), {"channel": row.channel}, correlation=row.outreach_id)
