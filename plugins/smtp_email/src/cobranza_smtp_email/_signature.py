"""
The signature of a mail that is handed to the webhook: by whom, and when.

Whoever hands it over (`deliver`, `fetch`) and whoever takes it share the secret. The time is covered; an old hand-over
is refused.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cobranza_sdk import Secret, VerifiedEnvelope, WebhookRejectedError, WebhookRequest

HEADER = "Cobranza-Signature"
CONTENT_TYPE = "message/rfc822"
SCHEME = "hmac-sha256"
#: What stands before a mail in the signed bytes: no other signature by the same key is taken for this one.
PURPOSE = b"smtp_email/inbound/1:"
#: How old a signature may be: a proxy may hold one back, and one that comes twice changes nothing.
MAX_AGE = timedelta(hours=24)
_MAX_AHEAD = timedelta(minutes=5)
_FORM = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})", re.ASCII)


def sign(mail: bytes, secret: Secret, at: datetime) -> str:
    """
    The value of the header for a mail that is handed over at *at*.
    """
    stamp = str(int(at.timestamp()))
    return f"t={stamp},v1={_mac(stamp, mail, secret)}"


def verify(request: WebhookRequest, *, account: str, secrets: Iterable[Secret]) -> VerifiedEnvelope:
    """
    Prove that one of ours handed this mail over, and lately.

    Raises:
        WebhookRejectedError: It is not so.
    """
    match = _FORM.fullmatch(request.headers.get(HEADER, ""))
    if request.method.upper() != "POST" or match is None:
        msg = f"expected a POST with {HEADER}: t=…,v1=…"
        raise WebhookRejectedError(msg)
    if not any(hmac.compare_digest(match[2], _mac(match[1], request.body, secret)) for secret in secrets):
        msg = "the mail is not signed with inbound_secret"
        raise WebhookRejectedError(msg)
    age = request.received_at.astimezone(UTC).timestamp() - int(match[1])
    if not -_MAX_AHEAD.total_seconds() <= age <= MAX_AGE.total_seconds():
        msg = "the signature is too old or of the future: look at the clock of the machine that hands mails over"
        raise WebhookRejectedError(msg)
    return request.verified(account=account, scheme=SCHEME, signed=PURPOSE + request.body)


def _mac(stamp: str, mail: bytes, secret: Secret) -> str:
    return hmac.digest(secret.reveal().encode(), PURPOSE + stamp.encode() + b"." + mail, "sha256").hex()
