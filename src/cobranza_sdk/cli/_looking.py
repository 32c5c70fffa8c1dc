"""
``cobranza attempts``, ``events`` and ``report``.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from cobranza_sdk.cli._output import open_application, print_json, print_table
from cobranza_sdk.cli._root import Options, at_option, command
from cobranza_sdk.model import AttemptState, LedgerEvent


@command("attempts")
@click.option(
    "--state", "states", multiple=True, type=click.Choice([str(state) for state in AttemptState]), help="Only these."
)
@click.option("--debtor", help="Only this debtor's: the creditor's id or ours.")
def attempts_command(options: Options, states: tuple[str, ...], debtor: str | None) -> None:
    """
    List attempts: what is planned, deferred and until when, under way, done, and why not.
    """
    with open_application(options) as cobranza:
        lines = cobranza.attempts.list(states=states, debtor=debtor)
    if options.as_json:
        print_json(lines)
        return
    columns = ("attempt_id", "debtor_id", "step", "channel", "state", "not_before", "reason")
    print_table("Attempts", columns, [[line[name] for name in columns] for line in lines])


@command("events")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only after this position.")
@click.option("--kind", "kinds", multiple=True, help="Only these, for example decision.made.")
@click.option("--subject", help="Only those that refer to this id.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
def events_command(
    options: Options, after: int, kinds: tuple[str, ...], subject: str | None, limit: int | None
) -> None:
    """
    Show the ledger, in order.
    """
    with open_application(options) as cobranza:
        events: list[LedgerEvent] = []
        for event in cobranza.events(after=after, kinds=kinds, subject=subject):
            if limit is not None and len(events) >= limit:
                break
            events.append(event)
    if options.as_json:
        print_json([event.to_dict() for event in events])
        return
    print_table(
        "Ledger",
        ("seq", "at", "kind", "actor", "subjects", "payload"),
        [
            (
                event.seq,
                event.at.isoformat(timespec="seconds"),
                event.kind,
                event.actor,
                " ".join(f"{name}={value}" for name, value in event.subject_refs.items()),
                " ".join(f"{name}={value}" for name, value in event.payload.items()),
            )
            for event in events
        ],
    )


@command("report")
@at_option
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write one HTML page with pictures.")
@click.option("--language", type=click.Choice(["es", "pt", "en"]), default="es", show_default=True)
def report_command(options: Options, at: datetime | None, html: Path | None, language: str) -> None:
    """
    Counts by verdict and rule, the funnel of each channel, aging.
    """
    from cobranza_sdk.report import to_dict, to_html, to_text

    with open_application(options, at=at) as cobranza:
        reports = cobranza.report()
    if html is not None:
        for index, report in enumerate(reports):
            page = html if len(reports) == 1 else html.with_stem(f"{html.stem}-{index + 1}")
            page.write_text(to_html(report, language=language), "utf-8")
            click.echo(f"written: {page}", err=True)
    if options.as_json:
        print_json([to_dict(report) for report in reports])
    elif html is None:
        click.echo("\n\n".join(to_text(report, language=language) for report in reports))
