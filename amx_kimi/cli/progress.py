"""A run's progress on stderr: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from amx_kimi.annotate.asking import Progress
from amx_kimi.annotate.run import Watch
from amx_kimi.cli.common import console, warn
from amx_kimi.text import counted

__all__ = ["watch"]

_PLAIN_SECONDS = 5.0
_LONG = 3.0  # seconds; a shorter wait is not shown
_MANY_REFUSALS = 5


@contextmanager
def watch(currency: str | None) -> Iterator[Watch]:
    """Yields the callbacks that show a run's progress."""

    if sys.stderr.isatty():
        with _bar(currency) as bar:
            yield bar
    else:
        yield Watch(_say, _plain(currency))


@contextmanager
def _bar(currency: str | None) -> Iterator[Watch]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
    )
    task = bar.add_task("Columns", total=None, spent="")

    def notify(progress: Progress) -> None:
        bar.update(
            task,
            total=progress.columns,
            completed=progress.done + progress.failed,
            spent=_spent(progress, currency),
        )

    def begin(run: str) -> None:  # only now: the user may have been asked a question before
        bar.start()
        bar.console.print(f"Run {run}")

    try:
        yield Watch(begin, notify)
    finally:
        bar.stop()


def _say(run: str) -> None:
    warn(f"Run {run}")


def _plain(currency: str | None) -> Callable[[Progress], None]:
    shown, held = [0.0], [0.0]

    def notify(progress: Progress) -> None:
        done = progress.done + progress.failed
        if (waiting := _waiting(progress)) and time.monotonic() >= held[0]:
            held[0] = time.monotonic() + max(progress.held, _PLAIN_SECONDS)
            warn(waiting)
        last = done == progress.columns
        if not done:
            return
        if not last and time.monotonic() - shown[0] < _PLAIN_SECONDS:
            return
        shown[0] = time.monotonic()
        columns = counted(progress.columns, "column")
        spent = _spent(progress, currency)
        warn(f"{done:,} of {columns}, {spent}")

    return notify


def _spent(progress: Progress, currency: str | None) -> str:
    cost = ""
    if progress.cost is not None:
        cost = f", {progress.cost:.4f} {currency}"
    waiting = f", {waiting}" if (waiting := _waiting(progress)) else ""
    return f"{counted(progress.requests, 'request')}{cost}{waiting}"


def _waiting(progress: Progress) -> str:
    """Why requests are not sent at the moment; blank after a short wait."""
    if progress.capped:
        return "near the cap: fewer concurrent requests"
    if progress.refusals >= _MANY_REFUSALS:
        return f"refused {progress.refusals:,} times by the account's limits since the last answer"
    if progress.held > _LONG:
        return f"waiting {progress.held:.0f} s for the account's limits"
    return ""
