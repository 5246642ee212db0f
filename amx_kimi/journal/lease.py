"""Who is at work on a run: a claim with a number that grows (a fencing token) and a lease that its
worker renews. Times are the database's own, where it is a server: hosts disagree about theirs.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select, text, update

from amx_kimi.errors import JournalError
from amx_kimi.journal.schema import runs

__all__ = [
    "FIRST_FENCE",
    "LEASE_SECONDS",
    "Claim",
    "check_claim",
    "lease_end",
    "now",
    "present",
    "renew",
]
__all__ += ["taken_over"]

LEASE_SECONDS = 60
"""How long a worker that is not heard of still counts as being at work."""
FIRST_FENCE = 1
"""The number of the claim with which a run is begun."""


@dataclass(frozen=True)
class Claim:
    """A worker's claim on a run, with its number."""

    run: str
    fence: int = FIRST_FENCE


def now() -> str:
    """The present time as the journal keeps it."""
    return _written(datetime.now(UTC))


def present(connection: Connection) -> str:
    """The same, as the journal's server has it."""
    if connection.dialect.name != "postgresql":
        return now()
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return _written(moment.astimezone(UTC))


def lease_end(connection: Connection) -> str:
    """When a lease ends that begins now."""
    begun = datetime.fromisoformat(present(connection))
    return _written(begun + timedelta(seconds=LEASE_SECONDS))


def renew(connection: Connection, claim: Claim) -> None:
    """Let the lease of a claim last from now on.

    Raises:
        JournalError: another worker has taken the run over.
    """
    is_mine = (runs.c.id == claim.run, runs.c.fence == claim.fence)
    end = lease_end(connection)
    renewed = update(runs).where(*is_mine).values(lease_until=end)
    if not connection.execute(renewed).rowcount:
        raise taken_over(claim.run)


def check_claim(connection: Connection, claim: Claim) -> None:
    """Refuse what a worker does after its run was taken over.

    Raises:
        JournalError: it was, or the run was deleted.
    """
    # Locked where there are rows to lock: nobody takes it over before this transaction has ended.
    query = select(runs.c.fence).where(runs.c.id == claim.run).with_for_update()
    if connection.execute(query).scalar() != claim.fence:
        raise taken_over(claim.run)


def taken_over(run: str) -> JournalError:
    """What a worker hears whose run another one goes on with."""
    return JournalError(
        f"Another process has taken over run {run}, because this one did not report in time",
        remedy="It continues there; `amx-kimi runs` shows it.",
    )


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
