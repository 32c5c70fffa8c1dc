"""
Replies and failures as category, disposition and transmitted.
"""

from __future__ import annotations

import ssl

import pytest
from aiosmtplib import SMTPConnectError, SMTPReadTimeoutError, SMTPResponseException, SMTPServerDisconnected
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import ProviderError
from cobranza_smtp_email._errors import Progress, Stage, from_failure, from_reply


def axes(error: ProviderError) -> tuple[str, str, str]:
    return (error.category, error.disposition, error.transmitted)


@pytest.mark.parametrize(
    ("stage", "code", "text", "category", "disposition"),
    [
        (Stage.CONNECT, 421, "4.3.2 shutting down", "provider_down", "retry"),
        (Stage.CONNECT, 421, "4.7.0 try again later", "rate_limit", "retry"),
        (Stage.CONNECT, 554, "no service for you", "config", "fix_first"),
        (Stage.CONNECT, 521, "5.3.2 accepts no mail", "config", "fix_first"),
        (Stage.TLS, 454, "4.7.0 TLS not available", "rate_limit", "retry"),
        (Stage.AUTH, 535, "5.7.8 bad credentials", "auth", "fix_first"),
        (Stage.AUTH, 534, "5.7.9 app password needed", "auth", "fix_first"),
        (Stage.AUTH, 550, "5.7.30 Basic authentication is not supported", "auth", "fix_first"),
        (Stage.AUTH, 535, "5.7.139 SmtpClientAuthentication is disabled", "auth", "fix_first"),
        (Stage.AUTH, 432, "4.7.12 a password transition is needed", "auth", "fix_first"),
        (Stage.AUTH, 504, "unrecognized mechanism", "auth", "fix_first"),
        (Stage.AUTH, 454, "4.7.0 temporary failure", "rate_limit", "retry"),
        (Stage.MAIL, 530, "5.7.0 authentication required", "auth", "fix_first"),
        (Stage.MAIL, 550, "5.7.60 may not send as this sender", "config", "fix_first"),
        (Stage.MAIL, 550, "5.1.0 sender rejected", "config", "fix_first"),
        (Stage.MAIL, 550, "no", "config", "fix_first"),
        (Stage.MAIL, 553, "5.1.8 domain of sender does not exist", "config", "fix_first"),
        (Stage.MAIL, 552, "5.3.4 too big", "validation", "never"),
        (Stage.RCPT, 450, "4.2.0 mailbox busy", "recipient", "retry"),
        (Stage.RCPT, 450, "busy", "recipient", "retry"),
        (Stage.RCPT, 451, "4.7.1 greylisted", "recipient", "retry"),
        (Stage.CONNECT, 451, "4.7.1 come back later", "rate_limit", "retry"),
        (Stage.MAIL, 450, "4.2.0 busy", "rate_limit", "retry"),
        (Stage.RCPT, 452, "4.2.2 mailbox full", "recipient", "retry"),
        (Stage.RCPT, 452, "4.5.3 too many recipients", "rate_limit", "retry"),
        (Stage.RCPT, 550, "5.1.1 no such user", "recipient", "never"),
        (Stage.RCPT, 550, "5.1.10 null MX", "recipient", "never"),
        (Stage.RCPT, 550, "5.4.1 Recipient address rejected: Access denied", "recipient", "never"),
        (Stage.RCPT, 550, "5.4.4 no route", "recipient", "never"),
        (Stage.RCPT, 550, "5.2.1 mailbox disabled", "recipient", "never"),
        (Stage.RCPT, 552, "5.2.2 mailbox full", "recipient", "retry"),
        (Stage.RCPT, 522, "over quota", "recipient", "retry"),
        (Stage.RCPT, 553, "5.1.3 bad syntax", "recipient", "never"),
        (Stage.RCPT, 556, "accepts no mail", "recipient", "never"),
        (Stage.RCPT, 550, "unknown", "recipient", "never"),
        (Stage.RCPT, 550, "5.7.1 relaying denied", "config", "fix_first"),
        (Stage.RCPT, 550, "5.7.1 blocked", "validation", "never"),
        (Stage.RCPT, 550, "recipient is on the suppression list", "opted_out", "never"),
        (Stage.RCPT, 571, "5.7.0 opted out", "opted_out", "never"),
        (Stage.DATA, 554, "5.7.1 spam", "validation", "never"),
        (Stage.DATA, 541, "rejected", "validation", "never"),
        (Stage.DATA, 550, "content", "validation", "never"),
        (Stage.DATA, 552, "5.2.3 too big", "validation", "never"),
        (Stage.DATA, 550, "5.7.26 unauthenticated email", "config", "fix_first"),
        (Stage.DATA, 550, "5.7.30 DKIM did not pass", "config", "fix_first"),
        (Stage.DATA, 550, "5.7.30 Basic authentication is not supported", "auth", "fix_first"),
        (Stage.DATA, 550, "5.4.5 daily quota", "rate_limit", "retry"),
        (Stage.DATA, 550, "5.7.28 unusual rate", "rate_limit", "retry"),
        (Stage.DATA, 421, "4.7.28 unusual rate", "rate_limit", "retry"),
        (Stage.DATA, 554, "5.2.252 SendAsDenied", "config", "fix_first"),
        (Stage.DATA, 503, "5.5.1 bad sequence", "protocol", "never"),
        (Stage.DATA, 499, "what", "provider_down", "retry"),
        (Stage.DATA, 599, "what", "protocol", "never"),
    ],
)
def test_replies_are_classed(stage: Stage, code: int, text: str, category: str, disposition: str) -> None:
    """
    Each row decides between trying again, suppressing an address and waking the operator.
    """
    assert axes(from_reply(code, text, stage)) == (category, disposition, "no")


@pytest.mark.parametrize(
    ("code", "text", "disposition"),
    [(550, "4.2.0 busy", "retry"), (450, "5.1.1 no such user", "never"), (550, "4.9.9 odd", "retry")],
)
def test_the_enhanced_code_wins(code: int, text: str, disposition: str) -> None:
    """
    Servers behind gateways get the basic code wrong, and a wrong "never" loses the address.
    """
    assert from_reply(code, text, Stage.RCPT).disposition == disposition


@given(code=st.integers(400, 599), text=st.text(), stage=st.sampled_from(Stage))
def test_every_refusal_has_an_answer(code: int, text: str, stage: Stage) -> None:
    """
    No reply may raise, claim a transmission, suppress an address before RCPT, or show its words.
    """
    error = from_reply(code, f"canary {text}", stage)

    assert error.transmitted == "no"
    assert "canary" not in f"{error} {error!r}"
    if stage in {Stage.CONNECT, Stage.TLS, Stage.AUTH, Stage.MAIL} and error.disposition == "never":
        assert error.category not in {"recipient", "opted_out"}


def test_the_vendors_words_are_kept_apart() -> None:
    """
    They help the operator and may quote the address, so they are kept and never printed.
    """
    error = from_reply(550, "5.1.1 <ana@example.net> unknown \udcff", Stage.RCPT)

    assert error.vendor_message == "5.1.1 <ana@example.net> unknown ?"
    assert error.vendor_code == "550 5.1.1"
    assert "ana" not in f"{error} {error!r}"


@pytest.mark.parametrize(
    "error",
    [
        SMTPServerDisconnected("gone"),
        SMTPReadTimeoutError("silence"),
        ConnectionResetError(),
        SMTPResponseException(-1, "gibberish"),
        SMTPResponseException(354, "go on"),
        ssl.SSLError("bad record"),
        ValueError("odd"),
    ],
)
def test_without_an_answer_the_final_dot_decides(error: Exception) -> None:
    """
    Before it nothing was sent; after it nobody knows, whatever the failure looks like.
    """
    before = from_failure(error, Progress(stage=Stage.DATA))
    after = from_failure(error, Progress(stage=Stage.DATA, dot_sent=True))

    assert before.transmitted == "no"
    assert (after.disposition, after.transmitted) == ("never", "maybe")


def test_a_refused_certificate_wants_fixing_first() -> None:
    """
    The library hides it in a connection error; trying again would only fail again.
    """
    error = SMTPConnectError("wrapped")
    error.__cause__ = ssl.SSLCertVerificationError("self-signed")

    assert axes(from_failure(error, Progress())) == ("config", "fix_first", "no")


def test_a_handshake_cut_short_is_a_network_error() -> None:
    """
    A server that restarts in the middle of a handshake has a valid certificate all the same.
    """
    error = SMTPConnectError("wrapped")
    error.__cause__ = ssl.SSLEOFError("cut")

    assert axes(from_failure(error, Progress())) == ("network", "retry", "no")
