"""
The packs as data: what they promise beside their cases.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from cobranza_compliance_latam import cobranza_compliance_packs
from cobranza_sdk.compliance import Decider, Pack, parse_pack
from cobranza_sdk.model import Contact, Verdict

PACKS = [parse_pack(pack.name, pack.text, origin=pack.origin) for pack in cobranza_compliance_packs()]


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_no_pack_passes_for_reviewed(pack: Pack) -> None:
    """
    No lawyer has signed them, and each says so.
    """
    assert (pack.status, pack.reviewed_by) == ("draft", None)


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_every_law_was_read_before_its_rules_were_written(pack: Pack) -> None:
    """
    Law 6: nobody cites what he has not read; and a rule's id says whose law it is.
    """
    assert all(rule.id.startswith(f"{pack.name}.") for rule in pack.rules)
    assert all(norm.read_on <= pack.updated_on for norm in pack.norms.values())


@pytest.mark.parametrize(
    ("country", "year", "days"),
    [
        (
            "PE",
            2026,
            "01-01 04-02 04-03 05-01 06-07 06-29 07-23 07-28 07-29 08-06 08-30 10-08 11-01 12-08 12-09 12-25",
        ),
        (
            "CO",
            2025,
            "01-01 01-06 03-24 04-17 04-18 05-01 06-02 06-23 06-30 07-20 08-07 08-18 10-13 11-03 11-17 12-08 12-25",
        ),
        (
            "CO",
            2026,
            (
                "01-01 01-12 03-23 04-02 04-03 05-01 05-18 06-08 06-15 06-29 07-13 07-20 08-07 08-17 10-12 11-02 11-16 "
                "12-08 12-25"
            ),
        ),
    ],
)
def test_the_holidays_are_those_of_the_gazette(country: str, year: int, days: str) -> None:
    """
    The calendar is a library's: an update that drops or moves a holiday has to be seen here.
    """
    decider = Decider(cobranza_compliance_packs())
    wanted = {date.fromisoformat(f"{year}-{day}") for day in days.split()}
    base = {"channel": "call", "country": country, "recipient": "debtor", "holder_confirmed": True, "consent": "yes"}

    closed = {
        day
        for day in (date.fromordinal(date(year, 1, 1).toordinal() + n) for n in range(365))
        if day.weekday() < 5
        and decider.decide(Contact(at=datetime(day.year, day.month, day.day, 15, tzinfo=UTC), **base)).verdict
        is Verdict.DEFER
    }

    assert closed == {day for day in wanted if day.weekday() < 5}


def test_the_unlisted_country_never_falls_to_the_safe_default() -> None:
    """
    Law 4: `safe_default` binds the countries that it lists by name, and no other.
    """
    listed = next(pack for pack in PACKS if pack.name == "safe_default")

    assert set(listed.countries) == {"BO", "CR", "ES", "PA", "UY"}
    assert Decider(cobranza_compliance_packs()).country("JP") is None
