"""
The mail server for development, and how the plugin names its parts.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

import cobranza_smtp_email
from cobranza_sdk import Address, OutboundMessage, ProviderError, Sandbox, WebhookRequest
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_smtp_email._channel import SmtpEmail
from cobranza_smtp_email._sandbox import SmtpSandbox

Make = Callable[..., OutboundMessage]
NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


class Hook(HTTPServer):
    """
    Keeps what is posted to it.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.requests: list[WebhookRequest] = []
        self.url = f"http://127.0.0.1:{self.server_port}/webhooks/email"


class _Answers(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        host = f"http://127.0.0.1:{self.server.server_port}"
        self.server.requests.append(
            WebhookRequest(method="POST", url=host + self.path, headers=dict(self.headers), body=body, received_at=NOW)
        )
        self.send_response(202)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    """
    Where the product would listen for webhooks.
    """
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def sent(sandbox: SmtpSandbox, message: OutboundMessage, webhook_url: str | None) -> tuple[SmtpEmail, str]:
    channel = make_provider(SmtpEmail, sandbox.settings, webhook_url=webhook_url)
    accepted = await channel.send(message)
    await channel.aclose()
    return channel, accepted.provider_message_id


@pytest.mark.anyio
async def test_pressing_unsubscribe_reaches_the_channel_as_an_opt_out(
    sandbox: SmtpSandbox, hook: Hook, make_message: Make
) -> None:
    """
    The whole circle: link in the mail, POST by the mail program, signature, event.
    """
    channel, message_id = await sent(sandbox, make_message(), hook.url)

    status = sandbox.reply(message_id, " Baja ")

    (event,) = channel.parse(channel.verify(hook.requests[0]))
    assert status == 202
    assert (event.kind, event.attempt_id) == ("opt_out", make_message().attempt_id)


@pytest.mark.anyio
async def test_other_answers_go_to_an_inbox(sandbox: SmtpSandbox, hook: Hook, make_message: Make) -> None:
    """
    Mail that a debtor writes does not come back over SMTP submission.
    """
    _, message_id = await sent(sandbox, make_message(), hook.url)

    assert sandbox.reply(message_id, "¿Cuánto debo?") is None
    assert hook.requests == []


@pytest.mark.anyio
async def test_a_public_link_is_not_followed(clock: FixedClock, hook: Hook, make_message: Make) -> None:
    """
    An emulator must not reach the network: the token goes to the configured webhook, or nowhere.
    """
    public = "https://cobranza.example.com/webhooks/email"
    with SmtpSandbox(clock=clock) as alone, SmtpSandbox(clock=clock, webhook_url=hook.url) as wired:
        _, first = await sent(alone, make_message(), public)
        channel, second = await sent(wired, make_message(), public)

        assert alone.reply(first, "BAJA") is None
        assert wired.reply(second, "BAJA") == 202

    assert channel.verify(hook.requests[0])


@pytest.mark.anyio
async def test_without_links_there_is_nothing_to_press(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    No link, no opt-out: the caller sees it instead of a success.
    """
    _, message_id = await sent(sandbox, make_message(), None)

    assert sandbox.reply(message_id, "BAJA") is None


@pytest.mark.anyio
async def test_a_login_is_demanded(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    A channel that forgets to log in must fail here and not at the vendor.
    """
    without = {key: value for key, value in sandbox.settings.items() if key not in {"username", "password"}}

    with pytest.raises(ProviderError) as caught:
        await make_provider(SmtpEmail, without).send(make_message())

    assert (caught.value.category, caught.value.disposition) == ("auth", "fix_first")
    assert sandbox.received == ()


@pytest.mark.anyio
async def test_a_server_without_accounts_demands_none(clock: FixedClock, make_message: Make) -> None:
    """
    Relays inside a company's network have no accounts.
    """
    with SmtpSandbox(clock=clock, username=None) as sandbox:
        await sent(sandbox, make_message(), None)

        assert "username" not in sandbox.settings
        assert len(sandbox.received) == 1


@pytest.mark.anyio
async def test_what_arrived_can_be_read_raw(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    A developer looks at headers and HTML as a mail program gets them.
    """
    _, message_id = await sent(sandbox, make_message(html="<p>Hola</p>"), None)

    (mail,) = sandbox.mails
    html = mail.parsed().get_body(("html",))
    assert mail.provider_message_id == message_id
    assert mail.raw.startswith(b"From: ")
    assert html is not None
    assert html.get_content().strip() == "<p>Hola</p>"
    assert sandbox.received[0].at == NOW


def test_it_starts_on_a_free_port_and_stops_twice(clock: FixedClock) -> None:
    """
    Several run side by side, and a test that failed half-way stops what it started.
    """
    first, second = SmtpSandbox(clock=clock), SmtpSandbox(clock=clock)
    first.start()
    second.start()

    assert 0 != first.port != second.port != 0
    for sandbox in (first, second):
        sandbox.stop()
        sandbox.stop()


def test_it_stays_on_its_port_after_a_restart(clock: FixedClock) -> None:
    """
    Settings written down before the restart still hold after it.
    """
    sandbox = SmtpSandbox(clock=clock)
    with sandbox:
        port = sandbox.port
    with sandbox:
        assert sandbox.port == port


def test_an_unknown_fault_is_told(sandbox: SmtpSandbox) -> None:
    """
    A typo must not turn a test of failures into one of successes.
    """
    with pytest.raises(ValueError, match="greylist"):
        sandbox.fail_next("graylist")


def test_an_unknown_mail_is_told(sandbox: SmtpSandbox) -> None:
    """
    None means "nothing to press", so a wrong id must not look like it.
    """
    with pytest.raises(LookupError):
        sandbox.reply("nobody@example.com", "BAJA")


def test_nothing_personal_shows_in_what_it_keeps(sandbox: SmtpSandbox) -> None:
    """
    Lists of mails are printed while debugging.
    """
    sandbox._keep("canary@example.com", ["canary@example.net"], b"Message-ID: <a@b>\r\n\r\ncanary\r\n")

    assert "canary" not in repr(sandbox.mails) + repr(sandbox.received)


def test_the_hooks_name_channel_and_sandbox() -> None:
    """
    The core finds both by one name.
    """
    (channel,) = cobranza_smtp_email.cobranza_channels()
    (sandbox,) = cobranza_smtp_email.cobranza_sandboxes()

    assert (channel, sandbox) == (SmtpEmail, SmtpSandbox)
    assert issubclass(sandbox, Sandbox)
    assert channel.name == sandbox.name == "smtp_email"


def test_the_channel_needs_no_emulator_and_names_need_no_library() -> None:
    """
    Production installs come without the extra, and every command starts by asking what there is.
    """
    code = (
        "import sys, cobranza_smtp_email as plugin; early = set(sys.modules); list(plugin.cobranza_channels());"
        "assert 'cobranza_smtp_email._channel' not in early;"
        "assert 'cobranza_smtp_email._sandbox' not in sys.modules;"
        "list(plugin.cobranza_sandboxes());"
        "assert not {'aiosmtpd', 'aiosmtplib', 'asyncio', 'ssl'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603  # our own interpreter and code


@pytest.mark.anyio
@pytest.mark.parametrize(("login", "one_click"), [(True, True), (False, False)], ids=["password", "nothing secret"])
async def test_mails_can_be_unsubscribed_from_without_a_key_of_its_own(login: bool, one_click: bool) -> None:
    """
    A key follows from the password; without any secret the operator's page is named, and no click is promised.
    """
    with SmtpSandbox(clock=FixedClock(NOW)) as server:
        settings = {name: value for name, value in server.settings.items() if name != "unsubscribe_secret"}
        if not login:
            server.username = None
            settings = {name: value for name, value in settings.items() if name not in ("username", "password")}
        channel = make_provider(SmtpEmail, settings | {"unsubscribe_url": "https://u.example.com/b"})
        await channel.send(
            OutboundMessage(
                attempt_id="a1", channel="email", to=Address("email", "ana@example.net"), locale="es_PE", text="Hola"
            )
        )
        await channel.aclose()
        mail = server.mails[0].parsed()

    assert str(mail["List-Unsubscribe"]).startswith("<https://u.example.com/b")
    assert (mail["List-Unsubscribe-Post"] is not None) is one_click
    assert mail["Content-Language"] == "es-PE"
