"""The client for callers without an event loop: one event-loop thread per process, started at the
first call.

Works inside a running loop and from any thread; callbacks and cancel checks run in the caller's
own thread.
"""

import asyncio
import atexit
import os
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, Unpack

from anyio.from_thread import BlockingPortal, start_blocking_portal

from amx_kimi.arguments import function
from amx_kimi.client.kimi import ClientOptions, KimiClient
from amx_kimi.client.limiter import forget_shared
from amx_kimi.client.question import Question, Wishes
from amx_kimi.config import FoundKey, Profile
from amx_kimi.settings import Settings
from amx_kimi.types import Reply

__all__ = ["SyncKimiClient", "in_event_loop", "shared_client"]

_POLL_SECONDS = 0.1
_LOCK = threading.Lock()
_STACK = ExitStack()
_PORTAL: list[BlockingPortal] = []
_PARENTS: list[object] = []
_MOST_SHARED = 64
_SHARED: "OrderedDict[Any, SyncKimiClient]" = OrderedDict()


def _portal() -> BlockingPortal:
    with _LOCK:
        if not _PORTAL:
            _PORTAL.append(_STACK.enter_context(start_blocking_portal()))
            atexit.register(_STACK.close)
        return _PORTAL[0]


def _after_fork() -> None:
    """For a forked child, which has none of the parent's threads and starts its own loop."""
    _LOCK._at_fork_reinit()  # type: ignore[attr-defined]
    _PARENTS.extend([_STACK.pop_all(), *_PORTAL, *_SHARED.values()])  # not the child's to close
    _PORTAL.clear()
    _SHARED.clear()
    forget_shared()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def in_event_loop() -> bool:
    """Whether an event loop is running in this thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class SyncKimiClient:
    """`KimiClient` for callers without an event loop. Takes what `KimiClient` takes."""

    def __init__(
        self,
        profile: Profile | str | None = None,
        settings: Settings | None = None,
        **options: Unpack[ClientOptions],
    ) -> None:
        async def build() -> KimiClient:
            return KimiClient(profile, settings, **options)

        self._client = _portal().call(build)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; nothing can be asked any more."""
        _portal().call(self._client.aclose)

    def submit(
        self,
        question: Question,
        *,
        on_content: Callable[[str], None] | None = None,
        on_thinking: Callable[[str], None] | None = None,
        **wishes: Unpack[Wishes],
    ) -> "Future[Reply]":
        """Start `KimiClient.chat`; callbacks are called in the event loop's thread."""

        async def ask_it() -> Reply:
            return await self._client.chat(
                question, on_content=on_content, on_thinking=on_thinking, **wishes
            )

        return _portal().start_task_soon(ask_it)

    def models(self) -> list[dict[str, Any]]:
        """As `KimiClient.models`."""
        return _portal().call(self._client.models)

    def chat(
        self,
        question: Question,
        *,
        on_content: Callable[[str], None] | None = None,
        on_thinking: Callable[[str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        **wishes: Unpack[Wishes],
    ) -> Reply:
        """As `KimiClient.chat`; `cancelled` is checked ten times per second.

        Raises:
            concurrent.futures.CancelledError: `cancelled` returned True; the request was dropped.
            HaltedError: the client is closed.
            KimiError: as `KimiClient.chat`.
        """
        heard: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        function("cancelled", cancelled)

        def relay(name: str, given: Callable[[str], None] | None) -> Callable[[str], None] | None:
            callback = function(name, given)
            if callback is None:
                return None
            return lambda piece: heard.put(lambda: callback(piece))

        future = self.submit(
            question,
            on_content=relay("on_content", on_content),
            on_thinking=relay("on_thinking", on_thinking),
            **wishes,
        )
        future.add_done_callback(lambda _: heard.put(None))
        return _drain(heard, future, cancelled)


def _drain(
    heard: "queue.SimpleQueue[Callable[[], None] | None]",
    future: "Future[Reply]",
    cancelled: Callable[[], bool] | None,
) -> Reply:
    try:
        while True:
            if cancelled is not None and cancelled():
                raise CancelledError
            try:
                call = heard.get(timeout=_POLL_SECONDS if cancelled else None)
            except queue.Empty:
                continue
            if call is None:
                return future.result()
            call()
    finally:
        future.cancel()


def shared_client(profile: Profile, settings: Settings, key: FoundKey) -> SyncKimiClient:
    """The client for this profile, key and environment, created once so that connections are
    reused. The least recently used clients are closed."""
    identity = (profile, key.secret, settings)
    with _LOCK:
        client = _SHARED.pop(identity, None)
    client = client or SyncKimiClient(profile, settings, key=key)
    with _LOCK:
        _SHARED[identity] = client
        old = _SHARED.popitem(last=False)[1] if len(_SHARED) > _MOST_SHARED else None
    if old:
        old.close()
    return client
