"""
What commands print: one JSON document, or tables for people. Progress and logs go to standard error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cobranza_sdk.app import Cobranza
    from cobranza_sdk.cli._root import Options
    from cobranza_sdk.loading import Settings


def print_json(document: Any) -> None:
    """
    Print one JSON document.
    """
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """
    Print a table; a terminal's width is used, a pipe gets all of it.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else escape(str(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)


@contextmanager
def progress(options: Options, what: str) -> Iterator[Callable[[int], None] | None]:
    """
    A progress bar with a count on standard error while somebody watches, else nothing.
    """
    with _bar(options, what, "{task.completed}") as bar:
        yield bar


@contextmanager
def spinner(options: Options, what: str) -> Iterator[None]:
    """
    The same for work that does not tell how far it is.
    """
    with _bar(options, what):
        yield


@contextmanager
def _bar(options: Options, *words: str) -> Iterator[Callable[[int], None] | None]:
    if options.as_json or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), *map(TextColumn, words), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words[0], total=None)
        yield lambda done: bar.update(task, completed=done)


def open_application(options: Options, *, at: Any = None) -> Cobranza:
    """
    The application by the configuration, with logs on standard error.
    """
    from cobranza_sdk.app import Cobranza
    from cobranza_sdk.cli._logs import log_to_stderr

    log_to_stderr(everything=options.debug)
    return Cobranza.from_config(options.config, at=at)


@contextmanager
def open_rehearsal(options: Options, *, at: Any = None) -> Iterator[Cobranza]:
    """
    The application over a copy of its store that is thrown away: whatever is done, nothing is changed.

    Raises:
        CobranzaError: The store is no SQLite file.
    """
    import sqlite3
    import tempfile
    from pathlib import Path

    from attrs import evolve
    from sqlalchemy import make_url

    from cobranza_sdk.app import Cobranza
    from cobranza_sdk.cli._logs import log_to_stderr
    from cobranza_sdk.loading import FixedClock, read_settings
    from cobranza_sdk.model import CobranzaError

    log_to_stderr(everything=options.debug)
    settings = read_settings(options.config)
    url = make_url(settings.store.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        msg = "--dry-run rehearses on a copy of the store, and only a SQLite file can be copied"
        raise CobranzaError(msg, hint="try it on a SQLite store first")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "rehearsal.db"
        original = settings.base / url.database
        if original.exists():
            with sqlite3.connect(original) as source, sqlite3.connect(copy) as target:
                source.backup(target)
            source.close()
            target.close()
        rehearsal = evolve(
            settings,
            store=evolve(settings.store, url=f"sqlite:///{copy.resolve()}"),
            erps={name: evolve(erp, write_back=False) for name, erp in settings.erps.items()},
        )
        with Cobranza(rehearsal, clock=None if at is None else FixedClock(at)) as cobranza:
            yield cobranza


def settings_or_default(options: Options) -> Settings | None:
    """
    The configuration, or None where there is none and none was asked for.
    """
    if not options.config_given and not options.config.exists():
        return None
    from cobranza_sdk.loading import read_settings

    return read_settings(options.config)
