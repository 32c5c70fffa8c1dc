"""
The demo's people: the same demo twice is the same demo, whatever arrived first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from cobranza_sdk import Address, Sandbox, SandboxMessage
from cobranza_sdk.cli._people import People
from cobranza_sdk.loading import FixedClock

NOON = datetime(2026, 8, 5, 17, tzinfo=UTC)


class Notebook(Sandbox):
    """
    An emulator that notes who did what.
    """

    name: ClassVar[str] = "notebook"

    def __init__(self, numbers: Sequence[int], *, replies: bool = True) -> None:
        super().__init__(clock=FixedClock(NOON))
        self.noted: list[tuple[str, ...]] = []
        self._replies = replies
        self._received = [
            SandboxMessage(
                provider_message_id=f"M{at}", to=Address("e164", f"+519000{number:05d}"), text="Hola", at=NOON
            )
            for at, number in enumerate(numbers)
        ]

    def start(self) -> None:
        """
        Nothing is served.
        """

    def stop(self) -> None:
        """
        Nothing was served.
        """

    @property
    def settings(self) -> Mapping[str, Any]:
        """
        Nobody reaches it.
        """
        return {}

    @property
    def received(self) -> Sequence[SandboxMessage]:
        """
        What it was given.
        """
        return self._received

    def _note(self, what: str, sent: str, *words: str) -> int:
        self.noted.append((what, self._received[int(sent[1:])].to.value, *words))
        return 200

    def deliver(self, provider_message_id: str) -> int | None:
        """
        Note it.
        """
        return self._note("delivered", provider_message_id)

    def fail(self, provider_message_id: str) -> int | None:
        """
        Note it.
        """
        return self._note("failed", provider_message_id)

    def reply(self, provider_message_id: str, text: str) -> int | None:
        """
        Note it, where the vendor carries answers.
        """
        return self._note("replied", provider_message_id, text) if self._replies else None


def test_people_react_alike_in_whatever_order_their_messages_arrived() -> None:
    """
    Messages are sent side by side: the order in which an emulator takes them is nobody's to choose.
    """
    upwards, downwards = Notebook(range(300)), Notebook(range(299, -1, -1))

    first, second = (People({"sms": box}, seed=1).react() for box in (upwards, downwards))

    assert first == second
    assert upwards.noted == downwards.noted
    assert {"delivered", "failed", "replied"} == set(first)


def test_a_reply_counts_when_the_emulator_posted_it() -> None:
    """
    What no webhook told, nobody could act on.
    """
    talking, mute = Notebook(range(300)), Notebook(range(300), replies=False)
    people, silent = People({"sms": talking}, seed=1), People({"sms": mute}, seed=1)

    people.react()
    silent.react()

    assert people.replies["BAJA"] == sum(note[2:] == ("BAJA",) for note in talking.noted) > 0
    assert not silent.replies


def test_people_react_to_a_message_once() -> None:
    """
    A day has several rounds.
    """
    box = Notebook(range(10))
    people = People({"sms": box}, seed=1)

    people.react()

    assert people.react() == {}
