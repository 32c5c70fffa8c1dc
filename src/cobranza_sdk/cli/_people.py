"""
The demo's people: what those who were written to do about it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from cobranza_sdk.spec import Sandbox, SandboxMessage

#: Shares of the people who react: cannot be reached, read, answer with these words, confirm who they are.
_FAILED, _READ, _CONFIRMED = 0.04, 0.6, 0.35
_ANSWERS = (("BAJA", 0.03), ("Número equivocado", 0.01), ("Ya pagué", 0.03), ("¿Puedo pagar mañana?", 0.04))


class People:
    """
    React to what emulators took: the same way whenever the seed and the messages are the same.

    Args:
        sandboxes: Where they are written to.
        seed: Of their chance.

    Attributes:
        replies: What they answered so far, each as often as an emulator posted it.
    """

    def __init__(self, sandboxes: Mapping[str, Sandbox], *, seed: int) -> None:
        self.replies: Counter[str] = Counter()
        self._sandboxes = sandboxes
        self._chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
        self._seen = dict.fromkeys(sandboxes, 0)

    def react(self) -> dict[str, int]:
        """
        React to every new message: receipts, answers, opt-outs, each a signed webhook; returns how many of what.
        """
        counts: Counter[str] = Counter()
        for kind, sandbox in self._sandboxes.items():
            news = sandbox.received[self._seen[kind] :]
            self._seen[kind] += len(news)
            # Messages are sent side by side and arrive in any order: chance is drawn in the order of the addresses.
            for message in sorted(news, key=_address):
                counts.update(self._reactions(sandbox, message.provider_message_id))
        return dict(counts)

    def _reactions(self, sandbox: Sandbox, sent: str) -> Iterator[str]:
        chance = self._chance.random
        if chance() < _FAILED:
            yield from _told("failed", sandbox.fail, sent)
            return
        yield from _told("delivered", sandbox.deliver, sent)
        if chance() < _READ:
            yield from _told("read", sandbox.read, sent)
        words = self._words()
        if words is not None:
            for what in _told("replied", sandbox.reply, sent, words):
                self.replies[words] += 1
                yield what

    def _words(self) -> str | None:
        draw = self._chance.random()
        for words, share in _ANSWERS:
            if draw < share:
                return words
            draw -= share
        return "SÍ" if draw < _CONFIRMED else None


def _address(message: SandboxMessage) -> tuple[str, str]:
    return message.to.value, message.text


def _told(what: str, post: Callable[..., int | None], *arguments: str) -> Iterator[str]:
    if post(*arguments) is not None:
        yield what
