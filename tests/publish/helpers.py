"""A journal with a run in it, as a run leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from amx_kimi.journal import Journal, answers, items, runs
from amx_kimi.types import Item, Suggestion

__all__ = ["journal_with"]


def journal_with(path: Path, found: Sequence[tuple[Item, Suggestion | None]]) -> Journal:
    """A journal whose one run has these items; those without a suggestion have failed."""
    journal = Journal(path)
    fields = {
        **{"source": "sqlite:///x", "database": "sqlite:/x", "profile": "p"},
        **{"model": "kimi-k3", "endpoint": "http://e/v1", "currency": "USD", "options": "{}"},
    }
    run = journal.write_now(lambda connection: runs.begin_run(connection, **fields))
    rows = [(item, f"key {number}", "pending") for number, (item, _) in enumerate(found)]
    journal.write_now(items.add_items, run, rows)
    journal.write_now(runs.note_inventory, run)
    pending = journal.read(items.pending, run, 0, 1_000_000)
    said_of = {item.name: said for item, said in found}
    answered = [(one, said_of[one.item.name]) for one in pending]
    journal.write_now(
        answers.save_suggestions,
        "kimi-k3",
        [(one, said) for one, said in answered if said],
        {one.id: {"nulls": 0} for one, _ in answered},
    )
    missing = [one.id for one, said in answered if said is None]
    journal.write_now(items.fail_items, missing, "the model left it out")
    journal.write_now(runs.set_status, run, "complete")
    return journal
