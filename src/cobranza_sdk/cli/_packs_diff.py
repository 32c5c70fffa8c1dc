"""
``cobranza packs diff``.
"""

from __future__ import annotations

import click

from cobranza_sdk.cli._output import print_json, print_table
from cobranza_sdk.cli._pack_files import find_pack
from cobranza_sdk.cli._root import Options, command


@command("diff")
@click.argument("old")
@click.argument("new")
def diff_command(options: Options, old: str, new: str) -> None:
    """
    Show how two packs differ, field by field: TOML files, folders, or names of packs that judge.
    """
    from cobranza_sdk.compliance import differences, parse_pack

    first, second = (
        parse_pack(pack.name, pack.text, origin=pack.origin)
        for pack in (find_pack(options, old), find_pack(options, new))
    )
    found = list(differences(first, second))
    if options.as_json:
        print_json({"old": first.label, "new": second.label, "differences": found})
        return
    if not found:
        click.echo(f"{first.label} and {second.label} say the same")
        return
    rows = [
        (
            line["what"],
            line["field"] or ("added" if line["before"] is None else "removed"),
            line["before"],
            line["after"],
        )
        for line in found
    ]
    print_table(f"{first.label} → {second.label}", ("what", "field", "before", "after"), rows)
