"""Technical columns that many tables have: asked once, marked as shared, never paid again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from amx_kimi.journal import runs

from .helpers import Database, World

Worlds = Callable[..., World]

TABLES = ("orders", "parts", "stores")


def create(database: Database, *columns: str, tables: tuple[str, ...] = TABLES) -> None:
    database.execute(*(f"CREATE TABLE {table} ({', '.join(columns)})" for table in tables))


def short(name: str) -> str:
    return name.removeprefix("public.")


def test_one_is_asked_for_all(database: Database, worlds: Worlds) -> None:
    create(database, "x int", "created_at date", "CREATED_BY varchar(20)", "status char(1)")
    world = worlds(database)
    result = world.run()
    technical = [name for name in world.asked() if "created" in name.lower()]
    assert [name.lower() for name in technical] == ["orders.created_at", "orders.created_by"]
    assert sum("status" in name for name in world.asked()) == 3
    assert (result.totals.columns, result.totals.described, result.totals.shared) == (12, 12, 4)
    found = {short(name): d for name, d in world.found(result).items()}
    first, other = found["orders.created_at"], found["stores.created_at"]
    assert (first.status, other.status) == ("described", "shared")
    assert first.suggestion is not None
    assert other.suggestion is not None
    assert other.suggestion.alternatives == first.suggestion.alternatives
    assert other.suggestion.signal == "shared"
    [question] = world.questions()
    asked = {c["name"].lower(): c for t in question["tables"] for c in t["columns"]}
    assert asked["created_at"]["in_tables"] == 3
    assert "in_tables" not in asked["status"]


def test_nothing_is_asked_twice_and_the_mark_stays(database: Database, worlds: Worlds) -> None:
    create(database, "x int", "created_at date")
    world = worlds(database)
    world.run()
    world.sandbox.reset()
    result = world.run()
    assert world.asked() == []
    found = {short(name): d for name, d in world.found(result).items()}
    assert found["stores.created_at"].suggestion is not None
    assert found["stores.created_at"].suggestion.signal == "shared"
    world.run(share=False)
    assert [short(name) for name in world.asked()] == ["parts.created_at", "stores.created_at"]


@pytest.mark.parametrize(
    ("columns", "tables"),
    [
        (("x int", "created_at date"), TABLES[:2]),
        (("x int", "status char(1)"), TABLES),
        (("created_at date PRIMARY KEY", "x int"), TABLES),
    ],
)
def test_what_is_not_shared(
    database: Database, worlds: Worlds, columns: tuple[str, ...], tables: tuple[str, ...]
) -> None:
    create(database, *columns, tables=tables)
    world = worlds(database)
    result = world.run()
    assert result.totals.shared == 0
    assert len(world.asked()) == len(tables) * 3


def test_another_type_or_shape_is_another_column(database: Database, worlds: Worlds) -> None:
    create(database, "x int", "created_at date")
    database.execute(
        "CREATE TABLE t1 (x int, created_at varchar(9))",
        "CREATE TABLE t2 (x int, created_at date NOT NULL)",
    )
    world = worlds(database)
    world.run()
    asked = {short(name) for name in world.asked() if "created" in name}
    assert asked == {"orders.created_at", "t1.created_at", "t2.created_at"}


def test_what_waits_fails_with_the_one_that_is_asked_and_is_resumed(
    sqlite_database: Database, worlds: Worlds
) -> None:
    create(sqlite_database, "created_at date")
    world = worlds(sqlite_database, faults="filter@1-")
    failed = world.run()
    assert (failed.totals.described, failed.totals.failed) == (0, 3)
    world.sandbox.set(faults="")
    again = world.run(resume=world.journal.read(runs.find_run, failed.run))
    assert (again.totals.described, again.totals.failed) == (3, 0)


def test_a_limit_counts_what_is_described(sqlite_database: Database, worlds: Worlds) -> None:
    create(sqlite_database, "created_at date", "x int")
    world = worlds(sqlite_database)
    result = world.run(limit=5)
    assert result.totals.described == 5
    assert result.totals.shared == 2
