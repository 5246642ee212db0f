"""Databases whose comments can be written: PostgreSQL and DuckDB, a transaction a table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.annotate.sources import files_or_url
from amx_kimi.annotate.sources.base import quoted
from amx_kimi.annotate.sources.duckdb import CONFIG, need_duckdb
from amx_kimi.annotate.sources.duckdb import reason_of as duckdb_reason
from amx_kimi.annotate.sources.postgresql import (
    identity_of,
    reason_of,
    set_session,
    without_secrets,
)
from amx_kimi.drivers import with_driver
from amx_kimi.errors import SourceError
from amx_kimi.private import open_regular
from amx_kimi.publish.statements import Dialect, Place, dialects, statement

__all__ = ["Comment", "Comments", "Present", "Refused", "keeps_comments", "open_comments"]

_RELATION_KINDS = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}
_CONNECT_SECONDS = 10


class Refused(SourceError):
    """The database refused to write a table's comments: nothing of them was written."""

    stops_run = False


@dataclass(frozen=True)
class Present:
    """A relation as it stands: what sort it is, and its comments by column ("" is its own; None: it
    has none)."""

    kind: str
    comments: Mapping[str, str | None]


@dataclass(frozen=True)
class Comment:
    """A comment to write: `before` is what has to stand there."""

    column: str
    before: str | None
    after: str | None


class Comments(Protocol):
    """An open database, used from one thread; `identity` says which, as `Source.identity` does, and
    `caution` what a person should know before the first write, or ""."""

    identity: str
    dialect: Dialect
    caution: str

    def read(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        """What stands at these (schema, table); those that are gone are left out.

        Raises:
            SourceError: the catalog cannot be read.
        """

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        """Write a table's comments in one transaction, all or none; returns those that were left
        out, since something else than `before` stands there by now.

        Raises:
            Refused: the database would not, such as for a missing right.
            SourceError: the connection was lost.
        """

    def close(self) -> None:
        """Close the connection."""


def keeps_comments(identity: str) -> bool:
    """Whether comments could be written to a database, by its identity (`duckdb:/data/dwh`)."""
    return identity.partition(":")[0] in ("duckdb", "postgresql")


def open_comments(target: str | URL) -> Comments:
    """Open a database to write its comments.

    Raises:
        SourceError: it cannot be opened, or keeps no comments that we could write.
    """
    try:
        url = make_url(files_or_url([target]) if isinstance(target, str) else target)
    except (SQLAlchemyError, ValueError):
        raise SourceError("That is neither a database URL nor a file") from None
    backend = url.get_backend_name()
    if backend == "duckdb":
        return DuckdbComments(Path(url.database or "").expanduser())
    if backend in ("postgresql", "postgres"):
        return PostgresqlComments(url)
    kind = {"sqlite": "SQLite keeps no comments", "files": "Files of data keep no comments"}
    raise SourceError(
        kind.get(backend, f"Comments in a database of the kind {backend!r} cannot be written yet"),
        remedy="--to URL names another database that has these tables; --sql FILE --dialect D "
        f"writes statements ({', '.join(dialects())}); `export` writes dbt, DataHub and others.",
    )


class PostgresqlComments:
    """A PostgreSQL database.

    Raises:
        SourceError: no driver, no connection.
    """

    def __init__(self, url: URL) -> None:
        full = with_driver(url, SourceError)
        self.caution = ""
        self.dialect = dialects()["postgresql"]
        self.identity = identity_of(full)
        self._kinds: Mapping[tuple[str, str], str] = {}
        timeout = "timeout" if full.drivername.endswith("pg8000") else "connect_timeout"
        self._engine = create_engine(full, connect_args={timeout: _CONNECT_SECONDS}, pool_size=1)
        event.listen(self._engine, "connect", _set_up, insert=True)
        try:
            self._connection = self._engine.connect()
        except SQLAlchemyError as error:
            raise SourceError(
                f"{without_secrets(full).render_as_string()} cannot be opened: {reason_of(error)}",
                remedy="Check host, port, database, user and password (PGPASSWORD or ~/.pgpass).",
            ) from None

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
            # No parameters, or a percent sign would be one.
            bare = self._connection.execution_options(no_parameters=True)
            with self._transaction():
                if self._kinds.get((schema, table)) == "table":
                    # What COMMENT takes anyway: nobody writes between our look and our text.
                    name = f"{quoted(schema)}.{quoted(table)}"
                    bare.exec_driver_sql(f"LOCK TABLE ONLY {name} IN SHARE UPDATE EXCLUSIVE MODE")
                now = _present(self._connection, [(schema, table)]).get((schema, table))
                fitting, others = _split(now, wanted)
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
            raise Refused(reason_of(error)) from None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._connection.begin():
            set_session(self._connection, statement="60s", lock="5s")
            yield


class DuckdbComments:
    """A DuckDB file, opened to write.

    Raises:
        SourceError: duckdb is not installed, there is no such file, or another process has it open.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise SourceError(f"There is no DuckDB file {path}")
        need_duckdb()
        import duckdb

        self.identity = f"duckdb:{path.resolve()}"
        self.caution = _newer_than(path, duckdb.__version__)
        self._seen: Mapping[tuple[str, str], Present] = {}
        try:
            self._connection = duckdb.connect(str(path.resolve()), config=CONFIG)
        except duckdb.Error as error:
            raise SourceError(
                f"{path} cannot be opened to write: {duckdb_reason(error)}",
                remedy="Close it in other programs first.",
            ) from None
        # With the catalog: a schema may be called as its file is.
        catalog = str(self._rows("SELECT current_database()")[0][0])
        self.dialect = replace(dialects()["duckdb"], catalog=catalog)

    def read(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        """As `Comments.read`."""
        wanted = set(tables)
        found: dict[tuple[str, str], tuple[str, dict[str, str | None]]] = {}
        for schema, table, kind, comment in self._rows(_DUCKDB_RELATIONS):
            if (schema, table) in wanted:
                found[schema, table] = (kind, {"": comment})
        for schema, table, column, comment in self._rows(_DUCKDB_COLUMNS):
            if (schema, table) in found:
                found[schema, table][1][column] = comment
        self._seen = {name: Present(*each) for name, each in found.items()}
        return self._seen

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        """As `Comments.write`."""
        import duckdb

        # Read by `read`, and the same still: DuckDB lets nobody else into a file that we write to.
        now = self._seen.get((schema, table))
        fitting, others = _split(now, wanted)
        self._connection.begin()
        try:
            for one in fitting:
                place = Place(schema, table, one.column, now.kind if now else "table")
                self._connection.execute(statement(self.dialect, place, one.after))
            self._connection.commit()
        except duckdb.Error as error:
            self._connection.rollback()
            raise Refused(duckdb_reason(error)) from None
        except BaseException:
            self._connection.rollback()
            raise
        return others

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _rows(self, query: str) -> list[Any]:
        return self._connection.execute(query).fetchall()


_DUCKDB_RELATIONS = """
SELECT schema_name, table_name, 'table', comment FROM duckdb_tables()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
UNION ALL
SELECT schema_name, view_name, 'view', comment FROM duckdb_views()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
"""
_DUCKDB_COLUMNS = """
SELECT schema_name, table_name, column_name, comment FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database()
"""
_POSTGRESQL = text("""
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


def _newer_than(path: Path, ours: str) -> str:
    """A caution where a file was made by an older DuckDB than ours: once we have written to it,
    that one may not open it any more. Its header says which it was."""
    try:
        with open_regular(path) as file:
            header = file.read(_HEADER)
    except OSError:  # whoever opens it says why
        return ""
    made_by = _VERSION.match(header[_HEADER_VERSION:].decode("ascii", "replace"))
    if made_by and _numbers(made_by[1]) >= _numbers(ours):
        return ""
    by = f"DuckDB {made_by[1]}" if made_by else "an old DuckDB"
    return (
        f"{path} was made by {by}, and is written to by DuckDB {ours}: an older DuckDB may not "
        "open it afterwards. Keep a copy if one has to."
    )


_HEADER, _HEADER_VERSION = 84, 52  # DuckDB's main header, where the library's version stands
_VERSION = re.compile(r"v(\d+\.\d+)")


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _present(
    connection: Connection, tables: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], Present]:
    names = {"schemas": [schema for schema, _ in tables], "tables": [table for _, table in tables]}
    found: dict[tuple[str, str], dict[str, str | None]] = {}
    kinds = {}
    for row in connection.execute(_POSTGRESQL, names):
        kinds[row.schema, row.name] = _RELATION_KINDS[row.kind]
        found.setdefault((row.schema, row.name), {})[row.column] = row.comment
    return {name: Present(kinds[name], comments) for name, comments in found.items()}


def _split(now: Present | None, wanted: Sequence[Comment]) -> tuple[list[Comment], list[Comment]]:
    """Those whose `before` stands there, and the others."""
    there = now.comments if now else {}
    fitting: list[Comment] = []
    others: list[Comment] = []
    for one in wanted:
        fits = one.column in there and there[one.column] == one.before
        (fitting if fits else others).append(one)
    return fitting, others


def _set_up(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for setting in (
        "client_encoding = 'UTF8'",
        "application_name = 'amx-kimi'",
        "standard_conforming_strings = on",
    ):
        cursor.execute(f"SET {setting}")
    cursor.close()
    connection.commit()
