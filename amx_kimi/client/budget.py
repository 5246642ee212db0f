"""The budget: money is reserved before every attempt, and settled after it."""

import asyncio
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from amx_kimi.arguments import refused
from amx_kimi.conceal import shown
from amx_kimi.errors import BudgetError
from amx_kimi.facts import Facts, cost
from amx_kimi.policy import RequestPlan
from amx_kimi.types import Usage

__all__ = ["Budget", "cap_of", "worst_case"]

_ZERO = Decimal(0)


def cap_of(max_cost: Decimal | float | str | None) -> Decimal | None:
    """The cap that a caller gives.

    Raises:
        ConfigError: it is not a positive amount.
    """
    if max_cost is None:
        return None
    try:
        cap = Decimal(str(max_cost))
    except InvalidOperation:
        cap = _ZERO
    if not (cap.is_finite() and cap > 0):
        said = f"max_cost is {shown(max_cost)}, but must be a positive amount, such as 5.00"
        raise refused(said, "max_cost")
    return cap


class Budget:
    """What was spent and what is reserved, with an optional cap, in the endpoint's currency.

    For a resumed run, `spent` starts at what the journal says. `waiting` is how many requests wait
    for others because of the cap; `held` says whether any ever did. For one event loop only.
    """

    def __init__(
        self, cap: Decimal | None = None, spent: Decimal = _ZERO, *, currency: str | None = None
    ) -> None:
        self.cap = cap
        self.spent = spent
        self.reserved = _ZERO
        self.currency = currency
        self.held = False
        self.waiting = 0
        self.on_wait: Callable[[], None] = lambda: None
        self._changed = asyncio.Condition()

    async def reserve(self, worst: Decimal | None) -> Decimal:
        """Reserve the worst case of one attempt; waits while other reservations may be released.

        Raises:
            BudgetError: it does not fit under the cap, or there is a cap but no price.
        """
        if self.cap is None:
            amount = worst or _ZERO
            self.reserved += amount
            return amount
        if worst is None:
            raise BudgetError(
                "A cost cap is set, but the price of this model at this endpoint is unknown",
                remedy="Give the profile custom_input_cost_per_mtok and "
                "custom_output_cost_per_mtok.",
            )
        async with self._changed:
            while self.spent + self.reserved + worst > self.cap:
                if not self.reserved:
                    raise self._too_much(worst, self.cap)
                self.held = True
                self.waiting += 1
                self.on_wait()
                try:
                    await self._changed.wait()
                finally:
                    self.waiting -= 1
            self.reserved += worst
        return worst

    def _too_much(self, worst: Decimal, cap: Decimal) -> BudgetError:
        left = max(cap - self.spent, _ZERO)
        most, rest, whole = (self._in_words(amount) for amount in (worst, left, cap))
        return BudgetError(
            f"The next request may cost up to {most}, but of the cap of {whole}, {rest} is left",
            remedy="Continue with a higher cap (max_cost).",
        )

    def _in_words(self, amount: Decimal) -> str:
        """An amount with four decimals, or two digits of a smaller one."""
        is_small = 0 < amount < Decimal("0.001")
        figure = f"{Decimal(f'{amount:.2g}'):f}" if is_small else f"{amount:.4f}"
        return f"{figure} {self.currency}" if self.currency else figure

    async def settle(self, reservation: Decimal, actual: Decimal | None) -> None:
        """Release a reservation and book what the attempt cost; None means unknown: all of it."""
        self.reserved -= reservation
        self.spent += reservation if actual is None else actual
        if self.cap is not None:
            async with self._changed:
                self._changed.notify_all()


def worst_case(request: RequestPlan, facts: Facts) -> Decimal | None:
    """The most that a request may cost, in the endpoint's currency; None without a price."""
    # Our count of the prompt may be up to 10% too low.
    prompt = request.ask.prompt_tokens + request.ask.prompt_tokens // 10
    bounded = "max_tokens" in request.body or "max_completion_tokens" in request.body
    most = request.budget if bounded else max(request.budget, facts.model.context - prompt)
    return cost(Usage(prompt=prompt, completion=most, cache_write=prompt), facts.prices)
