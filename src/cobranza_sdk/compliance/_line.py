"""
All windows that speak of a contact, in all zones the person may be in, as one line of time.

The line is cut wherever anything changes, so one search tells what stands against a contact at an instant, until when
it may be made, and when it may be made next. What is told of a piece is made once and shared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date, datetime
from functools import cached_property
from operator import attrgetter
from zoneinfo import ZoneInfo

from attrs import field, frozen

from cobranza_sdk.compliance._calendar import (
    ceil_minute,
    day_at,
    holidays_of,
    spans_of,
    year_of,
)
from cobranza_sdk.compliance._pack import HolidayData, Rule
from cobranza_sdk.model import Finding, Verdict

_FOR_EVER = 1 << 60
#: Openings that are looked at for one at which all windows are open.
MAX_STEPS = 64
#: Seconds that are laid out at once: a mean year.
_LENGTH = 31_556_952


@frozen(kw_only=True)
class Window:
    """
    A window rule in force.

    Attributes:
        rule: What the pack says.
        pack: Label of its pack.
        holidays: Days on which it is closed, or None.
        begins: Epoch second from which it is in force.
        ends: Epoch second from which it is not any more.
    """

    rule: Rule
    pack: str
    holidays: HolidayData | None
    begins: int
    ends: int


@frozen(kw_only=True, slots=False, eq=False)
class Piece:
    """
    A stretch of time in which nothing changes.

    Attributes:
        begins: Epoch second, included.
        closed: Windows that are closed: which, in which zone, and when that one opens there; None for never.
        closes: When the first of the open ones closes, or None when there is no window.
        zone: Clock in which instants are told.
        line: The line that it is a piece of.
    """

    begins: int
    closed: tuple[tuple[Window, ZoneInfo, int | None], ...]
    closes: int | None
    zone: ZoneInfo
    line: Line | None = field(default=None, repr=False)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """
        What the closed windows say, strictest first.
        """
        return tuple(sorted((self._finding(*each) for each in self.closed), key=attrgetter("order")))

    @cached_property
    def opens(self) -> int | None:
        """
        When all windows are open for the first time from here on, as a whole minute; None where none is known.
        """
        piece, moment = self, self.begins
        for _ in range(MAX_STEPS):
            if not piece.closed:
                return moment
            waits = [opens for _, _, opens in piece.closed]
            if self.line is None or None in waits:
                return None
            moment = ceil_minute(max(opens for opens in waits if opens is not None))
            piece = self.line.at(moment)
        return None

    @cached_property
    def not_before(self) -> datetime | None:
        """
        The same by the debtor's clock.
        """
        return None if self.opens is None else datetime.fromtimestamp(self.opens, self.zone)

    @cached_property
    def not_after(self) -> datetime | None:
        """
        When the first open window closes, by the debtor's clock.
        """
        return None if self.closes is None else datetime.fromtimestamp(self.closes, self.zone)

    def _finding(self, window: Window, tz: ZoneInfo, opens: int | None) -> Finding:
        rule, day = window.rule, day_at(self.begins, tz).date
        facts = {"zone": tz.key, "date": day.isoformat(), "closed": _cause(window, day)}
        if opens is None:
            through = window.holidays.through if window.holidays else "?"
            return finding_of(rule, window.pack, Verdict.DENY, {"calendar_ends": str(through), "zone": tz.key})
        moment = datetime.fromtimestamp(ceil_minute(opens), tz)
        return finding_of(rule, window.pack, Verdict.DEFER, facts, not_before=moment)


def _cause(window: Window, day: date) -> str:
    """
    Why a window is closed on a day: the holiday, the weekday, or the hour.
    """
    if window.holidays is not None and day in holidays_of(window.holidays, day.year):
        return "holiday"
    return "hours" if window.rule.hours[day.weekday()] else "weekday"


def finding_of(
    rule: Rule,
    pack: str,
    verdict: Verdict,
    facts: dict[str, str],
    *,
    not_before: datetime | None = None,
    obligations: tuple[str, ...] = (),
) -> Finding:
    """
    What a rule says, with all that explains it.
    """
    return Finding(
        rule=rule.id,
        verdict=verdict,
        citation=rule.citation,
        pack=pack,
        message=rule.message,
        reading=rule.reading,
        confidence=rule.confidence,
        source=rule.source,
        effective_from=rule.effective_from,
        effective_to=rule.effective_to,
        facts=facts,
        not_before=not_before,
        obligations=obligations,
    )


@frozen(kw_only=True)
class _Track:
    """
    One window in one zone, and where the walk along it stands.
    """

    window: Window
    zone: ZoneInfo
    opens: Sequence[int]
    closes: Sequence[int]

    def at(self, moment: int) -> tuple[bool, int | None]:
        """
        Whether it is open, and until when, or when it opens next.
        """
        if not self.window.begins <= moment < self.window.ends:
            return True, None
        index = bisect_right(self.opens, moment) - 1
        if index >= 0 and moment < self.closes[index]:
            return True, self.closes[index]
        following = self.opens[index + 1] if index + 1 < len(self.opens) else None
        if self.window.ends != _FOR_EVER and (following is None or following > self.window.ends):
            return False, self.window.ends
        return False, following


class Line:
    """
    The windows as one line of time, made in lengths of about a year when asked for.

    Args:
        windows: Those that speak of the contact.
        zones: All zones the person may be in.
    """

    def __init__(self, windows: Sequence[Window], zones: Sequence[ZoneInfo]) -> None:
        self._windows, self._zones = tuple(windows), tuple(zones)
        self._lengths: dict[int, tuple[list[int], list[Piece]]] = {}

    def at(self, epoch: int) -> Piece:
        """
        The piece around an instant.
        """
        found = self._lengths.get(epoch // _LENGTH)
        if found is None:  # whole or not at all, for threads that judge at once
            found = self._lengths[epoch // _LENGTH] = self._made(epoch // _LENGTH * _LENGTH)
        starts, pieces = found
        return pieces[bisect_right(starts, epoch) - 1]

    def _made(self, first: int) -> tuple[list[int], list[Piece]]:
        last = first + _LENGTH
        tracks = [self._track(window, tz, year_of(first)) for window in self._windows for tz in self._zones]
        edges = {first}
        for track in tracks:
            edges.update(track.opens, track.closes, (track.window.begins, track.window.ends))
        for tz in self._zones:
            edges.update(self._midnights(tz, first, last))
        starts = sorted(edge for edge in edges if first <= edge < last)
        return starts, [self._piece(moment, tracks) for moment in starts]

    @staticmethod
    def _midnights(tz: ZoneInfo, first: int, last: int) -> list[int]:
        """
        A piece lies within one day, which its findings name.
        """
        found, day = [], day_at(first, tz)
        while day.begins < last:
            found.append(day.begins)
            day = day_at(day.ends, tz)
        return found

    @staticmethod
    def _track(window: Window, tz: ZoneInfo, year: int) -> _Track:
        hours = window.rule.hours
        # The length reaches to the end of the following year, and a wait may end in the second year after that.
        spans = [span for each in range(year - 1, year + 4) for span in spans_of(hours, tz.key, window.holidays, each)]
        return _Track(
            window=window, zone=tz, opens=[opens for opens, _ in spans], closes=[closes for _, closes in spans]
        )

    def _piece(self, moment: int, tracks: Sequence[_Track]) -> Piece:
        closed: dict[tuple[str, str], tuple[Window, ZoneInfo, int | None]] = {}
        closes: list[int] = []
        for track in tracks:
            is_open, edge = track.at(moment)
            if is_open:
                if edge is not None:
                    closes.append(edge)
                continue
            key = track.window.pack, track.window.rule.id
            worst = closed.get(key)
            if worst is None or (worst[2] is not None and (edge is None or edge > worst[2])):
                closed[key] = (track.window, track.zone, edge)
        return Piece(
            begins=moment,
            closed=tuple(closed.values()),
            closes=min(closes, default=None),
            zone=self._zones[0],
            line=self,
        )
