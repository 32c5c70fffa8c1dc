"""
Driving an emulator by hand: a line on standard input says what happens to a message.
"""

from __future__ import annotations

import io
import signal
import sys
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue

import click

from cobranza_sdk.model import CobranzaError
from cobranza_sdk.spec import Sandbox

_POLL_S = 0.2
_HELP = """\
reply ID WORDS…  the person answers the message
read ID          the person reads it
deliver ID       it arrives
fail ID          the person cannot be reached
help             these lines"""


def lines_of_stdin() -> SimpleQueue[str]:
    """
    Lines from standard input, read in a thread of their own. After its end none come any more.
    """
    lines: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        # Unbuffered: Python cannot close a buffered reader in which a thread waits, and would end with a fatal error.
        with suppress(OSError, ValueError, AttributeError), io.FileIO(sys.stdin.fileno(), closefd=False) as source:
            for line in source:
                lines.put(line.decode("utf-8", "replace"))

    with suppress(AttributeError, ValueError):  # a shell's background job that reads its terminal would be stopped
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    threading.Thread(target=read, daemon=True, name="cobranza-lines").start()
    return lines


class Driver:
    """
    Lets happen to an emulator's messages what somebody asks for.

    Args:
        sandbox: The emulator, running.
        delivers: Whether each new message is reported as delivered by itself.
    """

    def __init__(self, sandbox: Sandbox, *, delivers: bool) -> None:
        self._sandbox = sandbox
        self._delivers = delivers
        self._told = 0

    def run(self, lines: SimpleQueue[str]) -> None:
        """
        Until interrupted, show each new message as its reader would see it, and do what the lines say.
        """
        while True:
            self._show_new()
            with suppress(Empty):
                outcome = self.do(lines.get(timeout=_POLL_S))
                if outcome:
                    click.echo(outcome, err=True)

    def do(self, line: str) -> str:
        """
        Do what one line says; returns what came of it, blank for a blank line.
        """
        match line.split(maxsplit=2):
            case []:
                return ""
            case ["help"]:
                return _HELP
            case ["reply", sent, text]:
                return self._make("reply", sent, text.strip())
            case ["read" | "deliver" | "fail" as what, sent]:
                return self._make(what, sent)
        return f"found {line.strip()!r}, expected reply ID WORDS…, read ID, deliver ID, fail ID or help"

    def _show_new(self) -> None:
        for message in self._sandbox.received[self._told :]:
            self._told += 1
            click.echo(f"took {message.provider_message_id} to {message.to.value}:\n{message.text}\n", err=True)
            if self._delivers:
                click.echo(self._make("deliver", message.provider_message_id), err=True)

    def _make(self, what: str, sent: str, *words: str) -> str:
        """
        Let one thing happen to one message; whatever goes wrong is a line too, and the emulator runs on.
        """
        if all(message.provider_message_id != sent for message in self._sandbox.received):
            return f"{what} {sent}: no message with this id was taken"
        try:
            status: int | None = getattr(self._sandbox, what)(sent, *words)
        except Exception as error:  # noqa: BLE001  # law 8: an emulator is plugin code
            reason = " ".join(str(error).split()) if isinstance(error, CobranzaError) else type(error).__name__
            return f"{what} {sent}: {reason}"
        if status is None:
            return f"{what} {sent}: no webhook came of it: this vendor sends none, or nobody takes it"
        return f"{what} {sent}: the webhook was answered with {status}"
