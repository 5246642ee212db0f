"""Uses sqlglot to find which columns a query passes on unchanged, and how others are made."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amx_kimi.log import get_logger

__all__ = ["Origin", "origins"]

_MOST_SECONDS = 5.0  # a model: sqlglot walks the query again for each column

Columns = Mapping[str, Mapping[str, list[str]]]
"""Schema -> table -> its columns."""


@dataclass(frozen=True)
class Origin:
    """The columns from which a column is made: (schema, table, column) of each. `unchanged`: it is
    passed on as it is, under any name."""

    sources: tuple[tuple[str, str, str], ...]
    unchanged: bool


def origins(sql: str, dialect: str, columns: Columns) -> dict[str, Origin]:
    """The origin of each column that `sql` returns, by lower-case name; empty if sqlglot fails.

    `columns` are those of the tables that it reads, so that `select *` is understood.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    schema: dict[str, object] = {
        place: {table: dict.fromkeys(names, "text") for table, names in tables.items()}
        for place, tables in columns.items()
    }
    try:
        read = sqlglot.parse_one(sql, dialect=dialect)
        for table in read.find_all(exp.Table):
            table.set("catalog", None)  # the database is the one that is described
        query = qualify(read, schema=schema, dialect=dialect, validate_qualify_columns=False)
        scope = build_scope(query)
        names = [] if query.find(exp.Pivot) else getattr(query, "named_selects", ())
        found: dict[str, Origin] = {}
        until = time.monotonic() + _MOST_SECONDS
        for name in names:
            if time.monotonic() > until:
                get_logger().warning("context.sql_long", columns=len(names), known=len(found))
                break
            if name != "*" and (origin := _origin(name, query, schema, scope, dialect)):
                found[name.lower()] = origin
        return found
    except (SqlglotError, ValueError, KeyError, AttributeError, RecursionError) as error:
        # The message is not logged, because it repeats the SQL with its literals.
        get_logger().warning("context.sql_unread", error=type(error).__name__)
        return {}


def _origin(name: str, query: Any, schema: Any, scope: Any, dialect: str) -> Origin | None:
    from sqlglot.lineage import lineage

    node: Any = lineage(name, query, schema=schema, scope=scope, dialect=dialect)
    sources = tuple(dict.fromkeys(_leaves(node)))
    return Origin(sources, unchanged=_is_unchanged(node)) if sources else None


def _leaves(node: Any) -> Any:
    from sqlglot import exp

    if isinstance(node.expression, exp.Table):
        table = node.expression
        column = node.name.rpartition(".")[2].strip('"`')
        yield table.db, table.name, column
    for below in node.downstream:
        yield from _leaves(below)


def _is_unchanged(node: Any) -> bool:
    """Whether it comes from one column of a table, through names only."""
    from sqlglot import exp

    while True:
        if isinstance(node.expression, exp.Table):
            return True
        passed = node.expression.unalias()
        if not isinstance(passed, exp.Column) or len(node.downstream) != 1:
            return False
        node = node.downstream[0]
