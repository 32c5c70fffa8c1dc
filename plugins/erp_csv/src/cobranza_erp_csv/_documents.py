"""
From cells to what is owed or was paid.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time

from attrs import define, field, frozen

from cobranza_erp_csv import _amounts, _dates
from cobranza_erp_csv._balances import Balance, BalanceReader, negative
from cobranza_erp_csv._mapping import DOCUMENT_COLUMNS, Preset, plain, shared_tax_ids, vocabulary
from cobranza_erp_csv._parties import RowError
from cobranza_sdk import Installment, Money, Payment

#: Local noon lies on the same day all over the Americas when it is 12:00 UTC.
_NOON = time(12, tzinfo=UTC)
_MAX_KEY = 128
_MAX_CACHE = 4096
_DAMAGED = re.compile(r"[0-9]+(?:[.,][0-9]+)?E\+?[0-9]+", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"([0-9]{1,5})(?:\.0+)?(?:\s*(?:/|de|of)\s*[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_KINDS = {"debit_note": "other"}
#: What a system calls an entry in its books: a debit note or a credit note, by the sign.
ENTRY = "entry"


@frozen(kw_only=True)
class Item:
    """
    One row: an installment of a document.

    Attributes:
        customer: Key of the customer.
        external_id: ``<doc_type>:<doc_number>``, normalised.
        kind: `Receivable.kind`.
        document: The number as written.
        part: The installment.
        numbered: Whether a cell names its number.
        issued_on: Day of issue, or None.
        concept: Words, or None.
        judicial: Whether a lawsuit is filed.
    """

    customer: str
    external_id: str
    kind: str
    document: str
    part: Installment
    numbered: bool
    issued_on: date | None
    concept: str | None
    judicial: bool


@define
class DocumentParser:
    """
    Reads the cells of `DOCUMENT_COLUMNS`.

    Attributes:
        preset: How the system names and signs things.
        marks: Decimal mark by amount column.
        orders: Order by date column.
        currency: What a file without a currency column is in, or None.
        key: Of the row that was read last, as far as it could be read; else None.
    """

    preset: Preset
    marks: Mapping[str, _amounts.Mark]
    orders: Mapping[str, _dates.Order]
    currency: str | None
    key: str | None = field(default=None, init=False)
    _days: dict[tuple[str, str], date | None] = field(factory=dict, init=False)
    _balances: BalanceReader = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._balances = BalanceReader(self.preset, self.marks, self.currency)

    def read(self, cells: Sequence[str]) -> Item | Payment | None:
        """
        Read one row.

        Args:
            cells: In the order of `DOCUMENT_COLUMNS`, cleaned.

        Returns:
            An installment, a payment, or None for a draft.

        Raises:
            RowError: With the column and the reason.
        """
        self.key = None
        told = dict(zip(DOCUMENT_COLUMNS, cells, strict=True))
        status = plain(told["status"]) if told["status"] else ""
        if status and status in self.preset.skip_status:
            return None
        customer = self._customer(told["customer_key"])
        document = self._document(told)
        number = normalised(document)
        doc_type = self.preset.doc_type(told["doc_type"], number)
        if doc_type is None:
            raise RowError(
                column="doc_type", reason="is not known: expected invoice, credit_note, debit_note or payment"
            )
        balance = self._balances.read(told) if doc_type == ENTRY or not told["doc_type"] else None
        doc_type = _by_sign(doc_type, balance, said=bool(told["doc_type"]))
        self.key = f"{doc_type}:{number}"
        balance = balance or self._balances.read(told)
        if doc_type == "payment":
            return self._payment(told, customer, number, balance)
        return Item(
            customer=customer,
            external_id=self.key,
            kind=_KINDS.get(doc_type, doc_type),
            document=told["doc_label"] or document,
            part=self._part(told, doc_type, balance, void=bool(status) and status in self.preset.void_status),
            numbered=bool(told["installment_no"]),
            issued_on=self._day("issue_date", told["issue_date"]),
            concept=" ".join(told["concept"].split()) or None,
            judicial=_judicial(told["judicial"]),
        )

    def _customer(self, cell: str) -> str:
        key = _key("customer_key", cell)
        if key.upper() in shared_tax_ids():
            raise RowError(
                column="customer_key", reason="is a tax id that stands for any customer: export the customer's own key"
            )
        return (key.lstrip("0") or key) if self.preset.strip_zeros and key.isdecimal() else key

    def _document(self, told: Mapping[str, str]) -> str:
        """
        The number, with its series before it where that is a column of its own.
        """
        number = self.preset.number(_key("doc_number", told["doc_number"]))
        series = told["doc_series"]
        return f"{_key('doc_series', series)}-{number}" if series and series != "0" else number

    def _payment(self, told: Mapping[str, str], customer: str, number: str, balance: Balance) -> Payment:
        money = balance.open if balance.total is None else balance.total
        column = balance.column if balance.total is None else balance.total_column
        if money is None or money.minor == 0:
            raise RowError(column=column, reason="is empty or zero, expected what was paid")
        _fits_sign(self.preset.payments, money, column, "a payment")
        day = self._day("payment_date", told["payment_date"]) or self._day("issue_date", told["issue_date"])
        if day is None:
            raise RowError(column="payment_date", reason="is empty, and so is issue_date")
        return Payment(
            external_id=number,
            debtor_id=customer,
            amount=money if money.minor > 0 else -money,
            paid_at=datetime.combine(day, _NOON),
            receivable_id=self._reference(told["reference"]),
        )

    def _reference(self, cell: str) -> str | None:
        if not cell:
            return None
        kind, colon, rest = cell.partition(":")
        known = vocabulary("doc_types").get(plain(kind)) if colon else None
        if known is not None:
            return f"{known}:{normalised(self.preset.number(rest))}"
        number = normalised(self.preset.number(cell))
        return f"{self.preset.doc_type('', number) or 'invoice'}:{number}"

    def _part(self, told: Mapping[str, str], doc_type: str, balance: Balance, *, void: bool) -> Installment:
        due_on = self._day("due_date", told["due_date"])
        if due_on is None and doc_type == "credit_note":
            due_on = self._day("issue_date", told["issue_date"])
        if due_on is None:
            raise RowError(column="due_date", reason="is empty")
        owed, total = balance.open, balance.total
        if owed is None:
            raise RowError(column=balance.column, reason="is empty")
        if doc_type == "credit_note":
            _fits_sign(self.preset.credit_notes, owed, balance.column, "a credit note")
            owed = negative(owed)
            total = owed if total is None else negative(total)
        elif owed.minor < 0:
            raise RowError(column=balance.column, reason="is negative, which only a credit note may be")
        elif total is not None and total.minor < 0:
            raise RowError(column=balance.total_column, reason="is negative, which only a credit note may be")
        if void:
            total, owed = owed if total is None else total, Money(0, owed.currency)
        return Installment(
            number=_installment(told["installment_no"]),
            due_on=due_on,
            amount=owed if total is None else total,
            open=owed,
        )

    def _day(self, column: str, cell: str) -> date | None:
        if not cell:
            return None
        cached = self._days.get((column, cell))
        if cached is not None:
            return cached
        try:
            day = _dates.parse(cell, self.orders[column])
        except _dates.UnreadableDateError as error:
            raise RowError(column=column, reason=str(error)) from None
        if len(self._days) >= _MAX_CACHE:
            self._days.clear()
        self._days[column, cell] = day
        return day


def _key(column: str, cell: str) -> str:
    if not cell:
        raise RowError(column=column, reason="is empty")
    if len(cell) > _MAX_KEY or not cell.isprintable():
        raise RowError(column=column, reason=f"is longer than {_MAX_KEY} characters or holds control characters")
    if _DAMAGED.fullmatch(cell):
        raise RowError(column=column, reason="was damaged by a spreadsheet: format the column as text")
    return cell


def normalised(number: str) -> str:
    """
    A document's number for comparison: capitals, without blanks.
    """
    text = number if number.isascii() else unicodedata.normalize("NFKC", number)
    return "".join(text.split()).upper()


def _installment(cell: str) -> int:
    if not cell:
        return 1
    found = _NUMBER.fullmatch(cell)
    if found is None or int(found[1]) < 1:
        raise RowError(column="installment_no", reason="is not a whole number from 1")
    return int(found[1])


def _judicial(cell: str) -> bool:
    answer = vocabulary("yes_no").get(plain(cell)) if cell else "no"
    if answer is None:
        raise RowError(column="judicial", reason="expected yes or no")
    return answer == "yes"


def _by_sign(doc_type: str, balance: Balance | None, *, said: bool) -> str:
    """
    What only its sign can tell: an accounting entry, or a row that names no kind.
    """
    credit = balance is not None and balance.is_credit
    if doc_type == ENTRY:
        return "credit_note" if credit else "debit_note"
    return "credit_note" if credit and doc_type == "invoice" and not said else doc_type


def _fits_sign(rule: str, money: Money, column: str, what: str) -> None:
    if rule == "negative" and money.minor > 0:
        raise RowError(column=column, reason=f"is positive in {what}, which this system writes with a minus")
    if rule == "positive" and money.minor < 0:
        raise RowError(column=column, reason=f"is negative in {what}, which this system writes without a minus")
