"""
The server's replies and the connection's failures as category, disposition and transmitted.

An enhanced code (RFC 3463) says more than the basic one and wins. What "permanent" means depends on the command: 550 to
MAIL concerns us, 550 to RCPT the recipient. Meanings are those of the IANA registry of enhanced status codes; where a
vendor uses a number in its own way, the row says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from attrs import define, frozen

from cobranza_sdk import Category, Disposition, ProviderError, Transmitted


class Stage(Enum):
    """
    The command whose answer was awaited.
    """

    TOKEN = "token"  # noqa: S105  # the step that fetches one
    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"


@define
class Progress:
    """
    How far one attempt to send got.

    Attributes:
        stage: The command under way.
        reused: Whether the connection had been kept from an earlier message.
        dot_sent: Whether the final dot may have left: from here on the server may have the message.
    """

    stage: Stage = Stage.CONNECT
    reused: bool = False
    dot_sent: bool = False


@frozen
class _Ruling:
    category: Category
    disposition: Disposition
    retry_after: float | None = None


_RETRY, _FIX, _NEVER = Disposition.RETRY, Disposition.FIX_FIRST, Disposition.NEVER
_MINUTES = 60.0
_HOURS = 3600.0

_ACCOUNT = _Ruling(Category.CONFIG, _FIX)
_BAD_LOGIN = _Ruling(Category.AUTH, _FIX)
_BUG = _Ruling(Category.PROTOCOL, _NEVER)
_BUSY = _Ruling(Category.PROVIDER_DOWN, _RETRY, 5 * _MINUTES)
_FILTERED = _Ruling(Category.VALIDATION, _NEVER)
_FULL = _Ruling(Category.RECIPIENT, _RETRY, 4 * _HOURS)
_LATER = _Ruling(Category.RECIPIENT, _RETRY, 5 * _MINUTES)
_OPTED_OUT = _Ruling(Category.OPTED_OUT, _NEVER)
_QUOTA = _Ruling(Category.RATE_LIMIT, _RETRY, 24 * _HOURS)
_SLOWER = _Ruling(Category.RATE_LIMIT, _RETRY, 5 * _MINUTES)
_TOO_BIG = _Ruling(Category.VALIDATION, _NEVER)
_UNKNOWN_USER = _Ruling(Category.RECIPIENT, _NEVER)

#: Words of the reply, asked first, with the codes (a basic one, or the start of an enhanced one) they count for.
_WORDS: tuple[tuple[re.Pattern[str], tuple[str, ...], _Ruling], ...] = (
    (re.compile(r"unsubscrib|opted[ -]?out|suppress", re.IGNORECASE), ("5",), _OPTED_OUT),
    (re.compile(r"basic auth", re.IGNORECASE), ("5.7.30",), _BAD_LOGIN),  # Microsoft; at Google 5.7.30 is DKIM
    (re.compile(r"limit exceeded|exceeded .{0,30}limit|too many messages", re.IGNORECASE), ("5.4.5", "5.7"), _QUOTA),
    (re.compile(r"\brelay", re.IGNORECASE), ("550", "554", "5.7.1"), _ACCOUNT),
)

_ENHANCED: Mapping[str, _Ruling] = {
    "4.2.0": _LATER,
    "4.2.1": _LATER,
    "4.2.2": _FULL,
    "4.3.0": _BUSY,
    "4.3.1": _BUSY,
    "4.3.2": _BUSY,
    "4.4.5": _SLOWER,
    "4.5.3": _SLOWER,
    "4.7.0": _SLOWER,
    "4.7.1": _LATER,  # greylisting: of this sender to this recipient
    "4.7.12": _BAD_LOGIN,  # a new password is due
    "4.7.28": _Ruling(Category.RATE_LIMIT, _RETRY, 1 * _HOURS),  # Google: unusual rate
    "5.1.7": _ACCOUNT,
    "5.1.8": _ACCOUNT,
    "5.2.2": _FULL,  # some servers say "full" as if it were for good
    "5.2.3": _TOO_BIG,
    "5.2.252": _ACCOUNT,  # Microsoft: may not send as this sender
    "5.3.2": _UNKNOWN_USER,  # accepts no mail at all
    "5.3.4": _TOO_BIG,
    "5.4.5": _QUOTA,
    "5.7.8": _BAD_LOGIN,
    "5.7.9": _BAD_LOGIN,
    "5.7.23": _ACCOUNT,  # SPF
    "5.7.24": _ACCOUNT,
    "5.7.25": _ACCOUNT,  # no reverse name
    "5.7.26": _ACCOUNT,  # neither SPF nor DKIM passed
    "5.7.27": _ACCOUNT,  # the sender's domain takes no mail
    "5.7.28": _Ruling(Category.RATE_LIMIT, _RETRY, 1 * _HOURS),
    "5.7.30": _ACCOUNT,  # Google: DKIM
    "5.7.57": _BAD_LOGIN,  # Microsoft: not logged in
    "5.7.60": _ACCOUNT,  # Microsoft: may not send as this sender
    "5.7.139": _BAD_LOGIN,  # Microsoft: SMTP login disabled
    # whole subjects, for details not listed above; 5.0 and 5.7.0 say nothing, so the basic code decides
    "5.1": _UNKNOWN_USER,
    "5.2": _UNKNOWN_USER,
    "5.4": _UNKNOWN_USER,
    "5.5": _BUG,
    "5.6": _TOO_BIG,
    "5.7": _FILTERED,
}

_BASIC: Mapping[int, _Ruling] = {
    432: _BAD_LOGIN,
    450: _LATER,
    500: _BUG,
    501: _BUG,
    502: _BUG,
    503: _BUG,
    504: _BUG,
    521: _UNKNOWN_USER,
    522: _FULL,
    530: _BAD_LOGIN,
    534: _BAD_LOGIN,
    535: _BAD_LOGIN,
    538: _BAD_LOGIN,
    541: _FILTERED,
    550: _FILTERED,
    551: _UNKNOWN_USER,
    552: _TOO_BIG,
    553: _ACCOUNT,
    554: _FILTERED,
    555: _BUG,
    556: _UNKNOWN_USER,
    571: _FILTERED,
}

#: Where the command changes what a basic code means.
_BY_COMMAND: Mapping[tuple[Stage, int], _Ruling] = {
    (Stage.CONNECT, 554): _ACCOUNT,  # this address of ours is not welcome
    (Stage.MAIL, 550): _ACCOUNT,
    (Stage.MAIL, 554): _ACCOUNT,
    (Stage.RCPT, 550): _UNKNOWN_USER,
    (Stage.RCPT, 552): _FULL,
    (Stage.RCPT, 553): _UNKNOWN_USER,
}

_ENHANCED_CODE = re.compile(r"\s*([45]\.\d{1,3}\.\d{1,3})(?!\d|\.)")
_TEMPORARY, _PERMANENT = 4, 5
_CLASS = 100
_UNSPECIFIC = {"5.7.0"}


def from_reply(code: int, text: str, stage: Stage) -> ProviderError:
    """
    Class a refusal. The server said no, so nothing was transmitted.

    Args:
        code: The basic code, 400 to 599.
        text: What followed it.
        stage: The command it answers.
    """
    match = _ENHANCED_CODE.match(text)
    enhanced = match[1] if match else None
    ruling = _for_stage(_ruling(code, enhanced, text, stage), code, stage)
    return ProviderError(
        ruling.category,
        ruling.disposition,
        Transmitted.NO,
        retry_after=ruling.retry_after,
        vendor_code=f"{code} {enhanced}" if enhanced else str(code),
        vendor_message=_printable(text),
    )


def from_bounce(enhanced: str | None, code: int | None, text: str) -> ProviderError:
    """
    Class a report that a mail, once taken, was not delivered.

    Args:
        enhanced: The enhanced code that tells most, or None.
        code: The basic code of the server that refused, or None.
        text: What that server said.
    """
    temporary = enhanced is not None and enhanced.startswith(str(_TEMPORARY))
    basic = code or (451 if temporary else 550)
    vague = enhanced is not None and enhanced.endswith(".0.0")
    ruling = _ruling(basic, None if vague and code is not None else enhanced, text, Stage.RCPT)
    return ProviderError(
        ruling.category,
        ruling.disposition,
        Transmitted.YES,
        retry_after=ruling.retry_after,
        vendor_code=" ".join(each for each in (None if code is None else str(code), enhanced) if each) or None,
        vendor_message=_printable(text) or None,
    )


def bounce_kind(error: ProviderError) -> str:
    """
    ``hard``: the address is no good. ``soft``: it may be another day. ``blocked``: it is about us or the mail.
    """
    if error.disposition is Disposition.RETRY:
        return "soft"
    return "hard" if error.category is Category.RECIPIENT else "blocked"


def _ruling(code: int, enhanced: str | None, text: str, stage: Stage) -> _Ruling:
    said = enhanced or str(code)
    for words, codes, ruling in _WORDS:
        if said.startswith(codes) and words.search(text):
            return ruling
    if enhanced and enhanced not in _UNSPECIFIC:
        for key in (enhanced, enhanced.rpartition(".")[0]):
            if key in _ENHANCED:
                return _ENHANCED[key]
    kind = int(enhanced[0]) if enhanced else code // _CLASS
    found = _BY_COMMAND.get((stage, code)) or _BASIC.get(code)
    if found is not None and kind == code // _CLASS:
        return found
    return _BUSY if kind == _TEMPORARY else _BUG


def _for_stage(ruling: _Ruling, code: int, stage: Stage) -> _Ruling:
    """
    Before RCPT nobody has heard of the recipient: what sounds like it is about our account.
    """
    if ruling is _LATER and stage not in {Stage.RCPT, Stage.DATA}:
        return _SLOWER
    if ruling.disposition is _RETRY:
        return ruling
    if stage is Stage.AUTH and code // _CLASS == _PERMANENT:
        return _BAD_LOGIN
    about_recipient = ruling.category in {Category.RECIPIENT, Category.OPTED_OUT}
    return _ACCOUNT if about_recipient and stage not in {Stage.RCPT, Stage.DATA} else ruling


def from_failure(error: BaseException, progress: Progress) -> ProviderError:
    """
    Class whatever ended the conversation.

    After the final dot only an explicit refusal means "no": everything else may be out, and is not tried again.
    """
    from aiosmtplib import SMTPResponseException

    if isinstance(error, SMTPResponseException) and error.code // _CLASS in {_TEMPORARY, _PERMANENT}:
        return from_reply(error.code, error.message, progress.stage)
    if isinstance(error, SMTPResponseException):  # no reply at all, or one that does not belong here
        return _unanswered(Category.PROTOCOL, progress, error)
    if progress.stage in {Stage.CONNECT, Stage.TLS} and _tls_refused(error):
        return ProviderError(
            Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO, vendor_message=_printable(str(error))
        )
    if isinstance(error, ValueError) and not progress.dot_sent:  # a command the library would not write
        return ProviderError(Category.VALIDATION, Disposition.NEVER, Transmitted.NO)
    return _unanswered(Category.NETWORK, progress, error)


def failures() -> tuple[type[Exception], ...]:
    """
    What a conversation may end with, for the callers of `from_failure`.
    """
    from aiosmtplib import SMTPException

    return (SMTPException, OSError, ValueError)


def no_starttls() -> ProviderError:
    """
    STARTTLS is demanded and not offered. Whoever stripped it reads along: to go on would be to send in clear.
    """
    return ProviderError(
        Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO, vendor_message="the server offers no STARTTLS"
    )


def no_login(ways: str) -> ProviderError:
    """
    The server offers no way to log in that the settings lead to.
    """
    return ProviderError(
        Category.AUTH, Disposition.FIX_FIRST, Transmitted.NO, vendor_message=f"the server offers no AUTH {ways}"
    )


def is_refused_login(error: BaseException) -> bool:
    """
    Whether the server refused the credentials for good.
    """
    from aiosmtplib import SMTPResponseException

    return isinstance(error, SMTPResponseException) and error.code // _CLASS == _PERMANENT


def out_of_turn() -> ProviderError:
    """
    The server answered what was not yet asked, so its next answers would be taken for the wrong ones.
    """
    return ProviderError(
        Category.PROTOCOL, Disposition.RETRY, Transmitted.NO, vendor_message="the server spoke out of turn"
    )


def _unanswered(category: Category, progress: Progress, error: BaseException) -> ProviderError:
    disposition, transmitted = (
        (Disposition.NEVER, Transmitted.MAYBE) if progress.dot_sent else (Disposition.RETRY, Transmitted.NO)
    )
    return ProviderError(category, disposition, transmitted, vendor_message=_printable(str(error)))


def _tls_refused(error: BaseException | None) -> bool:
    import ssl

    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return False  # the connection ended: no verdict on certificate or version
    # the library wraps a failed handshake in a connection error
    return isinstance(error, ssl.SSLError) or (error is not None and _tls_refused(error.__cause__))


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
