"""
An answer to the person's own message is no contact that somebody began: the gate lets it through, and only it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk.compliance import Decider, read_cases
from cobranza_sdk.model import PastContact, Verdict

NIGHT = datetime.fromisoformat("2026-05-12T23:30-05:00")
OFFICE = '{ mon-fri = "07:00-19:00" }'


@pytest.fixture(scope="module")
def decider(packs: Any) -> Decider:
    """
    Every kind of rule on contacts that somebody begins, and some on what is said and to whom.
    """
    return Decider(
        [
            packs.pack(
                packs.rule("xx.window", "window", hours=OFFICE, holidays='"closed"'),
                packs.rule("xx.cap", "cap", limit="1", period='"day"', per='"debtor"'),
                packs.rule("xx.gap", "gap", period='"48 hours"'),
                packs.rule("xx.week", "channel_exclusivity", period='"7 days"'),
                packs.rule("xx.quiet", "quiet", period='"7 days"'),
                packs.rule("xx.notice", "notice_before", period='"20 days"'),
                packs.rule("xx.consent", "consent"),
                packs.rule("xx.third", "third_party", recipients='{ except = ["debtor"] }'),
                packs.rule("xx.threat", "content", forbidden='["threat"]'),
            )
        ]
    )


def wrote(minutes: int, channel: str = "whatsapp", direction: str = "inbound", **more: Any) -> PastContact:
    """
    What was written some minutes before the night's contact.
    """
    return PastContact(at=NIGHT - timedelta(minutes=minutes), channel=channel, direction=direction, **more)


def reply(packs: Any, *history: PastContact, **more: Any) -> Any:
    """
    An answer on WhatsApp, at night, to a person who never agreed to anything.
    """
    told = {"channel": "whatsapp", "purpose": "reply", "history": history, "consent": "no"}
    return packs.contact(NIGHT, **{**told, **more})


def test_who_writes_at_night_is_answered_at_night(packs: Any, decider: Decider) -> None:
    contact = reply(packs, wrote(10), wrote(300, "sms", "outbound"), wrote(2000, "whatsapp", "outbound"))
    decision = decider.decide(contact)
    assert decision.verdict is Verdict.ALLOW
    assert decision.not_after == NIGHT - timedelta(minutes=10) + timedelta(hours=24)
    assert decider.decide(evolve(contact, purpose="demand")).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("history", "verdict"),
    [
        pytest.param((), "deny", id="nobody wrote"),
        pytest.param((wrote(24 * 60 - 1),), "allow", id="within a day"),
        pytest.param((wrote(24 * 60),), "deny", id="a whole day ago"),
        pytest.param((wrote(-1),), "deny", id="later than the answer"),
        pytest.param((wrote(10, "sms"),), "deny", id="on another channel"),
        pytest.param((wrote(10, "whatsapp", "outbound"),), "deny", id="we wrote"),
        pytest.param((wrote(10), wrote(5, "whatsapp", "reply")), "deny", id="answered already"),
        pytest.param((wrote(10), wrote(10, "whatsapp", "reply")), "deny", id="answered in the same minute"),
        pytest.param((wrote(10), wrote(12, "whatsapp", "reply")), "allow", id="wrote again after the answer"),
        pytest.param((wrote(10, creditor_id="c2"),), "deny", id="wrote to another creditor"),
        pytest.param((wrote(10, creditor_id="c1"),), "allow", id="wrote to this creditor"),
    ],
)
def test_only_an_unanswered_message_of_the_last_day_is_answered(
    packs: Any, decider: Decider, history: tuple[PastContact, ...], verdict: str
) -> None:
    decision = decider.decide(reply(packs, *history, creditor_id="c1"))
    assert decision.verdict == verdict
    assert [found.rule for found in decision.findings] == (["sdk.nothing_to_answer"] if verdict == "deny" else [])


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"consent": "opted_out"}, "sdk.opted_out"),
        ({"recipient": "employer"}, "xx.third"),
        ({"flags": frozenset({"threat"})}, "xx.threat"),
        ({"country": "ZZ"}, "sdk.country_unknown"),
        ({"timezones": ("Nowhere/None",)}, "sdk.zone_unknown"),
    ],
    ids=["opted out", "third party", "words", "country", "zone"],
)
def test_what_does_not_ask_who_began_holds_for_answers_too(
    packs: Any, decider: Decider, more: dict[str, Any], rule: str
) -> None:
    decision = decider.decide(reply(packs, wrote(10), **more))
    assert decision.verdict is Verdict.DENY
    assert rule in [found.rule for found in decision.findings]


def test_an_answer_uses_up_no_cap_and_opens_no_week(packs: Any) -> None:
    decider = Decider(
        [
            packs.pack(
                packs.rule("xx.cap", "cap", limit="1", period='"day"', per='"debtor"'),
                packs.rule("xx.week", "channel_exclusivity", period='"7 days"'),
            )
        ]
    )
    answered = wrote(60, "sms", "reply", outcome="read")
    contact = packs.contact(NIGHT, channel="whatsapp", history=(answered,))
    assert decider.decide(contact).verdict is Verdict.ALLOW
    began = evolve(contact, history=(evolve(answered, direction="outbound"),))
    assert decider.decide(began).verdict is Verdict.DEFER


def test_a_file_of_cases_tells_who_wrote(packs: Any, decider: Decider) -> None:
    at = "2026-05-12T23:30-05:00"
    rows = [
        "case_id,country,at,channel,recipient,purpose,contacts",
        f"yes,XX,{at},whatsapp,debtor,reply,whatsapp@2026-05-12T23:20-05:00:inbound",
        f"no,XX,{at},whatsapp,debtor,reply,whatsapp@2026-05-12T23:20-05:00:inbound;whatsapp@2026-05-12T23:25-05:00:reply",
    ]
    found = {case.case_id: str(decider.decide(case.contact).verdict) for case in read_cases(rows, decider)}
    assert found == {"yes": "allow", "no": "deny"}


@given(st.lists(st.builds(wrote, st.integers(-60, 3000), st.sampled_from(["whatsapp", "sms"]), st.just("outbound"))))
def test_no_number_of_our_own_messages_makes_an_answer(packs: Any, decider: Decider, ours: list[PastContact]) -> None:
    assert decider.decide(reply(packs, *ours)).verdict is Verdict.DENY
