"""
What a text has to say: rules that no case file shows, since a case has no text.
"""

from __future__ import annotations

from datetime import datetime

import pytest

from cobranza_compliance_us import cobranza_compliance_packs
from cobranza_sdk.compliance import Decider
from cobranza_sdk.model import Contact, Decision

COLLECTOR, OPT_OUT = "us.identification.debt_collector", "us.identification.opt_out"


def judged(
    flags: str,
    *,
    channel: str = "sms",
    collector: str = "agency",
    recipient: str = "debtor",
    content: str | None = "x",
    at: str = "2026-05-12T12:00:00-04:00",
) -> Decision:
    """
    What the pack says of a text whose words are told by flags.
    """
    contact = Contact(
        at=datetime.fromisoformat(at),
        channel=channel,
        country="US",
        region="US-NY",
        recipient=recipient,
        holder_confirmed=recipient != "unknown",
        collector=collector,
        content=content,
        flags=frozenset(flags.split()),
    )
    return Decider(cobranza_compliance_packs()).decide(contact)


@pytest.mark.parametrize("channel", ["sms", "whatsapp", "in_app", "email"])
@pytest.mark.parametrize("collector", ["agency", "buyer"])
@pytest.mark.parametrize(
    ("flags", "rules"),
    [
        ("", [COLLECTOR, OPT_OUT]),
        ("says_creditor says_amount", [COLLECTOR, OPT_OUT]),
        ("says_debt_collector", [OPT_OUT]),
        ("says_opt_out", [COLLECTOR]),
        ("says_debt_collector says_opt_out", []),
    ],
)
def test_an_electronic_message_says_who_writes_and_how_to_stop(
    channel: str, collector: str, flags: str, rules: list[str]
) -> None:
    """
    12 CFR 1006.18(e) and 1006.6(e): either part that is missing denies.
    """
    decision = judged(flags, channel=channel, collector=collector)

    assert [finding.rule for finding in decision.findings] == rules
    assert str(decision.verdict) == ("deny" if rules else "allow")


@pytest.mark.parametrize("channel", ["call", "letter", "visit"])
def test_other_media_are_not_asked_for_either(channel: str) -> None:
    """
    The opt-out is for electronic messages; what a caller says is in no text.
    """
    assert not judged("", channel=channel).findings


def test_the_creditor_is_no_debt_collector() -> None:
    """
    The original creditor's own reminders need neither part.
    """
    assert not judged("", collector="creditor").findings


def test_before_the_rule_nothing_was_asked_for() -> None:
    """
    Messages are judged by the rules of their own day.
    """
    assert not judged("", at="2021-11-29T12:00:00-05:00").findings
    assert len(judged("", at="2021-11-30T12:00:00-05:00").findings) == 2


def test_nothing_is_missing_in_a_text_that_is_not_written() -> None:
    """
    A plan is made before the words; dispatch asks again with them.
    """
    assert not judged("", content=None).findings


def test_a_message_that_discloses_nothing_names_no_debt_collector() -> None:
    """
    To somebody who is not confirmed the words "debt collector" would tell of a debt; the way out stays.
    """
    assert [finding.rule for finding in judged("discloses_nothing", recipient="unknown").findings] == [OPT_OUT]
    assert not judged("discloses_nothing says_opt_out", recipient="unknown").findings
