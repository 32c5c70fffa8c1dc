"""
The vendor's codes as category, disposition, transmitted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import ProviderError
from cobranza_whatsapp_cloud import _errors

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)

EXPECTED = {
    ("auth", "fix_first"): [0, 190, 3, 10, 200, 250, 299, 131005],
    ("config", "fix_first"): [33, 368, 131030, 131031, 131037, 131045, 133000, 133005, 133009, 133010, 133015, 134011],
    ("config", "never"): [130497],
    ("funds", "fix_first"): [131042],
    ("rate_limit", "retry"): [4, 80007, 130429, 131048, 131064],
    ("recipient", "retry"): [131049, 131056],
    ("provider_down", "retry"): [1, 2, 131000, 131016, 131057, 133004, 135000],
    ("recipient", "never"): [131026, 130403, 130472],
    ("opted_out", "never"): [131050],
    ("session_closed", "fix_first"): [131047],
    ("template", "fix_first"): [
        *(132000, 132001, 132005, 132007, 132008, 132012, 132015, 132016, 132018, 132068, 132069),
        *(131055, 131063, 134100, 134101, 134102, 2388012, 2388293, 2388299),
    ],
    ("template", "retry"): [2494100],
    ("validation", "fix_first"): [100, 131008, 131009, 131051, 131053, 131062, 137000],
    ("validation", "never"): [131021, 131052],
}


def answered(status: int, document: Any = None, **headers: str) -> ProviderError:
    content = {"content": document} if isinstance(document, bytes) else {"json": document}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return _errors.from_answer(httpx.Response(status, headers=names, **content), now=NOW)


def axes(error: ProviderError) -> tuple[str, str, str]:
    return (error.category.value, error.disposition.value, error.transmitted.value)


@pytest.mark.parametrize(
    ("expected", "code"), [(expected, code) for expected, codes in EXPECTED.items() for code in codes]
)
@pytest.mark.parametrize("status", [400, 403, 429, 200])
def test_a_code_has_one_meaning(expected: tuple[str, str], code: int, status: int) -> None:
    """The vendor says of its HTTP status that it is not stable: the code decides what happens next."""
    error = answered(status, {"error": {"code": code, "message": "m", "error_data": {"details": "d"}}})

    assert axes(error) == (*expected, "no")
    assert (error.vendor_code, error.vendor_message) == (str(code), "m | d")


#: What the vendor documents, by what an operator would call it; codes in ranges are named one by one.
DOCUMENTED: dict[str, tuple[int, ...]] = {
    "auth": (0, 190, 3, 10, *range(200, 300), 131005),
    "account": (
        *(33, 368, 130497, 131031, 131042, 131037, 131045, 133010, 133000, 133005, 133006, 133007, 133008, 133009),
        *(133015, 133016, 134011),
    ),
    "rate": (4, 80007, 130429, 131048, 131064),
    "pair": (131049, 131056),
    "retry": (1, 2, 131000, 131016, 131057, 135000, 133004),
    "unreachable": (131026, 130403, 130472),
    "opted_out": (131050,),
    "window": (131047,),
    "template": (
        *(132000, 132001, 132005, 132007, 132008, 132012, 132018, 132015, 132016, 132068, 132069, 131063, 131055),
        *(134100, 134101, 134102, 2388012, 2388019, 2388039, 2388293, 2388299, 2494100),
    ),
    "request": (131030, 131021, 131062, 137000, 100, 131008, 131009, 131051, 131053, 131052),
}
#: What may be said of each of these.
CATEGORIES = {
    "auth": {"auth"},
    "account": {"config", "funds"},
    "rate": {"rate_limit"},
    "pair": {"recipient"},
    "retry": {"provider_down"},
    "unreachable": {"recipient"},
    "opted_out": {"opted_out"},
    "window": {"session_closed"},
    "template": {"template"},
    "request": {"validation", "config"},
}
#: Of these, trying again may help; 2494100 and the second kind of 1 and 135000 are bounded by the core's own count.
AGAIN = {*DOCUMENTED["rate"], *DOCUMENTED["pair"], *DOCUMENTED["retry"], 2494100}


@pytest.mark.parametrize(("family", "code"), [(family, code) for family, codes in DOCUMENTED.items() for code in codes])
def test_every_documented_code_is_classed(family: str, code: int) -> None:
    """A code that is not in the table is taken for our own mistake, and a person who opted out for reachable."""
    error = answered(400, {"error": {"code": code}})

    assert _errors.classify(code) is not None
    assert error.category in CATEGORIES[family]
    assert (error.disposition == "retry") == (code in AGAIN)
    assert error.transmitted == "no"


def test_no_code_is_classed_that_nobody_documents() -> None:
    """A row without a source would be a guess."""
    documented = {code for codes in DOCUMENTED.values() for code in codes}

    assert [row for row in _errors.CODES if not documented & set(range(row[0], row[1] + 1))] == []


@pytest.mark.parametrize(
    ("code", "seconds"), [(4, 60), (80007, 60), (131056, 6), (131048, 3600), (131064, 3600), (131049, 86_400)]
)
def test_a_known_limit_is_waited_out(code: int, seconds: float) -> None:
    """Knocking at a closed door lengthens the closing."""
    assert answered(400, {"error": {"code": code}}).retry_after == seconds
    assert _errors.from_status([{"code": code}]).retry_after == seconds


def test_the_table_has_no_code_twice() -> None:
    """Of two rows for one code, the second would be dead."""
    rows = sorted((first, last) for first, last, _ in _errors.CODES)

    assert all(first <= last for first, last in rows)
    assert all(before[1] < after[0] for before, after in pairwise(rows))


def test_a_failed_status_has_the_same_meaning_as_an_answer() -> None:
    """One code may come at once, later, or both."""
    error = _errors.from_status([{"code": 131050, "title": "User stopped", "error_data": {"details": "d"}}])

    assert axes(error) == ("opted_out", "never", "no")
    assert error.vendor_message == "User stopped | d"


@pytest.mark.parametrize("errors", [None, [], {}, [1], [{}], [{"code": "131026"}], [{"code": True}], [{"code": 999}]])
def test_a_failed_status_without_a_known_code_is_not_guessed(errors: Any) -> None:
    """What nobody can class is not repeated."""
    assert axes(_errors.from_status(errors)) == ("protocol", "never", "maybe")


@pytest.mark.parametrize("document", [b"", b"<html>", {"error": {"code": 131000}}, {"error": {"code": 190}}])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_of_the_server_is_doubt(status: int, document: Any) -> None:
    """The message may have gone out before the server fell: a duplicate is worse than a late reminder."""
    error = answered(status, document, retry_after="5")

    assert axes(error) == ("provider_down", "never", "maybe")
    assert error.retry_after is None


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (429, b"", ("rate_limit", "retry", "no")),
        (429, {"error": {}}, ("rate_limit", "retry", "no")),
        (429, {"error": {"code": 999_999}}, ("rate_limit", "retry", "no")),
        (401, {"error": {"code": "190"}}, ("auth", "fix_first", "no")),
        (403, {"error": {"message": "x"}}, ("auth", "fix_first", "no")),
        (400, {"error": {"code": 999_999}}, ("validation", "fix_first", "no")),
        (400, {"error": {"code": True}}, ("validation", "fix_first", "no")),
        (400, {"error": "text"}, ("protocol", "never", "maybe")),
        (404, b"<html>", ("protocol", "never", "maybe")),
        (302, b"", ("protocol", "never", "maybe")),
        (200, {"error": {"code": 999_999}}, ("protocol", "never", "maybe")),
        (200, {"error": "text"}, ("protocol", "never", "maybe")),
        (200, {"error": {"code": 190}, "messages": [{"id": "wamid.A"}]}, ("protocol", "never", "maybe")),
    ],
)
def test_what_the_table_does_not_know(status: int, document: Any, expected: tuple[str, str, str]) -> None:
    """A refusal in the vendor's own form is certain; anything else may have sent the message."""
    assert axes(answered(status, document)) == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("17", 17.0),
        (" 17 ", 17.0),
        ("3601", 3600.0),
        ("9" * 5000, 3600.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("Sun, 06 Nov 2094 08:49:37 GMT", 3600.0),
        ("Wed, 05 Aug 2026 17:00:30 -0000", 30.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e3", None),
        ("nan", None),
        ("٣", None),
        ("Sun, 06 Nov 99999999999 08:49:37 GMT", None),
    ],
)
def test_retry_after_is_read_or_ignored(value: str, seconds: float | None) -> None:
    """A wait that is misread stops a campaign for days or hammers the vendor."""
    assert _errors.retry_after(value, now=NOW) == seconds
    if value.isascii():
        assert answered(429, b"", retry_after=value).retry_after == seconds


@given(st.text())
def test_retry_after_never_raises(value: str) -> None:
    """Garbage in a header must not hide the error it came with."""
    seconds = _errors.retry_after(value, now=NOW)

    assert seconds is None or 0 <= seconds <= 3600


def test_the_vendors_own_wait_wins_over_ours() -> None:
    """Some limits have a known length; what the vendor says is better still."""
    assert answered(400, {"error": {"code": 131056}}).retry_after == 6
    assert answered(400, {"error": {"code": 131056}}, retry_after="40").retry_after == 40
    assert answered(400, {"error": {"code": 131049}}).retry_after == 86_400
    assert answered(400, {"error": {"code": 190}}, retry_after="40").retry_after is None


@pytest.mark.parametrize("field", [{"message": 7}, {"error_data": "x"}, {"error_data": {"details": []}}])
def test_words_of_the_wrong_type_are_dropped(field: dict[str, Any]) -> None:
    """An error about an error would hide the first one."""
    error = answered(400, {"error": {"code": 100, **field}})

    assert axes(error) == ("validation", "fix_first", "no")
    assert error.vendor_message is None


def test_long_words_are_cut() -> None:
    """They are stored with each attempt."""
    assert len(answered(400, {"error": {"code": 100, "message": "x" * 5000}}).vendor_message or "") == 1000
