"""The inventory: what is asked, in which order, what is kept, what is used again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amx_kimi.errors import JournalError
from amx_kimi.journal import Journal, answers, items, results
from amx_kimi.types import CONFIDENCES, Item, Suggestion

from .helpers import add, all_of, begin, column, columns, save, states


def test_an_item_comes_back_as_it_went_in(journal: Journal) -> None:
    view = Item("public", "v", "", "view", 0, rows=None, comment="c", definition="SELECT 1")
    table = Item("", "t", "", "table", 0, rows=2**40)
    full = Item(
        *("public", "v", "id", "column", 7, "INTEGER", False),
        key_role="pk,fk",
        fk="public.o.id",
        comment="An id",
    )
    run = begin(journal)
    stored = add(journal, run, view, table, full)
    assert [one.item for one in stored] == [view, table, full]
    assert [one.reuse_key for one in stored] == ["key-public.v", "key-t", "key-public.v.id"]
    assert journal.read(items.table_of, run, view) == view
    other = Item("public", "w", "c", "column", 1)
    assert journal.read(items.table_of, run, other) == Item("public", "w", "", "table", 0)


ODD = [
    "q\"uo'te`s",
    "a.b.c",
    "new\nline\ttab",
    "emoji 😀 表 é",
    "  spaces  ",
    "%_\\",
    ":bind",
    "x" * 5000,
    "; DROP TABLE runs; --",
]


def test_odd_names_survive(journal: Journal) -> None:
    run = begin(journal)
    found = [Item(name, name, name, "column", 1, type=name, comment=name) for name in ODD]
    stored = add(journal, run, *found)
    assert [one.item for one in stored] == found
    suggestions = [
        (one, Suggestion((one.item.column, "second"), "low", "logprobs", 0.25)) for one in stored
    ]
    facts = {one.id: {"samples": [one.item.column], "é": None} for one in stored}
    journal.write_now(answers.save_suggestions, "m", suggestions, facts)
    described = list(journal.stream(results.described, run))
    assert [one.item for one in described] == found
    for one, name in zip(described, ODD, strict=True):
        assert one.suggestion == Suggestion((name, "second"), "low", "logprobs", 0.25)
        assert one.facts == {"samples": [name], "é": None}
        assert journal.read(items.column_names, run, name, name, 9) == [name]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.builds(
            Item,
            schema=TEXT,
            table=TEXT,
            column=TEXT,
            kind=st.sampled_from(["table", "view", "column"]),
            position=st.integers(0, 2**31 - 1),
            type=TEXT,
            nullable=st.booleans(),
            comment=TEXT,
            rows=st.none() | st.integers(0, 2**62),
        ),
        unique_by=lambda item: (item.schema, item.table, item.column),
        min_size=1,
        max_size=5,
    ),
    st.lists(TEXT, min_size=1, max_size=3),
    st.sampled_from(CONFIDENCES),
)
def test_any_text_survives(
    journal: Journal, found: list[Item], wordings: list[str], confidence: str
) -> None:
    run = begin(journal)
    stored = add(journal, run, *found)
    assert [one.item for one in stored] == found
    suggestion = Suggestion(tuple(wordings), confidence)  # type: ignore[arg-type]
    journal.write_now(answers.save_suggestions, "m", [(one, suggestion) for one in stored], {})
    assert [one.suggestion for one in journal.stream(results.described, run)] == [
        suggestion for _ in found
    ]


def test_a_column_is_journalled_once(journal: Journal) -> None:
    run = begin(journal)
    add(journal, run, *columns(2))
    with pytest.raises(JournalError):
        add(journal, run, column("c9", 9), column("c2", 2))
    assert list(states(journal, run)) == ["public.orders.c1", "public.orders.c2"]


def test_pending_goes_page_by_page_in_packing_order(journal: Journal) -> None:
    run = begin(journal)
    add(journal, run, *columns(7), *columns(3, "people"))
    add(journal, run, column("commented", 99), status="commented")
    pages: list[list[str]] = []
    after = 0
    while page := journal.read(items.pending, run, after, 4):
        pages.append([f"{one.item.table}.{one.item.column}" for one in page])
        after = page[-1].id
    assert [len(page) for page in pages] == [4, 4, 2]
    names = [name for page in pages for name in page]
    assert names == [f"orders.c{n}" for n in range(1, 8)] + [f"people.c{n}" for n in (1, 2, 3)]


def test_columns_of_a_table_come_by_position(journal: Journal) -> None:
    run = begin(journal)
    add(journal, run, column("last", 3), column("first", 1), column("middle", 2))
    add(journal, run, column("other", 1, "people"), Item("public", "orders", "", "table", 0))
    names = journal.read(items.column_names, run, "public", "orders", 10)
    assert names == ["first", "middle", "last"]
    assert journal.read(items.column_names, run, "public", "orders", 2) == names[:2]


def test_answers_are_saved_once(journal: Journal) -> None:
    run = begin(journal)
    stored = add(journal, run, *columns(3))
    save(journal, *stored[:2], text="First", seen=1)
    save(journal, *stored, text="Second", seen=2)
    save(journal, *stored, text="Third")
    found = all_of(journal, run)
    texts = [one.suggestion.alternatives[0] for one in found.values() if one.suggestion]
    assert texts == ["First c1", "First c2", "Second c3"]
    assert [one.facts for one in found.values()] == [{"seen": 1}, {"seen": 1}, {"seen": 2}]
    assert {one.model for one in found.values()} == {"kimi-k3"}
    assert journal.read(items.count_pending, run) == 0
    journal.write_now(answers.save_suggestions, "m", [], {})


def test_one_reply_that_answers_twice_does_not_lose_the_others(journal: Journal) -> None:
    run = begin(journal)
    one, two = add(journal, run, *columns(2))
    found = [
        (item, Suggestion((text,), "low")) for item, text in ((one, "a"), (one, "b"), (two, "c"))
    ]
    journal.write_now(answers.save_suggestions, "m", found, {})
    kept = [d.suggestion.alternatives for d in all_of(journal, run).values() if d.suggestion]
    assert kept == [("a",), ("c",)]


def test_failing_and_reopening(journal: Journal) -> None:
    run = begin(journal)
    stored = add(journal, run, *columns(4))
    save(journal, stored[0])
    journal.write_now(items.fail_items, [one.id for one in stored[:3]], "no answer")
    assert list(states(journal, run).values()) == ["described", "failed", "failed", "pending"]
    assert all_of(journal, run)["public.orders.c2"].error == "no answer"
    save(journal, stored[1])  # an answer that comes late is taken
    described = all_of(journal, run)["public.orders.c2"]
    assert (described.status, described.error) == ("described", None)
    journal.write_now(items.reopen_failed, run)
    assert list(states(journal, run).values()) == ["described", "described", "pending", "pending"]
    assert all_of(journal, run)["public.orders.c3"].error is None
    journal.write_now(items.fail_items, [], "nobody")


def test_only_so_many_columns_are_asked(journal: Journal) -> None:
    run = begin(journal)
    tables = [Item("public", name, "", "table", 0) for name in ("a", "b", "c")]
    found = [tables[0], *columns(2, "a"), tables[1], *columns(2, "b"), tables[2], *columns(1, "c")]
    add(journal, run, *found)
    journal.write_now(items.defer_beyond, run, 3)
    assert journal.read(items.count_pending, run) == 3
    kept = [one.item.name for one in journal.read(items.pending, run, 0, 99)]
    assert kept == ["public.a", "public.a.c1", "public.a.c2", "public.b", "public.b.c1"]
    journal.write_now(items.defer_beyond, run, 99)
    assert journal.read(items.count_pending, run) == 3


def test_a_second_run_takes_what_the_first_paid_for(journal: Journal) -> None:
    first = begin(journal)
    save(journal, *add(journal, first, *columns(3)))
    second = begin(journal)
    add(journal, second, *columns(3), column("new", 4))
    journal.write_now(answers.reuse, second)
    assert list(states(journal, second).values()) == ["reused"] * 3 + ["pending"]
    found = all_of(journal, second)
    assert [one.suggestion for one in found.values()][:3] == [
        one.suggestion for one in all_of(journal, first).values()
    ]
    assert found["public.orders.c1"].model == "kimi-k3"
    journal.write_now(answers.reuse, second)
    assert list(states(journal, second).values()) == ["reused"] * 3 + ["pending"]


def test_the_newest_answer_is_taken_and_copies_are_no_source(journal: Journal) -> None:
    runs_ = [begin(journal) for _ in range(4)]
    save(journal, *add(journal, runs_[0], column("c1")), text="Old")
    add(journal, runs_[1], column("c1"))
    journal.write_now(answers.reuse, runs_[1])
    late = add(journal, runs_[2], column("c1"))
    save(journal, *late, text="New")
    add(journal, runs_[3], column("c1"))
    journal.write_now(answers.reuse, runs_[3])
    texts = [
        one.suggestion.alternatives[0]
        for run in runs_
        for one in all_of(journal, run).values()
        if one.suggestion
    ]
    assert texts == ["Old c1", "Old c1", "New c1", "New c1"]
    from sqlalchemy import select

    from amx_kimi.journal.schema import suggestions

    query = select(suggestions.c.id, suggestions.c.reused_from).order_by(suggestions.c.id)
    rows = journal.read(lambda c: c.execute(query).all())
    originals = {row.id for row in rows if row.reused_from is None}
    assert len(originals) == 2
    assert {row.reused_from for row in rows if row.reused_from} <= originals


def test_only_pending_items_with_the_very_key_are_reused(journal: Journal) -> None:
    first = begin(journal)
    save(journal, *add(journal, first, *columns(3)))
    second = begin(journal)
    add(journal, second, column("c1"), salt="another-model-")
    add(journal, second, column("c2", 2), status="commented")
    add(journal, second, column("c3", 3))
    journal.write_now(answers.reuse, second)
    assert list(states(journal, second).values()) == ["pending", "commented", "reused"]


def test_two_columns_of_one_key_both_get_the_answer(journal: Journal) -> None:
    first = begin(journal)
    save(journal, *add(journal, first, column("c1")))
    second = begin(journal)
    twin = [(replace(column("c1"), table=name), "key-public.orders.c1", "pending") for name in "ab"]
    journal.write_now(items.add_items, second, twin)
    journal.write_now(answers.reuse, second)
    assert list(states(journal, second).values()) == ["reused", "reused"]


def test_items_without_an_answer_have_none(journal: Journal) -> None:
    run = begin(journal)
    add(journal, run, column("c1"))
    [one] = journal.stream(results.described, run)
    assert (one.suggestion, one.model, one.error, one.facts) == (None, None, None, {})
