"""
Which words a message is made of: the standard ones, a plugin's, the operator's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cobranza_sdk import Cobranza, TemplateCatalogue

OWN = """
format = 1
[[template]]
id = "administrative"
channel = "sms"
locale = "es"
stage = ["administrative"]
purpose = "reminder"
tone = "cordial"
discloses = true
text = "{who} {{{{ creditor }}}}: {{{{ amount }}}}, {{{{ due_on }}}}, {{{{ contact_line }}}}"
"""


def send(house: Cobranza, debtor: Any, receivable: Any) -> None:
    """
    One overdue debtor, planned and dispatched.
    """
    house.portfolio.put(debtor(), receivable())
    house.plan()
    house.dispatch()


def test_without_a_catalogue_the_standard_messages_are_used(
    make_house: Callable[..., Cobranza], box: Any, debtor: Any, receivable: Any
) -> None:
    """
    An embedding developer who configures no templates still sends complete ones.
    """
    house = make_house(templates={})

    send(house, debtor, receivable)

    assert box["fake_sms"][0].text.startswith("Tienda Andina")


def test_a_plugins_words_win_over_the_standard_and_the_operators_over_both(
    make_house: Callable[..., Cobranza], box: Any, debtor: Any, receivable: Any, tmp_path: Path
) -> None:
    """
    Later ones win, so that nobody has to copy forty templates to change one.
    """
    plugin = TemplateCatalogue("theirs", OWN.format(who="Plugin"))
    (tmp_path / "own.toml").write_text(OWN.format(who="Propio"), "utf-8")

    first = make_house(("templates", plugin), templates={})
    send(first, debtor, receivable)
    second = make_house(("templates", plugin), templates={"files": [str(tmp_path / "own.toml")]}, tenant="two")
    send(second, debtor, receivable)

    assert box["fake_sms"][0].text.startswith("Plugin Tienda Andina")
    assert box["fake_sms"][1].text.startswith("Propio Tienda Andina")
