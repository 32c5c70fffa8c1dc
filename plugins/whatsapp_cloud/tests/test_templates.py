"""
Templates with all their parts, as the emulator takes them, and files for their headers.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx
from attrs import evolve

from cobranza_sdk import Attachment, MessageTemplate, OutboundMessage, ProviderError
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_whatsapp_cloud import _media
from cobranza_whatsapp_cloud._channel import WhatsAppCloud
from cobranza_whatsapp_cloud._sandbox import WhatsAppSandbox
from cobranza_whatsapp_cloud._sandbox_requests import SandboxTemplate

pytestmark = pytest.mark.anyio
Outbound = Callable[..., OutboundMessage]

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
CONTENT = b"%PDF-1.7\r\n--\r\n\r\n" + bytes(range(256))
PDF = Attachment(filename="Factura F-1.pdf", content_type="application/pdf", content=CONTENT)
PHOTO = Attachment(filename="foto.jpg", content_type="image/jpeg", content=b"\xff\xd8\xff")
ELSEWHERE = evolve(PDF, content=b"", url="https://files.example.com/f-1.pdf")

KNOWN = (
    SandboxTemplate(name="positional", language="es_PE", parameters=2),
    SandboxTemplate(name="named", language="es_PE", named={"cliente", "total"}),
    SandboxTemplate(name="text_header", language="es_PE", header="TEXT"),
    SandboxTemplate(name="pdf_header", language="es_PE", header="DOCUMENT", parameters=1),
    SandboxTemplate(name="image_header", language="es_PE", header="IMAGE"),
    SandboxTemplate(name="buttons", language="es_PE", buttons=("URL", "QUICK_REPLY", "PHONE_NUMBER", "COPY_CODE")),
    SandboxTemplate(name="paused", language="es_PE", status="PAUSED"),
    SandboxTemplate(name="disabled", language="es_PE", status="DISABLED"),
    SandboxTemplate(name="pending", language="es_PE", status="PENDING"),
)


@pytest.fixture
def clock() -> FixedClock:
    """The time of the emulator."""
    return FixedClock(NOW)


@pytest.fixture
def sandbox(clock: FixedClock) -> Iterator[WhatsAppSandbox]:
    """An emulator that knows the shape of its templates."""
    with WhatsAppSandbox(clock=clock, templates=KNOWN) as sandbox:
        yield sandbox


@pytest.fixture
async def real(sandbox: WhatsAppSandbox, clock: FixedClock) -> AsyncIterator[WhatsAppCloud]:
    """The channel, speaking to the emulator."""
    async with httpx.AsyncClient(trust_env=False) as http:
        yield make_provider(WhatsAppCloud, sandbox.settings, clock=clock, http=http)


def named(name: str, **parts: Any) -> MessageTemplate:
    return MessageTemplate(name=name, language="es_PE", **parts)


@pytest.mark.parametrize(
    ("template", "components"),
    [
        (
            named("positional", parameters=("José", "F-1")),
            [{"type": "body", "parameters": [{"type": "text", "text": "José"}, {"type": "text", "text": "F-1"}]}],
        ),
        (
            named("named", named={"cliente": "José", "total": "S/ 12.50"}),
            [
                {
                    "type": "body",
                    "parameters": [
                        {"type": "text", "parameter_name": "cliente", "text": "José"},
                        {"type": "text", "parameter_name": "total", "text": "S/ 12.50"},
                    ],
                }
            ],
        ),
        (
            named("text_header", header="Factura F-1"),
            [{"type": "header", "parameters": [{"type": "text", "text": "Factura F-1"}]}],
        ),
        (
            named("pdf_header", parameters=("José",), header=ELSEWHERE),
            [
                {
                    "type": "header",
                    "parameters": [
                        {
                            "type": "document",
                            "document": {"link": "https://files.example.com/f-1.pdf", "filename": "Factura F-1.pdf"},
                        }
                    ],
                },
                {"type": "body", "parameters": [{"type": "text", "text": "José"}]},
            ],
        ),
        (
            named("image_header", header=evolve(PHOTO, content=b"", url="https://files.example.com/1.jpg")),
            [
                {
                    "type": "header",
                    "parameters": [{"type": "image", "image": {"link": "https://files.example.com/1.jpg"}}],
                }
            ],
        ),
        (
            named("buttons", buttons={0: "f1-9f2c"}, codes={3: "F1-2026"}, replies={1: "PROMISE:f1"}),
            [
                {
                    "type": "button",
                    "sub_type": "url",
                    "index": "0",
                    "parameters": [{"type": "text", "text": "f1-9f2c"}],
                },
                {
                    "type": "button",
                    "sub_type": "quick_reply",
                    "index": "1",
                    "parameters": [{"type": "payload", "payload": "PROMISE:f1"}],
                },
                {
                    "type": "button",
                    "sub_type": "copy_code",
                    "index": "3",
                    "parameters": [{"type": "coupon_code", "coupon_code": "F1-2026"}],
                },
            ],
        ),
    ],
    ids=lambda value: value.name if isinstance(value, MessageTemplate) else "",
)
async def test_each_part_goes_out_as_the_vendor_wants_it(
    real: WhatsAppCloud,
    sandbox: WhatsAppSandbox,
    outbound: Outbound,
    template: MessageTemplate,
    components: list[dict[str, Any]],
) -> None:
    """A part in the wrong place is refused, or shows one debtor another's words."""
    await real.send(outbound(template=template))

    assert sandbox.requests[0]["template"]["components"] == components
    assert sandbox.received[0].template == template.name


@pytest.mark.parametrize(("name", "file", "kind"), [("pdf_header", PDF, "document"), ("image_header", PHOTO, "image")])
async def test_bytes_are_uploaded_and_shown_by_their_id(
    real: WhatsAppCloud, sandbox: WhatsAppSandbox, outbound: Outbound, name: str, file: Attachment, kind: str
) -> None:
    """An invoice need not stand on the public web, and arrives byte by byte."""
    await real.send(outbound(template=named(name, header=file, parameters=("x",) if kind == "document" else ())))

    ((media_id, held),) = sandbox.media.items()
    shown = sandbox.requests[0]["template"]["components"][0]["parameters"][0]
    assert (held.content, held.content_type) == (file.content, file.content_type)
    assert shown[kind] == {"id": media_id} | ({"filename": file.filename} if kind == "document" else {})


async def test_one_upload_serves_several_messages(
    real: WhatsAppCloud, sandbox: WhatsAppSandbox, outbound: Outbound
) -> None:
    """A circular of a megabyte to a thousand people is uploaded once."""
    media_id = await real.upload(PDF)
    header = evolve(PDF, content=b"", reference=media_id)

    for number in range(3):
        await real.send(
            outbound(attempt_id=f"a{number}", template=named("pdf_header", parameters=("x",), header=header))
        )

    assert list(sandbox.media) == [media_id]
    assert len(sandbox.received) == 3


async def test_the_vendor_forgets_files(
    real: WhatsAppCloud, sandbox: WhatsAppSandbox, clock: FixedClock, outbound: Outbound
) -> None:
    """An id that is kept longer than 30 days fails at the vendor, and so in development."""
    header = evolve(PDF, content=b"", reference=await real.upload(PDF))
    clock.advance(timedelta(days=30))

    with pytest.raises(ProviderError) as caught:
        await real.send(outbound(template=named("pdf_header", parameters=("x",), header=header)))

    assert (caught.value.category, caught.value.vendor_code) == ("validation", "131009")
    assert not sandbox.received


@pytest.mark.parametrize(
    ("template", "code"),
    [
        (named("positional", parameters=("one",)), "132000"),
        (named("positional", named={"a": "b", "c": "d"}), "132012"),
        (named("named", parameters=("a", "b")), "132012"),
        (named("named", named={"cliente": "a", "otro": "b"}), "132012"),
        (named("positional", parameters=("a", "b"), header="x"), "132000"),
        (named("text_header"), "132000"),
        (named("image_header", header=ELSEWHERE), "132012"),
        (named("buttons", buttons={0: "a"}), "131008"),
        (named("buttons", buttons={0: "a", 1: "b"}, codes={3: "c"}), "132012"),
        (named("buttons", buttons={0: "a", 4: "b"}, codes={3: "c"}), "132012"),
        (named("positional", parameters=("a" * 1000, "b" * 25)), "132005"),
        (named("unknown"), "132001"),
        (MessageTemplate(name="positional", language="es_MX", parameters=("a", "b")), "132001"),
        (named("paused"), "132015"),
        (named("disabled"), "132016"),
        (named("pending"), "132001"),
    ],
)
async def test_what_does_not_fit_the_template_gets_the_vendors_code(
    real: WhatsAppCloud, sandbox: WhatsAppSandbox, outbound: Outbound, template: MessageTemplate, code: str
) -> None:
    """A mapping that is wrong is found in development, not by a campaign that nobody receives."""
    with pytest.raises(ProviderError) as caught:
        await real.send(outbound(template=template))

    assert (caught.value.vendor_code, caught.value.disposition, caught.value.transmitted) == (code, "fix_first", "no")
    assert not sandbox.received


@pytest.mark.parametrize(
    ("parts", "category"),
    [
        ({"header": "x" * 61}, "template"),
        ({"header": "a\nb"}, "template"),
        ({"header": " "}, "template"),
        ({"named": {"Cliente": "x"}}, "template"),
        ({"named": {"cliente": "a\tb"}}, "template"),
        ({"replies": {0: "x" * 257}}, "template"),
        ({"replies": {0: ""}}, "template"),
        ({"replies": {-1: "x"}}, "template"),
        ({"codes": {0: "x" * 16}}, "template"),
        ({"codes": {10: "x"}}, "template"),
        ({"buttons": {0: "x" * 2001}}, "template"),
        ({"header": evolve(PDF, content_type="text/plain")}, "template"),
        ({"header": evolve(PDF, content_type="video/mp4")}, "validation"),
        ({"header": evolve(PDF, content=b"")}, "validation"),
        ({"header": evolve(ELSEWHERE, url="ftp://files.example.com/a.pdf")}, "validation"),
        ({"header": evolve(ELSEWHERE, url="http://[bad/a.pdf")}, "validation"),
        ({"header": evolve(PHOTO, content=b"x" * (_media.LIMITS["image"] + 1))}, "validation"),
    ],
)
async def test_what_the_vendor_refuses_is_refused_before_any_call(
    channel: WhatsAppCloud, vendor: respx.MockRouter, outbound: Outbound, parts: dict[str, Any], category: str
) -> None:
    """A call that fails counts against the account's limits, and a file would be uploaded for nothing."""
    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound(template=named("x", **parts)))

    assert (caught.value.category, caught.value.disposition, caught.value.transmitted) == (category, "fix_first", "no")
    assert not vendor.calls


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.ReadTimeout("boom"), ("network", "retry", "no")),
        (httpx.ConnectError("boom"), ("network", "retry", "no")),
        (httpx.Response(503), ("provider_down", "retry", "no")),
        (httpx.Response(200, content=b"<html>"), ("protocol", "fix_first", "no")),
        (httpx.Response(200, json={"id": ""}), ("protocol", "fix_first", "no")),
        (httpx.Response(401, json={"error": {"code": 190}}), ("auth", "fix_first", "no")),
        (httpx.Response(400, json={"error": {"code": 131053}}), ("validation", "fix_first", "no")),
        (httpx.Response(400, json={"error": {"code": 4}}), ("rate_limit", "retry", "no")),
    ],
)
async def test_a_failed_upload_sends_nothing(
    channel: WhatsAppCloud,
    vendor: respx.MockRouter,
    calls: respx.Route,
    outbound: Outbound,
    answer: Any,
    expected: tuple[str, str, str],
) -> None:
    """Whatever became of the file, the debtor was not written to: it may be tried again."""
    vendor.post(path="/v25.0/106540352242922/media").mock(side_effect=[answer])

    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound(template=named("x", header=PDF)))

    error = caught.value
    assert (error.category, error.disposition, error.transmitted) == expected
    assert not calls.called


async def test_a_window_that_closes_during_the_upload_is_closed(
    settings: dict[str, Any], vendor: respx.MockRouter, calls: respx.Route, outbound: Outbound
) -> None:
    """The law asks when the message goes out, not when its file did."""
    clock = FixedClock(NOW)

    def slow(_request: httpx.Request) -> httpx.Response:
        clock.advance(timedelta(seconds=2))
        return httpx.Response(200, json={"id": "1"})

    vendor.post(path="/v25.0/106540352242922/media").mock(side_effect=slow)
    http = httpx.AsyncClient(transport=httpx.MockTransport(vendor.async_handler))
    channel = make_provider(WhatsAppCloud, settings, clock=clock, http=http)

    with pytest.raises(ProviderError) as caught:
        await channel.send(outbound(template=named("x", header=PDF), not_after=NOW + timedelta(seconds=1)))

    assert (caught.value.category, caught.value.disposition, caught.value.transmitted) == ("validation", "never", "no")
    assert not calls.called


async def test_a_file_that_is_not_here_cannot_be_uploaded(channel: WhatsAppCloud, vendor: respx.MockRouter) -> None:
    """The channel fetches nothing from addresses that others write."""
    with pytest.raises(ProviderError):
        await channel.upload(ELSEWHERE)

    assert not vendor.calls


@pytest.mark.parametrize(
    ("component", "code"),
    [
        ({"type": "header", "parameters": []}, 100),
        ({"type": "footer", "parameters": [{"type": "text", "text": "x"}]}, 100),
        ({"type": "header", "parameters": [{"type": "text", "text": "x"}] * 2}, 132000),
        ({"type": "header", "parameters": [{"type": "payload", "payload": "x"}]}, 132012),
        ({"type": "header", "parameters": [{"type": "document", "document": {}}]}, 131009),
        (
            {"type": "header", "parameters": [{"type": "document", "document": {"id": "1", "link": "https://a/"}}]},
            131009,
        ),
        ({"type": "header", "parameters": [{"type": "document", "document": {"id": "1", "caption": "x"}}]}, 131009),
        ({"type": "header", "parameters": [{"type": "image", "image": {"id": "1", "filename": "x"}}]}, 100),
        ({"type": "header", "parameters": [{"type": "image", "image": {"link": "file:///x"}}]}, 131009),
        ({"type": "header", "parameters": [{"type": "image", "image": {"id": "404"}}]}, 131009),
        (
            {
                "type": "body",
                "parameters": [{"type": "text", "parameter_name": "a", "text": "x"}, {"type": "text", "text": "y"}],
            },
            132000,
        ),
        ({"type": "body", "parameters": [{"type": "text", "text": "a\nb"}]}, 132018),
        ({"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "x"}]}, 131009),
        ({"type": "button", "sub_type": "flow", "index": "0", "parameters": [{"type": "text", "text": "x"}]}, 131009),
        (
            {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "payload", "payload": "x"}]},
            132018,
        ),
        (
            {
                "type": "button",
                "sub_type": "copy_code",
                "index": "0",
                "parameters": [{"type": "coupon_code", "coupon_code": "x" * 16}],
            },
            132018,
        ),
    ],
)
async def test_the_emulator_refuses_what_the_vendor_does(
    clock: FixedClock, component: dict[str, Any], code: int
) -> None:
    """An emulator that takes anything proves nothing."""
    template = {"name": "x", "language": {"code": "es"}, "components": [component]}
    document = {"messaging_product": "whatsapp", "to": "+51987654321", "type": "template", "template": template}

    with WhatsAppSandbox(clock=clock) as sandbox:
        async with httpx.AsyncClient(trust_env=False) as http:
            url = f"{sandbox.settings['base_url']}/v25.0/{sandbox.settings['phone_number_id']}/messages"
            headers = {"Authorization": f"Bearer {sandbox.settings['access_token']}"}
            response = await http.post(url, headers=headers, content=json.dumps(document))

        assert response.json()["error"]["code"] == code
        assert not sandbox.received
