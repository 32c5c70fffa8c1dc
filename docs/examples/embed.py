import os
from datetime import date, datetime
from typing import Any

from cobranza_sdk import Address, Cobranza, Consent, ContactPoint, Debtor, Installment, Money, Person, Receivable
from cobranza_sdk.testing import FixedClock

SETTINGS: dict[str, Any] = {
    "creditor": {"name": "Tienda Andina", "country": "PE", "contact_line": "ayuda@example.com"},
    "store": {"url": "sqlite:///collections.db"},
    "strategies": {"standard": "strategy.toml"},
    "templates": {"files": ["templates.toml"]},
    "channels": {
        "sms": {
            "provider": "twilio_sms",
            "account_sid": "AC00000000000000000000000000000001",
            "auth_token": lambda: os.environ["TWILIO_AUTH_TOKEN"],
            "from_number": "+15005550006",
            "base_url": "http://127.0.0.1:8802",
        }
    },
}

debtor = Debtor(
    external_id="D-17",
    person=Person(name="Ana Prueba"),
    country="PE",
    contact_points=[
        ContactPoint(address=Address("e164", "+51900100017"), holder_role="debtor", state="confirmed"),
    ],
    consents=[Consent(channel="sms", source="contract")],
)
owed = Money.of("350.00", "PEN")
invoice = Receivable(
    external_id="F001-1001",
    debtor_id="D-17",
    document="F001-1001",
    installments=[Installment(due_on=date(2026, 8, 4), amount=owed, open=owed)],
)

clock = FixedClock(datetime.fromisoformat("2026-08-05T10:00:00-05:00"))
with Cobranza(SETTINGS, clock=clock) as cobranza:
    cobranza.portfolio.put(debtor, invoice)
    print(cobranza.plan(), "planned")
    print(dict(cobranza.dispatch().counts))
    for attempt in cobranza.attempts.list(debtor="D-17"):
        print(attempt["channel"], attempt["state"], attempt["reason"])
