"""Uses sqlglot to find which columns a query passes on unchanged, and how others are made."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from amx_kimi.log import get_logger

__all__ = ["Origin", "origins"]

Columns = Mapping[str, Mapping[str, list[str]]]
"""Schema -> table -> its columns."""


@dataclass(frozen=True)
class Origin:
    """The columns from which a column is made: (schema, table, column) of each. `unchanged`: it is
    passed on as it is, under any name."""

    sources: tuple[tuple[str, str, str], ...]
    unchanged: bool


def origins(sql: str, dialect: str, columns: Columns, database: str = "") -> dict[str, Origin]:
    """The origin of each column that `sql` returns, by lower-case name, without names that differ
    only in case; empty if sqlglot fails.

    `columns` are those of the tables that it reads, so that `select *` is understood. The schema of
    a table in another database than `database` is called `database.schema`.
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
            _name_database(table, database)
        query = qualify(read, schema=schema, dialect=dialect, validate_qualify_columns=False)
        scope = build_scope(query)
        names = [] if query.find(exp.Pivot) else getattr(query, "named_selects", ())
        trace = _Trace(scope)
        often = Counter(name.lower() for name in names)
        single = [name for name in names if name != "*" and often[name.lower()] == 1]
        found = {name.lower(): trace.origin(scope, name) for name in single}
        return {name: origin for name, origin in found.items() if origin.sources}
    except (SqlglotError, ValueError, KeyError, AttributeError, RecursionError) as error:
        # The message is not logged, because it repeats the SQL with its literals.
        get_logger().warning("context.sql_unread", error=type(error).__name__)
        return {}


def _name_database(table: Any, home: str) -> None:
    """Keep a table's database as part of its schema's name if it is another than `home`."""
    from sqlglot import exp

    database = table.catalog
    table.set("catalog", None)
    if database and home and database.lower() != home.lower():
        table.set("db", exp.to_identifier(f"{database}.{table.db}", quoted=True))


class _Trace:
    """Follows columns through the scopes of a qualified query, each column of a scope only once:
    sqlglot's own `lineage` walks the query again for every column."""

    def __init__(self, scope: Any) -> None:
        self._scopes = {id(one.expression): one for one in scope.traverse()}
        self._selected: dict[int, dict[str, Any]] = {}
        self._names: dict[int, tuple[list[str], dict[str, int]]] = {}
        self._known: dict[tuple[int, str], Origin] = {}

    def origin(self, scope: Any, name: str) -> Origin:
        """The origin of what a scope returns under a name."""
        place = (id(scope), name)
        if place not in self._known:
            self._known[place] = _NOWHERE  # a recursive query comes back here
            self._known[place] = self._find(scope, name)
        return self._known[place]

    def _find(self, scope: Any, name: str) -> Origin:
        from sqlglot import exp

        query = scope.expression
        if isinstance(query, exp.SetOperation):
            return _made(self._branches(scope, name))
        if isinstance(query, exp.UDTF):  # a table function's columns are made from all it reads
            read = query.iter_expressions()
            return _made(part for one in read for part in self._parts(one, scope))
        selected = self._selects(scope).get(name)
        if selected is None:
            return _NOWHERE
        passed = selected.unalias()
        if isinstance(passed, exp.Column):
            return self._column(passed, scope)
        return _made(self._parts(passed, scope))

    def _branches(self, scope: Any, name: str) -> Iterator[Origin]:
        """The origins of a column of a union: by its place, or by its name in `UNION BY NAME`."""
        number = self._returned(scope)[1][name]
        for one in scope.set_operation_scopes:
            names, places = self._returned(one)
            if scope.expression.args.get("by_name"):
                if name in places:
                    yield self.origin(one, name)
            elif number < len(names):
                yield self.origin(one, names[number])

    def _parts(self, expression: Any, scope: Any) -> Iterator[Origin]:
        """The origins of what an expression reads; of a subquery in it, of what that returns."""
        from sqlglot import exp

        for node in expression.walk(prune=lambda one: isinstance(one, exp.Query)):
            if isinstance(node, exp.Column):
                yield self._column(node, scope)
            elif isinstance(node, exp.Query) and (below := self._scopes.get(id(node.unnest()))):
                for name in below.expression.named_selects:
                    yield self.origin(below, name)

    def _returned(self, scope: Any) -> tuple[list[str], dict[str, int]]:
        """The names of what a scope returns, and the place of each."""
        if id(scope) not in self._names:
            names = list(scope.expression.named_selects)
            self._names[id(scope)] = names, {name: place for place, name in enumerate(names)}
        return self._names[id(scope)]

    def _selects(self, scope: Any) -> dict[str, Any]:
        if id(scope) not in self._selected:
            some = getattr(scope.expression, "selects", ())
            self._selected[id(scope)] = {one.alias_or_name: one for one in reversed(some)}
        return self._selected[id(scope)]

    def _column(self, column: Any, scope: Any) -> Origin:
        """The origin of a column that a scope names."""
        from sqlglot import exp
        from sqlglot.optimizer.scope import Scope

        sources = scope.sources
        only = next(iter(sources.values())) if len(sources) == 1 else None
        source = sources.get(column.table) if column.table else only
        if isinstance(source, exp.Table) and source.name:
            return Origin(((source.db, source.name, column.name),), unchanged=True)
        return self.origin(source, column.name) if isinstance(source, Scope) else _NOWHERE


_NOWHERE = Origin((), unchanged=False)


def _made(parts: Iterable[Origin]) -> Origin:
    """The origin of what is made from several columns, or from one by more than a name."""
    sources = dict.fromkeys(place for part in parts for place in part.sources)
    return Origin(tuple(sources), unchanged=False)
