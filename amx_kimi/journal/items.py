"""The inventory, as functions over a connection."""

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
    func,
    insert,
    select,
    update,
)

from amx_kimi.journal.schema import columns
from amx_kimi.journal.shared import fail_waiting
from amx_kimi.types import Item

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
    "set_definition",
    "stored_of",
    "table_items",
    "table_of",
]


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


def table_of(connection: Connection, run: str, item: Item) -> Item:
    """The table that an item is in: kind, comment, rows, definition. Of one that the run does not
    have as a row, no more than its name."""
    in_table = _in_table(run, item.schema, item.table)
    query = select(columns).where(*in_table, columns.c.column_name == "")
    row = connection.execute(query).one_or_none()
    return item_of(row) if row else Item(item.schema, item.table, "", "table", 0)


def table_items(connection: Connection, run: str) -> list[Item]:
    """The tables (and views) of a run, without their columns."""
    query = select(columns).where(columns.c.run_id == run, columns.c.column_name == "")
    return [item_of(row) for row in connection.execute(query.order_by(columns.c.id))]


def columns_of(connection: Connection, run: str, schema: str, table: str) -> dict[str, Item]:
    """A table's columns by name."""
    query = select(columns).where(*_in_table(run, schema, table), columns.c.column_name != "")
    return {row.column_name: item_of(row) for row in connection.execute(query)}


def stored_of(connection: Connection, run: str, schema: str, table: str) -> list[Stored]:
    """A table and its columns."""
    return _stored(connection, *_in_table(run, schema, table))


def pending_of(connection: Connection, run: str, schema: str, table: str) -> list[Stored]:
    """What is still to be asked of one table, itself included."""
    return _stored(connection, *_in_table(run, schema, table), columns.c.status == "pending")


def _stored(connection: Connection, *where: ColumnElement[bool]) -> list[Stored]:
    query = select(columns).where(*where).order_by(columns.c.id)
    found = connection.execute(query)
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


def _in_table(run: str, schema: str, table: str) -> tuple[ColumnElement[bool], ...]:
    return (
        columns.c.run_id == run,
        columns.c.schema_name == schema,
        columns.c.table_name == table,
    )


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


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


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
