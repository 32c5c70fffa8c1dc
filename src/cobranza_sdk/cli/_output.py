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
    A progress bar on standard error while somebody watches, else nothing.
    """
    if options.as_json or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done: bar.update(task, completed=done)


def open_application(options: Options, *, at: Any = None) -> Cobranza:
    """
    The application by the configuration, with logs on standard error.
    """
    from cobranza_sdk.app import Cobranza
    from cobranza_sdk.cli._logs import log_to_stderr

    log_to_stderr(everything=options.debug)
    return Cobranza.from_config(options.config, at=at)


def settings_or_default(options: Options) -> Settings | None:
    """
    The configuration, or None where there is none and none was asked for.
    """
    if not options.config_given and not options.config.exists():
        return None
    from cobranza_sdk.loading import read_settings

    return read_settings(options.config)
