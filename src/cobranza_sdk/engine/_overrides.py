"""
One message past a rule: where the rule's pack knows the exception, and somebody answers for it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from cobranza_sdk.loading import SUPERVISOR, ConfigurationError
from cobranza_sdk.model import InvalidValueError
from cobranza_sdk.spec import Clock
from cobranza_sdk.store import Overrides

#: Longest time that an override waits for its message.
LASTS = timedelta(days=7)
_LONGEST_REASON = 200
#: An address, or digits enough for a phone or an identity number.
_LOOKS_PERSONAL = re.compile(r"@|(?:\d[ .-]?){7}")


class OverrideDesk:
    """
    Grants and withdraws overrides for one creditor.

    Args:
        store: Where they are kept.
        clock: The time.
        operators: Roles of people, by name.
        exceptions: Rules that a stated exception lifts, by the exception.
    """

    def __init__(
        self,
        store: Overrides,
        *,
        clock: Clock,
        operators: Mapping[str, Collection[str]],
        exceptions: Mapping[str, Collection[str]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._operators = operators
        self._exceptions = exceptions

    def grant(self, debtor_id: str, ground: str, *, channel: str, by: str, reason: str, until: datetime) -> str:
        """
        State that an exception holds for the next message to a debtor, and answer for it.

        Every other rule judges that message as always. One message uses it up; unused it ends by itself.

        Args:
            debtor_id: The creditor's id of the debtor.
            ground: The exception, as rules name it in ``unless_flags``: ``hours_agreed`` …
            channel: By which the message goes.
            by: Who answers for it: a name in ``[operators]`` with the role ``supervisor``.
            reason: Why, and where the proof lies. The ledger keeps it for good: no personal data.
            until: When it ends unused, with offset, excluded: at most seven days from now.

        Returns:
            Its id.

        Raises:
            ConfigurationError: Nobody of that name may grant.
            InvalidValueError: No rule knows the ground, the debtor does not exist, the reason is blank, too long or
                looks like personal data, or *until* is naive, past or too far.
        """
        self._require(by)
        if ground not in self._exceptions:
            known = ", ".join(self._exceptions) or "none: no pack names one"
            msg = f"ground: found {ground[:64]}, expected an exception that a rule names: {known}"
            raise InvalidValueError(msg)
        now = self._clock.now()
        if until.utcoffset() is None or not now < until <= now + LASTS:
            msg = f"until: found {until.isoformat()}, expected an instant with offset within {LASTS.days} days from now"
            raise InvalidValueError(msg)
        if not reason.strip() or len(reason) > _LONGEST_REASON or _LOOKS_PERSONAL.search(reason):
            msg = (
                f"reason: expected up to {_LONGEST_REASON} characters that tell why, without addresses and long "
                "numbers: the ledger keeps it for good"
            )
            raise InvalidValueError(msg)
        return self._store.grant(
            debtor_id,
            ground,
            channel=channel,
            by=by,
            role=SUPERVISOR,
            reason=reason,
            until=until,
            rules=self._exceptions[ground],
        )

    def withdraw(self, override_id: str, *, by: str) -> None:
        """
        Close one that no message has used yet; closing it twice is no error.

        Raises:
            ConfigurationError: Nobody of that name may.
            InvalidValueError: There is no such override, or a message has used it.
        """
        self._require(by)
        self._store.withdraw(override_id, by=by)

    def list(self) -> list[dict[str, Any]]:
        """
        All of them, in the order of granting: ``open``, ``used``, ``withdrawn`` or ``over``.
        """
        return self._store.listing()

    def _require(self, by: str) -> None:
        if SUPERVISOR not in self._operators.get(by, ()):
            msg = f"operators: found no {by[:64]!r} with the role {SUPERVISOR}: only they answer for overrides"
            raise ConfigurationError([msg], hint=f'name them in the configuration: [operators] ana = ["{SUPERVISOR}"]')
