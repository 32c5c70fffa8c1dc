"""
What was decided before, as far as it can be read back: the ground of a back-test; and where the debtors are.
"""

from __future__ import annotations

from sqlalchemy import select

from cobranza_sdk.store._database import reading
from cobranza_sdk.store._schema import debtors
from cobranza_sdk.store._scope import CreditorScope


class Past:
    """
    The recorded past of one creditor.

    Args:
        scope: Whose.
    """

    def __init__(self, scope: CreditorScope) -> None:
        self._scope = scope

    def places(self) -> list[tuple[str, str | None]]:
        """
        Countries and regions that the creditor's debtors are in, sorted.
        """
        statement = select(debtors.c.country, debtors.c.region).where(self._scope.mine(debtors)).distinct()
        with reading(self._scope.engine) as connection:
            found = [(row.country, row.region) for row in connection.execute(statement)]
        return sorted(found, key=lambda place: (place[0], place[1] or ""))
