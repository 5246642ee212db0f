"""An answer in pieces, as LiteLLM streams it."""

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from litellm.types.utils import Delta, ModelResponseStream, StreamingChoices

from amx_kimi.litellm_provider.call import Call
from amx_kimi.litellm_provider.models import usage_of
from amx_kimi.types import Reply

__all__ = ["Stream"]


class Stream:
    """An answer in pieces, from the client's thread to a generator of either kind."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._heard: queue.SimpleQueue[ModelResponseStream | None] = queue.SimpleQueue()
        self._first: list[ModelResponseStream | None] = []
        self._wake: Callable[[], object] = lambda: None
        self._id = ModelResponseStream(choices=[]).id
        self._future = call.client.submit(
            replace(call.ask, once=True),
            on_content=lambda text: self._put(Delta(content=text, role="assistant")),
            on_thinking=lambda text: self._put(
                Delta(content=None, reasoning_content=text, role="assistant")
            ),
        )
        self._future.add_done_callback(lambda _: self._push(None))

    def begun(self) -> "Stream":
        """Itself, once the first piece is there.

        Raises:
            litellm exceptions: there will be none.
        """
        self._first = [self._next()]
        if self._first == [None]:
            self._call.result(self._future)
        return self

    def pieces(self) -> Iterator[ModelResponseStream]:
        """Each piece as it comes, then usage and the end."""
        try:
            while (piece := self._first.pop() if self._first else self._next()) is not None:
                yield piece
            yield from self._end(self._call.result(self._future))
        finally:
            self._future.cancel()

    async def pieces_later(self) -> AsyncIterator[ModelResponseStream]:
        """As `pieces`, for an event loop."""
        loop, there = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(there.set)
        try:
            while True:
                there.clear()
                while self._first or not self._heard.empty():
                    piece = self._first.pop() if self._first else self._heard.get_nowait()
                    if piece is None:
                        for last in self._end(self._call.result(self._future)):
                            yield last
                        return
                    yield piece
                try:
                    await asyncio.wait_for(there.wait(), self._call.seconds)
                except TimeoutError:
                    raise self._call.timeout() from None
        finally:
            self._wake = lambda: None
            self._future.cancel()

    def _next(self) -> ModelResponseStream | None:
        try:
            return self._heard.get(timeout=self._call.seconds)
        except queue.Empty:
            self._future.cancel()
            raise self._call.timeout() from None

    def _put(self, delta: Delta) -> None:
        self._push(self._piece(delta))

    def _push(self, piece: ModelResponseStream | None) -> None:
        self._heard.put(piece)
        with suppress(RuntimeError):  # the caller's event loop is closed: nobody listens
            self._wake()

    def _end(self, reply: Reply) -> Iterator[ModelResponseStream]:
        """Tool calls, usage, and why it ended."""
        if reply.tool_calls:
            calls = [{**call, "index": index} for index, call in enumerate(reply.tool_calls)]
            yield self._piece(Delta(content=None, tool_calls=calls, role="assistant"))
        counted = self._piece(Delta(content=""))  # before the end: LiteLLM drops what comes with it
        counted.usage = usage_of(reply, self._call.ask)
        yield counted
        yield self._piece(Delta(content=None), finish_reason=reply.finish_reason or "stop")

    def _piece(self, delta: Delta, finish_reason: str | None = None) -> ModelResponseStream:
        choice = StreamingChoices(index=0, delta=delta, finish_reason=finish_reason)
        return ModelResponseStream(id=self._id, model=self._call.profile.model, choices=[choice])
