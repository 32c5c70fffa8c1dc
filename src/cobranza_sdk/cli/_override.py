"""
``cobranza override``.
"""

from __future__ import annotations

from datetime import datetime

import click

from cobranza_sdk import Cobranza
from cobranza_sdk.cli._output import open_application, print_json, print_table
from cobranza_sdk.cli._root import Instant, Options, at_option, command

_creditor = click.option("--creditor", help="Key of the creditor, where there are several.")
_by = click.option("--by", required=True, help="Who answers for it: a supervisor in [operators].")


@click.group("override")
def override_command() -> None:
    """
    Let one message pass a rule, where the rule's pack knows the exception and a supervisor answers for it.
    """


def _chosen(cobranza: Cobranza, creditor: str | None) -> Cobranza:
    return cobranza if creditor is None else cobranza.for_creditor(creditor)


@command("grant")
@at_option
@click.argument("debtor")
@click.argument("ground")
@click.option("--channel", required=True, help="By which the message goes.")
@_by
@click.option("--reason", required=True, help="Why, and where the proof lies. No personal data: the ledger keeps it.")
@click.option("--until", type=Instant(), required=True, help="When it ends unused: at most seven days from now.")
@_creditor
def _grant(
    options: Options,
    at: datetime | None,
    debtor: str,
    ground: str,
    channel: str,
    by: str,
    reason: str,
    until: datetime,
    creditor: str | None,
) -> None:
    """
    State that the exception GROUND holds for the next message to the creditor's debtor DEBTOR.
    """
    with open_application(options, at=at) as cobranza:
        desk = _chosen(cobranza, creditor).overrides
        override_id = desk.grant(debtor, ground, channel=channel, by=by, reason=reason, until=until)
    if options.as_json:
        print_json({"id": override_id})
        return
    click.echo(override_id)


@command("withdraw")
@at_option
@click.argument("override_id")
@_by
@_creditor
def _withdraw(options: Options, at: datetime | None, override_id: str, by: str, creditor: str | None) -> None:
    """
    Close an override that no message has used yet.
    """
    with open_application(options, at=at) as cobranza:
        _chosen(cobranza, creditor).overrides.withdraw(override_id, by=by)
    if options.as_json:
        print_json({"id": override_id, "state": "withdrawn"})


@command("list")
@at_option
@_creditor
def _list(options: Options, at: datetime | None, creditor: str | None) -> None:
    """
    Show every override: open, used, withdrawn or over.
    """
    with open_application(options, at=at) as cobranza:
        lines = _chosen(cobranza, creditor).overrides.list()
    if options.as_json:
        print_json(lines)
        return
    columns = ("id", "state", "debtor", "channel", "ground", "by", "until", "reason")
    print_table("Overrides", columns, [[line[name] for name in columns] for line in lines])


for _each in (_grant, _withdraw, _list):
    override_command.add_command(_each)
