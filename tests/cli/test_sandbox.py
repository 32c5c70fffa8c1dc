"""
Driving an emulator by lines on standard input, as a person at a terminal does, against a real webhook address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import SimpleQueue
from typing import IO, Any, cast
from urllib.parse import parse_qsl

import httpx
import pytest

WAIT_S = 20.0
#: A shell's background job ignores interrupts, and so would whatever it starts.
INTERRUPTIBLE = (
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "runpy.run_module('cobranza_sdk', run_name='__main__')"
)


class Receiver(HTTPServer):
    """
    A webhook address that keeps what is posted to it.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keep)
        self.url = f"http://127.0.0.1:{self.server_port}/webhooks/sms"
        self.posted: SimpleQueue[tuple[Mapping[str, str], dict[str, str]]] = SimpleQueue()

    def next(self) -> tuple[Mapping[str, str], dict[str, str]]:
        """
        Headers and fields of the next webhook.
        """
        return self.posted.get(timeout=WAIT_S)


class _Keep(BaseHTTPRequestHandler):
    def do_POST(self) -> None:  # http.server finds it by this name
        body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
        cast("Receiver", self.server).posted.put((dict(self.headers), dict(parse_qsl(body, keep_blank_values=True))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
        return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """
    A webhook address on loopback.
    """
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Emulator:
    """
    A running ``cobranza sandbox twilio_sms``.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._told: SimpleQueue[str] = SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.settings = json.loads(self._document())["settings"]

    def _document(self) -> str:
        lines = []
        for line in cast("IO[str]", self.process.stdout):
            lines.append(line)
            if line == "}\n":
                break
        return "".join(lines)

    def _listen(self) -> None:
        for line in cast("IO[str]", self.process.stderr):
            self._told.put(line.rstrip("\n"))

    def take(self, *, callback: str | None = None) -> str:
        """
        Send it a message as the channel would; returns the id it gives out.
        """
        report_to = {} if callback is None else {"StatusCallback": callback}
        account = self.settings["account_sid"]
        answer = httpx.post(
            f"{self.settings['base_url']}/2010-04-01/Accounts/{account}/Messages.json",
            auth=(account, self.settings["auth_token"]),
            data={"To": "+51900000001", "From": self.settings["from_number"], "Body": "Hola", **report_to},
            trust_env=False,
        )
        sent = str(answer.json()["sid"])
        self.told(f"took {sent} to +51900000001:")
        return sent

    def say(self, line: str) -> None:
        """
        Type a line.
        """
        stdin = cast("IO[str]", self.process.stdin)
        stdin.write(f"{line}\n")
        stdin.flush()

    def told(self, start: str) -> str:
        """
        The next line on standard error that begins so.
        """
        while not (line := self._told.get(timeout=WAIT_S)).startswith(start):
            pass
        return line

    def next_line(self) -> str:
        """
        The next line on standard error that is not blank.
        """
        while not (line := self._told.get(timeout=WAIT_S)):
            pass
        return line

    def rest(self) -> str:
        """
        What else it wrote to standard error before it ended.
        """
        self._listener.join(WAIT_S)
        return "\n".join(self._told.get() for _ in range(self._told.qsize()))


@contextmanager
def emulator(*arguments: str, stdin: int = subprocess.PIPE) -> Iterator[Emulator]:
    """
    Run the emulator until the test is over.
    """
    process = subprocess.Popen(  # noqa: S603  # our own command line
        [sys.executable, "-c", INTERRUPTIBLE, "sandbox", "twilio_sms", "--json", *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    with process:
        box = None
        try:
            box = Emulator(process)
            yield box
        finally:
            process.kill()
            if box is not None:
                box.rest()  # read to its end before the pipe is closed


def signature(token: str, url: str, fields: Mapping[str, str]) -> str:
    """
    What Twilio's documentation says the header is: HMAC-SHA1 over the address and the fields in order of name.
    """
    text = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def test_a_typed_reply_becomes_a_signed_webhook(receiver: Receiver) -> None:
    """
    Whoever tries out opt-outs at a terminal sees what the vendor would post, signed as the vendor signs it.
    """
    with emulator("--webhook-url", receiver.url) as box:
        sent = box.take()

        box.say(f"reply {sent} BAJA")

        headers, fields = receiver.next()
        assert fields["Body"] == "BAJA"
        assert fields["From"] == "+51900000001"
        assert headers["X-Twilio-Signature"] == signature(box.settings["auth_token"], receiver.url, fields)
        assert box.told("reply") == f"reply {sent}: the webhook was answered with 204"


def test_words_of_a_reply_arrive_as_they_were_typed(receiver: Receiver) -> None:
    """
    A reply is more than a word, and its blanks are the person's.
    """
    with emulator("--webhook-url", receiver.url) as box:
        sent = box.take()

        box.say(f"reply {sent} ¿Puedo  pagar mañana?")

        assert receiver.next()[1]["Body"] == "¿Puedo  pagar mañana?"


def test_a_line_that_cannot_be_done_is_answered_in_one_line_and_the_next_one_works(receiver: Receiver) -> None:
    """
    A slip must not end the emulator that a whole set-up talks to.
    """
    with emulator("--webhook-url", receiver.url) as box:
        sent = box.take()
        box.told("deliver")

        for line, words in (
            ("answer me", "found 'answer me', expected reply ID WORDS…, read ID, deliver ID, fail ID or help"),
            (f"reply {sent}", f"found 'reply {sent}', expected reply ID WORDS…"),
            (f"fail {sent} now", f"found 'fail {sent} now', expected reply ID WORDS…"),
            ("fail SM404", "fail SM404: no message with this id was taken"),
            (f"read {sent}", f"read {sent}: no webhook came of it"),
            ("", ""),
            ("help", "reply ID WORDS…  the person answers"),
            ("", ""),
        ):
            box.say(line)
            if words:
                assert box.next_line().startswith(words)
            if line == "help":
                assert [box.next_line().split()[0] for _ in range(4)] == ["read", "deliver", "fail", "help"]
        box.say(f"reply {sent} sí")

        assert receiver.next()[1]["Body"] == "sí"


def test_a_new_message_is_reported_as_delivered_by_itself(receiver: Receiver) -> None:
    """
    The plain way to see a receipt come in.
    """
    with emulator("--webhook-url", receiver.url) as box:
        sent = box.take(callback=receiver.url)

        assert receiver.next()[1]["MessageStatus"] == "delivered"
        assert box.told("deliver") == f"deliver {sent}: the webhook was answered with 204"


def test_by_hand_the_first_report_is_the_one_that_was_typed(receiver: Receiver) -> None:
    """
    What fails must not have been delivered before: with --manual nothing is reported by itself.
    """
    with emulator("--webhook-url", receiver.url, "--manual") as box:
        sent = box.take(callback=receiver.url)

        box.say(f"fail {sent}")

        assert receiver.next()[1]["MessageStatus"] == "undelivered"


def test_without_standard_input_the_emulator_runs_on() -> None:
    """
    Scripts start it with ``</dev/null``: the end of the lines is not the end of the emulator.
    """
    with emulator(stdin=subprocess.DEVNULL) as box:
        first, second = box.take(), box.take()

        assert first != second
        assert box.process.poll() is None


def test_it_ends_quietly_when_it_is_interrupted_while_it_waits_for_a_line() -> None:
    """
    Ctrl-C at the prompt: exit code 130, no traceback, and no complaint of the interpreter about a waiting thread.
    """
    with emulator() as box:
        box.take()

        box.process.send_signal(signal.SIGINT)

        assert box.process.wait(timeout=WAIT_S) == 130
        assert box.rest().strip() == "Hola"
