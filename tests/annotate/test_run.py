"""Runs from end to end: a real database of either kind, the sandbox, a journal."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import OperationalError

from amx_kimi.annotate.asking import Progress
from amx_kimi.annotate.job import OpenRun
from amx_kimi.annotate.opening import Target, job_of
from amx_kimi.annotate.pack import Packer
from amx_kimi.annotate.prompt import Wanted
from amx_kimi.annotate.run import dry_run
from amx_kimi.client import KimiClient
from amx_kimi.config import Overlay
from amx_kimi.databases.base import Selection
from amx_kimi.databases.sqlite import SqliteSource
from amx_kimi.errors import (
    ContextError,
    JournalError,
    MissingKeyError,
    QuotaError,
    ReplyError,
    SourceError,
    TruncatedError,
)
from amx_kimi.facts import EndpointRow
from amx_kimi.journal import answers, items, owner, schema
from amx_kimi.publish.export import FORMATS
from amx_kimi.tokens import count_messages
from amx_kimi.types import Ask, Reply

from .helpers import CHAT, Database, World, table_item

Worlds = Callable[..., World]

SHOP = (
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, email TEXT, kd_nr TEXT)",
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, cust_id INTEGER REFERENCES customers(id),"
    " status TEXT, net_amt NUMERIC(10,2))",
    "CREATE VIEW open_orders AS SELECT id, net_amt FROM orders WHERE status = 'open'",
)
SHOP_ITEMS = [
    *("customers", "customers.id", "customers.email", "customers.kd_nr"),
    *("open_orders", "open_orders.id", "open_orders.net_amt"),
    *("orders", "orders.id", "orders.cust_id", "orders.status", "orders.net_amt"),
]


def wide(table: str, columns: int) -> str:
    return f"CREATE TABLE {table} ({', '.join(f'col_{n} INTEGER' for n in range(columns))})"


def fill_shop(database: Database) -> None:
    database.execute(
        *(f"INSERT INTO customers VALUES ({n}, 'ada{n}@example.org', 'KD-{n}')" for n in range(8)),
        *(f"INSERT INTO orders VALUES ({n}, {n % 8}, 'open', {n}.5)" for n in range(8)),
    )
    if database.kind == "postgresql":
        database.execute("ANALYZE")


def plain(names: Any) -> list[str]:
    return sorted(name.removeprefix("public.") for name in names)


# The main road


@pytest.mark.parametrize("model", ["kimi-k2-thinking", CHAT, "kimi-k2.6", "kimi-k3"])
def test_every_column_is_described(database: Database, worlds: Worlds, model: str) -> None:
    database.execute(*SHOP)
    fill_shop(database)
    world = worlds(database)
    heard: list[Progress] = []
    ids: list[str] = []
    result = world.run(model=model, notify=lambda p: heard.append(replace(p)), started=ids.append)
    assert result.stopped is None
    assert ids == [result.run]
    found = world.found(result)
    assert plain(found) == sorted(SHOP_ITEMS)
    for item in found.values():
        assert item.status == "described", item
        assert item.suggestion is not None
        assert len(item.suggestion.alternatives) == 2
        assert item.suggestion.signal == ("declared" if "thinking" in model else "logprobs")
        assert item.model == model
    totals = result.totals
    assert (totals.columns, totals.described, totals.failed, totals.reused) == (9, 9, 0, 0)
    assert (totals.tables, totals.tables_described) == (3, 3)
    assert (heard[0].columns, heard[0].done) == (9, 0)
    assert (heard[-1].done, heard[-1].failed, heard[-1].requests) == (9, 0, totals.requests)
    assert heard[-1].cost == totals.cost
    run = world.stored(result)
    assert (run.status, run.error, run.model, run.currency) == ("complete", None, model, "USD")
    assert run.finished_at


def test_the_runs_figures_are_the_sandboxs(database: Database, worlds: Worlds) -> None:
    database.execute(*SHOP, wide("w", 150))
    world = worlds(database, usage_shape="both")
    result = world.run(profile_overlay=Overlay(concurrency=1))
    billed, totals = world.sandbox.totals, result.totals
    assert totals.requests == billed.requests >= 3
    assert totals.cached == billed.cached_tokens > 0
    assert (totals.prompt, totals.completion) == (billed.prompt_tokens, billed.completion_tokens)
    assert totals.reasoning == billed.reasoning_tokens > 0
    assert totals.cost == billed.cost > 0
    assert (result.currency, totals.retries, totals.uncertain) == ("USD", 0, 0)


def test_the_figures_with_retries(database: Database, worlds: Worlds) -> None:
    database.execute(*SHOP)
    world = worlds(database, faults="length-empty@1, reset-within@3", thinking_base=50)
    result = world.run(batch_size=5, profile_overlay=Overlay(concurrency=1))
    assert result.totals.described == 9
    assert result.totals.requests == world.sandbox.totals.requests
    assert result.totals.retries == 2
    assert world.scalar("SELECT count(*) FROM requests WHERE outcome IS NULL") == 0


def test_values_leave_masked_and_the_journal_keeps_what_was_shown(
    database: Database, worlds: Worlds
) -> None:
    database.execute(*SHOP)
    fill_shop(database)
    world = worlds(database)
    result = world.run()
    sent = json.dumps([seen.body for seen in world.sandbox.chats])
    assert "open" in sent
    assert "@example" not in sent
    for number in range(8):
        assert f"ada{number}" not in sent
        assert f"KD-{number}" not in sent
    shown = {
        f"{table['name']}.{column['name']}": column
        for question in world.questions()
        for table in question["tables"]
        for column in table["columns"]
    }
    for name, found in world.found(result).items():
        for key, value in found.facts.items():
            assert shown[name][key] == value
    status = next(f for name, f in world.found(result).items() if name.endswith("orders.status"))
    assert status.facts["samples"] == ["open"]


def test_no_samples(database: Database, worlds: Worlds) -> None:
    database.execute(*SHOP)
    fill_shop(database)
    world = worlds(database)
    assert world.run(samples=False).totals.described == 9
    for question in world.questions():
        for table in question["tables"]:
            for column in table["columns"]:
                assert not {"min", "max", "samples"} & column.keys()


def test_language_and_alternatives(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database)
    german = world.run(wanted=Wanted("de", 1))
    assert {(q["language"], q["alternatives"]) for q in world.questions()} == {("de", 1)}
    found = world.found(german)["orders.status"].suggestion
    english = world.run(wanted=Wanted("en", 1))
    other = world.found(english)["orders.status"].suggestion
    assert found is not None
    assert other is not None
    assert len(found.alternatives) == len(other.alternatives) == 1
    assert found.alternatives != other.alternatives
    assert english.totals.reused == 0


@pytest.mark.parametrize(("samples", "shown"), [(True, "'aaaa'"), (False, "'\\u2026'")])
def test_a_views_sql_leaves_masked(
    database: Database, worlds: Worlds, samples: bool, shown: str
) -> None:
    database.execute(
        *SHOP, "CREATE VIEW hers AS SELECT id FROM customers WHERE email = 'ada@example.org'"
    )
    world = worlds(database)
    world.run(samples=samples)
    views = {t["name"]: t["view"] for q in world.questions() for t in q["tables"] if "view" in t}
    assert plain(views) == ["hers", "open_orders"]
    sent = json.dumps(list(views.values()))
    assert "ada@" not in sent
    assert ("'a***@e***.org'" in sent) is samples
    assert shown in sent


# Reuse


def test_a_second_run_asks_nothing(database: Database, worlds: Worlds) -> None:
    database.execute(*SHOP)
    fill_shop(database)
    world = worlds(database)
    first = world.run()
    world.sandbox.reset()
    second = world.run()
    assert second.totals.requests == world.sandbox.totals.requests == 0
    assert (second.totals.described, second.totals.reused) == (9, 9)
    assert second.totals.cost == 0
    assert set(world.statuses(second).values()) == {"reused"}
    one, two = world.found(first), world.found(second)
    assert {n: f.suggestion for n, f in one.items()} == {n: f.suggestion for n, f in two.items()}
    database.execute("INSERT INTO customers VALUES (99, 'x', 'y')")
    if database.kind == "postgresql":
        database.execute("ANALYZE")
    assert world.run().totals.requests == 0


def test_one_new_column_is_asked_alone(database: Database, worlds: Worlds) -> None:
    database.execute(*SHOP)
    world = worlds(database)
    world.run()
    database.execute("ALTER TABLE customers ADD COLUMN vat_no TEXT")
    world.sandbox.reset()
    result = world.run()
    assert world.asked() == ["customers.vat_no"]
    assert (result.totals.described, result.totals.reused) == (10, 9)
    ((table,),) = (question["tables"] for question in world.questions())
    assert table["other_columns"] == ["id", "email", "kd_nr"]


def test_failures_and_other_databases_are_not_reused(
    sqlite_database: Database, worlds: Worlds
) -> None:
    sqlite_database.execute("CREATE TABLE t (a, b)")
    world = worlds(sqlite_database, faults="filter@1-")
    assert world.run().totals.failed == 2
    world.sandbox.set(faults="")
    assert world.run().totals.requests == 1
    other = Database(sqlite_database.url.replace("source", "other"), "sqlite")
    other.execute("CREATE TABLE t (a, b)")
    world.database = other
    assert world.run().totals.reused == 0


# What is asked


def test_columns_with_a_comment_only_with_all(postgres: Database, worlds: Worlds) -> None:
    postgres.execute(
        *SHOP,
        "COMMENT ON COLUMN orders.status IS 'Open or done'",
        "COMMENT ON TABLE customers IS 'Who buys'",
    )
    world = worlds(postgres)
    result = world.run()
    assert result.totals.described == result.totals.columns == 8
    assert not {"orders.status", "customers"} & set(world.asked())
    assert world.statuses(result)["public.orders.status"] == "commented"
    result = world.run(all_columns=True)
    assert (result.totals.described, result.totals.reused) == (9, 8)
    assert sorted(world.asked()) == sorted(SHOP_ITEMS)
    comments = json.dumps(world.questions()[-1])
    assert "Open or done" in comments


def test_a_limit(database: Database, worlds: Worlds) -> None:
    database.execute(*SHOP)
    world = worlds(database)
    for expected in (4, 8, 9, 9):
        result = world.run(limit=4)
        assert result.totals.columns == result.totals.described == expected
    columns = [name for name in world.asked() if "." in name]
    assert sorted(columns) == sorted(name for name in SHOP_ITEMS if "." in name)


def test_selected_tables_only(database: Database, worlds: Worlds) -> None:
    database.execute(*SHOP)
    world = worlds(database)
    result = world.run(selection=Selection(tables=("orders",)))
    assert result.totals.described == 4
    assert sorted(world.asked()) == [n for n in sorted(SHOP_ITEMS) if n.startswith("orders")]


@pytest.mark.parametrize("size", [1, 2, 7])
def test_batch_size(database: Database, worlds: Worlds, size: int) -> None:
    database.execute(*SHOP, wide("w", 10))
    world = worlds(database)
    result = world.run(batch_size=size)
    assert result.totals.described == 19
    assert sorted(world.asked()) == sorted([*SHOP_ITEMS, "w", *(f"w.col_{n}" for n in range(10))])
    for question in world.questions():
        assert sum(len(t["columns"]) for t in question["tables"]) <= size


def test_a_fixed_batch_of_kimi_yml(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute(wide("w", 30))
    world = worlds(sqlite_database)
    overlay = Overlay(batch="fixed", concurrency=2)
    world.run(profile_overlay=overlay, profile_column_batch_size=10)
    assert world.sandbox.totals.requests == 3
    auto = world.run(wanted=Wanted("de"), profile_column_batch_size=10)
    assert auto.totals.requests == 1
    both = world.run(
        wanted=Wanted("fr"),
        batch_size=16,
        profile_overlay=overlay,
        profile_column_batch_size=10,
    )
    assert both.totals.requests == 2


@pytest.mark.parametrize(
    ("columns", "options"), [(2_000, {}), (500, {"batch_size": 37}), (100, {"batch_size": 3})]
)
def test_many_columns(
    sqlite_database: Database, worlds: Worlds, columns: int, options: dict[str, Any]
) -> None:
    each = 100
    sqlite_database.execute(*(wide(f"t{n:03}", each) for n in range(columns // each)))
    world = worlds(sqlite_database, thinking_per_column=1, keep_bodies=True)
    result = world.run(model=CHAT, wanted=Wanted(alternatives=1), **options)
    assert result.totals.described == result.totals.columns == columns
    asked = world.asked()
    assert len(asked) == len(set(asked)) == columns + columns // each
    most = options.get("batch_size", 60)
    assert columns / most <= result.totals.requests <= 1.5 * (columns + columns / each) / most + 50


def test_strange_names(database: Database, worlds: Worlds) -> None:
    names = ['qu"ote', "it's", "a.b", "🚀 名前", "line\nbreak", "[x]: {y}", "2 nd", '1": ["h", "x"']
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    for table in quoted[:4]:
        database.execute(f"CREATE TABLE {table} ({', '.join(f'{q} INTEGER' for q in quoted)})")
    world = worlds(database)
    result = world.run()
    assert result.totals.described == result.totals.columns == 4 * len(names)
    assert result.totals.tables_described == 4
    described = [found.item.column for found in world.found(result).values() if found.item.column]
    assert sorted(described) == sorted(names * 4)
    for write in FORMATS.values():
        out = io.StringIO()
        write(out, world.stored(result), list(world.found(result).values()))
        assert out.getvalue()
    out = io.StringIO(newline="")
    FORMATS["csv"](out, world.stored(result), list(world.found(result).values()))
    out.seek(0)
    rows = list(csv.DictReader(out))
    assert sorted({row["column"] for row in rows} - {""}) == sorted(names)


def test_an_expectation_follows_the_replies(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute(*(wide(f"t{n}", 59) for n in range(6)))
    world = worlds(sqlite_database, thinking_per_column=400)
    result = world.run(profile_overlay=Overlay(concurrency=1))
    assert result.totals.described == 6 * 59
    sizes = [sum(len(t["columns"]) for t in q["tables"]) for q in world.questions()]
    assert sizes[0] == 59
    assert max(sizes[4:]) < 50


def test_the_prompt_ratio_learns_from_uncorrected_counts(
    sqlite_database: Database, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_database.execute(wide("w", 30))
    world = worlds(sqlite_database)
    counts: list[int] = []

    def observe(self: Packer, _: int, counted: int, __: Reply) -> None:
        counts.append(counted)
        self.expectation = replace(self.expectation, prompt_ratio=3.0)

    monkeypatch.setattr(Packer, "observe", observe)
    world.run(batch_size=10, profile_overlay=Overlay(concurrency=1))
    sent = [count_messages(seen.body["messages"]) for seen in world.sandbox.chats if seen.body]
    assert len(sent) == 3
    assert counts == pytest.approx(sent, abs=1)


# What models do wrong


def test_forgotten_columns_are_asked_again_alone(database: Database, worlds: Worlds) -> None:
    database.execute(wide("w", 20))
    world = worlds(database, forget_above=10, forget_every=5)
    result = world.run()
    assert (result.totals.described, result.totals.failed) == (20, 0)
    first, second = world.questions()
    assert [c["name"] for t in first["tables"] for c in t["columns"]] == [
        f"col_{n}" for n in range(20)
    ]
    assert [c["name"] for t in second["tables"] for c in t["columns"]] == [
        "col_4",
        "col_9",
        "col_14",
        "col_19",
    ]
    assert [t["ask"] for t in second["tables"]] == [False]
    assert "col_0" in second["tables"][0]["other_columns"]


def test_a_model_that_forgets_in_large_requests_is_asked_for_less(
    database: Database, worlds: Worlds
) -> None:
    for table in range(12):
        database.execute(wide(f"w{table:02}", 40))
    world = worlds(database, forget_above=20, forget_every=2, concurrency=1)
    result = world.run()
    assert (result.totals.described, result.totals.failed) == (480, 0)
    sizes = [sum(len(t["columns"]) for t in asked["tables"]) for asked in world.questions()]
    assert sizes[0] == 40
    assert sum(size > 30 for size in sizes) <= 6, str(sizes)
    assert sum(sizes) <= 1.5 * 480, str(sizes)


def test_what_is_always_forgotten_fails_after_two_more_tries(
    database: Database, worlds: Worlds
) -> None:
    database.execute(wide("w", 4))
    world = worlds(database, forget_above=1, forget_every=1)
    result = world.run()
    assert world.sandbox.totals.requests == 3
    assert (result.totals.described, result.totals.failed) == (0, 4)
    assert result.totals.tables_described == 1
    assert result.stopped is None
    for found in world.found(result).values():
        if found.item.column:
            assert found.error is not None
            assert "left it out" in found.error
    assert world.asked().count("w") == 1


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(
    "fault", ["half-json", "wrong-names", "repeat", "empty", "length", "length-empty", "filter"]
)
def test_a_fault_at_some_request(
    sqlite_database: Database, worlds: Worlds, fault: str, number: int
) -> None:
    sqlite_database.execute(*SHOP, wide("w", 12))
    world = worlds(sqlite_database, faults=f"{fault}@{number}")
    result = world.run(batch_size=9, profile_overlay=Overlay(concurrency=1))
    assert result.stopped is None
    assert (result.totals.described, result.totals.failed) == (21, 0)
    assert (result.totals.tables, result.totals.tables_described) == (4, 4)
    assert result.totals.requests == world.sandbox.totals.requests
    assert result.totals.cost == world.sandbox.totals.cost
    assert (result.totals.completion, result.totals.prompt) == (
        world.sandbox.totals.completion_tokens,
        world.sandbox.totals.prompt_tokens,
    )
    fresh = 3 if fault in ("wrong-names", "repeat") else 4
    assert result.totals.requests >= fresh


def test_entries_of_a_cut_answer_are_kept(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute(wide("w", 20))
    world = worlds(sqlite_database, faults="length@1")
    result = world.run()
    assert result.totals.described == 20
    first, *rest = (
        [c["name"] for t in q["tables"] for c in t["columns"]] for q in world.questions()
    )
    again = [name for names in rest for name in names]
    assert len(rest) == 2
    assert 0 < len(again) < len(first)
    assert len(again) == len(set(again))
    assert abs(len(rest[0]) - len(rest[1])) <= 1


def test_answers_that_are_always_empty_fail(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute("CREATE TABLE t (a, b)")
    world = worlds(sqlite_database, faults="empty@1-")
    result = world.run()
    assert (result.totals.described, result.totals.failed) == (0, 2)
    assert result.totals.tables_described == 0
    assert world.sandbox.totals.requests == 3
    assert world.stored(result).status == "complete"


def test_answers_that_are_always_cut_fail(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute("CREATE TABLE t (a, b)")
    world = worlds(sqlite_database, faults="length-empty@1-")
    result = world.run()
    assert (result.totals.described, result.totals.failed) == (0, 2)
    for found in world.found(result).values():
        assert found.error is not None
        assert "finish_reason=length" in found.error


def test_prose_around_the_answer(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database, strict_json=False)
    assert world.run().totals.described == 9


def test_unknown_usage_counts_at_its_worst(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database, usage_shape="none")
    totals = world.run().totals
    assert totals.described == 9
    assert (totals.uncertain, totals.requests) == (1, 1)
    assert totals.cost is not None
    assert totals.cost > Decimal("0.08")  # 32,768 tokens at $2.50 a million


def test_without_a_price_there_is_no_cost(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database)
    heard: list[Progress] = []
    unpriced = EndpointRow(name="any", url=world.sandbox.url)
    result = world.run(profile_endpoint=unpriced, notify=lambda p: heard.append(replace(p)))
    assert (result.totals.described, result.totals.cost, result.currency) == (9, None, None)
    assert heard[-1].cost is None


# What stops a run


@pytest.mark.parametrize(
    ("fault", "error"),
    [("unauthorized", "AuthenticationError"), ("quota", "QuotaError"), ("tpd", "UsedUpError")],
)
def test_a_fatal_error_stops_and_keeps_what_is_there(
    database: Database, worlds: Worlds, fault: str, error: str
) -> None:
    database.execute(*SHOP)
    world = worlds(database, faults=f"{fault}@2-")
    result = world.run(batch_size=4, profile_overlay=Overlay(concurrency=1))
    assert type(result.stopped).__name__ == error
    assert world.sandbox.totals.requests == 2
    statuses = list(world.statuses(result).values())
    assert statuses.count("described") == 4
    assert statuses.count("pending") == 8
    run = world.stored(result)
    assert run.status == "stopped"
    assert run.error == str(result.stopped)
    assert result.totals.requests == 2

    world.sandbox.set(faults="")
    world.sandbox.reset()
    again = world.run(resume=run, job=job_of(run, world.job().profile))
    assert again.run == result.run
    assert again.totals.described == 9
    assert world.stored(run.id).status == "complete"
    assert world.stored(run.id).error is None
    assert sorted(world.asked()) == plain(
        name
        for name, status in zip(world.statuses(result), statuses, strict=True)
        if status == "pending"
    )


def test_after_a_fatal_error_nothing_that_waits_is_sent(
    sqlite_database: Database, worlds: Worlds
) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database, faults="unauthorized@3-")
    result = world.run(batch_size=1, profile_overlay=Overlay(concurrency=8, rpm=4))
    assert type(result.stopped).__name__ == "AuthenticationError"
    assert world.sandbox.totals.requests == result.totals.requests == 4


def test_eight_answers_in_a_row_without_a_usable_entry_stop(
    database: Database, worlds: Worlds
) -> None:
    database.execute(wide("w", 20))
    world = worlds(database, faults="empty@3-")
    result = world.run(batch_size=1, profile_overlay=Overlay(concurrency=1))
    assert isinstance(result.stopped, ReplyError)
    assert "no usable entry" in str(result.stopped)
    assert world.sandbox.totals.requests == 2 + 8
    statuses = list(world.statuses(result).values())
    # Three tries for each of two columns; the third is under way and stays to be resumed.
    assert (statuses.count("described"), statuses.count("failed")) == (3, 2)
    assert statuses.count("pending") == 16
    assert world.stored(result).status == "stopped"


def test_answers_cut_before_anything_was_said_count_at_any_size(
    sqlite_database: Database, worlds: Worlds
) -> None:
    sqlite_database.execute(wide("w", 60))
    world = worlds(sqlite_database, faults="length-empty@1-")
    result = world.run(profile_overlay=Overlay(concurrency=1))
    assert isinstance(result.stopped, TruncatedError)
    questions = world.scalar("SELECT count(*) FROM requests WHERE reason = 'first'")
    assert questions == 8
    assert result.totals.described == 0


def test_a_usable_answer_between_failures_starts_the_count_anew(
    sqlite_database: Database, worlds: Worlds
) -> None:
    sqlite_database.execute(wide("w", 20))
    world = worlds(sqlite_database, faults="empty@1-7, empty@9-15, empty@17-23")
    result = world.run(batch_size=1, profile_overlay=Overlay(concurrency=1))
    assert result.stopped is None
    assert result.totals.described + result.totals.failed == 20
    assert result.totals.failed > 0


def test_refused_content_never_stops_a_run(database: Database, worlds: Worlds) -> None:
    database.execute(wide("w", 20))
    world = worlds(database, faults="filter@3-36")
    result = world.run(batch_size=1, profile_overlay=Overlay(concurrency=1))
    assert result.stopped is None
    assert result.totals.described + result.totals.failed == 20
    assert result.totals.failed >= 15  # twice each, where no connection broke in between
    assert world.stored(result).status == "complete"


def test_columns_that_are_too_long_never_stop_a_run(
    sqlite_database: Database, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_database.execute(wide("w", 20))
    world = worlds(sqlite_database)
    healthy, asked = KimiClient.chat, count(1)

    async def chat(self: KimiClient, ask: Ask, **options: Any) -> Reply:
        if next(asked) < 20:
            raise ContextError("too long", status=400)
        return await healthy(self, ask, **options)

    monkeypatch.setattr(KimiClient, "chat", chat)
    result = world.run(batch_size=1, profile_overlay=Overlay(concurrency=1))
    assert result.stopped is None
    assert result.totals.described + result.totals.failed == 20
    assert result.totals.described > 0


def test_a_missing_key_asks_nothing(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database)
    with pytest.raises(MissingKeyError):
        world.run(profile_api_key="")
    assert world.runs() == []
    assert world.sandbox.totals.requests == 0


def test_a_wrong_selection_is_an_error_and_leaves_no_run(
    database: Database, worlds: Worlds
) -> None:
    database.execute(*SHOP)
    world = worlds(database)
    with pytest.raises(SourceError, match="no table nope"):
        world.run(selection=Selection(tables=("nope",)))
    assert world.runs() == []
    assert world.scalar("SELECT count(*) FROM columns") == 0
    assert world.run().totals.described == 9


# A database that changes under a run


def test_a_table_dropped_during_the_run_costs_its_own_items(
    database: Database, worlds: Worlds
) -> None:
    names = [f"t{n:02}" for n in range(12)]
    database.execute(*(f"CREATE TABLE {name} (a INTEGER, b INTEGER)" for name in names))
    world = worlds(database)
    dropped: list[str] = []

    def drop(progress: Progress) -> None:
        if progress.done and not dropped:
            dropped.append("t11")
            database.execute("DROP TABLE t11")

    heard: list[Progress] = []

    def notify(progress: Progress) -> None:
        heard.append(replace(progress))
        drop(progress)

    result = world.run(notify=notify, batch_size=1, profile_overlay=Overlay(concurrency=1))
    assert dropped
    assert (heard[-1].done, heard[-1].failed) == (22, 2)
    assert result.stopped is None
    assert (result.totals.described, result.totals.failed) == (22, 2)
    assert result.totals.tables_described == 11
    for name, found in world.found(result).items():
        gone = name.removeprefix("public.").startswith("t11")
        assert found.status == ("failed" if gone else "described")
        if gone:
            assert "was dropped during the run" in (found.error or "")
    assert not any(name.startswith("t11") for name in world.asked())


def test_a_connection_lost_during_the_run(postgres: Database, worlds: Worlds) -> None:
    names = [f"t{n:02}" for n in range(8)]
    postgres.execute(*(f"CREATE TABLE {name} (a INTEGER, b INTEGER)" for name in names))
    world = worlds(postgres)
    killed: list[bool] = []

    def kill(progress: Progress) -> None:
        if progress.done and not killed:
            killed.append(True)
            postgres.execute(
                "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
                " WHERE application_name = 'amx-kimi' AND datname = current_database()"
            )

    result = world.run(notify=kill, batch_size=1, profile_overlay=Overlay(concurrency=1))
    assert killed
    assert (result.totals.described, result.totals.failed) == (16, 0)


def test_a_source_that_is_lost_stops_the_run_and_keeps_results(
    sqlite_database: Database, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"t{n:02}" for n in range(8)]
    sqlite_database.execute(*(f"CREATE TABLE {name} (a, b)" for name in names))
    world = worlds(sqlite_database)
    healthy = SqliteSource.profile

    def profile(self: SqliteSource, table: Any, columns: Any) -> Any:
        if table.table == "t05":
            raise SourceError("the disk is gone")
        return healthy(self, table, columns)

    monkeypatch.setattr(SqliteSource, "profile", profile)
    result = world.run(batch_size=3)
    assert result.stopped is not None
    assert "the disk is gone" in str(result.stopped)
    statuses = list(world.statuses(result).values())
    # Three columns a request, two a table: what is begun when t05 is lost was not sent.
    assert statuses.count("described") == 12
    assert statuses.count("pending") == 12


# Interrupted and resumed


def interrupt_at(done: int) -> Callable[[Progress], None]:
    def notify(progress: Progress) -> None:
        if progress.done >= done:
            signal.raise_signal(signal.SIGINT)

    return notify


@pytest.mark.parametrize("concurrency", [1, 4])
def test_interrupted_and_resumed(database: Database, worlds: Worlds, concurrency: int) -> None:
    database.execute(*SHOP, wide("w", 30))
    world = worlds(database)
    overlay = Overlay(concurrency=concurrency)
    result = world.run(notify=interrupt_at(6), batch_size=3, profile_overlay=overlay)
    assert result.interrupted
    assert world.stored(result).status == "interrupted"
    assert 6 <= result.totals.described < 39
    before = {n: f.suggestion for n, f in world.found(result).items() if f.suggestion}
    world.sandbox.reset()
    run = world.stored(result)
    job = job_of(run, world.job().profile)
    assert (job.batch_size, job.wanted) == (3, Wanted(alternatives=2))
    again = world.run(resume=run, job=job)
    assert (again.run, again.interrupted) == (result.run, False)
    assert (again.totals.described, again.totals.failed) == (39, 0)
    assert not set(world.asked()) & set(plain(before))
    after = world.found(again)
    assert before == {name: after[name].suggestion for name in before}
    assert len(world.runs()) == 1


@contextmanager
def inventory_that(crashes: Callable[[str], None]) -> Iterator[None]:
    """The first inventory calls this with the run's id, and is cut off."""

    async def crash(run: OpenRun) -> None:
        crashes(run.id)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("amx_kimi.annotate.run.take_inventory", crash)
        yield


def test_interrupted_before_the_inventory_was_whole(database: Database, worlds: Worlds) -> None:
    database.execute(*SHOP)
    world = worlds(database)
    with inventory_that(lambda _: None):
        result = world.run(all_columns=True, samples=False)
    assert result.interrupted
    run = world.stored(result)
    assert (run.status, run.inventoried) == ("interrupted", 0)
    assert world.sandbox.totals.requests == 0
    job = job_of(run, world.job().profile)
    assert job == world.job(all_columns=True, samples=False)
    again = world.run(resume=run, job=job)
    assert (again.run, again.totals.described) == (run.id, 9)


def test_a_half_written_inventory_is_taken_anew(database: Database, worlds: Worlds) -> None:
    database.execute(*SHOP)
    world = worlds(database)

    def crash(name: str) -> None:
        row = world.journal.read(lambda c: items.pending(c, name, 0, 1))
        assert row == []
        world.journal.write_now(items.add_items, name, [(table_item("gone"), "k", "pending")])

    with inventory_that(crash):
        result = world.run()
    run = world.stored(result)
    again = world.run(resume=run, job=job_of(run, world.job().profile))
    assert again.totals.described == again.totals.columns == 9
    assert plain(world.found(again)) == sorted(SHOP_ITEMS)


def test_interrupted_before_there_is_a_run(
    sqlite_database: Database, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database)

    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("amx_kimi.annotate.opening.open_source", interrupt)
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert world.runs() == []


def test_resuming_a_complete_run_asks_for_what_failed(database: Database, worlds: Worlds) -> None:
    database.execute("CREATE TABLE t (a INTEGER, b INTEGER)")
    world = worlds(database, faults="empty@1-")
    result = world.run()
    assert result.totals.failed == 2
    world.sandbox.set(faults="")
    run = world.stored(result)
    spent = result.totals
    again = world.run(resume=run, job=job_of(run, world.job().profile))
    assert (again.totals.described, again.totals.failed) == (2, 0)
    assert again.totals.requests == spent.requests + 1
    assert again.totals.cost == world.sandbox.totals.cost
    assert world.scalar("SELECT count(*) FROM columns WHERE error IS NOT NULL") == 0


def test_a_run_at_work_elsewhere_is_left_alone(
    sqlite_database: Database, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_database.execute("CREATE TABLE t (a, b)")
    world = worlds(sqlite_database)
    result = world.run()
    monkeypatch.setattr(os, "getpid", os.getppid)
    at_work = {"status": "running", "owner": owner.me()}
    monkeypatch.undo()
    world.journal.write_now(lambda c: c.execute(update(schema.runs).values(**at_work)))
    run = world.stored(result)
    with pytest.raises(JournalError, match="still running"):
        world.run(resume=run, job=job_of(run, world.job().profile))
    assert world.stored(result) == run


def test_a_run_is_not_resumed_against_another_database(
    sqlite_database: Database, worlds: Worlds
) -> None:
    sqlite_database.execute("CREATE TABLE t (a, b)")
    world = worlds(sqlite_database, faults="unauthorized@1")
    run = world.stored(world.run())
    other = Database(sqlite_database.url.replace("source", "other"), "sqlite")
    other.execute("CREATE TABLE t (a, b)")
    world.database = other
    job = job_of(run, world.job().profile)
    with pytest.raises(SourceError, match=f"{run.id} describes .*source.db, not .*other.db"):
        world.run(resume=run, job=job)
    assert world.sandbox.totals.requests == 1
    world.database = sqlite_database
    assert world.run(resume=run, job=job).totals.described == 2


def test_a_resumed_run_outlives_an_inventory_that_fails(
    sqlite_database: Database, worlds: Worlds
) -> None:
    sqlite_database.execute("CREATE TABLE t (a, b)")
    world = worlds(sqlite_database)
    with inventory_that(lambda _: None):
        run = world.stored(world.run())
    job = job_of(run, world.job().profile)
    sqlite_database.execute("DROP TABLE t")
    with pytest.raises(SourceError, match="no tables"):
        world.run(resume=run, job=job)
    assert world.stored(run.id).status == "stopped"
    sqlite_database.execute("CREATE TABLE t (a, b)")
    assert world.run(resume=run, job=job).totals.described == 2


def test_the_source_that_is_stored_opens_again(postgres: Database, worlds: Worlds) -> None:
    postgres.execute("CREATE TABLE t (a INTEGER)")
    secret = "s3cr3t-pa55"
    world = worlds(postgres)
    world.database = Database(
        postgres.url.replace("postgres:@", f"postgres:{secret}@"), "postgresql"
    )
    result = world.run()
    run = world.stored(result)
    for stored in (run.source, run.database, run.options):
        assert secret not in stored
        assert "***" not in stored
    world.database = Database(run.source, "postgresql")
    assert world.run().totals.reused == 1


# Dry runs


def test_a_dry_run_sends_and_leaves_nothing(database: Database, worlds: Worlds) -> None:
    database.execute(*SHOP, wide("w", 100))
    world = worlds(database)
    found = dry_run(world.spec(world.job()))
    assert world.sandbox.totals.requests == 0
    assert world.runs() == []
    for table in ("runs", "columns", "suggestions", "requests"):
        assert world.scalar(f"SELECT count(*) FROM {table}") == 0
    assert (found.columns, found.reused) == (109, 0)
    result = world.run(profile_overlay=Overlay(concurrency=1))
    assert found.requests == result.totals.requests
    assert found.prompt_tokens == pytest.approx(result.totals.prompt, rel=0.2)
    assert found.cost is not None
    assert found.cost > 0
    again = dry_run(world.spec(world.job()))
    assert (again.columns, again.reused, again.requests) == (109, 109, 0)
    assert again.cost == 0
    assert world.scalar("SELECT count(*) FROM runs") == 1


def test_a_dry_run_that_fails_leaves_nothing(database: Database, worlds: Worlds) -> None:
    world = worlds(database)
    with pytest.raises(SourceError, match="no tables"):
        dry_run(world.spec(world.job()))
    assert world.runs() == []


# The journal


def test_a_journal_that_fails_is_named(
    sqlite_database: Database, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database)

    def full(_: Connection, *__: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(answers, "save_suggestions", full)
    result = world.run()
    assert isinstance(result.stopped, JournalError)
    assert "disk is full" in str(result.stopped)
    assert world.stored(result).status == "stopped"
    assert set(world.statuses(result).values()) == {"pending"}


def test_a_target_is_stored_by_its_profile() -> None:
    assert Target("postgresql://u:p@h/d").stored("postgresql://u@h/d") == "postgresql://u@h/d"
    assert Target("postgresql://u:p@h/d", "erp").stored("postgresql://u@h/d") == "db-profile:erp"


def test_quota_is_the_endpoints_own_word(sqlite_database: Database, worlds: Worlds) -> None:
    sqlite_database.execute(*SHOP)
    world = worlds(sqlite_database, balance=0)
    result = world.run()
    assert isinstance(result.stopped, QuotaError)
    assert result.totals.cost == 0
    assert result.totals.described == 0
