"""
The report of a real store, filled through its public interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from cobranza_sdk.model import (
    AttemptState,
    Debtor,
    Decision,
    EventKind,
    Finding,
    Installment,
    Money,
    Receivable,
    Verdict,
)
from cobranza_sdk.report import Report, make_report
from cobranza_sdk.spec import ErpBatch, Event, RejectedRecord
from cobranza_sdk.store import CreditorStore, Facts, Prepared, Settlement, TenantStore, Unsent
from cobranza_sdk.strategy import Due, Step

NOW = datetime(2026, 3, 9, 15, 30, tzinfo=UTC)
TODAY = date(2026, 3, 9)
STEP = Step(id="first", days=1, until=30, purpose="reminder", channels=("whatsapp",), template="reminder")


def report_of(store: CreditorStore) -> Report:
    return make_report(store.figures, creditor="Acme", as_of=NOW, today=TODAY)


def owed(key: str, debtor: str, *, days: int, minor: int = 100, currency: str = "PEN") -> Receivable:
    amount = Money(minor, currency)
    kind = "credit_note" if minor < 0 else "invoice"
    due_on = TODAY - timedelta(days=days)
    return Receivable(
        external_id=key,
        debtor_id=debtor,
        kind=kind,
        installments=[Installment(due_on=due_on, amount=amount, open=amount)],
    )


def put(store: CreditorStore, *debts: Receivable) -> None:
    debtors = [Debtor(external_id=key, country="PE") for key in sorted({debt.debtor_id for debt in debts})]
    store.portfolio.put([*debtors, *debts], actor="test")


@pytest.mark.parametrize(
    ("days", "bucket"),
    [
        (-5, "not_due"),
        (0, "not_due"),
        (1, "1-30"),
        (30, "1-30"),
        (31, "31-60"),
        (60, "31-60"),
        (61, "61-90"),
        (90, "61-90"),
        (91, "91+"),
        (4000, "91+"),
    ],
)
def test_a_debt_ages_at_the_edges(acme: CreditorStore, days: int, bucket: str) -> None:
    """
    Edges are included, and a debt stands in one bucket only.
    """
    put(acme, owed("F1", "D1", days=days, minor=777))

    found = {line.bucket: (line.amount.minor, line.installments) for line in report_of(acme).aging}

    assert found.pop(bucket) == (777, 1)
    assert set(found.values()) == {(0, 0)}


def test_currencies_are_never_added(acme: CreditorStore) -> None:
    """
    Pesos, soles and dollars of one debtor are three balances; a credit note is deducted from its own.
    """
    put(
        acme,
        owed("F1", "D1", days=5, minor=5_000_000_000_00, currency="COP"),
        owed("F2", "D1", days=5, minor=250),
        owed("F3", "D1", days=-3, minor=1000),
        owed("F4", "D1", days=5, minor=99, currency="USD"),
        owed("N1", "D1", days=2, minor=-50),
    )

    told = report_of(acme)

    assert {line.currency: (line.overdue.minor, line.total.minor) for line in told.delinquency} == {
        "COP": (5_000_000_000_00, 5_000_000_000_00),
        "PEN": (200, 1200),
        "USD": (99, 99),
    }


def test_another_creditor_is_not_counted(tenant: TenantStore, acme: CreditorStore) -> None:
    """
    A report is one creditor's, in a store that holds several.
    """
    put(tenant.creditor("other"), owed("F1", "D1", days=5))

    told = report_of(acme)

    assert (told.aging, told.channels, told.verdicts, told.rejected_rows) == ((), (), (), 0)


def test_rejected_rows_are_counted(acme: CreditorStore) -> None:
    """
    What an import did not take is not lost from sight.
    """
    rejected = [RejectedRecord(source="f.csv", line=line, column="amount", reason="no number") for line in (2, 9)]

    acme.portfolio.put_batch(ErpBatch(records=(), rejected=tuple(rejected)), erp="csv", run=1, confirmed=False)

    assert report_of(acme).rejected_rows == 2


def plan_and_lease(store: CreditorStore, count: int) -> dict[str, int]:
    put(store, *(owed(f"F{number}", f"D{number}", days=5) for number in range(count)))
    dues = [
        (Due(debtor_id=item.debtor_id, currency="PEN", step=STEP, anchor_on=TODAY, stage="administrative"), TODAY)
        for item in store.attempts.positions("s", lambda _row: TODAY)
    ]
    store.attempts.add(dues, strategy="s", version=1, reach=reach)
    return dict(store.attempts.lease(count, timedelta(minutes=5)))


def reach(_debtor: str, channels: Sequence[str]) -> Sequence[tuple[str, str]]:
    return []


def judged(verdict: Verdict, rule: str, citation: str, *, wait: timedelta | None = None) -> Decision:
    later = None if wait is None else NOW + wait
    finding = Finding(rule=rule, verdict=verdict, citation=citation, pack="pe 1", not_before=later)
    return Decision(verdict=verdict, at=NOW, not_before=later, findings=(finding,))


def event(kind: EventKind, message: str, *, reply: bool = False) -> Event:
    return Event(
        kind=kind,
        key=f"{kind}-{message}",
        occurred_at=NOW,
        account="wa",
        provider_message_id=None if reply else message,
        reply_to=message if reply else None,
    )


def test_counts_add_up_to_the_decisions_and_the_attempts(tenant: TenantStore, acme: CreditorStore) -> None:
    """
    S-092 and S-106: seven attempts, each judged. One is denied, one deferred, one still being sent; of the four sent
    one was delivered, one read and answered, one bounced, and of one nothing more is known.
    """
    leased = plan_and_lease(acme, 7)
    ids = sorted(leased)
    held, forbidden, *allowed = ids
    facts = acme.attempts.facts(ids)
    acme.attempts.decline(
        [
            Unsent(
                attempt_id=forbidden,
                token=leased[forbidden],
                state=AttemptState.SUPPRESSED,
                reason="pe.optin",
                decision=judged(Verdict.DENY, "pe.optin", "Ley 29571, art. 58"),
            )
        ]
    )

    def judge(told: Facts, _now: datetime) -> Decision:
        if told.attempt.id == held:
            return judged(Verdict.DEFER, "pe.window", "Ley 29571, art. 62", wait=timedelta(hours=3))
        return Decision(verdict=Verdict.ALLOW, at=NOW, basis=("pe 1",))

    ready = [
        Prepared(
            attempt_id=each,
            token=leased[each],
            fingerprint=facts[each].fingerprint,
            template_id="t",
            discloses=True,
            digest="d",
            account="wa",
        )
        for each in (held, *allowed)
    ]
    claimed = acme.attempts.claim(ready, judge, timedelta(seconds=30))
    sent = claimed[:-1]
    acme.attempts.settle(
        [Settlement(attempt_id=c.attempt_id, token=c.token, provider_message_id=f"m{n}") for n, c in enumerate(sent)]
    )
    reported = [
        event(EventKind.DELIVERED, "m0"),
        event(EventKind.READ, "m1"),
        event(EventKind.INBOUND_MESSAGE, "m1", reply=True),
        event(EventKind.FAILED, "m2"),
    ]
    tenant.inbox.store("wa", reported, NOW)
    for entry in tenant.inbox.pending():
        tenant.inbox.apply(entry, "other" if entry.event.kind == EventKind.INBOUND_MESSAGE else None)

    told = report_of(acme)

    assert [(line.verdict, line.rule, line.citation, line.count) for line in told.verdicts] == [
        (Verdict.DENY, "pe.optin", "Ley 29571, art. 58", 1),
        (Verdict.DEFER, "pe.window", "Ley 29571, art. 62", 1),
        (Verdict.ALLOW, None, None, 5),
    ]
    assert told.decisions == sum(len(acme.figures.decisions_of(each)) for each in ids) == 7
    (line,) = told.channels
    assert (line.planned, line.sent, line.delivered, line.read, line.replied, line.failed) == (7, 4, 2, 1, 1, 1)
    assert (line.sending, line.deferred, line.suppressed) == (1, 1, 1)
    assert line.planned == len(acme.attempts.listing())
