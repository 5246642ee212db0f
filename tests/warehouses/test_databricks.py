"""Databricks' kind: the vendor's connector, over HTTPS, against a real Spark.

Spark runs every statement. What only Databricks has is replayed from its documents: tags, keys and
materialized views in `information_schema`, SHOW STATISTICS, and refusals.
"""

from __future__ import annotations

import gc
import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from amx_kimi.databases.base import (
    Comment,
    Comments,
    Reading,
    RefusedError,
    Selection,
    Source,
    TableGoneError,
)
from amx_kimi.databases.databricks.source import facts_of
from amx_kimi.databases.dialect import Place, statement
from amx_kimi.databases.opening import cost_of, dialect_of, open_comments, open_source
from amx_kimi.errors import SourceError
from amx_kimi.types import Item
from tests.command import run
from tests.warehouses.databricks_server import (
    CLIENT,
    CLIENT_SECRET,
    TOKEN,
    WAREHOUSE,
    Warehouse,
    started,
)

ODD = "sel`ect %(a)s:b?'ü"
SALES = (
    "CREATE TABLE {}.orders (id INT COMMENT 'it''s', `" + ODD.replace("`", "``") + "` STRING,"
    " MixedCase STRUCT<a: INT>, `select` DECIMAL(10,2) COMMENT 'by people') COMMENT 'Bestellungen'",
    "CREATE VIEW {}.`order` (nr COMMENT 'number', a) AS SELECT id, MixedCase.a FROM {}.orders",
)


# The connector leaves the sockets of a refused login to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*SSLSocket")


@pytest.fixture(scope="module")
def spark() -> Iterator[Warehouse]:
    with started() as warehouse:
        yield warehouse
    gc.collect()


@pytest.fixture
def warehouse(spark: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    for name in ("TOKEN", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"DATABRICKS_{name}", raising=False)
    spark.reset()
    return spark


class Sales:
    """A schema of this test's own."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.name = f"t{secrets.token_hex(4)}"
        warehouse.sql(f"CREATE SCHEMA {self.name}")
        warehouse.sql(*(create.replace("{}", self.name) for create in SALES))

    @property
    def url(self) -> str:
        return f"{self.warehouse.url}&schema={self.name}"

    def comments(self) -> dict[str, str | None]:
        """Every comment of the schema, by name."""
        place = f"information_schema.{{}} WHERE table_schema = '{self.name}'"
        tables = f"SELECT table_name, comment FROM {place.format('tables')}"
        columns = f"SELECT table_name || '.' || column_name, comment FROM {place.format('columns')}"
        return {str(name): text for name, text in self.warehouse.sql(f"{tables} UNION {columns}")}


@pytest.fixture
def sales(warehouse: Warehouse) -> Iterator[Sales]:
    made = Sales(warehouse)
    yield made
    warehouse.sql(f"DROP SCHEMA {made.name} CASCADE")


def reading(url: str, **options: Any) -> Source:
    return open_source(url, Reading(agreed=True, **options))


def writing(url: str) -> Comments:
    return open_comments(url, agreed=True)


def inventory(url: str, selection: Selection | None = None) -> tuple[dict[str, Item], list[str]]:
    source = reading(url)
    items = {item.name.partition(".")[2]: item for item in source.items(selection or Selection())}
    source.close()
    return items, source.notes


@pytest.mark.usefixtures("profile")
def test_described_written_checked_and_undone_from_an_amx_profile(
    sales: Sales, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    url = make_url(sales.url)
    config = yaml.safe_load((home / "config.yml").read_text())
    config["db_profiles"] = {
        "lake": {
            "backend": "databricks",
            "host": f"https://{url.host}/",
            "port": url.port,
            "access_token": TOKEN,
            "http_path": WAREHOUSE,
            "catalog": "spark_catalog",
            "database": sales.name,
            "tls_trusted_ca_file": url.query["tls_trusted_ca_file"],
            "tls_no_verify": False,
        }
    }
    config["active_db_profile"] = "lake"
    (home / "config.yml").write_text(yaml.safe_dump(config))
    before = sales.comments()
    run("run", "--db-profile", "lake", code=2)
    told = capfd.readouterr().err
    assert "SQL warehouse abc123 of localhost" in told
    assert "bills the time" in told
    assert sales.warehouse.statements == []
    run("run", "--db-profile", "lake", "--yes")
    run("show", "last")
    sales.warehouse.statements.clear()
    run("apply", "last", "--unreviewed", code=2)
    assert "SQL warehouse abc123" in capfd.readouterr().err
    assert sales.warehouse.statements == []
    run("apply", "last", "--unreviewed", "--yes")
    written = sales.comments()
    assert all(written.values())
    kept = ("orders", "orders.id", "orders.select", "order.nr")
    assert [written[name] for name in kept] == [before[name] for name in kept]
    run("check", sales.url, "--yes")
    run("run", "--db-profile", "lake", "--yes", "--only-changed")
    run("apply", "last", "--undo", "--yes")
    assert {name: text or None for name, text in sales.comments().items()} == before
    streams = capfd.readouterr()
    assert TOKEN not in streams.out + streams.err


@pytest.mark.usefixtures("profile")
def test_described_from_a_url_with_masked_values(
    sales: Sales, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    sales.warehouse.sql(f"INSERT INTO {sales.name}.orders SELECT 7, 'eva@example.org', NULL, 2.5")
    url = sales.url.replace(f":{TOKEN}@", "@")
    run("payload", url, "--table", "orders", "--profile-data", "--yes")
    sent = capfd.readouterr().out
    assert "eva@example.org" not in sent
    assert "Bestellungen" in sent
    assert json.dumps(ODD, ensure_ascii=False)[1:-1] in sent
    run("run", url, "--yes", "--table", "orders")
    sales.warehouse.statements.clear()
    run("apply", "last", "--unreviewed", "--dry-run", "--yes")
    assert not any(sql.startswith("COMMENT") for sql in sales.warehouse.statements)
    run("apply", "last", "--unreviewed", "--yes")
    assert sales.comments()["orders.MixedCase"]
    assert sales.comments()["orders.select"] == "by people"


KEYS: dict[str, list[dict[str, Any]]] = {
    "table_constraints": [
        {"constraint_schema": "S", "constraint_name": name, "table_schema": "S", "table_name": of}
        | {"constraint_type": type_}
        for name, of, type_ in (
            ("pk", "orders", "PRIMARY KEY"),
            ("fk", "lines", "FOREIGN KEY"),
            ("fk1", "lines", "FOREIGN KEY"),
            ("pl", "lines", "PRIMARY KEY"),
        )
    ],
    "key_column_usage": [
        {"constraint_catalog": "c", "constraint_schema": "S", "constraint_name": name}
        | {"table_schema": "S", "table_name": of, "column_name": column}
        | {"ordinal_position": number, "position_in_unique_constraint": parent}
        for name, of, column, number, parent in (
            ("pk", "orders", "id", 1, None),
            ("pl", "lines", "order_id", 1, None),
            ("pl", "lines", "line", 2, None),
            ("fk", "lines", "order_id", 1, 2),
            ("fk", "lines", "line", 2, 1),
            ("fk1", "lines", "other", 1, 1),
        )
    ],
    "referential_constraints": [
        {"constraint_schema": "S", "constraint_name": name, "unique_constraint_catalog": "c"}
        | {"unique_constraint_schema": "S", "unique_constraint_name": parent}
        for name, parent in (("fk", "pl"), ("fk1", "pk"))
    ],
    "tables": [
        {"table_schema": "S", "table_name": name, "table_type": type_}
        for name, type_ in (
            ("lines", "STREAMING_TABLE"),
            ("daily", "MATERIALIZED_VIEW"),
            ("pg", "FOREIGN"),
        )
    ],
    "columns": [
        {
            "table_schema": "S",
            "table_name": table,
            "column_name": column,
            "ordinal_position": number,
        }
        | {"is_nullable": "NO" if column == "line" else "YES", "full_data_type": "bigint"}
        for table, column, number in (
            ("lines", "line", 1),
            ("lines", "order_id", 0),
            ("lines", "other", 2),
            ("daily", "d", 0),
        )
    ],
    "views": [{"table_schema": "S", "table_name": "daily", "view_definition": "x" * 5_000}],
    "table_tags": [
        {"schema_name": "S", "table_name": "orders", "tag_name": "owner", "tag_value": "sales"},
        {"schema_name": "S", "table_name": "orders", "tag_name": "gold", "tag_value": ""},
    ],
    "column_tags": [
        {"schema_name": "S", "table_name": "orders", "column_name": "id", "tag_name": "class"}
        | {"tag_value": "internal"}
    ],
}


def in_schema(name: str) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = json.loads(
        json.dumps(KEYS).replace('"S"', json.dumps(name))
    )
    return told


def test_the_inventory_tells_keys_tags_views_and_every_column(sales: Sales) -> None:
    """Spark's tables, and rows of `information_schema` as Databricks documents them."""
    sales.warehouse.put(in_schema(sales.name))
    items, notes = inventory(sales.url)
    assert notes == []
    assert [name for name, item in items.items() if not item.column] == [
        *("daily", "lines", "order", "orders", "pg"),
    ]
    assert (items["order"].kind, items["order"].comment) == ("view", "")
    assert items["order"].definition.startswith("SELECT id")
    assert (items["daily"].kind, len(items["daily"].definition)) == ("view", 4_000)
    assert items["daily"].details == {"storage": "materialized view"}
    assert items["pg"].details == {"storage": "foreign table"}
    assert items["orders"].details == {"tags": ["gold", "owner: sales"]}
    assert items["orders.id"].details == {"tags": ["class: internal"]}
    assert (items["orders.id"].key_role, items["orders.id"].comment) == ("pk", "it's")
    assert items["orders.MixedCase"].type == "struct<a:int>"
    assert items[f"orders.{ODD}"].position == 2
    assert not items["lines.line"].nullable
    assert (items["lines.other"].key_role, items["lines.other"].fk) == (
        "fk",
        f"{sales.name}.orders.id",
    )
    assert items["lines"].details["keys"] == [
        "primary (order_id, line)",
        f"foreign (order_id, line) -> {sales.name}.lines (line, order_id)",
    ]
    assert [item.column for item in items.values() if item.table == "lines"] == [
        *("", "order_id", "line", "other"),
    ]


def test_the_number_of_statements_is_that_of_a_small_catalog(sales: Sales) -> None:
    few, _ = inventory(sales.url)
    statements = len(sales.warehouse.statements)
    assert statements <= 12
    sales.warehouse.put(
        {
            "tables": [
                {"table_schema": sales.name, "table_name": f"n{n}", "table_type": "MANAGED"}
                for n in range(500)
            ]
        }
    )
    sales.warehouse.statements.clear()
    many, _ = inventory(sales.url)
    assert len(many) == len(few) + 500
    assert len(sales.warehouse.statements) == statements
    tables = [(sales.name, f"n{n}") for n in range(500)]
    comments = writing(sales.url)
    assert len(comments.read(tables)) == 500  # more names than a statement may have parameters
    comments.close()


def test_the_whole_catalog_and_a_selection_of_it(sales: Sales) -> None:
    url = sales.warehouse.url
    source = reading(url)
    assert sales.name in source.schemas()
    assert "information_schema" not in source.schemas()
    assert (sales.name, "orders") in source.tables()
    assert source.identity == f"databricks://localhost:{sales.warehouse.port}/spark_catalog"
    assert TOKEN not in source.reopen
    source.close()
    assert sales.warehouse.sessions[0]["QUERY_TAGS"] == "application:amx-kimi"
    assert "amx-kimi" in sales.warehouse.agents[0]
    only, _ = inventory(url, Selection((sales.name,), ("orders",)))
    assert [item.table for item in only.values()] == ["orders"] * 5


def test_what_may_not_be_seen_is_a_note(sales: Sales) -> None:
    words = "[INSUFFICIENT_PERMISSIONS] Insufficient privileges. SQLSTATE: 42501"
    sales.warehouse.refused = {"table_tags": words, "key_column_usage": words}
    items, notes = inventory(sales.url)
    assert "orders.id" in items
    assert [note.partition(" ")[0] for note in notes] == ["Tags", "Keys"]
    sales.warehouse.refused = {r"schema\.columns": words}
    with pytest.raises(SourceError, match=r"cannot be read: \[INSUFFICIENT_PERM") as caught:
        inventory(sales.url)
    assert "USE CATALOG" in caught.value.remedy


STATISTICS = {  # the shape of Databricks' "SHOW STATISTICS", 2026
    "table_name": "orders",
    "statistics": {
        "size_in_bytes": 2048,
        "num_rows": 100,
        "column_statistics": {
            "id": {"min": "1", "max": "99", "num_nulls": 0, "distinct_count": 98},
            ODD: {"min": None, "max": None, "num_nulls": 3, "distinct_count": 2},
        },
    },
}


def test_statistics_come_from_the_catalog_and_rows_only_when_allowed(sales: Sales) -> None:
    table = inventory(sales.url)[0]["orders"]
    sales.warehouse.sql(f"INSERT INTO {sales.name}.orders SELECT 7, 'b', NULL, 2.5")
    sales.warehouse.replayed = {"^SHOW STATISTICS": [[json.dumps(STATISTICS)]]}
    sales.warehouse.statements.clear()
    source = reading(sales.url)
    facts = source.profile(table, ["id", "select", ODD])
    assert (facts["id"].least, facts["id"].greatest, facts["id"].distinct) == ("1", "99", 98)
    assert facts[ODD].nulls == 3
    assert "select" not in facts
    assert len(sales.warehouse.statements) == 1
    source.close()
    sales.warehouse.replayed = {}  # as a runtime that does not know the statement: Spark's words
    source = reading(sales.url, data=True)
    facts = source.profile(table, ["select", ODD])
    assert (facts["select"].values, facts[ODD].values) == ((("2.50", 1),), (("b", 1),))
    assert source.notes == [
        "Statistics are unknown: they need Databricks SQL, or Runtime 18.3 or later"
    ]
    sales.warehouse.sql(f"DROP VIEW {sales.name}.`order`", f"DROP TABLE {sales.name}.orders")
    with pytest.raises(TableGoneError):
        source.profile(table, ["id"])
    source.close()


def test_statistics_that_are_refused_do_not_end_the_run(sales: Sales) -> None:
    table = inventory(sales.url)[0]["orders"]
    sales.warehouse.refused = {"^SHOW STATISTICS": "[INSUFFICIENT_PERMISSIONS] No SELECT."}
    source = reading(sales.url)
    assert source.profile(table, ["id"]) == {}
    assert "without statistics: [INSUFFICIENT_PERMISSIONS]" in source.notes[0]
    source.close()


TEXTS = [
    "it's",
    'a\\b "c"',
    "100 % $x ${env:HOME} ${y}",
    "zwei\nZeilen\ttab\r",
    "„漢字“ 😀",
    "';--",
]


def test_texts_arrive_as_they_are_and_none_removes_them(sales: Sales) -> None:
    database = writing(sales.url)
    for table, column in (("orders", ODD), ("order", "a")):
        before: list[str | None] = [None, None]
        for text in [*TEXTS, None]:
            wanted = [Comment("", before[0], text), Comment(column, before[1], text)]
            if table == "orders":
                wanted = wanted[1:]
            assert database.write(sales.name, table, wanted) == []
            before = [text, text]
        assert not sales.comments()[f"{table}.{column}"]
    assert sales.comments()["orders"] == "Bestellungen"
    database.close()


def test_what_somebody_writes_meanwhile_is_kept(sales: Sales) -> None:
    database = writing(sales.url)
    wanted = [Comment("id", "it's", "Number."), Comment("select", "another", "Price.")]
    assert database.write(sales.name, "orders", wanted) == [wanted[1]]
    assert sales.comments()["orders.select"] == "by people"
    assert sales.comments()["orders.id"] == "Number."
    assert set(database.read([(sales.name, "orders"), (sales.name, "gone")])) == {
        (sales.name, "orders")
    }
    database.close()


def test_what_is_refused_is_named_and_the_rest_written(sales: Sales) -> None:
    sales.warehouse.refused = {
        r"^COMMENT ON COLUMN .*`id`": "[INSUFFICIENT_PERMISSIONS] User does not have MODIFY."
    }
    database = writing(sales.url)
    wanted = [Comment("id", "it's", "Number."), Comment("MixedCase", None, "A struct.")]
    with pytest.raises(RefusedError, match=r"does not have MODIFY.*\(id\)") as caught:
        database.write(sales.name, "orders", wanted)
    assert list(caught.value.columns) == ["id"]
    assert sales.comments()["orders.MixedCase"] == "A struct."
    sales.warehouse.http = (401, "Token is expired.")
    with pytest.raises(SourceError, match="connection was lost"):
        database.write(sales.name, "orders", [Comment("id", "it's", "Number.")])
    database.close()


def test_a_url_without_a_catalog_lists_them(warehouse: Warehouse) -> None:
    url = warehouse.url.replace("&catalog=spark_catalog", "")
    for opened in (reading, writing):
        with pytest.raises(SourceError, match="names no catalog") as caught:
            opened(url)
        assert "--catalog NAME for one of: spark_catalog." in caught.value.remedy


@pytest.mark.parametrize(
    ("change", "words", "remedy"),
    [
        ((TOKEN, "dapi-wrong-0123456789"), "Invalid access token", "Make a new personal"),
        (("abc123", "gone"), "No SQL warehouses found", "Check http_path"),
        (("&catalog=spark_catalog", "&catalog=hive_metastore"), "legacy metastore", "--catalog"),
        (("&catalog=spark_catalog", "&catalog=system"), "all catalogs", "--catalog"),
        (("&catalog=spark_catalog", "&catlog=x"), "no option 'catlog'", "http_path, catalog"),
        ((f"http_path={WAREHOUSE}&", ""), "no SQL warehouse", "http_path="),
        ((f":{TOKEN}@", "@"), "needs a token", "DATABRICKS_TOKEN"),
        (("@localhost:", "@127.0.0.1:"), "certificate is not valid", "tls_trusted_ca_file"),
    ],
)
def test_what_is_wrong_with_a_url_is_said(
    warehouse: Warehouse,
    change: tuple[str, str],
    words: str,
    remedy: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    began = time.monotonic()
    with pytest.raises(SourceError, match=words) as caught:
        reading(warehouse.url.replace(*change))
    assert remedy in caught.value.remedy
    assert TOKEN not in str(caught.value)
    assert "dapi-wrong" not in str(caught.value)
    assert capfd.readouterr().err == ""
    assert time.monotonic() - began < 60
    assert warehouse.statements == []


def test_refusals_of_a_network_or_a_warehouse(warehouse: Warehouse) -> None:
    for words, remedy in (
        (
            "Source IP address: 10.0.0.1 is blocked by Databricks IP ACL for workspace: 1",
            "access lists",
        ),
        ("PERMISSION_DENIED: You do not have permission to use the SQL Warehouse.", "CAN USE"),
    ):
        warehouse.http = (403, words)
        with pytest.raises(SourceError, match=words[:30]) as caught:
            reading(warehouse.url)
        assert remedy in caught.value.remedy


def test_a_host_that_is_not_there_is_said_at_once(warehouse: Warehouse) -> None:
    url = make_url(warehouse.url).set(port=1)
    began = time.monotonic()
    with pytest.raises(SourceError, match="localhost:1 cannot be reached"):
        reading(url.render_as_string(hide_password=False))
    assert time.monotonic() - began < 12


def test_a_service_principal_logs_in(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    url = warehouse.url.replace(f":{TOKEN}@", "@") + f"&client_id={CLIENT}"
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", CLIENT_SECRET)
    source = reading(url)
    assert source.schemas()
    source.close()
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "wrong-secret-0123")
    with pytest.raises(SourceError, match=r"does not let .* in: Client auth failed") as caught:
        reading(url)
    assert "wrong-secret" not in str(caught.value)
    source = reading(f"{url}&client_secret={CLIENT_SECRET}")
    assert CLIENT_SECRET not in source.reopen
    source.close()


def test_nothing_is_sent_before_somebody_agreed() -> None:
    url = f"databricks://token:{TOKEN}@127.0.0.1:1/s?http_path={WAREHOUSE}&catalog=main"
    for opened in (open_source, open_comments):
        with pytest.raises(SourceError, match=r"SQL warehouse abc123 of 127\.0") as caught:
            opened(url)
        assert "--yes" in caught.value.remedy
        assert TOKEN not in str(caught.value)
    assert "rows of its tables" in cost_of(url, Reading(data=True))
    cluster = url.replace(WAREHOUSE, "sql/protocolv1/o/77/0101-x")
    assert "the cluster 0101-x" in cost_of(cluster, Reading())
    assert cost_of("postgresql://h/d", Reading(), comments=True) == ""


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0$"), min_size=1, max_size=20)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(NAMES, NAMES, NAMES, WORDS, st.sampled_from(["table", "view", "materialized view"]))
def test_statements_mean_the_same_names_and_text_to_sqlglot(
    schema: str, table: str, column: str, text: str, kind: str
) -> None:
    """Of any name that Unity Catalog may store, whatever characters it has."""
    for place in (Place(schema, table, "", kind), Place(schema, table, column, kind)):
        sql = statement(dialect_of("databricks"), place, text)
        assert "${" not in sql
        parsed = sqlglot.parse(sql.removesuffix(";"), dialect="databricks")
        assert len(parsed) == 1
        names = (
            [one.this for one in parsed[0].find_all(sqlglot.exp.Identifier)] if parsed[0] else []
        )
        assert sorted(names) == sorted(filter(None, (schema, table, place.column)))


def test_odd_table_names_are_what_sparks_own_parser_reads(warehouse: Warehouse) -> None:
    """Spark's own catalog has no such table names, Unity Catalog has: parsed, not run."""
    place = Place("s-1", "t`a'b%:?ü", "c`.d", "view")
    plan = warehouse.parse(statement(dialect_of("databricks"), place, "it's").removesuffix(";"))
    assert "unresolvedfieldname(`c``.d`)" in plan or "unresolvedfieldname(c`.d)" in plan
    assert "[s-1, t`a'b%:?ü]" in plan
    assert "Some(it's)" in plan


def test_statistics_without_columns() -> None:
    assert facts_of('{"statistics": {"num_rows": 1}}') == {}
    assert facts_of("{}") == {}
