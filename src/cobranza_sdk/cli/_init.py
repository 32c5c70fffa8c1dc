"""
``cobranza init``.
"""

from __future__ import annotations

from pathlib import Path

import click

from cobranza_sdk.cli._output import print_json
from cobranza_sdk.cli._root import Options, command
from cobranza_sdk.cli._workspace import account_table, emulated_channels, resource, scaffold, write_files
from cobranza_sdk.loading import FixedClock, Plugins, load_plugins
from cobranza_sdk.model import CobranzaError

_FIRST_PORT = 8801
_ERP = """[erps.main]
provider = "erp_csv"
path = "receivables.csv"
country = "PE"
# Addresses in this file were given by the debtors themselves, so their holders count as confirmed:
# contacts_confirmed = true

"""
_ACCOUNTS = """# Accounts. These reach the vendor's emulator on this machine; start it with the command above each.
# For real messages: put in your own settings, keep secrets in files or the environment, and set live = true.

"""


@command("init")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
def init_command(options: Options, directory: Path) -> None:
    """
    Write a commented cobranza.toml, a strategy, templates and a sample CSV into DIRECTORY. Nothing is overwritten.
    """
    plugins = load_plugins()
    texts = {
        "cobranza.toml": scaffold("cobranza.toml") + _erp(plugins) + _ACCOUNTS,
        "strategy.toml": scaffold("strategy.toml"),
        "templates.toml": resource("templates", "standard.toml"),
        "receivables.csv": scaffold("receivables.csv"),
        ".gitignore": "secrets/\n*.db\n*.db-wal\n*.db-shm\n",
    }
    there = [name for name in (*texts, "secrets") if (directory / name).exists()]
    if there:
        msg = f"{directory} already holds {', '.join(there)}: nothing was written"
        raise CobranzaError(msg, hint="choose an empty directory")
    directory.mkdir(parents=True, exist_ok=True)
    texts["cobranza.toml"] += _accounts(directory, plugins)
    written = write_files(directory, texts)
    if options.as_json:
        print_json({"directory": str(directory), "files": [str(path) for path in written]})
        return
    click.echo(f"written to {directory}: {', '.join(path.name for path in written)}")
    click.echo("next: cd there, start the emulators named in cobranza.toml, then")
    click.echo("  cobranza doctor")
    click.echo("  cobranza run --at 2026-08-05T10:00:00-05:00 --dry-run")
    click.echo("  cobranza run --at 2026-08-05T10:00:00-05:00")


def _erp(plugins: Plugins) -> str:
    return _ERP if plugins.names("erp") else "".join(f"# {line}\n" for line in _ERP.splitlines()).rstrip() + "\n\n"


def _accounts(directory: Path, plugins: Plugins) -> str:
    from datetime import UTC, datetime

    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    tables = []
    for port, (kind, channel, emulator) in enumerate(emulated_channels(plugins), start=_FIRST_PORT):
        settings = emulator(clock=clock, port=port).settings
        url = f"http://127.0.0.1:8080/webhooks/{kind}"
        tables.append(
            f"# cobranza sandbox {channel.name} --port {port} --webhook-url {url}\n"
            + account_table(directory, kind, channel.name, channel.config, settings)
        )
    return "\n".join(tables)
