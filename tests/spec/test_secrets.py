"""
Law 10: secrets reach no log line, no repr and no error text.
"""

from __future__ import annotations

import copy
import hmac
import json
import logging
import pickle
import string
import traceback
from collections.abc import Callable

import attrs
import pytest

from cobranza_sdk import Secret

CANARY = "sk_canary_4242"


@attrs.frozen
class Account:
    """
    Settings as a plugin writes them.
    """

    token: Secret
    tokens: tuple[Secret, ...] = ()


SHOWS: list[Callable[[Secret], str]] = [
    repr,
    str,
    format,
    ascii,
    lambda secret: f"{secret}",
    lambda secret: f"{secret!r:>40}",
    lambda secret: f"{secret:_<30}",
    lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  # the old way of log lines
    "{0} {0!r}".format,
    lambda secret: string.Template("$s").substitute(s=secret),
    lambda secret: repr([secret, {"k": secret}]),
    lambda secret: repr(Account(secret, (secret,))),
    lambda secret: repr(attrs.asdict(Account(secret, (secret,)))),
    lambda secret: json.dumps({"s": secret}, default=str),
    lambda secret: logging.LogRecord("a", 20, "a", 1, "%s", (secret,), None).getMessage(),
]


@pytest.mark.parametrize("show", SHOWS)
def test_no_way_of_printing_shows_it(show: Callable[[Secret], str]) -> None:
    """
    Law 10: whoever logs an object logs what is in it.
    """
    for secret in (Secret(CANARY), Secret(lambda: CANARY)):
        assert CANARY not in show(secret)


@pytest.mark.parametrize("spread", [pickle.dumps, json.dumps, copy.copy, copy.deepcopy, vars, hash])
def test_it_is_not_spread(spread: Callable[[Secret], object]) -> None:
    """
    Law 10: what leaves the process leaves our care; a task queue pickles its arguments.
    """
    with pytest.raises(TypeError) as caught:
        spread(Secret(CANARY))

    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_pickling_settings_fails_rather_than_leaks() -> None:
    """
    Law 10: a secret deep in an object is as secret.
    """
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Account(Secret(CANARY)))


def test_only_reveal_shows_it_and_asks_each_time() -> None:
    """
    A rotated credential is picked up without a restart.
    """
    values = ["old", "new"]
    secret = Secret(lambda: values.pop(0))

    assert (secret.reveal(), secret.reveal()) == ("old", "new")
    assert Secret(CANARY).reveal() == CANARY


def test_comparison_takes_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A webhook token compared letter by letter can be guessed letter by letter.
    """
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr(hmac, "compare_digest", compare)

    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert compared == [(b"a", b"a"), (b"a", b"b")]


def test_it_equals_no_plain_text() -> None:
    """
    Comparing with text would invite keeping the text.
    """
    assert Secret(CANARY) != CANARY


def test_bytes_that_are_no_text_compare_as_well() -> None:
    """
    An environment variable may hold any bytes; the error of a failed encoding would hold the secret.
    """
    odd = b"caf\xe9".decode(errors="surrogateescape")

    assert Secret(odd) == Secret(odd)
    assert Secret(odd) != Secret("cafe")
