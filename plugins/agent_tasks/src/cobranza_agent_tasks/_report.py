"""
Telling the core what became of tasks: until it has taken an outcome, the file keeps it as owed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from attrs import field, frozen

from cobranza_agent_tasks._tasks import Outcome, Task, TaskError, TaskList
from cobranza_agent_tasks._webhooks import SIGNATURE, report_of, sign
from cobranza_sdk import Secret

#: Posts a body with headers; returns the status of the answer, None when there was none.
Post = Callable[[str, bytes, Mapping[str, str]], int | None]

_TIMEOUT_S = 10.0
_TAKEN = 200
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@frozen(kw_only=True)
class Account:
    """
    One configured account that reports go to.

    Attributes:
        name: Its configured name.
        channel: ``call``, ``visit`` or ``letter``.
        path: Its work list.
        secrets: Sign its webhooks; the first one signs.
        webhook_url: Where they go, or None when the SDK has no public address.
        sender: Lines of the sender's block of letters.
        page: Their paper.
        qr_prefix: How payment links begin that are drawn as a picture, or None.
    """

    name: str
    channel: str
    path: str
    secrets: tuple[Secret, ...] = field(repr=False)
    webhook_url: str | None = None
    sender: tuple[str, ...] = ()
    page: str = "a4"
    qr_prefix: str | None = None


@frozen(kw_only=True)
class Reported:
    """
    How reporting went.

    Attributes:
        taken: How many outcomes the core has taken.
        owed: How many it has not, by the reason.
    """

    taken: int = 0
    owed: Mapping[str, int] = field(factory=dict)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int | None:
    """
    Post to the SDK; None when it cannot be reached.

    Raises:
        TaskError: The address is neither https nor on this machine.
    """
    import httpx

    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        msg = f"--url must be https, or http on this machine; found {parts.scheme or 'none'}"
        raise TaskError(msg, hint="for example --url https://cobranza.example.com")
    try:
        with httpx.Client(trust_env=False, follow_redirects=False, timeout=_TIMEOUT_S) as client:
            sent = client.post(url, content=body, headers={**headers, "Content-Type": "application/json"})
    except httpx.HTTPError:
        return None
    return sent.status_code


def address_of(task: Task, account: Account, url: str | None) -> str | None:
    """
    Where a task's outcome goes: *url* as it stands when it has a path, else its host with the account's own path.
    """
    if url is None:
        return task.callback_url or account.webhook_url
    return url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/webhooks/{account.name}"


def account_of(task: Task, accounts: Sequence[Account]) -> Account | None:
    """
    The account that a task belongs to: of its channel, and the one that it was made by where that can be told.
    """
    same = [account for account in accounts if account.channel == task.channel]
    return next((account for account in same if account.webhook_url == task.callback_url), same[0] if same else None)


def report_all(
    tasks: TaskList, accounts: Sequence[Account], *, clock: Callable[[], datetime], url: str | None, send: Post = post
) -> Reported:
    """
    Report every outcome that is owed, in the order of recording. What is not taken stays owed.
    """
    taken, owed = 0, dict[str, int]()
    for task, outcome in tasks.unreported():
        problem = _report(task, outcome, accounts, clock(), url, send)
        if problem is None:
            tasks.reported(outcome, clock())
            taken += 1
        else:
            owed[problem] = owed.get(problem, 0) + 1
    return Reported(taken=taken, owed=owed)


def _report(
    task: Task, outcome: Outcome, accounts: Sequence[Account], now: datetime, url: str | None, send: Post
) -> str | None:
    account = account_of(task, accounts)
    if account is None:
        return f"no account for a {task.channel} is configured"
    where = address_of(task, account, url)
    if where is None:
        return "no address: configure [web] public_url or give --url"
    body = report_of(task, outcome)
    status = send(where, body, {SIGNATURE: sign(body, at=now, secret=account.secrets[0].reveal())})
    if status == _TAKEN:
        return None
    return "the SDK cannot be reached" if status is None else f"the SDK answered {status}"
