"""SQL Server, Azure SQL and Azure Synapse: opens a server (`connect`), reads it (`source`, with
`facts` of types and histograms), and writes descriptions (`comments`)."""

from typing import TYPE_CHECKING

from sqlalchemy import URL

from amx_kimi.databases.base import Comments, Reading, Source

if TYPE_CHECKING:
    from amx_kimi.databases.dialect import Dialect

__all__ = ["dialect", "open_comments", "open_source"]


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    from amx_kimi.databases.sqlserver.source import SqlServerSource

    return SqlServerSource(url, reading)


def open_comments(url: URL) -> Comments:
    """As `Backend.open_comments`."""
    from amx_kimi.databases.sqlserver.comments import SqlServerComments

    return SqlServerComments(url)


def dialect(kind: str) -> "Dialect":
    """As `Backend.dialect`."""
    from amx_kimi.databases import sql_only

    return sql_only.dialect(kind)
