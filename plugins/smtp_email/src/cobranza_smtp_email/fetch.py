"""
Hand the new mails of an IMAP folder to the webhook: ``python -m cobranza_smtp_email.fetch URL --host … --user …``.

For mailboxes at a provider, where no pipe can be had; run it from a timer. A mail is marked as seen once the webhook
has taken it, and flagged when it cannot be read, so that a person looks at it; whatever else happens, it stays as it is
and is tried at the next run. Nothing is deleted, moved or answered.
"""

from __future__ import annotations

import argparse
import contextlib
import imaplib
import os
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cobranza_sdk import Secret
from cobranza_smtp_email._config import is_loopback
from cobranza_smtp_email.deliver import DONE, LATER, MAX_MAIL, hand_over, http_client, require_url, secret_from, told

if TYPE_CHECKING:
    import httpx

#: Where the password, or an access token (XOAUTH2), is looked for.
PASSWORD_VARIABLE, TOKEN_VARIABLE = "COBRANZA_IMAP_PASSWORD", "COBRANZA_IMAP_TOKEN"

_TAKEN, _UNREADABLE, _TOO_LARGE = 200, 400, 413
_BUSY = 503  # with this mail, or with all
_TIMEOUT_S = 60.0
_PORTS = {"implicit": 993, "none": 143}


class SweepError(Exception):
    """
    The folder cannot be worked on now; the text quotes nothing of a mail.
    """


def sweep(
    mailbox: imaplib.IMAP4,
    folder: str,
    url: str,
    secret: Secret,
    *,
    client: httpx.Client,
    limit: int,
    now: Callable[[], datetime],
) -> dict[str, int]:
    """
    Hand over what is neither seen nor flagged, the oldest first; returns how many were taken and flagged.

    Raises:
        SweepError: The folder cannot be opened, or the webhook does not take mails now, or not all.
    """
    _expect(mailbox.select(f'"{folder}"'), f"folder {folder} cannot be opened")
    answer = _expect(mailbox.uid("SEARCH", "UNSEEN", "UNFLAGGED"), "the folder cannot be searched")
    numbers = sorted(int(each) for line in answer if isinstance(line, bytes) for each in line.split())
    counts, busy = {"taken": 0, "flagged": 0}, 0
    for number in numbers[:limit]:
        mail = _fetched(mailbox, number)
        if mail is None:  # gone meanwhile
            continue
        status = hand_over(mail, url, secret, at=now(), client=client)
        if status == _TAKEN:
            _mark(mailbox, number, r"(\Seen)")
            counts["taken"] += 1
        elif status in (_UNREADABLE, _TOO_LARGE):
            _mark(mailbox, number, r"(\Flagged)")
            counts["flagged"] += 1
        elif status == _BUSY:  # whoever writes a mail that is never taken must not hold up the others
            busy += 1
        else:
            msg = f"the webhook {told(status)} after {counts['taken']} mails: the rest waits for the next run"
            raise SweepError(msg)
    if busy:
        msg = f"the webhook took {counts['taken']} mails; {busy} for which it was too busy wait for the next run"
        raise SweepError(msg)
    return counts


def _fetched(mailbox: imaplib.IMAP4, number: int) -> bytes | None:
    parts = _expect(mailbox.uid("FETCH", str(number), f"(BODY.PEEK[]<0.{MAX_MAIL}>)"), "a mail cannot be fetched")
    return next((part[1] for part in parts if isinstance(part, tuple)), None)


def _mark(mailbox: imaplib.IMAP4, number: int, flag: str) -> None:
    _expect(mailbox.uid("STORE", str(number), "+FLAGS.SILENT", flag), "a mail cannot be marked")


def _expect(answer: tuple[str, Sequence[object]], otherwise: str) -> Sequence[object]:
    kind, data = answer
    if kind != "OK":
        raise SweepError(otherwise)
    return data


@contextlib.contextmanager
def opened(host: str, port: int | None, tls: str, user: str, *, password: str, token: str) -> Iterator[imaplib.IMAP4]:
    """
    A mailbox, logged in by token where there is one, else by password.
    """
    port = port or _PORTS[tls]
    mailbox: imaplib.IMAP4
    if tls == "none":
        mailbox = imaplib.IMAP4(host, port, timeout=_TIMEOUT_S)
    else:
        mailbox = imaplib.IMAP4_SSL(host, port, ssl_context=ssl.create_default_context(), timeout=_TIMEOUT_S)
    try:
        if token:
            said = iter([f"user={user}\x01auth=Bearer {token}\x01\x01".encode()])
            mailbox.authenticate("XOAUTH2", lambda _: next(said, b""))  # an error challenge is answered by nothing
        else:
            mailbox.login(user, password)
        yield mailbox
    finally:
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            mailbox.logout()


def main(
    arguments: Sequence[str] | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """
    Sweep one folder once; returns the exit status.
    """
    options = _parser().parse_args(arguments)
    password, token = os.environ.get(PASSWORD_VARIABLE, ""), os.environ.get(TOKEN_VARIABLE, "")
    try:
        url, secret = require_url(options.url), secret_from(options.secret_file)
        _require_safe(options.host, options.tls, options.folder, login=bool(password or token))
        with (
            http_client() as client,
            opened(options.host, options.port, options.tls, options.user, password=password, token=token) as mailbox,
        ):
            counts = sweep(mailbox, options.folder, url, secret, client=client, limit=options.limit, now=now)
    except UnicodeError:  # its text quotes a letter of what it could not write
        _say("user, password and URL must be ASCII: IMAP's LOGIN carries nothing else")
        return LATER
    except (SweepError, ValueError) as error:
        _say(str(error))
        return LATER
    except (imaplib.IMAP4.error, OSError) as error:  # their texts may quote the account
        _say(f"the mailbox cannot be worked on ({type(error).__name__}): look at host, port, user and credentials")
        return LATER
    _say(f"{counts['taken']} mails handed over, {counts['flagged']} flagged for a person")
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cobranza_smtp_email.fetch", description="Hand over new mails.")
    parser.add_argument("url", help="https://…/webhooks/<configured name of the channel>")
    parser.add_argument("--host", required=True, help="IMAP server, as its certificate has it")
    parser.add_argument("--port", type=int, help="993, or 143 without TLS")
    parser.add_argument("--tls", choices=sorted(_PORTS), default="implicit", help="none is for this machine alone")
    parser.add_argument("--user", required=True, help=f"account; {PASSWORD_VARIABLE} or {TOKEN_VARIABLE} holds its key")
    parser.add_argument("--folder", default="INBOX")
    parser.add_argument("--limit", type=int, default=200, help="most mails of one run")
    parser.add_argument("--secret-file", help="file that holds inbound_secret; else COBRANZA_INBOUND_SECRET is read")
    return parser


def _require_safe(host: str, tls: str, folder: str, *, login: bool) -> None:
    if tls == "none" and not is_loopback(host):
        msg = "--tls none is for this machine alone: password and mails would cross the network in clear"
    elif not folder.isascii() or not folder.isprintable() or any(c in folder for c in '"\\'):
        msg = "--folder has letters that IMAP writes otherwise, expected ASCII without quotes"
    elif not login:
        msg = f"there is no login: expected {PASSWORD_VARIABLE} or {TOKEN_VARIABLE} in the environment"
    else:
        return
    raise ValueError(msg)


def _say(what: str) -> None:
    sys.stderr.write(f"cobranza_smtp_email.fetch: {what}\n")


if __name__ == "__main__":
    sys.exit(main())
