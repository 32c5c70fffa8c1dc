"""
Reading a CSV of cases.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobranza_sdk.compliance import Case, CasesError, Decider, case_result, read_cases

AT = "2026-05-12T10:00:00-05:00"


@pytest.fixture(scope="session")
def decider(packs: Any) -> Decider:
    """
    A country with two zones, and one without a pack.
    """
    zones = '{ "*" = ["America/Lima", "America/Santiago"], "XX-S" = ["America/Santiago"] }'
    rule = packs.rule("xx.window", "window", hours='{ mon-fri = "07:00-19:00" }', holidays='"open"')
    return Decider([packs.pack(rule, zones=zones)])


def read(decider: Decider, text: str) -> list[Case]:
    """
    All cases of a text.
    """
    return list(read_cases(io.StringIO(text), decider))


def test_missing_columns_take_the_strict_defaults(decider: Decider) -> None:
    """
    What a file does not say is not assumed in anybody's favour.
    """
    (case,) = read(decider, f"at,channel,country\n{AT},call,XX\n")

    contact = case.contact
    assert case.case_id == "1"
    assert (contact.recipient, contact.holder_confirmed, contact.consent) == ("unknown", False, "no")
    assert (contact.stage, contact.collector, contact.sector, contact.purpose) == (
        "administrative",
        "agency",
        "financial",
        "demand",
    )
    assert (contact.history, contact.flags, contact.region) == ((), frozenset(), None)


def test_blank_cells_are_missing_cells(decider: Decider) -> None:
    """
    A spreadsheet writes empty cells for what nobody filled in.
    """
    header = "case_id,country,region,at,channel,stage,recipient,collector,sector,consent,contacts,purpose,flags"
    (blank,) = read(decider, f"{header}\n,XX, ,{AT},call,,,,,, ,,\n")
    (short,) = read(decider, f"at,channel,country\n{AT},call,XX\n")

    assert blank == short


def test_every_column_arrives(decider: Decider) -> None:
    """
    Each documented column reaches the contact; a recipient that is named counts as confirmed.
    """
    header = "case_id,country,region,at,channel,stage,recipient,collector,sector,consent,contacts,purpose,flags"
    past = "sms@2026-05-11T09:00:00Z:read; call@2026-05-10 08:00-05:00 ;"
    row = f"7,XX,XX-S,{AT},whatsapp,judicial,guarantor,buyer,any,opted_out,{past},offer,a;b c|d"

    (case,) = read(decider, f"{header}\n{row}\n")

    contact = case.contact
    assert (case.case_id, contact.region, contact.stage, contact.recipient) == ("7", "XX-S", "judicial", "guarantor")
    assert (contact.collector, contact.sector, contact.consent, contact.purpose) == (
        "buyer",
        "any",
        "opted_out",
        "offer",
    )
    assert contact.holder_confirmed
    assert contact.flags == {"a", "b", "c", "d"}
    assert [(past.channel, past.outcome) for past in contact.history] == [("sms", "read"), ("call", None)]
    assert contact.history[0].at == datetime.fromisoformat("2026-05-11T09:00:00+00:00")


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeffat,channel,country\n{AT},call,XX\n",
        f'\ufeff"at","channel","country"\r\n"{AT}","call","XX"\r\n',
        f"country,expect_verdict,channel,note,at\nXX,deny,call,hello,{AT}\n",
        f" at , channel ,country\n{AT}, call ,XX\n",
        f"at,channel,country\n{AT},call,XX,\n\n",
    ],
    ids=["byte order mark", "mark and quotes", "unknown columns", "blanks", "trailing comma"],
)
def test_files_as_spreadsheets_write_them(decider: Decider, text: str) -> None:
    """
    A mark, quotes, blanks, other columns and their order change nothing.
    """
    (case,) = read(decider, text)
    (plain,) = read(decider, f"at,channel,country\n{AT},call,XX\n")

    assert case.contact == plain.contact


@pytest.mark.parametrize(
    ("at", "region", "verdict", "rule"),
    [
        ("2026-05-12T07:30:00-05:00", "", "allow", ""),
        ("2026-05-12T18:30:00-05:00", "", "allow", ""),
        ("2026-05-12T18:30:00-04:00", "", "allow", ""),
        ("2026-05-12T19:30:00-04:00", "", "defer", "xx.window"),
        ("2026-05-12T18:30:00-05:00", "XX-S", "defer", "xx.window"),
        ("2026-05-12T18:30:00-05:00", "XX-Q", "defer", "xx.window"),
        ("2026-05-12T10:00:00-03:00", "", "deny", "sdk.zone_unknown"),
        ("2026-05-12T10:00:00Z", "", "deny", "sdk.zone_unknown"),
        ("2026-12-15T10:00:00-03:00", "", "allow", ""),
    ],
)
def test_a_written_offset_narrows_the_zones(decider: Decider, at: str, region: str, verdict: str, rule: str) -> None:
    """
    Law 4: without a region the offset tells which zones fit at that instant, summer time included; none fits → deny.
    """
    (case,) = read(decider, f"at,channel,country,region\n{at},call,XX,{region}\n")

    result = case_result(case, decider.decide(case.contact))

    assert result["verdict"] == verdict
    assert [finding["rule"] for finding in result["findings"]] == ([rule] if rule else [])
    assert set(result) == {"case_id", "verdict", "not_before", "findings"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: column at is missing"),
        ("channel,country\ncall,XX\n", "line 1: column at is missing, expected at least at, channel, country"),
        (f"at,channel,country,consent,consent\n{AT},call,XX,no,yes\n", "line 1: column consent stands twice"),
        ("at,channel,country\nyesterday,call,XX\n", "line 2: at: found yesterday, expected ISO 8601 with an offset"),
        ("at,channel,country\n2026-05-12T10:00,call,XX\n", "line 2: at: found 2026-05-12T10:00, expected ISO 8601"),
        ("at,channel,country\n,call,XX\n", "line 2: at: found nothing"),
        ("at,channel,country\n0001-01-01T00:00:00+14:00,call,XX\n", "expected a year from 1990 to 2100"),
        ("at,channel,country\n9999-12-31T23:59:59-14:00,call,XX\n", "expected a year from 1990 to 2100"),
        (f"at,channel,country\n{AT},,XX\n", "line 2: channel is blank"),
        (f"at,channel,country\n{AT},call,\n", "line 2: country is blank"),
        (
            f"at,channel,country,recipient\n{AT},call,XX,debtor\n{AT},call,XX,uncle\n",
            "line 3: Contact.recipient must be",
        ),
        (f"at,channel,country,consent\n{AT},call,XX,maybe\n", "line 2: Contact.consent must be one of"),
        (f"at,channel,country,contacts\n{AT},call,XX,call\n", "line 2: contacts: found call, expected channel@ISO"),
        (f"at,channel,country,contacts\n{AT},call,XX,call@2026-13-01T00:00Z\n", "line 2: contacts: found 2026-13-01"),
        (f"at,channel,country,contacts\n{AT},call,XX,call@2026-05-12T10:00\n", "line 2: contacts: found call@"),
        (f"at,channel,country,contacts\n{AT},call,XX,call@0001-01-01T00:00+14:00\n", "contacts: found 0001"),
        (f"at,channel,country,flags\n{AT},call,XX,a,b\n", "line 2: found more cells than columns, expected 4"),
        (f'at,channel,country\n"{AT}"x,call,XX\n', "line 2: is no CSV"),
    ],
)
def test_a_bad_row_is_told_with_line_and_column(decider: Decider, text: str, said: str) -> None:
    """
    One clear error says where to look; the rows after it are not guessed.
    """
    with pytest.raises(CasesError) as caught:
        read(decider, text)

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rows_before_the_bad_one_are_read(decider: Decider) -> None:
    """
    Cases stream: a file of any size is never held whole.
    """
    rows: Iterator[str] = iter(["at,channel,country\n", f"{AT},call,XX\n", "bad,call,XX\n", f"{AT},call,XX\n"])
    cases = read_cases(rows, decider)

    assert next(cases).case_id == "1"
    with pytest.raises(CasesError):
        next(cases)
    assert list(rows) == [f"{AT},call,XX\n"]


def test_bytes_of_another_encoding_are_told(decider: Decider) -> None:
    """
    A file saved in the machine's old encoding is the commonest slip of all.
    """
    data = io.BytesIO(b"at,channel,country,note\n" + f"{AT},call,XX,".encode() + "año\n".encode("latin-1"))

    with pytest.raises(CasesError, match="is no UTF-8"):
        list(read_cases(io.TextIOWrapper(data, "utf-8", newline=""), decider))


dates = st.sampled_from([AT, "2026-05-12T10:00Z", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "2026-W20-2T10Z"])
cells = st.text(max_size=12) | dates | st.builds(lambda at: f"call@{at}:read", dates) | st.sampled_from(["XX", "call"])


@settings(max_examples=300)
@given(
    names=st.lists(st.sampled_from(["at", "channel", "country", "region", "contacts", "recipient", "x"]), max_size=9),
    rows=st.lists(st.lists(cells, max_size=9), max_size=3),
)
def test_no_table_raises_another_error(decider: Decider, names: list[str], rows: list[list[str]]) -> None:
    """
    Whatever stands in the cells, there is one kind of error; what can be read can be judged.
    """
    buffer = io.StringIO()
    csv.writer(buffer).writerows([names or ["at"], *rows])

    with suppress(CasesError):
        for case in read(decider, buffer.getvalue()):
            decider.decide(case.contact).to_dict()


@settings(max_examples=300)
@given(text=st.text(max_size=60), header=st.sampled_from(["", "at,channel,country\n"]))
def test_no_text_raises_another_error(decider: Decider, text: str, header: str) -> None:
    """
    Not a CSV at all, quotes left open, control characters: one kind of error.
    """
    with suppress(CasesError):
        read(decider, header + text)
