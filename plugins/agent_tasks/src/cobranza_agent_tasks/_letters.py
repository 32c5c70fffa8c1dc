"""
Letters as PDF: a window envelope's address block, page numbers, and the same bytes for the same letter.

reportlab is imported when a letter is made; it and segno come with the extra ``letters``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from urllib.parse import urlsplit

from attrs import field, frozen

from cobranza_agent_tasks._tasks import TaskError

#: Width and height in millimetres, and where the window of an envelope shows the address: from the left, from the top.
PAGES = {"a4": (210.0, 297.0, 20.0, 50.0), "letter": (215.9, 279.4, 22.0, 55.0)}

_TEXT, _BOLD = "Vera", "VeraBd"
_SIZE, _SMALL = 10.0, 8.5
_LINE_MM, _SMALL_MM = 5.2, 4.2
_LEFT_MM, _RIGHT_MM, _TOP_MM, _BOTTOM_MM = 22.0, 20.0, 20.0, 25.0
_WINDOW_MM, _WINDOW_LINES = 80.0, 7
_QR_MM, _QUIET = 30.0, 4
_MAX_LINK = 400  # longer ones make modules too small for a phone's camera
_MM = 72 / 25.4
#: Blanks and hyphens that fonts do not have, as ones that they have.
_PLAIN = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2011": "-", "\t": "    "})
_ADDRESS = re.compile(r"https://[^\s<>\"']+[^\s<>\"'.,;:)]")


class LetterError(TaskError):
    """
    A letter cannot be made of this.
    """


@frozen(kw_only=True)
class Letter:
    """
    What is to be printed.

    Attributes:
        sender: Lines of the sender's block.
        address: Whom it goes to; ``|`` parts its lines. Personal data: never printed.
        dated: Date to print, or None for none.
        subject: Subject line, or None.
        text: The words.
        page: ``a4`` or ``letter``.
        made_at: When the file says that it was made, aware.
        qr_prefix: How an address begins that is drawn as a picture, or None.
    """

    sender: tuple[str, ...] = ()
    address: str = field(repr=False)
    dated: date | None = None
    subject: str | None = field(default=None, repr=False)
    text: str = field(repr=False)
    page: str = "a4"
    made_at: datetime
    qr_prefix: str | None = None


@frozen(kw_only=True)
class Mark:
    """
    One line on a page, in millimetres from its upper left corner to the line's foot.
    """

    x: float
    y: float
    text: str = field(repr=False)
    font: str = _TEXT
    size: float = _SIZE


@frozen(kw_only=True)
class Sheet:
    """
    One page: its lines, and the address to draw as a picture with its upper edge.
    """

    marks: tuple[Mark, ...]
    qr: tuple[str, float] | None = None


def pdf_of(letter: Letter) -> bytes:
    """
    The letter as a file.

    Raises:
        LetterError: A library is missing, or the letter has characters that cannot be printed.
    """
    sheets = compose(letter)
    from reportlab.pdfgen.canvas import Canvas

    width, height, _, _ = PAGES[letter.page]
    made_at = letter.made_at.astimezone(UTC)
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=(width * _MM, height * _MM), invariant=1, pageCompression=1)
    canvas.setDateFormatter(lambda *_now: f"D:{made_at:%Y%m%d%H%M%S}+00'00'")
    canvas.setTitle(_plain(letter.subject or ""))
    canvas.setAuthor(_plain(letter.sender[0]) if letter.sender else "")
    canvas.setSubject("")
    canvas.setCreator("cobranza-agent-tasks")
    canvas.setProducer("reportlab")
    for sheet in sheets:
        for mark in sheet.marks:
            canvas.setFont(mark.font, mark.size)
            canvas.drawString(mark.x * _MM, (height - mark.y) * _MM, mark.text)
        if sheet.qr is not None:
            _draw_qr(canvas, *sheet.qr, height)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def compose(letter: Letter) -> list[Sheet]:
    """
    Where everything stands, page by page.

    Raises:
        LetterError: As for `pdf_of`.
    """
    _fonts()
    width, height, window_x, window_y = PAGES[letter.page]
    first = [*_head(letter, width, window_x, window_y)]
    y = window_y + _WINDOW_LINES * _LINE_MM + 2 * _LINE_MM
    if letter.subject:
        for line in _wrapped(letter.subject, width - _LEFT_MM - _RIGHT_MM, _BOLD):
            first.append(Mark(x=_LEFT_MM, y=y, text=line, font=_BOLD))
            y += _LINE_MM
        y += _LINE_MM
    pages, marks = [], first
    for line in _wrapped(letter.text.strip(), width - _LEFT_MM - _RIGHT_MM, _TEXT):
        if y > height - _BOTTOM_MM:
            pages.append(marks)
            marks, y = [], _TOP_MM + _LINE_MM
        marks.append(Mark(x=_LEFT_MM, y=y, text=line))
        y += _LINE_MM
    link = _link(letter)
    if link is not None and y + _QR_MM > height - _BOTTOM_MM:
        pages.append(marks)
        marks, y = [], _TOP_MM
    pages.append(marks)
    total = len(pages)
    return [
        Sheet(
            marks=(*page, Mark(x=width / 2 - 4, y=height - 12, text=f"{number}/{total}", size=_SMALL)),
            qr=None if link is None or number < total else (link, y),
        )
        for number, page in enumerate(pages, 1)
    ]


def address_lines(address: str) -> list[str]:
    """
    The lines of an address block: parted by ``|``, each wrapped to the window.

    Raises:
        LetterError: It does not fit the window.
    """
    lines = [line for part in address.split("|") if part.strip() for line in _wrapped(part.strip(), _WINDOW_MM, _TEXT)]
    if not lines or len(lines) > _WINDOW_LINES:
        msg = f"the address has {len(lines)} lines, expected 1 to {_WINDOW_LINES}"
        raise LetterError(msg, hint="part its lines with |, and shorten them")
    return lines


def _head(letter: Letter, width: float, window_x: float, window_y: float) -> Iterator[Mark]:
    for number, line in enumerate(letter.sender):
        yield Mark(x=_LEFT_MM, y=_TOP_MM + number * _SMALL_MM, text=_printable(line), size=_SMALL)
    for number, line in enumerate(address_lines(letter.address)):
        yield Mark(x=window_x, y=window_y + number * _LINE_MM, text=line)
    if letter.dated is not None:
        yield Mark(x=width - _RIGHT_MM - 25, y=window_y + _WINDOW_LINES * _LINE_MM, text=letter.dated.isoformat())


def _link(letter: Letter) -> str | None:
    prefix = letter.qr_prefix
    if prefix is None:
        return None
    found = (match[0] for match in _ADDRESS.finditer(letter.text) if _is_drawn(match[0], prefix))
    return next(found, None)


def _is_drawn(link: str, prefix: str) -> bool:
    """
    Whether it begins so, by the whole host: ``https://pay.example`` is no beginning of ``https://pay.example.net``.
    """
    try:
        return len(link) <= _MAX_LINK and link.startswith(prefix) and urlsplit(link).netloc == urlsplit(prefix).netloc
    except ValueError:
        return False


def _wrapped(text: str, width_mm: float, font: str) -> list[str]:
    """
    Lines no wider than *width_mm*; a word that is wider is cut.
    """
    from reportlab.pdfbase.pdfmetrics import stringWidth

    widest = width_mm * _MM
    lines: list[str] = []
    for paragraph in _printable(text).splitlines():
        line = ""
        for piece in _pieces(paragraph, widest, font):
            if line and stringWidth(f"{line} {piece}", font, _SIZE) > widest:
                lines.append(line)
                line = piece
            else:
                line = f"{line} {piece}" if line else piece
        lines.append(line)
    return lines


def _pieces(paragraph: str, widest: float, font: str) -> Iterator[str]:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    for word in paragraph.split():
        rest = word
        while stringWidth(rest, font, _SIZE) > widest:
            cut = next(size for size in range(len(rest) - 1, 0, -1) if stringWidth(rest[:size], font, _SIZE) <= widest)
            yield rest[:cut]
            rest = rest[cut:]
        yield rest


def _plain(text: str) -> str:
    return text.translate(_PLAIN)


def _printable(text: str) -> str:
    """
    The text as the fonts can print it.

    Raises:
        LetterError: They cannot: a letter with gaps says something else.
    """
    from reportlab.pdfbase.pdfmetrics import getFont

    plain = _plain(text)
    known = getFont(_TEXT).face.charToGlyph
    missing = sorted({f"U+{ord(c):04X}" for c in plain if c != "\n" and ord(c) not in known})
    if missing:
        msg = f"the letter has characters that cannot be printed: {', '.join(missing[:5])}"
        raise LetterError(msg, hint="take them out of the template")
    return plain


def _fonts() -> None:
    try:
        from reportlab.pdfbase.pdfmetrics import getRegisteredFontNames, registerFont
        from reportlab.pdfbase.ttfonts import TTFont
    except ImportError as error:
        msg = "letters need reportlab"
        raise LetterError(msg, hint="pip install 'cobranza-agent-tasks[letters]'") from error
    for name in {_TEXT, _BOLD}.difference(getRegisteredFontNames()):
        registerFont(TTFont(name, f"{name}.ttf"))


def qr_rows(url: str) -> Sequence[Sequence[int]]:
    """
    The picture of an address: rows of dark (1) and light (0).
    """
    try:
        import segno
    except ImportError as error:
        msg = "a QR picture needs segno"
        raise LetterError(msg, hint="pip install 'cobranza-agent-tasks[letters]', or leave qr_prefix out") from error
    return [list(row) for row in segno.make(url, error="m", micro=False).matrix]


def _draw_qr(canvas: object, url: str, top_mm: float, height_mm: float) -> None:
    rows = qr_rows(url)
    module = _QR_MM / (len(rows) + 2 * _QUIET)
    for number, row in enumerate(rows):
        for column, dark in enumerate(row):
            if dark:
                x, y = _LEFT_MM + (_QUIET + column) * module, top_mm + (_QUIET + number + 1) * module
                canvas.rect(x * _MM, (height_mm - y) * _MM, module * _MM, module * _MM, stroke=0, fill=1)  # type: ignore[attr-defined]  # reportlab's canvas
