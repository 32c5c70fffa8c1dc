"""
The vendor's answers, one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cobranza_mercado_pago._errors import from_answer, from_question, from_transport

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
CAUSE: Callable[[int], dict[str, Any]] = lambda code: {"error": "bad_request", "cause": [{"code": code}]}  # noqa: E731


@pytest.mark.parametrize(
    ("status", "body", "axes", "code"),
    [
        (400, {"error": "invalid_items"}, ("validation", "never", "no"), "invalid_items"),
        (400, {"error": "invalid_collector_id"}, ("config", "fix_first", "no"), "invalid_collector_id"),
        (400, {"error": "invalid_access_token"}, ("auth", "fix_first", "no"), "invalid_access_token"),
        (400, CAUSE(2063), ("validation", "never", "no"), "2063"),
        (400, CAUSE(2024), ("validation", "never", "no"), "2024"),
        (400, CAUSE(4296), ("validation", "never", "no"), "4296"),
        (400, {"error": "new_word"}, ("validation", "never", "no"), "new_word"),
        (400, {"errors": [{"code": "invalid_back_urls"}]}, ("config", "fix_first", "no"), "invalid_back_urls"),
        (401, {}, ("auth", "fix_first", "no"), "401"),
        (402, {}, ("funds", "fix_first", "no"), "402"),
        (
            403,
            {"code": "PA_UNAUTHORIZED_RESULT_FROM_POLICIES"},
            ("auth", "fix_first", "no"),
            "PA_UNAUTHORIZED_RESULT_FROM_POLICIES",
        ),
        (404, [], ("validation", "never", "no"), "404"),
        (409, {"error": "idempotency_key_already_used"}, ("validation", "never", "no"), "idempotency_key_already_used"),
        (409, {"error": "resource_locked"}, ("provider_down", "retry", "no"), "resource_locked"),
        (409, {"errors": [{"code": "refund_in_progress"}]}, ("provider_down", "retry", "maybe"), "refund_in_progress"),
        (409, {"error": "nobody_knows"}, ("protocol", "never", "maybe"), "nobody_knows"),
        (418, "text", ("protocol", "never", "maybe"), None),
        (422, {}, ("validation", "never", "no"), "422"),
        (423, {}, ("provider_down", "retry", "no"), "423"),
        (424, {}, ("provider_down", "retry", "maybe"), "424"),
        (429, {}, ("rate_limit", "retry", "no"), "429"),
        (500, {"error": "invalid_items"}, ("provider_down", "never", "maybe"), "invalid_items"),
        (302, {}, ("protocol", "never", "maybe"), None),
        (400, {"cause": [{"code": "45678901"}], "error": "Ana Prueba"}, ("validation", "never", "no"), "400"),
    ],
)
def test_each_answer_is_classed(status: int, body: Any, axes: tuple[str, str, str], code: str | None) -> None:
    """
    What may be done next depends on the three axes and on nothing else.
    """
    error = from_answer(httpx.Response(status, json=body), NOW)

    assert (error.category, error.disposition, error.transmitted) == axes
    assert error.vendor_code == code


@pytest.mark.parametrize(
    ("value", "wait"),
    [("7", 7.0), ("99999", 3600.0), ("Wed, 05 Aug 2026 17:00:30 GMT", 30.0), ("soon", None), ("-1", None)],
)
def test_a_wait_is_read_as_seconds_and_as_a_date(value: str, wait: float | None) -> None:
    """
    The vendor publishes no rate: the header is all there is.
    """
    assert from_answer(httpx.Response(429, headers={"Retry-After": value}), NOW).retry_after == wait


@pytest.mark.parametrize(
    ("error", "axes", "keyed"),
    [
        (httpx.ConnectError(""), ("network", "retry", "no"), "retry"),
        (httpx.ConnectTimeout(""), ("network", "retry", "no"), "retry"),
        (httpx.PoolTimeout(""), ("network", "retry", "no"), "retry"),
        (httpx.ReadTimeout(""), ("network", "never", "maybe"), "retry"),
        (httpx.WriteError(""), ("network", "never", "maybe"), "retry"),
        (httpx.RemoteProtocolError(""), ("network", "never", "maybe"), "retry"),
        (httpx.DecodingError(""), ("protocol", "never", "maybe"), "retry"),
    ],
)
def test_a_broken_connection_is_classed_by_what_may_have_left(
    error: httpx.HTTPError, axes: tuple[str, str, str], keyed: str
) -> None:
    """
    Only what never left is repeated by itself; with a key that is honoured, and as a question, anything is.
    """
    plain, repeated = from_transport(error), from_transport(error, repeatable=True)

    assert (plain.category, plain.disposition, plain.transmitted) == axes
    assert repeated.disposition == keyed
    assert (from_question(plain).disposition, from_question(plain).transmitted) == ("retry", "maybe")
