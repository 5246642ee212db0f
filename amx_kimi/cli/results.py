"""`runs`, `show`, `usage`: reading the journal."""

from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, console, echo_json, json_option, store_option, warn
from amx_kimi.wrap import one_line

if TYPE_CHECKING:
    from rich.table import Table

    from amx_kimi.journal import Described, Journal, Run

__all__ = ["note_if_going", "print_tables", "runs", "show", "usage"]

_STYLES = {"high": "green", "medium": "yellow", "low": "red"}


def default_journal() -> Path:
    """The journal in AMX's folder."""
    from amx_kimi.config import journal_path
    from amx_kimi.settings import Settings

    return journal_path(Settings.from_environment().config_dir)


def note_if_going(run: "Run") -> None:
    """Say of a run that is at work that more may come."""
    if run.status in ("inventory", "running") and not run.killed:
        warn(f"The run {run.id} is still going: this is what there is so far.", label="Note")


def _journal(store: str | None) -> "Journal":
    from amx_kimi.cli.run import open_journal
    from amx_kimi.settings import Settings

    return open_journal(store, Settings.from_environment(), create=False)


@click.command(cls=KimiCommand)
@store_option
@json_option
def runs(store: str | None, as_json: bool) -> None:
    """List the runs in the journal, newest first."""
    from rich.table import Table

    from amx_kimi.journal import runs as stored

    rows = []
    if store or default_journal().exists():
        with _journal(store) as journal:
            found = list(journal.stream(stored.list_runs))
            rows = [(run, journal.read(stored.totals, run.id)) for run in found]
    if as_json:
        echo_json([{**_run_json(run), **_totals_json(totals)} for run, totals in rows])
        return
    if not rows:
        click.echo("There are no runs yet. Start one with: amx-kimi run URL")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("Run", "Started", "Status", "Columns", "Failed", "Cost", "Model"):
        table.add_column(head, overflow="fold", no_wrap=head in ("Run", "Status", "Columns"))
    for run, totals in rows:
        most = "up to " if totals.uncertain else ""
        cost = f"{most}{totals.cost:.4f} {run.currency}" if totals.cost is not None else "unknown"
        described = f"{totals.described:,}/{totals.columns:,}"
        when = run.started_at[:16].replace("T", " ")
        status = "killed" if run.killed else run.status
        cells = (run.id, when, status, described, str(totals.failed), cost, run.model)
        table.add_row(*map(_text, cells))
    console().print(table)


@click.command(cls=KimiCommand)
@click.option(
    "--by",
    type=click.Choice(["run", "model", "day"]),
    default="run",
    show_default=True,
    help="A line for each of these (days in UTC).",
)
@store_option
@json_option
def usage(by: str, store: str | None, as_json: bool) -> None:
    """Show what the journal's requests took: tokens and cost, in each endpoint's currency.

    Requests without known usage count at their worst case.
    """
    from rich.table import Table

    from amx_kimi.journal import runs as stored

    found = []
    if store or default_journal().exists():
        with _journal(store) as journal:
            found = journal.read(stored.spending, by)
    if as_json:
        echo_json(
            [{**vars(row), "cost": None if row.cost is None else float(row.cost)} for row in found]
        )
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in (by.capitalize(), "Requests", "Prompt", "Cached", "Completion", "Thinking", "Cost"):
        table.add_column(head, justify="left" if head == by.capitalize() else "right")
    for row in found:
        figures = (row.requests, row.prompt, row.cached, row.completion, row.reasoning)
        most = "up to " if row.uncertain else ""
        cost = f"{most}{row.cost:.4f} {row.currency}" if row.cost is not None else "unknown"
        table.add_row(*map(_text, (row.of, *(f"{figure:,}" for figure in figures), cost)))
    console().print(table)


@click.command(cls=KimiCommand)
@click.argument("run")
@click.option("--table", "tables", metavar="T", multiple=True, help="Only this table (repeat).")
@store_option
@json_option
def show(run: str, tables: tuple[str, ...], store: str | None, as_json: bool) -> None:
    """Show what RUN (an id, or `last`) found, table by table.

    With --json: one object a line, all wordings included.
    """
    from amx_kimi.annotate.sources import Selection
    from amx_kimi.errors import JournalError
    from amx_kimi.journal import results
    from amx_kimi.journal import runs as stored
    from amx_kimi.publish.export import as_row

    with _journal(store) as journal:
        found = journal.read(stored.find_run, run)
        selection = Selection(tables=tables)
        rows = (
            row
            for row in journal.stream(results.described, found.id)
            if selection.takes(row.item.schema, row.item.table)
        )
        first = next(rows, None)
        if first is None and tables:
            raise JournalError(f"The run {found.id} has no table {' or '.join(tables)}")
        all_rows = chain([first] if first else [], rows)
        if as_json:
            for row in all_rows:
                echo_json(as_row(row, found))
            return
        print_tables(all_rows)
        if found.error:
            warn(f"The run stopped early: {found.error}")


def print_tables(rows: Any) -> None:
    """Print described items, a rich table for each of their tables."""
    from rich.table import Table

    screen = console()
    for _, group in groupby(rows, key=lambda row: (row.item.schema, row.item.table)):
        table: Table | None = None
        for row in group:
            if table is None:
                table = _headed(row)
            if row.item.column:
                _add(table, row)
        if table is not None:
            screen.print(table)


def _headed(row: "Described") -> "Table":
    from rich.table import Table

    title = f"{row.item.schema}.{row.item.table}".lstrip(".")
    about = row.suggestion.alternatives[0] if row.suggestion and not row.item.column else ""
    table = Table(
        title=_text(title),
        caption=_text(about),
        title_justify="left",
        caption_justify="left",
        expand=True,
    )
    table.add_column("Column", overflow="fold", max_width=30)
    table.add_column("Type", overflow="fold", max_width=20)
    table.add_column("Confidence", no_wrap=True)
    table.add_column("Description", ratio=1)
    return table


def _add(table: "Table", row: "Described") -> None:
    from rich.text import Text

    if row.suggestion:
        sure = row.suggestion.confidence
        shared = "\n(shared)" if row.suggestion.signal == "shared" else ""
        if row.decision:
            said = {"accept": "accepted", "edit": "edited", "reject": "rejected"}
            shared += f"\n{said[row.decision.action]} by {one_line(row.decision.by)}"
        texts = (Text(sure + shared, _STYLES[sure]), _text(row.text or "rejected"))
    elif row.status == "commented":
        texts = (Text("–"), _text(row.item.comment))
    elif row.status == "deferred":
        texts = (Text("–"), Text("not asked: beyond --limit", "dim"))
    else:
        texts = (Text(row.status), _text(row.error or ""))
    table.add_row(_text(row.item.column), _text(row.item.type), *texts)


def _text(value: str) -> Any:
    """Plain text for rich: no markup, no control characters, whatever a database holds."""
    from rich.text import Text

    return Text(one_line(value))


def _run_json(run: "Run") -> dict[str, Any]:
    return {
        "run": run.id,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "status": run.status,
        "profile": run.profile,
        "model": run.model,
        "endpoint": run.endpoint,
        "database": run.database,
        "error": run.error,
        "currency": run.currency,
    }


def _totals_json(totals: Any) -> dict[str, Any]:
    shown = {key: value for key, value in vars(totals).items() if key != "cost"}
    return {**shown, "cost": float(totals.cost) if totals.cost is not None else None}
