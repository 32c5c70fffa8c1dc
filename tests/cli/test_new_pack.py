"""
``cobranza new pack``: a lawyer without Python begins with a pack that passes its check.
"""

from __future__ import annotations

import json
import runpy
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cobranza_sdk.cli import _root
from cobranza_sdk.cli._root import run
from cobranza_sdk.compliance import check_pack, parse_pack
from cobranza_sdk.spec import CompliancePack

TODAY = ("--at", "2026-11-21")


@pytest.mark.parametrize("code", ["PY", "mx"])
def test_a_new_pack_is_a_draft_that_passes_its_check_at_once(code: str, tmp_path: Path) -> None:
    """
    In a country of one zone and in one of many: every rule is shown by a case, and nothing is left to fill.
    """
    assert run(["new", "pack", code, "--dir", str(tmp_path), *TODAY]) == 0
    folder = tmp_path / code.lower()
    text = (folder / "pack.toml").read_text("utf-8")

    pack = parse_pack("x", text, origin="x")
    report = check_pack(CompliancePack("x", text), cases=(folder / "golden.csv").read_text("utf-8"), year=2026)

    assert report.problems == ()
    assert (report.rules, report.cases, pack.status) == (5, 11, "draft")
    assert set(pack.countries) == {code.upper()}
    assert all(not each.unshown for each in report.coverage)
    assert not any("@" in path.read_text("utf-8").replace("call@", "") for path in folder.glob("*.[tm]*"))
    names = {"pack.toml", "golden.csv", "review.md", f"test_{code.lower()}.py"}
    assert {path.name for path in folder.iterdir()} == names


def test_an_invented_country_has_the_clock_and_calendar_of_another(tmp_path: Path) -> None:
    """
    Whoever practises on XX writes no law of a real country, and its pack passes all the same.
    """
    assert run(["new", "pack", "XX", "--like", "cl", "--dir", str(tmp_path), *TODAY]) == 0
    text = (tmp_path / "xx" / "pack.toml").read_text("utf-8")
    report = check_pack(CompliancePack("x", text), cases=(tmp_path / "xx" / "golden.csv").read_text("utf-8"), year=2026)

    (country,) = parse_pack("x", text, origin="x").countries.items()

    assert (country[0], country[1].holidays.calendar) == ("XX", "CL")
    assert "Pacific/Easter" in country[1].zones["*"]
    assert report.problems == ()


def test_the_tests_of_a_new_pack_pass_and_fail_with_it(tmp_path: Path) -> None:
    """
    What is written beside the pack runs the standard tests, of this pack and no other.
    """
    assert run(["new", "pack", "PY", "--dir", str(tmp_path), *TODAY]) == 0
    folder = tmp_path / "py"
    cls = runpy.run_path(str(folder / "test_py.py"))["TestPack"]
    cls().test_every_rule_refuses_in_some_case()

    (folder / "golden.csv").write_text((folder / "golden.csv").read_text("utf-8").replace("visit,", "call,"), "utf-8")

    cls = runpy.run_path(str(folder / "test_py.py"))["TestPack"]
    with pytest.raises(AssertionError, match=r"py\.forbid\.visits: no case shows it"):
        cls().test_every_rule_refuses_in_some_case()


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    A pack that was begun is not lost.
    """
    assert run(["new", "pack", "PY", "--dir", str(tmp_path), *TODAY]) == 0
    (tmp_path / "py" / "pack.toml").write_text("mine", "utf-8")

    assert run(["new", "pack", "PY", "--dir", str(tmp_path), *TODAY]) == 1
    assert "already holds pack.toml" in capsys.readouterr().err
    assert (tmp_path / "py" / "pack.toml").read_text("utf-8") == "mine"


@pytest.mark.parametrize(("code", "exit_code"), [("ZZ", 1), ("Peru", 2)])
def test_a_country_that_is_none_is_refused(code: str, exit_code: int, tmp_path: Path) -> None:
    """
    No folder is written for it.
    """
    assert run(["new", "pack", code, "--dir", str(tmp_path), *TODAY]) == exit_code
    assert list(tmp_path.iterdir()) == []


def test_the_same_day_gives_the_same_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """
    What is written rests on the day that is given and on nothing else; another day gives other dates.
    """
    for name, day in (("one", "2027-03-01"), ("two", "2027-03-01"), ("later", "2028-03-01")):
        assert run(["new", "pack", "PY", "--dir", str(tmp_path / name), "--at", day]) == 0
    one, two, later = (
        {path.name: path.read_text("utf-8") for path in sorted((tmp_path / name / "py").iterdir())}
        for name in ("one", "two", "later")
    )

    assert one == two
    assert parse_pack("x", one["pack.toml"], origin="x").updated_on.isoformat() == "2027-03-01"
    assert "through = 2032" in one["pack.toml"]
    assert ",PY,2027-0" in one["golden.csv"]
    assert ",PY,2028-0" in later["golden.csv"]
    assert run(["new", "pack", "PY", "--dir", str(tmp_path / "none"), "--at", "9999-01-01"]) == 2
    assert "expected a day from 1990 to 2095" in capsys.readouterr().err


def test_without_a_day_it_is_the_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Who names no day gets today, in UTC.
    """

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # the one call that is made
            assert tz is UTC
            return datetime(2029, 5, 6, 23, tzinfo=UTC)

    monkeypatch.setattr(_root, "datetime", Clock)

    assert run(["new", "pack", "PY", "--dir", str(tmp_path)]) == 0
    assert "updated_on = 2029-05-06" in (tmp_path / "py" / "pack.toml").read_text("utf-8")


def test_a_new_pack_takes_the_place_of_the_installed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A file called pack.toml is known by its folder, so who writes a better pack need not remove the other.
    """
    assert run(["new", "pack", "PY", "--dir", str(tmp_path), *TODAY]) == 0
    (tmp_path / "cobranza.toml").write_text('[compliance]\npacks = ["py/pack.toml"]', "utf-8")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    assert run(["packs", "show", "PY", "--json"]) == 0
    (shown,) = json.loads(capsys.readouterr().out)

    assert (shown["name"], shown["version"], shown["rules"][0]["citation"]) == (
        "py",
        "0.1",
        "Replace: name and number of the law (PY), replace: art. 1",
    )
