"""
Bodies of the requests that send.

All of it is pure and refuses what the vendor would refuse, so that no call is made, and no file uploaded, in vain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve

from cobranza_sdk import (
    Action,
    Attachment,
    Category,
    Disposition,
    MessageTemplate,
    OutboundMessage,
    ProviderError,
    Transmitted,
)
from cobranza_whatsapp_cloud._media import PDF, is_address, media_object, read_file

TEXT_LENGTH = 4096
#: Of the words beside a file or things to tap.
CAPTION_LENGTH = 1024
_REPLIES = 3
_ROWS = 10
_TITLE_LENGTH = 20
_ROW_TITLE_LENGTH = 24
_ROW_ID_LENGTH = 200
#: What opens a list, by language; at most 20 characters.
_LIST_LABELS = {"es": "Ver opciones", "pt": "Ver opções", "en": "See options"}
_PARAMETER_LENGTH = 32_768
_HEADER_LENGTH = 60
_SUFFIX_LENGTH = 2000
_REPLY_LENGTH = 256
_CODE_LENGTH = 15
# The vendor refuses these in a variable: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
_BARRED_IN_PARAMETER = re.compile(r"[\n\r\t]| {4}")
_NAME = re.compile(r"[a-z0-9_]+")
_LAST_POSITION = 9


def payload(message: OutboundMessage) -> dict[str, Any]:
    """
    What is posted to send *message*.

    Raises:
        ProviderError: The vendor would refuse it.
    """
    addressed: dict[str, Any] = {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        # Without its plus the vendor may read the number as one of the business's own country.
        "to" if message.to.scheme == "e164" else "recipient": message.to.value,
        "biz_opaque_callback_data": message.attempt_id,
    }
    if message.template is not None:
        header = message.attachments[0] if message.attachments else message.template.header
        return addressed | {"type": "template", "template": _template(evolve(message.template, header=header))}
    if not message.text.strip():
        raise _invalid()
    if message.actions:
        return addressed | {"type": "interactive", "interactive": _interactive(message)}
    if message.attachments:
        file = read_file(message.attachments[0])
        return addressed | {"type": file.kind, file.kind: media_object(message.attachments[0], caption=message.text)}
    return addressed | {"type": "text", "text": {"body": message.text, "preview_url": False}}


def gaps(message: OutboundMessage) -> list[str]:
    """
    What *message* asks for and no request of the vendor can say.
    """
    template, actions, files = message.template, message.actions, len(message.attachments)
    links = sum(action.url is not None for action in actions)
    longest = CAPTION_LENGTH if actions or files else TEXT_LENGTH
    asked = {
        "html": message.html is not None,
        "several attachments": files > 1,
        "an attachment beside the template's header": bool(files and template and template.header is not None),
        "actions beside a template": bool(actions and template),
        "a link beside other actions": bool(links) and len(actions) > 1,
        f"more than {_ROWS} actions": len(actions) > _ROWS,
        "an attachment beside a list": bool(files) and not links and _is_list(actions),
        f"text of more than {longest} characters": template is None and len(message.text) > longest,
    }
    return [name for name, is_asked in asked.items() if is_asked]


def encoded(document: dict[str, Any]) -> bytes:
    """
    *document* as it goes out.

    Raises:
        ProviderError: It holds what is no text.
    """
    try:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half a surrogate pair is no text in any encoding. The error itself would quote it.
        raise _invalid() from None


def _interactive(message: OutboundMessage) -> dict[str, Any]:
    actions = message.actions
    if len({action.id for action in actions}) < len(actions):
        raise _invalid()
    if actions[0].url is not None:
        shown = _link(actions[0], actions[0].url)
    elif _is_list(actions):
        shown = _choice(actions, message.locale)
    else:
        shown = {"type": "button", "action": {"buttons": [_reply(action) for action in actions]}}
    for attachment in message.attachments:
        kind = read_file(attachment).kind
        shown["header"] = {"type": kind, kind: media_object(attachment)}
    return shown | {"body": {"text": message.text}}


def _is_list(actions: Sequence[Action]) -> bool:
    return len(actions) > _REPLIES or any(len(action.title) > _TITLE_LENGTH for action in actions)


def _reply(action: Action) -> dict[str, Any]:
    if len(action.id) > _REPLY_LENGTH:
        raise _invalid()
    return {"type": "reply", "reply": {"id": action.id, "title": action.title}}


def _choice(actions: Sequence[Action], locale: str) -> dict[str, Any]:
    if any(len(action.id) > _ROW_ID_LENGTH or len(action.title) > _ROW_TITLE_LENGTH for action in actions):
        raise _invalid()
    rows = [{"id": action.id, "title": action.title} for action in actions]
    label = _LIST_LABELS.get(locale.partition("-")[0].lower(), _LIST_LABELS["es"])
    return {"type": "list", "action": {"button": label, "sections": [{"rows": rows}]}}


def _link(action: Action, url: str) -> dict[str, Any]:
    if len(action.title) > _TITLE_LENGTH or not is_address(url):
        raise _invalid()
    return {"type": "cta_url", "action": {"name": "cta_url", "parameters": {"display_text": action.title, "url": url}}}


def _template(template: MessageTemplate) -> dict[str, Any]:
    components = [*_header(template.header), *_body(template), *_buttons(template)]
    named: dict[str, Any] = {"name": template.name, "language": {"code": template.language}}
    # The vendor counts the parameters of an empty component too.
    return named | {"components": components} if components else named


def _header(header: Attachment | str | None) -> Iterable[dict[str, Any]]:
    if header is None:
        return
    if isinstance(header, str):
        parameter: dict[str, Any] = _text(header, longest=_HEADER_LENGTH)
    else:
        file = read_file(header)
        if file.kind == "document" and file.content_type != PDF:
            raise _bad_template()
        parameter = {"type": file.kind, file.kind: media_object(header)}
    yield {"type": "header", "parameters": [parameter]}


def _body(template: MessageTemplate) -> Iterable[dict[str, Any]]:
    if not all(_NAME.fullmatch(name) for name in template.named):
        raise _bad_template()
    values = [_text(value) for value in template.parameters]
    values += [{"parameter_name": name} | _text(value) for name, value in template.named.items()]
    if values:
        yield {"type": "body", "parameters": values}


def _buttons(template: MessageTemplate) -> Iterable[dict[str, Any]]:
    made = {index: ("url", _text(value, longest=_SUFFIX_LENGTH)) for index, value in template.buttons.items()}
    for index, value in template.replies.items():
        made[index] = ("quick_reply", {"type": "payload", "payload": _held(value, _REPLY_LENGTH)})
    for index, value in template.codes.items():
        made[index] = ("copy_code", {"type": "coupon_code", "coupon_code": _held(value, _CODE_LENGTH)})
    if not all(0 <= index <= _LAST_POSITION for index in made):
        raise _bad_template()
    for index in sorted(made):
        kind, parameter = made[index]
        yield {"type": "button", "sub_type": kind, "index": str(index), "parameters": [parameter]}


def _text(value: str, *, longest: int = _PARAMETER_LENGTH) -> dict[str, Any]:
    if _BARRED_IN_PARAMETER.search(value):
        raise _bad_template()
    return {"type": "text", "text": _held(value, longest)}


def _held(value: str, longest: int) -> str:
    if not value.strip() or len(value) > longest:
        raise _bad_template()
    return value


def _bad_template() -> ProviderError:
    return ProviderError(Category.TEMPLATE, Disposition.FIX_FIRST, Transmitted.NO)


def _invalid() -> ProviderError:
    return ProviderError(Category.VALIDATION, Disposition.FIX_FIRST, Transmitted.NO)
