"""
Errors of the values.

CobranzaError            root: catches everything the SDK raises on purpose
└── InvalidValueError    a value contradicts itself: a mistake in the caller
"""

from __future__ import annotations


class CobranzaError(Exception):
    """
    Root of every error that the SDK raises on purpose.

    Attributes:
        hint: What to do about it, one sentence, or None.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class InvalidValueError(CobranzaError, ValueError):
    """
    A value is impossible. The message names the field, never a person's data.
    """
