"""Writes comments to PostgreSQL: one transaction per table, under a lock if the kind has one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import URL, Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Comment, Present, RefusedError, quoted, split_by_before
from amx_kimi.databases.dialect import Dialect, Place, statement
from amx_kimi.databases.postgresql.connect import (
    connect,
    engine_of,
    identity_of,
    reason_of,
    set_session,
)
from amx_kimi.errors import SourceError

__all__ = ["DIALECT", "PostgresqlComments"]

DIALECT = Dialect(
    "postgresql",
    sqlglot="postgres",
    head=("SET standard_conforming_strings = on;", "SET client_encoding = 'UTF8';"),
    begin="BEGIN;",
    end="COMMIT;",
    table="COMMENT ON {kind} {table} IS {text};",
    column="COMMENT ON COLUMN {table}.{column} IS {text};",
)

_RELATION_KINDS = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}
_COMMENTS = text("""
SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, coalesce(a.attname, '') AS column,
       d.description AS comment
FROM unnest(CAST(:schemas AS text[]), CAST(:tables AS text[])) AS wanted(schema, name)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
CROSS JOIN LATERAL (
  SELECT 0 AS attnum, NULL AS attname
  UNION ALL
  SELECT attnum, attname FROM pg_catalog.pg_attribute
  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
) a
LEFT JOIN pg_catalog.pg_description d
  ON d.objoid = c.oid AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = a.attnum
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
""")


class PostgresqlComments:
    """A PostgreSQL database.

    Raises:
        SourceError: no driver, no connection.
    """

    def __init__(self, url: URL) -> None:
        self._engine = engine_of(url, read_only=False)
        self.caution = ""
        self.dialect = DIALECT
        self.identity = identity_of(self._engine.url)
        self._kinds: Mapping[tuple[str, str], str] = {}
        self._connection = connect(self._engine)

    def read(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        """As `Comments.read`."""
        try:
            with self._transaction():
                found = _present(self._connection, tables)
            self._kinds = {name: present.kind for name, present in found.items()}
            return found
        except SQLAlchemyError as error:
            raise SourceError(f"The catalog cannot be read: {reason_of(error)}") from None

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        """As `Comments.write`."""
        try:
            # Without parameters, because a percent sign would be read as one.
            bare = self._connection.execution_options(no_parameters=True)
            with self._transaction():
                if self._kinds.get((schema, table)) == "table":
                    # What COMMENT takes anyway: nobody writes between our look and our text.
                    name = f"{quoted(schema)}.{quoted(table)}"
                    bare.exec_driver_sql(f"LOCK TABLE ONLY {name} IN SHARE UPDATE EXCLUSIVE MODE")
                now = _present(self._connection, [(schema, table)]).get((schema, table))
                fitting, others = split_by_before(now, wanted)
                if now and fitting:
                    lines = (
                        statement(
                            self.dialect, Place(schema, table, one.column, now.kind), one.after
                        )
                        for one in fitting
                    )
                    # One round trip for all.
                    bare.exec_driver_sql("\n".join(lines))
                return others
        except DBAPIError as error:
            if error.connection_invalidated:
                raise SourceError(f"The connection was lost: {reason_of(error)}") from None
            raise RefusedError(reason_of(error)) from None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._connection.begin():
            set_session(self._connection, statement="60s", lock="5s")
            yield


def _present(
    connection: Connection, tables: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Present]:
    schemas = [schema for schema, _ in tables]
    names = {"schemas": schemas, "tables": [table for _, table in tables]}
    found: dict[tuple[str, str], dict[str, str | None]] = {}
    kinds = {}
    for row in connection.execute(_COMMENTS, names):
        kinds[row.schema, row.name] = _RELATION_KINDS[row.kind]
        found.setdefault((row.schema, row.name), {})[row.column] = row.comment
    return {name: Present(kinds[name], comments) for name, comments in found.items()}
