"""
Encodings, delimiters and quotes: what a file is before it has columns.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cobranza_erp_csv._dialect import MAX_LINE, RowReader, declared_delimiter, examine

TEXT = "Señor Ñandú pagó ½ café en Bogotá, año próximo: ¿sí o no? Peña, Núñez, Güemes, Íñigo, María José\n"


def rows(text: str, *, delimiter: str = ",", width: int | None = None) -> list[tuple[int, list[str], str | None]]:
    """
    Split *text* as a file with universal line ends would be.
    """
    stream = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8", newline=None)
    return [(row.line, row.cells, row.problem) for row in RowReader(delimiter, width).rows(stream)]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "cp850", "mac_roman", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_the_encoding_is_found_in_the_bytes(tmp_path: Path, encoding: str) -> None:
    """
    F69: a name with a broken ñ is a letter to nobody.
    """
    text = TEXT.replace("½ ", "")
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode(encoding))

    facts = examine(path, None)

    assert path.read_text(facts.encoding) == text


def test_a_declared_encoding_is_not_second_guessed(tmp_path: Path) -> None:
    """
    F69: what the operator declares wins over what the bytes look like.
    """
    path = tmp_path / "a.csv"
    path.write_bytes("ñ".encode())

    assert examine(path, "cp1252").encoding == "cp1252"


def test_a_late_byte_decides_against_utf8(tmp_path: Path) -> None:
    """
    F69: one letter far behind a sample must not break the import half way.
    """
    path = tmp_path / "a.csv"
    path.write_bytes(b"abc,def\n" * 100_000 + "Peña\n".encode("cp1252"))

    assert examine(path, None).encoding == "cp1252"


def test_a_letter_over_two_chunks_is_still_utf8(tmp_path: Path) -> None:
    """
    F69: the end of a block of bytes is not the end of a letter.
    """
    path = tmp_path / "a.csv"
    path.write_bytes(b"a" * ((1 << 18) - 1) + "ñ".encode() + b"a" * 100)

    assert examine(path, None).encoding == "utf-8"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Peña,1\nMuñ".encode()[:-1], "utf-8"),
        ("Pena,1\nMuñ".encode("cp1252"), "cp1252"),
        ("Peña,1\nMuñ".encode("cp1252"), "cp1252"),
    ],
    ids=["UTF-8 cut within a letter", "one letter at the end", "cp1252"],
)
def test_a_file_cut_within_a_letter_keeps_its_encoding(tmp_path: Path, content: bytes, expected: str) -> None:
    """
    F67, F69: half a letter at the end must not break the letters of all rows before it.
    """
    path = tmp_path / "a.csv"
    path.write_bytes(content)

    assert examine(path, None).encoding == expected


@pytest.mark.parametrize(("first", "expected"), [("sep=;\n", ";"), ('"sep=|"\r\n', "|"), ("a;b\n", None), ("", None)])
def test_the_first_line_may_name_the_delimiter(tmp_path: Path, first: str, expected: str | None) -> None:
    """
    Excel writes sep=; for itself; it is no row.
    """
    path = tmp_path / "a.csv"
    path.write_text(first, newline="")

    assert declared_delimiter(path, "utf-8") == expected


def test_mixed_line_ends_and_control_z() -> None:
    """
    F69: files that went through DOS, Mac and Unix are still files.
    """
    assert [cells for _, cells, _ in rows("a,b\r\nc,d\re,f\n\n  \ng,h\x1a")] == [
        ["a", "b"],
        ["c", "d"],
        ["e", "f"],
        ["g", "h"],
    ]


def test_quoted_cells_keep_delimiters_quotes_and_line_ends() -> None:
    """
    Addresses and notes hold all three.
    """
    assert rows('a,"b,""x""",c\n"Av. 1\nLima",2,3\n', width=3) == [
        (1, ["a", 'b,"x"', "c"], None),
        (2, ["Av. 1\nLima", "2", "3"], None),
    ]


def test_a_lost_quote_costs_its_line_only() -> None:
    """
    F67: the standard reader merges the rest of the file into one cell, silently.
    """
    found = rows('a,"b,c\n' + "".join(f"{n},x,y\n" for n in range(50)), width=3)

    assert found[0][0] == 1
    assert "never closes" in str(found[0][2])
    assert [cells[0] for _, cells, _ in found[1:]] == [str(n) for n in range(50)]


def test_two_lost_quotes_do_not_swallow_the_rows_between() -> None:
    """
    F67: two broken lines may close each other's quote; the good rows between them are read.
    """
    found = rows('a,"b,c\nd,e,f\ng,h",i,j\nk,l,m\n', width=3)

    assert [(line, problem is None) for line, _, problem in found] == [(1, False), (2, True), (3, True), (4, True)]
    assert found[1][1] == ["d", "e", "f"]


def test_a_cell_that_swallowed_a_whole_row_is_not_believed() -> None:
    """
    F67: two broken lines can add up to a row of the right width, with a good row lost inside one cell.
    """
    found = rows('a,"b,c\nd,e,f\ng",h\n', width=3)

    assert "never closes" in str(found[0][2])
    assert found[1] == (2, ["d", "e", "f"], None)


def test_text_behind_a_closing_quote_is_refused() -> None:
    """
    F67: strictness is what shows that a quote is out of place.
    """
    assert rows('"a"b,c\nd,e\n')[0][2] is not None
    assert rows('"a"b,c\nd,e\n')[1][1] == ["d", "e"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a,\0b", "NUL"),
        ("x" * 70_000, "64 KiB"),
        ('"' + "x" * 70_000 + '",1', "64 KiB"),
        ("x" * (MAX_LINE + 5), "1 MiB"),
        ("," * 300, "more than 200"),
    ],
)
def test_a_monstrous_line_is_refused_and_the_next_is_read(line: str, reason: str) -> None:
    """
    F68, F69: limits keep one line from taking the memory, and the rest of the file is still good.
    """
    found = rows(f"{line}\nd,e\n")

    assert reason in str(found[0][2])
    assert found[1] == (2, ["d", "e"], None)
