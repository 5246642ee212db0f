"""Checks a selection of tables against what the database has."""

from collections.abc import Iterable

from amx_kimi.databases.base import Selection, Source
from amx_kimi.errors import SourceError
from amx_kimi.patterns import near, unmet

__all__ = ["check_selection", "nothing_found"]


def check_selection(source: Source, selection: Selection) -> None:
    """Refuse a schema or table that the database does not have, or a pattern that matches none.

    Raises:
        SourceError: names what is missing, and the nearest ones.
    """
    schemas = source.schemas()
    if missing := unmet(selection.schemas, [("", schema) for schema in schemas]):
        there = near(missing[0], filter(None, schemas)) or "none; this database has no schemas"
        named = ", ".join(map(repr, missing))
        raise SourceError(f"There is no schema {named}", remedy=f"Known: {there}.")
    if not selection.tables:
        return
    here = Selection(selection.schemas)
    tables = [place for place in source.tables() if here.takes(*place)]
    if missing := unmet(selection.tables, tables):
        names = _names(tables, whole="." in missing[0])
        there = near(missing[0], names) or "none"
        raise SourceError(
            f"There is no table {', '.join(missing)}",
            remedy="Write the name as in the database: table, schema.table, or a pattern. "
            f"Known: {there}.",
        )


def nothing_found(source: Source, selection: Selection) -> SourceError:
    """The error for a selection without tables."""
    where = f" in {', '.join(selection.schemas)}" if selection.schemas else ""
    called = f" called {', '.join(selection.tables)}" if selection.tables else ""
    return SourceError(
        f"The database has no tables{where}{called} that this user can see",
        remedy=" ".join(source.notes),
    )


def _names(tables: Iterable[tuple[str, str]], *, whole: bool) -> list[str]:
    return [f"{schema}.{name}" if schema and whole else name for schema, name in tables]
