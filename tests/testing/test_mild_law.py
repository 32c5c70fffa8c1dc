"""
The law that stands against nothing.
"""

from __future__ import annotations

from cobranza_sdk import Contact, Verdict
from cobranza_sdk.compliance import Decider
from cobranza_sdk.testing import mild_law
from cobranza_sdk.testing._providers import EPOCH


def test_it_allows_where_its_countries_are_and_nowhere_else() -> None:
    """
    What a platform's pack denies beside it is the platform's doing; a country that it does not name stays denied.
    """
    decider = Decider([mild_law({"PE": "America/Lima"})])

    verdicts = [decider.decide(Contact(at=EPOCH, channel="sms", country=country)).verdict for country in ("PE", "CO")]

    assert verdicts == [Verdict.ALLOW, Verdict.DENY]
