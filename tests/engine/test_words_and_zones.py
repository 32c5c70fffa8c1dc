"""
What the engine tells the rules: what a message says, and where the person may be.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cobranza_sdk import Address, Cobranza, Consent, ContactPoint
from cobranza_sdk.loading import FixedClock

PACK = """
format = 1
[pack]
name = "house"
version = "1"
status = "draft"
updated_on = 2026-01-01
title = { es = "a", pt = "a", en = "a" }
[countries.BR]
zones = { "*" = ["America/Sao_Paulo", "America/Manaus"], "BR-AM" = ["America/Manaus"] }
holidays = { calendar = "BR", through = 2035 }
[norms.law]
title = "Law 1"
source = "gazette"
read_on = 2026-01-01
effective_from = 2000-01-01
[[rule]]
id = "house.window"
kind = "window"
norm = "law"
article = "1"
hours = { mon-fri = "08:00-20:00" }
holidays = "open"
confidence = "high"
message = { es = "a", pt = "a", en = "a" }
"""
WORDS = """
[[rule]]
id = "house.words"
kind = "identification"
norm = "law"
article = "2"
required = ["creditor", "complaints"]
confidence = "high"
message = { es = "a", pt = "a", en = "a" }
"""
TEMPLATE = """
format = 1
[[template]]
id = "administrative"
channel = "sms"
locale = "pt"
purpose = "reminder"
discloses = true
text = "{{ creditor }}: {{ amount }}, reclame: {{ contact_line }}"
"""
SAO_PAULO, MANAUS = "+5511987654321", "+5592987654321"


@pytest.fixture
def brazil(
    make_house: Callable[..., Cobranza], tmp_path: Path, debtor: Any, receivable: Any
) -> Callable[..., Cobranza]:
    """
    A house with a pack for Brazil and one debtor there.
    """

    def make(pack: str = PACK, words: str = TEMPLATE, *, number: str = SAO_PAULO, **place: Any) -> Cobranza:
        (tmp_path / "pack.toml").write_text(pack, "utf-8")
        (tmp_path / "words.toml").write_text(words, "utf-8")
        house = make_house(
            compliance={"packs": [str(tmp_path / "pack.toml")]}, templates={"files": [str(tmp_path / "words.toml")]}
        )
        point = ContactPoint(address=Address("e164", number), holder_role="debtor", state="confirmed")
        person = debtor(country="BR", contact_points=[point], consents=[Consent(channel="sms")], **place)
        house.portfolio.put(person, receivable(currency="BRL"))
        house.plan()
        return house

    return make


@pytest.mark.parametrize(
    ("number", "place", "state"),
    [
        (SAO_PAULO, {}, "accepted"),
        (MANAUS, {}, "deferred"),
        (SAO_PAULO, {"region": "BR-AM"}, "deferred"),
        (SAO_PAULO, {"timezone": "America/Manaus"}, "deferred"),
        (SAO_PAULO, {"timezone": "America/Sao_Paulo"}, "accepted"),
        ("+5500987654321", {}, "deferred"),
    ],
    ids=["number", "another number", "region and number", "zone and number", "they agree", "no area code"],
)
def test_every_zone_that_place_and_number_tell_must_permit(
    brazil: Callable[..., Cobranza], clock: FixedClock, number: str, place: dict[str, str], state: str
) -> None:
    """
    Law 4: at 08:30 in São Paulo it is 07:30 in Manaus; a number tells where its person may be, and proves nothing.
    """
    clock.set(datetime.fromisoformat("2026-08-05T08:30:00-03:00"))

    house = brazil(number=number, **place)
    house.dispatch()

    assert [line["state"] for line in house.attempts.list()] == [state]


def test_f80_words_that_the_law_asks_for_are_held_against_the_message_right_before_it_is_sent(
    brazil: Callable[..., Cobranza], box: Any
) -> None:
    """
    The variables show the creditor; where to complain is in the fixed words, and only who wrote them can say so.
    """
    house = brazil(PACK + WORDS)
    house.dispatch()
    (line,) = house.attempts.list()
    assert (line["state"], line["reason"]) == ("suppressed", "house.words")
    assert not box.get("fake_sms")


def test_f80_a_template_that_says_what_its_words_hold_is_sent(brazil: Callable[..., Cobranza], box: Any) -> None:
    """
    ``says`` is the operator's word for what no variable shows.
    """
    house = brazil(PACK + WORDS, TEMPLATE.replace("purpose =", 'says = ["complaints"]\npurpose ='))
    house.dispatch()

    assert len(box["fake_sms"]) == 1
