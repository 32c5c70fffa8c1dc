"""
Counts for reports, made by the database.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import func, select

from cobranza_sdk.model import AGING_BUCKETS
from cobranza_sdk.store._database import reading
from cobranza_sdk.store._schema import attempts, decisions, installments, receivables, rejected_records
from cobranza_sdk.store._scope import CreditorScope


class Figures:
    """
    Counts of one creditor.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    def by_state(self) -> list[tuple[str, str, int]]:
        """
        Attempts as (channel, state, count), sorted.
        """
        statement = (
            select(attempts.c.channel, attempts.c.state, func.count())
            .where(self._scope.mine(attempts))
            .group_by(attempts.c.channel, attempts.c.state)
            .order_by(attempts.c.channel, attempts.c.state)
        )
        with reading(self._scope.engine) as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(statement)]

    def replied(self) -> dict[str, int]:
        """
        Attempts that were answered, by channel.
        """
        statement = (
            select(attempts.c.channel, func.count())
            .where(self._scope.mine(attempts), attempts.c.replied_at.is_not(None))
            .group_by(attempts.c.channel)
        )
        with reading(self._scope.engine) as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def verdicts(self) -> list[tuple[str, str, str, int]]:
        """
        Decisions as (verdict, rule, citation, count); an ``allow`` has no rule.
        """
        found: dict[tuple[str, str, str], int] = {}
        statement = select(decisions.c.verdict, decisions.c.data).where(self._scope.mine(decisions))
        with reading(self._scope.engine) as connection:
            for row in connection.execute(statement):
                first = row.data["findings"][0] if row.data["findings"] else {"rule": "", "citation": ""}
                key = (row.verdict, first["rule"], first["citation"])
                found[key] = found.get(key, 0) + 1
        return sorted((*key, count) for key, count in found.items())

    def aging(self, today: date) -> list[tuple[str, str, int, int]]:
        """
        What is open as (currency, bucket, minor units, installments), at *today*.
        """
        rows = []
        with reading(self._scope.engine) as connection:
            for name, first, last in AGING_BUCKETS:
                statement = (
                    select(installments.c.currency, func.sum(installments.c.open_minor), func.count())
                    .join(receivables, receivables.c.id == installments.c.receivable_id)
                    .where(self._scope.mine(receivables), installments.c.open_minor != 0)
                    .group_by(installments.c.currency)
                    .order_by(installments.c.currency)
                )
                if first is not None:
                    statement = statement.where(installments.c.due_on <= today - timedelta(days=first))
                if last is not None:
                    statement = statement.where(installments.c.due_on >= today - timedelta(days=last))
                rows += [(row[0], name, int(row[1]), row[2]) for row in connection.execute(statement)]
        return sorted(rows, key=lambda row: (row[0], [bucket[0] for bucket in AGING_BUCKETS].index(row[1])))

    def rejected(self) -> int:
        """
        Rows that imports did not take.
        """
        statement = select(func.count()).select_from(rejected_records).where(self._scope.mine(rejected_records))
        with reading(self._scope.engine) as connection:
            return int(connection.scalar(statement) or 0)

    def decisions_of(self, attempt_id: str) -> list[dict[str, Any]]:
        """
        Decisions taken about one attempt, in order.
        """
        statement = (
            select(decisions.c.data)
            .where(self._scope.mine(decisions), decisions.c.attempt_id == attempt_id)
            .order_by(decisions.c.id)
        )
        with reading(self._scope.engine) as connection:
            return [row.data for row in connection.execute(statement)]
