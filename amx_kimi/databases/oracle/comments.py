"""Writes comments to Oracle: COMMENT ON, which commits at once."""

from dataclasses import replace

from sqlalchemy import URL

from amx_kimi.databases import sql_only
from amx_kimi.databases.oracle.connect import REMEDIES, REMEDY, engine, identity
from amx_kimi.databases.server.comments import ServerComments

__all__ = ["OracleComments"]

# The catalog tells names as they are, and no client reads the lines of a text as commands.
_DIALECT = replace(sql_only.dialect("oracle"), upper=False, lines=True)
_PRESENT = """
SELECT t.owner AS table_schema, t.table_name AS table_name,
       CASE WHEN m.mview_name IS NOT NULL THEN 'materialized view'
            WHEN t.table_type = 'VIEW' THEN 'view' ELSE 'table' END AS table_kind,
       CAST(NULL AS VARCHAR2(128)) AS column_name,
       CASE WHEN m.mview_name IS NOT NULL THEN n.comments ELSE t.comments END AS "comment"
FROM all_tab_comments t
LEFT JOIN all_mviews m ON m.owner = t.owner AND m.mview_name = t.table_name
LEFT JOIN all_mview_comments n ON n.owner = t.owner AND n.mview_name = t.table_name
WHERE t.owner IN :schemas AND t.table_name IN :tables
UNION ALL
SELECT c.owner, c.table_name, NULL, c.column_name, c.comments
FROM all_col_comments c
WHERE c.owner IN :schemas AND c.table_name IN :tables
"""


class OracleComments(ServerComments):
    """An Oracle database.

    Raises:
        SourceError: no driver, no connection.
    """

    remedy, remedies = REMEDY, REMEDIES
    caution = (
        "Oracle commits each comment at once (COMMENT ON is DDL): if one is refused, the others of "
        "its table stay."
    )
    present_sql = _PRESENT

    def __init__(self, url: URL) -> None:
        super().__init__(engine(url, read_only=False), identity(url), _DIALECT)
