"""
What changed between two packs, and what was in force on a day, in words.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk.cli._root import run


def rules(packs: Any, *, hours: str = "20:00", limit: str = "3", last: str = "consent") -> list[str]:
    """
    A window that ends in 2024, a cap, and one more.
    """
    return [
        packs.rule(
            "xx.window", "window", hours=f'{{ mon-fri = "07:00-{hours}" }}', holidays='"closed"',
            effective_to="2024-12-31",
        ),
        packs.rule("xx.cap", "cap", limit=limit, period='"7 days"'),
        packs.rule(f"xx.{last}", last),
    ]  # fmt: skip


@pytest.fixture
def two(packs: Any, tmp_path: Path) -> tuple[str, str]:
    """
    Two files of one pack.
    """
    (tmp_path / "a.toml").write_text(packs.text(*rules(packs)), "utf-8")
    new = packs.text(*rules(packs, hours="19:00", limit="2", last="forbid"), zones='{ "*" = ["America/Bogota"] }')
    (tmp_path / "b.toml").write_text(new.replace("through = 2035", "through = 2036, add = [2026-08-05]"), "utf-8")
    return str(tmp_path / "a.toml"), str(tmp_path / "b.toml")


def test_every_change_is_told_by_field(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """
    Hours, caps, zones, holidays, and rules that came and went; nothing else.
    """
    assert run(["packs", "diff", *two, "--json"]) == 0

    told = {
        (d["what"], d["field"]): (d["before"], d["after"]) for d in json.loads(capsys.readouterr().out)["differences"]
    }
    assert told["rule xx.cap", "limit"] == ("at most 3", "at most 2")
    assert "fri 07:00-20:00" in told["rule xx.window", "hours"][0]
    assert "fri 07:00-19:00" in told["rule xx.window", "hours"][1]
    assert told["countries.XX", "zones.*"] == ("America/Lima", "America/Bogota")
    assert told["countries.XX", "holidays.add"] == (None, "2026-08-05")
    assert told["countries.XX", "through"] == ("2035", "2036")
    assert told["rule xx.consent", ""][1] is None
    assert told["rule xx.forbid", ""][0] is None
    assert len(told) == 7


def test_the_countries_of_a_platform_s_rule_are_told(
    packs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Where a rule holds is part of what it says, in `diff` as in `show`.
    """
    head = 'scope = "platform"\nstatus = "draft"'
    for name, countries in (("a", '["US", "CA"]'), ("b", '{ except = ["US"] }')):
        rule = packs.rule("some.forbid", "forbid", countries=countries)
        (tmp_path / f"{name}.toml").write_text(packs.text(rule, name="some", country="", head=head), "utf-8")

    assert run(["packs", "diff", str(tmp_path / "a.toml"), str(tmp_path / "b.toml"), "--json"]) == 0

    (told,) = json.loads(capsys.readouterr().out)["differences"]
    assert (told["what"], told["field"]) == ("rule some.forbid", "countries")
    assert (told["before"], told["after"]) == ("CA, US", "all but US")


def test_a_pack_does_not_differ_from_itself(two: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """
    Also by the name of an installed one.
    """
    assert run(["packs", "diff", two[0], two[0]]) == 0
    assert run(["packs", "diff", "pe", "PE"]) == 0
    assert capsys.readouterr().out.count("say the same") == 2
    assert run(["packs", "diff", "pe", "nowhere"]) == 2


def test_show_at_a_date_shows_what_was_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    """
    Peru's law on unwanted messages came in 2025.
    """
    ids = []
    for which in ("pe@2022-01-31", "pe"):
        assert run(["packs", "show", which, "--json"]) == 0
        ids.append({rule["id"] for pack in json.loads(capsys.readouterr().out) for rule in pack["rules"]})

    assert ids[0] < ids[1]
    assert run(["packs", "show", "pe"]) == 0
    assert "07:00-20:00" in capsys.readouterr().out
    assert run(["packs", "show", "pe@soon"]) == 2
