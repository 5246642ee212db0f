"""ClickHouse: its system tables, and comments by ALTER TABLE. A schema is what ClickHouse calls a
database; a URL with a database reads only that one.

Facts: ClickHouse's documents of `system.tables`, `system.columns`, `system.parts_columns` and ALTER
(November 2026), and ClickHouse 26.9 itself.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Comments, Reading, Source
from amx_kimi.databases.server.catalog import Column, Relation
from amx_kimi.databases.server.comments import ServerComments
from amx_kimi.databases.server.connect import engine_of, identity_of
from amx_kimi.databases.server.remedies import Remedies
from amx_kimi.databases.server.source import SAMPLE_ROWS, ServerSource
from amx_kimi.types import Item, RawFacts

if TYPE_CHECKING:
    from amx_kimi.databases.dialect import Dialect

__all__ = ["dialect", "open_comments", "open_source"]

_REMEDY = (
    "Check host, port (8123 for http, 8443 for https), user and password, and whether the server "
    "wants https (?secure=true)."
)
_REMEDIES: Remedies = {
    r"authentication failed|code: 516\b": "Check user and password.",
    r"unknown_database|code: 81\b": "Check the database's name.",
    r"wrong_version_number|record layer": "The server speaks no https on this port: remove "
    "?secure=true, or name its port for https.",
    r"certificate_verify_failed": "Name the file of the server's authority: ?ca_cert=FILE.",
    r"access_denied|code: 497\b": "The user needs SHOW TABLES and SHOW COLUMNS on what is read.",
}
_OPTIONS = {"connect_timeout": 10, "send_receive_timeout": 30, "client_name": "amx-kimi"}
_PORTS = {False: 8123, True: 8443}
_VALUE_LENGTH = 300
_DEFINITION_LENGTH = 4_000
_GONE = ("UNKNOWN_TABLE", "UNKNOWN_DATABASE")
_KINDS = {"View": "view", "LiveView": "view", "MaterializedView": "materialized view"}
_NOT_SYSTEM = "NOT IN ('system', 'information_schema', 'INFORMATION_SCHEMA')"
_HELD = "NOT is_temporary AND NOT startsWith(name, '.inner')"
_STATISTICS = """
SELECT column AS name, sum(rows) AS total, sum(estimates.null_count) AS nulls,
       max(estimates.cardinality) AS distinct_values
FROM system.parts_columns WHERE active AND database = :schema AND table = :table GROUP BY column
"""


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    return _ClickHouseSource(url, reading)


def open_comments(url: URL) -> Comments:
    """As `Backend.open_comments`."""
    return _ClickHouseComments(_engine(url, read_only=False), _identity(url), dialect(""))


def dialect(_: str) -> "Dialect":
    """As `Backend.dialect`."""
    from amx_kimi.databases import sql_only

    return sql_only.dialect("clickhouse")


def _engine(url: URL, *, read_only: bool) -> Engine:
    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())  # or it prints
    # A user who may not change settings is read-only already, or the server's limits hold.
    limits = ("SET max_execution_time = 10", "SET readonly = 2") if read_only else ()
    return engine_of(_plain(url), _OPTIONS, limits)


def _plain(url: URL) -> URL:
    """The URL without the transport that clickhouse-sqlalchemy's URLs name, as AMX's do."""
    scheme, _, transport = url.drivername.partition("+")
    if transport in ("http", "https"):
        url = url.set(drivername=scheme)
        url = url.update_query_dict({"secure": "true"}) if transport == "https" else url
    return url if url.username else url.set(username="default")


def _identity(url: URL) -> str:
    plain = _plain(url)
    return identity_of(plain, _PORTS[str(plain.query.get("secure", "")).lower() in ("true", "1")])


class _ClickHouseSource(ServerSource):
    remedy, remedies = _REMEDY, _REMEDIES
    relations_sql = f"""
SELECT database AS schema, name, engine, comment, total_rows AS row_count, sorting_key,
       partition_key, substringUTF8(as_select, 1, {_DEFINITION_LENGTH}) AS definition
FROM system.tables WHERE database IN :schemas AND {_HELD} ORDER BY database, name
"""
    columns_sql = """
SELECT database AS schema, table, name, position, type, comment, default_kind, default_expression
FROM system.columns WHERE database IN :schemas ORDER BY database, table, position
"""

    def __init__(self, url: URL, reading: Reading) -> None:
        self._database = _plain(url).database
        self._has_statistics = True
        super().__init__(_engine(url, read_only=True), _identity(url), reading)

    @property
    def schemas_sql(self) -> str:  # type: ignore[override]
        """Of the URL's database only, if it names one."""
        only = "name = currentDatabase()" if self._database else f"name {_NOT_SYSTEM}"
        return f"SELECT name FROM system.databases WHERE {only} ORDER BY name"

    def relation(self, row: Mapping[str, Any]) -> Relation:
        """As `ServerSource.relation`. A primary key of ClickHouse is not unique: what the rows are
        sorted by is told as that."""
        details = {"sorted_by": row["sorting_key"] or None, "partitioned_by": row["partition_key"]}
        return Relation(
            row["schema"],
            row["name"],
            _KINDS.get(row["engine"], "table"),
            row["comment"],
            row["row_count"],
            row["definition"] if row["engine"] in _KINDS else "",
            {name: text for name, text in details.items() if text},
        )

    def column(self, row: Mapping[str, Any]) -> Column:
        """As `ServerSource.column`."""
        is_computed = row["default_kind"] in ("MATERIALIZED", "ALIAS")
        return Column(
            row["schema"],
            row["table"],
            row["name"],
            int(row["position"]),
            row["type"],
            "Nullable(" in row["type"],
            row["comment"],
            {"generated": row["default_expression"] if is_computed else None},
        )

    def statistics(self, table: Item, columns: Sequence[str]) -> dict[str, RawFacts]:
        """As `ServerSource.statistics`: estimates of the parts, which ClickHouse keeps since 2026;
        of several parts, the most distinct values of one."""
        if not self._has_statistics:
            return {}
        try:
            rows = self.rows_or_error(_STATISTICS, schema=table.schema, table=table.table)
        except SQLAlchemyError as error:
            if getattr(error, "connection_invalidated", False):
                raise
            self._has_statistics = False  # an older version, or not permitted
            return {}
        return {
            row["name"]: RawFacts(nulls=row["nulls"], distinct=row["distinct_values"] or None)
            for row in rows
            if row["name"] in columns
        }

    def sample_sql(self, table: Item, columns: Sequence[str]) -> str:
        """As `ServerSource.sample_sql`: the first rows of the table."""
        picked = ", ".join(
            f"substringUTF8(toString({_name(c)}), 1, {_VALUE_LENGTH})" for c in columns
        )
        place = f"{_name(table.schema)}.{_name(table.table)}"
        return f"SELECT {picked} FROM {place} LIMIT {SAMPLE_ROWS + 1}"

    def is_gone(self, error: DBAPIError) -> bool:
        """As `ServerSource.is_gone`."""
        return any(word in str(error.orig) for word in _GONE)


class _ClickHouseComments(ServerComments):
    remedy, remedies = _REMEDY, _REMEDIES
    caution = (
        "ClickHouse has no transactions for comments: each is one ALTER statement. On a cluster "
        "whose databases are not replicated, only this server gets them."
    )
    present_sql = f"""
SELECT database AS table_schema, name AS table_name, engine AS table_kind, '' AS column_name,
       comment
FROM system.tables WHERE database IN :schemas AND name IN :tables AND {_HELD}
UNION ALL
SELECT database, table, '', name, comment FROM system.columns
WHERE database IN :schemas AND table IN :tables
"""

    def kind(self, told: str) -> str:
        """As `ServerComments.kind`."""
        return _KINDS.get(told, "table")


def _name(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
