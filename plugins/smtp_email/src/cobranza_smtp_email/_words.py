"""
What a person wrote, without what they answered to.

Cut is only what is certain: a mail program's own line above a quotation, lines with >, and a signature's mark. In doubt
the words stay.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from email.message import Message
from html.parser import HTMLParser

MAX_TEXT = 8000
_MAX_READ = 100_000
_MAX_SPAN = 300

_WROTE = "escribió|escribio|escreveu|wrote|a écrit|ha scritto|schrieb"
# one line, or one that a mail program has wrapped; it holds a date, lest "Juan me escribió:" be taken for one
_ATTRIBUTION = re.compile(
    rf"^[> ]*(?:El|Em|On|Le|Il|Am|No dia)\b(?=[^:]{{0,{_MAX_SPAN}}}\d)[^\n]{{0,200}}(?:\n[^\n]{{0,200}}){{0,2}}?"
    rf"\b(?:{_WROTE})\b[^\n]{{0,80}}:[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_ORIGINAL = re.compile(
    r"^[> ]*-{3,} ?(?:mensaje original|mensaje reenviado|mensagem original|mensagem encaminhada|original message|"
    r"forwarded message) ?-{3,}[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_HEADERS = re.compile(
    r"^[> *]*(?:De|From|Von):[^\n]{1,200}\n(?:[^\n]{0,200}\n){0,2}"
    r"[> *]*(?:Enviad[oa](?: el| em)?|Sent|Fecha|Data|Date|Para|To|Asunto|Assunto|Subject):",
    re.MULTILINE | re.IGNORECASE,
)
_SIGNATURE = re.compile(
    r"^(?:-- ?|(?:Enviado desde mi|Enviado do meu|Sent from my|Obtener Outlook para|Obter o Outlook para|"
    r"Get Outlook for)\b[^\n]{0,80})$",
    re.MULTILINE | re.IGNORECASE,
)
_QUOTED = re.compile(r"^[ \t]*>.*(?:\n|\Z)", re.MULTILINE)
_MAX_MARKS = 200  # comments and declarations in HTML: some versions of the parser take a time of their number's square


def words_of(mail: Message) -> str:
    """
    The person's words: at most `MAX_TEXT` characters, without control characters; "" when there are none.
    """
    plain = _body(mail, "text/plain")
    if plain is None:
        html = _body(mail, "text/html")
        plain = "" if html is None else _from_html(html)
    return without_quotation(plain)


def without_quotation(text: str) -> str:
    """
    *text* up to the quotation; what follows it when the person wrote below.
    """
    text = printable(text[:_MAX_READ])
    starts = [match for each in (_ATTRIBUTION, _ORIGINAL, _HEADERS) if (match := each.search(text))]
    cut = min(starts, key=re.Match.start, default=None)
    own = text if cut is None else text[: cut.start()]
    if cut is not None and not _QUOTED.sub("", own).strip():
        own = text[cut.end() :] if cut.re is _ATTRIBUTION else ""
    own = _QUOTED.sub("", own)
    signature = _SIGNATURE.search(own)
    if signature is not None and own[: signature.start()].strip():
        own = own[: signature.start()]
    own = own.strip()
    if own.endswith(("_" * 10, "-" * 10)):  # Outlook's rule above the quotation
        own = own.rstrip("_- \t\n")
    return own[:MAX_TEXT]


def printable(text: str) -> str:
    """
    Newlines as one character; no other control character and no half of a pair, which databases refuse.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ")
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs"})


def text_of(part: Message) -> str:
    """
    A part's text, whatever its charset says.
    """
    try:
        payload = part.get_payload(decode=True)
    except ValueError:  # the charset "undefined" is one that always fails
        part.del_param("charset")
        payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset("utf-8")
    try:
        return payload.decode(charset, "replace")
    except (LookupError, ValueError):  # no such charset, or no charset of texts
        return payload.decode("utf-8", "replace")


def own_parts(mail: Message) -> list[Message]:
    """
    The parts of a mail, without those of mails inside it.
    """
    waiting, found = [mail], []
    while waiting:
        part = waiting.pop(0)
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting = [each for each in part.get_payload() if isinstance(each, Message)] + waiting
        else:
            found.append(part)
    return found


def _body(mail: Message, content_type: str) -> str | None:
    for part in own_parts(mail):
        if part.get_content_type() == content_type and part.get_content_disposition() != "attachment":
            text = text_of(part)
            if text.strip():
                return text
    return None


def _from_html(html: str) -> str:
    if html.count("<!", 0, _MAX_READ) > _MAX_MARKS:
        return ""
    reader = _Reader()
    with contextlib.suppress(AssertionError):  # the parser's way to say that a declaration is none
        reader.feed(html[:_MAX_READ])
        if reader.rawdata.count("<") <= _MAX_MARKS:  # what waits for its end is read anew from each mark in it
            reader.close()
    return "".join(reader.pieces)


class _Reader(HTMLParser):
    """
    Text of HTML, up to the quotation.
    """

    _BREAKS = frozenset("address article br div h1 h2 h3 h4 h5 h6 hr li ol p pre section table td tr ul".split())
    _SILENT = frozenset({"head", "script", "style", "title", "blockquote"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0
        self._ended = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """
        Note lines, and where a quotation begins.
        """
        marks = " ".join(value or "" for name, value in attrs if name in {"class", "id"}).lower()
        if any(mark in marks for mark in ("gmail_quote", "divrplyfwdmsg", "appendonsend", "yahoo_quoted")):
            self._ended = True
        if tag in self._SILENT:
            self._silent += 1
        elif tag in self._BREAKS:
            self._say("\n")

    def handle_endtag(self, tag: str) -> None:
        """
        Note the end of what is not shown.
        """
        if tag in self._SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in self._BREAKS:
            self._say("\n")

    def handle_data(self, data: str) -> None:
        """
        Keep text; white space is one blank.
        """
        self._say(re.sub(r"\s+", " ", data))

    def _say(self, text: str) -> None:
        if not self._silent and not self._ended:
            self.pieces.append(text)
