"""Writes comments to a DuckDB file: one transaction per table. Nobody else may have it open."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from amx_kimi.databases.base import Comment, Present, RefusedError, no_file, split_by_before
from amx_kimi.databases.dialect import Dialect, Place, statement
from amx_kimi.databases.drivers import need_driver
from amx_kimi.databases.duckdb.connect import CONFIG, reason_of
from amx_kimi.errors import SourceError
from amx_kimi.files import open_regular

__all__ = ["DIALECT", "DuckdbComments"]

DIALECT = Dialect(
    "duckdb",
    sqlglot="duckdb",
    begin="BEGIN TRANSACTION;",
    end="COMMIT;",
    table="COMMENT ON {kind} {table} IS {text};",
    column="COMMENT ON COLUMN {table}.{column} IS {text};",
)

_HEADER, _HEADER_VERSION = (
    84,
    52,
)  # offsets in DuckDB's main header; the second is that of the library's version
_VERSION = re.compile(r"v(\d+\.\d+)")
_Texts = dict[str, str | None]  # by column; the table's own is that of ""

_RELATIONS = """
SELECT schema_name, table_name, 'table', comment FROM duckdb_tables()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
UNION ALL
SELECT schema_name, view_name, 'view', comment FROM duckdb_views()
WHERE NOT internal AND NOT temporary AND database_name = current_database()
"""
_COLUMNS = """
SELECT schema_name, table_name, column_name, comment FROM duckdb_columns()
WHERE NOT internal AND database_name = current_database()
"""


class DuckdbComments:
    """A DuckDB file, opened for writing.

    Raises:
        SourceError: duckdb is not installed, there is no such file, or another process has it open.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise no_file(path, "DuckDB file")
        need_driver("duckdb")
        import duckdb

        self.identity = f"duckdb:{path.resolve()}"
        self.caution = _newer_than(path, duckdb.__version__)
        self._seen: Mapping[tuple[str, str], Present] = {}
        try:
            self._connection = duckdb.connect(str(path.resolve()), config=CONFIG)
        except duckdb.Error as error:
            raise SourceError(
                f"{path} cannot be opened for writing: {reason_of(error)}",
                remedy="Close it in other programs first.",
            ) from None
        # With the catalog, because a schema may have the same name as its file.
        catalog = str(self._rows("SELECT current_database()")[0][0])
        self.dialect = replace(DIALECT, catalog=catalog)

    def read(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        """As `Comments.read`."""
        wanted = set(tables)
        found: dict[tuple[str, str], tuple[str, _Texts]] = {}
        for schema, table, kind, comment in self._rows(_RELATIONS):
            if (schema, table) in wanted:
                found[schema, table] = (kind, {"": comment})
        for schema, table, column, comment in self._rows(_COLUMNS):
            if (schema, table) in found:
                found[schema, table][1][column] = comment
        self._seen = {name: Present(*each) for name, each in found.items()}
        return self._seen

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        """As `Comments.write`."""
        import duckdb

        # Still as `read` found it: nobody else can open a file that DuckDB has open for writing.
        now = self._seen.get((schema, table))
        fitting, others = split_by_before(now, wanted)
        self._connection.begin()
        try:
            for one in fitting:
                place = Place(schema, table, one.column, now.kind if now else "table")
                self._connection.execute(statement(self.dialect, place, one.after))
            self._connection.commit()
        except duckdb.Error as error:
            self._connection.rollback()
            raise RefusedError(reason_of(error)) from None
        except BaseException:
            self._connection.rollback()
            raise
        return others

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _rows(self, query: str) -> list[Any]:
        return self._connection.execute(query).fetchall()


def _newer_than(path: Path, ours: str) -> str:
    """A caution if an older DuckDB created the file, which it may not be able to open any more
    once we have written to it. The file's header names the version."""
    try:
        with open_regular(path) as file:
            header = file.read(_HEADER)
    except OSError:  # raised again, with its reason, when it is opened
        return ""
    made_by = _VERSION.match(header[_HEADER_VERSION:].decode("ascii", "replace"))
    if made_by and _numbers(made_by[1]) >= _numbers(ours):
        return ""
    by = f"DuckDB {made_by[1]}" if made_by else "an old DuckDB"
    return (
        f"{path} was created by {by}, and is written by DuckDB {ours}: an older DuckDB may not "
        "open it afterwards. If one must, keep a copy."
    )


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)
