"""
Who owes, who is owed, and where a person can be reached.

Names, documents and addresses stay out of every `repr`: only ids are printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from attrs import field, frozen

from cobranza_sdk.model._checks import all_of, aware, not_blank, one_of
from cobranza_sdk.model._errors import InvalidValueError

#: What a contact point's holder is to the debt.
HOLDER_ROLES = (
    "debtor",
    "codebtor",
    "guarantor",
    "representative",
    "reference",
    "employer",
    "third_party",
    "unknown",
)

#: What is known of a contact point. Only ``confirmed`` reaches the holder for certain.
CONTACT_POINT_STATES = ("unconfirmed", "confirmed", "wrong_party", "bouncing", "closed")

_MAX_ADDRESS = 320
_E164 = re.compile(r"\+[0-9]{1,15}", re.ASCII)
#: None of the marks with which one header field would name several mailboxes.
_MAILBOX = re.compile(r"[^\s,;<>]+@[^\s,;<>]+")
_COUNTRY_LETTERS = 2


@frozen
class Address:
    """
    Where a message can be carried.

    Attributes:
        scheme: How to read *value*: ``e164``, ``email``, ``bsuid``, ``postal`` or a plugin's own.
        value: ``+51987654321`` for e164, ``ana@example.com`` for email. Personal data: never printed.

    Raises:
        InvalidValueError: Blank, over 320 characters, with control characters, or not of the scheme's shape. An
            e-mail address is one mailbox: marks that make a list of it are refused.
    """

    scheme: str = field(validator=not_blank)
    value: str = field(repr=False)

    def __attrs_post_init__(self) -> None:
        value = self.value
        if not value.strip() or len(value) > _MAX_ADDRESS or not value.isprintable():
            msg = f"Address.value is no {self.scheme} address: blank, too long or with control characters"
            raise InvalidValueError(msg)
        if self.scheme == "e164" and not _E164.fullmatch(value):
            msg = "Address.value of scheme e164 must be + and 1 to 15 digits"
            raise InvalidValueError(msg)
        if self.scheme == "email" and not _MAILBOX.fullmatch(value):
            msg = "Address.value of scheme email must be one local@domain"
            raise InvalidValueError(msg)


def _country(instance: object, _attribute: object, value: str) -> None:
    if not (len(value) == _COUNTRY_LETTERS and value.isascii() and value.isalpha() and value.isupper()):
        msg = f"{type(instance).__name__}.country must be an ISO 3166-1 code of two capitals, for example PE"
        raise InvalidValueError(msg)


@frozen(kw_only=True)
class Creditor:
    """
    Who is owed and in whose name messages go out.

    Attributes:
        id: Key of the creditor in the configuration.
        name: Name the debtor knows, used in messages.
        legal_name: Registered name, or None when it is *name*.
        tax_id: RUC, NIT, RFC …, or None.
        country: ISO 3166-1 code.
        contact_line: Where a debtor gets answers (a phone, a page, an address), used in messages.
        collector: Who writes: ``creditor`` itself, an ``agency``, or the ``buyer`` of the debt.
        sector: ``financial`` for supervised lenders, else ``any``.
    """

    id: str = field(validator=not_blank)
    name: str = field(validator=not_blank)
    legal_name: str | None = None
    tax_id: str | None = None
    country: str = field(validator=_country)
    contact_line: str | None = None
    collector: str = field(default="creditor", validator=one_of(("creditor", "agency", "buyer")))
    sector: str = field(default="any", validator=one_of(("financial", "any")))


@frozen(kw_only=True)
class Person:
    """
    A natural or legal person. Caps are counted per person across the creditors of one tenant.

    Attributes:
        external_id: Key that is the same at every creditor of the tenant, or None: the person is then
            this debtor alone.
        name: Full name or company name. Personal data: never printed.
        tax_id: National document or tax id, as given. Personal data: never printed.
        kind: ``person`` or ``company``.
    """

    external_id: str | None = None
    name: str = field(default="", repr=False)
    tax_id: str | None = field(default=None, repr=False)
    kind: str = field(default="person", validator=one_of(("person", "company")))


@frozen(kw_only=True)
class ContactPoint:
    """
    An address and who holds it.

    Attributes:
        address: Where.
        holder_role: One of `HOLDER_ROLES`; ``unknown`` when the source does not say.
        state: One of `CONTACT_POINT_STATES`. Nothing that tells of a debt goes to one that is not ``confirmed``
            in a country that bars disclosure.
    """

    address: Address
    holder_role: str = field(default="unknown", validator=one_of(HOLDER_ROLES))
    state: str = field(default="unconfirmed", validator=one_of(CONTACT_POINT_STATES))


@frozen(kw_only=True)
class Consent:
    """
    What a debtor said about one channel.

    Attributes:
        channel: ``whatsapp``, ``sms``, ``email`` …
        granted: True for a consent, False for a withdrawal (opt-out).
        at: When it was given, with offset, or None when the source has no date.
        source: Where the proof lies: ``contract``, ``reply``, ``erp`` …
    """

    channel: str = field(validator=not_blank)
    granted: bool = True
    at: datetime | None = field(default=None, validator=aware)
    source: str = "erp"


def _points(values: Iterable[ContactPoint]) -> tuple[ContactPoint, ...]:
    return tuple(values)


def _consents(values: Iterable[Consent]) -> tuple[Consent, ...]:
    return tuple(values)


@frozen(kw_only=True)
class Debtor:
    """
    A person at a creditor.

    Attributes:
        external_id: Key at the creditor, stable over syncs.
        person: Who it is.
        country: ISO 3166-1 code of the place whose law and clock apply.
        region: ISO 3166-2 code such as ``PE-LIM``, or None.
        timezone: IANA zone when it is known better than by country and region, or None.
        language: BCP 47 tag for messages such as ``es-PE``, or None for the country's.
        contact_points: In the order of preference. Those of a scheme that is named replace what was stored of it; of a
            scheme that is not named nothing is said.
        consents: What is known of consent, per channel; what is not listed is not changed.
    """

    external_id: str = field(validator=not_blank)
    person: Person = field(factory=Person)
    country: str = field(validator=_country)
    region: str | None = None
    timezone: str | None = None
    language: str | None = None
    contact_points: tuple[ContactPoint, ...] = field(default=(), converter=_points, validator=all_of(ContactPoint))
    consents: tuple[Consent, ...] = field(default=(), converter=_consents, validator=all_of(Consent))
