"""
Templates that the vendor holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
import respx

from cobranza_sdk import MessageTemplate, OutboundMessage, ProviderError
from cobranza_twilio_sms._channel import TwilioSms
from cobranza_twilio_sms._sandbox import TwilioSandbox

SID = "SM1f0e8ae6ade43cb3c0ce4525424e404f"
CONTENT = "HX" + "0a" * 16

Write = Callable[..., OutboundMessage]

pytestmark = pytest.mark.anyio


def template(*parameters: str, name: str = CONTENT) -> MessageTemplate:
    return MessageTemplate(name=name, language="es", parameters=parameters)


async def test_a_template_is_named_by_its_sid_and_its_values_by_number(
    channel: TwilioSms, api: respx.MockRouter, message: Write
) -> None:
    """
    The vendor takes the values as JSON text, numbered from 1, and no words of ours beside them.
    """
    route = api.post("/Messages.json").respond(201, json={"sid": SID, "status": "queued", "num_segments": "2"})

    accepted = await channel.send(message(template=template("José", 'A"1\n')))

    form = {name: values[0] for name, values in parse_qs(route.calls.last.request.content.decode()).items()}
    assert form["ContentSid"] == CONTENT
    assert json.loads(form["ContentVariables"]) == {"1": "José", "2": 'A"1\n'}
    assert "Body" not in form
    assert accepted.segments == 2


async def test_a_template_without_values_has_no_variables(
    channel: TwilioSms, api: respx.MockRouter, message: Write
) -> None:
    """
    An empty object would claim places that the template does not have.
    """
    route = api.post("/Messages.json").respond(201, json={"sid": SID, "status": "queued"})

    await channel.send(message(template=template(), text=""))

    assert b"ContentVariables" not in route.calls.last.request.content


@pytest.mark.parametrize("stated", ["0", None, 2, "x", "-1", "", "٣", "9999"])
async def test_parts_of_a_template_are_the_vendors_or_unknown(
    channel: TwilioSms, api: respx.MockRouter, message: Write, stated: object
) -> None:
    """
    Only the vendor has the words, and it counts none until a messaging service has picked a sender.
    """
    api.post("/Messages.json").respond(201, json={"sid": SID, "status": "accepted", "num_segments": stated})

    assert (await channel.send(message(template=template("1")))).segments is None


@pytest.mark.parametrize(
    "wrong",
    [
        template("A", name="cuota_vencida"),
        template("A", name=CONTENT[:-1]),
        template("A", name=CONTENT + "\n"),
        template("A", ""),
        template(" "),
        template("a\ud800"),
    ],
)
async def test_a_template_that_the_vendor_cannot_know_is_refused_before_any_request(
    channel: TwilioSms, api: respx.MockRouter, message: Write, wrong: MessageTemplate
) -> None:
    """
    An empty place would be refused by the vendor, or worse, be sent.
    """
    route = api.post("/Messages.json").respond(201, json={"sid": SID})

    with pytest.raises(ProviderError) as caught:
        await channel.send(message(template=wrong))

    assert (caught.value.category, caught.value.disposition, caught.value.transmitted) == (
        "template",
        "fix_first",
        "no",
    )
    assert not route.called


async def test_a_template_goes_all_the_way(vendor: TwilioSandbox, live: TwilioSms, message: Write) -> None:
    """
    The emulator shows name and values apart, and fills in the words as the vendor's own list would show them.
    """
    vendor.hold_content(CONTENT, "Hola {{1}}, vence el {{2}}.")

    sent = message(template=template("Ana", "5 de mayo"), callback_url="http://127.0.0.1:9/cb")
    sid = (await live.send(sent)).provider_message_id

    (received,) = vendor.received
    assert (received.template, received.text, received.attempt_id) == (CONTENT, "Ana\n5 de mayo", "att_01")
    url = f"{live.settings.api_url}/Messages/{sid}.json"
    held = (await live.services.http.get(url, auth=live.settings.sign_in())).json()
    assert held["body"] == "Hola Ana, vence el 5 de mayo."
