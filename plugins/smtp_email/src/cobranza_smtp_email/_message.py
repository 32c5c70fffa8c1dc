"""
From an outbound message to the bytes on the wire.

The header block is written here and not by the `email` package: at its usual width that turns a long List-Unsubscribe
into encoded words, which no mail client decodes, and at a width that spares it, it writes encoded words and
quoted-printable lines longer than the standards allow.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import SMTP, compat32
from email.utils import format_datetime
from typing import Self
from urllib.parse import quote

from attrs import field, frozen

from cobranza_sdk import Attachment, Category, Disposition, OutboundMessage, ProviderError, Secret, Transmitted
from cobranza_smtp_email._qr import payment_link, picture, shown
from cobranza_smtp_email._references import seal, tagged, xtext

#: Sum of the attached files in bytes. Base64 adds 37 %, and most servers take 20 to 25 MB.
MAX_ATTACHED = 10_000_000

_LINE_LIMIT = 998  # RFC 5322, 2.1.1, without CRLF
_WIDTH = 76  # of encoded words' lines (RFC 2047) and of quoted-printable and base64 (RFC 2045)
_BODY_POLICY = SMTP.clone(max_line_length=_WIDTH)
_MAX_LOCAL = 64  # octets, RFC 5321, 4.5.3.1.1
_MAX_ADDRESS = 254  # octets that fit between the brackets of a path of 256

_ENCODED_WORD = re.compile(r"=\?.*?\?=", re.DOTALL)
_OTHER_DOTS = frozenset("\u3002\uff0e\uff61")  # which IDNA 2003 took for full stops
_LINE_SEPARATORS = "\u2028\u2029"
_LOCAL = re.compile(r"""[^\s\x00-\x20\x7f-\x9f"(),:;<>@\[\\\].]+(?:\.[^\s\x00-\x20\x7f-\x9f"(),:;<>@\[\\\].]+)*""")
_DOMAIN = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ATTEMPT_ID = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_NEWLINE = re.compile(r"\r\n?|\n")


def clean(value: str) -> str | None:
    """
    The value in NFC when it may stand in a header, else None.

    Refused are control characters, the two Unicode line separators, lone surrogates, and whatever looks like an
    encoded word: decoded and folded again, one can bring a line break and so a header of its own.
    """
    value = unicodedata.normalize("NFC", value)
    if _ENCODED_WORD.search(value) or any(
        character in _LINE_SEPARATORS or unicodedata.category(character) in {"Cc", "Cs"} for character in value
    ):
        return None
    return value


@frozen
class Mailbox:
    """
    One address, taken apart and checked.

    Attributes:
        local: The part before the @, in NFC.
        domain: The domain as ASCII (IDNA A-labels), in small letters.
    """

    local: str = field(repr=False)
    domain: str = field(repr=False)

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """
        Read ``local@domain``; None when it is anything else. Quoted local parts and address literals are refused.
        """
        checked = clean(value)
        local, at, host = (checked or "").rpartition("@")
        domain = _ascii_domain(host)
        if not at or domain is None or not _LOCAL.fullmatch(local):
            return None
        octets = len(local.encode())
        if octets > _MAX_LOCAL or octets + 1 + len(domain) > _MAX_ADDRESS:
            return None
        return cls(local, domain)

    @property
    def needs_utf8(self) -> bool:
        """
        Whether a server must know SMTPUTF8 to carry it.
        """
        return not self.local.isascii()

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


def _ascii_domain(host: str) -> str | None:
    """
    The name that DNS knows (IDNA 2008). Nothing is mapped but capitals: a domain that only looks like one is refused.
    """
    host = host.lower()
    if len(host) > _MAX_ADDRESS or not _OTHER_DOTS.isdisjoint(host):
        return None
    if not host.isascii() or "xn--" in host:
        import idna

        try:
            host = idna.encode(host).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    return host if _DOMAIN.fullmatch(host) else None


@frozen(kw_only=True)
class Mail:
    """
    A message ready for the wire.

    Attributes:
        sender: Envelope sender.
        recipient: The one envelope recipient.
        message_id: Without brackets.
        content: Headers and body, CRLF throughout, not yet dot-stuffed.
        needs_utf8: Whether the server must know SMTPUTF8.
        envelope_id: What reports of its delivery are to name (RFC 3461), as it stands in an option of MAIL.
    """

    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    message_id: str
    content: bytes = field(repr=False)
    needs_utf8: bool
    envelope_id: str


def message_id(attempt_id: str, sender: Mailbox, key: Secret | None = None) -> str | None:
    """
    The same for the same attempt, without brackets; None when the attempt's id cannot stand in one.
    """
    if not _ATTEMPT_ID.fullmatch(attempt_id):
        return None
    return f"{attempt_id if key is None else seal(attempt_id, key)}@{sender.domain}"


def compose(
    message: OutboundMessage,
    *,
    sender: Mailbox,
    sender_name: str | None,
    reply_to: Mailbox | None,
    unsubscribe: str | None,
    one_click: bool = True,
    unsubscribe_mailbox: Mailbox | None = None,
    bounces: Mailbox | None = None,
    key: Secret | None = None,
    tags: bool = False,
    qr_for: Sequence[str] = (),
    at: datetime,
) -> Mail:
    """
    Build and serialise one mail.

    Args:
        message: What to say and to whom.
        sender: Who writes.
        sender_name: Name to show, or None.
        reply_to: Where answers go, or None.
        unsubscribe: Link, or None for no such headers.
        one_click: Whether a POST to the link unsubscribes at once.
        unsubscribe_mailbox: Where a mail unsubscribes; only with a key.
        bounces: Envelope sender, or None for *sender*.
        key: Signs the reference by which a mail that comes back is known, or None.
        tags: Whether the addresses to which mail comes back carry that reference.
        qr_for: Beginnings of payment links: the one in the text is shown as a QR picture too.
        at: For the Date header, aware.

    Raises:
        ProviderError: The message cannot be put on the wire as it is: ``recipient`` when the address is none,
            else ``validation``. Nothing was transmitted.
    """
    recipient = Mailbox.parse(message.to.value)
    if recipient is None:
        raise ProviderError(Category.RECIPIENT, Disposition.NEVER, Transmitted.NO)
    identifier = message_id(message.attempt_id, sender, key)
    if identifier is None or not _LANGUAGE.fullmatch(message.locale.replace("_", "-")):
        raise _invalid()

    reference = identifier.rpartition("@")[0]
    answers, returns = str(reply_to or sender), str(bounces or sender)
    if tags and key is not None:
        answers, returns = tagged(answers, reference), tagged(returns, reference)
    headers = [
        ("From", _address("From", sender, sender_name)),
        ("To", str(recipient)),
        *_subject(message.subject or sender_name),
        ("Date", format_datetime(at)),
        ("Message-ID", f"<{identifier}>"),
        *_thread(message.correlation, sender),
        *([] if answers == str(sender) else [("Reply-To", answers)]),
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("Content-Language", message.locale.replace("_", "-")),
    ]
    ways = [] if unsubscribe is None else [f"<{unsubscribe}>"]
    if unsubscribe_mailbox is not None and key is not None:
        ways.insert(0, f"<mailto:{unsubscribe_mailbox}?subject=baja-{quote(reference)}>")
    if ways:  # folded between the addresses only: some who sign or read it break one that is folded within
        headers.append(("List-Unsubscribe", ",\r\n ".join(ways)))
    if unsubscribe is not None and one_click:
        headers.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))

    body = _body(message, qr_for, f"qr.{message.attempt_id}@{sender.domain}")
    block = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    content = block + body.as_bytes(policy=_BODY_POLICY)
    _require_intended(content, [*(name for name, _ in headers), *body.keys()])
    return Mail(
        sender=returns,
        recipient=str(recipient),
        message_id=identifier,
        content=content,
        needs_utf8=recipient.needs_utf8,
        envelope_id=xtext(reference),
    )


def _invalid() -> ProviderError:
    return ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO)


def _checked(value: str) -> str:
    checked = clean(value)
    if checked is None:
        raise _invalid()
    return checked


def _subject(value: str | None) -> list[tuple[str, str]]:
    return [("Subject", _text("Subject", _checked(value)))] if value and value.strip() else []


def _text(name: str, value: str) -> str:
    """
    Fold *value*, as encoded words when it is not ASCII.
    """
    charset = "us-ascii" if value.isascii() else "utf-8"
    return Header(value, charset, header_name=name, maxlinelen=_WIDTH).encode(linesep="\r\n")


def _address(name: str, mailbox: Mailbox, display: str | None) -> str:
    shown = _checked(display).strip() if display else ""
    if not shown:
        return str(mailbox)
    if not shown.isascii():
        phrase = _text(name, shown)
    elif _ATOMS.fullmatch(shown):
        phrase = shown
    else:
        escaped = shown.replace("\\", "\\\\").replace('"', '\\"')
        phrase = f'"{escaped}"'
    return f"{phrase} <{mailbox}>"


def _thread(correlation: str | None, sender: Mailbox) -> list[tuple[str, str]]:
    """
    What holds the mails of one outreach together: each refers to the same root, which follows from the outreach's id.

    No mail bears the root's id: none knows whether it is the first. Mail programs draw the thread all the same.
    """
    if correlation is None or not _ATTEMPT_ID.fullmatch(correlation):
        return []
    root = f"<outreach.{correlation}@{sender.domain}>"
    return [("In-Reply-To", root), ("References", root)]


def _body(message: OutboundMessage, qr_for: Sequence[str], content_id: str) -> EmailMessage:
    """
    mixed, when there are files, of: alternative of plain text and HTML; the HTML with its picture is related.
    """
    if sum(len(attachment.content) for attachment in message.attachments) > MAX_ATTACHED:
        raise _invalid()
    body = EmailMessage(policy=_BODY_POLICY)
    try:
        # always quoted-printable: 7 bits on every hop, and no line grows too long
        body.set_content(_NEWLINE.sub("\n", message.text), cte="quoted-printable")
        link = payment_link(message.text, qr_for)
        markup = message.html if link is None else shown(message.text, message.html, link, content_id)
        if markup is not None:
            body.add_alternative(_NEWLINE.sub("\n", markup), subtype="html", cte="quoted-printable")
    except UnicodeEncodeError:
        raise _invalid() from None
    page = body.get_body(("html",))
    if link is not None and page is not None:
        name = f"<{content_id}>"
        page.add_related(picture(link), "image", "png", cid=name, disposition="inline", filename="qr.png")
    for attachment in message.attachments:
        _attach(body, attachment)
    return body


def _attach(body: EmailMessage, attachment: Attachment) -> None:
    filename = _checked(attachment.filename)
    if attachment.is_elsewhere:  # nothing is fetched here, and an empty file would be a lie
        raise _invalid()
    if not _MEDIA_TYPE.fullmatch(attachment.content_type) or "/" in filename or "\\" in filename:
        raise _invalid()
    maintype, subtype = attachment.content_type.lower().split("/")
    if maintype in {"multipart", "message"}:  # would have to be a mail itself
        raise _invalid()
    # bytes are always sent as base64, so that a signed XML arrives as it was signed
    body.add_attachment(attachment.content, maintype=maintype, subtype=subtype, filename=filename, cte="base64")


def _require_intended(content: bytes, names: Iterable[str]) -> None:
    """
    Read back what was written: exactly the intended headers, CRLF only, no line too long.
    """
    parsed = BytesHeaderParser(policy=compat32).parsebytes(content)
    lines = content.split(b"\r\n")
    if (
        parsed.keys() != list(names)
        or parsed.defects
        or any(b"\r" in line or b"\n" in line or len(line) > _LINE_LIMIT for line in lines)
    ):
        raise _invalid()
