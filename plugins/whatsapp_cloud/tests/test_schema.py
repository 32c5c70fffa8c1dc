"""
Each kind of request, held against a schema of the vendor's API.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import respx
from attrs import evolve

from cobranza_sdk import Action, Address, Attachment, MessageTemplate, OutboundMessage
from cobranza_whatsapp_cloud._channel import WhatsAppCloud

jsonschema = pytest.importorskip("jsonschema", reason="the schema is held by jsonschema")

pytestmark = pytest.mark.anyio
Outbound = Callable[..., OutboundMessage]

SCHEMA = json.loads(Path(__file__).with_name("requests.schema.json").read_text("utf-8"))
VALID = jsonschema.Draft202012Validator(SCHEMA)
PDF = Attachment(filename="Factura.pdf", content_type="application/pdf", content=b"%PDF")
LINKED = evolve(PDF, content=b"", url="https://files.example.com/a.pdf")
PHOTO = Attachment(filename="foto.jpg", content_type="image/jpeg", reference="17")
FREE: dict[str, Any] = {"template": None, "text": "¿Cuándo pagará?"}


def template(**parts: Any) -> dict[str, Any]:
    return {"template": MessageTemplate(name="aviso", language="es_PE", **parts)}


def offering(count: int, **changes: Any) -> dict[str, Any]:
    return FREE | {"actions": tuple(Action(id=f"day:{n}", title=f"Día {n}") for n in range(count))} | changes


KINDS: dict[str, dict[str, Any]] = {
    "template": template(),
    "template in order": {},
    "template by name": template(named={"cliente": "José", "total": "S/ 12.50"}),
    "template with a text above": template(header="F-1", parameters=("x",)),
    "template with a PDF": template(header=PDF),
    "template with a PDF by its address": template(header=LINKED),
    "template with a picture": template(header=PHOTO),
    "template with an attachment": template() | {"attachments": (PDF,)},
    "template with buttons": template(buttons={0: "f1"}, replies={1: "PROMISE"}, codes={9: "F1-2026"}),
    "to a business-scoped id": {"to": Address("bsuid", "PE.13491208655302741918")},
    "text": FREE,
    "document": FREE | {"attachments": (PDF,)},
    "document by its address": FREE | {"attachments": (LINKED,)},
    "picture": FREE | {"attachments": (PHOTO,)},
    "buttons": offering(3),
    "buttons below a document": offering(1, attachments=(PDF,)),
    "buttons below a picture": offering(2, attachments=(PHOTO,)),
    "list": offering(10),
    "link": FREE | {"actions": (Action(id="pay", title="Pagar", url="https://pay.example.com/f1"),)},
}


@pytest.fixture
def uploads(vendor: respx.MockRouter) -> respx.Route:
    """The route to which files go."""
    return vendor.post(path="/v25.0/106540352242922/media").respond(json={"id": "1166846181421424"})


@pytest.mark.usefixtures("uploads")
@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_message_is_valid(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound, kind: str
) -> None:
    """What the vendor describes is what it takes; a slip here is a campaign that fails as a whole."""
    await channel.send(outbound(**KINDS[kind]))

    VALID.validate(json.loads(calls.calls.last.request.content))


@pytest.mark.parametrize("typing", [False, True])
async def test_a_mark_is_valid(channel: WhatsAppCloud, calls: respx.Route, typing: bool) -> None:
    """It goes to the same address as a message."""
    calls.respond(json={"success": True})

    await channel.mark_read("wamid.IN", typing=typing)

    VALID.validate(json.loads(calls.calls.last.request.content))


async def test_a_file_goes_as_a_form(channel: WhatsAppCloud, uploads: respx.Route) -> None:
    """The vendor asks for two fields and takes the type; the debtor's file name stays at home."""
    await channel.upload(PDF)

    request = uploads.calls.last.request
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    for part in (
        b'name="messaging_product"\r\n\r\nwhatsapp\r\n',
        b'name="type"\r\n\r\napplication/pdf\r\n',
        b"%PDF\r\n",
    ):
        assert part in request.content
    assert b"Factura" not in request.content


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("text", ("text", "body"), "x" * 4097),
        ("text", ("text", "novelty"), "x"),
        ("text", ("to",), "51987654321"),
        ("text", ("recipient",), "PE.1"),
        ("text", ("type",), "template"),
        ("document", ("document", "link"), "https://a.example.com/"),
        ("picture", ("image", "filename"), "foto.jpg"),
        ("list", ("interactive", "action", "button"), "x" * 21),
        ("list", ("interactive", "header"), {"type": "image", "image": {"id": "1"}}),
        ("buttons", ("interactive", "action", "buttons", 0, "reply", "title"), "x" * 21),
        ("buttons", ("interactive", "type"), "list"),
        ("link", ("interactive", "action", "parameters", "url"), "javascript:x"),
        ("template with buttons", ("template", "components", 0, "index"), 0),
        ("template with buttons", ("template", "components", 1, "sub_type"), "url"),
        ("template by name", ("template", "components", 0, "parameters", 0, "parameter_name"), "Cliente"),
        ("template", ("template", "components"), []),
    ],
)
@pytest.mark.usefixtures("uploads")
async def test_the_schema_finds_slips(
    channel: WhatsAppCloud, calls: respx.Route, outbound: Outbound, kind: str, path: tuple[Any, ...], value: Any
) -> None:
    """A schema that takes anything proves nothing."""
    await channel.send(outbound(**KINDS[kind]))
    document = copy.deepcopy(json.loads(calls.calls.last.request.content))
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value

    assert not VALID.is_valid(document)
