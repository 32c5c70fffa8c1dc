"""
``cobranza packs check``.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cobranza_sdk.cli._output import print_json, print_table, spinner
from cobranza_sdk.cli._pack_files import find_pack, known_packs, read_text
from cobranza_sdk.cli._root import EXIT_DOMAIN, EXIT_OK, Options, command, today_option

if TYPE_CHECKING:
    from cobranza_sdk.compliance import PackReport


@command("check")
@click.argument("which")
@click.option("--cases", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A CSV of golden cases.")
@today_option
def check_command(options: Options, which: str, cases: Path | None, today: date) -> int:
    """
    Check a pack: a TOML file, a folder with pack.toml and golden.csv, or the name of a pack that judges.

    Its keys, its golden cases, its windows at both sides of every edge, windows that leave no minute, and the rules
    that no case shows. Ends with 1 if anything is wrong.
    """
    from cobranza_sdk.compliance import check_pack

    pack = find_pack(options, which)
    golden = pack.cases if cases is None else read_text(cases)
    with spinner(options, "checking"):
        report = check_pack(pack, cases=golden, year=today.year, beside=known_packs(options))
    if options.as_json:
        print_json(report.to_dict())
    else:
        _print(report)
    return EXIT_OK if report.ok else EXIT_DOMAIN


def _print(report: PackReport) -> None:
    for problem in report.problems:
        click.echo(f"{problem.part}: {problem.text}")
    for note in report.notes:
        click.echo(f"note: {note}")
    if report.coverage:
        rows = [
            (each.citation, len(each.rules), each.cases, ", ".join(each.unshown) or "none") for each in report.coverage
        ]
        print_table("Articles", ("article", "rules", "cases that refuse", "rules no case shows"), rows)
    verdict = "ok" if report.ok else f"{len(report.problems)} problems"
    counts = f"{report.rules} rules, {report.cases} golden cases, {report.instants} instants probed"
    click.echo(f"{report.pack}: {verdict}: {counts}")
