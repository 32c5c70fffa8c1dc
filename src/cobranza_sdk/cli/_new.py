"""
``cobranza new``: writes the beginning of something, complete enough to pass its checks.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from cobranza_sdk.cli._decide import Country
from cobranza_sdk.cli._new_plugin import plugin_commands
from cobranza_sdk.cli._output import print_json
from cobranza_sdk.cli._pack_files import CASES, PACK
from cobranza_sdk.cli._root import Options, command, today_option
from cobranza_sdk.cli._workspace import scaffold, write_files
from cobranza_sdk.model import CobranzaError

_REVIEW, _TESTS = "review.md", "test_pack.py"
_DAY = timedelta(days=1)
_YEARS = 5


@click.group("new")
def new_command() -> None:
    """
    Write the beginning of a country pack or a plugin. Needs no configuration.
    """


@command("pack")
@click.argument("code", type=Country())
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where the folder is written. [default: here]",
)
@click.option("--like", type=Country(), help="Take zones and calendar of this country: CODE may then be invented.")
@today_option
def _pack(options: Options, code: str, directory: Path, like: str | None, today: date) -> None:
    """
    Write a country pack for CODE (PY): pack.toml, golden.csv, review.md and tests, ready for `cobranza packs check`.

    A draft with strict values to be replaced by those of the law. No Python needed.
    """
    folder, tests = directory / code.lower(), f"test_{code.lower()}.py"
    there = [name for name in (PACK, CASES, _REVIEW, tests) if (folder / name).exists()]
    if there:
        msg = f"{folder} already holds {', '.join(there)}: nothing was written"
        raise CobranzaError(msg, hint="choose another --dir")
    calendar = like or code
    words = _words(code, calendar, today)
    zones = [ZoneInfo(name) for name in _zones(calendar)]
    texts = {
        PACK: _filled(scaffold(f"pack/{PACK}"), words),
        CASES: _golden(code, zones, _plain_week(calendar, zones, today)),
        _REVIEW: _filled(scaffold(f"pack/{_REVIEW}"), words),
        tests: scaffold(f"pack/{_TESTS}"),
    }
    written = write_files(folder, texts)
    if options.as_json:
        print_json({"directory": str(folder), "files": [str(path) for path in written]})
        return
    click.echo(f"written to {folder}: {', '.join(path.name for path in written)}")
    click.echo(f"next: put in the values of the law, then cobranza packs check {folder}")


def _words(code: str, calendar: str, today: date) -> dict[str, str]:
    from babel import Locale

    names = {language: Locale(language).territories.get(code, code) for language in ("es", "pt", "en")}
    return {
        "CODE": code,
        "LOWER": code.lower(),
        "TODAY": today.isoformat(),
        "THROUGH": str(today.year + _YEARS),
        "ZONES": ", ".join(f'"{name}"' for name in _zones(calendar)),
        "CALENDAR": calendar,
        "NAME": names["en"],
        **{language.upper(): name for language, name in names.items()},
    }


def _filled(text: str, words: dict[str, str]) -> str:
    for name, word in words.items():
        text = text.replace(f"@{name}@", word)
    return text


def _zones(code: str) -> list[str]:
    """
    All time zones of a country whose calendar is known.

    Raises:
        CobranzaError: The country has no zones, or no calendar.
    """
    import holidays
    from babel.core import get_global

    zones: Sequence[str] = get_global("territory_zones").get(code, ())
    if not zones or not hasattr(holidays, code):
        msg = f"no country {code} with time zones and a calendar of holidays is known"
        raise CobranzaError(msg, hint="codes are those of ISO 3166-1: PY for Paraguay; --like PY for an invented one")
    return sorted(zones)


def _plain_week(calendar: str, zones: Sequence[ZoneInfo], today: date) -> date:
    """
    The Monday of a week of work, soon, in which and around which no holiday falls and no clock changes.
    """
    import holidays

    closed = holidays.country_holidays(calendar, years=range(today.year, today.year + 3))
    monday = today - today.weekday() * _DAY
    for number in range(1, 104):
        first = monday + number * 7 * _DAY
        days = [first + offset * _DAY for offset in range(-7, 15)]
        if not any(day in closed for day in days) and all(_is_steady(days, tz) for tz in zones):
            return first
    return monday + 7 * _DAY


def _is_steady(days: Sequence[date], tz: ZoneInfo) -> bool:
    return len({datetime(day.year, day.month, day.day, 12, tzinfo=tz).utcoffset() for day in days}) == 1


def _golden(code: str, zones: Sequence[ZoneInfo], monday: date) -> str:
    """
    Golden cases of the rules that are written: both sides of each edge, the weekend, the cap, each kind of refusal.
    """
    columns = "case_id,country,at,channel,recipient,consent,contacts,reading,expect_verdict,expect_not_before"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns.split(","), "expect_rule", "why"])
    for case, day, clock, channel, recipient, consent, past, verdict, until, rule, why in _rows():
        at, opens = _at(monday, day, clock, zones[0]), _at(monday, *until, zones[0]) if until else ""
        contacts = f"{channel}@{_at(monday, *past, zones[0])}:answered" if past else ""
        rules = f"{code.lower()}.{rule}" if rule else ""
        writer.writerow(
            [case, code, at, channel, recipient, consent, contacts, "", verdict, opens, rules, f"replace: {why}"]
        )
    return text.getvalue()


def _at(monday: date, day: int, clock: str, tz: ZoneInfo) -> str:
    wall = datetime.combine(monday + day * _DAY, datetime.min.time(), tz)
    hour, minute = clock.split(":")
    return wall.replace(hour=int(hour), minute=int(minute)).isoformat()


_Row = tuple[str, int, str, str, str, str, tuple[int, str] | None, str, tuple[int, str] | None, str, str]


def _rows() -> Iterator[_Row]:
    opens, monday = (0, "09:00"), (7, "09:00")
    yield "0859", 0, "08:59", "call", "debtor", "yes", None, "defer", opens, "window", "art. 1, closed before 09:00"
    yield "0900", 0, "09:00", "call", "debtor", "yes", None, "allow", None, "", "art. 1, 09:00 sharp is open"
    yield "1659", 0, "16:59", "call", "debtor", "yes", None, "allow", None, "", "art. 1, last open minute"
    yield "1700", 0, "17:00", "call", "debtor", "yes", None, "defer", (1, "09:00"), "window", "art. 1, 17:00 is closed"
    yield "friday", 4, "17:00", "sms", "debtor", "yes", None, "defer", monday, "window", "art. 1, closed till Monday"
    yield "saturday", 5, "10:00", "sms", "debtor", "yes", None, "defer", monday, "window", "art. 1, no Saturdays"
    second = (0, "10:00")
    yield "second", 3, "10:00", "call", "debtor", "yes", second, "defer", (7, "10:00"), "cap.week", "art. 2, one a week"
    yield "eighth", 7, "10:00", "call", "debtor", "yes", second, "allow", None, "", "art. 2, seven days later"
    yield "employer", 1, "10:00", "call", "employer", "yes", None, "deny", None, "third_party", "art. 3, no third party"
    yield "no-yes", 1, "10:00", "sms", "debtor", "no", None, "deny", None, "consent", "art. 4, only with a yes"
    yield "visit", 1, "10:00", "visit", "debtor", "yes", None, "deny", None, "forbid.visits", "art. 5, no visits"


new_command.add_command(_pack)
for _each in plugin_commands():
    new_command.add_command(_each)
