"""Decisions: kept only over what was seen, in SQLite and PostgreSQL."""

from __future__ import annotations

import threading
from pathlib import Path

from amx_kimi.journal import Journal, decisions
from amx_kimi.journal.decisions import Decided, Decision
from tests.journal.helpers import add, all_of, begin, column, save


def test_a_decision_replaces_only_what_was_seen(journal: Journal) -> None:
    run = begin(journal)
    (stored,) = add(journal, run, column("a"))
    save(journal, stored)
    first = journal.write_now(decisions.decide, [Decided(stored.id, "accept", "A.")], "ann")
    seen = first[stored.id]
    assert seen == Decision("accept", "A.", "ann", seen.at if seen else "")
    late = journal.write_now(decisions.decide, [Decided(stored.id, "edit", "B.")], "bob")
    assert late == {}
    edited = Decided(stored.id, "edit", "C.", over=seen)
    assert list(journal.write_now(decisions.decide, [edited], "bob")) == [stored.id]
    now = all_of(journal, run)["public.orders.a"].decision
    assert (now and now.text, now and now.by) == ("C.", "bob")
    opened = Decided(stored.id, "open", over=now)
    assert journal.write_now(decisions.decide, [opened], "bob") == {stored.id: None}
    again = journal.write_now(decisions.decide, [Decided(stored.id, "reject")], "ann")
    assert list(again) == [stored.id]


def test_of_two_at_once_one_is_kept(store: str | Path) -> None:
    with Journal(store) as one, Journal(store) as other:
        run = begin(one)
        stored = add(one, run, *(column(f"c{n}", n) for n in range(1, 41)))
        save(one, *stored)
        start = threading.Barrier(2)
        kept: dict[str, set[int]] = {}

        def work(journal: Journal, by: str) -> None:
            start.wait()
            kept[by] = {
                id_
                for row in stored
                for id_ in journal.write_now(
                    decisions.decide, [Decided(row.id, "edit", f"{by}'s")], by
                )
            }

        threads = [
            threading.Thread(target=work, args=pair) for pair in ((one, "ann"), (other, "bob"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert kept["ann"].isdisjoint(kept["bob"])
        assert kept["ann"] | kept["bob"] == {row.id for row in stored}
        for row in all_of(one, run).values():
            assert row.decision
            assert row.id in kept[row.decision.by]
