"""
What a channel declares is what it is asked for; the rest is refused before any I/O.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve, frozen

from cobranza_sdk import (
    Accepted,
    Action,
    Address,
    Attachment,
    AttemptRef,
    Channel,
    ChannelCapabilities,
    Erp,
    InvalidValueError,
    MessageTemplate,
    OutboundMessage,
    UnsupportedCapabilityError,
    WebhookRejectedError,
    WebhookRequest,
)
from cobranza_sdk.model import CHANNEL_FAMILIES, FAMILIES
from cobranza_sdk.spec import require_supported
from cobranza_sdk.testing import make_provider

NOON = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


@frozen
class NoSettings:
    """
    Nothing to set.
    """


class Plain(Channel):
    """
    Free text only.
    """

    name = "plain"
    config = NoSettings
    capabilities = ChannelCapabilities(channel="sms", family="message", schemes=("e164",), text_length=10)

    async def send(self, message: OutboundMessage) -> Accepted:
        return Accepted(provider_message_id="1")


class Rich(Plain):
    """
    Everything but free text.
    """

    name = "rich"
    capabilities = ChannelCapabilities(
        channel="whatsapp",
        family="message",
        schemes=("bsuid", "e164"),
        free_text=False,
        templates=True,
        html=True,
        attachments=True,
        actions=True,
    )


TEMPLATE = MessageTemplate(name="t", language="es")
LINKED = Attachment(filename="a.pdf", content_type="application/pdf", url="https://files.example.com/a.pdf")


def message(**changes: Any) -> OutboundMessage:
    values = {"attempt_id": "a", "channel": "sms", "to": Address("e164", "+51987654321"), "text": "Hola"}
    return OutboundMessage(**{**values, **changes})


@pytest.mark.parametrize(
    ("channel", "changes", "missing"),
    [
        (Plain, {"to": Address("email", "ana@example.com")}, "address scheme email"),
        (Plain, {"template": TEMPLATE}, "templates"),
        (Plain, {"html": "<p>"}, "html"),
        (Plain, {"attachments": (Attachment(filename="a", content_type="b", content=b""),)}, "attachments"),
        (Plain, {"actions": (Action(id="a", title="b"),)}, "actions"),
        (Plain, {"text": "x" * 11}, "text of 11 characters"),
        (Rich, {}, "free_text"),
        (Rich, {"attachments": (LINKED,)}, "free_text, attachment_links"),
        (Rich, {"template": evolve(TEMPLATE, header="Aviso")}, "template header"),
        (Rich, {"template": evolve(TEMPLATE, header=LINKED)}, "template header"),
        (Rich, {"template": evolve(TEMPLATE, named={"a": "b"}, codes={1: "x"})}, "template codes, template named"),
        (Rich, {"template": evolve(TEMPLATE, replies={1: "x"})}, "template replies"),
    ],
)
def test_what_is_not_declared_is_refused_by_name(channel: type[Channel], changes: dict[str, Any], missing: str) -> None:
    """
    The operator learns which capability is missing before a message is billed.
    """
    with pytest.raises(UnsupportedCapabilityError) as caught:
        require_supported(channel, message(**changes))

    assert str(caught.value) == f"{channel.name} does not support: {missing}"


@pytest.mark.parametrize(
    ("channel", "changes"),
    [
        (Plain, {}),
        (Plain, {"text": "x" * 10}),
        (Rich, {"template": TEMPLATE, "text": "x" * 9999, "html": "<p>"}),
        (Rich, {"template": TEMPLATE, "to": Address("bsuid", "PE.1"), "text": ""}),
        (Rich, {"template": TEMPLATE, "actions": (Action(id="a", title="b"),)}),
    ],
)
def test_what_is_declared_passes(channel: type[Channel], changes: dict[str, Any]) -> None:
    """
    A limit that is met exactly is met; the words of a template are the vendor's to count.
    """
    require_supported(channel, message(**changes))


def test_several_gaps_are_named_at_once() -> None:
    """
    Fixing one at a time costs a campaign each.
    """
    with pytest.raises(UnsupportedCapabilityError, match="templates, html"):
        require_supported(Plain, message(template=TEMPLATE, html="<p>"))


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_a_message_that_says_nothing_is_refused(text: str) -> None:
    """
    It would use up a contact that law allows.
    """
    with pytest.raises(InvalidValueError, match="blank"):
        require_supported(Plain, message(text=text))


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_a_plugin_did_not_write_says_so(anyio_backend: str) -> None:
    """
    Laws 3 and 9: a channel without look-up never says "absent", one without webhooks verifies nothing.
    """
    channel = make_provider(Plain, {})
    request = WebhookRequest(method="POST", url="https://a/", headers={}, body=b"", received_at=NOON)

    with pytest.raises(UnsupportedCapabilityError, match="lookup"):
        await channel.lookup(AttemptRef(attempt_id="a", to=Address("e164", "+51987654321"), sent_at=NOON))
    with pytest.raises(WebhookRejectedError):
        channel.verify(request)
    assert channel.challenge(request) is None
    assert (await channel.check()).ok


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_erp_that_cannot_write_back_says_so(anyio_backend: str) -> None:
    """
    Results that silently go nowhere are missed months later.
    """

    class ReadsOnly(Erp):
        name = "reads_only"
        config = NoSettings

        def read(self, cursor: str | None) -> Any:
            return iter(())

    with pytest.raises(UnsupportedCapabilityError, match="write_back"):
        await make_provider(ReadsOnly, {}).write_back([])


@pytest.mark.parametrize("channel", sorted(CHANNEL_FAMILIES))
@pytest.mark.parametrize("family", FAMILIES)
def test_a_known_channel_keeps_its_family(channel: str, family: str) -> None:
    """
    Law 4: an SMS that calls itself a letter would be sent at night and on Sundays.
    """
    if CHANNEL_FAMILIES[channel] == family:
        assert ChannelCapabilities(channel=channel, family=family, schemes=("e164",)).family == family
        return
    with pytest.raises(InvalidValueError, match=f"family of {channel}"):
        ChannelCapabilities(channel=channel, family=family, schemes=("e164",))


@pytest.mark.parametrize(
    "wrong", [{"family": "sms"}, {"family": ""}, {"schemes": ()}, {"schemes": "e164"}, {"channel": " "}]
)
def test_a_channel_that_law_cannot_place_is_refused(wrong: dict[str, Any]) -> None:
    """
    Law 4: rules speak of families, so a channel without one would escape them.
    """
    with pytest.raises(ValueError, match="family|schemes|text|channel"):  # noqa: RUF043
        ChannelCapabilities(**{"channel": "fax", "family": "letter", "schemes": ("e164",), **wrong})


@pytest.mark.parametrize("attempt_id", ["", "a" * 33, "a b", "ñ", "a\n"])
def test_an_attempt_id_fits_every_vendor(attempt_id: str) -> None:
    """
    Vendors echo it in headers and query strings; one that is cut short matches nothing (law 3).
    """
    with pytest.raises(InvalidValueError, match="attempt_id"):
        message(attempt_id=attempt_id)


def test_an_acceptance_without_an_id_is_none() -> None:
    """
    Law 3: what cannot be asked for later was not accepted.
    """
    with pytest.raises(InvalidValueError, match="provider_message_id"):
        Accepted(provider_message_id=" ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": ("a",), "named": {"b": "c"}}, "not both"),
        ({"buttons": {0: "a"}, "replies": {0: "b"}}, "one position"),
        ({"replies": {3: "a"}, "codes": {3: "b"}}, "one position"),
        ({"header": 7}, "header must be"),
        ({"named": {"a": 7}}, "named must"),
        ({"named": {7: "a"}}, "named must"),
    ],
)
def test_a_template_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    """
    The vendor refuses it after a call that counts; a caller who sees it at once mends it.
    """
    with pytest.raises(InvalidValueError, match=said):
        MessageTemplate(name="t", language="es", **changes)


@pytest.mark.parametrize(
    "ways",
    [{"content": b"x", "url": "https://a/"}, {"content": b"x", "reference": "1"}, {"url": "u", "reference": "1"}],
)
def test_a_file_comes_in_one_way(ways: dict[str, Any]) -> None:
    """
    Of two files for one place, a channel would send the one that was not meant.
    """
    with pytest.raises(InvalidValueError, match="one of"):
        Attachment(filename="a", content_type="text/plain", **ways)


def test_a_file_says_whether_its_bytes_are_here() -> None:
    """
    A channel that can only carry bytes must not send an empty file.
    """
    assert LINKED.is_elsewhere
    assert evolve(LINKED, url=None, reference="1").is_elsewhere
    assert not evolve(LINKED, url=None, content=b"x").is_elsewhere
