"""The result of a run, and its line in the log."""

from dataclasses import dataclass

from amx_kimi.errors import KimiError
from amx_kimi.journal import Totals
from amx_kimi.log import get_logger

__all__ = ["Result", "log_end"]


@dataclass(frozen=True)
class Result:
    """How a run ended. `status` is as in the journal (complete, stopped, interrupted); `stopped` is
    the error that ended it early, if any."""

    run: str
    status: str
    totals: Totals
    currency: str | None
    seconds: float
    stopped: KimiError | None
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    resumed: bool = False
    why_failed: str | None = None


def log_end(result: Result) -> None:
    """Write a line with the run's figures to the log."""
    totals = result.totals
    get_logger().info(
        "run.ended",
        run=result.run,
        status=result.status,
        error=type(result.stopped).__name__ if result.stopped else None,
        columns=totals.columns,
        described=totals.described,
        failed=totals.failed,
        requests=totals.requests,
        retries=totals.retries,
        cost=str(totals.cost) if totals.cost is not None else None,
        currency=result.currency,
        seconds=round(result.seconds, 3),
    )
