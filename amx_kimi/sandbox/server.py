"""Running the sandbox: in a thread of its own, or as a process until a signal comes."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

from aiohttp import web

from amx_kimi.sandbox import app, tokens
from amx_kimi.sandbox.options import Options, changed
from amx_kimi.sandbox.record import Seen, Totals
from amx_kimi.sandbox.state import State

HOST = "127.0.0.1"
_PATIENCE = 0.1

T = TypeVar("T")


async def _run(state: State, ready: Callable[[int], None], stop: asyncio.Event) -> None:
    tokens.encoding()
    runner = web.AppRunner(
        app.build(state), access_log=None, handler_cancellation=True, shutdown_timeout=_PATIENCE
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, state.options.port).start()
        ready(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()


def serve(options: Options | None = None, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGINT or SIGTERM; ``ready`` is called with the URL. Main thread only."""

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # on Windows, Ctrl-C ends it without
                loop.add_signal_handler(number, stop.set)
        await _run(State(options or Options()), announce, stop)

    def announce(port: int) -> None:
        if ready is not None:
            ready(f"http://{HOST}:{port}/v1")

    asyncio.run(main())


class Sandbox:
    """A running sandbox in its own thread: ``with Sandbox(Options(rpm=3)) as sandbox``."""

    def __init__(self, options: Options | None = None) -> None:
        self._state = State(options or Options())
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._error: BaseException | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self._started.clear()
        self._thread = threading.Thread(target=self._main, name="amx-kimi-sandbox", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()
        self._loop = self._stop = self._thread = None

    def _main(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            self._stop = asyncio.Event()
            await _run(self._state, self._announce, self._stop)

        try:
            asyncio.run(main())
        except BaseException as error:
            self._error = error
        finally:
            self._started.set()

    def _announce(self, port: int) -> None:
        self._port = port
        self._started.set()

    def _in_loop(self, call: Callable[[], T]) -> T:
        """Only the loop's thread touches the state while it runs."""
        loop = self._loop
        if loop is None:
            return call()

        async def run() -> T:
            return call()

        return asyncio.run_coroutine_threadsafe(run(), loop).result()

    @property
    def root(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{HOST}:{self._port}"

    @property
    def url(self) -> str:
        """The base URL of the API, with ``/v1``."""
        return f"{self.root}/v1"

    @property
    def options(self) -> Options:
        """The options now in force."""
        return self._state.options

    @property
    def seen(self) -> list[Seen]:
        """The latest requests, in the order in which they ended."""
        return self._in_loop(lambda: list(self._state.record.seen))

    @property
    def chats(self) -> list[Seen]:
        """The chat completions among them."""
        return [seen for seen in self.seen if seen.path.rstrip("/").endswith("/chat/completions")]

    @property
    def totals(self) -> Totals:
        """The sums since the start or the last reset."""
        return self._in_loop(self._state.totals)

    @property
    def under_way(self) -> int:
        """How many requests have not ended yet, so that they are in no record."""
        return self._in_loop(lambda: self._state.under_way)

    def set(self, **changes: Any) -> None:
        """Change options while it runs; requests under way keep theirs."""

        def change() -> None:
            self._state.options = changed(self._state.options, changes)

        self._in_loop(change)

    def reset(self) -> None:
        """Forget requests, totals, limits and cached prefixes; the options stay."""
        self._in_loop(self._state.reset)
