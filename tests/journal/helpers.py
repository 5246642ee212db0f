"""Rows to journal."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio

from amx_kimi.journal import Described, Journal, Stored, answers, items, results, runs
from amx_kimi.types import Attempt, Item, Suggestion, Usage


async def until_async(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until `condition` holds."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 -- it is another thread's
            await anyio.sleep(0.002)


def begin(journal: Journal, **fields: Any) -> str:
    """A new run; returns its id."""
    standard = {"source": "sqlite:///x.db", "database": "x", "profile": "p", "model": "m"}
    more = {"endpoint": "e", "currency": "USD", "options": "{}"}
    return journal.write_now(runs.begin_run, **{**standard, **more, **fields})


def column(name: str, position: int = 1, table: str = "orders", **fields: Any) -> Item:
    return Item("public", table, name, "column", position, **{"type": "TEXT", **fields})


def add(
    journal: Journal, run: str, *found: Item, status: str = "pending", salt: str = ""
) -> list[Stored]:
    """Journal items under reuse keys made of their names; returns those that are pending."""
    rows = [(item, f"key-{salt}{item.name}", status) for item in found]
    journal.write_now(items.add_items, run, rows)
    return journal.read(items.pending, run, 0, 10_000)


def columns(count: int, table: str = "orders") -> list[Item]:
    return [column(f"c{n}", n, table) for n in range(1, count + 1)]


def save(journal: Journal, *stored: Stored, text: str = "A text", **facts: Any) -> None:
    """A suggestion for each."""
    found = [(one, Suggestion((f"{text} {one.item.column}",), "high")) for one in stored]
    journal.write_now(answers.save_suggestions, "kimi-k3", found, {s.id: facts for s in stored})


def all_of(journal: Journal, run: str) -> dict[str, Described]:
    return {one.item.name: one for one in journal.stream(results.described, run)}


def states(journal: Journal, run: str) -> dict[str, str]:
    return {name: one.status for name, one in all_of(journal, run).items()}


def request(
    journal: Journal, run: str, worst: Decimal | None = Decimal("0.5"), reason: str = "first"
) -> int:
    fields = {"label": "x", "model": "m", "budget": 9, "reason": reason}
    return journal.write_now(runs.begin_request, run, worst, fields)


def attempt(cost: Decimal | None, usage: Usage | None = None, outcome: str = "ok") -> Attempt:
    return Attempt(1, "first", 9, outcome, usage or Usage(100, 10, 20, 5), cost, 1.5)
