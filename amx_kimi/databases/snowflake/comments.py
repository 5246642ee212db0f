"""Writes comments to Snowflake, one statement each; there are no transactions for them.

The present ones are read by SHOW commands, which need no warehouse, so that writing costs nothing
("SHOW TABLES", "SHOW VIEWS", "SHOW COLUMNS", November 2026).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from amx_kimi.databases.base import Present, quoted
from amx_kimi.databases.dialect import Dialect, Place, statement
from amx_kimi.databases.server.comments import ServerComments
from amx_kimi.databases.snowflake.connect import (
    checked_database,
    engine,
    identity,
    literal,
    place_of,
    shown,
)
from amx_kimi.databases.snowflake.remedies import REMEDIES, REMEDY
from amx_kimi.databases.sql_only import dialect

__all__ = ["DIALECT", "SnowflakeComments"]

DIALECT: Dialect = dialect("snowflake")

_GONE = {2003, 2043}  # does not exist or not authorized
_ICEBERG = "iceberg table"


class SnowflakeComments(ServerComments):
    """A database of a Snowflake account.

    Raises:
        SourceError: no driver, no connection, or no database in the URL.
    """

    remedy, remedies = REMEDY, REMEDIES
    caution = (
        "Snowflake has no transactions for comments: each one is written, and verified, by itself. "
        "No warehouse is needed."
    )

    def __init__(self, url: URL) -> None:
        # The names are the catalog's own: none of them means its upper case.
        exact = replace(DIALECT, upper=False, catalog=place_of(url)[0])
        super().__init__(engine(url), identity(url), exact)
        self._database = checked_database(self._connection, url)

    def present(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        """As `ServerComments.present`: two or three commands for each table."""
        found = {place: self._present(*place) for place in tables}
        return {place: now for place, now in found.items() if now}

    def statement(self, place: Place, before: str | None, after: str | None) -> str:
        """As `ServerComments.statement`; an Iceberg table has statements of its own."""
        if place.kind != _ICEBERG:
            return super().statement(place, before, after)
        alter = "ALTER ICEBERG TABLE {table}"
        own = replace(
            self.dialect,
            table=f"{alter} SET COMMENT = {{text}};",
            column=f"{alter} ALTER COLUMN {{column}} COMMENT {{text}};",
        )
        return statement(own, place, after or "")

    def _present(self, schema: str, table: str) -> Present | None:
        try:
            found = self._relation(schema, table)
            if found is None:
                return None
            kind, comment = found
            word = "VIEW" if "view" in kind else "TABLE"
            place = ".".join(map(quoted, (self._database, schema, table)))
            rows = shown(self._connection, f"SHOW COLUMNS IN {word} {place}")
        except DBAPIError as error:
            if getattr(error.orig, "errno", None) in _GONE:
                return None
            raise
        columns = {str(row["column_name"]): row["comment"] or None for row in rows}
        return Present(kind, {"": comment, **columns})

    def _relation(self, schema: str, table: str) -> tuple[str, str | None] | None:
        """The kind and the comment of a table or view."""
        # A pattern ignores case, and whether it has an escape is not documented: `_` stands for a
        # backslash too, and the name is compared.
        like = literal(table.replace("\\", "_"))
        scope = f"{quoted(self._database)}.{quoted(schema)}"
        for word, kind_of in (("TABLES", _kind_of_table), ("VIEWS", _kind_of_view)):
            for row in shown(self._connection, f"SHOW {word} LIKE {like} IN SCHEMA {scope}"):
                if row["name"] == table:
                    return kind_of(row), row["comment"] or None
        return None


def _kind_of_table(row: Mapping[str, Any]) -> str:
    if row.get("is_iceberg") == "Y":
        return _ICEBERG
    return "dynamic table" if row.get("is_dynamic") == "Y" else "table"


def _kind_of_view(row: Mapping[str, Any]) -> str:
    return "materialized view" if str(row.get("is_materialized")).lower() == "true" else "view"
