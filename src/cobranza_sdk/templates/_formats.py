"""
Amounts and days in the words of a locale: Babel's data, compiled once and remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import get_currency_precision, get_decimal_symbol, get_group_symbol

from cobranza_sdk.model import EXPONENTS, Money
from cobranza_sdk.templates._errors import TemplateError

_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{2}|[0-9]{3}))?", re.ASCII)


def tag_of(locale: str) -> str | None:
    """
    *locale* as language and region (``es``, ``es-PE``, ``es-419``), or None when it is written in no such way.
    """
    found = _TAG.fullmatch(locale)
    if found is None:
        return None
    language, region = found.group(1).lower(), found.group(2)
    return f"{language}-{region.upper()}" if region else language


def language_of(tag: str) -> str:
    """
    The language of a tag: ``es`` of ``es-PE``.
    """
    return tag.partition("-")[0]


@lru_cache(maxsize=256)
def is_known(tag: str) -> bool:
    """
    Whether Babel has data for exactly this tag.
    """
    try:
        Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return False
    return True


def money_text(money: Money, locale: str) -> str:
    """
    *money* as people in *locale* write it.

    The text is that of Babel's `format_currency`, no-break spaces included, but for one thing: where CLDR shows fewer
    digits than ISO 4217 gives the currency, all of them are shown, for a debt is not rounded.

    Args:
        money: Any amount; a negative one carries the locale's sign.
        locale: ``es-PE``. A region without data falls back to its language.

    Raises:
        TemplateError: No such language.
    """
    return _money_formatter(locale, money.currency)(money.minor)


@lru_cache(maxsize=4096)
def date_text(day: date, locale: str) -> str:
    """
    *day* as people in *locale* write it, in the medium length: Babel's `format_date`, once per day and locale.

    Raises:
        TemplateError: No such language.
    """
    return format_date(day, locale=_locale(locale))


def _locale(locale: str) -> Locale:
    tag = tag_of(locale)
    for candidate in (tag, language_of(tag)) if tag else ():
        if is_known(candidate):
            return Locale.parse(candidate, sep="-")
    msg = f"unknown locale {locale!r}, expected a language and a region such as es-PE"
    raise TemplateError(msg)


@lru_cache(maxsize=512)
def _money_formatter(locale: str, currency: str) -> Callable[[int], str]:
    known = _locale(locale)
    pattern = known.currency_formats["standard"]
    exponent = EXPONENTS[currency]
    digits = max(exponent, get_currency_precision(currency))
    point = get_decimal_symbol(known)
    comma = get_group_symbol(known)
    primary, secondary = pattern.grouping

    def affixes(probe: int) -> tuple[str, str]:
        shown = pattern.apply(Decimal(probe), known, currency=currency, currency_digits=False)
        before, _, after = shown.partition("7")
        return before, after.removeprefix(point).lstrip("0")

    plus, minus = affixes(7), affixes(-7)

    def formatted(minor: int) -> str:
        prefix, suffix = minus if minor < 0 else plus
        units, rest = divmod(abs(minor), 10**exponent)
        whole, size = str(units), primary
        groups: list[str] = []
        while len(whole) > size:
            groups.append(whole[-size:])
            whole, size = whole[:-size], secondary
        number = comma.join([whole, *reversed(groups)])
        if digits:
            number += point + f"{rest:0{exponent}d}".ljust(digits, "0") if exponent else point + "0" * digits
        return f"{prefix}{number}{suffix}"

    return formatted
