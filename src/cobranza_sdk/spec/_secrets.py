"""
Secrets that cannot be printed by accident.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NoReturn

_MASK = "Secret(***)"


class Secret:
    """
    A credential. `repr`, `str`, formatting and pickling never show it; `reveal` does.

    Args:
        value: The credential, or a function that fetches it each time.
    """

    __slots__ = ("_fetch",)

    def __init__(self, value: str | Callable[[], str]) -> None:
        self._fetch: Callable[[], str] = value if callable(value) else lambda: value

    def reveal(self) -> str:
        """
        The credential itself: call it where it is used and keep no copy.
        """
        return self._fetch()

    def __repr__(self) -> str:
        return _MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(_MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (secret.reveal().encode(errors="surrogateescape") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret would tell something of it

    def __reduce__(self) -> NoReturn:
        msg = "a Secret cannot be pickled"
        raise TypeError(msg)
