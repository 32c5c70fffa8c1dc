"""
Reversals: money that came and is gone again. Nothing is taken off the payment: a reversal is an entry of its own, with
a negative amount and negative allocations.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update

from cobranza_sdk.store._ledger import Recorder
from cobranza_sdk.store._schema import allocations, installments, payments, receivables
from cobranza_sdk.store._scope import CreditorScope, TenantScope

_METHOD = "reversal"


def reversed_minor(connection: Connection, scope: TenantScope, key: str) -> int:
    """
    How much of the payment with the external id *key* is gone, in minor units.
    """
    total = connection.scalar(
        select(func.sum(payments.c.amount_minor)).where(
            scope.mine(payments), payments.c.external_id.startswith(_prefix(key), autoescape=True)
        )
    )
    return -int(total or 0)


def reverse(
    connection: Connection, scope: CreditorScope, posted: Row[Any], minor: int, record: Recorder, *, reason: str
) -> int:
    """
    Take back *minor* of a posted payment: what found no debt first, then the debts due latest.

    What the source's figure holds already is owed again all the same: the source's next figure corrects it. A
    receivable that the source closed meanwhile stays closed.

    Returns:
        How much is owed again.
    """
    key = posted.external_id
    reversal_id = scope.ids.new()
    entries = or_(payments.c.id == posted.id, payments.c.external_id.startswith(_prefix(key), autoescape=True))
    unspent = int(
        connection.scalar(select(func.sum(payments.c.unallocated_minor)).where(scope.mine(payments), entries)) or 0
    )
    unspent = min(minor, unspent)
    spent = _spent(connection, scope, entries)
    connection.execute(
        insert(payments).values(
            id=reversal_id,
            tenant_id=scope.tenant_id,
            creditor_id=scope.creditor_id,
            debtor_id=posted.debtor_id,
            external_id=f"{_prefix(key)}{reversed_minor(connection, scope, key) + minor}",
            currency=posted.currency,
            amount_minor=-minor,
            unallocated_minor=-unspent,
            paid_at=scope.clock.now(),
            receivable_key=None,
            method=_METHOD,
        )
    )
    left, reopened = minor - unspent, 0
    for row in spent:
        part = min(left, int(row.spent))
        if part <= 0:
            continue
        left -= part
        connection.execute(
            insert(allocations).values(
                tenant_id=scope.tenant_id,
                payment_id=reversal_id,
                receivable_id=row.receivable_id,
                number=row.number,
                amount_minor=-part,
            )
        )
        if row.closed_reason is None and row.currency == posted.currency:
            _reopen(connection, row, part)
            reopened += part
    record(
        "payment.reversed",
        {"debtor": posted.debtor_id, "payment": posted.id},
        {"minor": minor, "currency": posted.currency, "reason": reason, "reopened_minor": reopened},
        creditor_id=scope.creditor_id,
    )
    return reopened


def _prefix(key: str) -> str:
    return f"{key}:reversed:"


def _spent(connection: Connection, scope: CreditorScope, entries: Any) -> list[Row[Any]]:
    """
    What a payment is spent on, less what was taken back, the latest due first.
    """
    return list(
        connection.execute(
            select(
                installments.c.receivable_id,
                installments.c.number,
                installments.c.currency,
                installments.c.open_minor,
                installments.c.unabsorbed_minor,
                receivables.c.closed_reason,
                func.sum(allocations.c.amount_minor).label("spent"),
            )
            .join(payments, payments.c.id == allocations.c.payment_id)
            .join(
                installments,
                (installments.c.receivable_id == allocations.c.receivable_id)
                & (installments.c.number == allocations.c.number),
            )
            .join(receivables, receivables.c.id == installments.c.receivable_id)
            .where(scope.mine(payments), entries)
            .group_by(
                installments.c.receivable_id,
                installments.c.number,
                installments.c.currency,
                installments.c.open_minor,
                installments.c.unabsorbed_minor,
                installments.c.due_on,
                receivables.c.closed_reason,
            )
            .order_by(installments.c.due_on.desc(), installments.c.receivable_id.desc(), installments.c.number.desc())
        )
    )


def _reopen(connection: Connection, row: Row[Any], minor: int) -> None:
    # What the source has not shown yet, it will not show any more.
    unseen = min(minor, row.unabsorbed_minor)
    connection.execute(
        update(installments)
        .where(installments.c.receivable_id == row.receivable_id, installments.c.number == row.number)
        .values(open_minor=row.open_minor + minor, unabsorbed_minor=row.unabsorbed_minor - unseen)
    )
