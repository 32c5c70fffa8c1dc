"""
The closed list of outcomes, and what each is to the core.
"""

from __future__ import annotations

from cobranza_sdk import EventKind

#: What a person can report, by channel. ``posted`` is a letter's alone: ordinary mail tells no more.
OUTCOMES: dict[str, tuple[str, ...]] = {
    "call": ("right_party", "other_person", "no_answer", "wrong_number", "voicemail", "refused"),
    "visit": ("right_party", "other_person", "no_answer", "wrong_number", "refused"),
    "letter": ("posted", "right_party", "other_person", "no_answer", "wrong_number", "refused"),
}
#: How a task ends that nobody carried out.
UNDONE = ("expired", "withdrawn")
#: Outcomes in which the person spoke, and may have asked to be left alone.
SPOKE = ("right_party", "refused")

#: Another person's answer is not the debtor's: ``delivered`` counts as a contact and claims no more.
_KINDS = {
    "right_party": EventKind.READ,
    "refused": EventKind.READ,
    "other_person": EventKind.DELIVERED,
    "posted": EventKind.SENT,
}


def kind_of(outcome: str) -> EventKind:
    """
    The receipt that an outcome is. What reached nobody is a failure: an attempt, and no direct contact.
    """
    return _KINDS.get(outcome, EventKind.FAILED)
