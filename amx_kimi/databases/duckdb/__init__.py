"""DuckDB: its own files (`source`, `comments`), and data files that it reads as tables
(`data_files`, `csv_files`)."""

from typing import TYPE_CHECKING

from sqlalchemy import URL

from amx_kimi.databases.base import Comments, Reading, Source, file_of

if TYPE_CHECKING:
    from amx_kimi.databases.dialect import Dialect

__all__ = ["dialect", "open_comments", "open_source"]


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    from amx_kimi.databases.duckdb.source import DuckdbSource

    return DuckdbSource(file_of(url), reading)


def open_comments(url: URL) -> Comments:
    """As `Backend.open_comments`."""
    from amx_kimi.databases.duckdb.comments import DuckdbComments

    return DuckdbComments(file_of(url))


def dialect(_: str) -> "Dialect":
    """As `Backend.dialect`."""
    from amx_kimi.databases.duckdb.comments import DIALECT

    return DIALECT
