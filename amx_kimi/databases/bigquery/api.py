"""Calls BigQuery's API: only methods that are free, and no query (Google's page on prices, 2026:
`datasets.list`, `tables.list`, `tables.get`, `tables.patch` and `tabledata.list` cost nothing)."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from google.api_core.client_info import ClientInfo
from google.api_core.exceptions import ClientError, NotFound
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY
from sqlalchemy import URL

from amx_kimi.blocks import blocks
from amx_kimi.databases.bigquery.credentials import credentials_of, options_of
from amx_kimi.databases.bigquery.errors import FAILURES, explained, is_about_one
from amx_kimi.databases.bigquery.resources import fold
from amx_kimi.databases.server.connect import without_secrets
from amx_kimi.errors import SourceError

__all__ = ["Api", "Found"]

_CALL = {"timeout": 30.0, "retry": DEFAULT_RETRY.with_timeout(60.0)}
_FIRST_CALL = {"timeout": 10.0, "retry": DEFAULT_RETRY.with_timeout(5.0)}
_PAGE = 1_000
_AT_ONCE = 8  # BigQuery allows 100 requests a second for each user and method
_MOST_NAMED = 20
Found: TypeAlias = Mapping[str, Any] | ClientError
"""A table's resource, or why there is none."""

logging.getLogger("google").addHandler(logging.NullHandler())  # or its warnings go to the terminal


class Api:
    """A project of BigQuery; `dataset` is the one that is read, or "" for all.

    Raises:
        SourceError: no credentials, no project, or the API refuses.
    """

    def __init__(self, url: URL, *, read_only: bool) -> None:
        options = options_of(url)
        credentials, project = credentials_of(options, read_only=read_only)
        endpoint = options.get("api_endpoint", "").rstrip("/")
        self._client = bigquery.Client(
            url.host or project or "-",
            credentials,
            client_info=ClientInfo(user_agent="amx-kimi"),
            client_options={"api_endpoint": endpoint} if endpoint else None,
        )
        self.project = url.host or project
        self.dataset = url.database or ""
        place = endpoint.partition("://")[2]
        self.identity = f"bigquery://{place}{'/' if place else ''}{self.project}"
        self.reopen = without_secrets(url.set(host=self.project)).render_as_string()
        self._folded: dict[str, dict[str, list[str]]] = {}
        self._open()

    def _open(self) -> None:
        if not self.project:
            raise SourceError("The URL names no project of BigQuery", remedy=self._projects())
        try:
            if self.dataset:
                self.folded(self.dataset, **_FIRST_CALL)
            else:
                self._datasets(**_FIRST_CALL)
        except FAILURES as error:
            raise explained(error, f"{self.identity} cannot be opened") from None

    def _projects(self) -> str:
        try:
            found = [one.project_id for one in self._client.list_projects(**_FIRST_CALL)]
        except FAILURES:
            found = []
        named = ", ".join(found[:_MOST_NAMED])
        return "Write bigquery://PROJECT/DATASET, or --catalog PROJECT" + (
            f"; you can see {named}." if named else "."
        )

    def datasets(self) -> list[str]:
        """The datasets that are read.

        Raises:
            SourceError: they cannot be listed.
        """
        if self.dataset:
            return [self.dataset]
        try:
            return self._datasets(**_CALL)
        except FAILURES as error:
            raise explained(error, "The datasets cannot be listed") from None

    def _datasets(self, **call: Any) -> list[str]:
        listed = self._client.list_datasets(page_size=_PAGE, **call)
        return [one.dataset_id for one in listed]

    def folded(self, dataset: str, **call: Any) -> Mapping[str, Sequence[str]]:
        """As `resources.fold`; asked once.

        Raises:
            GoogleAPIError, GoogleAuthError, RequestException: they cannot be listed.
        """
        if dataset not in self._folded:
            place = f"{self.project}.{dataset}"
            listed = self._client.list_tables(place, page_size=_PAGE, **(call or _CALL))
            self._folded[dataset] = fold((one.table_id, one.table_type) for one in listed)
        return self._folded[dataset]

    def tables(self, places: Iterable[tuple[str, str]]) -> Iterator[Found]:
        """The resource of each (dataset, name); of date-sharded tables, the newest one's.

        Raises:
            SourceError: the connection was lost.
        """
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for some in blocks(places, 100):
                yield from pool.map(self.found, some)

    def found(self, place: tuple[str, str]) -> Found:
        """One of them."""
        try:
            return dict(self._table(*place).to_api_repr())
        except FAILURES as error:
            if is_about_one(error):
                return error
            raise explained(error, "The catalog cannot be read") from None

    def _table(self, dataset: str, name: str) -> bigquery.Table:
        if name.endswith("*"):
            shards = self.folded(dataset).get(name)
            if not shards:
                raise NotFound(f"Not found: Table {dataset}.{name}")
            name = shards[0]
        reference = bigquery.DatasetReference(self.project, dataset).table(name)
        return self._client.get_table(reference, **_CALL)

    def rows(
        self, resource: Mapping[str, Any], columns: Sequence[str], most: int
    ) -> list[Mapping[str, Any]]:
        """At most `most` rows of a table, of one answer of the API, which bounds their size.

        Raises:
            GoogleAPIError, GoogleAuthError, RequestException: they cannot be read.
        """
        table = bigquery.Table.from_api_repr(dict(resource))
        picked = [field for field in table.schema if field.name in columns]
        rows = self._client.list_rows(
            table, selected_fields=picked, max_results=most, page_size=most, **_CALL
        )
        return [dict(row.items()) for row in next(rows.pages, ())]

    def patch(self, resource: Mapping[str, Any], changes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change a table, if nobody else did since it was read; returns what it is now.

        Raises:
            GoogleAPIError, GoogleAuthError, RequestException: it was not changed.
        """
        table = bigquery.Table.from_api_repr(dict(resource))
        for name, value in changes.items():
            setattr(table, name, value)
        return dict(self._client.update_table(table, list(changes), **_CALL).to_api_repr())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
