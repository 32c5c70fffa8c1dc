"""
The rules of another date: what would be judged if a law were still, or already, as it was on some day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from attrs import evolve

from cobranza_sdk.compliance._calendar import FIRST_YEAR
from cobranza_sdk.compliance._decide import Decider, PolicyCaller, call_policy
from cobranza_sdk.compliance._overlay import Overlay
from cobranza_sdk.compliance._pack import Pack
from cobranza_sdk.model import InvalidValueError
from cobranza_sdk.spec import CompliancePack, CompliancePolicy

#: Stands for all packs that are not named.
ALL_PACKS = "*"


class DatedDecider(Decider):
    """
    Judges every contact, whenever it was, by the rules in force on a given day. Windows, holidays and what went before
    are still those of the contact's own time.

    Args:
        packs: As for `Decider`.
        policies: As for `Decider`.
        on: The day by name of the pack; ``*`` stands for those not named. A pack of neither keeps its own dates.
        reading: As for `Decider`.
        platform: As for `Decider`.
        ask: As for `Decider`.
        overlays: As for `Decider`.

    Raises:
        InvalidValueError: *on* names a pack that does not exist.
    """

    def __init__(
        self,
        packs: Iterable[CompliancePack],
        policies: Iterable[CompliancePolicy] = (),
        *,
        on: Mapping[str, date],
        reading: str = "cautious",
        platform: bool = False,
        ask: PolicyCaller = call_policy,
        overlays: Iterable[Overlay] = (),
    ) -> None:
        super().__init__(packs, policies, reading=reading, platform=platform, ask=ask, overlays=overlays)
        names = {pack.name for pack in super().packs}
        unknown = sorted(set(on) - names - {ALL_PACKS})
        if unknown:
            msg = f"found no pack {unknown[0]}, expected one of {', '.join(sorted(names))}"
            raise InvalidValueError(msg)
        self._on = dict(on)

    @property
    def packs(self) -> tuple[Pack, ...]:
        """
        All packs, each with the rules of its day; the day stands beside the version.
        """
        return tuple(self._dated(pack) for pack in super().packs)

    def _dated(self, pack: Pack) -> Pack:
        day = self._on.get(pack.name, self._on.get(ALL_PACKS))
        if day is None:
            return pack
        rules = [
            evolve(rule, effective_from=date(FIRST_YEAR, 1, 1), effective_to=None)
            for rule in pack.rules
            if rule.effective_from <= day and (rule.effective_to is None or day <= rule.effective_to)
        ]
        return evolve(pack, version=f"{pack.version}@{day}", rules=tuple(rules))
