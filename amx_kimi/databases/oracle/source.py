"""Reads Oracle: the data dictionary's ALL_ views, and the optimizer's statistics. A schema is a
user."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from amx_kimi.databases.base import Reading, Selection, TableGoneError, quoted
from amx_kimi.databases.oracle.connect import REMEDIES, REMEDY, engine, identity
from amx_kimi.databases.oracle.facts import facts_of, is_sampled, sampled, spelled
from amx_kimi.databases.server.catalog import Column, Key, Relation
from amx_kimi.databases.server.connect import reason_of, without_secrets
from amx_kimi.databases.server.source import SAMPLE_ROWS, ServerSource
from amx_kimi.patterns import is_chosen
from amx_kimi.types import Item, RawFacts

__all__ = ["OracleSource"]

_GONE = "ORA-00942"
_DEFINITION_LENGTH = 4_000
_NO_COUNT = 1_048_575  # of a table whose partitions are made when they are needed

_SCHEMAS = """
SELECT u.username AS name FROM all_users u
WHERE u.oracle_maintained = 'N' AND EXISTS (SELECT 1 FROM all_objects o WHERE o.owner = u.username
  AND o.object_type IN ('TABLE', 'VIEW', 'MATERIALIZED VIEW'))
ORDER BY u.username
"""
# The recycle bin, the containers and logs of materialized views, and parts of other tables are
# left out.
_RELATIONS = """
SELECT t.owner AS owner, t.table_name AS name,
       CASE WHEN x.table_name IS NOT NULL THEN 'foreign table' ELSE 'table' END AS kind,
       c.comments AS told, t.num_rows AS estimate, p.partition_count AS partitions,
       CAST(NULL AS VARCHAR2(4000)) AS definition
FROM all_tables t
LEFT JOIN all_tab_comments c ON c.owner = t.owner AND c.table_name = t.table_name
LEFT JOIN all_external_tables x ON x.owner = t.owner AND x.table_name = t.table_name
LEFT JOIN all_part_tables p ON p.owner = t.owner AND p.table_name = t.table_name
WHERE t.owner IN :schemas AND t.dropped = 'NO' AND t.nested = 'NO' AND t.secondary = 'N'
  AND (t.iot_type IS NULL OR t.iot_type = 'IOT')
  AND NOT EXISTS (SELECT 1 FROM all_mviews m
                  WHERE m.owner = t.owner AND m.container_name = t.table_name)
  AND NOT EXISTS (SELECT 1 FROM all_mview_logs g
                  WHERE g.log_owner = t.owner AND g.log_table = t.table_name)
UNION ALL
SELECT v.owner, v.view_name, 'view', c.comments, NULL, NULL, v.text_vc
FROM all_views v
LEFT JOIN all_tab_comments c ON c.owner = v.owner AND c.table_name = v.view_name
WHERE v.owner IN :schemas
UNION ALL
SELECT m.owner, m.mview_name, 'materialized view', c.comments, t.num_rows, NULL, NULL
FROM all_mviews m
LEFT JOIN all_mview_comments c ON c.owner = m.owner AND c.mview_name = m.mview_name
LEFT JOIN all_tables t ON t.owner = m.owner AND t.table_name = m.container_name
WHERE m.owner IN :schemas
"""
# LONG, which has to be a query of its own.
_QUERIES = """
SELECT m.owner AS owner, m.mview_name AS name, m.query AS query FROM all_mviews m
WHERE m.owner IN :schemas
"""
_VIRTUAL = """
SELECT c.owner AS owner, c.table_name AS relation, c.column_name AS name,
       c.data_default AS expression
FROM all_tab_cols c
WHERE c.owner IN :schemas AND c.virtual_column = 'YES' AND c.hidden_column = 'NO'
"""
_COLUMNS = """
SELECT c.owner AS owner, c.table_name AS relation, c.column_name AS name, c.column_id AS place,
       c.data_type AS type, c.data_type_owner AS type_owner, c.data_length AS length,
       c.char_length AS characters, c.char_used AS used, c.data_precision AS precision,
       c.data_scale AS scale, c.nullable AS nullable, d.comments AS told,
       c.identity_column AS is_identity
FROM all_tab_cols c
LEFT JOIN all_col_comments d ON d.owner = c.owner AND d.table_name = c.table_name
  AND d.column_name = c.column_name
WHERE c.owner IN :schemas AND c.hidden_column = 'NO'
ORDER BY c.owner, c.table_name, c.column_id
"""
_KEYS = """
SELECT c.owner AS owner, c.table_name AS relation, c.constraint_name AS number_,
       c.constraint_type AS kind, k.column_name AS name, r.owner AS target_owner,
       r.table_name AS target, r.column_name AS target_column
FROM all_constraints c
JOIN all_cons_columns k ON k.owner = c.owner AND k.constraint_name = c.constraint_name
  AND k.table_name = c.table_name
LEFT JOIN all_cons_columns r ON r.owner = c.r_owner AND r.constraint_name = c.r_constraint_name
  AND r.position = k.position
WHERE c.owner IN :schemas AND c.constraint_type IN ('P', 'U', 'R')
ORDER BY c.owner, c.table_name, c.constraint_type, c.constraint_name, k.position
"""
_STATISTICS = """
SELECT s.column_name AS name, c.data_type AS type, s.num_distinct AS distinct_values,
       s.num_nulls AS nulls, s.low_value AS low_value, s.high_value AS high_value,
       s.histogram AS histogram
FROM all_tab_col_statistics s
JOIN all_tab_cols c ON c.owner = s.owner AND c.table_name = s.table_name
  AND c.column_name = s.column_name
WHERE s.owner = :owner AND s.table_name = :relation
"""
_HISTOGRAMS = """
SELECT h.column_name AS name, h.endpoint_number AS endpoint_number,
       h.endpoint_value AS endpoint_value, h.endpoint_actual_value AS endpoint_actual_value
FROM all_tab_histograms h
JOIN all_tab_col_statistics s ON s.owner = h.owner AND s.table_name = h.table_name
  AND s.column_name = h.column_name
WHERE h.owner = :owner AND h.table_name = :relation
  AND s.histogram IN ('FREQUENCY', 'TOP-FREQUENCY')
ORDER BY h.column_name, h.endpoint_number
"""
_TYPES = """
SELECT c.column_name AS name, c.data_type AS type, c.data_type_owner AS type_owner
FROM all_tab_cols c WHERE c.owner = :owner AND c.table_name = :relation
"""
_ROLES = {"P": "pk", "U": "unique", "R": "fk"}
_Place = tuple[str, str]


class OracleSource(ServerSource):
    """An Oracle database.

    Raises:
        SourceError: no driver, no connection, or no permission; says which.
    """

    remedy, remedies = REMEDY, REMEDIES
    schemas_sql = _SCHEMAS
    relations_sql = _RELATIONS
    columns_sql = _COLUMNS

    def __init__(self, url: URL, reading: Reading) -> None:
        super().__init__(engine(url, read_only=True), identity(url), reading)
        self.reopen = without_secrets(url).render_as_string()
        self._queries: Mapping[tuple[str, ...], str] = {}
        self._expressions: Mapping[tuple[str, ...], str] = {}
        self._types: Mapping[str, str] = {}
        self._has_statistics = True

    def tables(self) -> list[_Place]:
        """As `Source.tables`."""
        return [(row["owner"], row["name"]) for row in self._of(_RELATIONS, self.schemas())]

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`."""
        schemas = [name for name in self.schemas() if is_chosen(selection.schemas, name)]
        if schemas:
            self._queries = self._long(_QUERIES, schemas, "query", "owner", "name")
            self._expressions = self._long(
                _VIRTUAL, schemas, "expression", "owner", "relation", "name"
            )
        yield from super().items(selection)

    def relation(self, row: Mapping[str, Any]) -> Relation:
        """As `ServerSource.relation`."""
        place = (str(row["owner"]), str(row["name"]))
        definition = row["definition"] or self._queries.get(place, "")
        many = int(row["partitions"] or 0)
        is_counted = 1 < many < _NO_COUNT
        rows = None if row["estimate"] is None else int(row["estimate"])
        details = {"partitions": many if is_counted else None}
        told = row["told"] or ""
        return Relation(*place, str(row["kind"]), told, rows, definition, details)

    def column(self, row: Mapping[str, Any]) -> Column:
        """As `ServerSource.column`."""
        place = (str(row["owner"]), str(row["relation"]), str(row["name"]))
        details = {
            "generated": self._expressions.get(place),
            "identity": "identity" if row["is_identity"] == "YES" else None,
        }
        return Column(
            *place,
            int(row["place"] or 0),
            spelled(row),
            row["nullable"] != "N",
            row["told"] or "",
            details,
        )

    def keys(self, schemas: Sequence[str]) -> Iterator[Key]:
        """As `ServerSource.keys`."""
        keys: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
        for row in self.rows_or_error(_KEYS, schemas=list(schemas)):
            keys[row["owner"], row["relation"], row["kind"], row["number_"]].append(row)
        for (owner, relation, kind, _), rows in keys.items():
            first = rows[0]
            target = f"{first['target_owner']}.{first['target']}" if first["target"] else ""
            yield Key(
                owner,
                relation,
                _ROLES[kind],  # type: ignore[arg-type]
                [row["name"] for row in rows],
                target,
                [row["target_column"] for row in rows if row["target_column"]],
            )

    def statistics(self, table: Item, columns: Sequence[str]) -> dict[str, RawFacts]:
        """As `ServerSource.statistics`."""
        if not self._has_statistics:
            return {}
        place = {"owner": table.schema, "relation": table.table}
        try:
            rows = self.rows_or_error(_STATISTICS, **place)
            steps: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
            for step in self.rows_or_error(_HISTOGRAMS, **place) if rows else ():
                steps[step["name"]].append(step)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            self._has_statistics = False
            self.note(f"The statistics of the database cannot be read: {reason_of(error):.150}")
            return {}
        return {
            row["name"]: facts_of(row, steps.get(row["name"], ()), table.rows)
            for row in rows
            if row["name"] in columns
        }

    def sample_sql(self, table: Item, columns: Sequence[str]) -> str:
        """As `ServerSource.sample_sql`: the first rows, as they are stored; none of an external
        table."""
        if table.details.get("storage") == "foreign table":
            return ""
        picked = ", ".join(sampled(quoted(one), self._types[one]) for one in columns)
        place = f"{quoted(table.schema)}.{quoted(table.table)}"
        return f"SELECT {picked} FROM {place} FETCH FIRST {SAMPLE_ROWS + 1} ROWS ONLY"

    def is_gone(self, error: DBAPIError) -> bool:
        """As `ServerSource.is_gone`."""
        return _GONE in reason_of(error)

    def sampled(self, table: Item, columns: Sequence[str]) -> list[str]:
        """As `ServerSource.sampled`: types that have short values."""
        rows = self.rows_or_error(_TYPES, owner=table.schema, relation=table.table)
        if not rows:
            raise TableGoneError(f"The table {table.name} was dropped during the run")
        self._types = {row["name"]: "" if row["type_owner"] else row["type"] for row in rows}
        return [name for name in columns if is_sampled(self._types.get(name, ""))]

    def _long(
        self, query: str, schemas: Sequence[str], value: str, *place: str
    ) -> Mapping[tuple[str, ...], str]:
        """The values of a LONG column, cut, by place; what may not be seen is left out."""
        try:
            rows = self.rows_or_error(query, schemas=list(schemas))
        except DBAPIError as error:
            self.note(f"Some definitions are unknown: {reason_of(error):.150}")
            return {}
        return {
            tuple(str(row[part]) for part in place): str(row[value]).strip()[:_DEFINITION_LENGTH]
            for row in rows
            if row[value]
        }
