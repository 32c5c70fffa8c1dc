"""
``cobranza sync``, ``plan``, ``dispatch`` and ``run``.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from cobranza_sdk.cli._output import open_application, open_rehearsal, print_json, print_table, progress, spinner
from cobranza_sdk.cli._root import EXIT_DOMAIN, EXIT_OK, Options, at_option, command

if TYPE_CHECKING:
    from cobranza_sdk.app import Cobranza

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")


def _sync(cobranza: Cobranza, options: Options) -> list[dict[str, Any]]:
    with progress(options, "reading records") as bar:
        reports = cobranza.sync(progress=bar)
    return [
        {
            "erp": report.erp,
            "creditor": report.creditor_id,
            "created": report.created,
            "changed": report.changed,
            "unchanged": report.unchanged,
            "rejected": report.rejected,
            "written": report.written,
        }
        for report in reports
    ]


def _show_sync(cobranza: Cobranza, lines: list[dict[str, Any]]) -> None:
    kinds = ("debtor", "receivable", "payment")
    print_table(
        "Read",
        ("erp", "creditor", *(f"{kind}s new/changed/same" for kind in kinds), "rejected rows", "results told"),
        [
            (
                line["erp"],
                line["creditor"],
                *(
                    "/".join(str(line[what].get(kind, 0)) for what in ("created", "changed", "unchanged"))
                    for kind in kinds
                ),
                line["rejected"],
                line["written"],
            )
            for line in lines
        ],
    )
    rejected = cobranza.rejected()
    if rejected:
        print_table(
            "Rejected rows",
            ("source", "line", "column", "reason"),
            [(row["source"], row["line"], row["column"], row["reason"]) for row in rejected],
        )


def _plan(cobranza: Cobranza, options: Options) -> int:
    with spinner(options, "planning outreaches"):
        return cobranza.plan()


def _plan_preview(cobranza: Cobranza, options: Options) -> list[dict[str, Any]]:
    with spinner(options, "planning outreaches"):
        return cobranza.plan_preview()


def _dispatch(cobranza: Cobranza, options: Options, limit: int | None) -> dict[str, Any]:
    with progress(options, "dispatching attempts") as bar:
        report = cobranza.dispatch(limit=limit, progress=bar)
    reasons = [
        {"state": state, "reason": reason, "count": count}
        for (state, reason), count in sorted(report.reasons.items(), key=lambda item: (-item[1], item[0]))
    ]
    return {"counts": dict(report.counts), "reasons": reasons, "stopped": report.stopped}


def _told_failures(cobranza: Cobranza) -> bool:
    """
    Tell of accounts that could not be built: what waits for them stays deferred. Returns whether there are any.
    """
    for failure in cobranza.accounts.failures:
        click.echo(f"error: {failure.subject}: {failure.cause} (hint: {failure.hint})", err=True)
    return bool(cobranza.accounts.failures)


def _show_dispatch(answer: dict[str, Any]) -> None:
    print_table("Dispatched", ("attempts", "count"), sorted(answer["counts"].items()))
    if answer["reasons"]:
        lines = [(line["state"], line["reason"], line["count"]) for line in answer["reasons"]]
        print_table("Not sent, and why", ("state", "rule or word", "count"), lines)
    if answer["stopped"]:
        click.echo(f"stopped: {answer['stopped']}")


@command("sync")
@at_option
@dry_run_option
def sync_command(options: Options, at: datetime | None, dry_run: bool) -> None:  # noqa: FBT001  # click's name
    """
    Read the ERPs into the portfolio. Reading the same twice changes nothing.
    """
    with (open_rehearsal if dry_run else open_application)(options, at=at) as cobranza:
        lines = _sync(cobranza, options)
        if options.as_json:
            print_json({"sync": lines, "rejected": cobranza.rejected()})
        else:
            _show_sync(cobranza, lines)


@command("plan")
@at_option
@dry_run_option
def plan_command(options: Options, at: datetime | None, dry_run: bool) -> None:  # noqa: FBT001  # click's name
    """
    Make what is due today into outreaches: one per debtor, currency and step, however many invoices.
    """
    with open_application(options, at=at) as cobranza:
        if dry_run:
            lines = _plan_preview(cobranza, options)
            if options.as_json:
                print_json({"would_plan": lines})
            else:
                columns = ("creditor", "debtor_id", "currency", "step", "stage", "anchor_on")
                print_table("Would be planned", columns, [[line[name] for name in columns] for line in lines])
            return
        made = _plan(cobranza, options)
        if options.as_json:
            print_json({"planned": made})
        else:
            click.echo(f"{made} outreaches planned")


@command("dispatch")
@at_option
@dry_run_option
@click.option("--limit", type=click.IntRange(min=1), help="Most attempts to handle.")
def dispatch_command(options: Options, at: datetime | None, dry_run: bool, limit: int | None) -> int:  # noqa: FBT001  # click's name
    """
    Decide and send what is due. What may not leave now is deferred or suppressed, with its reason.
    """
    with open_application(options, at=at) as cobranza:
        if dry_run:
            _show_preview(options, cobranza.dispatch_preview())
            return EXIT_OK
        answer = _dispatch(cobranza, options, limit)
        if options.as_json:
            print_json({"dispatch": answer})
        else:
            _show_dispatch(answer)
        return EXIT_DOMAIN if _told_failures(cobranza) or answer["stopped"] else EXIT_OK


def _show_preview(options: Options, lines: list[dict[str, Any]]) -> None:
    if options.as_json:
        print_json({"would_dispatch": lines})
        return
    columns = ("attempt_id", "channel", "would", "reason", "not_before")
    print_table("Would be dispatched", columns, [[line[name] for name in columns] for line in lines])


def _rehearse(cobranza: Cobranza, options: Options) -> None:
    lines = _sync(cobranza, options)
    planned = _plan_preview(cobranza, options)
    _plan(cobranza, options)
    dispatched = cobranza.dispatch_preview()
    if options.as_json:
        print_json({"sync": lines, "would_plan": planned, "would_dispatch": dispatched})
        return
    _show_sync(cobranza, lines)
    click.echo(f"{len(planned)} outreaches would be planned")
    _show_preview(options, dispatched)


@command("run")
@at_option
@dry_run_option
def run_command(options: Options, at: datetime | None, dry_run: bool) -> int:  # noqa: FBT001  # click's name
    """
    sync, plan and dispatch. Safe to run twice. With --dry-run all of it is shown and nothing is kept or sent.
    """
    if dry_run:
        with open_rehearsal(options, at=at) as cobranza:
            _rehearse(cobranza, options)
        return EXIT_OK
    with open_application(options, at=at) as cobranza:
        lines = _sync(cobranza, options)
        made = _plan(cobranza, options)
        answer = _dispatch(cobranza, options, None)
        if options.as_json:
            print_json({"sync": lines, "rejected": cobranza.rejected(), "planned": made, "dispatch": answer})
        else:
            _show_sync(cobranza, lines)
            click.echo(f"{made} outreaches planned")
            _show_dispatch(answer)
        return EXIT_DOMAIN if _told_failures(cobranza) or answer["stopped"] else EXIT_OK
