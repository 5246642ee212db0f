"""Oracle: opens a database (`connect`), reads it (`source`, with `facts` of types and statistics),
and writes comments (`comments`)."""

from typing import TYPE_CHECKING

from sqlalchemy import URL

from amx_kimi.databases.base import Comments, Reading, Source

if TYPE_CHECKING:
    from amx_kimi.databases.dialect import Dialect

__all__ = ["dialect", "open_comments", "open_source"]


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    from amx_kimi.databases.oracle.source import OracleSource

    return OracleSource(url, reading)


def open_comments(url: URL) -> Comments:
    """As `Backend.open_comments`."""
    from amx_kimi.databases.oracle.comments import OracleComments

    return OracleComments(url)


def dialect(kind: str) -> "Dialect":
    """As `Backend.dialect`."""
    from amx_kimi.databases import sql_only

    return sql_only.dialect(kind)
