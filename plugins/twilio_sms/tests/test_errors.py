"""
The vendor's codes as three answers.
"""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from cobranza_twilio_sms._errors import from_answer, from_delivery, from_question, from_transport, read_code

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


def refused(code: object, status: int = 400, **headers: str) -> httpx.Response:
    body = {"code": code, "message": "The number +51987654321 is wrong", "status": status}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("codes", "category", "disposition"),
    [
        ((20003, 20008, 30002), "auth", "fix_first"),
        ((20404, 21212, 21606, 21659, 21660, 21661, 21703, 21704, 21705), "config", "fix_first"),
        ((20429, 14107, 21611, 63017), "rate_limit", "retry"),
        ((21211, 21217, 21265, 21614), "recipient", "never"),
        ((21612, 21408, 21608), "recipient", "fix_first"),
        ((21610,), "opted_out", "never"),
        ((21602, 21604, 21617, 21619, 21620, 21623), "validation", "never"),
        ((35111, 35114, 35115, 35117, 35118, 35126), "validation", "never"),
        ((21654, 21655, 21656), "template", "fix_first"),
        ((29999,), "validation", "never"),
    ],
)
def test_a_refusal_with_a_code_left_nothing_out(codes: tuple[int, ...], category: str, disposition: str) -> None:
    """
    A refused message may be counted as not sent; what to do next depends on whose fault it was.
    """
    for code in codes:
        error = from_answer(refused(code), NOW)

        assert (error.category, error.disposition, error.transmitted) == (category, disposition, "no"), code
        assert error.vendor_code == str(code)


@pytest.mark.parametrize(
    ("codes", "category", "disposition"),
    [
        ((30001, 30022, 30036), "rate_limit", "retry"),
        ((30003,), "recipient", "retry"),
        ((30004, 30005, 30006), "recipient", "never"),
        ((30007,), "validation", "fix_first"),
        ((30008, 30017, 30410), "provider_down", "retry"),
        ((30009, 30010, 30019), "validation", "never"),
        ((30018, 30032, 30034, 30038, 30039, 30040, 30450, 30453, 30454), "config", "fix_first"),
        ((30863,), "config", "never"),
        ((21610,), "opted_out", "never"),
        ((39999, None), "protocol", "retry"),
    ],
)
def test_a_failed_delivery_says_what_to_do(codes: tuple[int | None, ...], category: str, disposition: str) -> None:
    """
    A number is given up only for codes that mean it; the vendor had the message in each case.
    """
    for code in codes:
        error = from_delivery(code)

        assert (error.category, error.disposition, error.transmitted) == (category, disposition, "yes"), code


@pytest.mark.parametrize(
    ("response", "answers"),
    [
        (httpx.Response(500), ("provider_down", "never", "maybe")),
        (httpx.Response(503, json={"code": 20503}), ("provider_down", "never", "maybe")),
        (httpx.Response(502, json={"code": 21211}), ("provider_down", "never", "maybe")),
        (httpx.Response(401), ("auth", "fix_first", "no")),
        (httpx.Response(403, json={"title": "no"}), ("auth", "fix_first", "no")),
        (httpx.Response(404, text="<html>"), ("config", "fix_first", "no")),
        (httpx.Response(402), ("funds", "fix_first", "no")),
        (httpx.Response(429), ("rate_limit", "retry", "no")),
        (httpx.Response(429, json={"code": 99999}), ("rate_limit", "retry", "no")),
        (httpx.Response(400, json={"code": "21211"}), ("recipient", "never", "no")),
        (httpx.Response(400, json={"code": True}), ("protocol", "never", "maybe")),
        (httpx.Response(400, json=["x"]), ("protocol", "never", "maybe")),
        (httpx.Response(408), ("protocol", "never", "maybe")),
        (httpx.Response(400, content=b"[" * 100_000), ("protocol", "never", "maybe")),
        (httpx.Response(302, headers={"Location": "/"}), ("protocol", "never", "maybe")),
    ],
)
def test_an_answer_without_a_known_code_is_classed_by_its_status(
    response: httpx.Response, answers: tuple[str, str, str]
) -> None:
    """
    Whatever a proxy puts in the vendor's mouth, doubt is never taken for "not sent".
    """
    error = from_answer(response, NOW)

    assert (error.category, error.disposition, error.transmitted) == answers


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("999999", 3600.0),
        ("9" * 5000, 3600.0),
        ("Wed, 05 Aug 2026 17:00:30 GMT", 30.0),
        ("Wed, 05 Aug 2027 17:00:30 GMT", 3600.0),
        ("Wed, 05 Aug 2026 16:00:00 GMT", None),
        ("Wed, 05 Aug 2026 17:00:30 -0000", None),
        ("soon", None),
        ("-5", None),
        ("nan", None),
        ("1.5e3", None),
        ("", None),
    ],
)
def test_retry_after_is_believed_within_reason(value: str, wait: float | None) -> None:
    """
    A vendor's slip must not park a queue for a year or stop it with an exception.
    """
    assert from_answer(refused(20429, 429, Retry_After=value), NOW).retry_after == wait


def test_retry_after_means_nothing_on_a_final_refusal() -> None:
    """
    A number that is wrong stays wrong however long we wait.
    """
    assert from_answer(refused(21211, Retry_After="5"), NOW).retry_after is None


@pytest.mark.parametrize(
    ("error", "answers"),
    [
        (httpx.ConnectError("x"), ("network", "retry", "no")),
        (httpx.ConnectTimeout("x"), ("network", "retry", "no")),
        (httpx.PoolTimeout("x"), ("network", "retry", "no")),
        (httpx.ReadTimeout("x"), ("network", "never", "maybe")),
        (httpx.WriteTimeout("x"), ("network", "never", "maybe")),
        (httpx.ReadError("x"), ("network", "never", "maybe")),
        (httpx.WriteError("x"), ("network", "never", "maybe")),
        (httpx.RemoteProtocolError("x"), ("network", "never", "maybe")),
        (httpx.ProxyError("x"), ("network", "never", "maybe")),
        (httpx.DecodingError("x"), ("protocol", "never", "maybe")),
    ],
)
def test_only_what_failed_before_sending_may_be_repeated(error: httpx.HTTPError, answers: tuple[str, str, str]) -> None:
    """
    A debtor must not get a reminder twice because an answer was lost.
    """
    classed = from_transport(error)

    assert (classed.category, classed.disposition, classed.transmitted) == answers


def test_a_question_may_be_asked_again_but_settles_nothing() -> None:
    """
    A look-up that failed says nothing of the message: it stays "maybe".
    """
    lost = from_question(from_transport(httpx.ReadTimeout("x")))
    refused_question = from_question(from_answer(refused(20003, 401), NOW))

    assert (lost.disposition, lost.transmitted) == ("retry", "maybe")
    assert (refused_question.category, refused_question.disposition) == ("auth", "fix_first")
    assert refused_question.transmitted == "maybe"


@pytest.mark.parametrize("value", ["+51987654321", "987654321", "21211x", "", None, 1.5, True, -1, 0, "٣", [], 10**9])
def test_only_a_code_is_printed_as_one(value: object) -> None:
    """
    The code is part of the error's text, so a phone number in its place must not get there.
    """
    assert read_code(value) is None


def test_the_vendors_words_are_kept_apart() -> None:
    """
    They quote the debtor's number, and errors end up in logs.
    """
    error = from_answer(refused(21211), NOW)

    assert error.vendor_message == "The number +51987654321 is wrong"
    assert "987654321" not in f"{error} {error!r} {error.args}"
