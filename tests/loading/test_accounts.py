"""
From settings and plugins to accounts that are ready: the last stage of loading.
"""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from cobranza_sdk import ConfigurationError, Services
from cobranza_sdk.loading import (
    Accounts,
    FixedClock,
    Interlock,
    TimeIds,
    configure,
    http_client,
    settings_from,
    webhook_address,
)
from cobranza_sdk.testing._providers import EPOCH

CANARY = "canary-4242"
HEAD = """
import re
from attrs import field, frozen
from cobranza_sdk import Accepted, Channel, ChannelCapabilities, InvalidValueError, Secret, hookimpl

@frozen(kw_only=True)
class Config:
    token: Secret
    host: str = "127.0.0.1"

class Base(Channel):
    name = "bad"
    config = Config
    capabilities = ChannelCapabilities(channel="sms", family="message", schemes=("e164",))
    async def send(self, message):
        return Accepted(provider_message_id="1")
    @property
    def hosts(self):
        return (self.settings.host,)

@hookimpl
def cobranza_channels():
    return [Bad, Fine]

class Fine(Base):
    name = "fine"
"""


def services_for(name: str, webhook_url: str | None, *, live: bool = False) -> Services:
    egress = Interlock(live=live)
    clock = FixedClock(EPOCH)
    logger: Any = object()
    return Services(
        http=http_client(egress), clock=clock, ids=TimeIds(clock), logger=logger, webhook_url=webhook_url, egress=egress
    )


def accounts_of(zoo: Any, body: str, *, live: bool = False, **options: Any) -> Accounts:
    """
    One account of the bad provider beside one that is fine.
    """
    zoo.add("vendor", HEAD + body)
    plugins = zoo.load()
    assert plugins.failures == ()
    token = {"token": lambda: CANARY}
    table = {
        "channels": {"first": {"provider": "bad", **token, **options}, "second": {"provider": "fine", **token}},
        "web": {"public_url": "https://hooks.example.com/"},
    }
    return configure(settings_from(table), plugins, lambda name, url: services_for(name, url, live=live))


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (
            "def __init__(self, *a): raise ValueError(a[0].token.reveal())",
            "ValueError in the plugin's own code, zoo_vendor",
        ),
        ("def __init__(self, *a): raise SystemExit(a[0].token.reveal())", "SystemExit in the plugin's own code"),
        ("def __init__(self, *a): raise BaseException(a[0].token.reveal())", "BaseException in the plugin's own code"),
        ("def __init__(self, *a): {}[a[0].token.reveal()]", "KeyError in the plugin's own code"),
        ("def __init__(self): pass", "TypeError in the plugin's own code"),
        ("def __init__(self, *a): raise InvalidValueError('host must be known', hint='ask')", "host must be known"),
        ("hosts = property(lambda self: 1 / 0)", "ZeroDivisionError in the plugin's own code"),
        ("hosts = 7", "TypeError in the plugin's own code"),
        ("hosts = ('127.0.0.1', 'api.vendor.example')", "live = false refuses the host api.vendor.example"),
        ("hosts = 'api.vendor.example'", "live = false refuses the host a"),
        (
            "config = frozen(kw_only=True)(type('C', (), {'__annotations__': {'token': re.Pattern}}))",
            "Unsupported|Structure",
        ),
    ],
)
def test_a_constructor_that_fails_harms_only_its_account(zoo: Any, body: str, cause: str) -> None:
    """
    Laws 8, 10 and 13: the other account works, and the failure does not repeat what may be a credential.
    """
    accounts = accounts_of(zoo, f"class Bad(Base):\n    name = 'bad'\n    {body}\n")

    (failure,) = accounts.failures
    assert set(accounts.channels) == {"second"}
    assert (failure.stage, failure.subject, failure.plugin) == ("configure", "first", "vendor")
    assert any(part in failure.cause for part in cause.split("|"))
    assert failure.hint
    assert CANARY not in repr(failure)


@pytest.mark.parametrize(
    "body",
    [
        "class Bad(Base):\n    name = 'bad'\n    def __init__(self, *a): raise KeyboardInterrupt",
        "class Bad(Base):\n    name = 'bad'\n    @property\n    def hosts(self): raise KeyboardInterrupt",
    ],
)
def test_ctrl_c_passes_a_constructor(zoo: Any, body: str) -> None:
    """
    Law 8 has one exception: the person at the keyboard.
    """
    with pytest.raises(KeyboardInterrupt):
        accounts_of(zoo, body)


def test_a_settings_class_that_exits_harms_only_its_account(zoo: Any) -> None:
    """
    Law 8: a settings class is the plugin's code as much as the provider.
    """
    body = "@frozen(kw_only=True)\nclass Exits(Config):\n    def __attrs_post_init__(self): raise SystemExit\n"

    accounts = accounts_of(zoo, f"{body}class Bad(Base):\n    name = 'bad'\n    config = Exits\n")

    assert (set(accounts.channels), len(accounts.failures)) == ({"second"}, 1)


def test_what_a_constructor_prints_goes_to_standard_error(zoo: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """
    Law 8: ``--json`` stays one document on every command that opens accounts.
    """
    accounts_of(
        zoo, "class Bad(Base):\n    name = 'bad'\n    def __init__(self, *a): super().__init__(*a); print('hi')"
    )

    assert capsys.readouterr() == ("", "hi\n")


def test_a_host_outside_is_permitted_once_live(zoo: Any) -> None:
    """
    Law 13: the interlock is the only thing that stood in the way.
    """
    accounts = accounts_of(zoo, "class Bad(Base):\n    name = 'bad'\n", live=True, host="api.vendor.example")

    assert (set(accounts.channels), accounts.failures) == ({"first", "second"}, ())
    assert accounts.channels["first"].provider.settings.token.reveal() == CANARY
    assert accounts.channels["first"].provided.distribution == "zoo-vendor"


def test_every_wrong_setting_of_every_account_is_told_at_once(zoo: Any) -> None:
    """
    An operator's mistake stops everything, and is told whole; no value is.
    """
    zoo.add("vendor", HEAD + "class Bad(Base): pass")
    table = {
        "channels": {
            "a": {"provider": "bad", "token": CANARY, "hst": CANARY},
            "b": {"provider": "bda", "token": CANARY},
            "c": {"provider": "fine"},
        },
        "erps": {"main": {"provider": "sap"}},
        "payments": {"mp": {"provider": "mercado_pago"}},
    }

    with pytest.raises(ConfigurationError) as caught:
        configure(settings_from(table), zoo.load(), services_for)

    assert caught.value.problems == (
        'channels.a.token: found plain text, expected a secret: {env = "VARIABLE"} or {file = "path"}',
        "channels.a.hst: unknown key, did you mean host?",
        "channels.b.provider: found bda, expected one of bad, fine, did you mean bad?",
        'channels.c.token: missing, expected a secret: {env = "VARIABLE"} or {file = "path"}',
        "erps.main.provider: found sap, expected one of none installed",
        "payments.mp.provider: found mercado_pago, expected one of none installed",
    )
    assert "cobranza plugins" in str(caught.value.hint)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


PAYMENTS = """
from attrs import frozen
from cobranza_sdk import PaymentCapabilities, PaymentProvider, Secret, hookimpl

@frozen(kw_only=True)
class Config:
    token: Secret
    host: str = "127.0.0.1"

class Till(PaymentProvider):
    name = "till"
    config = Config
    capabilities = PaymentCapabilities(currencies=["PEN"])
    async def create_link(self, **asked): ...
    async def fetch(self, payment_id): ...
    @property
    def hosts(self):
        return (self.settings.host,)

@hookimpl
def cobranza_payment_providers():
    return [Till]
"""


def test_a_payment_account_is_built_as_a_channel_is(zoo: Any) -> None:
    """
    It gets its settings, its webhook address and the interlock; one that reaches further harms only itself.
    """
    zoo.add("till", PAYMENTS)
    token = lambda: CANARY  # noqa: E731  # a value of the table
    table = {
        "web": {"public_url": "https://hooks.example.com"},
        "payments": {
            "near": {"provider": "till", "token": token},
            "far": {"provider": "till", "token": token, "host": "api.vendor.example"},
        },
    }

    accounts = configure(settings_from(table), zoo.load(), services_for)

    assert list(accounts.payments) == ["near"]
    provider = accounts.payments["near"].provider
    assert provider.services.webhook_url == "https://hooks.example.com/webhooks/near"
    assert provider.settings.token.reveal() == CANARY
    assert [(failure.subject, failure.stage) for failure in accounts.failures] == [("far", "configure")]
    assert "api.vendor.example" in accounts.failures[0].cause


def test_a_name_that_two_claim_is_chosen_with_its_distribution(zoo: Any) -> None:
    """
    Law 8: neither gets the account until the operator says which.
    """
    for name in ("one", "two"):
        zoo.add(name, HEAD + "class Bad(Base): pass")
    plugins = zoo.load()
    token = lambda: CANARY  # noqa: E731  # a value of the table

    with pytest.raises(ConfigurationError) as caught:
        configure(settings_from({"channels": {"s": {"provider": "bad", "token": token}}}), plugins, services_for)
    chosen = settings_from({"channels": {"s": {"provider": "zoo-two:bad", "token": token}}})
    accounts = configure(chosen, plugins, services_for)

    assert caught.value.problems == (
        "channels.s.provider: found bad, which several plugins claim, expected one of zoo-one:bad, zoo-two:bad",
    )
    assert accounts.channels["s"].provided.distribution == "zoo-two"


@pytest.mark.parametrize(
    ("public_url", "address"),
    [
        (None, None),
        ("https://h.example", "https://h.example/webhooks/sms"),
        ("https://h.example/", "https://h.example/webhooks/sms"),
        ("https://h.example/a", "https://h.example/a/webhooks/sms"),
    ],
)
def test_an_account_knows_its_webhooks(zoo: Any, public_url: str | None, address: str | None) -> None:
    """
    Vendors sign the address that they were given: one slash too many and no signature matches.
    """
    zoo.add_good("good")
    settings = settings_from(
        {"channels": {"sms": {"provider": "good"}}, "web": {"public_url": public_url} if public_url else {}}
    )

    accounts = configure(settings, zoo.load(), services_for)

    assert webhook_address(settings, "sms") == address
    assert accounts.channels["sms"].provider.services.webhook_url == address
