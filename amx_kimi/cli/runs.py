"""`runs`, `usage`: list the journal's runs, and add up their tokens and cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, KimiGroup, echo_json, open_journal, say
from amx_kimi.cli.options import json_option, store_option
from amx_kimi.cli.tables import Column, print_table

if TYPE_CHECKING:
    from amx_kimi.journal import Journal, Run, Spending, Totals

__all__ = ["runs", "usage"]

_RUNS = (
    Column("Run"),
    Column("Started", rank=1),
    Column("Status"),
    Column("Columns", right=True),
    Column("Failed", rank=2, right=True),
    Column("Cost", rank=3, right=True),
    Column("Model", rank=4),
    Column("Database", rank=5, plain=True),
)


def _default_journal() -> Path:
    from amx_kimi.config import journal_path
    from amx_kimi.settings import Settings

    return journal_path(Settings.from_environment().config_dir)


def _journal(store: str | None) -> "Journal":
    from amx_kimi.settings import Settings

    return open_journal(store, Settings.from_environment(), create=False)


@click.group(cls=KimiGroup, invoke_without_command=True)
@store_option
@json_option
@click.pass_context
def runs(context: click.Context, store: str | None, as_json: bool) -> None:
    """List the runs in the journal, newest first."""
    if context.invoked_subcommand is None:
        _list(store, as_json=as_json)


def _list(store: str | None, *, as_json: bool) -> None:
    from amx_kimi.journal import runs as stored

    rows = []
    if store or _default_journal().exists():
        with _journal(store) as journal:
            found = list(journal.stream(stored.list_runs))
            rows = [(run, journal.read(stored.totals, run.id)) for run in found]
    if as_json:
        echo_json([{**_run_json(run), **_totals_json(totals)} for run, totals in rows])
    elif rows:
        print_table(_RUNS, [_cells(run, totals) for run, totals in rows])
    else:
        say("There are no runs yet. Start one with: amx-kimi run URL")


def _cells(run: "Run", totals: "Totals") -> list[str]:
    return [
        run.id,
        run.started_at[:16].replace("T", " "),
        _status(run),
        f"{totals.described:,}/{totals.columns:,}",
        f"{totals.failed:,}",
        _cost(totals, run.currency),
        run.model,
        run.database,
    ]


def _status(run: "Run") -> str:
    from amx_kimi.journal.meant import belongs_to

    base = belongs_to(run)
    status = "killed" if run.killed else run.status
    return f"{status}, part of {base}" if base else status


def _cost(spent: "Totals | Spending", currency: str | None) -> str:
    if spent.cost is None:
        return "unknown"
    return f"{'up to ' if spent.uncertain else ''}{spent.cost:.4f} {currency}"


@click.command(cls=KimiCommand)
@click.option(
    "--by",
    type=click.Choice(["run", "model", "day"]),
    default="run",
    show_default=True,
    help="Print one line for each of these (days are in UTC).",
)
@store_option
@json_option
def usage(by: str, store: str | None, as_json: bool) -> None:
    """Show the tokens and cost of past requests.

    Adds up the requests in the journal. Costs are in each endpoint's currency. Requests of unknown
    usage count at their worst case.
    """
    from amx_kimi.journal import runs as stored

    found = []
    if store or _default_journal().exists():
        with _journal(store) as journal:
            found = journal.read(stored.spending, by)
    if as_json:
        listed = []
        for row in found:
            cost = None if row.cost is None else float(row.cost)
            listed.append({**vars(row), "cost": cost})
        echo_json(listed)
        return
    if not found:
        say("There are no requests yet. Start with: amx-kimi run URL")
        return
    columns = (
        Column(by.capitalize()),
        Column("Requests", rank=1, right=True),
        Column("Prompt", rank=2, right=True),
        Column("Cached", rank=4, right=True),
        Column("Completion", rank=3, right=True),
        Column("Thinking", rank=5, right=True),
        Column("Cost", right=True),
    )
    print_table(
        columns,
        [
            [
                row.of,
                *(f"{n:,}" for n in (row.requests, row.prompt, row.cached, row.completion)),
                f"{row.reasoning:,}",
                _cost(row, row.currency),
            ]
            for row in found
        ],
    )


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
