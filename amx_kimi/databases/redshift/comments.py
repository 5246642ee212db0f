"""Writes comments to Amazon Redshift: one transaction per table.

Source: Amazon's Database Developer Guide, "COMMENT" (November 2026): not supported for external
tables and their columns, nor for columns of late-binding views.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import URL

from amx_kimi.databases.base import Comment, Present, RefusedError
from amx_kimi.databases.dialect import Dialect, Place, statement
from amx_kimi.databases.redshift import sql
from amx_kimi.databases.redshift.connect import REMEDY, billed, engine, identity, opening
from amx_kimi.databases.server.comments import ServerComments, listed
from amx_kimi.databases.server.connect import rows_of

__all__ = ["DIALECT", "RedshiftComments"]

_VIEW = "COMMENT ON VIEW {table} IS {text};"
DIALECT = Dialect(
    "redshift",
    sqlglot="redshift",
    begin="BEGIN;",
    end="COMMIT;",
    table="COMMENT ON TABLE {table} IS {text};",
    column="COMMENT ON COLUMN {table}.{column} IS {text};",
    views={"table": _VIEW},
)
_EXTERNAL = "Redshift stores no comments for external tables"
_LATE = "Redshift stores no comments for columns of late-binding views"


class RedshiftComments(ServerComments):
    """A database of a Redshift cluster or workgroup.

    Raises:
        SourceError: no driver, no connection, no database.
    """

    remedy = REMEDY
    present_sql = sql.PRESENT
    has_transactions = True

    def __init__(self, url: URL) -> None:
        self._late: set[tuple[str, str, str]] = set()
        with opening(url):
            super().__init__(engine(url, read_only=False), identity(url), DIALECT)
        self.caution = f"{cost}." if (cost := billed(url)) else ""

    def present(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        """As `ServerComments.present`; what Redshift has no comments for has none."""
        found = dict(super().present(tables))
        schemas = sorted({schema for schema, _ in tables})
        for query, kind in ((sql.LATE_COLUMNS, "view"), (sql.EXTERNAL_COLUMNS, "foreign table")):
            for row in rows_of(self._connection, query, schemas=schemas):
                place = (row["schema"], row["table"])
                if place in tables:
                    now = found.get(place, Present(kind, {"": None}))
                    found[place] = Present(now.kind, {row["name"]: None, **now.comments})
                    self._late.add((*place, row["name"]))
        return found

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        """As `Comments.write`."""
        now = self.read([(schema, table)]).get((schema, table))
        if now and now.kind == "foreign table":
            raise RefusedError(_EXTERNAL)
        late = [one.column for one in wanted if (schema, table, one.column) in self._late]
        others = super().write(schema, table, [one for one in wanted if one.column not in late])
        if late:
            moved = [one.column for one in others]
            raise RefusedError(listed(dict.fromkeys(late, _LATE)), columns=[*late, *moved])
        return others

    def statement(self, place: Place, before: str | None, after: str | None) -> str:
        """As `ServerComments.statement`."""
        del before
        return statement(self.dialect, place, after)
