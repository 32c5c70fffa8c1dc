"""
What was decided before, as far as it can be read back: the ground of a back-test; and where the debtors are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

from attrs import field, frozen
from sqlalchemy import Connection, select

from cobranza_sdk.model import Address, PastContact
from cobranza_sdk.store._database import reading
from cobranza_sdk.store._facts import HISTORY, failure_of
from cobranza_sdk.store._ledger import read_events
from cobranza_sdk.store._schema import attempts, contact_events, contact_points, debtors, decisions, outreaches
from cobranza_sdk.store._scope import CreditorScope

_PAGE = 500
_CONSENTS = {"consent.granted": "yes", "consent.withdrawn": "opted_out"}


@frozen(kw_only=True)
class Recorded:
    """
    A decision as it was recorded, and what can still be known of the contact that it was about.

    Attributes:
        decision_id: Which.
        attempt_id: Of which attempt.
        at: The instant that was judged.
        verdict: What was decided.
        not_before: Until when it was deferred, or None.
        rules: Rules that did not simply allow, in the order of the record.
        channel: By which it was to go.
        country: Of the debtor, as of now.
        region: The same.
        timezone: The same.
        address: Where to; its number may tell a time zone. Personal data: never printed.
        recipient: Who held the address then; ``unknown`` where that has changed since.
        confirmed: Whether that was known.
        strategy: Name and version of the strategy that planned it.
        step: Its step.
        anchor_on: Due date that the step counts from.
        consent: What the person had said about the channel by then.
        history: Contacts before it, as they were known then.
        grounds: Exceptions that somebody answered for.
        unknown: Names of the inputs that cannot be read back any more.
    """

    decision_id: str
    attempt_id: str
    at: datetime
    verdict: str
    not_before: datetime | None
    rules: tuple[str, ...]
    channel: str
    country: str
    region: str | None
    timezone: str | None
    address: Address | None = field(repr=False)
    recipient: str
    confirmed: bool
    strategy: tuple[str, int]
    step: str
    anchor_on: date
    consent: str
    history: tuple[PastContact, ...] = field(repr=False)
    grounds: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Past:
    """
    The recorded past of one creditor.

    Args:
        scope: Whose.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    def places(self) -> list[tuple[str, str | None]]:
        """
        Countries and regions that the creditor's debtors are in, sorted.
        """
        statement = select(debtors.c.country, debtors.c.region).where(self._scope.mine(debtors)).distinct()
        with reading(self._scope.engine) as connection:
            found = [(row.country, row.region) for row in connection.execute(statement)]
        return sorted(found, key=lambda place: (place[0], place[1] or ""))

    def decisions(self, *, since: datetime | None = None) -> Iterator[Recorded]:
        """
        Every recorded decision in the order of making, page by page.

        Args:
            since: Only those about this instant or later; None is all.
        """
        said = self._consents()
        after = ""
        while True:
            statement = (
                select(
                    decisions.c.id.label("decision_id"),
                    decisions.c.at.label("decided_at"),
                    decisions.c.data,
                    attempts.c.id,
                    attempts.c.person_id,
                    attempts.c.channel,
                    outreaches.c.strategy,
                    outreaches.c.strategy_version,
                    outreaches.c.step,
                    outreaches.c.anchor_on,
                    debtors.c.country,
                    debtors.c.region,
                    debtors.c.timezone,
                    contact_points.c.scheme,
                    contact_points.c.value,
                    contact_points.c.holder_role,
                    contact_points.c.state.label("point_state"),
                    contact_points.c.changed_at,
                )
                .join(attempts, attempts.c.id == decisions.c.attempt_id)
                .join(outreaches, outreaches.c.id == attempts.c.outreach_id)
                .join(debtors, debtors.c.id == attempts.c.debtor_id)
                .outerjoin(contact_points, contact_points.c.id == attempts.c.contact_point_id)
                .where(self._scope.mine(decisions), decisions.c.id > after)
                .order_by(decisions.c.id)
                .limit(_PAGE)
            )
            if since is not None:
                statement = statement.where(decisions.c.at >= since)
            with reading(self._scope.engine) as connection:
                rows = connection.execute(statement).all()
                charged = self._charged(connection, {row.person_id for row in rows})
            for row in rows:
                yield _recorded(row, said.get((row.person_id, row.channel), ()), charged.get(row.person_id, ()))
            if len(rows) < _PAGE:
                return
            after = rows[-1].decision_id

    def _consents(self) -> dict[tuple[str, str], list[tuple[datetime, str]]]:
        """
        What each person said about each channel, in the order it was recorded.
        """
        said: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
        for event in read_events(self._scope, kinds=tuple(_CONSENTS)):
            key = event.subject_refs.get("person", ""), event.payload.get("channel", "")
            said.setdefault(key, []).append((event.recorded_at, _CONSENTS[event.kind]))
        return said

    def _charged(self, connection: Connection, person_ids: Iterable[str]) -> dict[str, list[Any]]:
        """
        Contacts charged to each person, whichever creditor made them, newest first, with when they were given back.
        """
        refund = contact_events.alias("refund")
        statement = (
            select(
                contact_events.c.person_id,
                contact_events.c.attempt_id,
                contact_events.c.at,
                refund.c.at.label("refunded_at"),
                attempts.c.channel,
                attempts.c.creditor_id,
                attempts.c.read_at,
                attempts.c.replied_at,
                attempts.c.failed_at,
                attempts.c.reason,
                contact_points.c.holder_role,
            )
            .join(attempts, attempts.c.id == contact_events.c.attempt_id)
            .outerjoin(contact_points, contact_points.c.id == attempts.c.contact_point_id)
            .outerjoin(refund, (refund.c.attempt_id == contact_events.c.attempt_id) & (refund.c.kind == "refund"))
            .where(
                contact_events.c.tenant_id == self._scope.tenant_id,
                contact_events.c.kind == "charge",
                contact_events.c.person_id.in_(set(person_ids)),
            )
            .order_by(contact_events.c.at.desc(), contact_events.c.attempt_id.desc())
        )
        found: dict[str, list[Any]] = {}
        for row in connection.execute(statement):
            found.setdefault(row.person_id, []).append(row)
        return found


def _recorded(row: Any, said: Sequence[tuple[datetime, str]], charged: Sequence[Any]) -> Recorded:
    at, data = row.decided_at, row.data
    # What has changed since is not known to have been so then.
    moved = row.holder_role is None or (row.changed_at is not None and row.changed_at > at)
    return Recorded(
        decision_id=row.decision_id,
        attempt_id=row.id,
        at=at,
        verdict=data["verdict"],
        not_before=None if data["not_before"] is None else datetime.fromisoformat(data["not_before"]),
        rules=tuple(finding["rule"] for finding in data["findings"]),
        channel=row.channel,
        country=row.country,
        region=row.region,
        timezone=row.timezone,
        address=None if row.scheme is None else Address(row.scheme, row.value),
        recipient="unknown" if moved else row.holder_role,
        confirmed=not moved and row.point_state == "confirmed",
        strategy=(row.strategy, row.strategy_version),
        step=row.step,
        anchor_on=row.anchor_on,
        consent=next((word for when, word in reversed(said) if when <= at), "no"),
        history=tuple(_past(past, at) for past in charged if past.attempt_id != row.id and _counted(past, at)),
        grounds=tuple(data.get("grounds", ())),
        unknown=("recipient",) if moved else (),
    )


def _counted(past: Any, at: datetime) -> bool:
    """
    Whether a contact was charged at an instant, and not given back yet.
    """
    return at - HISTORY < past.at <= at and (past.refunded_at is None or past.refunded_at > at)


def _past(row: Any, at: datetime) -> PastContact:
    """
    A contact with the outcome that was known at an instant.
    """
    outcome, outcome_at = None, None
    if row.replied_at is not None and row.replied_at <= at:
        outcome, outcome_at = "replied", row.replied_at
    elif row.read_at is not None and row.read_at <= at:
        outcome, outcome_at = "read", row.read_at
    elif row.failed_at is not None and row.failed_at <= at:
        outcome = failure_of(row.reason)
    return PastContact(
        at=row.at,
        channel=row.channel,
        outcome=outcome,
        outcome_at=outcome_at,
        creditor_id=row.creditor_id,
        recipient=row.holder_role or "unknown",
    )
