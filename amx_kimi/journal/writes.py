"""Comments that were written to databases, as functions over a connection.

A row stands here before its comment is sent to the database, with what stood there; `written_at`
is empty until the database's transaction is known to have ended. So after a crash the journal
knows every comment that may have been written, and the database's present text tells which were.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from amx_kimi.journal.decisions import holds
from amx_kimi.journal.runs import now
from amx_kimi.journal.schema import columns, decisions, writes

__all__ = [
    "Undo",
    "Written",
    "begin_writes",
    "cancel_writes",
    "end_undo",
    "end_writes",
    "ours",
    "to_undo",
]


@dataclass(frozen=True)
class Written:
    """A comment of the item with this id in the journal, from `before` to `after`; None: no
    comment."""

    id: int
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Undo:
    """What a run wrote on one table or column (`column` "" for the table): `before` stood there
    before the run's last writes in a row, and `after` is every text that these put there."""

    schema: str
    table: str
    column: str
    before: str | None
    after: frozenset[str | None]
    ids: tuple[int, ...]


def begin_writes(connection: Connection, target: str, rows: Sequence[Written]) -> list[int]:
    """Note what is about to be written to a database; returns the rows' ids."""
    values = [
        {
            "column_id": row.id,
            "target": target,
            "text_before": row.before,
            "text_after": row.after,
            "written_at": "",
        }
        for row in rows
    ]
    query = insert(writes).returning(writes.c.id, sort_by_parameter_order=True)
    return list(connection.execute(query, values).scalars()) if values else []


def end_writes(connection: Connection, ids: Sequence[int]) -> None:
    """The database has these comments now."""
    _mark(connection, ids, "written_at")


def cancel_writes(connection: Connection, ids: Sequence[int]) -> None:
    """The database refused these: nothing of them stands there."""
    if ids:
        query = delete(writes).where(writes.c.id == bindparam("item"))
        connection.execute(query, [{"item": id_} for id_ in ids])


def end_undo(connection: Connection, ids: Sequence[int]) -> None:
    """What stood before these comments stands there again."""
    _mark(connection, ids, "undone_at")


def ours(connection: Connection, target: str) -> Mapping[int, bool]:
    """Every comment that any run wrote there, as a hash of (schema, table, column, text), and
    whether a person has worded it."""
    query = (
        select(
            columns.c.schema_name,
            columns.c.table_name,
            columns.c.column_name,
            writes.c.text_after,
            decisions.c.action,
        )
        .join(columns, columns.c.id == writes.c.column_id)
        .outerjoin(decisions, holds(columns.c.id))
        .where(writes.c.target == target, writes.c.undone_at.is_(None))
    )
    found: dict[int, bool] = {}
    for *text, action in connection.execute(query):
        key = hash(tuple(text))
        found[key] = found.get(key, False) or action == "edit"
    return found


def to_undo(connection: Connection, run: str, target: str) -> Iterator[list[Undo]]:
    """What a run wrote there and nobody has undone, table by table."""
    query = (
        select(
            writes,
            columns.c.schema_name,
            columns.c.table_name,
            columns.c.column_name,
        )
        .join(columns, columns.c.id == writes.c.column_id)
        .where(columns.c.run_id == run, writes.c.target == target, writes.c.undone_at.is_(None))
        .order_by(columns.c.schema_name, columns.c.table_name, columns.c.id, writes.c.id)
    )
    with connection.execute(query) as rows:
        for _, table in groupby(rows, key=lambda row: (row.schema_name, row.table_name)):
            found = []
            for _, each in groupby(table, key=lambda row: row.column_id):
                history = list(each)
                chain = _in_a_row(history)
                found.append(
                    Undo(
                        schema=history[0].schema_name,
                        table=history[0].table_name,
                        column=history[0].column_name,
                        before=chain[0].text_before,
                        after=frozenset(row.text_after for row in chain),
                        ids=tuple(row.id for row in history),
                    )
                )
            yield found


def _in_a_row(history: list[Row[Any]]) -> list[Row[Any]]:
    """The last writes between which nobody else wrote: each found what the one before it left (or,
    where that was broken off, what that one found)."""
    chain = history[-1:]
    for row in reversed(history[:-1]):
        if chain[0].text_before not in (row.text_after, row.text_before):
            break
        chain.insert(0, row)
    return chain


def _mark(connection: Connection, ids: Sequence[int], column: str) -> None:
    if ids:
        item = writes.c.id == bindparam("item")
        query = update(writes).where(item).values({column: now()})
        connection.execute(query, [{"item": id_} for id_ in ids])
