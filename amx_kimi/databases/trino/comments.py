"""Writes comments to a catalog of Trino: one statement each, where the connector stores them.

Source: Trino's documentation, "COMMENT", and `CommentTask` in its source (November 2026): comments
of tables, of views, and of the columns of both; of materialized views, only those of columns.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import URL

from amx_kimi.databases.base import Present
from amx_kimi.databases.dialect import Dialect, Place, statement
from amx_kimi.databases.server.comments import ServerComments
from amx_kimi.databases.server.connect import rows_of
from amx_kimi.databases.sql_only import dialect
from amx_kimi.databases.trino.connect import REMEDIES, REMEDY, engine, identity, open_catalog
from amx_kimi.errors import SourceError

__all__ = ["DIALECT", "TrinoComments"]

DIALECT: Dialect = dialect("trino")

_WANTED = "table_schema IN :schemas AND table_name IN :tables"
_KINDS = f"""
SELECT table_schema AS "schema", table_name AS name, table_type AS kind
FROM information_schema.tables WHERE {_WANTED}
"""
_COLUMNS = f"""
SELECT table_schema AS "schema", table_name AS name, column_name AS "column", comment
FROM information_schema.columns WHERE {_WANTED}
"""
_TABLES = """
SELECT schema_name AS "schema", table_name AS name, comment FROM system.metadata.table_comments
WHERE catalog_name = :catalog AND schema_name IN :schemas AND table_name IN :tables
"""
_MATERIALIZED = """
SELECT schema_name AS "schema", name FROM system.metadata.materialized_views
WHERE catalog_name = :catalog AND schema_name IN :schemas AND name IN :tables
"""


class TrinoComments(ServerComments):
    """A catalog of a Trino cluster.

    Raises:
        SourceError: no driver, no connection, no catalog.
    """

    remedy, remedies = REMEDY, REMEDIES
    caution = (
        "Trino has no transactions for comments: each is written by itself, and read again "
        "afterwards. Not every connector stores comments; what is refused is listed."
    )

    def __init__(self, url: URL) -> None:
        super().__init__(engine(url), identity(url), DIALECT)
        try:
            self._catalog = open_catalog(self._connection, url)
        except SourceError:
            self.close()
            raise

    def present(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        """As `ServerComments.present`."""
        schemas, names = (sorted(set(some)) for some in zip(*tables, strict=True))
        some = {"schemas": schemas, "tables": names}
        of_catalog = {**some, "catalog": self._catalog}
        read = self._connection
        kinds = {
            (row["schema"], row["name"]): "view" if row["kind"] == "VIEW" else "table"
            for row in rows_of(read, _KINDS, **some)
        }
        for row in rows_of(read, _MATERIALIZED, **of_catalog):
            kinds[row["schema"], row["name"]] = "materialized view"
        found: dict[tuple[str, str], dict[str, str | None]] = defaultdict(dict)
        for row in rows_of(read, _TABLES, **of_catalog):
            found[row["schema"], row["name"]][""] = row["comment"] or None
        for row in rows_of(read, _COLUMNS, **some):
            found[row["schema"], row["name"]][row["column"]] = row["comment"] or None
        return {place: Present(kinds[place], found[place]) for place in tables if place in kinds}

    def statement(self, place: Place, before: str | None, after: str | None) -> str:
        """As `ServerComments.statement`."""
        del before
        return statement(self.dialect, place, after)
