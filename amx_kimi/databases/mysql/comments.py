"""Writes comments to MySQL and MariaDB: one statement per table, so that all or none are written.

The server has no transactions for this. A table is locked if the user may do that, its definition
is read again, and compared afterwards.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import URL, bindparam, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from amx_kimi.databases.base import Comment, Present, RefusedError, split_by_before
from amx_kimi.databases.dialect import Dialect
from amx_kimi.databases.mysql.connect import REMEDY, engine, identity
from amx_kimi.databases.mysql.definitions import (
    alter,
    column_definitions,
    is_told_in_full,
    quoted_name,
    without_comments,
)
from amx_kimi.databases.server.comments import listed
from amx_kimi.databases.server.connect import connect, reason_of
from amx_kimi.databases.sql_only import dialect
from amx_kimi.errors import SourceError

__all__ = ["DIALECT", "MysqlComments"]

DIALECT: Dialect = dialect("mysql")

_WOULD_COPY = {1845, 1846}  # ALGORITHM=INPLACE is not supported (MySQL's error reference, 2026)
_NOT_LOCKED = 1100  # such as the sequence of a default, while the table is locked
_UNTOLD = "the server does not tell all of the definition: a ? may stand for another character"
_COPYING = "the server would copy all rows"
_LAST = "\uffff"
_BEYOND = "the server stores no characters beyond U+FFFF in comments, such as emoji"
_PRESENT = """
SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, '' AS COLUMN_NAME, t.TABLE_COMMENT AS COMMENT
FROM information_schema.TABLES t WHERE (t.TABLE_SCHEMA, t.TABLE_NAME) IN :places
UNION ALL
SELECT c.TABLE_SCHEMA, c.TABLE_NAME, '', c.COLUMN_NAME, c.COLUMN_COMMENT
FROM information_schema.COLUMNS c WHERE (c.TABLE_SCHEMA, c.TABLE_NAME) IN :places
"""


class MysqlComments:
    """A MySQL or MariaDB server.

    Raises:
        SourceError: no driver, no connection.
    """

    def __init__(self, url: URL) -> None:
        self._engine = engine(url, read_only=False)
        self.identity = identity(url)
        self.dialect = DIALECT
        self.caution = (
            "MySQL and MariaDB change a comment by repeating the column's definition. It is taken "
            "from the server and compared afterwards; no rows are copied. Each table is locked for "
            "a moment."
        )
        self._is_locked = False
        self._connection = connect(self._engine, REMEDY)

    def read(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        """As `Comments.read`; a comment that is empty is none."""
        try:
            return self._present(tables)
        except SQLAlchemyError as error:
            raise SourceError(f"The catalog cannot be read: {reason_of(error)}") from None

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        """As `Comments.write`."""
        try:
            with self._locked(schema, table):
                now = self._present([(schema, table)]).get((schema, table))
                fitting, others = split_by_before(now, wanted)
                if now and fitting:
                    if now.kind == "view":
                        raise RefusedError("MySQL and MariaDB store no comments for views")
                    refused = self._write(schema, table, fitting)
                    if refused:
                        moved = [one.column for one in others]
                        raise RefusedError(listed(refused), columns=[*refused, *moved])
                return others
        except DBAPIError as error:
            if error.connection_invalidated:
                raise SourceError(f"The connection was lost: {reason_of(error)}") from None
            raise RefusedError(reason_of(error)) from None

    def close(self) -> None:
        """Close the connection."""
        with suppress(SQLAlchemyError):  # the connection may be lost
            self._connection.close()
        self._engine.dispose()

    def _write(self, schema: str, table: str, fitting: Sequence[Comment]) -> dict[str, str]:
        """Write what the server can store; returns the other columns, with the reasons."""
        place = f"{quoted_name(schema)}.{quoted_name(table)}"
        texts = {one.column: one.after for one in fitting}
        before = self._definition(place)
        definitions = column_definitions(before)
        refused = {
            column: _BEYOND for column, text in texts.items() if max(text or "", default="") > _LAST
        } | {
            column: _UNTOLD for column in texts if not is_told_in_full(definitions.get(column, ""))
        }
        storable = {column: text for column, text in texts.items() if column not in refused}
        reason = self._refusal(alter(place, before, storable)) if storable else ""
        if reason == _COPYING:
            refused |= self._one_by_one(place, before, storable)
        elif reason:
            raise RefusedError(reason)
        if without_comments(before) != without_comments(self._definition(place)):
            told = " ".join(before.split())[:2_000]
            raise SourceError(
                f"In {schema}.{table}, more than comments changed",
                remedy=f"Compare it with what it was before: {told}",
            )
        return refused

    def _one_by_one(
        self, place: str, before: str, texts: Mapping[str, str | None]
    ) -> dict[str, str]:
        refused = {}
        for column, wanted in texts.items():
            for as_json in (True, False):
                reason = self._refusal(alter(place, before, {column: wanted}, as_json=as_json))
                if not reason:
                    break
            else:
                refused[column] = reason
        return refused

    def _refusal(self, statement: str) -> str:
        """Run a statement; returns why the server refused it, or ""."""
        try:
            self._run(statement)
        except DBAPIError as error:
            if error.connection_invalidated:
                raise
            code = getattr(error.orig, "args", (0,))[0]
            if code == _NOT_LOCKED and self._is_locked:
                self._unlock()
                return self._refusal(statement)
            return _COPYING if code in _WOULD_COPY else reason_of(error)
        return ""

    def _definition(self, place: str) -> str:
        driver: Any = self._connection.connection.driver_connection
        driver.use_unicode = False  # or PyMySQL loses the connection over what is no UTF-8
        try:
            told: Any = self._run(f"SHOW CREATE TABLE {place}")[0][1]
        finally:
            driver.use_unicode = True
        try:
            return told.decode("utf-8") if isinstance(told, bytes) else str(told)
        except UnicodeDecodeError:
            raise RefusedError("a default of the table contains bytes that are no text") from None

    def _present(self, tables: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Present]:
        query = text(_PRESENT).bindparams(bindparam("places", expanding=True))
        kinds: dict[tuple[str, str], str] = {}
        found: dict[tuple[str, str], dict[str, str | None]] = {}
        if not tables:
            return {}
        for schema, table, kind, column, comment in self._connection.execute(
            query, {"places": list(tables)}
        ):
            place = (str(schema), str(table))
            if not column:
                is_view = kind == "VIEW"
                kinds[place] = "view" if is_view else "table"
                comment = "" if is_view else comment
            found.setdefault(place, {})[str(column)] = comment or None
        wanted = set(tables)  # names may differ by case only
        return {place: Present(kinds[place], found[place]) for place in kinds if place in wanted}

    def _run(self, statement: str) -> Sequence[Sequence[object]]:
        # Without parameters, because a percent sign would be read as one.
        bare = self._connection.execution_options(no_parameters=True)
        result = bare.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []

    @contextmanager
    def _locked(self, schema: str, table: str) -> Iterator[None]:
        """A lock on the table, so that nobody writes between our look and our text; without it if
        the user may not, or if it is a view."""
        with suppress(DBAPIError):
            self._run(f"LOCK TABLES {quoted_name(schema)}.{quoted_name(table)} WRITE")
            self._is_locked = True
        try:
            yield
        finally:
            self._unlock()

    def _unlock(self) -> None:
        self._is_locked = False
        if not self._connection.invalidated:
            with suppress(DBAPIError):
                self._run("UNLOCK TABLES")
