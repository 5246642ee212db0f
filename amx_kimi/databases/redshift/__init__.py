"""Amazon Redshift: opens a database of a cluster or workgroup (`connect`), reads it (`source`, with
`sql`), and writes comments (`comments`)."""

from typing import TYPE_CHECKING

from sqlalchemy import URL

from amx_kimi.databases.base import Comments, Reading, Source

if TYPE_CHECKING:
    from amx_kimi.databases.dialect import Dialect

__all__ = ["cost", "dialect", "open_comments", "open_source"]


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    from amx_kimi.databases.redshift.source import RedshiftSource

    return RedshiftSource(url, reading)


def open_comments(url: URL) -> Comments:
    """As `Backend.open_comments`."""
    from amx_kimi.databases.redshift.comments import RedshiftComments

    return RedshiftComments(url)


def cost(url: URL, reading: Reading) -> str:
    """As `Backend.cost`: only a serverless workgroup is billed for what it runs."""
    from amx_kimi.databases.redshift.connect import billed

    del reading
    return billed(url)


def dialect(_: str) -> "Dialect":
    """As `Backend.dialect`."""
    from amx_kimi.databases.redshift.comments import DIALECT

    return DIALECT
