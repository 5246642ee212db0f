"""One thread that reads the source, so that connections are not shared and the event loop never
waits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, Self, TypeVar

from amx_kimi.databases.base import Source

__all__ = ["Reader"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Reader:
    """Owns a source and its thread. `open_it` runs in that thread."""

    def __init__(self, open_it: Callable[[], Source]) -> None:
        self._open = open_it
        self._thread = ThreadPoolExecutor(1, "kimi-source")

    async def __aenter__(self) -> Self:
        try:
            self.source = await self.call(self._open)
        except BaseException:
            self._thread.shutdown()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        # Not awaited, so that a cancelled run closes its source, too.
        self._thread.submit(self.source.close)
        self._thread.shutdown()

    async def call(self, function: Callable[_P, _T], *args: _P.args, **kw: _P.kwargs) -> _T:
        """Run `function` in the reader's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kw))
