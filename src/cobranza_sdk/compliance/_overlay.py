"""
Overlays: days that are holidays by a decree that came after a pack, dated, without a release of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from attrs import evolve, frozen

from cobranza_sdk.compliance._errors import OverlayError
from cobranza_sdk.compliance._pack import FORMAT, CountryData, HolidayData, Pack, _dates, _Table, toml_of

_VERSION = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_KEYS = {"pack", "version", "updated_on", "reason", "add", "remove", "region", "country"}


@frozen(kw_only=True)
class Overlay:
    """
    A change of a pack's holidays.

    Attributes:
        origin: File it came from, for messages.
        pack: Name of the pack.
        version: Of the overlay; decisions cite it after the pack's.
        updated_on: When it was written.
        reason: The decree.
        add: Days that are holidays.
        remove: Days that are none.
        region: Where alone, ISO 3166-2, or None for the whole country.
        country: Which of the pack's countries, or None where it lists one.
    """

    origin: str
    pack: str
    version: str
    updated_on: date
    reason: str
    add: frozenset[date] = frozenset()
    remove: frozenset[date] = frozenset()
    region: str | None = None
    country: str | None = None


def parse_overlay(text: str, *, origin: str) -> Overlay:
    """
    Read an overlay.

    Raises:
        OverlayError: Every problem at once, each with its key's path.
    """
    try:
        data = toml_of(text)
    except ValueError as error:
        raise OverlayError(origin, [f"is no TOML: {error}"]) from error
    problems: list[str] = []
    root = _Table(data, "", problems)
    if root.need("format", int, f"the number {FORMAT}", FORMAT) != FORMAT:
        root.wrong("format", f"expected the number {FORMAT}")
    table = _Table(root.need("overlay", dict, "a table [overlay]", {}), "overlay", problems)
    overlay = Overlay(
        origin=origin,
        pack=table.need("pack", str, "a pack's name", ""),
        version=table.need("version", str, "text", "0"),
        updated_on=table.need("updated_on", date, "a date", date.min),
        reason=table.need("reason", str, 'the decree, for example reason = "DS 012-2026"', ""),
        add=_dates(table, "add"),
        remove=_dates(table, "remove"),
        region=table.get("region", str, "an ISO 3166-2 code such as PE-LIM", None),
        country=table.get("country", str, "an ISO 3166-1 code such as PE", None),
    )
    if not _VERSION.fullmatch(overlay.version):
        table.wrong("version", "expected letters, digits, points, - and _ only")
    lists = [table.data.get(key) for key in ("add", "remove")]
    days = [day for dates in lists if isinstance(dates, list) for day in dates if type(day) is date]
    if not days:
        table.wrong("add", "found no date, expected some in add or remove, for example add = [2026-07-13]")
    for day in sorted({day for day in days if days.count(day) > 1}):
        table.wrong("add", f"{day} stands twice in add and remove, expected each date once")
    table.close(_KEYS)
    root.close({"format", "overlay"})
    if problems:
        raise OverlayError(origin, problems)
    return overlay


def overlaid(packs: Sequence[Pack], overlays: Sequence[Overlay]) -> tuple[Pack, ...]:
    """
    The packs with the changes of their overlays, which their versions name.

    Raises:
        OverlayError: The pack, country or region of one is not there, or two of them name one date.
    """
    by_name = {pack.name: pack for pack in packs}
    said: dict[tuple[str, str | None, date], str] = {}
    for overlay in overlays:
        if overlay.pack not in by_name:
            known = ", ".join(sorted(by_name))
            raise OverlayError(overlay.origin, [f"overlay.pack: found {overlay.pack}, expected one of {known}"])
        code = _country(by_name[overlay.pack], overlay)
        for day in sorted(overlay.add | overlay.remove):
            other = said.setdefault((code, overlay.region, day), overlay.origin)
            if other is not overlay.origin:
                raise OverlayError(overlay.origin, [f"overlay.add: {day} stands in {other} too, expected it once"])
        by_name[overlay.pack] = _changed(by_name[overlay.pack], code, overlay)
    return tuple(by_name[pack.name] for pack in packs)


def _country(pack: Pack, overlay: Overlay) -> str:
    code = overlay.country or (overlay.region or "").partition("-")[0] or next(iter(pack.countries), "")
    if code not in pack.countries or (len(pack.countries) > 1 and not (overlay.country or overlay.region)):
        known = ", ".join(sorted(pack.countries)) or "none: a platform pack has no holidays"
        raise OverlayError(overlay.origin, [f"overlay.country: found {overlay.country}, expected one of {known}"])
    regions = pack.countries[code].regions
    is_region = overlay.region in regions if regions else (overlay.region or "").startswith(f"{code}-")
    if overlay.region is not None and not is_region:
        raise OverlayError(overlay.origin, [f"overlay.region: found {overlay.region}, expected a region of {code}"])
    return code


def _changed(pack: Pack, code: str, overlay: Overlay) -> Pack:
    data = pack.countries[code]
    return evolve(
        pack,
        version=f"{pack.version}+{overlay.version}",
        countries={**pack.countries, code: _with_days(data, overlay)},
    )


def _with_days(data: CountryData, overlay: Overlay) -> CountryData:
    if overlay.region is None:
        return evolve(data, holidays=_merged(data.holidays, overlay.add, overlay.remove))
    added, removed = data.regional.get(overlay.region, (frozenset(), frozenset()))
    regional = {**data.regional, overlay.region: (added | overlay.add, removed | overlay.remove)}
    return evolve(data, regional=regional)


def _merged(data: HolidayData, add: frozenset[date], remove: frozenset[date]) -> HolidayData:
    return evolve(data, add=(data.add - remove) | add, remove=(data.remove - add) | remove)
