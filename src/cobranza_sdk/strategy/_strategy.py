"""
Strategies as data: from TOML to steps whose every field was checked.

``name``, ``version`` and a list of ``[[step]]``: ``id`` (unique, kept for good: it is part of what makes a message
unique), ``days`` relative to the due date (negative before it), ``until`` (last day it may still start; three days
after ``days`` when left out), ``purpose``, ``channels`` in the order of fallback, and ``template``, the id in the
template catalogue, which holds a variant per channel and language. ``gap_days`` is the least number of days between
two messages to one debtor, 1 when left out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from cobranza_sdk.model import CobranzaError

GRACE_DAYS = 3
_KEYS = {"name", "version", "gap_days", "step"}
_STEP_KEYS = {"id", "days", "until", "purpose", "channels", "template"}
#: Last day past due of the administrative stage, included.
ADMINISTRATIVE_DAYS = 90


class StrategyError(CobranzaError):
    """
    A strategy cannot be used: file, step, key, what was found and what is expected.
    """


@frozen(kw_only=True)
class Step:
    """
    One step: what to do so many days from the due date.

    Attributes:
        id: Unique in the strategy.
        days: Days past due at which it starts; negative before the due date.
        until: Last day past due at which it may still start, included.
        purpose: Purpose of the message.
        channels: In the order of fallback.
        template: Id in the catalogue.
    """

    id: str
    days: int
    until: int
    purpose: str
    channels: tuple[str, ...]
    template: str


@frozen(kw_only=True)
class Strategy:
    """
    A set of steps.

    Attributes:
        name: Part of what makes an outreach unique.
        version: Of the data; a new one does not issue again what was made.
        gap_days: Least number of days between two outreaches to one debtor and currency.
        steps: Sorted by days.
    """

    name: str
    version: int
    gap_days: int = 1
    steps: tuple[Step, ...]

    def step(self, step_id: str) -> Step | None:
        """
        The step *step_id*, or None when this version has it no longer.
        """
        return next((step for step in self.steps if step.id == step_id), None)


def stage_of(days_past_due: int, *, judicial: bool = False) -> str:
    """
    Stage of a debt: preventive up to the due date, administrative for 90 days, extrajudicial after; judicial once sued.
    """
    if judicial:
        return "judicial"
    if days_past_due <= 0:
        return "preventive"
    return "administrative" if days_past_due <= ADMINISTRATIVE_DAYS else "extrajudicial"


def parse_strategy(text: str, *, origin: str) -> Strategy:
    """
    Read a strategy.

    Raises:
        StrategyError: Every problem at once.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"strategy {origin}: is no TOML: {error}"
        raise StrategyError(msg) from error
    problems = [f"{key}: unknown key, expected one of {', '.join(sorted(_KEYS))}" for key in sorted(set(data) - _KEYS)]
    name = data.get("name")
    if not isinstance(name, str) or not name:
        problems.append("name: missing, expected text")
    version = data.get("version")
    if type(version) is not int or version < 1:
        problems.append("version: missing, expected a whole number from 1")
    gap_days = data.get("gap_days", 1)
    if type(gap_days) is not int or gap_days < 1:
        problems.append("gap_days: expected a whole number from 1")
    entries = data.get("step")
    if not isinstance(entries, list) or not entries:
        problems.append("step: missing, expected at least one [[step]]")
        entries = []
    steps = [step for index, entry in enumerate(entries) if (step := _step(entry, index, problems)) is not None]
    ids = [step.id for step in steps]
    problems += [
        f"step {step_id}: stands twice, expected each id once" for step_id in {i for i in ids if ids.count(i) > 1}
    ]
    if problems:
        msg = f"strategy {origin}: {'; '.join(problems)}"
        raise StrategyError(msg)
    ordered = tuple(sorted(steps, key=lambda step: step.days))
    return Strategy(name=str(name), version=int(version or 1), gap_days=int(gap_days), steps=ordered)


def _step(entry: Any, index: int, problems: list[str]) -> Step | None:
    before = len(problems)
    table: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
    where = f"step {table.get('id', index)}"
    problems += [
        f"{where}.{key}: unknown key, expected one of {', '.join(sorted(_STEP_KEYS))}"
        for key in sorted(set(table) - _STEP_KEYS)
    ]
    problems += [
        f"{where}.{key}: missing, expected text"
        for key in ("id", "purpose", "template")
        if not isinstance(table.get(key), str) or not table[key]
    ]
    days, until = table.get("days"), table.get("until")
    if type(days) is not int:
        problems.append(f"{where}.days: missing, expected a whole number of days, negative before the due date")
        days = 0
    if until is None:
        until = days + GRACE_DAYS
    if type(until) is not int or until < days:
        problems.append(f"{where}.until: expected a whole number of days, not less than days")
        until = days
    channels = table.get("channels")
    if not isinstance(channels, list) or not channels or not all(isinstance(c, str) and c for c in channels):
        problems.append(f'{where}.channels: missing, expected a list such as ["whatsapp", "sms", "email"]')
        channels = []
    if len(problems) > before:
        return None
    return Step(
        id=table["id"],
        days=days,
        until=until,
        purpose=table["purpose"],
        channels=tuple(dict.fromkeys(channels)),
        template=table["template"],
    )
