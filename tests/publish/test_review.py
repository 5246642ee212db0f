"""A review's steps: each is undone at once, and nobody's decision is replaced unseen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amx_kimi.errors import JournalError
from amx_kimi.journal import Journal, Run, answers, decisions, items, results, runs
from amx_kimi.journal.decisions import Decided, Decision
from amx_kimi.publish.review import Filter, Review, accept_all
from amx_kimi.types import Item, Suggestion
from tests.publish.helpers import journal_with

FOUND = [
    (Item("s", "a", "", "table", 0), Suggestion(("Table a.",), "high")),
    (Item("s", "a", "x", "column", 1, "int"), Suggestion(("One.", "Two."), "high")),
    (Item("s", "a", "y", "column", 2, "int"), Suggestion(("One.", "Two."), "low")),
    (Item("s", "b", "", "table", 0), Suggestion(("Table b.",), "medium")),
    (Item("s", "b", "z", "column", 1, "int"), Suggestion(("One.", "Two."), "high")),
]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with journal_with(tmp_path / "j.db", FOUND) as opened:
        yield opened


def the_run(journal: Journal) -> Run:
    return journal.read(runs.find_run, "last")


def stand(journal: Journal, run: Run | None = None) -> dict[str, tuple[str, str | None, str]]:
    """What is decided: action, text and who, by name."""
    rows = journal.stream(results.described, (run or the_run(journal)).id)
    return {
        row.item.name: (row.decision.action, row.decision.text, row.decision.by)
        for row in rows
        if row.decision
    }


def of(journal: Journal, name: str) -> Decided:
    """An open decision about the item of this name, over what holds now."""
    rows = journal.stream(results.described, the_run(journal).id)
    (row,) = [row for row in rows if row.item.name == name]
    return Decided(row.id, "open", over=row.decision)


def edit(journal: Journal, name: str, text: str, by: str) -> None:
    journal.write_now(decisions.decide, [replace(of(journal, name), action="edit", text=text)], by)


def again(journal: Journal, key: str = "other") -> Run:
    """Another run over the same database, with answers of another model."""
    first = the_run(journal)
    fields = {**vars(first), "model": "kimi-k2.6", "options": "{}"}
    known = ("source", "database", "profile", "model", "endpoint", "currency", "options")
    run = journal.write_now(
        lambda connection: runs.begin_run(connection, **{name: fields[name] for name in known})
    )
    rows = [(item, f"{key} {number}", "pending") for number, (item, _) in enumerate(FOUND)]
    journal.write_now(items.add_items, run, rows)
    journal.write_now(answers.reuse, run)
    pending = journal.read(items.pending, run, 0, 1_000)
    said = [(one, Suggestion(("Another.",), "high")) for one in pending]
    journal.write_now(answers.save_suggestions, "kimi-k2.6", said, {})
    journal.write_now(runs.set_status, run, "complete")
    return the_run(journal)


STEPS = st.lists(
    st.sampled_from(["accept", "second", "reject", "edit", "table", "down", "table on", "undo"]),
    max_size=12,
)


@settings(deadline=None, max_examples=25)
@given(STEPS)
def test_each_step_is_undone_at_once(steps: list[str]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        journal_with(Path(folder) / "j", FOUND) as journal,
    ):
        review = Review(journal, the_run(journal), "ann")
        history = [stand(journal)]
        for step in steps:
            if step == "undo":
                undone = review.undo()
                assert bool(undone) == (len(history) > 1)
                history = history[: max(1, len(history) - 1)]
                assert stand(journal) == history[-1]
                continue
            did = {
                "accept": review.accept,
                "second": lambda: review.accept(2),
                "reject": lambda: [review.decide("reject")],
                "edit": lambda: review.edit("Mine."),
                "table": lambda: review.accept_table().count,
                "down": lambda: review.move(1),
                "table on": lambda: review.move_table(1),
            }[step]()
            if did and step not in ("down", "table on"):
                history.append(stand(journal))
        while len(history) > 1:
            history.pop()
            assert review.undo()
            assert stand(journal) == history[-1]
        assert review.last_step() is None
        assert not review.undo()


def test_what_a_filter_hides_is_known_before_it_is_undone(journal: Journal) -> None:
    review = Review(journal, the_run(journal), "ann")
    assert review.accept_table().count == 2
    for shown, hidden in (
        (Filter(), 0),
        (Filter(confidence="low"), 2),
        (Filter(text="table a"), 1),
        (Filter(open_only=True), 0),  # they will be open
        (Filter(table="s.b"), 2),
    ):
        step = review.last_step()
        assert step is not None
        assert step.hidden(shown) == hidden, shown
    review.set_filter(Filter(table="s.b"))
    here = review.row
    assert [row.item.name for row in review.undo()] == ["s.a", "s.a.x"]
    assert stand(journal) == {}
    assert review.row == here


def test_what_somebody_decided_since_is_not_taken_back(journal: Journal) -> None:
    review = Review(journal, the_run(journal), "ann")
    review.accept_table()
    edit(journal, "s.a.x", "Bob's.", "bob")
    assert [row.item.name for row in review.undo()] == ["s.a"]
    assert stand(journal) == {"s.a.x": ("edit", "Bob's.", "bob")}
    # Also another sitting of one's own.
    review.accept()
    edit(journal, "s.a", "Mine.", "ann")
    assert review.undo() == []
    assert stand(journal)["s.a"] == ("edit", "Mine.", "ann")


@pytest.mark.parametrize("key", ["accept", "edit", "reject", "table"])
def test_what_somebody_decided_since_it_was_shown_is_not_replaced(
    journal: Journal, key: str
) -> None:
    review = Review(journal, the_run(journal), "ann")
    edit(journal, "s.a", "Bob's.", "bob")
    if key == "table":
        assert review.accept_table().count == 1
    else:
        with pytest.raises(JournalError, match="somebody else in the meantime"):
            {
                "accept": review.accept,
                "edit": lambda: review.edit("Ann's."),
                "reject": lambda: review.decide("reject"),
            }[key]()
    assert stand(journal)["s.a"] == ("edit", "Bob's.", "bob")
    assert review.row is not None
    assert review.row.text == "Bob's."  # and now it is seen
    assert review.accept()
    assert stand(journal)["s.a"] == ("accept", "Table a.", "ann")


def test_accepting_everything_leaves_what_people_decided(journal: Journal) -> None:
    run = the_run(journal)
    edit(journal, "s.a.x", "Bob's.", "bob")
    assert accept_all(journal, run, "low", "ann").count == len(FOUND) - 1
    assert accept_all(journal, run, "low", "ann").count == 0
    assert stand(journal)["s.a.x"] == ("edit", "Bob's.", "bob")


def test_accepting_everything_leaves_what_a_person_worded_in_another_run(
    journal: Journal,
) -> None:
    first = the_run(journal)
    edit(journal, "s.a.x", "Bob's.", "bob")
    run = again(journal)
    assert stand(journal) == {}
    review = Review(journal, run, "ann")
    (worded,) = review.worded.values()
    assert (worded.text, worded.by, worded.run) == ("Bob's.", "bob", first.id)
    done = review.accept_table()
    assert (done.count, done.left) == (2, 1)
    done = accept_all(journal, run, "low", "ann")
    assert (done.count, done.left) == (2, 1)
    assert "s.a.x" not in stand(journal)
    # Who looks at it may take the model's wording; then it is no longer a person's.
    edit(journal, "s.a.x", "Ann's.", "ann")
    assert stand(journal)["s.a.x"] == ("edit", "Ann's.", "ann")
    third = again(journal, "third")
    journal.write_now(
        decisions.decide, [replace(of(journal, "s.a.x"), action="accept", text="Another.")], "ann"
    )
    assert stand(journal, third)["s.a.x"][0] == "accept"
    assert accept_all(journal, again(journal, "fourth"), "low", "ann").left == 0


def import_text(journal: Journal, name: str, decision: Decision) -> None:
    """A run of what people accepted in AMX, as `import-amx` leaves it."""
    first = the_run(journal)
    fields = {**vars(first), "endpoint": "AMX", "options": "{}"}
    known = ("source", "database", "profile", "model", "endpoint", "currency", "options")
    run = journal.write_now(
        lambda connection: runs.begin_run(connection, **{one: fields[one] for one in known})
    )
    (item,) = [item for item, _ in FOUND if item.name == name]
    journal.write_now(items.add_items, run, [(item, f"imported {name}", "deferred")])
    (stored,) = journal.read(items.stored_of, run, item.schema, item.table)
    journal.write_now(answers.save_imported, [(stored, decision.text or "", "gpt", decision)])
    journal.write_now(runs.set_status, run, "complete")


@pytest.mark.parametrize(
    ("at", "stands"),
    [("2020-01-01T00:00:00+00:00", None), ("2999-01-01T00:00:00+00:00", "AMX's.")],
    ids=["before the edit", "after it"],
)
def test_an_import_replaces_no_later_edit(journal: Journal, at: str, stands: str | None) -> None:
    edit(journal, "s.a.x", "Bob's.", "bob")
    import_text(journal, "s.a.x", Decision("accept", "AMX's.", "amx", at))
    again(journal)
    assert stand(journal).get("s.a.x", (None, None))[1] == stands
