"""
Facts: everything a decision about an attempt rests on, read for a whole batch at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from attrs import field, frozen
from sqlalchemy import Connection, Row, and_, case, exists, func, or_, select

from cobranza_sdk.model import Address, AttemptState, Money, PastContact
from cobranza_sdk.store._overrides import Override, open_overrides
from cobranza_sdk.store._schema import (
    attempts,
    consents,
    contact_events,
    contact_points,
    controls,
    debtors,
    dumps,
    holds,
    installments,
    outreaches,
    personal_data,
    receivables,
)
from cobranza_sdk.store._scope import CreditorScope

#: How far back history is read: as far as a decision ever looks ahead.
HISTORY = timedelta(days=400)
_MAX_DOCUMENTS = 20


@frozen(kw_only=True)
class Facts:
    """
    What is known of one attempt and of the person it is for.

    Attributes:
        attempt: The attempt's row joined with its outreach.
        debtor: The debtor's row.
        name: The person's name. Personal data: never printed.
        point_id: The contact point's id, or None when the person has none for this channel any more.
        address: Where to, or None.
        holder_role: Who holds the address.
        point_state: How far that is known.
        balance: What is owed in the attempt's currency, credits deducted.
        oldest_due_on: Due date of the oldest open installment, or None when nothing is owed.
        documents: Numbers of what is owed, oldest first.
        open_installments: How many are open.
        judicial: Whether a lawsuit over any of it is filed.
        consent: ``yes``, ``no`` or ``opted_out``, for the attempt's channel.
        history: Past contacts with the person, newest first.
        last_inbound_at: When the person last wrote on this channel, or None.
        hold: Reason of a hold in force, or None.
        hold_until: When that hold ends by itself, or None.
        tried: Channels that the outreach has tried, and how often, this attempt included; what was rejected, for
            example because an account was broken, names its channel but is not counted.
        stopped: Reason of the stop of everything, or None.
        overrides: What somebody answers for, open for the attempt's channel.
    """

    attempt: Row[Any] = field(repr=False)
    debtor: Row[Any] = field(repr=False)
    name: str = field(repr=False)
    point_id: str | None
    address: Address | None
    holder_role: str
    point_state: str
    balance: Money
    oldest_due_on: date | None
    documents: tuple[str, ...] = field(repr=False)
    receivable_ids: tuple[str, ...]
    open_installments: int
    judicial: bool
    consent: str
    history: tuple[PastContact, ...]
    last_inbound_at: datetime | None
    hold: str | None
    hold_until: datetime | None
    tried: Mapping[str, int]
    stopped: str | None
    overrides: tuple[Override, ...]

    @property
    def fingerprint(self) -> str:
        """
        Digest of all that a decision or a text rests on: if it differs at the claim, the attempt goes back.
        """
        data = [
            self.point_id,
            self.holder_role,
            self.point_state,
            self.balance.minor,
            str(self.oldest_due_on),
            list(self.documents),
            self.judicial,
            self.consent,
            [[str(past.at), past.channel, past.outcome, str(past.outcome_at)] for past in self.history],
            self.hold,
            self.stopped,
            [override.id for override in self.overrides],
            self.debtor.digest,
        ]
        return hashlib.sha256(dumps(data).encode()).hexdigest()


def read_facts(
    connection: Connection, scope: CreditorScope, attempt_ids: Sequence[str], now: datetime, *, made: str | None = None
) -> dict[str, Facts]:
    """
    Facts of every attempt, by id, with a handful of queries for the whole batch.

    Args:
        connection: Reads.
        scope: Whose.
        attempt_ids: Which.
        now: The instant.
        made: The one attempt, where it was made already: its own contact is no history of it, and the overrides are
            those that it used.
    """
    rows = connection.execute(
        select(
            attempts,
            outreaches.c.currency,
            outreaches.c.strategy,
            outreaches.c.step,
            outreaches.c.anchor_on,
            outreaches.c.last_day,
        )
        .join(outreaches, outreaches.c.id == attempts.c.outreach_id)
        .where(scope.mine(attempts), attempts.c.id.in_(attempt_ids))
    ).all()
    debtor_ids = {row.debtor_id for row in rows}
    person_ids = {row.person_id for row in rows}
    debtor_rows = {row.id: row for row in connection.execute(select(debtors).where(debtors.c.id.in_(debtor_ids)))}
    names = {
        row.person_id: (row.data or {}).get("name") or ""
        for row in connection.execute(select(personal_data).where(personal_data.c.person_id.in_(person_ids)))
    }
    points = _by_id(connection, contact_points, {row.contact_point_id for row in rows if row.contact_point_id})
    owed = _owed(connection, debtor_ids)
    agreed = {
        (row.person_id, row.channel): row.granted
        for row in connection.execute(
            select(consents).where(scope.mine(consents), consents.c.person_id.in_(person_ids))
        )
    }
    histories = read_history(connection, scope.tenant_id, person_ids, now, without=made)
    held = _holds(connection, scope, debtor_ids, now)
    inbound = _last_inbound(connection, scope, person_ids)
    tried = _tried(connection, {row.outreach_id for row in rows})
    stop = stopped_reason(connection, scope.tenant_id)
    answered_for = open_overrides(connection, scope, debtor_ids, now, used_by=made)
    facts = {}
    for row in rows:
        point = points.get(row.contact_point_id) if row.contact_point_id else None
        usable = point is not None and point.state not in ("closed", "wrong_party", "bouncing")
        open_rows = owed.get((row.debtor_id, row.currency), [])
        due = [part for part in open_rows if part.open_minor > 0]
        granted = agreed.get((row.person_id, row.channel))
        facts[row.id] = Facts(
            attempt=row,
            debtor=debtor_rows[row.debtor_id],
            name=names.get(row.person_id, ""),
            point_id=point.id if point is not None and usable else None,
            address=Address(point.scheme, point.value) if point is not None and usable else None,
            holder_role=point.holder_role if point is not None else "unknown",
            point_state=point.state if point is not None else "closed",
            balance=Money(sum(part.open_minor for part in open_rows), row.currency),
            oldest_due_on=min((part.due_on for part in due), default=None),
            documents=tuple(dict.fromkeys(part.document or part.external_id for part in due))[:_MAX_DOCUMENTS],
            receivable_ids=tuple(sorted({part.receivable_id for part in due})),
            open_installments=len(due),
            judicial=any(part.judicial for part in due),
            consent={None: "no", True: "yes", False: "opted_out"}[granted],
            history=histories.get(row.person_id, ()),
            last_inbound_at=inbound.get((row.person_id, row.channel)),
            hold=held.get(row.debtor_id, (None, None))[0],
            hold_until=held.get(row.debtor_id, (None, None))[1],
            tried=tried.get(row.outreach_id, {}),
            stopped=stop,
            overrides=answered_for.get((row.debtor_id, row.channel), ()),
        )
    return facts


def _by_id(connection: Connection, table: Any, ids: Iterable[str]) -> dict[str, Row[Any]]:
    return {row.id: row for row in connection.execute(select(table).where(table.c.id.in_(set(ids))))}


def _owed(connection: Connection, debtor_ids: Iterable[str]) -> dict[tuple[str, str], list[Row[Any]]]:
    found: dict[tuple[str, str], list[Row[Any]]] = {}
    statement = (
        select(
            installments,
            receivables.c.document,
            receivables.c.external_id,
            receivables.c.judicial,
        )
        .join(receivables, receivables.c.id == installments.c.receivable_id)
        .where(installments.c.debtor_id.in_(set(debtor_ids)), installments.c.open_minor != 0)
        .order_by(installments.c.due_on, receivables.c.external_id, installments.c.number)
    )
    for row in connection.execute(statement):
        found.setdefault((row.debtor_id, row.currency), []).append(row)
    return found


def read_history(
    connection: Connection, tenant_id: str, person_ids: Iterable[str], now: datetime, *, without: str | None = None
) -> dict[str, tuple[PastContact, ...]]:
    """
    Contacts charged to each person and not refunded, whichever creditor of the tenant made them, newest first.

    That of the attempt *without* is left out.
    """
    refund = contact_events.alias("refund")
    statement = (
        select(
            contact_events.c.person_id,
            contact_events.c.at,
            attempts.c.channel,
            attempts.c.state,
            attempts.c.creditor_id,
            attempts.c.read_at,
            attempts.c.replied_at,
            contact_points.c.holder_role,
        )
        .join(attempts, attempts.c.id == contact_events.c.attempt_id)
        .outerjoin(contact_points, contact_points.c.id == attempts.c.contact_point_id)
        .where(
            contact_events.c.tenant_id == tenant_id,
            contact_events.c.kind == "charge",
            contact_events.c.person_id.in_(set(person_ids)),
            contact_events.c.at > now - HISTORY,
            ~exists().where(refund.c.attempt_id == contact_events.c.attempt_id, refund.c.kind == "refund"),
        )
        .order_by(contact_events.c.at.desc(), contact_events.c.attempt_id.desc())
    )
    if without is not None:
        statement = statement.where(contact_events.c.attempt_id != without)
    found: dict[str, list[PastContact]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.person_id, []).append(_past(row, now))
    return {person_id: tuple(pasts) for person_id, pasts in found.items()}


def _past(row: Any, now: datetime) -> PastContact:
    outcome, outcome_at = None, None
    if row.replied_at is not None:
        outcome, outcome_at = "replied", row.replied_at
    elif row.read_at is not None:
        outcome, outcome_at = "read", row.read_at
    elif row.state == AttemptState.FAILED:
        outcome = "failed"
    # Accepted, sent, delivered and unknown have no final outcome: they count as if the person had been reached.
    return PastContact(
        at=min(row.at, now),  # a clock that was set back must not make a contact unseen
        channel=row.channel,
        outcome=outcome,
        outcome_at=outcome_at,
        creditor_id=row.creditor_id,
        recipient=row.holder_role or "unknown",
    )


def _tried(connection: Connection, outreach_ids: Iterable[str]) -> dict[str, dict[str, int]]:
    counts = case((attempts.c.state == AttemptState.REJECTED, 0), else_=1)
    statement = (
        select(attempts.c.outreach_id, attempts.c.channel, func.sum(counts).label("times"))
        .where(attempts.c.outreach_id.in_(set(outreach_ids)))
        .group_by(attempts.c.outreach_id, attempts.c.channel)
    )
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.outreach_id, {})[row.channel] = row.times
    return found


def _holds(
    connection: Connection, scope: CreditorScope, debtor_ids: Iterable[str], now: datetime
) -> dict[str, tuple[str, datetime | None]]:
    """
    The hold that lasts longest, by debtor.
    """
    statement = select(holds.c.debtor_id, holds.c.reason, holds.c.until_at).where(
        scope.mine(holds),
        holds.c.debtor_id.in_(set(debtor_ids)),
        holds.c.lifted_at.is_(None),
        or_(holds.c.until_at.is_(None), holds.c.until_at > now),
    )
    found: dict[str, tuple[str, datetime | None]] = {}
    for row in connection.execute(statement):
        known = found.get(row.debtor_id)
        if known is None or (known[1] is not None and (row.until_at is None or row.until_at > known[1])):
            found[row.debtor_id] = (row.reason, row.until_at)
    return found


def _last_inbound(
    connection: Connection, scope: CreditorScope, person_ids: Iterable[str]
) -> Mapping[tuple[str, str], datetime]:
    statement = (
        select(attempts.c.person_id, attempts.c.channel, func.max(attempts.c.replied_at).label("at"))
        .where(
            and_(scope.mine(attempts), attempts.c.person_id.in_(set(person_ids)), attempts.c.replied_at.is_not(None))
        )
        .group_by(attempts.c.person_id, attempts.c.channel)
    )
    return {(row.person_id, row.channel): row.at for row in connection.execute(statement)}


def stopped_reason(connection: Connection, tenant_id: str) -> str | None:
    """
    Why everything is stopped, or None.
    """
    row = connection.execute(
        select(controls.c.data).where(controls.c.tenant_id == tenant_id, controls.c.name == "stop")
    ).one_or_none()
    return None if row is None or not row.data.get("on") else str(row.data.get("reason") or "stopped")
