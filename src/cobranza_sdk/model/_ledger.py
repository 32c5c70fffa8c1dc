"""
The row of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import field, frozen

from cobranza_sdk.model._checks import aware


@frozen(kw_only=True)
class LedgerEvent:
    """
    Something that happened. Never changed, never deleted; holds no personal data, only ids.

    Attributes:
        seq: Position in the ledger, rising.
        id: Opaque, sortable.
        tenant_id: Whose installation.
        creditor_id: Whose portfolio, or None for what concerns the installation.
        kind: ``receivable.created``, ``decision.made``, ``attempt.accepted`` …
        at: When it happened, aware UTC.
        recorded_at: When it was written, aware UTC.
        actor: Who or what caused it: ``engine``, ``erp:main``, ``channel:sms``, ``user:ana`` …
        subject_refs: Ids of what it concerns, by kind: ``{"debtor": …, "attempt": …}``.
        causation_id: Id of the event that led to it, or None.
        correlation_id: Shared by all that belongs to one outreach or one sync, or None.
        schema_version: Of *payload*.
        payload: The facts, JSON-ready.
    """

    seq: int
    id: str
    tenant_id: str
    creditor_id: str | None
    kind: str
    at: datetime = field(validator=aware)
    recorded_at: datetime = field(validator=aware)
    actor: str
    subject_refs: Mapping[str, str]
    causation_id: str | None = None
    correlation_id: str | None = None
    schema_version: int = 1
    payload: Mapping[str, Any] = field(factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """
        The event as JSON-ready data; instants as ISO 8601.
        """
        return {
            "seq": self.seq,
            "id": self.id,
            "tenant_id": self.tenant_id,
            "creditor_id": self.creditor_id,
            "kind": self.kind,
            "at": self.at.isoformat(),
            "recorded_at": self.recorded_at.isoformat(),
            "actor": self.actor,
            "subject_refs": dict(self.subject_refs),
            "causation_id": self.causation_id,
            "correlation_id": self.correlation_id,
            "schema_version": self.schema_version,
            "payload": dict(self.payload),
        }
