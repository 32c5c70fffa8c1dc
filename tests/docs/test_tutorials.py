"""
A newcomer who follows a tutorial sees what it shows.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from cobranza_sdk import Cobranza

ENGLISH = "docs/tutorials/first-decision.md"
SPANISH = "docs/tutorials/primera-decision.es.md"
PACK = "docs/tutorials/write-a-country-pack.md"
CHANNEL = "docs/tutorials/write-a-channel-plugin.md"
#: What the Spanish page calls by a name of its own.
NAMES = {
    "first_decision.py": "primera_decision.py",
    "my-collections": "mi-cobranza",
    "--language en": "--language es",
}


@pytest.mark.parametrize("page", [ENGLISH, SPANISH, PACK, CHANNEL])
def test_every_step_of_the_tutorial_does_what_it_shows(page: str, shell: Any, read: Callable[[str], Any]) -> None:
    """
    From the first question to a delivered message, and from an empty folder to a pack that judges: commands, changes
    of files, and what is printed, in order.
    """
    shell.follow(read(page))


def test_both_tutorials_take_the_same_steps(read: Callable[[str], Any]) -> None:
    """
    A reader of either language learns the same.
    """
    english, spanish = read(ENGLISH), read(SPANISH)

    assert [block.lang for block in english] == [block.lang for block in spanish]
    for one, other in zip(english, spanish, strict=True):
        if one.lang == "sh":
            assert re.sub("|".join(NAMES), lambda name: NAMES[name[0]], one.text) == other.text, other.where


def test_the_pack_of_the_tutorial_is_no_law(shell: Any, read: Callable[[str], Any]) -> None:
    """
    Its country is one of the codes that ISO 3166-1 gives to nobody, so that no debtor is ever judged by it.
    """
    shell.follow(read(PACK))
    table = tomllib.loads((shell.cwd / "xx" / "pack.toml").read_text("utf-8"))

    assert list(table["countries"]) == ["XX"]
    assert table["pack"]["status"] == "reviewed"
    assert {rule["kind"] for rule in table["rule"] if "kind" in rule} == {"window", "cap", "third_party", "consent"}
    assert [pack.name for pack in Cobranza().judge().packs if "XX" in pack.countries] == []


@pytest.mark.parametrize(
    ("shown", "other"),
    [
        ("+limit = 2", "+limit = 3"),
        ("xx 0.2: 9 problems", "xx 0.2: 8 problems"),
        ("found sure, expected one of", "found sure, wanted one of"),
        ("│ rule xx.window      │ to ", "│ rule xx.window      │ till "),
        ("-status = ", "-state = "),
    ],
)
def test_a_tutorial_that_shows_something_else_is_found(
    shown: str, other: str, shell: Any, read: Callable[[str], Any]
) -> None:
    """
    A page that has fallen behind the program fails: at a value, an output, an error, a table, a line to be changed.
    """
    page = read(PACK)

    changed = [evolve(block, text=block.text.replace(shown, other)) for block in page]

    assert changed != page
    with pytest.raises(AssertionError, match=r"write-a-country-pack\.md:\d+"):
        shell.follow(changed)
