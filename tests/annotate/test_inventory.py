"""The inventory in the journal, and what an item is for reuse."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from amx_kimi.annotate.inventory import reuse_key, take_inventory
from amx_kimi.annotate.job import Job, OpenRun
from amx_kimi.annotate.prompt import Wanted
from amx_kimi.annotate.reader import Reader
from amx_kimi.config import Overlay
from amx_kimi.databases.base import Selection
from amx_kimi.databases.opening import open_source
from amx_kimi.errors import SourceError
from amx_kimi.journal import Journal, results, runs
from amx_kimi.types import Item

from .helpers import Database, profile_at

ITEM = Item("s", "t", "c", "column", 3, "int", True, "pk", "s.u.id", "a comment", 9, "")
JOB = Job(profile_at("http://127.0.0.1:1/v1"))
KEY = reuse_key(ITEM, "db", JOB)

# What a column *is* (design.md, decision 11).
PART_OF_IT: dict[str, Any] = {
    "schema": "s2",
    "table": "t2",
    "column": "c2",
    "type": "bigint",
    "key_role": "",
    "comment": "",
}
NOT_PART_OF_IT: dict[str, Any] = {
    "position": 4,
    "nullable": False,
    "fk": "s.v.id",
    "rows": 10,
    "definition": "SELECT 1",
    "details": {"check": "a > 0"},
}


def test_every_field_of_an_item_is_spoken_for() -> None:
    known = {*PART_OF_IT, *NOT_PART_OF_IT, "kind"}
    assert {field.name for field in fields(Item)} == known


@pytest.mark.parametrize("name", PART_OF_IT)
def test_a_part_changes_the_key(name: str) -> None:
    assert reuse_key(replace(ITEM, **{name: PART_OF_IT[name]}), "db", JOB) != KEY


@pytest.mark.parametrize("name", NOT_PART_OF_IT)
def test_anything_else_does_not(name: str) -> None:
    assert reuse_key(replace(ITEM, **{name: NOT_PART_OF_IT[name]}), "db", JOB) == KEY


def test_the_database_is_a_part() -> None:
    assert reuse_key(ITEM, "db2", JOB) != KEY


def test_a_view_is_not_the_table_of_the_same_name() -> None:
    table = Item("s", "t", "", "table", 0)
    assert reuse_key(table, "db", JOB) != reuse_key(replace(table, kind="view"), "db", JOB)


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, profile=profile_at("http://127.0.0.1:1/v1", "kimi-k3")),
        replace(JOB, wanted=Wanted(language="de")),
        replace(JOB, wanted=Wanted(alternatives=2)),
        replace(JOB, wanted=Wanted(style="detailed")),
    ],
)
def test_what_is_wanted_changes_the_key(job: Job) -> None:
    assert reuse_key(ITEM, "db", job) != KEY


@pytest.mark.parametrize(
    "job",
    [
        replace(JOB, profile=profile_at("http://127.0.0.2:2/v1", temperature=0.9, name="q")),
        replace(JOB, profile=profile_at("http://127.0.0.1:1/v1", overlay=Overlay(effort="high"))),
        replace(JOB, all_columns=True, limit=3, batch_size=7, samples=False),
        replace(JOB, selection=Selection(("s",), ("t",))),
    ],
)
def test_how_it_is_asked_does_not(job: Job) -> None:
    assert reuse_key(ITEM, "db", job) == KEY


def test_parts_do_not_run_into_each_other() -> None:
    one = replace(ITEM, table="a", column='b","c')
    two = replace(ITEM, table='a","b', column="c")
    assert reuse_key(one, "db", JOB) != reuse_key(two, "db", JOB)


def taken(database: Database, folder: Path, job: Job) -> list[tuple[str, str]]:
    """The inventory as (name, status)."""

    async def take() -> str:
        async with Reader(lambda: open_source(database.url)) as reader:
            run = await journal.write(
                runs.begin_run,
                **dict.fromkeys(("source", "database", "profile", "model", "endpoint"), "x"),
                options="{}",
            )
            await take_inventory(OpenRun(run, job, journal, reader))
            return run

    with Journal(folder / "inventory.db") as journal:
        run = asyncio.run(take())
        assert journal.read(runs.find_run, run).inventoried
        return [(d.item.name, d.status) for d in journal.stream(results.described, run)]


def test_statuses(postgres: Database, tmp_path: Path) -> None:
    postgres.execute("CREATE TABLE t (a int, b int, c int)", "COMMENT ON COLUMN t.b IS 'known'")
    assert taken(postgres, tmp_path, JOB) == [
        ("public.t", "pending"),
        ("public.t.a", "pending"),
        ("public.t.b", "commented"),
        ("public.t.c", "pending"),
    ]
    everything = dict(taken(postgres, tmp_path, replace(JOB, all_columns=True)))
    assert set(everything.values()) == {"pending"}
    limited = dict(taken(postgres, tmp_path, replace(JOB, limit=1)))
    assert limited["public.t.a"] == "pending"
    assert limited["public.t.c"] == "deferred"


def test_more_than_a_thousand_columns(sqlite_database: Database, tmp_path: Path) -> None:
    columns = ", ".join(f"c{n}" for n in range(700))
    sqlite_database.execute(f"CREATE TABLE a ({columns})", f"CREATE TABLE b ({columns})")
    assert len(taken(sqlite_database, tmp_path, JOB)) == 1_402


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(tables=("orders",)), ["orders"]),
        (Selection(tables=("t", "no1", "no2")), ["no1, no2"]),
        (Selection(tables=("public.nope",)), ["public.nope"]),
        (Selection(schemas=("pubic",)), ["'pubic'", "public"]),
        (Selection(schemas=("zzzz",)), ["'zzzz'", "public", "other"]),
        (Selection(schemas=("other",)), ["no tables in other"]),
        (Selection(schemas=("other",), tables=("t",)), ["no table t"]),
        (Selection(schemas=("othr*",)), ["'othr*'", "other"]),
        (Selection(tables=("publik.*",)), ["publik.*", "Known: public.t."]),
        (Selection(tables=("!tt",)), ["!tt", "Known: t."]),
        (Selection(tables=("!t",)), ["no tables", "called !t"]),
    ],
)
def test_what_is_not_there_is_named(
    postgres: Database, tmp_path: Path, selection: Selection, words: list[str]
) -> None:
    postgres.execute("CREATE TABLE t (a int)", "CREATE SCHEMA other")
    with pytest.raises(SourceError) as caught:
        taken(postgres, tmp_path, replace(JOB, selection=selection))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("name", ["t", "public.t"])
def test_a_selected_table(postgres: Database, tmp_path: Path, name: str) -> None:
    postgres.execute("CREATE TABLE t (a int)", "CREATE TABLE u (a int)")
    found = taken(postgres, tmp_path, replace(JOB, selection=Selection(tables=(name,))))
    assert [name for name, _ in found] == ["public.t", "public.t.a"]


def test_a_database_without_tables(database: Database, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no tables"):
        taken(database, tmp_path, JOB)
