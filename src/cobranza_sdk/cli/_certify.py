"""
``cobranza certify``.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from cobranza_sdk import __version__
from cobranza_sdk.cli._output import print_json, spinner
from cobranza_sdk.cli._root import EXIT_DOMAIN, EXIT_OK, Options, command, today_option
from cobranza_sdk.loading import load_plugins
from cobranza_sdk.model import CobranzaError


@command("certify")
@click.argument("distribution")
@click.option(
    "--tests",
    type=click.Path(path_type=Path),
    default=Path("tests"),
    help="Where its tests are. [default: tests]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("conformance.json"),
    help="Where the certificate is written. [default: conformance.json]",
)
@today_option
def certify_command(options: Options, distribution: str, tests: Path, out: Path, today: date) -> int:
    """
    Run the standard checks of an installed distribution and write its certificate: a JSON file and a text beside it.

    Ends with 1 when it does not hold.
    """
    try:
        from cobranza_sdk.testing._certificate import certify
    except ModuleNotFoundError as error:
        msg = f"certify needs {error.name}, which is not installed"
        raise CobranzaError(msg, hint="pip install 'cobranza-sdk[testing]'") from None
    with spinner(options, "checking"):
        found = certify(load_plugins(), distribution, tests, sdk=__version__, today=today)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(found.to_json(), "utf-8")
    out.with_suffix(".txt").write_text(found.to_text(), "utf-8")
    if options.as_json:
        print_json(found.to_dict())
    else:
        click.echo(found.to_text(), nl=False)
        click.echo(f"written: {out}, {out.with_suffix('.txt')}", err=True)
    return EXIT_OK if found.holds else EXIT_DOMAIN
