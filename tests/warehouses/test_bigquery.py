"""BigQuery's kind at an emulator: read, described, written and undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from google.cloud import bigquery
from google.cloud.bigquery import SchemaField

from amx_kimi.databases.base import Comment, Reading, Selection, TableGoneError
from amx_kimi.databases.bigquery.resources import comments_of
from amx_kimi.databases.opening import open_comments, open_source
from tests.command import run
from tests.warehouses.bigquery_server import (
    PROJECT,
    Replay,
    client_of,
    emulator,
    inventory,
    key_file,
    without_descriptions,
)

MAIL = "anna.schmidt@kunden-example.de"


@pytest.fixture(scope="session")
def bigquery_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulator(tmp_path_factory.mktemp("bigquery")) as address:
        yield address


@pytest.fixture
def shop(bigquery_address: str) -> Iterator[bigquery.Client]:
    """A project with one dataset, `sales`, for this test alone."""
    client = client_of(bigquery_address)
    client.create_dataset("sales")
    address = SchemaField("addr", "RECORD", "REPEATED", fields=[SchemaField("zip", "STRING")])
    orders = bigquery.Table(
        f"{PROJECT}.sales.orders",
        [
            SchemaField("id", "INTEGER", "REQUIRED", description="it's \\ the number"),
            SchemaField("Größe %:?", "STRING"),
            SchemaField("cust", "RECORD", fields=[SchemaField("mail", "STRING"), address]),
            SchemaField("tags", "STRING", "REPEATED", description="written by people"),
            SchemaField("at", "TIMESTAMP"),
            SchemaField("preis", "NUMERIC"),
            SchemaField("eig", "JSON"),
            SchemaField("select", "BYTES"),
        ],
    )
    orders.time_partitioning = bigquery.TimePartitioning(field="at")
    orders.clustering_fields = ["id"]
    client.create_table(orders)
    for name in ("select", "events_20240101", "events_20240102", "events_intraday_20240103"):
        client.create_table(bigquery.Table(f"{PROJECT}.sales.{name}", [SchemaField("a", "STRING")]))
    client.query("CREATE VIEW sales.v AS SELECT id FROM sales.orders").result()
    row = {
        "id": 1,
        "Größe %:?": "XL",
        "cust": {"mail": MAIL, "addr": [{"zip": "10115"}, {"zip": "20095"}]},
        "tags": ["neu", "alt"],
        "at": "2024-01-01T00:00:00Z",
        "preis": "1.5",
        "eig": '{"farbe": 1}',
    }
    assert client.insert_rows_json(f"{PROJECT}.sales.orders", [row]) == []
    yield client
    client.delete_dataset("sales", delete_contents=True)
    client.close()


@pytest.fixture
def replay() -> Iterator[Replay]:
    server = Replay()
    yield server
    server.close()


def dump(client: bigquery.Client) -> dict[str, Any]:
    """All of the tables but what every change changes."""
    found = {}
    for listed in client.list_tables("sales"):
        resource = client.get_table(listed).to_api_repr()
        found[listed.table_id] = {
            key: value for key, value in resource.items() if key not in ("etag", "lastModifiedTime")
        }
    return found


@pytest.mark.usefixtures("profile")
def test_described_written_checked_and_undone_from_an_amx_profile(
    shop: bigquery.Client,
    bigquery_address: str,
    replay: Replay,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery_address)  # of Google's own client
    config = yaml.safe_load((home / "config.yml").read_text())
    config["db_profiles"] = {
        "wh": {
            "backend": "bigquery",
            "port": 5432,
            "project": PROJECT,
            "dataset": "sales",
            "credentials_path": str(key_file(tmp_path, replay.address)),
            "location": "EU",
        }
    }
    (home / "config.yml").write_text(yaml.safe_dump(config))
    before = dump(shop)
    run("run", "--db-profile", "wh", "--yes", "--profile-data")
    assert set(replay.scopes) == {"https://www.googleapis.com/auth/bigquery.readonly"}
    run("review", "last", "--accept", "low")
    run("apply", "last", "--yes")
    told = capsys.readouterr()
    assert "which is not billed" in told.err
    assert "sales.events_* is 2 tables" in told.err
    after = dump(shop)
    assert (
        comments_of(after["orders"]).items()
        >= {
            "id": "it's \\ the number",
            "tags": "written by people",
        }.items()
    )
    for name in ("orders", "select", "events_20240102", "events_intraday_20240103", "v"):
        assert all(comments_of(after[name]).values())
    assert after["events_20240101"] == before["events_20240101"]
    assert {n: without_descriptions(t) for n, t in after.items()} == {
        n: without_descriptions(t) for n, t in before.items()
    }
    run("check", "--db-profile", "wh", "--min-coverage", "100")
    capsys.readouterr()
    run("run", "--db-profile", "wh", "--yes", "--only-changed")
    told = capsys.readouterr()
    assert "sales" not in told.out
    run("apply", "last", "--undo", "--yes", "--db-profile", "wh")
    assert dump(shop) == before


@pytest.mark.usefixtures("profile", "shop")
def test_what_is_sent_is_masked_and_a_sql_file_skips_nested_fields(
    bigquery_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"bigquery://{PROJECT}/sales?api_endpoint={bigquery_address}"
    run("payload", url, "--profile-data", "--table", "orders")
    sent = capsys.readouterr().out
    assert "cust.addr.zip" in sent
    assert MAIL not in sent
    run("run", url, "--yes")
    file = tmp_path / "comments.sql"
    run("apply", "last", "--unreviewed", "--sql", str(file), "--dialect", "bigquery")
    lines = file.read_text().splitlines()
    nested = [line for line in lines if "`cust.addr.zip`" in line]
    assert [line[:2] for line in nested] == ["--"]
    for line in lines:
        if line and not line.startswith("--"):
            sqlglot.parse_one(line.removesuffix(";"), dialect="bigquery")


@pytest.mark.usefixtures("shop")
def test_the_inventory_has_nested_fields_and_folds_shards(bigquery_address: str) -> None:
    items = inventory(f"bigquery://{PROJECT}?api_endpoint={bigquery_address}")
    tables = [name for name, item in items.items() if not item.column]
    assert sorted(tables) == ["events_*", "events_intraday_20240103", "orders", "select", "v"]
    assert items["events_*"].details == {"partitions": 2}
    assert items["orders"].details == {"partitioned_by": "at (DAY)", "clustered_by": ["id"]}
    assert items["v"].kind == "view"
    types = {item.column: item.type for name, item in items.items() if name.startswith("orders.")}
    assert types == {
        "id": "INT64",
        "Größe %:?": "STRING",
        "cust": "STRUCT<…>",
        "cust.mail": "STRING",
        "cust.addr": "ARRAY<STRUCT<…>>",
        "cust.addr.zip": "STRING",
        "tags": "ARRAY<STRING>",
        "at": "TIMESTAMP",
        "preis": "NUMERIC",
        "eig": "JSON",
        "select": "BYTES",
    }
    assert not items["orders.id"].nullable
    one = inventory(
        f"bigquery://{PROJECT}?api_endpoint={bigquery_address}", Selection(("sales",), ("select",))
    )
    assert list(one) == ["select", "select.a"]


def test_rows_are_read_only_when_allowed(shop: bigquery.Client, bigquery_address: str) -> None:
    url = f"bigquery://{PROJECT}/sales?api_endpoint={bigquery_address}"
    items = inventory(url)
    columns = [item.column for name, item in items.items() if name.startswith("orders.")]
    source = open_source(url)
    assert source.profile(items["orders"], columns) == {}
    source.close()
    source = open_source(url, Reading(data=True))
    facts = source.profile(items["orders"], columns)
    assert facts["Größe %:?"].values == (("XL", 1),)
    assert (facts["preis"].distinct, facts["preis"].nulls) == (1, 0)
    assert dict(facts["cust.addr.zip"].values) == {"10115": 1, "20095": 1}
    assert facts["cust.addr.zip"].nulls is None  # a row has several
    assert facts["eig"].keys == (("farbe", 1),)
    assert not {"cust", "cust.addr", "select"} & set(facts)
    assert source.profile(items["v"], ["id"]) == {}
    shop.delete_table("sales.orders")
    with pytest.raises(TableGoneError):
        source.profile(items["orders"], ["id"])
    source.close()


@pytest.mark.parametrize(
    "text", ["it's", "a\\b", '"', "100 %", "zwei\nZeilen", "漢字", "😀", "';--"]
)
def test_texts_arrive_as_they_are(shop: bigquery.Client, bigquery_address: str, text: str) -> None:
    before = dump(shop)
    database = open_comments(f"bigquery://{PROJECT}/sales?api_endpoint={bigquery_address}")
    places = ("", "Größe %:?", "cust.addr.zip")
    wanted = [Comment(column, None, text) for column in places]
    assert database.write("sales", "orders", wanted) == []
    present = database.read([("sales", "orders")])["sales", "orders"].comments
    assert [present[column] for column in places] == [text] * 3
    back = [Comment(column, text, None) for column in places]
    assert database.write("sales", "orders", back) == []
    assert dump(shop) == before
    database.close()
