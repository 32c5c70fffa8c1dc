from datetime import datetime

from cobranza_sdk import Cobranza, Contact

sabado = datetime.fromisoformat("2026-08-08T10:00:00-05:00")
contacto = Contact(at=sabado, channel="sms", country="PE", recipient="debtor", holder_confirmed=True)

with Cobranza() as cobranza:
    decision = cobranza.decide(contacto)

print(decision.verdict, decision.not_before)
print(decision.explain("es"))
