"""One thread that writes: jobs from a bounded queue; those that wait together commit together."""

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine

from amx_kimi.errors import JournalError

__all__ = ["Writer"]

Job = tuple[Callable[[Connection], Any], "Future[Any]"]

_MOST_WAITING = 1_000
_MOST_TOGETHER = 100


class Writer:
    """Runs functions on a connection, in order, in one thread; a future resolves once its function
    is committed. A function that fails takes nobody else's work with it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._closed = False
        self._process = os.getpid()
        self._jobs: queue.Queue[Job | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="kimi-journal", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether `submit` would block."""
        return self._jobs.full()

    def submit(self, function: Callable[[Connection], Any]) -> "Future[Any]":
        """Queue `function`; blocks while the queue is full.

        Raises:
            JournalError: the journal is closed, or it was opened by the parent of this process.
        """
        self.check_open()
        future: Future[Any] = Future()
        self._jobs.put((function, future))
        return future

    def check_open(self) -> None:
        """Refuse what comes after `close` or a fork.

        Raises:
            JournalError: the journal is closed, or it was opened by the parent of this process.
        """
        if self._process != os.getpid():  # a fork has none of its parent's threads
            raise JournalError(
                "The journal was opened in another process",
                remedy="Open it again in this one: Journal(...).",
            )
        if self._closed:
            raise JournalError(
                "The journal is closed",
                remedy="Use it before close(), or inside of its `with` block; or open it again.",
            )

    def close(self) -> None:
        """Finish what is queued, then stop."""
        if not self._closed and self._process == os.getpid():
            self._closed = True
            self._jobs.put(None)
            self._thread.join()

    def _work(self) -> None:
        while True:
            batch = [self._jobs.get()]
            while len(batch) < _MOST_TOGETHER and batch[-1] is not None and not self._jobs.empty():
                batch.append(self._jobs.get_nowait())
            jobs = [job for job in batch if job is not None]
            if jobs and not self._together(jobs):
                for job in jobs:
                    self._alone(job)
            if batch[-1] is None:
                return

    def _together(self, jobs: list[Job]) -> bool:
        try:
            with self._engine.begin() as connection:
                results = [function(connection) for function, _ in jobs]
        except Exception:
            return False  # rolled back: each again by itself finds out which one it was
        for (_, future), result in zip(jobs, results, strict=True):
            _resolve(future, result)
        return True

    def _alone(self, job: Job) -> None:
        function, future = job
        try:
            with self._engine.begin() as connection:
                result = function(connection)
        except Exception as error:
            with suppress(InvalidStateError):
                future.set_exception(error)
        else:
            _resolve(future, result)


def _resolve(future: "Future[Any]", result: Any) -> None:
    with suppress(InvalidStateError):  # its asker is gone; the row is kept all the same
        future.set_result(result)
