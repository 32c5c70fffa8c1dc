"""
What is asked of the emulator, read as strictly as the vendor reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from cobranza_sdk import Address, InvalidValueError
from cobranza_whatsapp_cloud._media import TYPES

if TYPE_CHECKING:
    from cobranza_whatsapp_cloud._sandbox_server import Answer

_TEXT_LENGTH = 4096
_BODY_LENGTH = 1024
_TITLE_LENGTH = 20
_TYPING = {"type": "text"}
_BUTTONS = 10
_PHONE = re.compile(r"\+?[0-9]{5,15}")
_SEPARATORS = re.compile(r"[\s()-]")
_BARRED_IN_PARAMETER = re.compile(r"[\n\r\t]| {4}")
_LINK = re.compile(r"https?://[^/\s]+(/\S*)?")
_SUB_TYPES = {"url": "URL", "quick_reply": "QUICK_REPLY", "copy_code": "COPY_CODE"}
_UNSENDABLE = {"PAUSED": 132015, "DISABLED": 132016}


@frozen
class Refusal:
    """
    An error of the vendor.

    Attributes:
        status: HTTP status code.
        code: The vendor's code.
        message: The vendor's words.
    """

    status: int
    code: int
    message: str

    def answer(self) -> Answer:
        """
        As the vendor sends it.
        """
        error = {
            "message": f"(#{self.code}) {self.message}",
            "type": "OAuthException",
            "code": self.code,
            "error_data": {"messaging_product": "whatsapp", "details": self.message},
            "fbtrace_id": "SandboxTrace",
        }
        from cobranza_whatsapp_cloud._sandbox_server import Answer

        return Answer(status=self.status, body=serialise({"error": error}))


class RefusedError(Exception):
    """
    The vendor refuses a request.
    """

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(status, code, message)


def serialise(document: Mapping[str, object]) -> bytes:
    r"""
    JSON as the vendor writes it: ``\u00f1`` for what is not ASCII and ``\/`` for a slash.
    """
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode("ascii")


@frozen(kw_only=True)
class Request:
    """
    A request to send.

    Attributes:
        document: The JSON as it came.
        to: The recipient.
        text: The words; of a template its values, one a line.
        template: The template's name, or None.
        language: The template's language code, or None.
        attempt_id: Our id, or None.
        media: Uploaded files that it names, each as kind and id.
    """

    document: Mapping[str, Any] = field(repr=False)
    to: Address
    text: str = field(repr=False)
    template: str | None = None
    language: str | None = None
    attempt_id: str | None = None
    media: tuple[tuple[str, str], ...] = ()


@frozen(kw_only=True)
class SandboxTemplate:
    """
    A template of the emulator's business account.

    Attributes:
        name: Its name.
        language: Its language code.
        parameters: Number of variables in the body.
        named: Their names, when they have names; then *parameters* stays 0.
        header: ``TEXT`` for a header with a variable, ``IMAGE``, ``DOCUMENT``, or None.
        buttons: Kinds of all buttons in order: ``URL`` with a variable, ``QUICK_REPLY``, ``COPY_CODE``, or another
            word for one that takes no value.
        category: ``UTILITY``, ``MARKETING`` or ``AUTHENTICATION``.
        status: ``APPROVED``, ``PAUSED``, ``DISABLED``, ``PENDING`` …
        quality: ``GREEN``, ``YELLOW``, ``RED`` or ``UNKNOWN``.
    """

    name: str
    language: str
    parameters: int = 0
    named: frozenset[str] = field(default=frozenset(), converter=frozenset)
    header: str | None = None
    buttons: tuple[str, ...] = field(default=(), converter=tuple)
    category: str = "UTILITY"
    status: str = "APPROVED"
    quality: str = "GREEN"

    def row(self) -> dict[str, object]:
        """
        As the vendor lists it.
        """
        return {
            "name": self.name,
            "language": self.language,
            "status": self.status,
            "category": self.category,
            "parameter_format": "NAMED" if self.named else "POSITIONAL",
            "quality_score": {"score": self.quality},
            "rejected_reason": "NONE",
        }

    def require_fits(self, template: Mapping[str, Any]) -> None:
        """
        Refuse values that do not fit, or a template that is not approved.
        """
        if self.status != "APPROVED":
            raise RefusedError(400, _UNSENDABLE.get(self.status, 132001), f"Template is {self.status}")
        components = template.get("components", [])
        header = [part["parameters"] for part in components if part["type"] == "header"]
        body = [value for part in components if part["type"] == "body" for value in part["parameters"]]
        buttons = {int(part["index"]): part["sub_type"] for part in components if part["type"] == "button"}
        if len(body) != (len(self.named) or self.parameters) or bool(header) != bool(self.header):
            raise RefusedError(400, 132000, "Number of parameters does not match the expected number of params")
        if {value.get("parameter_name") for value in body} - {None} != self.named:
            raise RefusedError(400, 132012, "Parameter format does not match format in the created template")
        if header and header[0][0]["type"].upper() != self.header:
            raise RefusedError(400, 132012, "Parameter format does not match format in the created template")
        self._require_buttons(buttons)

    def _require_buttons(self, given: Mapping[int, str]) -> None:
        for index, kind in enumerate(self.buttons):
            # A quick reply without a payload sends its text back.
            if index not in given and kind in {"URL", "COPY_CODE"}:
                raise RefusedError(400, 131008, f"Button at index {index} requires a parameter")
        for index, sub_type in given.items():
            if index >= len(self.buttons) or self.buttons[index] != _SUB_TYPES[sub_type]:
                raise RefusedError(400, 132012, f"Button at index {index} is not of type {sub_type}")


def read_request(body: bytes) -> Request:
    """
    Read a request to send.

    Raises:
        RefusedError: The vendor would refuse it, whatever the state of the account.
    """
    document = read_json(body)
    to = _recipient(document)
    opaque = document.get("biz_opaque_callback_data")
    attempt_id = opaque if isinstance(opaque, str) else None
    kind = document.get("type", "text")
    if kind == "template":
        template = _object(document, "template")
        language = _required(_object(template, "language"), "code")
        values = list(_components(template))
        return Request(
            document=document,
            to=to,
            text="\n".join(value for kind, value in values if kind == "text"),
            template=_required(template, "name"),
            language=language,
            attempt_id=attempt_id,
            media=tuple((kind, value) for kind, value in values if kind != "text"),
        )
    if kind not in _FREE:
        raise RefusedError(400, 131051, "This emulator does not take messages of that type")
    text, media = _FREE[kind](_object(document, kind), kind)
    return Request(document=document, to=to, text=text, attempt_id=attempt_id, media=tuple(media))


def _words(part: Mapping[str, Any], _kind: str) -> tuple[str, list[tuple[str, str]]]:
    return _limited(part, "body", _TEXT_LENGTH), []


def _file(part: Mapping[str, Any], kind: str) -> tuple[str, list[tuple[str, str]]]:
    caption = _limited(part, "caption", _BODY_LENGTH) if "caption" in part else ""
    return caption, list(read_media(part, kind, caption=True))


def _interactive(part: Mapping[str, Any], _kind: str) -> tuple[str, list[tuple[str, str]]]:
    kind, action, header = _required(part, "type"), _object(part, "action"), part.get("header")
    text = _limited(_object(part, "body"), "text", _BODY_LENGTH)
    if kind == "cta_url":
        parameters = _object(action, "parameters")
        _limited(parameters, "display_text", _TITLE_LENGTH)
        if action.get("name") != "cta_url" or not _LINK.fullmatch(_required(parameters, "url")):
            raise RefusedError(400, 131009, "Parameter value is not valid: action")
    elif kind not in {"button", "list"} or not choices(part):
        raise RefusedError(400, 131009, "Parameter value is not valid: interactive type or action")
    if header is None:
        return text, []
    shown = _required(_object(part, "header"), "type")
    if kind == "list" or shown not in {"image", "document"}:
        raise RefusedError(400, 131009, "Parameter value is not valid: header")
    return text, list(read_media(_object(header, shown), shown, caption=False))


def choices(interactive: Mapping[str, Any]) -> dict[str, str]:
    """
    What can be tapped, titles by id.
    """
    action = _object(interactive, "action")
    if interactive.get("type") == "button":
        offered = [_object(button, "reply") for button in _list(action, "buttons") if button.get("type") == "reply"]
        most, id_length, title_length = 3, 256, _TITLE_LENGTH
    else:
        _limited(action, "button", _TITLE_LENGTH)
        offered = [row for section in _list(action, "sections") for row in _list(section, "rows")]
        most, id_length, title_length = 10, 200, 24
    found = {_limited(one, "id", id_length): _limited(one, "title", title_length) for one in offered}
    if not len(found) == len(offered) <= most:
        raise RefusedError(400, 131009, "Parameter value is not valid: too many choices, or one id twice")
    return found


def _limited(fields: Mapping[str, Any], name: str, longest: int) -> str:
    text = _required(fields, name)
    if len(text) > longest:
        raise RefusedError(400, 131009, f"Parameter value is not valid: {name} is longer than {longest}")
    return text


_FREE = {"text": _words, "image": _file, "document": _file, "interactive": _interactive}


def is_mark(body: bytes) -> bool:
    """
    Whether *body* asks to mark a message as read, and not to send one.
    """
    try:
        return "status" in read_json(body)
    except RefusedError:
        return False


def read_mark(body: bytes) -> str:
    """
    Id of the message to be marked as read.
    """
    document = read_json(body)
    if document["status"] != "read" or document.get("typing_indicator", _TYPING) != _TYPING:
        raise RefusedError(400, 131009, "Parameter value is not valid")
    return _required(document, "message_id")


def read_json(body: bytes) -> dict[str, Any]:
    """
    Read a body that speaks of WhatsApp.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RefusedError(400, 100, "The request is no JSON object")
    if document.get("messaging_product") != "whatsapp":
        raise RefusedError(400, 100, "The parameter messaging_product is required")
    return document


def _recipient(document: Mapping[str, Any]) -> Address:
    if document.get("to") is None and document.get("recipient") is None:
        raise RefusedError(400, 100, "The parameter to is required")
    try:
        if document.get("to") is None:
            return Address("bsuid", _required(document, "recipient"))
        number = _SEPARATORS.sub("", _required(document, "to"))
        if _PHONE.fullmatch(number):
            return Address("e164", "+" + number.removeprefix("+"))
    except InvalidValueError:
        pass
    raise RefusedError(400, 131009, "Parameter value is not valid")


def _components(template: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """
    Values of a template, each as ``text`` or the kind of an uploaded file.
    """
    seen: set[tuple[str, Any]] = set()
    for component in _list(template, "components"):
        kind, parameters = _required(component, "type"), _list(component, "parameters")
        place = (kind, component.get("index"))
        if kind not in _READERS or not parameters or place in seen:
            raise RefusedError(400, 100, "Param template['components'] is not valid")
        seen.add(place)
        yield from _READERS[kind](component, parameters)


def _header_values(_component: Mapping[str, Any], parameters: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    if len(parameters) != 1:
        raise RefusedError(400, 132000, "A header has one parameter")
    (parameter,) = parameters
    kind = parameter.get("type")
    if kind == "text":
        yield "text", _value(parameter)
    elif kind in {"image", "document"}:
        yield from read_media(_object(parameter, kind), kind, caption=False)
    else:
        raise RefusedError(400, 132012, "Parameter format does not match format in the created template")


def _body_values(_component: Mapping[str, Any], parameters: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    names = [parameter["parameter_name"] for parameter in parameters if "parameter_name" in parameter]
    if names and (len(names) != len(parameters) or len(set(map(str, names))) != len(names)):
        raise RefusedError(400, 132000, "Parameters are either all named, each once, or all in order")
    values = [_value(parameter) for parameter in parameters]
    if sum(map(len, values)) > _BODY_LENGTH:
        raise RefusedError(400, 132005, "Translated text too long")
    for value in values:
        yield "text", value


def _button_values(component: Mapping[str, Any], parameters: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    index, sub_type = component.get("index"), component.get("sub_type")
    if sub_type not in _SUB_TYPES or index not in {str(place) for place in range(_BUTTONS)} or len(parameters) != 1:
        raise RefusedError(400, 131009, "Parameter value is not valid: a button's sub_type, index or parameters")
    kind, key, longest = {
        "url": ("text", "text", 2000),
        "quick_reply": ("payload", "payload", 256),
        "copy_code": ("coupon_code", "coupon_code", 15),
    }[sub_type]
    value = parameters[0].get(key)
    if parameters[0].get("type") != kind or not isinstance(value, str) or not 0 < len(value) <= longest:
        raise RefusedError(400, 132018, "A button's parameter has a value that is not allowed")
    yield "text", _value(parameters[0]) if sub_type == "url" else value


_READERS = {"header": _header_values, "body": _body_values, "button": _button_values}


def _value(parameter: Mapping[str, Any]) -> str:
    value = parameter.get("text")
    if parameter.get("type") != "text" or not isinstance(value, str) or not value or _BARRED_IN_PARAMETER.search(value):
        raise RefusedError(400, 132018, "A parameter of the template has a value that is not allowed")
    return value


def read_media(media: Mapping[str, Any], kind: str, *, caption: bool) -> Iterator[tuple[str, str]]:
    """
    Kind and id of a file that was uploaded; nothing for one that is fetched.
    """
    if ("id" in media) == ("link" in media) or (not caption and "caption" in media):
        raise RefusedError(400, 131009, "Parameter value is not valid: a file has an id or a link")
    if kind == "image" and "filename" in media:
        raise RefusedError(400, 100, "Param filename is not allowed for images")
    if "link" in media:
        if not _LINK.fullmatch(_required(media, "link")):
            raise RefusedError(400, 131009, "Parameter value is not valid: link")
        return
    yield kind, _required(media, "id")


def shown_files(part: object) -> Iterator[Mapping[str, Any]]:
    """
    The vendor's objects of the files that a request shows, in its order.
    """
    if isinstance(part, list):
        for member in part:
            yield from shown_files(member)
    elif isinstance(part, dict):
        kind = part.get("type")
        if kind in TYPES and isinstance(part.get(kind), dict):
            yield part[kind]
            return
        for member in part.values():
            yield from shown_files(member)


def _list(fields: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = fields.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise RefusedError(400, 100, f"Param {name} must be an array of objects")
    return value


def _object(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise RefusedError(400, 100, f"The parameter {name} is required")
    return value


def _required(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RefusedError(400, 100, f"The parameter {name} is required")
    return value
