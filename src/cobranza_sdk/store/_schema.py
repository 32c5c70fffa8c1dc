"""
The tables. One schema for SQLite and PostgreSQL; the migrations must make the same, which a test holds.

Instants are microseconds since the epoch, UTC. Money is minor units. JSON is text with sorted keys. Personal data
stands only in `personal_data`, `contact_points.value` and `inbox.data`: rows of one subject, apart from the ledger.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """
    An aware instant as whole microseconds since the epoch.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:  # noqa: ARG002  # SQLAlchemy's signature
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        return None if value is None else _EPOCH + value * _MICROSECOND


class Json(TypeDecorator[Any]):
    """
    JSON-ready data as text: sorted keys, no blanks, so equal data are equal bytes.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:  # noqa: ARG002  # SQLAlchemy's signature
        return None if value is None else dumps(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:  # noqa: ARG002  # SQLAlchemy's signature
        return None if value is None else json.loads(value)


def dumps(value: Mapping[str, Any] | list[Any]) -> str:
    """
    Canonical JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = String(32)
_KEY = String(255)
#: SQLite numbers rows only in a column of exactly this type.
_SEQUENCE = BigInteger().with_variant(Integer, "sqlite")


def _table(name: str, *columns: Any, tenant_in_key: bool = False) -> Table:
    return Table(name, metadata, Column("tenant_id", String(64), primary_key=tenant_in_key, nullable=False), *columns)


persons = _table(
    "persons",
    Column("id", _ID, primary_key=True),
    Column("external_key", String(400), nullable=False),
    Column("kind", String(16), nullable=False),
    UniqueConstraint("tenant_id", "external_key"),
)
person_guard = _table(
    "person_guard",
    Column("person_id", _ID, ForeignKey("persons.id"), primary_key=True),
)
personal_data = _table(
    "personal_data",
    Column("person_id", _ID, ForeignKey("persons.id"), primary_key=True),
    Column("data", Json, nullable=False),
)
debtors = _table(
    "debtors",
    Column("id", _ID, primary_key=True),
    Column("creditor_id", _KEY, nullable=False),
    Column("person_id", _ID, ForeignKey("persons.id"), nullable=False),
    Column("external_id", _KEY, nullable=False),
    Column("country", String(2), nullable=False),
    Column("region", String(16)),
    Column("timezone", String(64)),
    Column("language", String(35)),
    Column("digest", String(64), nullable=False),
    UniqueConstraint("tenant_id", "creditor_id", "external_id"),
    Index(None, "person_id"),
)
contact_points = _table(
    "contact_points",
    Column("id", _ID, primary_key=True),
    Column("creditor_id", _KEY, nullable=False),
    Column("debtor_id", _ID, ForeignKey("debtors.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("scheme", String(16), nullable=False),
    Column("value", String(320), nullable=False),
    Column("holder_role", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("changed_by", String(64)),
    Column("changed_at", Instant),
    Index(None, "debtor_id"),
    Index(None, "tenant_id", "value"),
)
consents = _table(
    "consents",
    Column("creditor_id", _KEY, primary_key=True),
    Column("person_id", _ID, ForeignKey("persons.id"), primary_key=True),
    Column("channel", String(64), primary_key=True),
    Column("granted", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    Column("source", String(64), nullable=False),
    tenant_in_key=True,
)
receivables = _table(
    "receivables",
    Column("id", _ID, primary_key=True),
    Column("creditor_id", _KEY, nullable=False),
    Column("debtor_id", _ID, ForeignKey("debtors.id"), nullable=False),
    Column("external_id", _KEY, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("document", String(255)),
    Column("concept", Text),
    Column("issued_on", Date),
    Column("currency", String(3), nullable=False),
    Column("judicial", Boolean, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("seen_run", Integer, nullable=False),
    Column("seen_by", String(64)),
    Column("closed_reason", String(64)),
    UniqueConstraint("tenant_id", "creditor_id", "external_id"),
    Index(None, "debtor_id"),
)
installments = _table(
    "installments",
    Column("receivable_id", _ID, ForeignKey("receivables.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("debtor_id", _ID, ForeignKey("debtors.id"), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("due_on", Date, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("reported_minor", BigInteger, nullable=False),
    Column("reported_at", Instant, nullable=False),
    Column("applied_minor", BigInteger, nullable=False),
    Column("unabsorbed_minor", BigInteger, nullable=False),
    Column("open_minor", BigInteger, nullable=False),
    Index(None, "debtor_id", "currency"),
)
payments = _table(
    "payments",
    Column("id", _ID, primary_key=True),
    Column("creditor_id", _KEY, nullable=False),
    Column("debtor_id", _ID, ForeignKey("debtors.id"), nullable=False),
    Column("external_id", _KEY, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("unallocated_minor", BigInteger, nullable=False),
    Column("paid_at", Instant, nullable=False),
    Column("receivable_key", _KEY),
    Column("method", String(64)),
    UniqueConstraint("tenant_id", "creditor_id", "external_id"),
    Index(None, "debtor_id"),
)
allocations = _table(
    "allocations",
    Column("payment_id", _ID, ForeignKey("payments.id"), primary_key=True),
    Column("receivable_id", _ID, ForeignKey("receivables.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("amount_minor", BigInteger, nullable=False),
)
holds = _table(
    "holds",
    Column("id", _ID, primary_key=True),
    Column("creditor_id", _KEY, nullable=False),
    Column("debtor_id", _ID, ForeignKey("debtors.id"), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("placed_at", Instant, nullable=False),
    Column("until_at", Instant),
    Column("placed_by", String(64), nullable=False),
    Column("lifted_at", Instant),
    Index(None, "debtor_id"),
)
overrides = _table(
    "overrides",
    Column("id", _ID, primary_key=True),
    Column("creditor_id", _KEY, nullable=False),
    Column("debtor_id", _ID, ForeignKey("debtors.id"), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("ground", String(64), nullable=False),
    Column("granted_by", String(64), nullable=False),
    Column("reason", String(255), nullable=False),
    Column("granted_at", Instant, nullable=False),
    Column("until_at", Instant, nullable=False),
    Column("withdrawn_at", Instant),
    Column("attempt_id", _ID, ForeignKey("attempts.id")),
    Index(None, "debtor_id"),
)
outreaches = _table(
    "outreaches",
    Column("id", _ID, primary_key=True),
    Column("creditor_id", _KEY, nullable=False),
    Column("debtor_id", _ID, ForeignKey("debtors.id"), nullable=False),
    Column("person_id", _ID, ForeignKey("persons.id"), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("strategy", String(64), nullable=False),
    Column("strategy_version", Integer, nullable=False),
    Column("step", String(64), nullable=False),
    Column("anchor_on", Date, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("planned_on", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    UniqueConstraint("tenant_id", "creditor_id", "debtor_id", "currency", "strategy", "step", "anchor_on"),
)
attempts = _table(
    "attempts",
    Column("id", _ID, primary_key=True),
    Column("creditor_id", _KEY, nullable=False),
    Column("person_id", _ID, ForeignKey("persons.id"), nullable=False),
    Column("debtor_id", _ID, ForeignKey("debtors.id"), nullable=False),
    Column("outreach_id", _ID, ForeignKey("outreaches.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("channel", String(64), nullable=False),
    Column("contact_point_id", _ID, ForeignKey("contact_points.id")),
    Column("account", String(64)),
    Column("state", String(16), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("token", Integer, nullable=False),
    Column("lease_until", Instant),
    Column("sending_at", Instant),
    Column("settled_at", Instant),
    Column("delivered_at", Instant),
    Column("read_at", Instant),
    Column("failed_at", Instant),
    Column("replied_at", Instant),
    Column("provider_message_id", String(255)),
    Column("template_id", String(64)),
    Column("discloses", Boolean),
    Column("digest", String(64)),
    Column("reason", String(255)),
    Column("resolution", String(16)),
    UniqueConstraint("outreach_id", "number"),
    Index(None, "tenant_id", "creditor_id", "state", "due_at"),
    Index(None, "provider_message_id"),
    Index(None, "debtor_id"),
)
decisions = _table(
    "decisions",
    Column("id", _ID, primary_key=True),
    Column("creditor_id", _KEY, nullable=False),
    Column("attempt_id", _ID, ForeignKey("attempts.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("verdict", String(8), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("data", Json, nullable=False),
    Index(None, "attempt_id"),
)
contact_events = _table(
    "contact_events",
    Column("attempt_id", _ID, ForeignKey("attempts.id"), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("person_id", _ID, ForeignKey("persons.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "person_id"),
)
events = Table(
    "events",
    metadata,
    Column("seq", _SEQUENCE, primary_key=True, autoincrement=True),
    Column("tenant_id", String(64), nullable=False),
    Column("id", _ID, nullable=False, unique=True),
    Column("creditor_id", _KEY),
    Column("kind", String(64), nullable=False),
    Column("at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("subject_refs", Json, nullable=False),
    Column("causation_id", _ID),
    Column("correlation_id", _ID),
    Column("schema_version", Integer, nullable=False),
    Column("payload", Json, nullable=False),
    sqlite_autoincrement=True,
)
inbox = _table(
    "inbox",
    Column("id", _ID, primary_key=True),
    Column("endpoint", String(64), nullable=False),
    Column("account", _KEY, nullable=False),
    Column("event_key", String(400), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("data", Json, nullable=False),
    Column("processed_at", Instant),
    Column("again_at", Instant),
    Column("outcome", String(32)),
    UniqueConstraint("tenant_id", "endpoint", "account", "event_key"),
    Index(None, "tenant_id", "processed_at"),
)
sync_state = _table(
    "sync_state",
    Column("creditor_id", _KEY, primary_key=True),
    Column("erp", String(64), primary_key=True),
    Column("cursor", Text),
    Column("run", Integer, nullable=False),
    Column("told_seq", BigInteger),
    tenant_in_key=True,
)
rejected_records = _table(
    "rejected_records",
    Column("id", _ID, primary_key=True),
    Column("creditor_id", _KEY, nullable=False),
    Column("erp", String(64), nullable=False),
    Column("source", String(255), nullable=False),
    Column("line", Integer),
    Column("field", String(255)),
    Column("reason", Text, nullable=False),
    Column("record_key", _KEY),
    Column("at", Instant, nullable=False),
    UniqueConstraint("tenant_id", "creditor_id", "erp", "source", "line", "field", "reason"),
)
controls = _table(
    "controls",
    Column("name", String(32), primary_key=True),
    Column("data", Json, nullable=False),
    Column("at", Instant, nullable=False),
    tenant_in_key=True,
)
