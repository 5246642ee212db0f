"""AMX's prices for Kimi's models, from our facts; every other model's stay AMX's own."""

from collections.abc import Callable
from typing import Any

from amx_kimi.facts import load_catalog, model_key

__all__ = ["listing", "lookup"]

_SOURCE = "amx-kimi"


def lookup(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`lookup_price`: AMX's answer where it has one (a user's own price comes first), else ours."""
    found = original(*args, **kwargs)
    if getattr(found, "source", "unknown") == "user_override":
        return found
    provider = str(kwargs.get("provider") or "").lower()
    model = str(kwargs.get("model") or "")
    catalog = load_catalog()
    if provider not in ("kimi", "") or not catalog.knows(model):
        return found
    prices = catalog.model(model_key(model)).prices.get("USD")
    if prices is None:
        return found
    return type(found)(float(prices.miss), float(prices.output), _SOURCE)


def listing(original: Callable[..., list[Any]]) -> list[Any]:
    """`list_all_models`, with Kimi's: Studio's Pricing page shows them."""
    from amx.llm.pricing import ModelCatalogEntry

    entries = original()
    ours = {row.id: row.prices["USD"] for row in load_catalog().models if "USD" in row.prices}
    kept = [entry for entry in entries if entry.model_id not in ours]
    added = [
        ModelCatalogEntry(name, "kimi", float(price.miss), float(price.output), _SOURCE)
        for name, price in ours.items()
    ]
    return sorted([*kept, *added], key=lambda entry: entry.model_id)
