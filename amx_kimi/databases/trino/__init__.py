"""Trino and Starburst: opens one catalog of a cluster (`connect`), reads it (`source`), and writes
comments where the catalog's connector can store them (`comments`)."""

from typing import TYPE_CHECKING

from sqlalchemy import URL

from amx_kimi.databases.base import Comments, Reading, Source

if TYPE_CHECKING:
    from amx_kimi.databases.dialect import Dialect

__all__ = ["dialect", "open_comments", "open_source"]


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    from amx_kimi.databases.trino.source import TrinoSource

    return TrinoSource(url, reading)


def open_comments(url: URL) -> Comments:
    """As `Backend.open_comments`."""
    from amx_kimi.databases.trino.comments import TrinoComments

    return TrinoComments(url)


def dialect(_: str) -> "Dialect":
    """As `Backend.dialect`."""
    from amx_kimi.databases.trino.comments import DIALECT

    return DIALECT
