"""Reads MySQL and MariaDB: `information_schema`, histograms that ANALYZE left, and index
cardinalities. A schema is what MySQL calls a database; a URL with a database reads only that one.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Reading
from amx_kimi.databases.mysql.connect import REMEDY, engine, identity
from amx_kimi.databases.mysql.statistics import facts_of_mariadb, facts_of_mysql
from amx_kimi.databases.server.catalog import Column, Key, Relation
from amx_kimi.databases.server.source import SAMPLE_ROWS, ServerSource
from amx_kimi.types import Item, RawFacts

__all__ = ["MysqlSource"]

_VALUE_LENGTH = 300
_DEFINITION_LENGTH = 4_000
_GONE = {1146, 1051}  # no such table (MySQL's error reference, 2026)

_KEYS = """
SELECT k.TABLE_SCHEMA AS `schema`, k.TABLE_NAME AS `table`, k.CONSTRAINT_NAME AS name,
       CASE c.CONSTRAINT_TYPE WHEN 'PRIMARY KEY' THEN 'pk' WHEN 'UNIQUE' THEN 'unique' ELSE 'fk' END
       AS role, k.COLUMN_NAME AS `column`,
       CONCAT(k.REFERENCED_TABLE_SCHEMA, '.', k.REFERENCED_TABLE_NAME) AS target,
       k.REFERENCED_COLUMN_NAME AS target_column
FROM information_schema.KEY_COLUMN_USAGE k
JOIN information_schema.TABLE_CONSTRAINTS c
  ON c.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND c.CONSTRAINT_NAME = k.CONSTRAINT_NAME
 AND c.TABLE_SCHEMA = k.TABLE_SCHEMA AND c.TABLE_NAME = k.TABLE_NAME
WHERE k.TABLE_SCHEMA IN :schemas AND c.CONSTRAINT_TYPE IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY')
ORDER BY BINARY k.TABLE_SCHEMA, BINARY k.TABLE_NAME, c.CONSTRAINT_TYPE, k.CONSTRAINT_NAME,
         k.ORDINAL_POSITION
"""
_CARDINALITIES = """
SELECT COLUMN_NAME AS name, MAX(CARDINALITY) AS distinct_values FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = :schema AND TABLE_NAME = :table AND SEQ_IN_INDEX = 1 AND SUB_PART IS NULL
GROUP BY COLUMN_NAME
"""
_MYSQL_HISTOGRAMS = """
SELECT COLUMN_NAME AS name, HISTOGRAM AS histogram FROM information_schema.COLUMN_STATISTICS
WHERE SCHEMA_NAME = :schema AND TABLE_NAME = :table
"""
_MARIADB_STATISTICS = """
SELECT column_name AS name, min_value AS least, max_value AS greatest, nulls_ratio AS nulls,
       avg_frequency AS frequency,
       CASE hist_type WHEN 'JSON_HB' THEN CONVERT(histogram USING utf8mb4) END AS histogram
FROM mysql.column_stats WHERE db_name = :schema AND table_name = :table
"""


class MysqlSource(ServerSource):
    """A MySQL or MariaDB server, or one of its databases.

    Raises:
        SourceError: no driver, no connection, or no permission; says which.
    """

    remedy = REMEDY
    relations_sql = f"""
SELECT t.TABLE_SCHEMA AS `schema`, t.TABLE_NAME AS name, t.TABLE_TYPE AS kind,
       t.TABLE_COMMENT AS comment, t.TABLE_ROWS AS `rows`,
       LEFT(v.VIEW_DEFINITION, {_DEFINITION_LENGTH}) AS definition
FROM information_schema.TABLES t
LEFT JOIN information_schema.VIEWS v
  ON v.TABLE_SCHEMA = t.TABLE_SCHEMA AND v.TABLE_NAME = t.TABLE_NAME
WHERE t.TABLE_SCHEMA IN :schemas
  AND t.TABLE_TYPE IN ('BASE TABLE', 'VIEW', 'SYSTEM VERSIONED')
ORDER BY BINARY t.TABLE_SCHEMA, BINARY t.TABLE_NAME
"""
    columns_sql = """
SELECT c.TABLE_SCHEMA AS `schema`, c.TABLE_NAME AS `table`, c.COLUMN_NAME AS name,
       c.ORDINAL_POSITION AS position, c.COLUMN_TYPE AS type, c.IS_NULLABLE = 'YES' AS nullable,
       c.COLUMN_COMMENT AS comment, c.GENERATION_EXPRESSION AS `generated`, c.EXTRA AS extra
FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA IN :schemas
ORDER BY BINARY c.TABLE_SCHEMA, BINARY c.TABLE_NAME, c.ORDINAL_POSITION
"""

    def __init__(self, url: URL, reading: Reading) -> None:
        self._database = url.database
        super().__init__(engine(url, read_only=True), identity(url), reading)
        self._is_mariadb = bool(getattr(self._connection.dialect, "is_mariadb", False))
        self._has_histograms = True

    @property
    def schemas_sql(self) -> str:  # type: ignore[override]
        """Of the URL's database only, if it names one."""
        only = "SCHEMA_NAME = DATABASE()" if self._database else "TRUE"
        return f"""
SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE {only} AND LOWER(SCHEMA_NAME)
  NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys') ORDER BY BINARY SCHEMA_NAME
"""

    def relation(self, row: Mapping[str, Any]) -> Relation:
        """As `ServerSource.relation`; of a view, the comment is the word `VIEW`."""
        is_view = row["kind"] == "VIEW"
        kind, comment = ("view", "") if is_view else ("table", row["comment"] or "")
        rows = None if is_view or row["rows"] is None else int(row["rows"])
        definition = row["definition"] or ""
        return Relation(row["schema"], row["name"], kind, comment, rows, definition)

    def column(self, row: Mapping[str, Any]) -> Column:
        """As `ServerSource.column`."""
        extra = str(row["extra"] or "").lower()
        details = {
            "generated": row["generated"] or None,
            "identity": "auto_increment" if "auto_increment" in extra else None,
        }
        return Column(
            row["schema"],
            row["table"],
            row["name"],
            int(row["position"]),
            str(row["type"]),
            bool(row["nullable"]),
            row["comment"] or "",
            details,
        )

    def keys(self, schemas: Sequence[str]) -> Iterator[Key]:
        """As `ServerSource.keys`."""
        members: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
        for row in self.rows_or_error(_KEYS, schemas=list(schemas)):
            members[row["schema"], row["table"], row["role"], row["name"]].append(row)
        for (schema, table, role, _), rows in members.items():
            yield Key(
                schema,
                table,
                role,  # type: ignore[arg-type]
                [row["column"] for row in rows],
                rows[0]["target"] or "",
                [row["target_column"] for row in rows if row["target_column"]],
            )

    def statistics(self, table: Item, columns: Sequence[str]) -> dict[str, RawFacts]:
        """As `ServerSource.statistics`."""
        place = {"schema": table.schema, "table": table.table}
        facts = {
            row["name"]: RawFacts(distinct=int(row["distinct_values"]))
            for row in self.rows_or_error(_CARDINALITIES, **place)
            if row["distinct_values"]
        }
        facts |= self._histograms(table, place)
        return {name: found for name, found in facts.items() if name in columns}

    def _histograms(self, table: Item, place: Mapping[str, str]) -> dict[str, RawFacts]:
        if not self._has_histograms:
            return {}
        query = _MARIADB_STATISTICS if self._is_mariadb else _MYSQL_HISTOGRAMS
        turned = facts_of_mariadb if self._is_mariadb else facts_of_mysql
        try:
            rows = self.rows_or_error(query, **place)
        except SQLAlchemyError as error:
            if getattr(error, "connection_invalidated", False):
                raise
            self._has_histograms = False  # not permitted, or before MySQL 8.0
            return {}
        return {row["name"]: turned(row, table.rows or 0) for row in rows}

    def sample_sql(self, table: Item, columns: Sequence[str]) -> str:
        """As `ServerSource.sample_sql`: the first rows, as they are stored."""
        picked = ", ".join(f"LEFT({_name(one)}, {_VALUE_LENGTH})" for one in columns)
        place = f"{_name(table.schema)}.{_name(table.table)}"
        return f"SELECT {picked} FROM {place} LIMIT {SAMPLE_ROWS + 1}"

    def is_gone(self, error: DBAPIError) -> bool:
        """As `ServerSource.is_gone`."""
        arguments: Sequence[Any] = getattr(error.orig, "args", ())
        return bool(arguments) and arguments[0] in _GONE


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
