"""
The portfolio: persons, debtors, contact points, receivables, payments. Everything put in is idempotent by external id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import cattrs
from attrs import frozen
from sqlalchemy import Connection, Row, insert, select, update

from cobranza_sdk.model import (
    Consent,
    ContactPoint,
    Debtor,
    Installment,
    InvalidValueError,
    Money,
    Payment,
    Receivable,
)
from cobranza_sdk.spec import ErpBatch, RejectedRecord
from cobranza_sdk.store._database import insert_ignoring, reading, upsert, writing
from cobranza_sdk.store._ledger import Recorder
from cobranza_sdk.store._schema import (
    allocations,
    attempts,
    consents,
    contact_events,
    contact_points,
    debtors,
    dumps,
    installments,
    outreaches,
    payments,
    person_guard,
    personal_data,
    persons,
    receivables,
    rejected_records,
    sync_state,
)
from cobranza_sdk.store._scope import CreditorScope

_CHUNK = 400
#: States of a contact point that no file undoes.
_BAD = ("wrong_party", "bouncing")
_plain = cattrs.Converter()
_plain.register_unstructure_hook_func(lambda kind: hasattr(kind, "isoformat"), lambda value: value.isoformat())


@frozen(kw_only=True)
class PutResult:
    """
    What a put changed.

    Attributes:
        created: Rows that are new, by kind.
        changed: Rows that are different, by kind.
        unchanged: Rows that were there already, by kind.
        rejected: Records that could not be stored, with the reason.
    """

    created: Mapping[str, int]
    changed: Mapping[str, int]
    unchanged: Mapping[str, int]
    rejected: tuple[RejectedRecord, ...] = ()


class _Tally:
    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {"created": {}, "changed": {}, "unchanged": {}}
        self.rejected: list[RejectedRecord] = []

    def add(self, what: str, kind: str) -> None:
        counts = self.counts[what]
        counts[kind] = counts.get(kind, 0) + 1

    def result(self) -> PutResult:
        return PutResult(**self.counts, rejected=tuple(self.rejected))


def _digest(value: object) -> str:
    return hashlib.sha256(dumps(_plain.unstructure(value)).encode()).hexdigest()


class Portfolio:
    """
    Puts records in, for one creditor.

    Args:
        scope: Whose portfolio.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    def put(
        self,
        records: Iterable[Debtor | Receivable | Payment],
        *,
        actor: str,
        confirmed: bool = False,
        connection: Connection | None = None,
    ) -> PutResult:
        """
        Store records, all or nothing.

        Args:
            records: In any order; what they refer to must be among them or stored.
            actor: Who brings them, for the ledger.
            confirmed: Whether contact points of role ``debtor`` or ``unknown`` count as the debtor's own, confirmed.
            connection: The host's open transaction to join, or None for one of our own.

        Raises:
            InvalidValueError: A record refers to a debtor that is neither among them nor stored.
        """
        if connection is None:
            with writing(self._scope.engine) as own:
                result = self._put(own, records, actor=actor, confirmed=confirmed)
                self._refuse_orphans(result)
                return result
        result = self._put(connection, records, actor=actor, confirmed=confirmed)
        self._refuse_orphans(result)
        return result

    @staticmethod
    def _refuse_orphans(result: PutResult) -> None:
        if result.rejected:
            raise InvalidValueError(result.rejected[0].reason)

    def begin_sync(self, erp: str) -> tuple[str | None, int]:
        """
        Cursor and number of the next run of *erp*. A snapshot that was cut short goes on under its number.
        """
        with reading(self._scope.engine) as connection:
            row = connection.execute(
                select(sync_state).where(self._scope.mine(sync_state), sync_state.c.erp == erp)
            ).one_or_none()
        return (None, 1) if row is None else (row.cursor, row.run)

    def put_batch(self, batch: ErpBatch, *, erp: str, run: int, confirmed: bool) -> PutResult:
        """
        Store a batch, its rejections and its cursor in one transaction.

        A record that refers to nobody is rejected; the others are stored. A complete snapshot closes what it does
        not name, as absent, not as paid.
        """
        actor = f"erp:{erp}"
        with writing(self._scope.engine) as connection:
            result = self._put(connection, batch.records, actor=actor, confirmed=confirmed, run=run, erp=erp)
            rejected = [*batch.rejected, *result.rejected]
            self._reject(connection, erp, rejected)
            self._spare_rejected(connection, erp, rejected, run)
            if batch.complete:
                self._close_absent(connection, erp, batch.scope, run)
            inside = bool(batch.scope) and not batch.complete
            self._save_state(connection, erp, batch.cursor, run if inside else run + 1)
        return result

    def _save_state(self, connection: Connection, erp: str, cursor: str | None, run: int) -> None:
        values = {
            "tenant_id": self._scope.tenant_id,
            "creditor_id": self._scope.creditor_id,
            "erp": erp,
            "cursor": cursor,
            "run": run,
        }
        connection.execute(upsert(connection, sync_state, values, keys=("tenant_id", "creditor_id", "erp")))

    def _reject(self, connection: Connection, erp: str, rejected: Sequence[RejectedRecord]) -> None:
        rows = [
            {
                "id": self._scope.ids.new(),
                "tenant_id": self._scope.tenant_id,
                "creditor_id": self._scope.creditor_id,
                "erp": erp,
                "source": record.source,
                "line": record.line or 0,
                "field": record.column or "",
                "reason": record.reason,
                "record_key": record.key,
                "at": self._scope.clock.now(),
            }
            for record in rejected
        ]
        if rows:
            connection.execute(insert_ignoring(connection, rejected_records), rows)

    def _spare_rejected(self, connection: Connection, erp: str, rejected: Sequence[RejectedRecord], run: int) -> None:
        """
        A row that could not be read was there all the same: a snapshot does not close what it is about.
        """
        keys = sorted({record.key for record in rejected if record.key})
        for start in range(0, len(keys), _CHUNK):
            connection.execute(
                update(receivables)
                .where(
                    self._scope.mine(receivables),
                    receivables.c.external_id.in_(keys[start : start + _CHUNK]),
                    receivables.c.seen_by == erp,
                )
                .values(seen_run=run)
            )

    def _close_absent(self, connection: Connection, erp: str, scope: Sequence[str], run: int) -> None:
        """
        Close what *erp* named in an earlier snapshot and not in this one. What another ERP or a person brought stays.
        """
        currencies = [part.removeprefix("currency:") for part in scope if part.startswith("currency:")]
        absent = (
            self._scope.mine(receivables),
            receivables.c.currency.in_(currencies),
            receivables.c.seen_by == erp,
            receivables.c.seen_run < run,
            receivables.c.closed_reason.is_(None),
        )
        ids = list(connection.scalars(select(receivables.c.id).where(*absent)))
        record = Recorder(self._scope, f"erp:{erp}")
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            connection.execute(
                update(receivables).where(receivables.c.id.in_(chunk)).values(closed_reason="absent_from_snapshot")
            )
            connection.execute(update(installments).where(installments.c.receivable_id.in_(chunk)).values(open_minor=0))
        for receivable_id in ids:
            record("receivable.cancelled", {"receivable": receivable_id}, {"reason": "absent_from_snapshot"})
        record.write(connection)

    def _put(
        self,
        connection: Connection,
        records: Iterable[Debtor | Receivable | Payment],
        *,
        actor: str,
        confirmed: bool,
        run: int = 0,
        erp: str | None = None,
    ) -> PutResult:
        tally, record = _Tally(), Recorder(self._scope, actor)
        everything = list(records)
        kinds: set[type] = {type(item) for item in everything}
        strangers = {kind.__name__ for kind in kinds if not issubclass(kind, (Debtor, Receivable, Payment))}
        if strangers:
            msg = f"found {', '.join(sorted(strangers))}, expected Debtor, Receivable and Payment values"
            raise InvalidValueError(msg)
        own_debtors = [item for item in everything if isinstance(item, Debtor)]
        owed = [item for item in everything if isinstance(item, Receivable)]
        paid = [item for item in everything if isinstance(item, Payment)]
        known = self._debtor_rows(
            connection, [*(d.external_id for d in own_debtors), *(r.debtor_id for r in owed + paid)]
        )
        for debtor in own_debtors:
            known[debtor.external_id] = self._put_debtor(
                connection, debtor, known.get(debtor.external_id), record, tally, confirmed=confirmed
            )
        seen = {"seen_run": run, "seen_by": erp} if erp is not None else {}
        stored = set(self._receivable_rows(connection, [item.external_id for item in owed]))
        later: list[tuple[Receivable, Row[Any]]] = []
        for receivable in owed:
            key = receivable.external_id
            row = self._known_debtor(known, receivable.debtor_id, f"receivable {key}", tally, key=key)
            if row is None:
                continue
            if key in stored:
                later.append((receivable, row))
                continue
            stored.add(key)  # named twice in one batch: the second is a report of the first
            self._insert_receivable(connection, receivable, row, record, tally, seen)
        # A payment comes before a changed report of its debt: the report may already hold it.
        for payment in paid:
            row = self._known_debtor(known, payment.debtor_id, f"payment {payment.external_id}", tally)
            if row is not None:
                self._put_payment(connection, payment, row, record, tally)
        before = self._receivable_rows(connection, [item.external_id for item, _ in later])
        for receivable, debtor_row in later:
            key = receivable.external_id
            current = before.pop(key, None) or self._receivable_rows(connection, [key])[key]
            self._update_receivable(connection, receivable, current, debtor_row, record, tally, seen)
        record.write(connection)
        return tally.result()

    @staticmethod
    def _known_debtor(
        known: Mapping[str, Row[Any]], debtor_id: str, what: str, tally: _Tally, *, key: str | None = None
    ) -> Row[Any] | None:
        row = known.get(debtor_id)
        if row is None:
            reason = f"{what} refers to a debtor that is not there, expected the debtor before it"
            tally.rejected.append(
                RejectedRecord(source="portfolio", line=None, column="debtor_id", reason=reason, key=key)
            )
        return row

    def _debtor_rows(self, connection: Connection, keys: Sequence[str]) -> dict[str, Row[Any]]:
        return self._rows_by_key(connection, debtors, keys)

    def _receivable_rows(self, connection: Connection, keys: Sequence[str]) -> dict[str, Row[Any]]:
        return self._rows_by_key(connection, receivables, keys)

    def _rows_by_key(self, connection: Connection, table: Any, keys: Sequence[str]) -> dict[str, Row[Any]]:
        found: dict[str, Row[Any]] = {}
        wanted = sorted(set(keys))
        for start in range(0, len(wanted), _CHUNK):
            statement = select(table).where(
                self._scope.mine(table), table.c.external_id.in_(wanted[start : start + _CHUNK])
            )
            found.update({row.external_id: row for row in connection.execute(statement)})
        return found

    # -- debtors ---------------------------------------------------------------------------------------------------

    def _put_debtor(
        self,
        connection: Connection,
        debtor: Debtor,
        row: Row[Any] | None,
        record: Recorder,
        tally: _Tally,
        *,
        confirmed: bool,
    ) -> Row[Any]:
        digest = _digest([_plain.unstructure(debtor), confirmed])
        if row is not None and row.digest == digest:
            tally.add("unchanged", "debtor")
            return row
        person_id = self._put_person(connection, debtor, row)
        values = {
            "person_id": person_id,
            "country": debtor.country,
            "region": debtor.region,
            "timezone": debtor.timezone,
            "language": debtor.language,
            "digest": digest,
        }
        if row is None:
            debtor_id = self._scope.ids.new()
            own = {
                "id": debtor_id,
                "tenant_id": self._scope.tenant_id,
                "creditor_id": self._scope.creditor_id,
                "external_id": debtor.external_id,
            }
            connection.execute(insert(debtors).values(**own, **values))
        else:
            debtor_id = row.id
            connection.execute(update(debtors).where(debtors.c.id == debtor_id).values(**values))
            if person_id != row.person_id:
                self._follow_person(connection, row, person_id, record)
        self._put_points(connection, debtor_id, debtor.contact_points, record, confirmed=confirmed)
        self._put_consents(connection, person_id, debtor.consents, record, debtor_id)
        record("debtor.created" if row is None else "debtor.updated", {"debtor": debtor_id, "person": person_id})
        tally.add("created" if row is None else "changed", "debtor")
        return connection.execute(select(debtors).where(debtors.c.id == debtor_id)).one()

    def _put_person(self, connection: Connection, debtor: Debtor, row: Row[Any] | None) -> str:
        person = debtor.person
        own = f"d:{self._scope.creditor_id}:{debtor.external_id}"
        key = f"p:{person.external_id}" if person.external_id else own
        mine = persons.c.tenant_id == self._scope.tenant_id
        found = connection.scalar(select(persons.c.id).where(mine, persons.c.external_key == key))
        if row is not None and not person.external_id:
            found = row.person_id  # a source that does not name the person says nothing of who it is
        elif found is None and row is not None:
            # Named for the first time: the same person, with the contacts and the withdrawals already on record.
            named = update(persons).where(persons.c.id == row.person_id, persons.c.external_key == own)
            if connection.execute(named.values(external_key=key)).rowcount:
                found = row.person_id
        person_id: str = found or self._scope.ids.new()
        tenant = {"tenant_id": self._scope.tenant_id}
        if found is None:
            connection.execute(insert(persons).values(**tenant, id=person_id, external_key=key, kind=person.kind))
            connection.execute(insert(person_guard).values(**tenant, person_id=person_id))
        told = {"name": person.name, "tax_id": person.tax_id}
        known = connection.scalar(select(personal_data.c.data).where(personal_data.c.person_id == person_id)) or {}
        merged = {**known, **{name: value for name, value in told.items() if value}}
        data = {**tenant, "person_id": person_id, "data": merged}
        connection.execute(upsert(connection, personal_data, data, keys=("person_id",)))
        return person_id

    def _follow_person(self, connection: Connection, row: Row[Any], person_id: str, record: Recorder) -> None:
        """
        A debtor turns out to be another person of the tenant: contacts count for that one, and a withdrawal stays one.
        """
        sent = select(attempts.c.id).where(attempts.c.debtor_id == row.id)
        connection.execute(
            update(contact_events).where(contact_events.c.attempt_id.in_(sent)).values(person_id=person_id)
        )
        for table in (attempts, outreaches):
            connection.execute(update(table).where(table.c.debtor_id == row.id).values(person_id=person_id))
        said = select(consents).where(self._scope.mine(consents), consents.c.person_id == row.person_id)
        for old in connection.execute(said.order_by(consents.c.channel)).all():
            consent = Consent(channel=old.channel, granted=old.granted, at=old.at, source=old.source)
            write_consent(connection, self._scope, person_id, consent, record, row.id)

    def _put_points(
        self,
        connection: Connection,
        debtor_id: str,
        points: Sequence[ContactPoint],
        record: Recorder,
        *,
        confirmed: bool,
    ) -> None:
        rows = connection.execute(
            select(contact_points).where(contact_points.c.debtor_id == debtor_id, contact_points.c.state != "closed")
        ).all()
        stored = {(row.scheme, row.value): row for row in rows}
        wanted = {(point.address.scheme, point.address.value): point for point in points if point.state != "closed"}
        now = self._scope.clock.now()
        told = {point.address.scheme for point in points}
        for address, row in stored.items():
            # S-003: closed, not overwritten. A source that names no phone at all says nothing of phones.
            # One that is known to be wrong stays so: closed, it would come back as good when a file repeats it.
            if address not in wanted and address[0] in told and row.state not in _BAD:
                connection.execute(
                    update(contact_points)
                    .where(contact_points.c.id == row.id)
                    .values(state="closed", changed_at=now, changed_by="source")
                )
                record("contact_point.closed", {"debtor": debtor_id, "contact_point": row.id})
        for position, (address, point) in enumerate(wanted.items()):
            role, state = _standing(point, confirmed=confirmed)
            if address in stored:
                known = stored[address]
                # What the debtor told us (wrong party, bouncing, confirmed) stands against what a file repeats; that an
                # address is wrong is believed of a file too.
                state = state if known.state == "unconfirmed" or state in _BAD else known.state
                role = known.holder_role if known.changed_by else role
                connection.execute(
                    update(contact_points)
                    .where(contact_points.c.id == known.id)
                    .values(position=position, holder_role=role, state=state)
                )
                continue
            point_id = self._scope.ids.new()
            connection.execute(
                insert(contact_points).values(
                    id=point_id,
                    tenant_id=self._scope.tenant_id,
                    creditor_id=self._scope.creditor_id,
                    debtor_id=debtor_id,
                    position=position,
                    scheme=address[0],
                    value=address[1],
                    holder_role=role,
                    state=state,
                )
            )
            record("contact_point.added", {"debtor": debtor_id, "contact_point": point_id}, {"state": state})

    def _put_consents(
        self, connection: Connection, person_id: str, given: Sequence[Consent], record: Recorder, debtor_id: str
    ) -> None:
        for consent in given:
            write_consent(connection, self._scope, person_id, consent, record, debtor_id)

    # -- receivables -----------------------------------------------------------------------------------------------

    def _insert_receivable(
        self,
        connection: Connection,
        receivable: Receivable,
        debtor: Row[Any],
        record: Recorder,
        tally: _Tally,
        seen: Mapping[str, Any],
    ) -> None:
        receivable_id = self._scope.ids.new()
        connection.execute(
            insert(receivables).values(
                id=receivable_id,
                tenant_id=self._scope.tenant_id,
                creditor_id=self._scope.creditor_id,
                external_id=receivable.external_id,
                debtor_id=debtor.id,
                **_receivable_values(receivable),
                **{"seen_run": 0, **seen},
            )
        )
        connection.execute(
            insert(installments),
            [self._new_installment(receivable_id, debtor.id, receivable, part) for part in receivable.installments],
        )
        record("receivable.created", {"debtor": debtor.id, "receivable": receivable_id}, _amounts(receivable))
        tally.add("created", "receivable")
        self._spend_waiting(connection, debtor.id, receivable)

    def _spend_waiting(self, connection: Connection, debtor_id: str, receivable: Receivable) -> None:
        """
        Post what was paid for this receivable before it was known: who has paid is not written to.
        """
        waiting = connection.execute(
            select(payments)
            .where(
                self._scope.mine(payments),
                payments.c.debtor_id == debtor_id,
                payments.c.currency == receivable.currency,
                payments.c.receivable_key == receivable.external_id,
                payments.c.unallocated_minor > 0,
            )
            .order_by(payments.c.paid_at, payments.c.id)
        ).all()
        for row in waiting:
            payment = Payment(
                external_id=row.external_id,
                debtor_id=receivable.debtor_id,
                amount=Money(row.unallocated_minor, row.currency),
                paid_at=row.paid_at,
                receivable_id=receivable.external_id,
            )
            left = self._allocate(connection, payment, row.id, debtor_id, only=receivable.external_id)
            connection.execute(update(payments).where(payments.c.id == row.id).values(unallocated_minor=left))

    def _new_installment(
        self, receivable_id: str, debtor_id: str, receivable: Receivable, part: Installment
    ) -> dict[str, Any]:
        return {
            "tenant_id": self._scope.tenant_id,
            "receivable_id": receivable_id,
            "debtor_id": debtor_id,
            "number": part.number,
            "currency": part.open.currency,
            "due_on": part.due_on,
            "amount_minor": part.amount.minor,
            "reported_minor": part.open.minor,
            "reported_at": self._scope.clock.now(),
            "applied_minor": _already_paid(receivable, part),
            "unabsorbed_minor": 0,
            "open_minor": part.open.minor,
        }

    def _update_receivable(
        self,
        connection: Connection,
        receivable: Receivable,
        row: Row[Any],
        debtor: Row[Any],
        record: Recorder,
        tally: _Tally,
        seen: Mapping[str, Any],
    ) -> None:
        values = {**_receivable_values(receivable), "debtor_id": debtor.id}
        own = update(receivables).where(receivables.c.id == row.id)
        if row.digest == values["digest"] and row.closed_reason is None:
            tally.add("unchanged", "receivable")
            if seen and dict(seen) != {"seen_run": row.seen_run, "seen_by": row.seen_by}:
                connection.execute(own.values(**seen))
            return
        connection.execute(own.values(**values, **seen, closed_reason=None))
        if row.debtor_id != debtor.id:
            # The source says that somebody else owes it: nobody else is to hear of it.
            moved = update(installments).where(installments.c.receivable_id == row.id)
            connection.execute(moved.values(debtor_id=debtor.id))
        stored = {
            part.number: part
            for part in connection.execute(select(installments).where(installments.c.receivable_id == row.id))
        }
        # Installments that this report does not name are left alone: absence is not payment.
        touched = [
            self._report(connection, row, debtor.id, receivable, stored.get(part.number), part)
            for part in receivable.installments
        ]
        same = all(row._mapping[name] == value for name, value in values.items() if name != "digest")  # noqa: SLF001  # public
        if same and not any(touched) and row.closed_reason is None:
            tally.add("unchanged", "receivable")
            return
        record("receivable.adjusted", {"debtor": debtor.id, "receivable": row.id}, _amounts(receivable))
        tally.add("changed", "receivable")

    def _report(
        self,
        connection: Connection,
        row: Row[Any],
        debtor_id: str,
        receivable: Receivable,
        known: Row[Any] | None,
        part: Installment,
    ) -> bool:
        """
        Take the source's new figure; returns whether anything is different.

        What the figure fell by is first taken to be the payments that are already known.
        """
        if known is None:
            new = self._new_installment(row.id, debtor_id, receivable, part)
            connection.execute(insert(installments).values(**new))
            return True
        reported = (known.currency, known.due_on, known.amount_minor, known.reported_minor)
        if row.closed_reason is None and reported == (
            part.open.currency,
            part.due_on,
            part.amount.minor,
            part.open.minor,
        ):
            return False
        if known.currency != part.open.currency:  # figures of two currencies do not meet: a new start
            new = self._new_installment(row.id, debtor_id, receivable, part)
            connection.execute(_installment(known).values(**new))
            return True
        # A credit that grows is no payment.
        fell = max(0, max(0, known.reported_minor) - max(0, part.open.minor))
        unabsorbed = max(0, known.unabsorbed_minor - fell)
        beyond = max(0, fell - known.unabsorbed_minor) if receivable.kind != "credit_note" else 0
        owed = part.open.minor if part.open.minor < 0 else max(0, part.open.minor - unabsorbed)
        connection.execute(
            _installment(known).values(
                currency=part.open.currency,
                due_on=part.due_on,
                amount_minor=part.amount.minor,
                reported_minor=part.open.minor,
                reported_at=self._scope.clock.now(),
                applied_minor=known.applied_minor + beyond,
                unabsorbed_minor=unabsorbed,
                open_minor=owed,
            )
        )
        return True

    # -- payments --------------------------------------------------------------------------------------------------

    def room(self, connection: Connection, debtor_id: str, currency: str, paid_at: datetime) -> int:
        """
        How much of a payment of that instant would find something owed, or something that the source's figure holds as
        paid; in minor units.
        """
        rows = self._payable(connection, debtor_id, currency)
        return sum(max(0, row.open_minor) + (row.applied_minor if paid_at <= row.reported_at else 0) for row in rows)

    def post(
        self, connection: Connection, payment: Payment, debtor: Row[Any], record: Recorder, *, creditor_id: str
    ) -> None:
        """
        Post one payment in the caller's transaction, once.
        """
        self._put_payment(connection, payment, debtor, record, _Tally(), creditor_id=creditor_id)

    def _put_payment(
        self,
        connection: Connection,
        payment: Payment,
        debtor: Row[Any],
        record: Recorder,
        tally: _Tally,
        *,
        creditor_id: str | None = None,
    ) -> None:
        payment_id = self._scope.ids.new()
        added = connection.execute(
            insert_ignoring(connection, payments).values(
                id=payment_id,
                tenant_id=self._scope.tenant_id,
                creditor_id=self._scope.creditor_id,
                debtor_id=debtor.id,
                external_id=payment.external_id,
                currency=payment.amount.currency,
                amount_minor=payment.amount.minor,
                unallocated_minor=payment.amount.minor,
                paid_at=payment.paid_at,
                receivable_key=payment.receivable_id,
                method=payment.method,
            )
        )
        if added.rowcount == 0:
            tally.add("unchanged", "payment")
            return
        left = self._allocate(connection, payment, payment_id, debtor.id)
        connection.execute(update(payments).where(payments.c.id == payment_id).values(unallocated_minor=left))
        record(
            "payment.posted",
            {"debtor": debtor.id, "payment": payment_id},
            {"minor": payment.amount.minor, "currency": payment.amount.currency, "unallocated_minor": left},
            at=payment.paid_at,
            creditor_id=creditor_id,
        )
        tally.add("created", "payment")

    def _allocate(
        self, connection: Connection, payment: Payment, payment_id: str, debtor_id: str, *, only: str | None = None
    ) -> int:
        """
        Spread a payment over what is owed, its own receivable first, then the oldest due; return what is left.

        With *only*, over that receivable and no other.
        """
        rows = self._payable(connection, debtor_id, payment.amount.currency)
        if payment.receivable_id is not None:
            rows = sorted(rows, key=lambda row: row.external_id != payment.receivable_id)
        left = payment.amount.minor
        for row in rows if only is None else [row for row in rows if row.external_id == only]:
            # Dated before the source's figure, which was already lower: the figure holds this payment.
            absorbed = min(left, row.applied_minor) if payment.paid_at <= row.reported_at else 0
            reduced = min(left - absorbed, max(0, row.open_minor))
            if absorbed + reduced == 0:
                continue
            left -= absorbed + reduced
            connection.execute(
                _installment(row).values(
                    applied_minor=row.applied_minor - absorbed,
                    unabsorbed_minor=row.unabsorbed_minor + reduced,
                    open_minor=row.open_minor - reduced,
                )
            )
            connection.execute(
                insert(allocations).values(
                    tenant_id=self._scope.tenant_id,
                    payment_id=payment_id,
                    receivable_id=row.receivable_id,
                    number=row.number,
                    amount_minor=absorbed + reduced,
                )
            )
            if left == 0:
                break
        return left

    def _payable(self, connection: Connection, debtor_id: str, currency: str) -> Sequence[Row[Any]]:
        """
        What a payment can be spent on, the oldest due first.
        """
        return connection.execute(
            select(installments, receivables.c.external_id)
            .join(receivables, receivables.c.id == installments.c.receivable_id)
            .where(
                self._scope.mine(receivables),
                installments.c.debtor_id == debtor_id,
                installments.c.currency == currency,
                (installments.c.open_minor > 0) | (installments.c.applied_minor > 0),
            )
            .order_by(installments.c.due_on, installments.c.receivable_id, installments.c.number)
        ).all()


def _standing(point: ContactPoint, *, confirmed: bool) -> tuple[str, str]:
    if confirmed and point.state == "unconfirmed" and point.holder_role in ("debtor", "unknown"):
        return "debtor", "confirmed"
    return point.holder_role, point.state


def _already_paid(receivable: Receivable, part: Installment) -> int:
    """
    What a first figure says was paid before. A credit note that was used up was not paid.
    """
    return 0 if receivable.kind == "credit_note" else max(0, part.amount.minor - part.open.minor)


def _receivable_values(receivable: Receivable) -> dict[str, Any]:
    return {
        "kind": receivable.kind,
        "document": receivable.document,
        "concept": receivable.concept,
        "issued_on": receivable.issued_on,
        "currency": receivable.currency,
        "judicial": receivable.judicial,
        "digest": _digest(receivable),
    }


def _amounts(receivable: Receivable) -> dict[str, Any]:
    return {
        "currency": receivable.currency,
        "open_minor": sum(part.open.minor for part in receivable.installments),
        "installments": len(receivable.installments),
    }


def _installment(row: Row[Any]) -> Any:
    return update(installments).where(
        installments.c.receivable_id == row.receivable_id, installments.c.number == row.number
    )


def write_consent(
    connection: Connection, scope: Any, person_id: str, consent: Consent, record: Recorder, debtor_id: str | None
) -> None:
    """
    Note a consent or a withdrawal. A withdrawal is undone only by a consent that is dated after it.
    """
    row = connection.execute(
        select(consents).where(
            scope.mine(consents), consents.c.person_id == person_id, consents.c.channel == consent.channel
        )
    ).one_or_none()
    if row is not None and row.granted and consent.granted:
        return
    # Against a withdrawal counts only what is dated after it: a consent undoes it, another withdrawal renews it.
    if row is not None and not row.granted and (consent.at is None or consent.at <= row.at):
        return
    values = {
        "tenant_id": scope.tenant_id,
        "creditor_id": scope.creditor_id,
        "person_id": person_id,
        "channel": consent.channel,
        "granted": consent.granted,
        "at": consent.at or scope.clock.now(),
        "source": consent.source,
    }
    keys = ("tenant_id", "creditor_id", "person_id", "channel")
    connection.execute(upsert(connection, consents, values, keys=keys))
    record(
        "consent.granted" if consent.granted else "consent.withdrawn",
        {"person": person_id, "debtor": debtor_id},
        {"channel": consent.channel, "source": consent.source},
        creditor_id=scope.creditor_id,
    )
