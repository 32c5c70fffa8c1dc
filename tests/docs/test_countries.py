"""
One page a country, made from the packs.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def made(root: Path) -> Any:
    """
    The module that makes them.
    """
    spec = importlib.util.spec_from_file_location("country_pages", root / "docs" / "country_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_pack_has_a_page_that_names_each_rule_with_its_article(made: Any, tmp_path: Path) -> None:
    """
    A lawyer reads the page beside the law; a rule that is left out would be left out there.
    """
    pages = {path.stem: path.read_text("utf-8") for path in made.write_pages(tmp_path)}
    packs = made.installed()

    assert {pack.name.replace("_", "-") for pack in packs} == set(pages)
    for pack in packs:
        page = pages[pack.name.replace("_", "-")]
        for rule in pack.rules:
            assert f"| `{rule.id}` |" in page
            assert rule.citation in page
        for rule in (rule for rule in pack.rules if rule.confidence != "high" or rule.reading is not None):
            assert f"* `{rule.id}` (" in page


def test_hours_are_told_in_runs_of_days(made: Any) -> None:
    """
    Colombia's week, as the law tells it.
    """
    (colombia,) = [pack for pack in made.installed() if pack.name == "co"]

    assert "Mon to Fri 07:00-19:00; Sat 08:00-15:00; Sun closed" in made.page_of(colombia)
