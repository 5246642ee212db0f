"""What people decided about suggestions: rows are only added, and the latest of an item holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Connection, func, insert, select

from amx_kimi.journal.runs import now
from amx_kimi.journal.schema import columns, decisions, suggestions

__all__ = ["ACTIONS", "Action", "Decided", "Decision", "carry_over", "decide", "holds", "progress"]

Action = Literal["accept", "edit", "reject", "open"]
ACTIONS: tuple[Action, ...] = ("accept", "edit", "reject", "open")


@dataclass(frozen=True)
class Decision:
    """What a person decided about one item: `text` is what is to stand in the catalog, None after a
    rejection."""

    action: Action
    text: str | None
    by: str
    at: str


@dataclass(frozen=True)
class Decided:
    """A decision that is about to be kept, for the item with this id in the journal; `by` and `at`
    are those of an earlier one that is restored."""

    id: int
    action: Action
    text: str | None = None
    by: str | None = None
    at: str | None = None


def decide(connection: Connection, rows: Sequence[Decided], by: str) -> None:
    """Keep decisions, with who and when."""
    when = now()
    if rows:
        connection.execute(
            insert(decisions),
            [
                {
                    "column_id": row.id,
                    "action": row.action,
                    "text": row.text,
                    "decided_by": row.by or by,
                    "decided_at": row.at or when,
                }
                for row in rows
            ],
        )


def holds(item: ColumnElement[int]) -> ColumnElement[bool]:
    """For a join with `decisions`: the row is the one that holds for this item."""
    newer = decisions.alias()
    # A look-up for each item: joined with a grouped subquery, SQLite forgot its index.
    newest = select(func.max(newer.c.id)).where(newer.c.column_id == item).scalar_subquery()
    return decisions.c.id == newest


def decision_of(row: Any) -> Decision | None:
    """The decision in a row that was joined with `decisions`."""
    if row.action in (None, "open"):
        return None
    return Decision(cast(Action, row.action), row.text, row.decided_by, row.decided_at)


def progress(connection: Connection, run: str) -> Mapping[str, int]:
    """How many items of a run have a suggestion, and how many were decided, by action."""
    what = func.coalesce(decisions.c.action, "open")
    query = (
        select(what.label("what"), func.count().label("items"))
        .select_from(columns)
        .join(suggestions, suggestions.c.column_id == columns.c.id)
        .outerjoin(decisions, holds(columns.c.id))
        .where(columns.c.run_id == run)
        .group_by(what)
    )
    counts = {row.what: int(row.items) for row in connection.execute(query)}
    return {action: counts.get(action, 0) for action in ACTIONS}


def carry_over(connection: Connection, run: str) -> None:
    """A reused suggestion brings the decision along that was last made about it, with who and
    when."""
    newest = (
        select(suggestions.c.reuse_key, func.max(decisions.c.id).label("id"))
        .join(decisions, decisions.c.column_id == suggestions.c.column_id)
        .group_by(suggestions.c.reuse_key)
        .subquery()
    )
    already = decisions.alias()
    copied = ("action", "text", "decided_by", "decided_at")
    found = (
        select(columns.c.id, *(decisions.c[name] for name in copied))
        .join(suggestions, suggestions.c.column_id == columns.c.id)
        .join(newest, newest.c.reuse_key == suggestions.c.reuse_key)
        .join(decisions, decisions.c.id == newest.c.id)
        .outerjoin(already, already.c.column_id == columns.c.id)
        .where(
            columns.c.run_id == run,
            columns.c.status.in_(("reused", "unchanged")),
            already.c.id.is_(None),
        )
    )
    connection.execute(insert(decisions).from_select(("column_id", *copied), found))
