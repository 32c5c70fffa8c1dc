"""
A letter says every word of its text, in the window and on its pages, and is the same file each time.
"""

from __future__ import annotations

import builtins
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cobranza_agent_tasks._letters import (
    PAGES,
    Letter,
    LetterError,
    Mark,
    Sheet,
    address_lines,
    compose,
    pdf_of,
    qr_rows,
)

pytest.importorskip("reportlab", reason="the extra letters is not installed")

NOW = datetime(2026, 8, 5, 15, 0, tzinfo=UTC)
LETTER = Letter(
    sender=("Tienda Andina S.A.C.", "Av. Inventada 100, Lima"),
    address="Ana Prueba Núñez | Jr. Inventado 1 | 15001 Lima | PERÚ",
    subject="Tienda Andina: un mensaje para usted",
    text="Señora: su cuota de € 12,50 venció. Não é cobrança judicial.\n\nAtentamente,\nTienda Andina",
    made_at=NOW,
)
LONG = "\n".join(f"Línea {number} de una carta muy larga." for number in range(120))


def words(sheets: list[Sheet]) -> str:
    return " ".join(mark.text for sheet in sheets for mark in sheet.marks)


def width_of(mark: Mark) -> float:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    return float(stringWidth(mark.text, mark.font, mark.size)) * 25.4 / 72


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_word_stands_on_the_page(page: str) -> None:
    """
    With ñ, ç, ã and €, inside the margins, the address in the envelope's window.
    """
    (sheet,) = compose(evolve(LETTER, page=page))
    width, height, window_x, window_y = PAGES[page]

    found = words([sheet])
    for line in (*LETTER.sender, "Ana Prueba Núñez", "PERÚ", LETTER.subject or "", "€ 12,50", "cobrança", "1/1"):
        assert line in found
    assert all(mark.x >= 20 and mark.y <= height and mark.x + width_of(mark) <= width - 19 for mark in sheet.marks)
    block = [mark for mark in sheet.marks if (mark.x, mark.size) == (window_x, 10.0) and mark.y < 90]
    assert [mark.text for mark in block][:4] == ["Ana Prueba Núñez", "Jr. Inventado 1", "15001 Lima", "PERÚ"]
    assert block[0].y == window_y


def test_a_long_letter_has_numbered_pages_and_loses_no_line() -> None:
    sheets = compose(evolve(LETTER, text=LONG))

    assert len(sheets) == 3
    assert [sheet.marks[-1].text for sheet in sheets] == ["1/3", "2/3", "3/3"]
    lines = [mark.text for sheet in sheets for mark in sheet.marks if mark.text.startswith("Línea")]
    assert lines == LONG.splitlines()
    height = PAGES["a4"][1]
    assert all(mark.y <= height - 12 for sheet in sheets for mark in sheet.marks)


@given(st.lists(st.text("abcñçã€ .", min_size=1, max_size=400), max_size=5))
def test_no_line_is_wider_than_the_page_and_no_letter_is_lost(parts: list[str]) -> None:
    """
    A word that is wider than the page is cut, not printed past its edge.
    """
    sheets = compose(evolve(LETTER, sender=(), subject=None, text="x" + "\n".join(parts) + "x"))
    marks = [mark for sheet in sheets for mark in sheet.marks[:-1]][4:]

    assert all(mark.x + width_of(mark) <= 210 - 19 for mark in marks)
    assert "".join("".join(mark.text for mark in marks).split()) == "".join(("x" + "\n".join(parts) + "x").split())


def test_the_file_is_the_same_each_time_and_says_when_the_letter_was_made() -> None:
    """
    The machine's clock is not asked: two prints of one letter can be compared.
    """
    one = pdf_of(LETTER)

    assert one == pdf_of(LETTER)
    assert one.startswith(b"%PDF-")
    assert b"D:20260805150000+00'00'" in one
    assert one != pdf_of(evolve(LETTER, text="otra"))


@pytest.mark.parametrize(("page", "box"), [("a4", (595, 841)), ("letter", (612, 792))])
def test_the_paper_is_the_one_that_is_configured(page: str, box: tuple[int, int]) -> None:
    (found,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf_of(evolve(LETTER, page=page)))

    assert tuple(int(float(each)) for each in found) == box


def test_a_date_is_printed_where_it_is_asked_for() -> None:
    assert "2026-08-05" not in words(compose(LETTER))
    assert "2026-08-05" in words(compose(evolve(LETTER, dated=date(2026, 8, 5))))


@pytest.mark.parametrize("text", ["Gracias 🙂", "支払い"])
def test_what_cannot_be_printed_is_not_printed_with_gaps(text: str) -> None:
    with pytest.raises(LetterError, match=r"cannot be printed: U\+"):
        pdf_of(evolve(LETTER, text=text))


def test_blanks_that_fonts_lack_are_blanks() -> None:
    """
    Amounts are written with them in some locales.
    """
    assert "S/ 1 234" in words(compose(evolve(LETTER, text="S/\u00a01\u202f234")))


@pytest.mark.parametrize("address", ["", " | ", " | ".join("abcdefgh")])
def test_an_address_that_does_not_fit_the_window_is_refused(address: str) -> None:
    with pytest.raises(LetterError, match="the address has"):
        pdf_of(evolve(LETTER, address=address))


def test_a_long_line_of_an_address_is_wrapped() -> None:
    compose(LETTER)  # the fonts are there from now on

    assert len(address_lines("Avenida " + "Inventada " * 8 + "| Lima")) == 4


def test_a_payment_link_is_drawn_once_and_only_if_it_is_one() -> None:
    """
    Whatever other addresses the text has, the picture leads to where people pay.
    """
    text = "Consultas: https://ayuda.example/ Pague: https://pay.example/R-1. Gracias. https://pay.example/R-2"

    (sheet,) = compose(evolve(LETTER, text=text, qr_prefix="https://pay.example/"))
    assert sheet.qr is not None
    assert sheet.qr[0] == "https://pay.example/R-1"
    assert compose(evolve(LETTER, text=text))[0].qr is None
    assert compose(evolve(LETTER, text="https://ayuda.example/", qr_prefix="https://pay.example/"))[0].qr is None
    assert len(pdf_of(evolve(LETTER, text=text, qr_prefix="https://pay.example/"))) > len(
        pdf_of(evolve(LETTER, text=text))
    )


@pytest.mark.parametrize("host", ["pay.example.evil.example", "pay.example@evil.example", "pay.example:1@evil.example"])
def test_a_host_that_only_begins_like_ours_is_not_drawn(host: str) -> None:
    """
    A name in the portfolio may be anything, an address too; and nobody reads a picture.
    """
    text = f"Estimado https://{host}/: pague en https://pay.example/R-1."

    (sheet,) = compose(evolve(LETTER, text=text, qr_prefix="https://pay.example"))

    assert sheet.qr is not None
    assert sheet.qr[0] == "https://pay.example/R-1"


def test_an_address_that_no_picture_holds_is_printed_without_one() -> None:
    """
    One letter must not end the command, with those behind it unprinted.
    """
    letter = evolve(LETTER, text="https://pay.example/" + "a" * 3000, qr_prefix="https://pay.example/")

    assert compose(letter)[-1].qr is None
    assert pdf_of(letter).startswith(b"%PDF-")


def test_a_picture_that_has_no_room_gets_a_page() -> None:
    text = "https://pay.example/R-1\n" + "\n".join("x" for _ in range(33))

    sheets = compose(evolve(LETTER, text=text, qr_prefix="https://pay.example/"))

    assert [sheet.qr is None for sheet in sheets] == [True, False]


def test_the_picture_is_the_code_of_the_address() -> None:
    """
    Square, with its three finders.
    """
    rows = qr_rows("https://pay.example/R-1")

    assert all(len(row) == len(rows) for row in rows)
    finder = [1, 1, 1, 1, 1, 1, 1]
    assert (list(rows[0][:7]), list(rows[0][-7:]), list(rows[-1][:7])) == (finder, finder, finder)


@pytest.mark.parametrize(("module", "needs"), [("reportlab", "letters need reportlab"), ("segno", "needs segno")])
def test_a_missing_library_is_named_with_its_extra(module: str, needs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == module:
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LetterError, match=needs) as caught:
        pdf_of(evolve(LETTER, text="https://pay.example/1", qr_prefix="https://pay.example/"))
    assert "cobranza-agent-tasks[letters]" in (caught.value.hint or "")
