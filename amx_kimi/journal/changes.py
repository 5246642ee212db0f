"""What changed in a database since its earlier runs, as functions over a connection."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, Subquery, and_, func, select, update

from amx_kimi.journal.schema import columns, runs

__all__ = ["Change", "keep_changed", "reopen", "seen_before"]

_AT_ONCE = 500
_NAMES = ("schema_name", "table_name", "column_name")
_SETTLED = ("described", "reused", "inherited", "shared", "commented", "unchanged")


@dataclass(frozen=True)
class Change:
    """A table or column that is new, dropped, of another type (`before` and `after` are types), or
    with data that moved (`after` says how)."""

    kind: Literal["new", "dropped", "retyped", "moved"]
    name: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        told = {"retyped": f" ({self.before} -> {self.after})", "moved": f" ({self.after})"}
        return f"{self.kind}: {self.name}{told.get(self.kind, '')}"


def keep_changed(connection: Connection, run: str) -> list[Change]:
    """Leave only what changed pending, and say what did; what earlier runs did not settle stays
    pending too. Dropped are those of the tables that the run took in."""
    database = connection.execute(select(runs.c.database).where(runs.c.id == run)).scalar_one()
    before = _latest(database, run)
    present = columns.alias()
    here = present.c.run_id == run
    names = (present.c[name] for name in _NAMES)
    pairs = select(
        *(present.c.id, present.c.type, present.c.status, *names),
        *(before.c.type.label("type_before"), before.c.status.label("was")),
    ).where(here)
    joined = pairs.select_from(present.outerjoin(before, _same(present, before)))
    found = []
    unchanged: list[int] = []
    # Sorted here: an ORDER BY made SQLite forgo its index for the join (60 s for 20,000 columns).
    for row in sorted(connection.execute(joined), key=lambda row: row.id):
        if row.was is None:
            found.append(Change("new", _name(row), after=row.type))
        elif row.type_before != row.type:
            found.append(Change("retyped", _name(row), row.type_before, row.type))
        elif row.status == "pending" and row.was in _SETTLED:
            unchanged.append(row.id)
    found += [Change("dropped", _name(row), row.type) for row in _dropped(connection, run, before)]
    for start in range(0, len(unchanged), _AT_ONCE):
        some = unchanged[start : start + _AT_ONCE]
        connection.execute(update(columns).where(columns.c.id.in_(some)).values(status="unchanged"))
    return found


def seen_before(
    connection: Connection, run: str, schema: str, table: str
) -> list[tuple[int, str, dict[str, Any]]]:
    """A table's unchanged columns: id, name, and the facts that the model saw last."""
    present, seen = columns.alias(), columns.alias()
    database = select(runs.c.database).where(runs.c.id == run).scalar_subquery()
    query = (
        select(present.c.id, present.c.column_name, seen.c.facts)
        .join(seen, _same(present, seen))
        .join(runs, runs.c.id == seen.c.run_id)
        .where(
            present.c.run_id == run,
            present.c.schema_name == schema,
            present.c.table_name == table,
            present.c.status == "unchanged",
            present.c.kind == "column",
            runs.c.database == database,
            seen.c.facts.is_not(None),
        )
        .order_by(present.c.id, seen.c.id)
    )
    latest = {row.id: row for row in connection.execute(query)}
    return [(row.id, row.column_name, json.loads(row.facts)) for row in latest.values()]


def reopen(connection: Connection, ids: Sequence[int]) -> None:
    """Ask about these after all."""
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        connection.execute(update(columns).where(columns.c.id.in_(some)).values(status="pending"))


def _latest(database: str, run: str) -> Subquery:
    """Each item of this database as the latest of its other runs saw it."""
    last = (
        select(func.max(columns.c.id).label("id"))
        .join(runs, runs.c.id == columns.c.run_id)
        .where(runs.c.database == database, runs.c.id != run, runs.c.inventoried == 1)
        .group_by(columns.c.schema_name, columns.c.table_name, columns.c.column_name)
        .subquery()
    )
    return select(columns).join(last, last.c.id == columns.c.id).subquery()


def _dropped(connection: Connection, run: str, before: Subquery) -> list[Row[Any]]:
    present = columns.alias()
    table = columns.alias()
    here = and_(_same(present, before), present.c.run_id == run)
    same_table = and_(
        table.c.run_id == run,
        table.c.schema_name == before.c.schema_name,
        table.c.table_name == before.c.table_name,
        table.c.column_name == "",
    )
    query = (
        select(before)
        .join(table, same_table)
        .outerjoin(present, here)
        .where(present.c.id.is_(None))
    )
    return sorted(connection.execute(query), key=lambda row: int(row.id))


def _same(one: Any, other: Any) -> Any:
    return and_(*(one.c[name] == other.c[name] for name in _NAMES))


def _name(row: Any) -> str:
    return ".".join(filter(None, (row.schema_name, row.table_name, row.column_name)))
