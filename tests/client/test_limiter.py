"""The account's limits: the pure core on a simulated clock, the queue with real tasks."""

from __future__ import annotations

import asyncio
import heapq
import math
import threading
import time
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from amx_kimi.client import limiter as module
from amx_kimi.client.limiter import (
    Grant,
    Limiter,
    Limits,
    Refusal,
    Spent,
    State,
    WaitUntil,
    answered,
    begin,
    cool,
    decide,
    refused,
    release,
    shared,
)
from amx_kimi.errors import UsedUpError

from .helpers import until, until_async

TINY = 1e-6


@dataclass(frozen=True)
class Request:
    gap: float  # seconds after the request before it
    tokens: int
    seconds: float
    cools: float = 0.0  # its answer holds everybody for so long


REQUESTS = st.lists(
    st.builds(
        Request,
        gap=st.floats(0, 20) | st.just(0.0),
        tokens=st.integers(0, 1500),
        seconds=st.floats(0.01, 90),
        cools=st.just(0.0) | st.floats(0, 30),
    ),
    min_size=1,
    max_size=30,
)
LIMITS = st.builds(
    Limits,
    concurrency=st.none() | st.integers(1, 5),
    rpm=st.none() | st.integers(1, 10),
    tpm=st.none() | st.integers(100, 5000),
    window=st.sampled_from([60.0, 3.0, 0.1]),
)


@dataclass(frozen=True)
class Start:
    at: float
    tokens: int
    under_way: int
    cooling_until: float


def simulate(limits: Limits, requests: list[Request]) -> list[Start]:
    """First come, first served, on a clock that jumps to the next thing that happens."""
    state, now, starts = State(limits), 1000.0, []
    ends: list[tuple[float, float]] = []
    arrival = now
    for request in requests:
        arrival += request.gap
        now = max(now, arrival)
        for _ in range(10_000):
            while ends and ends[0][0] <= now:
                at, seconds = heapq.heappop(ends)
                state = release(state)
                if seconds:
                    state = cool(state, at + seconds)
            verdict = decide(state, now, request.tokens)
            if isinstance(verdict, Grant):
                break
            later = [verdict.time, *(end for end, _ in ends[:1])]
            assert min(later) < math.inf, "nothing would ever happen again"
            assert min(later) > now
            now = min(later)
        else:
            pytest.fail("no progress")
        starts.append(Start(now, request.tokens, verdict.state.in_flight, state.cooling_until))
        state = verdict.state
        heapq.heappush(ends, (now + request.seconds, request.cools))
    return starts


@settings(max_examples=300, deadline=None)
@given(LIMITS, REQUESTS)
def test_no_limit_is_ever_passed_and_everybody_has_a_turn(
    limits: Limits, requests: list[Request]
) -> None:
    starts = simulate(limits, requests)
    assert len(starts) == len(requests)
    assert [s.at for s in starts] == sorted(s.at for s in starts)
    for number, first in enumerate(starts):
        end = first.at + limits.window - TINY
        window = [s for s in starts[number:] if s.at < end]
        if limits.rpm is not None:
            assert len(window) <= limits.rpm
        if limits.tpm is not None:
            total = sum(s.tokens for s in window)
            some = [s for s in window if s.tokens]
            assert total <= limits.tpm or len(some) == 1
        if limits.concurrency is not None:
            assert first.under_way <= limits.concurrency
        assert first.at >= first.cooling_until


def test_a_request_above_the_whole_limit_goes_alone() -> None:
    limits = Limits(tpm=1000)
    first = decide(State(limits), 0.0, 5000)
    assert isinstance(first, Grant)
    assert decide(first.state, 30.0, 1) == WaitUntil(pytest.approx(61.2))
    small = decide(State(limits), 0.0, 1)
    assert isinstance(small, Grant)
    assert decide(small.state, 30.0, 5000) == WaitUntil(pytest.approx(61.2))
    assert isinstance(decide(small.state, 61.3, 5000), Grant)


def test_tokens_are_free_again_as_soon_as_enough_left_the_window() -> None:
    state = State(Limits(tpm=1000))
    for now, tokens in ((0.0, 300), (10.0, 300), (20.0, 300)):
        verdict = decide(state, now, tokens)
        assert isinstance(verdict, Grant)
        state = verdict.state
    assert decide(state, 30.0, 400) == WaitUntil(pytest.approx(61.2))
    assert decide(state, 30.0, 401) == WaitUntil(pytest.approx(71.2))
    assert isinstance(decide(state, 30.0, 100), Grant)


def test_without_limits_little_is_remembered() -> None:
    state = State(Limits())
    for now in range(100):
        verdict = decide(state, float(now), 10**9)
        assert isinstance(verdict, Grant)
        state = verdict.state
    assert len(state.started) == 62  # the window, for a limit that the service may name yet
    for now in range(1_000):
        verdict = decide(state, 100 + now / 100, 1)
        assert isinstance(verdict, Grant)
        state = verdict.state
    assert len(state.started) <= 513


def test_release_and_cool_never_go_back() -> None:
    state = State(Limits())
    assert release(state).in_flight == 0
    assert cool(cool(state, 9.0), 3.0).cooling_until == 9.0
    assert decide(cool(state, 9.0), 8.9, 1) == WaitUntil(9.0)
    assert isinstance(decide(cool(state, 9.0), 9.0, 1), Grant)


def run(coroutine: object) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))  # type: ignore[arg-type]


def test_first_come_first_served() -> None:
    order: list[int] = []

    async def main() -> None:
        limiter = Limiter(Limits(concurrency=1))

        async def use(number: int) -> None:
            await limiter.acquire(1)
            order.append(number)
            await asyncio.sleep(0)
            limiter.release()

        await asyncio.gather(*(use(number) for number in range(50)))
        assert limiter.state.in_flight == 0

    run(main())
    assert order == list(range(50))


def test_a_large_request_at_the_head_is_not_overtaken() -> None:
    order: list[str] = []

    async def main() -> None:
        limiter = Limiter(Limits(tpm=1000, window=0.1))

        async def use(name: str, tokens: int) -> None:
            await limiter.acquire(tokens)
            order.append(name)

        await asyncio.gather(use("a", 900), use("large", 900), use("small", 1))

    run(main())
    assert order == ["a", "large", "small"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_waiter_that_is_cancelled_frees_the_queue(which: int) -> None:
    async def main() -> None:
        limiter = Limiter(Limits(concurrency=1))
        await limiter.acquire(1)
        waiting = [asyncio.create_task(limiter.acquire(1)) for _ in range(3)]
        await until_async(lambda: len(limiter._queue) == 3)
        waiting.pop(which).cancel()
        await until_async(lambda: len(limiter._queue) == 2)
        for task in waiting:
            assert not task.done()
            limiter.release()
            await task
        assert limiter.state.in_flight == 1

    run(main())


def test_a_cooldown_holds_those_who_wait_and_those_who_come() -> None:
    async def main() -> None:
        limiter = Limiter(Limits(concurrency=1))
        await limiter.acquire(1)
        waiting = asyncio.create_task(limiter.acquire(1))
        await until_async(lambda: limiter._queue)
        begun = time.monotonic()
        limiter.refused(Refusal("rpm", 1_000, 0.1))
        limiter.release()
        await waiting
        assert time.monotonic() - begun >= 0.1
        limiter.release()
        limiter.refused(Refusal("rpm", 1_000, 0.1))
        await limiter.acquire(1)
        assert time.monotonic() - begun >= 0.2

    run(main())


def test_a_window_passes_by_itself() -> None:
    async def main() -> None:
        limiter = Limiter(Limits(rpm=3, window=0.05))
        begun = time.monotonic()
        for _ in range(9):
            await limiter.acquire(1)
            limiter.release()
        assert time.monotonic() - begun >= 0.1 - TINY

    run(main())


def test_one_limiter_serves_two_event_loops() -> None:
    limiter = Limiter(Limits(concurrency=2))
    lock = threading.Lock()
    under_way, most, done = 0, 0, 0

    async def use() -> None:
        nonlocal under_way, most, done
        await limiter.acquire(1)
        with lock:
            under_way += 1
            most = max(most, under_way)
        await asyncio.sleep(0)
        with lock:
            under_way -= 1
            done += 1
        limiter.release()

    async def many() -> None:
        await asyncio.gather(*(use() for _ in range(100)))

    threads = [threading.Thread(target=run, args=(many(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (done, limiter.state.in_flight, len(limiter._queue)) == (200, 0, 0)
    assert most == 2


def test_a_waiter_of_a_closed_loop_does_not_stop_the_others() -> None:
    limiter = Limiter(Limits(concurrency=1))
    loop = asyncio.new_event_loop()
    coroutine = limiter.acquire(1)

    async def take() -> None:
        await limiter.acquire(1)

    loop.run_until_complete(take())
    task = loop.create_task(coroutine)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    limiter.release()
    coroutine.close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    run(take())
    assert limiter.state.in_flight == 1


def test_a_loop_that_closes_while_it_is_woken_does_not_hurt_who_wakes() -> None:
    limiter = Limiter(Limits(concurrency=1))
    stop = threading.Event()

    async def wait_and_leave() -> None:
        await limiter.acquire(1)
        waiting = asyncio.create_task(limiter.acquire(1))
        await until_async(lambda: limiter._queue)
        waiting.cancel()
        limiter.release()

    def churn() -> None:
        while not stop.is_set():
            limiter.refused(Refusal("rpm", 1_000, 0.0))

    thread = threading.Thread(target=churn)
    thread.start()
    for _ in range(30):
        run(wait_and_leave())
    stop.set()
    thread.join(10)
    until(lambda: not limiter._queue)
    assert limiter.state.in_flight == 0


def test_one_limiter_for_an_endpoint_and_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHARED", {})
    first = shared("https://a key", Limits(rpm=3))
    assert shared("https://a key", Limits(rpm=9)) is first
    assert first.state.limits.rpm == 3
    assert shared("https://a other", Limits()) is not first
    assert shared("https://b key", Limits()) is not first


# Limits that nobody told: a service that allows `cap` at once, on a simulated clock


@dataclass
class Service:
    """Answers after a second; refuses what is above its cap, with or without naming it."""

    cap: int
    names_it: bool = False
    refusals: int = 0
    most: int = 0
    seconds: float = 0.0

    def serve(self, requests: int, limits: Limits) -> State:
        """All of them, as soon as the limiter lets them; refused ones go again a second later."""
        state, now = begin(limits), 0.0
        ends: list[tuple[float, bool]] = []
        waiting, later = requests, []
        while waiting or ends or later:
            waiting += sum(1 for at in later if at <= now)
            later = [at for at in later if at > now]
            while waiting and isinstance(verdict := decide(state, now, 1), Grant):
                state, waiting = verdict.state, waiting - 1
                if len(ends) < self.cap:
                    heapq.heappush(ends, (now + 1.0, True))
                    continue
                self.refusals += 1
                state = release(state)
                figure = self.cap if self.names_it else None
                state = refused(state, now, Refusal("concurrency", figure, 1.0))
                later.append(now + 1.0)
            self.most = max(self.most, len(ends))
            now = min([end for end, _ in ends[:1]] + later)
            while ends and ends[0][0] <= now:
                heapq.heappop(ends)
                state = release(answered(state, now))
        self.seconds = now
        return state


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 120), st.sampled_from([None, 1, 15, 50, 200]), st.booleans())
def test_a_cap_that_nobody_told_is_found(cap: int, told: int | None, names_it: bool) -> None:
    service = Service(cap, names_it)
    state = service.serve(1_000, Limits(concurrency=told))
    reachable = min(cap, told or 256)
    assert state.in_flight == 0
    assert service.most <= cap
    assert service.refusals <= max(40, reachable // 2) + 12
    ideal = 1_000 / reachable
    assert service.seconds <= 1.25 * ideal + 8


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        (Limits(), 8),
        (Limits(hint=15), 15),
        (Limits(concurrency=5), 5),
        (Limits(concurrency=200), 64),
        (Limits(concurrency=10, hint=15), 10),
    ],
)
def test_how_many_begin_at_once(limits: Limits, most: int) -> None:
    assert begin(limits).at_once == most


def test_a_hint_is_where_it_begins_and_not_where_it_ends() -> None:
    service = Service(cap=60)
    state = service.serve(4_000, Limits(hint=15))
    assert state.at_once > 15
    assert service.refusals <= 5


def test_a_proven_limit_is_tried_by_one_more_and_ever_more_rarely() -> None:
    """A service that allows 20 at once, for two hours of rounds of a second."""
    state, tries = replace(begin(Limits()), allowed=15.0, proven=20.0), []
    for second in range(7_200):
        state = replace(state, in_flight=int(state.at_once))
        assert state.in_flight <= 21
        if state.in_flight > 20:
            tries.append(second)
            state = refused(release(state), second, Refusal("concurrency", None, 1.0))
        for _ in range(state.in_flight):
            state = answered(state, second)
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses[:5] == [pytest.approx(seconds, abs=3) for seconds in (30, 60, 120, 240, 480)]
    assert pauses[5:] == [pytest.approx(600, abs=3)] * len(pauses[5:])
    assert len(pauses) > 10


def test_a_burst_of_refusals_is_one_lesson() -> None:
    state = replace(begin(Limits()), allowed=20.0, in_flight=30)
    for at in (0.0, 0.1, 0.2):
        state = refused(release(state), at, Refusal("concurrency", 20, 1.0))
    assert (state.at_once, state.steady) == (20, 60)


def test_a_hint_holds_for_a_while_and_then_more_is_tried() -> None:
    state = replace(begin(Limits(hint=15), 100.0), in_flight=15)
    for _ in range(100):
        state = answered(state, 129.0)
    assert state.at_once == 15
    for _ in range(16):
        state = answered(state, 131.0)
    assert state.at_once == 16


def test_where_few_places_are_taken_nothing_is_learnt_of_more() -> None:
    idle = replace(begin(Limits()), in_flight=3)
    assert answered(idle, 0.0).at_once == 8
    assert answered(replace(idle, in_flight=4), 0.0).at_once == 9


def test_a_ceiling_is_never_passed() -> None:
    service = Service(cap=100)
    service.serve(1_000, Limits(concurrency=40))
    assert (service.most, service.refusals) == (40, 0)


def test_a_limit_over_time_holds_everybody_and_is_learnt() -> None:
    state = begin(Limits())
    for _ in range(8):
        verdict = decide(state, 0.0, 100)
        assert isinstance(verdict, Grant)
        state = verdict.state
    state = refused(release(state), 1.0, Refusal("rpm", 5, 2.0))
    assert state.limits.rpm == 5
    assert decide(state, 2.0, 100) == WaitUntil(3.0)
    verdict = decide(state, 4.0, 100)
    assert isinstance(verdict, WaitUntil)
    assert verdict.time == 61.2  # what was started before it was known counts
    halved = refused(release(begin(Limits(hint=40))), 0.0, Refusal("", None, 5.0))
    assert halved.at_once == 20
    again = refused(halved, 1.0, Refusal("", None, 5.0))
    assert again.at_once == 20  # of the same burst
    assert again.cooling_until == 6.0


@given(st.lists(st.tuples(st.floats(0, 20_000), st.integers(1, 1_000)), max_size=60))
@example([(0.0, 1), (3_500.0, 999), (82_901.0, 999)])
def test_a_days_tokens_are_never_passed(steps: list[tuple[float, int]]) -> None:
    state, now, granted = begin(Limits(tpd=1_000)), 0.0, []
    for pause, tokens in steps:
        now += pause
        today = sum(used for at, used in granted if at > now - 86_400)
        verdict = decide(state, now, tokens)
        if isinstance(verdict, Grant):
            assert today + tokens <= 1_000
            granted.append((now, tokens))
            state = release(verdict.state)
        else:  # the hours' sums may hold a little longer than a day, never shorter
            assert isinstance(verdict, Spent)
            lately = sum(used for at, used in granted if at > now - 86_400 - 3_600)
            assert lately + tokens > 1_000
    assert len(state.day) <= 26


def test_a_days_tokens_are_kept_by_the_hour() -> None:
    state = begin(Limits(tpd=1_000_000))
    for minute in range(0, 300, 7):
        verdict = decide(state, minute * 60.0, 10)
        assert isinstance(verdict, Grant)
        state = release(verdict.state)
    assert [used for _, used in state.day] == [90, 90, 80, 90, 80]


def test_a_days_tokens_are_free_again_a_day_later() -> None:
    verdict = decide(begin(Limits(tpd=100)), 0.0, 100)
    assert isinstance(verdict, Grant)
    state = release(verdict.state)
    assert isinstance(decide(state, 86_399.0, 1), Spent)
    assert isinstance(decide(state, 86_400.0, 100), Grant)


def test_how_long_everybody_is_held() -> None:
    now = 100.0
    limiter = Limiter(Limits(), lambda: now)
    assert limiter.held == 0
    limiter.refused(Refusal("rpm", 10, 5.0))
    assert limiter.held == 5
    now = 200.0
    assert limiter.held == 0


def test_when_the_day_is_used_up_it_is_said_at_once() -> None:
    async def main() -> None:
        limiter = Limiter(Limits(tpd=100))
        await limiter.acquire(80)
        with pytest.raises(UsedUpError, match="100 tokens per day"):
            await limiter.acquire(30)
        await limiter.acquire(20)

    run(main())


def test_what_the_service_refused_is_not_counted() -> None:
    state = begin(Limits(rpm=2, tpm=100, tpd=100))
    verdict = decide(state, 0.0, 60)
    assert isinstance(verdict, Grant)
    entry = verdict.state.started[-1]
    state = refused(release(verdict.state), 0.5, Refusal("concurrency", None, 1.0), entry)
    for now in (2.0, 3.0):
        verdict = decide(state, now, 50)
        assert isinstance(verdict, Grant)
        state = release(verdict.state)
    assert isinstance(decide(state, 4.0, 1), Spent)


def test_after_a_limit_that_was_known_fewer_go_on_and_after_news_the_window_is_right() -> None:
    known = begin(Limits(concurrency=64, rpm=600))
    assert refused(known, 0.0, Refusal("rpm", 600, 1.0)).at_once == 32
    news = refused(known, 0.0, Refusal("rpm", 100, 1.0))
    assert (news.at_once, news.limits.rpm) == (64, 100)


def test_more_than_a_few_hundred_at_once_where_somebody_says_so() -> None:
    state = replace(begin(Limits(concurrency=500)), in_flight=400)
    for _ in range(1_000):
        state = answered(state, 0.0)
    assert state.at_once == 500
