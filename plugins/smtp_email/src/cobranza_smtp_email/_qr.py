"""
The payment link of a mail as a picture within it: for who reads on a computer and pays with the phone.

Drawn here by segno (extra ``qr``); nothing is fetched and nobody is asked, so the link stays between us and the reader.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

#: Where a template's HTML wants the picture, if not at its end.
PLACEHOLDER = "cid:payment-qr"
_MAX_LINK = 400  # longer ones make modules too small for a phone's camera
_SCALE = 4  # pixels a module: some 150 pixels for a usual link
_LINK = re.compile(r"https?://[^\s<>\"]+")
_AFTER = ".,;:!?)]}'»"
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)


def payment_link(text: str, beginnings: Sequence[str]) -> str | None:
    """
    The one link of *text* that begins with one of *beginnings*; None when there is none, or more than one.
    """
    links = {found.rstrip(_AFTER) for found in _LINK.findall(text)}
    ours = [link for link in links if any(_begins(link, each) for each in beginnings)]
    return ours[0] if len(ours) == 1 and len(ours[0]) <= _MAX_LINK else None


def _begins(link: str, beginning: str) -> bool:
    """
    By whole parts of the address: ``https://pay.example`` is no beginning of ``https://pay.example.net``.
    """
    bare = beginning.rstrip("/")
    return link == bare or link.startswith((f"{bare}/", f"{bare}?"))


def picture(link: str) -> bytes:
    """
    A PNG, the same for the same link.
    """
    import io

    import segno

    out = io.BytesIO()
    segno.make_qr(link, error="m", boost_error=False).save(out, kind="png", scale=_SCALE)
    return out.getvalue()


def shown(text: str, markup: str | None, link: str, content_id: str) -> str:
    """
    HTML that shows the picture: the template's own with it at its place or its end, or the text as it stands.
    """
    if markup is None:
        linked = html.escape(text).replace(html.escape(link), f'<a href="{html.escape(link)}">{html.escape(link)}</a>')
        lines = linked.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "<br>\n")
        markup = f"<!doctype html>\n<html><body><p>{lines}</p></body></html>"
    if PLACEHOLDER in markup:
        return markup.replace(PLACEHOLDER, f"cid:{content_id}")
    image = f'<p><img src="cid:{content_id}" alt="QR"></p>'
    ends = list(_BODY_END.finditer(markup))
    at = ends[-1].start() if ends else len(markup)
    return markup[:at] + image + markup[at:]
