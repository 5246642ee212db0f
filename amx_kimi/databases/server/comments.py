"""Writes comments to a server, one statement each, and verifies them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Comment, Present, RefusedError, split_by_before
from amx_kimi.databases.dialect import Dialect, Place, statement
from amx_kimi.databases.server.connect import connect, reason_of, rows_of
from amx_kimi.databases.server.remedies import NONE, Remedies, remedy_for
from amx_kimi.errors import SourceError

__all__ = ["ServerComments", "listed"]

_CHANGED = "the database stores another text"
_MOST_NAMES = 900  # Oracle takes 1,000 in a list, SQL Server 2,100 in a statement
_Table = tuple[str, str]


class ServerComments:
    """A server that is open to write comments. A kind of database defines what is left open here.

    `present_sql` returns `table_schema`, `table_name`, `table_kind`, `column_name` ("" or null for
    the table itself) and `comment`, of tables in `:schemas` called one of `:tables`.

    Without `has_transactions`, the comments of a table are written one by one, and those that the
    server refuses are named (`RefusedError.columns`); with it, all or none are written.

    Raises:
        SourceError: no driver, no connection.
    """

    remedy = "Check host, port, database, user and password."
    remedies: Remedies = NONE
    caution = ""
    present_sql = ""
    has_transactions = False

    def __init__(self, engine: Engine, identity: str, dialect: Dialect) -> None:
        self._engine = engine
        self.identity = identity
        self.dialect = dialect
        self._connection = connect(engine, self.remedy, self.remedies)

    # What a kind of database defines

    def present(self, tables: Sequence[_Table]) -> Mapping[_Table, Present]:
        """As `Comments.read`, with the driver's errors."""
        schemas, names = (sorted(set(some)) for some in zip(*tables, strict=True))
        rows = [
            row
            for start in range(0, len(names), _MOST_NAMES)
            for row in rows_of(
                self._connection,
                self.present_sql,
                schemas=schemas,
                tables=names[start : start + _MOST_NAMES],
            )
        ]
        kinds: dict[_Table, str] = {}
        found: dict[_Table, dict[str, str | None]] = defaultdict(dict)
        for row in rows:
            place = (str(row["table_schema"]), str(row["table_name"]))
            column = str(row["column_name"] or "")
            if not column:
                kinds[place] = self.kind(str(row["table_kind"]))
            found[place][column] = row["comment"] or None
        wanted = set(tables)  # names may differ by case only
        return {place: Present(kinds[place], found[place]) for place in kinds if place in wanted}

    def kind(self, told: str) -> str:
        """The kind of a relation, as `Present.kind`, from the server's word `table_kind`."""
        return told

    def statement(self, place: Place, before: str | None, after: str | None) -> str:
        """The statement that changes a comment; `after` None removes it."""
        del before
        return statement(self.dialect, place, after or "")

    # `Comments`

    def read(self, tables: Sequence[_Table]) -> Mapping[_Table, Present]:
        """As `Comments.read`; an empty comment is none."""
        if not tables:
            return {}
        try:
            return self.present(tables)
        except SQLAlchemyError as error:
            reason = reason_of(error)
            raise SourceError(
                f"The catalog cannot be read: {reason}", remedy=remedy_for(self.remedies, reason)
            ) from None
        finally:
            self._roll_back()

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        """As `Comments.write`."""
        try:
            now = self.present([(schema, table)]).get((schema, table))
            fitting, others = split_by_before(now, wanted)
            refused: Mapping[str, str] = {}
            if now and fitting:
                places = [Place(schema, table, one.column, now.kind) for one in fitting]
                refused = self._write(places, fitting)
        except DBAPIError as error:
            self._roll_back()
            if error.connection_invalidated:
                raise SourceError(f"The connection was lost: {reason_of(error)}") from None
            raise RefusedError(reason_of(error)) from None
        if refused:
            moved = [one.column for one in others]
            raise RefusedError(listed(refused), columns=[*refused, *moved])
        return others

    def close(self) -> None:
        """Close the connection."""
        with suppress(SQLAlchemyError):  # the connection may be lost
            self._connection.close()
        self._engine.dispose()

    def run(self, sql: str) -> None:
        """Run one statement, without parameters: a percent sign is only a percent sign."""
        bare = self._connection.execution_options(no_parameters=True)
        bare.exec_driver_sql(sql.strip().removesuffix(";"))

    def _write(self, places: Sequence[Place], wanted: Sequence[Comment]) -> dict[str, str]:
        """Write comments; returns the columns that were not written, with the reasons."""
        refused: dict[str, str] = {}
        for place, one in zip(places, wanted, strict=True):
            try:
                self.run(self.statement(place, one.before, one.after))
            except DBAPIError as error:
                if self.has_transactions or error.connection_invalidated:
                    raise
                refused[one.column] = reason_of(error)
                continue
            if not self.has_transactions:
                self._connection.commit()
        self._connection.commit()
        return refused | self._not_stored(places[0], [c for c in wanted if c.column not in refused])

    def _not_stored(self, table: Place, written: Sequence[Comment]) -> dict[str, str]:
        place = (table.schema, table.table)
        now = self.present([place]).get(place)
        there = now.comments if now else {}
        return {
            one.column: _CHANGED
            for one in written
            if (there.get(one.column) or "") != (one.after or "")
        }

    def _roll_back(self) -> None:
        if not self._connection.closed and not self._connection.invalidated:
            with suppress(SQLAlchemyError):
                self._connection.rollback()


def listed(refused: Mapping[str, str]) -> str:
    """Reasons, each with its columns ("" is the table)."""
    reasons: dict[str, list[str]] = {}
    for column, reason in refused.items():
        reasons.setdefault(reason, []).append(column or "the table")
    return "; ".join(f"{why} ({', '.join(columns)})" for why, columns in reasons.items())
