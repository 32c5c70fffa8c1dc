"""
Payments that a vendor tells of: posted once, reversed by entries of their own, refused where anything is odd.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from attrs import frozen
from sqlalchemy import Connection, Row, insert, or_, select

from cobranza_sdk.model import EventKind, Money, Payment
from cobranza_sdk.spec import Event
from cobranza_sdk.store._database import writing
from cobranza_sdk.store._inbox import Entry, Inbox
from cobranza_sdk.store._ledger import Recorder
from cobranza_sdk.store._portfolio import Portfolio
from cobranza_sdk.store._reversals import reverse, reversed_minor
from cobranza_sdk.store._schema import debtors, holds, inbox, outreaches, payments, receivables
from cobranza_sdk.store._scope import CreditorScope, TenantScope

#: How long a payment that cannot be looked up is asked for again; as long as vendors repeat themselves.
ASKED_FOR = timedelta(days=15)

_WORD = re.compile(r"[a-z0-9_]{1,64}", re.ASCII)
_MONEY_CAME = (EventKind.PAYMENT_APPROVED, EventKind.PAYMENT_REFUNDED, EventKind.PAYMENT_CHARGED_BACK)


@frozen(kw_only=True)
class _Place:
    """
    What a reference stands for.
    """

    creditor_id: str
    debtor: Any
    currency: str
    receivable_key: str | None
    outreach_id: str | None


@frozen(kw_only=True)
class _Case:
    """
    One payment as the vendor tells it, and what we know of it, in one transaction.
    """

    connection: Connection
    record: Recorder
    told: Event
    key: str
    posted: Row[Any] | None
    place: _Place | None
    served: bool
    subjects: Mapping[str, str | None]

    @property
    def back(self) -> int:
        """
        Minor units that were given back.
        """
        return 0 if self.told.refunded is None else self.told.refunded.minor

    def note(self, kind: str, **more: Any) -> None:
        """
        Record an event of this payment.
        """
        creditor_id = None if self.place is None else self.place.creditor_id
        self.record(kind, self.subjects, _payload(self.told, self.key) | more, creditor_id=creditor_id)


class VendorPayments:
    """
    Applies what a vendor says of its payments.

    Args:
        scope: Whose.
        inbox: Where the webhooks are that named them.
    """

    def __init__(self, scope: TenantScope, inbox: Inbox) -> None:
        self._scope = scope
        self._inbox = inbox

    def postpone(self, entry: Entry, reason: str, *, at_least: timedelta = timedelta()) -> str:
        """
        Leave a payment that could not be looked up for later; after 15 days it is set aside, and people are told.
        """
        with writing(self._scope.engine) as connection:
            if self._scope.clock.now() - entry.received_at <= ASKED_FOR:
                self._inbox.wait(connection, entry, "failing", at_least=at_least)
                return "failing"
            record = Recorder(self._scope, f"payments:{entry.endpoint}")
            key = entry.event.provider_message_id
            record("payment.unverified", {"inbox": entry.id}, {"payment": key, "reason": reason})
            record.write(connection)
            self._inbox.mark(connection, entry, "poisoned")
            return "poisoned"

    def apply(self, entry: Entry, told: Event, *, source: str, serves: Callable[[str], bool]) -> str:
        """
        Bring the debt in line with how a payment stands, in one transaction that also marks the webhook as done.

        Args:
            entry: The webhook that named it.
            told: What the vendor answered when it was asked.
            source: Name of the provider: with the vendor's id it is the payment's key.
            serves: Whether the account works for a creditor.

        Returns:
            ``applied``, ``repeated``, ``noted`` or ``refused``.
        """
        with writing(self._scope.engine) as connection:
            done = connection.scalar(
                select(inbox.c.processed_at).where(self._scope.mine(inbox), inbox.c.id == entry.id)
            )
            if done is not None:  # another worker was faster
                return "repeated"
            record = Recorder(self._scope, f"payments:{entry.endpoint}")
            what = self._take(
                self._case(connection, record, entry, told, f"{source}:{told.provider_message_id}", serves)
            )
            record.write(connection)
            self._inbox.mark(connection, entry, what)
        return what

    def _case(
        self,
        connection: Connection,
        record: Recorder,
        entry: Entry,
        told: Event,
        key: str,
        serves: Callable[[str], bool],
    ) -> _Case:
        posted = self._posted(connection, key)
        place = self._place(connection, told.reference, posted, serves)
        subjects = {
            "inbox": entry.id,
            "debtor": None if place is None else place.debtor.id,
            "outreach": None if place is None else place.outreach_id,
            "payment": None if posted is None else posted.id,
        }
        return _Case(
            connection=connection,
            record=record,
            told=told,
            key=key,
            posted=posted,
            place=place,
            served=place is not None and serves(place.creditor_id),
            subjects=subjects,
        )

    def _take(self, case: _Case) -> str:
        if case.told.kind not in _MONEY_CAME:
            case.note("payment.reported")
            return "noted"
        odd = self._odd(case)
        if odd is not None:
            case.note("payment.refused", reason=odd)
            if case.place is not None and case.served:
                self._pause(case, case.place, "payment_refused")
            return "refused"
        before = reversed_minor(case.connection, self._scope, case.key)
        if case.posted is not None and case.back == before:
            return "repeated"
        assert case.place is not None  # noqa: S101  # else it would be odd
        assert case.told.money is not None  # noqa: S101
        if case.posted is None:
            if case.back == case.told.money.minor:  # it came and went before we looked
                case.note("payment.reported")
                return "noted"
            self._post(case, case.place, case.told.money)
        if case.back > before:
            self._reverse(case, case.place, case.back - before)
        return "applied"

    def _odd(self, case: _Case) -> str | None:
        """
        Why no debt may be changed, in a word; None where all fits.
        """
        money, back, posted = case.told.money, case.told.refunded, case.posted
        if money is None or money.minor <= 0 or (back is not None and back.currency != money.currency):
            return "amount"
        if not 0 <= case.back <= money.minor:
            return "amount"
        if posted is None:
            return self._odd_new(case, money)
        if (money.minor, money.currency) != (posted.amount_minor, posted.currency):
            return "changed_amount"
        before = reversed_minor(case.connection, self._scope, case.key)
        return "reversal_withdrawn" if case.back < before else None

    def _odd_new(self, case: _Case, money: Money) -> str | None:
        place = case.place
        if place is None:
            return "unknown_reference"
        if not case.served:
            return "other_creditor"
        if money.currency != place.currency:
            return "wrong_currency"
        portfolio = Portfolio(self._creditor(place.creditor_id))
        room = portfolio.room(case.connection, place.debtor.id, money.currency, case.told.occurred_at)
        return "overpaid" if money.minor - case.back > room else None

    def _post(self, case: _Case, place: _Place, money: Money) -> None:
        payment = Payment(
            external_id=case.key,
            debtor_id=place.debtor.external_id,
            amount=money,
            paid_at=case.told.occurred_at,
            receivable_id=place.receivable_key,
            method=case.key.partition(":")[0],
        )
        portfolio = Portfolio(self._creditor(place.creditor_id))
        portfolio.post(case.connection, payment, place.debtor, case.record, creditor_id=place.creditor_id)

    def _reverse(self, case: _Case, place: _Place, minor: int) -> None:
        posted = case.posted or self._posted(case.connection, case.key)
        assert posted is not None  # noqa: S101  # it was posted just now
        scope = self._creditor(place.creditor_id)
        if reverse(case.connection, scope, posted, minor, case.record, reason=str(case.told.kind)):
            self._pause(case, place, "payment_reversed")

    def _pause(self, case: _Case, place: _Place, reason: str) -> None:
        """
        Let nothing automatic go out until a person has looked; once.
        """
        now = self._scope.clock.now()
        standing = select(holds.c.id).where(
            self._scope.mine(holds),
            holds.c.debtor_id == place.debtor.id,
            holds.c.reason == reason,
            holds.c.lifted_at.is_(None),
            or_(holds.c.until_at.is_(None), holds.c.until_at > now),
        )
        if case.connection.execute(standing).first() is not None:
            return
        hold_id = self._scope.ids.new()
        case.connection.execute(
            insert(holds).values(
                id=hold_id,
                tenant_id=self._scope.tenant_id,
                creditor_id=place.creditor_id,
                debtor_id=place.debtor.id,
                reason=reason,
                placed_at=now,
                until_at=None,
                placed_by="payments",
            )
        )
        subjects = {"debtor": place.debtor.id, "hold": hold_id}
        case.record("hold.placed", subjects, {"reason": reason}, creditor_id=place.creditor_id)

    # -- finding ---------------------------------------------------------------------------------------------------

    def _place(
        self,
        connection: Connection,
        reference: str | None,
        posted: Row[Any] | None,
        serves: Callable[[str], bool],
    ) -> _Place | None:
        """
        What a payment is for: as it was posted, else the outreach or the receivable that its reference names.
        """
        if posted is not None:
            debtor = self._debtor(connection, posted.debtor_id)
            return _Place(
                creditor_id=posted.creditor_id,
                debtor=debtor,
                currency=posted.currency,
                receivable_key=posted.receivable_key,
                outreach_id=None,
            )
        if not reference:
            return None
        outreach = connection.execute(
            select(outreaches).where(self._scope.mine(outreaches), outreaches.c.id == reference)
        ).one_or_none()
        if outreach is not None:
            return _Place(
                creditor_id=outreach.creditor_id,
                debtor=self._debtor(connection, outreach.debtor_id),
                currency=outreach.currency,
                receivable_key=None,
                outreach_id=outreach.id,
            )
        return self._receivable(connection, reference, serves)

    def _receivable(self, connection: Connection, reference: str, serves: Callable[[str], bool]) -> _Place | None:
        """
        The receivable with this id of ours, or with this key of the one creditor that is served and has it.
        """
        named = or_(receivables.c.id == reference, receivables.c.external_id == reference)
        rows = connection.execute(select(receivables).where(self._scope.mine(receivables), named)).all()
        mine = [row for row in rows if serves(row.creditor_id)] or rows
        if len(mine) != 1:
            return None
        row = mine[0]
        return _Place(
            creditor_id=row.creditor_id,
            debtor=self._debtor(connection, row.debtor_id),
            currency=row.currency,
            receivable_key=row.external_id,
            outreach_id=None,
        )

    def _posted(self, connection: Connection, key: str) -> Row[Any] | None:
        mine = (self._scope.mine(payments), payments.c.external_id == key)
        return connection.execute(select(payments).where(*mine).order_by(payments.c.id)).first()

    def _debtor(self, connection: Connection, debtor_id: str) -> Row[Any]:
        return connection.execute(select(debtors).where(self._scope.mine(debtors), debtors.c.id == debtor_id)).one()

    def _creditor(self, creditor_id: str) -> CreditorScope:
        return CreditorScope(
            engine=self._scope.engine,
            clock=self._scope.clock,
            ids=self._scope.ids,
            tenant_id=self._scope.tenant_id,
            creditor_id=creditor_id,
        )


def _payload(told: Event, key: str) -> dict[str, Any]:
    return {
        "payment": key,
        "kind": str(told.kind),
        "status": _word(told.raw.get("status")),
        "problem": _word(told.raw.get("problem")),
        "minor": None if told.money is None else told.money.minor,
        "refunded_minor": None if told.refunded is None else told.refunded.minor,
        "currency": None if told.money is None else told.money.currency,
    }


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None
