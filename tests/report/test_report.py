"""
The report adds up: attempts, decisions, balances.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk.model import AttemptState, InvalidValueError, Money, Verdict
from cobranza_sdk.report import BUCKETS, AgingLine, ChannelLine, Report, make_report, to_dict
from cobranza_sdk.report._words import FUNNEL, OTHERS

Reporter = Callable[..., Report]


def test_an_attempt_of_any_state_counts_once(report_on: Reporter) -> None:
    """
    No state is forgotten, none is counted twice: the parts of planned are as many as the attempts.
    """
    for state in AttemptState:
        (line,) = report_on(states=[("sms", str(state), 1)]).channels
        parts = [line.sent, *(getattr(line, name) for name in OTHERS if name != "failed")]

        assert line.planned == 1, state
        assert sum(parts) == 1, state


@given(st.dictionaries(st.sampled_from(list(AttemptState)), st.integers(0, 10_000)))
def test_the_funnel_narrows(counts: dict[AttemptState, int]) -> None:
    """
    Read is part of delivered, delivered of sent, sent of planned, whatever the figures.
    """

    class Told:
        def by_state(self) -> list[tuple[str, str, int]]:
            return [("sms", str(state), count) for state, count in counts.items()]

        def replied(self) -> dict[str, int]:
            return {}

        def verdicts(self) -> list[tuple[str, str, str, int]]:
            return []

        def aging(self, today: date) -> list[tuple[str, str, int, int]]:
            return []

        def rejected(self) -> int:
            return 0

    report = make_report(Told(), creditor="x", as_of=datetime(2026, 3, 9, tzinfo=UTC), today=date(2026, 3, 9))

    for line in report.channels:
        assert line.planned == sum(counts.values())
        assert line.planned >= line.sent >= line.delivered + line.failed
        assert line.delivered >= line.read


def test_a_funnel_that_widens_is_refused() -> None:
    """
    More read than delivered is a mistake of whoever counted.
    """
    with pytest.raises(InvalidValueError):
        ChannelLine(channel="sms", sent=3, delivered=1, read=2)
    with pytest.raises(InvalidValueError):
        ChannelLine(channel="sms", sent=3, delivered=2, failed=2)


def test_rates_are_of_what_was_delivered(report_on: Reporter) -> None:
    """
    Not of what was sent; and where nothing is known of deliveries, there is no rate.
    """
    told = report_on(
        states=[("email", "accepted", 9), ("wa", "read", 1), ("wa", "delivered", 3), ("wa", "sent", 6)],
        replies={"email": 2, "wa": 2},
    )

    email, wa = told.channels

    assert (wa.read_rate, wa.reply_rate) == (Decimal("0.25"), Decimal("0.5"))
    assert (email.replied, email.read_rate, email.reply_rate) == (2, None, None)


def test_verdicts_stand_the_strictest_first(report_on: Reporter) -> None:
    """
    What was denied is what a supervisor looks for.
    """
    told = report_on(
        judged=[("allow", "", "", 9), ("defer", "r.b", "c", 5), ("deny", "r.a", "c", 1), ("deny", "r.c", "c", 2)]
    )

    assert [(line.verdict, line.rule, line.count) for line in told.verdicts] == [
        (Verdict.DENY, "r.c", 2),
        (Verdict.DENY, "r.a", 1),
        (Verdict.DEFER, "r.b", 5),
        (Verdict.ALLOW, None, 9),
    ]
    assert told.verdicts[-1].citation is None
    assert told.decisions == 17


def test_every_currency_has_every_bucket_and_none_is_added_to_another(full: Report) -> None:
    """
    S-102: the index is per currency; credits are deducted.
    """
    clp, pen = full.delinquency

    assert [(line.currency, line.bucket) for line in full.aging] == [(c, b) for c in ("CLP", "PEN") for b in BUCKETS]
    assert (clp.overdue, clp.total, clp.share) == (Money(1234567, "CLP"), Money(1234567, "CLP"), Decimal(1))
    assert (pen.overdue, pen.total) == (Money(9753199, "PEN"), Money(9633149, "PEN"))


def test_nothing_owed_has_no_index(report_on: Reporter) -> None:
    """
    Credits alone make no share.
    """
    (line,) = report_on(open=[("PEN", "not_due", -5, 1)]).delinquency

    assert line.share is None


def test_what_makes_no_sense_is_refused(report_on: Reporter) -> None:
    """
    A naive instant, an unknown bucket, an amount of another currency, an unknown state.
    """
    with pytest.raises(InvalidValueError, match="offset"):
        report_on(as_of=datetime(2026, 3, 9))  # noqa: DTZ001
    with pytest.raises(InvalidValueError, match="bucket"):
        AgingLine(currency="PEN", bucket="1-7", amount=Money(1, "PEN"), installments=1)
    with pytest.raises(InvalidValueError, match="PEN"):
        AgingLine(currency="PEN", bucket="1-30", amount=Money(1, "USD"), installments=1)
    with pytest.raises(ValueError, match="lost"):
        report_on(states=[("sms", "lost", 1)])


def test_debts_age_by_the_day_of_the_instant_when_none_is_given() -> None:
    """
    The instant's own offset tells the day.
    """
    told = Report(creditor="x", as_of=datetime.fromisoformat("2026-03-08T23:30:00-05:00"))

    assert told.today.isoformat() == "2026-03-08"


def test_the_data_are_json_and_exact(full: Report) -> None:
    """
    Amounts as text and as minor units, for a float would round them.
    """
    data = to_dict(full)

    assert json.loads(json.dumps(data)) == data
    assert data["as_of"] == "2026-03-09T15:30:00+00:00"
    assert data["aging"][4] == {
        "currency": "CLP",
        "bucket": "91+",
        "amount": "1234567",
        "minor": 1234567,
        "installments": 3,
    }
    assert data["aging"][5]["amount"] == "-1200.50"
    assert data["delinquency"][1]["share"] == "1.0125"
    assert data["verdicts"][-1] == {"verdict": "allow", "rule": None, "citation": None, "count": 1190}
    assert data["channels"][1]["planned"] == 1072
    assert {data["channels"][1][name] for name in FUNNEL} == {1072, 950, 941, 631, 214}
    assert data["rejected_rows"] == 7
    assert data["formulas"]["aging"] == "aging.v1"
