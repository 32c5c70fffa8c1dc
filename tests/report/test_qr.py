"""
A link as a picture.
"""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from cobranza_sdk import CobranzaError, InvalidValueError
from cobranza_sdk.report import qr_svg

pytest.importorskip("segno", reason="the extra qr is not installed")

LINK = "https://www.mercadopago.com.pe/checkout/v1/redirect?pref_id=724484980-00000001-0000-4000-8000-000000000000"


def modules_of(svg: str) -> tuple[int, set[tuple[int, int]]]:
    """
    Width of a picture in modules, and which are black, read from its one path of horizontal strokes.
    """
    root = ET.fromstring(svg)  # noqa: S314  # our own picture
    width = int(root.attrib["width"]) // 8
    strokes = next(path.attrib["d"] for path in root.iter() if path.attrib.get("class") == "qrline")
    black, x, y = set(), 0, 0
    for move, dx, dy, length in re.findall(r"([Mm])\s*(-?[\d.]+)[ ,]?(-?[\d.]+)h(\d+)", strokes):
        x, y = (int(float(dx)), int(float(dy))) if move == "M" else (x + int(float(dx)), y + int(float(dy)))
        black |= {(x + step, y) for step in range(int(length))}
        x += int(length)
    return width, black


def test_a_picture_has_the_marks_and_the_margin_that_scanners_look_for() -> None:
    """
    Three corners with their squares, and four white modules around it all.
    """
    width, black = modules_of(qr_svg(LINK))

    square = {(x, y) for x in range(7) for y in range(7) if {x, y} & {0, 6} or (2 <= x <= 4 and 2 <= y <= 4)}
    for left, top in ((4, 4), (width - 11, 4), (4, width - 11)):
        corner = {(x - left, y - top) for x, y in black if left <= x < left + 7 and top <= y < top + 7}
        assert corner == square
    assert all(4 <= x < width - 4 and 4 <= y < width - 4 for x, y in black)


def test_the_same_address_gives_the_same_picture_and_another_gives_another() -> None:
    """
    A letter that is printed again is the same letter; and the address does not stand in it in clear.
    """
    assert qr_svg(LINK) == qr_svg(LINK) != qr_svg(f"{LINK}1")
    assert "mercadopago" not in qr_svg(LINK)


@pytest.mark.parametrize(
    "address",
    ["", "pay me", "javascript:alert(1)", "https://", "https://a.example/ b", "https://[", f"https://a/{'x' * 1000}"],
)
def test_what_is_no_address_gets_no_picture(address: str) -> None:
    """
    Nobody should scan what a phone then opens as something else.
    """
    with pytest.raises(InvalidValueError):
        qr_svg(address)


def test_without_its_extra_the_picture_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    One line that tells what to install.
    """
    monkeypatch.setitem(sys.modules, "segno", None)

    with pytest.raises(CobranzaError, match="needs segno") as caught:
        qr_svg(LINK)

    assert caught.value.hint == "pip install 'cobranza-sdk[qr]'"


def test_the_library_is_not_loaded_before_it_is_needed() -> None:
    """
    Reports are made without it.
    """
    code = "import sys, cobranza_sdk.report; sys.exit('segno' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603  # our own line
