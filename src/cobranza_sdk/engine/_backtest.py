"""
Back-test: contacts that were decided are decided again under other rules, and the difference is told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from attrs import evolve, field, frozen

from cobranza_sdk.compliance import DISCLOSE_NOTHING, DISCLOSES_NOTHING, Case, Decider, zone
from cobranza_sdk.engine._workplace import zones_told
from cobranza_sdk.model import Contact, Creditor, Decision, Verdict
from cobranza_sdk.store import Recorded
from cobranza_sdk.strategy import Strategy, stage_of


@frozen(kw_only=True)
class Answer:
    """
    A verdict, the rules behind it, and until when it defers.
    """

    verdict: str
    rules: tuple[str, ...] = ()
    not_before: datetime | None = None

    @classmethod
    def of(cls, decision: Decision) -> Answer:
        """
        The answer that a decision gives.
        """
        rules = tuple(finding.rule for finding in decision.findings)
        return cls(verdict=str(decision.verdict), rules=rules, not_before=decision.not_before)

    def to_dict(self) -> dict[str, Any]:
        """
        JSON-ready data.
        """
        not_before = None if self.not_before is None else self.not_before.isoformat()
        return {"verdict": self.verdict, "rules": list(self.rules), "not_before": not_before}


@frozen(kw_only=True)
class Retried:
    """
    One contact, decided again.

    Attributes:
        case_id: Of the row, or of the recorded decision.
        contact: As it was, as far as that is known.
        old: What was decided.
        new: What the other rules say.
        unknown: Inputs that could not be read back; they took their strict defaults.
        reproduced: Whether the rules of today give the old verdict again. If not, inputs may have been others.
    """

    case_id: str
    contact: Contact
    old: Answer
    new: Answer
    unknown: tuple[str, ...] = ()
    reproduced: bool = True

    @property
    def is_changed(self) -> bool:
        """
        Whether verdict, rules or the permitted minute differ.
        """
        return self.old != self.new

    def to_dict(self) -> dict[str, Any]:
        """
        What ``cobranza backtest --json`` prints of one that changed. No personal data.
        """
        return {
            "case_id": self.case_id,
            "at": self.contact.at.isoformat(),
            "country": self.contact.country,
            "channel": self.contact.channel,
            "old": self.old.to_dict(),
            "new": self.new.to_dict(),
            "unknown": list(self.unknown),
            "reproduced": self.reproduced,
        }


@frozen(kw_only=True)
class Backtest:
    """
    What other rules would have changed.

    Attributes:
        counts: Contacts by old and new verdict.
        changed: Those that differ.
        not_reproduced: Contacts whose recorded verdict the rules of today do not give again.
    """

    counts: Mapping[tuple[str, str], int]
    changed: tuple[Retried, ...] = field(repr=False)
    not_reproduced: int = 0

    @property
    def contacts(self) -> int:
        """
        How many were decided again.
        """
        return sum(self.counts.values())

    def to_dict(self) -> dict[str, Any]:
        """
        What ``cobranza backtest --json`` prints.
        """
        return {
            "contacts": self.contacts,
            "not_reproduced": self.not_reproduced,
            "counts": [{"old": old, "new": new, "count": count} for (old, new), count in sorted(self.counts.items())],
            "changed": [item.to_dict() for item in self.changed],
        }


def summed_up(retried: Iterable[Retried]) -> Backtest:
    """
    Count, and keep what differs.
    """
    counts: Counter[tuple[str, str]] = Counter()
    changed, lost = [], 0
    for item in retried:
        counts[item.old.verdict, item.new.verdict] += 1
        lost += not item.reproduced
        if item.is_changed:
            changed.append(item)
    return Backtest(counts=dict(counts), changed=tuple(changed), not_reproduced=lost)


def retry_cases(cases: Iterable[Case], today: Decider, other: Decider) -> Iterator[Retried]:
    """
    Cases of a file: what the rules of today say of them beside what the others say.
    """
    for case in cases:
        yield Retried(
            case_id=case.case_id,
            contact=case.contact,
            old=Answer.of(today.decide(case.contact)),
            new=Answer.of(other.decide(case.contact)),
        )


@frozen(kw_only=True)
class Bench:
    """
    What recorded decisions are made into contacts with.

    Attributes:
        creditor: Whose they are.
        strategy: Its strategy of today, or None.
        carried: Family of each channel that its accounts carry.
        flags: Risks that the operator takes today.
        today: Judges by the rules of today.
        other: Judges by the other rules.
    """

    creditor: Creditor
    strategy: Strategy | None
    carried: Mapping[str, str]
    flags: frozenset[str]
    today: Decider
    other: Decider

    def retry(self, records: Iterable[Recorded]) -> Iterator[Retried]:
        """
        Decide recorded contacts again, as dispatch would.
        """
        for record in records:
            contact, unknown = self._contact(record)
            today = _decided(self.today, contact)
            yield Retried(
                case_id=record.decision_id,
                contact=contact,
                old=Answer(verdict=record.verdict, rules=record.rules, not_before=record.not_before),
                new=Answer.of(_decided(self.other, contact)),
                unknown=unknown,
                reproduced=str(today.verdict) == record.verdict,
            )

    def _contact(self, record: Recorded) -> tuple[Contact, tuple[str, ...]]:
        """
        The contact as it was, and what of it nobody can know any more: that takes its strict default.
        """
        strategy = self.strategy
        same = strategy is not None and (strategy.name, strategy.version) == record.strategy
        step = strategy.step(record.step) if same and strategy is not None else None
        contact = Contact(
            at=record.at,
            channel=record.channel,
            family=self.carried.get(record.channel),
            country=record.country,
            region=record.region,
            timezones=zones_told(self.today, record, record.address),
            recipient=record.recipient,
            holder_confirmed=record.confirmed,
            collector=self.creditor.collector,
            sector=self.creditor.sector,
            consent=record.consent,
            history=record.history,
            creditor_id=self.creditor.id,
            flags=self.flags.union(record.grounds),
        )
        if step is not None:
            contact = evolve(contact, purpose=step.purpose)
        zones = [tz for name in self.today.zones_of(contact) if (tz := zone(name)) is not None]
        day = min((record.at.astimezone(tz).date() for tz in zones), default=record.at.date())
        unknown = record.unknown if step is not None else (*record.unknown, "purpose")
        return evolve(contact, stage=stage_of((day - record.anchor_on).days)), unknown


def _decided(decider: Decider, contact: Contact) -> Decision:
    """
    As dispatch decides: where only an amendment permits, it is applied.
    """
    decision = decider.decide(contact)
    if decision.verdict is Verdict.AMEND and set(decision.obligations) == {DISCLOSE_NOTHING}:
        return decider.decide(evolve(contact, flags=contact.flags | {DISCLOSES_NOTHING}))
    return decision
