"""One model at one endpoint: the table's rows, the endpoint's habits, and what was learned."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from amx_kimi.facts.catalog import Catalog, load_catalog
from amx_kimi.facts.rows import EndpointRow, ModelRow, Prices
from amx_kimi.types import Usage

__all__ = ["HABITS", "Facts", "Quirk", "cost", "resolve"]

HABITS = {
    "context": "the model's context here, in tokens",
    "max_output": "the largest output budget here, in tokens",
    "prompt": "the longest prompt here, in tokens; longer ones were refused",
    "api_base": "where the API answers",
    "[DONE]": "streams end without it here",
    "content": "the field in which answers come here",
    "contract": "this model answers in our format",
}
"""What may be learned about an endpoint, beside refused parameters; in words for people."""


@dataclass(frozen=True)
class Quirk:
    """What a 400 taught about one parameter of a request: omit it, or use this value.

    `parameter` is the body's key, or one of `HABITS`: `context` is the model's real context in
    tokens, `prompt` the longest prompt that the endpoint takes.
    """

    parameter: str
    action: Literal["drop", "set"]
    value: Any = None
    learned_on: date | None = None


@dataclass(frozen=True)
class Facts:
    """Everything that policy and budget need. `known` is False for an id without its own row."""

    model: ModelRow
    endpoint: EndpointRow
    known: bool
    prices: Prices | None
    quirks: Mapping[str, Quirk] = field(default_factory=dict)

    @property
    def wire_model(self) -> str:
        """The model id as this endpoint spells it."""
        return self.endpoint.model_prefix + self.model.id

    @property
    def currency(self) -> str | None:
        """The currency of costs; None if there is no price."""
        return (self.endpoint.currency or "USD") if self.prices else None

    def with_quirk(self, quirk: Quirk) -> "Facts":
        """A copy that knows one more quirk; a context or thinking switch changes the model row."""
        model = self.model
        if quirk.parameter == "context" and isinstance(quirk.value, int):
            model = replace(model, context=quirk.value)
        switch = quirk.parameter in ("thinking", "reasoning") and quirk.action == "drop"
        if switch and model.thinking == "optional":  # it can't be switched off here
            model = replace(model, thinking="always")
        return replace(self, model=model, quirks={**self.quirks, quirk.parameter: quirk})


def resolve(
    model: str,
    endpoint: EndpointRow,
    learned: tuple[Quirk, ...] = (),
    *,
    prices: Prices | None = None,
    catalog: Catalog | None = None,
) -> Facts:
    """The facts of `model` at `endpoint`.

    An unknown id gets its family's row, or the cautious default. At a self-hosted endpoint or a
    gateway, the id stays as given. `prices` (a profile's own) take precedence over the table's.
    """
    catalog = catalog or load_catalog()
    row = catalog.model(model)
    if not endpoint.own and not endpoint.model_prefix:
        row = replace(row, id=model.strip().removeprefix("kimi/"))
    elif not endpoint.own:
        row = replace(row, id=row.id + _variant(model))
    if endpoint.effort:
        values = row.effort.values or ("low", "medium", "high")
        row = replace(row, effort=replace(row.effort, dialect=endpoint.effort, values=values))
    if not endpoint.json_mode:
        row = replace(row, json_mode=False)
    facts = Facts(
        model=row,
        endpoint=endpoint,
        known=catalog.knows(model),
        prices=prices or row.prices.get(endpoint.currency),
    )
    for quirk in learned:
        facts = facts.with_quirk(quirk)
    return facts


def _variant(model: str) -> str:
    """A gateway's `:free` or `:nitro`: another price and other machines behind the same model."""
    name = model.strip().lower().rpartition("/")[2]
    return "".join(name.partition(":")[1:])


def cost(usage: Usage, prices: Prices | None) -> Decimal | None:
    """What `usage` costs in the prices' currency; None if the price or the usage is unknown.

    Cache writes are billed at the 5-minute price, the default of `prompt_cache_options`.
    """
    if prices is None or not usage.known:
        return None
    miss = max(0, usage.prompt - usage.cached)
    written = usage.cache_write * (prices.write_5m - prices.miss if prices.write_5m else 0)
    prompt = usage.cached * prices.hit + miss * prices.miss
    total = prompt + usage.completion * prices.output
    return (total + written) / 1_000_000
