"""`show`: prints the results of a run, from the journal."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING

import click

from amx_kimi.cli.common import KimiCommand, echo_json, open_journal, warn
from amx_kimi.cli.options import complete_runs, json_option, store_option, table_option
from amx_kimi.cli.tables import Cell, Column, lay_out, print_lines, screen_width
from amx_kimi.text import one_line

if TYPE_CHECKING:
    from rich.text import Text

    from amx_kimi.journal import Described, Journal, Run

__all__ = ["note_if_going", "print_tables", "rows_of", "show"]

_STYLES = {"high": "green", "medium": "yellow", "low": "red"}
_SAID = {"accept": "accepted", "edit": "edited", "reject": "rejected"}
_COLUMNS = (
    Column("Column"),
    Column("Type", rank=2, flows=True),
    Column("Confidence"),
    Column("Description", rank=3, flows=True),
    Column("Review", rank=1, plain=True),
)


def note_if_going(run: "Run") -> None:
    """Note that a run is still running, so that more results may come."""
    if run.status in ("inventory", "running") and not run.killed:
        warn(f"Run {run.id} is still running: these are its results so far.", label="Note")


@click.command(cls=KimiCommand)
@click.argument("run", shell_complete=complete_runs)
@table_option
@click.option("--low", is_flag=True, help="Show only low-confidence results.")
@store_option
@json_option
def show(run: str, tables: tuple[str, ...], low: bool, store: str | None, as_json: bool) -> None:
    """Show the results of RUN (an id, or `last`).

    The results are listed by table. In a terminal, a pager opens if they are longer than the
    screen. With --json, each line is one object, with all alternatives.
    """
    from amx_kimi.journal import meant
    from amx_kimi.publish.export import as_row
    from amx_kimi.settings import Settings

    with open_journal(store, Settings.from_environment(), create=False) as journal:
        found = journal.read(meant.run_with_results, run)
        rows = rows_of(journal, found, (), tables)
        if as_json:
            for row in rows:
                if not low or _is_low(row):
                    echo_json(as_row(row, found))
            return
        print_tables(rows, low=low, paged=True)
        if found.error:
            warn(f"The run stopped early: {found.error}")


def rows_of(
    journal: "Journal", run: "Run", schemas: "Sequence[str]", tables: "Sequence[str]"
) -> "Iterator[Described]":
    """The results of a run for these schemas and tables (names or patterns), or for all.

    Raises:
        JournalError: there are none.
    """
    from amx_kimi.databases.base import Selection
    from amx_kimi.errors import JournalError
    from amx_kimi.journal import results

    selection = Selection(tuple(schemas), tuple(tables))
    rows = (
        row
        for row in journal.stream(results.described, run.id)
        if selection.takes(row.item.schema, row.item.table)
    )
    first = next(rows, None)
    if first is None and (schemas or tables):
        wanted = " or ".join((*tables, *schemas))
        raise JournalError(f"Run {run.id} has no results for {wanted}")
    return chain([first] if first else [], rows)


def print_tables(
    rows: "Iterable[Described]", *, low: bool = False, most: int | None = None, paged: bool = False
) -> int:
    """Print described items: each table with its description above its columns.

    With `low`, only low-confidence items; with `most`, at most so many tables. Returns how many
    more tables there are.
    """
    tables = (list(group) for _, group in groupby(rows, key=_place))
    tables = (table for table in tables if not low or any(map(_is_low, table)))
    shown = islice(tables, most)
    width = screen_width()
    print_lines(chain.from_iterable(_table(t, low, width) for t in shown), paged=paged)
    return sum(1 for _ in tables)


def _place(row: "Described") -> tuple[str, str]:
    return row.item.schema, row.item.table


def _is_low(row: "Described") -> bool:
    return row.suggestion is not None and row.suggestion.confidence == "low"


def _table(rows: "list[Described]", low: bool, width: int) -> "Iterator[Text]":
    from rich.text import Text

    place = ".".join(filter(None, _place(rows[0])))
    name = (one_line(place), "bold underline")
    own = next((row for row in rows if not row.item.column), None)
    sure = _confidence(own) if own and own.suggestion else None
    if sure:
        yield Text.assemble(name, "  ", (sure.text, sure.style))
    else:
        yield Text.assemble(name)
    if own and (said := _said(own)).text:
        yield from lay_out((Column("", flows=True),), [[said]], width)[1:]
    columns = [row for row in rows if row.item.column and (_is_low(row) or not low)]
    if columns:
        yield from lay_out(_COLUMNS, map(_cells, columns), width)
    yield Text()


def _cells(row: "Described") -> list[Cell | str]:
    return [row.item.column, row.item.type, _confidence(row), _said(row), _review(row)]


def _confidence(row: "Described") -> Cell:
    if row.suggestion is None:
        return Cell("–" if row.status in ("commented", "deferred") else row.status)
    sure = row.suggestion.confidence
    shared = ", shared" if row.suggestion.signal == "shared" else ""
    return Cell(sure + shared, _STYLES[sure])


def _said(row: "Described") -> Cell:
    if row.suggestion:
        return Cell(row.text or "")
    if row.status == "commented":
        return Cell(row.item.comment)
    if row.status == "deferred":
        return Cell("not asked: beyond --limit", "dim")
    return Cell(row.error or "")


def _review(row: "Described") -> str:
    if row.decision is None:
        return ""
    return f"{_SAID[row.decision.action]} by {row.decision.by}"
