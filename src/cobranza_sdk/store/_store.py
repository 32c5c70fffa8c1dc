"""
The store and the handles to it: a tenant's, a creditor's. There is no other way to a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from cobranza_sdk.model import LedgerEvent
from cobranza_sdk.spec import Clock, Ids
from cobranza_sdk.store._attempts import Attempts
from cobranza_sdk.store._care import Consents, ContactPoints, Holds, Resolutions, Risks, Switch
from cobranza_sdk.store._database import open_engine, reading
from cobranza_sdk.store._figures import Figures
from cobranza_sdk.store._inbox import Inbox
from cobranza_sdk.store._ledger import read_events
from cobranza_sdk.store._migrate import migrate
from cobranza_sdk.store._overrides import Overrides
from cobranza_sdk.store._past import Past
from cobranza_sdk.store._payments import VendorPayments
from cobranza_sdk.store._portfolio import Portfolio
from cobranza_sdk.store._results import Results
from cobranza_sdk.store._schema import rejected_records
from cobranza_sdk.store._scope import CreditorScope, TenantScope


class CreditorStore:
    """
    What belongs to one creditor.

    Attributes:
        creditor_id: Whose.
        portfolio: Debtors, receivables, payments.
        attempts: Outreaches and attempts.
        consents: Consents by hand.
        contact_points: Contact points by hand.
        holds: Pauses.
        overrides: What somebody answers for.
        resolutions: Outcomes by hand.
        figures: Counts for reports.
        past: What was decided before.
        results: What its sources are told.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope
        self.creditor_id = scope.creditor_id
        self.portfolio = Portfolio(scope)
        self.attempts = Attempts(scope)
        self.consents = Consents(scope)
        self.contact_points = ContactPoints(scope)
        self.holds = Holds(scope)
        self.overrides = Overrides(scope)
        self.resolutions = Resolutions(scope)
        self.figures = Figures(scope)
        self.past = Past(scope)
        self.results = Results(scope)

    def events(self, *, after: int = 0, kinds: Sequence[str] = (), subject: str | None = None) -> Iterator[LedgerEvent]:
        """
        The creditor's ledger after position *after*.
        """
        return read_events(self._scope, after=after, kinds=kinds, subject=subject)

    def rejected(self) -> list[dict[str, Any]]:
        """
        Rows that imports did not take, in the order they were met.
        """
        statement = select(rejected_records).where(self._scope.mine(rejected_records)).order_by(rejected_records.c.id)
        with reading(self._scope.engine) as connection:
            return [
                {
                    "erp": row.erp,
                    "source": row.source,
                    "line": row.line or None,
                    "column": row.field or None,
                    "reason": row.reason,
                    "key": row.record_key,
                }
                for row in connection.execute(statement)
            ]


class TenantStore:
    """
    What belongs to one tenant.

    Attributes:
        inbox: What vendors report.
        payments: Applies what payment vendors say.
        switch: Stops and resumes everything.
        risks: Risks of platform rules that the operator takes.
    """

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope
        self.inbox = Inbox(scope)
        self.payments = VendorPayments(scope, self.inbox)
        self.switch = Switch(scope)
        self.risks = Risks(scope)

    def creditor(self, creditor_id: str) -> CreditorStore:
        """
        The handle of one creditor.
        """
        return CreditorStore(
            CreditorScope(
                engine=self._scope.engine,
                clock=self._scope.clock,
                ids=self._scope.ids,
                tenant_id=self._scope.tenant_id,
                creditor_id=creditor_id,
            )
        )

    def events(self, *, after: int = 0, kinds: Sequence[str] = (), subject: str | None = None) -> Iterator[LedgerEvent]:
        """
        The tenant's ledger after position *after*, all creditors together.
        """
        return read_events(self._scope, after=after, kinds=kinds, subject=subject)


class Store:
    """
    A database with the newest schema.

    Args:
        engine: The database, which stays the caller's; `open` makes one from an address.
        clock: The time.
        ids: New ids.
    """

    def __init__(self, engine: Engine, *, clock: Clock, ids: Ids) -> None:
        self._engine, self._clock, self._ids = engine, clock, ids
        self._own = False
        migrate(engine)

    @classmethod
    def open(cls, url: str, *, clock: Clock, ids: Ids, base: Path | None = None) -> Store:
        """
        Open the database at *url* and bring its schema up to date.

        Raises:
            StoreError: It cannot be opened, or its schema is newer than this SDK.
        """
        store = cls(open_engine(url, base=base), clock=clock, ids=ids)
        store._own = True
        return store

    def tenant(self, tenant_id: str) -> TenantStore:
        """
        The handle of one tenant.
        """
        return TenantStore(TenantScope(engine=self._engine, clock=self._clock, ids=self._ids, tenant_id=tenant_id))

    def close(self) -> None:
        """
        Close every connection, unless the engine is the caller's.
        """
        if self._own:
            self._engine.dispose()
