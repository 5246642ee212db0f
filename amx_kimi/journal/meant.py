"""Which run a person means: by its id, or by `last`.

A run that asked again what was low in another (`--escalate`) belongs to that one: its answers are
there, and so are the decisions about them. A run in which nothing was described says nothing new.
"""

import json

from sqlalchemy import Connection, exists, select

from amx_kimi.journal.runs import Run, find_run, list_runs
from amx_kimi.journal.schema import columns, runs, suggestions, writes

__all__ = ["belongs_to", "run_itself", "run_with_results", "run_with_writes"]


def belongs_to(run: Run) -> str:
    """The id of the run that this one asked again for, or ""."""
    try:
        options = json.loads(run.options)
    except ValueError:
        return ""
    return str(options.get("again_of") or "") if isinstance(options, dict) else ""


def run_with_results(connection: Connection, name: str) -> Run:
    """The run whose results a person means; `last` is the newest in which something is described.

    Raises:
        JournalError: there is none, or several begin so.
    """
    if name != "last":
        return _base(connection, find_run(connection, name))
    for run in list_runs(connection):
        if _base(connection, run) == run and _has_results(connection, run.id):
            return run
    return _base(connection, find_run(connection, name))


def run_itself(connection: Connection, name: str) -> Run:
    """The run of this name, even if it asked again for another one.

    Raises:
        JournalError: there is none, or several begin so.
    """
    return run_with_results(connection, name) if name == "last" else find_run(connection, name)


def run_with_writes(connection: Connection, name: str) -> Run:
    """The run whose comments are to be undone; `last` is the newest of which some stand.

    Raises:
        JournalError: there is none, or several begin so.
    """
    if name == "last":
        for run in list_runs(connection):
            if _has_writes(connection, run.id):
                return run
    return run_with_results(connection, name)


def _base(connection: Connection, run: Run) -> Run:
    base = select(runs).where(runs.c.id == belongs_to(run))
    row = connection.execute(base).mappings().first()  # none, if it was deleted
    return Run(**row, seen_at=run.seen_at) if row else run


def _has_results(connection: Connection, run: str) -> bool:
    mine = columns.join(suggestions, suggestions.c.column_id == columns.c.id)
    found = select(columns.c.id).select_from(mine).where(columns.c.run_id == run)
    return bool(connection.execute(select(exists(found))).scalar())


def _has_writes(connection: Connection, run: str) -> bool:
    mine = columns.join(writes, writes.c.column_id == columns.c.id)
    standing = (columns.c.run_id == run, writes.c.undone_at.is_(None))
    found = select(columns.c.id).select_from(mine).where(*standing)
    return bool(connection.execute(select(exists(found))).scalar())
