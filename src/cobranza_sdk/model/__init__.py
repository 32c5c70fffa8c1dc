"""
Values of the field: what the other rooms speak about. Pure; imports no other room.
"""

from __future__ import annotations

from cobranza_sdk.model._contacts import (
    CHANNEL_FAMILIES,
    COLLECTORS,
    CONSENTS,
    FAMILIES,
    NOT_ATTEMPTED,
    NOT_REACHED,
    PARTS,
    REPLY,
    SECTORS,
    STAGES,
    Contact,
    PastContact,
)
from cobranza_sdk.model._decisions import LANGUAGES, Decision, Finding
from cobranza_sdk.model._errors import CobranzaError, InvalidValueError
from cobranza_sdk.model._ledger import LedgerEvent
from cobranza_sdk.model._money import EXPONENTS, Money
from cobranza_sdk.model._people import (
    CONTACT_POINT_STATES,
    HOLDER_ROLES,
    Address,
    Consent,
    ContactPoint,
    Creditor,
    Debtor,
    Person,
)
from cobranza_sdk.model._receivables import AGING_BUCKETS, Installment, Payment, Promise, Receivable
from cobranza_sdk.model._states import AttemptState, EventKind, Verdict

__all__ = [
    "AGING_BUCKETS",
    "CHANNEL_FAMILIES",
    "COLLECTORS",
    "CONSENTS",
    "CONTACT_POINT_STATES",
    "EXPONENTS",
    "FAMILIES",
    "HOLDER_ROLES",
    "LANGUAGES",
    "NOT_ATTEMPTED",
    "NOT_REACHED",
    "PARTS",
    "REPLY",
    "SECTORS",
    "STAGES",
    "Address",
    "AttemptState",
    "CobranzaError",
    "Consent",
    "Contact",
    "ContactPoint",
    "Creditor",
    "Debtor",
    "Decision",
    "EventKind",
    "Finding",
    "Installment",
    "InvalidValueError",
    "LedgerEvent",
    "Money",
    "PastContact",
    "Payment",
    "Person",
    "Promise",
    "Receivable",
    "Verdict",
]
