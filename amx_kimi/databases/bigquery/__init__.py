"""BigQuery: calls the free methods of its API (`api`), reads what they return (`resources`,
`source`), and writes comments (`comments`). No query is run, so that nothing is ever billed."""

from typing import TYPE_CHECKING

from sqlalchemy import URL

from amx_kimi.databases.base import Comments, Reading, Source
from amx_kimi.databases.drivers import need_driver

if TYPE_CHECKING:
    from amx_kimi.databases.dialect import Dialect

__all__ = ["dialect", "open_comments", "open_source"]


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    need_driver("bigquery")
    from amx_kimi.databases.bigquery.source import BigquerySource

    return BigquerySource(url, reading)


def open_comments(url: URL) -> Comments:
    """As `Backend.open_comments`."""
    need_driver("bigquery")
    from amx_kimi.databases.bigquery.comments import BigqueryComments

    return BigqueryComments(url)


def dialect(kind: str) -> "Dialect":
    """As `Backend.dialect`."""
    from amx_kimi.databases.sql_only import dialect

    return dialect(kind)
