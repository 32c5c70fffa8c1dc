"""
`cobranza backtest`: contacts that were decided are decided again under other rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk import Address, Cobranza, CobranzaError, Consent, ContactPoint
from cobranza_sdk.engine import Backtest, Retried

#: A pack that permits Peru mornings only; its rules replace those of the installed one.
MORNINGS = """
format = 1
[pack]
name = "pe"
version = "test"
status = "draft"
updated_on = 2026-01-01
title = { es = "x", pt = "x", en = "x" }
[countries.PE]
zones = { "*" = ["America/Lima"] }
holidays = { calendar = "PE", through = 2035 }
[norms.own]
title = "Ley de la Mañana"
source = "a test"
read_on = 2026-01-01
effective_from = 2020-01-01
[[rule]]
id = "own.morning"
kind = "window"
norm = "own"
article = "art. 1"
hours = { mon-fri = "07:00-09:00" }
holidays = "closed"
confidence = "high"
message = { es = "x", pt = "x", en = "x" }
[[rule]]
id = "own.consent"
kind = "consent"
norm = "own"
article = "art. 2"
effective_from = 2025-01-01
confidence = "high"
message = { es = "x", pt = "x", en = "x" }
[[rule]]
id = "own.third_party"
kind = "third_party"
norm = "own"
article = "art. 3"
recipients = ["third_party"]
when_unknown = "deny"
confidence = "high"
message = { es = "x", pt = "x", en = "x" }
"""


@pytest.fixture
def mornings(tmp_path: Path) -> Path:
    """
    The other pack as a file.
    """
    path = tmp_path / "mornings.toml"
    path.write_text(MORNINGS, "utf-8")
    return path


@pytest.fixture
def sent(house: Cobranza, debtor: Callable[..., Any], receivable: Callable[..., Any]) -> Cobranza:
    """
    A house that sent one SMS in Peru, Wednesday at ten.
    """
    house.portfolio.put(debtor(), receivable())
    house.plan()
    house.dispatch()
    assert [line["state"] for line in house.attempts.list()] == ["accepted"]
    return house


def briefly(item: Retried) -> tuple[Any, ...]:
    """
    Verdicts, new rules and what is not known.
    """
    return item.old.verdict, item.new.verdict, item.new.rules, item.unknown, item.reproduced


def only(report: Backtest) -> Retried:
    """
    The one that changed.
    """
    (item,) = report.changed
    return item


def test_the_same_rules_change_nothing(sent: Cobranza) -> None:
    """
    What is read back gives the recorded verdict again.
    """
    report = sent.backtest()

    assert (report.contacts, report.counts, report.changed) == (1, {("allow", "allow"): 1}, ())
    assert report.not_reproduced == 0


def test_another_pack_shows_what_it_would_have_deferred_and_until_when(sent: Cobranza, mornings: Path) -> None:
    """
    The Wednesday was the eve of a holiday: Friday at seven. The store stays as it was.
    """
    before = [event.seq for event in sent.events()]

    report = sent.backtest(packs=[mornings])

    assert report.counts == {("allow", "defer"): 1}
    assert briefly(only(report)) == ("allow", "defer", ("own.morning",), (), True)
    assert only(report).new.not_before == datetime.fromisoformat("2026-08-07T07:00:00-05:00")
    assert [event.seq for event in sent.events()] == before


def test_what_went_before_counts_as_it_was_known_then(
    make_house: Callable[..., Cobranza],
    debtor: Callable[..., Any],
    receivable: Callable[..., Any],
    later: Callable[..., None],
) -> None:
    """
    Colombia: six days after an SMS the person withdraws the consent, and the e-mail in its place is deferred for the
    channel of the week. Asked later, each is judged by what was known then: the first by no past and a consent.
    """
    house = make_house(creditor={"name": "Tienda", "country": "CO", "contact_line": "x@example.com"})
    house.portfolio.put(debtor(country="CO"), receivable(currency="COP"))
    house.plan()
    house.dispatch()
    later(days=6)
    house.consents.withdraw("D-1", "sms", source="mail")
    house.plan()
    house.dispatch()
    recorded = [event.payload["verdict"] for event in house.events(kinds=["decision.made"])]

    report = house.backtest()

    assert recorded[0] == "allow"
    assert set(recorded[1:]) == {"deny", "defer"}
    assert sum(report.counts.values()) == len(recorded)
    assert (report.changed, report.not_reproduced) == ((), 0)
    assert house.backtest(reading="literal").counts[("defer", "allow")] == 1


def test_an_outcome_learned_later_was_open_then(
    make_house: Callable[..., Cobranza],
    debtor: Callable[..., Any],
    receivable: Callable[..., Any],
    later: Callable[..., None],
    webhook: Callable[..., Any],
    settings: dict[str, Any],
) -> None:
    """
    An e-mail was deferred because the SMS before it might have been read. That the SMS failed came out a day later: the
    deferral was right, and is so when asked again.
    """
    path = Path(settings["strategies"]["test"])
    strategy = path.read_text("utf-8").replace('"demand"\nchannels = ["sms", ', '"demand"\nchannels = [')
    path.write_text(strategy, "utf-8")
    house = make_house(creditor={"name": "Tienda", "country": "CO", "contact_line": "x@example.com"})
    house.portfolio.put(debtor(country="CO"), receivable(currency="COP"))
    house.plan()
    house.dispatch()
    later(days=6)
    house.plan()
    house.dispatch()
    recorded = [event.payload["verdict"] for event in house.events(kinds=["decision.made"])]
    later(hours=1)
    house.inbox.receive("sms", webhook("failed", "k1", "fake_sms-1"))
    house.process_inbox()
    assert "failed" in [line["state"] for line in house.attempts.list()]

    report = house.backtest()

    assert recorded == ["allow", "defer"]
    assert (report.changed, report.not_reproduced) == ((), 0)


def test_a_consent_given_later_was_not_given_then(
    house: Cobranza,
    debtor: Callable[..., Any],
    receivable: Callable[..., Any],
    later: Callable[..., None],
    mornings: Path,
) -> None:
    """
    The ledger tells what had been said by the time of the decision.
    """
    house.portfolio.put(debtor(consents=[Consent(channel="email")]), receivable())
    house.plan()
    house.dispatch()
    later(days=1)
    house.consents.grant("D-1", "sms", source="paper")

    item = only(house.backtest(packs=[mornings]))

    assert item.contact.consent == "no"
    assert (item.new.verdict, item.new.rules) == ("deny", ("own.consent", "own.morning"))


def test_a_holder_that_changed_since_is_unknown_and_judged_as_such(
    sent: Cobranza, later: Callable[..., None], mornings: Path, debtor: Callable[..., Any]
) -> None:
    """
    Nobody knows any more what was known of the address then: it is not guessed, and the strict default judges.
    """
    later(hours=1)
    sent.contact_points.deny("D-1", debtor().contact_points[0].address, by="agent")

    item = only(sent.backtest(packs=[mornings]))

    assert briefly(item)[:4] == ("allow", "deny", ("own.third_party", "own.morning"), ("recipient",))
    assert (item.contact.recipient, item.contact.holder_confirmed) == ("unknown", False)


def test_the_number_written_to_tells_the_clock_again(
    house: Cobranza, debtor: Callable[..., Any], receivable: Callable[..., Any], later: Callable[..., None]
) -> None:
    """
    A number of Tijuana, at night: the same zone judges again, and nobody prints the number.
    """
    number = Address("e164", "+526641234567")
    point = ContactPoint(address=number, holder_role="debtor", state="confirmed")
    house.portfolio.put(debtor(country="MX", contact_points=[point]), receivable(currency="MXN"))
    later(hours=15)
    house.plan()
    house.dispatch()

    item = only(house.backtest(on={"*": date(1995, 1, 1)}))

    assert (item.old.verdict, item.new.verdict, item.reproduced) == ("defer", "allow", True)
    assert item.contact.timezones == ("America/Tijuana",)
    assert number.value not in repr(item)


def test_a_step_of_another_version_leaves_the_purpose_unknown(
    sent: Cobranza, settings: dict[str, Any], make_house: Callable[..., Cobranza], mornings: Path
) -> None:
    """
    What the strategy said then is not kept: the purpose takes its default, and the record says so.
    """
    path = Path(settings["strategies"]["test"])
    path.write_text(path.read_text("utf-8").replace("version = 1", "version = 2"), "utf-8")

    item = only(make_house().backtest(packs=[mornings]))

    assert item.unknown == ("purpose",)
    assert item.contact.purpose == "demand"
    assert only(sent.backtest(packs=[mornings])).contact.purpose == "reminder"


def test_since_leaves_out_what_was_before(sent: Cobranza) -> None:
    """
    From the instant on, that included.
    """
    now = sent.clock.now()

    assert sent.backtest(since=now).contacts == 1
    assert sent.backtest(since=now + timedelta(seconds=1)).contacts == 0


CASES = """case_id,country,at,channel,recipient,consent,contacts
message,PE,2026-08-08T10:00:00-05:00,sms,debtor,yes,
week,CO,2026-08-10T10:00:00-05:00,sms,debtor,yes,email@2026-08-06T10:00:00-05:00
call,PE,2026-08-08T10:00:00-05:00,call,debtor,yes,
"""


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """
    A Saturday in Peru; the second week in Colombia.
    """
    path = tmp_path / "cases.csv"
    path.write_text(CASES, "utf-8")
    return path


@pytest.fixture
def bare() -> Iterable[Cobranza]:
    """
    The installed packs, and no configuration.
    """
    with Cobranza() as cobranza:
        yield cobranza


def test_another_reading_is_told_case_by_case(bare: Cobranza, cases: Path) -> None:
    """
    The letter names calls and the calendar week: messages on Saturday and a new week's channel are then permitted.
    """
    report = bare.backtest(reading="literal", cases=cases)

    assert report.counts == {("defer", "allow"): 2, ("defer", "defer"): 1}
    assert [(item.case_id, item.old.rules, item.new.rules) for item in report.changed] == [
        ("message", ("pe.window.messages",), ()),
        ("week", ("co.channel_week",), ()),
    ]
    assert bare.backtest(reading="cautious", cases=cases).changed == ()


def test_the_rules_of_another_day_judge_the_same_contacts(bare: Cobranza, cases: Path) -> None:
    """
    Law 2300 is in force from 10 October 2023 on: the day before, Colombia has none of it. One pack may be named.
    """
    assert [item.case_id for item in bare.backtest(on={"co": date(2023, 10, 9)}, cases=cases).changed] == ["week"]
    assert bare.backtest(on={"co": date(2023, 10, 10)}, cases=cases).changed == ()
    everywhere = bare.backtest(on={"*": date(2009, 1, 1)}, cases=cases)
    assert everywhere.counts == {("defer", "allow"): 3}
    assert [
        item.case_id for item in bare.backtest(on={"*": date(2009, 1, 1), "pe": date(2026, 1, 1)}, cases=cases).changed
    ] == ["week"]


def test_a_rule_of_the_future_is_tried_on_the_past(bare: Cobranza, tmp_path: Path, cases: Path) -> None:
    """
    A decree that is not in force yet, held against what was done.
    """
    path = tmp_path / "decree.toml"
    path.write_text(MORNINGS.replace("effective_from = 2020-01-01", "effective_from = 2030-01-01"), "utf-8")

    before = bare.backtest(packs=[path], cases=cases)
    after = bare.backtest(packs=[path], on={"pe": date(2030, 1, 1)}, cases=cases)

    assert {item.case_id: item.new.rules for item in before.changed} == {"message": (), "call": ()}
    assert {item.case_id: item.new.rules for item in after.changed} == {
        "message": ("own.morning",),
        "call": ("own.morning",),
    }


def test_a_configured_overlay_judges_on_both_sides(tmp_path: Path, cases: Path) -> None:
    """
    A decreed holiday is not what makes the difference: the Monday after it is closed before and after.
    """
    overlay = tmp_path / "day.toml"
    overlay.write_text(
        'format = 1\n[overlay]\npack = "pe"\nversion = "d1"\nupdated_on = 2026-08-01\nreason = "decree"\n'
        "add = [2026-08-10]\n",
        "utf-8",
    )
    with Cobranza({"compliance": {"overlays": [str(overlay)]}}) as cobranza:
        report = cobranza.backtest(cases=cases, on={"pe": date(2026, 1, 1)})

    assert (report.contacts, report.changed) == (3, ())


def test_an_unknown_pack_is_refused(bare: Cobranza, cases: Path) -> None:
    """
    A slip would otherwise compare nothing with nothing.
    """
    with pytest.raises(CobranzaError, match=r"found no pack pr, expected one of .*co, .*pe"):
        bare.backtest(on={"pr": date(2026, 1, 1)}, cases=cases)
