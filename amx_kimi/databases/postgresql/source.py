"""PostgreSQL: read-only transactions with short timeouts; everything comes from its catalogs.

The number of rows is `reltuples`; the rest is from `pg_stats` and `pg_statistic_ext`, as ANALYZE
left it. Only with `--profile-data` are rows of a table read, from a few of its pages.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Reading, Selection, TableGoneError, quoted
from amx_kimi.databases.postgresql import sql
from amx_kimi.databases.postgresql.connect import (
    connect,
    engine_of,
    identity_of,
    reason_of,
    set_session,
    without_secrets,
)
from amx_kimi.databases.postgresql.items import Structure, items_of
from amx_kimi.databases.samples import sample_facts
from amx_kimi.databases.server.pg_stats import statistics_of
from amx_kimi.errors import SourceError
from amx_kimi.log import get_logger
from amx_kimi.patterns import is_chosen, listed
from amx_kimi.text import counted
from amx_kimi.types import Item, RawFacts

__all__ = ["PostgresqlSource"]

_RECONNECT_SECONDS = (0.2, 0.5, 1, 2, 4, 8, 15)  # a restart takes that long
_FETCH = 1_000
_SAMPLE_ROWS = 1_000
_VALUE_LENGTH = 300
_MOST_NOTES = 20


class PostgresqlSource:
    """A PostgreSQL database.

    Raises:
        SourceError: no driver, no connection, or no permission; says which.
    """

    def __init__(self, url: URL, reading: Reading) -> None:
        self._engine = engine_of(url, read_only=True)
        self.reopen = without_secrets(self._engine.url).render_as_string()
        self.identity = identity_of(self._engine.url)
        self.notes: list[str] = []
        self._reading = reading
        self._connection = connect(self._engine)

    def schemas(self) -> list[str]:
        """Every schema but the system's."""
        return [row.nspname for row in self._all(sql.SCHEMAS)]

    def tables(self) -> list[tuple[str, str]]:
        """As `Source.tables`; includes those of extensions."""
        return [(row.nspname, row.relname) for row in self._all(sql.TABLES)]

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`; partitions are folded into their parent."""
        schemas = [name for name in self.schemas() if is_chosen(selection.schemas, name)]
        if not selection.extensions:
            self._tell_extensions(selection)
        wanted = {
            "all_schemas": not selection.schemas,
            "schemas": schemas,
            "extensions": selection.extensions,
        }
        try:
            definitions = True
            try:
                structure = self._structure({**wanted, "definitions": True})
                rows = self._stream({**wanted, "definitions": True})
                first = next(rows, None)
            except DBAPIError as error:
                # Definitions may wait for locks on their tables; after a timeout, they are skipped.
                if error.connection_invalidated:
                    self._reconnect()
                else:
                    definitions = False
                    self._note(f"Definitions of views and checks are skipped: {reason_of(error)}")
                structure = self._structure({**wanted, "definitions": definitions})
                rows = self._stream({**wanted, "definitions": definitions})
                first = next(rows, None)
            yield from items_of(first, rows, structure, selection)
        except SQLAlchemyError as error:
            raise SourceError(f"The catalog cannot be read: {reason_of(error)}") from None

    def profile(self, table: Item, columns: Sequence[str]) -> Mapping[str, RawFacts]:
        """As `Source.profile`."""
        try:
            return self._profile(table, columns)
        except SQLAlchemyError as error:
            if not getattr(error, "connection_invalidated", False):
                return self._lost(table, error)
        self._reconnect()
        try:
            return self._profile(table, columns)
        except SQLAlchemyError as error:
            return self._lost(table, error)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._engine.dispose()

    def _profile(self, table: Item, columns: Sequence[str]) -> Mapping[str, RawFacts]:
        place = {"schema": table.schema, "table": table.table}
        with self._transaction() as connection:
            found = connection.execute(text(sql.RELATION), place).one_or_none()
            if found is None:
                raise TableGoneError(f"The table {table.name} was dropped during the run")
            kind = found.relkind
            if kind == "v":
                return {}
            # A partitioned table itself is seldom analyzed, so its partitions' figures are used.
            rows = (table.rows or 0) if kind == "p" else found.rows
            if rows <= 0 and _is_empty(connection, found.oid):
                return {name: RawFacts(nulls=0, distinct=0) for name in columns}
            named = {"relation": found.oid, "columns": list(columns)}
            known = connection.execute(text(sql.STATISTICS), {**place, **named}).all()
            analyzed = max(found.rows, rows)
            if not known and kind == "p":
                # Autovacuum never analyzes a partitioned table: use its largest partition.
                leaf = connection.execute(text(sql.LARGEST), named).mappings().one_or_none()
                if leaf:
                    known = connection.execute(text(sql.STATISTICS), {**leaf, **named}).all()
                    analyzed = max(leaf["rows"], 0)
            extended = connection.execute(text(sql.EXTENDED), {**place, **named}).all()
        estimate = max(found.rows, (table.rows or 0) if kind == "p" else 0)
        facts = statistics_of(known, extended, columns, estimate, analyzed)
        missing = [name for name in columns if name not in facts]
        if missing and self._may_sample(kind, estimate):
            sized = found.relpages > 0 or kind == "p"
            facts |= self._sample(table, missing, estimate if sized else 0)
        return facts

    def _may_sample(self, kind: str, rows: int) -> bool:
        reading = self._reading
        allowed = reading.data and reading.samples and kind in ("r", "p", "m")
        return allowed and not (reading.most_rows and rows > reading.most_rows)

    def _sample(self, table: Item, columns: Sequence[str], rows: int) -> dict[str, RawFacts]:
        """Read some rows of random pages; a table of unknown size is read until there are enough
        rows."""
        percent = min(100.0, 100.0 * 2 * _SAMPLE_ROWS / rows) if rows else 100.0
        picked = ", ".join(f"left({quoted(name)}::text, {_VALUE_LENGTH})" for name in columns)
        place = f"{quoted(table.schema)}.{quoted(table.table)}"
        query = (
            f"SELECT {picked} FROM {place} "
            f"TABLESAMPLE SYSTEM ({percent:.6f}) LIMIT {_SAMPLE_ROWS + 1}"
        )
        counters: list[Counter[Any]] = [Counter() for _ in columns]
        seen = 0
        with self._transaction() as connection:
            # Without parameters, because a percent sign in a name would be read as one.
            bare = connection.execution_options(no_parameters=True)
            for row in bare.exec_driver_sql(query):
                seen += 1
                for counter, value in zip(counters, row, strict=True):
                    counter[value] += 1
        whole = percent == 100.0 and seen <= _SAMPLE_ROWS
        found = (sample_facts(counter, whole=whole) for counter in counters)
        return dict(zip(columns, found, strict=True))

    def _structure(self, wanted: Mapping[str, Any]) -> Structure:
        with self._transaction() as connection:

            def rows(query: str, **values: Any) -> Sequence[Any]:
                return connection.execute(text(query), values).all()

            return Structure.of(
                {
                    "constraints": rows(sql.CONSTRAINTS, **wanted),
                    "enums": rows(sql.ENUMS),
                    "fields": rows(sql.FIELDS),
                    "partitions": rows(sql.PARTITIONS),
                    "parents": rows(sql.PARENTS),
                    "reads": rows(sql.DEPENDENCIES),
                    "definitions": rows(sql.DEFINITIONS, **wanted),
                    "type_comments": rows(sql.TYPE_COMMENTS),
                }
            )

    def _stream(self, wanted: Mapping[str, Any]) -> Iterator[Any]:
        options = {"yield_per": _FETCH}
        query = text(sql.INVENTORY)
        with (
            self._transaction() as connection,
            connection.execute(query, wanted, execution_options=options) as rows,
        ):
            yield from rows

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with self._connection.begin():
            set_session(self._connection, statement="5s", lock="1s")
            yield self._connection

    def _all(self, query: str) -> Sequence[Any]:
        def ask() -> Sequence[Any]:
            with self._transaction() as connection:
                return connection.execute(text(query)).all()

        try:
            try:
                return ask()
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            self._reconnect()
            return ask()
        except SQLAlchemyError as error:
            raise SourceError(f"The catalog cannot be read: {reason_of(error)}") from None

    def _tell_extensions(self, selection: Selection) -> None:
        found = [
            row for row in self._all(sql.EXTENSIONS) if selection.takes(row.nspname, row.relname)
        ]
        if found:
            names = listed(sorted({row.extension for row in found}))
            things = counted(len(found), "table or view", "tables and views")
            self._note(f"Skipped {things} of extensions ({names}); --with-extensions includes them")

    def _lost(self, table: Item, error: SQLAlchemyError) -> Mapping[str, RawFacts]:
        """Skip statistics after a timeout or a missing right; the run continues."""
        reason = reason_of(error)
        get_logger().warning("statistics.skipped", table=table.name, reason=f"{reason:.200}")
        self._note(f"{table.name} was described without statistics: {reason:.120}")
        return {}

    def _note(self, what: str) -> None:
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(what)

    def _reconnect(self) -> None:
        self._connection.close()
        for seconds in _RECONNECT_SECONDS:
            try:
                self._connection = connect(self._engine)
            except SourceError:
                time.sleep(seconds)
            else:
                return
        self._connection = connect(self._engine)


def _is_empty(connection: Connection, relation: int) -> bool:
    """Whether a table has no rows; a locked one may have some."""
    try:
        with connection.begin_nested():
            return bool(connection.execute(text(sql.EMPTY), {"relation": relation}).scalar())
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return False
