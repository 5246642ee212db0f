"""Writes comments to Databricks' Unity Catalog, one statement each."""

from dataclasses import replace

from sqlalchemy import URL

from amx_kimi.databases.databricks.connect import (
    REMEDIES,
    REMEDY,
    catalog_of,
    engine,
    identity,
    need_catalog,
)
from amx_kimi.databases.databricks.source import quoted_name
from amx_kimi.databases.dialect import Place, statement
from amx_kimi.databases.server.comments import ServerComments
from amx_kimi.databases.sql_only import dialect

__all__ = ["DatabricksComments"]

_PRESENT = """
SELECT table_schema, table_name, CASE table_type WHEN 'VIEW' THEN 'view'
         WHEN 'METRIC_VIEW' THEN 'view' WHEN 'MATERIALIZED_VIEW' THEN 'materialized view'
         WHEN 'FOREIGN' THEN 'foreign table' ELSE 'table' END AS table_kind,
       '' AS column_name, comment AS `comment`
FROM {catalog}.information_schema.tables
WHERE table_schema IN :schemas AND table_name IN :tables
UNION ALL
SELECT table_schema, table_name, '', column_name, comment
FROM {catalog}.information_schema.columns
WHERE table_schema IN :schemas AND table_name IN :tables
"""


class DatabricksComments(ServerComments):
    """A catalog.

    Raises:
        SourceError: no driver, no connection, or no catalog.
    """

    remedy, remedies = REMEDY, REMEDIES
    caution = (
        "Databricks has no transactions for comments: each is one statement on the SQL warehouse, "
        "which is billed while it runs, and is read again afterwards. A view made WITH SCHEMA "
        "EVOLUTION takes its columns' comments from its query again."
    )

    def __init__(self, url: URL) -> None:
        known = dialect("databricks")
        # COMMENT ON COLUMN works for tables, views, materialized views and streaming tables
        # (Databricks' "COMMENT ON", 2026); ALTER TABLE for tables only.
        column = known.views["column"]
        catalog = catalog_of(url)
        super().__init__(engine(url), identity(url), replace(known, catalog=catalog, column=column))
        try:
            need_catalog(self._connection, url)
        except BaseException:
            self.close()
            raise
        self.present_sql = _PRESENT.format(catalog=quoted_name(catalog))

    def statement(self, place: Place, before: str | None, after: str | None) -> str:
        """As `ServerComments.statement`; `IS NULL` removes a comment."""
        del before
        return statement(self.dialect, place, after)
