"""Writes comments to BigQuery by `tables.patch`, at any depth, all of a table in one call."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.api_core.exceptions import (
    ClientError,
    NotFound,
    PreconditionFailed,
    Unauthorized,
)
from sqlalchemy import URL

from amx_kimi.databases.base import Comment, Present, RefusedError, split_by_before
from amx_kimi.databases.bigquery.api import Api, Found
from amx_kimi.databases.bigquery.errors import FAILURES, explained
from amx_kimi.databases.bigquery.resources import comments_of, edited, kind_of
from amx_kimi.databases.server.comments import listed
from amx_kimi.databases.sql_only import dialect
from amx_kimi.errors import SourceError

__all__ = ["BigqueryComments"]

_CHANGED = "BigQuery stores another text"
_ONLY_TABLE = {
    # The API's own message, in dbt-labs/dbt-adapters issue 1017 (April 2025); and Google's page on
    # updating snapshots (August 2025) names the description of the whole only.
    "MATERIALIZED_VIEW": "BigQuery stores no comments for columns of a materialized view",
    "SNAPSHOT": "BigQuery stores no comments for columns of a snapshot",
}


class BigqueryComments:
    """A project of BigQuery that is open to write comments.

    Raises:
        SourceError: no credentials, no project, or no permission; says which.
    """

    def __init__(self, url: URL) -> None:
        self._api = Api(url, read_only=False)
        self.identity = self._api.identity
        self.dialect = dialect("bigquery")
        self.caution = (
            "BigQuery's comments are changed by its API, which is not billed. Of date-sharded "
            "tables (`events_*`), the newest one is written."
        )

    def read(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        """As `Comments.read`."""
        found = zip(tables, self._api.tables(tables), strict=True)
        present = {place: _present(resource) for place, resource in found}
        return {place: now for place, now in present.items() if now}

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        """As `Comments.write`: nothing that somebody else changes meanwhile is lost."""
        for is_repeated in (False, True):
            resource = self._api.found((schema, table))
            now = _present(resource)
            fitting, others = split_by_before(now, wanted)
            if now and is_repeated:  # what was sent before may have arrived
                others = [c for c in others if now.comments.get(c.column) != (c.after or None)]
            if now is None or not fitting or isinstance(resource, ClientError):
                return others
            try:
                refused = self._write(resource, fitting)
            except PreconditionFailed:
                continue  # the etag is another one now
            except FAILURES as error:
                raise _refusal(error) from None
            if refused:
                moved = [one.column for one in others]
                raise RefusedError(listed(refused), columns=[*refused, *moved])
            return others
        raise RefusedError("somebody else changes the table at the same time")

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _write(self, resource: Mapping[str, Any], wanted: Sequence[Comment]) -> dict[str, str]:
        """Write comments; returns the columns that were not written, with the reasons."""
        reason = _ONLY_TABLE.get(resource.get("type", ""), "")
        refused = {one.column: reason for one in wanted if one.column and reason}
        texts = {one.column: one.after or None for one in wanted if one.column not in refused}
        changes: dict[str, Any] = {}
        if "" in texts:
            changes["description"] = texts[""]
        if texts.keys() - {""}:
            changes["schema"] = edited(resource, texts)
        if changes:
            there = comments_of(self._api.patch(resource, changes))
            refused |= {name: _CHANGED for name in texts if there.get(name) != texts[name]}
        return refused


def _refusal(error: Exception) -> SourceError:
    if isinstance(error, ClientError) and not isinstance(error, Unauthorized):
        return RefusedError(" ".join(str(explained(error)).split("\n")))
    return explained(error, "The comments cannot be written")


def _present(found: Found) -> Present | None:
    """As `Comments.read`; None if the table is gone.

    Raises:
        SourceError: it cannot be read.
    """
    if not isinstance(found, ClientError):
        return Present(kind_of(found), comments_of(found))
    if isinstance(found, NotFound):
        return None
    raise explained(found, "The catalog cannot be read")
