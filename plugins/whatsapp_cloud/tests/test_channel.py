"""
What is sent and how answers are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from importlib.metadata import entry_points
from typing import Any

import httpx
import pytest
import respx

from cobranza_sdk import (
    Action,
    Address,
    Attachment,
    ConfigurationError,
    LiveInterlockError,
    MessageTemplate,
    OutboundMessage,
    ProviderError,
    UnsupportedCapabilityError,
    WebhookRequest,
)
from cobranza_sdk.testing import make_provider
from cobranza_whatsapp_cloud import _channel
from cobranza_whatsapp_cloud._channel import WhatsAppCloud

pytestmark = pytest.mark.anyio
Outbound = Callable[..., OutboundMessage]


PDF = Attachment(filename="f.pdf", content_type="application/pdf", content=b"x")


def body_of(route: respx.Route) -> dict[str, Any]:
    return json.loads(route.calls.last.request.content)  # type: ignore[no-any-return]  # JSON


def axes(error: ProviderError) -> tuple[str, str, str]:
    return (error.category.value, error.disposition.value, error.transmitted.value)


async def test_a_template_is_sent_as_the_vendor_wants_it(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound
) -> None:
    """Every key of this body decides whether a debtor gets the right words."""
    accepted = await channel.send(outbound())

    assert body_of(calls) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+51987654321",
        "biz_opaque_callback_data": "01k1attempt",
        "type": "template",
        "template": {
            "name": "recordatorio_factura",
            "language": {"code": "es_PE"},
            "components": [
                {
                    "type": "body",
                    "parameters": [
                        {"type": "text", "text": "José"},
                        {"type": "text", "text": "F-1"},
                        {"type": "text", "text": "S/ 120.00"},
                    ],
                },
                {
                    "type": "button",
                    "sub_type": "url",
                    "index": "0",
                    "parameters": [{"type": "text", "text": "f1-9f2c"}],
                },
            ],
        },
    }
    request = calls.calls.last.request
    assert request.headers["authorization"] == "Bearer token-canary"
    assert request.headers["content-type"] == "application/json"
    assert (accepted.provider_message_id, accepted.status) == ("wamid.HBgMTE=", "accepted")


async def test_a_template_without_variables_has_no_components(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound
) -> None:
    """The vendor counts parameters, also those of an empty component (132000)."""
    await channel.send(outbound(template=MessageTemplate(name="aviso", language="pt_BR")))

    assert body_of(calls)["template"] == {"name": "aviso", "language": {"code": "pt_BR"}}


async def test_free_text_is_sent_as_text(channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound) -> None:
    """Inside the window an answer needs no template; a preview would fetch the payment link."""
    await channel.send(outbound(template=None, text="Gracias, señora."))

    assert body_of(calls)["type"] == "text"
    assert body_of(calls)["text"] == {"body": "Gracias, señora.", "preview_url": False}
    assert "template" not in body_of(calls)


async def test_a_business_scoped_id_is_no_phone(channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound) -> None:
    """The vendor would read it as a number in `to`."""
    await channel.send(outbound(to=Address("bsuid", "PE.13491208655302741918")))

    assert body_of(calls)["recipient"] == "PE.13491208655302741918"
    assert "to" not in body_of(calls)


@pytest.mark.parametrize("value", ["", " ", "a\nb", "a\rb", "a\tb", "a    b", "x" * 32_769])
@pytest.mark.parametrize("place", ["parameters", "buttons"])
async def test_a_barred_parameter_is_refused_before_the_call(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound, value: str, place: str
) -> None:
    """The vendor refuses it after a call that counts, and with several codes."""
    given: dict[str, Any] = {"parameters": ("ok", value)} if place == "parameters" else {"buttons": {0: value}}

    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound(template=MessageTemplate(name="aviso", language="es", **given)))

    assert axes(caught.value) == ("template", "fix_first", "no")
    assert not calls.called


async def test_a_button_before_the_first_is_refused(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound
) -> None:
    """Positions count from 0; the vendor's answer to another one is no help."""
    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound(template=MessageTemplate(name="aviso", language="es", buttons={-1: "x"})))

    assert axes(caught.value) == ("template", "fix_first", "no")
    assert not calls.called


async def test_three_spaces_and_accents_pass(channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound) -> None:
    """A check that is too strict would silence debtors with ordinary names."""
    await channel.send(outbound(template=MessageTemplate(name="aviso", language="es", parameters=("Ñandú   Peña",))))

    assert calls.called


async def test_a_late_message_is_not_sent(channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound) -> None:
    """The end of the legal window does not belong to it."""
    now = channel.services.clock.now()

    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound(not_after=now))
    assert not calls.called
    await channel.send(outbound(not_after=now + timedelta(seconds=1)))

    assert axes(caught.value) == ("validation", "never", "no")
    assert calls.call_count == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"to": Address("email", "ana@example.com")},
        {"html": "<p>x</p>"},
        {"actions": (Action(id="pay", title="Pagar"),)},
        {"attachments": (PDF, PDF)},
        {"attachments": (PDF,), "template": MessageTemplate(name="t", language="es", header="x")},
        {"template": None, "text": "x" * 4097},
        {"template": None, "text": "x" * 1025, "attachments": (PDF,)},
        {"template": None, "text": "x" * 1025, "actions": (Action(id="pay", title="Pagar"),)},
        {"template": None, "actions": (Action(id="a", title="A"), Action(id="b", title="B", url="https://a.example/"))},
        {"template": None, "actions": tuple(Action(id=f"{n}", title=f"{n}") for n in range(11))},
        {"template": None, "attachments": (PDF,), "actions": tuple(Action(id=f"{n}", title="x") for n in range(4))},
    ],
)
async def test_what_it_cannot_carry_is_refused(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound, changes: dict[str, Any]
) -> None:
    """A part that silently vanishes is a promise broken to the debtor."""
    with pytest.raises(UnsupportedCapabilityError):
        await channel.send(outbound(**changes))

    assert not calls.called


@pytest.mark.parametrize("text", ["  ", "half \ud83d"])
async def test_text_that_is_no_text_is_refused(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound, text: str
) -> None:
    """Nothing was sent, and that is known for certain."""
    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound(template=None, text=text))

    assert axes(caught.value) == ("validation", "fix_first", "no")
    assert not calls.called


def _no_secret() -> str:
    name = "WHATSAPP_ACCESS_TOKEN"
    raise KeyError(name)


@pytest.mark.parametrize("token", ["", "tökén-canary", "canary\n", _no_secret])
async def test_an_unusable_token_is_a_matter_of_configuration(
    settings: dict[str, Any], outbound: Outbound, vendor: respx.MockRouter, token: Any
) -> None:
    """HTTP libraries quote a header they cannot send; it never gets that far."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(vendor.async_handler))
    channel = make_provider(WhatsAppCloud, settings | {"access_token": token}, http=http)

    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound())

    assert axes(caught.value) == ("config", "fix_first", "no")
    assert not vendor.calls


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"{}",
        b'{"messages":{}}',
        b'{"messages":[]}',
        b'{"messages":[1]}',
        b'{"messages":[{}]}',
        b'{"messages":[{"id":""}]}',
        b'{"messages":[{"id":" "}]}',
        b'{"messages":[{"id":7}]}',
        b'{"messages":[{"id":"a\\nb"}]}',
        b"[" * 100_000,
        b"\xff\xfe\xfd",
    ],
)
async def test_an_answer_that_cannot_be_read_is_doubt(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound, answer: bytes
) -> None:
    """Success without an id may be a message that is out and can never be matched."""
    calls.respond(200, content=answer)

    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound())

    assert axes(caught.value) == ("protocol", "never", "maybe")
    assert calls.call_count == 1


async def test_a_message_held_for_quality_is_accepted(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound
) -> None:
    """The vendor may still send it: a second one would be a duplicate."""
    calls.respond(json={"messages": [{"id": "wamid.A", "message_status": "held_for_quality_assessment"}]})

    accepted = await channel.send(outbound())

    assert accepted.status == "held_for_quality_assessment"


async def test_a_paused_template_is_not_sent(channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound) -> None:
    """It comes with an id and HTTP 200, and nobody will ever get it."""
    calls.respond(json={"messages": [{"id": "wamid.A", "message_status": "paused"}]})

    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound())

    assert axes(caught.value) == ("template", "fix_first", "no")


@pytest.mark.parametrize("status", [None, 3, "two words"])
async def test_a_strange_status_does_not_lose_the_id(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound, status: Any
) -> None:
    """The id is worth more than the word beside it."""
    calls.respond(json={"messages": [{"id": "wamid.A", "message_status": status}]})

    accepted = await channel.send(outbound())

    assert (accepted.provider_message_id, accepted.status) == ("wamid.A", None)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (httpx.ConnectError, ("network", "retry", "no")),
        (httpx.ConnectTimeout, ("network", "retry", "no")),
        (httpx.PoolTimeout, ("network", "retry", "no")),
        (httpx.ReadTimeout, ("network", "never", "maybe")),
        (httpx.WriteTimeout, ("network", "never", "maybe")),
        (httpx.ReadError, ("network", "never", "maybe")),
        (httpx.WriteError, ("network", "never", "maybe")),
        (httpx.RemoteProtocolError, ("network", "never", "maybe")),
        (httpx.DecodingError, ("network", "never", "maybe")),
    ],
)
async def test_a_failed_exchange_says_whether_the_message_may_be_out(
    channel: WhatsAppCloud,
    calls: respx.Route,
    outbound: Outbound,
    failure: type[httpx.RequestError],
    expected: tuple[str, str, str],
) -> None:
    """Only a connection that was never made may be tried again."""
    calls.mock(side_effect=failure("boom"))

    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound())

    assert axes(caught.value) == expected
    assert calls.call_count == 1


async def test_the_interlock_passes_through(settings: dict[str, Any], outbound: Outbound) -> None:
    """Whoever forgot `live = true` is told so, and not that the vendor is down."""
    channel = make_provider(WhatsAppCloud, settings)

    with pytest.raises(LiveInterlockError):
        await channel.send(outbound())
    with pytest.raises(LiveInterlockError):
        await channel.check()


async def test_check_asks_for_the_number_and_its_templates(channel: WhatsAppCloud, vendor: respx.MockRouter) -> None:
    """Credentials are tried without side effects, on the number that will send; a paused template is seen in time."""
    route = vendor.get(
        "https://graph.example.com/v25.0/106540352242922", params={"fields": "verified_name,quality_rating"}
    ).respond(json={"verified_name": "Comercial Ejemplo", "quality_rating": "YELLOW"})
    rows = [{"name": f"t{n}", "language": "es", "status": status} for n, status in enumerate(("APPROVED", "PAUSED"))]
    vendor.get("https://graph.example.com/v25.0/102290129340398/message_templates").respond(json={"data": rows})

    health = await channel.check()

    assert route.called
    assert health.ok
    assert health.detail == "number 106540352242922, quality yellow, templates: 1 approved, 1 paused"


async def test_a_token_that_may_not_read_templates_may_still_send(
    channel: WhatsAppCloud, vendor: respx.MockRouter
) -> None:
    """The right to manage is another one than the right to send."""
    vendor.get("https://graph.example.com/v25.0/106540352242922").respond(json={"quality_rating": "GREEN"})
    vendor.get("https://graph.example.com/v25.0/102290129340398/message_templates").respond(
        403, json={"error": {"code": 200, "message": "canary"}}
    )

    health = await channel.check()

    assert health.ok
    assert health.detail == "number 106540352242922, quality green, templates: unread (auth)"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(401, json={"error": {"code": 190, "message": "token-canary is expired"}}),
        httpx.Response(200, json={"error": {"code": 190}}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(503),
    ],
)
async def test_check_tells_what_is_wrong(
    channel: WhatsAppCloud, vendor: respx.MockRouter, answer: httpx.Response
) -> None:
    """An operator reads it; the vendor's words, which may quote anything, stay out."""
    vendor.get(path="/v25.0/106540352242922").mock(return_value=answer)

    health = await channel.check()

    assert not health.ok
    assert health.detail
    assert "canary" not in health.detail


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("phone_number_id", "+51 987 654 321"),
        ("phone_number_id", "../1"),
        ("waba_id", ""),
        ("api_version", "25"),
        ("base_url", "graph.example.com"),
        ("base_url", "https://user:canary@graph.example.com"),
        ("base_url", "https://graph.example.com?x=1"),
        ("base_url", "ftp://graph.example.com"),
        ("app_secret", []),
    ],
)
def test_an_impossible_setting_is_refused_by_name(settings: dict[str, Any], key: str, value: Any) -> None:
    """A wrong setting is found at start, and its value is not printed."""
    with pytest.raises(ConfigurationError) as caught:
        make_provider(WhatsAppCloud, settings | {key: value})

    assert key in str(caught.value)
    assert "canary" not in str(caught.value)


def test_the_entry_point_leads_to_the_classes() -> None:
    """Installing the distribution is all that an operator does."""
    (entry_point,) = entry_points(group="cobranza_sdk", name="whatsapp_cloud")

    plugin = entry_point.load()

    assert list(plugin.cobranza_channels()) == [WhatsAppCloud]
    assert [sandbox.name for sandbox in plugin.cobranza_sandboxes()] == ["whatsapp_cloud"]


def test_settings_decide_account_and_host(channel: WhatsAppCloud) -> None:
    """The core maps events by the account and the interlock asks for the hosts."""
    assert channel.account == "106540352242922"
    assert list(channel.hosts) == ["graph.example.com"]


def test_defaults_are_the_vendors(settings: dict[str, Any]) -> None:
    """Who gives no address reaches the vendor, by a pinned version."""
    del settings["base_url"]

    channel = make_provider(WhatsAppCloud, settings)

    assert channel.settings.number_url == "https://graph.facebook.com/v25.0/106540352242922"


def test_capabilities_are_what_the_platform_allows() -> None:
    """The core refuses by these before any call."""
    can = WhatsAppCloud.capabilities

    assert (can.channel, can.family, can.schemes) == ("whatsapp", "message", ("e164", "bsuid"))
    assert (can.free_text, can.templates, can.inbound, can.correlation, can.lookup) == (True, True, True, True, False)
    assert (can.attachments, can.attachment_bytes, can.attachment_links, can.actions) == (True, 100_000_000, True, True)
    assert can.template_parts == {"header", "named", "replies", "codes"}
    assert can.session_window == timedelta(hours=24)
    assert can.receipts == {"sent", "delivered", "read", "failed"}
    assert (can.text_length, can.idempotency_window) == (4096, None)


class Recorder:
    """
    A logger that keeps what it is told.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append(repr((event, fields)))

    debug = info = error = warning


async def test_no_secret_and_no_person_is_printed(
    channel: WhatsAppCloud,
    calls: respx.Route,
    outbound: Outbound,
    signed: Callable[..., WebhookRequest],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Logs and error texts travel further than anybody thinks."""
    caplog.set_level("DEBUG", logger="cobranza_whatsapp_cloud")
    recorder = Recorder()
    object.__setattr__(channel.services, "logger", recorder)
    words = "to +51987654321 José token-canary app_secret_test verify-canary"
    error = {"code": 131026, "message": words, "error_data": {"details": words}, "fbtrace_id": "AbC_1"}
    calls.respond(400, json={"error": error})
    message = outbound()

    with pytest.raises(ProviderError) as caught:
        await channel.send(message)
    calls.respond(400, json={"error": error | {"fbtrace_id": words}})
    with pytest.raises(ProviderError):
        await channel.send(message)

    assert words in (caught.value.vendor_message or "")
    assert len(recorder.lines) == 2
    assert "AbC_1" in recorder.lines[0]
    request = signed({"object": "x", "entry": []})
    printed = " ".join(
        [
            *recorder.lines,
            caplog.text,
            str(caught.value),
            repr(caught.value),
            repr(channel.settings),
            str(channel.settings),
            repr(message),
            repr(channel.verify(request)),
            repr(vars(_channel.WhatsAppCloud)),
        ]
    )
    for canary in ("987654321", "José", "canary", "app_secret_test"):
        assert canary not in printed
