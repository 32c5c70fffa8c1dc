"""
Holds a strategy against the packs, before anybody is written to: what can never leave, and what rules push away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from attrs import asdict, define, evolve, field, frozen

from cobranza_sdk.compliance import DISCLOSE_NOTHING, DISCLOSES_NOTHING, Decider, zone
from cobranza_sdk.engine._workplace import locale_of
from cobranza_sdk.loading import Plugins, Settings
from cobranza_sdk.model import Contact, Creditor, Decision, Finding, PastContact, Verdict
from cobranza_sdk.strategy import DebtorPosition, OpenInstallment, Step, Strategy, plan, stage_of
from cobranza_sdk.templates import Catalogue, TemplateError

ERROR, WARNING = "error", "warning"
#: First days that each step is tried with: every weekday four times, so that one holiday week closes nothing for good.
_FIRST_DAYS = 28
_DAY = timedelta(days=1)
_NO_MINUTE = "sdk.no_permitted_minute"


@frozen(kw_only=True)
class StrategyFinding:
    """
    What stands against one step of a strategy.

    Attributes:
        severity: ``error`` or ``warning``.
        code: ``step_never``, ``step_some_days``, ``channel_denied``, ``channel_closed``, ``pushed``, ``expired``,
            ``missed``, ``no_consent_rule``, ``template`` or ``no_strategy``.
        message: What is wrong, in English.
        creditor: Key of the creditor.
        strategy: Name of the strategy, or None.
        step: Id of the step, or several joined by commas, or None.
        channel: The channel, or several joined by commas, or None.
        country: ISO 3166-1 code, or None.
        region: ISO 3166-2 code where it is so only there, else None.
        stage: Stage of the debt, or None where it holds for all of the step's.
        rule: Rule that stands against it, or None.
        citation: Its norm and article, or None.
        days: By how many days the step is pushed, or None.
    """

    severity: str
    code: str
    message: str
    creditor: str
    strategy: str | None = None
    step: str | None = None
    channel: str | None = None
    country: str | None = None
    region: str | None = None
    stage: str | None = None
    rule: str | None = None
    citation: str | None = None
    days: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """
        What ``cobranza check --json`` prints.
        """
        return asdict(self)


@frozen(kw_only=True)
class Grounds:
    """
    What a strategy is held against.

    Attributes:
        creditor: Whose strategy.
        decider: Judges as dispatch does: law, platforms, policies.
        law: Judges by law alone.
        catalogue: Message templates.
        at: The day that everything starts on.
        carried: Family of each channel that an account of the creditor carries, by channel.
        flags: Risks that the operator takes.
    """

    creditor: Creditor
    decider: Decider
    law: Decider
    catalogue: Catalogue
    at: datetime
    carried: Mapping[str, str] = field(factory=dict)
    flags: frozenset[str] = frozenset()


def carried_by(settings: Settings, plugins: Plugins, creditor_id: str) -> dict[str, str]:
    """
    Family of each channel that a configured account of the creditor carries, without building the account.
    """
    carried: dict[str, str] = {}
    for entry in settings.channels.values():
        provided = plugins.provided.get(("channel", entry.provider))
        if provided is not None and entry.serves(creditor_id):
            can = provided.item.capabilities
            carried.setdefault(can.channel, can.family)
    return carried


def without_strategy(creditor: Creditor) -> StrategyFinding:
    """
    A creditor for whom nothing would ever be planned.
    """
    message = f"creditors.{creditor.id}.strategy: missing, expected a name of [strategies]"
    return StrategyFinding(severity=ERROR, code="no_strategy", message=message, creditor=creditor.id)


def check_strategy(
    strategy: Strategy, grounds: Grounds, places: Iterable[tuple[str, str | None]]
) -> list[StrategyFinding]:
    """
    All that stands against a strategy in each place. What holds in a whole country is not said again of its regions.
    """
    found: list[StrategyFinding] = []
    said: set[StrategyFinding] = set()
    for country, region in sorted(set(places), key=lambda place: (place[0], place[1] or "")):
        here = list(_Place(strategy, grounds, country, region).findings())
        found += [item for item in here if evolve(item, region=None) not in said]
        said.update(here if region is None else ())
    return found


@frozen
class _Anyone:
    """
    A debtor of whom only the country is known.
    """

    country: str
    language: str | None = None


@frozen(kw_only=True)
class _Tried:
    """
    Whether a channel carried a step that began on some day.
    """

    at: datetime | None = None
    refusals: tuple[Decision, ...] = ()


@define(kw_only=True)
class _Waiting:
    """
    An outreach of the walk that has not left yet.
    """

    step: Step
    channels: list[str]
    planned: int
    told: Decision | None = None
    pusher: Finding | None = None


class _Place:
    """
    One strategy in one place.
    """

    def __init__(self, strategy: Strategy, grounds: Grounds, country: str, region: str | None) -> None:
        self._strategy, self._grounds, self._country, self._region = strategy, grounds, country, region
        names = grounds.decider.zones_of(Contact(at=grounds.at, channel="email", country=country, region=region))
        self._zones = [tz for name in names if (tz := zone(name)) is not None] or [ZoneInfo("UTC")]
        self._today = self._day_of(grounds.at)

    def findings(self) -> Iterator[StrategyFinding]:
        """
        What is wrong, step by step; then what the walk shows.
        """
        for step in self._strategy.steps:
            yield from self._of_step(step)
        yield from self._walked()
        yield from self._unasked()
        yield from self._templates()

    def _finding(self, severity: str, code: str, message: str, **more: Any) -> StrategyFinding:
        return StrategyFinding(
            severity=severity,
            code=code,
            message=message,
            creditor=self._grounds.creditor.id,
            strategy=self._strategy.name,
            country=self._country,
            region=self._region,
            **more,
        )

    # -- days and contacts -----------------------------------------------------------------------------------------

    def _day_of(self, at: datetime) -> date:
        """
        The date there: the earliest where several zones are possible, as the plan has it.
        """
        return min(at.astimezone(tz).date() for tz in self._zones)

    def _begins(self, day: date) -> datetime:
        """
        When a day has begun in every zone.
        """
        return max((datetime.combine(day, time(), tz) for tz in self._zones), key=lambda at: at.timestamp())

    def _contact(
        self, step: Step, channel: str, past_due: int, at: datetime, history: Sequence[PastContact] = ()
    ) -> Contact:
        """
        The contact that a step would make with the debtor, confirmed and in agreement.
        """
        grounds = self._grounds
        return Contact(
            at=at,
            channel=channel,
            family=grounds.carried.get(channel),
            country=self._country,
            region=self._region,
            recipient="debtor",
            holder_confirmed=True,
            collector=grounds.creditor.collector,
            sector=grounds.creditor.sector,
            stage=stage_of(past_due),
            purpose=step.purpose,
            consent="yes",
            history=history,
            creditor_id=grounds.creditor.id,
            flags=grounds.flags,
        )

    def _judge(self, contact: Contact) -> Decision:
        """
        As dispatch decides: where only an amendment permits, it is applied.
        """
        decision = self._grounds.decider.decide(contact)
        if decision.verdict is Verdict.AMEND and set(decision.obligations) == {DISCLOSE_NOTHING}:
            return self._grounds.decider.decide(evolve(contact, flags=contact.flags | {DISCLOSES_NOTHING}))
        return decision

    def _tried(self, step: Step, channel: str, anchor: date, days: Iterable[int]) -> _Tried:
        """
        The first permitted instant on some days from the due date, when nothing went before.
        """
        refusals = []
        for past_due in days:
            day = anchor + past_due * _DAY
            at, decision = self._on_day(step, channel, past_due, day, self._begins(day))
            if at is not None:
                return _Tried(at=at)
            refusals.append(decision)
        return _Tried(refusals=tuple(refusals))

    def _on_day(
        self, step: Step, channel: str, past_due: int, day: date, since: datetime, history: Sequence[PastContact] = ()
    ) -> tuple[datetime | None, Decision]:
        """
        The first permitted instant of a day, or None, and what was decided at its beginning.
        """
        decision = self._judge(self._contact(step, channel, past_due, since, history))
        if decision.verdict is Verdict.ALLOW:
            return since, decision
        opens = decision.not_before
        return (opens if opens is not None and opens < self._begins(day + _DAY) else None), decision

    # -- each step by itself ---------------------------------------------------------------------------------------

    def _of_step(self, step: Step) -> Iterator[StrategyFinding]:
        """
        Channels that carry it on no day, and the step itself where none of them does.
        """
        first_days = [self._today + shift * _DAY - step.days * _DAY for shift in range(_FIRST_DAYS)]
        runs: set[date] = set()
        refusals: dict[str, Decision] = {}
        for stage, days in _stages(step):
            for channel in step.channels:
                tried = {anchor: self._tried(step, channel, anchor, days) for anchor in first_days}
                runs.update(anchor for anchor, told in tried.items() if told.at is not None)
                told = [decision for answer in tried.values() for decision in answer.refusals]
                if told:
                    refusals.setdefault(channel, told[0])
                if all(answer.at is None for answer in tried.values()):
                    yield self._shut(step, channel, stage, told)
        if len(runs) < len(first_days):
            yield self._not_run(step, refusals, len(runs))

    def _shut(self, step: Step, channel: str, stage: str, refusals: Sequence[Decision]) -> StrategyFinding:
        denied = all(_is_denied(decision) for decision in refusals)
        words = "is always denied" if denied else "has no permitted minute within the step's days"
        return self._finding(
            WARNING,
            "channel_denied" if denied else "channel_closed",
            f"{channel} {words} in the stage {stage}",
            step=step.id,
            channel=channel,
            stage=stage,
            **_named([finding for decision in refusals for finding in _against(decision)]),
        )

    def _not_run(self, step: Step, refusals: Mapping[str, Decision], runs: int) -> StrategyFinding:
        never = runs == 0
        missing = f"{_FIRST_DAYS - runs} of {_FIRST_DAYS} days"
        return self._finding(
            ERROR if never else WARNING,
            "step_never" if never else "step_some_days",
            "the step can never run: no channel has a permitted minute within its days"
            if never
            else f"the step has no permitted minute when it begins on {missing} from {self._today}",
            step=step.id,
            channel=", ".join(step.channels),
            **_named([finding for decision in refusals.values() for finding in _against(decision)]),
        )

    # -- the walk: one debtor who never answers and never pays -----------------------------------------------------

    def _walked(self) -> Iterator[StrategyFinding]:
        """
        Go through the strategy day by day, each message sent at its first permitted minute and counted from then on.
        """
        steps = self._strategy.steps
        anchor = self._today - steps[0].days * _DAY
        history: list[PastContact] = []
        issued: dict[str, int] = {}
        waiting: _Waiting | None = None
        pusher: Finding | None = None
        for past_due in range(steps[0].days, max(step.until for step in steps) + 1):
            if waiting is not None and past_due > waiting.step.until:
                yield from self._expired(waiting)
                pusher, waiting = waiting.pusher or pusher, None
            if waiting is None:
                waiting = self._due(anchor, past_due, issued)
            if waiting is None:
                continue
            sent = self._send(waiting, anchor, past_due, history)
            if sent is not None:
                yield from self._pushed(waiting, anchor, sent)
                history.append(sent)
                pusher = waiting.pusher or pusher
            if sent is not None or not waiting.channels:
                waiting = None
        if waiting is not None:
            yield from self._expired(waiting)
        yield from (self._missed(step, pusher) for step in steps if step.id not in issued)

    def _due(self, anchor: date, past_due: int, issued: dict[str, int]) -> _Waiting | None:
        """
        What the plan would make that day.
        """
        position = DebtorPosition(
            debtor_id="debtor",
            currency="XXX",
            today=anchor + past_due * _DAY,
            installments=(OpenInstallment(due_on=anchor, open_minor=1),),
            issued=frozenset((step, anchor) for step in issued),
            last_on=anchor + max(issued.values()) * _DAY if issued else None,
        )
        for due in plan(self._strategy, [position]):
            issued[due.step.id] = past_due
            carried = [channel for channel in due.step.channels if channel in self._grounds.carried]
            return _Waiting(step=due.step, channels=carried or list(due.step.channels), planned=past_due)
        return None

    def _send(
        self, waiting: _Waiting, anchor: date, past_due: int, history: Sequence[PastContact]
    ) -> PastContact | None:
        """
        Send that day, by the first channel that is not denied; None when it waits or none is left.
        """
        day = anchor + past_due * _DAY
        since = self._begins(day)
        while waiting.channels:
            channel = waiting.channels[0]
            at, decision = self._on_day(waiting.step, channel, past_due, day, since, history)
            if decision.verdict is Verdict.DEFER:
                waiting.told = decision
                waiting.pusher = self._new(decision, waiting.step, channel, past_due, since) or waiting.pusher
            if at is not None:
                return self._past(channel, at)
            if decision.verdict is Verdict.DEFER:
                return None
            waiting.channels.pop(0)
        return None

    def _past(self, channel: str, at: datetime) -> PastContact:
        """
        A message whose outcome nobody knows yet.
        """
        family = self._grounds.carried.get(channel)
        return PastContact(at=at, channel=channel, family=family, creditor_id=self._grounds.creditor.id)

    def _new(self, decision: Decision, step: Step, channel: str, past_due: int, at: datetime) -> Finding | None:
        """
        What stands against it only because of what went before: of several the one that lasts longest.
        """
        alone = {item.rule for item in self._judge(self._contact(step, channel, past_due, at)).findings}
        new = [item for item in decision.findings if item.rule not in alone and item.not_before is not None]
        return max(new, key=lambda item: (item.not_before or at, item.rule), default=None)

    def _pushed(self, waiting: _Waiting, anchor: date, sent: PastContact) -> Iterator[StrategyFinding]:
        """
        A step that leaves later than if nothing had gone before it.
        """
        if waiting.pusher is None:
            return
        step = waiting.step
        alone = self._tried(step, sent.channel, anchor, range(waiting.planned, step.until + 1)).at
        if alone is None or sent.at <= alone:
            return
        days = (self._day_of(sent.at) - self._day_of(alone)).days
        words = f"{days} days" if days > 1 else "1 day" if days else "less than a day"
        yield self._finding(
            WARNING,
            "pushed",
            f"what went before pushes the step by {words}, to {sent.at:%Y-%m-%d %H:%M}",
            step=step.id,
            channel=sent.channel,
            rule=waiting.pusher.rule,
            citation=waiting.pusher.citation,
            days=days,
        )

    def _expired(self, waiting: _Waiting) -> Iterator[StrategyFinding]:
        """
        A step that was still waiting on its last day. Where only the hours are in the way, other days may do.
        """
        told = waiting.told
        if told is None or told.not_before is None:
            return
        against = waiting.pusher or told.findings[0]
        last = self._today + (waiting.step.until - self._strategy.steps[0].days) * _DAY
        days = (self._day_of(told.not_before) - last).days
        yield self._finding(
            WARNING if waiting.pusher is None else ERROR,
            "expired",
            f"the step is deferred to {told.not_before:%Y-%m-%d %H:%M}, past its last day {last}",
            step=waiting.step.id,
            channel=waiting.channels[0],
            rule=against.rule,
            citation=against.citation,
            days=days,
        )

    def _missed(self, step: Step, pusher: Finding | None) -> StrategyFinding:
        """
        A step that never came to be made: another one waited, or the strategy's own gap lasted, until it was over.
        """
        return self._finding(
            ERROR,
            "missed",
            f"the step is over before it can be planned: another one waits, or gap_days = {self._strategy.gap_days}",
            step=step.id,
            channel=", ".join(step.channels),
            rule=None if pusher is None else pusher.rule,
            citation=None if pusher is None else pusher.citation,
        )

    # -- consent and words -----------------------------------------------------------------------------------------

    def _unasked(self) -> Iterator[StrategyFinding]:
        """
        Channels that the country's law lets one use without asking.
        """
        steps: dict[str, list[str]] = {}
        for step in self._strategy.steps:
            for channel in step.channels:
                if not self._asks(step, channel):
                    steps.setdefault(channel, []).append(step.id)
        for channel, ids in steps.items():
            yield self._finding(
                WARNING,
                "no_consent_rule",
                f"no rule of the country's law asks for consent to {channel}",
                step=", ".join(ids),
                channel=channel,
            )

    def _asks(self, step: Step, channel: str) -> bool:
        agreed = self._contact(step, channel, step.days, self._begins(self._today))
        law = self._grounds.law
        with_it = {item.rule for item in law.decide(agreed).findings}
        without = {item.rule for item in law.decide(evolve(agreed, consent="no")).findings}
        return without != with_it or "sdk.country_unknown" in with_it

    def _templates(self) -> Iterator[StrategyFinding]:
        """
        Messages that nobody wrote, for a stage or in the country's language.
        """
        catalogue, locale = self._grounds.catalogue, locale_of(_Anyone(self._country))
        for step in self._strategy.steps:
            for channel in step.channels:
                for stage, _ in _stages(step):
                    try:
                        catalogue.find(step.template, channel=channel, locale=locale, stage=stage)
                        catalogue.undisclosed(channel=channel, locale=locale)
                    except TemplateError as error:
                        yield self._finding(ERROR, "template", str(error), step=step.id, channel=channel, stage=stage)


def _is_denied(decision: Decision) -> bool:
    """
    Whether waiting is no cure, and not only because no minute is left to wait for.
    """
    return decision.verdict is not Verdict.DEFER and all(item.rule != _NO_MINUTE for item in decision.findings)


def _against(decision: Decision) -> list[Finding]:
    """
    The rules behind a refusal: the strictest, or all where they shut every minute together.
    """
    told = [item for item in decision.findings if item.rule != _NO_MINUTE]
    return [item for item in told if item.verdict is told[0].verdict]


def _named(findings: Iterable[Finding]) -> dict[str, str]:
    """
    Rules and citations, each once.
    """
    named = dict.fromkeys((item.rule, item.citation) for item in findings)
    return {
        "rule": ", ".join(dict.fromkeys(rule for rule, _ in named)),
        "citation": "; ".join(dict.fromkeys(citation for _, citation in named)),
    }


def _stages(step: Step) -> list[tuple[str, list[int]]]:
    """
    The stages that a step falls into, each with its days past due.
    """
    found: dict[str, list[int]] = {}
    for past_due in range(step.days, step.until + 1):
        found.setdefault(stage_of(past_due), []).append(past_due)
    return list(found.items())
