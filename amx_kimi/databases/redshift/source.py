"""Reads a database of Amazon Redshift: `pg_catalog`, `svv_*` views, and what ANALYZE left."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Reading, Selection, quoted
from amx_kimi.databases.redshift import sql
from amx_kimi.databases.redshift.connect import REMEDY, engine, identity, opening
from amx_kimi.databases.server.catalog import Column, Key, Relation
from amx_kimi.databases.server.connect import reason_of
from amx_kimi.databases.server.pg_stats import statistics_of
from amx_kimi.databases.server.source import SAMPLE_ROWS, ServerSource
from amx_kimi.patterns import is_chosen
from amx_kimi.types import Item, RawFacts

__all__ = ["RedshiftSource"]

_VALUE_LENGTH = 300
_BETWEEN = "\x1e"
_GONE = ("42P01", "3F000")  # undefined table, undefined schema
_ROLES = {"p": "pk", "u": "unique", "f": "fk"}
_MATERIALIZED = "create materialized view"
# How values of these types are read; others are read as they are.
_AS_TEXT = {
    "character": f"LEFT({{}}, {_VALUE_LENGTH})",
    "text": f"LEFT({{}}, {_VALUE_LENGTH})",
    "super": f"LEFT(json_serialize({{}}), {_VALUE_LENGTH})",
    **{
        name: f"CASE WHEN {{}} IS NOT NULL THEN '{name}' END"
        for name in ("geometry", "geography", "hllsketch", "varbyte", "binary")
    },
}
# What the catalog tables do not have: relations and columns of Spectrum, of late-binding views.
_ALSO = {
    sql.RELATIONS: {"External tables": sql.EXTERNAL_TABLES},
    sql.COLUMNS: {
        "Columns of late-binding views": sql.LATE_COLUMNS,
        "Columns of external tables": sql.EXTERNAL_COLUMNS,
    },
}
_Rows = list[Mapping[str, Any]]


class RedshiftSource(ServerSource):
    """A database of a Redshift cluster or workgroup.

    Raises:
        SourceError: no driver, no connection, no database, or no permission; says which.
    """

    remedy = REMEDY
    schemas_sql = sql.SCHEMAS
    relations_sql = sql.RELATIONS
    columns_sql = sql.COLUMNS

    def __init__(self, url: URL, reading: Reading) -> None:
        with opening(url):
            super().__init__(engine(url, read_only=True), identity(url), reading)
        self._definitions: dict[tuple[str, ...], Mapping[str, Any]] = {}
        self._sizes: dict[tuple[str, ...], Mapping[str, Any]] = {}
        self._sorting: dict[tuple[str, ...], Mapping[str, Any]] = {}

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`."""
        schemas = [name for name in self.schemas() if is_chosen(selection.schemas, name)]
        if schemas:
            place = ("schema", "name")
            definitions = self._permitted("Definitions of views", sql.DEFINITIONS, schemas)
            self._definitions = _by(place, definitions)
            self._sizes = _by(place, self._permitted("Row counts", sql.SIZES, schemas))
            sorting = self._permitted("Distribution and sort keys", sql.SORTING, schemas)
            self._sorting = _by(("schema", "table", "name"), sorting)
        yield from super().items(selection)

    def relation(self, row: Mapping[str, Any]) -> Relation:
        """As `ServerSource.relation`; a materialized view is known by its definition."""
        place = (row["schema"], row["name"])
        definition = self._definitions.get(place, {}).get("definition") or ""
        kind = row["kind"]
        if definition.lstrip().lower().startswith(_MATERIALIZED):
            kind = "materialized view"
        rows = self._sizes.get(place, {}).get("rows")
        if rows is None and (row["rows"] or 0) >= 1:  # less: never analyzed
            rows = row["rows"]
        is_view = "view" in kind
        comment = row["comment"] or ""
        counted = None if rows is None or is_view else int(rows)
        return Relation(*place, kind, comment, counted, definition if is_view else "")

    def column(self, row: Mapping[str, Any]) -> Column:
        """As `ServerSource.column`."""
        place = (row["schema"], row["table"], row["name"])
        sorting = self._sorting.get(place, {})
        details = {"distkey": sorting.get("distkey") or None, "sortkey": sorting.get("sortkey")}
        return Column(
            *place,
            int(row["position"]),
            str(row["type"]),
            bool(row["nullable"]),
            row["comment"] or "",
            {name: value for name, value in details.items() if value},
        )

    def keys(self, schemas: Sequence[str]) -> Iterator[Key]:
        """As `ServerSource.keys`; Redshift does not enforce them."""
        found: dict[tuple[str, str, str], _Rows] = defaultdict(list)
        for row in self.rows_or_error(sql.CONSTRAINTS, schemas=list(schemas)):
            found[row["schema"], row["table"], row["name"]].append(row)
        for (schema, table, _), rows in found.items():
            one = rows[0]
            own = {row["number"]: row["column"] for row in rows if row["is_own"]}
            other = {row["number"]: row["column"] for row in rows if row["is_other"]}
            target = f"{one['other_schema']}.{one['other_table']}" if one["others"] else ""
            yield Key(
                schema,
                table,
                _ROLES[_text(one["kind"])],  # type: ignore[arg-type]
                [own[int(number)] for number in one["members"].split()],
                target,
                [other[int(number)] for number in (one["others"] or "").split()],
            )

    def statistics(self, table: Item, columns: Sequence[str]) -> dict[str, RawFacts]:
        """As `ServerSource.statistics`: what ANALYZE left in `pg_stats`."""
        place = {"schema": table.schema, "table": table.table}
        found = self.rows_or_error(sql.STATISTICS, **place)
        count = table.rows or 0
        rows = [_as_in_postgresql(row, count) for row in found if row["name"] in columns]
        return statistics_of(rows, (), columns, count, count)

    def sample_sql(self, table: Item, columns: Sequence[str]) -> str:
        """As `ServerSource.sample_sql`; Spectrum bills for bytes, so it is never read."""
        if table.details.get("storage") == "foreign table":
            return ""
        place = {"schema": table.schema, "table": table.table}
        types = {row["name"]: str(row["type"]) for row in self.rows_or_error(sql.TYPES, **place)}
        picked = ", ".join(_shown(one, types.get(one, "")) for one in columns)
        name = f"{quoted(table.schema)}.{quoted(table.table)}"
        return f"SELECT {picked} FROM {name} LIMIT {SAMPLE_ROWS + 1}"

    def is_gone(self, error: DBAPIError) -> bool:
        """As `ServerSource.is_gone`."""
        told = error.orig.args[0] if error.orig and error.orig.args else None
        return isinstance(told, Mapping) and told.get("C") in _GONE

    def _of(self, query: str, schemas: Sequence[str]) -> _Rows:
        rows = super()._of(query, schemas)
        for what, also in _ALSO.get(query, {}).items():
            rows = [*rows, *self._permitted(what, also, schemas)]
        return rows

    def _permitted(self, what: str, query: str, schemas: Sequence[str]) -> _Rows:
        try:
            return self.rows_or_error(query, schemas=list(schemas))
        except SQLAlchemyError as error:
            self.note(f"{what} are unknown: {reason_of(error):.200}")
            return []


def _by(names: Sequence[str], rows: _Rows) -> dict[tuple[str, ...], Mapping[str, Any]]:
    return {tuple(row[name] for name in names): row for row in rows}


def _as_in_postgresql(row: Mapping[str, Any], count: int) -> tuple[Any, ...]:
    """The columns that `statistics_of` expects."""
    common, shares, bounds = (_split(row[name]) for name in ("common", "shares", "bounds"))
    ends = (bounds[0], bounds[-1]) if bounds else (None, None)
    figures = (float(row["null_frac"] or 0), float(row["n_distinct"] or 0))
    values = (common, [float(share) for share in shares])
    return (row["name"], *figures, *values, *ends, None, None, None, False, count)


def _split(told: str | None) -> list[str]:
    return told.split(_BETWEEN) if told else []


def _shown(column: str, data_type: str) -> str:
    name = quoted(column)
    text = next((text for start, text in _AS_TEXT.items() if data_type.startswith(start)), "{}")
    return text.format(name)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
