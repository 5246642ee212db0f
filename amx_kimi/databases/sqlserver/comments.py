"""Writes descriptions to SQL Server: the extended property `MS_Description`, in transactions."""

from dataclasses import replace

from sqlalchemy import URL

from amx_kimi.databases import sql_only
from amx_kimi.databases.dialect import Place, statement
from amx_kimi.databases.server.comments import ServerComments
from amx_kimi.databases.sqlserver.connect import (
    DEDICATED,
    REMEDIES,
    REMEDY,
    SERVERLESS,
    edition,
    engine,
    identity,
)
from amx_kimi.errors import SourceError

__all__ = ["SqlServerComments"]

_PRESENT = """
SELECT s.name AS table_schema, o.name AS table_name,
       CASE WHEN o.type = 'V' THEN 'view' ELSE 'table' END AS table_kind,
       N'' AS column_name, CAST(e.value AS nvarchar(3750)) AS comment
FROM sys.objects o
JOIN sys.schemas s ON s.schema_id = o.schema_id
LEFT JOIN sys.extended_properties e ON e.class = 1 AND e.major_id = o.object_id
  AND e.minor_id = 0 AND e.name = N'MS_Description'
WHERE o.type IN ('U', 'V') AND s.name IN :schemas AND o.name IN :tables
UNION ALL
SELECT s.name, o.name, N'', c.name, CAST(e.value AS nvarchar(3750))
FROM sys.columns c
JOIN sys.objects o ON o.object_id = c.object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id
LEFT JOIN sys.extended_properties e ON e.class = 1 AND e.major_id = c.object_id
  AND e.minor_id = c.column_id AND e.name = N'MS_Description'
WHERE o.type IN ('U', 'V') AND s.name IN :schemas AND o.name IN :tables
"""
_DROP = (
    "EXEC sys.sp_dropextendedproperty N'MS_Description', N'SCHEMA', {schema_text}, "
    "N'%s', {name_text}"
)
_DROP_COLUMN = _DROP + ", N'COLUMN', {column_text}"
_DIALECT = replace(sql_only.dialect("sqlserver"), lines=True)  # no client reads GO in a line
_DROPS = replace(
    _DIALECT,
    table=_DROP % "TABLE",
    column=_DROP_COLUMN % "TABLE",
    views={"table": _DROP % "VIEW", "column": _DROP_COLUMN % "VIEW"},
)


class SqlServerComments(ServerComments):
    """A database of SQL Server or Azure SQL.

    Raises:
        SourceError: no driver, no connection, or a server without extended properties.
    """

    remedy, remedies = REMEDY, REMEDIES
    present_sql = _PRESENT
    has_transactions = True

    def __init__(self, url: URL) -> None:
        super().__init__(engine(url, read_only=False), identity(url), _DIALECT)
        if edition(self._connection) in (DEDICATED, SERVERLESS):
            self.close()
            raise SourceError(
                "Azure Synapse cannot store comments: it has no extended properties",
                remedy="`export` writes dbt, DataHub and others.",
            )

    def statement(self, place: Place, before: str | None, after: str | None) -> str:
        """As `ServerComments.statement`."""
        del before
        return statement(_DIALECT if after else _DROPS, place, after)
