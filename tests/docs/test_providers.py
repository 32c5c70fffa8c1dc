"""
The page of capabilities and the pages of providers are made, and true.
"""

from __future__ import annotations

import importlib.util
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from cobranza_sdk import Category, ChannelCapabilities, ErpCapabilities, PaymentCapabilities
from cobranza_sdk.loading import load_plugins

#: What an operator looks for on a provider's page.
SECTIONS = ("Setup|Set up", "Costs|Costs and limits", "Limits|Costs and limits", "Errors")
CLASSES = {"channel": ChannelCapabilities, "payment": PaymentCapabilities, "erp": ErpCapabilities}


@pytest.fixture
def made(root: Path) -> Any:
    """
    The module that makes them.
    """
    spec = importlib.util.spec_from_file_location("provider_pages", root / "docs" / "provider_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tables(page: str) -> dict[str, dict[str, dict[str, str]]]:
    """
    The cells of the page by family, provider and capability; the meaning as a provider without a name.
    """
    found: dict[str, dict[str, dict[str, str]]] = {}
    for family, block in zip(CLASSES, page.split("\n## ")[1:], strict=True):
        head, _, *rows = (line.strip("| ").split(" | ") for line in block.splitlines() if line.startswith("|"))
        columns = ["", *(name.strip("`") for name in head[2:])]
        found[family] = {
            name: {row[0].strip("`"): row[number] for row in rows} for number, name in enumerate(columns, start=1)
        }
    return found


def said(value: object) -> set[str]:
    """
    Ways in which a cell may tell a value, apart from how the page itself does it.
    """
    if value is True or value is False:
        return {"yes" if value else "no"}
    if value is None or value == frozenset():
        return {"none"}
    if isinstance(value, timedelta):
        return {f"{value / timedelta(hours=1):g} h", f"{value / timedelta(days=1):g} days"}
    if isinstance(value, str):
        return {f"`{value}`"}
    if isinstance(value, frozenset | tuple):
        return {", ".join(f"`{each}`" for each in (sorted(value) if isinstance(value, frozenset) else value))}
    assert isinstance(value, int | float)
    return {f"{value:,.0f}", f"{value:g}"} if value >= 1 else {f"one in {1 / value:g} s"}


def faults(page: str) -> set[tuple[str, str]]:
    """
    Provider and capability of each cell that is missing or is not what the provider declares.
    """
    plugins, shown = load_plugins(), tables(page)
    wrong = set()
    for family, capabilities in CLASSES.items():
        for name in plugins.names(family):
            can = plugins.provided[family, name].item.capabilities
            for entry in attrs.fields(capabilities):
                cell = shown[family].get(name, {}).get(entry.name)
                if cell not in said(getattr(can, entry.name)):
                    wrong.add((name, entry.name))
    return wrong


def test_the_page_tells_every_capability_of_every_provider(made: Any) -> None:
    """
    Whoever chooses a provider reads there what it can do.
    """
    page = made.capability_page()

    assert faults(page) == set()
    for family, capabilities in CLASSES.items():
        meanings = tables(page)[family][""]
        assert list(meanings) == [entry.name for entry in attrs.fields(capabilities)]
        assert all(len(words) > 10 for words in meanings.values())


@pytest.mark.parametrize(
    ("provider", "capability", "cell", "wrong"),
    [
        ("twilio_sms", "lookup", "yes", "no"),
        ("whatsapp_cloud", "text_length", "4,096", "4,095"),
        ("whatsapp_cloud", "session_window", "24 h", "none"),
        ("smtp_email", "html", "yes", "no"),
        ("mercado_pago", "refund", "yes", "no"),
    ],
)
def test_a_wrong_cell_is_found(made: Any, provider: str, capability: str, cell: str, wrong: str) -> None:
    """
    A cell that says something else, and a row that is gone.
    """
    page = made.capability_page()
    family = next(each for each in CLASSES if provider in tables(page)[each])
    place = page.index(f"\n| `{capability}` |", page.index(f"`{provider}` |"))
    line = page[place + 1 : page.index("\n", place + 1)]
    cells = line.split(" | ")
    column = 1 + list(tables(page)[family]).index(provider)
    assert cells[column].rstrip(" |") == cell

    cells[column] = wrong
    swapped = " | ".join(cells).rstrip(" |") + " |"

    assert (provider, capability) in faults(page.replace(line, swapped))
    assert (provider, capability) in faults(page.replace(f"{line}\n", ""))


def test_a_capability_without_words_stops_the_page(made: Any) -> None:
    """
    A new field that its docstring forgets cannot be published unexplained.
    """

    @attrs.frozen(kw_only=True)
    class More(ErpCapabilities):
        """
        What an ERP can do.

        Attributes:
            incremental: Whether a cursor leads to what changed since.
            snapshot: Whether it declares complete snapshots,
                in full.
            write_back: Whether results are taken.
        """

        parallel: bool = False

    with pytest.raises(ValueError, match=r"More: no meaning in the docstring for parallel"):
        list(made.matrix(More, {}))


def test_a_new_capability_has_its_row(made: Any) -> None:
    """
    Rows are the fields of the class, whoever adds one; a second line of words belongs to the first.
    """

    @attrs.frozen(kw_only=True)
    class More(ErpCapabilities):
        """
        What an ERP can do.

        Attributes:
            incremental: Whether a cursor leads to what changed since.
            snapshot: Whether it declares complete snapshots,
                in full.
            write_back: Whether results are taken.
            parallel: How many may read at once.
        """

        parallel: int = 1

    lines = list(made.matrix(More, {"one": More(parallel=3), "two": More(snapshot=True)}))

    assert lines[0] == "| capability | what it means | `one` | `two` |"
    assert lines[3] == "| `snapshot` | Whether it declares complete snapshots, in full. | no | yes |"
    assert lines[-1] == "| `parallel` | How many may read at once. | 3 | 1 |"


def test_every_provider_has_a_page_with_what_an_operator_looks_for(made: Any, root: Path) -> None:
    """
    Setup, costs, limits and errors, told once: in the README that travels with the plugin.
    """
    plugins = load_plugins()
    pages = {name: made.provider_page(readme) for name, readme in made.readmes(root / "plugins")}
    owners = {plugins.provided[family, name].distribution for family in CLASSES for name in plugins.names(family)}

    assert {f"cobranza-{name}" for name in pages} == owners
    for name, page in pages.items():
        missing = [each for each in SECTIONS if not re.search(rf"^## ({each})$", page, re.MULTILINE)]
        assert missing == [], name


def test_a_readmes_links_lead_somewhere_from_its_page(made: Any, tmp_path: Path) -> None:
    readme = tmp_path / "acme" / "README.md"
    readme.parent.mkdir()
    readme.write_text("[a](CHANGELOG.md) [b](https://example.com) [c](#errors)", "utf-8")

    assert made.provider_page(readme) == "[a](../../plugins/acme/CHANGELOG.md) [b](https://example.com) [c](#errors)"


def test_the_pages_are_written_where_the_index_looks(made: Any, root: Path, tmp_path: Path) -> None:
    """
    Beside the others: the pattern of the index finds them.
    """
    (tmp_path / "plugins").symlink_to(root / "plugins")

    written = made.write_provider_pages(tmp_path / "docs")

    assert "providers/**" in (root / "docs" / "index.md").read_text("utf-8")
    assert written[0] == tmp_path / "docs" / "reference" / "capabilities.md"
    assert {path.parent.name for path in written[1:]} == {"providers"}
    assert all(path.read_text("utf-8").startswith("# ") for path in written)


def test_the_contract_explains_every_category(root: Path) -> None:
    """
    A vendor who finds no word for an error would take the nearest one.
    """
    page = (root / "docs" / "reference" / "plugins.md").read_text("utf-8")
    _, _, table = page.partition("| `category` | What it says |")

    rows = re.findall(r"^\| `(\w+)` \|", table.partition("\n\n")[0], re.MULTILINE)

    assert rows == [str(category) for category in Category]
