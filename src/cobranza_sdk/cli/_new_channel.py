"""
``cobranza new channel``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from cobranza_sdk.cli._output import print_json
from cobranza_sdk.cli._root import Options, command
from cobranza_sdk.cli._workspace import write_files
from cobranza_sdk.model import CobranzaError

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
_LONGEST = 40


@command("channel")
@click.argument("name")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where the folder is written. [default: here]",
)
def channel_command(options: Options, name: str, directory: Path) -> None:
    """
    Write a distribution with the channel NAME (acme_sms), its vendor's emulator, and tests that pass on the first day.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        msg = f"found {name!r}, expected a name of small letters, digits and _, such as acme_sms"
        raise CobranzaError(msg)
    folder = directory / f"cobranza-{name.replace('_', '-')}"
    if folder.exists() and any(folder.iterdir()):
        msg = f"{folder} is not empty: nothing was written"
        raise CobranzaError(msg, hint="choose another --dir")
    written = write_files(folder, channel_files(name))
    if options.as_json:
        print_json({"directory": str(folder), "files": [str(path) for path in written]})
        return
    click.echo(f"written to {folder}: {len(written)} files, README.md first")
    click.echo(f'next: cd {folder} && python -m pip install -e ".[test]" && python -m pytest')


def channel_files(name: str) -> dict[str, str]:
    """
    Every file of the distribution of the channel *name*, by its path.
    """
    parts = name.split("_")
    words = {
        "AcmeSms": "".join(part.capitalize() for part in parts),
        "acme_sms": name,
        "acme-sms": name.replace("_", "-"),
        "Acme": parts[0].capitalize(),
        "ACME": parts[0].upper(),
        "acme": parts[0],
    }
    beginning = files("cobranza_sdk.cli") / "scaffold" / "channel"
    # No wheel carries a folder that begins with a dot.
    return {_renamed(path, words).replace("dot_", "."): _renamed(text, words) for path, text in _texts(beginning, "")}


def _renamed(text: str, words: dict[str, str]) -> str:
    """
    With every word in the place of the scaffold's, all at once: a new word is never replaced again.
    """
    return re.sub("|".join(words), lambda found: words[found[0]], text)


def _texts(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _texts(entry, f"{path}{entry.name}/")
        elif entry.is_file():
            yield f"{path}{entry.name}", entry.read_text("utf-8")
