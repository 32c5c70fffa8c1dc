"""
What is owed, what was paid, what was promised.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from attrs import field, frozen, validators

from cobranza_sdk.model._checks import a_day, all_of, aware, not_blank, one_of
from cobranza_sdk.model._errors import InvalidValueError
from cobranza_sdk.model._money import Money

#: Aging buckets in days past due, edges included; None is open.
AGING_BUCKETS: tuple[tuple[str, int | None, int | None], ...] = (
    ("not_due", None, 0),
    ("1-30", 1, 30),
    ("31-60", 31, 60),
    ("61-90", 61, 90),
    ("91+", 91, None),
)


@frozen(kw_only=True)
class Installment:
    """
    One due date of a receivable: what ages and is chased.

    Attributes:
        number: 1 for the first.
        due_on: Last day to pay, included, where the debtor is.
        amount: Original amount.
        open: What is still owed. Negative only in a credit note.

    Raises:
        InvalidValueError: The two amounts differ in currency.
    """

    number: int = field(default=1, validator=validators.ge(1))
    due_on: date = field(validator=a_day)
    amount: Money
    open: Money

    def __attrs_post_init__(self) -> None:
        if self.amount.currency != self.open.currency:
            msg = f"Installment.open is in {self.open.currency}, its amount in {self.amount.currency}"
            raise InvalidValueError(msg)


def _parts(values: Iterable[Installment]) -> tuple[Installment, ...]:
    return tuple(values)


@frozen(kw_only=True)
class Receivable:
    """
    An amount owed under one title; the invoice is the document behind it.

    Attributes:
        external_id: Key at the creditor, stable over syncs.
        debtor_id: `Debtor.external_id` of who owes it.
        kind: ``invoice``, ``loan``, ``fee``, ``rent``, ``credit_note`` (then open amounts are negative), ``other``.
        document: Number the debtor knows, for messages.
        concept: What it is for, in words, or None. May tell of a person: never printed.
        issued_on: Day of issue, or None.
        installments: At least one, all in one currency, each number once.
        judicial: True once a lawsuit over it is filed: no automatic message then.
    """

    external_id: str = field(validator=not_blank)
    debtor_id: str = field(validator=not_blank)
    kind: str = field(default="invoice", validator=one_of(("invoice", "loan", "fee", "rent", "credit_note", "other")))
    document: str | None = None
    concept: str | None = field(default=None, repr=False)
    issued_on: date | None = field(default=None, validator=a_day)
    installments: tuple[Installment, ...] = field(
        converter=_parts, validator=[validators.min_len(1), all_of(Installment)]
    )
    judicial: bool = False

    def __attrs_post_init__(self) -> None:
        if len({part.open.currency for part in self.installments}) > 1:
            msg = "Receivable.installments must share one currency"
            raise InvalidValueError(msg)
        if len({part.number for part in self.installments}) < len(self.installments):
            msg = "Receivable.installments: a number stands twice"
            raise InvalidValueError(msg)
        if self.kind != "credit_note" and any(part.open.minor < 0 for part in self.installments):
            msg = "Receivable.installments: open may be negative only in a credit note"
            raise InvalidValueError(msg)

    @property
    def currency(self) -> str:
        """
        ISO 4217 code of all installments.
        """
        return self.installments[0].open.currency


@frozen(kw_only=True)
class Payment:
    """
    Money received from a debtor.

    Attributes:
        external_id: Key at its source; the same payment told twice is posted once.
        debtor_id: `Debtor.external_id` of who paid.
        amount: More than zero.
        paid_at: When, with offset.
        receivable_id: `Receivable.external_id` it was meant for, or None: oldest due first.
        method: ``transfer``, ``card``, ``cash`` …, or None.
    """

    external_id: str = field(validator=not_blank)
    debtor_id: str = field(validator=not_blank)
    amount: Money
    paid_at: datetime = field(validator=aware)
    receivable_id: str | None = None
    method: str | None = None

    def __attrs_post_init__(self) -> None:
        if self.amount.minor <= 0:
            msg = "Payment.amount must be more than zero"
            raise InvalidValueError(msg)


@frozen(kw_only=True)
class Promise:
    """
    A debtor's commitment to pay an amount by a day.

    Attributes:
        external_id: Key of the promise.
        debtor_id: `Debtor.external_id` of who promised.
        amount: More than zero.
        made_on: Day it was given, where the debtor is.
        due_on: Last day to pay, included, where the debtor is; not before *made_on*.
        tolerance_days: Days after *due_on* before the promise counts as broken.
    """

    external_id: str = field(validator=not_blank)
    debtor_id: str = field(validator=not_blank)
    amount: Money
    made_on: date = field(validator=a_day)
    due_on: date = field(validator=a_day)
    tolerance_days: int = field(default=2, validator=validators.ge(0))

    def __attrs_post_init__(self) -> None:
        if self.amount.minor <= 0 or self.due_on < self.made_on:
            msg = "Promise is for nothing or already overdue when made"
            raise InvalidValueError(msg)

    def is_broken(self, *, paid: Money, today: date) -> bool:
        """
        Whether *paid* falls short once *today* is past the tolerance.
        """
        return today > self.due_on + timedelta(days=self.tolerance_days) and paid < self.amount
