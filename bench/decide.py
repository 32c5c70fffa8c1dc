"""
Deciding: beside the rules as people write them first, and beside one function with everything written into it.
"""

from __future__ import annotations

import gc
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from measure import Case, child, interleave, table
from naive import Inlined, Record, answer_of, answers, naive

from cobranza_sdk import Cobranza, Contact, PastContact

_NAIVE_SHARE = 50
_HISTORY = (0, 1, 2, 3, 4, 5)
_HISTORY_WEIGHTS = (10, 18, 22, 22, 18, 10)  # mean 2.5
_BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
_CHANNELS = ("whatsapp", "sms", "email", "call")
_OUTCOMES = ("answered", "read", "replied", "delivered", "failed", "no_answer", None)
_MANY, _STREAM, _ONE = "decide_many, all kept", "decide_many, none kept", "decide, one at a time"
_NAIVE, _INLINED = "naive", "hand-inlined, all audit records kept"
#: How many times more contacts the stream is that shows what memory they take.
_MORE = 20


def stream(count: int, seed: int = 20260805) -> Iterator[Contact]:
    """
    Contacts in Peru and Colombia, by day and night over half a year.
    """
    chance = random.Random(seed)  # noqa: S311  # repeatable, not secret
    return (_contact(chance, number) for number in range(count))


def _contact(chance: random.Random, number: int) -> Contact:
    at = _BEGIN + timedelta(minutes=chance.randrange(180 * 24 * 60))
    size = chance.choices(_HISTORY, _HISTORY_WEIGHTS)[0]
    return Contact(
        at=at,
        country=chance.choice(("PE", "CO")),
        channel=chance.choice(_CHANNELS),
        stage=chance.choice(("preventive", "administrative", "extrajudicial")),
        purpose=chance.choices(("reminder", "demand", "offer"), (45, 45, 10))[0],
        recipient=chance.choices(("debtor", "unknown", "reference", "guarantor"), (85, 8, 4, 3))[0],
        holder_confirmed=chance.random() < 0.8,  # noqa: PLR2004  # four in five
        consent=chance.choices(("yes", "no", "opted_out"), (90, 8, 2))[0],
        creditor_id="c1",
        debtor_id=f"d{number}",
        history=tuple(
            PastContact(
                at=at - timedelta(seconds=chance.randrange(60, 30 * 86_400)),
                channel=chance.choice(_CHANNELS),
                outcome=chance.choice(_OUTCOMES),
                creditor_id=chance.choice(("c1", "c1", "c1", "c2")),
            )
            for _ in range(size)
        ),
    )


def measure_decide(count: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """
    The section on deciding. All must answer alike, or there is nothing to compare.

    Raises:
        SystemExit: They do not.
    """
    made = list(stream(count))
    few = made[: max(1, count // _NAIVE_SHARE)]
    decider = Cobranza().decider
    inlined = Inlined(range(2025, 2029))
    verdicts = _agreed(made, few, [answer_of(item) for item in decider.decide_many(made)], inlined)

    def many() -> Mapping[str, float]:
        return _rate(count, lambda: list(decider.decide_many(made)))

    def streamed() -> Mapping[str, float]:
        return _rate(count, lambda: deque(decider.decide_many(made), maxlen=0))

    def by_hand() -> Mapping[str, float]:
        trail: list[Record] = []
        return _rate(count, lambda: inlined.decide_all(made, trail))

    def first_try() -> Mapping[str, float]:
        return _rate(len(few), lambda: [naive(contact) for contact in few])

    def single() -> Mapping[str, float]:
        return _rate(len(few), lambda: [decider.decide(contact) for contact in few])

    cases: dict[str, Case] = {_MANY: many, _STREAM: streamed, _ONE: single, _INLINED: by_hand, _NAIVE: first_try}
    # The contacts were there before: no round is made to wait while the collector walks through them.
    gc.collect()
    gc.freeze()
    samples = interleave(cases, rounds, say)
    gc.unfreeze()
    return {
        "rows": table(samples, "per_cpu_s", {"hand-inlined": _INLINED, "naive": _NAIVE}),
        "contacts": count,
        "memory": {str(size): child("many.py", str(size))["peak_mib"] for size in (count, count * _MORE)},
        "verdicts": verdicts,
        "history_mean": sum(len(contact.history) for contact in made) / count,
    }


def _agreed(made: Sequence[Contact], few: Sequence[Contact], ours: list[Any], inlined: Inlined) -> dict[str, int]:
    trail: list[Record] = []
    inlined.decide_all(made, trail)
    for theirs in (answers(trail), [naive(contact) for contact in few]):
        for contact, mine, other in zip(made, ours, theirs, strict=False):
            if mine != other:
                msg = f"no comparison: the answers differ\n  {contact}\n  ours   {mine}\n  theirs {other}"
                raise SystemExit(msg)
    verdicts: dict[str, int] = {}
    for answer in ours:
        verdicts[answer.verdict] = verdicts.get(answer.verdict, 0) + 1
    return verdicts


def _rate(count: int, work: Callable[[], object]) -> dict[str, float]:
    began = time.process_time()
    work()
    return {"per_cpu_s": count / (time.process_time() - began)}
