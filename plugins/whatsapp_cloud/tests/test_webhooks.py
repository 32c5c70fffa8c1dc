"""
Handshake, proof and reading of webhooks.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from cobranza_sdk import Address, EventKind, WebhookRejectedError, WebhookRequest
from cobranza_sdk.testing import make_provider
from cobranza_whatsapp_cloud._channel import WhatsAppCloud
from cobranza_whatsapp_cloud._opt_out import is_opt_out

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
VECTOR = b'{"object":"whatsapp_business_account","entry":[]}'
VECTOR_SIGNATURE = "sha256=523505d20f6a97026a425949264490ca97eab5d4ba6cd6a0f56f7557599d7f7b"
ADDRESS = "https://cobranza.example.com/webhooks/whatsapp"
Signed = Callable[..., WebhookRequest]
Parsed = Callable[..., Any]


RESTRICTED = {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": "2026-09-01"}


def request(
    method: str = "POST", url: str = ADDRESS, body: bytes = VECTOR, headers: dict[str, str] | None = None
) -> WebhookRequest:
    return WebhookRequest(method=method, url=url, headers=headers or {}, body=body, received_at=NOW)


def status(word: str = "delivered", **changes: Any) -> dict[str, Any]:
    update = {
        "id": "wamid.HBgMTE=",
        "status": word,
        "timestamp": "1750263773",
        "recipient_id": "51987654321",
        "biz_opaque_callback_data": "01k1attempt",
    }
    return {"statuses": [update | changes]}


def inbound(kind: str, content: Any, **changes: Any) -> dict[str, Any]:
    message = {"from": "51987654321", "id": "wamid.IN", "timestamp": "1750263773", "type": kind, kind: content}
    return {"messages": [message | changes]}


def handshake(mode: str = "subscribe", token: str = "verify-canary", challenge: str = "1158201444") -> str:
    return f"{ADDRESS}?hub.mode={mode}&hub.challenge={challenge}&hub.verify_token={token}"


def test_the_handshake_is_answered_with_the_challenge(channel: WhatsAppCloud) -> None:
    """Without this answer the vendor does not accept the address."""
    assert channel.challenge(request("GET", handshake(), b"")) == "1158201444"


@pytest.mark.parametrize(
    "url",
    [
        handshake(token="wrong"),
        handshake(token=""),
        handshake(token="verify-canary%00"),
        handshake(token="verify-canar%FF"),
        handshake(mode="unsubscribe"),
        handshake(challenge=""),
        handshake(challenge="a%0Ab"),
        handshake(challenge="9" * 2000),
        handshake() + "&hub.verify_token=other",
        f"{ADDRESS}?hub.mode=subscribe",
        f"{ADDRESS}?hub.mode=",
    ],
)
def test_a_wrong_handshake_is_refused(channel: WhatsAppCloud, url: str) -> None:
    """Anybody can call the address; only the vendor knows the token."""
    with pytest.raises(WebhookRejectedError) as caught:
        channel.challenge(request("GET", url, b""))

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "url"),
    [("POST", handshake()), ("GET", ADDRESS), ("GET", f"{ADDRESS}?x=1"), ("GET", f"{ADDRESS}?" + "a=1&" * 99)],
)
def test_what_is_no_handshake_is_left_alone(channel: WhatsAppCloud, method: str, url: str) -> None:
    """Other calls are for `verify` to judge."""
    assert channel.challenge(request(method, url, b"")) is None


def test_an_empty_token_matches_nothing(settings: dict[str, Any]) -> None:
    """A token that was never set must not let everybody in."""
    channel = make_provider(WhatsAppCloud, settings | {"verify_token": ""})

    with pytest.raises(WebhookRejectedError):
        channel.challenge(request("GET", handshake(token=""), b""))


def test_the_signature_is_the_vendors(channel: WhatsAppCloud) -> None:
    """A vector made outside this code: both sides cannot be wrong in the same way."""
    envelope = channel.verify(request(headers={"x-hub-signature-256": VECTOR_SIGNATURE}))

    assert (envelope.account, envelope.signed, envelope.received_at) == ("106540352242922", VECTOR, NOW)
    assert list(channel.parse(envelope)) == []


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        VECTOR_SIGNATURE.removeprefix("sha256="),
        VECTOR_SIGNATURE.upper(),
        VECTOR_SIGNATURE[:-1],
        VECTOR_SIGNATURE + "0",
        VECTOR_SIGNATURE + "\n",
        VECTOR_SIGNATURE[:-1] + "ñ",
        VECTOR_SIGNATURE[:-1] + "٣",
        VECTOR_SIGNATURE.replace("sha256", "sha1"),
        VECTOR_SIGNATURE[:-1] + "a",
        "sha256=" + "0" * 64,
    ],
)
def test_a_wrong_signature_is_refused(channel: WhatsAppCloud, header: str | None) -> None:
    """Whoever can forge a receipt can silence a debtor or fake an opt-out."""
    headers = {} if header is None else {"X-Hub-Signature-256": header}

    with pytest.raises(WebhookRejectedError):
        channel.verify(request(headers=headers))


def test_one_changed_byte_is_refused(channel: WhatsAppCloud) -> None:
    """The signature covers the raw bytes, also those that JSON would not tell apart."""
    with pytest.raises(WebhookRejectedError):
        channel.verify(request(body=VECTOR + b" ", headers={"X-Hub-Signature-256": VECTOR_SIGNATURE}))


def test_the_old_header_proves_nothing(channel: WhatsAppCloud) -> None:
    """SHA-1 beside it is a leftover."""
    with pytest.raises(WebhookRejectedError):
        channel.verify(request(headers={"X-Hub-Signature": VECTOR_SIGNATURE}))


@pytest.mark.parametrize("secret", ["new", "old"])
def test_secrets_can_be_rotated(settings: dict[str, Any], signed: Signed, secret: str) -> None:
    """While the vendor changes over, both secrets sign."""
    channel = make_provider(WhatsAppCloud, settings | {"app_secret": ["new", "old"]})

    assert channel.verify(signed(VECTOR, secret=secret)).signed == VECTOR
    with pytest.raises(WebhookRejectedError):
        channel.verify(signed(VECTOR, secret="older"))


def _gone() -> str:
    name = "APP_SECRET"
    raise KeyError(name)


@pytest.mark.parametrize("secret", ["", _gone])
def test_a_secret_that_is_not_there_signs_nothing(settings: dict[str, Any], signed: Signed, secret: Any) -> None:
    """An empty key is one that everybody has."""
    channel = make_provider(WhatsAppCloud, settings | {"app_secret": secret})

    with pytest.raises(WebhookRejectedError):
        channel.verify(signed(VECTOR, secret=""))


@pytest.mark.parametrize("word", ["sent", "delivered", "read", "failed"])
def test_a_status_becomes_its_event(parsed: Parsed, word: str) -> None:
    """Receipts move an attempt on; the echoed id finds it even when the answer was lost."""
    (event,) = parsed(status(word))

    assert event.kind == word
    assert event.key == f"wamid.HBgMTE=:{word}:1750263773"
    assert event.occurred_at == datetime(2025, 6, 18, 16, 22, 53, tzinfo=UTC)
    assert (event.provider_message_id, event.attempt_id) == ("wamid.HBgMTE=", "01k1attempt")
    assert event.account == "106540352242922"
    assert (event.error is not None) == (word == "failed")


def test_a_failure_is_classed(parsed: Parsed) -> None:
    """The next step depends on why it failed."""
    (event,) = parsed(status("failed", errors=[{"code": 131049, "title": "Healthy ecosystem"}]))

    assert (event.error.category, event.error.disposition, event.error.vendor_code) == ("recipient", "retry", "131049")


def test_codes_of_a_failure_are_kept_and_its_words_are_not(parsed: Parsed) -> None:
    """Which of several codes came matters to support; the details may quote a number."""
    errors = [
        {"code": 131026, "title": "Undeliverable", "error_data": {"details": "+51987654321"}},
        {"code": 131053},
        1,
    ]

    (event,) = parsed(status("failed", errors=errors))

    assert event.raw == {"status": "failed", "errors": [{"code": 131026, "title": "Undeliverable"}, {"code": 131053}]}


def test_the_conversation_is_kept(parsed: Parsed) -> None:
    """Older accounts are billed by it."""
    conversation = {"id": "6ceb", "expiration_timestamp": "1750350000", "origin": {"type": "utility"}}

    (event,) = parsed(status("sent", conversation=conversation))

    assert event.raw["conversation"] == {"id": "6ceb", "type": "utility"}


def test_an_unknown_status_is_kept_raw(parsed: Parsed) -> None:
    """Doubt is not recorded as fact, and not lost."""
    (event,) = parsed(status("teleported"))

    assert event.kind is EventKind.UNKNOWN
    assert event.raw["status"] == "teleported"
    assert event.error is None


def test_a_played_voice_message_is_no_news(parsed: Parsed) -> None:
    """It says nothing that `read` has not said."""
    assert parsed(status("played")) == []


@pytest.mark.parametrize("opaque", ["x" * 33, "a b", "", 7, None, "ñ", ["01k"]])
def test_what_cannot_be_our_id_is_not_believed(parsed: Parsed, opaque: Any) -> None:
    """Another system on the same number may write there what it likes."""
    (event,) = parsed(status(biz_opaque_callback_data=opaque))

    assert event.attempt_id is None


def test_pricing_is_kept(parsed: Parsed) -> None:
    """What was charged is told here and nowhere else."""
    pricing = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}

    (event,) = parsed(status("sent", pricing=pricing | {"new": {"a": 1}}))

    assert event.raw["pricing"] == pricing


def test_a_batch_is_read_to_the_end(parsed: Parsed, channel: WhatsAppCloud, signed: Signed) -> None:
    """One request may hold a thousand updates: what is skipped never comes again."""
    metadata = {"phone_number_id": "106540352242922"}
    two = {"metadata": metadata, "statuses": [*status("sent")["statuses"], *status("read")["statuses"]]}
    one = {"metadata": {"phone_number_id": "999"}, **inbound("text", {"body": "hola"})}
    entries = [
        {"changes": [{"field": "messages", "value": two}, {"field": "messages", "value": one}]},
        {"id": "1", "time": 3, "changes": [{"field": "messages", "value": {"metadata": metadata, **status()}}]},
    ]

    got = channel.parse(channel.verify(signed({"object": "whatsapp_business_account", "entry": entries})))

    assert [event.kind for event in got] == ["sent", "read", "inbound_message", "delivered"]
    assert [event.account for event in got] == ["106540352242922", "106540352242922", "999", "106540352242922"]


PDF = {"media": {"id": "9", "mime_type": "application/pdf"}}


def test_words_of_a_person_are_reported(parsed: Parsed) -> None:
    """An answer opens the window and may be a promise, a dispute or a plea."""
    (event,) = parsed(inbound("text", {"body": "¿Y/o mañana?"}, context={"id": "wamid.OUT", "from": "51900000000"}))

    assert event.kind is EventKind.INBOUND_MESSAGE
    assert (event.text, event.reply_to) == ("¿Y/o mañana?", "wamid.OUT")
    assert event.address == Address("e164", "+51987654321")
    assert (event.key, event.provider_message_id) == ("wamid.IN:inbound", "wamid.IN")


@pytest.mark.parametrize(
    ("kind", "content", "text", "kept"),
    [
        ("button", {"payload": "PROMISE:1", "text": "Pagaré"}, "Pagaré", {"payload": "PROMISE:1"}),
        (
            "interactive",
            {"type": "button_reply", "button_reply": {"id": "promise:today", "title": "Hoy"}},
            "Hoy",
            {"id": "promise:today", "interactive": "button_reply"},
        ),
        (
            "interactive",
            {"type": "list_reply", "list_reply": {"id": "r1", "title": "Viernes", "description": "d"}},
            "Viernes",
            {"id": "r1", "interactive": "list_reply"},
        ),
        ("interactive", {"type": "nfm_reply", "nfm_reply": {"body": "Sent"}}, "Sent", {"interactive": "nfm_reply"}),
        ("interactive", {"type": "novelty"}, None, {"interactive": "novelty"}),
        ("image", {"id": "9", "mime_type": "image/jpeg", "caption": "Comprobante"}, "Comprobante", {}),
        (
            "document",
            {"id": "9", "mime_type": "application/pdf"},
            None,
            PDF,
        ),
        ("location", {"latitude": 1.5}, None, {"type": "location"}),
        ("contacts", [{"phones": [{"wa_id": "51900000001"}]}], None, {"type": "contacts"}),
    ],
)
def test_other_content_is_reported_with_what_was_shown(
    parsed: Parsed, kind: str, content: Any, text: str | None, kept: dict[str, Any]
) -> None:
    """A tap or a picture of a receipt is an answer too."""
    (event,) = parsed(inbound(kind, content))

    assert (event.kind, event.text) == (EventKind.INBOUND_MESSAGE, text)
    assert event.raw.items() >= {"type": kind, **kept}.items()
    json.dumps(dict(event.raw), allow_nan=False)


def test_a_reaction_is_no_answer_and_not_lost(parsed: Parsed) -> None:
    """A thumb on a message is no answer to it; who judges a complaint may want to see it."""
    (event,) = parsed(inbound("reaction", {"message_id": "wamid.OUT", "emoji": "👍"}))
    (removed,) = parsed(inbound("reaction", {"message_id": "wamid.OUT"}))

    assert (event.kind, event.text, event.reference) == (EventKind.UNKNOWN, None, "reaction")
    assert (event.reply_to, event.key) == ("wamid.OUT", "wamid.IN:reaction")
    assert event.address == Address("e164", "+51987654321")
    assert event.raw == {"type": "reaction", "emoji": "👍"}
    assert removed.raw == {"type": "reaction"}


def test_what_the_vendor_does_not_hand_on_is_known_to_have_been_written(parsed: Parsed) -> None:
    """Somebody may have disputed a debt in a form that nobody can read: they can be asked again."""
    errors = [{"code": 131051, "title": "Message type unknown", "message": "m", "error_data": {"details": "+5198"}}, 7]

    (event,) = parsed(inbound("unsupported", {"type": "poll"}, errors=errors))

    assert (event.kind, event.reference, event.reply_to) == (EventKind.UNKNOWN, "unsupported", None)
    assert event.raw == {"type": "unsupported", "errors": [{"code": 131051, "title": "Message type unknown"}]}


def test_a_forwarded_message_says_so(parsed: Parsed) -> None:
    """Words that somebody else wrote are weaker proof."""
    (event,) = parsed(inbound("text", {"body": "Ya pagué"}, context={"forwarded": True}))

    assert event.raw == {"type": "text", "forwarded": True}
    assert event.reply_to is None


def system(what: Any, **changes: Any) -> dict[str, Any]:
    told = {"body": "User Ana changed from 51987654321 to 51911111111", "type": what, "wa_id": "51911111111"}
    return inbound("system", told | {"user_id": "PE.2"} | changes)


@pytest.mark.parametrize(
    ("what", "changes"),
    [("user_changed_number", {}), ("user_changed_number", {"wa_id": None}), ("user_changed_user_id", {})],
)
def test_a_number_that_was_given_up_is_a_wrong_one(parsed: Parsed, what: str, changes: dict[str, Any]) -> None:
    """The operator gives it to a stranger, who would learn of the debt."""
    (event,) = parsed(system(what, **changes))

    assert event.kind is EventKind.WRONG_NUMBER
    assert event.address == Address("e164", "+51987654321")
    assert (event.key, event.account) == ("wamid.IN:system", "106540352242922")
    assert event.text is None
    assert (event.raw["system"]["type"], event.raw["system"]["user_id"]) == (what, "PE.2")


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("user_changed_user_id", {"wa_id": None}),
        ("user_changed_user_id", {"wa_id": "51987654321"}),
        ("user_changed_number", {"wa_id": "51987654321"}),
        ("user_identity_changed", {}),
    ],
)
def test_what_may_be_the_number_of_today_is_not_closed(parsed: Parsed, what: str, changes: dict[str, Any]) -> None:
    """Law 12: where the vendor does not say which number is the old one, its words are kept and nothing is done."""
    (event,) = parsed(system(what, **changes))

    assert (event.kind, event.reference) == (EventKind.UNKNOWN, f"system:{what}")


@pytest.mark.parametrize(("old", "new"), [("5215512345678", "525512345678"), ("5511987654321", "551187654321")])
def test_one_number_in_two_spellings_was_not_given_up(parsed: Parsed, old: str, new: str) -> None:
    """The vendor adds and drops digits in Mexico and Brazil."""
    message = system("user_changed_number", wa_id=new)
    message["messages"][0]["from"] = old

    (event,) = parsed(message)

    assert event.kind is EventKind.UNKNOWN


def test_a_system_message_without_a_phone_is_kept(parsed: Parsed) -> None:
    """People with a username have no number here; the vendor adds kinds of messages, and one may have no name."""
    message = system("user_changed_number")
    message["messages"][0] |= {"from": None, "from_user_id": "PE.1"}

    (nameless,) = parsed(inbound("system", {"emoji": "👍"}))
    (without,) = parsed(message)

    assert (nameless.kind, nameless.reference) == (EventKind.UNKNOWN, "system")
    assert (without.kind, without.address) == (EventKind.UNKNOWN, Address("bsuid", "PE.1"))


def test_the_name_of_a_person_is_not_kept(parsed: Parsed) -> None:
    """The vendor's sentence holds it, and nobody needs it."""
    (event,) = parsed(system("user_changed_number"))

    assert "Ana" not in json.dumps(dict(event.raw))


def test_a_new_business_scoped_id_is_kept(parsed: Parsed) -> None:
    """It tells that the old one leads nowhere, and not whether the phone is still the same person's."""
    update = {"wa_id": "51987654321", "detail": "Ana", "user_id": {"previous": "PE.1", "current": "PE.2"}}
    value = {
        "metadata": {"phone_number_id": "106540352242922"},
        "user_id_update": [update | {"timestamp": "1750263773"}],
    }

    (event,) = parsed(value, field="user_id_update")
    (again,) = parsed(value, field="user_id_update")

    assert (event.kind, event.reference) == (EventKind.UNKNOWN, "user_id_update")
    assert (event.address, event.raw) == (Address("bsuid", "PE.1"), {"previous": "PE.1", "current": "PE.2"})
    assert event.account == "106540352242922"
    assert event.key == again.key


@pytest.mark.parametrize(
    "changes",
    [{"from": None, "from_user_id": "PE.1349"}, {"from": "PE.1349", "from_user_id": "PE.1349"}],
)
def test_a_person_without_a_phone_is_known_by_the_business_scoped_id(parsed: Parsed, changes: dict[str, Any]) -> None:
    """People with a username have no number here."""
    (event,) = parsed(inbound("text", {"body": "hola"}, **changes))

    assert event.address == Address("bsuid", "PE.1349")


def test_the_contact_beside_a_message_helps_only_when_it_is_alone(parsed: Parsed) -> None:
    """Of two contacts, one would be the wrong person."""
    message = inbound("text", {"body": "hola"}, **{"from": None})

    (lone,) = parsed(message | {"contacts": [{"user_id": "PE.1"}]})
    (crowd,) = parsed(message | {"contacts": [{"user_id": "PE.1"}, {"user_id": "PE.2"}]})
    (broken,) = parsed(message | {"contacts": [7]})

    assert lone.address == Address("bsuid", "PE.1")
    assert crowd.address is None
    assert broken.address is None


def test_text_that_no_store_takes_is_mended(parsed: Parsed) -> None:
    """One broken emoji must not stop the batch it came in."""
    (event,) = parsed(inbound("text", {"body": "a\0b \ud83d"}))

    assert event.text == "ab ?"


OPT_OUTS = [
    *("BAJA", "baja", " ¡Baja! ", "Stop", "STOP.", "ALTO", "cancelar", "No más", "NO MAS", "no, más", "parar", "Salir"),
    *(
        "desuscribir",
        "SAIR",
        "pare",
        "\uff33\uff34\uff2f\uff30",
        "stop 🛑",
        "dar de baja",
        "unsubscribe",
        "Opt-out",
        "cancel",
    ),
]
NO_OPT_OUTS = [
    *("no puedo bajar al banco", "quiero cancelar la factura", "no", "más", "trabaja", "baja el precio", ""),
    *("stop sending me the invoice by mail", "¿?", "alto monto", "salir a pagar mañana", "baja " * 200),
]


@pytest.mark.parametrize("text", OPT_OUTS)
def test_a_whole_message_that_asks_to_be_left_alone(parsed: Parsed, text: str) -> None:
    """The vendor does nothing about these words: whoever misses them breaks the law."""
    (event,) = parsed(inbound("text", {"body": text}))

    assert (event.kind, event.text) == (EventKind.OPT_OUT, text)
    assert event.key == "wamid.IN:inbound"


@pytest.mark.parametrize("text", NO_OPT_OUTS)
def test_a_sentence_is_not_searched_for_keywords(text: str) -> None:
    """A debtor who asks something is not to be cut off."""
    assert not is_opt_out(text)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("button", {"payload": "x", "text": "Baja"}),
        ("interactive", {"type": "button_reply", "button_reply": {"id": "x", "title": "STOP"}}),
        ("button", {"payload": "BAJA", "text": "No quiero más avisos"}),
        ("interactive", {"type": "button_reply", "button_reply": {"id": "baja", "title": "No más avisos"}}),
    ],
)
def test_a_tap_can_opt_out(parsed: Parsed, kind: str, content: Any) -> None:
    """A button that says BAJA means it, and so does one that was given BAJA to send back."""
    (event,) = parsed(inbound(kind, content))

    assert event.kind is EventKind.OPT_OUT


def test_a_caption_is_not_the_whole_message(parsed: Parsed) -> None:
    """The picture may be a receipt; its caption is handed on for somebody to read."""
    (event,) = parsed(inbound("image", {"id": "9", "caption": "Stop"}))

    assert (event.kind, event.text) == (EventKind.INBOUND_MESSAGE, "Stop")


def preference(**changes: Any) -> dict[str, Any]:
    item = {"wa_id": "51987654321", "category": "marketing_messages", "value": "stop", "timestamp": 1750263773}
    return {"metadata": {"phone_number_id": "106540352242922"}, "user_preferences": [item | changes]}


@pytest.mark.parametrize("category", ["marketing_messages", None])
def test_the_vendors_own_opt_out_is_about_marketing(parsed: Parsed, category: str | None) -> None:
    """Reported as an opt-out, it would end reminders that the person still wants; it is kept in the vendor's words."""
    (event,) = parsed(preference(category=category, user_id="PE.1349"), field="user_preferences")
    (again,) = parsed(preference(category=category, user_id="PE.1349"), field="user_preferences")
    (later,) = parsed(preference(category=category, timestamp=1750263774), field="user_preferences")

    assert (event.kind, event.reference) == (EventKind.UNKNOWN, "user_preferences")
    assert event.raw == {"value": "stop", "user_id": "PE.1349"} | ({"category": category} if category else {})
    assert event.address == Address("e164", "+51987654321")
    assert event.account == "106540352242922"
    assert event.key == again.key
    assert event.key != later.key
    assert "987654321" not in event.key


@pytest.mark.parametrize("category", ["utility_messages", "all", "", 7])
def test_a_preference_against_anything_else_is_an_opt_out(parsed: Parsed, category: object) -> None:
    """The vendor may let people stop reminders one day: whoever does is not to be written to meanwhile."""
    (event,) = parsed(preference(category=category), field="user_preferences")

    assert event.kind is EventKind.OPT_OUT


def test_resuming_marketing_is_no_consent_to_collect(parsed: Parsed) -> None:
    """Only a person may take an opt-out back."""
    assert parsed(preference(value="resume"), field="user_preferences") == []


def test_a_template_event_is_reported_in_our_notation(parsed: Parsed) -> None:
    """A paused template must stop its step; its language is spelt otherwise than in the call."""
    value = {
        "event": "PAUSED",
        "message_template_id": 594425479261596,
        "message_template_name": "recordatorio_factura",
        "message_template_language": "es-MX",
        "reason": None,
        "other_info": {"title": "FIRST_PAUSE", "description": "long words"},
    }

    (event,) = parsed(value, field="message_template_status_update", time=1750263773)
    (again,) = parsed(value, field="message_template_status_update", time=1750263773)
    (later,) = parsed(value, field="message_template_status_update", time=1750263774)

    assert (event.kind, event.reference) == (EventKind.TEMPLATE_STATUS, "recordatorio_factura")
    assert event.raw == {
        "update": "status",
        "event": "PAUSED",
        "message_template_id": 594425479261596,
        "language": "es_MX",
        "title": "FIRST_PAUSE",
    }
    assert event.occurred_at == datetime(2025, 6, 18, 16, 22, 53, tzinfo=UTC)
    assert event.account == "106540352242922"
    assert event.key == again.key
    assert event.key != later.key


@pytest.mark.parametrize(
    ("field", "value", "update"),
    [
        ("template_category_update", {"previous_category": "UTILITY", "new_category": "MARKETING"}, "category"),
        ("message_template_quality_update", {"new_quality_score": "RED"}, "quality"),
        ("message_template_status_update", {"new_quality_score": "RED"}, "quality"),
    ],
)
def test_category_and_quality_are_template_events(parsed: Parsed, field: str, value: Any, update: str) -> None:
    """A utility template that turned into marketing costs more and reaches fewer."""
    (event,) = parsed(value | {"message_template_name": "aviso"}, field=field)

    assert (event.kind, event.reference) == (EventKind.TEMPLATE_STATUS, "aviso")
    assert event.raw == {"update": update, **value}
    assert event.occurred_at == NOW


def test_a_template_of_another_business_account_is_not_taken_for_ours(parsed: Parsed) -> None:
    """The core holds what it cannot map; it never guesses."""
    (event,) = parsed({"event": "APPROVED"}, field="message_template_status_update", id="77")

    assert event.account == "77"


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        (
            "account_update",
            {"event": "ACCOUNT_RESTRICTION", "phone_number": "51900000000", "restriction_info": [RESTRICTED, 1]},
            {"event": "ACCOUNT_RESTRICTION", "restriction_info": [RESTRICTED]},
        ),
        (
            "account_update",
            {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE", "x": 1}},
            {"event": "DISABLED_UPDATE", "ban_info": [{"waba_ban_state": "DISABLE"}]},
        ),
        (
            "account_alerts",
            {"entity_type": "WABA", "alert_severity": "CRITICAL", "alert_description": "words"},
            {"entity_type": "WABA", "alert_severity": "CRITICAL"},
        ),
        (
            "phone_number_quality_update",
            {"display_phone_number": "51900000000", "event": "DOWNGRADE", "current_limit": "TIER_250"},
            {"event": "DOWNGRADE", "current_limit": "TIER_250"},
        ),
        (
            "business_capability_update",
            {"max_daily_conversations_per_business": "TIER_2K", "max_phone_numbers_per_business": 25},
            {"max_daily_conversations_per_business": "TIER_2K", "max_phone_numbers_per_business": 25},
        ),
        (
            "business_capability_update",
            {"max_daily_conversations_per_business": 2000},
            {"max_daily_conversations_per_business": 2000},
        ),
        ("account_review_update", {"decision": "REJECTED"}, {"decision": "REJECTED"}),
    ],
)
def test_news_of_the_account_is_kept(parsed: Parsed, field: str, value: Any, kept: dict[str, Any]) -> None:
    """A restriction explains why nobody answers; without it the campaign runs on into silence."""
    (event,) = parsed(value, field=field, time=1750263773)
    (again,) = parsed(value, field=field, time=1750263773)
    (later,) = parsed(value, field=field, time=1750263774)

    assert (event.kind, event.reference, event.account) == (EventKind.UNKNOWN, field, "106540352242922")
    assert event.raw == kept
    assert event.occurred_at == datetime(2025, 6, 18, 16, 22, 53, tzinfo=UTC)
    assert (event.key == again.key, event.key == later.key) == (True, False)


@pytest.mark.parametrize("field", ["flows", "novelty"])
def test_other_fields_are_ignored(parsed: Parsed, field: str) -> None:
    """The vendor adds fields: a new one must not stop the known ones."""
    assert parsed({"anything": []}, field=field) == []


def test_an_account_error_is_no_event(parsed: Parsed) -> None:
    """It concerns no message."""
    assert parsed({"errors": [{"code": 130429}]}) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"object":"whatsapp_business_account"}',
        b'{"object":"whatsapp_business_account","entry":{}}',
        b'{"object":"whatsapp_business_account","entry":[1]}',
        b'{"object":"whatsapp_business_account","entry":[{}]}',
        b'{"object":"whatsapp_business_account","entry":[],"x":NaN}',
        b'{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":1}]}]}',
        b'{"object":"whatsapp_business_account","entry":[{"changes":[{"field":1,"value":{}}]}]}',
        b"[" * 100_000,
        b'{"object":"whatsapp_business_account","entry":[],"n":' + b"9" * 5000 + b"}",
    ],
)
def test_a_signed_body_that_cannot_be_read_is_rejected(channel: WhatsAppCloud, signed: Signed, body: bytes) -> None:
    """The vendor sends it again, and nothing half-read is stored."""
    with pytest.raises(WebhookRejectedError):
        channel.parse(channel.verify(signed(body)))


@pytest.mark.parametrize(
    "value",
    [
        {"statuses": {}},
        {"statuses": [1]},
        status(id=None),
        status(id=""),
        status(id="a b"),
        status(status=None),
        status(status="x" * 65),
        status(timestamp=None),
        status(timestamp="soon"),
        status(timestamp="-1"),
        status(timestamp=1.5),
        status(timestamp=True),
        status(timestamp="9" * 30),
        status() | {"metadata": {}},
        status() | {"metadata": {"phone_number_id": " "}},
        status() | {"metadata": {"phone_number_id": 7}},
        inbound("text", {}),
        inbound("text", {"body": 7}),
        inbound("text", None),
        inbound("text", {"body": "x"}, id=None),
        inbound("text", {"body": "x"}, timestamp=None),
        inbound("text", {"body": "x"}, type=None),
        inbound("system", {}, id=None),
        inbound("system", {}, timestamp=None),
    ],
)
def test_an_update_without_what_it_needs_is_rejected(parsed: Parsed, value: Any) -> None:
    """An event without its id, time or account could be counted twice or for another."""
    with pytest.raises(WebhookRejectedError):
        parsed(value)


def test_a_template_event_without_owner_is_rejected(parsed: Parsed) -> None:
    """Nobody could say whose template it is."""
    with pytest.raises(WebhookRejectedError):
        parsed({"event": "APPROVED"}, field="message_template_status_update", id=None)


@pytest.mark.parametrize(("depth", "fits"), [(20, True), (21, False)])
def test_depth_is_bounded(channel: WhatsAppCloud, signed: Signed, depth: int, fits: bool) -> None:
    """A small body must not cost much."""
    nested: Any = {}
    for _ in range(depth - 2):
        nested = [nested]
    envelope = channel.verify(signed({"object": "whatsapp_business_account", "entry": [], "x": nested}))

    if fits:
        assert list(channel.parse(envelope)) == []
    else:
        with pytest.raises(WebhookRejectedError):
            channel.parse(envelope)


def test_the_number_of_updates_is_bounded(parsed: Parsed) -> None:
    """The vendor promises at most a thousand; more is somebody else's doing."""
    (update,) = status()["statuses"]

    assert len(parsed({"statuses": [update] * 600}, {"statuses": [update] * 400})) == 1000
    with pytest.raises(WebhookRejectedError):
        parsed({"statuses": [update] * 600}, {"statuses": [update] * 401})
    with pytest.raises(WebhookRejectedError):
        parsed(*[{}] * 1001, field="novelty")
    for field in ("user_preferences", "user_id_update"):
        with pytest.raises(WebhookRejectedError, match="too many"):
            parsed({field: [{}] * 1001}, field=field)


def test_a_rejection_quotes_nothing_of_the_body(channel: WhatsAppCloud, signed: Signed) -> None:
    """Rejections are logged; bodies hold phones and words of debtors."""
    body = b'{"object":"whatsapp_business_account","entry":[{"changes":"+51987654321 Ana"'

    with pytest.raises(WebhookRejectedError) as caught:
        channel.parse(channel.verify(signed(body)))

    assert "987" not in str(caught.value) + repr(caught.value)
    assert caught.value.__context__ is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["messages", "1", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("object", "entry", "changes", "field", "value", "metadata", "statuses", "messages", "id", "type"),
                    *("text", "body", "timestamp", "from", "context", "errors", "interactive", "contacts", "user_id"),
                ]
            )
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
FIELDS = st.sampled_from(
    [
        *("messages", "user_preferences", "user_id_update"),
        *("message_template_status_update", "template_category_update", "account_update", "account_alerts"),
    ]
)
LISTS = st.sampled_from(["statuses", "messages", "user_preferences", "user_id_update", "contacts", "metadata", "event"])


@profile(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_rejected(channel: WhatsAppCloud, signed: Signed, body: bytes) -> None:
    """An exception of another kind would take the web server's worker with it."""
    envelope = channel.verify(signed(body))

    with contextlib.suppress(WebhookRejectedError):
        channel.parse(envelope)


@profile(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=FIELDS, value=st.dictionaries(LISTS, JSON | st.lists(JSON, max_size=3)), time=JSON)
def test_any_value_inside_the_envelope_is_read_or_rejected(parsed: Parsed, field: str, value: Any, time: Any) -> None:
    """The same with the outer shape right, so that the inner readers are reached."""
    with contextlib.suppress(WebhookRejectedError):
        parsed(value, field=field, time=time)


@profile(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=JSON,
    changes=st.dictionaries(
        st.sampled_from(["from", "from_user_id", "context", "id", "timestamp", "errors", "pricing", "status"]), JSON
    ),
    kind=st.sampled_from(
        ["text", "button", "interactive", "image", "contacts", "system", "status", "reaction", "unsupported"]
    ),
)
def test_any_field_of_an_update_is_read_or_rejected(parsed: Parsed, content: Any, changes: Any, kind: str) -> None:
    """The same one level deeper: one wrong field in an update that is otherwise right."""
    value = status(**changes) if kind == "status" else inbound(kind, content, **changes)

    try:
        events = parsed(value)
    except WebhookRejectedError:
        return

    for event in events:
        json.dumps(dict(event.raw), allow_nan=False).encode()
        assert event.text is None or event.text.encode()


def envelope_of(field: str, updates: list[Any], time: Any) -> dict[str, Any]:
    value: Any = {"metadata": {"phone_number_id": "106540352242922"}}
    for update in updates:
        for name, part in update.items():
            value.setdefault(name, []).extend(part)
    entry = {"id": "102290129340398", "changes": [{"field": field, "value": value}]}
    return {"object": "whatsapp_business_account", "entry": [entry | ({} if time is None else {"time": time})]}


def turned(value: Any) -> Any:
    """The same JSON with the keys of each object the other way round."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(item) for item in value] if isinstance(value, list) else value


UPDATES = st.one_of(
    st.builds(status, st.sampled_from(["sent", "delivered", "read", "failed", "played", "novelty"]), errors=JSON),
    st.builds(
        inbound,
        st.sampled_from(["text", "button", "interactive", "image", "location", "reaction", "unsupported", "system"]),
        st.fixed_dictionaries({"body": st.text(), "text": st.text()}, optional={"type": JSON, "emoji": JSON}),
        context=JSON,
        errors=JSON,
    ),
    st.builds(
        lambda fields: {"user_preferences": [fields]}, st.fixed_dictionaries({"value": st.just("stop"), "x": JSON})
    ),
)


@profile(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    field=FIELDS,
    updates=st.lists(UPDATES, max_size=3),
    time=st.none() | st.integers(0, 2**33),
    later=st.timedeltas(timedelta(0), timedelta(days=7)),
)
def test_a_redelivery_has_the_same_keys_whatever_it_holds(
    channel: WhatsAppCloud, signed: Signed, field: str, updates: list[Any], time: Any, later: timedelta
) -> None:
    """The vendor repeats for seven days and promises no order of keys: one answer must stay one answer."""
    document = envelope_of(field, updates, time)
    first, second = signed(document), evolve(signed(turned(document)), received_at=NOW + later)

    try:
        events = list(channel.parse(channel.verify(first)))
    except WebhookRejectedError:
        with pytest.raises(WebhookRejectedError):
            channel.parse(channel.verify(second))
        return

    again = list(channel.parse(channel.verify(second)))
    assert [event.key for event in events] == [event.key for event in again]
    assert [(event.kind, event.account, event.raw) for event in events] == [
        (event.kind, event.account, event.raw) for event in again
    ]
    for event in events:
        json.dumps(dict(event.raw), allow_nan=False)


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    """Debtors write in every script."""
    assert is_opt_out(text) in {True, False}
