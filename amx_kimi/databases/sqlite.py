"""SQLite: opened read-only, its catalog streamed, statistics from a bounded sample."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from amx_kimi.blocks import blocks
from amx_kimi.databases.base import (
    Reading,
    Selection,
    Source,
    TableGoneError,
    file_of,
    file_url,
    no_file,
    quoted,
)
from amx_kimi.databases.samples import sample_facts
from amx_kimi.errors import SourceError
from amx_kimi.types import Item, RawFacts

__all__ = ["SqliteSource", "open_source"]

_SAMPLE_ROWS = 1_000
_VALUE_LENGTH = 300
_COLUMNS_AT_ONCE = 100
_DEFINITION_LENGTH = 4_000

_TABLES = """
SELECT name, type, sql FROM sqlite_schema
WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
  AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY name
"""

_COLUMNS = """
SELECT p.cid, p.name, p.type, p."notnull", p.pk,
       (SELECT f."table" || '.' || coalesce(f."to", '') FROM pragma_foreign_key_list(:table) f
        WHERE f."from" = p.name LIMIT 1),
       EXISTS (SELECT 1 FROM pragma_index_list(:table) i WHERE i."unique" AND i.origin = 'u'
               AND (SELECT group_concat(x.name, char(0)) FROM pragma_index_info(i.name) x) = p.name)
FROM pragma_table_xinfo(:table) p WHERE p.hidden <> 1 AND p.name <> '' ORDER BY p.cid
"""


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    return SqliteSource(file_of(url), reading)


class SqliteSource:
    """A SQLite file.

    Raises:
        SourceError: there is no such file, or it is not a SQLite database.
    """

    def __init__(self, path: Path, reading: Reading) -> None:
        self.notes: list[str] = []
        self._reading = reading
        if not path.is_file():
            raise no_file(path, "SQLite file")
        self._path = path.resolve()
        self.identity = f"sqlite:{self._path}"
        self.reopen = file_url("sqlite", self._path)
        try:
            self._connection = _connect(self._path)
        except sqlite3.Error as error:
            raise SourceError(f"{path} cannot be read as SQLite: {error}") from None

    def schemas(self) -> list[str]:
        """SQLite has no schemas."""
        return [""]

    def tables(self) -> list[tuple[str, str]]:
        """As `Source.tables`."""
        return [("", row[0]) for row in self._rows(_TABLES)]

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`."""
        estimates = self._estimates()
        for name, kind, sql in self._rows(_TABLES):
            if selection.takes("", name):
                definition = (sql or "")[:_DEFINITION_LENGTH] if kind == "view" else ""
                rows = estimates.get(name) if kind == "table" else None
                yield Item("", name, "", kind, 0, rows=rows, definition=definition)
                for column in self._columns(name):
                    yield _column(name, column)

    def profile(self, table: Item, columns: Sequence[str]) -> Mapping[str, RawFacts]:
        """As `Source.profile`: frequencies are those of the first rows, in storage order."""
        if table.kind == "view" or not self._reading.samples:
            return {}
        if self._reading.most_rows and (table.rows or 0) > self._reading.most_rows:
            return {}
        facts: dict[str, RawFacts] = {}
        for some in blocks(columns, _COLUMNS_AT_ONCE):
            facts.update(zip(some, self._sample(table.table, some), strict=True))
        return facts

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _sample(self, table: str, columns: Sequence[str]) -> list[RawFacts]:
        picked = ", ".join(
            f"CASE typeof({c}) WHEN 'blob' THEN 'binary' "
            f"WHEN 'text' THEN substr({c}, 1, {_VALUE_LENGTH}) ELSE {c} END"
            # Qualified, because SQLite reads the bare name of a missing column as a text.
            for c in (f"{quoted(table)}.{quoted(column)}" for column in columns)
        )
        counters: list[Counter[Any]] = [Counter() for _ in columns]
        try:
            query = f"SELECT {picked} FROM {quoted(table)} LIMIT {_SAMPLE_ROWS + 1}"
            seen = 0
            for row in self._connection.execute(query):
                seen += 1
                for counter, value in zip(counters, row, strict=True):
                    counter[value] += 1
        except sqlite3.Error as error:
            if "no such table" in str(error):
                raise TableGoneError(f"The table {table} was dropped during the run") from None
            return [
                RawFacts() for _ in columns
            ]  # a column was altered meanwhile, or a page is damaged
        return [sample_facts(counter, whole=seen <= _SAMPLE_ROWS) for counter in counters]

    def _estimates(self) -> dict[str, int]:
        """Row counts that ANALYZE left behind; nothing is counted."""
        try:
            rows = self._connection.execute("SELECT tbl, stat FROM sqlite_stat1 WHERE stat <> ''")
            return {table: int(str(stat).split()[0]) for table, stat in rows}
        except (sqlite3.Error, ValueError, IndexError):
            return {}

    def _columns(self, table: str) -> list[Any]:
        try:
            return self._connection.execute(_COLUMNS, {"table": table}).fetchall()
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
                return []  # a view of a missing table, or a virtual table of an unknown module
            raise self._unreadable(error) from None

    def _rows(self, query: str) -> Iterator[Any]:
        try:
            yield from self._connection.execute(query)
        except sqlite3.Error as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: sqlite3.Error) -> SourceError:
        return SourceError(f"{self._path}: its catalog cannot be read: {error}")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, check_same_thread=False)
    try:
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error:  # it is opened anyway
        connection.close()
        raise
    return connection


def _column(table: str, row: Sequence[Any]) -> Item:
    position, name, type_, notnull, primary, reference, unique = row
    roles = (("pk", primary), ("unique", unique), ("fk", reference))
    return Item(
        schema="",
        table=table,
        column=name,
        kind="column",
        position=position + 1,
        type=type_ or "",
        nullable=not (notnull or primary),
        key_role=",".join(role for role, holds in roles if holds),
        fk=(reference or "").rstrip("."),
    )
