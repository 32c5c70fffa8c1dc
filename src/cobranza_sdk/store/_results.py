"""
What a portfolio's source is told: what became of attempts, and payments that it did not bring itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from cobranza_sdk.model import AttemptState, Money
from cobranza_sdk.store._database import reading, upsert, writing
from cobranza_sdk.store._schema import attempts, debtors, events, outreaches, payments, sync_state
from cobranza_sdk.store._scope import CreditorScope

#: States of an attempt on its way, which are no result.
_ON_ITS_WAY = frozenset({AttemptState.PLANNED, AttemptState.LEASED, AttemptState.SENDING, AttemptState.DEFERRED})
_ATTEMPT_KINDS = (*(f"attempt.{state}" for state in AttemptState if state not in _ON_ITS_WAY), "attempt.resolved")
_PAYMENT_STATES = {"payment.posted": "posted", "payment.reversed": "reversed"}


class Results:
    """
    Results of one creditor, in the order of the ledger.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    def pending(self, erp: str, limit: int = 500) -> tuple[list[dict[str, Any]], int | None]:
        """
        What *erp* was not told yet, and the position to keep once it was; no position where nothing is left.

        One update an event, so that the same events are the same updates. A payment that *erp* brought is left out.
        """
        with reading(self._scope.engine) as connection:
            rows = connection.execute(
                select(events)
                .where(
                    self._scope.mine(events),
                    events.c.seq > self._told(connection, erp),
                    events.c.kind.in_((*_ATTEMPT_KINDS, *_PAYMENT_STATES)),
                )
                .order_by(events.c.seq)
                .limit(limit)
            ).all()
            if not rows:
                return [], None
            wanted = [row for row in rows if row.kind in _ATTEMPT_KINDS or row.actor != f"erp:{erp}"]
            return list(self._updates(connection, wanted)), rows[-1].seq

    def keep(self, erp: str, seq: int) -> None:
        """
        *erp* was told everything up to *seq*, or further by somebody faster.
        """
        with writing(self._scope.engine) as connection:
            known = connection.execute(
                select(sync_state).where(self._scope.mine(sync_state), sync_state.c.erp == erp)
            ).one_or_none()
            values = {
                "tenant_id": self._scope.tenant_id,
                "creditor_id": self._scope.creditor_id,
                "erp": erp,
                "run": 1 if known is None else known.run,
                "told_seq": seq if known is None else max(seq, known.told_seq or 0),
            }
            connection.execute(upsert(connection, sync_state, values, keys=("tenant_id", "creditor_id", "erp")))

    def _told(self, connection: Connection, erp: str) -> int:
        statement = select(sync_state.c.told_seq).where(self._scope.mine(sync_state), sync_state.c.erp == erp)
        return connection.execute(statement).scalar_one_or_none() or 0

    def _updates(self, connection: Connection, rows: Iterable[Row[Any]]) -> Iterable[dict[str, Any]]:
        rows = list(rows)
        keys = _named(connection, debtors, {row.subject_refs.get("debtor") for row in rows})
        made = _named(connection, attempts, {row.subject_refs.get("attempt") for row in rows})
        steps = _named(connection, outreaches, {row.outreach_id for row in made.values()})
        paid = _named(connection, payments, {row.subject_refs.get("payment") for row in rows})
        for row in rows:
            debtor = keys.get(row.subject_refs.get("debtor") or "")
            about: dict[str, Any] = {"debtor_id": None if debtor is None else debtor.external_id}
            if row.kind in _PAYMENT_STATES:
                yield about | _of_payment(row, paid.get(row.subject_refs.get("payment") or ""))
            elif (attempt := made.get(row.subject_refs.get("attempt") or "")) is not None:
                yield about | _of_attempt(row, attempt, steps[attempt.outreach_id].step)


def _of_attempt(event: Row[Any], attempt: Row[Any], step: str) -> dict[str, Any]:
    told: Mapping[str, Any] = event.payload
    return {
        "kind": "attempt",
        "attempt_id": attempt.id,
        "channel": attempt.channel,
        "step": step,
        "state": event.kind.removeprefix("attempt."),
        "at": event.at,
        "outcome": told.get("outcome"),
        "reason": told.get("reason") or told.get("category"),
    }


def _of_payment(event: Row[Any], payment: Row[Any] | None) -> dict[str, Any]:
    told: Mapping[str, Any] = event.payload
    return {
        "kind": "payment",
        "payment_id": None if payment is None else payment.external_id,
        "receivable_id": None if payment is None else payment.receivable_key,
        "amount": Money(told["minor"], told["currency"]),
        "paid_at": event.at,
        "method": None if payment is None else payment.method,
        "state": _PAYMENT_STATES[event.kind],
    }


def _named(connection: Connection, table: Table, ids: set[str | None]) -> dict[str, Row[Any]]:
    return {row.id: row for row in connection.execute(select(table).where(table.c.id.in_(ids - {None})))}
