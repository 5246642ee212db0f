"""What a run may cost: a cap, a forecast, and somebody who agrees to it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from amx_kimi.annotate.pack import Packer
from amx_kimi.facts import Prices, cost
from amx_kimi.types import Usage

if TYPE_CHECKING:
    from amx_kimi.annotate.run import Estimate

__all__ = ["Forecast", "Spend", "forecast", "range_of"]

_PROMPT_BASE = 800  # tokens: the system message and a table
_PROMPT_PER_ITEM = 40
_LEAST, _MOST = 0.5, 2.0  # how far thinking and answers may be from what is expected


@dataclass(frozen=True)
class Forecast:
    """An estimate before anything is sent: the items to ask about, requests, and the cost that is
    expected, from `least` to `most`, in the endpoint's currency (None: no price is known)."""

    items: int
    requests: int
    cost: Decimal | None
    least: Decimal | None
    most: Decimal | None


@dataclass(frozen=True)
class Spend:
    """`cap` is never passed, in the endpoint's currency. `agree` is asked before the first request
    where the estimate is above `free`, and may raise instead of saying no."""

    cap: Decimal | None = None
    agree: "Callable[[Estimate], bool] | None" = None
    free: Decimal = Decimal(0)


def forecast(packer: Packer, items: int, prices: Prices | None) -> Forecast:
    """What asking about so many items is expected to take; statistics are not looked at."""
    requests, output = packer.expected(items)
    prompt = requests * _PROMPT_BASE + items * _PROMPT_PER_ITEM
    least, most = range_of(prompt, output, prices)
    expected = cost(Usage(prompt=prompt, completion=output), prices)
    return Forecast(items, requests, expected, least, most)


def range_of(
    prompt: int, completion: int, prices: Prices | None
) -> tuple[Decimal | None, Decimal | None]:
    """The cost of so many tokens, from half to twice the completion that is expected."""

    def at(factor: float) -> Decimal | None:
        return cost(Usage(prompt=prompt, completion=math.ceil(completion * factor)), prices)

    return at(_LEAST), at(_MOST)
