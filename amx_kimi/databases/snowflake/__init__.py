"""Snowflake: opens an account (`connect`, `remedies`), reads one of its databases (`source`), and
writes comments (`comments`)."""

from typing import TYPE_CHECKING

from sqlalchemy import URL

from amx_kimi.databases.base import Comments, Reading, Source

if TYPE_CHECKING:
    from amx_kimi.databases.dialect import Dialect

__all__ = ["cost", "dialect", "open_comments", "open_source"]


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`."""
    from amx_kimi.databases.snowflake.source import SnowflakeSource

    return SnowflakeSource(url, reading)


def open_comments(url: URL) -> Comments:
    """As `Backend.open_comments`; nothing that it does needs a warehouse."""
    from amx_kimi.databases.snowflake.comments import SnowflakeComments

    return SnowflakeComments(url)


def cost(url: URL, reading: Reading) -> str:
    """As `Backend.cost`: the catalog is read by queries, which run on a warehouse."""
    named = url.query.get("warehouse")
    where = f"the warehouse {named}" if named else "the user's default warehouse"
    rows = ", and rows of each table are sampled" if reading.data and reading.samples else ""
    return (
        f"Reading Snowflake runs on {where}: the catalog is queried{rows}. Snowflake starts the "
        "warehouse if it is suspended, and bills at least 60 seconds"
    )


def dialect(_: str) -> "Dialect":
    """As `Backend.dialect`."""
    from amx_kimi.databases.snowflake.comments import DIALECT

    return DIALECT
