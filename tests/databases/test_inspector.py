"""Databases of which only SQLAlchemy knows: real ones, under names that are no kind of ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.dialects import registry
from sqlalchemy.engine import make_url

from amx_kimi.cli import cli
from amx_kimi.cli.main import run_main
from amx_kimi.config import DatabaseProfile
from amx_kimi.databases.base import Reading, Selection
from amx_kimi.databases.opening import cost_of, database_url, open_comments, open_source
from amx_kimi.errors import SourceError
from amx_kimi.types import Item
from tests.conftest import KEY


@pytest.fixture(autouse=True)
def dialects() -> None:
    """SQLAlchemy's own dialects, as the packages of other databases register theirs."""
    registry.register("filedb", "sqlalchemy.dialects.sqlite.pysqlite", "SQLiteDialect_pysqlite")
    registry.register("serverdb", "sqlalchemy.dialects.postgresql.psycopg", "PGDialect_psycopg")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "erp.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE orte (id INTEGER PRIMARY KEY, plz VARCHAR(10), note TEXT, "
            "nr INT GENERATED ALWAYS AS (id + 1));"
            "CREATE TABLE kunden (knr INT NOT NULL, ort INT REFERENCES orte (id), "
            '"we ird % :x ?" VARCHAR(9), UNIQUE (knr, ort));'
            "CREATE VIEW alle AS SELECT knr FROM kunden;"
            "INSERT INTO orte VALUES (1, '10115', 'a'), (2, '10115', 'b');"
        )
    connection.close()
    return f"filedb:///{path}"


@pytest.fixture
def server(fresh_postgres: str) -> str:
    url = make_url(fresh_postgres)
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        connection.execute('CREATE SCHEMA "Verkauf"')
        connection.execute(
            'CREATE TABLE "Verkauf".auftrag (id serial PRIMARY KEY, "Größe" numeric(8,2))'
        )
        connection.execute("""COMMENT ON COLUMN "Verkauf".auftrag.id IS 'people''s'""")
        connection.execute("""COMMENT ON TABLE "Verkauf".auftrag IS 'Orders.'""")
        connection.execute(
            'CREATE MATERIALIZED VIEW "Verkauf".m AS SELECT id FROM "Verkauf".auftrag'
        )
    return url.set(drivername="serverdb").render_as_string(hide_password=False)


def inventory(url: str, selection: Selection | None = None) -> dict[str, Item]:
    source = open_source(url)
    try:
        return {item.name: item for item in source.items(selection or Selection())}
    finally:
        source.close()


def test_the_inventory_of_a_file(file: str) -> None:
    items = inventory(file)
    tables = [item.table for item in items.values() if not item.column]
    assert sorted(tables) == ["alle", "kunden", "orte"]
    by_name = {name.removeprefix("main."): item for name, item in items.items()}
    assert by_name["alle"].definition.startswith("CREATE VIEW alle")
    assert by_name["orte.id"].key_role == "pk"
    assert by_name["orte.plz"].type == "VARCHAR(10)"
    assert by_name["orte.nr"].details["generated"] == "id + 1"
    assert by_name["kunden.ort"].fk == "main.orte.id"
    assert by_name["kunden"].details["keys"] == ["unique (knr, ort)"]
    assert not by_name["kunden.knr"].nullable


def test_the_inventory_of_a_server(server: str) -> None:
    items = inventory(server, Selection(("Verkauf",)))
    assert list(items) == [
        "Verkauf.auftrag",
        "Verkauf.auftrag.id",
        "Verkauf.auftrag.Größe",
        "Verkauf.m",
        "Verkauf.m.id",
    ]
    assert items["Verkauf.auftrag"].comment == "Orders."
    assert items["Verkauf.auftrag.id"].comment == "people's"
    assert items["Verkauf.auftrag.Größe"].type == "NUMERIC(8, 2)"
    assert items["Verkauf.m"].details["storage"] == "materialized view"
    source = open_source(server)
    assert not {"information_schema", "pg_catalog"} & set(source.schemas())
    source.close()


def test_rows_are_read_only_when_allowed_and_no_long_texts(file: str) -> None:
    table = next(item for item in inventory(file).values() if item.table == "orte")
    source = open_source(file)
    assert source.profile(table, ["plz"]) == {}
    source.close()
    source = open_source(file, Reading(data=True))
    facts = source.profile(table, ["id", "plz", "note"])
    assert set(facts) == {"id", "plz"}
    assert facts["plz"].values == (("10115", 2),)
    source.close()


def test_described_checked_and_written_as_sql(
    file: str,
    start_sandbox: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AMX_LLM_API_KEY", KEY)

    def run(*words: str, code: int = 0) -> str:
        assert run_main(cli, [*words]) == code
        told = capsys.readouterr()
        return told.out + told.err

    run("add-llm-profile", "p", "--model", "kimi-k2.6", "--api-base", start_sandbox().url)
    run("run", file)
    assert "kunden" in run("check", file, code=1)
    assert "ansi" in run("apply", "last", "--unreviewed", "--yes", code=2)
    sql = tmp_path / "comments.sql"
    run("apply", "last", "--unreviewed", "--sql", str(sql), "--dialect", "ansi")
    assert 'COMMENT ON COLUMN "orte"."plz" IS ' in sql.read_text().replace('"main".', "")


@pytest.mark.parametrize(
    ("url", "said", "remedy"),
    [
        ("nosuchdb://u:hunter2secret@h/d", "no dialect for nosuchdb://", "Install the package"),
        ("hive://u:hunter2secret@h/d", "no dialect for hive://", 'pip install "pyhive[hive]"'),
        ("awsathena+rest://k:hunter2secret@h/d", "no dialect", "pip install"),
        ("serverdb://u:hunter2secret@127.0.0.1:1/d", "cannot be opened", "its SQLAlchemy dialect"),
    ],
)
def test_what_cannot_be_opened(url: str, said: str, remedy: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        open_source(url)
    assert remedy in caught.value.remedy
    assert "hunter2secret" not in str(caught.value)


def test_comments_are_not_written(file: str) -> None:
    with pytest.raises(SourceError, match="cannot be written to 'filedb'"):
        open_comments(file)


def test_rows_of_athena_are_billed() -> None:
    url = "awsathena+rest://athena.eu-west-1.amazonaws.com/sales?s3_staging_dir=s3://x"
    assert cost_of(url, Reading()) == ""
    assert "at least 10 MB" in cost_of(url, Reading(data=True))


def test_amx_profiles_of_hive() -> None:
    fields = {"host": "h", "port": "10000", "user": "u", "database": "d", "auth_mode": "NOSASL"}
    url = database_url(DatabaseProfile("p", "hive", fields))
    assert url.render_as_string() == "hive://u@h:10000/d?auth=NOSASL"
