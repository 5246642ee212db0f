"""A server that speaks Trino's client protocol over a real socket, and runs statements on DuckDB.

No Trino can run here (it needs Java archives). The requests, answers and headers follow Trino's
documentation, "Trino client REST API"; the columns of `information_schema` and `system.metadata`
follow its source; the errors have the names of its `StandardErrorCode` (all November 2026). What a
connector can store, and who may read what, is set by the test.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

ROWS_AT_ONCE = 1_000
_NAME = r'"(?:[^"]|"")*"|\w+'
_TEXT = r"'(?:[^']|'')*'"
_COMMENT = re.compile(
    rf"COMMENT ON (TABLE|VIEW|COLUMN) ((?:{_NAME})(?:\.(?:{_NAME}))*) IS (NULL|{_TEXT})", re.DOTALL
)
_CODES = {
    "SYNTAX_ERROR": (1, "USER_ERROR"),
    "PERMISSION_DENIED": (4, "USER_ERROR"),
    "NOT_SUPPORTED": (13, "USER_ERROR"),
    "CATALOG_NOT_FOUND": (44, "USER_ERROR"),
    "SCHEMA_NOT_FOUND": (45, "USER_ERROR"),
    "TABLE_NOT_FOUND": (46, "USER_ERROR"),
    "COLUMN_NOT_FOUND": (47, "USER_ERROR"),
    "GENERIC_INTERNAL_ERROR": (65536, "INTERNAL_ERROR"),
    "EXCEEDED_TIME_LIMIT": (131075, "INSUFFICIENT_RESOURCES"),
    "HIVE_METASTORE_ERROR": (16777216, "EXTERNAL"),
}

# The relations of the catalog, by DuckDB's own; {c} is the catalog.
_CATALOG = {
    ("information_schema", "schemata"): """
SELECT '{c}' AS catalog_name, schema_name FROM duckdb_schemas()
WHERE database_name = '{c}' AND schema_name NOT IN ('information_schema', 'pg_catalog', 'main')
UNION ALL SELECT '{c}', 'information_schema'
""",
    ("information_schema", "tables"): """
SELECT '{c}' AS table_catalog, schema_name AS table_schema, table_name, 'BASE TABLE' AS table_type
FROM duckdb_tables() WHERE database_name = '{c}'
UNION ALL
SELECT '{c}', schema_name, view_name, 'VIEW' FROM duckdb_views()
WHERE database_name = '{c}' AND NOT internal
""",
    ("information_schema", "columns"): """
SELECT '{c}' AS table_catalog, d.schema_name AS table_schema, d.table_name, d.column_name,
       row_number() OVER (PARTITION BY d.schema_name, d.table_name ORDER BY d.column_index)
       AS ordinal_position, NULL AS column_default,
       CASE WHEN d.is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable,
       CASE WHEN d.data_type LIKE '%[]' THEN 'array(' || lower(d.data_type[:-3]) || ')'
            WHEN d.data_type = 'BLOB' THEN 'varbinary'
            ELSE lower(d.data_type) END AS data_type, m.text AS comment
FROM duckdb_columns() d
LEFT JOIN memory.main.comments m
  ON (m.c, m.s, m.t, m.n) = ('{c}', d.schema_name, d.table_name, d.column_name)
WHERE d.database_name = '{c}' AND d.schema_name NOT IN ('information_schema', 'pg_catalog')
""",
    ("information_schema", "views"): """
SELECT '{c}' AS table_catalog, schema_name AS table_schema, view_name AS table_name,
       sql AS view_definition FROM duckdb_views() WHERE database_name = '{c}' AND NOT internal
""",
    ("metadata", "table_comments"): """
SELECT t.database_name AS catalog_name, t.schema_name, t.table_name, m.text AS comment
FROM (SELECT database_name, schema_name, table_name FROM duckdb_tables() UNION ALL
      SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal) t
LEFT JOIN memory.main.comments m
  ON (m.c, m.s, m.t, m.n) = (t.database_name, t.schema_name, t.table_name, '')
""",
    ("metadata", "materialized_views"): """
SELECT c AS catalog_name, s AS schema_name, t AS name, sql AS definition
FROM memory.main.materialized
""",
}


class TrinoError(Exception):
    """An error of Trino: its name, and its message."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class TrinoServer:
    """A cluster with catalogs in memory.

    - `refused`: statements that match a pattern fail with this error
    - `statements`: what was asked, in order; `headers`: the headers of each
    - `statistics`: what SHOW STATS tells of a (catalog, schema, table)
    - `passwords`, `tokens`: without any, nobody has to log in
    - `knows_immediate`: whether it knows EXECUTE IMMEDIATE (Trino 418)
    """

    def __init__(self, *catalogs: str, tls: ssl.SSLContext | None = None) -> None:
        self.refused: dict[str, TrinoError] = {}
        self.statements: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.statistics: dict[tuple[str, str, str], list[tuple[Any, ...]]] = {}
        self.passwords: dict[str, str] = {}
        self.tokens: set[str] = set()
        self.knows_immediate = True
        self.answer: tuple[int, str] | None = None
        self.catalogs = list(catalogs)
        self._lock = threading.Lock()
        self._database = duckdb.connect()
        self._database.execute("CREATE TABLE comments (c text, s text, t text, n text, text text)")
        self._database.execute("CREATE TABLE materialized (c text, s text, t text, sql text)")
        for catalog in catalogs:
            self._database.execute(f"ATTACH ':memory:' AS \"{catalog}\"")
        self._pages: dict[str, Iterator[dict[str, Any]]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.scheme = "https" if tls else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> TrinoServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._database.close()

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Statements of DuckDB's own, to make tables and look at comments."""
        with self._lock:
            for statement in statements:
                self._database.execute(statement)
            return list(self._database.fetchall())

    def comments(self) -> dict[str, str]:
        """Every comment, by the names of catalog, schema, table and column."""
        rows = self.execute("SELECT c, s, t, n, text FROM memory.main.comments")
        return {".".join(filter(None, row[:4])): row[4] for row in rows}

    def allows(self, headers: Mapping[str, str]) -> bool:
        """Whether the login of a request is right."""
        if not (self.passwords or self.tokens):
            return True
        kind, _, told = (headers.get("Authorization") or "").partition(" ")
        if kind == "Bearer":
            return told in self.tokens
        user, _, password = base64.b64decode(told).decode().partition(":")
        return kind == "Basic" and self.passwords.get(user, "\0") == password

    def start(self, sql: str, headers: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        """Run a statement: the first answer, and its headers."""
        with self._lock:
            self.statements.append(sql)
            self.headers.append(headers)
            number = str(len(self.statements))
            told: dict[str, str] = {}
            try:
                columns, rows = self._run(sql, headers, told)
                pages = self._paged(number, columns, rows)
            except TrinoError as error:
                pages = iter([{**_of(number), "error": _error(error)}])
            self._pages[number] = pages
            first = {**_of(number), "nextUri": self._next(number)}
            return first, told

    def go_on(self, number: str) -> dict[str, Any]:
        """The next answer of a statement."""
        with self._lock:
            return next(self._pages[number])

    def _next(self, number: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1/statement/executing/{number}"

    def _paged(
        self, number: str, columns: list[tuple[str, str]], rows: list[list[Any]]
    ) -> Iterator[dict[str, Any]]:
        shape = [_column(*column) for column in columns]
        for start in range(0, max(1, len(rows)), ROWS_AT_ONCE):
            page = {**_of(number), "columns": shape, "data": rows[start : start + ROWS_AT_ONCE]}
            if start + ROWS_AT_ONCE < len(rows):
                page["nextUri"] = self._next(number)
            yield page

    def _run(
        self, sql: str, headers: Mapping[str, str], told: dict[str, str]
    ) -> tuple[list[tuple[str, str]], list[list[Any]]]:
        for pattern, error in self.refused.items():
            if re.search(pattern, sql, re.DOTALL):
                raise error
        done = [("result", "boolean")], [[True]]
        catalog = headers.get("X-Trino-Catalog") or ""
        if sql == "SHOW CATALOGS":
            return [("Catalog", "varchar")], [[one] for one in [*self.catalogs, "system"]]
        if found := re.fullmatch(rf"SET SESSION (\w+) = ({_TEXT})", sql):
            told["X-Trino-Set-Session"] = f"{found[1]}={urllib.parse.quote(_text(found[2]))}"
            return done
        if found := re.fullmatch(r"PREPARE (\w+) FROM (.*)", sql, re.DOTALL):
            told["X-Trino-Added-Prepare"] = f"{found[1]}={urllib.parse.quote_plus(found[2])}"
            return done
        if found := re.fullmatch(r"DEALLOCATE PREPARE (\w+)", sql):
            told["X-Trino-Deallocated-Prepare"] = found[1]
            return done
        if found := re.fullmatch(rf"EXECUTE IMMEDIATE ({_TEXT})(?: USING (.*))?", sql, re.DOTALL):
            if not self.knows_immediate:
                raise TrinoError("SYNTAX_ERROR", "line 1:9: mismatched input 'IMMEDIATE'")
            return self._select(_text(found[1]), catalog, _values(found[2]))
        if found := re.fullmatch(r"EXECUTE (\w+) USING (.*)", sql, re.DOTALL):
            prepared = dict(
                one.split("=", 1) for one in headers["X-Trino-Prepared-Statement"].split(",")
            )
            statement = urllib.parse.unquote_plus(prepared[found[1]])
            return self._select(statement, catalog, _values(found[2]))
        if found := re.fullmatch(rf"SHOW STATS FOR ((?:{_NAME})\.(?:{_NAME}))", sql):
            return self._statistics(catalog, *_names(found[1]))
        if found := _COMMENT.fullmatch(sql):
            self._comment(catalog, found[1], _names(found[2]), found[3])
            return done
        return self._select(sql, catalog, [])

    def _select(
        self, sql: str, catalog: str, values: list[Any]
    ) -> tuple[list[tuple[str, str]], list[list[Any]]]:
        try:
            tree = sqlglot.parse_one(sql, read="trino")
        except sqlglot.ParseError as error:
            raise TrinoError("SYNTAX_ERROR", str(error)) from None
        for table in list(tree.find_all(exp.Table)):
            query = _CATALOG.get((table.db, table.name))
            if query:
                of_catalog = sqlglot.parse_one(query.replace("{c}", catalog), read="duckdb")
                table.replace(of_catalog.subquery(table.alias or table.name))
            elif table.db:
                self._need(catalog, table.db, table.name)
                table.set("catalog", exp.to_identifier(catalog, quoted=True))
        run = self._database.execute(tree.sql("duckdb"), values)
        columns = [(one[0], _type(str(one[1]))) for one in run.description]
        return columns, [list(map(_json, row)) for row in run.fetchall()]

    def _kind(self, catalog: str, schema: str, table: str) -> str:
        place = [catalog, schema, table]
        materialized = "SELECT 1 FROM memory.main.materialized WHERE (c, s, t) = (?, ?, ?)"
        if self._database.execute(materialized, place).fetchall():
            return "MATERIALIZED VIEW"
        for kind in ("table", "view"):
            query = (
                f"SELECT 1 FROM duckdb_{kind}s() WHERE database_name = ? AND schema_name = ? "
                f"AND {kind}_name = ?"
            )
            if self._database.execute(query, place).fetchall():
                return kind.upper()
        return ""

    def _need(self, catalog: str, schema: str, table: str) -> None:
        if not self._kind(catalog, schema, table):
            place = f"{catalog}.{schema}.{table}"
            raise TrinoError("TABLE_NOT_FOUND", f"line 1:1: Table '{place}' does not exist")

    def _statistics(
        self, catalog: str, schema: str, table: str
    ) -> tuple[list[tuple[str, str]], list[list[Any]]]:
        self._need(catalog, schema, table)
        columns = [
            ("column_name", "varchar"),
            ("data_size", "double"),
            ("distinct_values_count", "double"),
            ("nulls_fraction", "double"),
            ("row_count", "double"),
            ("low_value", "varchar"),
            ("high_value", "varchar"),
        ]
        unknown = [(None, None, None, None, None, None, None)]
        rows = self.statistics.get((catalog, schema, table), unknown)
        return columns, [list(row) for row in rows]

    def _comment(self, catalog: str, kind: str, names: list[str], text: str) -> None:
        schema, table, column = (*names, "")[:3]
        is_a = self._kind(catalog, schema, table)
        place = f"{catalog}.{schema}.{table}"
        if not is_a or (kind != "COLUMN" and kind != is_a):
            raise TrinoError("TABLE_NOT_FOUND", f"line 1:1: {kind} '{place}' does not exist")
        query = (
            "SELECT 1 FROM duckdb_columns() WHERE database_name = ? AND schema_name = ? "
            "AND table_name = ? AND column_name = ?"
        )
        where = [catalog, schema, table, column]
        if column and not self._database.execute(query, where).fetchall():
            raise TrinoError("COLUMN_NOT_FOUND", f"line 1:1: Column does not exist: {column}")
        same = "(c, s, t, n) = (?, ?, ?, ?)"
        self._database.execute(f"DELETE FROM memory.main.comments WHERE {same}", where)
        if text != "NULL":
            values = [*where, _text(text)]
            self._database.execute("INSERT INTO memory.main.comments VALUES (?,?,?,?,?)", values)


def _handler(server: TrinoServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if server.answer:
                self._send(*server.answer, {"Content-Type": "text/html"})
            elif not server.allows(self.headers):
                self._send(401, "Unauthorized", {"WWW-Authenticate": 'Basic realm="Trino"'})
            else:
                answer, told = server.start(body, dict(self.headers.items()))
                self._send(200, json.dumps(answer), told)

        def do_GET(self) -> None:
            self._send(200, json.dumps(server.go_on(self.path.rpartition("/")[2])), {})

        def do_DELETE(self) -> None:
            self._send(204, "", {})

        def _send(self, status: int, text: str, headers: Mapping[str, str]) -> None:
            body = text.encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def _of(number: str) -> dict[str, Any]:
    return {"id": number, "infoUri": "http://localhost/ui", "stats": {"state": "RUNNING"}}


def _error(error: TrinoError) -> dict[str, Any]:
    code, kind = _CODES[error.name]
    return {
        "message": str(error),
        "errorCode": code,
        "errorName": error.name,
        "errorType": kind,
        "failureInfo": {"type": "io.trino.spi.TrinoException", "message": str(error)},
    }


def _column(name: str, kind: str) -> dict[str, Any]:
    length = [{"kind": "LONG", "value": 2147483647}] if kind == "varchar" else []
    signature = {"rawType": kind, "arguments": length}
    return {"name": name, "type": kind, "typeSignature": signature}


def _type(of_duckdb: str) -> str:
    return {"BIGINT": "bigint", "INTEGER": "integer", "BOOLEAN": "boolean"}.get(
        of_duckdb, "varchar"
    )


def _json(value: Any) -> Any:
    return value if value is None or isinstance(value, str | bool | int) else str(value)


def _text(literal: str) -> str:
    return literal[1:-1].replace("''", "'")


def _names(path: str) -> list[str]:
    found = re.findall(_NAME, path)
    return [one[1:-1].replace('""', '"') if one.startswith('"') else one for one in found]


def _values(told: str | None) -> list[Any]:
    return [_text(one) for one in re.findall(_TEXT, told or "", re.DOTALL)]
