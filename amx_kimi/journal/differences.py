"""What changed in a database since its earlier runs, as functions over a connection."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Subquery,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from amx_kimi.blocks import blocks
from amx_kimi.journal.decisions import carry_over
from amx_kimi.journal.schema import columns, decisions, runs, suggestions

__all__ = ["Difference", "keep_changed", "reopen", "seen_before"]

_AT_ONCE = 500
_NAMES = ("schema_name", "table_name", "column_name")
_FIRST = '%"again_of": ""%'
_WHOLE = '%"selection": {"schemas": [], "tables": []%'
_WITH_EXTENSIONS = '%"selection": {"schemas": [], "tables": [], "extensions": true}%'
_SETTLED = ("described", "reused", "inherited", "shared", "commented", "unchanged")


@dataclass(frozen=True)
class Difference:
    """A table or column that is new, dropped, of another type (`before` and `after` are types), or
    with data that moved (`after` says how)."""

    kind: Literal["new", "dropped", "retyped", "moved"]
    name: str
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        told = ""
        if self.kind == "retyped":
            told = f" ({self.before} -> {self.after})"
        elif self.kind == "moved":
            told = f" ({self.after})"
        return f"{self.kind}: {self.name}{told}"


def keep_changed(connection: Connection, run: str) -> list[Difference]:
    """Leave only what changed pending, and say what did; what earlier runs did not settle stays
    pending too. Dropped are those of the tables that the run took in."""
    mine = select(runs.c.database, runs.c.options).where(runs.c.id == run)
    database, options = connection.execute(mine).one()
    wanted = json.loads(options).get("wanted") or {}
    before = _latest(database, run, wanted.get("language", ""))
    present = columns.alias()
    here = present.c.run_id == run
    names = (present.c[name] for name in _NAMES)
    pairs = select(
        *(present.c.id, present.c.type, present.c.status, present.c.comment, *names),
        *(before.c.id.label("before"), before.c.type.label("type_before")),
        before.c.status.label("was"),
    ).where(here)
    joined = pairs.select_from(present.outerjoin(before, _same(present, before)))
    found = []
    unchanged: list[tuple[int, int]] = []
    # Sorted here: an ORDER BY made SQLite forgo its index for the join (60 s for 20,000 columns).
    for row in sorted(connection.execute(joined), key=lambda row: row.id):
        if row.was is None:
            found.append(Difference("new", _name(row), after=row.type))
        elif row.type_before != row.type:
            found.append(Difference("retyped", _name(row), row.type_before, row.type))
        elif row.was == "commented" and not row.comment:
            continue  # its comment is gone
        elif row.status == "pending" and row.was in _SETTLED:
            unchanged.append((row.id, row.before))
    dropped = [*_dropped_tables(connection, run, database), *_dropped(connection, run, before)]
    found += [Difference("dropped", _name(row), row.type) for row in dropped]
    if unchanged:
        connection.execute(_KEEP, [{"item": item} for item, _ in unchanged])
        connection.execute(_COPY, [{"item": item, "old": before} for item, before in unchanged])
        carry_over(connection, run)
    return found


_KEEP = update(columns).where(columns.c.id == bindparam("item")).values(status="unchanged")
_COPIED = ("reuse_key", "alternatives", "confidence", "signal", "score", "model", "created_at")
_COPY = insert(suggestions).from_select(  # so that an export of this run is a whole dictionary
    ("column_id", *_COPIED, "reused_from"),
    select(
        cast(bindparam("item"), BigInteger),
        *(suggestions.c[name] for name in _COPIED),
        func.coalesce(suggestions.c.reused_from, suggestions.c.id),
    ).where(suggestions.c.column_id == bindparam("old")),
)


def seen_before(
    connection: Connection, run: str, schema: str, table: str
) -> list[tuple[int, str, dict[str, Any]]]:
    """A table's unchanged columns: id, name, and the facts that the model saw last, with the rows
    (`rows`) that the table had then."""
    present, seen, table_then = columns.alias(), columns.alias(), columns.alias()
    database = select(runs.c.database).where(runs.c.id == run).scalar_subquery()
    query = (
        select(
            *(present.c.id, present.c.column_name, seen.c.facts),
            table_then.c.row_estimate.label("rows"),
        )
        .join(seen, _same(present, seen))
        .join(runs, runs.c.id == seen.c.run_id)
        .outerjoin(
            table_then,
            and_(
                table_then.c.run_id == seen.c.run_id,
                table_then.c.schema_name == schema,
                table_then.c.table_name == table,
                table_then.c.column_name == "",
            ),
        )
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
    return [
        (row.id, row.column_name, {**json.loads(row.facts), "rows": row.rows})
        for row in latest.values()
    ]


def reopen(connection: Connection, ids: Sequence[int]) -> None:
    """Ask about these after all."""
    for some in blocks(ids, _AT_ONCE):
        for table in (decisions, suggestions):  # what was copied is what is doubted
            connection.execute(delete(table).where(table.c.column_id.in_(some)))
        doubted = update(columns).where(columns.c.id.in_(some))
        connection.execute(doubted.values(status="pending"))


def _latest(database: str, run: str, language: str) -> Subquery:
    """Each item of this database as the latest of its other runs saw it: of those in this language,
    if one has it."""
    in_language = runs.c.options.like(f'%"language": {json.dumps(language)}%')
    spoken = case((in_language, columns.c.id))
    latest = func.coalesce(func.max(spoken), func.max(columns.c.id))
    last = (
        select(latest.label("id"))
        .join(runs, runs.c.id == columns.c.run_id)
        .where(
            *(runs.c.database == database, runs.c.id != run, runs.c.inventoried == 1),
            # What was asked again saw the others as not to be asked.
            or_(runs.c.options.like(_FIRST), runs.c.options.not_like('%"again_of"%')),
        )
        .group_by(columns.c.schema_name, columns.c.table_name, columns.c.column_name)
        .subquery()
    )
    return select(columns).join(last, last.c.id == columns.c.id).subquery()


def _dropped_tables(connection: Connection, run: str, database: str) -> list[Row[Any]]:
    """Those of the latest run that took in the whole database, as this one does."""
    whole = runs.c.options.like(_WHOLE)
    with_extensions = runs.c.options.like(_WITH_EXTENSIONS)
    mine = select(with_extensions).where(runs.c.id == run, whole)
    takes_extensions = connection.execute(mine).scalar()
    if takes_extensions is None:
        return []
    others = (runs.c.database == database, runs.c.id != run, runs.c.inventoried == 1, whole)
    # What one of them left out is not dropped.
    alike = with_extensions if takes_extensions else ~with_extensions
    newest_first = select(runs.c.id).where(*others, alike).order_by(runs.c.started_at.desc())
    latest = newest_first.limit(1)
    present, before = columns.alias(), columns.alias()
    query = (
        select(before)
        .outerjoin(present, and_(_same(present, before), present.c.run_id == run))
        .where(
            before.c.run_id == latest.scalar_subquery(),
            before.c.column_name == "",
            present.c.id.is_(None),
        )
    )
    return sorted(connection.execute(query), key=lambda row: int(row.id))


def _dropped(connection: Connection, run: str, before: Subquery) -> list[Row[Any]]:
    """Columns that the latest run with their table saw, and that this run's table has no more."""
    # Compared here: joined with itself, SQLite read all of it for each of its rows.
    wanted = (before.c[name] for name in ("id", "run_id", "type", *_NAMES))
    seen = connection.execute(select(*wanted)).all()
    names = [columns.c[name] for name in _NAMES]
    mine = select(*names).where(columns.c.run_id == run)
    present = {tuple(row) for row in connection.execute(mine)}
    latest_run = {_table_of(row): row.run_id for row in seen if not row.column_name}
    dropped = [
        row
        for row in seen
        if latest_run.get(_table_of(row)) == row.run_id
        and (*_table_of(row), "") in present
        and (*_table_of(row), row.column_name) not in present
    ]
    return sorted(dropped, key=lambda row: int(row.id))


def _table_of(row: Row[Any]) -> tuple[str, str]:
    return row.schema_name, row.table_name


def _same(one: Any, other: Any) -> Any:
    return and_(*(one.c[name] == other.c[name] for name in _NAMES))


def _name(row: Any) -> str:
    return ".".join(filter(None, (row.schema_name, row.table_name, row.column_name)))
