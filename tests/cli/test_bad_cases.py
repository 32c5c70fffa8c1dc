"""
Bad input on the command line: ``decide`` and ``packs check`` refuse by name or end with one clear error.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk.cli._root import run

AT = "2026-05-12T10:00:00-05:00"
HEAD = "at,channel,country"
ROW = f"{AT},call,PE"
OVERLAY = 'format = 1\n[overlay]\npack = "pe"\nversion = "d1"\nupdated_on = 2026-08-01\nreason = "decree"\n'
PACK = """
format = 1
[pack]
name = "xx"
version = "1"
status = "draft"
updated_on = 2026-01-01
title = { es = "a", pt = "b", en = "c" }
[countries.XX]
zones = { "*" = ["America/Lima"] }
holidays = { calendar = "PE", through = 2035 }
[norms.law]
title = "Law 1"
source = "gazette"
read_on = 2026-01-01
effective_from = 2020-01-01
[[rule]]
id = "xx.cap"
kind = "cap"
norm = "law"
article = "art. 1"
limit = 3
period = "7 days"
confidence = "low"
message = { es = "a", pt = "b", en = "c" }
"""


@pytest.fixture
def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any, str]]:
    """
    Run a command in an empty folder: its exit code, its document, and what it says on stderr.
    """
    monkeypatch.chdir(tmp_path)

    def go(*words: str) -> tuple[int, Any, str]:
        code = run([*words, "--json"])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        assert "unexpected" not in printed.err
        return code, json.loads(printed.out) if printed.out.strip() else None, printed.err

    return go


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "line 1: column at is missing"),
        (f"{HEAD}\n{ROW}\n".replace(",", ";").encode(), "the columns stand apart by semicolons: write commas"),
        (f"{HEAD}\n{ROW}\n".replace(",", "\t").encode(), "the columns stand apart by tabs: write commas"),
        (f"{HEAD}\n{ROW}\n".encode("utf-16"), "line 1: is no UTF-8"),
        (f"{HEAD}\n{ROW}\n".encode("utf-16-le"), "line 1: holds a zero byte, expected text in UTF-8"),
        (f"{HEAD},flags\n{ROW},threat\0\n".encode(), "line 2: holds a zero byte"),
        (f"{HEAD},flags\n{ROW},{'x' * 200_000}\n".encode(), "line 2: is no CSV: field larger than field limit"),
        (f"{HEAD},Contacts\n{ROW},junk\n".encode(), "line 2: contacts: found junk, expected channel@ISO"),
        (f"{HEAD},contacts\n{ROW},call@2026-05-11T10:00:00\n".encode(), "line 2: contacts: found call@2026-05-11"),
        (f"{HEAD},Flags,flags\n{ROW},a,b\n".encode(), "line 1: column flags stands twice"),
        (f"{HEAD}\n2026-05-12T10:00:00,call,PE\n".encode(), "line 2: at: found 2026-05-12T10:00:00, expected ISO 8601"),
        (f"{HEAD}\n1989-12-31T23:59:59Z,call,PE\n".encode(), "expected a year from 1990 to 2100"),
        (f"{HEAD}\n2101-01-01T00:00:00Z,call,PE\n".encode(), "expected a year from 1990 to 2100"),
        (f"{HEAD},stage\n{ROW},ALLOW\n".encode(), "line 2: Contact.stage must be one of"),
        (f"{HEAD},consent\n{ROW},maybe\n".encode(), "line 2: Contact.consent must be one of"),
        (f"{HEAD}\n{ROW},more\n".encode(), "line 2: found more cells than columns, expected 3"),
    ],
    ids=[
        "empty", "semicolons", "tabs", "utf-16", "utf-16 without a mark", "zero byte", "huge field", "capital column",
        "naive history", "column twice", "naive", "before the years", "after the years", "stage", "consent",
        "more cells",
    ],
)  # fmt: skip
def test_a_file_of_cases_that_cannot_be_read_is_one_error(told: Any, tmp_path: Path, data: bytes, said: str) -> None:
    """
    Law 4: file, line and column, what was found and what is expected; no case is decided.
    """
    (tmp_path / "cases.csv").write_bytes(data)

    code, found, error = told("decide", "--cases", "cases.csv")

    assert (code, found) == (1, None)
    assert error.startswith("error: cases.csv: ")
    assert said in error


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff{HEAD}\n{ROW}\n",
        f'\ufeff"at","channel","country"\r\n"{AT}","call","PE"\r\n',
        f"{HEAD}\n{ROW}\n".replace("\n", "\r"),
        f"At,CHANNEL,Country\n{ROW}\n",
        f"{HEAD},note\n{ROW},hello\n",
        f"{HEAD},region,stage,recipient,consent,contacts,flags\n{ROW}, ,,,,,\n",
        f"{HEAD}\n\n{ROW}\n\n",
    ],
    ids=["mark", "mark and quotes", "carriage returns", "capitals", "unknown column", "blank cells", "blank lines"],
)
def test_a_file_as_spreadsheets_write_it_is_read_with_the_strict_defaults(told: Any, tmp_path: Path, text: str) -> None:
    """
    What is not said is not assumed: the holder is not known, so nothing may be disclosed.
    """
    (tmp_path / "cases.csv").write_text(text, "utf-8", newline="")

    code, found, _ = told("decide", "--cases", "cases.csv")

    assert code == 0
    assert [(case["verdict"], [finding["rule"] for finding in case["findings"]]) for case in found] == [
        ("amend", ["pe.third_party"])
    ]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        (["--country", "ZZ"], "sdk.country_unknown"),
        (["--channel", "fax"], "sdk.channel_unknown"),
        (["--channel", "Call"], "sdk.channel_unknown"),
        (["--region", "PE-ZZZ"], "sdk.region_unknown"),
        (["--region", "AR-B"], "sdk.region_unknown"),
        (["--region", "PE\u2028"], "sdk.region_unknown"),
        (["--at", "1990-01-01T00:00:00Z"], "sdk.zone_unknown"),
        (["--region", "PE-LIM", "--at", "1990-01-01T00:00:00+05:00"], "sdk.date_unknown"),
        (["--consent", "opted_out"], "sdk.opted_out"),
        (["--flags", "x\u2028threat\njudicial_lookalike"], "pe.content"),
    ],
    ids=lambda value: ascii(" ".join(value))[1:40] if isinstance(value, list) else "",
)
def test_one_contact_that_nobody_knows_is_refused_by_name(told: Any, changes: list[str], rule: str) -> None:
    """
    Law 4: the same answers as from a file, for one contact by options, whatever stands in them.
    """
    line = ["--country", "PE", "--channel", "call", "--at", AT, "--recipient", "debtor", "--consent", "yes"]

    code, found, error = told("decide", *line, *changes)

    assert (code, error) == (0, "")
    assert found["verdict"] == "deny"
    assert rule in [finding["rule"] for finding in found["findings"]]


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        (["--at", "2026-05-12T10:00:00"], 2, "expected ISO 8601 with an offset"),
        (["--at", "0001-01-01T00:00:00Z"], 1, "at: found 0001-01-01T00:00:00+00:00, expected a year from 1990"),
        (["--at", "9999-12-31T23:59:59Z"], 1, "expected a year from 1990 to 2100"),
        (["--contacts", "call"], 1, "contacts: found call, expected channel@ISO"),
        (["--contacts", "call@2026-05-11T10:00:00"], 1, "contacts: found call@2026-05-11T10:00:00"),
        (["--flags", "a\0b"], 1, "holds a zero byte"),
        (["--flags", "x" * 200_000], 1, "field larger than field limit"),
        (["--channel", " "], 1, "channel is blank"),
        (["--stage", "final"], 2, "is not one of"),
    ],
    ids=lambda value: ascii(" ".join(value))[1:40] if isinstance(value, list) else "",
)
def test_one_contact_that_is_none_is_one_error(told: Any, changes: list[str], code: int, said: str) -> None:
    """
    What was found and what is expected, and nothing is decided.
    """
    found = told("decide", "--country", "PE", "--channel", "call", "--at", AT, *changes)

    assert found[:2] == (code, None)
    assert said in found[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{OVERLAY}add = 5", "overlay.add: found int, expected a list of dates"),
        (f'{OVERLAY}add = ["2026-13-45"]', "overlay.add: expected a list of dates"),
        (f"{OVERLAY}add = [2026-02-30]", "is no TOML"),
        (f"{OVERLAY}add = [2026-08-05]".replace('"pe"', '"zz"'), "overlay.pack: found zz, expected one of ar"),
        (f'{OVERLAY}add = [2026-08-05]\nregion = "PE-ZZZ"', "overlay.region: found PE-ZZZ, expected a region of PE"),
        ("a = " + "[" * 100_000, "it is nested too deeply"),
    ],
    ids=["number", "text", "30 February", "unknown pack", "unknown region", "nested"],
)
def test_an_overlay_that_cannot_be_used_is_one_error(told: Any, tmp_path: Path, text: str, said: str) -> None:
    """
    Nothing is decided by half of a calendar.
    """
    (tmp_path / "day.toml").write_text(text, "utf-8")

    code, found, error = told("decide", "--country", "PE", "--channel", "call", "--at", AT, "--overlay", "day.toml")

    assert (code, found) == (1, None)
    assert error.startswith("error: overlay ")
    assert said in error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("limit = 3", "limit = 0"), "rule xx.cap.limit: expected a whole number from 1"),
        (("limit = 3", "limit = -1"), "rule xx.cap.limit: expected a whole number from 1"),
        (('period = "7 days"', ""), "rule xx.cap.period: missing"),
        (('kind = "cap"', 'kind = "roof"'), "rule xx.cap.kind: found roof, expected one of window"),
        (("limit = 3", "limit = 3\nlimits = 4"), "rule xx.cap.limits: unknown key"),
        (("limit = 3", 'limit = 3\nregions = ["PE-LIM"]'), "rule xx.cap.regions: found PE-LIM"),
        (("limit = 3", 'limit = 3\nfamilies = ["fax"]'), "rule xx.cap.families: found fax"),
        (("effective_from = 2020-01-01", "effective_from = 2020-01-01\neffective_to = 2019-01-01"), "norms.law.effect"),
        (("America/Lima", "America/Nowhere"), "countries.XX.zones.*: found America/Nowhere, expected an IANA zone"),
        (("America/Lima", "localtime"), "countries.XX.zones.*: found localtime, expected an IANA zone"),
        (("format = 1", "a = " + "[" * 100_000), "is no TOML: it is nested too deeply"),
    ],
    ids=[
        "no limit", "negative", "no period", "kind", "key", "region elsewhere", "family", "ends before it begins",
        "zone", "the machine's clock", "nested",
    ],
)  # fmt: skip
def test_a_pack_with_a_mistake_fails_its_check_with_the_key(
    told: Any, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    """
    ``packs check`` ends with 1 and names the key, what was found and what is expected.
    """
    assert change[0] in PACK
    (tmp_path / "xx.toml").write_text(PACK.replace(*change), "utf-8")

    code, found, _ = told("packs", "check", "xx.toml")

    assert (code, found["ok"]) == (1, False)
    assert any(problem["part"] == "schema" and said in problem["text"] for problem in found["problems"])


def test_a_rule_for_ever_passes_its_check(told: Any, tmp_path: Path) -> None:
    """
    The last day that a calendar knows is a common way to write "for ever".
    """
    (tmp_path / "xx.toml").write_text(f"{PACK}effective_to = 9999-12-31\n", "utf-8")

    code, found, _ = told("packs", "check", "xx.toml")

    assert (code, found["problems"]) == (0, [])
