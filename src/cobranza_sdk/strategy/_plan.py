"""
The plan: which debtor is due for which step today. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from attrs import frozen

from cobranza_sdk.strategy._strategy import Step, Strategy, stage_of


@frozen(kw_only=True)
class OpenInstallment:
    """
    An installment that is not settled, as the plan sees it.

    Attributes:
        due_on: Last day to pay.
        open_minor: What is owed, negative for a credit.
        judicial: Whether a lawsuit over it is filed.
    """

    due_on: date
    open_minor: int
    judicial: bool = False


@frozen(kw_only=True)
class DebtorPosition:
    """
    All that a debtor owes in one currency, and what was already begun about it.

    Attributes:
        debtor_id: Of the store.
        currency: ISO 4217 code.
        today: Date where the debtor is.
        installments: Open ones.
        issued: Steps already made, by (step id, anchor date).
        busy: Whether an earlier outreach about it is still waiting to go out.
        last_on: Day of the latest outreach about it, or None.
    """

    debtor_id: str
    currency: str
    today: date
    installments: tuple[OpenInstallment, ...]
    issued: frozenset[tuple[str, date]] = frozenset()
    busy: bool = False
    last_on: date | None = None


@frozen(kw_only=True)
class Due:
    """
    An outreach to be made.

    Attributes:
        debtor_id: Of the store.
        currency: ISO 4217 code.
        step: Which step.
        anchor_on: Due date that the step counts from.
        stage: Stage of the debt.
    """

    debtor_id: str
    currency: str
    step: Step
    anchor_on: date
    stage: str


def plan(strategy: Strategy, positions: Iterable[DebtorPosition]) -> Iterator[Due]:
    """
    Find what is due: at most one outreach per debtor and currency, however many invoices.

    The oldest open installment is the anchor. Of the steps that have begun and are not over, the earliest that was
    not made comes first, so that an outage neither loses a step nor lets a harsher one overtake it. Who owes nothing
    on balance, or still has an outreach waiting, is left alone.
    """
    for position in positions:
        owed = [part for part in position.installments if part.open_minor > 0]
        if position.busy or not owed or sum(part.open_minor for part in position.installments) <= 0:
            continue
        if position.last_on is not None and (position.today - position.last_on).days < strategy.gap_days:
            continue
        anchor = min(part.due_on for part in owed)
        past_due = (position.today - anchor).days
        for step in strategy.steps:
            if step.days <= past_due <= step.until and (step.id, anchor) not in position.issued:
                judicial = any(part.judicial for part in owed)
                yield Due(
                    debtor_id=position.debtor_id,
                    currency=position.currency,
                    step=step,
                    anchor_on=anchor,
                    stage=stage_of(past_due, judicial=judicial),
                )
                break
