"""
The vendor's answers and codes as category, disposition and transmitted.

Codes are those of Twilio's error dictionary, https://www.twilio.com/docs/api/errors. The vendor calls the code of an
undelivered message advisory: what is not listed is no reason to give up on a number.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from cobranza_sdk import Category, Disposition, ProviderError, Transmitted

if TYPE_CHECKING:
    import httpx

_MAX_WAIT_S = 3600.0
_MAX_MESSAGE = 500
_MAX_CODE = 999_999
_SERVER_ERROR, _CLIENT_ERROR, _TOO_MANY = 500, 400, 429

_Axes = tuple[Category, Disposition]
_SIGN_IN = (Category.AUTH, Disposition.FIX_FIRST)
_SETUP = (Category.CONFIG, Disposition.FIX_FIRST)
_LATER = (Category.RATE_LIMIT, Disposition.RETRY)
_BAD_NUMBER = (Category.RECIPIENT, Disposition.NEVER)
_BAD_REQUEST = (Category.VALIDATION, Disposition.NEVER)
_CARRIER = (Category.PROVIDER_DOWN, Disposition.RETRY)

_GROUPS: tuple[tuple[_Axes, tuple[int, ...]], ...] = (
    (_SIGN_IN, (20003, 20008, 30002)),
    (_SETUP, (11243, 12300, 12400, 57012, 20404, 21603, 21609)),
    (_SETUP, (21212, 21606, 21659, 21660, 21661, 21703, 21704, 21705)),
    (_SETUP, (30018, 30032, 30034, 30038, 30039, 30040)),
    # fraud and pumping protection: a person has to look
    (_SETUP, (30450, 30453, 30454)),
    ((Category.CONFIG, Disposition.NEVER), (30863,)),
    (_LATER, (14107, 20429, 21611, 30001, 30022, 63017)),
    # the validity period ended in the queue
    (_LATER, (30036,)),
    (_BAD_NUMBER, (21211, 21217, 21265, 21614, 30005, 30006)),
    # blocked, perhaps by an opt-out at the carrier: not sure enough to record one
    (_BAD_NUMBER, (30004,)),
    # no route from this sender, a country that is not enabled, a number that a trial account has not verified: true of
    # this number only, so the others need not wait
    ((Category.RECIPIENT, Disposition.FIX_FIRST), (21612, 21408, 21608)),
    ((Category.RECIPIENT, Disposition.RETRY), (30003,)),
    ((Category.OPTED_OUT, Disposition.NEVER), (21610,)),
    (_BAD_REQUEST, (21602, 21604, 21617, 21619, 21620, 21623, 30009, 30010, 30019)),
    (_BAD_REQUEST, (35111, 35114, 35115, 35117, 35118, 35126)),
    ((Category.TEMPLATE, Disposition.FIX_FIRST), (21654, 21655, 21656)),
    # filtered for its words or its sender
    ((Category.VALIDATION, Disposition.FIX_FIRST), (30007,)),
    (_CARRIER, (30008, 30017, 30410)),
)
_CODES: dict[int, _Axes] = {code: axes for axes, codes in _GROUPS for code in codes}
_STATUSES: dict[int, _Axes] = {
    401: _SIGN_IN,
    402: (Category.FUNDS, Disposition.FIX_FIRST),
    403: _SIGN_IN,
    404: _SETUP,
}


def read_json(response: httpx.Response) -> Any:
    """
    The answer's JSON, or None when it has none.
    """
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def read_code(value: object) -> int | None:
    """
    The vendor's code, given as a number or as digits. Anything else is None: codes are printed, so they hold no text.
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MAX_CODE:
        return value
    return None


def from_transport(error: httpx.HTTPError) -> ProviderError:
    """
    Class what the HTTP client raised while a message was handed over.
    """
    import httpx

    # Nothing of the request had left when these were raised.
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
        return ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.NO)
    if isinstance(error, httpx.DecodingError):
        return ProviderError.unrecognised()
    return ProviderError(Category.NETWORK, Disposition.NEVER, Transmitted.MAYBE)


def from_answer(response: httpx.Response, now: datetime) -> ProviderError:
    """
    Class an answer to a message handed over that is not 2xx.

    Args:
        response: The answer.
        now: For a Retry-After that is a date.
    """
    code, words = _read_problem(response)
    shown = None if code is None else str(code)
    status = response.status_code
    if status >= _SERVER_ERROR:
        return ProviderError(
            Category.PROVIDER_DOWN, Disposition.NEVER, Transmitted.MAYBE, vendor_code=shown, vendor_message=words
        )
    axes = _refusal(status, code)
    if axes is None:
        return ProviderError.unrecognised(vendor_code=shown, vendor_message=words)
    wait = _retry_after(response.headers.get("Retry-After"), now) if axes[1] is Disposition.RETRY else None
    return ProviderError(*axes, Transmitted.NO, retry_after=wait, vendor_code=shown, vendor_message=words)


def from_question(error: ProviderError) -> ProviderError:
    """
    The same failure when only a question was asked: it may be asked again, and what became of the message stays open.
    """
    harmless = error.category in {Category.NETWORK, Category.PROVIDER_DOWN, Category.PROTOCOL}
    return ProviderError(
        error.category,
        Disposition.RETRY if harmless else error.disposition,
        Transmitted.MAYBE,
        retry_after=error.retry_after,
        vendor_code=error.vendor_code,
        vendor_message=error.vendor_message,
    )


def from_delivery(code: int | None, words: str | None = None) -> ProviderError:
    """
    Class why a message that the vendor had taken did not arrive.
    """
    axes = _CODES.get(code or 0, (Category.PROTOCOL, Disposition.RETRY))
    return ProviderError(
        *axes,
        Transmitted.YES,
        vendor_code=None if code is None else str(code),
        vendor_message=words[:_MAX_MESSAGE] if words else None,
    )


def _refusal(status: int, code: int | None) -> _Axes | None:
    if status < _CLIENT_ERROR:
        return None
    if status == _TOO_MANY:
        return _LATER
    if code in _CODES:
        return _CODES[code]
    return _STATUSES.get(status) or (_BAD_REQUEST if code is not None else None)


def _read_problem(response: httpx.Response) -> tuple[int | None, str | None]:
    body = read_json(response)
    if not isinstance(body, dict):
        return (None, None)
    words = body.get("message") or body.get("detail") or body.get("title")
    return (read_code(body.get("code")), words[:_MAX_MESSAGE] if isinstance(words, str) else None)


def _retry_after(value: str | None, now: datetime) -> float | None:
    if value is None:
        return None
    if re.fullmatch(r"[0-9]+", value.strip()):
        return min(float(value), _MAX_WAIT_S)
    try:
        wait = (parsedate_to_datetime(value) - now).total_seconds()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(wait, _MAX_WAIT_S) if wait > 0 else None
