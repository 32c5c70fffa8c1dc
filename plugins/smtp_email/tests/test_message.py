"""
What goes over the wire, byte by byte.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, default
from typing import Any

import pytest
import segno
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cobranza_sdk import Address, Attachment, CobranzaError, OutboundMessage, ProviderError, Secret
from cobranza_smtp_email._message import MAX_ATTACHED, Mail, Mailbox, clean, compose

Make = Callable[..., OutboundMessage]
SENDER = Mailbox("cobranza", "example.com")
AT = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
LINK = "https://cobranza.example.com/webhooks/email-de-la-cartera-norte?t=" + "A" * 64

#: Ways to smuggle a header in. The encoded ones became a real Bcc header in Python 3.11.7 when folded anew.
INJECTIONS = [
    "hola\r\nBcc: x@example.org",
    "hola\nBcc: x@example.org",
    "hola\rBcc: x@example.org",
    "hola\n",
    "hola\x00",
    "hola\x0b",
    "hola\x7f",
    "hola\x85Bcc: x@example.org",
    "hola\u2028Bcc: x@example.org",
    "hola\u2029Bcc: x@example.org",
    "=?utf-8?q?hola=0ABcc:_x@example.org?=",
    "=?utf-8?b?aG9sYQpCY2M6IHhAZXhhbXBsZS5vcmc=?=",
    "antes =?UTF-8?Q?hola=0D=0ABcc:_x?= después",
    "=?x?=",
    "hola\ud800",
]


def mail_of(message: OutboundMessage, **changes: Any) -> Mail:
    fields: dict[str, Any] = {
        "sender": SENDER,
        "sender_name": "Cobranzas Ejemplo",
        "reply_to": None,
        "unsubscribe": LINK,
        "at": AT,
    }
    return compose(message, **{**fields, **changes})


def read(mail: Mail) -> EmailMessage:
    return BytesParser(policy=default).parsebytes(mail.content)


def header_lines(mail: Mail) -> list[bytes]:
    return mail.content.partition(b"\r\n\r\n")[0].split(b"\r\n")


def axes(error: ProviderError) -> tuple[str, str, str]:
    return (error.category, error.disposition, error.transmitted)


def test_the_headers_are_exactly_the_intended_ones(make_message: Make) -> None:
    """
    One header too many or too few is how injections and dead buttons look.
    """
    mail = read(mail_of(make_message(html="<p>Hola</p>"), reply_to=Mailbox("ayuda", "example.com")))

    assert {name: str(value) for name, value in mail.items() if name != "Content-Type"} == {
        "From": "Cobranzas Ejemplo <cobranza@example.com>",
        "To": "ana@example.net",
        "Subject": "Recordatorio de pago",
        "Date": "Wed, 05 Aug 2026 17:00:00 +0000",
        "Message-ID": "<01j4k5m6n7p8q9r0s1t2v3w4x5@example.com>",
        "Reply-To": "ayuda@example.com",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Content-Language": "es-PE",
        "List-Unsubscribe": f"<{LINK}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "MIME-Version": "1.0",
    }


def test_a_long_unsubscribe_link_stays_readable(make_message: Make) -> None:
    """
    As encoded words, mail programs show no button, and nobody notices until complaints come.
    """
    lines = header_lines(mail_of(make_message()))

    assert f"List-Unsubscribe: <{LINK}>".encode() in lines


def test_without_a_link_there_is_no_one_click(make_message: Make) -> None:
    """
    Half of the pair promises a button that does nothing.
    """
    mail = read(mail_of(make_message(), unsubscribe=None))

    assert not [name for name in mail.keys() if name.startswith("List-")]  # noqa: SIM118  # a mail is no dict


def test_plain_text_comes_before_html(make_message: Make) -> None:
    """
    Readers show the last alternative they understand.
    """
    mail = read(mail_of(make_message(html="<p>Su cuota vence mañana.</p>")))

    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize("text", ["ñ" * 5000, "x" * 5000, "a\r\nb\rc\nd", "emoji 🙂\x0c fin", "a\u2028b"])
def test_any_text_fits_the_standards_lines(text: str, make_message: Make) -> None:
    """
    Servers refuse or break lines over 998 octets and bare line ends; older ones drop the eighth bit.
    """
    mail = mail_of(make_message(text=text, html=f"<p>{text}</p>"))

    lines = mail.content.split(b"\r\n")
    assert max(map(len, lines[:-1])) <= max(76, len(f"List-Unsubscribe: <{LINK}>"))
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert mail.content.isascii()
    plain = read(mail).get_body(("plain",))
    assert plain is not None
    arrived = plain.get_content().replace("\r\n", "\n").removesuffix("\n")
    assert arrived == text.replace("\r\n", "\n").replace("\r", "\n")


def test_attachments_arrive_byte_for_byte(make_message: Make) -> None:
    """
    An invoice in XML is signed: one changed line end voids it.
    """
    signed = b"<cfdi>\n\xc3\xb1\r\n</cfdi>"
    files = [
        Attachment(filename="Factura Ñandú A-123.xml", content_type="application/xml", content=signed),
        Attachment(filename="a" * 120 + ".pdf", content_type="application/pdf", content=b"%PDF\x00"),
        Attachment(filename="notas.txt", content_type="text/plain", content=b"a\nb"),
    ]

    mail = read(mail_of(make_message(attachments=files)))

    arrived = [(part.get_filename(), part.get_payload(decode=True)) for part in mail.iter_attachments()]
    assert arrived == [(file.filename, file.content) for file in files]


def test_a_file_that_lies_elsewhere_is_refused(make_message: Make) -> None:
    """
    An address in the place of the bytes would arrive as an empty invoice.
    """
    file = Attachment(filename="a.pdf", content_type="application/pdf", url="https://files.example.com/a.pdf")

    with pytest.raises(ProviderError) as caught:
        mail_of(make_message(attachments=[file]))

    assert axes(caught.value) == ("validation", "never", "no")


def test_a_file_name_beyond_ascii_is_written_by_the_standard(make_message: Make) -> None:
    """
    RFC 2231, not an encoded word within quotes, which programs show as it is.
    """
    file = Attachment(filename="Factura Ñ.pdf", content_type="application/pdf", content=b"x")

    content = mail_of(make_message(attachments=[file])).content

    assert b"filename*=utf-8''Factura%20%C3%91.pdf" in content
    assert b"=?utf-8?" not in content.partition(b"\r\n\r\n")[2]


def structure(part: EmailMessage) -> Any:
    """
    Types of a mail and of its parts.
    """
    kind = part.get_content_subtype()
    return {kind: [structure(each) for each in part.iter_parts()]} if part.is_multipart() else kind


PAY = "https://pay.example.com/x?ref=01J4"
QR = {"qr_for": ("https://pay.example.com/",)}


@pytest.mark.parametrize("html", [None, "<p>Pague</p>", "<html><body>Pague</BODY></html>"])
@pytest.mark.parametrize("files", [0, 1])
def test_a_payment_link_is_shown_as_a_picture(html: str | None, files: int, make_message: Make) -> None:
    """
    Who reads on a computer pays with the phone; the plain text stays as it was recorded.
    """
    text = f"Pague aquí: {PAY}.\n¿Dudas? https://example.com/ayuda"
    invoice = Attachment(filename="f.pdf", content_type="application/pdf", content=b"x")

    mail = read(mail_of(make_message(text=text, html=html, attachments=[invoice] * files), **QR))

    alternative = {"alternative": ["plain", {"related": ["html", "png"]}]}
    assert structure(mail) == ({"mixed": [alternative, "pdf"]} if files else alternative)
    plain, shown = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert shown is not None
    assert plain.get_content().replace("\r\n", "\n") == text + "\n"
    (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture.get_content() == segno_png(PAY)
    assert f'src="cid:{str(picture["Content-ID"]).strip("<>")}"' in shown.get_content()
    assert picture.get_content_disposition() == "inline"


def segno_png(link: str) -> bytes:
    """
    The picture as segno draws it.
    """
    out = io.BytesIO()
    segno.make_qr(link, error="m", boost_error=False).save(out, kind="png", scale=4)
    return out.getvalue()


def test_a_template_says_where_the_picture_stands(make_message: Make) -> None:
    """
    Its author knows the page better than we do.
    """
    html = '<p><img src="cid:payment-qr" alt="Pagar"></p><p>Gracias</p>'

    shown = read(mail_of(make_message(text=PAY, html=html), **QR)).get_body(("html",))

    assert shown is not None
    assert shown.get_content().count("<img") == 1
    assert 'src="cid:qr.01j4k5m6n7p8q9r0s1t2v3w4x5@example.com" alt="Pagar"' in shown.get_content()


@pytest.mark.parametrize(
    "text",
    [
        "Su cuota vence mañana.",
        "Vea https://example.com/ayuda",
        f"{PAY} o https://pay.example.com/y",
        "https://pay.example.com.attacker.example/x",
        "https://pay.example.com/" + "x" * 400,
        "http://pay.example.com/x",
    ],
)
def test_without_one_payment_link_there_is_no_picture(text: str, make_message: Make) -> None:
    """
    A picture of the wrong link would take the money elsewhere.
    """
    with_setting, without = (mail_of(make_message(text=text), **changes) for changes in (QR, {}))

    assert with_setting.content == without.content


def test_a_text_without_html_is_shown_as_it_stands(make_message: Make) -> None:
    """
    Names from an ERP must not become markup.
    """
    text = f"Señora <b>Núñez</b> & Cía:\n{PAY}&y=1"

    shown = read(mail_of(make_message(text=text), **QR)).get_body(("html",))

    assert shown is not None
    content = shown.get_content()
    assert "Señora &lt;b&gt;Núñez&lt;/b&gt; &amp; Cía:<br>" in content
    assert f'<a href="{PAY}&amp;y=1">{PAY}&amp;y=1</a>' in content


@pytest.mark.parametrize("filename", [*INJECTIONS, "../factura.pdf", "c:\\factura.pdf"])
def test_a_filename_cannot_smuggle_anything(filename: str, make_message: Make) -> None:
    """
    File names come from ERP columns too.
    """
    file = Attachment(filename=filename, content_type="application/pdf", content=b"x")

    with pytest.raises(ProviderError) as caught:
        mail_of(make_message(attachments=[file]))

    assert axes(caught.value) == ("validation", "never", "no")


@pytest.mark.parametrize(
    "kind", ["pdf", "a/b/c", "text/plain; charset=x", "a/b\r\nX: y", "multipart/mixed", "message/rfc822"]
)
def test_a_content_type_is_a_type_and_nothing_else(kind: str, make_message: Make) -> None:
    """
    Parameters and line ends in it would be written into the part's headers as they are.
    """
    file = Attachment(filename="a.pdf", content_type=kind, content=b"x")

    with pytest.raises(ProviderError):
        mail_of(make_message(attachments=[file]))


def test_too_much_attached_is_refused(make_message: Make) -> None:
    """
    Ten megabytes are declared; the sum counts, since servers weigh the mail as a whole.
    """
    half = Attachment(filename="a.pdf", content_type="application/pdf", content=bytes(MAX_ATTACHED // 2))
    rest = Attachment(filename="b.pdf", content_type="application/pdf", content=b"x")

    mail_of(make_message(attachments=[half, half]))
    with pytest.raises(ProviderError):
        mail_of(make_message(attachments=[half, half, rest]))


@pytest.mark.parametrize("injection", INJECTIONS)
def test_a_subject_cannot_smuggle_a_header(injection: str, make_message: Make) -> None:
    """
    A debtor's name in a subject line must not be able to add recipients.
    """
    with pytest.raises(ProviderError) as caught:
        mail_of(make_message(subject=injection))

    assert axes(caught.value) == ("validation", "never", "no")


@pytest.mark.parametrize("injection", INJECTIONS)
def test_a_sender_name_cannot_smuggle_a_header(injection: str, make_message: Make) -> None:
    """
    The guard stands where the header is written, whoever configured the name.
    """
    with pytest.raises(ProviderError):
        mail_of(make_message(), sender_name=injection)


hostile = st.text(
    alphabet=st.one_of(
        st.sampled_from('\r\n\x00\x85\u2028\u2029=?_ :;,<>@"\\()qQbB'), st.characters(), st.sampled_from("aáñ🙂")
    ),
    max_size=120,
)
pieces = st.lists(
    st.one_of(hostile, st.sampled_from(["=?utf-8?q?", "?=", "=0A", "\r\nBcc: x@example.org", "=?", "Bcc:"])), max_size=6
).map("".join)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(subject=pieces, name=pieces, filename=pieces)
def test_whatever_the_data_the_headers_are_the_intended_ones(
    subject: str, name: str, filename: str, make_message: Make
) -> None:
    """
    Read by two policies and folded anew, a mail has our headers and no others, or there is no mail.
    """
    files = [Attachment(filename=filename, content_type="application/pdf", content=b"x")] if filename.strip() else []
    try:
        mail = mail_of(make_message(subject=subject, attachments=files), sender_name=name)
    except ProviderError:  # no mail, no injection; why it was refused is for the tests above
        return

    expected = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"}
    expected |= {"Content-Language", "List-Unsubscribe", "List-Unsubscribe-Post", "Content-Type", "MIME-Version"}
    if not (subject.strip() or name.strip()):
        expected.remove("Subject")
    if not files:
        expected.add("Content-Transfer-Encoding")
    first = read(mail)
    again = BytesParser(policy=default).parsebytes(first.as_bytes(policy=SMTP))
    for parsed in (first, again):
        assert sorted(parsed.keys()) == sorted(expected)
        assert [str(address) for address in parsed["To"].addresses] == ["ana@example.net"]
        assert parsed["From"].addresses[0].addr_spec == "cobranza@example.com"


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    attempt_id=st.just("a1") | pieces,
    correlation=st.just("o1") | pieces,
    locale=st.just("es-PE") | pieces,
    kind=st.just("application/pdf") | pieces,
    text=st.just(PAY) | pieces,
    html=pieces,
)
def test_no_other_field_becomes_a_header_either(
    attempt_id: str, correlation: str, locale: str, kind: str, text: str, html: str, make_message: Make
) -> None:
    """
    Ids and types come from other programs, and they too stand in headers.
    """
    try:
        changes = {"attempt_id": attempt_id, "correlation": correlation, "locale": locale, "text": text, "html": html}
        file = Attachment(filename="a.pdf", content_type=kind, content=b"x")
        mail = mail_of(make_message(attachments=[file], **changes), **QR, key=Secret("k"), tags=True)
    except CobranzaError:  # no mail, no injection
        return

    allowed = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"}
    allowed |= {"Content-Language", "List-Unsubscribe", "List-Unsubscribe-Post", "Content-Type", "MIME-Version"}
    allowed |= {"In-Reply-To", "References", "Reply-To"}
    assert set(read(mail).keys()) <= allowed
    assert mail.recipient == "ana@example.net"
    assert mail.sender.endswith("@example.com")


@given(address=st.one_of(pieces, pieces.map(lambda text: f"{text}@example.net"), pieces.map(lambda text: f"a@{text}")))
def test_no_address_becomes_a_command(address: str) -> None:
    """
    It is written between the brackets of RCPT, after which the server reads commands.
    """
    mailbox = Mailbox.parse(address)

    if mailbox is not None:
        written = str(mailbox)
        assert not set(written) & set('\r\n\t <>()[]:;,\\"\x00\x85\u2028\u2029')
        assert written.count("@") == 1
        assert written.rpartition("@")[2].isascii()
        assert Mailbox.parse(written) == mailbox


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(subject=st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=200))
def test_an_honest_subject_arrives_as_written(subject: str, make_message: Make) -> None:
    """
    The guard must not cost anybody an accent; encoded words hold to 76 characters a line.
    """
    if "=?" in subject or not subject.strip():
        return

    mail = mail_of(make_message(subject=subject))

    arrived = str(read(mail)["Subject"])
    assert re.sub(r"\s+", " ", arrived).strip() == re.sub(r"\s+", " ", unicodedata.normalize("NFC", subject)).strip()
    encoded = [line for line in header_lines(mail) if b"=?utf-8?" in line]
    assert all(len(line) <= 76 for line in encoded)


@pytest.mark.parametrize(
    "name", ["Pérez & Asociados", 'Cobros "Ya", S.A.', "a\\b", "Cobranzas Ejemplo", "López, Ana <x@y>"]
)
def test_a_sender_name_arrives_as_written(name: str, make_message: Make) -> None:
    """
    Commas and quotes in company names must not turn one sender into two.
    """
    (address,) = read(mail_of(make_message(), sender_name=name))["From"].addresses

    assert (address.display_name, address.addr_spec) == (name, "cobranza@example.com")


def test_without_a_subject_the_senders_name_stands_in(make_message: Make) -> None:
    """
    A mail without a subject is taken for spam; taking words from the text could tell a third party of a debt.
    """
    assert read(mail_of(make_message(subject=None)))["Subject"] == "Cobranzas Ejemplo"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ana@example.net", "ana@example.net"),
        ("Ana.Perez+x@EXAMPLE.Net", "Ana.Perez+x@example.net"),
        ("ana@señal.example", "ana@xn--seal-hqa.example"),
        ("ana@SEÑAL.example", "ana@xn--seal-hqa.example"),
        ("ana@straße.example", "ana@xn--strae-oqa.example"),  # IDNA 2003 made another domain of it
        ("ana@xn--strae-oqa.example", "ana@xn--strae-oqa.example"),
        ("ana@उदाहरण.परीक्षा", "ana@xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g"),  # of the registry's own tests
        ("an\u0303a@example.net", "aña@example.net"),
    ],
)
def test_addresses_are_read(value: str, expected: str) -> None:
    """
    The local part stays as it is; the domain becomes what DNS knows.
    """
    assert str(Mailbox.parse(value)) == expected


@pytest.mark.parametrize(
    "value",
    [
        "ana",
        "@example.net",
        "ana@",
        "a@b@example.net",
        "ana,eva@example.net",
        "<ana@example.net>",
        '"ana"@example.net',
        "ana@[127.0.0.1]",
        "ana..perez@example.net",
        ".ana@example.net",
        "ana@-example.net",
        "ana@example..net",
        "ana@exam_ple.net",
        "ana@xn--a.example",
        "ana@\uff45xample.net",
        "ana@ex\u200dample.net",
        "ana@example\u3002net",
        "ana@☃.example",
        "ana@" + "ñ" * 300 + ".example",
        "=?utf-8?q?ana?=@example.net",
        "ana\u2028@example.net",
        "a" * 65 + "@example.net",
        "ana@" + "a." * 130 + "net",
    ],
)
def test_what_is_no_single_address_is_refused(value: str) -> None:
    """
    A list, a smuggled command or another domain than written must never reach RCPT.
    """
    assert Mailbox.parse(value) is None


def test_a_bad_recipient_is_the_recipients_fault(make_message: Make) -> None:
    """
    The core then stops using the address instead of stopping the campaign.
    """
    with pytest.raises(ProviderError) as caught:
        mail_of(make_message(to="a@b@example.net"))

    assert axes(caught.value) == ("recipient", "never", "no")


@pytest.mark.parametrize("attempt_id", ["a>b", "a@b", "a..b", "=?x?=", '"a"', "a<b"])
def test_an_id_that_breaks_the_message_id_is_refused(attempt_id: str, make_message: Make) -> None:
    """
    A cut Message-ID would belong to another attempt.
    """
    with pytest.raises(ProviderError):
        mail_of(make_message(attempt_id=attempt_id))


def test_the_mails_of_one_outreach_hold_together(make_message: Make) -> None:
    """
    A second try stands below the first in the reader's mailbox, though none of us remembers it.
    """
    first, second, other = (
        read(mail_of(make_message(attempt_id=attempt, correlation=outreach)))
        for attempt, outreach in (("a1", "o1"), ("a2", "o1"), ("a3", "o2"))
    )

    assert str(first["References"]) == str(first["In-Reply-To"]) == "<outreach.o1@example.com>"
    assert str(second["References"]) == str(first["References"]) != str(other["References"])
    assert str(second["Message-ID"]) != str(first["Message-ID"])


@pytest.mark.parametrize("correlation", [None, "a>b", "a\r\nBcc: x@example.org", "a b", ""])
def test_a_correlation_that_is_no_id_makes_no_thread(correlation: str | None, make_message: Make) -> None:
    """
    A thread is a comfort: for want of one no mail is held back, and nothing is smuggled in.
    """
    mail = read(mail_of(make_message(correlation=correlation)))

    assert not {"In-Reply-To", "References", "Bcc"} & set(mail.keys())


def test_a_locale_that_is_no_tag_is_refused(make_message: Make) -> None:
    """
    It is written into a header too.
    """
    with pytest.raises(ProviderError):
        mail_of(make_message(locale="es\r\nBcc: x@example.org"))


def test_the_final_check_catches_what_the_guard_let_through(
    make_message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Two locks: when the first is picked, the mail is still read back before it leaves.
    """
    monkeypatch.setattr("cobranza_smtp_email._message.clean", lambda value: value)

    with pytest.raises(ProviderError):
        mail_of(make_message(), sender_name="x\r\nBcc: x@example.org\r\nX-Y: z")


def test_values_are_compared_in_one_normal_form() -> None:
    """
    What is checked is what is written.
    """
    assert clean("an\u0303o") == "año"


def test_no_address_or_text_shows_in_a_mails_repr(make_message: Make) -> None:
    """
    A mail object may end up in a trace.
    """
    shown = repr(mail_of(make_message())) + repr(Mailbox.parse("ana@example.net")) + repr(Address("email", "ana@b.co"))

    assert "ana" not in shown
    assert "cuota" not in shown
