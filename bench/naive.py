"""
The rules of Peru and Colombia as people write them first, and as they are written when nothing but speed counts.

Both give what `Decider` gives: verdict, rules, when it may be made, and until when.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays

from cobranza_sdk import Contact, Decision

_RANK = {"allow": 0, "amend": 1, "defer": 2, "deny": 3}
_ZONES = {"PE": "America/Lima", "CO": "America/Bogota"}
_HOURS = {"PE": dict.fromkeys(range(5), (7, 20)), "CO": {**dict.fromkeys(range(5), (7, 19)), 5: (8, 15)}}
_WINDOWS = {"PE": "pe.window.messages", "CO": "co.window"}
_OBLIGED = ("debtor", "codebtor", "guarantor")
_NOT_REACHED = frozenset(
    "no_answer unanswered busy voicemail delivered failed rejected undelivered bounced not_sent wrong_number "
    "wrong_party cancelled".split()
)
_WEEK = timedelta(days=7)


class Answer(NamedTuple):
    """
    What all three must agree upon; instants in epoch seconds.
    """

    verdict: str
    rules: tuple[str, ...]
    not_before: int | None
    not_after: int | None


def answer_of(decision: Decision) -> Answer:
    """
    The same of a decision.
    """
    return Answer(
        str(decision.verdict),
        tuple(sorted(finding.rule for finding in decision.findings)),
        None if decision.not_before is None else int(decision.not_before.timestamp()),
        None if decision.not_after is None else int(decision.not_after.timestamp()),
    )


class _Said(NamedTuple):
    rule: str
    verdict: str
    until: datetime | None = None


def naive(contact: Contact) -> Answer:
    """
    Judge with a `holidays` object and a zone made for each call.
    """
    said, closes = _naive_judge(contact, contact.at)
    if contact.consent == "opted_out":
        said.append(_Said("sdk.opted_out", "deny"))
    verdict, rules = _worst(said), tuple(sorted(item.rule for item in said))
    if verdict in ("allow", "amend"):
        return Answer(verdict, rules, None, None if closes is None else int(closes.timestamp()))
    if verdict == "deny":
        return Answer(verdict, rules, None, None)
    at = _latest(said)
    while True:
        again, _ = _naive_judge(contact, at)
        if _RANK[_worst(again)] < _RANK["defer"]:
            return Answer(verdict, rules, int(at.timestamp()), None)
        at = _latest(again)


def _worst(said: Iterable[_Said]) -> str:
    return max((item.verdict for item in said), key=_RANK.__getitem__, default="allow")


def _latest(said: Iterable[_Said]) -> datetime:
    return max(item.until for item in said if item.until is not None)


def _naive_judge(contact: Contact, at: datetime) -> tuple[list[_Said], datetime | None]:
    country = contact.country
    tz = ZoneInfo.no_cache(_ZONES[country])
    closed = holidays.country_holidays(country, years=at.astimezone(tz).year)
    local = at.astimezone(tz)
    said: list[_Said] = []
    closes = None
    window = _naive_window(country, local.date(), closed)
    if window is not None and window[0] <= local.hour < window[1]:
        closes = local.replace(hour=window[1], minute=0, second=0, microsecond=0)
    else:
        said.append(_Said(_window_rule(contact), "defer", _naive_opening(country, local, closed)))
    if country == "CO":
        said += _naive_history(contact, local, tz)
        if contact.consent != "yes":
            said.append(_Said("co.consent", "deny"))
    elif contact.purpose == "offer" and contact.consent != "yes":
        said.append(_Said("pe.consent.offers", "deny"))
    if contact.recipient != "unknown" and contact.recipient not in _OBLIGED:
        said.append(_Said(f"{country.lower()}.third_party", "deny"))
    elif contact.recipient == "unknown" or not contact.holder_confirmed:
        said.append(_Said(f"{country.lower()}.third_party", "amend"))
    return said, closes


def _window_rule(contact: Contact) -> str:
    return "pe.window.calls" if contact.country == "PE" and contact.channel == "call" else _WINDOWS[contact.country]


def _naive_window(country: str, day: date, closed: holidays.HolidayBase) -> tuple[int, int] | None:
    return None if day in closed else _HOURS[country].get(day.weekday())


def _naive_opening(country: str, local: datetime, closed: holidays.HolidayBase) -> datetime:
    day = local.date()
    while True:
        window = _naive_window(country, day, closed)
        if window is not None:
            opening = datetime(day.year, day.month, day.day, window[0], tzinfo=local.tzinfo)
            if opening > local:
                return opening
        day += timedelta(days=1)


def _naive_history(contact: Contact, local: datetime, tz: ZoneInfo) -> Iterator[_Said]:
    today, waits = False, []
    for past in contact.history:
        if past.at > contact.at or past.outcome in _NOT_REACHED or past.creditor_id != contact.creditor_id:
            continue
        today = today or past.at.astimezone(tz).date() == local.date()
        if past.channel != contact.channel and past.at + _WEEK > local:
            waits.append(past.at + _WEEK)
    if today:
        tomorrow = local.date() + timedelta(days=1)
        yield _Said("co.cap.day", "defer", datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=tz))
    if waits:
        last = max(waits)
        on_the_minute = last.second == 0 and last.microsecond == 0
        whole = last if on_the_minute else last.replace(second=0, microsecond=0) + timedelta(minutes=1)
        yield _Said("co.channel_week", "defer", whole)


# -- when nothing but speed counts -----------------------------------------------------------------------------------

_DAY = 86_400
_OFFSET = -5 * 3600  # Lima and Bogotá, all year
_EPOCH = date(1970, 1, 1)


def _spans(country: str, years: range) -> tuple[list[int], list[int]]:
    closed = holidays.country_holidays(country, years=years)
    opens, closes = [], []
    day = date(years[0], 1, 1)
    while day.year <= years[-1]:
        window = None if day in closed else _HOURS[country].get(day.weekday())
        if window is not None:
            midnight = (day - _EPOCH).days * _DAY - _OFFSET
            opens.append(midnight + window[0] * 3600)
            closes.append(midnight + window[1] * 3600)
        day += timedelta(days=1)
    return opens, closes


#: What the audit trail keeps of one decision.
Record = tuple[str, tuple[str, ...], int | None, int | None, int, tuple[str, ...]]


class Inlined:
    """
    One function with every rule written into it, on tables made beforehand; it writes an audit record per contact.
    """

    def __init__(self, years: range) -> None:
        self._tables = {country: _spans(country, years) for country in _ZONES}

    def decide_all(self, contacts: Iterable[Contact], trail: list[Record]) -> None:  # noqa: C901, PLR0912, PLR0915  # inlined on purpose
        """
        Judge all, a record each.
        """
        tables, write = self._tables, trail.append
        basis: tuple[str, ...]
        pe_basis = ("pe 2026.1: pe.window.messages", "pe 2026.1: pe.third_party", "pe 2026.1: pe.content")
        co_basis = (
            "co 2026.1: co.window",
            "co 2026.1: co.cap.day",
            "co 2026.1: co.channel_week",
            "co 2026.1: co.third_party",
            "co 2026.1: co.consent",
            "co 2026.1: co.identification",
            "co 2026.1: co.content",
        )
        for contact in contacts:
            country = contact.country
            opens, closes = tables[country]
            now = int(contact.at.timestamp())
            rank, wait, until, day_wait = 0, 0, None, 0
            rules: list[str] = []
            recipient = contact.recipient
            colombian = country == "CO"
            if colombian:
                basis = co_basis
                if contact.history:
                    midnight = (now + _OFFSET) // _DAY * _DAY - _OFFSET
                    week_wait = 0
                    channel, creditor = contact.channel, contact.creditor_id
                    for past in contact.history:
                        if past.outcome in _NOT_REACHED or past.creditor_id != creditor:
                            continue
                        moment = int(past.at.timestamp())
                        if moment > now:
                            continue
                        if moment >= midnight:
                            day_wait = midnight + _DAY
                        if past.channel != channel and moment + 7 * _DAY > now and moment + 7 * _DAY > week_wait:
                            week_wait = moment + 7 * _DAY
                    if day_wait:
                        rules.append("co.cap.day")
                        rank, wait = 2, day_wait
                    if week_wait:
                        rules.append("co.channel_week")
                        rank, wait = 2, max(wait, -(-week_wait // 60) * 60)
                if contact.consent != "yes":
                    rules.append("co.consent")
                    rank = 3
            else:
                basis = pe_basis
                if contact.purpose == "offer" and contact.consent != "yes":
                    rules.append("pe.consent.offers")
                    rank = 3
            if recipient != "unknown" and recipient not in _OBLIGED:
                rules.append("co.third_party" if colombian else "pe.third_party")
                rank = 3
            elif recipient == "unknown" or not contact.holder_confirmed:
                rules.append("co.third_party" if colombian else "pe.third_party")
                rank = max(rank, 1)
            index = bisect_right(opens, now) - 1
            if index >= 0 and now < closes[index]:
                until = closes[index]
            else:
                rules.append(
                    "co.window"
                    if colombian
                    else "pe.window.calls"
                    if contact.channel == "call"
                    else "pe.window.messages"
                )
                rank, wait = max(rank, 2), max(wait, opens[index + 1])
            if contact.consent == "opted_out":
                rules.append("sdk.opted_out")
                rank = 3
            not_before = None
            if rank == 2:  # noqa: PLR2004  # defer
                index = bisect_right(opens, wait) - 1
                not_before = wait if index >= 0 and wait < closes[index] else opens[index + 1]
            rules.sort()
            verdict = ("allow", "amend", "defer", "deny")[rank]
            write((verdict, tuple(rules), not_before, until if rank < 2 else None, now, basis))  # noqa: PLR2004  # may be sent


def answers(trail: Iterable[Record]) -> list[Answer]:
    """
    What the records say.
    """
    return [Answer(*record[:4]) for record in trail]


def instant(epoch: int) -> datetime:
    """
    An epoch second, aware UTC.
    """
    return datetime.fromtimestamp(epoch, UTC)
