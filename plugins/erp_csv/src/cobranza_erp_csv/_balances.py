"""
From amount cells to what a row owes: by column, by currency, and by the side on which it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from attrs import define, field, frozen

from cobranza_erp_csv import _amounts
from cobranza_erp_csv._mapping import Preset, plain, vocabulary
from cobranza_erp_csv._parties import RowError
from cobranza_sdk import InvalidValueError, Money

_OF_ROW = ("amount_open", "amount_total", "amount_paid")
_OF_COMPANY = ("local_open", "local_total", "local_paid")
_MAX_CACHE = 4096


@frozen
class Balance:
    """
    What a row says it owes; credits are negative where the file says so by a minus, a column or a side.

    Attributes:
        open: What is still owed, or None when no cell says it.
        total: Original amount, or None.
        column: The column that *open* was taken from, for messages.
        total_column: The same for *total*.
    """

    open: Money | None
    total: Money | None
    column: str
    total_column: str

    @property
    def is_credit(self) -> bool:
        """
        Whether the row is a credit by its sign. A debt that was overpaid is none: its original amount has no minus.
        """
        return self.open is not None and self.open.minor < 0 and (self.total is None or self.total.minor <= 0)


@define
class BalanceReader:
    """
    Reads the amount cells of a row.

    Attributes:
        preset: How the system names and signs things.
        marks: Decimal mark by amount column.
        currency: The company's, or None.
    """

    preset: Preset
    marks: Mapping[str, _amounts.Mark]
    currency: str | None
    _codes: dict[str, str] = field(factory=dict, init=False)

    def read(self, told: Mapping[str, str]) -> Balance:
        """
        Read what a row owes.

        Args:
            told: Cell by column, cleaned.

        Raises:
            RowError: An amount or a currency is none, or stands in a currency that is not the row's.
        """
        open_, total_, paid_ = columns = _OF_COMPANY if self._is_local(told) else _OF_ROW
        total, owed = self._money(total_, told), self._money(open_, told)
        credit = self.preset.is_credit_side(told["side"])
        if told["amount_credit"] and not (total and total.minor):
            other = self._money("amount_credit", told)
            if other is not None and other.minor:
                total, credit = other, True
        if owed is None and told[paid_]:
            owed = self._difference(total, self._money(paid_, told), columns)
        elif owed is None and columns is _OF_ROW and (told["local_open"] or told["local_total"]):
            raise RowError(
                column=open_, reason="is empty, and the row is not in the company's currency, in which it is told"
            )
        if owed is not None and total is not None and owed.currency != total.currency:
            raise RowError(column=open_, reason=f"is in {owed.currency}, its original amount in {total.currency}")
        if credit:
            owed, total = owed and negative(owed), total and negative(total)
        return Balance(owed, total, open_, total_)

    def _is_local(self, told: Mapping[str, str]) -> bool:
        """
        Whether the company's own columns count: they hold no other currency than its own.
        """
        if not (told["local_open"] or told["local_total"]):
            return False
        if self.currency is None:
            raise RowError(column="currency", reason="of the company is not set: its amounts are in no known currency")
        return not told["currency"] or self._code(told["currency"]) == self.currency

    def _difference(self, total: Money | None, paid: Money | None, columns: tuple[str, ...]) -> Money:
        """
        What is open is what was billed less what was paid of it, on either side of the account.
        """
        _, total_, paid_ = columns
        if total is None or paid is None:
            raise RowError(column=total_ if total is None else paid_, reason="is empty")
        if total.currency != paid.currency:
            raise RowError(column=paid_, reason=f"is in {paid.currency}, its original amount in {total.currency}")
        return total - paid

    def _money(self, column: str, told: Mapping[str, str]) -> Money | None:
        cell = told[column]
        if not cell:
            return None
        try:
            read = _amounts.parse(cell, self.marks[column])
            if read is None:
                return None
            amount, named = read
            return _amounts.to_money(amount, self._currency(column, told["currency"], named, amount))
        except (_amounts.UnreadableAmountError, InvalidValueError) as error:
            raise RowError(column=column, reason=str(error)) from None

    def _currency(self, column: str, cell: str, named: str | None, amount: Decimal) -> str:
        if column in _OF_COMPANY:
            code = self.currency
        elif cell:
            code = self._code(cell)
        else:
            code = (named or self.currency) if self.preset.currency_in_cells else (self.currency or named)
        if code is None:
            raise RowError(column="currency", reason="is empty, and the settings name no currency")
        if named is not None and named != code and amount:
            raise RowError(column=column, reason=f"names {named}, but the row is in {code}")
        return code

    def _code(self, cell: str) -> str:
        known = self._codes.get(cell)
        if known is None:
            word = plain(cell)
            known = self.preset.currencies.get(word) or vocabulary("currencies").get(word, cell.upper())
            try:
                Money(0, known)
            except InvalidValueError:
                raise RowError(column="currency", reason="is not an ISO 4217 code such as PEN or COP") from None
            if len(self._codes) < _MAX_CACHE:
                self._codes[cell] = known
        return known


def negative(money: Money) -> Money:
    """
    *money* as a credit.
    """
    return -money if money.minor > 0 else money
