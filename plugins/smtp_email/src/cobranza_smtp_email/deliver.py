"""
Hand one mail to the webhook: what a mail server's pipe calls, as ``python -m cobranza_smtp_email.deliver URL``.

The mail comes on standard input. The exit status is of the kind that mail servers read (sysexits.h): 0, it is done
with; 75, try again later: the mail stays in the queue. No status makes a server answer the sender.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cobranza_sdk import Secret
from cobranza_smtp_email import _signature
from cobranza_smtp_email._config import is_link_base

if TYPE_CHECKING:
    import httpx

#: Longest part of a mail that is handed over. What a report says and what a person wrote stands at its beginning.
MAX_MAIL = 256 * 1024
#: Where the secret is looked for.
SECRET_VARIABLE = "COBRANZA_INBOUND_SECRET"  # noqa: S105  # the name of a variable

DONE, LATER = 0, 75
#: Answers that would be the same again: taken, not to be read, too large.
_TAKEN, _UNREADABLE, _TOO_LARGE = 200, 400, 413
_TIMEOUT_S = 30.0
_PATH = re.compile(r"[^\s<>\x00-\x1f\x7f]{0,320}")
_MBOX_LINE = re.compile(rb"\A>?From [^\r\n]*\r?\n")


def hand_over(mail: bytes, url: str, secret: Secret, *, at: datetime, client: httpx.Client) -> int | None:
    """
    Post one mail, signed; returns the status, or None when nobody answered.
    """
    import httpx

    body = _MBOX_LINE.sub(b"", mail)[:MAX_MAIL]
    headers = {"Content-Type": _signature.CONTENT_TYPE, _signature.HEADER: _signature.sign(body, secret, at)}
    try:
        return client.post(url, content=body, headers=headers).status_code
    except httpx.HTTPError:
        return None


def told(status: int | None) -> str:
    """
    An answer in words, with what is most often wrong.
    """
    if status is None:
        return "did not answer (expected `cobranza serve`, or your application, at this URL)"
    causes = {
        403: "expected the secret that the channel has as inbound_secret, and clocks that agree",
        404: "expected a URL that ends with the channel's name in cobranza.toml",
    }
    return f"answered {status}" + (f" ({causes[status]})" if status in causes else "")


def http_client() -> httpx.Client:
    """
    A client that follows nobody's redirects and no proxies of the environment.
    """
    import httpx

    return httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False)


def with_envelope(mail: bytes, *, sender: str | None, recipient: str | None) -> bytes:
    """
    The mail with the envelope's addresses above it, as a server's delivery agent writes them.

    Raises:
        ValueError: An address is none.
    """
    lines = []
    for name, value in (("Return-Path", None if sender is None else f"<{sender}>"), ("Delivered-To", recipient)):
        if value is not None:
            if not _PATH.fullmatch(value.strip("<>")):
                msg = f"{name}: found white space or brackets, expected an address"
                raise ValueError(msg)
            lines.append(f"{name}: {value}\r\n".encode())
    return b"".join(lines) + _MBOX_LINE.sub(b"", mail)


def secret_from(path: str | None, environment: dict[str, str] | None = None) -> Secret:
    """
    The key, from a file or from the environment.

    Raises:
        ValueError: There is none.
    """
    try:
        text = Path(path).read_text("utf-8-sig") if path else (environment or dict(os.environ)).get(SECRET_VARIABLE, "")
    except (OSError, UnicodeError) as error:
        msg = f"--secret-file cannot be read ({type(error).__name__}), expected it to hold inbound_secret"
        raise ValueError(msg) from None
    if not text.strip():
        msg = f"there is no secret: expected it in --secret-file or in {SECRET_VARIABLE}"
        raise ValueError(msg)
    return Secret(text.strip())


def require_url(url: str) -> str:
    """
    The webhook's address when a mail may be posted to it.

    Raises:
        ValueError: It is neither https nor on this machine.
    """
    if not is_link_base(url):
        msg = "URL must be https (http only on this machine), for example https://cobranza.example.com/webhooks/email"
        raise ValueError(msg)
    return url


def main(
    arguments: Sequence[str] | None = None,
    *,
    stream: BinaryIO | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """
    Read one mail and hand it over; returns the exit status.
    """
    parser = argparse.ArgumentParser(prog="python -m cobranza_smtp_email.deliver", description="Hand over one mail.")
    parser.add_argument("url", help="https://…/webhooks/<configured name of the channel>")
    parser.add_argument("--secret-file", help=f"file that holds inbound_secret; else {SECRET_VARIABLE} is read")
    parser.add_argument("--sender", help="envelope sender, as the mail server knows it; empty for a bounce")
    parser.add_argument("--recipient", help="envelope recipient")
    options = parser.parse_args(arguments)
    try:
        url, secret = require_url(options.url), secret_from(options.secret_file)
        mail = (stream or sys.stdin.buffer).read()
        mail = with_envelope(mail, sender=options.sender, recipient=options.recipient)
    except ValueError as error:
        _say(str(error))
        return LATER  # a slip in the server's configuration: the mail waits until it is mended
    with http_client() as client:
        status = hand_over(mail, url, secret, at=now(), client=client)
    if status == _TAKEN:
        return DONE
    _say(f"the webhook {told(status)}")
    return DONE if status in (_UNREADABLE, _TOO_LARGE) else LATER


def _say(what: str) -> None:
    sys.stderr.write(f"cobranza_smtp_email.deliver: {what}\n")


if __name__ == "__main__":
    sys.exit(main())
