"""
From bytes to rows: encoding, line ends, quotes, and the limits that keep a hostile file harmless.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
import zipfile
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from attrs import define, field, frozen

from cobranza_sdk import InvalidValueError

MAX_LINE = 1 << 20
MAX_CELL = 1 << 16
MAX_COLUMNS = 200
#: Lines that one quoted cell may span. An address or a note needs a few; a lost quote would take the rest of the file.
MAX_SPAN = 20
DELIMITERS = (",", ";", "\t", "|")

#: What `FileFacts.encoding` says of a workbook.
WORKBOOK = "xlsx"

_CHUNK = 1 << 18
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
# a line ends with its line end, the last one also with the end mark of DOS
_ENDS = "\n\x1a"
_LETTERS = frozenset("áéíóúñÁÉÍÓÚÑüÜ¿¡ºªãõâêôçÃÕÂÊÔÇ°")
_ODD = frozenset("¢¤¥£‚„†‡‰‹›•™ƒ§¶¬±µ¨˜ˆ÷×∑∏π∫Ω√≈∆◊ŒœŸÿıþÞðÐ¦¯¸·¼½¾¹²³¾▒░▓│┤╣║╗╝┐└┴┬├─┼╚╔╩╦╠═╬┘┌█▄▀■Ý")  # noqa: RUF001  # look-alikes are what is looked for
_SURROGATES = re.compile("[\ud800-\udfff]")
_SEP = re.compile(r'\ufeff?"?sep=(.)"?\s*', re.IGNORECASE)


@frozen(kw_only=True)
class FileFacts:
    """
    What the bytes of a file say.

    Attributes:
        digest: Of the content, 16 hexadecimal digits.
        encoding: Python's name of it, or `WORKBOOK`.
        size: In bytes.
        ended: Whether the last line has its end, or a workbook the directory that is written last.
    """

    digest: str
    encoding: str
    size: int
    ended: bool = True

    @property
    def is_workbook(self) -> bool:
        """
        Whether the file is no text but a workbook, whatever its name.
        """
        return self.encoding == WORKBOOK


def examine(path: Path, encoding: str | None) -> FileFacts:
    """
    Read *path* once for its digest and, unless it is declared, its encoding.

    Raises:
        InvalidValueError: No encoding fits.
    """
    digest = hashlib.sha256()
    utf8 = codecs.getincrementaldecoder("utf-8")()
    is_utf8, letters, size, head, tail = True, False, 0, b"", b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            head = head or chunk[:4096]
            size += len(chunk)
            tail = (tail + chunk)[-4:]
            digest.update(chunk)
            if is_utf8 and (utf8.getstate()[0] or not chunk.isascii()):
                said = _decoded(utf8, chunk)
                is_utf8, letters = said is not None, letters or not (said or "").isascii()
    # a file that was cut within a letter is still what its other letters say
    is_utf8 = is_utf8 and (letters or not utf8.getstate()[0])
    name = _archive(head, path) or encoding or _by_mark(head) or ("utf-8" if is_utf8 else _eight_bit(path))
    ended = zipfile.is_zipfile(path) if name == WORKBOOK else tail.strip(b"\0")[-1:] in {b"\n", b"\r", b"\x1a"}
    return FileFacts(digest=digest.hexdigest()[:16], encoding=name, size=size, ended=ended)


def _decoded(decoder: codecs.IncrementalDecoder, chunk: bytes) -> str | None:
    try:
        return decoder.decode(chunk)
    except UnicodeDecodeError:
        decoder.reset()
        return None


def _archive(head: bytes, path: Path) -> str | None:
    if head.startswith(_OLE):
        msg = f"file {path.name} is a workbook of the kind before 2007, or one with a password"
        raise InvalidValueError(msg, hint="save it as .xlsx without a password, or the sheet as CSV")
    return WORKBOOK if head.startswith(_ZIP) else None


def _by_mark(head: bytes) -> str | None:
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    half = len(head) // 2
    # Latin text in UTF-16 without a mark: every second byte is zero
    if half and head[1::2].count(0) > half * 0.7:
        return "utf-16-le"
    if half and head[0::2].count(0) > half * 0.7:
        return "utf-16-be"
    return None


def _eight_bit(path: Path) -> str:
    """
    Choose among the 8-bit encodings by what their high bytes would be: letters of Spanish and Portuguese, or odd signs.
    """
    counts: Counter[int] = Counter()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            counts.update(byte for byte in chunk if byte > 0x7F)  # noqa: PLR2004  # the end of ASCII
    scores: dict[str, int] = {}
    for name in ("cp1252", "cp850", "mac_roman"):
        try:
            decoded = {byte: bytes([byte]).decode(name) for byte in counts}
        except UnicodeDecodeError:
            continue  # 81 8D 8F 90 9D are nothing in cp1252
        scores[name] = sum(
            counts[byte] * (1 if char in _LETTERS else -1 if char in _ODD else 0) for byte, char in decoded.items()
        )
    return max(scores, key=lambda name: scores[name])


@frozen
class Row:
    """
    One logical row: cells, or why there are none.

    Attributes:
        line: First line of it, from 1.
        cells: The cells; empty when *problem* is set.
        problem: Why it could not be split, or None.
        cut: Whether the file ends within it.
        last: Whether it ends at the end of the file without a line end.
        closed: Whether its last cell is whole, since a quote closes it or the file is trusted.
    """

    line: int
    cells: list[str]
    problem: str | None = None
    cut: bool = False
    last: bool = False
    closed: bool = False

    @property
    def open(self) -> bool:
        """
        Whether its last cell may have gone on behind the end of the file.
        """
        return self.last and not self.closed


@define
class RowReader:
    """
    Splits a text into rows, strictly: a quote that never closes costs one line, not the rest of the file.

    Attributes:
        delimiter: One character.
        width: Cells per row once the header is known, else None.
        trusting: Whether a file is whole that ends without a line end.
        unended: Whether the line that was read last has no line end.
    """

    delimiter: str
    width: int | None = None
    trusting: bool = False
    unended: bool = field(default=False, init=False)
    _waiting: deque[tuple[int, str | None]] = field(factory=deque, init=False)
    _number: int = field(default=0, init=False)

    def rows(self, stream: TextIO) -> Iterator[Row]:
        """
        Yield every row that is not blank. *stream* translates line ends itself.
        """
        delimiter = self.delimiter
        while (item := self._next(stream)) is not None:
            line, text = item
            if text is None:
                yield Row(line, [], "the line is longer than 1 MiB")
                continue
            stripped = text.rstrip(_ENDS)
            if not stripped or stripped.isspace():
                continue
            if (problem := _unreadable(stripped)) is not None:
                yield Row(line, [], problem, last=_unended(text))
            elif '"' in stripped:
                yield self._quoted(stream, line, text)
            else:
                row = Row(line, stripped.split(delimiter), last=_unended(text), closed=self.trusting)
                yield _sized(row, len(text))

    def _next(self, stream: TextIO) -> tuple[int, str | None] | None:
        if self._waiting:
            return self._waiting.popleft()
        text = stream.readline(MAX_LINE + 1)
        if not text:
            return None
        self._number += 1
        self.unended = _unended(text) and not self.trusting
        if len(text) <= MAX_LINE or text[-1] == "\n":
            return self._number, text
        while text and text[-1] != "\n":
            text = stream.readline(MAX_LINE)
        self.unended = not text
        return self._number, None

    def _quoted(self, stream: TextIO, line: int, text: str) -> Row:
        cells = self._split([text.rstrip(_ENDS)])
        if cells is not None:
            return _sized(self._row(line, cells, [text]), len(text))
        if text.count('"') % 2 == 0:
            return Row(line, [], "the quotes are broken: a cell goes on after its closing quote", last=_unended(text))
        return self._spanning(stream, line, text)

    def _spanning(self, stream: TextIO, line: int, text: str) -> Row:
        parts, size, quotes, cut = [text], len(text), text.count('"'), False
        taken: list[tuple[int, str | None]] = []
        while len(parts) <= MAX_SPAN and size <= MAX_LINE:
            item = self._next(stream)
            if item is None:
                cut = True
                break
            taken.append(item)
            more = item[1]
            if more is None or _unreadable(more) is not None:
                break
            parts.append(more)
            size += len(more)
            quotes += more.count('"')
            if quotes % 2 == 0:
                cells = self._split([*parts[:-1], more.rstrip(_ENDS)])
                if cells is not None and self._believable(cells, parts[1:-1]):
                    return _sized(self._row(line, cells, parts), size)
                break
        # nothing is lost: what the open quote swallowed is read again, line by line
        self._waiting.extendleft(reversed(taken))
        return Row(line, [], "a quote opens here and never closes; the lines after it were read by themselves", cut)

    def _row(self, line: int, cells: list[str], lines: list[str]) -> Row:
        """
        The row that *lines* make. Behind a closing quote nothing may follow in a cell, not even a blank.
        """
        last = _unended(lines[-1])
        closed = self.trusting or (last and self._split([*lines[:-1], lines[-1] + " "]) is None)
        return Row(line, cells, last=last, closed=closed)

    def _believable(self, cells: list[str], swallowed: list[str]) -> bool:
        """
        Whether a cell over several lines is one: not if a line within it is itself a row of the full width.
        """
        if self.width is None:
            return True
        return len(cells) == self.width and all(part.count(self.delimiter) + 1 != self.width for part in swallowed)

    def _split(self, lines: list[str]) -> list[str] | None:
        try:
            (cells,) = csv.reader(lines, delimiter=self.delimiter, strict=True)
        except (csv.Error, ValueError):
            return None
        return cells


def _unended(text: str) -> bool:
    return text[-1] not in _ENDS


def _unreadable(text: str) -> str | None:
    if "\0" in text:
        return "the line holds a NUL byte"
    if not text.isascii() and _SURROGATES.search(text):
        return "the line holds bytes that are not of the file's encoding"
    return None


def _sized(row: Row, size: int) -> Row:
    if len(row.cells) > MAX_COLUMNS:
        return Row(row.line, [], f"the row has {len(row.cells)} cells, more than {MAX_COLUMNS}", last=row.last)
    if size > MAX_CELL and any(len(cell) > MAX_CELL for cell in row.cells):
        return Row(row.line, [], "a cell is longer than 64 KiB", last=row.last)
    return row


def open_text(path: Path, encoding: str) -> TextIO:
    """
    Open *path* so that one bad byte spoils its line, not the file.

    Raises:
        InvalidValueError: The encoding is none for text.
    """
    errors = "replace" if encoding.replace("_", "-").lower().startswith(("utf-16", "utf-32")) else "surrogateescape"
    try:
        return path.open("r", encoding=encoding, errors=errors, newline=None)
    except LookupError:
        msg = f"encoding {encoding[:20]!r} is not known"
        raise InvalidValueError(msg, hint="for example utf-8, cp1252 or cp850") from None


def declared_delimiter(path: Path, encoding: str) -> str | None:
    """
    The delimiter that a first line ``sep=;`` names, or None.
    """
    with open_text(path, encoding) as stream:
        found = _SEP.fullmatch(stream.readline(16))
    return found[1] if found and found[1] not in "\"'\r\n" else None
