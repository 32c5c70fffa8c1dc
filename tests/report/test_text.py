"""
The report as plain text.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cobranza_sdk.model import InvalidValueError
from cobranza_sdk.report import Report, to_text
from cobranza_sdk.report._words import _FORMULAS, _WORDS

Reporter = Callable[..., Report]
LANGUAGES = ("es", "en", "pt")


@pytest.mark.parametrize("language", [*LANGUAGES, "es-PE", "pt-BR"])
def test_the_text_fits_its_width_whatever_is_in_it(report_on: Reporter, language: str) -> None:
    """
    Long names wrap; figures do not get lost.
    """
    told = report_on(
        creditor="Fondo de Inversión " * 12,
        states=[(f"{'channel' * 9}{place}", "read", 10**9 + place) for place in range(13)],
        judged=[("deny", "pe." + "window" * 30, "Ley " + "artículo " * 60, 123456789)],
        open=[("COP", "91+", 2**63 - 1, 10**9)],
    )

    text = to_text(told, language=language)

    assert max(map(len, text.splitlines())) <= 100
    assert "92.233.720.368.547.758,07" in text or "92,233,720,368,547,758.07" in text
    assert all(f"000{place:03}" in "".join(c for c in text if c.isalnum() or c == "\n") for place in range(13))


def test_the_text_is_plain(report_on: Reporter) -> None:
    """
    No colour, no markup, nothing that a terminal would obey, no blanks at the ends.
    """
    text = to_text(report_on(creditor="[bold]Ana\x1b[31m :smile:\r\n", states=[("a\tb\x07", "sent", 1)]))

    assert text.isascii() or all(char.isprintable() for line in text.split("\n") for char in line)
    assert "[bold]Ana" in text
    assert ":smile:" in text
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.split("\n"))


def test_the_text_says_when_and_how_much(full: Report) -> None:
    """
    S-108: the instant stands with its offset; every part names its formula.
    """
    text = to_text(full, language="en")

    assert "Figures as of: Mar 9, 2026, 15:30:00 (UTC+00:00)" in text
    assert "Planned   " in text
    assert "CLP1,234,567" in text
    assert "66.4" not in text
    assert "67.1%" in text
    for formula in ("attempts.funnel", "compl.decisions", "aging.v1", "delinq.balance"):
        assert f"[{formula}]" in text


def test_an_empty_store_gives_a_text(report_on: Reporter) -> None:
    """
    The first day has nothing to show, and says so.
    """
    text = to_text(report_on())

    assert text.count("Sin datos.") == 4


def test_three_languages_say_the_same_things() -> None:
    """
    A word missing in one language would only fail for its readers.
    """
    for words in (_WORDS, _FORMULAS):
        assert set(words) == set(LANGUAGES)
        assert set(words["es"]) == set(words["en"]) == set(words["pt"])


@pytest.mark.parametrize("language", ["fr", "", "esp", "es_PE"])
def test_another_language_is_refused(full: Report, language: str) -> None:
    """
    Better than a report in a language nobody asked for.
    """
    with pytest.raises(InvalidValueError):
        to_text(full, language=language)


def test_a_region_without_data_falls_back(full: Report) -> None:
    """
    The numbers are then the language's.
    """
    assert to_text(full, language="es-ZZ") == to_text(full, language="es")
