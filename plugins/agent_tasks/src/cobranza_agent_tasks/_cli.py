"""
``cobranza-agent-tasks``: the work list for people.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import click
from attrs import field, frozen

from cobranza_agent_tasks._desk import Desk, GateError
from cobranza_agent_tasks._export import csv_of, write_private
from cobranza_agent_tasks._house import House, Setup, usual
from cobranza_agent_tasks._letters import Letter, LetterError, pdf_of
from cobranza_agent_tasks._order import FORMULA, Row, rows_of
from cobranza_agent_tasks._outcomes import OUTCOMES, SPOKE
from cobranza_agent_tasks._report import Account, Reported, account_of, report_all
from cobranza_agent_tasks._tasks import Outcome, Task, TaskError, TaskList, TaskListError
from cobranza_sdk import CobranzaError

DEFAULT_CONFIG = "cobranza.toml"
EXIT_DOMAIN, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130

_WORDS = tuple(dict.fromkeys(word for words in OUTCOMES.values() for word in words))
_MAX_NAME = 64
_PRACTICE = "no address: it was made with live = false, for practice"


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


class Name(click.ParamType[str]):
    """
    Who speaks: a short name without control characters.
    """

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """
        Take it without the blanks around it.
        """
        name = str(value).strip()
        if not name or len(name) > _MAX_NAME or not name.isprintable():
            self.fail(f"expected a name of 1 to {_MAX_NAME} characters", param, ctx)
        return name


@frozen(kw_only=True)
class Options:
    """
    What every command is given.
    """

    setup: Setup
    config: Path | None
    path: str | None
    as_json: bool


@frozen(kw_only=True)
class Room:
    """
    An opened list, with the house that it belongs to.
    """

    setup: Setup
    house: House = field(repr=False)
    tasks: TaskList

    @property
    def desk(self) -> Desk:
        """
        Shows its tasks, if the gate permits.
        """
        return Desk(tasks=self.tasks, gate=self.house.gate, now=self.setup.now)

    def rows(self, channel: str | None = None) -> list[Row]:
        """
        What is to be done, in order. What is past its window is ended first.
        """
        now = self.setup.now()
        self.tasks.expire(now)
        found = [task for task in self.tasks.tasks(channel=channel) if task.is_open(now)]
        return rows_of(found, now=now, past_due=self.house.past_due([task.id for task in found]))

    def report(self, url: str | None) -> Reported:
        """
        Tell the core what it is owed.
        """
        return report_all(self.tasks, self.house.accounts, clock=self.setup.now, url=url, send=self.setup.send)


@contextmanager
def opened(options: Options) -> Iterator[Room]:
    """
    The list that the options name. With ``--path`` alone there is no house, and so no gate: nothing is shown.
    """
    if options.path is not None and options.config is None:
        yield Room(setup=options.setup, house=House(), tasks=TaskList(options.path))
        return
    with options.setup.open_house(options.config or Path(DEFAULT_CONFIG)) as house:
        path = options.path or _only_path(house.accounts)
        mine = tuple(account for account in house.accounts if Path(account.path) == Path(path))
        yield Room(
            setup=options.setup,
            house=House(accounts=mine, gate=house.gate, past_due=house.past_due),
            tasks=TaskList(path),
        )


def _only_path(accounts: Sequence[Account]) -> str:
    paths = sorted({account.path for account in accounts})
    if len(paths) == 1:
        return paths[0]
    found = f"{len(paths)} work lists are" if paths else "no account of agent_calls, agent_visits or agent_letters is"
    msg = f"{found} configured"
    raise TaskError(msg, hint="choose with --path" if paths else "add one under [channels.NAME], or give --path")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def _root() -> None:
    """
    Calls, visits and letters for people to do.
    """


def command(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """
    Declare a command: it takes ``--config``, ``--path`` and ``--json``, and is given `Options` first.
    """

    def declare(work: Callable[..., None]) -> click.Command:
        @_root.command(name)
        @click.option("--config", type=click.Path(path_type=Path), help=f"The SDK's. [default: {DEFAULT_CONFIG}]")
        @click.option("--path", help="The list's file, where it is not the only one that is configured.")
        @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
        @click.pass_context
        @wraps(work)
        def call(context: click.Context, /, *_: Any, **given: Any) -> None:
            common = {key: given.pop(key) for key in ("config", "path", "as_json")}
            work(Options(setup=context.obj or usual(), **common), **given)

        return call

    return declare


channel_option = click.option("--channel", type=click.Choice(sorted(OUTCOMES)), help="Only these tasks.")
by_option = click.option("--by", type=Name(), required=True, help="Who takes or tells it.")
url_option = click.option("--url", help="Where the SDK is, https or this machine. [default: its public address]")
out_argument = click.Path(path_type=Path)


@command("list")
@channel_option
def list_command(options: Options, channel: str | None) -> None:
    """
    What is to be done, in order, with the parts of each place. No addresses.
    """
    with opened(options) as room:
        late = room.tasks.expire(room.setup.now())
        rows = room.rows(channel)
    if late:
        click.echo(f"{len(late)} ended now as expired: their legal window has closed; `report` tells the SDK", err=True)
    if options.as_json:
        _print({"formula": FORMULA, "tasks": [_row(row) for row in rows]})
        return
    for row in rows:
        closes = "no end" if row.closes_in_minutes is None else f"closes in {row.closes_in_minutes} min"
        due = "past due: unknown" if row.days_past_due is None else f"{row.days_past_due} days past due"
        taken = f"  taken by {row.taken_by}" if row.taken_by else ""
        click.echo(f"{row.task.id}  {row.task.channel}  {closes}  {due}  {row.age_minutes} min old{taken}")
    click.echo(f"{len(rows)} open; ordered by {FORMULA}", err=True)


@command("show")
@click.argument("task")
@click.option("--by", type=Name(), help="Who asks, where the task is taken.")
def show_command(options: Options, task: str, by: str | None) -> None:
    """
    A task with its address and script, if it is still permitted.
    """
    with opened(options) as room:
        _tell(options, room.desk.show(task, by=by))


@command("take")
@click.argument("task")
@by_option
@click.option("--minutes", type=click.IntRange(1, 24 * 60), default=30, show_default=True, help="For how long.")
def take_command(options: Options, task: str, by: str, minutes: int) -> None:
    """
    Reserve a task and see it, if it is still permitted.
    """
    with opened(options) as room:
        _tell(options, room.desk.take(task, by=by, length=timedelta(minutes=minutes)))


@command("done")
@click.argument("task")
@click.option("--outcome", type=click.Choice(_WORDS), required=True)
@by_option
@click.option("--at", type=Instant(), help="When, with offset. [default: now]")
@click.option("--note", help="Your own words. They stay in the list's file.")
@click.option("--opt-out", is_flag=True, help="The person asked not to be contacted so any more.")
@click.option("--reason", help="Why an outcome that was told before is corrected.")
@url_option
def done_command(
    options: Options,
    task: str,
    outcome: str,
    by: str,
    at: datetime | None,
    note: str | None,
    *,
    opt_out: bool,
    reason: str | None,
    url: str | None,
) -> None:
    """
    Say what became of a task, and report it to the SDK. What is not taken there stays owed.
    """
    with opened(options) as room:
        now = room.setup.now()
        _require_word(room.tasks.get(task), outcome, opt_out=opt_out)
        told = Outcome(
            task_id=task, outcome=outcome, by=by, at=at or now, note=note, opt_out=opt_out, reason=reason or None
        )
        kept = room.tasks.record(told, now=now)
        reported = room.report(url)
    _report(options, reported, {"task": task, "outcome": kept.outcome, "key": kept.key})


def _require_word(task: Task, outcome: str, *, opt_out: bool) -> None:
    if outcome not in OUTCOMES[task.channel]:
        msg = f"{outcome} is no outcome of a {task.channel}"
        raise TaskError(msg, hint=f"expected one of {', '.join(OUTCOMES[task.channel])}")
    if opt_out and outcome not in SPOKE:
        msg = f"--opt-out does not go with {outcome}"
        raise TaskError(msg, hint="only who spoke can ask for it: right_party or refused")


@command("report")
@url_option
def report_command(options: Options, url: str | None) -> None:
    """
    End what is past its window, and tell the SDK everything that it is owed.
    """
    with opened(options) as room:
        expired = room.tasks.expire(room.setup.now())
        reported = room.report(url)
    _report(options, reported, {"expired": len(expired)})


@command("export")
@channel_option
@click.option("--out", type=out_argument, required=True, help="CSV file to write, for its owner alone.")
@by_option
@click.option("--hours", type=click.IntRange(1, 14 * 24), default=12, show_default=True, help="Reserved for how long.")
def export_command(options: Options, channel: str | None, out: Path, by: str, hours: int) -> None:
    """
    Write what is to be done into a CSV file, each task only if it is still permitted, and reserve it.
    """
    with opened(options) as room:
        shown, left_out = [], {}
        for row in room.rows(channel):
            try:
                shown.append((row, room.desk.take(row.task.id, by=by, length=timedelta(hours=hours))))
            except (GateError, TaskListError):
                raise
            except TaskError as error:  # taken, withdrawn, or over by now
                left_out[row.task.id] = str(error)
        write_private(out, csv_of(shown))
    _summary(options, {"written": len(shown), "left_out": left_out}, f"{len(shown)} tasks written to {out}")


@command("letters")
@click.option("--out", type=out_argument, required=True, help="Folder for the PDF files, made where it is missing.")
@by_option
@click.option("--hours", type=click.IntRange(1, 14 * 24), default=24, show_default=True, help="Reserved for how long.")
@click.option("--dated", type=click.DateTime(["%Y-%m-%d"]), help="Date to print. [default: none]")
def letters_command(options: Options, out: Path, by: str, hours: int, dated: datetime | None) -> None:
    """
    Make the letters that are to be posted, each only if it is still permitted, and reserve them.
    """
    with opened(options) as room:
        made, left_out = [], {}
        _make_folder(out)
        for row in room.rows("letter"):
            try:
                task = room.desk.take(row.task.id, by=by, length=timedelta(hours=hours))
                content = _letter(room, task, by, dated)
            except (GateError, TaskListError):
                raise
            except TaskError as error:  # taken, withdrawn, over by now, or not to be printed
                left_out[row.task.id] = str(error)
                continue
            write_private(out / f"{task.id}.pdf", content)
            made.append(f"{task.id}.pdf")
    _summary(options, {"written": made, "left_out": left_out}, f"{len(made)} letters written to {out}")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{out.name} cannot be made: {error.strerror or type(error).__name__}"
        raise TaskError(msg, hint="name a folder") from error


def _letter(room: Room, task: Task, by: str, dated: datetime | None) -> bytes:
    """
    A letter as PDF; one that cannot be printed is given back.
    """
    if task.address is None:
        room.tasks.release(task.id, by=by)
        raise LetterError(_PRACTICE)
    account = account_of(task, room.house.accounts)
    letter = Letter(
        sender=() if account is None else account.sender,
        address=task.address.value,
        dated=None if dated is None else dated.date(),
        subject=task.subject,
        text=task.script or "",
        page="a4" if account is None else account.page,
        made_at=task.created_at,
        qr_prefix=None if account is None else account.qr_prefix,
    )
    try:
        return pdf_of(letter)
    except LetterError:
        room.tasks.release(task.id, by=by)
        raise


@command("erase")
@click.option("--days", type=click.IntRange(min=1), required=True, help="How long ago they have ended at least.")
def erase_command(options: Options, days: int) -> None:
    """
    Erase addresses, scripts and notes of tasks that ended long ago and are reported. Ids and outcomes stay.
    """
    with opened(options) as room:
        count = room.tasks.erase(room.setup.now() - timedelta(days=days))
    _summary(options, {"erased": count}, f"{count} tasks erased")


# -- printing --------------------------------------------------------------------------------------------------------


def _row(row: Row) -> dict[str, Any]:
    return {
        "task": row.task.id,
        "channel": row.task.channel,
        "purpose": row.task.purpose,
        "taken_by": row.taken_by,
        "closes_at": None if row.task.not_after is None else row.task.not_after.isoformat(),
        "score": {
            "closes_in_minutes": row.closes_in_minutes,
            "days_past_due": row.days_past_due,
            "age_minutes": row.age_minutes,
        },
    }


def _tell(options: Options, task: Task) -> None:
    address = _PRACTICE if task.address is None else task.address.value
    closes = None if task.not_after is None else task.not_after.isoformat()
    if options.as_json:
        told = {
            "task": task.id,
            "channel": task.channel,
            "address": None if task.address is None else address,
            "practice": task.practice,
            "closes_at": closes,
            "taken_by": task.taken_by,
            "taken_until": None if task.taken_until is None else task.taken_until.isoformat(),
            "locale": task.locale,
            "subject": task.subject,
            "script": task.script,
            "outcomes": list(OUTCOMES[task.channel]),
        }
        _print(told)
        return
    click.echo(f"{task.channel} {task.id}\nto: {address}\nnot after: {closes or 'no end'}\n")
    if task.subject:
        click.echo(f"{task.subject}\n")
    click.echo(task.script)
    click.echo(f"\noutcomes: {', '.join(OUTCOMES[task.channel])}")


def _report(options: Options, reported: Reported, told: dict[str, Any]) -> None:
    owed = dict(reported.owed)
    for reason, count in owed.items():
        click.echo(f"warning: {count} outcomes are kept and still owed to the SDK: {reason}", err=True)
    _summary(options, {**told, "reported": reported.taken, "owed": owed}, f"{reported.taken} outcomes reported")


def _summary(options: Options, told: dict[str, Any], words: str) -> None:
    if options.as_json:
        _print(told)
        return
    for task_id, reason in told.get("left_out", {}).items():
        click.echo(f"left out {task_id}: {reason}", err=True)
    click.echo(words)


def _print(told: dict[str, Any]) -> None:
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))


# -- the process -----------------------------------------------------------------------------------------------------


def run(arguments: Sequence[str], setup: Setup | None = None) -> int:
    """
    Run one command line; returns 0, 1 for a refusal, 2 for a mistake in the call.
    """
    try:
        _root.main(
            args=list(arguments) or ["--help"], prog_name="cobranza-agent-tasks", obj=setup, standalone_mode=False
        )
    except click.UsageError as error:
        return _complain(error.format_message(), "`cobranza-agent-tasks --help` shows how it is called", EXIT_USAGE)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except CobranzaError as error:
        return _complain(str(error), error.hint, EXIT_DOMAIN)
    except Exception as error:  # noqa: BLE001  # the last guard: what it says may quote a person
        return _complain(f"unexpected {type(error).__name__}", "report it with the command that was given", EXIT_DOMAIN)
    return 0


def _complain(message: str, hint: str | None, code: int) -> int:
    line = " ".join(message.split())
    click.echo(f"error: {line}" + (f" (hint: {hint})" if hint else ""), err=True)
    return code


def main() -> None:
    """
    The console script.
    """
    sys.exit(run(sys.argv[1:]))
