"""
Every mistake in ``cobranza.toml`` is answered with its key, what was found and what is expected; never with a value.
"""

from __future__ import annotations

import os
import re
import tomllib
import traceback
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from attrs import field, frozen, validators

from cobranza_sdk import ConfigurationError, InvalidValueError, Secret
from cobranza_sdk.loading import Settings, _settings, read_settings, settings_from, structure
from cobranza_sdk.loading._structure import NO_KEY
from cobranza_sdk.testing import make_provider

CANARY = "canary-4242"
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
CREDITOR = {"name": "Tienda", "country": "PE"}
HOW = 'a secret: {env = "VARIABLE"} or {file = "path"}'


def problems_of(make: Callable[[], object]) -> tuple[str, ...]:
    """
    What is wrong, after a search for the canary in all that could be printed of it.
    """
    with pytest.raises(ConfigurationError) as caught:
        make()
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + str(caught.value.hint)
    assert CANARY not in shown
    return caught.value.problems


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"live": CANARY}, "live: found text, expected true or false"),
        ({"live": 1}, "live: found a whole number, expected true or false"),
        ({"tenant": 5}, "tenant: found a whole number, expected text"),
        ({"runner": {"batch": "8"}}, "runner.batch: found text, expected a whole number"),
        ({"runner": {"batch": 8.0}}, "runner.batch: found a number, expected a whole number"),
        ({"runner": {"batch": True}}, "runner.batch: found true or false, expected a whole number"),
        ({"runner": {"deadline_s": "30"}}, "runner.deadline_s: found text, expected a number"),
        ({"runner": {"batch": 0}}, "runner.batch: found a number out of range, expected one >= 1"),
        ({"runner": {"concurrency": 424242}}, "runner.concurrency: found a number out of range, expected one <= 256"),
        ({"runner": {"deadline_s": float("nan")}}, "runner.deadline_s: found a number out of range, expected one > 0"),
        ({"runner": CANARY}, "runner: found text, expected a table"),
        ({"store": [CANARY]}, "store: found a list, expected a table"),
        ({"store": {"url": None}}, "store.url: found nothing, expected text"),
        ({"channels": CANARY}, "channels: found text, expected a table"),
        ({"channels": {"sms": CANARY}}, "channels.sms: found text, expected a table"),
        ({"channels": {"sms": {}}}, "channels.sms.provider: missing, expected text"),
        ({"channels": {"sms": {"provider": 5}}}, "channels.sms.provider: found a whole number, expected text"),
        (
            {"channels": {"sms": {"provider": "a", "creditors": CANARY}}},
            "channels.sms.creditors: found text, expected a list",
        ),
        (
            {"channels": {"s m": {"provider": "a"}}},
            "channels.s m: a name may hold the letters a to z, digits, - and _ only",
        ),
        (
            {"channels": {"sms": {"provider": "a", "creditors": ["acme"]}}},
            "channels.sms.creditors: found acme, expected a key of [creditors]",
        ),
        (
            {"channels": {"a": {"provider": "a"}}, "payments": {"a": {"provider": "b"}}},
            "payments.a: found a name of [channels] too, expected another: webhooks arrive under it",
        ),
        ({"compliance": {"packs": CANARY}}, "compliance.packs: found text, expected a list"),
        ({"compliance": {"packs": ["a", 5]}}, "compliance.packs[1]: found a whole number, expected text"),
        (
            {"compliance": {"reading": CANARY}},
            "compliance.reading: found a value that is not permitted, expected one of cautious, literal",
        ),
        ({"plugins": {"allow": CANARY}}, "plugins.allow: found text, expected a list"),
        ({"strategies": {"a": 5}}, "strategies.a: found a whole number, expected text"),
        ({"strategies": CANARY}, "strategies: found text, expected a table"),
        ({"only_to": [CANARY]}, "only_to: found with live = false, expected it beside live = true only"),
        ({"only_to": CANARY, "live": True}, "only_to: found text, expected a list"),
        ({"runer": {}}, "runer: unknown key, did you mean runner?"),
        ({"runner": {"bach": 1}}, "runner.bach: unknown key, did you mean batch?"),
        ({"web": {"zzz": 1}}, "web.zzz: unknown key, expected one of public_url"),
        ({"base": CANARY}, "base: unknown key, paths are relative to the configuration file"),
        ({"channels": {"s": {"provider": "a", "options": {"x": 1}}}}, ""),
        ({"creditor": CANARY}, "creditor: found text, expected a table"),
        ({"creditor": {"country": "PE"}}, "creditor.name: missing, expected text"),
        ({"creditor": {**CREDITOR, "nme": 1}}, "creditor.nme: unknown key, did you mean name?"),
        (
            {"creditor": {**CREDITOR, "country": CANARY}},
            "creditor.country: must be an ISO 3166-1 code of two capitals, for example PE",
        ),
        ({"creditor": {**CREDITOR, "collector": CANARY}}, "creditor.collector: must be one of agency, buyer, creditor"),
        (
            {"creditor": {**CREDITOR, "strategy": "soft"}},
            "creditor.strategy: found soft, expected a name of [strategies]",
        ),
        ({"creditors": {"acme": {**CREDITOR, "name": " "}}}, "creditors.acme.name: may not be blank"),
        (
            {"creditor": CREDITOR, "creditors": {"acme": CREDITOR}},
            "creditor: found beside [creditors.NAME], expected one of the two",
        ),
        ({7: CANARY}, "configuration: found a key that is no text"),
    ],
)
def test_a_mistake_is_answered_with_its_key(table: dict[Any, Any], problem: str) -> None:
    """
    Law 10 and the operator's patience: key, found, expected; no value.
    """
    if not problem:
        assert settings_from(table).channels["s"].options == {"options": {"x": 1}}
        return
    assert problems_of(lambda: settings_from(table)) == (problem,)


def test_all_mistakes_are_told_at_once() -> None:
    """
    Ten mistakes one by one are ten starts.
    """
    table = {
        "live": CANARY,
        "runer": 1,
        "runner": {"batch": "8", "concurrency": "9"},
        "creditor": {"country": 5},
        "channels": {"sms": {"provider": 5}, "email": {}},
        "plugins": {"allow": [1, CANARY, 2]},
    }

    assert set(problems_of(lambda: settings_from(table))) == {
        "live: found text, expected true or false",
        "runer: unknown key, did you mean runner?",
        "runner.batch: found text, expected a whole number",
        "runner.concurrency: found text, expected a whole number",
        "creditor.name: missing, expected text",
        "creditor.country: found a whole number, expected text",
        "channels.sms.provider: found a whole number, expected text",
        "channels.email.provider: missing, expected text",
        "plugins.allow[0]: found a whole number, expected text",
        "plugins.allow[2]: found a whole number, expected text",
    }


def test_contradictions_are_told_at_once_too() -> None:
    """
    What only shows between two tables is gathered as well.
    """
    table = {
        "creditors": {"a": {**CREDITOR, "country": "x", "strategy": "soft"}},
        "erps": {"e": {"provider": "p", "creditors": ["b", "c"]}},
        "only_to": [],
    }

    assert len(problems_of(lambda: settings_from(table))) == 5


def test_a_file_and_its_table_are_the_same_settings(tmp_path: Path) -> None:
    """
    What is written in a file can be given in Python, and the other way round.
    """
    text = "\n".join(re.findall(r"```toml\n(.*?)```", REFERENCE.read_text("utf-8"), re.DOTALL))
    path = tmp_path / "cobranza.toml"
    path.write_text(text, "utf-8")

    settings = read_settings(path)

    assert settings == settings_from(tomllib.loads(text), base=tmp_path)
    assert settings.channels["sms"].options["from_number"] == "+12025550123"
    assert settings.creditors["default"].creditor("default").name == "Tienda Andina"
    assert (settings.live, settings.base) == (False, tmp_path)


def test_settings_survive_the_way_through_a_table() -> None:
    """
    A host that builds settings from its own database gets the same ones.
    """
    table = {
        "tenant": "t",
        "live": True,
        "only_to": ["+51987654321"],
        "creditors": {"a": {**CREDITOR, "sector": "financial"}},
        "channels": {"s": {"provider": "p", "creditors": ["a"], "x": {"y": 1}}},
        "runner": {"deadline_s": 5},
        "plugins": {"allow": []},
    }
    first = settings_from(table)
    again = attrs.asdict(first, filter=lambda field, _: NO_KEY not in field.metadata)
    again["channels"] = {"s": {"provider": "p", "creditors": ["a"], "x": {"y": 1}}}

    assert settings_from(again) == first
    assert first.plugins.allow == ()
    assert settings_from({}).plugins.allow is None
    assert settings_from({}) == Settings()


@pytest.mark.parametrize(("live", "creditors"), [(False, None), (True, ("a",))])
def test_an_account_serves_whom_it_names(live: bool, creditors: tuple[str, ...] | None) -> None:
    """
    A creditor's messages never leave by another creditor's account.
    """
    account = _settings.ProviderSettings(provider="p", creditors=creditors)

    assert account.serves("a")
    assert account.serves("b") is (creditors is None)


def test_nothing_is_live_by_default() -> None:
    """
    Law 13: who forgets the key sends nothing.
    """
    assert (settings_from({}).live, settings_from({}).only_to) == (False, None)


def test_settings_do_not_print_what_is_private() -> None:
    """
    Law 10: addresses, a database password and a provider's own keys stand in them.
    """
    settings = settings_from(
        {
            "live": True,
            "only_to": [CANARY],
            "store": {"url": f"postgresql://u:{CANARY}@h/d"},
            "channels": {"s": {"provider": "p", "token": CANARY}},
        }
    )

    assert CANARY not in repr(settings)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"live = \n", "is no TOML: Invalid value"),
        (f"live = false\n[creditor\nname = '{CANARY}'".encode(), "is no TOML: "),
        (f"token = '{CANARY}".encode(), "is no TOML: "),
        (f"token = '{CANARY}'\ntoken = '{CANARY}'".encode(), "is no TOML: Cannot overwrite a value"),
        ("name = 'Peñafiel'".encode("latin-1"), "cannot be read (UnicodeDecodeError), expected UTF-8 text"),
        ("live = false".encode("utf-16"), "cannot be read (UnicodeDecodeError), expected UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, problem: str) -> None:
    """
    Law 10: the parser's own words name line and column and quote nothing.
    """
    path = tmp_path / "cobranza.toml"
    path.write_bytes(content)

    (told,) = problems_of(lambda: read_settings(path))

    assert told.startswith(f"{path}: {problem}")


def test_a_missing_file_hints_at_init(tmp_path: Path) -> None:
    """
    The first command of a new user fails here.
    """
    with pytest.raises(ConfigurationError) as caught:
        read_settings(tmp_path / "cobranza.toml")

    assert "there is no such file" in str(caught.value)
    assert "cobranza init" in str(caught.value.hint)
    assert "IsADirectoryError" in problems_of(lambda: read_settings(tmp_path))[0]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """
    Notepad writes one, and the error would speak of line 1, column 1, where nothing is to be seen.
    """
    path = tmp_path / "cobranza.toml"
    path.write_text("live = true\n", "utf-8-sig")

    assert read_settings(path).live


# -- secrets -----------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Account:
    """
    A provider's settings.
    """

    token: Secret
    rotated: tuple[Secret, ...] = ()
    optional: Secret | None = None
    by_key: dict[str, Secret] = field(factory=dict)


def account(base: Path | None = None, **table: Any) -> Account:
    return structure(Account, table, path="channels.sms", base=base)


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (CANARY, f"found plain text, expected {HOW}"),
        (["a"], f"found a list, expected {HOW}"),
        (5, f"found a whole number, expected {HOW}"),
        ({}, f"found a table, expected {HOW}"),
        ({"env": 5}, f"found a table, expected {HOW}"),
        ({"vault": CANARY}, f"found a table, expected {HOW}"),
        ({"env": "A", "file": CANARY}, f"found a table, expected {HOW}"),
        ({"env": "COBRANZA_UNSET"}, "environment variable COBRANZA_UNSET is not set, expected it to hold the secret"),
        ({"env": "COBRANZA_EMPTY"}, "environment variable COBRANZA_EMPTY is not set, expected it to hold the secret"),
        ({"env": CANARY}, "environment variable is not set, expected it to hold the secret"),
        ({"file": "no-such"}, "file no-such cannot be read (FileNotFoundError), expected it to hold the secret"),
        ({"file": "."}, "file . cannot be read (IsADirectoryError), expected it to hold the secret"),
        ({"file": "empty"}, "file empty is empty, expected it to hold the secret"),
        ({"file": "latin"}, "file latin cannot be read (UnicodeDecodeError), expected it to hold the secret"),
    ],
)
def test_a_secret_that_cannot_be_had_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: Any, problem: str
) -> None:
    """
    Law 10: a credential never stands in the file, and a message never holds one.
    """
    monkeypatch.setenv("COBRANZA_EMPTY", "")
    for name, content in (("empty", b" \n"), ("latin", b"\xff" + CANARY.encode())):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)

    assert problems_of(lambda: account(tmp_path, token=written)) == (f"channels.sms.token: {problem}",)
    assert problems_of(lambda: account(tmp_path, token=lambda: "t", optional=written)) == (
        f"channels.sms.optional: {problem}",
    )


@pytest.mark.skipif(os.name != "posix", reason="no file modes elsewhere")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o644, 0o777])
def test_a_file_that_others_may_open_is_no_secret(tmp_path: Path, mode: int) -> None:
    """
    A backup of the group's home would hold the vendor's token.
    """
    (tmp_path / "token").write_text(CANARY, "utf-8")
    (tmp_path / "token").chmod(mode)

    (problem,) = problems_of(lambda: account(tmp_path, token={"file": "token"}))

    assert problem == "channels.sms.token: file token may be read by others, expected mode 0600"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_secret_file_is_read_each_time(tmp_path: Path, mode: int) -> None:
    """
    A rotated token is used without a restart; editors add line ends and Notepad a byte-order mark.
    """
    path = tmp_path / "token"
    path.write_text("first\n", "utf-8-sig")
    path.chmod(mode)
    secret = account(tmp_path, token={"file": "token"}).token
    path.chmod(0o600)

    assert secret.reveal() == "first"
    path.write_text("second\n", "utf-8")
    assert secret.reveal() == "second"


def test_a_secret_of_the_environment_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The value is not kept where a memory dump or a debugger shows it longer than needed.
    """
    monkeypatch.setenv("COBRANZA_TOKEN", "first")
    secret = account(token={"env": "COBRANZA_TOKEN"}).token
    monkeypatch.setenv("COBRANZA_TOKEN", "second")

    assert secret.reveal() == "second"


def test_several_secrets_rotate(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    While a webhook secret changes, both are right.
    """
    monkeypatch.setenv("NEW", "n")
    monkeypatch.setenv("OLD", "o")

    several = account(token={"env": "NEW"}, rotated=[{"env": "NEW"}, {"env": "OLD"}]).rotated
    one = account(token={"env": "NEW"}, rotated={"env": "OLD"}, by_key={"k": {"env": "OLD"}})

    assert [secret.reveal() for secret in several] == ["n", "o"]
    assert ([secret.reveal() for secret in one.rotated], one.by_key["k"].reveal()) == (["o"], "o")


def test_a_wrong_secret_among_several_is_told_by_its_place() -> None:
    """
    Law 10: the place is enough to find it.
    """
    made = problems_of(
        lambda: account(token=lambda: "t", rotated=[lambda: "a", CANARY, {"env": CANARY}], by_key={"k": CANARY})
    )

    assert made == (
        f"channels.sms.rotated[1]: found plain text, expected {HOW}",
        "channels.sms.rotated[2]: environment variable is not set, expected it to hold the secret",
        f"channels.sms.by_key.k: found plain text, expected {HOW}",
    )
    assert problems_of(lambda: account(token=lambda: "t", rotated=[])) == (
        f"channels.sms.rotated: found an empty list, expected {HOW}",
    )
    assert problems_of(account) == (f"channels.sms.token: missing, expected {HOW}",)


def test_python_may_give_a_secret_as_function_or_value() -> None:
    """
    A host has its own vault; only a test writes plain text.
    """
    given = structure(Account, {"token": "plain", "rotated": ["a", lambda: "b"]}, plain_secrets=True)

    assert given.token.reveal() == "plain"
    assert [secret.reveal() for secret in given.rotated] == ["a", "b"]
    assert account(token=Secret("s")).token.reveal() == "s"
    assert account(token=lambda: "f").token.reveal() == "f"


# -- a plugin's own settings -------------------------------------------------------------------------------------------


class Colour(Enum):
    """
    A closed list.
    """

    RED = "red"


@frozen(kw_only=True)
class Odd:
    """
    Settings of every shape.
    """

    word: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    texts: list[str] = field(factory=list)
    unique: frozenset[str] = frozenset()
    maybe: str | None = None
    number: float = 1.0
    looked_up: int = field(default=1, converter=lambda value: {1: 1}[value])
    short: str = field(default="", validator=validators.matches_re("[a-z]*"))
    flag: bool = False

    def __attrs_post_init__(self) -> None:
        if self.maybe == "refused":
            msg = "maybe and flag belong together"
            raise InvalidValueError(msg)
        if self.maybe == "crash":
            raise RuntimeError(CANARY)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"word": CANARY}, "x.word: found a value that does not fit, expected one of a, b"),
        ({"colour": CANARY}, "x.colour: found a value that does not fit, expected one of red"),
        ({"texts": CANARY}, "x.texts: found text, expected a list"),
        ({"texts": ["a", 1]}, "x.texts[1]: found a whole number, expected text"),
        ({"unique": CANARY}, "x.unique: found text, expected a list"),
        ({"maybe": 5}, "x.maybe: found a whole number, expected text"),
        ({"maybe": "refused"}, "x: maybe and flag belong together"),
        ({"maybe": "crash"}, "x: not accepted by Odd (RuntimeError)"),
        ({"looked_up": 4242}, "x: not accepted by Odd (KeyError)"),
        ({"short": "CANARY-4242"}, "x.short: found a value that is not permitted, expected another value"),
        ({"flagg": CANARY}, "x.flagg: unknown key, did you mean flag?"),
    ],
)
def test_a_plugins_settings_are_told_the_same_way(table: dict[str, Any], problem: str) -> None:
    """
    Law 10: attrs' own validators end their message in the value; ours never do.
    """
    assert problems_of(lambda: structure(Odd, table, path="x")) == (problem,)


def test_settings_that_fit_are_built() -> None:
    """
    A whole number is a number, and a list may become a set.
    """
    odd = structure(Odd, {"texts": ["a"], "unique": ["b", "b"], "number": 2, "colour": "red", "word": "b"})

    assert (odd.texts, odd.unique, odd.number, odd.colour) == (["a"], frozenset({"b"}), 2, Colour.RED)


def test_what_is_no_table_is_told_so() -> None:
    """
    A host passes its own objects by mistake.
    """
    wrong: Any = CANARY

    assert problems_of(lambda: structure(Odd, wrong, path="x")) == ("x: found text, expected a table",)


def test_make_provider_names_every_key() -> None:
    """
    The author of a plugin reads the same messages as the operator.
    """

    class Fake:
        name = "fake"
        config = Account

    wrong: Any = Fake

    assert problems_of(lambda: make_provider(wrong, {"tokn": CANARY})) == (
        f"fake.token: missing, expected {HOW}",
        "fake.tokn: unknown key, did you mean token?",
    )


# -- the reference -----------------------------------------------------------------------------------------------------

#: Heading of the reference by settings class.
HEADINGS = {
    "Settings": "## The file as a whole",
    "CreditorSettings": "## `[creditor]`, `[creditors.NAME]`",
    "StoreSettings": "## `[store]`",
    "ProviderSettings": "## `[channels.NAME]`, `[erps.NAME]`, `[payments.NAME]`",
    "ComplianceSettings": "## `[compliance]`",
    "TemplateSettings": "## `[templates]`",
    "PluginSettings": "## `[plugins]`",
    "WebSettings": "## `[web]`",
    "RunnerSettings": "## `[runner]`",
}


@pytest.mark.parametrize(
    "name", [name for name, kind in vars(_settings).items() if attrs.has(kind) and name != "Creditor"]
)
def test_every_key_is_documented(name: str) -> None:
    """
    A key that nobody can read of is a key that only its author can set.
    """
    section = REFERENCE.read_text("utf-8").split(f"\n{HEADINGS[name]}\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \| .+ \|$", section, re.MULTILINE))

    keys = [field for field in attrs.fields(getattr(_settings, name)) if NO_KEY not in field.metadata]

    assert set(rows) == {field.name for field in keys}
    for entry in keys:
        assert (rows[entry.name] == "required") is (entry.default is attrs.NOTHING), entry.name
        if isinstance(entry.default, (int, float)) and not isinstance(entry.default, bool):
            assert rows[entry.name] == f"`{entry.default}`"
        elif isinstance(entry.default, str):
            assert rows[entry.name] in {f'`"{entry.default}"`', f"`{entry.default}`"}
