"""`--only-changed`: what is new, dropped or of another type since earlier runs."""

from __future__ import annotations

from collections.abc import Callable

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
    result = world.run(only_changed=True)
    assert world.asked() == ["a.w", "b.x", "b.n", "c", "c.x"]
    names = {note.split(" (")[0].replace("public.", "") for note in result.notes}
    assert names == {"new: a.w", "new: b.n", "new: c", "new: c.x", "retyped: b.x", "dropped: a.y"}
    assert result.totals.columns == 4
    assert world.statuses(result)[next(n for n in world.statuses(result) if n.endswith("a.x"))] == (
        "unchanged"
    )


def test_with_another_model_too(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute("CREATE TABLE a (x int, y int)")
    world = worlds(sqlite_database)
    world.run()
    world.sandbox.reset()
    result = world.run(only_changed=True, model=CHAT)
    assert world.asked() == []
    assert result.notes == ("Nothing changed since the earlier runs",)


def test_what_was_never_settled_is_asked(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute("CREATE TABLE a (x int, y int)")
    world = worlds(sqlite_database)
    world.run(limit=1)
    world.sandbox.reset()
    result = world.run(only_changed=True)
    assert world.asked() == ["a.y"]
    assert result.notes == ("Nothing changed since the earlier runs",)


def test_the_first_run_asks_everything(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute("CREATE TABLE a (x int)")
    result = worlds(sqlite_database).run(only_changed=True)
    assert result.notes == ("new: a", "new: a.x")
    assert result.totals.described == 1
