"""Running until done, or until SIGTERM, at a point where nothing is lost.

Python runs a signal's handler wherever the interpreter happens to be, such as inside a weakref's
callback, where an exception is printed and forgotten. The event loop hears it at a safe point.
"""

import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import anyio

__all__ = ["run_terminable"]

_T = TypeVar("_T")


def run_terminable(function: Callable[..., Awaitable[_T]], *args: Any) -> _T:
    """`anyio.run(function, *args)`; SIGTERM cancels it, and then its own handler is called.

    Where SIGTERM has no Python handler, or off the main thread, it is `anyio.run` alone.

    Raises:
        KeyboardInterrupt: the handler for SIGTERM raised it, as amx-kimi's does.
    """
    handler = signal.getsignal(signal.SIGTERM)
    ours = callable(handler) and threading.current_thread() is threading.main_thread()
    heard: list[int] = []
    try:
        return anyio.run(_until, function, args, heard) if ours else anyio.run(function, *args)
    finally:
        if ours:
            signal.signal(signal.SIGTERM, handler)
            if heard:
                signal.raise_signal(signal.SIGTERM)


async def _until(
    function: Callable[..., Awaitable[_T]], args: tuple[Any, ...], heard: list[int]
) -> _T:
    async def listen(scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for number in signals:
                heard.append(number)
                scope.cancel()

    result: list[_T] = []
    failure: list[BaseException] = []
    async with anyio.create_task_group() as group:
        group.start_soon(listen, group.cancel_scope)
        try:
            result.append(await function(*args))
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            # Raised again outside: here it would come in an exception group.
            failure.append(error)
        group.cancel_scope.cancel()
    if failure:
        raise failure[0]
    return result[0] if result else cast(_T, None)  # None: the signal's handler speaks next
