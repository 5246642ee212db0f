"""`--only-changed`: what is new, dropped or of another type since earlier runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from amx_kimi.annotate.prompt import Wanted
from amx_kimi.databases.base import Selection

from .helpers import CHAT, Database, World

Worlds = Callable[..., World]


def test_what_changed_is_asked_and_listed(database: Database, worlds: Worlds) -> None:
    database.execute("CREATE TABLE a (x int, y int, z int)", "CREATE TABLE b (x int)")
    world = worlds(database)
    world.run()
    world.sandbox.reset()
    database.execute(
        "ALTER TABLE a DROP COLUMN y",
        "ALTER TABLE a ADD COLUMN w int",
        "DROP TABLE b",
        "CREATE TABLE b (x text, n int)",
        "CREATE TABLE c (x int)",
    )
    result = world.run(only_changed="schema")
    assert world.asked() == ["a.w", "b.x", "b.n", "c", "c.x"]
    names = {note.split(" (")[0].replace("public.", "") for note in result.notes}
    assert names == {"new: a.w", "new: b.n", "new: c", "new: c.x", "retyped: b.x", "dropped: a.y"}
    assert result.totals.columns == 4
    assert world.statuses(result)[next(n for n in world.statuses(result) if n.endswith("a.x"))] == (
        "unchanged"
    )


def test_what_was_dropped_is_told_once_and_what_stays_keeps_its_description(
    database: Database, worlds: Worlds
) -> None:
    database.execute("CREATE TABLE a (x int, y int)", "CREATE TABLE b (x int)")
    world = worlds(database)
    world.run()
    database.execute("ALTER TABLE a DROP COLUMN y", "DROP TABLE b")
    first = world.run(only_changed="schema")
    assert {note.replace("public.", "") for note in first.notes} == {"dropped: a.y", "dropped: b"}
    kept = {row.item.column: row for row in world.found(first).values()}
    assert kept["x"].suggestion is not None
    assert kept["x"].status == "unchanged"
    again = world.run(only_changed="schema")
    assert again.notes == ("Nothing has changed since earlier runs",)
    assert all(row.suggestion for row in world.found(again).values())


def test_with_another_model_too(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute("CREATE TABLE a (x int, y int)")
    world = worlds(sqlite_database)
    world.run()
    world.sandbox.reset()
    result = world.run(only_changed="schema", model=CHAT)
    assert world.asked() == []
    assert result.notes == ("Nothing has changed since earlier runs",)


def test_a_trial_in_another_language_is_passed_over(
    sqlite_database: Database, worlds: Worlds
) -> None:
    sqlite_database.execute("CREATE TABLE a (x int, y int)")
    world = worlds(sqlite_database)
    first = {name: row.suggestion for name, row in world.found(world.run()).items()}
    world.run(wanted=Wanted("de", alternatives=2))
    sqlite_database.execute("ALTER TABLE a ADD COLUMN z int")
    result = world.run(only_changed="schema")
    found = {name: row.suggestion for name, row in world.found(result).items()}
    assert {name: found[name] for name in first} == first
    assert result.totals.columns == 1


def test_what_was_never_settled_is_asked(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute("CREATE TABLE a (x int, y int)")
    world = worlds(sqlite_database)
    world.run(limit=1)
    world.sandbox.reset()
    result = world.run(only_changed="schema")
    assert world.asked() == ["a.y"]
    assert result.notes == ("Nothing has changed since earlier runs",)


def test_the_first_run_asks_everything(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute("CREATE TABLE a (x int)")
    result = worlds(sqlite_database).run(only_changed="schema")
    assert result.notes == ("new: a", "new: a.x")
    assert result.totals.described == 1


def test_data_that_moved_is_asked_again(database: Database, worlds: Worlds) -> None:
    database.execute("CREATE TABLE a (art text, n int, leer text)")
    fill(database, ["X", "Y"], 10, None)
    world = worlds(database)
    world.run()
    world.sandbox.reset()
    fill(database, ["X", "Y"], 12, None)
    assert world.run(only_changed="data").notes == ("Nothing has changed since earlier runs",)
    database.execute("DELETE FROM a")
    fill(database, ["P", "Q", "R"], 5_000, "z")
    assert world.run(only_changed="schema").totals.columns == 0
    result = world.run(only_changed="data")
    notes = {note.replace("public.", "") for note in result.notes}
    assert "moved: a.art (values P, Q, R)" in notes
    assert "moved: a.leer (empty before)" in notes
    assert sorted(world.asked()) == sorted(note.split()[1] for note in notes)
    world.sandbox.reset()
    assert world.run(only_changed="data").notes == ("Nothing has changed since earlier runs",)


@pytest.mark.parametrize("analysed", [True, False])
def test_a_table_that_is_filled_or_emptied_is_asked_again(
    database: Database, worlds: Worlds, analysed: bool
) -> None:
    look = ["ANALYZE"] if analysed else []
    database.execute("CREATE TABLE a (art text, n int, leer text)", "CREATE TABLE b (x int)", *look)
    world = worlds(database)
    world.run()
    fill(database, ["X", "Y"], 10, "z")
    moved = ("moved: a.art", "moved: a.n", "moved: a.leer")
    result = world.run(only_changed="data")
    assert {note.replace("public.", "") for note in result.notes} == {
        f"{name} (empty before)" for name in moved
    }
    database.execute("DELETE FROM a", "ANALYZE")
    world.sandbox.reset()
    result = world.run(only_changed="data")
    assert {note.replace("public.", "") for note in result.notes} == {
        f"{name} (empty now)" for name in moved
    }
    (asked,) = (t for question in world.questions() for t in question["tables"])
    assert all(set(c) & {"min", "max", "samples"} == set() for c in asked["columns"])
    assert world.run(only_changed="data").notes == ("Nothing has changed since earlier runs",)


def test_a_comment_that_is_gone_is_asked_about(postgres: Database, worlds: Worlds) -> None:
    postgres.execute("CREATE TABLE a (x int, y int)", "COMMENT ON COLUMN a.x IS 'A person''s'")
    world = worlds(postgres)
    world.run()
    world.sandbox.reset()
    postgres.execute("COMMENT ON COLUMN a.x IS '   '")
    world.run(only_changed="schema")
    assert world.asked() == ["a.x"]


def test_what_is_left_out_now_is_not_dropped(postgres: Database, worlds: Worlds) -> None:
    postgres.execute("CREATE TABLE a (x int)", "CREATE TABLE theirs (x int)")
    postgres.execute("ALTER EXTENSION plpgsql ADD TABLE theirs")
    world = worlds(postgres)
    world.run(selection=Selection(extensions=True))
    left_out = "Skipped 1 table or view of extensions"
    first, second = world.run(only_changed="schema").notes
    assert (first[: len(left_out)], second) == (left_out, "Nothing has changed since earlier runs")
    postgres.execute("ALTER EXTENSION plpgsql DROP TABLE theirs", "DROP TABLE theirs")
    again = world.run(only_changed="schema", selection=Selection(extensions=True))
    assert again.notes == ("dropped: public.theirs",)


def fill(database: Database, codes: list[str], number: int, text: str | None) -> None:
    """Sixty rows, so that each code occurs often enough to be shown."""
    shown = "NULL" if text is None else f"'{text}'"
    rows = [f"('{codes[n % len(codes)]}', {number}, {shown})" for n in range(60)]
    database.execute(f"INSERT INTO a VALUES {', '.join(rows)}", "ANALYZE")
