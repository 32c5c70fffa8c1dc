"""
The report's pictures: inline SVG that takes the page's font, its ink and its paper.

matplotlib is imported here when a picture is drawn and not before. Only Figure objects are used; its settings are
process-wide, so they are put in place under a lock and put back.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

from cobranza_sdk.model import CobranzaError
from cobranza_sdk.report._report import BUCKETS, AgingLine, ChannelLine, Report
from cobranza_sdk.report._text import bucket_text
from cobranza_sdk.report._words import FUNNEL, Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Width in units of the picture; on a narrow phone one unit is a little less than a pixel.
_WIDTH = 400
_UNITS_PER_INCH = 72
_FONT = 13
_ROW = 26
_LABELS = 104
_NUMBERS = 64
#: Colours that stand for the page's own; no picture uses them otherwise.
_INK, _PAPER = "#010203", "#fdfcfb"
_FROM_PAGE = {_INK: "var(--ink)", _PAPER: "var(--paper)"}
#: Blue and orange of Okabe and Ito: told apart with every colour vision, and on white as on black.
_CHAIN, _ASIDE = "#2b8cc4", "#e69f00"
#: Blue for what is not due, then darker with age; no two differ in red and green alone. With the ink to write on each.
_AGES = {
    BUCKETS[0]: ("#6baed6", "#000000"),
    BUCKETS[1]: ("#fee391", "#000000"),
    BUCKETS[2]: ("#fb9a3c", "#000000"),
    BUCKETS[3]: ("#cc4c02", "#ffffff"),
    BUCKETS[4]: ("#a83a6e", "#ffffff"),
}
#: Narrowest piece, as a share of the bar, that has room for its percentage.
_ROOM = 0.11
_LOCK = threading.Lock()


def require_matplotlib() -> None:
    """
    Raises:
        CobranzaError: matplotlib is not installed.
    """
    try:
        import matplotlib as _  # noqa: F401, ICN001  # only whether it is there
    except ModuleNotFoundError as error:
        msg = "the page needs matplotlib for its pictures, which is not installed"
        raise CobranzaError(msg, hint="pip install 'cobranza-sdk[report]'") from error


def funnel_picture(line: ChannelLine, words: Words, *, key: str) -> str:
    """
    The funnel of one channel: a bar per step, each on the same scale from zero.

    Args:
        line: The channel.
        words: Of the language.
        key: Begins every id in the picture; differs between the pictures of a page.
    """
    counts = [getattr(line, name) for name in FUNNEL]
    height = _ROW * len(FUNNEL)
    with _canvas(height, key) as figure:
        axes = _axes(figure, left=_LABELS, right=_NUMBERS, height=height)
        top = max(*counts, 1)
        axes.set_xlim(0, top)
        axes.set_ylim(len(counts) - 0.5, -0.5)
        for place, (name, count) in enumerate(zip(FUNNEL, counts, strict=True)):
            color = _ASIDE if name == "replied" else _CHAIN
            axes.barh(place, count, height=0.72, color=color, clip_on=False)
            _letter(axes, words[name], (0, place), shift=-8)
            _letter(axes, words.count(count), (count, place), shift=6)
        drawn = _drawn(figure)
    told = ", ".join(f"{words[name]}: {words.count(count)}" for name, count in zip(FUNNEL, counts, strict=True))
    return _inline(drawn, key=key, title=words["funnel_of"].format(line.channel), told=told)


def aging_picture(report: Report, words: Words, *, key: str) -> str:
    """
    One bar per currency, as long as the others, stacked by age; a credit lies left of zero.

    Args:
        report: With at least one currency.
        words: Of the language.
        key: As in `funnel_picture`.
    """
    rows = [[line for line in report.aging if line.currency == currency] for currency in report.currencies]
    height = _ROW + 36 * len(rows)
    with _canvas(height, key) as figure:
        axes = _axes(figure, left=44, right=4, height=height, top=_ROW)
        stacks = [_stack(row) for row in rows]
        axes.set_xlim(min(start for stack in stacks for start, _ in stack), 1)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        for place, (row, stack) in enumerate(zip(rows, stacks, strict=True)):
            _letter(axes, row[0].currency, (axes.get_xlim()[0], place), shift=-8)
            for line, (start, width) in zip(row, stack, strict=True):
                _piece(axes, words, line, place, start, width)
        _legend(figure, words, height)
        drawn = _drawn(figure)
    return _inline(
        drawn, key=key, title=words["aging_picture"], told="; ".join(_aging_told(row, words) for row in rows)
    )


def _letter(axes: Axes, text: str, at: tuple[float, float], *, shift: float = 0, color: str = _INK) -> None:
    """
    Write *text* at a place of the data, *shift* units beside it: left of it when negative, centred when zero.
    """
    side: Literal["left", "center", "right"] = "center" if not shift else "left" if shift > 0 else "right"
    axes.annotate(
        text, at, (shift, 0), textcoords="offset points", ha=side, va="center", color=color, annotation_clip=False
    )


def _stack(row: Sequence[AgingLine]) -> list[tuple[float, float]]:
    """
    Start and width of each piece, as shares of what is owed; pieces of credit go left from zero.

    Where nothing is owed at all, the shares are those of the credit.
    """
    owed = sum(line.amount.minor for line in row if line.amount.minor > 0)
    whole = owed or sum(-line.amount.minor for line in row) or 1
    ahead, behind = 0, 0
    pieces = []
    for line in row:
        minor = line.amount.minor
        if minor < 0:
            behind += minor
            pieces.append((behind / whole, -minor / whole))
        else:
            pieces.append((ahead / whole, minor / whole))
            ahead += minor
    return pieces


def _piece(axes: Axes, words: Words, line: AgingLine, place: int, start: float, width: float) -> None:
    if not width:
        return
    color, ink = _AGES[line.bucket]
    axes.barh(place, width, left=start, height=0.7, color=color, edgecolor=_PAPER, linewidth=1.5, clip_on=False)
    low, high = axes.get_xlim()
    if line.amount.minor > 0 and width >= _ROOM * (high - low):
        text = f"{words.count(round(width * 100))}%"
        _letter(axes, text, (start + width / 2, place), color=ink)


def _legend(figure: Figure, words: Words, height: int) -> None:
    """
    Swatches and names in one line above the bars; the first name is the longest.
    """
    from matplotlib.patches import Rectangle

    place = 44
    for bucket, room in zip(BUCKETS, (104, 58, 66, 66, 50), strict=True):
        swatch = Rectangle(
            (place / _WIDTH, 1 - 15 / height), 11 / _WIDTH, 11 / height, color=_AGES[bucket][0], linewidth=0
        )
        figure.add_artist(swatch)
        figure.text(
            (place + 15) / _WIDTH, 1 - 9.5 / height, bucket_text(words, bucket), va="center", fontsize=12, color=_INK
        )
        place += room


def _aging_told(row: Sequence[AgingLine], words: Words) -> str:
    pieces = (f"{bucket_text(words, line.bucket)} {words.money(line.amount)}" for line in row)
    return f"{row[0].currency}: {', '.join(pieces)}"


# -- drawing ---------------------------------------------------------------------------------------------------------


@contextmanager
def _canvas(height: int, key: str) -> Iterator[Figure]:
    """
    A figure under matplotlib's own defaults: the host's style changes neither the picture nor its bytes.
    """
    require_matplotlib()
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with _LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": key, "text.parse_math": False, "font.size": _FONT})
        figure = Figure(figsize=(_WIDTH / _UNITS_PER_INCH, height / _UNITS_PER_INCH))
        FigureCanvasSVG(figure)
        yield figure


def _axes(figure: Figure, *, left: int, right: int, height: int, top: int = 0) -> Axes:
    axes = figure.add_axes((left / _WIDTH, 0, (_WIDTH - left - right) / _WIDTH, 1 - top / height))
    axes.set_axis_off()
    return axes


def _drawn(figure: Figure) -> ET.Element:
    file = StringIO()
    nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    return ET.fromstring(file.getvalue())  # noqa: S314  # our own drawing


def _inline(drawn: ET.Element, *, key: str, title: str, told: str) -> str:
    """
    The drawing as a part of a page: without name spaces, which HTML knows, and with ids that meet no others.
    """
    for style in drawn.findall("{*}defs/{*}style/.."):
        drawn.remove(style)
    for element in drawn.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.tail = None
        if element.tag != "text":
            element.text = None
        for name, value in list(element.attrib.items()):
            del element.attrib[name]
            element.set(name.rpartition("}")[2], _attribute(name, value, key))
    drawn.attrib = {
        "viewBox": drawn.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{key}-title {key}-desc",
        "class": "picture",
    }
    for place, (tag, text) in enumerate((("title", title), ("desc", told))):
        label = ET.Element(tag, {"id": f"{key}-{tag}"})
        label.text = text
        drawn.insert(place, label)
    return ET.tostring(drawn, encoding="unicode")


def _attribute(name: str, value: str, key: str) -> str:
    if name == "id":
        return f"{key}-{value}"
    if name.endswith("href") and value.startswith("#"):
        return f"#{key}-{value[1:]}"
    value = re.sub(r"url\(#", f"url(#{key}-", value)
    value = re.sub(r"\s*font-family: [^;]*;", "", value)
    for ours, theirs in _FROM_PAGE.items():
        value = value.replace(ours, theirs)
    return " ".join(value.split())
