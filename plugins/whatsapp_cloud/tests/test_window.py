"""
What is carried inside the 24-hour window: files, buttons, lists and links.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx
from attrs import evolve

from cobranza_sdk import Action, Address, Attachment, OutboundMessage, ProviderError
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_whatsapp_cloud._channel import WhatsAppCloud
from cobranza_whatsapp_cloud._sandbox import WhatsAppSandbox

pytestmark = pytest.mark.anyio
Outbound = Callable[..., OutboundMessage]

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
PERSON = Address("e164", "+51987654321")
PDF = Attachment(filename="Factura F-1.pdf", content_type="application/pdf", content=b"%PDF-1.7")
PHOTO = Attachment(filename="foto.png", content_type="image/png", content=b"\x89PNG")
TODAY, WEEK, DISPUTE = (
    Action(id="promise:today", title="Hoy"),
    Action(id="promise:week", title="Esta semana"),
    Action(id="dispute", title="No reconozco"),
)
BUTTONS = {
    "type": "button",
    "body": {"text": "¿Cuándo pagará?"},
    "action": {
        "buttons": [
            {"type": "reply", "reply": {"id": "promise:today", "title": "Hoy"}},
            {"type": "reply", "reply": {"id": "promise:week", "title": "Esta semana"}},
            {"type": "reply", "reply": {"id": "dispute", "title": "No reconozco"}},
        ]
    },
}


@pytest.fixture
def sandbox() -> Iterator[WhatsAppSandbox]:
    """An emulator to which the person has just written."""
    with WhatsAppSandbox(clock=FixedClock(NOW)) as sandbox:
        sandbox.write(PERSON, "Hola")
        yield sandbox


@pytest.fixture
async def real(sandbox: WhatsAppSandbox) -> AsyncIterator[WhatsAppCloud]:
    """The channel, speaking to the emulator."""
    async with httpx.AsyncClient(trust_env=False) as http:
        yield make_provider(WhatsAppCloud, sandbox.settings, clock=sandbox.clock, http=http)


@pytest.fixture
def free(outbound: Outbound) -> Outbound:
    """Builds a message without a template."""

    def build(**changes: Any) -> OutboundMessage:
        return outbound(**{"template": None, "text": "¿Cuándo pagará?", **changes})

    return build


@pytest.mark.parametrize(("file", "kind"), [(PDF, "document"), (PHOTO, "image")])
async def test_a_file_goes_with_its_words(
    real: WhatsAppCloud, sandbox: WhatsAppSandbox, free: Outbound, file: Attachment, kind: str
) -> None:
    """Who asks for the invoice gets it, and not a promise of it."""
    await real.send(free(attachments=(file,)))

    ((media_id, held),) = sandbox.media.items()
    name = {"filename": "Factura F-1.pdf"} if kind == "document" else {}
    assert held.content == file.content
    assert sandbox.requests[0][kind] == {"id": media_id, "caption": "¿Cuándo pagará?"} | name
    assert sandbox.received[0].text == "¿Cuándo pagará?"


async def test_a_file_by_its_address_is_not_uploaded(
    real: WhatsAppCloud, sandbox: WhatsAppSandbox, free: Outbound
) -> None:
    """The vendor fetches it by itself."""
    await real.send(free(attachments=(evolve(PDF, content=b"", url="https://files.example.com/1.pdf"),)))

    assert sandbox.requests[0]["document"]["link"] == "https://files.example.com/1.pdf"
    assert not sandbox.media


async def test_up_to_three_short_answers_are_buttons(
    real: WhatsAppCloud, sandbox: WhatsAppSandbox, free: Outbound
) -> None:
    """One tap is answered more often than a form."""
    await real.send(free(actions=(TODAY, WEEK, DISPUTE)))

    assert sandbox.requests[0]["interactive"] == BUTTONS


async def test_a_file_stands_above_the_buttons(real: WhatsAppCloud, sandbox: WhatsAppSandbox, free: Outbound) -> None:
    """The invoice and the question about it are one message."""
    await real.send(free(actions=(TODAY, WEEK, DISPUTE), attachments=(PDF,)))

    (media_id,) = sandbox.media
    header = {"type": "document", "document": {"id": media_id, "filename": "Factura F-1.pdf"}}
    assert sandbox.requests[0]["interactive"] == BUTTONS | {"header": header}


@pytest.mark.parametrize(
    ("locale", "label"),
    [("es-PE", "Ver opciones"), ("pt-BR", "Ver opções"), ("en", "See options"), ("qu", "Ver opciones")],
)
@pytest.mark.parametrize(
    "actions",
    [
        tuple(Action(id=f"{n}", title=f"Día {n}") for n in range(4)),
        tuple(Action(id=f"{n}", title=f"Día {n}") for n in range(10)),
        (Action(id="0", title="x" * 24),),
    ],
)
async def test_more_or_longer_answers_are_a_list(
    real: WhatsAppCloud,
    sandbox: WhatsAppSandbox,
    free: Outbound,
    locale: str,
    label: str,
    actions: tuple[Action, ...],
) -> None:
    """Buttons take three short titles; a list takes ten, a little longer."""
    await real.send(free(actions=actions, locale=locale))

    rows = [{"id": action.id, "title": action.title} for action in actions]
    assert sandbox.requests[0]["interactive"] == {
        "type": "list",
        "body": {"text": "¿Cuándo pagará?"},
        "action": {"button": label, "sections": [{"rows": rows}]},
    }


async def test_a_link_is_a_button_that_leads_there(
    real: WhatsAppCloud, sandbox: WhatsAppSandbox, free: Outbound
) -> None:
    """A payment page behind a button is tapped; a long address is taken for fraud."""
    await real.send(free(actions=(Action(id="pay", title="Pagar", url="https://pay.example.com/f1"),)))

    parameters = {"display_text": "Pagar", "url": "https://pay.example.com/f1"}
    assert sandbox.requests[0]["interactive"]["type"] == "cta_url"
    assert sandbox.requests[0]["interactive"]["action"] == {"name": "cta_url", "parameters": parameters}


async def test_an_attachment_becomes_the_templates_header(
    real: WhatsAppCloud, sandbox: WhatsAppSandbox, outbound: Outbound
) -> None:
    """Outside the window the invoice travels in the template, or not at all."""
    await real.send(outbound(attachments=(PDF,)))

    (header, *_) = sandbox.requests[0]["template"]["components"]
    assert header["parameters"][0]["document"]["id"] in sandbox.media


@pytest.mark.parametrize("changes", [{"attachments": (PDF,)}, {"actions": (TODAY,)}])
async def test_outside_the_window_none_of_it_passes(outbound: Outbound, changes: dict[str, Any]) -> None:
    """The platform allows templates alone before a person has written."""
    with WhatsAppSandbox(clock=FixedClock(NOW)) as sandbox:
        async with httpx.AsyncClient(trust_env=False) as http:
            channel = make_provider(WhatsAppCloud, sandbox.settings, clock=sandbox.clock, http=http)
            with pytest.raises(ProviderError) as caught:
                await channel.send(outbound(template=None, **changes))

    assert (caught.value.category, caught.value.vendor_code) == ("session_closed", "131047")


@pytest.mark.parametrize(
    "changes",
    [
        {"actions": (TODAY, TODAY)},
        {"actions": (Action(id="x" * 257, title="x"),)},
        {"actions": (Action(id="x" * 201, title="x" * 21),)},
        {"actions": (Action(id="x", title="x" * 25),)},
        {"actions": (Action(id="x", title="x" * 21, url="https://a.example.com/"),)},
        {"actions": (Action(id="x", title="x", url="javascript:alert(1)"),)},
        {"attachments": (evolve(PDF, content_type="application/zip"),)},
        {"attachments": (evolve(PDF, content=b""),)},
    ],
)
async def test_what_the_vendor_refuses_is_refused_before_any_call(
    channel: WhatsAppCloud, vendor: respx.MockRouter, free: Outbound, changes: dict[str, Any]
) -> None:
    """Nothing is uploaded for a message that cannot go out."""
    with pytest.raises(ProviderError) as caught:
        await channel.send(free(**changes))

    error = caught.value
    assert (error.category, error.disposition, error.transmitted) == ("validation", "fix_first", "no")
    assert not vendor.calls


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("document", {"id": "404", "caption": "x"}),
        ("document", {"caption": "x"}),
        ("document", {"link": "https://a.example.com/", "caption": "x" * 1025}),
        ("text", {"body": "x" * 4097}),
        ("interactive", BUTTONS | {"type": "product"}),
        ("interactive", BUTTONS | {"body": {"text": "x" * 1025}}),
        ("interactive", BUTTONS | {"action": {"buttons": []}}),
        ("interactive", BUTTONS | {"action": {"buttons": BUTTONS["action"]["buttons"][:1] * 2}}),  # type: ignore[index]
        ("interactive", BUTTONS | {"header": {"type": "video", "video": {"id": "1"}}}),
        ("interactive", BUTTONS | {"type": "list", "action": {"button": "x" * 21, "sections": [{"rows": []}]}}),
        (
            "interactive",
            BUTTONS
            | {"type": "cta_url", "action": {"name": "x", "parameters": {"display_text": "x", "url": "https://a/"}}},
        ),
    ],
)
async def test_the_emulator_refuses_what_the_vendor_does(sandbox: WhatsAppSandbox, kind: str, part: Any) -> None:
    """An emulator that takes anything proves nothing."""
    document = {"messaging_product": "whatsapp", "to": PERSON.value, "type": kind, kind: part}
    url = f"{sandbox.settings['base_url']}/v25.0/{sandbox.settings['phone_number_id']}/messages"

    async with httpx.AsyncClient(trust_env=False) as http:
        headers = {"Authorization": f"Bearer {sandbox.settings['access_token']}"}
        response = await http.post(url, headers=headers, content=json.dumps(document))

    assert response.json()["error"]["code"] in {100, 131009}
    assert not sandbox.received
