"""Databricks with Unity Catalog: opens a catalog (`connect`), reads it (`source`), and writes
comments (`comments`). All of it runs on a SQL warehouse, which is billed."""

from typing import TYPE_CHECKING

from sqlalchemy import URL

from amx_kimi.databases.base import Comments, Reading, Source

if TYPE_CHECKING:
    from amx_kimi.databases.dialect import Dialect

__all__ = ["cost", "dialect", "open_comments", "open_source"]


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    from amx_kimi.databases.databricks.source import DatabricksSource

    return DatabricksSource(url, reading)


def open_comments(url: URL) -> Comments:
    """As `Backend.open_comments`."""
    from amx_kimi.databases.databricks.comments import DatabricksComments

    return DatabricksComments(url)


def cost(url: URL, reading: Reading) -> str:
    """As `Backend.cost`."""
    from amx_kimi.databases.databricks.connect import cost_of

    return cost_of(url, reading)


def dialect(kind: str) -> "Dialect":
    """As `Backend.dialect`."""
    from amx_kimi.databases import sql_only

    return sql_only.dialect(kind)
