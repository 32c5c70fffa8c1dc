"""
What providers can do, from their descriptors, and a page for each, from its own README: nobody writes either twice.
"""

import inspect
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import attrs

from cobranza_sdk import ChannelCapabilities, ErpCapabilities, PaymentCapabilities
from cobranza_sdk.loading import load_plugins

#: Title, family and class of each table.
FAMILIES: tuple[tuple[str, str, type], ...] = (
    ("Channels", "channel", ChannelCapabilities),
    ("Payment providers", "payment", PaymentCapabilities),
    ("ERPs", "erp", ErpCapabilities),
)
_ENTRY = re.compile(r"^    (\w+): (.+(?:\n        .+)*)", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")
_DAY_S = 86_400
_BEGINNING = """\
# Capabilities

What each provider of this repository declares of itself. The core holds it to that: what is not declared is
refused before anything is sent. This page is made from the plugins' own descriptors.
"""


def meanings(capabilities: type) -> dict[str, str]:
    """
    What each capability means, from the attributes in the docstring of the class.

    Raises:
        ValueError: A capability without words.
    """
    _, _, listed = inspect.cleandoc(capabilities.__doc__ or "").partition("Attributes:\n")
    said = {name: " ".join(words.split()) for name, words in _ENTRY.findall(listed)}
    silent = [entry.name for entry in attrs.fields(capabilities) if entry.name not in said]
    if silent:
        msg = f"{capabilities.__name__}: no meaning in the docstring for {', '.join(silent)}"
        raise ValueError(msg)
    return said


def cell(value: object) -> str:
    """
    One provider's answer.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == frozenset():
        return "none"
    if isinstance(value, timedelta):
        seconds = int(value.total_seconds())
        return f"{seconds // _DAY_S} days" if seconds > _DAY_S and seconds % _DAY_S == 0 else f"{seconds / 3600:g} h"
    if isinstance(value, int | float):
        return (f"{value:,}" if isinstance(value, int) else f"{value:g}") if value >= 1 else f"one in {1 / value:g} s"
    if isinstance(value, frozenset | tuple):
        return ", ".join(f"`{each}`" for each in (sorted(value) if isinstance(value, frozenset) else value))
    return f"`{value}`"


def matrix(capabilities: type, providers: Mapping[str, Any]) -> Iterator[str]:
    """
    A row for each capability, a column for each provider.

    Args:
        capabilities: The class of the descriptors.
        providers: Descriptors by the provider's name.
    """
    said = meanings(capabilities)
    yield f"| capability | what it means | {' | '.join(f'`{name}`' for name in providers)} |"
    yield f"|---|---|{'---|' * len(providers)}"
    for entry in attrs.fields(capabilities):
        answers = [cell(getattr(each, entry.name)) for each in providers.values()]
        yield f"| `{entry.name}` | {said[entry.name].replace('``', '`')} | {' | '.join(answers)} |"


def descriptors(family: str) -> dict[str, Any]:
    """
    The capabilities of every installed provider of a family, by name.
    """
    plugins = load_plugins()
    return {name: plugins.provided[family, name].item.capabilities for name in sorted(plugins.names(family))}


def capability_page() -> str:
    """
    The page of all capabilities, in Markdown.
    """
    tables = ([f"## {title}", "", *matrix(cls, descriptors(family)), ""] for title, family, cls in FAMILIES)
    return "\n".join([_BEGINNING, *chain.from_iterable(tables)])


def readmes(plugins: Path) -> Iterable[tuple[str, Path]]:
    """
    The README of each distribution in *plugins* that brings providers, by its name without our prefix.
    """
    found = load_plugins()
    owners = {found.provided[family, name].distribution for _, family, _ in FAMILIES for name in found.names(family)}
    for path in sorted(plugins.glob("*/pyproject.toml")):
        name: str = tomllib.loads(path.read_text("utf-8"))["project"]["name"]
        if name in owners:
            yield name.removeprefix("cobranza-"), path.with_name("README.md")


def provider_page(readme: Path) -> str:
    """
    A provider's README as a page of the documentation: its links lead on from there.
    """
    text = readme.read_text("utf-8")
    return _LINK.sub(lambda link: f"](../../plugins/{readme.parent.name}/{link[1]})", text)


def write_provider_pages(docs: Path) -> list[Path]:
    """
    Write the page of capabilities and one page for each provider into *docs*.
    """
    pages = {docs / "reference" / "capabilities.md": capability_page()}
    for name, readme in readmes(docs.parent / "plugins"):
        pages[docs / "providers" / f"{name}.md"] = provider_page(readme)
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return list(pages)
