"""
What a text is billed as.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_twilio_sms.segments import _BASIC, _EXTENDED, Segments, count_segments, transliterated


@pytest.mark.parametrize(
    ("text", "encoding", "units", "parts"),
    [
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("ñ" * 160, "GSM-7", 160, 1),
        ("á", "UCS-2", 1, 1),
        ("a" * 159 + "á", "UCS-2", 160, 3),
        ("a" * 70 + "á", "UCS-2", 71, 2),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("a" * 152 + "€" + "a" * 10, "GSM-7", 164, 2),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("", "GSM-7", 0, 1),
    ],
)
def test_a_text_is_counted_as_the_vendor_bills_it(text: str, encoding: str, units: int, parts: int) -> None:
    """
    A creditor pays per part, so a wrong count is a wrong price.
    """
    counted = count_segments(text)

    assert (counted.encoding, counted.units, counted.parts) == (encoding, units, parts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("á" * 66 + "😀" + "á" * 65, 2),
        ("á" * 66 + "😀" + "á" * 66, 3),
    ],
)
def test_a_pair_is_never_split_over_two_parts(text: str, parts: int) -> None:
    """
    A pair that does not fit leaves a unit of the part empty, which can cost one part more.
    """
    assert count_segments(text).parts == parts


@pytest.mark.parametrize("char", "éÉñÑüÜ¿¡àòìùèÇ$@_\n\rÄöß")
def test_spanish_letters_of_the_short_alphabet_cost_one_septet(char: str) -> None:
    """
    These letters are safe to use in a text of 160.
    """
    assert count_segments(char).encoding == "GSM-7"
    assert count_segments(char).units == 1


@pytest.mark.parametrize("char", "áÁíÍóÓúÚçãõâêôÀº°“”\u2018\u2013…«\u00a0\u200b\t₡₲₱`")
def test_letters_outside_the_short_alphabet_make_the_text_dear(char: str) -> None:
    """
    One of these more than halves what fits into a part.
    """
    assert count_segments("a" * 160 + char).encoding == "UCS-2"


@pytest.mark.parametrize("char", "^{}\\[~]|€\f")
def test_extended_characters_cost_two_septets(char: str) -> None:
    """
    They travel behind an escape.
    """
    assert count_segments(char).units == 2


@pytest.mark.parametrize(
    ("text", "forcing"),
    [
        ("Señor: ¿vence el 5 €? É, ü, à, Ç", ()),
        ("Última cuota: vence mañana, ó pague aquí. Última.", ("Ú", "ó", "í")),
        ("Não há cobrança", ("ã", "á", "ç")),
        ("a\u00a0b\u200b—🙂🙂", ("\u00a0", "\u200b", "—", "🙂")),
        ("e\u0301", ("\u0301",)),
        ("", ()),
    ],
)
def test_the_letters_that_make_a_text_dear_are_named(text: str, forcing: tuple[str, ...]) -> None:
    """
    Who writes a template sees what to change, among it what no eye sees.
    """
    counted = count_segments(text)

    assert counted.forcing == forcing
    assert (counted.encoding == "UCS-2") == bool(forcing)


def test_the_alphabet_has_as_many_letters_as_septets() -> None:
    """
    128 positions less the escape, ten more behind it, and none in both.
    """
    assert (len(_BASIC), len(_EXTENDED), _BASIC & _EXTENDED) == (127, 10, frozenset())


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_a_count_holds_together(text: str) -> None:
    """
    Whatever the text: enough parts for its units, never one that stays empty, and UCS-2 units are those of UTF-16.
    """
    counted = count_segments(text)

    single, part = (160, 153) if counted.encoding == "GSM-7" else (70, 67)
    assert counted == count_segments(text)
    assert isinstance(counted, Segments)
    if counted.units <= single:
        assert counted.parts == 1
    else:
        assert -(-counted.units // part) <= counted.parts <= -(-counted.units // (part - 1))
    if counted.encoding == "UCS-2":
        assert counted.units == len(text.encode("utf-16-be")) // 2


def test_the_readmes_example_is_true() -> None:
    """
    What is printed there is what a reader will see.
    """
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    example = re.search(r'count_segments\("([^"]+)"\)\n# (Segments\(.+\))\n', readme)

    assert example
    assert repr(count_segments(example[1])) == example[2]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Última cuota: vence mañana", "Ultima cuota: vence mañana"),
        ("Não é cobrança", "Nao é cobrança".replace("ç", "c")),
        ("Ana Mari\u0301a", "Ana Maria"),
        ("€ 10 😀", "€ 10 😀"),
        ("李", "李"),
    ],
)
def test_letters_that_make_a_text_dear_lose_their_accent(text: str, plain: str) -> None:
    """
    Those that the alphabet has stay, and what nothing stands in for is left to be seen.
    """
    assert transliterated(text) == plain


@given(st.text())
def test_a_transliterated_text_never_costs_more(text: str) -> None:
    """
    Once is enough, and what stays dear was dear before.
    """
    plain = transliterated(text)

    assert transliterated(plain) == plain
    assert set(count_segments(plain).forcing) <= set(unicodedata.normalize("NFC", text))
    assert count_segments(plain).parts <= count_segments(unicodedata.normalize("NFC", text)).parts
