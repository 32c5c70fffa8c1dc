"""
What people decide by hand: consents, contact points, holds, the stop, outcomes nobody could find out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from cobranza_sdk.model import Address, AttemptState, Consent, InvalidValueError
from cobranza_sdk.store._attempts import Attempts, refund
from cobranza_sdk.store._database import reading, upsert, writing
from cobranza_sdk.store._facts import stopped_reason
from cobranza_sdk.store._ledger import Recorder
from cobranza_sdk.store._portfolio import write_consent
from cobranza_sdk.store._schema import attempts, contact_points, controls, debtors, holds
from cobranza_sdk.store._scope import CreditorScope, TenantScope


def _debtor(connection: Connection, scope: CreditorScope, external_id: str) -> Row[Any]:
    row = connection.execute(
        select(debtors).where(scope.mine(debtors), debtors.c.external_id == external_id)
    ).one_or_none()
    if row is None:
        msg = "there is no debtor with that external id at this creditor"
        raise InvalidValueError(msg)
    return row


class Consents:
    """
    Consents of one creditor's debtors.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    def grant(self, debtor_id: str, channel: str, *, source: str, at: datetime | None = None) -> None:
        """
        Record that the debtor agreed to be written to on *channel*.

        Args:
            debtor_id: The creditor's id of the debtor.
            channel: Which.
            source: Where the proof lies.
            at: When, with offset; now when None. It undoes a withdrawal only when it is later.

        Raises:
            InvalidValueError: There is no such debtor.
        """
        self._write(debtor_id, Consent(channel=channel, at=at or self._scope.clock.now(), source=source))

    def withdraw(self, debtor_id: str, channel: str, *, source: str, at: datetime | None = None) -> None:
        """
        Record that the debtor does not want to be written to on *channel*. In force at once.

        Raises:
            InvalidValueError: There is no such debtor.
        """
        now = at or self._scope.clock.now()
        self._write(debtor_id, Consent(channel=channel, granted=False, at=now, source=source))

    def _write(self, debtor_id: str, consent: Consent) -> None:
        with writing(self._scope.engine) as connection:
            row = _debtor(connection, self._scope, debtor_id)
            record = Recorder(self._scope, f"user:{consent.source}")
            write_consent(connection, self._scope, row.person_id, consent, record, row.id)
            record.write(connection)


class ContactPoints:
    """
    Contact points of one creditor's debtors.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    def confirm(self, debtor_id: str, address: Address | str, *, by: str) -> None:
        """
        Record that *address* is the debtor's own.

        Args:
            debtor_id: The creditor's id of the debtor.
            address: The address, or its value as stored, for example ``+51987654321``.
            by: Who says so.

        Raises:
            InvalidValueError: There is no such debtor, or not with that address.
        """
        self._set(debtor_id, address, by, {"state": "confirmed", "holder_role": "debtor"}, "contact_point.verified")

    def deny(self, debtor_id: str, address: Address | str, *, by: str) -> None:
        """
        Record that *address* is somebody else's: nothing goes there any more.

        Raises:
            InvalidValueError: There is no such debtor, or not with that address.
        """
        self._set(debtor_id, address, by, {"state": "wrong_party"}, "contact_point.wrong_party")

    def _set(self, debtor_id: str, address: Address | str, by: str, values: dict[str, str], kind: str) -> None:
        with writing(self._scope.engine) as connection:
            row = _debtor(connection, self._scope, debtor_id)
            changed = connection.execute(
                update(contact_points)
                .where(
                    contact_points.c.debtor_id == row.id,
                    contact_points.c.value == (address.value if isinstance(address, Address) else str(address)),
                    contact_points.c.state != "closed",
                )
                .values(**values, changed_by=by, changed_at=self._scope.clock.now())
            )
            if not changed.rowcount:
                msg = "the debtor has no such address"
                raise InvalidValueError(msg)
            record = Recorder(self._scope, f"user:{by}")
            record(kind, {"debtor": row.id})
            record.write(connection)


class Holds:
    """
    Pauses of one creditor's debtors.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    def place(self, debtor_id: str, reason: str, *, by: str, until: datetime | None = None) -> str:
        """
        Stop every automatic message to a debtor.

        Args:
            debtor_id: The creditor's id of the debtor.
            reason: One word, for example ``dispute``.
            by: Who says so.
            until: When it ends by itself, with offset, or None.

        Returns:
            Id of the hold.

        Raises:
            InvalidValueError: There is no such debtor, or *until* has no offset.
        """
        if until is not None and until.utcoffset() is None:
            msg = "Holds.place: until needs a UTC offset: naive datetimes are refused"
            raise InvalidValueError(msg)
        hold_id = self._scope.ids.new()
        with writing(self._scope.engine) as connection:
            row = _debtor(connection, self._scope, debtor_id)
            connection.execute(
                insert(holds).values(
                    id=hold_id,
                    tenant_id=self._scope.tenant_id,
                    creditor_id=self._scope.creditor_id,
                    debtor_id=row.id,
                    reason=reason,
                    placed_at=self._scope.clock.now(),
                    until_at=until,
                    placed_by=by,
                )
            )
            record = Recorder(self._scope, f"user:{by}")
            record("hold.placed", {"debtor": row.id, "hold": hold_id}, {"reason": reason})
            record.write(connection)
        return hold_id

    def lift(self, hold_id: str, *, by: str) -> None:
        """
        End a hold; ending it twice is no error.

        Raises:
            InvalidValueError: There is no such hold.
        """
        with writing(self._scope.engine) as connection:
            row = connection.execute(select(holds).where(self._scope.mine(holds), holds.c.id == hold_id)).one_or_none()
            if row is None:
                msg = "there is no such hold at this creditor"
                raise InvalidValueError(msg)
            if row.lifted_at is None:
                connection.execute(update(holds).where(holds.c.id == hold_id).values(lifted_at=self._scope.clock.now()))
                record = Recorder(self._scope, f"user:{by}")
                record("hold.lifted", {"debtor": row.debtor_id, "hold": hold_id})
                record.write(connection)
                connection.execute(
                    update(attempts)
                    .where(
                        self._scope.mine(attempts),
                        attempts.c.debtor_id == row.debtor_id,
                        attempts.c.state == AttemptState.DEFERRED,
                        attempts.c.reason.startswith("hold: "),
                    )
                    .values(due_at=self._scope.clock.now())
                )


class Resolutions:
    """
    Outcomes of attempts that only a person can settle.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    def resolve(self, attempt_id: str, outcome: str, *, by: str, reason: str) -> None:
        """
        Say what became of an ``unknown`` attempt.

        Args:
            attempt_id: Which.
            outcome: ``accepted`` (it went out), ``absent`` (it did not: the contact is given back and the message is
                tried again) or ``abandoned`` (nobody can tell: it stays counted).
            by: Who says so.
            reason: Why.

        Raises:
            InvalidValueError: The attempt is not ``unknown``, or the outcome is none of the three.
        """
        if outcome not in ("accepted", "absent", "abandoned"):
            msg = "outcome must be one of accepted, absent, abandoned"
            raise InvalidValueError(msg)
        with writing(self._scope.engine) as connection:
            row = connection.execute(
                select(attempts).where(self._scope.mine(attempts), attempts.c.id == attempt_id)
            ).one_or_none()
            if row is None or row.state != AttemptState.UNKNOWN:
                msg = "only an attempt whose state is unknown can be resolved"
                raise InvalidValueError(msg)
            state = {"accepted": AttemptState.ACCEPTED, "absent": AttemptState.NOT_SENT}.get(outcome, row.state)
            connection.execute(
                update(attempts)
                .where(attempts.c.id == attempt_id)
                .values(state=state, resolution=outcome, reason=reason)
            )
            record = Recorder(self._scope, f"user:{by}")
            record("attempt.resolved", {"attempt": attempt_id, "debtor": row.debtor_id}, {"outcome": outcome})
            if outcome == "absent":
                refund(connection, self._scope, row, record)
            record.write(connection)
            if outcome == "absent":  # a person says that nothing went out: it is tried again, judged anew
                again = Attempts(self._scope)
                again.follow(attempt_id, row.channel, row.contact_point_id, connection=connection)


class Switch:
    """
    Stops and resumes everything of one tenant.
    """

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def stop(self, reason: str, *, by: str) -> None:
        """
        Halt all dispatch: no claim is granted after this commits.
        """
        self._set({"on": True, "reason": reason}, "dispatch.stopped", by, {"reason": reason})

    def resume(self, *, by: str) -> None:
        """
        Let dispatch go on.
        """
        self._set({"on": False}, "dispatch.resumed", by, {})

    def reason(self) -> str | None:
        """
        Why everything is stopped, or None.
        """
        with reading(self._scope.engine) as connection:
            return stopped_reason(connection, self._scope.tenant_id)

    def _set(self, data: dict[str, Any], kind: str, by: str, payload: dict[str, str]) -> None:
        with writing(self._scope.engine) as connection:
            values = {"tenant_id": self._scope.tenant_id, "name": "stop", "data": data, "at": self._scope.clock.now()}
            connection.execute(upsert(connection, controls, values, keys=("tenant_id", "name")))
            record = Recorder(self._scope, f"user:{by}")
            record(kind, {}, payload)
            record.write(connection)


class Risks:
    """
    Which risks of platform rules the operator takes, as the configuration said when work that may send last began.
    """

    _NAME = "accepted_risks"

    def __init__(self, scope: TenantScope) -> None:
        self._scope = scope

    def accepted(self) -> frozenset[str]:
        """
        The risks that stand in the record as accepted.
        """
        with reading(self._scope.engine) as connection:
            return self._recorded(connection)

    def record(self, risks: Mapping[str, Sequence[str]]) -> None:
        """
        Record what has changed since: a ledger event for what is accepted now, one for what is no longer.

        Args:
            risks: Every accepted risk, with the packs that know it, by name and version.
        """
        if self.accepted() == risks.keys():
            return
        with writing(self._scope.engine) as connection:
            before = self._recorded(connection)  # another process may have been faster
            values = {"tenant_id": self._scope.tenant_id, "name": self._NAME, "at": self._scope.clock.now()}
            data = {"risks": sorted(risks)}
            connection.execute(upsert(connection, controls, {**values, "data": data}, keys=("tenant_id", "name")))
            record = Recorder(self._scope, "configuration")
            accepted, withdrawn = sorted(risks.keys() - before), sorted(before - risks.keys())
            if accepted:
                packs = {risk: list(risks[risk]) for risk in accepted}
                record("risk.accepted", {}, {"risks": accepted, "packs": packs})
            if withdrawn:
                record("risk.withdrawn", {}, {"risks": withdrawn})
            record.write(connection)

    def _recorded(self, connection: Connection) -> frozenset[str]:
        row = connection.execute(
            select(controls.c.data).where(controls.c.tenant_id == self._scope.tenant_id, controls.c.name == self._NAME)
        ).one_or_none()
        return frozenset(row.data["risks"] if row is not None else ())
