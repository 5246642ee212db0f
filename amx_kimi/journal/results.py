"""What came of a run's items, for whoever reads it: the inventory, what was suggested, and what
people decided about it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select

from amx_kimi.journal.decisions import Decision, decision_of, holds
from amx_kimi.journal.items import item_of
from amx_kimi.journal.schema import columns, decisions, suggestions
from amx_kimi.types import Confidence, Item, Suggestion

__all__ = ["Described", "described", "described_items", "described_table"]


@dataclass(frozen=True)
class Described:
    """An item with what came of it: `suggestion` is None while there is none, and `decision` while
    nobody decided; `id` is its id in the journal."""

    item: Item
    status: str
    error: str | None
    facts: Mapping[str, Any]
    suggestion: Suggestion | None
    model: str | None
    decision: Decision | None = None
    id: int = 0

    @property
    def answer(self) -> Suggestion:
        """The suggestion, of an item that has one.

        Raises:
            LookupError: it has none.
        """
        if self.suggestion is None:
            raise LookupError(f"{self.item.name} has no suggestion")
        return self.suggestion

    @property
    def text(self) -> str | None:
        """What a person let stand, or else the best wording; None: there is none, or it was
        rejected."""
        if self.decision:
            return self.decision.text
        return self.suggestion.alternatives[0] if self.suggestion else None


def described(connection: Connection, run: str) -> Iterator[Described]:
    """Every item of a run, in the database's order: each table, then its columns."""
    return _described(connection, run)


def described_table(connection: Connection, run: str, schema: str, table: str) -> list[Described]:
    """One table of a run, and its columns."""
    place = (columns.c.schema_name == schema, columns.c.table_name == table)
    return list(_described(connection, run, *place))


def described_items(connection: Connection, run: str, ids: Sequence[int]) -> list[Described]:
    """The items of a run with these ids in the journal."""
    return list(_described(connection, run, columns.c.id.in_(ids)))


def _described(
    connection: Connection, run: str, *where: ColumnElement[bool]
) -> Iterator[Described]:
    query = (
        select(columns, suggestions, decisions)
        .outerjoin(suggestions, suggestions.c.column_id == columns.c.id)
        .outerjoin(decisions, holds(columns.c.id))
        .where(columns.c.run_id == run, *where)
        .order_by(columns.c.id)
    )
    with connection.execute(query) as rows:
        for row in rows:
            yield Described(
                item=item_of(row),
                status=row.status,
                error=row.error,
                facts=json.loads(row.facts) if row.facts else {},
                suggestion=_suggestion(row) if row.alternatives else None,
                model=row.model,
                decision=decision_of(row),
                id=row.id,
            )


def _suggestion(row: Row[Any]) -> Suggestion:
    confidence: Confidence = row.confidence
    return Suggestion(tuple(json.loads(row.alternatives)), confidence, row.signal, row.score)
