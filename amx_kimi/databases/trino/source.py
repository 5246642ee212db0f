"""Reads one catalog of Trino: `information_schema`, `system.metadata` and SHOW STATS.

Sources: Trino's documentation, "System connector" and "SHOW STATS", and the columns that
`information_schema` has in Trino's own source (November 2026).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Reading, Selection, quoted
from amx_kimi.databases.server.catalog import Column, Relation
from amx_kimi.databases.server.connect import reason_of
from amx_kimi.databases.server.source import SAMPLE_ROWS, ServerSource
from amx_kimi.databases.trino.connect import (
    REMEDIES,
    REMEDY,
    code_of,
    engine,
    identity,
    open_catalog,
    place_of,
    reopening,
)
from amx_kimi.errors import SourceError
from amx_kimi.patterns import is_chosen
from amx_kimi.types import Item, RawFacts

__all__ = ["TrinoSource"]

_VALUE_LENGTH = 300
_DEFINITION_LENGTH = 4_000
_GONE = ("TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND")

_COMMENTS = """
SELECT schema_name AS "schema", table_name AS name, comment FROM system.metadata.table_comments
WHERE catalog_name = :catalog AND schema_name IN :schemas AND comment IS NOT NULL
"""
_VIEWS = f"""
SELECT table_schema AS "schema", table_name AS name,
       substr(view_definition, 1, {_DEFINITION_LENGTH}) AS definition
FROM information_schema.views WHERE table_schema IN :schemas
"""
_MATERIALIZED = f"""
SELECT schema_name AS "schema", name, substr(definition, 1, {_DEFINITION_LENGTH}) AS definition
FROM system.metadata.materialized_views
WHERE catalog_name = :catalog AND schema_name IN :schemas
"""
_TYPES = """
SELECT column_name AS name, data_type AS type FROM information_schema.columns
WHERE table_schema = :schema AND table_name = :table
"""

# How values of these types become texts; others are cast.
_AS_TEXT = {
    "json": "json_format({})",
    "array": "json_format(CAST({} AS json))",
    "map": "json_format(CAST({} AS json))",
    "row": "json_format(CAST({} AS json))",
    "varbinary": "to_hex({})",
    "geometry": "ST_AsText({})",
}
_WITHOUT_TEXT = ("hyperloglog", "p4hyperloglog", "qdigest", "tdigest", "setdigest", "color")

_Place = tuple[str, str]


class TrinoSource(ServerSource):
    """A catalog of a Trino cluster, or one of its schemas.

    Raises:
        SourceError: no driver, no connection, no catalog, or no permission; says which.
    """

    remedy, remedies = REMEDY, REMEDIES
    schemas_sql = """
SELECT schema_name AS name FROM information_schema.schemata
WHERE schema_name <> 'information_schema' ORDER BY schema_name
"""
    relations_sql = """
SELECT table_schema AS "schema", table_name AS name, table_type AS kind
FROM information_schema.tables WHERE table_schema IN :schemas ORDER BY table_schema, table_name
"""
    columns_sql = """
SELECT table_schema AS "schema", table_name AS "table", column_name AS name,
       ordinal_position AS position, data_type AS type, is_nullable AS nullable, comment
FROM information_schema.columns WHERE table_schema IN :schemas
ORDER BY table_schema, table_name, ordinal_position
"""

    def __init__(self, url: URL, reading: Reading) -> None:
        super().__init__(engine(url), identity(url), reading)
        self.reopen = reopening(url)
        self._schema = place_of(url)[1]
        self._schemas: list[str] = []
        self._comments: Mapping[_Place, Mapping[str, Any]] = {}
        self._views: Mapping[_Place, Mapping[str, Any]] = {}
        self._materialized: Mapping[_Place, Mapping[str, Any]] = {}
        self._rows: dict[_Place, int] = {}
        try:
            self._catalog = open_catalog(self._connection, url)
        except SourceError:
            self.close()
            raise

    def schemas(self) -> list[str]:
        """As `Source.schemas`: only the URL's schema, if it names one."""
        if not self._schemas:
            found = super().schemas()
            if self._schema and self._schema not in found:
                raise SourceError(
                    f"The catalog {self._catalog} has no schema {self._schema!r}",
                    remedy=f"You may see: {', '.join(found) or 'none'}.",
                )
            self._schemas = [self._schema] if self._schema else found
        return self._schemas

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`."""
        schemas = [name for name in self.schemas() if is_chosen(selection.schemas, name)]
        if schemas:
            self._comments = self._permitted("Comments of tables", _COMMENTS, schemas)
            self._views = self._permitted("Definitions of views", _VIEWS, schemas)
            self._materialized = self._permitted("Materialized views", _MATERIALIZED, schemas)
        yield from super().items(selection)

    def relation(self, row: Mapping[str, Any]) -> Relation:
        """As `ServerSource.relation`; Trino calls a materialized view a table."""
        place = (row["schema"], row["name"])
        kind = "view" if row["kind"] == "VIEW" else "table"
        view = self._views.get(place, {})
        if place in self._materialized:
            kind, view = "materialized view", self._materialized[place]
        comment = self._comments.get(place, {}).get("comment")
        return Relation(*place, kind, comment or "", definition=view.get("definition") or "")

    def column(self, row: Mapping[str, Any]) -> Column:
        """As `ServerSource.column`."""
        return Column(
            row["schema"],
            row["table"],
            row["name"],
            int(row["position"]),
            row["type"],
            row["nullable"] != "NO",
            row["comment"] or "",
        )

    def statistics(self, table: Item, columns: Sequence[str]) -> dict[str, RawFacts]:
        """As `ServerSource.statistics`: what the connector estimates, without reading rows."""
        shown = f"SHOW STATS FOR {quoted(table.schema)}.{quoted(table.table)}"
        with self._reading_now() as connection:
            # Without parameters, because a colon in a name would be read as one.
            bare = connection.execution_options(no_parameters=True)
            rows = [dict(row) for row in bare.exec_driver_sql(shown).mappings()]
        counted = next((row["row_count"] for row in rows if row["column_name"] is None), None)
        if counted is not None:
            self._rows[table.schema, table.table] = round(counted)
        return {
            row["column_name"]: _facts(row, counted)
            for row in rows
            if row["column_name"] in columns
        }

    def sample_sql(self, table: Item, columns: Sequence[str]) -> str:
        """As `ServerSource.sample_sql`: some rows, of the splits that are read first."""
        rows = self._rows.get((table.schema, table.table), 0)
        if 0 < self._reading.most_rows < rows:
            return ""
        place = {"schema": table.schema, "table": table.table}
        types = {row["name"]: row["type"] for row in self.rows_or_error(_TYPES, **place)}
        picked = ", ".join(_as_text(one, types.get(one, "")) for one in columns)
        name = f"{quoted(table.schema)}.{quoted(table.table)}"
        return f"SELECT {picked} FROM {name} LIMIT {SAMPLE_ROWS + 1}"

    def is_gone(self, error: DBAPIError) -> bool:
        """As `ServerSource.is_gone`."""
        return code_of(error) in _GONE

    def _of(self, query: str, schemas: Sequence[str]) -> list[Mapping[str, Any]]:
        """Of all schemas at once; some connectors fail for all if they fail for one."""
        try:
            return super()._of(query, schemas)
        except SourceError:
            if len(schemas) < 2:
                raise
        found: list[Mapping[str, Any]] = []
        failed: list[SourceError] = []
        for schema in schemas:
            try:
                found += super()._of(query, [schema])
            except SourceError as error:
                self.note(f"The schema {schema} was left out: {error.message:.200}")
                failed.append(error)
        if len(failed) == len(schemas):
            raise failed[0]
        return found

    def _permitted(
        self, what: str, query: str, schemas: Sequence[str]
    ) -> dict[_Place, Mapping[str, Any]]:
        values = {"catalog": self._catalog} if ":catalog" in query else {}
        try:
            rows = self.rows_or_error(query, schemas=list(schemas), **values)
        except SQLAlchemyError as error:
            self.note(f"{what} are unknown: {reason_of(error):.200}")
            return {}
        return {(row["schema"], row["name"]): row for row in rows}


def _facts(row: Mapping[str, Any], rows: float | None) -> RawFacts:
    share, distinct = row["nulls_fraction"], row["distinct_values_count"]
    return RawFacts(
        nulls=None if share is None or rows is None else round(share * rows),
        distinct=None if distinct is None else round(distinct),
        least=row["low_value"],
        greatest=row["high_value"],
    )


def _as_text(column: str, data_type: str) -> str:
    name = quoted(column)
    base = data_type.partition("(")[0].lower()
    if base in _WITHOUT_TEXT:
        return f"CASE WHEN {name} IS NOT NULL THEN {base!r} END"
    text = _AS_TEXT.get(base, "CAST({} AS varchar)").format(name)
    return f"substr({text}, 1, {_VALUE_LENGTH})"
