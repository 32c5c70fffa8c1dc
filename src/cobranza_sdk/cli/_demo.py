"""
``cobranza demo``: the whole main job on invented data, with the real plugins against emulators on this machine.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import field, frozen

from cobranza_sdk.cli._logs import log_to_stderr
from cobranza_sdk.cli._output import print_json, print_table, spinner
from cobranza_sdk.cli._people import People
from cobranza_sdk.cli._root import Options, command
from cobranza_sdk.cli._sample import COLUMNS, SEED, make_sample
from cobranza_sdk.cli._workspace import (
    DEMO_HINT,
    account_table,
    emulated_channels,
    needing_extras,
    resource,
    scaffold,
    toml_value,
    write_files,
)
from cobranza_sdk.loading import FixedClock, Plugins, load_plugins, read_settings
from cobranza_sdk.model import CobranzaError

if TYPE_CHECKING:
    from cobranza_sdk.spec import Sandbox

#: Three days in August: the second is a holiday in Peru, the third in Colombia.
DAYS = (date(2026, 8, 5), date(2026, 8, 6), date(2026, 8, 7))
_LIMA = timezone(timedelta(hours=-5))
_MORNING, _AFTERNOON = 10, 16
_MARKER = ".cobranza-demo"
_RISK = "whatsapp.collections"
#: Optional modules that the demo itself uses: webhooks come in over HTTP, the report has pictures.
_MODULES = ("starlette", "uvicorn", "matplotlib")

_INTRO = f"""# The demo's configuration: `cobranza attempts`, `events`, `report` and `decide` go on with it.
live = false

[creditor]
name = "Tienda Andina"
country = "PE"
contact_line = "atencion@example.com"
payment_url = "https://pagos.example.com/{{reference}}"

[store]
url = "sqlite:///cobranza.db"

[strategies]
standard = "strategy.toml"

[templates]
files = ["templates.toml"]

# WhatsApp's own policy forbids collecting overdue debts. This demo takes that risk knowingly, so that you see the
# channel at work against an emulator: do not copy this line without reading the policy.
[compliance]
accept_risk = ["{_RISK}"]

"""
_ERP = """[erps.exports]
provider = "erp_csv"
path = "erp/*.csv"
encoding = "cp1252"
delimiter = ";"
decimal = ","
country = "PE"
"""


@frozen(kw_only=True)
class Day:
    """
    What one simulated day brought.

    Attributes:
        day: Which.
        read: Rows that a sync created or changed, by kind.
        rejected: Rows not taken.
        planned: New outreaches.
        counts: What became of attempts, by state.
        answers: Webhooks that the emulators posted, by what they told.
    """

    day: date
    read: dict[str, int]
    rejected: int
    planned: int
    counts: dict[str, int]
    answers: dict[str, int] = field(factory=dict)


@command("demo")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("cobranza-demo"),
    show_default=True,
    help="Where to work; a demo that stands there is made anew.",
)
def demo_command(options: Options, directory: Path) -> None:
    """
    The whole main job on sample data: three simulated days, real plugins, vendor emulators on this machine.
    """
    log_to_stderr(everything=options.debug)
    plugins = load_plugins()
    _require(plugins)
    say = _silent if options.as_json else click.echo
    with ExitStack() as stack:
        demo = Demo(directory, plugins, stack)
        sample = demo.sample
        say(f"sample portfolio: {sample.debtors} debtors, {sample.receivables} receivables, in {directory}/erp")
        say(f"emulators: {', '.join(f'{name} on port {box.port}' for name, box in demo.sandboxes.items())}")
        say(f"WhatsApp's ban on collecting overdue debts is switched off knowingly: accept_risk = [{_RISK!r}]")
        days = []
        for index, day in enumerate(DAYS):
            with spinner(options, f"day {index + 1} of {len(DAYS)}, {day:%d %b}"):
                days.append(demo.run(index, day))
            say(_line(days[-1]))
        summary = demo.summary(days)
        with spinner(options, "writing the report"):
            pages = demo.write_report()
    if options.as_json:
        print_json(summary)
        return
    _show(summary)
    click.echo(f"report: {pages[0]}")
    program = sys.argv[0] if os.sep in sys.argv[0] else "cobranza"
    click.echo(f"go on there with: {program} attempts --config {directory}/cobranza.toml (or events, report, decide)")


def _silent(_text: str) -> None:
    return


def _require(plugins: Plugins) -> None:
    """
    Refuse to begin where a part is missing, naming what brings it.
    """
    missing = [
        words
        for words, found in (
            ("country packs", plugins.names("compliance")),
            ("an ERP reader", plugins.names("erp")),
            ("channels with emulators", emulated_channels(plugins)),
        )
        if not found
    ]
    missing += [name for name in _MODULES if find_spec(name) is None]
    if missing:
        msg = f"the demo needs {', '.join(missing)}: not installed"
        raise CobranzaError(msg, hint=DEMO_HINT)


def _prepare(directory: Path) -> None:
    import shutil

    if directory.exists() and any(directory.iterdir()):
        if not (directory / _MARKER).exists():
            msg = f"{directory} is not empty and holds no demo: nothing was written"
            raise CobranzaError(msg, hint="choose another one with --dir")
        shutil.rmtree(directory)
    write_files(directory, {_MARKER: "made by cobranza demo; the next demo here replaces it\n"})


class Demo:
    """
    Three days of a creditor who sells on credit in Peru and Colombia.

    Args:
        directory: Where to work.
        plugins: What is installed.
        stack: Closes what was opened.
    """

    def __init__(self, directory: Path, plugins: Plugins, stack: ExitStack) -> None:
        from cobranza_sdk.app import Cobranza

        self.directory = directory
        self.sample = make_sample(DAYS[0])
        self.clock = FixedClock(_at(DAYS[0], _MORNING))
        listening = stack.enter_context(_free_socket())
        port = listening.getsockname()[1]
        self.sandboxes: dict[str, Sandbox] = {}
        channels = emulated_channels(plugins)
        for kind, channel, emulator in channels:
            sandbox = emulator(clock=self.clock, webhook_url=f"http://127.0.0.1:{port}/webhooks/{kind}")
            with needing_extras(f"the emulator of {channel.name}"):
                stack.enter_context(sandbox)
            self.sandboxes[kind] = sandbox
        _prepare(directory)  # not earlier: an emulator that cannot start leaves nothing behind
        tables = [
            account_table(directory, kind, channel.name, channel.config, self.sandboxes[kind].settings)
            for kind, channel, _ in channels
        ]
        self._write(tables, port)
        settings = read_settings(directory / "cobranza.toml")
        self.cobranza = stack.enter_context(Cobranza(settings, clock=self.clock, plugins=plugins))
        # Webhooks come in as they would on another machine: over HTTP, to an application with connections of its own.
        server = stack.enter_context(Cobranza(settings, clock=self.clock, plugins=plugins))
        stack.enter_context(_serving(server.webhooks, listening))
        self.people = People(self.sandboxes, seed=SEED)

    def _write(self, tables: Sequence[str], port: int) -> None:
        columns = "".join(f"{name} = {toml_value(header)}\n" for name, header in COLUMNS.items())
        config = (
            _INTRO
            + f'[web]\npublic_url = "http://127.0.0.1:{port}"\n\n'
            + _ERP
            + f"\n[erps.exports.columns]\n{columns}\n"
            + "\n".join(tables)
        )
        texts = {
            "cobranza.toml": config,
            "strategy.toml": scaffold("strategy.toml"),
            "templates.toml": resource("templates", "standard.toml"),
        }
        write_files(self.directory, texts)
        self._export("2026-08-05-cartera.csv", self.sample.portfolio)

    def _export(self, name: str, text: str) -> None:
        path = self.directory / "erp" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode("cp1252"))

    def run(self, index: int, day: date) -> Day:
        """
        One day: read, plan, send, hear the answers, and send once more what follows from them.

        On the second day the ERP exports payments at noon: who paid by then is not written to any more.
        """
        self.clock.set(_at(day, _MORNING))
        reports = self.cobranza.sync()
        planned = self.cobranza.plan()
        counts = dict(self.cobranza.dispatch().counts)
        self.clock.set(_at(day, _MORNING) + timedelta(hours=1))
        answers = self._answer()
        self.clock.set(_at(day, _AFTERNOON))
        if index == 1:
            self._export("2026-08-06-pagos.csv", self.sample.payments)
            reports += self.cobranza.sync()
        for name, count in self.cobranza.dispatch().counts.items():
            counts[name] = counts.get(name, 0) + count
        for name, count in self._answer().items():
            answers[name] = answers.get(name, 0) + count
        read: dict[str, int] = {}
        for report in reports:
            for kinds in (report.created, report.changed):
                for kind, count in kinds.items():
                    read[kind] = read.get(kind, 0) + count
        rejected = sum(report.rejected for report in reports)
        return Day(day=day, read=read, rejected=rejected, planned=planned, counts=counts, answers=answers)

    def _answer(self) -> dict[str, int]:
        """
        Let the people who were written to react, and act on all of it before the clock goes on.
        """
        counts = self.people.react()
        self.cobranza.process_inbox()
        return counts

    def _opted_out(self) -> int:
        """
        Withdrawals that came in by a channel: what the ERP's file brought was no answer to anything.
        """
        withdrawn = self.cobranza.events(kinds=["consent.withdrawn"])
        return sum(event.actor.startswith("channel:") for event in withdrawn)

    def summary(self, days: Sequence[Day]) -> dict[str, Any]:
        """
        The demo as one document.
        """
        attempts = self.cobranza.attempts.list()
        deferred = [line for line in attempts if line["state"] == "deferred"]
        denied: dict[tuple[str, str], int] = {}
        for report in self.cobranza.report():
            for line in report.verdicts:
                if line.verdict in ("deny", "defer"):
                    key = (line.verdict, f"{line.rule} ({line.citation})")
                    denied[key] = denied.get(key, 0) + line.count
        return {
            "directory": str(self.directory),
            "days": [
                {
                    "day": day.day.isoformat(),
                    "read": day.read,
                    "rejected": day.rejected,
                    "planned": day.planned,
                    "attempts": day.counts,
                    "answers": day.answers,
                }
                for day in days
            ],
            "received": {kind: len(sandbox.received) for kind, sandbox in self.sandboxes.items()},
            "not_sent": [{"verdict": v, "rule": rule, "count": n} for (v, rule), n in sorted(denied.items())],
            "still_deferred": _by_instant(deferred),
            "rejected_rows": self.cobranza.rejected(),
            "replies": dict(self.people.replies),
            "opted_out": self._opted_out(),
            "payments": sum(1 for _ in self.cobranza.events(kinds=["payment.posted"])),
            "cancelled_because_paid": sum(line["reason"] == "paid" for line in attempts),
        }

    def write_report(self) -> list[Path]:
        """
        The report as an HTML page.
        """
        from cobranza_sdk.report import to_html

        pages = []
        for report in self.cobranza.report():
            page = self.directory / "report.html"
            page.write_text(to_html(report, language="es"), "utf-8")
            pages.append(page)
        return pages


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=_LIMA)


def _by_instant(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    counts: dict[tuple[str, str], int] = {}
    for line in lines:
        local = datetime.fromisoformat(line["not_before"]).astimezone(_LIMA).isoformat(timespec="minutes")
        counts[local, line["reason"]] = counts.get((local, line["reason"]), 0) + 1
    return [{"until": until, "reason": reason, "count": count} for (until, reason), count in sorted(counts.items())]


@contextmanager
def _free_socket() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@contextmanager
def _serving(application: Any, listening: socket.socket) -> Iterator[None]:
    """
    Serve an ASGI application in a thread, on a socket that already listens.
    """
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(application, log_level="warning", access_log=False, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True, name="cobranza-serve")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=5)


def _line(day: Day) -> str:
    states = ", ".join(f"{count} {name}" for name, count in sorted(day.counts.items()))
    answers = ", ".join(f"{count} {name}" for name, count in sorted(day.answers.items())) or "none"
    read = ", ".join(f"{count} {kind}s" for kind, count in sorted(day.read.items())) or "nothing new"
    return f"{day.day:%a %d %b}: read {read}; planned {day.planned}; attempts: {states or 'none'}; answers: {answers}"


def _show(summary: dict[str, Any]) -> None:
    names = ("accepted", "deferred", "suppressed", "cancelled", "rejected", "not_sent", "unknown", "expired")
    print_table(
        "Three days",
        ("day", "planned", *names),
        [(day["day"], day["planned"], *(day["attempts"].get(name, 0) for name in names)) for day in summary["days"]],
    )
    print_table(
        "Not sent, by rule",
        ("verdict", "rule and article", "times"),
        [(line["verdict"], line["rule"], line["count"]) for line in summary["not_sent"]],
    )
    print_table(
        "Still deferred (Lima and Bogotá time)",
        ("until", "because of", "attempts"),
        [(line["until"], line["reason"], line["count"]) for line in summary["still_deferred"]],
    )
    print_table(
        "Rejected on import",
        ("file", "line", "column", "reason"),
        [(row["source"], row["line"], row["column"], row["reason"]) for row in summary["rejected_rows"]],
    )
    click.echo(
        f"emulators took {summary['received']}; {summary['opted_out']} opted out; "
        f"{summary['payments']} payments posted; "
        f"{summary['cancelled_because_paid']} messages cancelled because the debt was paid"
    )
