"""The one writing thread: in order, together, and nobody takes anybody along."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, text

from amx_kimi.errors import JournalError
from amx_kimi.journal import Journal, writer
from amx_kimi.journal.writer import Writer

from .helpers import begin


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path}/w.db")
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER UNIQUE)"))
    yield made
    made.dispose()


def put(number: int) -> Callable[[Connection], int]:
    def job(connection: Connection) -> int:
        connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
        return number

    return job


def rows(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT n FROM t ORDER BY rowid")).scalars())


class Gate:
    """Holds the writer until it is opened, so that jobs wait together."""

    def __init__(self, writer: Writer) -> None:
        self.entered, self.open = threading.Event(), threading.Event()
        self.future = writer.submit(self._wait)
        assert self.entered.wait(10)

    def _wait(self, _: Connection) -> None:
        self.entered.set()
        assert self.open.wait(10)


def test_jobs_that_wait_together_commit_together_in_order(engine: Engine) -> None:
    commits: list[int] = []
    event.listen(engine, "commit", lambda _: commits.append(1))
    writer = Writer(engine)
    gate = Gate(writer)
    futures = [writer.submit(put(number)) for number in range(90)]
    gate.open.set()
    assert [future.result(10) for future in futures] == list(range(90))
    writer.close()
    assert rows(engine) == list(range(90))
    assert len(commits) == 2


def test_a_job_that_fails_takes_nobody_along(engine: Engine) -> None:
    writer = Writer(engine)
    gate = Gate(writer)
    numbers = [1, 2, 1, 3, 2, 4]  # the second 1 and 2 are refused
    futures = [writer.submit(put(number)) for number in numbers]
    gate.open.set()
    ended = [future.exception(10) for future in futures]
    assert [error is None for error in ended] == [True, True, False, True, False, True]
    writer.close()
    assert rows(engine) == [1, 2, 3, 4]


def test_close_finishes_the_queue(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_MOST_TOGETHER", 7)
    one = Writer(engine)
    gate = Gate(one)
    futures = [one.submit(put(number)) for number in range(500)]
    gate.open.set()
    one.close()
    one.close()
    assert all(future.done() for future in futures)
    assert len(rows(engine)) == 500
    with pytest.raises(JournalError, match="closed"):
        one.submit(put(1))


def test_a_full_queue_holds_who_submits(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_MOST_WAITING", 3)
    one = Writer(engine)
    gate = Gate(one)
    for number in range(3):
        one.submit(put(number))
    assert one.full
    submitted = threading.Event()

    def more() -> None:
        one.submit(put(3)).result(10)
        submitted.set()

    thread = threading.Thread(target=more)
    thread.start()
    assert not submitted.wait(0.05)
    gate.open.set()
    thread.join(10)
    assert submitted.is_set()
    one.close()
    assert rows(engine) == [0, 1, 2, 3]


@pytest.mark.parametrize("fails", [False, True])
def test_an_asker_that_is_gone_stops_nothing(engine: Engine, fails: bool) -> None:
    def refuse(_: Connection) -> None:
        raise ZeroDivisionError

    writer = Writer(engine)
    gate = Gate(writer)
    gone = writer.submit(refuse if fails else put(1))
    after = writer.submit(put(2))
    assert gone.cancel()
    gate.open.set()
    assert after.result(10) == 2
    writer.close()
    assert rows(engine) == ([2] if fails else [1, 2])


def test_many_who_go_at_any_moment_stop_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        with Journal(tmp_path / "kimi.db") as journal:
            for turns in range(200):
                task = asyncio.create_task(journal.write(lambda _: None))
                for _ in range(turns % 7):
                    await asyncio.sleep(0)
                task.cancel()
            assert await asyncio.to_thread(begin, journal)
            assert journal._writer._thread.is_alive()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_future_that_was_cancelled_at_the_last_moment_is_let_be() -> None:
    future: Future[Any] = Future()
    future.cancel()
    writer._resolve(future, 1)
    assert future.cancelled()


def test_a_commit_that_fails_fails_its_jobs(engine: Engine) -> None:
    writer = Writer(engine)

    def fail(_: Connection) -> None:
        raise OSError("disk full")

    event.listen(engine, "commit", fail)
    with pytest.raises(OSError, match="disk full"):
        writer.submit(put(1)).result(10)
    event.remove(engine, "commit", fail)
    assert writer.submit(put(2)).result(10) == 2
    writer.close()
    assert rows(engine) == [2]
