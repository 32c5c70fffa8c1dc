"""
What agents report, from the command line to the SDK: signed, then verified, then parsed.

The signature covers the time and the raw body. A report that comes twice has the same keys, so it counts once; the time
only bounds how long one that was caught on its way could be of any use.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cobranza_agent_tasks._outcomes import OUTCOMES, SPOKE, UNDONE, kind_of
from cobranza_agent_tasks._tasks import Outcome, Task
from cobranza_sdk import Event, EventKind, Secret, VerifiedEnvelope, WebhookRejectedError, WebhookRequest

SIGNATURE = "X-Agent-Tasks-Signature"
SCHEME = "hmac-sha256"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: A report that could not be delivered is signed anew, so an old signature is no late report.
_TOLERANCE = timedelta(hours=24)
_AHEAD = timedelta(minutes=5)
_GIVEN = re.compile(r"t=([0-9]{9,12}),v1=([0-9a-f]{64})", re.ASCII)
_ID = re.compile(r"[!-~]{1,32}", re.ASCII)
_KEY = re.compile(r"[!-~]{1,64}", re.ASCII)
_MAX_NAME = 64


def report_of(task: Task, outcome: Outcome) -> bytes:
    """
    The body that reports an outcome. No address, no script, no note.
    """
    told = {
        "task": task.id,
        "channel": task.channel,
        "outcome": outcome.outcome,
        "by": outcome.by,
        "at": outcome.at.isoformat(),
        "key": outcome.key,
        "opt_out": outcome.opt_out,
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sign(body: bytes, *, at: datetime, secret: str) -> str:
    """
    The value of the header that signs *body*.
    """
    seconds = str((at - _EPOCH) // timedelta(seconds=1))
    return f"t={seconds},v1={_digest(seconds, body, secret)}"


def _digest(seconds: str, body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()


def verify_request(request: WebhookRequest, *, account: str, secrets: Iterable[Secret]) -> VerifiedEnvelope:
    """
    Prove that *request* was signed with a secret of this account, not long ago.
    """
    given = _GIVEN.fullmatch(request.headers.get(SIGNATURE, ""))
    if given is None:
        msg = f"{SIGNATURE} is missing or has no t and v1"
        raise WebhookRejectedError(msg)
    seconds, digest = given.groups()
    matches = [hmac.compare_digest(_digest(seconds, request.body, _reveal(secret)), digest) for secret in secrets]
    if not any(matches):
        msg = "the signature matches no secret of this account"
        raise WebhookRejectedError(msg)
    signed_at = _EPOCH + timedelta(seconds=int(seconds))
    if not request.received_at - _TOLERANCE <= signed_at <= request.received_at + _AHEAD:
        msg = "the signed time is too far from now"
        raise WebhookRejectedError(msg)
    return request.verified(account=account, scheme=SCHEME, signed=request.body)


def _reveal(secret: Secret) -> str:
    try:
        return secret.reveal()
    except Exception:  # noqa: BLE001  # a secret is fetched by the host's own function, which may raise anything
        msg = "a secret that verifies webhooks cannot be read"
        raise WebhookRejectedError(msg) from None


def parse_envelope(envelope: VerifiedEnvelope, *, channel: str) -> Sequence[Event]:
    """
    The events of one outcome.

    What somebody else answered is ``delivered``: it counts as a contact, and nobody says that the debtor had it. What
    reached nobody is ``failed``. A number or place that is not the person's is closed as well.

    Raises:
        WebhookRejectedError: It cannot be read, or is not of *channel*'s closed list.
    """
    told = _table(envelope.signed)
    outcome, key = told.get("outcome"), told.get("key")
    if told.get("channel") != channel or outcome not in (*OUTCOMES[channel], *UNDONE):
        msg = f"not an outcome of a {channel}"
        raise WebhookRejectedError(msg)
    task = told.get("task")
    if not isinstance(task, str) or not _ID.fullmatch(task):
        msg = "task must be an id"
        raise WebhookRejectedError(msg)
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        msg = "key must be 1 to 64 printable characters without blanks"
        raise WebhookRejectedError(msg)
    at, by, opt_out = _time(told.get("at")), _name(told.get("by")), told.get("opt_out", False)
    if not isinstance(opt_out, bool) or (opt_out and outcome not in SPOKE):
        msg = "opt_out must be true or false, and only who spoke can ask for it"
        raise WebhookRejectedError(msg)
    kinds = [kind_of(str(outcome))]
    if outcome == "wrong_number":
        kinds.insert(0, EventKind.WRONG_NUMBER)
    if opt_out:
        kinds.append(EventKind.OPT_OUT)
    return [
        Event(
            kind=kind,
            key=f"{key}:{kind}",
            occurred_at=at,
            account=envelope.account,
            provider_message_id=task,
            attempt_id=task,
            outcome=outcome,
            raw={"outcome": outcome, "by": by},
        )
        for kind in kinds
    ]


def _table(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body.decode())
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        msg = "the signed body is no JSON object"
        raise WebhookRejectedError(msg)
    return told


def _time(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is not None and at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    msg = "at must be an instant with its offset"
    raise WebhookRejectedError(msg)


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_NAME or not value.isprintable():
        msg = f"by must be a name of at most {_MAX_NAME} characters"
        raise WebhookRejectedError(msg)
    return value
