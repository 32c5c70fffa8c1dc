"""
The first page keeps its word, in both languages.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk import Cobranza

LANGUAGES = ["README.md", "README.es.md"]
COMMANDS = """\
python3 -m venv .venv && .venv/bin/pip install -q nox && .venv/bin/nox -s demo
.venv/bin/nox -s tests
"""


def rows_of(page: Path) -> dict[str, tuple[str, str, str]]:
    """
    The table of countries: where, date and status by pack.
    """
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \|$", page.read_text("utf-8"), re.MULTILINE)
    return {name: (where, updated_on, status) for name, where, updated_on, status in rows}


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_first_block_is_the_two_commands(name: str, read: Callable[[str], Any], root: Path) -> None:
    """
    A stranger copies the first block: one command shows the product, one proves it, and both exist.
    """
    first = read(name)[0]

    assert (first.lang, first.text) == ("sh", COMMANDS)
    sessions = re.findall(r"nox -s (\w+)", first.text)
    assert all(f"def {session}(session" in (root / "noxfile.py").read_text("utf-8") for session in sessions)


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_example_runs_as_it_stands(
    name: str, read: Callable[[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """
    Twelve lines, typed or copied, print what the page shows.
    """
    blocks = read(name)
    example = next(block for block in blocks if block.lang == "python")
    shown = blocks[blocks.index(example) + 1]

    exec(compile(example.text, example.where, "exec"), {"__name__": "__main__"})  # noqa: S102  # the page's own words

    assert capsys.readouterr().out == shown.text
    assert len(example.text.splitlines()) == 12


def test_the_spanish_page_shows_what_spanish_explains(read: Callable[[str], Any]) -> None:
    """
    The second output of the Spanish page is the same decision in Spanish.
    """
    blocks = read("README.es.md")
    names: dict[str, Any] = {}
    exec(next(block.text for block in blocks if block.lang == "python"), names)  # noqa: S102  # the page's own words

    outputs = [block.text for block in blocks if block.lang == "text"]

    assert outputs[1] == names["decision"].explain("es") + "\n" == names["decision"].explain() + "\n"


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_table_of_countries_is_that_of_the_installed_packs(name: str, root: Path) -> None:
    """
    Nobody relies on a date or a status that the packs do not have.
    """
    packs = Cobranza().judge(platform=True).packs

    rows = rows_of(root / name)

    assert list(rows) == sorted(pack.name for pack in packs)
    for pack in packs:
        where, updated_on, status = rows[pack.name]
        assert (updated_on, status) == (pack.updated_on.isoformat(), pack.status), pack.name
        assert set(re.findall(r"\(([A-Z]{2})\)", where)) == set(pack.countries), pack.name


def test_both_languages_show_the_same(read: Callable[[str], Any], root: Path) -> None:
    """
    Commands, example, dates and sections are one and the same in English and Spanish.
    """
    english, spanish = (root / name for name in LANGUAGES)

    for lang in ("sh", "python"):
        code = [[block.text for block in read(name) if block.lang == lang] for name in LANGUAGES]
        assert code[0] == code[1]
    facts = [{name: row[1:] for name, row in rows_of(page).items()} for page in (english, spanish)]
    assert facts[0] == facts[1]
    sections = [re.findall(r"^(#+) ", page.read_text("utf-8"), re.MULTILINE) for page in (english, spanish)]
    assert sections[0] == sections[1]
    commands = [set(re.findall(r"`(cobranza [^`]+)`", page.read_text("utf-8"))) for page in (english, spanish)]
    assert commands[0] == commands[1]


def test_the_python_that_is_named_is_the_one_required(root: Path) -> None:
    """
    Whoever has the version of the first paragraph can install.
    """
    asked = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]

    assert all(f"Python {asked.removeprefix('>=')} " in (root / name).read_text("utf-8") for name in LANGUAGES)
