"""
Build debt-collection products that are decent, provable and easy.

Everything public is importable from here and loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobranza_sdk._lazy import loads_lazily

if TYPE_CHECKING:
    from cobranza_sdk.app import Cobranza as Cobranza
    from cobranza_sdk.loading import ConfigurationError as ConfigurationError
    from cobranza_sdk.loading import LoopbackServer as LoopbackServer
    from cobranza_sdk.loading import PluginFailure as PluginFailure
    from cobranza_sdk.model import Address as Address
    from cobranza_sdk.model import AttemptState as AttemptState
    from cobranza_sdk.model import CobranzaError as CobranzaError
    from cobranza_sdk.model import Consent as Consent
    from cobranza_sdk.model import Contact as Contact
    from cobranza_sdk.model import ContactPoint as ContactPoint
    from cobranza_sdk.model import Creditor as Creditor
    from cobranza_sdk.model import Debtor as Debtor
    from cobranza_sdk.model import Decision as Decision
    from cobranza_sdk.model import EventKind as EventKind
    from cobranza_sdk.model import Finding as Finding
    from cobranza_sdk.model import Installment as Installment
    from cobranza_sdk.model import InvalidValueError as InvalidValueError
    from cobranza_sdk.model import LedgerEvent as LedgerEvent
    from cobranza_sdk.model import Money as Money
    from cobranza_sdk.model import PastContact as PastContact
    from cobranza_sdk.model import Payment as Payment
    from cobranza_sdk.model import Person as Person
    from cobranza_sdk.model import Promise as Promise
    from cobranza_sdk.model import Receivable as Receivable
    from cobranza_sdk.model import Verdict as Verdict
    from cobranza_sdk.spec import API_VERSION as API_VERSION
    from cobranza_sdk.spec import Absent as Absent
    from cobranza_sdk.spec import Accepted as Accepted
    from cobranza_sdk.spec import Action as Action
    from cobranza_sdk.spec import Attachment as Attachment
    from cobranza_sdk.spec import AttemptRef as AttemptRef
    from cobranza_sdk.spec import Category as Category
    from cobranza_sdk.spec import Channel as Channel
    from cobranza_sdk.spec import ChannelCapabilities as ChannelCapabilities
    from cobranza_sdk.spec import Clock as Clock
    from cobranza_sdk.spec import CompliancePack as CompliancePack
    from cobranza_sdk.spec import CompliancePolicy as CompliancePolicy
    from cobranza_sdk.spec import Disposition as Disposition
    from cobranza_sdk.spec import Erp as Erp
    from cobranza_sdk.spec import ErpBatch as ErpBatch
    from cobranza_sdk.spec import ErpCapabilities as ErpCapabilities
    from cobranza_sdk.spec import Event as Event
    from cobranza_sdk.spec import EventObserver as EventObserver
    from cobranza_sdk.spec import Found as Found
    from cobranza_sdk.spec import Health as Health
    from cobranza_sdk.spec import InboundMessage as InboundMessage
    from cobranza_sdk.spec import Interpretation as Interpretation
    from cobranza_sdk.spec import LiveInterlockError as LiveInterlockError
    from cobranza_sdk.spec import MessageTemplate as MessageTemplate
    from cobranza_sdk.spec import OutboundMessage as OutboundMessage
    from cobranza_sdk.spec import PaymentCapabilities as PaymentCapabilities
    from cobranza_sdk.spec import PaymentLink as PaymentLink
    from cobranza_sdk.spec import PaymentProvider as PaymentProvider
    from cobranza_sdk.spec import PaymentSandbox as PaymentSandbox
    from cobranza_sdk.spec import Provider as Provider
    from cobranza_sdk.spec import ProviderError as ProviderError
    from cobranza_sdk.spec import RejectedRecord as RejectedRecord
    from cobranza_sdk.spec import ReplyInterpreter as ReplyInterpreter
    from cobranza_sdk.spec import Sandbox as Sandbox
    from cobranza_sdk.spec import SandboxLink as SandboxLink
    from cobranza_sdk.spec import SandboxMessage as SandboxMessage
    from cobranza_sdk.spec import Secret as Secret
    from cobranza_sdk.spec import Services as Services
    from cobranza_sdk.spec import TemplateCatalogue as TemplateCatalogue
    from cobranza_sdk.spec import Transmitted as Transmitted
    from cobranza_sdk.spec import Undetermined as Undetermined
    from cobranza_sdk.spec import UnsupportedCapabilityError as UnsupportedCapabilityError
    from cobranza_sdk.spec import VerifiedEnvelope as VerifiedEnvelope
    from cobranza_sdk.spec import WebhookRejectedError as WebhookRejectedError
    from cobranza_sdk.spec import WebhookRequest as WebhookRequest
    from cobranza_sdk.spec import hookimpl as hookimpl
    from cobranza_sdk.spec import hookspec as hookspec

__version__ = "0.1.0"

_HOME = {
    "app": ("Cobranza",),
    "loading": ("ConfigurationError", "LoopbackServer", "PluginFailure"),
    "model": (
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
    ),
    "spec": (
        "API_VERSION",
        "Absent",
        "Accepted",
        "Action",
        "Attachment",
        "AttemptRef",
        "Category",
        "Channel",
        "ChannelCapabilities",
        "Clock",
        "CompliancePack",
        "CompliancePolicy",
        "Disposition",
        "Erp",
        "ErpBatch",
        "ErpCapabilities",
        "Event",
        "EventObserver",
        "Found",
        "Health",
        "InboundMessage",
        "Interpretation",
        "LiveInterlockError",
        "MessageTemplate",
        "OutboundMessage",
        "PaymentCapabilities",
        "PaymentLink",
        "PaymentProvider",
        "PaymentSandbox",
        "Provider",
        "ProviderError",
        "RejectedRecord",
        "ReplyInterpreter",
        "Sandbox",
        "SandboxLink",
        "SandboxMessage",
        "Secret",
        "Services",
        "TemplateCatalogue",
        "Transmitted",
        "Undetermined",
        "UnsupportedCapabilityError",
        "VerifiedEnvelope",
        "WebhookRejectedError",
        "WebhookRequest",
        "hookimpl",
        "hookspec",
    ),
}
__all__ = sorted(name for names in _HOME.values() for name in names)  # noqa: PLE0605  # one list to keep

__getattr__, __dir__ = loads_lazily(__name__, _HOME)
