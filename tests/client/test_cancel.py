"""A question that is dropped leaves nothing behind: no place, no reservation, no open row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from amx_kimi.client import KimiClient, Limits
from amx_kimi.sandbox import Sandbox

from .helpers import KEY, Memory, ask, chat, profile, until_async, with_client

Start = Callable[..., Sandbox]


def clean(client: KimiClient) -> bool:
    state = client._limiter.state
    return not (state.in_flight or client._limiter._queue or client.budget.reserved)


def test_while_it_is_under_way(start_sandbox: Start) -> None:
    sandbox = start_sandbox(latency=30.0)
    memory = Memory()

    async def use(client: KimiClient) -> None:
        client.record_with(memory, "r1")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.chat, ask(label="orders"))
            await until_async(lambda: sandbox.totals.peak)
            tasks.cancel_scope.cancel()
        assert clean(client)
        assert client.budget.spent == memory.begun[0]["worst"]

    with_client(profile(sandbox.url), use)
    assert memory.begun[0]["label"] == "orders"
    assert memory.settled[1].outcome == "Cancelled"
    assert memory.settled[1].cost is None
    assert memory.settled[1].seconds > 0


def test_by_asyncios_own_cancel(start_sandbox: Start) -> None:
    sandbox = start_sandbox(latency=30.0)
    memory = Memory()

    async def use(client: KimiClient) -> None:
        client.record_with(memory, "r1")
        task = asyncio.create_task(client.chat(ask()))
        await until_async(lambda: sandbox.totals.peak)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert clean(client)

    with_client(profile(sandbox.url), use)
    assert memory.settled[1].outcome == "Cancelled"


def test_while_it_waits_for_its_turn(start_sandbox: Start) -> None:
    sandbox = start_sandbox(latency=30.0)
    memory = Memory()

    async def use(client: KimiClient) -> None:
        client.record_with(memory, "r1")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.chat, ask())
            await until_async(lambda: sandbox.totals.peak)
            async with anyio.create_task_group() as second:
                second.start_soon(client.chat, ask())
                await until_async(lambda: client._limiter._queue)
                second.cancel_scope.cancel()
            assert not client._limiter._queue
            assert client.requests == 1
            assert client.budget.reserved == memory.begun[0]["worst"]
            assert client.budget.spent == 0
            tasks.cancel_scope.cancel()
        assert clean(client)

    with_client(profile(sandbox.url), use, limits=Limits(concurrency=1))
    assert len(memory.begun) == len(memory.settled) == 1


def test_while_its_row_is_written(start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    started, go_on = anyio.Event(), anyio.Event()

    class Slow(Memory):
        async def begin(self, *args: Any, **sent: Any) -> int:
            started.set()
            await go_on.wait()
            return await super().begin(*args, **sent)

    memory = Slow()

    async def use(client: KimiClient) -> None:
        client.record_with(memory, "r1")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.chat, ask())
            await started.wait()
            tasks.cancel_scope.cancel()
            go_on.set()
        assert clean(client)
        assert client.budget.spent == 0

    with_client(profile(sandbox.url), use)
    assert memory.settled[1].outcome == "Cancelled"
    assert memory.settled[1].cost == 0
    assert sandbox.chats == []


def test_during_a_pause_between_tries(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="500@1-")

    async def use(client: KimiClient) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.chat, ask())
            await until_async(lambda: sandbox.chats)
            tasks.cancel_scope.cancel()
        assert clean(client)

    with_client(profile(sandbox.url), use, backoff=30.0)
    assert len(sandbox.chats) == 1


def test_a_row_that_cannot_be_written_stops_the_request(start_sandbox: Start) -> None:
    sandbox = start_sandbox()

    class Broken(Memory):
        async def begin(self, *_: Any, **__: Any) -> int:
            raise OSError("disk full")

    async def use(client: KimiClient) -> None:
        client.record_with(Broken(), "r1")
        with pytest.raises(OSError, match="disk full"):
            await client.chat(ask())
        assert clean(client)
        assert client.budget.spent == 0

    with_client(profile(sandbox.url), use)
    assert sandbox.chats == []


def test_the_clients_limits_are_kept_at_the_service(start_sandbox: Start) -> None:
    sandbox = start_sandbox(concurrency=3, latency=0.02)

    async def use(client: KimiClient) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(12):
                tasks.start_soon(client.chat, ask())

    with_client(profile(sandbox.url), use, limits=Limits(concurrency=3))
    assert sandbox.totals.rejected == 0
    assert sandbox.totals.answered == 12
    assert sandbox.totals.peak == 3


def test_figures_of_the_row_say_what_is_sent(start_sandbox: Start) -> None:
    memory = Memory()

    async def use(client: KimiClient) -> None:
        client.record_with(memory, "r1")
        await client.chat(ask(label="x", prompt_tokens=1000))

    with_client(profile(start_sandbox().url), use)
    [begun] = memory.begun
    worst = begun.pop("worst")
    assert begun == {
        "label": "x",
        "model": "kimi-k2-thinking",
        "budget": 32_768,
        "reason": "first",
    }
    assert float(worst) == pytest.approx((1100 * 0.6 + 32_768 * 2.5) / 1e6)


def test_keys_are_not_shown_by_the_client(start_sandbox: Start) -> None:
    async def use(client: KimiClient) -> str:
        return repr(client.key) + repr(client.profile) + repr(vars(client))

    assert KEY not in with_client(profile(start_sandbox().url), use)
    assert chat(profile(start_sandbox().url)).content
