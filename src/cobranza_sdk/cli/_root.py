"""
The command group: commands are imported when they are called, and every error is one line with a hint.
"""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import frozen

from cobranza_sdk import __version__

F = TypeVar("F", bound=Callable[..., Any])

EXIT_OK, EXIT_DOMAIN, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
DEFAULT_CONFIG = "cobranza.toml"
_FIRST_YEAR, _LAST_YEAR = 1990, 2095

#: Where each command lives, and what ``--help`` says of it before it is imported.
_COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("_demo", "The whole main job on sample data, against vendor emulators on this machine."),
    "init": ("_init", "Write a commented configuration, a strategy, templates and a sample CSV."),
    "plugins": ("_plugins", "What is installed, and what failed to load."),
    "doctor": ("_doctor", "Check configuration, plugins, files and credentials."),
    "sync": ("_pipeline", "Read the ERPs into the portfolio."),
    "plan": ("_pipeline", "Make what is due today into outreaches."),
    "dispatch": ("_pipeline", "Decide and send what is due."),
    "run": ("_pipeline", "sync, plan and dispatch, one after the other."),
    "decide": ("_decide", "May this contact be made, when, and why?"),
    "check": ("_check", "Hold the strategies against the packs."),
    "backtest": ("_backtest", "Past contacts under other rules: the difference."),
    "packs": ("_packs", "Country packs: check, diff, list, show."),
    "certify": ("_certify", "Run a plugin's standard checks and write its certificate."),
    "new": ("_new", "Write the beginning of a country pack or a plugin."),
    "attempts": ("_looking", "What is planned, deferred, under way, done."),
    "override": ("_override", "One message past a rule, where its pack knows the exception."),
    "events": ("_looking", "The ledger."),
    "report": ("_looking", "Indicators and their pictures."),
    "serve": ("_serving", "Take webhooks over HTTP."),
    "sandbox": ("_serving", "Run a vendor emulator on a port."),
}


@frozen(kw_only=True)
class Options:
    """
    What every command takes.

    Attributes:
        as_json: Whether to print one JSON document.
        config: Path of the configuration.
        config_given: Whether it was named on the command line.
        debug: Whether to show every log line.
    """

    as_json: bool
    config: Path
    config_given: bool
    debug: bool = False


def command(name: str) -> Callable[[F], click.Command]:
    """
    Declare a command with the options that all commands share; its function gets them first, as `Options`.
    """

    def declare(function: F) -> click.Command:
        def call(as_json: bool, config: Path | None, debug: bool, **arguments: Any) -> Any:  # noqa: FBT001  # click's names
            options = Options(
                as_json=as_json,
                config=config or Path(DEFAULT_CONFIG),
                config_given=config is not None,
                debug=debug,
            )
            return function(options, **arguments)

        call.__doc__ = function.__doc__
        call.__click_params__ = list(getattr(function, "__click_params__", []))  # type: ignore[attr-defined]  # click's own way
        shared = (
            click.option("--json", "as_json", is_flag=True, help="Print one JSON document on standard output."),
            click.option(
                "--config",
                type=click.Path(path_type=Path, dir_okay=False),
                help=f"Configuration file. [default: {DEFAULT_CONFIG}]",
            ),
            click.option("--debug", is_flag=True, help="Show tracebacks and every log line."),
        )
        wrapped: Callable[..., Any] = call
        for option in reversed(shared):
            wrapped = option(wrapped)
        return click.command(name, help=function.__doc__)(wrapped)

    return declare


class Instant(click.ParamType[datetime]):
    """
    An ISO 8601 instant with offset.
    """

    name = "ISO"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """
        Read it, or say what is expected.
        """
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            at = None
        if at is None or at.tzinfo is None:
            self.fail(f"found {value!r}, expected ISO 8601 with an offset: 2026-08-05T10:00:00-05:00", param, ctx)
        return at


at_option = click.option("--at", type=Instant(), help="Fix the clock. A fixed clock never sends live.")


class Day(click.ParamType[date]):
    """
    An ISO 8601 date, of years for which calendars can be trusted and five years ahead too.
    """

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """
        Read it, or say what is expected.
        """
        if isinstance(value, date):
            return value
        try:
            day = date.fromisoformat(value)
        except ValueError:
            day = None
        if day is None or not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            self.fail(f"found {value!r}, expected a day from {_FIRST_YEAR} to {_LAST_YEAR}: 2026-01-31", param, ctx)
        return day


def _today() -> date:
    return datetime.now(UTC).date()


today_option = click.option(
    "--at", "today", type=Day(), default=_today, help="The day that counts as today. [default: the clock's]"
)


class _Commands(click.Group):
    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"cobranza_sdk.cli.{_COMMANDS[name][0]}"), f"{name}_command")
        return found

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="cobranza")
def _root() -> None:
    """
    Debt collection that is decent, provable and easy.
    """


def run(arguments: Sequence[str]) -> int:
    """
    Run one command line and return its exit code: 0, 1 for a refusal of the domain, 2 for a mistake in the call.
    """
    debug = "--debug" in arguments
    arguments = arguments or ["--help"]
    try:
        result = _root.main(args=list(arguments), prog_name="cobranza", standalone_mode=False)
    except click.UsageError as error:
        return _correct(error)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return EXIT_OK
    except Exception as error:  # noqa: BLE001  # the last guard: one line, the traceback on request
        from cobranza_sdk.model import CobranzaError

        if debug:
            traceback.print_exc()
        if isinstance(error, CobranzaError):
            return _complain(str(error), error.hint, EXIT_DOMAIN)
        return _complain(f"unexpected {type(error).__name__}", "run it again with --debug and report it", EXIT_DOMAIN)
    return result if isinstance(result, int) else EXIT_OK


def _correct(error: click.UsageError) -> int:
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # Click 8.2: a group without a command
        click.echo(error.format_message(), err=True)
        return EXIT_USAGE
    where = error.ctx.command_path if error.ctx is not None else "cobranza"
    return _complain(error.format_message(), f"`{where} --help` shows how it is called", EXIT_USAGE)


def _complain(message: str, hint: str | None, code: int) -> int:
    line = " ".join(message.split())
    click.echo(f"error: {line}" + (f" (hint: {hint})" if hint else ""), err=True)
    return code
