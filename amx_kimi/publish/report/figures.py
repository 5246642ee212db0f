"""What the report says before its tables, counted in one pass over the journal."""

import json
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from amx_kimi.journal.schema import columns, suggestions

__all__ = ["Figures", "figures_of"]

_KINDS = {  # what a prompt may hold of a column, by the contract's words, for people
    "comment": "existing comments",
    "min": "ranges (smallest and largest value)",
    "max": "ranges (smallest and largest value)",
    "samples": "frequent values, or shapes of values",
    "keys": "keys of documents",
    "nulls": "how many values are missing",
    "distinct": "how many different values there are",
    "values": "values of enums",
    "check": "check constraints",
    "generated": "generated expressions",
    "existing": "descriptions that dbt has",
    "from": "columns that it is made of",
}
_NAMES = "names, types and keys"


@dataclass
class Figures:
    """Counts of columns: by `confidence`, by `status`, of what was `sent` by kind, of errors; the
    names of the tables; and how many columns were `asked` about."""

    confidence: Counter[str] = field(default_factory=Counter)
    status: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    tables: list[str] = field(default_factory=list)
    asked: int = 0


def figures_of(connection: Connection, run: str) -> Figures:
    """Count a run's items."""
    found, last = Figures(), None
    query = (
        select(
            columns.c.schema_name,
            columns.c.table_name,
            columns.c.column_name,
            columns.c.status,
            columns.c.facts,
            columns.c.error,
            columns.c.comment,
            suggestions.c.confidence,
        )
        .outerjoin(suggestions, suggestions.c.column_id == columns.c.id)
        .where(columns.c.run_id == run)
        .order_by(columns.c.id)
    )
    with connection.execute(query) as rows:
        for row in rows:
            if (place := (row.schema_name, row.table_name)) != last:
                last = place
                found.tables.append(".".join(filter(None, place)))
            if not row.column_name:
                continue
            found.status[row.status] += 1
            if row.confidence:
                found.confidence[row.confidence] += 1
            if row.error:
                found.errors[row.error] += 1
            if row.status in ("described", "failed"):
                found.asked += 1
                found.sent.update(_sent(row.facts, row.comment))
    return found


def _sent(facts: str | None, comment: str) -> set[str]:
    known = json.loads(facts) if facts else {}
    kinds = {_KINDS[key] for key in known if key in _KINDS}
    return kinds | {_NAMES} | ({_KINDS["comment"]} if comment else set())
