"""
``cobranza new channel``, ``cobranza new erp`` and ``cobranza new payment``: a distribution each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click
from attrs import frozen

from cobranza_sdk.cli._output import print_json
from cobranza_sdk.cli._root import Options, command
from cobranza_sdk.cli._workspace import write_files
from cobranza_sdk.model import CobranzaError

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
_LONGEST = 40


@frozen
class _Family:
    """
    What is begun: its folder under ``scaffold``, the name that it has there, and how it is called.
    """

    folder: str
    model: str
    words: str


FAMILIES = (
    _Family("channel", "acme_sms", "a channel"),
    _Family("erp", "acme_books", "an ERP plugin"),
    _Family("payment", "acme_pay", "a payment provider"),
)


def plugin_commands() -> Iterator[click.Command]:
    """
    A command for each family of plugins.
    """
    return map(_command, FAMILIES)


def _command(family: _Family) -> click.Command:
    def write(options: Options, name: str, directory: Path) -> None:
        _write(family, options, name, directory)

    write.__doc__ = f"""
    Write a distribution with {family.words} NAME ({family.model}), its vendor's emulator, and tests that pass on the
    first day.
    """
    with_folder = click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path(),
        help="Where the folder is written. [default: here]",
    )
    return command(family.folder)(click.argument("name")(with_folder(write)))


def _write(family: _Family, options: Options, name: str, directory: Path) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        msg = f"found {name!r}, expected a name of small letters, digits and _, such as {family.model}"
        raise CobranzaError(msg)
    folder = directory / f"cobranza-{name.replace('_', '-')}"
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder} is not empty: nothing was written"
        raise CobranzaError(msg, hint="choose another --dir")
    written = write_files(folder, _plugin_files(family, name))
    if options.as_json:
        print_json({"directory": str(folder), "files": [str(path) for path in written]})
        return
    click.echo(f"written to {folder}: {len(written)} files, README.md first")
    click.echo(f'next: cd {folder} && python -m pip install -e ".[test]" && python -m pytest')


def _plugin_files(family: _Family, name: str) -> dict[str, str]:
    """
    Every file of the distribution, by its path.
    """
    words = dict(zip(_spellings(family.model), _spellings(name), strict=True))
    beginning = files("cobranza_sdk.cli") / "scaffold" / family.folder
    # No wheel carries a folder that begins with a dot.
    return {_renamed(path, words).replace("dot_", "."): _renamed(text, words) for path, text in _texts(beginning, "")}


def _spellings(name: str) -> list[str]:
    """
    A plugin's name as class, module and distribution, then its vendor's in each case.
    """
    parts = name.split("_")
    vendor = parts[0]
    camel = "".join(part.capitalize() for part in parts)
    return [camel, name, name.replace("_", "-"), vendor.capitalize(), vendor.upper(), vendor]


def _renamed(text: str, words: dict[str, str]) -> str:
    """
    With every word in the place of the scaffold's, all at once: a new word is never replaced again.
    """
    return re.sub("|".join(words), lambda found: words[found[0]], text)


def _texts(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.startswith((".", "__pycache__")):  # what tools leave behind; a dot of ours is written dot_
            continue
        if entry.is_dir():
            yield from _texts(entry, f"{path}{entry.name}/")
        else:
            yield f"{path}{entry.name}", entry.read_text("utf-8")
