"""Keeping inside the account's limits: a pure core, and the queue around it.

`decide(state, now, tokens)` grants a request or says until when to wait. It reserves prompt plus
budget up front, as the service does (rate-limit page, September 2026). The queue around it is
first come, first served; it sleeps until the moment that `decide` names or until something changes.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

__all__ = [
    "Grant",
    "Limiter",
    "Limits",
    "State",
    "WaitUntil",
    "cool",
    "decide",
    "release",
    "shared",
]

MARGIN = 0.02
"""Share of a known limit that is left unused, since the service's clock is not ours."""


@dataclass(frozen=True)
class Limits:
    """What the account allows; None is unknown. `rpm` and `tpm` count over `window` seconds."""

    concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    window: float = 60.0


@dataclass(frozen=True)
class State:
    """Requests under way, the window's (start, tokens), and the end of a common cooldown."""

    limits: Limits
    in_flight: int = 0
    started: tuple[tuple[float, int], ...] = ()
    cooling_until: float = -math.inf


@dataclass(frozen=True)
class Grant:
    """The request may start now; `state` counts it."""

    state: State


@dataclass(frozen=True)
class WaitUntil:
    """Not before this time; infinity: not before another request ends."""

    time: float


def decide(state: State, now: float, tokens: int) -> Grant | WaitUntil:
    """Whether a request that reserves `tokens` may start at `now`.

    A single request larger than the whole token limit is let through alone, in an empty window:
    the service, not our table, then has the last word.
    """
    limits = state.limits
    if now < state.cooling_until:
        return WaitUntil(state.cooling_until)
    if limits.concurrency is not None and state.in_flight >= limits.concurrency:
        return WaitUntil(math.inf)
    window = tuple(entry for entry in state.started if entry[0] > now - limits.window)
    wait = max(_rpm_free(window, limits), _tpm_free(window, limits, tokens))
    if wait > now:
        return WaitUntil(wait)
    counted = limits.rpm is not None or limits.tpm is not None
    started = (*window, (now, tokens)) if counted else ()
    return Grant(replace(state, in_flight=state.in_flight + 1, started=started))


def release(state: State) -> State:
    """One request ended."""
    return replace(state, in_flight=max(0, state.in_flight - 1))


def cool(state: State, until: float) -> State:
    """Nobody starts before `until`: the service said that a limit is reached."""
    return replace(state, cooling_until=max(state.cooling_until, until))


def _rpm_free(window: tuple[tuple[float, int], ...], limits: Limits) -> float:
    if limits.rpm is None:
        return -math.inf
    allowed = max(1, math.floor(limits.rpm * (1 - MARGIN)))
    if len(window) < allowed:
        return -math.inf
    return window[len(window) - allowed][0] + limits.window


def _tpm_free(window: tuple[tuple[float, int], ...], limits: Limits, tokens: int) -> float:
    if limits.tpm is None:
        return -math.inf
    excess = sum(used for _, used in window) + tokens - math.floor(limits.tpm * (1 - MARGIN))
    for start, used in window:
        if excess <= 0:
            break
        excess -= used
        free_at = start + limits.window
        if excess <= 0:
            return free_at
    return -math.inf if not window or excess <= 0 else window[-1][0] + limits.window


class Limiter:
    """The queue around `decide`, for any number of event loops and threads.

    `now` is for tests; it has to be monotonic.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._state = State(limits)
        self._now = now
        self._lock = threading.Lock()
        self._queue: deque[_Waiter] = deque()

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    async def acquire(self, tokens: int) -> None:
        """Wait for this request's turn; every `acquire` wants one `release`."""
        waiter = _Waiter(tokens)
        with self._lock:
            self._queue.append(waiter)
        try:
            while True:
                verdict = self._try(waiter)
                if isinstance(verdict, Grant):
                    return
                timeout = verdict.time - self._now() if verdict.time < math.inf else None
                await waiter.wait(timeout)
        finally:
            with self._lock:
                self._queue.remove(waiter)
                self._wake_first()

    def release(self) -> None:
        """The request ended, however it did."""
        with self._lock:
            self._state = release(self._state)
            self._wake_first()

    def cool(self, seconds: float) -> None:
        """Hold everybody for `seconds`."""
        with self._lock:
            self._state = cool(self._state, self._now() + seconds)
            self._wake_first()

    def _try(self, waiter: "_Waiter") -> Grant | WaitUntil:
        with self._lock:
            waiter.clear()
            if self._queue[0] is not waiter:
                return WaitUntil(math.inf)
            verdict = decide(self._state, self._now(), waiter.tokens)
            if isinstance(verdict, Grant):
                self._state = verdict.state
            return verdict

    def _wake_first(self) -> None:
        if self._queue:
            self._queue[0].wake()


class _Waiter:
    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def clear(self) -> None:
        self._event.clear()

    def wake(self) -> None:
        with suppress(RuntimeError):  # its loop is closed
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            pass


_SHARED: dict[tuple[str, str], Limiter] = {}
_SHARED_LOCK = threading.Lock()


def forget_shared() -> None:
    """For a forked child: what is under way is the parent's, and so are the locks."""
    _SHARED_LOCK._at_fork_reinit()  # type: ignore[attr-defined]
    _SHARED.clear()


def shared(endpoint: str, key_hash: str, limits: Limits) -> Limiter:
    """The process's one limiter of this endpoint and key; the first caller's limits hold."""
    with _SHARED_LOCK:
        return _SHARED.setdefault((endpoint, key_hash), Limiter(limits))
