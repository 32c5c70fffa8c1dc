"""
``cobranza check``.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import click

from cobranza_sdk.cli._decide import Country
from cobranza_sdk.cli._output import open_application, print_json, spinner
from cobranza_sdk.cli._root import EXIT_DOMAIN, EXIT_OK, Instant, Options, command

if TYPE_CHECKING:
    from cobranza_sdk.engine import StrategyFinding


@command("check")
@click.option("--country", "countries", multiple=True, type=Country(), help="Where debtors are; may be repeated.")
@click.option("--at", type=Instant(), help="The day that everything starts on. [default: the clock]")
def check_command(options: Options, countries: tuple[str, ...], at: datetime | None) -> int:
    """
    Hold the strategies against the packs: steps that can never run, channels that are always denied, messages that
    caps and gaps push past their days, templates that are missing. Ends with 1 if anything is an error.
    """
    with open_application(options) as cobranza, spinner(options, "checking strategies"):
        at = at or cobranza.clock.now()
        findings = cobranza.check_strategies(countries, at=at)
    counts = Counter(finding.severity for finding in findings)
    ok = not counts["error"]
    if options.as_json:
        print_json({"ok": ok, "at": at.isoformat(), "findings": [finding.to_dict() for finding in findings]})
    else:
        for finding in findings:
            click.echo(_line(finding))
        click.echo(f"{counts['error']} errors, {counts['warning']} warnings")
    return EXIT_OK if ok else EXIT_DOMAIN


def _line(finding: StrategyFinding) -> str:
    place = finding.region or finding.country
    where = " · ".join(filter(None, (finding.creditor, finding.step, finding.channel, place)))
    rule = f" [{finding.rule}: {finding.citation}]" if finding.rule is not None else ""
    return f"{finding.severity}: {where}: {finding.message}{rule}"
