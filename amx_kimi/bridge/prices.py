"""Prices of Kimi's models in AMX, from our facts; prices of other models stay AMX's own."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from amx_kimi.facts import ModelRow, load_catalog, model_key

__all__ = ["listing", "lookup"]

_SOURCE = "amx-kimi"


def lookup(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`lookup_price`: AMX's answer if it has one (such as a user's own price), else ours."""
    found = original(*args, **kwargs)
    if getattr(found, "source", "unknown") == "user_override":
        return found
    provider = str(kwargs.get("provider") or "").lower()
    model = str(kwargs.get("model") or "")
    catalog = load_catalog()
    if provider not in ("kimi", "") or not catalog.knows(model):
        return found
    row = catalog.model(model_key(model))
    prices = row.prices.get("USD")
    if prices is None:
        return found
    return type(found)(float(prices.miss), float(prices.output), _SOURCE, _read_at(row))


def listing(original: Callable[..., list[Any]]) -> list[Any]:
    """`list_all_models`, with Kimi's models, for Studio's Pricing page: "Provider" shows which are
    retired, and "Fetched" the age of the price."""
    from amx.llm.pricing import ModelCatalogEntry

    ours = {row.id: row for row in load_catalog().models if "USD" in row.prices}
    kept = [entry for entry in original() if entry.model_id not in ours]
    added = [
        ModelCatalogEntry(
            *(row.id, f"kimi, retired {row.retired_on}" if row.retired_on else "kimi"),
            *(float(row.prices["USD"].miss), float(row.prices["USD"].output)),
            *(_SOURCE, _read_at(row)),
        )
        for row in ours.values()
    ]
    return sorted([*kept, *added], key=lambda entry: entry.model_id)


def _read_at(row: ModelRow) -> float | None:
    """When our table's row was read from its source, in seconds since 1970."""
    day = row.date
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() if day else None
