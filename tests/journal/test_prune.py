"""Deleting runs: nobody else loses anything by it, and what has to stay stays."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from amx_kimi.errors import JournalError
from amx_kimi.journal import Journal, answers, decisions, items, owner, prune, runs, schema, writes
from amx_kimi.journal.decisions import Decided
from amx_kimi.journal.writes import Written
from tests.journal.helpers import add, all_of, attempt, begin, columns, request, save, states

TABLES = ("runs", "columns", "suggestions", "decisions", "requests", "writes")


def counts(journal: Journal) -> dict[str, int]:
    def count(connection: Connection, table: Any) -> int:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())

    return {name: journal.read(count, getattr(schema, name)) for name in TABLES}


def finished(journal: Journal, names: int = 3, text: str = "A text") -> str:
    """A run over so many columns, each described or reused."""
    run = begin(journal)
    add(journal, run, *columns(names))
    journal.write_now(runs.note_inventory, run)
    journal.write_now(answers.reuse, run)
    save(journal, *journal.read(items.pending, run, 0, 99), text=text)
    journal.write_now(runs.settle_request, request(journal, run), attempt(Decimal("0.25")))
    journal.write_now(runs.set_status, run, "complete")
    return run


def delete(journal: Journal, *ids: str) -> None:
    journal.write_now(prune.delete_runs, ids)


def test_a_deleted_run_leaves_nothing(journal: Journal) -> None:
    before = counts(journal)
    run = finished(journal)
    (id_, *_) = (one.id for one in all_of(journal, run).values())
    journal.write_now(decisions.decide, [Decided(id_, "accept", "A text c1")], "ann")
    found = journal.read(prune.loss, [run])
    assert (found.described, found.only, found.decisions, found.requests) == (3, 3, 1, 1)
    assert found.cost == {"USD": Decimal("0.25")}
    delete(journal, run)
    journal.compact()
    assert counts(journal) == before


@pytest.mark.parametrize("gone", [[0], [1], [0, 1], [0, 2], [1, 2]])
def test_what_others_reused_stays_known(journal: Journal, gone: Sequence[int]) -> None:
    ids = [finished(journal), finished(journal), finished(journal)]
    assert set(states(journal, ids[2]).values()) == {"reused"}
    lost = [ids[place] for place in gone]
    assert journal.read(prune.loss, lost).only == 0
    delete(journal, *lost)
    again = finished(journal, text="Asked again")
    assert set(states(journal, again).values()) == {"reused"}
    texts = [one.text for one in all_of(journal, again).values()]
    assert texts == ["A text c1", "A text c2", "A text c3"]


def test_what_nobody_else_has_is_counted_and_gone(journal: Journal) -> None:
    small, large = finished(journal, 1), finished(journal, 3)
    assert journal.read(prune.loss, [large]).only == 2
    assert journal.read(prune.loss, [small]).only == 0
    assert journal.read(prune.loss, [small, large]).only == 3
    delete(journal, large)
    again = finished(journal, 3, "Asked again")
    assert list(states(journal, again).values()) == ["reused", "described", "described"]


def test_the_last_decision_stays_with_what_was_reused(journal: Journal) -> None:
    first, second = finished(journal, 1), finished(journal, 1)
    ((one,), (two,)) = (list(all_of(journal, run).values()) for run in (first, second))
    journal.write_now(decisions.decide, [Decided(one.id, "edit", "Ann's")], "ann")
    assert two.decision is None
    assert journal.read(prune.loss, [first]).decisions == 0
    delete(journal, first)
    third = finished(journal, 1)
    for run in (second, third):
        (found,) = all_of(journal, run).values()
        assert found.decision is not None
        assert (found.text, found.decision.by) == ("Ann's", "ann")


def test_an_older_decision_takes_no_newer_ones_place(journal: Journal) -> None:
    first = finished(journal, 1)
    (one,) = all_of(journal, first).values()
    journal.write_now(decisions.decide, [Decided(one.id, "accept", "A text c1")], "ann")
    second = finished(journal, 1)
    (two,) = all_of(journal, second).values()
    decide = Decided(two.id, "reject")
    if "over" in Decided.__dataclass_fields__:
        decide = Decided(two.id, "reject", over=two.decision)  # type: ignore[call-arg]
    journal.write_now(decisions.decide, [decide], "bob")
    delete(journal, first)
    (found,) = all_of(journal, second).values()
    assert found.decision is not None
    assert (found.decision.action, found.decision.by) == ("reject", "bob")


def test_what_has_to_stay(journal: Journal) -> None:
    run, other = finished(journal), finished(journal)
    (one, *_) = all_of(journal, run).values()
    (id_,) = journal.write_now(writes.begin_writes, "x", [Written(one.id, None, "A text c1")])
    assert "apply" in journal.read(prune.has_to_stay, journal.read(runs.find_run, run))
    before = counts(journal)
    with pytest.raises(JournalError, match=rf"{run} wrote comments .*\n?Nothing was deleted"):
        delete(journal, other, run)
    with pytest.raises(JournalError, match=r"1 of 2 runs"):
        delete(journal, other, "gone")
    assert counts(journal) == before
    journal.write_now(writes.end_undo, [id_])
    delete(journal, run)
    assert counts(journal)["writes"] == 0
    going, pid = begin(journal), os.getppid()
    theirs = f"{socket.gethostname()}:{pid}:{owner._began(pid)}"
    of_going = update(schema.runs).where(schema.runs.c.id == going).values(owner=theirs)
    journal.write_now(lambda connection: connection.execute(of_going))
    assert journal.read(prune.has_to_stay, journal.read(runs.find_run, going)) == "is still running"


def test_the_oldest(journal: Journal) -> None:
    first, second = finished(journal), finished(journal)
    when = journal.read(runs.find_run, second).started_at
    assert [run.id for run in journal.read(prune.started_before, when)] == [first]
