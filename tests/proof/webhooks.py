"""
Hostile webhooks for every installed provider: what is raised, how long the worst takes, how much memory it needs.

The seeds are what the vendors' emulators post. Most inputs reach `parse` as if the vendor had signed them: it may send
anything. Run as a program: ``webhooks.py SEED COUNT`` gives each provider so many inputs and prints what came of it.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import anyio
from attrs import evolve

from cobranza_sdk import (
    Address,
    Event,
    MessageTemplate,
    Money,
    OutboundMessage,
    VerifiedEnvelope,
    WebhookRejectedError,
    WebhookRequest,
)
from cobranza_sdk.loading import FixedClock, load_plugins
from cobranza_sdk.testing import make_provider
from cobranza_sdk.testing._providers import EPOCH
from cobranza_sdk.testing._wire import Hooks

_ADDRESSES = {"e164": "+51900000001", "email": "d1@example.com"}
_SCALARS: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**30, 1e308, float("nan"), "", " ", "0", "1760000000", "9" * 400, "\0", "\ud800"),
    *("BAJA", "x" * 20_000, [], {}, [[]], {"": {}}, "2026-13-40T99:99:99Z", "+51900000001", "\u202e", "=?utf-8?q?x?="),
)
_SIGNS = b'{}[]",:0123456789eE+-.%&=\\ \t\r\n\0\xff\xc3truefalsnu'
_SLOWEST_S, _MIB, _DEEPEST = 1.0, 256, 200


class Chance:
    """
    Makes inputs: what emulators posted, changed as bytes, as JSON or as a form.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.choice = self._random.choice

    def body(self, seeds: list[bytes]) -> bytes:
        """
        One of *seeds* after some changes.
        """
        told = self.choice(seeds)
        for _ in range(self._random.randrange(1, 4)):
            told = self.choice((self._as_bytes, self._as_json, self._as_json, self._as_form))(told, seeds)
        return told

    def _as_bytes(self, told: bytes, seeds: list[bytes]) -> bytes:
        at = self._random.randrange(len(told) + 1)
        match self._random.randrange(5):
            case 0:
                return told[:at]
            case 1:
                return told[:at] + bytes([self.choice(_SIGNS)]) * self.choice((1, 3, 5000)) + told[at:]
            case 2:
                return told[:at] + told[at + self._random.randrange(9) :]
            case 3:
                return told[:at] + self.choice(seeds)
        return told[:at] + self._random.randbytes(4) + told[at:]

    def _as_json(self, told: bytes, _seeds: list[bytes]) -> bytes:
        try:
            tree = json.loads(told)
        except (ValueError, RecursionError):
            return told
        places = list(_places(tree))
        if not places:
            return json.dumps(self.choice(_SCALARS)).encode("utf-8", "surrogatepass")
        holder, key = self.choice(places)
        match self._random.randrange(6):
            case 0:
                del holder[key]
            case 1:
                holder[key] = [holder[key]] * self.choice((1, 2, 300))
            case 2:
                for _ in range(self.choice((3, _DEEPEST))):
                    holder[key] = {"x": holder[key]}
            case 3:
                other, name = self.choice(places)
                holder[key] = json.loads(json.dumps(other[name])) if name in other or isinstance(other, list) else None
            case _:
                holder[key] = self.choice(_SCALARS)
        try:
            return json.dumps(tree).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            return told

    def _as_form(self, told: bytes, _seeds: list[bytes]) -> bytes:
        pairs = parse_qsl(told.decode("utf-8", "replace"), keep_blank_values=True)
        if not pairs:
            return told
        at = self._random.randrange(len(pairs))
        name, value = pairs[at]
        match self._random.randrange(4):
            case 0:
                del pairs[at]
            case 1:
                pairs.append((name, str(self.choice(_SCALARS))))
            case 2:
                pairs[at] = (name, str(self.choice(_SCALARS)))
            case 3:
                pairs[at] = (str(self.choice(_SCALARS)), value)
        return urlencode(pairs, errors="replace").encode()


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """
    Where something stands in a JSON tree: its holder and its key.
    """
    waiting = [tree]
    while waiting:
        holder = waiting.pop()
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ():
            yield holder, key
            waiting.append(holder[key])


def seeds_of(sandbox_class: Any, provider_class: Any) -> tuple[Any, list[WebhookRequest]]:
    """
    A provider, and what its emulator posts to it.
    """
    clock = FixedClock(EPOCH)
    with Hooks(clock.now) as hooks, sandbox_class(clock=clock, webhook_url=hooks.url) as sandbox:
        provider = make_provider(provider_class, sandbox.settings, clock=clock, webhook_url=hooks.url)
        if hasattr(provider, "create_link"):
            anyio.run(_pay, provider, sandbox)
        else:
            anyio.run(_converse, provider, sandbox, clock)
        return provider, hooks.take()


async def _converse(provider: Any, sandbox: Any, clock: FixedClock) -> None:
    can = provider.capabilities
    scheme = can.schemes[0]
    for number in range(4):
        message = OutboundMessage(
            attempt_id=f"a{number}",
            channel=can.channel,
            to=Address(scheme, _ADDRESSES[scheme]),
            subject="Aviso" if can.subject else None,
            text="Hola",
            template=MessageTemplate(name="aviso", language="es") if can.templates and can.session_window else None,
        )
        accepted = await provider.send(message)
        act = (sandbox.deliver, sandbox.read, sandbox.fail, lambda key: sandbox.reply(key, "BAJA"))[number]
        await anyio.to_thread.run_sync(act, accepted.provider_message_id)
        clock.advance(timedelta(seconds=1))


async def _pay(provider: Any, sandbox: Any) -> None:
    link = await provider.create_link(
        amount=Money.of("10.00", "PEN"), reference="r1", description="x", idempotency_key="k1"
    )
    await anyio.to_thread.run_sync(sandbox.announce, sandbox.pay(link.id))


def attack(provider: Any, posted: list[WebhookRequest], chance: Chance, count: int) -> dict[str, Any]:
    """
    Give a provider *count* webhooks: one in ten as it is posted, the others as if they were signed.
    """
    envelopes = [provider.verify(request) for request in posted]
    signed = [envelope.signed for envelope in envelopes]
    strangers: Counter[str] = Counter()
    reached = slowest = 0
    for number in range(count):
        request, body = chance.choice(posted), chance.body(signed)
        began = time.process_time()
        try:
            if number % 10:
                envelope = request.verified(account=provider.account, scheme="proof", signed=body)
            else:
                envelope = provider.verify(evolve(request, body=body))
            assert isinstance(envelope, VerifiedEnvelope)
            events = provider.parse(envelope)
            reached += 1
            if not all(isinstance(event, Event) for event in events):
                strangers["no events"] += 1
        except WebhookRejectedError:
            pass
        except Exception as error:  # noqa: BLE001  # they are what is looked for
            strangers[type(error).__name__] += 1
        slowest = max(slowest, time.process_time() - began)
    return {"inputs": count, "strangers": dict(strangers), "slowest_s": round(slowest, 3), "parsed": reached}


def main() -> None:
    """
    Attack every provider that has an emulator which posts webhooks.
    """
    seed, count = map(int, sys.argv[1:])
    plugins = load_plugins()
    chance, found = Chance(seed), {}
    for (family, name), provided in sorted(plugins.provided.items()):
        sandbox: Any = plugins.provided.get(("sandbox", name))
        if family not in ("channel", "payment") or sandbox is None:
            continue
        provider, posted = seeds_of(sandbox.item, provided.item)
        if posted:
            found[name] = attack(provider, posted, chance, count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 << 20 if sys.platform == "darwin" else 1 << 10)
    fits = all(not one["strangers"] and one["slowest_s"] <= _SLOWEST_S and one["parsed"] for one in found.values())
    print(json.dumps({"ok": bool(found) and fits and peak <= _MIB, "peak_mib": peak, "parsers": found}))


if __name__ == "__main__":
    main()
