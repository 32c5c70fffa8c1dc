"""
The vendor's answers and codes as category, disposition and transmitted.

Two shapes of error are read: ``{"error": …, "cause": [{"code": …}]}`` and ``{"errors": [{"code": …}]}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from cobranza_mercado_pago._amounts import read_json
from cobranza_sdk import Category, Disposition, ProviderError, Transmitted

if TYPE_CHECKING:
    import httpx

_MAX_WAIT_S = 3600.0
_MAX_MESSAGE = 500
_SERVER_ERROR, _CLIENT_ERROR = 500, 400
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,63}|[0-9]{1,6}", re.ASCII)

#: Codes that say the money is back already.
GIVEN_BACK = frozenset({"4296", "order_already_refunded"})
#: Code of a payment that is not there.
NOT_FOUND = "404"

_Axes = tuple[Category, Disposition, Transmitted]
_SIGN_IN = (Category.AUTH, Disposition.FIX_FIRST, Transmitted.NO)
_SETUP = (Category.CONFIG, Disposition.FIX_FIRST, Transmitted.NO)
_REFUSED = (Category.VALIDATION, Disposition.NEVER, Transmitted.NO)
_LATER = (Category.PROVIDER_DOWN, Disposition.RETRY, Transmitted.NO)
_RUNNING = (Category.PROVIDER_DOWN, Disposition.RETRY, Transmitted.MAYBE)

_GROUPS: tuple[tuple[_Axes, tuple[str, ...]], ...] = (
    (_SIGN_IN, ("invalid_access_token", "PA_UNAUTHORIZED_RESULT_FROM_POLICIES")),
    (_SETUP, ("invalid_collector_id", "collector_does_not_comply_with_current_regulation")),
    (_SETUP, ("invalid_back_urls", "invalid_payment_methods", "invalid_binary_mode", "invalid_shipments")),
    (_REFUSED, ("invalid_items", "invalid_id", "invalid_payer", "invalid_date")),
    (_REFUSED, ("invalid_expiration_date_to", "invalid_expiration_date_from")),
    # not valid in the payment's state; too old; not possible at all
    (_REFUSED, ("2063", "2024", "15016", "2032", "3024")),
    # amounts that are wrong or exceed the payment; the key is missing
    (_REFUSED, ("2085", "4040", "4041", "4292")),
    # the same key came before with another body
    (_REFUSED, ("idempotency_key_already_used", "cannot_refund_order", "order_already_canceled")),
    (_LATER, ("resource_locked",)),
    (_RUNNING, ("refund_in_progress",)),
)
_CODES: dict[str, _Axes] = {code: axes for axes, codes in _GROUPS for code in codes}
_STATUSES: dict[int, _Axes] = {
    400: _REFUSED,
    401: _SIGN_IN,
    402: (Category.FUNDS, Disposition.FIX_FIRST, Transmitted.NO),
    403: _SIGN_IN,
    404: _REFUSED,
    422: _REFUSED,
    423: _LATER,
    424: _RUNNING,
    429: (Category.RATE_LIMIT, Disposition.RETRY, Transmitted.NO),
}


def from_transport(error: httpx.HTTPError, *, repeatable: bool = False) -> ProviderError:
    """
    Class what the HTTP client raised while something was asked for.

    Args:
        error: What it raised.
        repeatable: Whether the vendor honours the request's idempotency key: it may then be made again as it is.
    """
    import httpx

    # Nothing of the request had left when these were raised.
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
        return ProviderError(Category.NETWORK, Disposition.RETRY, Transmitted.NO)
    again = Disposition.RETRY if repeatable else Disposition.NEVER
    category = Category.PROTOCOL if isinstance(error, httpx.DecodingError) else Category.NETWORK
    return ProviderError(category, again, Transmitted.MAYBE)


def from_answer(response: httpx.Response, now: datetime, *, repeatable: bool = False) -> ProviderError:
    """
    Class an answer that is not 2xx.

    Args:
        response: The answer.
        now: For a Retry-After that is a date.
        repeatable: As for `from_transport`.
    """
    code, words = _read_problem(response)
    status = response.status_code
    if status >= _SERVER_ERROR:
        again = Disposition.RETRY if repeatable else Disposition.NEVER
        return ProviderError(Category.PROVIDER_DOWN, again, Transmitted.MAYBE, vendor_code=code, vendor_message=words)
    axes = _CODES.get(code or "") or _STATUSES.get(status)
    if status < _CLIENT_ERROR or axes is None:
        return ProviderError.unrecognised(vendor_code=code, vendor_message=words)
    wait = _retry_after(response.headers.get("Retry-After"), now) if axes[1] is Disposition.RETRY else None
    return ProviderError(*axes, retry_after=wait, vendor_code=code or str(status), vendor_message=words)


def from_question(error: ProviderError) -> ProviderError:
    """
    The same failure when only a question was asked: it may be asked again, and what it was about stays open.
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


def unreadable() -> ProviderError:
    """
    An answer to a question that is not what the vendor answers.
    """
    return from_question(ProviderError.unrecognised())


def _read_problem(response: httpx.Response) -> tuple[str | None, str | None]:
    body = read_json(response.content)
    if not isinstance(body, dict):
        return (None, None)
    codes = [str(code) for code in _codes(body) if isinstance(code, (int, str)) and _WORD.fullmatch(str(code))]
    known = [code for code in codes if code in _CODES or code in GIVEN_BACK]
    words = body.get("message")
    return (next(iter(known or codes), None), words[:_MAX_MESSAGE] if isinstance(words, str) else None)


def _codes(body: dict[str, Any]) -> Iterator[object]:
    for several in (body.get("cause"), body.get("errors")):
        for item in several if isinstance(several, list) else ():
            if isinstance(item, dict):
                yield item.get("code")
    yield body.get("code")
    yield body.get("error")


def _retry_after(value: str | None, now: datetime) -> float | None:
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip(), re.ASCII):
        return min(float(value), _MAX_WAIT_S)
    try:
        wait = (parsedate_to_datetime(value) - now).total_seconds()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(wait, _MAX_WAIT_S) if wait > 0 else None
