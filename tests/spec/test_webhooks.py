"""
Law 9: unverified webhooks are never parsed.
"""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import VerifiedEnvelope, WebhookRequest
from cobranza_sdk.spec import Headers

NOON = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)


def request(**changes: Any) -> WebhookRequest:
    values = {
        "method": "POST",
        "url": "https://hooks.example.com/webhooks/sms",
        "headers": {"X-Signature": "abc"},
        "body": b"raw",
        "received_at": NOON,
    }
    return WebhookRequest(**{**values, **changes})


def test_a_request_vouches_for_what_was_signed_and_nothing_else() -> None:
    """
    Law 9: what the signature does not cover cannot be parsed, for it is not in the envelope.
    """
    envelope = request().verified(account="AC1", scheme="hmac-sha256", signed=b"covered")

    assert (envelope.account, envelope.scheme, envelope.signed) == ("AC1", "hmac-sha256", b"covered")
    assert envelope.received_at == NOON
    assert {name for name in dir(envelope) if not name.startswith("_")} == {
        "account",
        "scheme",
        "signed",
        "received_at",
    }


def test_an_envelope_cannot_be_made_without_a_request() -> None:
    """
    Law 9: a plugin that skips verification fails where it does so.
    """
    values: dict[str, Any] = {"account": "a", "scheme": "none", "signed": b"x", "received_at": NOON}

    for proof in (None, object(), True):
        with pytest.raises(TypeError, match=r"WebhookRequest\.verified"):
            VerifiedEnvelope(proof, **values)


def test_an_envelope_has_no_kinds() -> None:
    """
    Law 9: a subclass would pass every check of type and prove nothing.
    """
    with pytest.raises(TypeError, match="no kinds"):
        type("Forged", (VerifiedEnvelope,), {"__init__": lambda self: None})


@pytest.mark.parametrize("name", ["account", "scheme", "signed", "received_at", "extra"])
def test_an_envelope_never_changes(name: str) -> None:
    """
    Law 9: what was signed stays what is parsed.
    """
    envelope = request().verified(account="a", scheme="s", signed=b"x")

    with pytest.raises(AttributeError, match="cannot be changed"):
        setattr(envelope, name, b"other")
    with pytest.raises(AttributeError, match="cannot be changed"):
        delattr(envelope, name)


@pytest.mark.parametrize("spread", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])  # noqa: S301
def test_an_envelope_is_not_rebuilt_behind_the_proof(spread: Any) -> None:
    """
    Law 9: a pickle is bytes that anybody can write.
    """
    with pytest.raises((TypeError, AttributeError)):
        spread(request().verified(account="a", scheme="s", signed=b"x"))


def test_an_envelope_keeps_a_copy_of_the_bytes() -> None:
    """
    Law 9: a buffer that is reused after the check would change what is parsed.
    """
    buffer = bytearray(b"good")
    envelope = request().verified(account="a", scheme="s", signed=buffer)
    buffer[:] = b"evil"

    assert envelope.signed == b"good"
    assert "good" not in repr(envelope)


@given(st.text("abcXYZ-", min_size=1), st.text("0123456789"))
def test_header_names_compare_without_case(name: str, value: str) -> None:
    """
    Proxies rewrite the case of headers; a signature that is not found is a webhook that is lost.
    """
    headers = request(headers={name: value}).headers

    assert headers[name.upper()] == headers[name.lower()] == headers.get(name.swapcase()) == value
    assert name.upper() in headers
    assert len(headers) == 1


def test_headers_do_not_print_their_values() -> None:
    """
    Law 10: an Authorization header stands among them.
    """
    assert repr(Headers({"Authorization": "Basic c2VjcmV0"})) == "Headers(['authorization'])"
    assert Headers({"A": "1"}) == {"a": "1"}
