"""
Whose rows a handle may touch: isolation by type, not by remembering a filter.
"""

from __future__ import annotations

from attrs import field, frozen
from sqlalchemy import ColumnElement, Engine, Table, and_

from cobranza_sdk.spec import Clock, Ids


@frozen(kw_only=True)
class TenantScope:
    """
    One tenant's rows.

    Attributes:
        engine: The database.
        clock: The time.
        ids: New ids.
        tenant_id: Whose.
    """

    engine: Engine = field(repr=False)
    clock: Clock = field(repr=False)
    ids: Ids = field(repr=False)
    tenant_id: str

    def mine(self, table: Table) -> ColumnElement[bool]:
        """
        The condition that every statement carries.
        """
        return table.c.tenant_id == self.tenant_id


@frozen(kw_only=True)
class CreditorScope(TenantScope):
    """
    One creditor's rows.

    Attributes:
        creditor_id: Whose.
    """

    creditor_id: str

    def mine(self, table: Table) -> ColumnElement[bool]:
        """
        The condition that every statement carries.
        """
        own = table.c.tenant_id == self.tenant_id
        if "creditor_id" not in table.c:
            return own
        return and_(own, table.c.creditor_id == self.creditor_id)
