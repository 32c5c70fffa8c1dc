"""
The report: figures of one creditor, put in order and made to add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from attrs import field, frozen

from cobranza_sdk.model import AGING_BUCKETS, AttemptState, InvalidValueError, Money, Verdict

#: Aging buckets in days past due, edges included, in the order in which a debt ages.
BUCKETS = tuple(name for name, _, _ in AGING_BUCKETS)

#: Where an attempt of each state is counted: in one field of `ChannelLine`, besides those it is contained in.
_COUNTED_AS: dict[AttemptState, str] = {
    AttemptState.PLANNED: "waiting",
    AttemptState.LEASED: "waiting",
    AttemptState.DEFERRED: "deferred",
    AttemptState.SENDING: "sending",
    AttemptState.ACCEPTED: "sent",
    AttemptState.SENT: "sent",
    AttemptState.DELIVERED: "sent",
    AttemptState.READ: "sent",
    AttemptState.FAILED: "sent",
    AttemptState.UNKNOWN: "unknown",
    AttemptState.SUPPRESSED: "suppressed",
    AttemptState.REJECTED: "rejected",
    AttemptState.NOT_SENT: "not_sent",
    AttemptState.EXPIRED: "expired",
    AttemptState.CANCELLED: "cancelled",
}


class Figures(Protocol):
    """
    Counts of one creditor, as `CreditorStore.figures` gives them.
    """

    def by_state(self) -> Sequence[tuple[str, str, int]]:
        """
        Attempts as (channel, state, count).
        """

    def replied(self) -> Mapping[str, int]:
        """
        Attempts that were answered, by channel.
        """

    def verdicts(self) -> Sequence[tuple[str, str, str, int]]:
        """
        Decisions as (verdict, rule, citation, count); rule and citation are blank when no rule objected.
        """

    def aging(self, today: date) -> Sequence[tuple[str, str, int, int]]:
        """
        What is open as (currency, bucket, minor units, installments), at *today*.
        """

    def rejected(self) -> int:
        """
        Rows that imports did not take.
        """


@frozen(kw_only=True)
class VerdictLine:
    """
    How often one rule led to one verdict.

    Attributes:
        verdict: What was decided.
        rule: The strictest rule that explains it, or None when none objected.
        citation: Norm and article of that rule, or None with it.
        count: Decisions.
    """

    verdict: Verdict = field(converter=Verdict)
    rule: str | None = None
    citation: str | None = None
    count: int


@frozen(kw_only=True)
class ChannelLine:
    """
    What became of the attempts on one channel.

    Every attempt counts once in *planned*, and in exactly one of *sent*, *unknown*, *sending*, *waiting*, *deferred*,
    *suppressed*, *rejected*, *not_sent*, *expired*, *cancelled*. The funnel is cumulative: *read* is part of
    *delivered*, which is part of *sent*, as is *failed*.

    Attributes:
        channel: Its name.
        sent: Taken by the provider, whatever came after.
        delivered: Of these, with a receipt of delivery, or of reading.
        read: Of these, with a receipt of reading.
        failed: Of those sent, reported later as not delivered.
        replied: Answered. Counted apart: who hides receipts of reading answers as well.
        unknown: May be out; nobody can tell yet.
        sending: Under way at this instant.
        waiting: Planned and not yet due, or taken by a worker.
        deferred: Put off to a permitted minute.
        suppressed: Not allowed, or not possible.
        rejected: Refused by the provider before anything was sent.
        not_sent: Did not get through to the provider; what follows is an attempt of its own.
        expired: The step was over before it could be sent.
        cancelled: No reason left, for example because the debt is paid.
    """

    channel: str
    sent: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    replied: int = 0
    unknown: int = 0
    sending: int = 0
    waiting: int = 0
    deferred: int = 0
    suppressed: int = 0
    rejected: int = 0
    not_sent: int = 0
    expired: int = 0
    cancelled: int = 0

    def __attrs_post_init__(self) -> None:
        if self.read > self.delivered or self.delivered + self.failed > self.sent:
            msg = "ChannelLine: more read than delivered, or more delivered and failed than sent"
            raise InvalidValueError(msg)

    @property
    def planned(self) -> int:
        """
        All attempts.
        """
        return sum(getattr(self, name) for name in dict.fromkeys(_COUNTED_AS.values()))

    @property
    def read_rate(self) -> Decimal | None:
        """
        Read ÷ delivered, or None when nothing was delivered.
        """
        return _share(self.read, self.delivered)

    @property
    def reply_rate(self) -> Decimal | None:
        """
        Replied ÷ delivered, or None where replies outnumber receipts: the channel does not report delivery.
        """
        return None if self.replied > self.delivered else _share(self.replied, self.delivered)


@frozen(kw_only=True)
class AgingLine:
    """
    What is open in one currency and one bucket.

    Attributes:
        currency: ISO 4217 code.
        bucket: One of `BUCKETS`.
        amount: Open balance, credits deducted: it may be negative.
        installments: How many.
    """

    currency: str
    bucket: str
    amount: Money
    installments: int

    def __attrs_post_init__(self) -> None:
        if self.bucket not in BUCKETS or self.amount.currency != self.currency:
            msg = f"AgingLine: found bucket {self.bucket!r} in {self.amount.currency}, expected one in {self.currency}"
            raise InvalidValueError(msg)


@frozen(kw_only=True)
class DelinquencyLine:
    """
    How much of what is open in one currency is overdue.

    Attributes:
        currency: ISO 4217 code.
        overdue: Past due by a day or more.
        total: All that is open.
    """

    currency: str
    overdue: Money
    total: Money

    @property
    def share(self) -> Decimal | None:
        """
        Overdue ÷ total, or None when nothing is owed on balance.
        """
        return _share(self.overdue.minor, self.total.minor)


def _aware(_instance: object, _attribute: object, value: datetime) -> None:
    if value.tzinfo is None:
        msg = "Report.as_of needs a UTC offset: naive datetimes are refused"
        raise InvalidValueError(msg)


@frozen(kw_only=True)
class Report:
    """
    Indicators of one creditor.

    Attributes:
        creditor: Name of the creditor.
        as_of: The instant the figures were read at, with offset.
        today: The day by which debts are aged; that of *as_of* when left out.
        verdicts: The strictest first, then the most frequent.
        channels: By name.
        aging: By currency; each currency has every bucket, in order.
        rejected_rows: Rows that imports did not take.
    """

    creditor: str
    as_of: datetime = field(validator=_aware)
    today: date = field()
    verdicts: tuple[VerdictLine, ...] = field(default=(), converter=tuple[VerdictLine, ...])
    channels: tuple[ChannelLine, ...] = field(default=(), converter=tuple[ChannelLine, ...])
    aging: tuple[AgingLine, ...] = field(default=(), converter=tuple[AgingLine, ...])
    rejected_rows: int = 0

    @today.default
    def _day_of_reading(self) -> date:
        return self.as_of.date()

    @property
    def decisions(self) -> int:
        """
        All decisions.
        """
        return sum(line.count for line in self.verdicts)

    @property
    def currencies(self) -> tuple[str, ...]:
        """
        Currencies in which something is open.
        """
        return tuple(dict.fromkeys(line.currency for line in self.aging))

    @property
    def delinquency(self) -> tuple[DelinquencyLine, ...]:
        """
        The delinquency index, by currency.
        """
        lines = []
        for currency in self.currencies:
            own = [line for line in self.aging if line.currency == currency]
            overdue = _sum((line.amount for line in own if line.bucket != BUCKETS[0]), currency)
            total = _sum((line.amount for line in own), currency)
            lines.append(DelinquencyLine(currency=currency, overdue=overdue, total=total))
        return tuple(lines)


def make_report(figures: Figures, *, creditor: str, as_of: datetime, today: date) -> Report:
    """
    Read the figures and put them in order.

    Args:
        figures: Counts of the creditor, `CreditorStore.figures`.
        creditor: Its name.
        as_of: The present instant, with offset.
        today: The day by which debts are aged.

    Raises:
        InvalidValueError: *as_of* is naive.
    """
    replied = figures.replied()  # before the states: a reply that comes in between is missed, not counted twice
    return Report(
        creditor=creditor,
        as_of=as_of,
        today=today,
        verdicts=_verdict_lines(figures.verdicts()),
        channels=_channel_lines(figures.by_state(), replied),
        aging=_aging_lines(figures.aging(today)),
        rejected_rows=figures.rejected(),
    )


def _verdict_lines(rows: Sequence[tuple[str, str, str, int]]) -> tuple[VerdictLine, ...]:
    lines = [
        VerdictLine(verdict=Verdict(verdict), rule=rule or None, citation=citation or None, count=count)
        for verdict, rule, citation, count in rows
    ]
    return tuple(
        sorted(lines, key=lambda line: (-line.verdict.rank, -line.count, line.rule or "", line.citation or ""))
    )


def _channel_lines(rows: Sequence[tuple[str, str, int]], replied: Mapping[str, int]) -> tuple[ChannelLine, ...]:
    counts: dict[str, dict[str, int]] = {}
    for channel, state, count in rows:
        own = counts.setdefault(channel, {})
        for name in _fields_of(AttemptState(state)):
            own[name] = own.get(name, 0) + count
    return tuple(
        ChannelLine(channel=channel, replied=replied.get(channel, 0), **counts[channel]) for channel in sorted(counts)
    )


def _fields_of(state: AttemptState) -> tuple[str, ...]:
    """
    Fields that an attempt in *state* counts in.
    """
    contained = {
        AttemptState.DELIVERED: ("delivered",),
        AttemptState.READ: ("delivered", "read"),
        AttemptState.FAILED: ("failed",),
    }
    return (_COUNTED_AS[state], *contained.get(state, ()))


def _aging_lines(rows: Sequence[tuple[str, str, int, int]]) -> tuple[AgingLine, ...]:
    found = {(currency, bucket): (minor, installments) for currency, bucket, minor, installments in rows}
    lines = []
    for currency in sorted({currency for currency, _ in found}):
        for bucket in BUCKETS:
            minor, installments = found.get((currency, bucket), (0, 0))
            lines.append(
                AgingLine(currency=currency, bucket=bucket, amount=Money(minor, currency), installments=installments)
            )
    return tuple(lines)


def _sum(amounts: Iterable[Money], currency: str) -> Money:
    total = Money(0, currency)
    for amount in amounts:
        total += amount
    return total


def _share(part: int, whole: int) -> Decimal | None:
    return Decimal(part) / Decimal(whole) if whole > 0 else None
