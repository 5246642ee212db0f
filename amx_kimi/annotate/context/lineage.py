"""Which columns a query passes on unchanged, and what the others are made of: by sqlglot."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amx_kimi.log import get_logger

__all__ = ["Origin", "origins"]

Columns = Mapping[str, Mapping[str, list[str]]]
"""Schema -> table -> its columns."""


@dataclass(frozen=True)
class Origin:
    """Where a column comes from: (schema, table, column) of each; `unchanged` when it is passed on
    as it is, under this name or another."""

    sources: tuple[tuple[str, str, str], ...]
    unchanged: bool


def origins(sql: str, dialect: str, columns: Columns) -> dict[str, Origin]:
    """The origin of each column that `sql` returns, by its name in lower case; empty when sqlglot
    cannot read it. `columns` are those of the tables it reads, so that `select *` is understood."""
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
        return {
            name.lower(): origin
            for name in getattr(query, "named_selects", ())
            if name != "*" and (origin := _origin(name, query, schema, scope, dialect))
        }
    except (SqlglotError, ValueError, KeyError, AttributeError, RecursionError) as error:
        get_logger().warning("context.sql_unread", reason=f"{error!s:.200}")
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
        yield table.db, table.name, node.name.rpartition(".")[2].strip('"`')
    for below in node.downstream:
        yield from _leaves(below)


def _is_unchanged(node: Any) -> bool:
    """Whether there is one way down to a table, through nothing but names."""
    from sqlglot import exp

    while True:
        if isinstance(node.expression, exp.Table):
            return True
        passed = node.expression.unalias()
        if not isinstance(passed, exp.Column) or len(node.downstream) != 1:
            return False
        node = node.downstream[0]
