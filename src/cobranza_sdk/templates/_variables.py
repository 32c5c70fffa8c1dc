"""
What a message may speak of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from cobranza_sdk.model import InvalidValueError, Money
from cobranza_sdk.templates._characters import gsm_spelling, readable
from cobranza_sdk.templates._formats import date_text, language_of, money_text

if TYPE_CHECKING:
    from attrs import Attribute

MAX_TEXT = 300
MAX_URL = 2_048
MAX_DOCUMENTS = 200
_LISTED_DOCUMENTS = 3
_ADDRESS = re.compile(r"""https?://[^\s"<>\\^`{|}\x00-\x20\x7f-\U0010ffff]+""")
#: How somebody is addressed whose name is not on file, by language.
_ADDRESSEE = {"es": "cliente", "pt": "cliente"}
_ADDRESSEE_ELSEWHERE = "customer"

#: Variables a template may use, and what each shows.
VARIABLES: dict[str, str] = {
    "creditor": "who is owed and writes",
    "debtor_name": "name of the debtor; may be blank: ask with {% if debtor_name %}",
    "addressee": "debtor_name, or a neutral word where no name is on file",
    "amount": "what is owed, in the words of the locale",
    "due_on": "last day to pay, in the words of the locale",
    "documents": "numbers of the documents, a list",
    "document": "three documents in one line (an SMS: one) and how many more, or the reference when there is none",
    "installments": "how many installments it is about, a number",
    "days_past_due": "days since due_on, a number; negative before it",
    "payment_url": "where to pay",
    "how_to_pay": "payment_url, or contact_line when there is none",
    "contact_line": "where answers are given",
    "reference": "our reference of the matter",
    "opt_out_word": "word that ends these messages",
}
LISTS = frozenset({"documents"})
#: Variables that tell of a debt: not for an address whose holder is not known (law 7 of the house).
DISCLOSING = frozenset(
    {
        "amount",
        "due_on",
        "documents",
        "document",
        "installments",
        "days_past_due",
        "payment_url",
        "how_to_pay",
    }
)
#: Channels whose messages shrink to 70 places for one accented letter.
_SEVEN_BIT_CHANNELS = frozenset({"sms"})


def _refuse(instance: object, attribute: Attribute[Any], expected: str) -> None:
    msg = f"{type(instance).__name__}.{attribute.name} is not accepted"
    raise InvalidValueError(msg, hint=f"expected {expected}")


def _text(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        _refuse(instance, attribute, f"text of at most {MAX_TEXT} characters")


def _optional_text(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _text(instance, attribute, value)


def _whole(instance: object, attribute: Attribute[Any], value: object) -> None:
    if type(value) is not int:
        _refuse(instance, attribute, "a whole number")


def _money(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and not isinstance(value, Money):
        _refuse(instance, attribute, "Money or None")


def _day(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
        _refuse(instance, attribute, "a date without a time, or None")


def _documents(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, tuple) or len(value) > MAX_DOCUMENTS:
        _refuse(instance, attribute, f"a tuple of at most {MAX_DOCUMENTS} numbers")
    else:
        for number in value:
            _text(instance, attribute, number)


def _as_tuple(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(given) if isinstance(given, list) else given  # type: ignore[return-value]  # the validator refuses it


def _url(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None and not (isinstance(value, str) and len(value) <= MAX_URL and _ADDRESS.fullmatch(value)):
        _refuse(instance, attribute, "an http or https address, percent-encoded, or None")


@frozen(kw_only=True)
class Variables:
    """
    The plain values that a message may use. They are data: never read as a template.

    Whatever is blank may stay so as long as the template does not show it.

    Attributes:
        creditor: Name of who is owed, as the debtor knows it.
        debtor_name: Name of the debtor, or ``""`` when none is on file.
        amount: What is owed, or what was paid in a receipt. Not above zero counts as blank.
        due_on: Last day to pay, where the debtor is.
        documents: Numbers of the documents that the debtor knows; a list is made a tuple.
        installments: How many installments the message is about.
        days_past_due: Whole days since *due_on* at the instant of the message; negative before it.
        payment_url: Where to pay, percent-encoded.
        contact_line: Where answers are given: a phone, a page, an address.
        reference: Our reference of the matter.
        opt_out_word: Word that ends these messages when it is sent back, for example ``BAJA``.

    Raises:
        InvalidValueError: A value of another type, or longer than 300 characters (the address: 2,048).
    """

    creditor: str = field(validator=_text)
    debtor_name: str = field(default="", validator=_text, repr=False)
    amount: Money | None = field(default=None, validator=_money, repr=False)
    due_on: date | None = field(default=None, validator=_day)
    documents: tuple[str, ...] = field(
        default=(),
        converter=_as_tuple,
        validator=_documents,
        repr=False,
    )
    installments: int = field(default=1, validator=_whole)
    days_past_due: int = field(default=0, validator=_whole)
    payment_url: str | None = field(default=None, validator=_url, repr=False)
    contact_line: str | None = field(default=None, validator=_optional_text)
    reference: str | None = field(default=None, validator=_optional_text)
    opt_out_word: str | None = field(default=None, validator=_optional_text)


def values_of(variables: Variables, *, locale: str, channel: str) -> dict[str, str | int | list[str]]:
    """
    The values as a text shows them, one line each; a blank one is ``""`` or ``[]``.

    Args:
        variables: What to speak of.
        locale: Whose words amounts and days take.
        channel: Where it goes: an SMS spells values within the 7-bit alphabet where it can.

    Raises:
        TemplateError: No such language.
    """
    spell = _sms_line if channel in _SEVEN_BIT_CHANNELS else readable
    amount, due_on = variables.amount, variables.due_on
    documents = [number for number in map(spell, variables.documents) if number]
    reference = spell(variables.reference or "")
    payment_url = variables.payment_url or ""
    contact_line = spell(variables.contact_line or "")
    debtor_name = spell(variables.debtor_name)
    return {
        "creditor": spell(variables.creditor),
        "debtor_name": debtor_name,
        "addressee": debtor_name or _ADDRESSEE.get(language_of(locale), _ADDRESSEE_ELSEWHERE),
        "amount": spell(money_text(amount, locale)) if amount is not None and amount.minor > 0 else "",
        "due_on": spell(date_text(due_on, locale)) if due_on is not None else "",
        "documents": documents,
        "document": _one_line(documents, 1 if spell is _sms_line else _LISTED_DOCUMENTS) or reference,
        "installments": variables.installments,
        "days_past_due": variables.days_past_due,
        "payment_url": payment_url,
        "how_to_pay": payment_url or contact_line,
        "contact_line": contact_line,
        "reference": reference,
        "opt_out_word": spell(variables.opt_out_word or ""),
    }


def _sms_line(value: str) -> str:
    return readable(gsm_spelling(readable(value)))


def _one_line(documents: list[str], listed: int) -> str:
    more = len(documents) - listed
    shown = ", ".join(documents[:listed])
    return f"{shown} (+{more})" if more > 0 else shown
