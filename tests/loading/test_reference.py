"""
The channel of the reference page, written to disk as a vendor would and put to work.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from packaging.requirements import Requirement

from cobranza_sdk import (
    Address,
    EventKind,
    OutboundMessage,
    ProviderError,
    WebhookRejectedError,
    WebhookRequest,
    __version__,
)
from cobranza_sdk.testing import make_provider

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "plugins.md"
SETTINGS = {"account_id": "A-1", "api_key": "k", "webhook_secret": ["new", "old"], "base_url": "http://127.0.0.1:8080"}
MESSAGE = OutboundMessage(attempt_id="a", channel="sms", to=Address("e164", "+51987654321"), text="Hola")
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """
    What httpx is used with here.
    """
    return "asyncio"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", REFERENCE.read_text("utf-8"), re.DOTALL)


@pytest.fixture
def acme(zoo: Any) -> type:
    """
    The channel's class, found through its entry point.
    """
    hook, channel, *_ = blocks("python")
    (zoo.folder / "zoo_acme_channel.py").write_text(channel, "utf-8")
    zoo.add(
        "acme_sms", hook.replace("cobranza_acme_sms._channel", "zoo_acme_channel"), requires=["cobranza-sdk>=0.1,<0.2"]
    )
    loaded = zoo.load()
    assert loaded.failures == ()
    found: type = loaded.provided["channel", "acme_sms"].item
    return found


def answering(acme: Any, answer: Any) -> Any:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer) if isinstance(answer, int) else httpx.Response(200, json=answer)

    return make_provider(acme, SETTINGS, http=httpx.AsyncClient(transport=httpx.MockTransport(handle)))


def test_the_project_file_admits_this_version() -> None:
    """
    A vendor copies it; the group and the requirement must be the right ones.
    """
    project = tomllib.loads(blocks("toml")[0])["project"]
    needs = [Requirement(line) for line in project["dependencies"]]

    assert project["entry-points"]["cobranza_sdk"] == {"acme_sms": "cobranza_acme_sms"}
    assert any(need.name == "cobranza-sdk" and need.specifier.contains(__version__) for need in needs)


async def test_the_example_sends(acme: type) -> None:
    """
    What the page teaches works.
    """
    assert (await answering(acme, {"id": "m-1"}).send(MESSAGE)).provider_message_id == "m-1"


@pytest.mark.parametrize(
    ("answer", "axes"),
    [
        (httpx.ConnectError("x"), ("network", "retry", "no")),
        (httpx.ReadTimeout("x"), ("network", "never", "maybe")),
        (429, ("rate_limit", "retry", "no")),
        (401, ("auth", "fix_first", "no")),
        (422, ("recipient", "never", "no")),
        (500, ("protocol", "never", "maybe")),
        ({"no": "id"}, ("protocol", "never", "maybe")),
        ([], ("protocol", "never", "maybe")),
    ],
)
async def test_the_example_answers_on_every_axis(acme: type, answer: Any, axes: tuple[str, str, str]) -> None:
    """
    Law 3: vendors copy the example's errors first.
    """
    with pytest.raises(ProviderError) as caught:
        await answering(acme, answer).send(MESSAGE)

    assert (caught.value.category, caught.value.disposition, caught.value.transmitted) == axes


def webhook(body: bytes, secret: str) -> WebhookRequest:
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    now = datetime(2026, 8, 5, 17, 0, tzinfo=UTC)
    return WebhookRequest(
        method="POST", url="https://h/webhooks/sms", headers={"X-Acme-Signature": signature}, body=body, received_at=now
    )


@pytest.mark.parametrize("secret", ["new", "old"])
@pytest.mark.parametrize(
    ("status", "kind"), [("delivered", EventKind.DELIVERED), ("failed", EventKind.FAILED), ("odd", EventKind.UNKNOWN)]
)
async def test_the_example_reads_what_was_signed(acme: type, secret: str, status: str, kind: EventKind) -> None:
    """
    Laws 9 and 12: either secret proves it, and an odd status stays unknown with the vendor's word.
    """
    channel = make_provider(acme, SETTINGS)
    body = json.dumps({"id": "m-1", "status": status, "time": 1_785_000_000, "ref": "a"}).encode()

    (event,) = channel.parse(channel.verify(webhook(body, secret)))

    assert (event.kind, event.account, event.attempt_id, event.raw) == (kind, "A-1", "a", {"status": status})


async def test_the_example_rejects_what_is_not_the_vendors(acme: type) -> None:
    """
    Law 9: another secret proves nothing, and a signed body that makes no sense is refused without quoting it.
    """
    channel = make_provider(acme, SETTINGS)

    with pytest.raises(WebhookRejectedError):
        channel.verify(webhook(b"{}", "guessed"))
    for body in (b"{}", b"[]", b"canary", b"\xff", b'{"id": 1, "status": "sent", "time": 1e30}'):
        with pytest.raises(WebhookRejectedError) as caught:
            channel.parse(channel.verify(webhook(body, "new")))
        assert "canary" not in str(caught.value)
