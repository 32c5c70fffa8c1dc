"""
Law 8: a plugin that fails to load, raises, exits or lies harms only itself.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk import API_VERSION, InvalidValueError, __version__
from cobranza_sdk.loading import PluginError, load_plugins

HEAD = """
from attrs import frozen
from cobranza_sdk import Accepted, Channel, ChannelCapabilities, CompliancePack, Erp, ErpCapabilities, Secret, hookimpl

@frozen(kw_only=True)
class Config:
    token: Secret | None = None

class Good(Channel):
    name = "good"
    config = Config
    capabilities = ChannelCapabilities(channel="sms", family="message", schemes=("e164",))
    async def send(self, message):
        return Accepted(provider_message_id="1")
"""
SMS = "class Odd(Good):\n    capabilities = ChannelCapabilities(channel='sms', family='message', schemes=('e164',), "
CHANNELS = "\n@hookimpl\ndef cobranza_channels():\n    "
PAYMENTS = (
    HEAD + "from cobranza_sdk import PaymentCapabilities, PaymentProvider\n"
    "class Odd(PaymentProvider):\n    name = 'odd'\n    config = Config\n"
    "    capabilities = PaymentCapabilities(currencies=['PEN'], "
)
PAYS = "\n@hookimpl\ndef cobranza_payment_providers(): return [Odd]"
PAYS_WELL = "    async def create_link(self, **asked): ...\n    async def fetch(self, payment_id): ...\n" + PAYS

#: Name: code, stage, part of the cause, part of the hint.
ZOO: dict[str, tuple[str, str, str, str]] = {
    "imports_what_is_missing": ("import no_such_library", "import", "ModuleNotFoundError", "author"),
    "imports_a_missing_name": ("from json import no_such_name", "import", "ImportError", "author"),
    "has_bad_syntax": ("def (:", "import", "SyntaxError", "author"),
    "has_null_bytes": ("x = 1\0", "import", "null bytes", "author"),
    "raises_on_import": ("1 / 0", "import", "ZeroDivisionError", "author"),
    "exits_on_import": ("import sys\nsys.exit(3)", "import", "exits the interpreter", "author"),
    "raises_beyond_exception": ("class Odd(BaseException): pass\nraise Odd('x')", "import", "Odd: x", "author"),
    "is_cancelled": ("import asyncio\nraise asyncio.CancelledError", "import", "CancelledError", "author"),
    "recurses": ("def f(): f()\nf()", "import", "RecursionError", "author"),
    "raises_what_cannot_be_shown": (
        "class Odd(Exception):\n    def __str__(self): raise SystemExit\nraise Odd",
        "import",
        "Odd",
        "author",
    ),
    "misspells_a_hook": (
        HEAD + "@hookimpl\ndef cobranza_chanels(): return [Good]",
        "register",
        "no such hook",
        "did you mean cobranza_channels?",
    ),
    "names_no_hook_at_all": (HEAD + "@hookimpl\ndef on_start(): return []", "register", "no such hook", "hooks are:"),
    "forgets_the_mark": (HEAD + "def cobranza_channels(): return [Good]", "register", "not marked", "@hookimpl"),
    "misspells_and_forgets": (HEAD + "def cobranza_chanels(): return [Good]", "register", "not marked", "@hookimpl"),
    "has_no_hook": ("x = 1", "register", "registers no hook", "cobranza_channels"),
    "takes_parameters": (
        HEAD + "@hookimpl\ndef cobranza_channels(config): return [Good]",
        "register",
        "PluginValidationError",
        "no parameters",
    ),
    "raises_in_its_hook": (HEAD + CHANNELS + "raise ValueError('boom')", "describe", "ValueError: boom", "author"),
    "exits_in_its_hook": (HEAD + CHANNELS + "raise SystemExit", "describe", "exits the interpreter", "author"),
    "stops_midway": (HEAD + CHANNELS + "yield Good\n    raise ValueError('midway')", "describe", "midway", "author"),
    "raises_stop_iteration": (HEAD + CHANNELS + "raise StopIteration", "describe", "StopIteration", "author"),
    "returns_a_text": (HEAD + CHANNELS + "return 'good'", "describe", "returned str", "list of subclasses of Channel"),
    "returns_nothing": (HEAD + CHANNELS + "return None", "describe", "returned NoneType", "list of"),
    "returns_a_number": (HEAD + CHANNELS + "return 7", "describe", "returned int", "list of"),
    "is_async": (
        HEAD + "@hookimpl\nasync def cobranza_channels(): return [Good]",
        "describe",
        "is async",
        "instead of async def",
    ),
    "returns_an_instance": (HEAD + CHANNELS + "return [object()]", "describe", "object is no Channel", "subclasses of"),
    "returns_another_class": (
        HEAD + CHANNELS + "return [Good, dict]",
        "describe",
        "dict is no Channel",
        "subclasses of",
    ),
    "returns_a_pack_class": (
        HEAD + "@hookimpl\ndef cobranza_compliance_packs(): return [CompliancePack]",
        "describe",
        "CompliancePack is no CompliancePack",
        "objects of type",
    ),
    "is_abstract": (HEAD + CHANNELS + "return [Channel]", "describe", "does not write send", "write send"),
    "forgets_send": (
        HEAD + "class Half(Channel):\n    name = 'half'\n" + CHANNELS + "return [Half]",
        "describe",
        "does not write send",
        "write send",
    ),
    "has_no_config": (
        HEAD + "class Odd(Good):\n    config = dict\n" + CHANNELS + "return [Odd]",
        "describe",
        "has no config",
        "attrs class",
    ),
    "has_no_capabilities": (
        HEAD + "class Odd(Good):\n    capabilities = None\n" + CHANNELS + "return [Odd]",
        "describe",
        "declares no capabilities",
        "ChannelCapabilities",
    ),
    "has_an_erps_capabilities": (
        HEAD + "class Odd(Good):\n    capabilities = ErpCapabilities()\n" + CHANNELS + "return [Odd]",
        "describe",
        "declares no capabilities",
        "ChannelCapabilities",
    ),
    "has_no_name": (
        HEAD + "class Odd(Good):\n    name = ' '\n" + CHANNELS + "return [Odd]",
        "describe",
        "has no name",
        "give it one",
    ),
    "has_a_number_for_a_name": (
        HEAD + "class Odd(Good):\n    name = 7\n" + CHANNELS + "return [Odd]",
        "describe",
        "has no name",
        "give it one",
    ),
    "poses_as_anothers_name": (
        HEAD + "class Odd(Good):\n    name = 'zoo-neighbour:neighbour'\n" + CHANNELS + "return [Odd]",
        "describe",
        "no colon",
        "distribution:name",
    ),
    "is_of_the_future": (
        HEAD + f"class Odd(Good):\n    api = {API_VERSION + 1}\n" + CHANNELS + "return [Odd]",
        "describe",
        f"contract level {API_VERSION + 1}",
        f"set api = {API_VERSION}",
    ),
    "is_of_long_ago": (
        HEAD + f"class Odd(Good):\n    api = {API_VERSION - 2}\n" + CHANNELS + "return [Odd]",
        "describe",
        f"contract level {API_VERSION - 2}",
        f"set api = {API_VERSION}",
    ),
    "has_a_text_for_a_level": (
        HEAD + "class Odd(Good):\n    api = '1'\n" + CHANNELS + "return [Odd]",
        "describe",
        "contract level '1'",
        "set api",
    ),
    "lies_about_its_family": (
        HEAD + "ChannelCapabilities(channel='sms', family='letter', schemes=('e164',))",
        "import",
        "family of sms must be message",
        "author",
    ),
    "declares_lookup": (
        HEAD + SMS + "lookup=True)\n" + CHANNELS + "return [Odd]",
        "describe",
        "declares lookup but does not write lookup",
        "do not declare lookup",
    ),
    "declares_inbound": (
        HEAD + SMS + "inbound=True)\n" + CHANNELS + "return [Odd]",
        "describe",
        "declares inbound but does not write verify",
        "write verify",
    ),
    "verifies_but_does_not_parse": (
        HEAD + SMS + "receipts=('delivered',))\n    def verify(self, request): ...\n" + CHANNELS + "return [Odd]",
        "describe",
        "declares receipts but does not write parse",
        "write parse",
    ),
    "declares_write_back": (
        HEAD + "class Odd(Erp):\n    name = 'odd'\n    config = Config\n"
        "    capabilities = ErpCapabilities(write_back=True)\n"
        "    def read(self, cursor): ...\n@hookimpl\ndef cobranza_erps(): return [Odd]",
        "describe",
        "declares write_back but does not write write_back",
        "write write_back",
    ),
    "takes_money_without_telling": (
        PAYMENTS + ")\n    async def create_link(self, **asked): ...\n" + PAYS,
        "describe",
        "does not write fetch",
        "write fetch",
    ),
    "declares_refund": (
        PAYMENTS + "refund=True)\n" + PAYS_WELL,
        "describe",
        "declares refund but does not write refund",
        "do not declare refund",
    ),
    "finds_payments_but_no_links": (
        PAYMENTS + "search=True)\n    async def find_payments(self, reference): ...\n" + PAYS_WELL,
        "describe",
        "declares search but does not write find_links",
        "write find_links",
    ),
    "announces_payments_but_does_not_verify": (
        PAYMENTS + "webhooks=True)\n" + PAYS_WELL,
        "describe",
        "declares webhooks but does not write verify",
        "write verify",
    ),
    "takes_money_with_a_channels_capabilities": (
        PAYMENTS + ")\n    capabilities = Good.capabilities\n" + PAYS_WELL,
        "describe",
        "declares no capabilities",
        "PaymentCapabilities",
    ),
    "raises_when_asked_for_its_name": (
        HEAD + "class Odd(CompliancePack):\n    @property\n    def name(self): raise SystemExit\n    @name.setter\n"
        "    def name(self, value): ...\n@hookimpl\ndef cobranza_compliance_packs(): return [Odd('a', '')]",
        "describe",
        "exits the interpreter",
        "author",
    ),
}


@pytest.mark.parametrize("name", ZOO)
def test_a_bad_plugin_harms_only_itself(zoo: Any, name: str) -> None:
    """
    Law 8: the neighbour goes on working, and the operator learns which plugin, which stage, why, and what to do.
    """
    code, stage, cause, hint = ZOO[name]
    zoo.add(name, code)

    failure = zoo.only_failure()

    assert (failure.plugin, failure.distribution, failure.stage) == (name, f"zoo-{name}", stage)
    assert cause in failure.cause
    assert hint in failure.hint
    assert "\n" not in f"{failure}"
    assert name in str(failure)


def test_the_whole_zoo_at_once_hides_nobody(zoo: Any) -> None:
    """
    Law 8: one bad plugin beside another bad plugin is still only itself.
    """
    for name, (code, *_) in ZOO.items():
        zoo.add(name, code)
    zoo.add_good("neighbour")

    loaded = zoo.load()

    assert [plugin.name for plugin in loaded.plugins] == ["neighbour"]
    assert sorted(failure.plugin for failure in loaded.failures) == sorted(ZOO)
    assert json.loads(json.dumps(loaded.to_dict()))["plugins"][0]["provides"] == [
        {"family": "channel", "name": "neighbour"}
    ]


def test_half_of_a_bad_plugin_is_not_registered(zoo: Any) -> None:
    """
    Law 8: what came before the failure would be used without what comes after it.
    """
    zoo.add("half", HEAD + CHANNELS + "return [Good]\n@hookimpl\ndef cobranza_erps(): raise ValueError('x')")

    loaded = zoo.load()

    assert (loaded.plugins, dict(loaded.provided)) == ((), {})


@pytest.mark.parametrize("requirement", ["cobranza-sdk<0.1", "Cobranza_SDK>=99", "cobranza.sdk==0.0.1"])
def test_a_plugin_for_another_version_is_refused_before_it_runs(zoo: Any, requirement: str) -> None:
    """
    Law 8: code written for another contract must not run at all.
    """
    module = zoo.add("old", "raise SystemExit('was imported')", requires=[requirement])

    failure = zoo.only_failure()

    assert failure.stage == "compatibility"
    assert f"this is {__version__}" in failure.cause
    assert "install a version of zoo-old" in failure.hint
    assert module not in sys.modules


@pytest.mark.parametrize(
    "requirement",
    [
        "cobranza-sdk>=0.1,<0.2",
        "cobranza-sdk",
        "cobranza-sdk>=99; extra == 'next'",
        "cobranza-sdk>=99; python_version < '3'",
        "cobranza-sdk-contrib>=99",
    ],
)
def test_a_requirement_that_does_not_bind_here_refuses_nobody(zoo: Any, requirement: str) -> None:
    """
    What belongs to an extra or to another Python is not demanded of this installation.
    """
    zoo.add_good("fine", requires=[requirement])

    assert zoo.load().names("channel") == ("fine",)


def test_a_requirement_that_cannot_be_read_is_the_plugins_failure(zoo: Any) -> None:
    """
    Law 8: nobody knows what it demands, so it does not run.
    """
    module = zoo.add("vague", "raise SystemExit", requires=["cobranza-sdk (((("])

    failure = zoo.only_failure()

    assert (failure.stage, module in sys.modules) == ("compatibility", False)


ENTRY = b"[cobranza_sdk]\nbroken = zoo_broken\n"


@pytest.mark.parametrize(
    ("text", "entry_points"),
    [
        (b"Name: zoo-broken\nVersion: \xff\xfe1", b"[cobranza_sdk]\nbroken = \xff\xfe\n"),
        (b"\xff\xfe", ENTRY),
        (b"Version: 1.0\n", ENTRY),
        (b"Name: zoo-broken\n", ENTRY),
        (None, ENTRY),
    ],
)
def test_unreadable_metadata_hides_nobody_else(zoo: Any, text: bytes | None, entry_points: bytes) -> None:
    """
    Law 8: pluggy alone would stop at the first damaged file, and no plugin would load.
    """
    zoo.write_metadata("broken", text, entry_points)

    failure = zoo.only_failure()

    assert (failure.stage, failure.subject) == ("metadata", "zoo_broken-1.0.dist-info")
    assert "reinstall" in failure.hint


def test_an_entry_point_names_a_module(zoo: Any) -> None:
    """
    An object inside of a module has no hooks of its own; the hint shows what to write.
    """
    zoo.add("pointed", HEAD + CHANNELS + "return [Good]", entry="zoo_pointed:Good")

    failure = zoo.only_failure()

    assert (failure.stage, failure.hint) == ("import", 'write pointed = "zoo_pointed"')


def test_what_answers_to_any_name_is_no_hook(zoo: Any) -> None:
    """
    A mock or SQLAlchemy's ``func`` has every attribute one asks for; importing one must not refuse the plugin.
    """
    code = "class Yes:\n    def __getattr__(self, name): return self\nclass No:\n    @property\n"
    code += "    def __class__(self): raise RuntimeError\nfunc = Yes()\nproxy = No()\n"
    zoo.add("odd", HEAD + code + CHANNELS + "return [Good]")

    loaded = zoo.load()

    assert (loaded.failures, loaded.names("channel")) == ((), ("good",))


def test_another_function_may_have_any_name(zoo: Any) -> None:
    """
    A helper called ``cobranza_…`` is no misspelt hook.
    """
    zoo.add("helper", HEAD + "def cobranza_help(): ...\ncobranza_version = '1'\n" + CHANNELS + "yield Good")

    assert zoo.load().failures == ()


def test_what_plugins_print_goes_to_standard_error(zoo: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Law 8: ``cobranza plugins --json`` prints one JSON document and nothing else.
    """
    zoo.add("noisy", "print('on import')\n" + HEAD + CHANNELS + "print('in the hook')\n    return [Good]")

    loaded = zoo.load()

    out, err = capsys.readouterr()
    assert (out, err, loaded.failures) == ("", "on import\nin the hook\n", ())
    assert sys.stdout is not sys.stderr


def test_json_stays_clean_in_a_process_of_its_own(zoo: Any) -> None:
    """
    Law 8: as installed, without any fake: what a pipe reads is JSON although plugins print, fail and exit.
    """
    zoo.add("noisy", "print('on import')\n" + HEAD + CHANNELS + "print('in the hook')\n    return [Good]")
    zoo.add("leaver", "print('bye')\nraise SystemExit(0)")
    code = (
        f"import sys, json; sys.path.insert(0, {str(zoo.folder)!r}); from cobranza_sdk.loading import load_plugins;"
        "print(json.dumps(load_plugins(allow=['noisy', 'leaver']).to_dict()))"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603

    told = json.loads(run.stdout)
    assert [plugin["name"] for plugin in told["plugins"]] == ["noisy"]
    assert [failure["plugin"] for failure in told["failures"]] == ["leaver"]
    assert {"bye", "on import", "in the hook"} <= set(run.stderr.splitlines())


def test_ctrl_c_is_the_operators(zoo: Any) -> None:
    """
    Law 8 has one exception: the person at the keyboard wins over any plugin.
    """
    zoo.add("slow", "raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        zoo.load()


def test_a_cause_is_one_short_printable_line(zoo: Any) -> None:
    """
    An error text that moves the cursor could rewrite what the operator reads.
    """
    zoo.add("painter", "raise ValueError('\\x1b[2Kall is well' + 'x' * 9999 + '\\nsecond line')")

    failure = zoo.only_failure()

    assert failure.cause.startswith("ValueError:  [2Kall is well")
    assert failure.cause.isprintable()
    assert len(failure.cause) < 400


def test_a_name_that_two_claim_is_refused_until_one_is_chosen(zoo: Any) -> None:
    """
    Law 8: a plugin must not take over another's account by taking its name.
    """
    code = HEAD + CHANNELS + "return [Good]"
    zoo.add("one", code)
    zoo.add("two", code)
    zoo.add_good("neighbour")

    loaded = zoo.load()

    assert loaded.names("channel") == ("neighbour", "zoo-one:good", "zoo-two:good")
    assert loaded.provided["channel", "zoo-two:good"].plugin == "two"
    assert [(failure.plugin, failure.stage, failure.hint) for failure in loaded.failures] == [
        ("one", "describe", 'say which one is meant: provider = "zoo-one:good"'),
        ("two", "describe", 'say which one is meant: provider = "zoo-two:good"'),
    ]
    assert "also taken by zoo-two" in loaded.failures[0].cause


def test_a_name_that_one_claims_twice_cannot_be_chosen(zoo: Any) -> None:
    """
    ``distribution:name`` would pick one of the two by chance.
    """
    zoo.add("twin", HEAD + "class Twin(Good): pass\n" + CHANNELS + "return [Good, Twin]")
    zoo.add("other", HEAD + CHANNELS + "return [Good]")

    loaded = zoo.load()

    assert loaded.names("channel") == ("zoo-other:good",)
    assert sorted(failure.plugin for failure in loaded.failures) == ["other", "twin", "twin"]


def test_a_name_is_unique_in_its_family_only(zoo: Any) -> None:
    """
    A vendor's channel and its pack may share the vendor's name.
    """
    pack = "\n@hookimpl\ndef cobranza_compliance_packs(): return [CompliancePack('good', '')]"
    zoo.add("both", HEAD + CHANNELS + "return [Good]" + pack)

    loaded = zoo.load()

    assert (loaded.failures, sorted(loaded.provided)) == ((), [("channel", "good"), ("compliance", "good")])


def test_a_second_copy_on_the_path_is_shadowed(zoo: Any, tmp_path: Path) -> None:
    """
    As for import: the first one wins, and it does not collide with itself.
    """
    zoo.add_good("good")
    older = type(zoo)(tmp_path / "older")
    older.folder.mkdir()
    older.add_good("good", distribution="Zoo.Good")
    zoo.extra.append(older.folder)

    loaded = zoo.load()

    assert (len(loaded.plugins), loaded.failures) == (1, ())


def test_without_an_allow_list_all_load(zoo: Any) -> None:
    """
    Installing is consent, as long as the operator has said nothing else.
    """
    zoo.add_good("a")
    zoo.add_good("b")

    assert [plugin.name for plugin in zoo.load(allow=None).plugins] == ["a", "b"]


@pytest.mark.parametrize(("allow", "loads"), [([], []), (["a"], ["a"]), (("b", "a"), ["a", "b"])])
def test_what_is_not_allowed_is_never_imported(zoo: Any, allow: Any, loads: list[str]) -> None:
    """
    Law 8: the allow list is the operator's protection against code that runs when it is imported.
    """
    modules = {name: zoo.add_good(name) for name in ("a", "b")}
    zoo.add("evil", "raise SystemExit('was imported')")

    loaded = zoo.load(allow=allow)

    assert [plugin.name for plugin in loaded.plugins] == loads
    assert loaded.failures == ()
    assert {name for name, module in modules.items() if module in sys.modules} == set(loads)


def test_allowing_what_is_not_installed_is_a_failure(zoo: Any) -> None:
    """
    A misspelt name in the list would silently leave a creditor without its channel.
    """
    failure = zoo.only_failure(allow=["neighbour", "twilio_smss"])

    assert (failure.plugin, failure.stage) == ("twilio_smss", "allow")
    assert "take the name out" in failure.hint


def test_one_text_is_no_allow_list(zoo: Any) -> None:
    """
    ``allow="sms"`` would allow every plugin whose name is part of the text.
    """
    zoo.add_good("sm")

    with pytest.raises(InvalidValueError, match="one text"):
        zoo.load(allow="sms")


def test_strict_stops_with_all_failures(zoo: Any) -> None:
    """
    Fixing one at a time would take as many starts as there are failures.
    """
    zoo.add_good("fine")
    zoo.add("one", "1 / 0")
    zoo.add("two", "x = 1")

    with pytest.raises(PluginError) as caught:
        zoo.load(strict=True, allow=["one", "two", "three", "fine"])

    assert [failure.plugin for failure in caught.value.failures] == ["one", "two", "three"]
    assert all(name in str(caught.value) for name in ("one (zoo-one)", "two (zoo-two)", "three"))
    assert caught.value.hint


def test_strict_is_content_with_good_plugins(zoo: Any) -> None:
    """
    Strict is for production, where nothing fails.
    """
    zoo.add_good("fine")

    assert zoo.load(strict=True).failures == ()


def test_the_order_is_that_of_names(zoo: Any) -> None:
    """
    What is first does not depend on how a file system lists folders.
    """
    for name in ("c", "a", "b"):
        zoo.add_good(name)

    loaded = zoo.load()

    assert [plugin.name for plugin in loaded.plugins] == ["a", "b", "c"]
    assert [item.name for item in loaded.items("channel")] == ["a", "b", "c"]


def test_a_plugin_loads_where_an_event_loop_runs(zoo: Any) -> None:
    """
    A host may load plugins from inside its own loop.
    """
    zoo.add_good("fine")

    async def load() -> Any:
        return zoo.load()

    assert asyncio.run(load()).failures == ()


def test_what_is_installed_here_loads() -> None:
    """
    The first-party plugins pass every stage.
    """
    installed = {entry.name for entry in metadata.entry_points(group="cobranza_sdk")}

    loaded = load_plugins()

    assert (loaded.failures, {plugin.name for plugin in loaded.plugins}) == ((), installed)
