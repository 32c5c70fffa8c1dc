"""
Overlays: a decreed holiday counts at once, and the decision says by which file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk.cli._root import run
from cobranza_sdk.compliance import Decider, OverlayError, parse_overlay

GOOD = """
format = 1
[overlay]
pack = "xx"
version = "d1"
updated_on = 2026-08-01
reason = "decree 1"
add = [2026-08-05]
remove = [2026-07-28]
"""


def decider(packs: Any, *texts: str) -> Decider:
    """
    A pack closed on Peru's holidays, with overlays.
    """
    rule = packs.rule("xx.window", "window", hours='{ mon-fri = "07:00-20:00" }', holidays='"closed"')
    overlays = [parse_overlay(text, origin=f"{number}.toml") for number, text in enumerate(texts)]
    return Decider([packs.pack(rule)], overlays=overlays)


def verdict(packs: Any, day: str, *texts: str, **fields: Any) -> str:
    """
    What is decided at noon.
    """
    return str(decider(packs, *texts).decide(packs.contact(f"{day}T12:00-05:00", **fields)).verdict)


def test_a_day_is_added_and_a_day_is_removed_and_the_label_says_so(packs: Any) -> None:
    """
    Without the overlay the days are as the calendar has them.
    """
    assert [verdict(packs, day) for day in ("2026-08-05", "2026-07-28")] == ["allow", "defer"]
    assert [verdict(packs, day, GOOD) for day in ("2026-08-05", "2026-07-28")] == ["defer", "allow"]
    decision = decider(packs, GOOD).decide(packs.contact("2026-08-05T12:00-05:00"))
    assert decision.findings[0].pack == "xx 1+d1"
    assert decision.basis == ("xx 1+d1: xx.window",)


def test_a_regional_day_counts_there_and_where_the_region_is_not_known(packs: Any) -> None:
    """
    Elsewhere it is a day as any other; what is removed in a region stays a holiday where the region is not known.
    """
    text = f'{GOOD}region = "XX-A"'

    added = [verdict(packs, "2026-08-05", text, region=region) for region in ("XX-A", None, "XX-B")]
    removed = [verdict(packs, "2026-07-28", text, region=region) for region in ("XX-A", None, "XX-B")]

    assert added == ["defer", "defer", "allow"]
    assert removed == ["allow", "defer", "defer"]


@pytest.mark.parametrize(
    ("found", "instead", "said"),
    [
        ('"xx"', '"zz"', "overlay.pack: found zz, expected one of xx"),
        ("[2026-08-05]", "[2026-08-05, 2026-08-05]", "overlay.add: 2026-08-05 stands twice"),
        ("[2026-08-05]", "[2026-07-28]", "overlay.add: 2026-07-28 stands twice"),
        ("[2026-08-05]", '["soon"]', "overlay.add: expected a list of dates"),
        ("remove", "without", "overlay.without: unknown key"),
        ('"d1"', '"d 1"', "overlay.version: expected letters"),
        ('reason = "decree 1"', "", "overlay.reason: missing"),
        ("format = 1", "format = 2", "format: expected the number 1"),
        ("format = 1", "format = ", "is no TOML"),
        ('reason = "decree 1"', 'reason = "x"\nregion = "PE-LIM"', "overlay.country: found None, expected one of XX"),
    ],
)
def test_a_mistake_is_one_clear_error(packs: Any, found: str, instead: str, said: str) -> None:
    """
    File, key, what was found and what is expected.
    """
    assert found in GOOD

    with pytest.raises(OverlayError) as caught:
        _ = decider(packs, GOOD.replace(found, instead, 1)).packs

    assert str(caught.value).startswith(f"overlay 0.toml: {said}")


def test_a_date_in_two_overlays_is_refused(packs: Any) -> None:
    """
    Nobody has to guess which one wins.
    """
    with pytest.raises(OverlayError, match=r"1\.toml: overlay\.add: 2026-07-28 stands in 0\.toml too"):
        _ = decider(packs, GOOD, GOOD).packs


def test_the_command_and_the_configuration_take_overlays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    By option without a configuration, and by the configuration without an option.
    """
    monkeypatch.chdir(tmp_path)
    Path("day.toml").write_text(GOOD.replace('"xx"', '"pe"'), "utf-8")
    line = "decide --country PE --channel call --recipient debtor --at 2026-08-05T12:00:00-05:00 --json".split()

    assert run([*line, "--overlay", "day.toml"]) == 0
    by_option = json.loads(capsys.readouterr().out)
    Path("cobranza.toml").write_text('[compliance]\noverlays = ["day.toml"]\n', "utf-8")
    assert run(line) == 0

    assert json.loads(capsys.readouterr().out) == by_option
    assert by_option["verdict"] == "defer"
    assert by_option["drafts"][0].endswith("+d1")
