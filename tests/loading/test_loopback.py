"""
The web server of emulators: there when it says so, gone when it is closed, and no caller left hanging.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from functools import partial
from typing import Any

import httpx
import pytest

from cobranza_sdk import ConfigurationError, LoopbackServer


class Hello:
    """
    Answers its path; ``/wait`` is answered when the server closes.
    """

    def __init__(self, closing: asyncio.Event, *, has_waiter: threading.Event | None = None) -> None:
        self.closing, self.has_waiter = closing, has_waiter or threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/wait":
            self.has_waiter.set()
            await self.closing.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})


def get(server: LoopbackServer, path: str) -> str:
    return httpx.get(f"http://127.0.0.1:{server.port}{path}", trust_env=False, timeout=20).text


def test_it_answers_at_once_and_not_after_closing() -> None:
    """
    Two stand side by side; closing twice is as good as once.
    """
    one, two = LoopbackServer(Hello), LoopbackServer(Hello)
    try:
        assert (get(one, "/a"), get(two, "/b")) == ("/a", "/b")
    finally:
        for server in (one, one, two):
            server.close()

    with pytest.raises(httpx.ConnectError):
        get(one, "/a")


def test_who_waits_is_let_go_when_it_closes() -> None:
    """
    An emulator that hangs must not hang the test that started it.
    """
    has_waiter = threading.Event()
    server = LoopbackServer(partial(Hello, has_waiter=has_waiter))
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(get(server, "/wait")))
    caller.start()
    assert has_waiter.wait(20)

    server.close()
    caller.join(20)

    assert answers == ["/wait"]


def test_a_port_that_is_taken_is_told() -> None:
    server = LoopbackServer(Hello)
    try:
        with pytest.raises(OSError, match="in use"):
            LoopbackServer(Hello, port=server.port)
    finally:
        server.close()


def test_without_uvicorn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)

    with pytest.raises(ConfigurationError, match=r"cobranza-sdk\[web\]"):
        LoopbackServer(Hello)
