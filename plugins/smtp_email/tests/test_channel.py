"""
The channel against a real mail server, and against one that misbehaves.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import shutil
import socket
import ssl
import subprocess
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from cobranza_sdk import LiveInterlockError, OutboundMessage, ProviderError, Secret
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_smtp_email import _channel
from cobranza_smtp_email._channel import SmtpEmail
from cobranza_smtp_email._references import seal
from cobranza_smtp_email._sandbox import SmtpSandbox

pytestmark = pytest.mark.anyio

Make = Callable[..., OutboundMessage]
GREETING = {"": b"220 mail.example.com ESMTP", "EHLO": b"250-mail.example.com\r\n250 SIZE 100000", "QUIT": b"221 bye"}
WILLING = {
    **GREETING,
    "MAIL": b"250 ok",
    "RCPT": b"250 ok",
    "DATA": b"354 go on",
    ".": b"250 2.0.0 queued",
    "NOOP": b"250 ok",
}


class Script:
    """
    A server that answers each command with fixed bytes; b"" hangs up, None says nothing.
    """

    def __init__(self, answers: dict[str, bytes | None]) -> None:
        self.answers = answers
        self.commands: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            in_data = False
            if not self._answer(connection, ""):
                return
            for line in lines:
                verb = line.strip().decode("utf-8") if in_data else line[:4].decode().strip().upper()
                if in_data and verb != ".":
                    continue
                self.commands.append(verb)
                if not self._answer(connection, verb):
                    return
                in_data = verb == "DATA" and (self.answers["DATA"] or b"").startswith(b"354")

    def _answer(self, connection: socket.socket, verb: str) -> bool:
        answer = self.answers.get(verb, b"502 5.5.1 what?")
        if answer:
            connection.sendall(answer + b"\r\n")
        return answer != b""

    def close(self) -> None:
        """
        Hang up on everybody.
        """
        self._listening.close()
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                connection.close()


@contextmanager
def scripted(**changes: bytes | None) -> Iterator[Script]:
    answers = {**WILLING, **{{"dot": ".", "banner": ""}.get(name, name): value for name, value in changes.items()}}
    server = Script(answers)
    try:
        yield server
    finally:
        server.close()


def plain_channel(port: int, **settings: Any) -> SmtpEmail:
    fields = {"host": "127.0.0.1", "port": port, "tls": "none", "from_address": "cobranza@example.com"}
    return make_provider(SmtpEmail, {**fields, **settings})


def axes(error: ProviderError) -> tuple[str, str, str]:
    return (error.category, error.disposition, error.transmitted)


async def refused(channel: SmtpEmail, message: OutboundMessage) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await channel.send(message)
    return caught.value


async def test_a_mail_arrives_as_it_was_meant(channel: SmtpEmail, sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    The whole point: words, address and id reach the server unchanged.
    """
    accepted = await channel.send(make_message())

    (arrived,) = sandbox.received
    assert accepted.status == "250 queued as 1"
    reference = seal("01j4k5m6n7p8q9r0s1t2v3w4x5", Secret(sandbox.inbound_secret))
    assert accepted.provider_message_id == f"{reference}@example.com" == arrived.provider_message_id
    assert (arrived.to.value, arrived.text) == ("ana@example.net", "Hola, su cuota vence mañana.")
    assert arrived.attempt_id == "01j4k5m6n7p8q9r0s1t2v3w4x5"
    assert sandbox.mails[0].sender == "cobranza@example.com"


async def test_lines_that_start_with_a_dot_survive(
    channel: SmtpEmail, sandbox: SmtpSandbox, make_message: Make
) -> None:
    """
    A lone dot in the text must not end the mail early and leave its rest to be read as commands.
    """
    text = "uno\n.\n.dos\n..tres\nMAIL FROM:<x@example.org>"

    await channel.send(make_message(text=text))

    assert [message.text for message in sandbox.received] == [text]


async def test_greylisting_is_worth_another_try(channel: SmtpEmail, sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    A server that wants us to come back has not taken the mail, and tells nothing about the address.
    """
    sandbox.fail_next("greylist")

    error = await refused(channel, make_message())

    assert axes(error) == ("recipient", "retry", "no")  # the account does not slow down for the others
    assert error.retry_after == 300
    assert sandbox.received == ()


async def test_an_unknown_user_is_never_tried_again(
    channel: SmtpEmail, sandbox: SmtpSandbox, make_message: Make
) -> None:
    """
    Repeating mail to dead addresses ruins the sender's reputation.
    """
    sandbox.fail_next("unknown_user")

    error = await refused(channel, make_message())

    assert axes(error) == ("recipient", "never", "no")
    assert error.vendor_code == "550 5.1.1"


async def test_a_drop_after_the_final_dot_may_have_been_sent(
    channel: SmtpEmail, sandbox: SmtpSandbox, make_message: Make
) -> None:
    """
    The server may hold the mail: to send it again would contact the debtor twice.
    """
    sandbox.fail_next("drop_after_dot")

    error = await refused(channel, make_message())

    assert axes(error) == ("network", "never", "maybe")
    assert len(sandbox.received) == 1


@pytest.mark.parametrize("command", ["banner", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_drop_before_the_final_dot_was_not_sent(command: str, make_message: Make) -> None:
    """
    Without the final dot no server has a mail, so it may be tried again without a second contact.
    """
    with scripted(**{command: b""}) as server:
        error = await refused(plain_channel(server.port), make_message())

    assert axes(error) == ("network", "retry", "no")


async def test_silence_after_the_final_dot_may_have_been_sent(
    make_message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A slow server is no refusal.
    """
    monkeypatch.setattr(_channel, "_FINAL_DOT_S", 0.05)
    with scripted(dot=None) as server:
        error = await refused(plain_channel(server.port), make_message())

    assert axes(error) == ("network", "never", "maybe")


async def test_the_final_dot_is_waited_for_at_least_two_minutes() -> None:
    """
    Giving up sooner than servers need turns accepted mails into unknown ones.
    """
    assert _channel._FINAL_DOT_S >= 120


async def test_an_unreadable_answer_to_the_final_dot_may_have_been_sent(make_message: Make) -> None:
    """
    Only the server's own no means no.
    """
    with scripted(dot=b"queued, I think") as server:
        error = await refused(plain_channel(server.port), make_message())

    assert axes(error) == ("protocol", "never", "maybe")


async def test_a_refusal_of_the_final_dot_was_not_sent(make_message: Make) -> None:
    """
    A server that answers no has said that it does not keep the mail.
    """
    with scripted(dot=b"554 5.7.1 looks like spam") as server:
        error = await refused(plain_channel(server.port), make_message())

    assert axes(error) == ("validation", "never", "no")


async def test_an_answer_sent_ahead_is_not_taken_for_the_next(make_message: Make) -> None:
    """
    A 250 that came with the 354 answers nothing we asked: the mail would be booked as sent whatever follows.
    """
    with scripted(DATA=b"354 go on\r\n250 2.0.0 queued", dot=b"550 5.7.1 no") as server:
        error = await refused(plain_channel(server.port), make_message())

    assert axes(error) == ("protocol", "retry", "no")


async def test_nobody_listening_is_a_network_error(make_message: Make) -> None:
    """
    A server that is down took nothing.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    error = await refused(plain_channel(port), make_message())

    assert axes(error) == ("network", "retry", "no")


async def test_a_wrong_password_wants_fixing_first(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    Trying a bad password for each debtor gets the account locked.
    """
    channel = make_provider(SmtpEmail, {**sandbox.settings, "password": "not it"})

    error = await refused(channel, make_message())

    assert axes(error) == ("auth", "fix_first", "no")


async def test_a_server_without_login_is_not_used_without_one(make_message: Make) -> None:
    """
    Settings that ask for a login are not quietly ignored.
    """
    with scripted() as server:
        error = await refused(plain_channel(server.port, username="u", password="p"), make_message())

    assert axes(error) == ("auth", "fix_first", "no")
    assert "MAIL" not in server.commands


async def test_a_mail_over_the_servers_size_is_not_begun(make_message: Make) -> None:
    """
    The server said in EHLO that it would refuse: a clear answer costs no transfer.
    """
    with scripted(EHLO=b"250-mail.example.com\r\n250 SIZE 300") as server:
        error = await refused(plain_channel(server.port), make_message())

    assert axes(error) == ("validation", "never", "no")
    assert "MAIL" not in server.commands


async def test_an_international_address_needs_a_server_that_knows_it(make_message: Make) -> None:
    """
    Without SMTPUTF8 the address cannot be written, and a changed one belongs to somebody else. It is the address that
    this account does not reach: the outreach goes on by another channel.
    """
    with scripted() as server:
        error = await refused(plain_channel(server.port), make_message(to="añá@example.net"))

    assert axes(error) == ("recipient", "never", "no")
    assert "SMTPUTF8" in (error.vendor_message or "")
    assert "MAIL" not in server.commands


async def test_an_international_address_arrives(channel: SmtpEmail, sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    A server with SMTPUTF8 gets the local part as it is and the domain as ASCII.
    """
    await channel.send(make_message(to="peña@señal.example"))

    assert sandbox.mails[0].recipients == ("peña@xn--seal-hqa.example",)


async def test_a_closed_window_stops_the_mail_before_any_connection(make_message: Make, clock: FixedClock) -> None:
    """
    After the legal window nothing may leave, not even a greeting.
    """
    with scripted() as server:
        channel = plain_channel(server.port)
        error = await refused(channel, make_message(not_after=channel.services.clock.now()))

    assert axes(error) == ("validation", "never", "no")
    assert server.commands == []


async def test_an_open_window_does_not(channel: SmtpEmail, sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    The last moment of the window still counts.
    """
    await channel.send(make_message(not_after=channel.services.clock.now() + timedelta(seconds=1)))

    assert len(sandbox.received) == 1


async def test_the_interlock_is_asked_and_passes_through(make_message: Make) -> None:
    """
    With live = false, no real server may ever be reached, and the core must see that very error.
    """
    channel = make_provider(SmtpEmail, {"host": "smtp.example.com", "from_address": "cobranza@example.com"})

    with pytest.raises(LiveInterlockError):
        await channel.send(make_message())
    with pytest.raises(LiveInterlockError):
        await channel.check()


async def test_another_sender_is_refused(channel: SmtpEmail, sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    Writing as somebody else than asked would be worse than not writing.
    """
    error = await refused(channel, make_message(sender="ventas@example.com"))

    assert axes(error) == ("config", "fix_first", "no")


async def test_one_connection_serves_many_mails(make_message: Make) -> None:
    """
    A login per mail is slow and gets throttled.
    """
    with scripted() as server:
        channel = plain_channel(server.port)
        for number in range(3):
            await channel.send(make_message(attempt_id=f"a{number}"))
        await channel.aclose()

    assert server.commands.count("EHLO") == 1
    assert server.commands.count(".") == 3
    assert server.commands[-1] == "QUIT"


async def test_a_connection_is_left_after_so_many_mails(make_message: Make) -> None:
    """
    Servers throttle those who never leave.
    """
    with scripted() as server:
        channel = plain_channel(server.port, mails_per_connection=2)
        for number in range(4):
            await channel.send(make_message(attempt_id=f"a{number}"))
        await channel.aclose()

    assert server.commands.count("EHLO") == 2


async def test_a_refused_mail_does_not_spoil_the_next(
    channel: SmtpEmail, sandbox: SmtpSandbox, make_message: Make
) -> None:
    """
    What is left of a broken conversation must not mix with the next one.
    """
    sandbox.fail_next("unknown_user")
    await refused(channel, make_message(attempt_id="a1"))

    await channel.send(make_message(attempt_id="a2"))

    assert [message.attempt_id for message in sandbox.received] == ["a2"]


async def test_a_kept_connection_that_died_is_replaced(make_message: Make) -> None:
    """
    Servers close idle connections without a word: that is no reason to fail a mail that never left.
    """
    with scripted() as server:
        channel = plain_channel(server.port)
        await channel.send(make_message(attempt_id="a1"))
        server.answers["MAIL"] = b"421 4.4.2 idle for too long"
        kept = next(iter(channel._pools.values())).idle[0]
        server.answers["EHLO"] = None  # the new connection is recognised by its EHLO

        async def answer_again() -> None:
            while server.commands.count("EHLO") < 2:
                await anyio.lowlevel.checkpoint()
            server.answers.update(WILLING)
            server._open[-1].sendall(WILLING["EHLO"] + b"\r\n")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer_again)
            await channel.send(make_message(attempt_id="a2"))
        await channel.aclose()

    assert not kept.client.is_connected
    assert server.commands.count(".") == 2


async def test_a_kept_connection_that_fails_after_mail_is_not_replaced(make_message: Make) -> None:
    """
    From the server's first yes on, a failure is reported and the core decides.
    """
    with scripted() as server:
        channel = plain_channel(server.port)
        await channel.send(make_message(attempt_id="a1"))
        server.answers["RCPT"] = b""

        error = await refused(channel, make_message(attempt_id="a2"))

    assert axes(error) == ("network", "retry", "no")
    assert server.commands.count("EHLO") == 1


async def test_a_connection_that_was_silent_for_long_is_not_tried(make_message: Make, clock: FixedClock) -> None:
    """
    A router may have forgotten it without a word: MAIL would then wait a minute for nobody.
    """
    fields = {"host": "127.0.0.1", "tls": "none", "from_address": "cobranza@example.com"}
    with scripted() as server:
        channel = make_provider(SmtpEmail, {**fields, "port": server.port}, clock=clock)
        for number, pause in enumerate((0, 120, 121)):
            clock.advance(timedelta(seconds=pause))
            await channel.send(make_message(attempt_id=f"a{number}"))
        await channel.aclose()

    assert server.commands.count("EHLO") == 2
    assert "NOOP" not in server.commands


@pytest.mark.parametrize("most", [None, 1, 7])
async def test_no_more_connections_are_open_than_are_allowed(
    sandbox: SmtpSandbox, make_message: Make, most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Submission servers refuse those who open many at once; Microsoft allows three.
    """
    opened: list[str] = []
    original = SmtpEmail._opened

    async def counted(self: SmtpEmail, *arguments: Any) -> Any:
        opened.append("one")
        return await original(self, *arguments)

    monkeypatch.setattr(SmtpEmail, "_opened", counted)
    channel = make_provider(SmtpEmail, {**sandbox.settings, **({} if most is None else {"max_connections": most})})

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(channel.send, make_message(attempt_id=f"a{number}"))
    idle = len(next(iter(channel._pools.values())).idle)
    await channel.aclose()

    assert len(sandbox.received) == 12
    assert idle == len(opened) == (most or 4)


async def test_a_cancelled_mail_leaves_no_connection_behind(make_message: Make) -> None:
    """
    A conversation broken off in the middle must not be taken up by the next mail.
    """
    with scripted(RCPT=None) as server:
        channel = plain_channel(server.port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(channel.send, make_message())
            while "RCPT" not in server.commands:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    assert next(iter(channel._pools.values())).idle == []


def test_each_event_loop_closes_what_was_kept_for_it(
    sandbox: SmtpSandbox, make_message: Make, recwarn: pytest.WarningsRecorder
) -> None:
    """
    A synchronous caller starts a loop per call: sockets of ended loops would pile up.
    """
    channel = make_provider(SmtpEmail, sandbox.settings)

    for number in range(3):
        asyncio.run(channel.send(make_message(attempt_id=f"a{number}")))
    gc.collect()

    assert len(sandbox.received) == 3
    assert [warning for warning in recwarn if warning.category is ResourceWarning] == []
    assert channel._pools == {}


async def test_check_logs_in_and_sends_nothing(channel: SmtpEmail, sandbox: SmtpSandbox) -> None:
    """
    An operator learns whether the credentials work without writing to anybody.
    """
    health = await channel.check()

    assert health.ok
    assert health.detail == "no TLS, logged in, one-click unsubscribe on, mail that comes back taken"
    assert sandbox.received == ()


async def test_check_says_what_is_wrong(sandbox: SmtpSandbox) -> None:
    """
    The step that failed and the kind of failure, and never the password.
    """
    channel = make_provider(SmtpEmail, {**sandbox.settings, "password": "canary-password"})

    health = await channel.check()

    assert not health.ok
    assert health.detail.startswith("auth: auth")
    assert "canary" not in health.detail


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A self-signed certificate for 127.0.0.1, with its key in the same file.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        missing = "the openssl program is needed to make a certificate"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(  # noqa: S603  # a fixed command line
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "key"), "-out", str(folder / "cert")),
        ],
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_text((folder / "cert").read_text() + (folder / "key").read_text())
    return both


@pytest.fixture
def tls_sandbox(certificate: Path, clock: FixedClock) -> Iterator[SmtpSandbox]:
    """
    A running mail server that demands STARTTLS.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with SmtpSandbox(clock=clock, tls_context=context) as server:
        yield server


async def test_starttls_encrypts_before_the_login(
    tls_sandbox: SmtpSandbox, certificate: Path, make_message: Make
) -> None:
    """
    The server offers AUTH only under TLS: a login that works proves the order.
    """
    channel = make_provider(SmtpEmail, {**tls_sandbox.settings, "ca_file": str(certificate)})

    health = await channel.check()
    await channel.send(make_message())
    await channel.aclose()

    assert health.detail.startswith("TLS, logged in")
    assert len(tls_sandbox.received) == 1


async def test_implicit_tls_encrypts_from_the_first_byte(
    certificate: Path, clock: FixedClock, make_message: Make
) -> None:
    """
    RFC 8314 prefers it: there is no moment at which anything could be stripped.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with SmtpSandbox(clock=clock, tls_context=context, implicit_tls=True) as server:
        channel = make_provider(SmtpEmail, {**server.settings, "ca_file": str(certificate)})
        health = await channel.check()
        await channel.send(make_message())
        await channel.aclose()
        stranger = await refused(make_provider(SmtpEmail, server.settings), make_message())

    assert channel.settings.tls == "implicit"
    assert health.detail.startswith("TLS, logged in")
    assert len(server.received) == 1
    assert axes(stranger) == ("config", "fix_first", "no")


async def test_stripped_starttls_is_refused(tls_sandbox: SmtpSandbox, certificate: Path, make_message: Make) -> None:
    """
    Whoever removes STARTTLS on the way wants the password and the mail in clear.
    """
    tls_sandbox.fail_next("no_starttls")
    channel = make_provider(SmtpEmail, {**tls_sandbox.settings, "ca_file": str(certificate)})

    error = await refused(channel, make_message())

    assert axes(error) == ("config", "fix_first", "no")
    assert tls_sandbox.received == ()


async def test_stripped_starttls_sees_no_password(make_message: Make) -> None:
    """
    The refusal comes before the login, not after.
    """
    with scripted(EHLO=b"250-mail.example.com\r\n250 AUTH PLAIN LOGIN", AUTH=b"235 ok") as server:
        channel = plain_channel(server.port, tls="starttls", username="u", password="p")
        await refused(channel, make_message())

    assert set(server.commands) <= {"EHLO", "QUIT"}


async def test_an_unknown_certificate_is_refused(tls_sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    Encryption to whoever answers protects from nobody.
    """
    channel = make_provider(SmtpEmail, tls_sandbox.settings)

    error = await refused(channel, make_message())

    assert axes(error) == ("config", "fix_first", "no")
    assert tls_sandbox.received == ()


async def test_implicit_tls_to_a_plain_server_is_refused(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    The mode says "encrypted from the first byte", and there is no second mode to fall back to.
    """
    channel = make_provider(SmtpEmail, {**sandbox.settings, "tls": "implicit"})

    error = await refused(channel, make_message())

    assert (error.disposition, error.transmitted) == ("fix_first", "no")


async def test_an_unreadable_ca_file_wants_fixing_first(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    Without its authorities the channel trusts nobody rather than everybody.
    """
    channel = make_provider(SmtpEmail, {**sandbox.settings, "tls": "starttls", "ca_file": "missing.pem"})

    error = await refused(channel, make_message())

    assert axes(error) == ("config", "fix_first", "no")


@pytest.mark.parametrize("fault", ["unknown_user", "greylist", "drop_after_dot"])
async def test_neither_password_nor_address_shows_anywhere(
    sandbox: SmtpSandbox, make_message: Make, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """
    Errors are logged with their trace: not even the library's own exception, which quotes the address, may hang on.
    """
    caplog.set_level(logging.DEBUG)
    channel = make_provider(SmtpEmail, {**sandbox.settings, "from_address": "canary-sender@example.com"})
    sandbox.fail_next(fault)

    error = await refused(channel, make_message(to="canary-person@example.net"))
    shown = "\n".join(
        [str(error), repr(error), *traceback.format_exception(error), repr(channel.settings), caplog.text]
    )
    await channel.aclose()

    assert error.__context__ is None
    assert error.__cause__ is None
    assert "canary" not in shown
    assert sandbox.password not in shown
    assert "sandbox-account" not in shown
    assert "sandbox-unsubscribe-secret" not in shown
