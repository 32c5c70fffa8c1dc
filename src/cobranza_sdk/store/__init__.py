"""
Remembers: SQLAlchemy Core on SQLite or PostgreSQL.
"""

from __future__ import annotations

from cobranza_sdk.store._attempts import Attempts, Claimed, Prepared, Settlement, Unsent
from cobranza_sdk.store._care import Consents, ContactPoints, Holds
from cobranza_sdk.store._database import StoreError, open_engine, prepare_engine
from cobranza_sdk.store._facts import Facts
from cobranza_sdk.store._inbox import Entry, Inbox, Outcome
from cobranza_sdk.store._overrides import Override, Overrides
from cobranza_sdk.store._past import Past, Recorded
from cobranza_sdk.store._payments import VendorPayments
from cobranza_sdk.store._portfolio import PutResult
from cobranza_sdk.store._store import CreditorStore, Store, TenantStore

__all__ = [
    "Attempts",
    "Claimed",
    "Consents",
    "ContactPoints",
    "CreditorStore",
    "Entry",
    "Facts",
    "Holds",
    "Inbox",
    "Outcome",
    "Override",
    "Overrides",
    "Past",
    "Prepared",
    "PutResult",
    "Recorded",
    "Settlement",
    "Store",
    "StoreError",
    "TenantStore",
    "Unsent",
    "VendorPayments",
    "open_engine",
    "prepare_engine",
]
