"""
The vendor's error codes as category, disposition, transmitted.

The vendor says of itself that HTTP status, title and subcode are not stable: the code decides. One code may come in the
answer to a call, later in a ``failed`` status, or both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from attrs import frozen

from cobranza_sdk import Category, Disposition, ProviderError, Transmitted

if TYPE_CHECKING:
    import httpx

_LONGEST_WAIT_S = 3600.0
_LONGEST_MESSAGE = 1000
_SECONDS = re.compile(r"[0-9]+")


@frozen
class Axes:
    """
    What a code means to the core.

    Attributes:
        category: What went wrong.
        disposition: What may be done next.
        transmitted: Whether the vendor may have taken the message.
        wait_s: Seconds to wait at least when the vendor does not say, or None.
    """

    category: Category
    disposition: Disposition
    transmitted: Transmitted = Transmitted.NO
    wait_s: float | None = None


AUTH = Axes(Category.AUTH, Disposition.FIX_FIRST)
ACCOUNT = Axes(Category.CONFIG, Disposition.FIX_FIRST)
FUNDS = Axes(Category.FUNDS, Disposition.FIX_FIRST)
RATE = Axes(Category.RATE_LIMIT, Disposition.RETRY)
TEMPORARY = Axes(Category.PROVIDER_DOWN, Disposition.RETRY)
UNREACHABLE = Axes(Category.RECIPIENT, Disposition.NEVER)
OPTED_OUT = Axes(Category.OPTED_OUT, Disposition.NEVER)
WINDOW = Axes(Category.SESSION_CLOSED, Disposition.FIX_FIRST)
TEMPLATE = Axes(Category.TEMPLATE, Disposition.FIX_FIRST)
REQUEST = Axes(Category.VALIDATION, Disposition.FIX_FIRST)
DOWN = Axes(Category.PROVIDER_DOWN, Disposition.NEVER, Transmitted.MAYBE)
UNREAD = Axes(Category.PROTOCOL, Disposition.NEVER, Transmitted.MAYBE)


def _rate(wait_s: float) -> Axes:
    return Axes(Category.RATE_LIMIT, Disposition.RETRY, wait_s=wait_s)


def _this_person(wait_s: float) -> Axes:
    """
    The others are not concerned: the account does not slow down.
    """
    return Axes(Category.RECIPIENT, Disposition.RETRY, wait_s=wait_s)


#: First code, last code (included), meaning. Ranges do not overlap.
CODES: tuple[tuple[int, int, Axes], ...] = (
    (0, 0, AUTH),  # the token is invalid
    (1, 1, TEMPORARY),  # invalid request, or a fault of the server
    (2, 2, TEMPORARY),  # the service is down
    (3, 3, AUTH),  # the app lacks the capability
    (4, 4, _rate(60)),  # calls of the app
    (10, 10, AUTH),  # a permission is missing
    (33, 33, ACCOUNT),  # the business number was deleted, or the id is wrong
    (100, 100, REQUEST),  # a parameter is wrong
    (190, 190, AUTH),  # the token has expired
    (200, 299, AUTH),  # a permission is missing
    (368, 368, ACCOUNT),  # restricted for breaking the policy
    (80007, 80007, _rate(60)),  # calls of the business account
    (130403, 130403, UNREACHABLE),  # the business blocked this person
    (130429, 130429, RATE),  # throughput of the number
    (130472, 130472, UNREACHABLE),  # the person is in a group of an experiment
    (130497, 130497, Axes(Category.CONFIG, Disposition.NEVER)),  # the business may not write to that country
    (131000, 131000, TEMPORARY),
    (131005, 131005, AUTH),
    (131008, 131009, REQUEST),  # a parameter is missing or has a wrong value
    (131016, 131016, TEMPORARY),
    (131021, 131021, Axes(Category.VALIDATION, Disposition.NEVER)),  # sender and recipient are one
    (131026, 131026, UNREACHABLE),  # not on WhatsApp, old app, terms not accepted: the vendor does not say which
    (131030, 131030, ACCOUNT),  # a test number, and the recipient is not on its list
    (131031, 131031, ACCOUNT),  # the account is locked
    (131037, 131037, ACCOUNT),  # the display name is not approved
    (131042, 131042, FUNDS),
    (131045, 131045, ACCOUNT),  # the number is not registered
    (131047, 131047, WINDOW),
    (131048, 131048, _rate(3600)),  # too many people reported the number as spam
    (131049, 131049, _this_person(86_400)),  # held back from this person, who gets too much of its kind
    (131050, 131050, OPTED_OUT),  # of marketing
    (131051, 131051, REQUEST),  # unsupported type of message
    (131052, 131052, Axes(Category.VALIDATION, Disposition.NEVER)),  # a file of the person cannot be fetched
    (131053, 131053, REQUEST),  # a file cannot be uploaded
    (131055, 131055, TEMPLATE),  # not to be sent by this API
    (131056, 131056, _this_person(6)),  # one message in six seconds to one person
    (131057, 131057, TEMPORARY),  # the number is under maintenance
    (131062, 131062, REQUEST),  # this message needs a phone number
    (131063, 131063, TEMPLATE),  # marketing is switched off for this API
    (131064, 131064, _rate(3600)),  # templates were declared in the wrong category; lifts by itself
    (132000, 132001, TEMPLATE),  # number of parameters; no such name and language
    (132005, 132005, TEMPLATE),  # the rendered text is too long
    (132007, 132008, TEMPLATE),  # content breaks the policy; format of a parameter
    (132012, 132012, TEMPLATE),  # format of a parameter
    (132015, 132016, TEMPLATE),  # paused; disabled for good
    (132018, 132018, TEMPLATE),  # value of a parameter
    (132068, 132069, TEMPLATE),  # its flow is blocked or throttled
    (133000, 133000, ACCOUNT),  # registration of the number
    (133004, 133004, TEMPORARY),
    (133005, 133009, ACCOUNT),
    (133010, 133010, ACCOUNT),  # the number is not registered
    (133015, 133016, ACCOUNT),
    (134011, 134011, ACCOUNT),  # terms of payments are not accepted
    (134100, 134102, TEMPLATE),  # only by the Marketing Messages API
    (135000, 135000, TEMPORARY),  # unknown fault with the parameters: once more, and then it is ours
    (137000, 137000, REQUEST),  # the recipient is not who it was
    (2388012, 2388299, TEMPLATE),  # making a template
    (2494100, 2494100, Axes(Category.TEMPLATE, Disposition.RETRY, wait_s=60)),  # the account is being moved
)


def classify(code: int | None) -> Axes | None:
    """
    Look *code* up; None when nobody knows it.
    """
    if code is None:
        return None
    return next((axes for first, last, axes in CODES if first <= code <= last), None)


def from_answer(response: httpx.Response, *, now: datetime) -> ProviderError:
    """
    Class an answer that is no success.

    Args:
        response: What came, with its body read.
        now: The present, for a ``Retry-After`` that holds a date.
    """
    status, error = response.status_code, error_object(response)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _provider_error(DOWN, error)
    axes = _refused(status, error) if status >= HTTPStatus.BAD_REQUEST else _contradicted(response, error)
    wait_s = retry_after(response.headers.get("Retry-After"), now=now)
    return _provider_error(axes, error, wait_s=wait_s)


def _refused(status: int, error: Mapping[str, Any] | None) -> Axes:
    axes = classify(_code(error))
    if axes is not None:
        return axes
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RATE
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return AUTH
    return UNREAD if error is None else REQUEST


def _contradicted(response: httpx.Response, error: Mapping[str, Any] | None) -> Axes:
    document = json_object(response) or {}
    # An error beside an id is a contradiction: the message may be out.
    return UNREAD if "messages" in document else classify(_code(error)) or UNREAD


def from_status(errors: object) -> ProviderError:
    """
    Class the errors of a ``failed`` status: a list of which the first one counts.

    ``transmitted`` is the code's own: the vendor took the message and now says that the person did not get it.
    """
    first = errors[0] if isinstance(errors, list) and errors else None
    error = first if isinstance(first, dict) else None
    return _provider_error(classify(_code(error)) or UNREAD, error)


def from_transport(error: httpx.HTTPError) -> ProviderError:
    """
    Class a failure to exchange bytes: without a connection nothing was sent, after it nobody knows.
    """
    import httpx

    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.NO)
    return ProviderError(Category.NETWORK, Disposition.NEVER, Transmitted.MAYBE)


def before_sending(error: ProviderError) -> ProviderError:
    """
    *error* of a call that sends nothing: whatever became of it, no message is out.
    """
    if error.transmitted is Transmitted.NO:
        return error
    lasting = error.category is Category.PROTOCOL
    return ProviderError(
        error.category,
        Disposition.FIX_FIRST if lasting else Disposition.RETRY,
        Transmitted.NO,
        vendor_code=error.vendor_code,
        vendor_message=error.vendor_message,
    )


def unreadable() -> ProviderError:
    """
    An answer that says success and cannot be read as one.
    """
    return _provider_error(UNREAD, None)


def json_object(response: httpx.Response) -> dict[str, Any] | None:
    """
    The body as a JSON object, or None when it is none.
    """
    try:
        document = response.json()
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def error_object(response: httpx.Response) -> dict[str, Any] | None:
    """
    The body's ``error``, or None.
    """
    error = (json_object(response) or {}).get("error")
    return error if isinstance(error, dict) else None


def retry_after(value: str | None, *, now: datetime) -> float | None:
    """
    Read ``Retry-After``: seconds or an HTTP date.

    Returns:
        Seconds from *now*, 0 to 3600; None when there is nothing or nothing that can be read.
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(text)
        seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_S)


def _provider_error(axes: Axes, error: Mapping[str, Any] | None, *, wait_s: float | None = None) -> ProviderError:
    code = _code(error)
    retry = axes.disposition is Disposition.RETRY
    return ProviderError(
        axes.category,
        axes.disposition,
        axes.transmitted,
        retry_after=(axes.wait_s if wait_s is None else wait_s) if retry else None,
        vendor_code=None if code is None else str(code),
        vendor_message=_words(error),
    )


def _code(error: Mapping[str, Any] | None) -> int | None:
    code = None if error is None else error.get("code")
    # type(), since True is an int too; the bound keeps nonsense out of error texts
    return code if type(code) is int and 0 <= code < 10**9 else None


def _words(error: Mapping[str, Any] | None) -> str | None:
    if error is None:
        return None
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    words = [text for text in (error.get("message") or error.get("title"), details) if isinstance(text, str) and text]
    return " | ".join(words)[:_LONGEST_MESSAGE] or None
