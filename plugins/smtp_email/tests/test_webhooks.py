"""
One-click unsubscribe: who may, and what it brings.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import EventKind, InvalidValueError, Secret, WebhookRejectedError, WebhookRequest
from cobranza_sdk.testing import make_provider
from cobranza_smtp_email._channel import SmtpEmail
from cobranza_smtp_email._config import SmtpEmailSettings
from cobranza_smtp_email._webhooks import make_link

BASE = "https://cobranza.example.com/webhooks/email"
SECRET = "one-secret-of-thirty-two-letters"
ATTEMPT = "01j4k5m6n7p8q9r0s1t2v3w4x5"
LINK = make_link(BASE, ATTEMPT, Secret(SECRET))
FORM = "application/x-www-form-urlencoded"
BODY = b"List-Unsubscribe=One-Click"
MULTIPART = (
    b'--frontier\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--frontier--\r\n'
)


def make_channel(**settings: Any) -> SmtpEmail:
    fields = {"host": "127.0.0.1", "tls": "none", "from_address": "cobranza@example.com", "unsubscribe_secret": SECRET}
    return make_provider(SmtpEmail, {**fields, **settings}, webhook_url=BASE)


def request(url: str = LINK, *, method: str = "POST", kind: str = FORM, body: bytes = BODY) -> WebhookRequest:
    at = datetime(2026, 8, 5, 12, 0, tzinfo=timezone(timedelta(hours=-5)))
    return WebhookRequest(method=method, url=url, headers={"Content-Type": kind}, body=body, received_at=at)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, BODY),
        (FORM + "; charset=utf-8", BODY + b"\r\n"),
        ("", BODY),
        ("multipart/form-data; boundary=frontier", MULTIPART),
    ],
)
def test_a_posted_link_opts_out(kind: str, body: bytes) -> None:
    """
    RFC 8058 allows both forms, and a mail program that gets an error reports spam instead.
    """
    channel = make_channel()

    (event,) = channel.parse(channel.verify(request(kind=kind, body=body)))

    assert (event.kind, event.key, event.attempt_id) == (EventKind.OPT_OUT, f"unsub:{ATTEMPT}", ATTEMPT)
    assert (event.account, event.address) == ("cobranza@example.com", None)
    assert event.occurred_at == datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
    assert event.occurred_at.tzinfo is UTC


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_a_fetched_link_changes_nothing(method: str) -> None:
    """
    Scanners fetch every link of every mail: they would unsubscribe everybody.
    """
    with pytest.raises(WebhookRejectedError):
        make_channel().verify(request(method=method))


def test_who_opens_the_link_is_told_how_to_leave() -> None:
    """
    Some mail programs only open it: a refusal there would end in a complaint.
    """
    told = make_channel().challenge(request(method="GET", body=b""))

    assert told is not None
    assert all(word in told for word in ("BAJA", "SAIR", "STOP"))


@pytest.mark.parametrize(
    "other",
    [
        request(),
        request(f"{BASE}?t=canary", method="GET"),
        request(BASE, method="GET"),
        request(LINK, method="PUT"),
    ],
)
def test_nothing_else_is_a_handshake(other: WebhookRequest) -> None:
    """
    What is answered here is not verified, and so must not swallow what has to be.
    """
    assert make_channel().challenge(other) is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b""),
        (FORM, b"List-Unsubscribe=no"),
        (FORM, BODY + b"&List-Unsubscribe=One-Click"),
        (FORM, b"x" * 5000),
        ("application/json", BODY),
        ("text/plain", BODY),
        ("multipart/form-data", MULTIPART),
        ("multipart/form-data; boundary=other", MULTIPART),
        ("multipart/form-data; boundary=frontier", MULTIPART.replace(b"One-Click", b"no")),
        ("multipart/form-data; boundary=frontier", b""),
    ],
)
def test_another_body_is_rejected(kind: str, body: bytes) -> None:
    """
    The link alone may come from a crawler: the body says that a reader pressed the button.
    """
    with pytest.raises(WebhookRejectedError):
        make_channel().verify(request(kind=kind, body=body))


def _token(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


GENUINE = LINK.partition("?t=")[2]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "t=",
        "t=%00",
        "t=ñ",
        f"t={GENUINE}=",
        f"t={GENUINE}%21",
        f"t={GENUINE[:-4]}",
        f"t={GENUINE}&t={GENUINE}",
        f"u={GENUINE}",
        "t=" + _token(b"x" * 16),
        "t=" + _token(b"another-attempt" + b"x" * 16),
        "t=" + _token(b"x" * 500),
    ],
)
def test_another_link_is_rejected(query: str) -> None:
    """
    Nobody may unsubscribe others by guessing, and one link has one spelling.
    """
    with pytest.raises(WebhookRejectedError):
        make_channel().verify(request(f"{BASE}?{query}"))


@given(position=st.integers(0, len(GENUINE) - 1), letter=st.sampled_from("ABCabc019-_"))
def test_a_changed_link_is_rejected(position: int, letter: str) -> None:
    """
    Every character of the token is covered.
    """
    forged = GENUINE[:position] + letter + GENUINE[position + 1 :]
    if forged == GENUINE:
        return

    with pytest.raises(WebhookRejectedError):
        make_channel().verify(request(f"{BASE}?t={forged}"))


def test_another_secret_is_rejected() -> None:
    """
    Two installations must not take each other's links.
    """
    with pytest.raises(WebhookRejectedError):
        make_channel(unsubscribe_secret="another-secret").verify(request())


def test_without_a_secret_every_link_is_rejected() -> None:
    """
    No key must never mean "any signature will do".
    """
    fields = {"host": "127.0.0.1", "tls": "none", "from_address": "cobranza@example.com"}

    with pytest.raises(WebhookRejectedError):
        make_provider(SmtpEmail, fields).verify(request())


def test_an_older_secret_still_opens_its_links() -> None:
    """
    Mails are read months later: rotating the key must not take away anybody's way out.
    """
    channel = make_channel(unsubscribe_secret=["newer-secret", SECRET])

    assert channel.verify(request()).account == "cobranza@example.com"
    assert channel._link(ATTEMPT) == make_link(BASE, ATTEMPT, Secret("newer-secret"))


@pytest.mark.parametrize(
    "signed", [b"", b"{}", ATTEMPT.encode(), b"smtp_email/unsubscribe/1:", b"smtp_email/unsubscribe/1:\xff"]
)
def test_what_was_not_signed_for_this_is_not_read(signed: bytes) -> None:
    """
    A proof for something else, by the same key, opts nobody out.
    """
    channel = make_channel()

    with pytest.raises(WebhookRejectedError):
        channel.parse(request().verified(account="a", scheme="x", signed=signed))


def test_the_link_tells_nobody_whose_it_is() -> None:
    """
    Links end up in logs of proxies and scanners.
    """
    raw = base64.urlsafe_b64decode(GENUINE + "=" * (-len(GENUINE) % 4))

    assert raw.startswith(ATTEMPT.encode())
    assert len(raw) - len(ATTEMPT) >= 16


def test_a_rejection_quotes_nothing() -> None:
    """
    What strangers send does not get into our logs.
    """
    with pytest.raises(WebhookRejectedError) as caught:
        make_channel().verify(request(f"{BASE}?t=canary", body=b"canary"))

    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "webhook_url", "expected"),
    [
        (None, BASE, BASE),
        ("https://u.example.com/baja", BASE, "https://u.example.com/baja"),
        (None, "http://127.0.0.1:8000/webhooks/email", "http://127.0.0.1:8000/webhooks/email"),
        (None, "http://cobranza.example.com/webhooks/email", None),
        (None, None, None),
    ],
)
def test_links_start_where_they_can_work(url: str | None, webhook_url: str | None, expected: str | None) -> None:
    """
    Mail programs post to https only; http is for this machine.
    """
    fields = {"host": "127.0.0.1", "tls": "none", "from_address": "a@example.com", "unsubscribe_secret": SECRET}
    channel = make_provider(
        SmtpEmail, fields if url is None else {**fields, "unsubscribe_url": url}, webhook_url=webhook_url
    )

    link = channel._link(ATTEMPT)

    assert (link.partition("?")[0] if link else None) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"tls": "none", "host": "smtp.example.com"},
        {"tls": "optional"},
        {"host": ""},
        {"host": "https://smtp.example.com"},
        {"port": 0},
        {"port": 70000},
        {"max_connections": 0},
        {"max_connections": 21},
        {"mails_per_connection": 0},
        {"qr_for": ["http://pay.example.com/"]},
        {"qr_for": ["https://"]},
        {"bounce_address": "x"},
        {"unsubscribe_address": "x", "inbound_secret": Secret("y")},
        {"from_address": "Cobranza <cobranza@example.com>"},
        {"from_address": "peña@example.com"},
        {"reply_to": "a@b@example.com"},
        {"from_name": "x\r\nBcc: y@example.org"},
        {"from_name": "=?utf-8?q?x?="},
        {"unsubscribe_url": "http://cobranza.example.com/baja"},
        {"unsubscribe_url": "https://cobranza.example.com/baja?x=1"},
        {"unsubscribe_url": "https://"},
        {"unsubscribe_url": "https://cobranza.example.com/<>"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, Any]) -> None:
    """
    A mistake is told when the program starts and not with the first debtor.
    """
    fields = {"host": "smtp.example.com", "from_address": "cobranza@example.com"}

    with pytest.raises(InvalidValueError):
        SmtpEmailSettings(**{**fields, **changes})


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("implicit", 465), ("none", 25)])
def test_the_port_follows_the_mode(tls: str, port: int) -> None:
    """
    The usual ports need no setting.
    """
    settings = SmtpEmailSettings(host="localhost", from_address="a@example.com", tls=tls)

    assert settings.effective_port == port


def test_settings_show_no_secret_and_no_address() -> None:
    """
    They are printed when something goes wrong.
    """
    settings = SmtpEmailSettings(
        host="localhost",
        from_address="canary@example.com",
        reply_to="canary@example.com",
        username="canary",
        password=Secret("canary"),
        unsubscribe_secret=Secret("canary"),
    )

    assert "canary" not in repr(settings)
