"""Runs a function until it is done or SIGTERM arrives, without losing anything.

Python calls a signal handler wherever the interpreter happens to be, such as inside a weakref's
callback, where an exception is only printed. The event loop handles the signal at a safe point.
"""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import anyio
from anyio.from_thread import start_blocking_portal

from amx_kimi.client import in_event_loop

__all__ = ["run_terminable"]

_T = TypeVar("_T")


def run_terminable(function: Callable[..., Awaitable[_T]], *args: Any) -> _T:
    """`anyio.run(function, *args)`; SIGTERM cancels it, and then the previous handler is called.

    Outside the main thread, or if SIGTERM has no Python handler, this is just `anyio.run`. If this
    thread already has an event loop, as in a notebook, the function runs in another thread.

    Raises:
        KeyboardInterrupt: the handler of SIGTERM raised it, as amx-kimi's does.
    """
    if in_event_loop():
        with start_blocking_portal() as portal:
            return portal.call(function, *args)
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        return anyio.run(function, *args)
    heard: list[int] = []
    stop: list[Callable[[], None]] = []

    def hear(number: int, _: object) -> None:
        heard.append(number)
        if stop:
            stop[0]()

    # Not the loop's own handler: when a loop ends, SIGTERM would kill the process for a moment.
    signal.signal(signal.SIGTERM, hear)
    try:
        return anyio.run(_until, function, args, heard, stop)
    finally:
        signal.signal(signal.SIGTERM, handler)
        if heard:
            signal.raise_signal(signal.SIGTERM)


async def _until(
    function: Callable[..., Awaitable[_T]],
    args: tuple[Any, ...],
    heard: list[int],
    stop: list[Callable[[], None]],
) -> _T:
    loop = asyncio.get_running_loop()
    result: list[_T] = []
    with anyio.CancelScope() as scope:

        def cancel() -> None:
            loop.call_soon_threadsafe(scope.cancel)

        stop.append(cancel)
        try:
            if not heard:
                result.append(await function(*args))
        finally:
            stop.clear()
    return result[0] if result else cast(_T, None)  # None: the signal's handler speaks next
