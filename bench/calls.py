"""
The guard around a call, and each plugin's rate of sending beside its bare client, over emulators in other processes.

Run as a program it is one side of a comparison, in a fresh process: ``calls.py SIDE ARGUMENTS``.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import httpx
from dispatch import emulator
from measure import Case, child, interleave, peak_mib, table

from cobranza_sdk import (
    Accepted,
    Address,
    Channel,
    ChannelCapabilities,
    MessageTemplate,
    Money,
    OutboundMessage,
    PaymentProvider,
)
from cobranza_sdk.engine import AccountGuard
from cobranza_sdk.loading import (
    Configured,
    Interlock,
    Provided,
    SystemClock,
    http_client,
    load_plugins,
)
from cobranza_sdk.loading._settings import ProviderSettings
from cobranza_sdk.testing import make_provider

_IN_FLIGHT = 8
_TEXT = "Tienda Andina: la factura F001-204 por S/ 250.50 venció el 4 de agosto. Pague en https://pagos.example.com/x"
_TEMPLATE = MessageTemplate(name="recordatorio", language="es_PE", parameters=("F001-204", "S/ 250.50"))
_RATE = 1e9  # a limit that is asked each time and never reached
#: Provider, and the channel whose message it carries; None for one that makes payment links.
_PROVIDERS: dict[str, tuple[str, str] | None] = {
    "twilio_sms": ("sms", "e164"),
    "whatsapp_cloud": ("whatsapp", "e164"),
    "smtp_email": ("email", "email"),
    "mercado_pago": None,
}


# -- the guard alone -------------------------------------------------------------------------------------------------


class _Nothing(Channel):
    """
    Answers at once.
    """

    name = "nothing"
    config: ClassVar[type] = dict
    capabilities = ChannelCapabilities(channel="sms", family="message", schemes=["e164"], messages_per_second=_RATE)

    async def send(self, message: OutboundMessage) -> Accepted:
        return Accepted(provider_message_id=message.attempt_id)


def _account(name: str, family: str, provider: Any) -> Configured:
    return Configured(
        name=name,
        settings=ProviderSettings(provider=name, calls_per_second=_RATE),
        provider=provider,
        provided=Provided(family=family, name=name, plugin=name, distribution=name, item=type(provider)),
    )


def _guard(name: str, family: str, provider: Any) -> AccountGuard:
    import structlog

    logger = structlog.wrap_logger(
        logging.getLogger("cobranza"),
        processors=[structlog.stdlib.filter_by_level, structlog.processors.KeyValueRenderer()],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return AccountGuard(_account(name, family, provider), clock=SystemClock(), logger=logger, deadline_s=30.0)


def _message(number: int, channel: str = "sms", scheme: str = "e164") -> OutboundMessage:
    to = f"+51900{number % 1_000_000:06d}" if scheme == "e164" else f"d{number}@example.com"
    return OutboundMessage(
        attempt_id=f"a{number:08d}",
        channel=channel,
        to=Address(scheme, to),
        locale="es-PE",
        subject="Su factura F001-204" if channel == "email" else None,
        text=_TEXT,
        template=_TEMPLATE if channel == "whatsapp" else None,
        correlation=f"o{number:08d}",
    )


def side_guard(count: str, how: str) -> dict[str, float]:
    """
    Call a channel that does nothing: bare, guarded, with lines shown, with spans recorded.
    """
    channel = _Nothing(None, None)  # type: ignore[arg-type]  # it uses neither
    guard = _guard("nothing", "channel", channel)
    if how == "lines":
        logger = logging.getLogger("cobranza")
        nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # open until the process ends
        logger.addHandler(logging.StreamHandler(nowhere))
        logger.setLevel(logging.INFO)
        logger.propagate = False
    if how == "spans":
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider

        trace.set_tracer_provider(TracerProvider())
    messages = [_message(number) for number in range(int(count))]

    async def bare() -> None:
        for message in messages:
            await channel.send(message)

    async def guarded() -> None:
        for message in messages:
            guard.admit(message.to.value)
            await guard.send(channel, message)

    work = bare if how == "bare" else guarded
    asyncio.run(work())  # what is loaded with the first call is not a cost of each
    began = time.process_time()
    asyncio.run(work())
    spent = time.process_time() - began
    return {"us": spent * 1e6 / len(messages)}


def measure_guard(count: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """
    The section on the guard.
    """
    names = {
        "the call alone": "bare",
        "guarded": "guarded",
        "guarded, lines shown": "lines",
        "guarded, spans recorded": "spans",
    }
    cases: dict[str, Case] = {
        words: partial(child, "calls.py", "guard", str(count), how) for words, how in names.items()
    }
    return {"rows": table(interleave(cases, rounds, say), "us", {}), "calls": count}


# -- each plugin beside its bare client ------------------------------------------------------------------------------


def _provider(name: str, settings: Mapping[str, Any], http: httpx.AsyncClient) -> Any:
    family = "payment" if _PROVIDERS[name] is None else "channel"
    kind = load_plugins(allow=[name]).provided[family, name].item
    return make_provider(kind, settings, http=http)


async def _call(provider: Any, name: str, number: int) -> None:
    """
    One call of the plugin itself.
    """
    told = _PROVIDERS[name]
    if told is not None:
        await provider.send(_message(number, *told))
        return
    await provider.create_link(
        amount=Money.of("250.50", "PEN"),
        reference=f"o{number:08d}",
        description="Tienda Andina",
        idempotency_key=f"o{number:08d}:25050",
    )


async def _all(count: int, one: Callable[[int], Awaitable[object]]) -> None:
    left = iter(range(count))

    async def work() -> None:
        for number in left:
            await one(number)

    await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))


def _timed(count: int, work: Callable[[], Awaitable[None]]) -> dict[str, float]:
    async def twice() -> tuple[float, float]:
        await work()  # connections, imports
        began, cpu = time.perf_counter(), time.process_time()
        await work()
        return time.perf_counter() - began, time.process_time() - cpu

    wall, spent = asyncio.run(twice())
    return {"per_s": count / wall, "cpu_ms_each": spent * 1000 / count, "peak_mib": peak_mib()}


def side_plugin(name: str, settings: str, count: str, guarded: str) -> dict[str, float]:
    """
    Send by the plugin, alone or guarded.
    """
    http = http_client(Interlock(live=False))
    provider = _provider(name, json.loads(settings), http)
    guard = _guard(name, "payment" if isinstance(provider, PaymentProvider) else "channel", provider)

    async def one(number: int) -> None:
        if guarded != "guarded":
            await _call(provider, name, number)
            return
        guard.admit(str(number))
        told = _PROVIDERS[name]
        if told is not None:
            answer = await guard.send(provider, _message(number, *told))
            if not isinstance(answer, Accepted):
                msg = f"{name} was refused: {answer}"
                raise SystemExit(msg)

    return _timed(int(count), lambda: _all(int(count), one))


def side_record(name: str, settings: str, count: str, file: str) -> dict[str, float]:
    """
    Send by the plugin and keep the requests, for the bare client to make the same.
    """
    kept: list[dict[str, Any]] = []

    async def keep(request: httpx.Request) -> None:
        headers = {key: value for key, value in request.headers.items() if key not in ("host", "content-length")}
        body = base64.b64encode(await request.aread()).decode()
        kept.append({"method": request.method, "url": str(request.url), "headers": headers, "body": body})

    client = httpx.AsyncClient(trust_env=False, event_hooks={"request": [keep]})
    provider = _provider(name, json.loads(settings), client)
    asyncio.run(_all(int(count), partial(_call, provider, name)))
    Path(file).write_text(json.dumps(kept), "utf-8")
    return {"requests": float(len(kept))}


def side_bare(file: str) -> dict[str, float]:
    """
    Make the same requests with httpx alone.
    """
    requests = [{**item, "body": base64.b64decode(item["body"])} for item in json.loads(Path(file).read_text("utf-8"))]

    async def work(client: httpx.AsyncClient) -> None:
        async def one(number: int) -> None:
            item = requests[number]
            answer = await client.request(item["method"], item["url"], headers=item["headers"], content=item["body"])
            answer.raise_for_status()
            answer.json()

        await _all(len(requests), one)

    client = httpx.AsyncClient(trust_env=False)
    return _timed(len(requests), lambda: work(client))


def side_mail(settings: str, count: str) -> dict[str, float]:
    """
    Send a mail of the same words with aiosmtplib alone, over eight connections.
    """
    import aiosmtplib

    account = json.loads(settings)
    free: asyncio.Queue[aiosmtplib.SMTP] = asyncio.Queue()

    async def one(number: int) -> None:
        if free.empty() and number < _IN_FLIGHT:
            client = aiosmtplib.SMTP(hostname=account["host"], port=account["port"], start_tls=False)
            await client.connect()
            await client.login(account["username"], account["password"])
        else:
            client = await free.get()
        mail = EmailMessage()
        mail["From"], mail["To"] = account["from_address"], f"d{number}@example.com"
        mail["Subject"] = "Su factura F001-204"
        mail.set_content(_TEXT)
        await client.send_message(mail)
        free.put_nowait(client)

    return _timed(int(count), lambda: _all(int(count), one))


def measure_sending(count: int, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """
    The section on each plugin's rate: a bare client, the plugin, the plugin behind the guard.
    """
    rows: list[dict[str, Any]] = []
    for name, carries in _PROVIDERS.items():
        with tempfile.TemporaryDirectory() as folder, emulator(name) as told:
            settings = json.dumps(_plain(told))
            plugin = partial(child, "calls.py", "plugin", name, settings, str(count))
            bare = f"{name}: bare client"
            cases: dict[str, Case] = {bare: partial(child, "calls.py", "mail", settings, str(count))}
            if name != "smtp_email":
                file = str(Path(folder) / "requests.json")
                child("calls.py", "record", name, settings, str(count), file)
                cases[bare] = partial(child, "calls.py", "bare", file)
            cases[f"{name}: plugin"] = partial(plugin, "alone")
            if carries is not None:
                cases[f"{name}: plugin, guarded"] = partial(plugin, "guarded")
            say(f" {name}")
            rows += table(interleave(cases, rounds, say), "per_s", {"bare client": bare}, ("cpu_ms_each",))
    return {"rows": rows, "messages": count, "in_flight": _IN_FLIGHT}


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """
    One secret where an emulator tells a list.
    """
    return {key: value[0] if isinstance(value, list) else value for key, value in settings.items()}


_SIDES: dict[str, Callable[..., dict[str, float]]] = {
    "guard": side_guard,
    "plugin": side_plugin,
    "record": side_record,
    "bare": side_bare,
    "mail": side_mail,
}


def main(arguments: Sequence[str]) -> None:
    """
    Be one side.
    """
    side, *rest = arguments
    print(json.dumps(_SIDES[side](*rest)))


if __name__ == "__main__":
    main(sys.argv[1:])
