"""
Money: an integer of minor units and an ISO 4217 code.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Self

from attrs import field, frozen

from cobranza_sdk.model._errors import InvalidValueError

_TWO_DIGITS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN
NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD YER ZAR ZMW ZWG
"""
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DIGITS = "CLF UYW"

#: Digits after the decimal separator, by ISO 4217 code.
EXPONENTS: dict[str, int] = {
    code: digits
    for codes, digits in ((_TWO_DIGITS, 2), (_NO_DIGITS, 0), (_THREE_DIGITS, 3), (_FOUR_DIGITS, 4))
    for code in codes.split()
}

#: Largest amount a 64-bit column holds.
MAX_MINOR = 2**63 - 1

_AMOUNT = re.compile(r"(-?)([0-9]{1,19})(?:\.([0-9]{1,40}))?", re.ASCII)


@frozen(order=False)
class Money:
    """
    An amount of one currency. Amounts of two currencies never meet.

    Attributes:
        minor: Whole minor units (céntimos, centavos; pesos where the currency has none). May be negative.
        currency: ISO 4217 code in capitals, CLF and COU included.

    Raises:
        InvalidValueError: *minor* is no integer of 64 bits or the code is unknown.
    """

    minor: int = field()
    currency: str = field()

    def __attrs_post_init__(self) -> None:
        if self.currency not in EXPONENTS:
            msg = f"Money.currency {self.currency!r} is not an ISO 4217 code"
            raise InvalidValueError(msg, hint="three capital letters, for example PEN or COP")
        if type(self.minor) is not int or abs(self.minor) > MAX_MINOR:
            msg = "Money.minor must be a whole number of minor units within 64 bits"
            raise InvalidValueError(msg, hint="use Money.of('12.50', 'PEN') for a decimal amount")

    @classmethod
    def of(cls, amount: str | Decimal | int, currency: str) -> Self:
        """
        Build from a decimal amount in major units, exactly.

        Args:
            amount: ``"1234.50"``, a `Decimal` or an `int`; never a float. A point, no thousands marks.
            currency: ISO 4217 code.

        Raises:
            InvalidValueError: The text is no plain number, or finer than the currency's minor unit.
        """
        if isinstance(amount, float):
            msg = "Money.of refuses float: it cannot hold cents exactly"
            raise InvalidValueError(msg, hint="pass a string or a Decimal")
        text = format(amount, "f") if isinstance(amount, Decimal) and amount.is_finite() else str(amount)
        parts = _AMOUNT.fullmatch(text)
        if parts is None:
            msg = "Money.of needs a plain decimal number such as 1234.50"
            raise InvalidValueError(msg)
        if currency not in EXPONENTS:
            return cls(0, currency)
        # digits, not Decimal arithmetic: that rounds to the precision the host has set for its thread
        sign, whole, fraction = parts.groups(default="")
        digits = EXPONENTS[currency]
        if fraction[digits:].strip("0"):
            msg = f"Money.of: {currency} has {digits} decimals, the amount has more"
            raise InvalidValueError(msg)
        return cls(int(f"{sign}{whole}{fraction[:digits].ljust(digits, '0')}"), currency)

    @property
    def amount(self) -> Decimal:
        """
        The amount in major units, exactly.
        """
        sign, digits, _ = Decimal(self.minor).as_tuple()
        return Decimal((sign, digits, -EXPONENTS[self.currency]))

    def _same(self, other: object) -> int:
        if not isinstance(other, Money):
            msg = f"Money meets Money only, found {type(other).__name__}"
            raise TypeError(msg)
        if other.currency != self.currency:
            msg = f"no arithmetic across currencies: {self.currency} and {other.currency}"
            raise InvalidValueError(msg)
        return other.minor

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.minor >= self._same(other)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"
