"""
A person's own words, out of what mail programs make of them.
"""

from __future__ import annotations

from email import message_from_bytes
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_smtp_email._words import MAX_TEXT, without_quotation, words_of

QUOTED = "> Hola, su cuota vence mañana.\n> Responda BAJA para no recibir más."


@pytest.mark.parametrize(
    "above",
    [
        "El mié, 5 ago 2026 a las 12:00, Cobranzas (<cobranza@example.com>) escribió:",
        "El mié, 5 ago 2026 a la(s) 12:00, Cobranzas Ejemplo\n(cobranza@example.com) escribió:",
        "El 05/08/2026, a las 12:00, Cobranzas\n<cobranza@example.com>\nescribió:",
        "Em qua., 5 de ago. de 2026 às 12:00, Cobranças <cobranza@example.com>\nescreveu:",
        "On Wed, Aug 5, 2026 at 12:00 PM Cobranzas <cobranza@example.com> wrote:",
        "Le 5 août 2026 à 12:00, Cobranzas <cobranza@example.com> a écrit :",
        "-----Mensaje original-----\nDe: Cobranzas\nAsunto: x",
        "-----Original Message-----",
        "________________________________\nDe: Cobranzas <cobranza@example.com>\nEnviado: miércoles\nPara: Ana",
        "De: Cobranzas <cobranza@example.com>\nEnviado el: miércoles\nPara: Ana\nAsunto: Recordatorio",
        "From: Cobranzas <cobranza@example.com>\nSent: Wednesday\nTo: Ana",
        "De: Cobranças\nData: quarta-feira\nPara: Ana",
    ],
)
@pytest.mark.parametrize("words", ["Ya pagué", "No debo nada.\n\nPor favor revisen."])
def test_what_is_quoted_is_cut_off(above: str, words: str) -> None:
    """
    Our own "responda BAJA" below must not be read as the person's word.
    """
    text = f"{words}\n\n{above}\n{QUOTED}\n"

    assert without_quotation(text) == words
    assert without_quotation(text.replace("\n", "\r\n")) == words


def test_who_writes_below_is_read_too() -> None:
    """
    The first line would be the mail program's otherwise, and "BAJA" be overlooked.
    """
    text = f"El 5 ago 2026, Cobranzas <cobranza@example.com> escribió:\n{QUOTED}\n\nBAJA\n"

    assert without_quotation(text) == "BAJA"


def test_words_between_the_lines_stay() -> None:
    """
    Some answer point by point.
    """
    assert without_quotation("> ¿Pagará mañana?\nSí\n> ¿Todo?\nLa mitad\n") == "Sí\nLa mitad"


@pytest.mark.parametrize(
    "signature",
    ["-- \nAna", "Enviado desde mi iPhone", "Enviado do meu Galaxy", "Sent from my phone", "Get Outlook for iOS<x>"],
)
def test_a_signature_is_cut_off(signature: str) -> None:
    """
    "BAJA, enviado desde mi iPhone" is "BAJA".
    """
    assert without_quotation(f"BAJA\n\n{signature}\n") == "BAJA"


@pytest.mark.parametrize(
    "text",
    [
        "Juan me escribió:\nque ya pagó",
        "De: nada",
        "El cobrador escribió: pague ya",
        "Sent from my heart: no",
        "-- ",
        "Pago 2 > 1 cuotas",
    ],
)
def test_in_doubt_the_words_stay(text: str) -> None:
    """
    A person's words that are cut are lost; a quotation too many is only longer.
    """
    assert without_quotation(text) == text.strip()


@given(text=st.text())
def test_nothing_is_added_and_nothing_hidden_stays(text: str) -> None:
    """
    Control characters and halves of pairs break databases and terminals.
    """
    found = without_quotation(text)

    assert len(found) <= MAX_TEXT
    assert found == found.strip()
    found.encode()
    assert all(character in "\n\t" or character.isprintable() or ord(character) > 0x9F for character in found)
    assert set(found) <= set(text) | {"\n", " "}


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<p>Ya pagu&eacute;</p><p>ayer</p>", "Ya pagué\n\nayer"),
        ("<style>x</style><div>BAJA<br></div><blockquote>Hola, su cuota</blockquote>", "BAJA"),
        ('<div>BAJA</div><div class="gmail_quote">El 5 escribió</div>', "BAJA"),
        ('BAJA<div id="divRplyFwdMsg">De: x</div>resto', "BAJA"),
        ("Sí,\n   <b>pago</b>\nmañana", "Sí, pago mañana"),
    ],
)
def test_html_alone_is_read(html: str, words: str) -> None:
    """
    Some programs send no plain text.
    """
    mail = message_from_bytes(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode())

    assert words_of(mail) == words


def test_broken_html_is_read_as_far_as_it_goes() -> None:
    """
    The parser of some versions fails on a declaration that is none.
    """
    mail = message_from_bytes(b"Content-Type: text/html\r\n\r\n<p>BAJA</p><![x")

    assert words_of(mail).splitlines()[0] == "BAJA"


def test_plain_text_comes_before_html_and_files() -> None:
    """
    A note that is attached was not written to us.
    """
    mail = EmailMessage()
    mail.set_content("Ya pagué")
    mail.add_alternative("<p>otra cosa</p>", subtype="html")
    mail.add_attachment("nota", filename="nota.txt")

    assert words_of(message_from_bytes(mail.as_bytes())) == "Ya pagué"


def test_a_mail_inside_the_mail_is_not_theirs() -> None:
    """
    Who forwards our mail as a file has not written it.
    """
    forwarded = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
    forwarded += b"Subject: x\r\n\r\nSu cuota vence\r\n--b--\r\n"

    assert words_of(message_from_bytes(forwarded)) == ""


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "utf-8", "no-such-charset", "undefined", "hex"])
def test_any_charset_is_read_as_well_as_may_be(charset: str) -> None:
    """
    A charset that nobody knows is no reason to lose an answer.
    """
    known = charset in {"iso-8859-1", "windows-1252", "utf-8"}
    body = "Ya pagué".encode(charset if known else "utf-8")
    mail = message_from_bytes(f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode() + body)

    assert words_of(mail) == "Ya pagué"
