"""
``cobranza packs``.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from cobranza_sdk.cli._decide import make_decider
from cobranza_sdk.cli._output import print_json, print_table
from cobranza_sdk.cli._packs_check import check_command
from cobranza_sdk.cli._packs_diff import diff_command
from cobranza_sdk.cli._root import Options, command
from cobranza_sdk.cli._workspace import DEMO_HINT
from cobranza_sdk.model import CobranzaError

if TYPE_CHECKING:
    from cobranza_sdk.compliance import Pack


_NO_PACKS = f"{DEMO_HINT} brings the first ones; `[plugins] allow` in a configuration may leave them out"


@click.group("packs")
def packs_command() -> None:
    """
    Country packs. Need no configuration.
    """


def _summary(pack: Pack) -> dict[str, Any]:
    return {
        "name": pack.name,
        "version": pack.version,
        "scope": pack.scope,
        "status": pack.status,
        "updated_on": pack.updated_on.isoformat(),
        "reviewed_by": pack.reviewed_by,
        "countries": sorted(pack.countries),
        "rules": len(pack.rules),
    }


@command("list")
def _list(options: Options) -> None:
    """
    List every pack that judges.
    """
    lines = [_summary(pack) for pack in make_decider(options, platform=True).packs]
    if options.as_json:
        print_json(lines)
        return
    columns = ("name", "version", "scope", "status", "updated_on", "countries", "rules")
    rows = [[", ".join(line[c]) if c == "countries" else line[c] for c in columns] for line in lines]
    print_table("Packs", columns, rows)
    if not lines:
        click.echo(f"none is loaded, so every contact is denied ({_NO_PACKS})", err=True)


@command("show")
@click.argument("which")
@click.option("--language", type=click.Choice(["es", "pt", "en"]), default="es", show_default=True)
def _show(options: Options, which: str, language: str) -> None:
    """
    Show the packs of a country (PE), or one by name (safe_default), rule by rule, with article and source.

    PE@2022-01-31 shows what was in force on that day.
    """
    from cobranza_sdk.compliance import in_force

    which, day = _named(which)
    packs = make_decider(options, platform=True).packs
    found = [pack for pack in packs if pack.name == which.lower() or which.upper() in pack.countries]
    if not found:
        if not packs:
            msg = f"no pack is called {which} or lists it: none is loaded"
            raise CobranzaError(msg, hint=_NO_PACKS)
        countries = sorted({code for pack in packs for code in pack.countries})
        msg = f"no pack is called {which} or lists it, expected one of {', '.join(countries)}"
        raise CobranzaError(msg, hint="`cobranza packs list` shows all")
    if day is not None:
        found = [evolve(pack, rules=in_force(pack, day)) for pack in found]
    if options.as_json:
        print_json([_summary(pack) | {"rules": [_rule(rule) for rule in pack.rules]} for pack in found])
        return
    for pack in found:
        click.echo(f"{pack.title[language]} ({pack.label}, {pack.status}, {pack.updated_on})")
        _print_table(pack)
        for rule in pack.rules:
            click.echo(f"\n  {rule.id} · {rule.kind}" + (f" · {rule.reading}" if rule.reading else ""))
            click.echo(f"    {rule.message[language]}")
            since = f"{rule.effective_from} / {rule.effective_to or ''}".rstrip()
            click.echo(f"    {rule.citation} · {since} · {rule.confidence}")
            click.echo(f"    {rule.source}")


def _named(which: str) -> tuple[str, date | None]:
    name, at, text = which.partition("@")
    try:
        return name, date.fromisoformat(text) if at else None
    except ValueError:
        msg = f"found {text!r} after @, expected a date such as {name}@2022-01-31"
        raise click.UsageError(msg) from None


def _print_table(pack: Pack) -> None:
    from cobranza_sdk.compliance import terms_of

    rows = [
        (
            rule.id,
            rule.citation,
            rule.reading or "both",
            rule.confidence,
            "\n".join(f"{field}: {words}" for field, words in terms_of(rule).items()),
        )
        for rule in pack.rules
    ]
    print_table("Rules", ("rule", "article", "reading", "confidence", "what it says"), rows)


def _rule(rule: Any) -> dict[str, Any]:
    from cobranza_sdk.compliance import terms_of

    return {
        "id": rule.id,
        "kind": rule.kind,
        "citation": rule.citation,
        "source": rule.source,
        "confidence": rule.confidence,
        "reading": rule.reading,
        "effective_from": rule.effective_from.isoformat(),
        "effective_to": None if rule.effective_to is None else rule.effective_to.isoformat(),
        "message": dict(rule.message),
        "terms": terms_of(rule),
    }


packs_command.add_command(_list)
packs_command.add_command(_show)
packs_command.add_command(check_command)
packs_command.add_command(diff_command)
