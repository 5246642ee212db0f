"""Reads a server: its catalog by a few statements, rows only where a person allowed it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Reading, Selection, TableGoneError
from amx_kimi.databases.samples import sample_facts
from amx_kimi.databases.server.catalog import Column, Key, Keys, Relation, items_of
from amx_kimi.databases.server.connect import connect, reason_of, rows_of, without_secrets
from amx_kimi.databases.server.remedies import NONE, Remedies, remedy_for
from amx_kimi.errors import SourceError
from amx_kimi.log import get_logger
from amx_kimi.patterns import is_chosen
from amx_kimi.types import Item, RawFacts

__all__ = ["SAMPLE_ROWS", "ServerSource"]

SAMPLE_ROWS = 1_000
_MOST_NOTES = 20


class ServerSource:
    """A server whose catalog is asked by SQL. A kind of database defines what is left open here:
    `remedy` and `remedies` (what to do about errors), the statements, and what it knows of a column
    without reading rows.

    `schemas_sql` returns `name`; `relations_sql` and `columns_sql` return what `relation` and
    `column` turn into a `Relation` and a `Column`. `:schemas` in them stands for the schemas that
    are read.

    Raises:
        SourceError: no driver, no connection, or no permission; says which.
    """

    remedy = "Check host, port, database, user and password."
    remedies: Remedies = NONE
    schemas_sql = ""
    relations_sql = ""
    columns_sql = ""

    def __init__(self, engine: Engine, identity: str, reading: Reading) -> None:
        self._engine = engine
        self.identity = identity
        self.reopen = without_secrets(engine.url).render_as_string()
        self.notes: list[str] = []
        self._reading = reading
        self._connection = connect(engine, self.remedy, self.remedies)

    # What a kind of database defines

    def keys(self, schemas: Sequence[str]) -> Iterable[Key]:
        """The keys of all tables in these schemas."""
        del schemas
        return ()

    def relation(self, row: Mapping[str, Any]) -> Relation:
        """A row of `relations_sql`."""
        return Relation(**row)

    def column(self, row: Mapping[str, Any]) -> Column:
        """A row of `columns_sql`."""
        return Column(**row)

    def statistics(self, table: Item, columns: Sequence[str]) -> dict[str, RawFacts]:
        """What the catalog knows of these columns; reads no rows."""
        del table, columns
        return {}

    def sampled(self, table: Item, columns: Sequence[str]) -> Sequence[str]:
        """Which of these columns `sample_sql` may read."""
        del table
        return columns

    def sample_sql(self, table: Item, columns: Sequence[str]) -> str:
        """A query for at most SAMPLE_ROWS + 1 rows of a table, with bounded values; "" if there is
        none that is bounded."""
        raise NotImplementedError

    def is_gone(self, error: DBAPIError) -> bool:
        """Whether an error means that the table does not exist."""
        del error
        return False

    # `Source`

    def schemas(self) -> list[str]:
        """Every schema but the system's."""
        return [str(row["name"]) for row in self.rows(self.schemas_sql)]

    def tables(self) -> list[tuple[str, str]]:
        """As `Source.tables`."""
        schemas = self.schemas()
        return [(row["schema"], row["name"]) for row in self._of(self.relations_sql, schemas)]

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`."""
        schemas = [name for name in self.schemas() if is_chosen(selection.schemas, name)]
        if not schemas:
            return
        relations = [self.relation(row) for row in self._of(self.relations_sql, schemas)]
        keys = Keys(self._permitted_keys(schemas))
        columns = (self.column(row) for row in self._of(self.columns_sql, schemas))
        yield from items_of(relations, columns, keys, selection)

    def profile(self, table: Item, columns: Sequence[str]) -> Mapping[str, RawFacts]:
        """As `Source.profile`."""
        if table.kind == "view" or not columns:
            return {}
        try:
            return self._profile(table, columns)
        except SQLAlchemyError as error:
            if not getattr(error, "connection_invalidated", False):
                return self._lost(table, error)
        self._connection.close()
        self._connection = connect(self._engine, self.remedy, self.remedies)
        try:
            return self._profile(table, columns)
        except SQLAlchemyError as error:
            return self._lost(table, error)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._engine.dispose()

    def rows(self, query: str, **values: Any) -> list[Mapping[str, Any]]:
        """The rows of a query of the catalog; `:schemas` may be a list.

        Raises:
            SourceError: it cannot be read.
        """
        try:
            return self.rows_or_error(query, **values)
        except SQLAlchemyError as error:
            reason = reason_of(error)
            raise SourceError(
                f"The catalog cannot be read: {reason}", remedy=remedy_for(self.remedies, reason)
            ) from None

    def rows_or_error(self, query: str, **values: Any) -> list[Mapping[str, Any]]:
        """The same, with the driver's error."""
        with self._reading_now() as connection:
            return rows_of(connection, query, **values)

    def note(self, what: str) -> None:
        """Tell the person who runs it."""
        if len(self.notes) < _MOST_NOTES and what not in self.notes:
            self.notes.append(what)

    def _of(self, query: str, schemas: Sequence[str]) -> list[Mapping[str, Any]]:
        return self.rows(query, schemas=list(schemas))

    def _permitted_keys(self, schemas: Sequence[str]) -> Iterable[Key]:
        try:
            return list(self.keys(schemas))
        except SQLAlchemyError as error:
            self.note(f"Keys are unknown: {reason_of(error):.200}")
            return ()

    def _profile(self, table: Item, columns: Sequence[str]) -> Mapping[str, RawFacts]:
        reading = self._reading
        facts = self.statistics(table, columns) if reading.samples else {}
        missing = [name for name in columns if name not in facts or not _tells(facts[name])]
        too_large = reading.most_rows and (table.rows or 0) > reading.most_rows
        if missing and reading.samples and reading.data and not too_large:
            facts |= self._sample(table, missing)
        return facts

    def _sample(self, table: Item, columns: Sequence[str]) -> dict[str, RawFacts]:
        columns = self.sampled(table, columns)
        query = self.sample_sql(table, columns) if columns else ""
        if not query:
            return {}
        counters: list[Counter[Any]] = [Counter() for _ in columns]
        seen = 0
        with self._reading_now() as connection:
            # Without parameters, because a percent sign in a name would be read as one.
            bare = connection.execution_options(no_parameters=True)
            for row in bare.exec_driver_sql(query):
                seen += 1
                for counter, value in zip(counters, row, strict=True):
                    counter[_counted(value)] += 1
        whole = seen <= SAMPLE_ROWS
        found = (sample_facts(counter, whole=whole) for counter in counters)
        return dict(zip(columns, found, strict=True))

    @contextmanager
    def _reading_now(self) -> Iterator[Connection]:
        try:
            yield self._connection
        finally:
            if not self._connection.closed:  # a lost connection opens again only after that
                with suppress(SQLAlchemyError):
                    self._connection.rollback()

    def _lost(self, table: Item, error: SQLAlchemyError) -> Mapping[str, RawFacts]:
        """Skip statistics after a timeout or a missing right; the run continues."""
        if isinstance(error, DBAPIError) and self.is_gone(error):
            raise TableGoneError(f"The table {table.name} was dropped during the run") from None
        reason = reason_of(error)
        get_logger().warning("statistics.skipped", table=table.name, reason=f"{reason:.200}")
        self.note(f"{table.name} was described without statistics: {reason:.120}")
        return {}


def _counted(value: Any) -> Any:
    """A value as it is counted: binary ones in hexadecimal, arrays and documents as texts."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return str(value) if isinstance(value, list | dict | set) else value


def _tells(facts: RawFacts) -> bool:
    return bool(facts.values or facts.keys) or facts.distinct == 0
