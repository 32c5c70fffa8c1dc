"""
Mail that comes back, as events: bounces (RFC 3464), complaints (RFC 5965), requests to leave, and what people write.

Nothing here answers a mail. What a machine wrote is not taken for a person's word, and a report is believed only when
it carries a reference that we have signed.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import getaddresses

from attrs import frozen

from cobranza_sdk import (
    Address,
    Event,
    EventKind,
    InvalidValueError,
    ProviderError,
    Secret,
    VerifiedEnvelope,
    WebhookRejectedError,
)
from cobranza_smtp_email import _references, _signature
from cobranza_smtp_email._errors import bounce_kind, from_bounce
from cobranza_smtp_email._message import Mailbox
from cobranza_smtp_email._references import Sealed
from cobranza_smtp_email._words import own_parts, printable, text_of, words_of

#: Most parts that claim to hold others: a mail of a person has few, and the parser's time grows with each.
_MAX_NESTED = 40
_NESTING = re.compile(rb"(?:multipart|message)/", re.IGNORECASE)
_MAX_ID = 250
_MAX_HEADER = 4000  # of one header: more is decoded in a time that grows faster than its length

_LEAVE = re.compile(r"\s*(?:(?:re|rv|fw|fwd|enc)\s*:\s*)*baja-(\S{1,60})\s*", re.IGNORECASE)
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\d|\.\d)")
_CODE = re.compile(r"(?:^|[\s;:(#])([45]\d\d)(?=[\s\-#:]|$)")
_SAID_CODE = re.compile(r"(?:said|error|status|respon\w{0,9}|reply)\b[^\n]{0,60}?\b([45]\d\d)\b", re.IGNORECASE)
_RETURNED = re.compile(
    r"^(?:--.*(?:copy of|below this line|original message|returned).*|(?:Return-Path|Received|Message-ID):.*)$",
    re.MULTILINE | re.IGNORECASE,
)
_POSTMEN = {"mailer-daemon", "postmaster", "double-bounce"}
_MACHINES = {"bulk", "junk", "auto_reply"}
_LIST_HEADERS = ("List-Id", "List-Unsubscribe")
_MACHINE_HEADERS = (
    "X-Auto-Response-Suppress",
    "X-Autoreply",
    "X-Autorespond",
    "X-Autoresponse",
    "X-Vacation",
    "X-Auto-Reply",
)
_AWAY = re.compile(
    r"\s*(?:automatic reply|auto(?:matic)?[ -]?(?:reply|response)|out of (?:the )?office|ooo\b|vacation|away from|"
    r"respuesta autom[aá]tica|autorespuesta|fuera de (?:la )?oficina|ausente|ausencia|vacaciones|"
    r"resposta autom[aá]tica|fora do escrit[oó]rio|aus[eê]ncia|f[eé]rias)",
    re.IGNORECASE,
)
#: Complaints that say "no more"; what else a report may say is kept as unknown.
_COMPLAINTS = {"abuse", "fraud", "opt-out", "opt-out-list"}


@frozen(kw_only=True)
class Ours:
    """
    How to know what is ours.

    Attributes:
        sender: The mailbox we write as.
        secrets: Keys of our references.
    """

    sender: Mailbox
    secrets: tuple[Secret, ...]


def parse(envelope: VerifiedEnvelope, ours: Ours) -> Sequence[Event]:
    """
    Read one mail. What does not concern us is an empty answer.

    Raises:
        WebhookRejectedError: It is no mail, or one that cannot be read.
    """
    raw = envelope.signed.removeprefix(_signature.PURPOSE)
    if len(_NESTING.findall(raw)) > _MAX_NESTED:
        msg = "the mail has more parts within parts than are read"
        raise WebhookRejectedError(msg)
    failure = None
    try:
        mail = BytesParser(policy=compat32).parsebytes(raw)
        if mail.keys():
            return tuple(_events(mail, ours, envelope.account, envelope.received_at.astimezone(UTC)))
    except Exception as error:  # noqa: BLE001  # the parser of the standard library fails on some mails, each version on others
        failure = type(error).__name__
    msg = "what was signed is no mail" if failure is None else f"the mail cannot be read ({failure})"
    raise WebhookRejectedError(msg)


@frozen(kw_only=True)
class _Reader:
    """
    One mail and what is needed to tell of it.
    """

    mail: Message
    ours: Ours
    account: str
    at: datetime

    def event(
        self,
        kind: EventKind,
        key: str,
        sealed: Sealed,
        *,
        error: ProviderError | None = None,
        raw: Mapping[str, object] | None = None,
    ) -> Event:
        """
        An event about an attempt of ours.
        """
        return Event(
            kind=kind,
            key=key,
            occurred_at=self.at,
            account=self.account,
            provider_message_id=self.message_id(sealed),
            attempt_id=sealed.attempt_id,
            error=error,
            raw=raw or {},
        )

    def message_id(self, sealed: Sealed) -> str:
        """
        The id that the mail of an attempt had.
        """
        return f"{sealed.reference}@{self.ours.sender.domain}"


def _events(mail: Message, ours: Ours, account: str, at: datetime) -> Iterator[Event]:
    reader = _Reader(mail=mail, ours=ours, account=account, at=at)
    if _references.in_ids(header(mail, "Message-ID"), ours.secrets) is not None:
        return  # our own mail, in a folder that holds both
    leaving = _LEAVE.fullmatch(header(mail, "Subject"))
    sealed = None if leaving is None else _references.opened(leaving[1], ours.secrets)
    if sealed is not None:
        yield reader.event(EventKind.OPT_OUT, f"unsub:{sealed.attempt_id}", sealed)
        return
    if mail.get_content_type() == "multipart/report":
        yield from _report(reader)
    elif _is_from_postman(mail):
        yield from _plain_bounce(reader)
    elif not is_automatic(mail) and not (_is_of_a_list(mail) and _answered(reader) is None):
        yield from _written(reader)


def header(mail: Message, name: str) -> str:
    """
    A header as its reader sees it; "" when there is none.
    """
    value = next(iter(_values(mail, name)), "")
    with contextlib.suppress(HeaderParseError, LookupError, ValueError):  # an encoded word that is none
        value = str(make_header(decode_header(value)))
    return printable(" ".join(value.split()))


def _values(mail: Message, name: str) -> list[str]:
    """
    Every header of that name as it came; what is not ASCII is read as UTF-8 (RFC 6532).
    """
    found = (str(value) for key, value in mail.raw_items() if key.lower() == name.lower())
    return [value[:_MAX_HEADER].encode("utf-8", "surrogateescape").decode("utf-8", "replace") for value in found]


def is_automatic(mail: Message) -> bool:
    """
    Whether a machine wrote it (RFC 3834 and what was usual before): it is nobody's answer.
    """
    submitted = header(mail, "Auto-Submitted").partition(";")[0].strip().lower()
    return (
        submitted not in {"", "no"}
        or header(mail, "Precedence").strip().lower() in _MACHINES
        or any(name in mail for name in _MACHINE_HEADERS)
        or header(mail, "Return-Path").strip() == "<>"
        or _AWAY.match(header(mail, "Subject")) is not None
    )


def _is_of_a_list(mail: Message) -> bool:
    """
    Whether a list sent it on. What answers us all the same came through a group, such as our own mailbox may be one.
    """
    return header(mail, "Precedence").strip().lower() == "list" or any(name in mail for name in _LIST_HEADERS)


# -- reports -----------------------------------------------------------------------------------------------------------


def _report(reader: _Reader) -> Iterator[Event]:
    parts = {part.get_content_type(): part for part in reversed(own_parts(reader.mail))}
    original = _original(parts)
    if original is not None and _is_a_report(original):
        return  # a bounce of a bounce
    if "message/delivery-status" in parts:
        yield from _delivery(reader, _blocks(parts["message/delivery-status"]), original)
    elif "message/feedback-report" in parts:
        yield from _complaint(reader, _blocks(parts["message/feedback-report"]), original)


def _blocks(part: Message) -> list[Message]:
    return [each for each in part.get_payload() if isinstance(each, Message)] if part.is_multipart() else []


def _original(parts: dict[str, Message]) -> Message | None:
    """
    The mail that is reported on, or its headers.
    """
    for name in ("message/rfc822", "message/rfc822-headers", "message/global", "message/global-headers"):
        for inner in _blocks(parts[name]) if name in parts else ():
            return inner
    headers = parts.get("text/rfc822-headers")
    if headers is None:
        return None
    payload = headers.get_payload(decode=True)
    return BytesParser(policy=compat32).parsebytes(payload, headersonly=True) if isinstance(payload, bytes) else None


def _is_a_report(mail: Message) -> bool:
    return mail.get_content_type() == "multipart/report" or header(mail, "Return-Path").strip() == "<>"


def _concerned(reader: _Reader, blocks: Sequence[Message], original: Message | None) -> Sealed | None:
    """
    The attempt that a report is about, by what only our servers saw first.
    """
    mail, secrets = reader.mail, reader.ours.secrets
    for block in blocks:
        found = _references.in_envelope_id(header(block, "Original-Envelope-Id"), secrets)
        if found is not None:
            return found
    ways = [_references.in_addresses(mail, secrets)]
    if original is not None:
        ways.append(_references.in_ids(header(original, "Message-ID"), secrets))
        ways.append(_references.in_ids(header(original, "X-Original-Message-ID"), secrets))  # where a relay renames
    ways += [_references.in_ids(header(mail, name), secrets) for name in ("In-Reply-To", "References")]
    return next((found for found in ways if found is not None), None)


def _delivery(reader: _Reader, blocks: Sequence[Message], original: Message | None) -> Iterator[Event]:
    sealed = _concerned(reader, blocks, original)
    if sealed is None:
        return
    # one mail, one recipient; several blocks come of forwarding, and one failure among them is a failure
    actions = {_action(block): block for block in reversed(blocks) if "Action" in block or "Status" in block}
    if "failed" in actions:
        yield _failed(reader, sealed, header(actions["failed"], "Status"), _diagnostic(actions["failed"]))
    elif "delivered" in actions:
        yield reader.event(EventKind.DELIVERED, f"dsn:{sealed.attempt_id}:delivered", sealed)
    elif not actions.keys() & {"delayed", "relayed", "expanded"}:
        yield _unread(reader, sealed, action=next(iter(actions), ""))


def _action(block: Message) -> str:
    """
    The first word; a server that leaves it out tells by its status.
    """
    words = header(block, "Action").split(None, 1)
    if not words:
        return "failed" if header(block, "Status").strip().startswith("5") else ""
    word = words[0].lower()
    return "failed" if word in {"fail", "error"} else word


def _diagnostic(block: Message) -> str:
    kind, separator, text = header(block, "Diagnostic-Code").partition(";")
    return text.strip() if separator else kind.strip()


def _failed(reader: _Reader, sealed: Sealed, status: str, diagnostic: str) -> Event:
    enhanced = [match[1] for each in (status, diagnostic) if (match := _STATUS.search(each))]
    telling = next((each for each in enhanced if not each.endswith(".0.0")), next(iter(enhanced), None))
    code = _CODE.search(f" {diagnostic}")
    error = from_bounce(telling, None if code is None else int(code[1]), diagnostic)
    raw: dict[str, object] = {"bounce": bounce_kind(error)}
    if telling is not None:
        raw["status"] = telling
    return reader.event(EventKind.FAILED, f"dsn:{sealed.attempt_id}:failed", sealed, error=error, raw=raw)


def _unread(reader: _Reader, sealed: Sealed, *, action: str) -> Event:
    """
    A report that says what nobody knows: kept, counted, not acted on.
    """
    word = re.sub(r"[^a-z-]", "", action)[:40]
    return reader.event(EventKind.UNKNOWN, f"dsn:{sealed.attempt_id}:unknown:{word}", sealed, raw={"action": word})


def _complaint(reader: _Reader, blocks: Sequence[Message], original: Message | None) -> Iterator[Event]:
    sealed = _concerned(reader, blocks, original)
    if sealed is None:
        return
    kind = next((header(block, "Feedback-Type").strip().lower() for block in blocks), "")
    if kind in _COMPLAINTS:
        yield reader.event(EventKind.OPT_OUT, f"complaint:{sealed.attempt_id}", sealed, raw={"feedback": kind})
    else:
        yield _unread(reader, sealed, action=kind)


def _is_from_postman(mail: Message) -> bool:
    sender = next(iter(_mailboxes(mail, "From")), None)
    return sender is not None and sender.local.lower() in _POSTMEN


def _plain_bounce(reader: _Reader) -> Iterator[Event]:
    """
    A bounce in words, as some servers still write it. What stands below the returned mail's first line is our own text.
    """
    mail, secrets = reader.mail, reader.ours.secrets
    whole = "\n".join(text_of(part) for part in own_parts(mail) if part.get_content_maintype() == "text")[:50_000]
    sealed = _concerned(reader, (), None) or _references.in_ids(whole, secrets)
    if sealed is None:
        return
    returned = _RETURNED.search(whole)
    said = whole if returned is None else whole[: returned.start()]
    statuses = [status for status in _STATUS.findall(said) if not status.startswith("2")]
    codes = _SAID_CODE.findall(said)
    if any(found.startswith("5") for found in (*statuses, *codes)):
        status = next((each for each in statuses if each.startswith("5")), "")
        code = next((each for each in codes if each.startswith("5")), "")
        yield _failed(reader, sealed, status, code)
    elif not statuses and not codes:
        yield _unread(reader, sealed, action="words")


# -- people ------------------------------------------------------------------------------------------------------------


def _mailboxes(mail: Message, name: str) -> list[Mailbox]:
    found = (Mailbox.parse(address) for _, address in getaddresses(_values(mail, name)))
    return [mailbox for mailbox in found if mailbox is not None]


def _answered(reader: _Reader) -> Sealed | None:
    """
    The attempt that a person answers. Some vendors rename our Message-ID: then the address they wrote to tells.
    """
    mail, secrets = reader.mail, reader.ours.secrets
    for name in ("In-Reply-To", "References"):
        found = _references.in_ids(header(mail, name), secrets)
        if found is not None:
            return found
    return _references.in_addresses(mail, secrets)


def _written(reader: _Reader) -> Iterator[Event]:
    mail = reader.mail
    sender = next(iter(_mailboxes(mail, "From")), None)
    if sender == reader.ours.sender:
        return
    sealed = _answered(reader)
    address = _address(sender)
    if address is None and sealed is None:
        return
    text = words_of(mail)
    subject = header(mail, "Subject").strip()
    if not text and sealed is None and not _is_answer(mail):
        text = subject  # some write "BAJA" there, and nothing below
    identifier = header(mail, "Message-ID").strip().strip("<>")[:_MAX_ID]
    files = sum(part.get_content_disposition() == "attachment" for part in own_parts(mail))
    yield Event(
        kind=EventKind.INBOUND_MESSAGE,
        key=_key(mail, text),
        occurred_at=reader.at,
        account=reader.account,
        provider_message_id=identifier or None,
        attempt_id=None if sealed is None else sealed.attempt_id,
        address=address,
        text=text,
        reply_to=None if sealed is None else reader.message_id(sealed),
        raw={"attachments": files} if files else {},
    )


def _is_answer(mail: Message) -> bool:
    return "In-Reply-To" in mail or "References" in mail


def _address(mailbox: Mailbox | None) -> Address | None:
    try:
        return None if mailbox is None else Address("email", str(mailbox))
    except InvalidValueError:
        return None


def _key(mail: Message, text: str) -> str:
    """
    The same for the same mail, by whatever way it is handed over again: trace headers differ.
    """
    what = [header(mail, name) for name in ("Message-ID", "From", "Date", "Subject")]
    if not what[0]:
        what.append(text)
    return "mail:" + hashlib.sha256("\n".join(what).encode("utf-8", "replace")).hexdigest()[:40]
