"""Reads SQL Server, Azure SQL and Azure Synapse: the catalog views of `sys`, and the histograms
that the server keeps for its own plans."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from amx_kimi.databases.base import Reading, TableGoneError
from amx_kimi.databases.server.catalog import Column, Key, Relation
from amx_kimi.databases.server.connect import reason_of, without_secrets
from amx_kimi.databases.server.source import SAMPLE_ROWS, ServerSource
from amx_kimi.databases.sqlserver.connect import (
    DEDICATED,
    REMEDIES,
    REMEDY,
    SERVERLESS,
    edition,
    engine,
    identity,
)
from amx_kimi.databases.sqlserver.facts import facts_of_histogram, sampled, spelled
from amx_kimi.types import Item, RawFacts

__all__ = ["SqlServerSource"]

_GONE = ("208", "42S02")  # invalid object name: pymssql's number, pyodbc's SQLSTATE

_SCHEMAS = """
SELECT s.name AS name FROM sys.schemas s
WHERE s.schema_id < 16384 AND s.name NOT IN ('sys', 'INFORMATION_SCHEMA', 'guest') ORDER BY s.name
"""
_RELATIONS = """
SELECT s.name AS [schema], o.name AS name, o.type AS kind,
       CAST(e.value AS nvarchar(3750)) AS comment, p.rows AS rows, p.partitions AS partitions,
       CAST(m.definition AS nvarchar(4000)) AS definition, t.is_external AS is_external
FROM sys.objects o
JOIN sys.schemas s ON s.schema_id = o.schema_id
LEFT JOIN sys.tables t ON t.object_id = o.object_id
LEFT JOIN sys.sql_modules m ON m.object_id = o.object_id
LEFT JOIN sys.extended_properties e ON e.class = 1 AND e.major_id = o.object_id
  AND e.minor_id = 0 AND e.name = N'MS_Description'
LEFT JOIN (SELECT object_id, SUM(rows) AS rows, COUNT(*) AS partitions FROM sys.partitions
           WHERE index_id IN (0, 1) GROUP BY object_id) p ON p.object_id = o.object_id
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 AND s.name IN :schemas
ORDER BY s.name, o.name
"""
_COLUMNS = """
SELECT s.name AS [schema], o.name AS [table], c.name AS name, c.column_id AS position,
       y.name AS type, b.name AS base,
       CASE WHEN y.is_user_defined = 1 THEN ys.name END AS type_schema,
       c.max_length AS length, c.precision AS precision, c.scale AS scale,
       c.is_nullable AS nullable, CAST(e.value AS nvarchar(3750)) AS comment,
       c.is_identity AS is_identity, k.definition AS computed, c.is_sparse AS is_sparse, {more}
FROM sys.columns c
JOIN sys.objects o ON o.object_id = c.object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
JOIN sys.types y ON y.user_type_id = c.user_type_id
LEFT JOIN sys.schemas ys ON ys.schema_id = y.schema_id
LEFT JOIN sys.types b ON b.user_type_id = c.system_type_id
LEFT JOIN sys.computed_columns k ON k.object_id = c.object_id AND k.column_id = c.column_id
LEFT JOIN sys.extended_properties e ON e.class = 1 AND e.major_id = c.object_id
  AND e.minor_id = c.column_id AND e.name = N'MS_Description'
{joins}
WHERE o.type IN ('U', 'V') AND o.is_ms_shipped = 0 AND s.name IN :schemas
ORDER BY s.name, o.name, c.column_id
"""
# What Synapse's views lack.
_MORE = "c.generated_always_type AS always, c.is_hidden AS is_hidden, d.masking_function AS masking"
_MASKED = """
LEFT JOIN sys.masked_columns d ON d.object_id = c.object_id AND d.column_id = c.column_id
"""
_LESS = "0 AS always, 0 AS is_hidden, NULL AS masking"
_KEYS = """
SELECT s.name AS [schema], o.name AS [table], i.index_id AS number,
       i.is_primary_key AS is_primary, c.name AS [column]
FROM sys.indexes i
JOIN sys.objects o ON o.object_id = i.object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
JOIN sys.index_columns x ON x.object_id = i.object_id AND x.index_id = i.index_id
JOIN sys.columns c ON c.object_id = x.object_id AND c.column_id = x.column_id
WHERE (i.is_primary_key = 1 OR i.is_unique = 1) AND i.has_filter = 0 AND x.key_ordinal > 0
  AND o.type = 'U' AND o.is_ms_shipped = 0 AND s.name IN :schemas
ORDER BY s.name, o.name, i.index_id, x.key_ordinal
"""
_FOREIGN_KEYS = """
SELECT s.name AS [schema], o.name AS [table], f.constraint_object_id AS number,
       c.name AS [column], rs.name AS target_schema, r.name AS target, rc.name AS target_column
FROM sys.foreign_key_columns f
JOIN sys.objects o ON o.object_id = f.parent_object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
JOIN sys.columns c ON c.object_id = f.parent_object_id AND c.column_id = f.parent_column_id
JOIN sys.objects r ON r.object_id = f.referenced_object_id
JOIN sys.schemas rs ON rs.schema_id = r.schema_id
JOIN sys.columns rc
  ON rc.object_id = f.referenced_object_id AND rc.column_id = f.referenced_column_id
WHERE s.name IN :schemas
ORDER BY s.name, o.name, f.constraint_object_id, f.constraint_column_id
"""
# The first step of a column with nulls has no key. Dates are written as ISO 8601, and bytes not at
# all, because as characters they are no text.
_HISTOGRAMS = """
SELECT c.name AS name, t.stats_id AS number, h.equal_rows AS equal_rows,
       h.distinct_range_rows AS distinct_range_rows,
       CASE WHEN b.name IN ('datetime', 'smalldatetime')
            THEN CONVERT(nvarchar(300), CAST(h.range_high_key AS datetime2(3)), 121)
            ELSE CAST(h.range_high_key AS nvarchar(300)) END AS value
FROM sys.stats t
JOIN sys.objects o ON o.object_id = t.object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
JOIN sys.stats_columns x ON x.object_id = t.object_id AND x.stats_id = t.stats_id
  AND x.stats_column_id = 1
JOIN sys.columns c ON c.object_id = x.object_id AND c.column_id = x.column_id
JOIN sys.types b ON b.user_type_id = c.system_type_id
CROSS APPLY sys.dm_db_stats_histogram(t.object_id, t.stats_id) h
WHERE s.name = :schema AND o.name = :table AND t.has_filter = 0
  AND b.name NOT IN ('binary', 'varbinary', 'timestamp')
ORDER BY t.stats_id, h.step_number
"""
_TYPES = """
SELECT c.name AS name, b.name AS base FROM sys.columns c
JOIN sys.objects o ON o.object_id = c.object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
JOIN sys.types y ON y.user_type_id = c.user_type_id
LEFT JOIN sys.types b ON b.user_type_id
  = CASE WHEN y.is_assembly_type = 1 THEN c.user_type_id ELSE c.system_type_id END
WHERE s.name = :schema AND o.name = :table
"""
_ALWAYS = {1: "ALWAYS AS ROW START", 2: "ALWAYS AS ROW END"}


class SqlServerSource(ServerSource):
    """A database of SQL Server, Azure SQL or Azure Synapse.

    Raises:
        SourceError: no driver, no connection, or no permission; says which.
    """

    remedy, remedies = REMEDY, REMEDIES
    schemas_sql = _SCHEMAS
    relations_sql = _RELATIONS

    def __init__(self, url: URL, reading: Reading) -> None:
        super().__init__(engine(url, read_only=True), identity(url), reading)
        self.reopen = without_secrets(url).render_as_string()  # the driver's options are not its
        self._edition = edition(self._connection)
        self._has_histograms = self._edition not in (DEDICATED, SERVERLESS)

    @property
    def columns_sql(self) -> str:  # type: ignore[override]
        """Without what Synapse's views lack."""
        if self._edition in (DEDICATED, SERVERLESS):
            return _COLUMNS.format(more=_LESS, joins="")
        return _COLUMNS.format(more=_MORE, joins=_MASKED.strip())

    def relation(self, row: Mapping[str, Any]) -> Relation:
        """As `ServerSource.relation`; the row counts of Synapse are not those of its nodes."""
        kind = "view" if str(row["kind"]).strip() == "V" else "table"
        if row["is_external"]:
            kind = "foreign table"
        is_counted = self._edition not in (DEDICATED, SERVERLESS) and kind != "foreign table"
        definition = row["definition"] or ""
        if kind == "view" and not definition:
            self.note(
                "Some views are without their SQL: it is encrypted, or the right VIEW DEFINITION "
                "is missing"
            )
        many = int(row["partitions"] or 0)
        return Relation(
            row["schema"],
            row["name"],
            kind,
            row["comment"] or "",
            int(row["rows"]) if is_counted and row["rows"] is not None else None,
            definition,
            {"partitions": many if is_counted and many > 1 else None},
        )

    def column(self, row: Mapping[str, Any]) -> Column:
        """As `ServerSource.column`."""
        details = {
            "generated": row["computed"] or _ALWAYS.get(int(row["always"] or 0)),
            "identity": "identity" if row["is_identity"] else None,
            "hidden": True if row["is_hidden"] else None,
            "sparse": True if row["is_sparse"] else None,
            "masking": row["masking"] or None,
        }
        return Column(
            row["schema"],
            row["table"],
            row["name"],
            int(row["position"]),
            spelled(row),
            bool(row["nullable"]),
            row["comment"] or "",
            details,
        )

    def keys(self, schemas: Sequence[str]) -> Iterator[Key]:
        """As `ServerSource.keys`; a unique index is a key, too."""
        for rows in _grouped(self.rows_or_error(_KEYS, schemas=list(schemas))):
            first, columns = rows[0], [str(row["column"]) for row in rows]
            role = "pk" if first["is_primary"] else "unique"
            yield Key(first["schema"], first["table"], role, columns)  # type: ignore[arg-type]
        for rows in _grouped(self.rows_or_error(_FOREIGN_KEYS, schemas=list(schemas))):
            first, columns = rows[0], [str(row["column"]) for row in rows]
            target = f"{first['target_schema']}.{first['target']}"
            refers = [str(row["target_column"]) for row in rows]
            yield Key(first["schema"], first["table"], "fk", columns, target, refers)

    def statistics(self, table: Item, columns: Sequence[str]) -> dict[str, RawFacts]:
        """As `ServerSource.statistics`: the first histogram of each column."""
        if not self._has_histograms or table.rows == 0:
            return {}
        place = {"schema": table.schema, "table": table.table}
        try:
            rows = self.rows_or_error(_HISTOGRAMS, **place)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            self._has_histograms = False
            self.note(f"The server does not tell its histograms: {reason_of(error):.150}")
            return {}
        facts: dict[str, RawFacts] = {}
        steps: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            steps[row["name"], row["number"]].append(row)
        for (name, _), some in steps.items():
            if name in columns and name not in facts:
                facts[name] = facts_of_histogram(some)
        return facts

    def sample_sql(self, table: Item, columns: Sequence[str]) -> str:
        """As `ServerSource.sample_sql`: the first rows, as they are stored; none of an external
        table, which may be files that are billed."""
        if table.details.get("storage"):
            return ""
        rows = self.rows_or_error(_TYPES, schema=table.schema, table=table.table)
        types = {str(row["name"]): str(row["base"] or "") for row in rows}
        if not types:
            raise TableGoneError(f"The table {table.name} was dropped during the run")
        picked = ", ".join(sampled(_name(one), types.get(one, "")) for one in columns)
        place = f"{_name(table.schema)}.{_name(table.table)}"
        return f"SELECT TOP ({SAMPLE_ROWS + 1}) {picked} FROM {place}"

    def is_gone(self, error: DBAPIError) -> bool:
        """As `ServerSource.is_gone`."""
        arguments: Sequence[Any] = getattr(error.orig, "args", ())
        return bool(arguments) and str(arguments[0]) in _GONE


def _grouped(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """The rows of each key, which follow each other."""
    keys: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        keys[row["schema"], row["table"], row["number"]].append(row)
    yield from keys.values()


def _name(name: str) -> str:
    return "[" + name.replace("]", "]]") + "]"
