"""Taking a run over, to resume it."""

from datetime import datetime

from sqlalchemy import Connection, update

from amx_kimi.errors import JournalError
from amx_kimi.journal.lease import Claim, lease_end
from amx_kimi.journal.owner import is_at_work, is_here, me
from amx_kimi.journal.runs import AT_WORK, Run, find_run
from amx_kimi.journal.schema import runs

__all__ = ["claim_run"]


def claim_run(connection: Connection, run: str) -> Claim:
    """Take a run over; returns the claim, for `Journal.claim`.

    Raises:
        JournalError: another process is still at work on it.
    """
    row = find_run(connection, run)
    _check_idle(row)
    taken = connection.execute(
        update(runs)
        .where(runs.c.id == run, runs.c.fence == row.fence, runs.c.status == row.status)
        .values(
            owner=me(),
            fence=row.fence + 1,
            lease_until=lease_end(connection),
            status="running" if row.inventoried else "inventory",
            error=None,
            finished_at=None,
        )
    )
    if not taken.rowcount:
        raise JournalError(f"Another process has just taken over run {row.id}")
    return Claim(run, row.fence + 1)


def _check_idle(run: Run) -> None:
    if run.status not in AT_WORK:
        return
    host, pid, *_ = run.owner.split(":")
    if is_here(run.owner):
        if is_at_work(run.owner):
            raise JournalError(
                f"Run {run.id} is still running, in process {pid}",
                remedy="Wait for it, or stop it first.",
            )
    elif run.lease_until is not None and run.is_leased:
        left = datetime.fromisoformat(run.lease_until) - datetime.fromisoformat(run.seen_at)
        raise JournalError(
            f"Run {run.id} is still running, in process {pid} on {host.partition('/')[0]}",
            remedy="Wait for it, or stop it there first. If that host is gone, the run can be "
            f"resumed in {left.total_seconds():.0f} seconds.",
        )
