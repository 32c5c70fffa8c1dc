"""
Emulators' web server: an ASGI application on this machine, in a thread of its own.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cobranza_sdk.loading._errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio

_PATIENCE_S = 10.0


class LoopbackServer:
    """
    Serves an ASGI application on 127.0.0.1, from the constructor's return until `close`: for emulators of vendors.

    Args:
        application: Makes the application. It gets an event that is set when the server closes: what leaves a caller
            waiting awaits it.
        port: Port on 127.0.0.1, 0 for a free one.

    Attributes:
        port: The real one.

    Raises:
        ConfigurationError: uvicorn is not installed.
        OSError: The port is taken.
    """

    def __init__(self, application: Callable[[asyncio.Event], Any], *, port: int = 0) -> None:
        import asyncio  # an emulator that nobody starts needs none

        try:
            import uvicorn
        except ModuleNotFoundError as error:
            msg = "an emulator's web server needs uvicorn: install cobranza-sdk[web]"
            raise ConfigurationError([msg]) from error
        listener = _listen(port)
        self.port: int = listener.getsockname()[1]
        self._closing = asyncio.Event()
        self._accepting = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        config = uvicorn.Config(
            application(self._closing), log_config=None, access_log=False, lifespan="off", ws="none", loop="asyncio"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, args=(listener,), name="emulator", daemon=True)
        self._thread.start()
        self._accepting.wait(_PATIENCE_S)
        if not self._server.started:
            self.close()
            msg = "the emulator's web server did not start"
            raise RuntimeError(msg)

    def close(self) -> None:
        """
        End what waits, stop serving, and wait for the thread to end. Safe to call twice.
        """
        self._server.should_exit = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(_PATIENCE_S)

    def _serve(self, listener: socket.socket) -> None:
        import asyncio

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            startup = self._server.startup

            async def started(sockets: list[socket.socket] | None = None) -> None:
                await startup(sockets)
                self._accepting.set()

            self._server.startup = started  # type: ignore[method-assign]  # uvicorn tells nobody that it accepts
            await self._server.serve(sockets=[listener])

        try:
            asyncio.run(serve())
        finally:
            self._accepting.set()
            listener.close()


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # else an answer, which is written in two pieces, waits 40 ms for the caller's next packet
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.close()
        raise
    return listener
