"""The cost cap: reserved before, settled after, never passed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amx_kimi.client import Budget
from amx_kimi.client.budget import cap_of
from amx_kimi.errors import BudgetError, ConfigError
from amx_kimi.facts import Prices, Quirk
from amx_kimi.sandbox import Sandbox

from .helpers import Memory, ask, chat, profile, until_async, with_client

D = Decimal


@pytest.mark.parametrize("said", ["0.01", 0.01, D("0.01"), 5])
def test_a_cap_is_any_positive_amount(said: Decimal | float | str) -> None:
    assert cap_of(said) == D(str(said))


@pytest.mark.parametrize("said", ["0", 0.0, -1, "-0.01", "inf", float("nan"), "five", ""])
def test_what_is_no_positive_amount_is_no_cap(said: float | str) -> None:
    with pytest.raises(ConfigError, match="must be a positive amount"):
        cap_of(said)


def test_without_a_cap_everything_is_booked() -> None:
    async def main() -> None:
        budget = Budget(spent=D(1))
        assert await budget.reserve(None) == 0
        amount = await budget.reserve(D("0.5"))
        assert (budget.reserved, amount) == (D("0.5"), D("0.5"))
        await budget.settle(amount, None)
        await budget.settle(D(0), D("0.25"))
        assert (budget.spent, budget.reserved) == (D("1.75"), D(0))

    asyncio.run(main())


def test_a_cap_without_a_price_is_refused() -> None:
    with pytest.raises(BudgetError, match="price") as caught:
        asyncio.run(Budget(D(1)).reserve(None))
    assert "custom_input_cost_per_mtok" in caught.value.remedy


def test_what_does_not_fit_is_refused_in_figures() -> None:
    async def main() -> None:
        budget = Budget(D(1), spent=D("0.9"))
        await budget.settle(await budget.reserve(D("0.1")), D("0.1"))
        await budget.reserve(D("0.01"))

    with pytest.raises(
        BudgetError, match=r"up to 0\.0100, but of the cap of 1\.0000, 0\.0000 is left"
    ):
        asyncio.run(main())


def test_it_waits_while_a_reservation_may_come_back() -> None:
    async def main() -> None:
        budget = Budget(D(1))
        first = await budget.reserve(D("0.8"))
        assert (budget.waiting, budget.held) == (0, False)
        second = asyncio.create_task(budget.reserve(D("0.8")))
        third = asyncio.create_task(budget.reserve(D("0.8")))
        await until_async(lambda: len(budget._changed._waiters) == 2)
        assert (budget.waiting, budget.held) == (2, True)
        await budget.settle(first, D("0.1"))
        await until_async(second.done)
        assert not third.done()
        await budget.settle(await second, None)
        with pytest.raises(BudgetError):
            await third
        assert (budget.spent, budget.reserved) == (D("0.9"), D(0))
        assert budget.waiting == 0

    asyncio.run(main())


def test_a_waiter_that_is_cancelled_reserves_nothing() -> None:
    async def main() -> None:
        budget = Budget(D(1))
        first = await budget.reserve(D(1))
        waiting = asyncio.create_task(budget.reserve(D(1)))
        await until_async(lambda: budget._changed._waiters)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await budget.settle(first, D(0))
        assert await budget.reserve(D(1)) == 1

    asyncio.run(main())


CENTS = st.integers(0, 100).map(lambda n: D(n) / 100)


@settings(max_examples=60, deadline=None)
@given(
    cap=CENTS,
    jobs=st.lists(st.tuples(CENTS, CENTS | st.none(), st.integers(0, 3)), max_size=20),
)
def test_many_at_once_never_pass_the_cap(
    cap: Decimal, jobs: list[tuple[Decimal, Decimal | None, int]]
) -> None:
    async def main() -> None:
        budget = Budget(cap)
        booked = D(0)

        async def job(worst: Decimal, actual: Decimal | None, turns: int) -> None:
            nonlocal booked
            try:
                reservation = await budget.reserve(worst)
            except BudgetError:
                return
            for _ in range(turns):
                assert budget.spent + budget.reserved <= cap
                await asyncio.sleep(0)
            cost = None if actual is None else min(actual, worst)
            booked += worst if cost is None else cost
            await budget.settle(reservation, cost)

        await asyncio.wait_for(asyncio.gather(*(job(*one) for one in jobs)), 10)
        assert (budget.spent, budget.reserved) == (booked, D(0))
        assert budget.spent <= cap

    asyncio.run(main())


def test_a_client_stops_at_its_cap(start_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = start_sandbox()
    budget = Budget(D("0.09"))  # a 32,768 budget may cost 0.082

    async def until_spent(client: Any) -> int:
        for answered in range(1000):
            try:
                await client.chat(ask())
            except BudgetError:
                return answered
        return -1

    answered = with_client(profile(sandbox.url), until_spent, budget=budget)
    assert answered > 5
    assert budget.spent == sandbox.totals.cost <= D("0.09")
    assert sandbox.totals.requests == answered


def test_retries_draw_on_the_cap_too(start_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = start_sandbox(faults="reset-between@1-")
    memory = Memory()

    async def use(client: Any) -> None:
        client.record_with(memory, "r1")
        await client.chat(ask())

    with pytest.raises(BudgetError):
        with_client(profile(sandbox.url), use, budget=Budget(D("0.2")))
    assert len(memory.settled) == len(sandbox.chats) == 2


def test_a_price_is_needed_for_a_cap(start_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = start_sandbox(extra_models=("mine",))
    with pytest.raises(BudgetError, match="unknown"):
        chat(profile(sandbox.url, "mine"), budget=Budget(D(1)))
    assert sandbox.chats == []


@pytest.mark.parametrize(
    ("prices", "learned", "worst"),
    [
        # A prompt of 1,005 tokens counts as 1,105, whether it is stored in the cache or not.
        ((1, 10, 1_000), (), "32.77905"),
        ((1, 10, 1_000, 12), (), "32.78126"),
        # Where no maximum is sent, the answer may fill the context: 262,144 tokens.
        ((1, 10, 1_000, 12), ("max_tokens", "max_completion_tokens"), "261.05226"),
    ],
)
def test_what_a_request_may_cost_is_set_aside_with_a_margin(
    start_sandbox: Callable[..., Sandbox],
    prices: tuple[int, ...],
    learned: tuple[str, ...],
    worst: str,
) -> None:
    sandbox = start_sandbox()
    memory = Memory()

    async def use(client: Any) -> None:
        client.facts = replace(client.facts, prices=Prices(*map(D, prices)))
        client.learn(*(Quirk(name, "drop") for name in learned))
        client.record_with(memory, "r1")
        await client.chat(ask(prompt_tokens=1_005))

    with_client(profile(sandbox.url), use, budget=Budget(D(worst)))
    assert memory.begun[0]["worst"] == D(worst)
    with pytest.raises(BudgetError, match="may cost up to"):
        with_client(profile(sandbox.url), use, budget=Budget(D(worst) - D("0.00001")))
    assert len(sandbox.chats) == 1
