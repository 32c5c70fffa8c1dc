"""
Login by OAuth: tokens that are ready, fetched, renewed in time, withdrawn and refused.
"""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from cobranza_sdk import InvalidValueError, LiveInterlockError, OutboundMessage, ProviderError, Secret
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_smtp_email._channel import SmtpEmail
from cobranza_smtp_email._config import SmtpEmailSettings
from cobranza_smtp_email._oauth import RENEW_BEFORE
from cobranza_smtp_email._sandbox import SmtpSandbox

pytestmark = pytest.mark.anyio

Make = Callable[..., OutboundMessage]


def oauth_channel(sandbox: SmtpSandbox, clock: FixedClock, **changes: Any) -> SmtpEmail:
    settings = {**sandbox.oauth_settings, **changes}
    return make_provider(SmtpEmail, {key: value for key, value in settings.items() if value is not None}, clock=clock)


def axes(error: ProviderError) -> tuple[str, str, str]:
    return (error.category, error.disposition, error.transmitted)


async def refused(channel: SmtpEmail, message: OutboundMessage) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await channel.send(message)
    return caught.value


async def test_a_mail_leaves_with_a_fetched_token(sandbox: SmtpSandbox, clock: FixedClock, make_message: Make) -> None:
    """
    Microsoft 365 takes no passwords any more: without this there is no mail there.
    """
    channel = oauth_channel(sandbox, clock, oauth_scope="https://mail.google.com/")

    await channel.send(make_message())
    await channel.aclose()

    assert len(sandbox.received) == 1
    assert sandbox.tokens.forms == [
        {
            "client_id": "sandbox-client",
            "client_secret": "sandbox-client-secret",
            "grant_type": "refresh_token",
            "refresh_token": "sandbox-refresh-token",
            "scope": "https://mail.google.com/",
        }
    ]


async def test_without_a_refresh_token_the_application_logs_in_as_itself(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make
) -> None:
    """
    A service that no person consents for uses client credentials.
    """
    channel = oauth_channel(sandbox, clock, oauth_refresh_token=None)

    await channel.send(make_message())
    await channel.aclose()

    assert [form["grant_type"] for form in sandbox.tokens.forms] == ["client_credentials"]


async def test_a_ready_token_is_asked_for_at_each_login(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    Something else may keep it fresh: what was read at the start ends after an hour.
    """
    sandbox.oauth_settings  # noqa: B018  # the endpoint serves
    asked: list[int] = []

    def fetch() -> str:
        asked.append(1)
        _, told = sandbox.tokens.answer(
            {
                "client_id": "sandbox-client",
                "client_secret": "sandbox-client-secret",
                "grant_type": "client_credentials",
            }
        )
        return str(told["access_token"])

    without = {key: value for key, value in sandbox.settings.items() if key != "password"}
    channel = make_provider(SmtpEmail, {**without, "oauth_access_token": fetch})
    for number in range(2):
        await channel.send(make_message(attempt_id=f"a{number}"))
        await channel.aclose()

    assert len(asked) == 2
    assert len(sandbox.received) == 2


async def test_a_token_serves_until_shortly_before_its_end(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make
) -> None:
    """
    A token that ends during the login costs a failed attempt; one fetched per mail gets the account throttled.
    """
    channel = oauth_channel(sandbox, clock)

    async def fetched(attempt: str, wait: timedelta) -> int:
        clock.advance(wait)
        await channel.send(make_message(attempt_id=attempt))
        await channel.aclose()
        return len(sandbox.tokens.forms)

    counts = [
        await fetched("a1", timedelta()),
        await fetched("a2", sandbox.tokens.lifetime - RENEW_BEFORE - timedelta(seconds=1)),
        await fetched("a3", timedelta(seconds=1)),
    ]

    assert counts == [1, 1, 2]


async def test_a_short_lived_token_is_not_renewed_at_once(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make
) -> None:
    """
    With five minutes of margin and four of life, each login would fetch another.
    """
    sandbox.tokens.lifetime = timedelta(minutes=4)
    channel = oauth_channel(sandbox, clock)

    for number in range(2):
        await channel.send(make_message(attempt_id=f"a{number}"))
        await channel.aclose()
        clock.advance(timedelta(seconds=119))

    assert len(sandbox.tokens.forms) == 1


async def test_a_new_refresh_token_is_used_from_then_on(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make
) -> None:
    """
    Some vendors end the old one with each answer.
    """
    sandbox.tokens.rotates = True
    channel = oauth_channel(sandbox, clock)

    for number in range(3):
        await channel.send(make_message(attempt_id=f"a{number}"))
        await channel.aclose()
        clock.advance(timedelta(hours=1))

    assert len(sandbox.received) == 3
    assert sandbox.tokens.forms[2]["refresh_token"] == "sandbox-refresh-token-2"


async def test_a_withdrawn_token_is_replaced_without_waking_anybody(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make
) -> None:
    """
    Vendors end tokens before their time; the first login after it must not stop the channel.
    """
    channel = oauth_channel(sandbox, clock)
    await channel.send(make_message(attempt_id="a1"))
    await channel.aclose()
    sandbox.tokens.revoke()

    await channel.send(make_message(attempt_id="a2"))
    await channel.aclose()

    assert len(sandbox.received) == 2
    assert len(sandbox.tokens.forms) == 2


async def test_a_fresh_token_that_is_refused_wants_fixing(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The mailbox has not granted the right: the challenge is answered, the refusal read, and it is not tried again.
    """
    channel = oauth_channel(sandbox, clock)
    monkeypatch.setattr(type(sandbox.tokens), "knows", lambda self, token: False)

    error = await refused(channel, make_message())

    assert axes(error) == ("auth", "fix_first", "no")
    assert error.vendor_code == "535 5.7.8"  # what follows the empty line; another answer gets 501
    assert len(sandbox.tokens.forms) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"oauth_client_secret": "not it"}, "invalid_client"), ({"oauth_refresh_token": "not it"}, "invalid_grant")],
)
async def test_refused_credentials_want_fixing(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make, changes: dict[str, str], code: str
) -> None:
    """
    A consent that was withdrawn is given again by a person only.
    """
    error = await refused(oauth_channel(sandbox, clock, **changes), make_message())

    assert axes(error) == ("auth", "fix_first", "no")
    assert error.vendor_code == code
    assert sandbox.received == ()


@pytest.mark.parametrize(
    ("status", "category", "disposition"),
    [
        (429, "rate_limit", "retry"),
        (500, "provider_down", "retry"),
        (503, "provider_down", "retry"),
        (403, "auth", "fix_first"),
        (404, "config", "fix_first"),
        (302, "config", "fix_first"),
    ],
)
async def test_a_token_endpoint_in_trouble_transmits_nothing(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make, status: int, category: str, disposition: str
) -> None:
    """
    Whatever it answers, no mail was begun.
    """
    sandbox.tokens.faults.append(status)

    error = await refused(oauth_channel(sandbox, clock), make_message())

    assert axes(error) == (category, disposition, "no")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"access_token": 5, "token_type": "Bearer"}',
        b'{"access_token": "x"}',
        b'{"access_token": "x", "token_type": "mac"}',
        b"[" * 100_000,
    ],
)
async def test_an_answer_without_a_token_transmits_nothing(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make, body: bytes
) -> None:
    """
    A proxy's page with status 200 is no token.
    """
    answers = httpx.MockTransport(lambda request: httpx.Response(200, content=body))
    async with httpx.AsyncClient(transport=answers) as http:
        channel = make_provider(SmtpEmail, sandbox.oauth_settings, clock=clock, http=http)
        error = await refused(channel, make_message())

    assert axes(error) == ("protocol", "retry", "no")


@pytest.mark.parametrize("token", ["", "a b", "a\x01b", "a\r\nMAIL FROM:<x@example.org>", "ñ", "x" * 9000])
async def test_what_is_no_bearer_token_never_reaches_the_wire(
    sandbox: SmtpSandbox, make_message: Make, token: str
) -> None:
    """
    A token with a separator in it would say more than who we are.
    """
    without = {key: value for key, value in sandbox.settings.items() if key != "password"}
    channel = make_provider(SmtpEmail, {**without, "oauth_access_token": lambda: token})

    error = await refused(channel, make_message())

    assert axes(error) == ("auth", "fix_first", "no")


async def test_a_long_token_arrives_whole(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    Microsoft's tokens have thousands of letters, and a line of AUTH may have them.
    """
    token = "x" * 8000
    sandbox.tokens._tokens[token] = sandbox.clock.now() + timedelta(hours=1)
    without = {key: value for key, value in sandbox.settings.items() if key != "password"}
    channel = make_provider(SmtpEmail, {**without, "oauth_access_token": token})

    await channel.send(make_message())
    await channel.aclose()

    assert len(sandbox.received) == 1


async def test_a_server_without_xoauth2_gets_no_token(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A token handed over as a password would lie in the wrong log.
    """
    monkeypatch.delattr("cobranza_smtp_email._sandbox._Handler.auth_XOAUTH2")

    error = await refused(oauth_channel(sandbox, clock), make_message())

    assert axes(error) == ("auth", "fix_first", "no")
    assert error.vendor_message == "the server offers no AUTH XOAUTH2"


async def test_nobody_at_the_token_endpoint_is_a_network_error(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make
) -> None:
    """
    It comes back, and nothing was said to the mail server meanwhile.
    """
    settings = dict(sandbox.oauth_settings)
    sandbox.tokens.stop()

    error = await refused(make_provider(SmtpEmail, settings, clock=clock), make_message())

    assert axes(error) == ("network", "retry", "no")


async def test_the_token_endpoint_is_a_host_like_others(make_message: Make) -> None:
    """
    The interlock and the operator's firewall have to know it.
    """
    channel = make_provider(
        SmtpEmail,
        {
            "host": "127.0.0.1",
            "tls": "none",
            "from_address": "a@example.com",
            "username": "a@example.com",
            "oauth_endpoint": "https://login.example.com/token",
            "oauth_client_id": "id",
            "oauth_client_secret": "secret",
        },
    )

    assert list(channel.hosts) == ["127.0.0.1", "login.example.com"]
    with pytest.raises(LiveInterlockError):
        await channel.send(make_message())


async def test_doctor_tries_the_token(sandbox: SmtpSandbox, clock: FixedClock) -> None:
    """
    A consent that ran out is to be seen before the first debtor.
    """
    good = await oauth_channel(sandbox, clock).check()
    bad = await oauth_channel(sandbox, clock, oauth_refresh_token="not it").check()

    assert good.ok
    assert not bad.ok
    assert bad.detail.startswith("token: auth (code invalid_grant)")


@pytest.mark.parametrize("fault", ["endpoint", "server"])
async def test_no_token_shows_anywhere(
    sandbox: SmtpSandbox, clock: FixedClock, make_message: Make, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Errors and objects are logged; a token in a log opens the mailbox.
    """
    channel = oauth_channel(sandbox, clock, oauth_refresh_token="canary" if fault == "endpoint" else None)
    monkeypatch.setattr(type(sandbox.tokens), "knows", lambda self, token: False)

    error = await refused(channel, make_message())
    shown = "\n".join([repr(error), *traceback.format_exception(error), repr(channel.settings), repr(channel._tokens)])

    leaks = ["canary", "sandbox-client-secret", "sandbox-access-token"]
    leaks += [base64.b64encode(leak.encode()).decode().rstrip("=") for leak in leaks]
    assert [leak for leak in leaks if leak in shown] == []


BASE = {"host": "smtp.example.com", "from_address": "a@example.com"}


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"username": "a", "password": Secret("x"), "oauth_access_token": Secret("x")}, "expected one of them"),
        ({"oauth_access_token": Secret("x")}, "username"),
        ({"username": "a", "oauth_client_id": "id"}, "oauth_endpoint"),
        ({"username": "a", "oauth_endpoint": "https://e.example/t"}, "oauth_client_id"),
        ({"username": "a", "oauth_endpoint": "https://e.example/t", "oauth_client_id": "id"}, "oauth_refresh_token"),
        ({"username": "a", "oauth_endpoint": "http://e.example/t", "oauth_client_id": "id"}, "https"),
    ],
)
def test_half_a_login_is_refused(changes: dict[str, Any], missing: str) -> None:
    """
    What is missing is told when the program starts, by its name.
    """
    with pytest.raises(InvalidValueError, match=missing):
        SmtpEmailSettings(**{**BASE, **changes})
