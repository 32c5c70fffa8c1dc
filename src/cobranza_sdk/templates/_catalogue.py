"""
Catalogues of templates: TOML in, checked templates out.

A catalogue::

    format = 1

    [[template]]
    id = "preventive"
    channel = "whatsapp"
    locale = "es"
    stage = ["preventive"]
    purpose = "reminder"
    tone = "cordial"
    discloses = true
    text = "{{ creditor }}: hola, {{ addressee }}. …"

    [template.vendor]
    name = "recordatorio_preventivo"
    language = "es"
    parameters = ["creditor", "addressee"]

Field by field:

``format``
    1. Another number is refused.
``template.id``
    Which message it is: small letters, digits, ``_``. One id has a template per channel and locale; a later catalogue
    replaces an earlier one's template of the same id, channel and locale.
``template.channel``
    ``whatsapp``, ``sms``, ``email`` … or a plugin's own name.
``template.locale``
    A language (``es``) or a language and region (``es-PE``). What is asked for ``es-PE`` falls back to ``es``, never to
    another language.
``template.stage``
    Stages it is for, a list of ``preventive``, ``administrative``, ``extrajudicial``, ``judicial``; or ``"any"``, which
    is the default.
``template.purpose``
    One of `PURPOSES`. ``identity`` asks who reads and may not disclose.
``template.says``
    Parts that the fixed words hold and no variable shows, for example ``["complaints", "rights"]``; laws ask for some.

``template.tone``
    One of `TONES`; ``neutral`` is the default.
``template.discloses``
    Whether it tells of a debt. With ``false`` neither its fixed words nor its variables may: the amount, the day, the
    documents, the installments, the days past due and the way to pay are refused.
``template.subject``
    One line. Needed by channels of the family ``email``.
``template.text``
    The words, in the language of `cobranza_sdk.templates._language`; the variables are those of `VARIABLES`.
``template.html``
    The same as HTML, optional. Values are escaped.
``template.vendor``
    The template that the vendor approved, where the channel needs one; *text* then holds the same words for the record.
``template.vendor.name``, ``.language``
    As the vendor knows them.
``template.vendor.parameters``
    Variables of its body, in order.
``template.vendor.named``
    Variables of its body by the vendor's name of them, instead: ``named = { customer = "addressee" }``.
``template.vendor.header``
    Variable of its header, where that is text.
``template.vendor.header_file``
    The file that its header shows: ``{ filename = "aviso.pdf", content_type = "application/pdf", url = "https://…" }``;
    or, instead of ``url``, ``reference``: the vendor's id of it. The same for everybody, and not for what may not
    disclose.
``template.vendor.buttons``
    Variables of its buttons' addresses, by position from 0: ``buttons = { 0 = "reference" }``.
``template.vendor.codes``
    Variables that its buttons let people copy, by position: ``codes = { 1 = "reference" }``.
``template.vendor.replies``
    Words that a tap on its quick replies sends back, by position: ``replies = { 2 = "BAJA" }``.

A key that is not listed is refused.
"""

from __future__ import annotations

import html as markup
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Self, TypeVar

from attrs import evolve, field, frozen

from cobranza_sdk.model import CHANNEL_FAMILIES, PARTS, STAGES, Money
from cobranza_sdk.spec import Attachment, TemplateCatalogue
from cobranza_sdk.templates._disclosure import debt_word
from cobranza_sdk.templates._errors import TemplateError
from cobranza_sdk.templates._formats import is_known, language_of, tag_of
from cobranza_sdk.templates._language import BlankError, EngineError, Script, evaluate, nearest, scan
from cobranza_sdk.templates._variables import DISCLOSING, LISTS, VARIABLES, Variables, values_of

K = TypeVar("K")

FORMAT = 1
PURPOSES = (
    "invoice",
    "reminder",
    "demand",
    "offer",
    "confirm",
    "identity",
    "consent",
    "rights",
    "receipt",
    "information",
)
TONES = ("neutral", "cordial", "reminder", "firm", "formal")
ANY_STAGE = "any"

_KNOWN = frozenset(VARIABLES)
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_MARKUP = re.compile(r"<[^>]*>")
_SAMPLE = Variables(
    creditor="Comercial Prueba",
    debtor_name="Persona de Prueba",
    amount=Money(123_450, "PEN"),
    due_on=date(2026, 1, 31),
    documents=("F001-1", "F001-2", "F001-3"),
    installments=2,
    days_past_due=3,
    payment_url="https://pay.example/1",
    contact_line="ayuda.example",
    reference="R-1",
    opt_out_word="BAJA",
)


def _own_copy(values: Mapping[K, str]) -> Mapping[K, str]:
    return dict(values)


@frozen(kw_only=True)
class VendorTemplate:
    """
    The template at the vendor that carries the same words.

    Attributes:
        name: The vendor's name of it.
        language: The vendor's language code.
        parameters: Variables of its body, in order.
        named: Variables of its body, by the vendor's names.
        header: Variable of its header, or None.
        header_file: The file that its header shows, or None.
        buttons: Variables of its buttons' addresses, by position from 0.
        codes: Variables that its buttons let people copy, by position.
        replies: Words that a tap on its quick replies sends back, by position.
    """

    name: str
    language: str
    parameters: tuple[str, ...] = field(default=(), converter=tuple)
    named: Mapping[str, str] = field(factory=dict, converter=_own_copy, hash=False)
    header: str | None = None
    header_file: Attachment | None = None
    buttons: Mapping[int, str] = field(factory=dict, converter=_own_copy, hash=False)
    codes: Mapping[int, str] = field(factory=dict, converter=_own_copy, hash=False)
    replies: Mapping[int, str] = field(factory=dict, converter=_own_copy, hash=False)

    @property
    def variables(self) -> tuple[str, ...]:
        """
        Names of all variables that it shows.
        """
        header = () if self.header is None else (self.header,)
        return (*self.parameters, *self.named.values(), *header, *self.buttons.values(), *self.codes.values())


@frozen(kw_only=True)
class Template:
    """
    The words of one message, for one channel and locale. Checked when it is made: one that exists can be rendered.

    Attributes:
        id: Which message it is.
        channel: Where it goes.
        locale: Language, or language and region.
        stage: Stages it is for, or ``any``.
        purpose: One of `PURPOSES`.
        tone: One of `TONES`.
        discloses: Whether it tells of a debt.
        says: Parts that its fixed words hold, of `PARTS`; those that variables show are known without.
        subject: Subject line, or None.
        text: The words.
        html: The same as HTML, or None.
        vendor: The vendor's template, or None.
        origin: Catalogue it came from, for messages.
        scripts: What the subject, the text and the HTML use, by key; not given but read.

    Raises:
        TemplateError: With every problem of it.
    """

    id: str
    channel: str
    locale: str
    stage: tuple[str, ...] | str = ANY_STAGE
    purpose: str
    tone: str = "neutral"
    discloses: bool
    says: tuple[str, ...] = ()
    subject: str | None = None
    text: str
    html: str | None = None
    vendor: VendorTemplate | None = None
    origin: str = "<catalogue>"
    scripts: Mapping[str, Script] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        bodies = {key: body for key in ("subject", "text", "html") if (body := getattr(self, key)) is not None}
        scripts = {key: scan(body, _KNOWN, LISTS) for key, body in bodies.items()}
        object.__setattr__(self, "scripts", MappingProxyType(scripts))
        problems = [*_of_labels(self), *_of_bodies(bodies, scripts), *_of_vendor(self.vendor)]
        if not self.discloses:
            problems += _of_disclosure(self)
        if not problems:
            problems += _of_trial(self, bodies)
        if problems:
            raise TemplateError([f"{self.where}: {problem}" for problem in problems])

    @property
    def where(self) -> str:
        """
        Where to look for it: origin, id, channel, locale.
        """
        return f"{self.origin}: template {self.id!r} ({self.channel}, {self.locale})"

    @property
    def key(self) -> tuple[str, str, str]:
        """
        What a later catalogue replaces it by.
        """
        return (self.id, self.channel, self.locale)

    @property
    def parts(self) -> frozenset[str]:
        """
        What its text says, of `PARTS`: what laws on identification and content ask for.
        """
        shown = {_PART_OF[name] for name in self.scripts["text"].names if name in _PART_OF}
        return frozenset(shown.union(self.says))

    @property
    def variables(self) -> frozenset[str]:
        """
        Names of all variables it uses, at the vendor too.
        """
        names = frozenset[str]().union(*(script.names for script in self.scripts.values()))
        return names if self.vendor is None else names.union(self.vendor.variables)

    def serves(self, stage: str) -> bool:
        """
        Whether it is meant for *stage*.
        """
        return self.stage == ANY_STAGE or stage in self.stage


class Catalogue:
    """
    All templates at hand.

    Args:
        templates: In order; a later one replaces an earlier one of the same id, channel and locale.
    """

    __slots__ = ("_by_key", "templates")

    def __init__(self, templates: Iterable[Template] = ()) -> None:
        self._by_key = {template.key: template for template in templates}
        self.templates: tuple[Template, ...] = tuple(self._by_key.values())

    @classmethod
    def parse(cls, sources: Iterable[TemplateCatalogue]) -> Self:
        """
        Read catalogues. Later ones win.

        Raises:
            TemplateError: With every problem of every catalogue.
        """
        templates: list[Template] = []
        problems: list[str] = []
        for source in sources:
            _read(source, templates, problems)
        if problems:
            raise TemplateError(problems)
        return cls(templates)

    def find(self, template_id: str, *, channel: str, locale: str, stage: str) -> Template:
        """
        The template of an id for a channel, in the debtor's locale or its language.

        Args:
            template_id: Which message.
            channel: Where it goes.
            locale: ``es-PE`` is looked up as ``es-PE``, then as ``es``; never in another language.
            stage: Where the debt stands.

        Raises:
            TemplateError: There is none, or it is meant for other stages.
        """
        for tag in _fallback(locale):
            found = self._by_key.get((template_id, channel, tag))
            if found is not None:
                return self._meant_for(stage, found)
        msg = f"no template {template_id!r} for {channel}, {locale}; {self._there_are(template_id, channel)}"
        raise TemplateError(msg, hint="add it to a catalogue, or write to this debtor in another language or channel")

    @staticmethod
    def _meant_for(stage: str, template: Template) -> Template:
        if template.serves(stage):
            return template
        msg = f"template {template.id!r} is meant for {', '.join(template.stage)}, and the debt is {stage}"
        raise TemplateError(msg, hint="let the step end before that stage begins, or widen the template's stage")

    def undisclosed(self, *, channel: str, locale: str) -> Template:
        """
        The template that asks who reads and discloses nothing.

        The one called ``identity`` where there are several, else the first.

        Raises:
            TemplateError: There is none for this channel and language.
        """
        for tag in _fallback(locale):
            found = [t for t in self.templates if (t.channel, t.locale, t.purpose) == (channel, tag, "identity")]
            if found:
                return next((template for template in found if template.id == "identity"), found[0])
        msg = f"no template of purpose 'identity' for {channel}, {locale}"
        raise TemplateError(msg, hint="add one with discloses = false to a catalogue")

    def _there_are(self, template_id: str, channel: str) -> str:
        same = [f"{t.channel} {t.locale}" for t in self.templates if t.id == template_id]
        if same:
            return f"it exists for {', '.join(same)}"
        ids = {t.id for t in self.templates if t.channel == channel}
        return nearest(template_id, ids) if ids else f"there is none at all for {channel}"

    def __repr__(self) -> str:
        return f"Catalogue({len(self.templates)} templates)"


def _fallback(locale: str) -> tuple[str, ...]:
    tag = tag_of(locale)
    if tag is None:
        return ()
    return tuple(dict.fromkeys((tag, language_of(tag))))


def _read(source: TemplateCatalogue, templates: list[Template], problems: list[str]) -> None:
    try:
        document = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{source.origin}: not readable as TOML: {error}")
        return
    if document.get("format") != FORMAT:
        problems.append(f"{source.origin}: format is missing or unknown, expected format = {FORMAT}")
        return
    problems += [f"{source.origin}: {problem}" for problem in _unknown(document, ("format", "template"))]
    entries = document.get("template", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(f"{source.origin}: template is no list of tables, expected [[template]]")
        return
    seen: set[tuple[str, str, str]] = set()
    for number, entry in enumerate(entries, start=1):
        try:
            template = _template(entry, source.origin, number)
        except TemplateError as error:
            problems += error.problems
            continue
        if template.key in seen:
            problems.append(f"{template.where}: stands twice, expected one per id, channel and locale")
        seen.add(template.key)
        templates.append(template)


#: Which part a variable shows.
_PART_OF = {
    "creditor": "creditor",
    "amount": "amount",
    "due_on": "due_on",
    "document": "document",
    "documents": "document",
    "payment_url": "how_to_pay",
    "how_to_pay": "how_to_pay",
    "contact_line": "contact_line",
    "opt_out_word": "opt_out",
}
_TEXT, _TRUTH, _TABLE, _LIST = "text", "true or false", "a table", "a list of texts"
_ENTRY = {
    "id": _TEXT,
    "channel": _TEXT,
    "locale": _TEXT,
    "stage": f"{_LIST} or {ANY_STAGE!r}",
    "purpose": _TEXT,
    "tone": _TEXT,
    "discloses": _TRUTH,
    "says": _LIST,
    "subject": _TEXT,
    "text": _TEXT,
    "html": _TEXT,
    "vendor": _TABLE,
}
_REQUIRED = ("id", "channel", "locale", "purpose", "discloses", "text")
_VENDOR = {
    "name": _TEXT,
    "language": _TEXT,
    "parameters": _LIST,
    "named": _TABLE,
    "header": _TEXT,
    "header_file": _TABLE,
    "buttons": _TABLE,
    "codes": _TABLE,
    "replies": _TABLE,
}
#: Parts of a vendor's template that stand by position, with what each position holds.
_BY_POSITION = {
    "buttons": 'a variable by position, such as { 0 = "reference" }',
    "codes": 'a variable by position, such as { 0 = "reference" }',
    "replies": 'words by position, such as { 0 = "BAJA" }',
}
_FILE = {"filename": _TEXT, "content_type": _TEXT, "url": _TEXT, "reference": _TEXT}
_VENDOR_REQUIRED = ("name", "language")


def _template(entry: Mapping[str, Any], origin: str, number: int) -> Template:
    where = (
        f"{origin}: template {entry['id']!r}" if isinstance(entry.get("id"), str) else f"{origin}: template {number}"
    )
    problems = list(_of_shape(entry, _ENTRY, _REQUIRED))
    if isinstance(vendor := entry.get("vendor"), dict):
        problems += [f"vendor.{problem}" for problem in _of_shape(vendor, _VENDOR, _VENDOR_REQUIRED)]
        problems += [problem for part in _BY_POSITION for problem in _of_positions(part, vendor.get(part))]
        problems += _of_header_file(vendor.get("header_file"))
    if problems:
        raise TemplateError([f"{where}: {problem}" for problem in problems])
    fields: dict[str, Any] = {**entry, "origin": origin, "locale": tag_of(entry["locale"]) or entry["locale"]}
    for key in ("stage", "says"):
        if isinstance(entry.get(key), list):
            fields[key] = tuple(entry[key])
    if vendor is not None:
        placed = {
            part: {int(position): value for position, value in vendor.get(part, {}).items()} for part in _BY_POSITION
        }
        file = vendor.get("header_file")
        fields["vendor"] = VendorTemplate(
            **{**vendor, **placed, "header_file": None if file is None else Attachment(**file)}
        )
    return Template(**fields)


def _of_shape(table: Mapping[str, Any], known: Mapping[str, str], required: Iterable[str]) -> Iterator[str]:
    yield from _unknown(table, known)
    yield from (f"{key}: missing, expected {known[key]}" for key in required if key not in table)
    for key, value in table.items():
        if key in known and not _fits(value, known[key]):
            yield f"{key}: expected {known[key]}"


def _fits(value: object, expected: str) -> bool:
    if expected == _TEXT:
        return isinstance(value, str)
    if expected == _TRUTH:
        return isinstance(value, bool)
    if expected == _TABLE:
        return isinstance(value, dict)
    is_list = isinstance(value, list) and all(isinstance(member, str) for member in value)
    return is_list or (expected != _LIST and value == ANY_STAGE)


def _unknown(table: Mapping[str, Any], known: Iterable[str]) -> Iterator[str]:
    return (f"{key}: unknown key, {nearest(key, known)}" for key in table if key not in set(known))


def _of_positions(part: str, placed: object) -> Iterator[str]:
    for position, value in placed.items() if isinstance(placed, dict) else ():
        if not (position.isascii() and position.isdigit() and isinstance(value, str) and value.strip()):
            yield f"vendor.{part}.{position}: expected {_BY_POSITION[part]}"


def _of_header_file(file: object) -> Iterator[str]:
    if not isinstance(file, dict):
        return
    yield from (f"vendor.header_file.{problem}" for problem in _of_shape(file, _FILE, ("filename", "content_type")))
    if sum(key in file for key in ("url", "reference")) != 1:
        yield "vendor.header_file: expected one of url and reference"
    url = file.get("url")
    if isinstance(url, str) and not url.startswith("https://"):
        yield "vendor.header_file.url: expected an address that begins with https://"
    if any(isinstance(value, str) and not value.strip() for value in file.values()):
        yield "vendor.header_file: a value is blank, expected none that is"


def _of_labels(template: Template) -> Iterator[str]:
    for key in ("id", "channel"):
        if not _SLUG.fullmatch(getattr(template, key)):
            yield f"{key}: expected small letters, digits and _, a letter first"
    if tag_of(template.locale) != template.locale or not is_known(template.locale):
        yield f"locale: unknown locale {template.locale!r}, expected a language or a language and region, such as es-PE"
    if template.stage != ANY_STAGE and not (template.stage and set(template.stage) <= set(STAGES)):
        yield f"stage: expected 'any' or a list of {', '.join(STAGES)}"
    if template.purpose not in PURPOSES:
        yield f"purpose: {nearest(template.purpose, PURPOSES)}"
    for name in sorted(set(template.says) - set(PARTS)):
        yield f"says: {nearest(name, PARTS)}"
    if template.tone not in TONES:
        yield f"tone: {nearest(template.tone, TONES)}"
    if template.purpose == "identity" and template.discloses:
        yield "discloses: expected false, for purpose identity asks who reads"
    if CHANNEL_FAMILIES.get(template.channel) == "email" and template.subject is None:
        yield "subject: missing, expected one line, for an email has one"


def _of_bodies(bodies: Mapping[str, str], scripts: Mapping[str, Script]) -> Iterator[str]:
    for key, body in bodies.items():
        if not _MARKUP.sub("", body).strip():
            yield f"{key}: empty, expected words"
        if key == "subject" and ("\n" in body or "=?" in body):
            yield "subject: expected one plain line"
        yield from (f"{key}: {problem}" for problem in scripts[key].problems)


def _of_vendor(vendor: VendorTemplate | None) -> Iterator[str]:
    if vendor is None:
        return
    for key in ("name", "language"):
        value = getattr(vendor, key)
        if not (value and value.isascii() and value.isprintable() and " " not in value):
            yield f"vendor.{key}: expected the vendor's own, without blanks"
    for name in vendor.variables:
        if name not in _KNOWN:
            yield f"vendor: unknown variable {name!r}, {nearest(name, _KNOWN)}"
    for one, other in (("parameters", "named"), ("header", "header_file")):
        if getattr(vendor, one) and getattr(vendor, other):
            yield f"vendor: has {one} and {other}, expected one of them"
    positions = Counter((*vendor.buttons, *vendor.codes, *vendor.replies))
    for position in sorted(position for position, times in positions.items() if times > 1):
        yield f"vendor: has two buttons at position {position}, expected one"


def _of_disclosure(template: Template) -> Iterator[str]:
    for key, script in template.scripts.items():
        for name in sorted(script.names & DISCLOSING):
            yield f"{key}: uses {name!r}, but discloses = false: expected no variable that tells of a debt"
        if word := debt_word(markup.unescape(script.words)):
            yield f"{key}: says {word!r}, but discloses = false: expected no word of debt"
    if template.vendor is None:
        return
    for name in sorted(set(template.vendor.variables) & DISCLOSING):
        yield f"vendor: uses {name!r}, but discloses = false: expected no variable that tells of a debt"
    if template.vendor.header_file is not None:
        yield "vendor: has header_file, but discloses = false: expected no file, which nobody reads here"


def _of_trial(template: Template, bodies: Mapping[str, str]) -> Iterator[str]:
    named = evolve(_SAMPLE, debtor_name="")
    for key, body in bodies.items():
        for sample in (_SAMPLE, named):
            try:
                text = evaluate(
                    body, values_of(sample, locale=template.locale, channel=template.channel), markup=key == "html"
                )
            except BlankError:
                break
            except EngineError as error:
                yield f"{key}: {error}"
                break
            if not _MARKUP.sub("", text).strip():
                yield f"{key}: comes to nothing, expected words"
                break
