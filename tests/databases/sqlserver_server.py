"""A server that speaks TDS, for the tests of SQL Server's kind: pymssql connects to it over a real
socket, and nothing of amx-kimi is replaced.

It is no SQL Server. The catalog views are tables in DuckDB with columns and values as in
Microsoft's reference of SQL Server 2016 to 2025. Its pages of `sys.columns`, `sys.tables`,
`sys.extended_properties` and `sys.dm_db_stats_histogram` were read in November 2026; the other
views are written from memory and reviewed. Each statement is parsed by sqlglot as T-SQL,
translated, and run on them: a statement that T-SQL does not have, or a column that a view does not
have, is an error. The procedures of extended properties, transactions and SET are imitated. The
protocol follows [MS-TDS], as far as FreeTDS needs it.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

__all__ = ["Catalog", "Server", "ServerError"]

_VIEWS = """
CREATE SCHEMA sys;
CREATE TABLE sys.databases (name VARCHAR, database_id INT);
CREATE TABLE sys.schemas (name VARCHAR, schema_id INT);
CREATE TABLE sys.objects (name VARCHAR, object_id INT, schema_id INT, type VARCHAR,
                          is_ms_shipped INT);
CREATE TABLE sys.tables (object_id INT, is_external INT);
CREATE TABLE sys.columns (object_id INT, name VARCHAR, column_id INT, system_type_id INT,
    user_type_id INT, max_length INT, precision INT, scale INT, is_nullable INT, is_identity INT,
    is_sparse INT, generated_always_type INT, is_hidden INT);
CREATE TABLE sys.types (name VARCHAR, schema_id INT, system_type_id INT, user_type_id INT,
                        is_user_defined INT, is_assembly_type INT);
CREATE TABLE sys.sql_modules (object_id INT, definition VARCHAR);
CREATE TABLE sys.extended_properties (class INT, major_id INT, minor_id INT, name VARCHAR,
                                      value VARCHAR);
CREATE TABLE sys.partitions (object_id INT, index_id INT, partition_number INT, rows BIGINT);
CREATE TABLE sys.indexes (object_id INT, index_id INT, is_primary_key INT, is_unique INT,
                          has_filter INT);
CREATE TABLE sys.index_columns (object_id INT, index_id INT, column_id INT, key_ordinal INT);
CREATE TABLE sys.foreign_key_columns (constraint_object_id INT, constraint_column_id INT,
    parent_object_id INT, parent_column_id INT, referenced_object_id INT,
    referenced_column_id INT);
CREATE TABLE sys.computed_columns (object_id INT, column_id INT, definition VARCHAR);
CREATE TABLE sys.masked_columns (object_id INT, column_id INT, masking_function VARCHAR);
CREATE TABLE sys.stats (object_id INT, stats_id INT, has_filter INT);
CREATE TABLE sys.stats_columns (object_id INT, stats_id INT, stats_column_id INT, column_id INT);
CREATE TABLE sys.steps (object_id INT, stats_id INT, step_number INT, range_high_key VARCHAR,
                        range_rows REAL, equal_rows REAL, distinct_range_rows BIGINT);
"""
# sys.types of a new database: name, system_type_id; user_type_id is the same, but for CLR types.
_TYPES = {
    "image": 34, "text": 35, "uniqueidentifier": 36, "date": 40, "time": 41, "datetime2": 42,
    "datetimeoffset": 43, "tinyint": 48, "smallint": 52, "int": 56, "smalldatetime": 58,
    "real": 59, "money": 60, "datetime": 61, "float": 62, "sql_variant": 98, "ntext": 99,
    "bit": 104, "decimal": 106, "numeric": 108, "smallmoney": 122, "bigint": 127,
    "varbinary": 165, "varchar": 167, "binary": 173, "char": 175, "timestamp": 189,
    "nvarchar": 231, "nchar": 239, "xml": 241,
}  # fmt: skip
_CLR = {"hierarchyid": 128, "geometry": 129, "geography": 130}
_LITERAL = r"N?'((?:[^']|'')*)'"
_PROPERTY = re.compile(rf"EXEC sys\.sp_(add|update|drop)extendedproperty ((?:{_LITERAL}(?:, )?)+)")
_APPLY = re.compile(r"CROSS APPLY sys\.dm_db_stats_histogram\((\w+\.\w+), (\w+\.\w+)\) (\w+)")
_ANSWERS: Sequence[tuple[str, Any]] = (
    (r"select @@version", "Microsoft SQL Server 2022 (RTM) - 16.0.1000.6 (X64)"),
    (r"FROM sys\.system_views", "dm_exec_sessions"),
    (r"CASE transaction_isolation_level", "READ COMMITTED"),
    (r"SELECT schema_name\(\)", "dbo"),
    (r"test max support", "test max support"),
    (r"fn_listextendedproperty", 1),
)


class ServerError(Exception):
    """What the server refuses: a number of Microsoft's, and a text."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number, self.text = number, text


class Catalog:
    """The views of one database, and what was asked of it."""

    def __init__(self, edition: int = 3) -> None:
        self.edition = edition
        self.asked: list[str] = []
        self.refuse: list[tuple[str, ServerError]] = []
        self.logins: list[dict[str, Any]] = []
        self.password = "Secret-9"
        self._lock = threading.RLock()
        self._data = duckdb.connect(config={"threads": 1})
        self._data.execute(_VIEWS)
        self._next = 100_000
        for name, number in _TYPES.items():
            self._insert("types", name, 4, number, number, 0, 0)
        for name, number in _CLR.items():
            self._insert("types", name, 4, 240, number, 0, 1)
        self._insert("types", "sysname", 4, 231, 256, 0, 0)
        for number, name in enumerate(("master", "tempdb", "model", "msdb", "shop", "Büro"), 1):
            self._insert("databases", name, number)
        for number, name in enumerate(("dbo", "guest", "INFORMATION_SCHEMA", "sys"), 1):
            self._insert("schemas", name, number)
        self._insert("schemas", "db_owner", 16384)

    # Made by tests

    def schema(self, name: str) -> int:
        found = self.rows("SELECT schema_id FROM sys.schemas WHERE name = ?", [name])
        if found:
            return int(found[0][0])
        self._next += 1
        number = 5 + self._next - 100_000
        self._insert("schemas", name, number)
        return number

    def table(
        self,
        schema: str,
        name: str,
        columns: dict[str, str],
        *,
        kind: str = "U",
        rows: int | None = 0,
        sql: str | None = None,
        is_external: int = 0,
        comment: str | None = None,
    ) -> int:
        """A table or view; a column's text is `type[(length[,scale])] [word …]`, where words are
        `not null`, `identity`, `sparse`, `hidden`, `row start`, `pk`."""
        self._next += 1
        number = self._next
        self._insert("objects", name, number, self.schema(schema), f"{kind} ", 0)
        if kind == "U":
            self._insert("tables", number, is_external)
            self._insert("partitions", number, 0, 1, rows)
        if sql is not None or kind == "V":
            self._insert("sql_modules", number, sql)
        for position, (column, told) in enumerate(columns.items(), 1):
            self._column(number, position, column, told)
        if comment is not None:
            self._insert("extended_properties", 1, number, 0, "MS_Description", comment)
        return number

    def alias(self, schema: str, name: str, base: str) -> None:
        self._next += 1
        number = _TYPES[base]
        self._insert("types", name, self.schema(schema), number, self._next, 1, 0)

    def insert(self, view: str, *values: Any) -> None:
        self._insert(view, *values)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._data.execute(query, list(values)).fetchall()

    def comments(self) -> dict[str, str]:
        """`schema.table` or `schema.table.column`, and its MS_Description."""
        query = """SELECT concat_ws('.', s.name, o.name, c.name), e.value
            FROM sys.extended_properties e JOIN sys.objects o ON o.object_id = e.major_id
            JOIN sys.schemas s ON s.schema_id = o.schema_id LEFT JOIN sys.columns c
            ON c.object_id = o.object_id AND c.column_id = e.minor_id"""
        return dict(self.rows(query))  # type: ignore[arg-type]

    def _column(self, table: int, position: int, name: str, told: str) -> None:
        type_, _, words = told.partition(" ")
        base, _, size = type_.rstrip(")").partition("(")
        first, _, second = size.partition(",")
        row = self.rows("SELECT system_type_id, user_type_id FROM sys.types WHERE name = ?", [base])
        wide = row[0][0] in (_TYPES["nchar"], _TYPES["nvarchar"])
        length = -1 if first == "max" else int(first or 4) * (2 if wide else 1)
        is_scaled = base in ("time", "datetime2", "datetimeoffset")
        precision = 53 if base == "float" and not first else int(first) if first.isdigit() else 0
        scale = int(second or 0) if not is_scaled else precision
        self._insert(
            "columns", table, name, position, *row[0], length, precision, scale,
            int("not null" not in words), int("identity" in words), int("sparse" in words),
            1 if "row start" in words else 0, int("hidden" in words),
        )  # fmt: skip
        if "pk" in words:
            self._insert("indexes", table, 1, 1, 1, 0)
            self._insert("index_columns", table, 1, position, 1)

    def _insert(self, view: str, *values: Any) -> None:
        marks = ", ".join("?" * len(values))
        with self._lock:
            self._data.execute(f"INSERT INTO sys.{view} VALUES ({marks})", list(values))

    # Asked by clients

    def session(self) -> Session:
        return Session(self, self._data.cursor())

    def run(self, sql: str, session: Session) -> tuple[list[str], list[tuple[Any, ...]]] | None:
        """The names and rows of a statement's result; None if it has none."""
        with self._lock:
            self.asked.append(sql)
            for words, error in self.refuse:
                if re.search(words, sql):
                    raise error
            for words, answer in _ANSWERS:
                if re.search(words, sql):
                    return ["answer"], [(answer,)]
            if "SERVERPROPERTY" in sql:
                return ["edition"], [(self.edition,)]
            if match := re.fullmatch(r"(BEGIN|COMMIT|ROLLBACK) TRAN", sql.strip()):
                session.end(match[1])
                return None
            if sql.lstrip().upper().startswith(("SET ", "USE ")):
                return None
            if "extendedproperty" in sql:
                session.begin()
                self._write(
                    _branch(sql, lambda query: bool(self._select(query, session.data)[1])),
                    session.data,
                )
                return None
            return self._select(sql, session.data)

    def _select(
        self, sql: str, data: duckdb.DuckDBPyConnection
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        try:
            done = data.execute(_translated(sql))
        except duckdb.CatalogException as error:
            raise ServerError(208, f"Invalid object name. {error}") from None
        except duckdb.Error as error:
            raise ServerError(207, str(error)) from None
        return [column[0] for column in done.description or ()], done.fetchall()

    def _write(self, sql: str, data: duckdb.DuckDBPyConnection) -> None:

        def rows(query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
            return data.execute(query, list(values)).fetchall()

        assert sqlglot.parse_one(sql, read="tsql")  # or it is not T-SQL
        call = _PROPERTY.fullmatch(sql)
        assert call, sql
        texts = [text.replace("''", "'") for text in re.findall(_LITERAL, call[2])]
        name, value = texts[0], None if call[1] == "drop" else texts[1]
        named = texts[1:] if value is None else texts[2:]
        assert named[0] == "SCHEMA", named
        found = rows(
            "SELECT o.object_id, o.type FROM sys.objects o JOIN sys.schemas s "
            "ON s.schema_id = o.schema_id WHERE s.name = ? AND o.name = ?",
            [named[1], named[3]],
        )
        if not found or {"TABLE": "U ", "VIEW": "V "}[named[2]] != found[0][1]:
            raise ServerError(15135, f"Object is invalid: {'.'.join(named[1::2])}.")
        major, minor = found[0][0], 0
        if len(named) > 4:
            ids = "SELECT column_id FROM sys.columns WHERE object_id = ? AND name = ?"
            columns = rows(ids, [major, named[5]])
            if not columns:
                raise ServerError(15135, f"Object is invalid: {named[5]}.")
            minor = columns[0][0]
        if value is not None and len(value.encode("utf-16-le")) > 7_500:
            raise ServerError(15097, "The size associated with an extended property is too long.")
        place = [major, minor, name]
        where = "WHERE class = 1 AND major_id = ? AND minor_id = ? AND name = ?"
        there = rows(f"SELECT 1 FROM sys.extended_properties {where}", place)
        if call[1] == "add" and there:
            raise ServerError(15233, f"Property cannot be added. Property '{name}' already exists.")
        if call[1] != "add" and not there:
            raise ServerError(15217, f"Property cannot be updated or deleted. '{name}' is missing.")
        rows(f"DELETE FROM sys.extended_properties {where}", place)
        if value is not None:
            rows("INSERT INTO sys.extended_properties VALUES (1, ?, ?, ?, ?)", [*place, value])


@dataclass
class Session:
    """A connection's own transaction; what others write is seen until the first own write."""

    catalog: Catalog
    data: duckdb.DuckDBPyConnection
    is_open: bool = False

    def begin(self) -> None:
        if not self.is_open:
            self.data.execute("BEGIN")
            self.is_open = True

    def end(self, word: str) -> None:
        if self.is_open and word != "BEGIN":
            self.data.execute(word)
            self.is_open = False


@lru_cache(100)
def _translated(sql: str) -> str:
    plain = _APPLY.sub(r"JOIN sys.steps \3 ON \3.object_id = \1 AND \3.stats_id = \2", sql)
    tree: exp.Expression = sqlglot.parse_one(plain, read="tsql")  # or it is not T-SQL
    return tree.transform(_for_duckdb).sql("duckdb")


def _branch(sql: str, exists: Callable[[str], bool]) -> str:
    """Of IF EXISTS (…) … ELSE …, the statement that applies; sqlglot does not parse EXEC there."""
    branched = re.fullmatch(r"IF EXISTS \((.*?)\) (EXEC .*?) ELSE (EXEC .*)", sql, re.DOTALL)
    return sql if not branched else branched[2] if exists(branched[1]) else branched[3]


def _for_duckdb(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.ObjectId):
        return sqlglot.parse_one(_object_id(node.this.name), read="duckdb")
    word = node.name.upper() if isinstance(node, exp.Anonymous) else ""
    if word == "HAS_DBACCESS":
        return exp.Literal.number(1)
    if word == "COLUMNPROPERTY":
        table, column = _object_id(node.expressions[0].this.name), node.expressions[1].name
        query = f"SELECT column_id FROM sys.columns WHERE object_id = {table} AND name = "
        return sqlglot.parse_one(f"({query} {_text(column)})", read="duckdb")
    is_compared = isinstance(node, exp.Column) and isinstance(node.parent, exp.In | exp.EQ)
    if is_compared and node.sql() == "o.type":  # char(2): blanks at its end do not count there
        return exp.func("rtrim", node)
    return node


def _object_id(name: str) -> str:
    table = exp.to_table(name, dialect="tsql")
    return (
        "(SELECT x.object_id FROM sys.objects x JOIN sys.schemas y ON y.schema_id = x.schema_id "
        f"WHERE y.name = {_text(table.db)} AND x.name = {_text(table.name)})"
    )


def _text(text: str) -> str:
    return exp.Literal.string(text).sql("duckdb")


# The protocol

_PRELOGIN, _LOGIN, _BATCH, _ATTENTION, _REPLY = 18, 16, 1, 6, 4
_COLLATION = b"\x09\x04\xd0\x00\x34"


class Server:
    """Serves a catalog on loopback, one thread for each connection."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.hang_up: Callable[[str], bool] = lambda _: False
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._socket, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.append(client)
                threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        session = self.catalog.session()
        with suppress(OSError, EOFError):
            for kind, body in _messages(client):
                if kind == _PRELOGIN:
                    # Version, and encryption that is not supported (2).
                    _send(client, b"\0\0\x0b\0\6\1\0\x11\0\1\xff" + bytes(6) + b"\2")
                elif kind == _LOGIN:
                    self._login(client, body)
                elif kind == _BATCH:
                    headers = struct.unpack("<I", body[:4])[0]
                    sql = body[headers:].decode("utf-16-le")
                    if self.hang_up(sql):
                        client.close()
                        return
                    _send(client, self._answer(sql, session))
                else:
                    _send(client, _done(0x20 if kind == _ATTENTION else 0))

    def _login(self, client: socket.socket, body: bytes) -> None:
        login = _login_of(body)
        self.catalog.logins.append(login)
        databases = [row[0] for row in self.catalog.rows("SELECT name FROM sys.databases")]
        if login["password"] != self.catalog.password:
            error = ServerError(18456, f"Login failed for user '{login['user']}'.")
            _send(client, _error(error, 14) + _done(2))
            return
        if login["database"] and login["database"] not in databases:
            text = f'Cannot open database "{login["database"]}" requested by the login.'
            _send(client, _error(ServerError(4060, text), 14) + _done(2))
            return
        name = "Microsoft SQL Server".encode("utf-16-le")
        ack = b"\1\x74\0\0\4" + bytes([len(name) // 2]) + name + b"\x10\0\3\xe8"
        _send(client, b"\xad" + struct.pack("<H", len(ack)) + ack + _done(0))

    def _answer(self, sql: str, session: Session) -> bytes:
        try:
            result = self.catalog.run(sql, session)
        except ServerError as error:
            return _error(error, 16) + _done(2)
        if result is None:
            return _done(0)
        names, rows = result
        return _table(names, rows) + _done(0x10, len(rows))


def _messages(client: socket.socket) -> Iterator[tuple[int, bytes]]:
    body = b""
    while True:
        kind, status, length = struct.unpack(">BBH4x", _exactly(client, 8))
        body += _exactly(client, length - 8)
        if status & 1:
            yield kind, body
            body = b""


def _exactly(client: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = client.recv(count - len(got))
        if not part:
            raise EOFError
        got += part
    return got


def _send(client: socket.socket, body: bytes, size: int = 4_000) -> None:
    parts = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    for number, part in enumerate(parts, 1):
        last = int(number == len(parts))
        client.sendall(struct.pack(">BBHHBB", _REPLY, last, len(part) + 8, 0, 1, 0) + part)


def _login_of(body: bytes) -> dict[str, Any]:
    def text(place: int) -> bytes:
        start, count = struct.unpack("<HH", body[place : place + 4])
        return body[start : start + 2 * count]

    hidden = bytes(((one ^ 0xA5) << 4 | (one ^ 0xA5) >> 4) & 0xFF for one in text(44))
    return {
        "user": text(40).decode("utf-16-le"),
        "password": hidden.decode("utf-16-le"),
        "application": text(48).decode("utf-16-le"),
        "database": text(68).decode("utf-16-le"),
        "read_only": bool(body[26] & 0x20),
    }


def _table(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Column metadata and rows: BIGINT where all values are integers, else NVARCHAR(4000)."""
    told = [b"\x81" + struct.pack("<H", len(names))]
    numbers = [_is_number(rows, place) for place in range(len(names))]
    for name, is_number in zip(names, numbers, strict=True):
        kind = b"\x26\x08" if is_number else b"\xe7\x40\x1f" + _COLLATION
        encoded = name.encode("utf-16-le")
        told.append(b"\0\0\0\0\1\0" + kind + bytes([len(encoded) // 2]) + encoded)
    for row in rows:
        told.append(b"\xd1" + b"".join(map(_value, row, numbers)))
    return b"".join(told)


def _is_number(rows: Sequence[tuple[Any, ...]], place: int) -> bool:
    values = [row[place] for row in rows if row[place] is not None]
    return bool(values) and all(isinstance(one, int) for one in values)


def _value(value: Any, is_number: bool) -> bytes:
    if is_number:
        return b"\0" if value is None else b"\x08" + struct.pack("<q", value)
    if value is None:
        return b"\xff\xff"
    encoded = str(value).encode("utf-16-le")[:8_000]
    return struct.pack("<H", len(encoded)) + encoded


def _error(error: ServerError, severity: int) -> bytes:
    text = error.text.encode("utf-16-le")
    body = struct.pack("<IBBH", error.number, 1, severity, len(text) // 2) + text
    body += b"\0\0" + struct.pack("<I", 1)
    return b"\xaa" + struct.pack("<H", len(body)) + body


def _done(status: int, rows: int = 0) -> bytes:
    return b"\xfd" + struct.pack("<HHQ", status, 0xC1, rows)
