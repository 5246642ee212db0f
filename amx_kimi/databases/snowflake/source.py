"""Reads a database of Snowflake: INFORMATION_SCHEMA, which runs on a warehouse, and SHOW … KEYS.

Tags are not read: INFORMATION_SCHEMA tells them by a function that has to be called for each table,
and ACCOUNT_USAGE needs rights of an administrator. Columns, kinds of tables, and keys follow the
vendor's pages "TABLES view", "VIEWS view", "COLUMNS view", "SHOW PRIMARY KEYS", "SHOW IMPORTED
KEYS" (November 2026).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Reading, quoted
from amx_kimi.databases.server.catalog import Column, Key, Relation
from amx_kimi.databases.server.connect import reason_of, without_secrets
from amx_kimi.databases.server.source import SAMPLE_ROWS, ServerSource
from amx_kimi.databases.snowflake.connect import (
    checked_database,
    engine,
    identity,
    literal,
    place_of,
    shown,
)
from amx_kimi.databases.snowflake.remedies import REMEDIES, REMEDY
from amx_kimi.types import Item

__all__ = ["SnowflakeSource", "keys_of"]

_VALUE_LENGTH = 300
_DOCUMENT_LENGTH = 20_000
_DEFINITION_LENGTH = 4_000
_MOST_SHOWN = 10_000  # a SHOW command tells no more rows
_GONE = 2003  # does not exist or not authorized
_LENGTHS = (16_777_216, 134_217_728, 8_388_608, 67_108_864)  # those of columns that have none
_NO_TEXT = ("GEOGRAPHY", "GEOMETRY", "VECTOR", "FILE")  # cannot be cast to VARCHAR
_KINDS = {
    "VIEW": "view",
    "MATERIALIZED VIEW": "materialized view",
    "EXTERNAL TABLE": "foreign table",
}
_KEYS = {"pk": "PRIMARY", "unique": "UNIQUE", "fk": "IMPORTED"}


class SnowflakeSource(ServerSource):
    """A database of a Snowflake account, or one of its schemas.

    Raises:
        SourceError: no driver, no connection, or no database in the URL; says which.
    """

    remedy, remedies = REMEDY, REMEDIES
    relations_sql = f"""
SELECT t.TABLE_SCHEMA AS "schema", t.TABLE_NAME AS name, t.TABLE_TYPE AS kind,
       t.COMMENT AS "comment", t.ROW_COUNT AS row_count, t.IS_DYNAMIC AS is_dynamic,
       t.IS_ICEBERG AS is_iceberg,
       LEFT(v.VIEW_DEFINITION, {_DEFINITION_LENGTH}) AS definition
FROM {{database}}.INFORMATION_SCHEMA.TABLES t
LEFT JOIN {{database}}.INFORMATION_SCHEMA.VIEWS v
  ON v.TABLE_SCHEMA = t.TABLE_SCHEMA AND v.TABLE_NAME = t.TABLE_NAME
WHERE t.TABLE_SCHEMA IN ({{schemas}})
ORDER BY t.TABLE_SCHEMA, t.TABLE_NAME
"""
    columns_sql = """
SELECT c.TABLE_SCHEMA AS "schema", c.TABLE_NAME AS "table", c.COLUMN_NAME AS name,
       c.ORDINAL_POSITION AS "position", c.DATA_TYPE AS type,
       c.CHARACTER_MAXIMUM_LENGTH AS length, c.NUMERIC_PRECISION AS numeric_precision,
       c.NUMERIC_SCALE AS numeric_scale, c.IS_NULLABLE AS nullable, c.COMMENT AS "comment",
       c.IS_IDENTITY AS is_identity
FROM {database}.INFORMATION_SCHEMA.COLUMNS c
WHERE c.TABLE_SCHEMA IN ({schemas})
ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION
"""

    def __init__(self, url: URL, reading: Reading) -> None:
        super().__init__(engine(url), identity(url), reading)
        self.reopen = without_secrets(url).render_as_string()
        self._database = checked_database(self._connection, url)
        self._schema = place_of(url)[1]
        self._untold: set[tuple[str, str, str]] = set()

    @property
    def schemas_sql(self) -> str:  # type: ignore[override]
        """Of the URL's schema only, if it names one."""
        only = f" AND SCHEMA_NAME = {literal(self._schema)}" if self._schema else ""
        return (
            "SELECT SCHEMA_NAME AS name FROM {database}.INFORMATION_SCHEMA.SCHEMATA "
            f"WHERE SCHEMA_NAME <> 'INFORMATION_SCHEMA'{_escaped(only)} ORDER BY SCHEMA_NAME"
        )

    def rows_or_error(self, query: str, **values: Any) -> list[Mapping[str, Any]]:
        """As `ServerSource.rows_or_error`, for `{database}` and `{schemas}` in the query."""
        schemas = ", ".join(map(literal, values.get("schemas", ())))
        filled = query.format(database=quoted(self._database), schemas=schemas)
        with self._reading_now() as connection:
            return shown(connection, filled)

    def relation(self, row: Mapping[str, Any]) -> Relation:
        """As `ServerSource.relation`."""
        flags = {"dynamic table": row["is_dynamic"], "iceberg table": row["is_iceberg"]}
        kind = _KINDS.get(str(row["kind"]), "table")
        special = [word for word, flag in flags.items() if flag == "YES"]
        rows = row["row_count"] if "view" not in kind else None
        return Relation(
            row["schema"],
            row["name"],
            [*special, kind][0],
            row["comment"] or "",
            None if rows is None else int(rows),
            row["definition"] or "",
        )

    def column(self, row: Mapping[str, Any]) -> Column:
        """As `ServerSource.column`."""
        place = (row["schema"], row["table"], row["name"])
        if row["type"] in _NO_TEXT:
            self._untold.add(place)
        return Column(
            *place,
            int(row["position"]),
            _type(row),
            row["nullable"] == "YES",
            row["comment"] or "",
            {"identity": "autoincrement" if row["is_identity"] == "YES" else None},
        )

    def keys(self, schemas: Sequence[str]) -> Iterator[Key]:
        """As `ServerSource.keys`; each kind of key is told by a SHOW command of its own."""
        scope = f"DATABASE {quoted(self._database)}"
        if len(schemas) == 1:
            scope = f"SCHEMA {quoted(self._database)}.{quoted(schemas[0])}"
        for role, word in _KEYS.items():
            command = f"SHOW {word} KEYS IN {scope}"
            try:
                with self._reading_now() as connection:
                    rows = shown(connection, command)
            except SQLAlchemyError as error:
                self.note(f"{word.capitalize()} keys are unknown: {reason_of(error):.200}")
                continue
            if len(rows) >= _MOST_SHOWN:
                self.note(
                    f"Snowflake tells at most {_MOST_SHOWN:,} rows of {word.lower()} keys: some "
                    "may be missing. Choose one schema to see all of its keys."
                )
            yield from keys_of(role, rows)

    def sample_sql(self, table: Item, columns: Sequence[str]) -> str:
        """As `ServerSource.sample_sql`: random rows; none of an external table, which is read from
        files."""
        if table.details.get("storage") == "foreign table":
            return ""
        texts = [f"{quoted(one)}::VARCHAR" for one in columns]
        # Documents are not cut, as long as they are short enough, so that their keys can be read.
        picked = ", ".join(
            f"LEFT({text}, IFF({text} LIKE '{{%', {_DOCUMENT_LENGTH}, {_VALUE_LENGTH}))"
            for text in texts
        )
        place = ".".join(map(quoted, (self._database, table.schema, table.table)))
        return f"SELECT {picked} FROM {place} SAMPLE ({SAMPLE_ROWS + 1} ROWS)"

    def is_gone(self, error: DBAPIError) -> bool:
        """As `ServerSource.is_gone`."""
        return getattr(error.orig, "errno", None) == _GONE

    def sampled(self, table: Item, columns: Sequence[str]) -> list[str]:
        """As `ServerSource.sampled`: types that are texts when they are read."""
        place = (table.schema, table.table)
        return [one for one in columns if (*place, one) not in self._untold]


def keys_of(role: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[Key]:
    """The keys that rows of SHOW PRIMARY, UNIQUE or IMPORTED KEYS tell, a row a column."""
    side = "fk_" if role == "fk" else ""
    name = "fk_name" if role == "fk" else "constraint_name"
    members: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        members[row[f"{side}schema_name"], row[f"{side}table_name"], row[name]].append(row)
    for (schema, table, _), found in members.items():
        found.sort(key=lambda row: int(row["key_sequence"]))
        target = f"{found[0]['pk_schema_name']}.{found[0]['pk_table_name']}" if side else ""
        yield Key(
            schema,
            table,
            role,  # type: ignore[arg-type]
            [row[f"{side}column_name"] for row in found],
            target,
            [row["pk_column_name"] for row in found] if side else (),
        )


def _type(row: Mapping[str, Any]) -> str:
    """A column's type as DESCRIBE TABLE writes it: INFORMATION_SCHEMA calls VARCHAR `TEXT`."""
    name = "VARCHAR" if row["type"] == "TEXT" else str(row["type"])
    if row["numeric_precision"] is not None and name == "NUMBER":
        return f"{name}({row['numeric_precision']},{row['numeric_scale'] or 0})"
    if row["length"] is not None and int(row["length"]) not in _LENGTHS:
        return f"{name}({row['length']})"
    return name


def _escaped(text: str) -> str:
    """A text that `str.format` leaves as it is."""
    return text.replace("{", "{{").replace("}", "}}")
