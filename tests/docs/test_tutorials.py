"""
A newcomer who follows a tutorial sees what it shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

ENGLISH = "docs/tutorials/first-decision.md"
SPANISH = "docs/tutorials/primera-decision.es.md"
#: What the Spanish page calls by a name of its own.
NAMES = {
    "first_decision.py": "primera_decision.py",
    "my-collections": "mi-cobranza",
    "--language en": "--language es",
}


@pytest.mark.parametrize("page", [ENGLISH, SPANISH])
def test_every_step_of_the_tutorial_does_what_it_shows(page: str, shell: Any, read: Callable[[str], Any]) -> None:
    """
    From the first question to a delivered message: commands, programs and what they print, in order.
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
