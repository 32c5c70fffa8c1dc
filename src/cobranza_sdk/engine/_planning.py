"""
Planning: what is due today becomes outreaches, each with its first attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from cobranza_sdk.engine._workplace import Desk, Workplace
from cobranza_sdk.model import CobranzaError
from cobranza_sdk.strategy import Due, plan


class PlanError(CobranzaError):
    """
    Nothing can be planned.
    """


def due_now(place: Workplace, desk: Desk) -> list[tuple[Due, date]]:
    """
    What is due, each with today's date where the debtor is.

    Raises:
        PlanError: The creditor has no strategy.
    """
    if desk.strategy is None:
        msg = f"creditors.{desk.creditor.id}.strategy: missing, expected a name of [strategies]"
        raise PlanError(msg)
    positions = desk.store.attempts.positions(desk.strategy.name, place.today_of)
    today = {position.debtor_id: position.today for position in positions}
    return [(due, today[due.debtor_id]) for due in plan(desk.strategy, positions)]


def plan_now(place: Workplace, desk: Desk) -> int:
    """
    Write what is due; returns how many outreaches are new.

    Raises:
        PlanError: The creditor has no strategy.
    """
    dues = due_now(place, desk)
    if not dues or desk.strategy is None:
        return 0
    points = desk.store.attempts.points({due.debtor_id for due, _ in dues})

    def reach(debtor_id: str, channels: Sequence[str]) -> Sequence[tuple[str, str]]:
        return place.ways(desk.creditor.id, points.get(debtor_id, []), channels)

    return desk.store.attempts.add(
        dues,
        strategy=desk.strategy.name,
        version=desk.strategy.version,
        reach=reach,
    )
