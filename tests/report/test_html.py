"""
The page: complete in itself, safe, the same each time, and readable without its pictures.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from cobranza_sdk.model import CobranzaError
from cobranza_sdk.report import Report, to_dict, to_html, to_text
from cobranza_sdk.report._data import FORMULAS

Reporter = Callable[..., Report]


class Page(HTMLParser):
    """
    Tags and attributes of a page, and whether they nest.
    """

    VOID = ("meta", "br", "link", "img")

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def values(self, name: str) -> list[str]:
        return [found[name] or "" for _, found in self.tags if name in found]


def pictures(page: str) -> list[ET.Element]:
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]  # noqa: S314  # ours


def test_the_page_needs_nothing_else(full: Report) -> None:
    """
    It is mailed, archived and shown in court: no address is fetched, no script runs.
    """
    page = to_html(full)

    assert "://" not in page
    assert "//" not in re.sub(r"<!DOCTYPE html>", "", page)
    assert not {"script", "link", "img", "iframe", "object", "image"} & {tag for tag, _ in Page(page).tags}
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert all(href.startswith("#") for href in Page(page).values("href"))


def test_the_page_nests_and_its_ids_are_unique(full: Report) -> None:
    """
    Pictures share a page: an id of one must not be found in another.
    """
    page = Page(to_html(full))

    ids = page.values("id")
    pointed = [href[1:] for href in page.values("href")]
    pointed += [each for value in page.values("aria-labelledby") for each in value.split()]
    assert page.open == []
    assert len(ids) == len(set(ids))
    assert set(pointed) <= set(ids)


def test_what_comes_from_outside_is_escaped(report_on: Reporter) -> None:
    """
    A creditor, a channel, a rule, a citation: text, whatever it looks like.
    """
    nasty = '<script>alert(\'1\')</script>"&amp; $x^2$ id="a"'
    told = report_on(creditor=nasty, states=[(nasty, "read", 1)], judged=[("deny", nasty, nasty, 1)])

    page = to_html(told)

    assert "<script" not in page
    assert "script" not in {tag for tag, _ in Page(page).tags}
    assert page.count("&lt;script&gt;") >= 6
    title = pictures(page)[0].find("title")
    assert title is not None
    assert title.text == f"Embudo del canal {nasty}"


def test_the_same_report_gives_the_same_bytes(full: Report) -> None:
    """
    Also in another process, with other hash seeds, and where the host has dressed matplotlib its own way.
    """
    page = to_html(full)

    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path", "svg.hashsalt": "other"}):
        again = to_html(full)
        kept = mpl.rcParams["font.size"]

    assert again == page
    assert kept == 30


def test_the_page_shows_what_the_data_hold(full: Report) -> None:
    """
    Instant, language, figures and the formula behind each.
    """
    page = to_html(full, language="pt-BR")

    assert '<html lang="pt-BR">' in page
    assert '<time datetime="2026-03-09T15:30:00+00:00">' in page.replace("&#x2b;", "+")
    assert "1.072" in page
    assert "Índice de inadimplência" in page
    for place, formula in enumerate(to_dict(full)["formulas"].values(), start=1):
        assert f'<li id="f-{place}"><code>{formula}</code>' in page
        assert f'href="#f-{place}"' in page


def test_pictures_can_be_heard(full: Report) -> None:
    """
    Each is an image with a title and every number in its description.
    """
    found = pictures(to_html(full, language="en"))

    told = [(svg.get("role"), svg.findtext("title"), svg.findtext("desc")) for svg in found]
    assert told[1] == (
        "img",
        "Funnel of channel whatsapp",
        "Planned: 1,072, Sent: 950, Delivered: 941, Read: 631, Replied: 214",
    )
    assert len(told) == 3
    assert "CLP: Not due CLP0" in (told[2][2] or "")


def test_bars_are_as_long_as_their_numbers(report_on: Reporter) -> None:
    """
    Half as many is half as long, and nothing has no length.
    """
    (svg,) = pictures(to_html(report_on(states=[("sms", "read", 50), ("sms", "planned", 50)])))

    lengths = []
    for path in svg.iter("path"):
        if "#" in (path.get("style") or ""):
            places = [float(x) for x in re.findall(r"[ML] ([\d.]+)", path.get("d") or "")]
            lengths.append(max(places) - min(places))
    assert lengths == pytest.approx([232, 116, 116, 116, 0])


def test_pictures_take_ink_and_paper_from_the_page(full: Report) -> None:
    """
    A light picture on a dark page could not be read.
    """
    page = to_html(full)

    assert "fill: var(--ink)" in page
    assert "stroke: var(--paper)" in page
    assert "prefers-color-scheme: dark" in page
    assert "#010203" not in page
    assert "font-family" not in "".join(ET.tostring(svg, encoding="unicode") for svg in pictures(page))


@pytest.mark.parametrize(
    "open_",
    [
        [("PEN", "not_due", -5, 1)],
        [("PEN", "1-30", 0, 2)],
        [("PEN", "1-30", -7, 2), ("PEN", "91+", 2**62, 2)],
        [(code, "1-30", 1, 1) for code in ("ARS", "BRL", "CLP", "COP", "MXN", "PEN", "USD")],
    ],
)
def test_odd_balances_have_a_picture(report_on: Reporter, open_: list[tuple[str, str, int, int]]) -> None:
    """
    Credit alone, nothing on balance, more than a screen holds: nothing warns, nothing breaks.
    """
    (svg,) = pictures(to_html(report_on(open=open_)))

    assert svg.findtext("title")


def test_an_empty_store_gives_a_page(report_on: Reporter) -> None:
    """
    The first day has nothing to show, and says so.
    """
    page = to_html(report_on())

    assert page.count("Sin datos.") == 4
    assert pictures(page) == []


def test_tables_have_headers(full: Report) -> None:
    """
    Every header says what it heads.
    """
    heads = [found for tag, found in Page(to_html(full)).tags if tag == "th"]

    assert heads
    assert all(found.get("scope") in ("col", "row", "rowgroup") for found in heads)


def test_without_matplotlib_only_the_page_is_missing(full: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Whoever has not installed the extra is told how, and still gets text and data.
    """
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(CobranzaError) as caught:
        to_html(full)

    assert caught.value.hint == "pip install 'cobranza-sdk[report]'"
    assert to_text(full)
    assert to_dict(full)


def test_matplotlib_is_not_loaded_before_it_is_needed() -> None:
    """
    Its start is slow, and the text does without it.
    """
    code = "import sys, cobranza_sdk.report; print({'matplotlib', 'rich', 'minijinja'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  # ours

    assert "matplotlib" not in done.stdout


def test_every_formula_is_named_once() -> None:
    """
    Footnotes are numbered by it.
    """
    assert len(set(FORMULAS.values())) == len(FORMULAS)
