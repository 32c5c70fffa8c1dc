"""
``cobranza decide``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from cobranza_sdk.cli._output import print_json, print_table, progress, settings_or_default
from cobranza_sdk.cli._root import Instant, Options, command
from cobranza_sdk.model import COLLECTORS, CONSENTS, HOLDER_ROLES, SECTORS, STAGES

if TYPE_CHECKING:
    from cobranza_sdk.compliance import Decider

_CODE_LETTERS = 2
_SINGLE = ("country", "region", "at", "channel", "stage", "recipient", "collector", "sector", "consent", "purpose")


class Country(click.ParamType[str]):
    """
    An ISO 3166-1 code; small letters do as well.
    """

    name = "COUNTRY"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """
        Read it, or say what is expected.
        """
        if len(value) != _CODE_LETTERS or not value.isascii() or not value.isalpha():
            self.fail(f"found {value!r}, expected a code of two letters such as PE", param, ctx)
        return value.upper()


def make_decider(options: Options, *, platform: bool = False, overlays: Iterable[Path] = ()) -> Decider:
    """
    A decider of the installed packs, and of the configuration's where there is one, with more *overlays*.
    """
    from cobranza_sdk.app import Cobranza
    from cobranza_sdk.loading import Settings

    settings = settings_or_default(options) or Settings()
    files = (*settings.compliance.overlays, *(str(path.absolute()) for path in overlays))
    cobranza = Cobranza(evolve(settings, compliance=evolve(settings.compliance, overlays=files)))
    return cobranza.judge(platform=platform)


@command("decide")
@click.option("--country", type=Country(), help="ISO 3166-1 code of the debtor's place, for example PE.")
@click.option("--region", help="ISO 3166-2 code, for example PE-LIM.")
@click.option("--at", type=Instant(), help="Instant, ISO 8601 with offset.")
@click.option("--channel", help="whatsapp, sms, email, call, letter, visit, in_app.")
@click.option("--stage", type=click.Choice(STAGES))
@click.option("--recipient", type=click.Choice(HOLDER_ROLES), help="Who holds the address. [default: unknown]")
@click.option("--collector", type=click.Choice(COLLECTORS), help="Who asks. [default: agency]")
@click.option("--sector", type=click.Choice(SECTORS))
@click.option("--consent", type=click.Choice(CONSENTS), help="For this channel. [default: no]")
@click.option("--purpose", help="reminder, demand, offer … [default: demand]")
@click.option("--contacts", help='Past contacts: "channel@ISO:outcome", joined by ;')
@click.option("--flags", help="Facts by name, for example judicial_lookalike.")
@click.option("--cases", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="A CSV of contacts.")
@click.option(
    "--overlay",
    "overlays",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="A TOML file that changes a pack's holidays.",
)
@click.option("--platform", is_flag=True, help="Judge by platform rules too, not by law alone.")
@click.option("-l", "--language", type=click.Choice(["es", "pt", "en"]), default="es", show_default=True)
def decide_command(
    options: Options,
    cases: Path | None,
    platform: bool,  # noqa: FBT001  # click's name
    language: str,
    overlays: tuple[Path, ...],
    **contact: Any,
) -> None:
    """
    May this contact be made, when, and why? By law alone unless --platform. Needs no configuration.

    One contact from the options, or many with --cases FILE.csv (columns case_id, country, region, at, channel, stage,
    recipient, collector, sector, consent, contacts, purpose, flags).
    """
    given = {name: value for name, value in contact.items() if value is not None}
    if cases is not None and given:
        msg = f"--cases takes the contacts from the file: --{min(given)} cannot stand beside it"
        raise click.UsageError(msg)
    decider = make_decider(options, platform=platform, overlays=overlays)
    if cases is not None:
        _decide_cases(options, decider, cases)
        return
    missing = [f"--{name}" for name in ("country", "at", "channel") if name not in given]
    if missing:
        msg = f"missing {', '.join(missing)}: give one contact by options, or many with --cases FILE.csv"
        raise click.UsageError(msg)
    _decide_one(options, decider, given, language)


def _decide_one(options: Options, decider: Decider, given: dict[str, Any], language: str) -> None:
    from cobranza_sdk.compliance import read_cases

    row = io.StringIO()
    writer = csv.DictWriter(row, fieldnames=[*_SINGLE, "contacts", "flags"])
    writer.writeheader()
    writer.writerow({**given, "at": given["at"].isoformat()})
    (case,) = read_cases(io.StringIO(row.getvalue(), newline=""), decider)
    decision = decider.decide(case.contact)
    if options.as_json:
        print_json(decision.to_dict())
    else:
        click.echo(decision.explain(language))


def _results(options: Options, decider: Decider, lines: Iterable[str]) -> list[dict[str, Any]]:
    from cobranza_sdk.compliance import case_result, read_cases

    results = []
    with progress(options, "deciding cases") as bar:
        for case in read_cases(lines, decider):
            results.append(case_result(case, decider.decide(case.contact)))
            if bar is not None:
                bar(len(results))
    return results


def _decide_cases(options: Options, decider: Decider, path: Path) -> None:
    from cobranza_sdk.compliance import CasesError

    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            results = _results(options, decider, lines)
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({type(error).__name__}), expected a CSV in UTF-8"
        raise CasesError(msg) from error
    except CasesError as error:
        msg = f"{path}: {error}"
        raise CasesError(msg, hint=error.hint) from error
    if options.as_json:
        print_json(results)
        return
    print_table(
        "Decisions",
        ("case", "verdict", "not before", "rules", "citation"),
        [
            (
                result["case_id"],
                result["verdict"],
                result["not_before"],
                ", ".join(finding["rule"] for finding in result["findings"]),
                "; ".join(dict.fromkeys(finding["citation"] for finding in result["findings"])),
            )
            for result in results
        ],
    )
