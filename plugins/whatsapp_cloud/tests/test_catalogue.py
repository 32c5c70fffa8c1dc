"""
Reading the vendor's templates, and marking messages as read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st

from cobranza_sdk import Address, ProviderError
from cobranza_sdk.testing import FixedClock, make_provider
from cobranza_whatsapp_cloud import _channel
from cobranza_whatsapp_cloud._catalogue import VendorTemplate, read_page
from cobranza_whatsapp_cloud._channel import WhatsAppCloud
from cobranza_whatsapp_cloud._sandbox import WhatsAppSandbox
from cobranza_whatsapp_cloud._sandbox_requests import SandboxTemplate

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
PERSON = Address("e164", "+51987654321")
PATH = "/v25.0/102290129340398/message_templates"
ROW = {"name": "aviso", "language": "es_PE", "status": "APPROVED", "category": "UTILITY"}


class Inbox(WhatsAppSandbox):
    """
    An emulator that tells the ids of what people write.
    """

    def ids(self) -> list[str]:
        return sorted(self._inbound_ids)


async def test_all_pages_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template on the second page is as approved as one on the first."""
    monkeypatch.setattr(_channel, "PAGE_SIZE", 2)
    known = [SandboxTemplate(name=f"t{number}", language="es_PE") for number in range(5)]
    known[1] = SandboxTemplate(
        name="t1", language="pt_BR", named={"a"}, category="MARKETING", status="PAUSED", quality="RED"
    )

    with WhatsAppSandbox(clock=FixedClock(NOW), templates=known) as sandbox:
        async with httpx.AsyncClient(trust_env=False) as http:
            channel = make_provider(WhatsAppCloud, sandbox.settings, http=http)
            templates = await channel.templates()

    assert [template.name for template in templates] == ["t0", "t1", "t2", "t3", "t4"]
    assert templates[1] == VendorTemplate(
        name="t1", language="pt_BR", status="paused", category="marketing", named=True, quality="red"
    )
    assert (templates[0].status, templates[0].named, templates[0].reason) == ("approved", False, None)


async def test_the_cursor_is_followed_and_no_address(channel: WhatsAppCloud, vendor: respx.MockRouter) -> None:
    """The vendor's address of the next page holds the token, and whoever forged it would be given ours."""
    pages = [
        {"data": [ROW], "paging": {"next": "https://elsewhere.example.com/", "cursors": {"after": "QVFI="}}},
        {"data": [ROW | {"language": "es_MX"}], "paging": {"cursors": {"after": "QVFJ="}}},
    ]
    route = vendor.get(path=PATH).mock(side_effect=[httpx.Response(200, json=page) for page in pages])

    templates = await channel.templates()

    assert [template.language for template in templates] == ["es_PE", "es_MX"]
    assert {call.request.url.host for call in route.calls} == {"graph.example.com"}
    assert [call.request.url.params.get("after") for call in route.calls] == [None, "QVFI="]


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"data": {}},
        {"data": [], "paging": {"next": "x"}},
        {"data": [], "paging": {"next": "x", "cursors": {"after": ""}}},
        {"data": [], "paging": {"next": "x", "cursors": {"after": "é"}}},
        {"data": [], "paging": {"next": "x", "cursors": {"after": "same"}}},
    ],
)
async def test_a_part_is_never_given_for_the_whole(
    channel: WhatsAppCloud, vendor: respx.MockRouter, page: dict[str, Any]
) -> None:
    """A template that seems to be gone would be submitted a second time."""
    route = vendor.get(path=PATH).respond(json=page)

    with pytest.raises(ProviderError) as caught:
        await channel.templates()

    assert (caught.value.category, caught.value.transmitted) == ("protocol", "no")
    assert route.call_count <= 2


async def test_pages_without_end_end(
    channel: WhatsAppCloud, vendor: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vendor that always has a next page must not hold a worker for ever."""
    monkeypatch.setattr(_channel, "MAX_PAGES", 3)
    count = iter(range(10))
    route = vendor.get(path=PATH).mock(
        side_effect=lambda _request: httpx.Response(
            200, json={"data": [ROW], "paging": {"next": "x", "cursors": {"after": f"c{next(count)}"}}}
        )
    )

    with pytest.raises(ProviderError):
        await channel.templates()

    assert route.call_count == 3


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"correct_category": "MARKETING"}, {"next_category": "marketing"}),
        ({"correct_category": "UTILITY"}, {"next_category": None}),
        ({"status": None}, {"status": "unknown"}),
        ({"status": "two words"}, {"status": "unknown"}),
        ({"quality_score": {"score": "YELLOW"}}, {"quality": "yellow"}),
        ({"quality_score": "RED"}, {"quality": "red"}),
        ({"quality_score": []}, {"quality": "unknown"}),
        ({"rejected_reason": "SCAM"}, {"reason": "scam"}),
        ({"rejected_reason": "NONE"}, {"reason": None}),
        ({"language": "es-MX"}, {"language": "es_MX"}),
    ],
)
def test_a_row_is_read_leniently(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """The vendor adds words; a new one must not hide the rest of the catalogue."""
    page = read_page({"data": [ROW | changes]})

    assert page is not None
    assert {name: getattr(page[0][0], name) for name in expected} == expected


@pytest.mark.parametrize(
    "row", [{}, 1, None, ROW | {"name": "Two words"}, ROW | {"language": 7}, ROW | {"language": "x"}]
)
def test_a_row_that_names_no_template_is_passed_over(row: Any) -> None:
    """Nothing can be sent by it, and the others can."""
    page = read_page({"data": [row, ROW]})

    assert page is not None
    assert [template.name for template in page[0]] == ["aviso"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["es", "next"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ROW, "data", "paging"]), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["data", "paging", "x"]), JSON))
def test_any_page_is_read_or_refused(document: Mapping[str, Any]) -> None:
    """Whatever a proxy answers, a check says so and does not fall over."""
    page = read_page(document)

    assert page is None or isinstance(page[0], list)


@pytest.mark.parametrize(("typing", "extra"), [(False, {}), (True, {"typing_indicator": {"type": "text"}})])
async def test_a_message_is_marked_as_read(typing: bool, extra: dict[str, Any]) -> None:
    """Who disputes a debt sees that somebody reads it."""
    with Inbox(clock=FixedClock(NOW)) as sandbox:
        sandbox.write(PERSON, "No reconozco")
        (wamid,) = sandbox.ids()
        asked: list[bytes] = []

        async def note(request: httpx.Request) -> None:
            asked.append(request.content)

        async with httpx.AsyncClient(trust_env=False, event_hooks={"request": [note]}) as http:
            channel = make_provider(WhatsAppCloud, sandbox.settings, http=http)
            await channel.mark_read(wamid, typing=typing)

        assert httpx.Response(200, content=asked[0]).json() == {
            "messaging_product": "whatsapp",
            "status": "read",
            "message_id": wamid,
            **extra,
        }
        assert sandbox.marked_read == (wamid,)
        assert not sandbox.received


@pytest.mark.parametrize("wamid", ["wamid.unknown", "", "a\nb"])
async def test_what_nobody_wrote_is_not_marked(wamid: str) -> None:
    """A mix-up of ids must not pass in silence."""
    with WhatsAppSandbox(clock=FixedClock(NOW)) as sandbox:
        async with httpx.AsyncClient(trust_env=False) as http:
            channel = make_provider(WhatsAppCloud, sandbox.settings, http=http)
            with pytest.raises(ProviderError) as caught:
                await channel.mark_read(wamid)

        assert (caught.value.category, caught.value.transmitted) == ("validation", "no")
        assert not sandbox.marked_read


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(200, json={"success": False}), ("protocol", "fix_first", "no")),
        (httpx.Response(200, json={}), ("protocol", "fix_first", "no")),
        (httpx.Response(500), ("provider_down", "retry", "no")),
        (httpx.ReadTimeout("boom"), ("network", "retry", "no")),
    ],
)
async def test_a_mark_that_failed_may_be_made_again(
    channel: WhatsAppCloud, vendor: respx.MockRouter, answer: Any, expected: tuple[str, str, str]
) -> None:
    """It has no effect but to be seen."""
    vendor.post(path="/v25.0/106540352242922/messages").mock(side_effect=[answer])

    with pytest.raises(ProviderError) as caught:
        await channel.mark_read("wamid.A")

    error = caught.value
    assert (error.category, error.disposition, error.transmitted) == expected
