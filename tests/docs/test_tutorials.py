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


@pytest.mark.parametrize(
    ("shown", "other"),
    [
        ("expected: a ProviderError", "expected: an Accepted"),
        (
            "-        return ProviderError(Category.NETWORK, Disposition.NEVER",
            "-        return ProviderError(Category.PROTOCOL",
        ),
        ("cut after 0 answers: network: retry", "cut after 0 answers: network: never"),
    ],
)
def test_a_tutorial_that_shows_other_words_of_the_kit_is_found(
    shown: str, other: str, shell: Any, read: Callable[[str], Any]
) -> None:
    """
    The failures of the kit are shown in its own words, and the lines that are to be changed stand in the scaffold. The
    runs of everything, which take longest, are left out here.
    """
    page = [
        block for block in read(CHANNEL) if block.text != "python -m pytest -q\n" and " skipped in " not in block.text
    ]

    changed = [evolve(block, text=block.text.replace(shown, other)) for block in page]

    assert changed != page
    with pytest.raises(AssertionError, match=rf"(?s)write-a-channel-plugin\.md:\d+: .*{re.escape(other[1:])}"):
        shell.follow(changed)


def test_the_channel_of_the_tutorial_is_its_own_vendors(shell: Any, read: Callable[[str], Any]) -> None:
    """
    The changes alone, without the runs between them, lead to a package that says nothing of the scaffold's vendor,
    declares what the vendor's documentation says, and tests each code that it classes.
    """
    page = read(CHANNEL)
    first = next(block for block in page if block.text.startswith("cobranza new channel"))

    shell.follow([first, *(block for block in page if block.text.startswith("cd cobranza-") or block.saved_as)])

    texts = {path.name: path.read_text("utf-8") for path in shell.cwd.rglob("*.py")}
    assert "acme" not in "".join(texts.values()).lower()
    codes = set(re.findall(r'"(P\d+)"', texts["_channel.py"]))
    assert codes < set(re.findall(r'"(P\d+)"', texts["test_errors.py"]))
    assert {"PigeonSms", "messages_per_second=5", "burst=10"} <= set(re.findall(r"\w+(?:=\d+)?", texts["_channel.py"]))
