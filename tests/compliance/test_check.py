"""
The check of a pack finds what is wrong with it, and the quick windows are those of the slow reading.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk.cli._root import run
from cobranza_sdk.compliance import CasesError, PackReport, _matrix, check_pack
from cobranza_sdk.compliance._pack import parse_pack
from cobranza_sdk.compliance._slow import closed_windows

HEAD = "case_id,country,at,channel,recipient,consent,reading,expect_verdict,expect_not_before,expect_rule,why"
CLOSED = "early,XX,2026-08-05T06:59-05:00,call,debtor,yes,,defer,2026-08-05T07:00-05:00,xx.window,art. 1"
OPEN = "open,XX,2026-08-05T07:00-05:00,call,debtor,yes,,allow,,,art. 1"
TODAY = ("--at", "2026-08-05")
HOURS = '{ mon-fri = "07:00-20:00" }'


def window(packs: Any, rule_id: str = "xx.window", hours: str = HOURS, **keys: str) -> str:
    """
    A window rule closed on holidays.
    """
    text: str = packs.rule(rule_id, "window", hours=hours, holidays='"closed"', **keys)
    return text


def checked(packs: Any, *rules: str, cases: list[str] | None = None, **keys: str) -> PackReport:
    """
    The report on a small pack.
    """
    return check_pack(packs.pack(*rules, **keys), cases=None if cases is None else "\n".join([HEAD, *cases]), year=2026)


def test_a_good_pack_passes_and_its_figures_are_counted(packs: Any) -> None:
    """
    Nothing is wrong, and the report tells how much was looked at.
    """
    report = checked(packs, window(packs), cases=[CLOSED, OPEN])

    assert report.problems == ()
    assert (report.ok, report.rules, report.cases) == (True, 1, 2)
    assert report.instants > 500
    assert [(each.citation, each.rules, each.cases) for each in report.coverage] == [
        ("Law 1, art. 1", ("xx.window",), 1)
    ]


def test_a_platform_s_cases_hold_beside_the_packs_of_law(capsys: pytest.CaptureFixture[str]) -> None:
    """
    A platform's pack knows no country: its cases are judged with the packs of law as they are installed.
    """
    assert run(["packs", "check", "sms_policy", "--json"]) == 0

    report = json.loads(capsys.readouterr().out)
    assert report["problems"] == []
    assert report["cases"] > report["rules"] > 0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (OPEN.replace("allow", "deny"), "case open: verdict: found allow, expected deny (art. 1)"),
        (CLOSED.replace("07:00-05:00,xx", "07:01-05:00,xx"), "case early: not_before: found 2026-08-05T07:00:00-05:00"),
        (CLOSED.replace("xx.window", "xx.other"), "case early: rules: found xx.window, expected xx.other"),
        (OPEN.replace("allow", "perhaps"), "line 2: expect_verdict: found perhaps, expected one of"),
        (OPEN.replace("allow", ""), "line 2: expect_verdict is blank"),
        (OPEN.replace("yes,,", "yes,wide,"), "line 2: reading: found wide, expected one of cautious, literal"),
        (CLOSED.replace("2026-08-05T07:00-05:00,xx", "soon,xx"), "line 2: expect_not_before: found soon"),
        (OPEN.replace("2026-08-05T07:00-05:00,call", "noon,call"), "line 2: at: found noon"),
    ],
)
def test_a_case_that_does_not_hold_is_one_line(packs: Any, row: str, said: str) -> None:
    """
    An author reads which case, what was found and what is expected.
    """
    report = checked(packs, window(packs), cases=[row])

    told = [problem.text for problem in report.problems if problem.part == "cases"]
    assert len(told) == 1
    assert told[0].startswith(said)
    assert "\n" not in told[0]


def test_a_file_without_the_columns_of_expectation_is_refused(packs: Any) -> None:
    """
    Cases of `decide` are no golden cases.
    """
    report = check_pack(packs.pack(window(packs)), cases="country,at,channel\n", year=2026)

    assert [problem.text[:39] for problem in report.problems] == ["line 1: column expect_verdict is missin"]


def test_a_rule_that_no_case_shows_is_named(packs: Any) -> None:
    """
    A case that fails shows nothing, nor does one that allows.
    """
    report = checked(packs, window(packs), packs.rule("xx.consent", "consent"), cases=[CLOSED, OPEN])

    assert [(problem.part, problem.text.split(":")[0]) for problem in report.problems] == [("coverage", "xx.consent")]


def test_a_norm_without_a_rule_is_a_note(packs: Any) -> None:
    """
    A law that was read and left out is told, and is no mistake.
    """
    more = 'effective_from = 2000-01-01\n[norms.idle]\ntitle = "Idle law"\nsource = "x"\nread_on = 2026-01-01\n'
    report = checked(packs, window(packs), cases=[CLOSED], norm=f"{more}effective_from = 2000-01-01")

    assert report.ok
    assert "norms.idle: no rule cites it (Idle law)" in report.notes
    assert not any("norms.law" in note for note in report.notes)


def test_windows_that_leave_no_minute_are_named_with_both_ids(packs: Any) -> None:
    """
    The week in two rules permits nothing, and the kinds of contact that only one speaks of are left alone.
    """
    week = window(packs, "xx.week")
    saturday = window(packs, "xx.saturday", '{ sat = "08:00-12:00" }', families='["visit"]')
    other = window(packs, "xx.calls", '{ mon = "08:00-12:00" }', families='["call"]')

    told = [problem.text for problem in checked(packs, week, saturday, other).problems if problem.part == "windows"]

    assert len(told) == 1
    assert told[0].startswith("xx.saturday and xx.week leave no minute of the week to contacts such as: visit")


def test_three_windows_that_only_together_leave_nothing_are_named(packs: Any) -> None:
    """
    Each pair has a minute, the three have none.
    """
    hours = ('["08:00-10:00", "12:00-14:00"]', '["08:00-10:00", "16:00-18:00"]', '["12:00-14:00", "16:00-18:00"]')
    rules = [window(packs, f"xx.w{n}", f"{{ mon-sun = {told} }}") for n, told in enumerate(hours)]

    told = [problem.text for problem in checked(packs, *rules).problems if problem.part == "windows"]

    assert [text.split(" leave")[0] for text in told] == ["xx.w0 and xx.w1 and xx.w2"]


@pytest.mark.parametrize(
    ("zones", "hours"),
    [
        ('{ "*" = ["America/Lima"] }', HOURS),
        ('{ "*" = ["America/Santiago", "Pacific/Easter"] }', '{ mon-sun = ["00:30-01:30", "02:30-23:30"] }'),
        (
            '{ "*" = ["America/New_York", "America/Los_Angeles"], "XX-A" = ["America/New_York"] }',
            '{ sat-sun = "00:00-24:00" }',
        ),
    ],
    ids=["one", "two", "far apart"],
)
def test_the_quick_windows_are_those_of_the_slow_reading(packs: Any, zones: str, hours: str) -> None:
    """
    In every zone, at every edge, also where the clock changes in the middle of a window.
    """
    report = checked(packs, window(packs, hours=hours, regions='["XX-A", ""]'), zones=zones)

    assert [problem.text for problem in report.problems] == []
    assert report.instants


def test_a_quick_window_that_is_a_minute_off_is_found(packs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The matrix is no mirror: what the decider gets wrong at an edge is told with instant, zone and rule.
    """
    from cobranza_sdk.compliance import _calendar

    right = _calendar._day_spans

    def late(*arguments: Any) -> Any:
        return ((opens, closes + 60) for opens, closes in right(*arguments))

    monkeypatch.setattr(_calendar, "_day_spans", late)
    _calendar.spans_of.cache_clear()
    try:
        report = checked(packs, window(packs))
    finally:
        _calendar.spans_of.cache_clear()

    told = [problem.text for problem in report.problems if problem.part == "edges"]
    assert "T20:00:00-05:00" in told[0]
    assert "xx.window" in told[0]
    assert "America/Lima" in told[0]
    assert told[-1].startswith("and ")


def test_the_matrix_probes_what_it_says(packs: Any) -> None:
    """
    Both sides of each edge, each weekday, a holiday and its eve, each family, both years.
    """
    pack = parse_pack("xx", packs.text(window(packs)), origin="xx")
    cells = list(_matrix.cells_of(pack))

    assert {cell.contact.family for cell in cells} == {"call", "message", "email", "letter", "visit"}
    walls = {at.astimezone(cells[0].zones[0]) for at in _matrix.instants_of(cells[0], (2026, 2027))}
    assert {wall.strftime("%H:%M") for wall in walls} == {"06:59", "07:00", "19:59", "20:00"}
    assert {wall.weekday() for wall in walls} == set(range(7))
    assert {(wall.year, wall.month, wall.day) for wall in walls} >= {(2026, 7, 28), (2026, 7, 27), (2027, 7, 29)}


def test_the_slow_reading_opens_late_and_closes_early_in_an_hour_shown_twice(packs: Any) -> None:
    """
    The document's words on changes of the clock, read by hand: New York, 2 November 2025.
    """
    pack = parse_pack(
        "xx",
        packs.text(
            window(packs, hours='{ sun = ["00:00-01:10", "01:30-05:00"] }'), zones='{ "*" = ["America/New_York"] }'
        ),
        origin="xx",
    )
    (cell, *_) = _matrix.cells_of(pack)

    closed = {
        minute: bool(
            closed_windows(
                pack.rules, cell.country, cell.contact, cell.zones, datetime(2025, 11, 2, *minute, tzinfo=UTC)
            )
        )
        for minute in ((5, 9), (5, 10), (5, 30), (5, 59), (6, 0), (6, 29), (6, 30), (9, 59), (10, 0))
    }

    assert [minute for minute, shut in closed.items() if not shut] == [(5, 9), (6, 30), (9, 59)]


def test_mistakes_of_the_schema_are_told_with_an_example(packs: Any) -> None:
    """
    An author sees how the key is written.
    """
    report = checked(packs, window(packs, confidence='"sure"'), head='status = "final"')

    assert [(problem.part, problem.text) for problem in report.problems] == [
        ("schema", 'pack.status: found final, expected one of draft, reviewed, for example status = "draft"'),
        (
            "schema",
            'rule xx.window.confidence: found sure, expected one of high, medium, low, for example confidence = "high"',
        ),
    ]


def test_a_platform_pack_is_judged_beside_the_law(packs: Any) -> None:
    """
    It knows no country by itself.
    """
    law = packs.pack(packs.rule("aa.x", "forbid", channels='["visit"]'), name="aa")
    platform = packs.pack(packs.rule("xx.c", "consent"), country="", head='status = "draft"\nscope = "platform"')
    rows = f"{HEAD}\nno,XX,2026-08-05T07:00-05:00,sms,debtor,no,,deny,,xx.c,terms"

    assert check_pack(platform, cases=rows, year=2026, beside=[law]).problems == ()


def test_the_command_ends_with_0_1_and_2(packs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A folder, a file with cases, a pack with a mistake, and a name that does not exist.
    """
    folder = tmp_path / "xx"
    folder.mkdir()
    (folder / "pack.toml").write_text(packs.text(window(packs)), "utf-8")
    (folder / "golden.csv").write_text(f"{HEAD}\n{CLOSED}", "utf-8")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("\n".join([HEAD, CLOSED, OPEN.replace("allow", "deny")]), "utf-8")

    assert run(["packs", "check", str(folder), *TODAY]) == 0
    assert "xx 1: ok: 1 rules, 1 golden cases" in capsys.readouterr().out
    assert run(["packs", "check", str(folder / "pack.toml"), "--cases", str(wrong), *TODAY]) == 1
    assert "cases: case open: verdict: found allow, expected deny (art. 1)\n" in capsys.readouterr().out
    assert run(["packs", "check", str(tmp_path / "nowhere"), *TODAY]) == 2
    assert "expected one of" in capsys.readouterr().err
    assert run(["packs", "check", str(folder), "--json", *TODAY]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["pack"], document["ok"], document["cases"], document["problems"]) == ("xx 1", True, 1, [])


def test_the_day_that_is_given_is_the_one_that_is_checked(
    packs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Which years are probed, and whether the calendar ends soon, is the same on every day that the check is run.
    """
    path = tmp_path / "xx.toml"
    path.write_text(packs.text(window(packs)), "utf-8")
    told = []
    for day in ("2030-01-01", "2030-12-31", "2035-01-01"):
        assert run(["packs", "check", str(path), "--at", day]) == 0
        told.append(capsys.readouterr().out)

    assert told[0] == told[1] != told[2]
    assert ["the calendar ends with 2035" in text for text in told] == [False, False, True]
    assert run(["packs", "check", str(path), "--at", "tomorrow"]) == 2
    assert "expected a day from 1990 to 2095: 2026-01-31" in capsys.readouterr().err


def test_an_installed_pack_is_checked_by_name_with_its_own_cases(capsys: pytest.CaptureFixture[str]) -> None:
    """
    What a plugin ships can be proven where it is installed.
    """
    assert run(["packs", "check", "PE", "--json", *TODAY]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cases"] > 50
    assert document["ok"]


def test_golden_rows_that_cannot_be_read_raise_one_error(packs: Any) -> None:
    """
    Whoever judges cases by hand gets the error of cases.
    """
    from cobranza_sdk.compliance import deciders_of, judge_golden

    rows = "\n".join([HEAD, OPEN.replace("2026-08-05T07:00-05:00,call", "noon,call")])
    with pytest.raises(CasesError, match="line 2: at"):
        list(judge_golden(rows, deciders_of(packs.pack(window(packs)))))
