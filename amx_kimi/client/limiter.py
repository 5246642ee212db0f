"""Keeps within the account's limits, even unknown ones: a pure core, and a queue.

`decide(state, now, tokens)` grants a request, or says until when to wait. It reserves prompt plus
budget up front, as the service does (rate-limit page, September 2026). The concurrency limit is
discovered from a careful start: each answer allows one request more, until the service refuses.
The queue is first come, first served, even for retries. It sleeps until the time that `decide`
names, or until something changes.
"""

import asyncio
import math
import threading
import time
from bisect import insort
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count

from amx_kimi.errors import UsedUpError

__all__ = [
    "Grant",
    "Limiter",
    "Limits",
    "Refusal",
    "Spent",
    "State",
    "WaitUntil",
    "answered",
    "begin",
    "cool",
    "decide",
    "refused",
    "release",
    "shared",
]

MARGIN = 0.02
"""By how much a window is lengthened, because the service's clock differs from ours. A margin in
requests would be too much: a third of a limit of three."""

_START = 8  # concurrent requests at first, if nothing is known
_CAREFUL = 64  # concurrent requests at first, at most, if there is a ceiling
_MOST = 256
_REMEMBERED = 512  # how many starts are kept if there is no known limit for them
_DAY, _HOUR = 86_400.0, 3_600.0
_STEADY = 30.0  # seconds before a refused concurrency is tried again; they double


@dataclass(frozen=True)
class Limits:
    """What the account allows; None is unknown.

    `rpm` and `tpm` count over `window` seconds; `tpd` counts over a day of this process's life.
    `hint` is a probable concurrency limit.
    """

    concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None
    tpd: int | None = None
    window: float = 60.0
    hint: int | None = None

    @property
    def length(self) -> float:
        """The window with its margin, in seconds."""
        return self.window * (1 + MARGIN)


@dataclass(frozen=True)
class Refusal:
    """What a 429 says: which limit (`concurrency`, `rpm`, `tpm`, or "" if it does not say), its
    figure, and the seconds to wait."""

    kind: str
    figure: int | None
    seconds: float


@dataclass(frozen=True)
class State:
    """The running requests, the window's (start, tokens), the day's by hour, and the end of a
    common cooldown.

    `allowed` is the discovered concurrency. Below `proven`, it grows by one with each answer;
    above, by one per round of answers, and not before `steady_until`.
    """

    limits: Limits
    in_flight: int = 0
    started: tuple[tuple[float, int], ...] = ()
    day: tuple[tuple[float, int], ...] = ()
    cooling_until: float = -math.inf
    allowed: float = math.inf
    proven: float = math.inf
    steady: float = _STEADY
    steady_until: float = -math.inf

    @property
    def at_once(self) -> float:
        """How many requests may run concurrently."""
        allowed = math.floor(min(self.allowed, 1e9))
        return min(self.limits.concurrency or math.inf, max(1, allowed))


@dataclass(frozen=True)
class Grant:
    """The request may start now; `state` counts it."""

    state: State


@dataclass(frozen=True)
class WaitUntil:
    """Wait until this time; infinity: until another request ends."""

    time: float


@dataclass(frozen=True)
class Spent:
    """Not today: `tpd` is the limit."""

    tpd: int


def decide(state: State, now: float, tokens: int) -> Grant | WaitUntil | Spent:
    """Whether a request that reserves `tokens` may start at `now`.

    A single request larger than the whole token limit may start alone, in an empty window, because
    the service may know better than our table.
    """
    limits = state.limits
    day = _day(state, now)
    used_today = sum(used for _, used in day)
    if limits.tpd is not None and used_today + tokens > limits.tpd:
        return Spent(limits.tpd)
    if now < state.cooling_until:
        return WaitUntil(state.cooling_until)
    if state.in_flight >= state.at_once:
        return WaitUntil(math.inf)
    window = tuple(entry for entry in state.started if entry[0] > now - limits.length)
    wait = max(_rpm_free(window, limits), _tpm_free(window, limits, tokens))
    if wait > now:
        return WaitUntil(wait)
    counted = limits.rpm is not None or limits.tpm is not None
    started = (*(window if counted else window[-_REMEMBERED:]), (now, tokens))
    if limits.tpd is not None:
        day = _with(day, now, tokens)
    return Grant(replace(state, in_flight=state.in_flight + 1, started=started, day=day))


def begin(limits: Limits, now: float = 0.0) -> State:
    """A careful start: the hint, which is kept for a while, or some below the ceiling, or few."""
    ceiling = limits.concurrency or _MOST
    first = limits.hint or (min(_CAREFUL, ceiling) if limits.concurrency else _START)
    return State(
        limits,
        allowed=min(first, ceiling),
        proven=limits.hint or math.inf,
        steady_until=now + _STEADY if limits.hint else -math.inf,
    )


def release(state: State) -> State:
    """One request ended."""
    return replace(state, in_flight=max(0, state.in_flight - 1))


def answered(state: State, now: float) -> State:
    """A request, which still counts, was answered. If most places are taken, allow more."""
    ceiling = state.limits.concurrency or _MOST
    if state.in_flight * 2 < state.at_once or state.allowed >= ceiling:
        return state
    if state.allowed < state.proven:
        return replace(state, allowed=state.allowed + 1)
    if now < state.steady_until:
        return state
    return replace(state, allowed=state.allowed + 1 / state.allowed)


def refused(
    state: State, now: float, refusal: Refusal, entry: tuple[float, int] | None = None
) -> State:
    """A request, which has ended, was refused by a limit of the account.

    `entry` is its start and tokens, which the service did not charge. The requests running beside
    it are proven to fit, and more are not tried for a while. A limit over time delays everybody;
    afterwards, half as many run, unless the limit was unknown before, because then only the window
    was wrong.
    """
    if entry is not None:
        state = _given_back(state, entry)
    known = getattr(state.limits, refusal.kind, None) if refusal.kind else None
    is_news = refusal.figure is not None and (known is None or refusal.figure < known)
    state = _with_figure(state, refusal)
    if refusal.kind == "concurrency":
        fits = max(1.0, min(state.allowed, refusal.figure or state.in_flight))
        again = fits < state.allowed or now >= state.steady_until
        return replace(
            state,
            allowed=fits,
            proven=fits,
            steady=min(state.steady * 2, 600.0) if again else state.steady,
            steady_until=now + state.steady,
        )
    if now >= state.cooling_until and not is_news:
        most = min(state.at_once, _MOST)
        state = replace(state, allowed=max(1.0, most / 2), proven=most)
    return cool(state, now + refusal.seconds)


def _with_figure(state: State, refusal: Refusal) -> State:
    known = getattr(state.limits, refusal.kind, None) if refusal.kind else None
    if not refusal.kind or not refusal.figure or (known and known <= refusal.figure):
        return state
    return replace(state, limits=replace(state.limits, **{refusal.kind: refusal.figure}))


def _given_back(state: State, entry: tuple[float, int]) -> State:
    start, tokens = entry
    hour = int(start // _HOUR)
    return replace(
        state,
        started=tuple(one for one in state.started if one != entry),
        day=tuple(
            (at, used - tokens if int(at // _HOUR) == hour else used) for at, used in state.day
        ),
    )


def cool(state: State, until: float) -> State:
    """No request starts before `until`, because the service said that a limit is reached."""
    return replace(state, cooling_until=max(state.cooling_until, until))


def _day(state: State, now: float) -> tuple[tuple[float, int], ...]:
    return tuple(entry for entry in state.day if entry[0] > now - _DAY)


def _with(
    day: tuple[tuple[float, int], ...], now: float, tokens: int
) -> tuple[tuple[float, int], ...]:
    """The day's tokens by hour, with the time of the last request, so that few entries suffice."""
    if day:
        last, used = day[-1]
        if int(now // _HOUR) == int(last // _HOUR):
            return (*day[:-1], (now, used + tokens))
    return (*day, (now, tokens))


def _rpm_free(window: tuple[tuple[float, int], ...], limits: Limits) -> float:
    if limits.rpm is None or len(window) < limits.rpm:
        return -math.inf
    return window[len(window) - limits.rpm][0] + limits.length


def _tpm_free(window: tuple[tuple[float, int], ...], limits: Limits, tokens: int) -> float:
    if limits.tpm is None:
        return -math.inf
    excess = sum(used for _, used in window) + tokens - limits.tpm
    for start, used in window:
        if excess <= 0:
            break
        excess -= used
        if excess <= 0:
            return start + limits.length
    if not window or excess <= 0:
        return -math.inf
    return window[-1][0] + limits.length


class Limiter:
    """The queue around `decide`, for any number of event loops and threads.

    `now` is for tests; it must be monotonic.
    """

    def __init__(self, limits: Limits, now: Callable[[], float] = time.monotonic) -> None:
        self._state = begin(limits, now())
        self._now = now
        self._lock = threading.Lock()
        self._queue: list[_Waiter] = []
        self._until = -math.inf
        self._tickets = count()

    @property
    def state(self) -> State:
        """The present state."""
        return self._state

    @property
    def held(self) -> float:
        """For how many seconds a limit over time lets no request start."""
        return max(0.0, max(self._state.cooling_until, self._until) - self._now())

    def ticket(self) -> int:
        """A place in the queue, which a request keeps during its retries."""
        return next(self._tickets)

    async def acquire(self, tokens: int, ticket: int | None = None) -> tuple[float, int]:
        """Wait for this request's turn; each `acquire` needs one `release`. Returns its entry: its
        start and tokens.

        Raises:
            UsedUpError: the day's tokens are used up.
        """
        waiter = _Waiter(tokens, self.ticket() if ticket is None else ticket)
        with self._lock:
            insort(self._queue, waiter, key=lambda other: other.ticket)
        try:
            while True:
                verdict = self._try(waiter)
                if isinstance(verdict, Grant):
                    return verdict.state.started[-1]
                if isinstance(verdict, Spent):
                    raise UsedUpError(
                        f"The account's {verdict.tpd:,} tokens per day are used up, as far as "
                        "this process counted",
                        status=429,
                        remedy="Resume tomorrow, or set the account's tier (--tier or kimi.yml).",
                    )
                timed = verdict.time < math.inf
                if timed:
                    self._until = verdict.time
                await waiter.wait(verdict.time - self._now() if timed else None)
        finally:
            with self._lock:
                self._queue.remove(waiter)
                self._wake_first()

    def release(self) -> None:
        """Note that the request has ended, in whatever way."""
        with self._lock:
            self._state = release(self._state)
            self._wake_first()

    def answered(self) -> None:
        """Note that a request was answered; called before its `release`."""
        with self._lock:
            self._state = answered(self._state, self._now())
            self._wake_first()

    def refused(self, refusal: Refusal, entry: tuple[float, int] | None = None) -> None:
        """Note that a limit of the account refused a request; called after its `release`. `entry`
        is what `acquire` returned."""
        with self._lock:
            self._state = refused(self._state, self._now(), refusal, entry)
            self._wake_first()

    def learn(self, kind: str, figure: int) -> None:
        """Note the account's `rpm` or `tpm` as the service says; a lower known value stays."""
        with self._lock:
            self._state = _with_figure(self._state, Refusal(kind, figure, 0.0))

    def _try(self, waiter: "_Waiter") -> Grant | WaitUntil | Spent:
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
    def __init__(self, tokens: int, ticket: int) -> None:
        self.tokens = tokens
        self.ticket = ticket
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


_SHARED: dict[str, Limiter] = {}
_SHARED_LOCK = threading.Lock()


def forget_shared() -> None:
    """For a forked child: running requests and locks belong to the parent."""
    _SHARED_LOCK._at_fork_reinit()  # type: ignore[attr-defined]
    _SHARED.clear()


def shared(account: str, limits: Limits) -> Limiter:
    """The process's limiter for this account; the first caller's limits apply."""
    with _SHARED_LOCK:
        return _SHARED.setdefault(account, Limiter(limits))
