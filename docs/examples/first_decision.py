from datetime import datetime

from cobranza_sdk import Cobranza, Contact

saturday = datetime.fromisoformat("2026-08-08T10:00:00-05:00")
contact = Contact(at=saturday, channel="sms", country="PE", recipient="debtor", holder_confirmed=True)

with Cobranza() as cobranza:
    decision = cobranza.decide(contact)

print(decision.verdict, decision.not_before)
print(decision.explain("en"))
