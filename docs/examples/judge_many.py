from datetime import datetime

from cobranza_sdk import Cobranza, Contact, PastContact

wednesday = datetime.fromisoformat("2026-08-05T10:00:00-05:00")
mail_on_monday = PastContact(at=datetime.fromisoformat("2026-08-03T09:00:00-05:00"), channel="email", outcome="read")
contacts = [
    Contact(
        at=wednesday,
        channel=channel,
        country="CO",
        recipient="debtor",
        holder_confirmed=True,
        consent="yes",
        history=[mail_on_monday],
    )
    for channel in ("email", "sms")
]

with Cobranza() as cobranza:
    for contact, decision in zip(contacts, cobranza.decide_many(contacts), strict=True):
        rules = [finding.rule for finding in decision.findings]
        print(contact.channel, decision.verdict, decision.not_before, rules)
