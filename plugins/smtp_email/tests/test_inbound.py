"""
Mail that comes back: what is believed, what it brings, and that nothing breaks the reader.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import (
    Event,
    EventKind,
    InvalidValueError,
    OutboundMessage,
    Secret,
    WebhookRejectedError,
    WebhookRequest,
)
from cobranza_sdk.testing import make_provider
from cobranza_smtp_email._channel import SmtpEmail
from cobranza_smtp_email._config import SmtpEmailSettings
from cobranza_smtp_email._references import Sealed, opened, seal, tagged
from cobranza_smtp_email._sandbox import SmtpSandbox
from cobranza_smtp_email._sandbox_mails import Sent
from cobranza_smtp_email._signature import HEADER, sign
from cobranza_smtp_email._webhooks import make_link
from cobranza_smtp_email.deliver import MAX_MAIL

Make = Callable[..., OutboundMessage]
NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
SECRET = "an-inbound-secret-of-thirty-two-letters"
ATTEMPT = "01j4k5m6n7p8q9r0s1t2v3w4x5"
REFERENCE = seal(ATTEMPT, Secret(SECRET))
OURS = f"{REFERENCE}@example.com"
URL = "https://cobranza.example.com/webhooks/email"


def make_channel(**settings: Any) -> SmtpEmail:
    fields = {"host": "127.0.0.1", "tls": "none", "from_address": "cobranza@example.com", "inbound_secret": SECRET}
    return make_provider(SmtpEmail, {**fields, **settings}, webhook_url=URL)


def handed(mail: bytes, *, secret: str = SECRET, at: datetime = NOW, received: datetime = NOW) -> WebhookRequest:
    headers = {"Content-Type": "message/rfc822", HEADER: sign(mail, Secret(secret), at)}
    return WebhookRequest(method="POST", url=URL, headers=headers, body=mail, received_at=received)


def read(mail: bytes, **settings: Any) -> list[Event]:
    channel = make_channel(**settings)
    return list(channel.parse(channel.verify(handed(mail))))


def sent(**changes: Any) -> Sent:
    fields: dict[str, Any] = {
        "message_id": OURS,
        "sender": "cobranza@example.com",
        "recipient": "ana@example.net",
        "answers_to": "cobranza@example.com",
        "subject": "Recordatorio de pago",
        "text": "Hola, su cuota de 550 soles vence mañana.",
        "headers": f"From: cobranza@example.com\r\nMessage-ID: <{OURS}>\r\n".encode(),
        "wishes": {},
        "at": NOW,
    }
    return Sent(**{**fields, **changes})


def mail_of(text: str = "Hola", **headers: str) -> bytes:
    """
    A mail of a person, with any header changed.
    """
    fields = {
        "From": "Ana <ana@example.net>",
        "To": "cobranza@example.com",
        "Subject": "Re: Recordatorio",
        "In-Reply-To": f"<{OURS}>",
        "Message-ID": "<theirs@example.net>",
        "Content-Type": "text/plain; charset=utf-8",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    block = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return (block + "\r\n" + text).encode()


# -- who may hand mails over -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"body": b"Subject: x\r\n\r\ny"},
        {"method": "GET"},
        {"headers": {}},
        {"headers": {HEADER: ""}},
        {"headers": {HEADER: "t=1,v1=" + "0" * 64}},
        {"headers": {HEADER: "v1=é"}},
        {"received_at": NOW + timedelta(hours=25)},
        {"received_at": NOW - timedelta(minutes=6)},
    ],
)
def test_what_nobody_of_ours_signed_is_rejected(changes: dict[str, Any]) -> None:
    """
    The address is public: whoever could post there could mark every address as dead.
    """
    request = evolve(handed(mail_of()), **changes)

    with pytest.raises(WebhookRejectedError):
        make_channel().verify(request)


def test_another_secret_or_none_takes_no_mail() -> None:
    """
    No key must never mean "any signature will do".
    """
    with pytest.raises(WebhookRejectedError):
        make_channel().verify(handed(mail_of(), secret="another"))
    with pytest.raises(WebhookRejectedError):
        make_provider(SmtpEmail, {"host": "127.0.0.1", "tls": "none", "from_address": "cobranza@example.com"}).verify(
            handed(mail_of())
        )


def test_secrets_rotate_without_losing_what_is_under_way() -> None:
    """
    Bounces of mails that left before come days later, and the pipe of the mail server is changed after the channel.
    """
    (event,) = read(sent().report(action="failed", status="5.1.1", diagnostic=""), inbound_secret=["newer", SECRET])

    assert event.attempt_id == ATTEMPT


# -- bounces -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "diagnostic", "category", "disposition", "kind"),
    [
        ("5.1.1", "550 5.1.1 no such user", "recipient", "never", "hard"),
        ("5.1.2", "", "recipient", "never", "hard"),
        ("5.1.10", "556 5.1.10 null MX", "recipient", "never", "hard"),
        ("5.2.1", "550 5.2.1 disabled", "recipient", "never", "hard"),
        ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied", "recipient", "never", "hard"),
        ("5.0.0", "550 5.1.1 user unknown", "recipient", "never", "hard"),
        ("5.0.0", "550 user unknown", "recipient", "never", "hard"),
        ("5.2.2", "552 5.2.2 over quota", "recipient", "retry", "soft"),
        ("4.2.2", "452 4.2.2 over quota", "recipient", "retry", "soft"),
        ("4.4.7", "", "provider_down", "retry", "soft"),
        ("4.4.1", "", "provider_down", "retry", "soft"),
        ("5.7.1", "550 5.7.1 looks like spam", "validation", "never", "blocked"),
        ("5.7.26", "550 5.7.26 unauthenticated", "config", "fix_first", "blocked"),
        ("5.7.1", "550 5.7.1 recipient unsubscribed", "opted_out", "never", "blocked"),
    ],
)
def test_a_failed_delivery_is_classed(status: str, diagnostic: str, category: str, disposition: str, kind: str) -> None:
    """
    "No such user" ends the address, a full mailbox does not, and what is said of our mail is no fault of the debtor's.
    """
    (event,) = read(sent().report(action="failed", status=status, diagnostic=diagnostic))

    assert (event.kind, event.attempt_id, event.provider_message_id) == (EventKind.FAILED, ATTEMPT, OURS)
    assert event.error is not None
    assert (event.error.category, event.error.disposition) == (category, disposition)
    assert event.error.transmitted == "yes"
    assert event.raw == {"bounce": kind, "status": "5.1.1" if "5.1.1 user" in diagnostic else status}
    assert "ana@" not in repr(event)


@pytest.mark.parametrize("action", ["delayed", "relayed", "expanded"])
def test_what_is_not_final_says_nothing(action: str) -> None:
    """
    A delayed mail mostly arrives: to write by another channel meanwhile would be a second contact.
    """
    assert read(sent().report(action=action, status="4.4.1", diagnostic="")) == []


def test_a_reported_delivery_is_delivered() -> None:
    """
    It comes only where it was asked for.
    """
    (event,) = read(sent().report(action="delivered", status="2.1.5", diagnostic=""))

    assert (event.kind, event.attempt_id) == (EventKind.DELIVERED, ATTEMPT)


def test_a_word_nobody_knows_is_kept_as_unknown() -> None:
    """
    Law 12: doubt is not recorded as fact.
    """
    (event,) = read(sent().report(action="teleported", status="2.0.0", diagnostic=""))

    assert (event.kind, event.raw) == (EventKind.UNKNOWN, {"action": "teleported"})


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": b"Subject: x\r\n", "wishes": {"ENVID": REFERENCE}},
        {"headers": b"Subject: x\r\n", "sender": tagged("b@example.com", REFERENCE)},
        {"headers": b"Subject: x\r\n", "sender": tagged("b@example.com", REFERENCE).upper()},
        {"headers": b"Subject: x\r\n", "sender": f"prvs=1234567890=b+{REFERENCE}@example.com"},
        {"headers": b"Subject: x\r\n", "sender": f"SRS0=ab12=XY=example.com=b+{REFERENCE}@relay.example.net"},
        {"headers": b"Message-ID: <0100018f@eu-west-1.amazonses.com>\r\n", "wishes": {"ENVID": REFERENCE}},
    ],
    ids=["envelope id", "tag", "capitals", "BATV", "SRS", "renamed"],
)
def test_a_bounce_is_matched_by_each_way(changes: dict[str, Any]) -> None:
    """
    Servers keep some of it and rewrite the rest.
    """
    (event,) = read(sent(**changes).report(action="failed", status="5.1.1", diagnostic=""))

    assert event.attempt_id == ATTEMPT


@pytest.mark.parametrize(
    "forged",
    [
        "01j4k5m6n7p8q9r0s1t2v3w4x5",
        f"01j4k5m6n7p8q9r0s1t2v3w4x6.{REFERENCE[-16:]}",
        "01j4k5m6n7p8q9r0s1t2v3w4x5." + "a" * 16,
    ],
    ids=["no mac", "neighbour", "guessed"],
)
def test_a_forged_bounce_is_nothing(forged: str) -> None:
    """
    Who has one mail of ours, or guesses ids, must not be able to silence others.
    """
    headers = f"Message-ID: <{forged}@example.com>\r\n".encode()
    mail = sent(headers=headers, wishes={"ENVID": forged}, sender=f"b+{forged}@example.com")

    assert read(mail.report(action="failed", status="5.1.1", diagnostic="")) == []


def test_a_bounce_of_a_bounce_is_nothing() -> None:
    """
    What is returned there was no mail of ours, whatever it quotes.
    """
    inner = sent().report(action="failed", status="5.1.1", diagnostic="")
    headers = inner.partition(b"\r\n\r\n")[0] + b"\r\n"
    outer = sent(headers=headers, sender=tagged("b@example.com", REFERENCE), wishes={"ENVID": REFERENCE})

    assert read(outer.report(action="failed", status="5.1.1", diagnostic="")) == []


QMAIL = """Hi. This is the qmail-send program at example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ana@example.net>:
192.0.2.5 does not like recipient.
Remote host said: {said}

--- Below this line is a copy of the message.

Return-Path: <cobranza@example.com>
Message-ID: <{ours}>

Su deuda de 550 soles 5.1.1
"""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("550 5.1.1 User unknown", ("failed", "hard")),
        ("550 No such user", ("failed", "hard")),
        ("552 5.2.2 Mailbox full", ("failed", "soft")),
        ("451 4.3.0 Try again", None),
        ("nothing that has a number", ("unknown", None)),
    ],
)
def test_a_bounce_in_words_is_read_up_to_our_own_text(said: str, expected: tuple[str, str | None] | None) -> None:
    """
    Some servers still write prose; sums and figures of our own mail below must not be taken for codes.
    """
    text = QMAIL.format(said=said, ours=OURS)
    mail = mail_of(text, From="MAILER-DAEMON@example.net", Subject="failure notice", In_Reply_To="", Return_Path="<>")

    found = [(str(event.kind), event.raw.get("bounce")) for event in read(mail)]

    assert found == ([] if expected is None else [expected])


def test_a_complaint_opts_out() -> None:
    """
    Who presses "spam" wants no more mail, and the next complaint costs everybody's delivery.
    """
    (event,) = read(sent().complaint())
    (other,) = read(sent().complaint("not-spam"))

    assert (event.kind, event.attempt_id) == (EventKind.OPT_OUT, ATTEMPT)
    assert other.kind is EventKind.UNKNOWN


# -- machines ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated; x=y"},
        {"Precedence": "bulk"},
        {"Precedence": "Auto_Reply"},
        {"X_Auto_Response_Suppress": "All"},
        {"X_Autoreply": "yes"},
        {"List_Id": "<x.example.net>", "In_Reply_To": ""},
        {"List_Id": "<x.example.net>", "Auto_Submitted": "auto-replied"},
        {"Precedence": "list", "In_Reply_To": "<theirs@example.net>"},
        {"Return_Path": "<>"},
        {"Subject": "Respuesta automática: Recordatorio"},
        {"Subject": "=?utf-8?q?Aus=C3=AAncia_tempor=C3=A1ria?="},
        {"Subject": "Fuera de la oficina"},
        {"Subject": "Automatic reply: Recordatorio"},
        {"Message_ID": f"<{OURS}>"},
        {"From": "cobranza@example.com"},
    ],
)
def test_what_a_machine_wrote_is_nobodys_answer(headers: dict[str, str]) -> None:
    """
    "I am on holiday" is no dispute, and an answer to it would be answered in turn.
    """
    assert read(mail_of("BAJA", **headers)) == []


@pytest.mark.parametrize("headers", [{"Auto_Submitted": "no"}, {"Precedence": "normal"}, {"Return_Path": "<a@b.pe>"}])
def test_a_person_is_not_taken_for_a_machine(headers: dict[str, str]) -> None:
    """
    A lost answer is a lost opt-out.
    """
    assert [event.kind for event in read(mail_of("BAJA", **headers))] == [EventKind.INBOUND_MESSAGE]


@pytest.mark.parametrize(
    "headers",
    [{"List_Id": "<cobranza.example.com>", "Precedence": "list", "List_Unsubscribe": "<mailto:x@example.com>"}],
)
def test_an_answer_to_us_that_came_through_a_group_is_a_persons(headers: dict[str, str]) -> None:
    """
    Where our mailbox is a group, its server writes these above everything that people write to it.
    """
    (event,) = read(mail_of("BAJA", **headers))

    assert (event.kind, event.attempt_id, event.text) == (EventKind.INBOUND_MESSAGE, ATTEMPT, "BAJA")


# -- people ------------------------------------------------------------------------------------------------------------


def test_an_answer_is_told_with_what_it_answers() -> None:
    """
    The core finds the attempt by our id and not by the sender's word.
    """
    (event,) = read(sent().answer("Ya pagué 🙂"))

    assert (event.kind, event.text) == (EventKind.INBOUND_MESSAGE, "Ya pagué 🙂")
    assert (event.attempt_id, event.reply_to, event.account) == (ATTEMPT, OURS, "cobranza@example.com")
    assert event.address is not None
    assert event.address.value == "ana@example.net"
    assert "ana@" not in repr(event)


def test_an_answer_to_a_renamed_mail_is_matched_by_the_address() -> None:
    """
    Some relays write a Message-ID of their own.
    """
    mail = mail_of(In_Reply_To="<0100@amazonses.com>", To=f"Cobranzas <cobranza+{REFERENCE}@example.com>")

    assert [event.attempt_id for event in read(mail)] == [ATTEMPT]


def test_the_same_mail_has_the_same_key_by_whatever_way_it_comes() -> None:
    """
    A pipe and a sweep of the mailbox may both hand it over.
    """
    plain = mail_of("Hola")
    (first,), (second,) = read(plain), read(b"Received: by x\r\nDelivered-To: y@example.com\r\n" + plain)
    (other,) = read(mail_of("Hola", Message_ID="<another@example.net>"))

    assert first.key == second.key != other.key


def test_words_in_the_subject_alone_are_read() -> None:
    """
    Some write "BAJA" there and nothing below; an answer's subject is ours and says nothing.
    """
    (fresh,) = read(mail_of("", Subject="BAJA", In_Reply_To=""))
    (answer,) = read(mail_of("", Subject="Re: BAJA"))

    assert (fresh.text, answer.text) == ("BAJA", "")


def test_a_mail_of_nobody_is_nothing() -> None:
    """
    Without a sender and without a reference there is nobody to tell of.
    """
    assert read(mail_of(From="", In_Reply_To="")) == []
    assert read(mail_of(From="undisclosed", In_Reply_To="")) == []


def test_attached_files_are_counted_and_not_read() -> None:
    """
    A voucher may prove a payment: a person has to look.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["In-Reply-To"], mail["Subject"] = "ana@example.net", f"<{OURS}>", "Re: x"
    mail.set_content("Adjunto el comprobante")
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="pago.pdf")

    (event,) = read(mail.as_bytes())

    assert (event.text, event.raw) == ("Adjunto el comprobante", {"attachments": 1})


# -- leaving by mail ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subject", [f"baja-{REFERENCE}", f"Re: BAJA-{REFERENCE.upper()} "])
def test_a_mail_to_the_unsubscribe_address_opts_out(subject: str) -> None:
    """
    Mail programs write it by themselves, so it may well say that a machine did.
    """
    (event,) = read(mail_of("", Subject=subject, Auto_Submitted="auto-generated", In_Reply_To=""))

    assert (event.kind, event.attempt_id, event.key) == (EventKind.OPT_OUT, ATTEMPT, f"unsub:{ATTEMPT}")


def test_a_forged_one_does_not() -> None:
    """
    It is a mail like others.
    """
    mail = mail_of("", Subject="baja-" + "x" * 26 + "." + "a" * 16, In_Reply_To="")

    assert [event.kind for event in read(mail)] == [EventKind.INBOUND_MESSAGE]


# -- whatever comes ----------------------------------------------------------------------------------------------------

LINES = st.sampled_from(
    [
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b",
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/alternative; boundary*0*=utf-8''b",
        b"Content-Type: message/delivery-status",
        b"Content-Type: message/rfc822",
        b"Content-Type: message/feedback-report",
        b"Content-Type: text/rfc822-headers",
        b"Content-Type: text/html; charset=undefined",
        b"Content-Type: text/plain; charset=unicode_escape",
        b"Content-Type: text/plain; charset*=x''%ff",
        b"Content-Type: ;;;=",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: uuencode",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Disposition: attachment",
        b"From: =?x?q?=?= <a@b.pe>",
        b"From: MAILER-DAEMON@x.pe",
        b"From: ana@example.net",
        b"From: \xff\xfe",
        b"Subject: =?utf-8?b?////?=",
        b"Subject: baja-" + REFERENCE.encode(),
        b"To: b+" + REFERENCE.encode() + b"@x.pe",
        b"Message-ID: <" + OURS.encode() + b">",
        b"In-Reply-To: <" + OURS.encode() + b">",
        b"Original-Envelope-Id: " + REFERENCE.encode(),
        b"Action: failed",
        b"Action:",
        b"Status: 5.1.1",
        b"Status: 9.9.9",
        b"Diagnostic-Code: smtp; 550 5.1.1",
        b"Feedback-Type: abuse",
        b"--b",
        b"--b--",
        b"",
        b"",
        b"> quoted",
        b"El 5 de agosto escribi\xc3\xb3:",
        b"<blockquote><![x",
        b"\\ud800 \x00 \xed\xa0\x80",
    ]
)
MAILS = st.one_of(
    st.binary(max_size=400), st.lists(st.one_of(LINES, st.binary(max_size=30)), max_size=25).map(b"\r\n".join)
)


@given(mail=MAILS)
def test_any_bytes_give_events_or_a_rejection(mail: bytes) -> None:
    """
    The address that takes bounces is written to by everybody on earth: nothing may stop the reader.
    """
    try:
        events = read(mail)
    except WebhookRejectedError:
        return

    for event in events:
        assert event.attempt_id in {None, ATTEMPT}
        for text in (event.text or "", event.key, event.provider_message_id or ""):
            text.encode()
            assert "\x00" not in text


@pytest.mark.parametrize(
    "mail",
    [
        b"",
        b"no header at all",
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5000)),
        b"Content-Type: message/rfc822\r\n\r\n" * 5000,
    ],
    ids=["empty", "words", "multiparts", "messages"],
)
def test_what_is_no_mail_or_a_bomb_is_rejected(mail: bytes) -> None:
    """
    Parts within parts without end would exhaust the parser's stack.
    """
    with pytest.raises(WebhookRejectedError):
        read(mail)


def test_a_parser_that_fails_rejects_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The standard library's parser has had such mails in every version.
    """

    def fail(*_: object) -> Iterator[Event]:
        canary = "canary"
        raise AttributeError(canary)

    monkeypatch.setattr("cobranza_smtp_email._inbound._events", fail)

    with pytest.raises(WebhookRejectedError) as caught:
        read(mail_of())

    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@given(attempt=st.text(max_size=40), reference=st.text(max_size=60))
def test_only_what_was_sealed_opens(attempt: str, reference: str) -> None:
    """
    Whatever letters it has.
    """
    keys = [Secret(SECRET)]

    assert opened(reference, keys) is None
    if attempt.isascii() and 0 < len(attempt) <= 32:
        assert opened(seal(attempt, keys[0]), keys) == Sealed(attempt, seal(attempt, keys[0]))
        assert opened(seal(attempt, keys[0]), [Secret("another")]) is None


# -- what is asked for when sending ------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_reports_are_asked_for_where_the_server_knows_them(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    Only the headers are to come back: a returned mail may be read by others. The envelope id tells which it was.
    """
    channel = make_provider(SmtpEmail, sandbox.settings)
    await channel.send(make_message(to="ana+x=1@example.net"))
    await channel.aclose()

    reference = seal(ATTEMPT, Secret(sandbox.inbound_secret))
    assert sandbox.mails[0].wishes == {
        "RET": "HDRS",
        "ENVID": reference,
        "NOTIFY": "FAILURE,DELAY",
        "ORCPT": "rfc822;ana+2Bx+3D1@example.net",
    }


@pytest.mark.anyio
async def test_a_server_without_dsn_is_not_asked(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    An option that a server does not know makes it refuse the mail.
    """
    sandbox.offers_dsn = False
    channel = make_provider(SmtpEmail, sandbox.settings)
    await channel.send(make_message())
    await channel.aclose()

    assert sandbox.mails[0].wishes == {}


@pytest.mark.anyio
async def test_deliveries_are_reported_only_if_wished(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    Most servers send none, and those that do double the mail that comes back.
    """
    channel = make_provider(SmtpEmail, {**sandbox.settings, "delivery_receipts": True})
    accepted = await channel.send(make_message())
    await channel.aclose()

    assert sandbox.mails[0].wishes["NOTIFY"] == "SUCCESS,FAILURE,DELAY"
    assert accepted.provider_message_id


@pytest.mark.anyio
async def test_addresses_carry_the_reference_if_wished(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    Where a relay renames our Message-ID, the address is what is left.
    """
    changes = {"tag_addresses": True, "bounce_address": "b@bounces.example.com", "reply_to": "ayuda@example.com"}
    channel = make_provider(SmtpEmail, {**sandbox.settings, **changes})
    await channel.send(make_message())
    await channel.aclose()

    reference = seal(ATTEMPT, Secret(sandbox.inbound_secret))
    mail = sandbox.mails[0]
    assert mail.sender == f"b+{reference}@bounces.example.com"
    assert str(mail.parsed()["Reply-To"]) == f"ayuda+{reference}@example.com"
    assert str(mail.parsed()["From"]) == "cobranza@example.com"


@pytest.mark.parametrize("local", ["x" * 22, "a.very.long.local.part.of.an.address"])
def test_an_address_that_would_grow_too_long_stays_as_it_is(local: str) -> None:
    """
    Servers refuse a local part of more than 64 octets, and with it the mail.
    """
    assert tagged(f"{local}@example.com", REFERENCE) == f"{local}@example.com"


@pytest.mark.anyio
async def test_the_way_out_by_mail_stands_beside_the_link(sandbox: SmtpSandbox, make_message: Make) -> None:
    """
    Some mail programs know the one, some the other; the line is never folded within an address.
    """
    settings = {**sandbox.settings, "unsubscribe_address": "baja@example.com"}
    channel = make_provider(SmtpEmail, settings, webhook_url=URL)
    await channel.send(make_message())
    await channel.aclose()

    reference = seal(ATTEMPT, Secret(sandbox.inbound_secret))
    link = make_link(URL, ATTEMPT, Secret("sandbox-unsubscribe-secret"))
    raw = sandbox.mails[0].raw
    assert f"List-Unsubscribe: <mailto:baja@example.com?subject=baja-{reference}>,\r\n <{link}>\r\n".encode() in raw


@pytest.mark.parametrize("changes", [{"tag_addresses": True}, {"unsubscribe_address": "baja@example.com"}])
def test_what_needs_a_key_says_so(changes: dict[str, Any]) -> None:
    """
    Without it, mail would be asked for that nobody could believe.
    """
    with pytest.raises(InvalidValueError, match="inbound_secret"):
        SmtpEmailSettings(host="smtp.example.com", from_address="a@example.com", **changes)


RETURNED = f"From: mailer-daemon@example.net\r\nIn-Reply-To: <{OURS}>\r\n\r\n".encode()
HOSTILE = {
    "parts": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(39)),
    "deep": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300)),
    "blocks": b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    + b"A: b\r\n\r\n" * 30_000,
    "comments": b"From: ana@example.net\r\nContent-Type: text/html\r\n\r\n" + b"<!--" * 60_000,
    "tags": b"From: ana@example.net\r\nContent-Type: text/html\r\n\r\n" + b"<a " * 60_000,
    "dashes": b"From: mailer-daemon@example.net\r\nIn-Reply-To: <" + OURS.encode() + b">\r\n\r\n" + b"-" * 60_000,
    "responses": b"From: mailer-daemon@example.net\r\nIn-Reply-To: <"
    + OURS.encode()
    + b">\r\n\r\n"
    + b"respon" * 10_000,
    "words": b"From: ana@example.net\r\nSubject: " + b"=?utf-8?q?a?= " * 18_000 + b"\r\n\r\nx",
    "rules": mail_of(("_" * 12 + "\n") * 20_000 + "x"),
    "senders": b"From: " + b"a@b.pe," * 36_000 + b"\r\n\r\nx",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_mail_takes_the_reader_long(kind: str) -> None:
    """
    The core waits two seconds for a parser; later is "again", and the mail would come again until its queue ends.
    """
    mail = (HOSTILE[kind] + b"x\r\n" * 90_000)[:MAX_MAIL]
    began = time.process_time()

    with suppress(WebhookRejectedError):
        read(mail)

    assert time.process_time() - began < 1.5
