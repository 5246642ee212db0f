"""What people decided about suggestions: rows are only added, and the latest of an item holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Connection, FromClause, and_, exists, func, insert, select

from amx_kimi.journal.runs import now
from amx_kimi.journal.schema import columns, decisions, runs, suggestions

__all__ = [
    "ACTIONS",
    "Action",
    "Decided",
    "Decision",
    "Worded",
    "carry_over",
    "decide",
    "holds",
    "progress",
    "worded_elsewhere",
]

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
    """A decision that is about to be kept, for the item with this id in the journal. `over` is the
    one that it replaces, as whoever decides has seen it (None: the item was open); `by` and `at`
    are those of an earlier one that is restored."""

    id: int
    action: Action
    text: str | None = None
    by: str | None = None
    at: str | None = None
    over: Decision | None = None


@dataclass(frozen=True)
class Worded:
    """A person's own text for the same column (or table) of the same database, in another run."""

    text: str
    by: str
    at: str
    run: str


def decide(
    connection: Connection, rows: Sequence[Decided], by: str
) -> Mapping[int, Decision | None]:
    """Keep decisions, with who and when; returns what holds now, by item, of those that were kept.

    An item about which somebody has decided since `over` is left as it is.
    """
    standing = _standing(connection, [row.id for row in rows])
    when = now()
    kept = {
        row.id: Decision(row.action, row.text, row.by or by, row.at or when)
        for row in rows
        if standing.get(row.id) == row.over
    }
    if kept:
        connection.execute(
            insert(decisions),
            [
                {
                    "column_id": id_,
                    "action": one.action,
                    "text": one.text,
                    "decided_by": one.by,
                    "decided_at": one.at,
                }
                for id_, one in kept.items()
            ],
        )
    return {id_: None if one.action == "open" else one for id_, one in kept.items()}


def _standing(connection: Connection, ids: Sequence[int]) -> dict[int, Decision | None]:
    """What holds of these items now, and until the transaction ends."""
    mine = columns.c.id.in_(ids)
    # PostgreSQL: two at once take turns. SQLite has one writer at a time anyway.
    in_turn = select(columns.c.id).where(mine).order_by(columns.c.id)
    connection.execute(in_turn.with_for_update())
    query = select(decisions).where(decisions.c.column_id.in_(ids), holds(decisions.c.column_id))
    return {row.column_id: decision_of(row) for row in connection.execute(query)}


def worded_elsewhere(connection: Connection, run: str, ids: Sequence[int]) -> Mapping[int, Worded]:
    """Of these items of a run, those for which the last that anybody decided in another run over
    the same database is a text of a person's own."""
    mine, theirs, its_run = columns.alias(), columns.alias(), runs.alias()
    database = select(its_run.c.database).where(its_run.c.id == run).scalar_subquery()
    others = select(runs.c.id).where(runs.c.database == database, runs.c.id != run)
    # As a list: with a join in its place, SQLite read the whole table for each call.
    other_runs = connection.scalars(others).all()
    item = mine.c.id.label("item")
    query = (
        select(item, theirs.c.run_id, decisions)
        .select_from(mine)
        .join(theirs, and_(theirs.c.run_id.in_(other_runs), same_place(mine, theirs)))
        .join(decisions, holds(theirs.c.id))
        .where(mine.c.run_id == run, mine.c.id.in_(ids), decisions.c.action != "open")
        .order_by(decisions.c.id)
    )
    newest = {row.item: row for row in connection.execute(query)}
    return {
        item: Worded(row.text, row.decided_by, row.decided_at, row.run_id)
        for item, row in newest.items()
        if row.action == "edit"
    }


def same_place(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    """Whether two rows of `columns` are the same column, or table, of a database."""
    return and_(
        *(one.c[name] == other.c[name] for name in ("schema_name", "table_name", "column_name"))
    )


def holds(item: ColumnElement[int]) -> ColumnElement[bool]:
    """For a join with `decisions`: the row is the one that holds for this item."""
    newer = decisions.alias()
    # A look-up for each item: joined with a grouped subquery, SQLite forgot its index.
    newest = select(func.max(newer.c.id)).where(newer.c.column_id == item)
    return decisions.c.id == newest.scalar_subquery()


def decision_of(row: Any) -> Decision | None:
    """The decision in a row that was joined with `decisions`."""
    if row.action in (None, "open"):
        return None
    return Decision(cast(Action, row.action), row.text, row.decided_by, row.decided_at)


def progress(connection: Connection, run: str) -> Mapping[str, int]:
    """How many items of a run have a suggestion, and how many were decided, by action."""
    what = func.coalesce(decisions.c.action, "open")
    items = func.count().label("items")
    query = (
        select(what.label("what"), items)
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
    alike, made = suggestions.alias(), decisions.alias()
    # A look-up for each item, as in `holds`.
    newest = (
        select(func.max(made.c.id))
        .join(alike, alike.c.column_id == made.c.column_id)
        .where(alike.c.reuse_key == suggestions.c.reuse_key)
        .scalar_subquery()
    )
    already = exists().where(made.c.column_id == columns.c.id)
    copied = ("action", "text", "decided_by", "decided_at")
    decided = [decisions.c[name] for name in copied]
    found = (
        select(columns.c.id, *decided)
        .join(suggestions, suggestions.c.column_id == columns.c.id)
        .join(decisions, decisions.c.id == newest)
        .where(columns.c.run_id == run, columns.c.status.in_(("reused", "unchanged")), ~already)
    )
    connection.execute(insert(decisions).from_select(("column_id", *copied), found))
