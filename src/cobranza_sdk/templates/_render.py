"""
From a template and plain values to the words of one message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from attrs import field, frozen

from cobranza_sdk.spec import MessageTemplate
from cobranza_sdk.templates._catalogue import Template
from cobranza_sdk.templates._errors import TemplateError
from cobranza_sdk.templates._formats import language_of, tag_of
from cobranza_sdk.templates._language import BlankError, EngineError, evaluate
from cobranza_sdk.templates._variables import Variables, values_of

_MAX_SUBJECT = 200
_MAX_TEXT = 50_000


@frozen(kw_only=True)
class Rendered:
    """
    The words of one message, ready to be judged and sent as they are.

    Attributes:
        subject: One line, or None where the template has none.
        text: Plain text; with a vendor's template, the same words for the record.
        html: HTML of the same, or None.
        template: The vendor's template with its values, or None.
        template_id: Which template it was made from.
        locale: For which locale.
        digest: SHA-256, in hex, over subject, text, HTML and the vendor's template with its values.
    """

    subject: str | None = field(repr=False)
    text: str = field(repr=False)
    html: str | None = field(repr=False)
    template: MessageTemplate | None
    template_id: str
    locale: str
    digest: str


def render(template: Template, variables: Variables, *, locale: str) -> Rendered:
    """
    Write one message.

    Every value is put on one line with plain spaces, without control or invisible characters; in an SMS letters
    outside the 7-bit alphabet lose their accents. HTML escapes them.

    Args:
        template: Whose words.
        variables: What they speak of.
        locale: Of the debtor, for amounts and days; in the template's language.

    Raises:
        TemplateError: A variable that the template shows is blank (fill it, or ask for it with ``{% if %}``), the
            languages differ, or the text is none or too long. Names the variables, never their values.
    """
    tag = tag_of(locale)
    if tag is None or language_of(tag) != language_of(template.locale):
        msg = (
            f"{template.where}: asked for locale {locale!r}, expected one of language {language_of(template.locale)!r}"
        )
        raise TemplateError(msg)
    values = values_of(variables, locale=tag, channel=template.channel)
    _refuse_empty_loops(template, values)
    subject = None if template.subject is None else _subject(template, values)
    text = _body(template, "text", template.text, values)
    html = None if template.html is None else _body(template, "html", template.html, values)
    vendor = _vendor(template, values)
    return Rendered(
        subject=subject,
        text=text,
        html=html,
        template=vendor,
        template_id=template.id,
        locale=tag,
        digest=_digest(subject, text, html, vendor),
    )


def _refuse_empty_loops(template: Template, values: Mapping[str, object]) -> None:
    for key, script in template.scripts.items():
        for name in sorted(script.loops - script.tested):
            if not values[name]:
                raise _blank(template, key, [name])


def _body(template: Template, key: str, source: str, values: Mapping[str, str | int | list[str]]) -> str:
    try:
        text = evaluate(source, values, markup=key == "html")
    except (BlankError, EngineError) as error:
        if blank := sorted(name for name in template.scripts[key].outputs if values[name] in ("", [])):
            raise _blank(template, key, blank) from None
        msg = f"{template.where}: {key}: {error}"
        raise TemplateError(msg) from None
    if not text or len(text) > _MAX_TEXT:
        msg = f"{template.where}: {key} comes to {len(text)} characters, expected 1 to {_MAX_TEXT}"
        raise TemplateError(msg)
    return text


def _subject(template: Template, values: Mapping[str, str | int | list[str]]) -> str:
    subject = " ".join(_body(template, "subject", template.subject or "", values).split())
    if len(subject) > _MAX_SUBJECT or "=?" in subject:
        msg = f"{template.where}: subject is too long or reads as an encoded header, expected one plain line"
        raise TemplateError(msg)
    return subject


def _vendor(template: Template, values: Mapping[str, str | int | list[str]]) -> MessageTemplate | None:
    vendor = template.vendor
    if vendor is None:
        return None
    if blank := sorted({name for name in vendor.variables if values[name] in ("", [])}):
        raise _blank(template, "vendor", blank)
    shown = {name: _parameter(values[name]) for name in vendor.variables}
    return MessageTemplate(
        name=vendor.name,
        language=vendor.language,
        parameters=tuple(shown[name] for name in vendor.parameters),
        named={theirs: shown[name] for theirs, name in vendor.named.items()},
        header=vendor.header_file if vendor.header is None else shown[vendor.header],
        buttons={position: shown[name] for position, name in vendor.buttons.items()},
        codes={position: shown[name] for position, name in vendor.codes.items()},
        replies=vendor.replies,
    )


def _parameter(value: str | int | list[str]) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _blank(template: Template, key: str, names: list[str]) -> TemplateError:
    return TemplateError(
        f"{template.where}: {key}: no value for {', '.join(names)}",
        hint="fill it, or ask for it in the template with {% if … %}: an empty place is never sent",
    )


def _digest(subject: str | None, text: str, html: str | None, vendor: MessageTemplate | None) -> str:
    parts = [subject, text, html]
    if vendor is not None:
        buttons = sorted(vendor.buttons.items())
        parts_of_vendor: list[object] = [vendor.name, vendor.language, list(vendor.parameters), buttons]
        if vendor.parts:
            header = vendor.header
            file = (
                None if header is None or isinstance(header, str) else [header.filename, header.url, header.reference]
            )
            placed = [sorted(part.items()) for part in (vendor.named, vendor.codes, vendor.replies)]
            parts_of_vendor += [file or header, *placed]
    else:
        parts_of_vendor = []
    document = json.dumps([*parts, parts_of_vendor], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(document.encode("ascii")).hexdigest()
