"""
How mail gets from a mail server to the webhook: the pipe, and the sweep of a mailbox.
"""

from __future__ import annotations

import base64
import io
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cobranza_sdk import EventKind, OutboundMessage, Secret, WebhookRejectedError, WebhookRequest
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_smtp_email import deliver, fetch
from cobranza_smtp_email._channel import SmtpEmail
from cobranza_smtp_email._sandbox import SmtpSandbox
from cobranza_smtp_email._signature import HEADER, verify

Make = Callable[..., OutboundMessage]
NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
SECRET = "an-inbound-secret-of-thirty-two-letters"
MAIL = b"From: ana@example.net\r\nSubject: x\r\n\r\nHola\r\n"


class Webhook(ThreadingHTTPServer):
    """
    Takes what is handed over, and answers as it is told.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.requests: list[WebhookRequest] = []
        self.answers: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_port}/webhooks/email"

    @property
    def bodies(self) -> list[bytes]:
        """
        The mails.
        """
        return [request.body for request in self.requests]


class _Answers(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(
            WebhookRequest(method="POST", url=self.server.url, headers=dict(self.headers), body=body, received_at=NOW)
        )
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """
    Where the product listens.
    """
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The secret lies where the mail server's configuration puts it.
    """
    monkeypatch.setenv(deliver.SECRET_VARIABLE, SECRET)
    monkeypatch.setenv(fetch.PASSWORD_VARIABLE, "imap-password")


def piped(url: str, mail: bytes, *options: str) -> int:
    return deliver.main([url, *options], stream=io.BytesIO(mail), now=lambda: NOW)


def test_a_piped_mail_arrives_signed(webhook: Webhook) -> None:
    """
    The whole point: the bytes as they are, proven.
    """
    assert piped(webhook.url, MAIL) == 0

    (request,) = webhook.requests
    assert request.body == MAIL
    assert request.headers["Content-Type"] == "message/rfc822"
    verify(request, account="a", secrets=[Secret(SECRET)])
    with pytest.raises(WebhookRejectedError):
        verify(request, account="a", secrets=[Secret("another")])


def test_the_envelope_is_written_above_the_mail(webhook: Webhook) -> None:
    """
    The tag that tells whose bounce it is stands in the envelope alone; mbox's own line goes.
    """
    piped(webhook.url, b"From MAILER-DAEMON Wed Aug  5\n" + MAIL, "--sender", "", "--recipient", "b+x.y@example.com")

    assert webhook.bodies == [b"Return-Path: <>\r\nDelivered-To: b+x.y@example.com\r\n" + MAIL]


def test_a_recipient_cannot_smuggle_a_header(webhook: Webhook) -> None:
    """
    The server takes it from a stranger.
    """
    assert piped(webhook.url, MAIL, "--recipient", "x@example.com\r\nIn-Reply-To: <y>") == 75
    assert webhook.bodies == []


def test_only_the_beginning_of_a_large_mail_is_handed_over(webhook: Webhook) -> None:
    """
    A returned invoice of ten megabytes would be refused for its size and come again for ever.
    """
    assert piped(webhook.url, MAIL + b"x" * deliver.MAX_MAIL) == 0

    assert [len(body) for body in webhook.bodies] == [deliver.MAX_MAIL]


@pytest.mark.parametrize(
    ("answer", "status"), [(200, 0), (400, 0), (413, 0), (403, 75), (404, 75), (500, 75), (503, 75), (302, 75)]
)
def test_the_exit_status_tells_the_server_what_to_do(webhook: Webhook, answer: int, status: int) -> None:
    """
    What cannot be read is done with: a status that makes the server answer the sender would start a loop.
    """
    webhook.answers = [answer]

    assert piped(webhook.url, MAIL) == status


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (403, "answered 403 (expected the secret that the channel has as inbound_secret, and clocks that agree)"),
        (404, "answered 404 (expected a URL that ends with the channel's name in cobranza.toml)"),
        (500, "answered 500"),
    ],
)
def test_who_sets_it_up_is_told_what_to_look_at(
    webhook: Webhook, answer: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A slip here fills a mail server's queue for days before anybody asks why.
    """
    webhook.answers = [answer]

    piped(webhook.url, MAIL)

    assert capsys.readouterr().err == f"cobranza_smtp_email.deliver: the webhook {words}\n"


def test_nobody_there_means_later(capsys: pytest.CaptureFixture[str]) -> None:
    """
    The mail stays in the server's queue.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    assert piped(f"http://127.0.0.1:{port}/webhooks/email", MAIL) == 75
    assert "did not answer" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["http://cobranza.example.com/webhooks/email", "ftp://x", "x"])
def test_mail_never_crosses_the_network_in_clear(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    """
    It holds what debtors write.
    """
    assert piped(url, MAIL) == 75
    assert "https" in capsys.readouterr().err


def test_a_missing_secret_is_told_by_name(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """
    A slip in the server's configuration keeps the mail and says where to look.
    """
    monkeypatch.delenv(deliver.SECRET_VARIABLE)

    assert piped(webhook.url, MAIL) == 75
    assert deliver.SECRET_VARIABLE in capsys.readouterr().err
    assert piped(webhook.url, MAIL, "--secret-file", str(tmp_path / "none")) == 75
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    assert piped(webhook.url, MAIL, "--secret-file", str(tmp_path / "secret")) == 0


def test_a_secret_that_is_no_text_is_not_quoted(
    webhook: Webhook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A codec's complaint quotes the byte and where it stands.
    """
    (tmp_path / "secret").write_bytes(b"contrase\xf1a")

    assert piped(webhook.url, MAIL, "--secret-file", str(tmp_path / "secret")) == 75

    said = capsys.readouterr().err
    assert "--secret-file cannot be read" in said
    assert "0xf1" not in said


def test_it_runs_as_a_program(webhook: Webhook) -> None:
    """
    A mail server calls it so.
    """
    command = [sys.executable, "-m", "cobranza_smtp_email.deliver", webhook.url]
    done = subprocess.run(command, input=MAIL, capture_output=True, check=False)  # noqa: S603  # our own

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert webhook.bodies == [MAIL]


# -- the sweep ---------------------------------------------------------------------------------------------------------


class ImapServer:
    """
    A folder behind as much of IMAP (RFC 3501) as a sweep speaks.
    """

    def __init__(self, mails: dict[int, bytes]) -> None:
        self.mails = mails
        self.flags: dict[int, set[str]] = {number: set() for number in mails}
        self.said: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb", 0) as wire:
                wire.write(b"* OK ready\r\n")
                for line in wire:
                    tag, _, command = line.decode().strip().partition(" ")
                    self.said.append(command)
                    wire.write(self._answer(command, wire) + f"{tag} {self._verdict(command)}\r\n".encode())
                    if command == "LOGOUT":
                        break

    def _verdict(self, command: str) -> str:
        if command.startswith("LOGIN") and "imap-password" not in command:
            return "NO wrong"
        if command.startswith("SELECT") and '"INBOX"' not in command:
            return "NO no such folder"
        return "OK [READ-WRITE] done" if command.startswith("SELECT") else "OK done"

    def _answer(self, command: str, wire: io.RawIOBase) -> bytes:
        if command == "CAPABILITY":
            return b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2\r\n"
        if command.startswith("AUTHENTICATE"):
            wire.write(b"+ \r\n")
            self.said.append(base64.b64decode(wire.readline()).decode())
        if command.startswith("SELECT"):
            return f"* {len(self.mails)} EXISTS\r\n".encode()
        if command.startswith("UID SEARCH"):
            fresh = [number for number in reversed(self.mails) if not self.flags[number] & {"\\Seen", "\\Flagged"}]
            return f"* SEARCH {' '.join(map(str, fresh))}\r\n".encode()
        fetched = re.fullmatch(r"UID FETCH (\d+) \(BODY\.PEEK\[\]<0\.(\d+)>\)", command)
        if fetched:
            body = self.mails[int(fetched[1])][: int(fetched[2])]
            return f"* 1 FETCH (UID {fetched[1]} BODY[]<0> {{{len(body)}}}\r\n".encode() + body + b")\r\n"
        stored = re.fullmatch(r"UID STORE (\d+) \+FLAGS\.SILENT \((\S+)\)", command)
        if stored:
            self.flags[int(stored[1])].add(stored[2])
        return b"* BYE\r\n" if command == "LOGOUT" else b""

    def close(self) -> None:
        """
        Take no more connections.
        """
        self._listening.close()


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    """
    A mailbox with three new mails.
    """
    server = ImapServer({number: MAIL + b"%d" % number for number in (3, 5, 9)})
    yield server
    server.close()


def swept(webhook: Webhook, imap: ImapServer, *options: str) -> int:
    arguments = [webhook.url, "--host", "127.0.0.1", "--port", str(imap.port), "--tls", "none", "--user", "bounces"]
    return fetch.main([*arguments, *options], now=lambda: NOW)


def test_new_mails_are_handed_over_once_and_marked(webhook: Webhook, imap: ImapServer) -> None:
    """
    Oldest first, and the next run finds nothing.
    """
    assert swept(webhook, imap) == 0
    assert swept(webhook, imap) == 0

    assert webhook.bodies == [MAIL + b"3", MAIL + b"5", MAIL + b"9"]
    assert set(map(frozenset, imap.flags.values())) == {frozenset({"\\Seen"})}
    assert all(HEADER in request.headers for request in webhook.requests)


def test_a_mail_is_not_seen_before_the_webhook_has_taken_it(webhook: Webhook, imap: ImapServer) -> None:
    """
    A bounce that is lost between two machines leaves a dead address in use.
    """
    webhook.answers = [200, 503]

    assert swept(webhook, imap) == 75
    assert imap.flags == {3: {"\\Seen"}, 5: set(), 9: {"\\Seen"}}
    assert swept(webhook, imap) == 0
    assert webhook.bodies[-1] == MAIL + b"5"


def test_a_mail_that_is_never_taken_holds_up_no_other(webhook: Webhook, imap: ImapServer) -> None:
    """
    Anybody can write a mail that the reader is too slow for, and behind it somebody asks to be left alone.
    """
    webhook.answers = [503]

    assert swept(webhook, imap) == 75

    assert imap.flags == {3: set(), 5: {"\\Seen"}, 9: {"\\Seen"}}


@pytest.mark.parametrize("answer", [403, 404, 500])
def test_a_webhook_that_takes_no_mail_at_all_is_not_asked_on(webhook: Webhook, imap: ImapServer, answer: int) -> None:
    webhook.answers = [answer]

    assert swept(webhook, imap) == 75

    assert len(webhook.bodies) == 1
    assert imap.flags == {3: set(), 5: set(), 9: set()}


def test_what_cannot_be_read_waits_for_a_person(webhook: Webhook, imap: ImapServer) -> None:
    """
    One odd mail must not hold up the others, nor come again at each run.
    """
    webhook.answers = [400]

    assert swept(webhook, imap) == 0
    assert swept(webhook, imap) == 0
    assert imap.flags == {3: {"\\Flagged"}, 5: {"\\Seen"}, 9: {"\\Seen"}}
    assert len(webhook.bodies) == 3


def test_one_run_has_a_limit(webhook: Webhook, imap: ImapServer) -> None:
    """
    The first run may meet years of mail.
    """
    assert swept(webhook, imap, "--limit", "1") == 0

    assert webhook.bodies == [MAIL + b"3"]


def test_a_token_logs_in_too(webhook: Webhook, imap: ImapServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Microsoft takes no passwords for IMAP either.
    """
    monkeypatch.setenv(fetch.TOKEN_VARIABLE, "token")

    assert swept(webhook, imap) == 0
    assert "user=bounces\x01auth=Bearer token\x01\x01" in imap.said
    assert not [line for line in imap.said if line.startswith("LOGIN")]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--folder", "Nowhere"], "folder Nowhere"),
        (["--folder", 'x" (y'], "--folder"),
        (["--folder", "Enviados á"], "--folder"),
        (["--host", "imap.example.com"], "--tls none"),
    ],
)
def test_a_slip_is_told(
    webhook: Webhook, imap: ImapServer, options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A timer's log is all that the operator sees.
    """
    assert swept(webhook, imap, *options) == 75
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("password", ["", "canary"])
def test_a_refused_login_shows_no_password(
    webhook: Webhook,
    imap: ImapServer,
    password: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """
    Logs of timers are read by many.
    """
    monkeypatch.setenv(fetch.PASSWORD_VARIABLE, password)

    assert swept(webhook, imap) == 75
    said = capsys.readouterr().err
    assert "canary" not in said
    assert said.count("\n") == 1
    assert webhook.bodies == []


def test_a_password_that_cannot_be_sent_shows_no_letter_of_it(
    webhook: Webhook, imap: ImapServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A codec's complaint quotes the letter and where it stands.
    """
    monkeypatch.setenv(fetch.PASSWORD_VARIABLE, "contraseña")

    assert swept(webhook, imap) == 75

    said = capsys.readouterr().err
    assert "ASCII" in said
    assert "xf1" not in said
    assert "position" not in said


# -- the whole circle --------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_what_the_emulator_hands_over_is_read(webhook: Webhook, clock: FixedClock, make_message: Make) -> None:
    """
    Send, bounce, complaint, holiday and answer, each over real sockets.
    """
    with SmtpSandbox(clock=clock, webhook_url=webhook.url) as sandbox:
        channel = make_provider(SmtpEmail, {**sandbox.settings, "delivery_receipts": True}, now=NOW)
        identifier = (await channel.send(make_message())).provider_message_id
        await channel.aclose()

        statuses = [
            sandbox.fail(identifier),
            sandbox.deliver(identifier),
            sandbox.complain(identifier),
            sandbox.be_away(identifier),
            sandbox.reply(identifier, "Ya pagué"),
            sandbox.bounce(identifier, action="delayed", status="4.4.1"),
        ]

    events = [[event.kind for event in channel.parse(channel.verify(request))] for request in webhook.requests]
    assert statuses == [200] * 6
    assert events == [
        [EventKind.FAILED],
        [EventKind.DELIVERED],
        [EventKind.OPT_OUT],
        [],
        [EventKind.INBOUND_MESSAGE],
        [],
    ]
