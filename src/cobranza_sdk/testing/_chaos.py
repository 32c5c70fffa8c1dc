"""
Between vendors' emulators and the house: webhooks wait here, and may meet what networks and vendors do to them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Self

from attrs import evolve, field, frozen, validators

from cobranza_sdk.loading import FixedClock
from cobranza_sdk.spec import Sandbox, WebhookRequest
from cobranza_sdk.testing._wire import Hooks

#: What comes after what it takes back: by the emulator's method, the methods that do so.
_REVERSALS = {"deliver": ("fail",), "announce": ("charge_back", "announce")}
#: Reports that a vendor may forget. What a person writes and what is paid is told at last, by every vendor here.
_RECEIPTS = frozenset({"deliver", "read", "fail"})


def _share() -> Any:
    return [validators.ge(0.0), validators.le(1.0)]


@frozen(kw_only=True)
class Chaos:
    """
    What goes wrong with webhooks, and how often. The same seed and the same calls give the same faults.

    Attributes:
        seed: Of chance.
        duplicates: Share of webhooks that come twice, the second time whenever.
        delays: Share that come late, by the injected clock, and so after what was told later.
        longest: Latest that one comes.
        losses: Share of receipts that never come. Answers of people and payments are late at worst.
        reversals: Share of receipts and payments that are taken back: delivered and then failed, approved and then
            charged back.
        disorder: Whether webhooks that are due together come in any order.
    """

    seed: int
    duplicates: float = field(default=0.3, validator=_share())
    delays: float = field(default=0.4, validator=_share())
    longest: timedelta = timedelta(days=2)
    losses: float = field(default=0.15, validator=_share())
    reversals: float = field(default=0.15, validator=_share())
    disorder: bool = True


@frozen(kw_only=True)
class Fault:
    """
    What was done to one webhook.

    Attributes:
        number: Of the webhook, from 1, in the order of posting.
        account: Configured name of the account that it is for.
        call: The emulator's method that posted it.
        kind: ``lost``, ``duplicated``, ``delayed``, ``overtaken`` by one that was posted later, or ``reversed``.
        until: When it comes instead, or None.
    """

    number: int
    account: str
    call: str
    kind: str
    until: datetime | None = None


@frozen(kw_only=True)
class _Waiting:
    number: int
    account: str
    call: str
    due_at: datetime
    request: WebhookRequest


class Post:
    """
    Takes webhooks over real HTTP on loopback and hands them on when they are due.

    Args:
        clock: The time; nothing here sleeps.
        chaos: What goes wrong, or None for a perfect world.

    Attributes:
        base_url: Where emulators post: ``{base_url}/webhooks/NAME``.
        faults: What was done so far, in order.
    """

    def __init__(self, clock: FixedClock, chaos: Chaos | None = None) -> None:
        self.faults: list[Fault] = []
        self._clock, self._chaos = clock, chaos
        self._chance = random.Random(0 if chaos is None else chaos.seed)  # noqa: S311  # repeatable, not secret
        self._hooks = Hooks(clock.now)
        self.base_url = self._hooks.base
        self._waiting: list[_Waiting] = []
        self._reversals: list[tuple[datetime, Callable[[], None]]] = []
        self._count = self._latest = 0
        self._handed: set[int] = set()

    def watch(self, sandbox: Sandbox, account: str) -> WatchedSandbox:
        """
        The emulator with every call watched, so that it is known what posted which webhook.
        """
        return WatchedSandbox(sandbox, self, account)

    def posted(self, call: str, account: str) -> int:
        """
        Take in what an emulator has just posted; returns how many webhooks there were.
        """
        requests = self._hooks.take()
        for request in requests:
            self._take(request, call, account)
        return len(requests)

    def reverse(self, account: str, call: str, undo: Callable[[], None]) -> None:
        """
        Draw whether what *call* reported is taken back later, by *undo*.
        """
        chaos = self._chaos
        if chaos is None or self._chance.random() >= chaos.reversals:
            return
        until = self._clock.now() + self._delay(chaos)
        self._reversals.append((until, undo))
        self.faults.append(Fault(number=self._count, account=account, call=call, kind="reversed", until=until))

    def due(self) -> list[tuple[str, WebhookRequest]]:
        """
        What arrives by now, as (account, request), each received now.
        """
        now = self._clock.now()
        undone = [undo for at, undo in self._reversals if at <= now]
        self._reversals = [each for each in self._reversals if each[0] > now]
        for undo in undone:
            undo()
        here = [each for each in self._waiting if each.due_at <= now]
        self._waiting = [each for each in self._waiting if each.due_at > now]
        if self._chaos is not None and self._chaos.disorder:
            self._chance.shuffle(here)
        for letter in here:
            if letter.number < self._latest and letter.number not in self._handed:
                self._note(letter, "overtaken")
            self._latest = max(self._latest, letter.number)
            self._handed.add(letter.number)
        return [(each.account, evolve(each.request, received_at=now)) for each in here]

    @property
    def next_at(self) -> datetime | None:
        """
        When something is due, or None when nothing waits.
        """
        return min([*(each.due_at for each in self._waiting), *(at for at, _ in self._reversals)], default=None)

    def close(self) -> None:
        """
        Stop listening.
        """
        self._hooks.__exit__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _take(self, request: WebhookRequest, call: str, account: str) -> None:
        self._count += 1
        now, chaos = self._clock.now(), self._chaos
        letter = _Waiting(number=self._count, account=account, call=call, due_at=now, request=request)
        if chaos is None:
            self._waiting.append(letter)
            return
        if call in _RECEIPTS and self._chance.random() < chaos.losses:
            self._note(letter, "lost")
            return
        if self._chance.random() < chaos.delays:
            letter = evolve(letter, due_at=now + self._delay(chaos))
            self._note(letter, "delayed", letter.due_at)
        self._waiting.append(letter)
        if self._chance.random() < chaos.duplicates:
            again = evolve(letter, due_at=now + self._delay(chaos))
            self._note(again, "duplicated", again.due_at)
            self._waiting.append(again)

    def _note(self, letter: _Waiting, kind: str, until: datetime | None = None) -> None:
        told = Fault(number=letter.number, account=letter.account, call=letter.call, kind=kind, until=until)
        self.faults.append(told)

    def _delay(self, chaos: Chaos) -> timedelta:
        return chaos.longest * self._chance.random()


class WatchedSandbox(Sandbox):
    """
    An emulator whose calls are watched. It offers everything that the emulator itself does.

    Args:
        inner: The emulator, started and stopped by its owner.
        post: Where its webhooks go.
        account: Configured name of the account that it stands in for.
    """

    def __init__(self, inner: Sandbox, post: Post, account: str) -> None:
        super().__init__(clock=inner.clock, port=inner.port, webhook_url=inner.webhook_url)
        self.inner = inner
        self.account = account
        self._post = post

    @property
    def settings(self) -> Any:
        """
        The emulator's.
        """
        return self.inner.settings

    @property
    def received(self) -> Sequence[Any]:
        """
        The emulator's.
        """
        return self.inner.received

    def start(self) -> None:
        """
        Start the emulator.
        """
        self.inner.start()

    def stop(self) -> None:
        """
        Stop the emulator.
        """
        self.inner.stop()

    def deliver(self, provider_message_id: str) -> int | None:
        """
        See `Sandbox.deliver`.
        """
        answer: int | None = self._watched("deliver", provider_message_id)
        return answer

    def read(self, provider_message_id: str) -> int | None:
        """
        See `Sandbox.read`.
        """
        answer: int | None = self._watched("read", provider_message_id)
        return answer

    def fail(self, provider_message_id: str) -> int | None:
        """
        See `Sandbox.fail`.
        """
        answer: int | None = self._watched("fail", provider_message_id)
        return answer

    def reply(self, provider_message_id: str, text: str) -> int | None:
        """
        See `Sandbox.reply`.
        """
        answer: int | None = self._watched("reply", provider_message_id, text)
        return answer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            return self._watched(name, *arguments, **named)

        return call

    def _watched(self, name: str, *arguments: Any, **named: Any) -> Any:
        answer = getattr(self.inner, name)(*arguments, **named)
        posted = self._post.posted(name, self.account)
        steps = _REVERSALS.get(name, ())
        if posted and steps and all(hasattr(self.inner, step) for step in steps):
            subject = arguments[0] if arguments else next(iter(named.values()))
            self._post.reverse(self.account, name, lambda: self._undo(steps, subject))
        return answer

    def _undo(self, steps: Sequence[str], subject: Any) -> None:
        for step in steps:
            getattr(self.inner, step)(subject)
            self._post.posted(step, self.account)
