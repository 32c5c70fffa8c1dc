"""
The whole circle with the mail server in a process of its own, as ``cobranza sandbox smtp_email`` runs it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import SimpleQueue
from typing import IO, Any, cast

import pytest

from cobranza_sdk import EventKind, OutboundMessage, WebhookRequest
from cobranza_sdk.testing import make_provider
from cobranza_smtp_email._channel import SmtpEmail

Make = Callable[..., OutboundMessage]
WAIT_S = 30.0


class Hook(HTTPServer):
    """
    Keeps what is posted to it.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keep)
        self.url = f"http://127.0.0.1:{self.server_port}/webhooks/email"
        self.posted: SimpleQueue[WebhookRequest] = SimpleQueue()


class _Keep(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook = cast("Hook", self.server)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        url = f"http://127.0.0.1:{hook.server_port}{self.path}"
        hook.posted.put(
            WebhookRequest(
                method="POST", url=url, headers=dict(self.headers), body=body, received_at=datetime.now(UTC)
            )  # the emulator signs by the machine's clock
        )
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[Hook]:
    """
    Where the product would listen.
    """
    with Hook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def emulator(hook: Hook) -> Iterator[tuple[dict[str, Any], IO[str]]]:
    """
    Settings of a mail server in another process, and its standard input.
    """
    command = [sys.executable, "-m", "cobranza_sdk", "sandbox", "smtp_email", "--manual", "--json"]
    with subprocess.Popen(  # noqa: S603  # our own
        [*command, "--webhook-url", hook.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        lines = iter(process.stdout.readline, "")
        document = []
        for line in lines:
            document.append(line)
            if line == "}\n":
                break
        yield json.loads("".join(document))["settings"], process.stdin
        process.kill()


@pytest.mark.anyio
async def test_a_mail_goes_out_and_comes_back_through_a_process(
    emulator: tuple[dict[str, Any], IO[str]], hook: Hook, make_message: Make
) -> None:
    """
    Login, mail, report and answer over real sockets between two programs.
    """
    settings, happens = emulator
    channel = make_provider(SmtpEmail, settings, webhook_url=hook.url)
    accepted = await channel.send(make_message())
    await channel.aclose()

    events = []
    for line in ("fail {}", "reply {} Ya pagué ayer", "reply {} BAJA"):
        happens.write(line.format(accepted.provider_message_id) + "\n")
        happens.flush()
        events += channel.parse(channel.verify(hook.posted.get(timeout=WAIT_S)))

    assert [event.kind for event in events] == [EventKind.FAILED, EventKind.INBOUND_MESSAGE, EventKind.OPT_OUT]
    assert {event.attempt_id for event in events} == {make_message().attempt_id}
    assert events[1].text == "Ya pagué ayer"
