"""
``cobranza backtest``.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cobranza_sdk.cli._output import print_json, print_table, settings_or_default, spinner
from cobranza_sdk.cli._root import Instant, Options, command

if TYPE_CHECKING:
    from cobranza_sdk.engine import Backtest


class RulesOf(click.ParamType[tuple[str, date]]):
    """
    A day, or a pack and a day: ``2023-10-09``, ``co@2023-10-09``.
    """

    name = "DATE"

    def convert(
        self, value: str | tuple[str, date], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, date]:
        """
        Read it, or say what is expected.
        """
        if isinstance(value, tuple):
            return value
        pack, _, day = value.rpartition("@")
        try:
            return pack or "*", date.fromisoformat(day)
        except ValueError:
            self.fail(f"found {value!r}, expected a day such as 2026-01-31, or pack@day: co@2023-10-09", param, ctx)


_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@command("backtest")
@click.option("--packs", multiple=True, type=_FILE, help="Pack files that judge instead; may be repeated.")
@click.option("--reading", type=click.Choice(["literal", "cautious"]), help="Where a text leaves doubt.")
@click.option("--at", "on", multiple=True, type=RulesOf(), help="Rules of that day: DATE, or pack@DATE.")
@click.option("--since", type=Instant(), help="Only contacts from then on.")
@click.option("--cases", type=_FILE, help="A CSV of contacts instead of the recorded ones.")
def backtest_command(
    options: Options,
    packs: tuple[Path, ...],
    reading: str | None,
    on: tuple[tuple[str, date], ...],
    since: datetime | None,
    cases: Path | None,
) -> None:
    """
    Decide past contacts again under other packs, another reading or the rules of another day, and show the difference.

    Without other rules it shows what the rules of today say of what was recorded. Changes nothing.
    """
    from cobranza_sdk.app import Cobranza
    from cobranza_sdk.loading import read_settings

    settings = settings_or_default(options) if cases is not None else read_settings(options.config)
    with Cobranza(settings) as cobranza, spinner(options, "deciding again"):
        report = cobranza.backtest(packs=packs, reading=reading, on=dict(on), since=since, cases=cases)
    if options.as_json:
        print_json(report.to_dict())
    else:
        _show(report)


def _show(report: Backtest) -> None:
    counts = [(old, new, count) for (old, new), count in sorted(report.counts.items())]
    print_table("Decided again", ("old", "new", "contacts"), counts)
    if report.changed:
        lines = [
            (
                item.case_id,
                item.contact.at.isoformat(timespec="minutes"),
                item.contact.channel,
                f"{item.old.verdict} → {item.new.verdict}",
                ", ".join(item.old.rules),
                ", ".join(item.new.rules),
                ", ".join(item.unknown) + ("" if item.reproduced else " (not reproduced)"),
            )
            for item in report.changed
        ]
        print_table("Changed", ("contact", "at", "channel", "verdict", "old rules", "new rules", "unknown"), lines)
    words = f"{len(report.changed)} of {report.contacts} changed"
    if report.not_reproduced:
        words += f"; of {report.not_reproduced} the rules of today do not give the recorded verdict"
    click.echo(words)
