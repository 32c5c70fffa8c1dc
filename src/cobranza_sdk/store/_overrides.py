"""
Overrides: what somebody answers for lets one message pass a rule that its pack lets an exception pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Row, insert, select, update

from cobranza_sdk.model import AttemptState, InvalidValueError
from cobranza_sdk.store._database import StoreError, reading, writing
from cobranza_sdk.store._ledger import Recorder
from cobranza_sdk.store._schema import attempts, debtors, overrides, person_guard
from cobranza_sdk.store._scope import CreditorScope


@frozen(kw_only=True)
class Override:
    """
    A granted override that is still open.

    Attributes:
        id: Which.
        ground: The exception that it states, as rules name it.
        by: Who answers for it.
        until: When it ends unused, excluded.
    """

    id: str
    ground: str
    by: str
    until: datetime


class Overrides:
    """
    Overrides of one creditor: each for one debtor, one channel, one message.

    Args:
        scope: Whose.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    def grant(
        self,
        debtor_id: str,
        ground: str,
        *,
        channel: str,
        by: str,
        role: str,
        reason: str,
        until: datetime,
        rules: Collection[str],
    ) -> str:
        """
        Open one; what waits for one of *rules* is looked at again at once.

        Returns:
            Its id.

        Raises:
            InvalidValueError: There is no such debtor.
        """
        override_id, now = self._scope.ids.new(), self._scope.clock.now()
        with writing(self._scope.engine) as connection:
            row = connection.execute(
                select(debtors.c.id).where(self._scope.mine(debtors), debtors.c.external_id == debtor_id)
            ).one_or_none()
            if row is None:
                msg = "there is no debtor with that external id at this creditor"
                raise InvalidValueError(msg)
            connection.execute(
                insert(overrides).values(
                    id=override_id,
                    tenant_id=self._scope.tenant_id,
                    creditor_id=self._scope.creditor_id,
                    debtor_id=row.id,
                    channel=channel,
                    ground=ground,
                    granted_by=by,
                    reason=reason,
                    granted_at=now,
                    until_at=until,
                )
            )
            record = Recorder(self._scope, f"user:{by}")
            told = {"ground": ground, "channel": channel, "role": role, "reason": reason, "until": until.isoformat()}
            record("override.granted", {"debtor": row.id, "override": override_id}, told)
            record.write(connection)
            connection.execute(
                update(attempts)
                .where(
                    self._scope.mine(attempts),
                    attempts.c.debtor_id == row.id,
                    attempts.c.channel == channel,
                    attempts.c.state == AttemptState.DEFERRED,
                    attempts.c.reason.in_(sorted(rules)),
                )
                .values(due_at=now)
            )
        return override_id

    def withdraw(self, override_id: str, *, by: str) -> None:
        """
        Close one that was not used; closing it twice is no error.

        Raises:
            InvalidValueError: There is no such override, or a message has used it.
        """
        with writing(self._scope.engine) as connection:
            mine = self._scope.mine(overrides), overrides.c.id == override_id
            # The claim holds the same lock: it uses an override or finds it withdrawn, never both.
            connection.execute(
                select(person_guard.c.person_id)
                .join(debtors, debtors.c.person_id == person_guard.c.person_id)
                .join(overrides, overrides.c.debtor_id == debtors.c.id)
                .where(*mine)
                .with_for_update(of=person_guard)
            ).all()
            row = connection.execute(select(overrides).where(*mine)).one_or_none()
            if row is None or row.attempt_id is not None:
                msg = "there is no such override at this creditor" if row is None else "the override was used already"
                raise InvalidValueError(msg)
            if row.withdrawn_at is None:
                connection.execute(update(overrides).where(*mine).values(withdrawn_at=self._scope.clock.now()))
                record = Recorder(self._scope, f"user:{by}")
                record("override.withdrawn", {"debtor": row.debtor_id, "override": override_id})
                record.write(connection)

    def listing(self) -> list[dict[str, Any]]:
        """
        All of them in the order of granting, JSON-ready.
        """
        statement = (
            select(overrides, debtors.c.external_id)
            .join(debtors, debtors.c.id == overrides.c.debtor_id)
            .where(self._scope.mine(overrides))
            .order_by(overrides.c.granted_at, overrides.c.id)
        )
        now = self._scope.clock.now()
        with reading(self._scope.engine) as connection:
            return [
                {
                    "id": row.id,
                    "state": _state(row, now),
                    "debtor": row.external_id,
                    "channel": row.channel,
                    "ground": row.ground,
                    "by": row.granted_by,
                    "reason": row.reason,
                    "granted_at": row.granted_at.isoformat(),
                    "until": row.until_at.isoformat(),
                    "attempt_id": row.attempt_id,
                }
                for row in connection.execute(statement)
            ]


def _state(row: Row[Any], now: datetime) -> str:
    if row.attempt_id is not None:
        return "used"
    if row.withdrawn_at is not None:
        return "withdrawn"
    return "open" if now < row.until_at else "over"


def open_overrides(
    connection: Connection,
    scope: CreditorScope,
    debtor_ids: Iterable[str],
    now: datetime,
    *,
    used_by: str | None = None,
) -> dict[tuple[str, str], tuple[Override, ...]]:
    """
    What may still be used, by debtor and channel, oldest first; or what the attempt *used_by* used and has not ended.
    """
    statement = (
        select(overrides)
        .where(
            scope.mine(overrides),
            overrides.c.debtor_id.in_(set(debtor_ids)),
            overrides.c.attempt_id.is_(None) if used_by is None else overrides.c.attempt_id == used_by,
            overrides.c.withdrawn_at.is_(None),
            overrides.c.until_at > now,
        )
        .order_by(overrides.c.granted_at, overrides.c.id)
    )
    found: dict[tuple[str, str], list[Override]] = {}
    for row in connection.execute(statement):
        override = Override(id=row.id, ground=row.ground, by=row.granted_by, until=row.until_at)
        found.setdefault((row.debtor_id, row.channel), []).append(override)
    return {key: tuple(several) for key, several in found.items()}


def use_overrides(connection: Connection, used: Sequence[Override], attempt_id: str) -> None:
    """
    Charge overrides to an attempt, in the transaction that claims it.

    Raises:
        StoreError: One is gone: the person was not locked.
    """
    for override in used:
        changed = connection.execute(
            update(overrides)
            .where(overrides.c.id == override.id, overrides.c.attempt_id.is_(None), overrides.c.withdrawn_at.is_(None))
            .values(attempt_id=attempt_id)
        )
        if changed.rowcount != 1:
            msg = "an override was used or withdrawn while it was being used"
            raise StoreError(msg)
