"""
The report as plain text: aligned, without colour, at most 100 columns wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO
from typing import TYPE_CHECKING

from cobranza_sdk.report._data import FORMULAS
from cobranza_sdk.report._report import BUCKETS, ChannelLine, Report
from cobranza_sdk.report._words import FUNNEL, NONE, OTHERS, RATES, Words

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 100
#: Channels side by side; more begin a new table.
_CHANNELS_ABREAST = 5


def to_text(report: Report, *, language: str = "es") -> str:
    """
    The report as plain text.

    Args:
        report: What to show.
        language: ``es``, ``en`` or ``pt``; a region (``es-PE``) writes the numbers its way.

    Returns:
        Lines of at most 100 columns, the last one ended.

    Raises:
        InvalidValueError: Another language.
    """
    words = Words(language)
    parts = [
        f"{words['title']}: {report.creditor}",
        f"{words['as_of']}: {words.instant(report.as_of)}",
        f"{words['today']}: {words.day(report.today)}",
        *_section(words, "attempts", "channels", _channel_tables(report, words)),
        *_section(words, "decisions", "verdicts", _decision_tables(report, words)),
        *_section(words, "aging", "aging", _aging_tables(report, words)),
        *_section(words, "delinquency", "delinquency", _delinquency_tables(report, words)),
        "",
        f"{words['rejected_rows']}: {words.count(report.rejected_rows)}",
        "",
        f"{words['formulas']}:",
        *(f"- {name}: {words.formula(name)}" for name in FORMULAS.values()),
    ]
    return _printed(parts)


def _section(words: Words, name: str, figure: str, tables: Iterable[Table]) -> list[str | Table]:
    body: list[str | Table] = [*tables]
    return ["", f"{words[name]} [{FORMULAS[figure]}]", *(body or [words["none"]])]


def _channel_tables(report: Report, words: Words) -> Iterable[Table]:
    for start in range(0, len(report.channels), _CHANNELS_ABREAST):
        lines = report.channels[start : start + _CHANNELS_ABREAST]
        rows = [_channel_row(words, name, lines) for name in (*FUNNEL, *RATES, *OTHERS)]
        yield _table([words["measure"], *(line.channel for line in lines)], rows, texts=1)


def _channel_row(words: Words, name: str, lines: Sequence[ChannelLine]) -> list[str]:
    shown = words.share if name in RATES else words.count
    return [words[name], *(shown(getattr(line, name)) for line in lines)]


def _decision_tables(report: Report, words: Words) -> Iterable[Table]:
    if report.verdicts:
        rows = [
            [words[line.verdict], line.rule or NONE, line.citation or NONE, words.count(line.count)]
            for line in report.verdicts
        ]
        rows.append([words["total"], "", "", words.count(report.decisions)])
        yield _table([words[name] for name in ("verdict", "rule", "citation", "count")], rows, texts=3)


def _aging_tables(report: Report, words: Words) -> Iterable[Table]:
    if report.aging:
        rows = [
            [line.currency, bucket_text(words, line.bucket), words.money(line.amount), words.count(line.installments)]
            for line in report.aging
        ]
        yield _table([words[name] for name in ("currency", "bucket", "amount", "installments")], rows, texts=2)


def _delinquency_tables(report: Report, words: Words) -> Iterable[Table]:
    if report.delinquency:
        rows = [
            [line.currency, words.money(line.overdue), words.money(line.total), words.share(line.share)]
            for line in report.delinquency
        ]
        yield _table([words[name] for name in ("currency", "overdue", "total", "share")], rows, texts=1)


def bucket_text(words: Words, bucket: str) -> str:
    """
    A bucket's name: words for what is not due, figures for the others.
    """
    return words[bucket] if bucket == BUCKETS[0] else bucket.replace("-", "\N{EN DASH}")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int) -> Table:
    """
    A table whose first *texts* columns are words, which may wrap, and whose others are numbers.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.ASCII2, show_edge=False, pad_edge=False)
    for place, head in enumerate(heads):
        number = place >= texts
        table.add_column(
            Text(_plain(head)), justify="right" if number else "left", overflow="fold", no_wrap=False, min_width=4
        )
    for row in rows:
        table.add_row(*(Text(_plain(cell)) for cell in row))
    return table


def _plain(text: str) -> str:
    """
    *text* on one line, with nothing in it that a terminal would obey, and with blanks that people can search for.
    """
    return "".join(char if char.isprintable() else " " for char in text)


def _printed(parts: Iterable[str | Table]) -> str:
    from rich.console import Console
    from rich.text import Text

    file = StringIO()
    console = Console(
        file=file, width=WIDTH, color_system=None, force_terminal=False, force_jupyter=False, legacy_windows=False
    )
    for part in parts:
        console.print(Text(_plain(part), overflow="fold") if isinstance(part, str) else part)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())
