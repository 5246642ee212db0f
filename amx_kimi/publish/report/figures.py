"""The figures at the beginning of the report, counted in one pass over the journal."""

import json
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from amx_kimi.journal.schema import columns, runs, suggestions

__all__ = ["Figures", "figures_of"]

_KINDS = {  # the contract's keys of a column's facts, in words for people
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
    "existing": "descriptions in dbt",
    "from": "columns from which it is made",
}
_NAMES = "names, types and keys"
_REUSED = ("reused", "unchanged")


@dataclass
class Earlier:
    """What an earlier run sent of `columns` that are answered by it here, by kind; `run` is "" for
    one that is not in the journal any more. `imported`: their texts were accepted in AMX."""

    run: str
    started_at: str
    endpoint: str
    imported: bool
    columns: int = 0
    sent: Counter[str] = field(default_factory=Counter)


@dataclass
class Figures:
    """Counts of columns: by `confidence`, by `status`, of what was `sent` by kind, of errors; the
    names of the tables; how many columns were `asked` about; and what `earlier` runs sent of the
    others, newest first."""

    confidence: Counter[str] = field(default_factory=Counter)
    status: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    tables: list[str] = field(default_factory=list)
    asked: int = 0
    earlier: list[Earlier] = field(default_factory=list)


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
    found.earlier = _earlier(connection, run)
    return found


def _earlier(connection: Connection, run: str) -> list[Earlier]:
    """The earlier runs that asked about the columns that this run reuses."""
    first, asked, answer = suggestions.alias(), columns.alias(), suggestions
    query = (
        select(
            *(columns.c.facts, columns.c.comment, answer.c.signal),
            *(runs.c.id, runs.c.started_at, runs.c.endpoint),
            asked.c.facts.label("seen"),
            asked.c.comment.label("its_comment"),
        )
        .join(answer, answer.c.column_id == columns.c.id)
        .outerjoin(first, first.c.id == answer.c.reused_from)
        # One that reused it itself took the place of the first, which is not there any more.
        .outerjoin(asked, (asked.c.id == first.c.column_id) & asked.c.status.not_in(_REUSED))
        .outerjoin(runs, runs.c.id == asked.c.run_id)
        .where(
            *(columns.c.run_id == run, columns.c.column_name != ""),
            columns.c.status.in_(_REUSED),
            answer.c.signal != "inherited",
        )
    )
    found: dict[tuple[str, bool], Earlier] = {}
    with connection.execute(query) as rows:
        for row in rows:
            imported = row.signal == "imported"
            new = Earlier(row.id or "", row.started_at or "", row.endpoint or "", imported)
            told = found.setdefault((new.run, imported), new)
            told.columns += 1
            sent = _sent(row.seen or row.facts, row.its_comment or row.comment)
            told.sent.update(sent)
    return sorted(found.values(), key=lambda told: told.started_at, reverse=True)


def _sent(facts: str | None, comment: str) -> list[str]:
    known = json.loads(facts) if facts else {}
    kinds = {_KINDS[key] for key in known if key in _KINDS}
    return sorted(kinds | {_NAMES} | ({_KINDS["comment"]} if comment else set()))
