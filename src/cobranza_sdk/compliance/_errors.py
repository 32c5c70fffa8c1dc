"""
Errors of compliance data.

CobranzaError
├── PackError      a country pack cannot be used
├── OverlayError   an overlay of holidays cannot be used
└── CasesError     a file of cases cannot be read
"""

from __future__ import annotations

from collections.abc import Sequence

from cobranza_sdk.model import CobranzaError


class PackError(CobranzaError):
    """
    A pack cannot be used.

    Attributes:
        problems: One sentence each: key's path, what was found, what is expected.
    """

    def __init__(self, origin: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"pack {origin}: {'; '.join(self.problems)}", hint="the pack format is in the reference")


class OverlayError(CobranzaError):
    """
    An overlay cannot be used.

    Attributes:
        problems: One sentence each: key's path, what was found, what is expected.
    """

    def __init__(self, origin: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(f"overlay {origin}: {'; '.join(self.problems)}", hint="the pack format tells of overlays")


class CasesError(CobranzaError):
    """
    A file of cases cannot be read. The message names line and column.
    """
