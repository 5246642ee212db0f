"""Oracle's data dictionary, replayed: a PEP 249 connection in place of the one that
`oracledb.connect` opens. SQLAlchemy's dialect and the driver's own errors are the real ones.

It is no Oracle. The ALL_ views are tables in DuckDB, with columns and values as in Oracle's
Database Reference (19c and 23ai; written from memory and reviewed, not compared with its pages;
LONG and RAW as the driver tells them). Each statement is parsed by sqlglot as Oracle's SQL,
translated, and run on them: a statement that Oracle's SQL does not have, or a column that a view
does not have, is an error. COMMENT ON commits at once, as DDL does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import duckdb
import oracledb
import sqlglot
from sqlglot import exp

__all__ = ["Dictionary", "oracle_error"]

_VIEWS = """
CREATE TABLE all_users (username VARCHAR, oracle_maintained VARCHAR);
CREATE TABLE all_objects (owner VARCHAR, object_name VARCHAR, object_type VARCHAR);
CREATE TABLE all_tables (owner VARCHAR, table_name VARCHAR, num_rows BIGINT, dropped VARCHAR,
                         nested VARCHAR, secondary VARCHAR, iot_type VARCHAR);
CREATE TABLE all_views (owner VARCHAR, view_name VARCHAR, text_vc VARCHAR);
CREATE TABLE all_mviews (owner VARCHAR, mview_name VARCHAR, container_name VARCHAR, query VARCHAR);
CREATE TABLE all_mview_logs (log_owner VARCHAR, log_table VARCHAR);
CREATE TABLE all_mview_comments (owner VARCHAR, mview_name VARCHAR, comments VARCHAR);
CREATE TABLE all_external_tables (owner VARCHAR, table_name VARCHAR);
CREATE TABLE all_part_tables (owner VARCHAR, table_name VARCHAR, partition_count INT);
CREATE TABLE all_tab_comments (owner VARCHAR, table_name VARCHAR, table_type VARCHAR,
                               comments VARCHAR);
CREATE TABLE all_col_comments (owner VARCHAR, table_name VARCHAR, column_name VARCHAR,
                               comments VARCHAR);
CREATE TABLE all_tab_cols (owner VARCHAR, table_name VARCHAR, column_name VARCHAR, column_id INT,
    data_type VARCHAR, data_type_owner VARCHAR, data_length INT, char_length INT,
    char_used VARCHAR, data_precision INT, data_scale INT, nullable VARCHAR,
    virtual_column VARCHAR, hidden_column VARCHAR, identity_column VARCHAR, data_default VARCHAR);
CREATE TABLE all_constraints (owner VARCHAR, table_name VARCHAR, constraint_name VARCHAR,
    constraint_type VARCHAR, r_owner VARCHAR, r_constraint_name VARCHAR);
CREATE TABLE all_cons_columns (owner VARCHAR, constraint_name VARCHAR, table_name VARCHAR,
                               column_name VARCHAR, position INT);
CREATE TABLE all_tab_col_statistics (owner VARCHAR, table_name VARCHAR, column_name VARCHAR,
    num_distinct INT, num_nulls INT, low_value BLOB, high_value BLOB, histogram VARCHAR);
CREATE TABLE all_tab_histograms (owner VARCHAR, table_name VARCHAR, column_name VARCHAR,
    endpoint_number INT, endpoint_value DOUBLE, endpoint_actual_value VARCHAR);
"""
_NAME = r'"((?:[^"]|"")*)"'
_COMMENT = re.compile(
    rf"COMMENT ON (TABLE|COLUMN|MATERIALIZED VIEW) {_NAME}\.{_NAME}(?:\.{_NAME})? "
    r"IS '((?:[^']|'')*)'",
    re.DOTALL,
)
_ANSWERS: Mapping[str, Any] = {
    "sys_context": "READER",
    "SELECT 1.1 FROM DUAL": "1.1",
}


def oracle_error(code: int, text: str) -> oracledb.DatabaseError:
    """An error of the server, as python-oracledb raises it."""
    from oracledb.errors import _Error

    url = f"https://docs.oracle.com/error-help/db/ora-{code:05}/"
    error = _Error(f"ORA-{code:05}: {text}\nHelp: {url}")
    error.code = code
    return oracledb.DatabaseError(error)


class Dictionary:
    """The views of one database, and what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuse: list[tuple[str, Exception]] = []
        self.logins: list[dict[str, Any]] = []
        self.connections: list[_Connection] = []
        self.password = "Secret-9"
        self._data = duckdb.connect(config={"threads": 1})
        self._data.execute(_VIEWS)
        for name, maintained in (("SYS", "Y"), ("SYSTEM", "Y"), ("LEER", "N")):
            self.insert("users", name, maintained)

    def connect(self, **options: Any) -> _Connection:
        """In place of `oracledb.connect`."""
        self.logins.append(options)
        if options["password"] != self.password:
            raise oracle_error(1017, "invalid credential or not authorized; logon denied")
        self.connections.append(_Connection(self))
        return self.connections[-1]

    # Made by tests

    def table(
        self,
        owner: str,
        name: str,
        columns: Mapping[str, str],
        *,
        kind: str = "TABLE",
        rows: int | None = None,
        text: str = "",
        comment: str | None = None,
    ) -> None:
        """A table (`TABLE`), `VIEW` or `MATERIALIZED VIEW`; a column's text is
        `TYPE[(length[,scale])] [word …]`, where words are `not null`, `identity`, `hidden`,
        `virtual`, `char`, `pk`."""
        if not self.rows("SELECT 1 FROM all_users WHERE username = ?", [owner]):
            self.insert("users", owner, "N")
        self.insert("objects", owner, name, kind)
        if kind == "VIEW":
            self.insert("views", owner, name, text)
        else:
            self.insert("tables", owner, name, rows, "NO", "NO", "N", None)
        if kind == "MATERIALIZED VIEW":
            self.insert("mviews", owner, name, name, text)
            self.insert("mview_comments", owner, name, comment)
            comment = "snapshot table for snapshot"
        self.insert("tab_comments", owner, name, "VIEW" if kind == "VIEW" else "TABLE", comment)
        for place, (column, told) in enumerate(columns.items(), 1):
            self._column(owner, name, place, column, told)

    def key(
        self, owner: str, table: str, name: str, kind: str, *columns: str, refers: str = ""
    ) -> None:
        """A constraint; `refers` is another of the same owner."""
        self.insert("constraints", owner, table, name, kind, refers and owner, refers or None)
        for place, column in enumerate(columns, 1):
            self.insert("cons_columns", owner, name, table, column, place)

    def insert(self, view: str, *values: Any) -> None:
        marks = ", ".join("?" * len(values))
        self._data.execute(f"INSERT INTO all_{view} VALUES ({marks})", list(values))

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._data.execute(query, list(values)).fetchall()

    def comments(self) -> dict[str, str]:
        """`owner.table` or `owner.table.column`, and its comment."""
        query = """SELECT owner || '.' || table_name, comments FROM all_tab_comments
            UNION ALL SELECT owner || '.' || mview_name || ' (view)', comments
            FROM all_mview_comments UNION ALL
            SELECT owner || '.' || table_name || '.' || column_name, comments
            FROM all_col_comments"""
        return {name: text for name, text in self.rows(query) if text is not None}

    def _column(self, owner: str, table: str, place: int, name: str, told: str) -> None:
        type_, _, words = told.partition(" ")
        base, _, size = type_.rstrip(")").partition("(")
        first, _, second = size.partition(",")
        is_text = "CHAR" in base
        characters = int(first or 0) if is_text else 0
        wide = (base.startswith("N") and is_text) or "char" in words
        precision = int(first) if first and not is_text else None
        scale = int(second) if second else 0 if precision is not None else None
        self.insert(
            "tab_cols", owner, table, name, None if "hidden" in words else place, base, None,
            characters * (4 if wide else 1) or int(first or 22), characters,
            ("C" if wide else "B") if is_text else None, precision, scale,
            "N" if "not null" in words else "Y",
            "YES" if "virtual" in words else "NO", "YES" if "hidden" in words else "NO",
            "YES" if "identity" in words else "NO", '"KNR"*2' if "virtual" in words else None,
        )  # fmt: skip
        self.insert("col_comments", owner, table, name, None)
        if "pk" in words:
            self.key(owner, table, f"PK_{table}", "P", name)

    # Asked by clients

    def run(self, sql: str, values: Mapping[str, Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
        self.asked.append(sql)
        for words, error in self.refuse:
            if re.search(words, sql):
                raise error
        for words, answer in _ANSWERS.items():
            if words in sql:
                return ["ANSWER"], [(answer,)]
        if sql == "SET TRANSACTION READ ONLY" or sql.startswith("ALTER SESSION SET "):
            return [], []
        if sql.startswith("COMMENT"):
            self._comment(sql)
            return [], []
        return self._select(sql, values)

    def _select(
        self, sql: str, values: Mapping[str, Any]
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        try:
            done = self._data.execute(_translated(sql), dict(values) or None)
        except duckdb.CatalogException:
            raise oracle_error(942, "table or view does not exist") from None
        except duckdb.Error as error:
            raise oracle_error(904, str(error)) from None
        return [one[0].upper() for one in done.description or ()], done.fetchall()

    def _comment(self, sql: str) -> None:
        plain = sql.replace("MATERIALIZED VIEW", "TABLE", 1)  # which sqlglot does not parse
        assert isinstance(sqlglot.parse_one(plain, read="oracle"), exp.Comment)
        match = _COMMENT.fullmatch(sql)
        assert match, sql
        kind = match[1]
        owner, table, column = ((one or "").replace('""', '"') for one in match.group(2, 3, 4))
        text = match[5].replace("''", "'")
        if len(text.encode()) > 4_000:
            raise oracle_error(972, "the comment is too long")
        view, place = {
            "TABLE": ("tab_comments", {"table_name": table}),
            "COLUMN": ("col_comments", {"table_name": table, "column_name": column}),
            "MATERIALIZED VIEW": ("mview_comments", {"mview_name": table}),
        }[kind]
        place = {"owner": owner, **place}
        where = " AND ".join(f"{one} = ?" for one in place)
        if not self.rows(f"SELECT 1 FROM all_{view} WHERE {where}", [*place.values()]):
            raise oracle_error(942, "table or view does not exist")
        change = f"UPDATE all_{view} SET comments = ? WHERE {where}"
        self.rows(change, [text or None, *place.values()])  # '' is null


@lru_cache(100)
def _translated(sql: str) -> str:
    tree: exp.Expression = sqlglot.parse_one(sql, read="oracle")  # or it is not Oracle's SQL
    return tree.sql("duckdb")


class _Connection:
    """A connection with what SQLAlchemy's dialect and amx-kimi use of it."""

    thin, version, max_identifier_length = True, "19.3.0.0.0", 128

    def __init__(self, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.outputtypehandler = None
        self.stmtcachesize = 20
        self.call_timeout, self.module = 0, ""

    def cursor(self) -> _Cursor:
        return _Cursor(self.dictionary)

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def close(self) -> None: ...


class _Cursor:
    """A cursor of PEP 249."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[tuple[Any, ...]] | None = None
        self.arraysize, self.rowcount, self.outputtypehandler = 100, -1, None

    def __enter__(self) -> _Cursor:
        return self

    def __exit__(self, *_: object) -> None: ...

    def setinputsizes(self, *_: object, **__: object) -> None: ...

    def var(self, *_: object, **__: object) -> Any:
        raise oracle_error(6550, "PL/SQL is not imitated")

    def execute(self, sql: str, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        names, self._rows = self._dictionary.run(sql, {**(values or {}), **more})
        self.description = [(name, None, None, None, None, None, None) for name in names] or None

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int = 100) -> list[tuple[Any, ...]]:
        found, self._rows = self._rows[:size], self._rows[size:]
        return found

    def fetchall(self) -> list[tuple[Any, ...]]:
        found, self._rows = self._rows, []
        return found

    def close(self) -> None: ...
