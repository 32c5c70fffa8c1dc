from datetime import datetime
from typing import Any

from cobranza_sdk import Cobranza
from cobranza_sdk.testing import FixedClock

SETTINGS: dict[str, Any] = {
    "creditor": {"name": "Tienda Andina", "country": "PE"},
    "store": {"url": "sqlite:///collections.db"},
}

clock = FixedClock(datetime.fromisoformat("2026-08-05T16:00:00-05:00"))
with Cobranza(SETTINGS, clock=clock) as cobranza:
    cobranza.consents.withdraw("D-17", "sms", source="call centre")
    cobranza.contact_points.deny("D-17", "+51900100017", by="maria")
    hold = cobranza.holds.place("D-17", "dispute", by="maria")
    cobranza.holds.lift(hold, by="maria")

    cobranza.stop("the bank file is wrong", by="maria")
    cobranza.resume(by="maria")

    for attempt in cobranza.attempts.list(states=["unknown"]):
        cobranza.attempts.resolve(attempt["attempt_id"], "accepted", by="maria", reason="seen at the provider")
