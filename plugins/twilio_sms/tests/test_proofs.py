"""
Signatures as the vendor makes them, whatever lies between it and us; and what strangers may write.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from functools import cache
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import Event, WebhookRejectedError, WebhookRequest
from cobranza_sdk.testing import make_provider
from cobranza_twilio_sms._channel import TwilioSms

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
TOKEN = "12345678901234567890123456789012"
SHARED = "sharedkey_secret_0001"
SID = "SM00000000000000000000000000000001"
SETTINGS = {"account_sid": "AC" + "0" * 32, "auth_token": TOKEN, "from_number": "+15005550006"}
HEADER = "X-Twilio-Webhooks-Signature-Settings"

FORM = "application/x-www-form-urlencoded; charset=UTF-8"
JSON = "application/json"


@cache
def channel(*, shared: bool = False, public_url: str | None = None) -> TwilioSms:
    keys = {"shared_keys": {"k1": SHARED}} if shared else {}
    public = {} if public_url is None else {"public_url": public_url}
    return make_provider(TwilioSms, {**SETTINGS, **keys, **public})


def signature(message: str, *, shared: bool) -> str:
    """
    Written out, so that the plugin's own signing is not its only proof.
    """
    key, digest = (SHARED, "sha256") if shared else (TOKEN, "sha1")
    return base64.b64encode(hmac.new(key.encode(), message.encode(), digest).digest()).decode()


def signed(url: str, seen: str, body: bytes, fields: str, *, kind: str, shared: bool) -> WebhookRequest:
    """
    A request to *url*, as it is *seen* behind a proxy.
    """
    if kind == JSON:
        mark = "&" if "?" in url else "?"
        proof = f"{mark}bodySHA256={hashlib.sha256(body).hexdigest()}"
        url, seen, fields = url + proof, seen + proof, ""
    headers = {"Content-Type": kind, "x-twilio-signature": signature(url + fields, shared=shared)}
    if shared:
        headers[HEADER] = "key=k1, algorithm=HMAC_SHA256"
    return WebhookRequest(method="POST", url=seen, headers=headers, body=body, received_at=NOW)


@pytest.mark.parametrize("shared", [False, True], ids=["sha1", "sha256"])
@pytest.mark.parametrize("kind", [FORM, JSON], ids=["form", "json"])
@pytest.mark.parametrize(
    ("public_url", "seen", "called"),
    [
        (None, "https://h.example.com/webhooks/sms?ref=1", "https://h.example.com/webhooks/sms?ref=1"),
        (None, "https://h.example.com/webhooks/sms?ref=1", "https://h.example.com:443/webhooks/sms?ref=1"),
        (None, "https://h.example.com:443/webhooks/sms?ref=1", "https://h.example.com/webhooks/sms?ref=1"),
        (None, "https://h.example.com:8443/webhooks/sms?ref=1", "https://h.example.com/webhooks/sms?ref=1"),
        (None, "http://h.example.com/webhooks/sms?ref=1", "http://h.example.com:80/webhooks/sms?ref=1"),
        ("https://h.example.com", "http://10.0.0.7:8000/webhooks/sms?ref=1", "https://h.example.com/webhooks/sms?ref=1"),
        ("https://h.example.com/cb", "http://10.0.0.7/webhooks/sms?ref=1", "https://h.example.com/cb?ref=1"),
        ("https://h.example.com/cb#rc=3", "http://10.0.0.7/webhooks/sms?ref=1", "https://h.example.com:443/cb?ref=1"),
        ("https://h.example.com:8443/cb", "http://10.0.0.7/webhooks/sms?ref=1", "https://h.example.com/cb?ref=1"),
        ("https://h.example.com:8443/cb", "http://10.0.0.7/webhooks/sms?ref=1", "https://h.example.com:8443/cb?ref=1"),
    ],
)  # fmt: skip
def test_ports_and_proxies_do_not_hide_the_vendor(
    public_url: str | None, seen: str, called: str, kind: str, *, shared: bool
) -> None:
    """
    The same for forms and for JSON, for both ways of signing.
    """
    body = b'{"a":1}' if kind == JSON else b"B=%C3%A9&A="
    request = signed(called, seen, body, "A" + "B\u00e9", kind=kind, shared=shared)

    assert channel(shared=shared, public_url=public_url).verify(request).scheme.startswith("hmac-")


@pytest.mark.parametrize("kind", [FORM, JSON], ids=["form", "json"])
@pytest.mark.parametrize(
    "called",
    [
        "https://h.example.com:444/webhooks/sms",
        "http://h.example.com/webhooks/sms",
        "https://h.example.com/webhooks/sms/",
        "https://h.example.com/webhooks/SMS",
        "https://h.example.com/webhooks/sms?",
    ],
)
def test_what_was_signed_for_another_address_is_refused(called: str, kind: str) -> None:
    """
    Only ports are forgiven: another path, scheme or query is another endpoint.
    """
    seen = "https://h.example.com/webhooks/sms"
    body = b"{}" if kind == JSON else b"A=1"
    request = signed(called, seen, body, "A1", kind=kind, shared=False)

    with pytest.raises(WebhookRejectedError):
        channel().verify(request)


def test_a_proven_json_body_needs_both_proofs() -> None:
    """
    A hash that holds without a signature, and a signature over a hash that does not hold, are worth nothing.
    """
    url = "https://h.example.com/cb"
    good = signed(url, url, b"{}", "", kind=JSON, shared=False)
    unsigned = {**good.headers, "x-twilio-signature": signature(url, shared=False)}

    assert channel().verify(good)
    for request in (
        WebhookRequest(method="POST", url=good.url, headers=unsigned, body=b"{}", received_at=NOW),
        WebhookRequest(method="POST", url=good.url, headers=good.headers, body=b"{ }", received_at=NOW),
    ):
        with pytest.raises(WebhookRejectedError):
            channel().verify(request)


@pytest.mark.parametrize("url", ["https://[/cb", "https://h\u2100.example.com/cb", "https://[::1/cb", "https://h]/cb"])
@pytest.mark.parametrize("public_url", [None, "https://h.example.com", "https://h.example.com/cb"])
def test_a_host_that_is_none_is_refused(url: str, public_url: str | None) -> None:
    """
    The address comes from a header that anybody writes; splitting such a one fails.
    """
    request = WebhookRequest(
        method="POST", url=url, headers={"X-Twilio-Signature": "AAAA"}, body=b"A=1", received_at=NOW
    )

    with pytest.raises(WebhookRejectedError):
        channel(public_url=public_url).verify(request)


NAMES = ["MessageSid", "SmsSid", "MessageStatus", "SmsStatus", "Body", "From", "To", "AccountSid", "ErrorCode", "ref"]
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.sampled_from([SID, "failed", "delivered", "30003", "+525512345678", "BAJA", "STOP", "AC1"]),
)
FIELDS = st.dictionaries(
    st.one_of(st.sampled_from([*NAMES, "OptOutType", "RawDlrDoneDate", "ErrorMessage"]), VALUES), VALUES, max_size=12
)


@given(fields=FIELDS, query=FIELDS, shared=st.booleans())
def test_whatever_the_vendor_signs_is_events_or_refused(
    fields: dict[str, str], query: dict[str, str], *, shared: bool
) -> None:
    """
    A field that nobody thought of must not stop the endpoint, for the vendor repeats nothing.
    """
    url = f"https://h.example.com/cb?{urlencode(query, quote_via=quote)}"
    message = "".join(name + fields[name] for name in sorted(fields))
    request = signed(url, url, urlencode(fields).encode(), message, kind=FORM, shared=shared)
    reader = channel(shared=shared)

    envelope = reader.verify(request)
    try:
        events = reader.parse(envelope)
    except WebhookRejectedError:
        return

    assert all(isinstance(event, Event) for event in events)
    assert len(events) <= 1


@given(body=st.one_of(st.binary(max_size=80), st.recursive(st.none() | VALUES, st.lists).map(repr).map(str.encode)))
def test_whatever_json_the_vendor_signs_is_nothing_to_report_or_refused(body: bytes) -> None:
    """
    Other products of the vendor post to the same address.
    """
    url = "https://h.example.com/cb"
    reader = channel()

    envelope = reader.verify(signed(url, url, body, "", kind=JSON, shared=False))
    try:
        events = reader.parse(envelope)
    except WebhookRejectedError:
        return

    assert events == ()


@given(
    url=st.one_of(
        st.text(max_size=60),
        st.from_regex(r"https?://[a-z\[\]:@.]{0,12}(:[0-9a-z]{0,6})?/?[^\s]{0,20}", fullmatch=True),
    ),
    method=st.sampled_from(["POST", "GET", "post", ""]),
    body=st.one_of(st.binary(max_size=80), FIELDS.map(lambda fields: urlencode(fields).encode())),
    headers=st.dictionaries(
        st.sampled_from(["X-Twilio-Signature", "Content-Type", HEADER, "Host", "X-Forwarded-Host"]),
        st.one_of(
            st.text(max_size=30),
            st.sampled_from([JSON, FORM, "AAAA", "key=k1,algorithm=HMAC_SHA256", "algorithm=HMAC_SHA1", "=,,=", "key"]),
        ),
    ),
    shared=st.booleans(),
    public_url=st.sampled_from([None, "https://h.example.com", "https://h.example.com:8443/cb?x=1#rc=3"]),
)
def test_nothing_a_stranger_writes_is_proven_or_crashes(
    url: str, method: str, body: bytes, headers: dict[str, str], *, shared: bool, public_url: str | None
) -> None:
    """
    Everything before the signature is written by strangers, the choice of how it is signed included.
    """
    request = WebhookRequest(method=method, url=url, headers=headers, body=body, received_at=NOW)

    with pytest.raises(WebhookRejectedError):
        channel(shared=shared, public_url=public_url).verify(request)
