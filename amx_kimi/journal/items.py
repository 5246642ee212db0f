"""The inventory and its suggestions, as functions over a connection."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from amx_kimi.journal.decisions import carry_over
from amx_kimi.journal.runs import now
from amx_kimi.journal.schema import columns, suggestions
from amx_kimi.journal.shared import fail_waiting, spread
from amx_kimi.types import Item, Suggestion

__all__ = [
    "Inherited",
    "Stored",
    "add_context",
    "add_items",
    "column_names",
    "columns_of",
    "comment_of",
    "commonest_error",
    "count_items",
    "count_pending",
    "defer_beyond",
    "fail_items",
    "item_of",
    "pending",
    "pending_of",
    "reopen_failed",
    "replace_suggestion",
    "reuse",
    "save_inherited",
    "save_suggestions",
    "set_definition",
    "table_item",
    "table_items",
]


_DESCRIBED = (
    update(columns)
    .where(columns.c.id == bindparam("item"))
    .values(status="described", error=None, facts=bindparam("shown"))
)


_COLUMN_NAMES = (  # built once: asked for each table
    select(columns.c.column_name)
    .where(
        columns.c.run_id == bindparam("run"),
        columns.c.schema_name == bindparam("schema"),
        columns.c.table_name == bindparam("table"),
        columns.c.kind == "column",
    )
    .order_by(columns.c.position)
    .limit(bindparam("most"))
)


@dataclass(frozen=True)
class Stored:
    """An item of a run's inventory, by its id in the journal."""

    id: int
    item: Item
    reuse_key: str


@dataclass(frozen=True)
class Inherited:
    """An item that people described elsewhere: their text, and of which table or column it is."""

    stored: Stored
    text: str
    origin: str


def add_items(connection: Connection, run: str, rows: Sequence[tuple[Item, str, str]]) -> None:
    """Inventory rows: each an item, its reuse key, and its status."""
    connection.execute(
        insert(columns),
        [
            {
                "run_id": run,
                "schema_name": item.schema,
                "table_name": item.table,
                "column_name": item.column,
                "kind": item.kind,
                "position": item.position,
                "type": item.type,
                "nullable": int(item.nullable),
                "key_role": item.key_role,
                "fk": item.fk,
                "comment": item.comment,
                "row_estimate": item.rows,
                "definition": item.definition,
                "details": _json(item.details),
                "reuse_key": key,
                "status": status,
            }
            for item, key, status in rows
        ],
    )


def reuse(connection: Connection, run: str, *, shared: bool = True) -> None:
    """Give pending items the newest suggestion that any run has for the same reuse key; `shared`
    False leaves out what was asked for another column."""
    foreign = ("inherited",) if shared else ("inherited", "shared")
    newest = (
        select(suggestions.c.reuse_key, func.max(suggestions.c.id).label("id"))
        .where(suggestions.c.reused_from.is_(None), suggestions.c.signal.not_in(foreign))
        .group_by(suggestions.c.reuse_key)
        .subquery()
    )
    copied = ("alternatives", "confidence", "signal", "score", "model")
    found = (
        select(
            columns.c.id,
            columns.c.reuse_key,
            *(suggestions.c[name] for name in copied),
            suggestions.c.id,
            literal(now()),
        )
        .join(newest, newest.c.reuse_key == columns.c.reuse_key)
        .join(suggestions, suggestions.c.id == newest.c.id)
        .where(columns.c.run_id == run, columns.c.status == "pending")
        .order_by(columns.c.id)
    )
    target = ("column_id", "reuse_key", *copied, "reused_from", "created_at")
    connection.execute(insert(suggestions).from_select(target, found))
    has_one = exists().where(suggestions.c.column_id == columns.c.id)
    connection.execute(
        update(columns)
        .where(columns.c.run_id == run, columns.c.status == "pending", has_one)
        .values(status="reused")
    )
    carry_over(connection, run)


def defer_beyond(connection: Connection, run: str, limit: int) -> None:
    """Keep the first `limit` pending columns (and tables among them) for this run."""
    is_pending = and_(columns.c.run_id == run, columns.c.status == "pending")
    last = (
        select(columns.c.id)
        .where(is_pending, columns.c.kind == "column")
        .order_by(columns.c.id)
        .offset(limit - 1)
        .limit(1)
    )
    if (boundary := connection.execute(last).scalar()) is not None:
        connection.execute(
            update(columns).where(is_pending, columns.c.id > boundary).values(status="deferred")
        )


def reopen_failed(connection: Connection, run: str) -> None:
    """A resumed run asks again for what failed; what waited for it waits again."""
    connection.execute(
        update(columns)
        .where(columns.c.run_id == run, columns.c.status == "failed")
        .values(
            status=case((columns.c.shared_with.is_(None), "pending"), else_="waiting"), error=None
        )
    )


def count_items(connection: Connection, run: str) -> int:
    """How many items, columns and tables, are still to be asked."""
    pending_ones = columns.c.run_id == run, columns.c.status == "pending"
    return connection.execute(select(func.count()).where(*pending_ones)).scalar_one()


def count_pending(connection: Connection, run: str) -> int:
    """How many columns (not tables) are still to be asked."""
    return connection.execute(
        select(func.count()).where(
            columns.c.run_id == run, columns.c.status == "pending", columns.c.kind == "column"
        )
    ).scalar_one()


def pending(connection: Connection, run: str, after: int, limit: int) -> list[Stored]:
    """The next items to ask about, in packing order: table by table, by position."""
    query = (
        select(columns)
        .where(columns.c.run_id == run, columns.c.status == "pending", columns.c.id > after)
        .order_by(columns.c.id)
        .limit(limit)
    )
    return [Stored(row.id, item_of(row), row.reuse_key) for row in connection.execute(query)]


def column_names(connection: Connection, run: str, schema: str, table: str, most: int) -> list[str]:
    """The names of a table's columns, in order, at most so many."""
    place = {"run": run, "schema": schema, "table": table, "most": most}
    return list(connection.execute(_COLUMN_NAMES, place).scalars())


def table_item(connection: Connection, run: str, schema: str, table: str) -> Item | None:
    """The table's own row: kind, comment, rows, definition."""
    query = select(columns).where(*_in_table(run, schema, table), columns.c.column_name == "")
    row = connection.execute(query).one_or_none()
    return item_of(row) if row else None


def table_items(connection: Connection, run: str) -> list[Item]:
    """The tables (and views) of a run, without their columns."""
    query = select(columns).where(columns.c.run_id == run, columns.c.column_name == "")
    return [item_of(row) for row in connection.execute(query.order_by(columns.c.id))]


def columns_of(connection: Connection, run: str, schema: str, table: str) -> dict[str, Item]:
    """A table's columns by name."""
    query = select(columns).where(*_in_table(run, schema, table), columns.c.column_name != "")
    return {row.column_name: item_of(row) for row in connection.execute(query)}


def pending_of(connection: Connection, run: str, schema: str, table: str) -> list[Stored]:
    """What is still to be asked of one table, itself included."""
    query = select(columns).where(*_in_table(run, schema, table), columns.c.status == "pending")
    found = connection.execute(query.order_by(columns.c.id))
    return [Stored(row.id, item_of(row), row.reuse_key) for row in found]


def comment_of(connection: Connection, run: str, schema: str, table: str, column: str) -> str:
    """The comment that the database has for a column, or ""."""
    query = select(columns.c.comment).where(
        *_in_table(run, schema, table), columns.c.column_name == column
    )
    return str(connection.execute(query).scalar() or "")


def set_definition(connection: Connection, run: str, table: Item, sql: str) -> None:
    """The SQL that a table is made by."""
    connection.execute(
        update(columns)
        .where(*_in_table(run, table.schema, table.table), columns.c.column_name == "")
        .values(definition=sql)
    )


def add_context(connection: Connection, rows: Sequence[tuple[int, Item, str]]) -> None:
    """What people wrote elsewhere of some items: by id, the item with it, and its reuse key."""
    if rows:
        connection.execute(
            update(columns)
            .where(columns.c.id == bindparam("item"))
            .values(details=bindparam("told"), reuse_key=bindparam("key")),
            [{"item": id_, "told": _json(item.details), "key": key} for id_, item, key in rows],
        )


def save_inherited(connection: Connection, found: Sequence[Inherited]) -> None:
    """Descriptions that cost nothing, marked with where they come from."""
    if not found:
        return
    inherited = [
        _row(
            "dbt",
            heir.stored.id,
            heir.stored.reuse_key,
            Suggestion((heir.text,), "high", "inherited"),
        )
        for heir in found
    ]
    connection.execute(insert(suggestions), inherited)
    connection.execute(
        update(columns)
        .where(columns.c.id == bindparam("item"))
        .values(status="inherited", facts=bindparam("shown")),
        [
            {"item": heir.stored.id, "shown": _json({"inherited_from": heir.origin})}
            for heir in found
        ],
    )


def _in_table(run: str, schema: str, table: str) -> tuple[ColumnElement[bool], ...]:
    return (
        columns.c.run_id == run,
        columns.c.schema_name == schema,
        columns.c.table_name == table,
    )


def save_suggestions(
    connection: Connection,
    model: str,
    found: Sequence[tuple[Stored, Suggestion]],
    facts: Mapping[int, Mapping[str, Any]],
) -> None:
    """The answers of one reply, and by item id the masked facts that the model saw; an item that
    has an answer already keeps it."""
    ids = [stored.id for stored, _ in found]
    is_open = and_(columns.c.id.in_(ids), columns.c.status.in_(("pending", "failed")))
    still_open = set(connection.execute(select(columns.c.id).where(is_open)).scalars())
    taken: dict[int, tuple[Stored, Suggestion]] = {}
    for stored, suggestion in found:
        if stored.id in still_open:
            taken.setdefault(stored.id, (stored, suggestion))
    if not taken:
        return
    rows = [
        _row(model, stored.id, stored.reuse_key, suggestion)
        for stored, suggestion in taken.values()
    ]
    connection.execute(insert(suggestions), rows)
    shown = ((item, facts.get(item)) for item in taken)
    connection.execute(
        _DESCRIBED,
        [
            {"item": item, "shown": json.dumps(seen, ensure_ascii=False) if seen else None}
            for item, seen in shown
        ],
    )
    if asked := [id_ for id_, (stored, _) in taken.items() if "in_tables" in stored.item.details]:
        spread(connection, asked)


def commonest_error(connection: Connection, run: str) -> str | None:
    """Why most of those failed that did."""
    query = (
        select(columns.c.error)
        .where(columns.c.run_id == run, columns.c.status == "failed")
        .group_by(columns.c.error)
        .order_by(func.count().desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def replace_suggestion(connection: Connection, item: int, new: Suggestion, model: str) -> None:
    """Another answer for an item, in place of the one that it may have."""
    key = select(columns.c.reuse_key).where(columns.c.id == item)
    values = _row(model, item, connection.execute(key).scalar_one(), new)
    mine = suggestions.c.column_id == item
    found = connection.execute(update(suggestions).where(mine).values(**values, reused_from=None))
    if not found.rowcount:
        connection.execute(insert(suggestions).values(**values))
    described = update(columns).where(columns.c.id == item)
    connection.execute(described.values(status="described", error=None))


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def _row(model: str, item: int, key: str, suggestion: Suggestion) -> dict[str, Any]:
    return {
        "column_id": item,
        "reuse_key": key,
        "alternatives": json.dumps(suggestion.alternatives, ensure_ascii=False),
        "confidence": suggestion.confidence,
        "signal": suggestion.signal,
        "score": suggestion.score,
        "model": model,
        "created_at": now(),
    }


def fail_items(connection: Connection, ids: Sequence[int], error: str) -> None:
    """Items that got no answer, and why."""
    connection.execute(
        update(columns)
        .where(columns.c.id.in_(ids), columns.c.status == "pending")
        .values(status="failed", error=error)
    )
    fail_waiting(connection, ids, error)


def item_of(row: Row[Any]) -> Item:
    """The item in a row of `columns`."""
    return Item(
        schema=row.schema_name,
        table=row.table_name,
        column=row.column_name,
        kind=row.kind,
        position=row.position,
        type=row.type,
        nullable=bool(row.nullable),
        key_role=row.key_role,
        fk=row.fk,
        comment=row.comment,
        rows=row.row_estimate,
        definition=row.definition,
        details=json.loads(row.details) if row.details else {},
    )
