"""Reads BigQuery: tables and their columns, and rows only where a person allowed it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.api_core.exceptions import ClientError, NotFound
from sqlalchemy import URL

from amx_kimi.databases.base import Reading, Selection, TableGoneError
from amx_kimi.databases.bigquery.api import Api
from amx_kimi.databases.bigquery.errors import FAILURES, explained, reason_of
from amx_kimi.databases.bigquery.resources import (
    STORED,
    columns_of,
    fields_of,
    keys_of,
    relation_of,
    values_at,
)
from amx_kimi.databases.samples import sample_facts
from amx_kimi.databases.server.catalog import Keys, items_of
from amx_kimi.databases.server.source import SAMPLE_ROWS
from amx_kimi.log import get_logger
from amx_kimi.patterns import is_chosen
from amx_kimi.text import counted
from amx_kimi.types import Item, RawFacts

__all__ = ["BigquerySource"]

_MOST_NOTES = 20
_NO_VALUES = ("RECORD", "STRUCT", "BYTES")


class BigquerySource:
    """A project of BigQuery, or one of its datasets.

    Raises:
        SourceError: no credentials, no project, or no permission; says which.
    """

    def __init__(self, url: URL, reading: Reading) -> None:
        self._api = Api(url, read_only=True)
        self.identity = self._api.identity
        self.reopen = self._api.reopen
        self.notes: list[str] = []
        self._reading = reading

    def schemas(self) -> list[str]:
        """Every dataset, or the one that the URL names."""
        return self._api.datasets()

    def tables(self) -> list[tuple[str, str]]:
        """As `Source.tables`; date-sharded tables are one."""
        return [(schema, name) for schema in self.schemas() for name in self._folded(schema)]

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`."""
        unread: list[tuple[str, ClientError]] = []
        for schema in self.schemas():
            if not is_chosen(selection.schemas, schema):
                continue
            folded = self._folded(schema)
            names = [name for name in folded if selection.takes(schema, name)]
            found = self._api.tables((schema, name) for name in names)
            for name, resource in zip(names, found, strict=True):
                if not isinstance(resource, ClientError):
                    yield from self._items(resource, schema, name, folded[name])
                elif not isinstance(resource, NotFound):  # or it was dropped meanwhile
                    unread.append((f"{schema}.{name}", resource))
        if unread:
            told = ", ".join(name for name, _ in unread[:3])
            many = counted(len(unread), "table")
            self._note(f"Left out: {many} ({told}): {reason_of(unread[0][1])}")

    def _items(
        self, resource: Mapping[str, Any], schema: str, name: str, shards: Sequence[str]
    ) -> Iterator[Item]:
        if len(shards) > 1:
            self._note(f"{schema}.{name} is {len(shards)} tables; the newest, {shards[0]}, is read")
        relation = relation_of(resource, schema, name, len(shards))
        columns = columns_of(resource, schema, name)
        yield from items_of([relation], columns, Keys(keys_of(resource, schema, name)), Selection())

    def profile(self, table: Item, columns: Sequence[str]) -> Mapping[str, RawFacts]:
        """As `Source.profile`: BigQuery's catalog has no statistics of columns."""
        reading = self._reading
        too_large = reading.most_rows and (table.rows or 0) > reading.most_rows
        may_read = reading.samples and reading.data and not too_large
        if table.kind == "view" or not columns or not may_read:
            return {}
        try:
            return self._sample(table, columns)
        except NotFound:
            raise TableGoneError(f"The table {table.name} was dropped during the run") from None
        except FAILURES as error:
            reason = reason_of(error)
        get_logger().warning("statistics.skipped", table=table.name, reason=f"{reason:.200}")
        self._note(f"{table.name} was described without statistics: {reason:.120}")
        return {}

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _sample(self, table: Item, columns: Sequence[str]) -> dict[str, RawFacts]:
        resource = self._api.found((table.schema, table.table))
        if isinstance(resource, ClientError):
            raise resource
        if resource.get("type") not in STORED:
            return {}
        fields = dict(fields_of(resource))
        closed = {path.partition(".")[0] for path, one in fields.items() if one.get("policyTags")}
        paths = {
            name: name.split(".")
            for name in columns
            if name in fields and fields[name]["type"] not in _NO_VALUES
        }
        paths = {name: path for name, path in paths.items() if path[0] not in closed}
        if not paths:
            return {}
        most = SAMPLE_ROWS + 1
        rows = self._api.rows(resource, sorted({path[0] for path in paths.values()}), most)
        is_whole = len(rows) < most and len(rows) == table.rows
        return {
            name: sample_facts(
                Counter(value for row in rows for value in values_at(row, path)),
                whole=is_whole and not _is_repeated(fields, path),
            )
            for name, path in paths.items()
        }

    def _folded(self, schema: str) -> Mapping[str, Sequence[str]]:
        try:
            return self._api.folded(schema)
        except FAILURES as error:
            if self._api.dataset or not isinstance(error, ClientError):
                raise explained(error, f"The tables of {schema} cannot be listed") from None
            self._note(f"The dataset {schema} is left out: {reason_of(error):.200}")
            return {}

    def _note(self, what: str) -> None:
        if len(self.notes) < _MOST_NOTES and what not in self.notes:
            self.notes.append(what)


def _is_repeated(fields: Mapping[str, Mapping[str, Any]], path: Sequence[str]) -> bool:
    """Whether a row may have several values of this field."""
    above = (".".join(path[:length]) for length in range(1, len(path) + 1))
    return any(fields[one].get("mode") == "REPEATED" for one in above)
