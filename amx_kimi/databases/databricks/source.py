"""Reads a catalog of Databricks' Unity Catalog: its `information_schema`, and the statistics that
ANALYZE or predictive optimization left.

The relations follow Databricks' "Information schema" (2026). It tells nothing yet of generated and
identity columns, and there are no unique keys.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Reading, Selection
from amx_kimi.databases.databricks.connect import (
    REMEDIES,
    REMEDY,
    catalog_of,
    engine,
    identity,
    need_catalog,
    schema_of,
)
from amx_kimi.databases.server.catalog import Column, Key, Relation
from amx_kimi.databases.server.connect import reason_of
from amx_kimi.databases.server.source import SAMPLE_ROWS, ServerSource
from amx_kimi.patterns import is_chosen
from amx_kimi.types import Item, RawFacts

__all__ = ["DatabricksSource", "facts_of", "kind_of_table", "quoted_name"]

_VALUE_LENGTH = 300
_DEFINITION_LENGTH = 4_000
_GONE = "TABLE_OR_VIEW_NOT_FOUND"
_UNKNOWN_STATEMENT = "PARSE_SYNTAX_ERROR"
_KINDS = {
    "VIEW": "view",
    "METRIC_VIEW": "view",
    "MATERIALIZED_VIEW": "materialized view",
    "FOREIGN": "foreign table",
}
_ROLES: Mapping[str, Literal["pk", "fk"]] = {"PRIMARY KEY": "pk", "FOREIGN KEY": "fk"}
_RELATIONS = """
SELECT t.table_schema AS `schema`, t.table_name AS `name`, t.table_type AS `kind`,
       t.comment AS `comment`, substring(v.view_definition, 1, {length}) AS `definition`
FROM {catalog}.information_schema.tables t
LEFT JOIN {catalog}.information_schema.views v
  ON v.table_schema = t.table_schema AND v.table_name = t.table_name
WHERE t.table_schema IN :schemas ORDER BY t.table_schema, t.table_name
"""
_COLUMNS = """
SELECT table_schema AS `schema`, table_name AS `table`, column_name AS `name`,
       row_number() OVER (PARTITION BY table_schema, table_name ORDER BY ordinal_position)
       AS `position`, full_data_type AS `type`, is_nullable AS `nullable`, comment AS `comment`
FROM {catalog}.information_schema.columns WHERE table_schema IN :schemas
ORDER BY table_schema, table_name, `position`
"""
_KEYS = """
SELECT k.table_schema AS `schema`, k.table_name AS `table`, k.constraint_name AS `name`,
       c.constraint_type AS `type`, k.column_name AS `column`, t.table_schema AS target_schema,
       t.table_name AS target_table, t.column_name AS target_column
FROM {catalog}.information_schema.key_column_usage k
JOIN {catalog}.information_schema.table_constraints c
  ON c.constraint_schema = k.constraint_schema AND c.constraint_name = k.constraint_name
 AND c.table_schema = k.table_schema AND c.table_name = k.table_name
LEFT JOIN {catalog}.information_schema.referential_constraints r
  ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name
LEFT JOIN {catalog}.information_schema.key_column_usage t
  ON t.constraint_catalog = r.unique_constraint_catalog
 AND t.constraint_schema = r.unique_constraint_schema
 AND t.constraint_name = r.unique_constraint_name
 AND t.ordinal_position = k.position_in_unique_constraint
WHERE k.table_schema IN :schemas
ORDER BY k.table_schema, k.table_name, c.constraint_type DESC, k.constraint_name, k.ordinal_position
"""
_TAGS = """
SELECT schema_name AS `schema`, table_name AS `table`, '' AS `column`, tag_name AS `name`,
       tag_value AS `value`
FROM {catalog}.information_schema.table_tags WHERE schema_name IN :schemas
UNION ALL
SELECT schema_name, table_name, column_name, tag_name, tag_value
FROM {catalog}.information_schema.column_tags WHERE schema_name IN :schemas
"""


class DatabricksSource(ServerSource):
    """A catalog, or one of its schemas.

    Raises:
        SourceError: no driver, no connection, no catalog, or no permission; says which.
    """

    remedy, remedies = REMEDY, REMEDIES

    def __init__(self, url: URL, reading: Reading) -> None:
        super().__init__(engine(url), identity(url), reading)
        self._catalog = quoted_name(catalog_of(url))
        self._schema = schema_of(url)
        self._schemas: list[str] | None = None
        self._has_statistics = True
        self._tags: Mapping[tuple[str, str, str], Sequence[str]] = {}
        try:
            need_catalog(self._connection, url)
        except BaseException:
            self.close()
            raise
        self.relations_sql = self._filled(_RELATIONS)
        self.columns_sql = self._filled(_COLUMNS)
        self.schemas_sql = self._filled(
            "SELECT schema_name AS `name` FROM {catalog}.information_schema.schemata "
            "WHERE schema_name <> 'information_schema' ORDER BY schema_name"
        )

    def schemas(self) -> list[str]:
        """Of the URL's schema only, if it names one."""
        if self._schemas is None:
            self._schemas = [name for name in super().schemas() if self._schema in ("", name)]
        return self._schemas

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`."""
        schemas = [name for name in self.schemas() if is_chosen(selection.schemas, name)]
        self._tags = self._permitted_tags(schemas) if schemas else {}
        yield from super().items(selection)

    def relation(self, row: Mapping[str, Any]) -> Relation:
        """As `ServerSource.relation`."""
        return Relation(
            row["schema"],
            row["name"],
            kind_of_table(row["kind"]),
            row["comment"] or "",
            definition=row["definition"] or "",
            details={"tags": self._tags.get((row["schema"], row["name"], ""))},
        )

    def column(self, row: Mapping[str, Any]) -> Column:
        """As `ServerSource.column`."""
        return Column(
            row["schema"],
            row["table"],
            row["name"],
            int(row["position"]),
            str(row["type"]),
            row["nullable"] != "NO",
            row["comment"] or "",
            {"tags": self._tags.get((row["schema"], row["table"], row["name"]))},
        )

    def keys(self, schemas: Sequence[str]) -> Iterator[Key]:
        """As `ServerSource.keys`."""
        members: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
        for row in self.rows_or_error(self._filled(_KEYS), schemas=list(schemas)):
            members[row["schema"], row["table"], row["type"], row["name"]].append(row)
        for (schema, table, type_, _), rows in members.items():
            if type_ not in _ROLES:
                continue
            target = rows[0]["target_table"]
            yield Key(
                schema,
                table,
                _ROLES[type_],
                [row["column"] for row in rows],
                f"{rows[0]['target_schema']}.{target}" if target else "",
                [row["target_column"] for row in rows if row["target_column"]],
            )

    def statistics(self, table: Item, columns: Sequence[str]) -> dict[str, RawFacts]:
        """As `ServerSource.statistics`; one statement, whatever the number of columns."""
        if not self._has_statistics:
            return {}
        try:
            rows = self._plain(f"SHOW STATISTICS FROM {self._place(table)} FOR ALL COLUMNS AS JSON")
        except DBAPIError as error:
            if _UNKNOWN_STATEMENT not in reason_of(error):
                raise
            self._has_statistics = False
            self.note("Statistics are unknown: they need Databricks SQL, or Runtime 18.3 or later")
            return {}
        try:
            facts = facts_of(str(rows[0][0])) if rows else {}
        except (ValueError, TypeError, AttributeError):  # another shape than documented
            self.note("Statistics are unknown: SHOW STATISTICS answered in another form")
            return {}
        return {name: facts[name] for name in columns if name in facts}

    def sample_sql(self, table: Item, columns: Sequence[str]) -> str:
        """As `ServerSource.sample_sql`: the first rows of the first files."""
        picked = (f"left(CAST({quoted_name(one)} AS STRING), {_VALUE_LENGTH})" for one in columns)
        return f"SELECT {', '.join(picked)} FROM {self._place(table)} LIMIT {SAMPLE_ROWS + 1}"

    def is_gone(self, error: DBAPIError) -> bool:
        """As `ServerSource.is_gone`."""
        return _GONE in reason_of(error)

    def _permitted_tags(
        self, schemas: Sequence[str]
    ) -> Mapping[tuple[str, str, str], Sequence[str]]:
        found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        try:
            rows = self.rows_or_error(self._filled(_TAGS), schemas=list(schemas))
        except SQLAlchemyError as error:
            self.note(f"Tags are unknown: {reason_of(error):.200}")
            return {}
        for row in rows:
            value = f": {row['value']}" if row["value"] else ""
            place = (row["schema"], row["table"], row["column"])
            found[place].append(f"{row['name']}{value}")
        return {place: sorted(tags) for place, tags in found.items()}

    def _filled(self, query: str) -> str:
        return query.format(catalog=self._catalog, length=_DEFINITION_LENGTH)

    def _place(self, table: Item) -> str:
        return f"{self._catalog}.{quoted_name(table.schema)}.{quoted_name(table.table)}"

    def _plain(self, statement: str) -> Sequence[Sequence[Any]]:
        # Without parameters, because a colon in a name would be read as one.
        bare = self._connection.execution_options(no_parameters=True)
        return bare.exec_driver_sql(statement).all()


def kind_of_table(type_: str) -> str:
    """What Unity Catalog's type of a relation is called here."""
    return _KINDS.get(type_, "table")


def quoted_name(name: str) -> str:
    """A name quoted for Spark's SQL, whatever characters it has."""
    return "`" + name.replace("`", "``") + "`"


def facts_of(document: str) -> dict[str, RawFacts]:
    """Facts by column, from the JSON of SHOW STATISTICS (Databricks SQL's reference, 2026)."""
    told = json.loads(document).get("statistics") or {}
    return {
        name: RawFacts(
            nulls=_count(one.get("num_nulls")),
            distinct=_count(one.get("distinct_count")),
            least=_text(one.get("min")),
            greatest=_text(one.get("max")),
        )
        for name, one in (told.get("column_statistics") or {}).items()
    }


def _count(value: Any) -> int | None:
    return None if value is None else int(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
