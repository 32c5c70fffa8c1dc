"""
Verify first, then parse.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cobranza_sdk import Event, EventKind, Secret, VerifiedEnvelope, WebhookRejectedError, WebhookRequest
from cobranza_twilio_sms._channel import TwilioSms
from cobranza_twilio_sms._webhooks import is_opt_out, parse_envelope, sign

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
TOKEN = "12345678901234567890123456789012"
SID = "SM00000000000000000000000000000001"
STATUS_URL = "https://hooks.example.com/twilio/status?ref=msg_1"
STATUS = {
    "MessageSid": SID,
    "MessageStatus": "delivered",
    "To": "+525512345678",
    "From": "+15005550006",
    "ErrorCode": "",
}
STATUS_SIGNATURE = "+mB1mRJ5cGzYkIeWd/SGl0cOwi8="
EVENTS_URL = (
    "https://hooks.example.com/twilio/events"
    "?bodySHA256=b3a092a6af48807fa9482b2ee140105575daa26d5b24b3c0e60a7e2dee6683b1"
)
EVENTS_BODY = '{"a":"é"}'.encode()
EVENTS_SIGNATURE = "igSTMf3xFioJ96eyv22SQAKt69Y="
SHARED_SECRET = "sharedkey_secret_0001"
SHARED_SIGNATURE = "KG3R/pH5wNCd7DZgcLxTJv2TOb4pC/8bCt/+Pd1Pizk="
SETTINGS_HEADER = "X_Twilio_Webhooks_Signature_Settings"
FORM = urlencode(STATUS).encode()

Webhook = Callable[..., WebhookRequest]
Build = Callable[..., TwilioSms]


def by_hand(url: str, message: str = "", token: str = TOKEN) -> str:
    """
    A signature written out, so that the plugin's own signing is not its only proof.
    """
    return base64.b64encode(hmac.new(token.encode(), (url + message).encode(), hashlib.sha1).digest()).decode()


def envelope(fields: dict[str, str], url: str = STATUS_URL, scheme: str = "hmac-sha1") -> VerifiedEnvelope:
    request = WebhookRequest(method="POST", url=url, headers={}, body=b"", received_at=NOW)
    signed = url.encode() + b"\n" + urlencode(fields).encode()
    return request.verified(account="AC1", scheme=scheme, signed=signed)


def parse_one(fields: dict[str, str], url: str = STATUS_URL) -> Event:
    (event,) = parse_envelope(envelope(fields, url))
    return event


def test_the_vendors_form_vector_is_proven(channel: TwilioSms, webhook: Webhook) -> None:
    """
    Computed with the vendor's own library: blank values count and fields are sorted.
    """
    proven = channel.verify(webhook(STATUS_URL, FORM, STATUS_SIGNATURE))

    assert proven.scheme == "hmac-sha1"
    assert proven.account == channel.account
    (event,) = channel.parse(proven)
    assert (event.kind, event.key, event.attempt_id) == (EventKind.DELIVERED, f"{SID}:delivered", "msg_1")


def test_the_vendors_json_vector_is_proven(channel: TwilioSms, webhook: Webhook) -> None:
    """
    A JSON body is covered by its hash in the address; events of other products are nothing to report.
    """
    request = webhook(EVENTS_URL, EVENTS_BODY, EVENTS_SIGNATURE, Content_Type="application/json; charset=utf-8")

    assert channel.parse(channel.verify(request)) == ()


def test_the_vendors_shared_key_vector_is_proven(build: Build, webhook: Webhook) -> None:
    """
    Accounts moved to shared keys sign with SHA-256 and name the key.
    """
    channel = build(shared_keys={"k1": SHARED_SECRET})
    request = webhook(STATUS_URL, FORM, SHARED_SIGNATURE, **{SETTINGS_HEADER: "key=k1,algorithm=HMAC_SHA256"})

    assert channel.verify(request).scheme == "hmac-sha256"


@pytest.mark.parametrize("header", ["", "key=k1", "key=k1,algorithm=HMAC_SHA1"])
def test_a_shared_key_cannot_be_downgraded(build: Build, webhook: Webhook, header: str) -> None:
    """
    Who stole an old token must not get in by leaving a header out.
    """
    channel = build(shared_keys={"k1": SHARED_SECRET})

    with pytest.raises(WebhookRejectedError):
        channel.verify(webhook(STATUS_URL, FORM, STATUS_SIGNATURE, **{SETTINGS_HEADER: header}))


@pytest.mark.parametrize(
    "header",
    [
        "key=k2,algorithm=HMAC_SHA256",
        "algorithm=HMAC_SHA256",
        "key=k1,algorithm=NONE",
        "key=k1,algorithm=",
        "key=k1,key=k2,algorithm=HMAC_SHA256",
    ],
)
def test_a_shared_key_must_be_named_and_its_algorithm_known(build: Build, webhook: Webhook, header: str) -> None:
    """
    What we do not understand is refused, not guessed.
    """
    channel = build(shared_keys={"k1": SHARED_SECRET})

    with pytest.raises(WebhookRejectedError):
        channel.verify(webhook(STATUS_URL, FORM, SHARED_SIGNATURE, **{SETTINGS_HEADER: header}))


def test_every_token_of_a_rotation_is_tried(build: Build, webhook: Webhook) -> None:
    """
    While a token is rotated the vendor signs with either.
    """
    rotated = build(auth_token=["new-token", TOKEN])

    assert rotated.verify(webhook(STATUS_URL, FORM, STATUS_SIGNATURE))
    assert rotated.verify(webhook(STATUS_URL, FORM, sign("new-token", STATUS_URL, STATUS.items())))


def test_repeated_fields_count_once_per_value(channel: TwilioSms, webhook: Webhook) -> None:
    """
    The vendor signs each distinct value of a repeated name, in order.
    """
    signature = by_hand(STATUS_URL, "A" + "A1" + "A2" + "B x")

    assert channel.verify(webhook(STATUS_URL, b"B=+x&A=2&A=1&A=2&A=", signature))


@pytest.mark.parametrize(
    ("called", "signed"),
    [
        ("https://hooks.example.com/cb?x=1", "https://hooks.example.com:443/cb?x=1"),
        ("https://hooks.example.com:443/cb", "https://hooks.example.com/cb"),
        ("https://hooks.example.com:8443/cb", "https://hooks.example.com/cb"),
        ("https://hooks.example.com:8443/cb", "https://hooks.example.com:8443/cb"),
        ("http://hooks.example.com/cb?", "http://hooks.example.com:80/cb?"),
        ("http://[::1]:8000/cb", "http://[::1]/cb"),
        ("https://hooks.example.com/cb#rc=3", "https://hooks.example.com/cb"),
    ],
)
def test_the_port_may_or_may_not_be_signed(channel: TwilioSms, webhook: Webhook, called: str, signed: str) -> None:
    """
    The vendor is inconsistent about ports, and drops what follows a #.
    """
    assert channel.verify(webhook(called, b"A=1", by_hand(signed, "A1")))


@pytest.mark.parametrize("called", ["https://evil.example.com/cb", "https://hooks.example.com/other"])
def test_another_address_is_not_proven(channel: TwilioSms, webhook: Webhook, called: str) -> None:
    """
    A request signed for another endpoint must not be replayed at ours.
    """
    with pytest.raises(WebhookRejectedError):
        channel.verify(webhook(called, b"A=1", by_hand("https://hooks.example.com/cb", "A1")))


def test_a_configured_address_wins_over_what_the_proxy_says(build: Build, webhook: Webhook) -> None:
    """
    Behind a proxy the address seen is not the one signed; the query still comes from the request.
    """
    channel = build(public_url="https://hooks.example.com/twilio/status#rc=3&rp=all")

    proven = channel.verify(webhook("http://10.0.0.7:8000/webhooks/sms?ref=msg_1", FORM, STATUS_SIGNATURE))

    (event,) = channel.parse(proven)
    assert event.attempt_id == "msg_1"


def test_a_get_request_is_signed_by_its_address_alone(channel: TwilioSms, webhook: Webhook) -> None:
    """
    A webhook configured as GET carries its fields in the query.
    """
    url = f"{STATUS_URL}&{urlencode(STATUS)}"

    proven = channel.verify(webhook(url, b"MessageStatus=failed", by_hand(url), "GET"))

    (event,) = channel.parse(proven)
    assert event.kind is EventKind.DELIVERED


@pytest.mark.parametrize(
    "signature", [None, "", "ñ", "\ud800", "AAAA", STATUS_SIGNATURE.lower(), STATUS_SIGNATURE + "="]
)
def test_a_wrong_signature_is_refused(channel: TwilioSms, webhook: Webhook, signature: str | None) -> None:
    """
    Anybody can post to a public address; nothing but the signature tells who did.
    """
    with pytest.raises(WebhookRejectedError):
        channel.verify(webhook(STATUS_URL, FORM, signature))


@pytest.mark.parametrize(
    "body",
    [FORM.replace(b"delivered", b"failed"), FORM + b"&X=1", FORM.replace(b"ErrorCode=", b""), b"", b"\xff", b"%ff=1"],
)
def test_a_changed_body_is_refused(channel: TwilioSms, webhook: Webhook, body: bytes) -> None:
    """
    No field may be changed, added or dropped on the way.
    """
    with pytest.raises(WebhookRejectedError):
        channel.verify(webhook(STATUS_URL, body, STATUS_SIGNATURE))


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (EVENTS_URL, b'{"a":"e"}'),
        (EVENTS_URL.replace("b3a0", "b3a1"), EVENTS_BODY),
        ("https://hooks.example.com/twilio/events", EVENTS_BODY),
        (EVENTS_URL + "&bodySHA256=00", EVENTS_BODY),
    ],
)
def test_a_json_body_that_its_hash_does_not_cover_is_refused(
    channel: TwilioSms, webhook: Webhook, url: str, body: bytes
) -> None:
    """
    The signature itself says nothing of a JSON body.
    """
    request = webhook(url, body, by_hand(url), Content_Type="application/json")

    with pytest.raises(WebhookRejectedError):
        channel.verify(request)


def test_a_hash_in_capitals_is_the_same_hash(channel: TwilioSms, webhook: Webhook) -> None:
    """
    The vendor does not promise the case of the digits.
    """
    url, _, digest = EVENTS_URL.partition("=")
    url = f"{url}={digest.upper()}"

    assert channel.verify(webhook(url, EVENTS_BODY, by_hand(url), Content_Type="application/json"))


def test_the_content_type_cannot_turn_json_into_a_form(channel: TwilioSms, webhook: Webhook) -> None:
    """
    That header is not signed, so a forger may choose it.
    """
    with pytest.raises(WebhookRejectedError):
        channel.verify(webhook(EVENTS_URL, EVENTS_BODY, EVENTS_SIGNATURE))
    with pytest.raises(WebhookRejectedError):
        channel.verify(webhook(STATUS_URL, FORM, STATUS_SIGNATURE, Content_Type="application/json"))


def test_only_what_was_signed_is_handed_on(channel: TwilioSms, webhook: Webhook) -> None:
    """
    Order, repetition and headers are not signed: two requests that differ in them give the same envelope.
    """
    doubled = webhook(STATUS_URL + "#x", FORM + b"&ErrorCode=", STATUS_SIGNATURE, X_Forged="1")

    assert channel.verify(doubled).signed == channel.verify(webhook(STATUS_URL, FORM, STATUS_SIGNATURE)).signed


def test_without_a_token_nothing_is_proven(build: Build, webhook: Webhook) -> None:
    """
    An API key cannot verify webhooks, and an empty secret must not stand in.
    """
    channel = build(auth_token=None, api_key="SK1", api_secret="secret-of-the-key")

    with pytest.raises(WebhookRejectedError):
        channel.verify(webhook(STATUS_URL, FORM, sign("", STATUS_URL, STATUS.items())))


def test_a_secret_that_cannot_be_fetched_refuses(build: Build, webhook: Webhook) -> None:
    """
    A broken vault closes the door instead of crashing the endpoint.
    """

    def broken() -> str:
        msg = f"vault is sealed, token {TOKEN}"
        raise RuntimeError(msg)

    with pytest.raises(WebhookRejectedError) as caught:
        build(auth_token=Secret(broken)).verify(webhook(STATUS_URL, FORM, STATUS_SIGNATURE))

    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("sent", "sent"),
        ("delivered", "delivered"),
        ("read", "read"),
        ("undelivered", "failed"),
        ("failed", "failed"),
        ("partially_delivered", "failed"),
        ("teleported", "unknown"),
    ],
)
def test_a_status_becomes_an_event(word: str, kind: str) -> None:
    """
    What the vendor says is told in our words; what nobody knows is kept raw and counted.
    """
    event = parse_one({**STATUS, "MessageStatus": word, "AccountSid": "AC9"})

    assert (event.kind, event.key, event.raw["status"]) == (kind, f"{SID}:{word}", word)
    assert (event.account, event.provider_message_id, event.attempt_id) == ("AC9", SID, "msg_1")
    assert event.address is not None
    assert event.address.value == STATUS["To"]
    assert (event.error is not None) == (kind == "failed")


@pytest.mark.parametrize("word", ["accepted", "scheduled", "queued", "sending", "canceled", "receiving", "received"])
def test_a_status_without_news_is_nothing_to_report(word: str) -> None:
    """
    The attempt is already on record as accepted.
    """
    assert parse_envelope(envelope({**STATUS, "MessageStatus": word})) == ()


def test_a_failure_carries_its_class_and_keeps_the_vendors_words_apart() -> None:
    """
    The next step depends on the class; the words may quote the number.
    """
    fields = {**STATUS, "MessageStatus": "undelivered", "ErrorCode": "30005", "ErrorMessage": "Unknown +525512345678"}

    event = parse_one({**fields, "RawDlrDoneDate": "2608051200"})

    assert event.error is not None
    assert (event.error.category, event.error.disposition, event.error.transmitted) == ("recipient", "never", "yes")
    assert event.raw == {"status": "undelivered", "error_code": 30005, "carrier_done_at": "2608051200"}
    assert "5512345678" not in f"{event!r} {event.error} {event.error!r}"


def test_a_failure_for_an_opt_out_says_so() -> None:
    """
    Who said stop to the vendor has said stop to us.
    """
    event = parse_one({**STATUS, "MessageStatus": "failed", "ErrorCode": "21610"})

    assert event.error is not None
    assert event.error.category == "opted_out"


def test_time_is_when_it_came_in_as_utc() -> None:
    """
    The vendor signs no time, so no field of the body may set one.
    """
    lima = timezone(timedelta(hours=-5))
    request = WebhookRequest(method="POST", url="", headers={}, body=b"", received_at=NOW.astimezone(lima))
    signed = STATUS_URL.encode() + b"\n" + FORM

    (event,) = parse_envelope(request.verified(account="AC1", scheme="hmac-sha1", signed=signed))

    assert event.occurred_at == NOW
    assert event.occurred_at.tzinfo is UTC
    assert event.account == "AC1"


@pytest.mark.parametrize(
    "query", ["", "?ref=", "?ref=a&ref=b", "?ref=" + "x" * 33, "?ref=a%20b", "?ref=%C3%A9", "?x=1"]
)
def test_a_reference_that_is_not_ours_is_none(query: str) -> None:
    """
    A guessed attempt is worse than none: the sid still finds it.
    """
    assert parse_one(STATUS, f"https://hooks.example.com/cb{query}").attempt_id is None


INBOUND = {"MessageSid": SID, "SmsStatus": "received", "From": "+525512345678", "To": "+15005550006", "NumMedia": "0"}


@pytest.mark.parametrize(
    ("text", "opt_out_type", "kind"),
    [
        ("Ya pagué ayer", "", "inbound_message"),
        ("BAJA", "", "opt_out"),
        ("lo que sea", "STOP", "opt_out"),
        ("lo que sea", "START", "opt_in"),
        ("BAJA", "START", "opt_in"),
        ("HELP", "HELP", "inbound_message"),
        ("START", "", "opt_in"),
        ("¡Unstop!", "", "opt_in"),
        ("Reativar", "", "opt_in"),
        ("START", "HELP", "inbound_message"),
        ("BAJA", "HELP", "inbound_message"),
        ("START", "STOP", "opt_out"),
        ("Sí", "", "inbound_message"),
        ("YES", "", "inbound_message"),
        ("Alta", "", "inbound_message"),
        ("start paying", "", "inbound_message"),
        ("BAJA", "SURPRISE", "opt_out"),
        ("", "", "inbound_message"),
    ],
)
def test_a_reply_becomes_an_event_with_its_words(text: str, opt_out_type: str, kind: str) -> None:
    """
    The vendor's own verdict on an opt-out comes first, then the words themselves.
    """
    extra = {"OptOutType": opt_out_type} if opt_out_type else {}

    event = parse_one({**INBOUND, "Body": text, **extra})

    assert (event.kind, event.key, event.text) == (kind, f"{SID}:inbound", text)
    assert event.address is not None
    assert (event.address.scheme, event.address.value) == ("e164", "+525512345678")


def test_a_reply_from_a_short_code_has_no_address() -> None:
    """
    A carrier's own message is no debtor's, and must not be refused for ever either.
    """
    assert parse_one({**INBOUND, "Body": "Recarga", "From": "2255"}).address is None


@pytest.mark.parametrize(
    "text",
    [
        "BAJA",
        " baja. ",
        "¡Alto!",
        "no más",
        "NO\nMAS",
        "Desuscribir",
        "salir",
        "SAIR",
        "Não quero mais",
        "stop",
        "STOP ALL",
        "Opt-out",
        "Unsubscribe!!",
        "\uff33\uff34\uff2f\uff30",
        "cancelar",
        "dar de baja",
        "QUIT",
        "REVOKE",
        "End",
        "OPTOUT",
        "stopall",
        "cancel",
        "Remover",
        "DESCADASTRAR",
        "Quero sair.",
        "não mais",
        "Parem!!!",
        "no molestar",
        "No me escriban más",
        "Deme de baja",
        "pare",
        "parar",
    ],
)
def test_a_whole_message_that_says_stop_is_an_opt_out(text: str) -> None:
    """
    The vendor knows English words only; our debtors write in others.
    """
    assert is_opt_out(text)


@pytest.mark.parametrize(
    "text",
    ["no puedo bajar el monto", "cancelar la factura", "quiero parar de deber", "alto monto", "", "👍", "no", "mas"],
)
def test_a_sentence_that_only_holds_such_a_word_is_none(text: str) -> None:
    """
    Someone who writes of cancelling an invoice wants to pay.
    """
    assert not is_opt_out(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"MessageSid": ""},
        {"MessageSid": "SM1"},
        {"MessageSid": SID + "\n"},
        {"MessageStatus": ""},
        {"MessageStatus": "de livered"},
        {"MessageStatus": "x" * 65},
        {"AccountSid": "AC 9"},
    ],
)
def test_a_status_that_cannot_be_read_is_refused(changes: dict[str, str]) -> None:
    """
    A signed body that makes no sense is an incident, not an event.
    """
    with pytest.raises(WebhookRejectedError):
        parse_envelope(envelope({**STATUS, **changes}))


def test_a_field_with_two_values_is_refused() -> None:
    """
    Picking one of them would be guessing.
    """
    request = WebhookRequest(method="POST", url="", headers={}, body=b"", received_at=NOW)
    signed = STATUS_URL.encode() + b"\n" + FORM + b"&MessageStatus=failed"

    with pytest.raises(WebhookRejectedError):
        parse_envelope(request.verified(account="AC1", scheme="hmac-sha1", signed=signed))


def test_a_reply_without_a_sender_is_refused() -> None:
    """
    Words of nobody can't be filed.
    """
    with pytest.raises(WebhookRejectedError):
        parse_envelope(envelope({**INBOUND, "Body": "hola", "From": ""}))


FIELD_NAMES = ["MessageSid", "SmsSid", "MessageStatus", "SmsStatus", "Body", "From", "To", "AccountSid", "ErrorCode"]
FIELDS = st.dictionaries(
    st.sampled_from([*FIELD_NAMES, "OptOutType", "NumMedia", "RawDlrDoneDate", "ErrorMessage"]),
    st.one_of(st.text(max_size=40), st.just(SID), st.sampled_from(["failed", "30003", "+525512345678"])),
)


@given(
    signed=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=60).map(lambda tail: STATUS_URL.encode() + b"\n" + FORM + tail),
        FIELDS.map(lambda fields: STATUS_URL.encode() + b"\n" + urlencode(fields).encode()),
    ),
    scheme=st.sampled_from(["hmac-sha1", "hmac-sha1+bodysha256", "other"]),
)
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_signed_bytes_make_it_raise_anything_else(signed: bytes, scheme: str) -> None:
    """
    The endpoint answers a rejected webhook; any other exception would be a crash that an outsider can cause.
    """
    request = WebhookRequest(method="POST", url="", headers={}, body=b"", received_at=NOW)
    try:
        events = parse_envelope(request.verified(account="AC1", scheme=scheme, signed=signed))
    except WebhookRejectedError:
        return

    assert all(isinstance(event, Event) for event in events)


@pytest.mark.parametrize("scheme", ["hmac-sha1", "hmac-sha1+bodysha256"])
def test_a_bottomless_body_is_refused(scheme: str) -> None:
    """
    Nesting without end overflows a JSON parser's stack; a million fields keep a form parser busy.
    """
    request = WebhookRequest(method="POST", url="", headers={}, body=b"", received_at=NOW)
    for body in (b"[" * 200_000, b"a=1&" * 20_000):
        with pytest.raises(WebhookRejectedError):
            parse_envelope(request.verified(account="AC1", scheme=scheme, signed=b"u\n" + body))


@given(
    url=st.text(max_size=60),
    body=st.binary(max_size=80),
    signature=st.text(max_size=40),
    kind=st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]),
    mode=st.text(max_size=30),
)
@hypothesis_settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
def test_no_request_makes_verifying_raise_anything_else(  # fixtures
    channel: TwilioSms, url: str, body: bytes, signature: str, kind: str, mode: str
) -> None:
    """
    Everything before the signature is written by strangers.
    """
    headers = {
        "X-Twilio-Signature": signature,
        "Content-Type": kind,
        "X-Twilio-Webhooks-Signature-Settings": mode,
    }
    request = WebhookRequest(method="POST", url=url, headers=headers, body=body, received_at=NOW)

    with pytest.raises(WebhookRejectedError):
        channel.verify(request)


def test_the_answer_sends_nothing_back(channel: TwilioSms) -> None:
    """
    Any text in the answer would go to the debtor as an SMS nobody judged.
    """
    assert channel.acknowledge() == ("text/xml", "<Response/>")
