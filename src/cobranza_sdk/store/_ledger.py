"""
The ledger: appended to, never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Text, cast, insert, select

from cobranza_sdk.model import LedgerEvent
from cobranza_sdk.store._database import reading
from cobranza_sdk.store._schema import events
from cobranza_sdk.store._scope import CreditorScope, TenantScope

SCHEMA_VERSION = 1
_PAGE = 500


class Recorder:
    """
    Collects what happens in one transaction and writes it in one statement.

    Args:
        scope: Whose ledger.
        actor: Who or what causes it.
    """

    def __init__(self, scope: TenantScope, actor: str) -> None:
        self._scope = scope
        self._actor = actor
        self._now = scope.clock.now()
        self._rows: list[dict[str, Any]] = []

    def __call__(
        self,
        kind: str,
        subjects: Mapping[str, str | None],
        payload: Mapping[str, Any] | None = None,
        *,
        at: datetime | None = None,
        correlation: str | None = None,
        creditor_id: str | None = None,
    ) -> None:
        """
        Note one event. Neither *subjects* nor *payload* may hold personal data.
        """
        own = self._scope.creditor_id if isinstance(self._scope, CreditorScope) else None
        self._rows.append(
            {
                "id": self._scope.ids.new(),
                "tenant_id": self._scope.tenant_id,
                "creditor_id": creditor_id or own,
                "kind": kind,
                "at": at or self._now,
                "recorded_at": self._now,
                "actor": self._actor,
                "subject_refs": {name: value for name, value in subjects.items() if value is not None},
                "causation_id": None,
                "correlation_id": correlation,
                "schema_version": SCHEMA_VERSION,
                "payload": dict(payload or {}),
            }
        )

    def write(self, connection: Connection) -> None:
        """
        Append all that was noted, in the transaction that changes the state it tells of.
        """
        if self._rows:
            connection.execute(insert(events), self._rows)
            self._rows = []


def read_events(
    scope: TenantScope, *, after: int = 0, kinds: Sequence[str] = (), subject: str | None = None
) -> Iterator[LedgerEvent]:
    """
    Events after position *after*, in order, page by page.

    Args:
        scope: Whose.
        after: Position of the last one seen; 0 starts at the beginning.
        kinds: Only these; empty is all.
        subject: Only those that refer to this id.
    """
    while True:
        statement = select(events).where(scope.mine(events), events.c.seq > after).order_by(events.c.seq).limit(_PAGE)
        if kinds:
            statement = statement.where(events.c.kind.in_(kinds))
        if subject:
            statement = statement.where(cast(events.c.subject_refs, Text).contains(f'"{subject}"', autoescape=True))
        with reading(scope.engine) as connection:
            rows = connection.execute(statement).all()
        for row in rows:
            yield LedgerEvent(**row._mapping)  # noqa: SLF001  # SQLAlchemy's public name
        if len(rows) < _PAGE:
            return
        after = rows[-1].seq
