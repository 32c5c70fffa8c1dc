"""
Settings of the accounts, as in ``cobranza.toml``.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from attrs import field, frozen, validators

from cobranza_sdk import InvalidValueError, Secret

PAGES = ("a4", "letter")

_MAX_LINE = 60
_MAX_LINES = 6


def _a_path(_instance: object, _attribute: object, value: str) -> None:
    if not value.strip() or not value.isprintable() or value.endswith("/"):
        msg = "path must name a file, for example /var/lib/cobranza/tasks.db"
        raise InvalidValueError(msg)


@frozen(kw_only=True)
class AgentTasksConfig:
    """
    One work list.

    Attributes:
        path: SQLite file of the tasks, on a disk of this machine. Several accounts may share one.
        webhook_secret: Signs what agents report; several while it is rotated: the first signs, any verifies.

    Raises:
        InvalidValueError: A setting is malformed.
    """

    path: str = field(validator=_a_path)
    webhook_secret: tuple[Secret, ...]


@frozen(kw_only=True)
class AgentLettersConfig(AgentTasksConfig):
    """
    One work list of letters.

    Attributes:
        sender: Lines of the sender's block, at most 6 of 60 characters.
        page: ``a4`` or ``letter``.
        qr_prefix: How payment links begin, for example ``https://pay.example/``: the first address in a letter that
            begins so is drawn as a QR picture. None draws none.
    """

    sender: tuple[str, ...] = ()
    page: str = field(default="a4", validator=validators.in_(PAGES))
    qr_prefix: str | None = None

    def __attrs_post_init__(self) -> None:
        if len(self.sender) > _MAX_LINES or not all(
            line.strip() and line.isprintable() and len(line) <= _MAX_LINE for line in self.sender
        ):
            msg = f"sender must be at most {_MAX_LINES} lines of at most {_MAX_LINE} characters"
            raise InvalidValueError(msg)
        if self.qr_prefix is not None and not _is_https(self.qr_prefix):
            msg = "qr_prefix must begin with https:// and a host"
            raise InvalidValueError(msg)


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
