"""
What was decided, and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from attrs import field, fields, frozen

from cobranza_sdk.model._checks import a_day, aware, not_blank, texts
from cobranza_sdk.model._states import Verdict

LANGUAGES = ("es", "pt", "en")


@frozen(kw_only=True)
class Finding:
    """
    What one rule says of one contact.

    Attributes:
        rule: Id of the rule, for example ``pe.window.calls``.
        verdict: What the rule asks for.
        citation: Norm and article; the SDK's own refusals cite the law of the house. Never blank.
        pack: Name and version of the pack, for example ``pe 2026.1``.
        not_before: Earliest instant at which this rule alone would permit, or None when waiting does not cure it.
        not_after: Instant at which this rule stops permitting, or None when it sets none.
        obligations: What must be done for an ``amend``, for example ``disclose_nothing``.
        message: The reason in words, by language (``es``, ``pt``, ``en``).
        reading: ``literal`` or ``cautious`` where the text leaves doubt, else None.
        confidence: ``high``, ``medium`` or ``low``: how sure we are of the text.
        source: Where the text was read, or None.
        effective_from: First day of the rule, included, or None.
        effective_to: Last day of the rule, included, or None.
        facts: The inputs used, by name.
        order: Sorts findings: strictest first, then by rule and pack; made from them.
    """

    rule: str = field(validator=not_blank)
    verdict: Verdict = field(converter=Verdict)
    citation: str = field(validator=not_blank)
    pack: str = field(validator=not_blank)
    not_before: datetime | None = field(default=None, validator=aware)
    not_after: datetime | None = field(default=None, validator=aware)
    obligations: tuple[str, ...] = field(default=(), converter=texts)
    message: Mapping[str, str] = field(factory=dict)
    reading: str | None = None
    confidence: str | None = None
    source: str | None = None
    effective_from: date | None = field(default=None, validator=a_day)
    effective_to: date | None = field(default=None, validator=a_day)
    facts: Mapping[str, str] = field(factory=dict)
    order: tuple[int, str, str] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "order", (-self.verdict.rank, self.rule, self.pack))

    def to_dict(self) -> dict[str, Any]:
        """
        The finding as JSON-ready data; instants as ISO 8601 with offset.
        """
        return {
            "rule": self.rule,
            "verdict": str(self.verdict),
            "citation": self.citation,
            "pack": self.pack,
            "not_before": _iso(self.not_before),
            "obligations": list(self.obligations),
            "message": dict(self.message),
            "reading": self.reading,
            "confidence": self.confidence,
            "source": self.source,
            "effective_from": _iso(self.effective_from),
            "effective_to": _iso(self.effective_to),
            "facts": dict(self.facts),
        }


@frozen(kw_only=True)
class Decision:
    """
    The answer to "may this contact be made?".

    Attributes:
        verdict: The strictest of the findings'.
        at: The instant that was judged.
        not_before: For ``defer``: earliest minute at which every rule permits, in the debtor's clock.
        not_after: For ``allow`` and ``amend``: when the present window closes, or None.
        findings: What did not simply allow, strictest first, then by rule id.
        obligations: What an ``amend`` asks for, each once, sorted.
        basis: Packs and rules that judged, also when all allowed: ``pe 2026.1: pe.window.calls`` …
        drafts: Packs among them that no lawyer has signed.
        accepted_risks: Packs and rules that did not judge because the operator accepts their risk, as in *basis*.
    """

    verdict: Verdict
    at: datetime
    not_before: datetime | None = None
    not_after: datetime | None = None
    findings: tuple[Finding, ...] = ()
    obligations: tuple[str, ...] = ()
    basis: tuple[str, ...] = ()
    drafts: tuple[str, ...] = ()
    accepted_risks: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        # One look for all three: decisions are made by the hundred thousand.
        before, after = self.not_before, self.not_after
        if self.at.tzinfo and (before is None or before.tzinfo) and (after is None or after.tzinfo):
            return
        for attribute in fields(Decision):
            if attribute.name in ("at", "not_before", "not_after"):
                aware(self, attribute, getattr(self, attribute.name))

    def to_dict(self) -> dict[str, Any]:
        """
        What ``--json`` prints; instants as ISO 8601 with offset.
        """
        return {
            "verdict": str(self.verdict),
            "at": _iso(self.at),
            "not_before": _iso(self.not_before),
            "not_after": _iso(self.not_after),
            "obligations": list(self.obligations),
            "findings": [finding.to_dict() for finding in self.findings],
            "basis": list(self.basis),
            "drafts": list(self.drafts),
            "accepted_risks": list(self.accepted_risks),
        }

    def explain(self, language: str = "es") -> str:
        """
        The decision in words, a line per reason.

        Args:
            language: ``es``, ``pt`` or ``en``; another falls back to Spanish.
        """
        words = _WORDS.get(language[:2], _WORDS["es"])
        lines = [words[self.verdict]]
        if self.not_before is not None:
            lines[0] += " " + words["until"].format(_moment(self.not_before, language[:2]))
        for finding in self.findings:
            reason = finding.message.get(language[:2]) or finding.message.get("es") or finding.rule
            lines.append(f"- {reason} [{finding.citation}; {finding.pack}; {finding.rule}]")
        if not self.findings and self.basis:
            lines.append(f"- {words['basis']}: {'; '.join(self.basis)}")
        if self.accepted_risks:
            lines.append(words["accepted_risks"].format("; ".join(self.accepted_risks)))
        if self.drafts:
            lines.append(words["draft"].format(", ".join(self.drafts)))
        return "\n".join(lines)


_WORDS: dict[str, dict[str, str]] = {
    "es": {
        "allow": "Permitido.",
        "amend": "Permitido solo si se cumplen las obligaciones.",
        "defer": "Aplazado.",
        "deny": "No permitido.",
        "until": "Primer momento permitido: {}.",
        "basis": "Juzgado por",
        "accepted_risks": "Aviso: sin juzgar, por un riesgo que el operador asumió: {}.",
        "draft": "Aviso: paquete sin revisión legal (borrador): {}.",
    },
    "pt": {
        "allow": "Permitido.",
        "amend": "Permitido somente se as obrigações forem cumpridas.",
        "defer": "Adiado.",
        "deny": "Não permitido.",
        "until": "Primeiro momento permitido: {}.",
        "basis": "Julgado por",
        "accepted_risks": "Aviso: sem julgar, por um risco que o operador assumiu: {}.",
        "draft": "Aviso: pacote sem revisão jurídica (rascunho): {}.",
    },
    "en": {
        "allow": "Allowed.",
        "amend": "Allowed only if the obligations are met.",
        "defer": "Deferred.",
        "deny": "Not allowed.",
        "until": "Earliest permitted: {}.",
        "basis": "Judged by",
        "accepted_risks": "Note: not judged, by a risk that the operator accepted: {}.",
        "draft": "Note: pack not reviewed by a lawyer (draft): {}.",
    },
}


_DAYS = {
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "pt": ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_CLOCK = {"es": "hora de {}", "pt": "hora de {}", "en": "{} time"}


def _moment(at: datetime, language: str) -> str:
    """
    An instant by the debtor's clock, with the weekday and the place whose clock it is.
    """
    language = language if language in _DAYS else "es"
    words = [_DAYS[language][at.weekday()]]
    key = getattr(at.tzinfo, "key", None)
    if key is not None:
        words.append(_CLOCK[language].format(str(key).rpartition("/")[2].replace("_", " ")))
    return f"{at:%Y-%m-%d %H:%M %z} ({', '.join(words)})"


def _iso(value: date | datetime | None) -> str | None:
    return None if value is None else value.isoformat()
