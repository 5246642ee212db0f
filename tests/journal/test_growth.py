"""What SQLite does for a run grows with its items, not with their square: by its own steps."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from amx_kimi.journal import Journal, answers, differences, items, prune, runs
from amx_kimi.publish.review import accept_all
from amx_kimi.types import Item, Suggestion
from tests.publish.helpers import journal_with

_AT_ONCE = 100
_FEW, _MANY = 300, 1_500
OPTIONS = '{"language": "en", "selection": {"schemas": [], "tables": []}}'


class Steps:
    """How many hundreds of steps SQLite's machine has made."""

    def __init__(self) -> None:
        self.count = 0

    def one(self) -> int:
        self.count += 1
        return 0


@contextmanager
def counted_steps() -> Iterator[Steps]:
    """Counts in every connection that is opened meanwhile."""
    steps = Steps()

    def begin(connection: Any, _: Any) -> None:
        connection.set_progress_handler(steps.one, _AT_ONCE)

    event.listen(Engine, "connect", begin)
    yield steps
    event.remove(Engine, "connect", begin)


def items_of(count: int) -> list[Item]:
    return [
        Item(
            "s", f"t{number // 50}", f"c{number % 50}" if number % 50 else "", "column", number % 50
        )
        for number in range(count)
    ]


def described(path: Path, count: int, signal: Any = "declared") -> None:
    """Two runs that described so many items, all of which were accepted."""
    said = Suggestion(("A text.",), "high", signal)
    for _ in range(2):
        with journal_with(path, [(item, said) for item in items_of(count)]) as journal:
            accept_all(journal, journal.read(runs.find_run, "last"), "low", "ann")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, str], Path]:
    """A described journal of so many items; each is made once, and is to be copied."""

    @cache
    def make(count: int, signal: str) -> Path:
        path = tmp_path_factory.mktemp("growth") / "kimi.db"
        described(path, count, signal)
        return path

    return make


def begun(journal: Journal, count: int, keys: str = "key") -> str:
    """Another run over the same items, with nothing answered yet."""
    fields = {
        **{"source": "sqlite:///x", "database": "sqlite:/x", "profile": "p", "options": OPTIONS},
        **{"model": "kimi-k3", "endpoint": "http://e/v1", "currency": "USD"},
    }
    run = journal.write_now(lambda connection: runs.begin_run(connection, **fields))
    rows = [(item, f"{keys} {at}", "pending") for at, item in enumerate(items_of(count))]
    journal.write_now(items.add_items, run, rows)
    journal.write_now(runs.note_inventory, run)
    return run


def accept(journal: Journal, count: int) -> None:
    accept_all(journal, journal.read(runs.find_run, begun_and_reused(journal, count)), "low", "ann")


def begun_and_reused(journal: Journal, count: int) -> str:
    run = begun(journal, count)
    journal.write_now(answers.reuse, run)
    return run


def keep_changed(journal: Journal, count: int) -> None:
    assert not journal.write_now(differences.keep_changed, begun(journal, count))


def keep_known(journal: Journal, count: int) -> None:
    run = begun(journal, count, keys="other")
    journal.write_now(answers.reuse_known, run, "en")


def delete(journal: Journal, count: int) -> None:
    run = begun_and_reused(journal, count)
    journal.write_now(runs.set_status, run, "complete")
    first = next(iter(journal.stream(runs.list_runs)))
    journal.write_now(prune.delete_runs, [first.id])


@pytest.mark.parametrize("signal", ["declared", "imported"])
@pytest.mark.parametrize("do", [accept, begun_and_reused, keep_changed, keep_known, delete])
def test_five_times_the_items_are_no_twenty_five_times_the_work(
    do: Callable[[Journal, int], object],
    signal: str,
    tmp_path: Path,
    made: Callable[[int, str], Path],
) -> None:
    taken = []
    for count in (_FEW, _MANY):
        path = tmp_path / f"{count}.db"
        shutil.copy(made(count, signal), path)
        with counted_steps() as steps, Journal(path) as journal:
            do(journal, count)
        taken.append(steps.count)
    few, many = taken
    assert many < 8 * few
