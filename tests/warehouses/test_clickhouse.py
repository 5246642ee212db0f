"""ClickHouse's kind against ClickHouse itself (chdb), over its HTTP interface."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from sqlalchemy import event

from amx_kimi.databases.base import (
    Comment,
    Reading,
    RefusedError,
    Selection,
    Source,
    TableGoneError,
)
from amx_kimi.databases.opening import open_comments, open_source
from amx_kimi.errors import SourceError
from amx_kimi.types import Item
from tests.command import run

from .conftest import served

SHOP = (
    "CREATE TABLE orders (id UInt64, amt Decimal(10, 2) COMMENT 'written by people', "
    "st LowCardinality(Nullable(String)), n Nested(a Int32, b String), m Map(String, Int8), "
    "txt String MATERIALIZED toString(id), `we``ird ( %s \"'` Int8, `Größe` Float64, "
    "`select` Int8) ENGINE = MergeTree PARTITION BY st ORDER BY id SETTINGS allow_nullable_key = 1 "
    "COMMENT 'people''s'",
    "CREATE TABLE Orders (a Int8) ENGINE = Memory",
    "CREATE VIEW v AS SELECT id FROM orders",
    "CREATE MATERIALIZED VIEW mv ENGINE = MergeTree ORDER BY id AS SELECT id FROM orders",
    "INSERT INTO orders (id, amt, st) VALUES (1, 2.5, 'open'), (2, 3.5, 'open'), (3, 4.5, NULL)",
)


class Shop:
    """A database of this test's own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.name = f"t{secrets.token_hex(4)}"
        self.url = f"clickhouse://default@127.0.0.1:{port}/{self.name}"
        self._client = clickhouse_connect.get_client(host="127.0.0.1", port=port)
        self.execute(f"CREATE DATABASE {self.name}")
        self._client = clickhouse_connect.get_client(
            host="127.0.0.1", port=port, database=self.name
        )
        self.execute(*SHOP)

    def execute(self, *statements: str) -> None:
        for statement in statements:
            self._client.command(statement)

    def comments(self) -> dict[str, str]:
        """Of every table ("orders") and column ("orders.id"), without materialized views'."""
        query = (
            "SELECT concat(table, '.', name), comment FROM system.columns WHERE database = {d} AND "
            "NOT startsWith(table, '.') AND table <> 'mv' UNION ALL SELECT name, comment FROM "
            "system.tables WHERE database = {d} AND NOT startsWith(name, '.') AND name <> 'mv'"
        ).format(d=f"'{self.name}'")
        return dict(self._client.query(query).result_rows)


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    with served(["python", Path(__file__).with_name("clickhouse_server.py"), "{port}"]) as port:
        yield port


@pytest.fixture
def shop(port: int) -> Iterator[Shop]:
    made = Shop(port)
    yield made
    made.execute(f"DROP DATABASE {made.name}")


def inventory(url: str, selection: Selection | None = None) -> dict[str, Item]:
    source = open_source(url)
    try:
        return {
            item.name.partition(".")[2]: item for item in source.items(selection or Selection())
        }
    finally:
        source.close()


def test_described_written_checked_and_undone_from_an_amx_profile(
    shop: Shop, amx_database: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    amx_database(
        backend="clickhouse",
        host="127.0.0.1",
        port=shop.port,
        user="default",
        database=shop.name,
        secure=False,
        verify=True,
    )
    before = shop.comments()
    run("run")
    run("apply", "last", "--unreviewed", "--yes", code=1)
    told = capsys.readouterr()
    assert "mv: the database stores another text (id)" in told.err
    written = shop.comments()
    assert all(written.values())
    assert written["orders.amt"] == "written by people"
    assert written["orders"] == "people's"
    run("check", "--table", "orders")
    run("apply", "last", "--undo", "--yes", code=0)
    assert shop.comments() == before


@pytest.mark.usefixtures("profile")
def test_only_what_is_new_is_asked_again(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    run("run", shop.url, "--table", "orders")
    shop.execute("ALTER TABLE orders ADD COLUMN fresh Int8")
    capsys.readouterr()
    run("run", shop.url, "--table", "orders", "--only-changed", "--dry-run")
    assert "orders.fresh" in capsys.readouterr().err


def test_the_inventory(shop: Shop) -> None:
    items = inventory(shop.url)
    tables = {name: item for name, item in items.items() if not item.column}
    assert list(tables) == ["Orders", "mv", "orders", "v"]
    assert [tables[name].kind for name in tables] == ["table", "view", "table", "view"]
    assert tables["orders"].rows == 3
    assert tables["orders"].comment == "people's"
    assert tables["orders"].details == {"sorted_by": "id", "partitioned_by": "st"}
    assert "SELECT id FROM" in tables["v"].definition
    assert items["orders.st"].nullable
    assert not items["orders.id"].nullable
    assert items["orders.n.a"].type == "Array(Int32)"
    assert items["orders.txt"].details["generated"] == "toString(id)"
    assert {"orders.we`ird ( %s \"'", "orders.Größe", "orders.select"} <= set(items)


def test_without_a_database_all_but_the_systems_are_read(shop: Shop) -> None:
    source = open_source(shop.url.rpartition("/")[0])
    assert shop.name in source.schemas()
    assert not {"system", "information_schema", "INFORMATION_SCHEMA"} & set(source.schemas())
    source.close()


def statements(source: Source) -> int:
    """How many statements an inventory takes."""
    count = 0
    engine: Any = source._engine  # type: ignore[attr-defined]

    def one_more(*_: object) -> None:
        nonlocal count
        count += 1

    event.listen(engine, "before_cursor_execute", one_more)
    list(source.items(Selection()))
    return count


def test_the_number_of_statements_does_not_depend_on_the_tables(shop: Shop) -> None:
    few = open_source(shop.url)
    number = statements(few)
    few.close()
    for name in range(30):
        shop.execute(f"CREATE TABLE t{name} (a Int8) ENGINE = Memory")
    many = open_source(shop.url)
    assert statements(many) == number <= 12
    many.close()


def test_rows_are_read_only_when_allowed(shop: Shop) -> None:
    table = inventory(shop.url)["orders"]
    source = open_source(shop.url)
    assert not any(facts.values for facts in source.profile(table, ["st", "amt"]).values())
    source.close()
    source = open_source(shop.url, Reading(data=True))
    weird = "we`ird ( %s \"'"
    facts = source.profile(table, ["st", "n.a", "m", weird])
    assert facts["st"].values == (("open", 2),)
    assert facts[weird].values == (("0", 3),)
    shop.execute("DROP VIEW v", "DROP VIEW mv", "DROP TABLE orders SYNC")
    with pytest.raises(TableGoneError):
        source.profile(table, ["st"])
    source.close()


@pytest.mark.parametrize(
    "text",
    ["it's", "a\\b", "100 % %s", "zwei\nZeilen", "„Größe“", "';--", "漢字 😀", ":x {y:Int8}"],
)
def test_texts_arrive_as_they_are(shop: Shop, text: str) -> None:
    database = open_comments(shop.url)
    for column in ("", "id", "we`ird ( %s \"'"):
        before = "people's" if not column else None
        assert database.write(shop.name, "orders", [Comment(column, before, text)]) == []
        present = database.read([(shop.name, "orders")])[shop.name, "orders"]
        assert present.comments[column] == text
        assert database.write(shop.name, "orders", [Comment(column, text, before)]) == []
    database.close()


def test_what_somebody_writes_meanwhile_and_what_is_refused_stay(shop: Shop) -> None:
    database = open_comments(shop.url)
    wanted = [Comment("id", None, "Number."), Comment("amt", "another", "Amount.")]
    assert database.write(shop.name, "orders", wanted) == [wanted[1]]
    assert shop.comments()["orders.id"] == "Number."
    assert set(database.read([(shop.name, "Orders")])) == {(shop.name, "Orders")}
    database.close()
    database = open_comments(shop.url.replace("default@", "no_right@"))
    with pytest.raises(RefusedError, match="Not enough privileges"):
        database.write(shop.name, "orders", [Comment("st", None, "State.")])
    database.close()


def test_urls_of_other_clients(shop: Shop) -> None:
    other = shop.url.replace("clickhouse:", "clickhouse+http:")
    database, source = open_comments(shop.url), open_source(other)
    assert database.identity == source.identity == f"clickhouse://127.0.0.1:{shop.port}/{shop.name}"
    database.close()
    source.close()


def test_no_server_there() -> None:
    with pytest.raises(SourceError, match="cannot be opened") as caught:
        open_source("clickhouse://u:hunter2secret@127.0.0.1:1/x")
    assert "hunter2secret" not in str(caught.value)
    assert "8123" in caught.value.remedy
