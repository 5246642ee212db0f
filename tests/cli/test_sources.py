"""Warehouses, files and what people wrote, as a user gives them to the program."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest

from amx_kimi.sandbox import Sandbox
from tests.cli.conftest import Program
from tests.conftest import KEY


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder `data` with a DuckDB file, a Parquet and a CSV file."""
    folder = tmp_path / "data"
    folder.mkdir()
    with duckdb.connect(str(folder / "dwh.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE kd AS SELECT i AS kd_nr, 'AB'[i % 2 + 1] AS st,"
            " 'anna' || i || '@example.org' AS mail FROM range(100) r(i)"
        )
        for name in ("kd.parquet", "export.csv"):
            connection.execute(f"COPY kd TO '{folder}/{name}'")
    return folder


@pytest.fixture
def sandbox(documented: Any, start_sandbox: Any) -> Sandbox:
    started: Sandbox = start_sandbox(keys=(KEY,))
    documented(started.url)
    return started


@pytest.mark.parametrize("target", ["data/dwh.duckdb", "duckdb:///data/dwh.duckdb"])
@pytest.mark.usefixtures("sandbox", "data")
def test_a_duckdb_file(program: Program, target: str) -> None:
    ended = program("run", target, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["described"] == 3


def test_files_by_a_pattern_resumed_and_reused(
    program: Program, data: Path, sandbox: Sandbox
) -> None:
    ended = program("run", "data/*.parquet", "data/export.csv", "--json", "--limit", "4")
    assert ended.code == 0, ended.err
    assert ended.json["described"] == 4
    assert "@example.org" not in json.dumps([seen.body for seen in sandbox.chats])
    again = program("run", "--resume", "last", "--json")
    assert again.code == 0, again.err
    more = program("run", str(data / "kd.parquet"), str(data / "export.csv"), "--json")
    assert (more.json["described"], more.json["reused"]) == (6, 4)


@pytest.mark.usefixtures("sandbox")
def test_a_corrupt_file_is_said(program: Program, data: Path) -> None:
    (data / "bad.parquet").write_bytes(b"PAR1")
    ended = program("run", "data/bad.parquet", "data/kd.parquet")
    assert ended.code == 0
    assert "bad.parquet is skipped" in ended.err
    ended = program("run", "data/bad.parquet")
    assert ended.code == 2
    assert "None of the files can be read" in ended.err


@pytest.mark.usefixtures("data")
def test_the_payload_is_what_is_sent(program: Program, sandbox: Sandbox) -> None:
    shown = program("payload", "data/dwh.duckdb", "--table", "kd", "--json")
    assert shown.code == 0, shown.err
    assert not sandbox.chats
    program("run", "data/dwh.duckdb")
    (sent,) = sandbox.chats
    assert sent.body is not None
    body = {key: value for key, value in sent.body.items() if key != "prompt_cache_key"}
    assert shown.json["body"] == body
    text = json.dumps(body["messages"], ensure_ascii=False, sort_keys=True)
    assert shown.json["digest"] == hashlib.sha256(text.encode()).hexdigest()
    plain = program("payload", "data/dwh.duckdb")
    assert body["messages"][1]["content"] in plain.out
    assert shown.json["digest"] in plain.out


@pytest.mark.usefixtures("data")
def test_a_run_keeps_the_digest(program: Program, sandbox: Sandbox, tmp_path: Path) -> None:
    digest = program("payload", "data/dwh.duckdb", "--json").json["digest"]
    store = tmp_path / "j.db"
    program("run", "data/dwh.duckdb", "--store", str(store))
    with sqlite3.connect(store) as journal:
        rows = journal.execute("SELECT digest FROM requests").fetchall()
    assert rows == [(digest,)]
    assert len(sandbox.chats) == 1


@pytest.mark.usefixtures("sandbox", "data")
def test_rules_and_options_of_discretion(program: Program, home: Path) -> None:
    def sent(*options: str) -> dict[str, Any]:
        shown = program("payload", "data/dwh.duckdb", "--json", *options)
        assert shown.code == 0, shown.err
        question = json.loads(shown.json["body"]["messages"][1]["content"])
        return {column["name"]: column for column in question["tables"][0]["columns"]}

    assert sent()["st"]["samples"] == ["A", "B"]
    assert "samples" not in sent("--no-samples")["st"]
    assert set(sent("--names-only")["st"]) == {"id", "name", "type"}
    (home / "kimi.yml").write_text("masking: {never: ['*.st']}\n")
    assert "samples" not in sent()["st"]
    (home / "kimi.yml").write_text("masking: {always: ['*.kd_nr'], countries: [de, no]}\n")
    assert "0" in sent()["kd_nr"]["samples"]
    (home / "kimi.yml").write_text("masking: {countries: [germany]}\n")
    ended = program("payload", "data/dwh.duckdb")
    assert (ended.code, "two-letter country code" in ended.err) == (2, True)


@pytest.mark.usefixtures("data")
def test_a_context_file(program: Program, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("term,meaning\nkd,Kunde\n")
    (tmp_path / "rules.md").write_text("Write for accountants.\n")
    ended = program("run", "data/dwh.duckdb", "--context", "g.csv", "--context", "rules.md")
    assert ended.code == 0, ended.err
    (seen,) = sandbox.chats
    assert seen.body is not None
    assert json.loads(seen.body["messages"][1]["content"])["glossary"] == {"kd": "Kunde"}
    assert "Write for accountants." in seen.body["messages"][0]["content"]
    ended = program("run", "data/dwh.duckdb", "--context", "no.csv")
    assert (ended.code, "no.csv cannot be read" in ended.err) == (2, True)


@pytest.mark.usefixtures("sandbox")
def test_amxs_profiling_settings(program: Program, data: Path, home: Path) -> None:
    config = home / "config.yml"
    head = config.read_text()
    profile = f"  dwh: {{backend: duckdb, database: {data}/dwh.duckdb, profiling_mode: metadata}}\n"
    config.write_text(head + "db_profiles:\n" + profile + "active_db_profile: dwh\n")
    shown = program("payload", "--json")
    assert shown.code == 0, shown.err
    question = json.loads(shown.json["body"]["messages"][1]["content"])
    assert "samples" not in question["tables"][0]["columns"][1]
    ended = program("run", "--profile-data")
    assert (ended.code, "profiling_mode: metadata" in ended.err) == (2, True)


@pytest.mark.usefixtures("sandbox", "data")
def test_two_databases_are_refused(program: Program) -> None:
    ended = program("run", "data/dwh.duckdb", "data/export.csv")
    assert ended.code == 2
    assert "One run cannot describe" in ended.err


@pytest.fixture
def shop(tmp_path: Path) -> str:
    """A DuckDB file with two schemas, and tables in both."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        for schema in ("sales", "crm"):
            connection.execute(f"CREATE SCHEMA {schema}")
            for table in ("orders", "tmp_1", "tmp_2"):
                connection.execute(f"CREATE TABLE {schema}.{table} (a INT)")
    return str(path)


def tables_of(asked: Any) -> list[str]:
    return sorted(table["name"] for question in asked for table in question["tables"])


@pytest.mark.parametrize(
    ("options", "tables"),
    [
        (["--table", "sales.*"], ["sales.orders", "sales.tmp_1", "sales.tmp_2"]),
        (["--table", "!tmp_*"], ["crm.orders", "sales.orders"]),
        (["--table", "sales.*", "--table", "!tmp_1"], ["sales.orders", "sales.tmp_2"]),
        (["--schema", "c*", "--table", "tmp_?"], ["crm.tmp_1", "crm.tmp_2"]),
        (["--schema", "!crm", "--table", "orders"], ["sales.orders"]),
    ],
)
@pytest.mark.usefixtures("sandbox")
def test_patterns_of_tables(
    program: Program, shop: str, options: list[str], tables: list[str]
) -> None:
    shown = program("payload", shop, *options, "--json")
    assert shown.code == 0, shown.err
    bodies = [json.loads(line)["body"] for line in shown.out.splitlines()]
    asked = [json.loads(body["messages"][-1]["content"]) for body in bodies]
    assert tables_of(asked) == tables
    assert program("run", shop, *options, "--dry-run", "--json").json["columns"] == len(tables)
    assert program("run", shop, *options, "--limit", "1").code == 0
    assert program("run", "--resume", "last", "--json").json["columns"] == 1
    rows = map(json.loads, program("show", "last", "--json").out.splitlines())
    assert sorted(f"{r['schema']}.{r['table']}" for r in rows if r["column"]) == tables
    checked = program("check", shop, *options, "--json")
    assert sorted(name.rpartition(".")[0] for name in checked.json["missing"]) == tables


@pytest.mark.parametrize("command", ["run", "check", "payload"])
@pytest.mark.usefixtures("sandbox")
def test_a_typo_is_answered_by_what_is_near(program: Program, shop: str, command: str) -> None:
    ended = program(command, shop, "--table", "ordres")
    assert ended.code == 2
    assert "There is no table ordres" in ended.err
    assert "Known: orders." in ended.err
    assert "sales.orders" in program(command, shop, "--table", "sales.ordres").err
    assert "Known: sales." in program(command, shop, "--schema", "sale").err
    assert program(command, shop, "--table", "!ordres").code == 2
    assert program(command, shop, "--table", "!zzz_*", "--table", "zzz").code == 2


def test_how_csv_files_are_read_is_said_and_kept(
    program: Program, sandbox: Sandbox, tmp_path: Path
) -> None:
    folder = tmp_path / "csv"
    folder.mkdir()
    lines = "".join(f"Bonn|{n}\n" for n in range(1, 9))
    (folder / "a.csv").write_bytes(("Köln|0\n" + lines).encode("cp1250"))
    (folder / "b.csv").write_text("stadt,zahl\nKöln,1\nBonn,2\n")
    guessed = program("payload", "csv")
    assert guessed.code == 0, guessed.err
    assert "a.csv: read as cp1252, separated by `|`; the first line is data" in guessed.err
    assert "b.csv: read as utf-8, separated by `,`; the first line has the columns'" in guessed.err
    said = ("--csv-encoding", "CP1250", "--csv-separator", "|", "--csv-header", "no")
    for name in ("run", "payload", "check"):
        options = ("--limit", "1") if name == "run" else ()
        ended = program(name, "csv/a.csv", *said, *options)
        assert "a.csv: read as cp1250, separated by `|`; the first line is data" in ended.err, name
    sandbox.reset()
    assert program("run", "--resume", "last", "--csv-header", "no").code == 2
    assert program("run", "csv/a.csv", *said, "--limit", "1", "--all").code == 0
    resumed = program("run", "--resume", "last")
    assert (resumed.code, "a.csv: read as cp1250" in resumed.err) == (0, True)
    named = program("payload", "csv/a.csv", "--csv-header", "yes", "--json")
    (table,) = json.loads(named.json["body"]["messages"][1]["content"])["tables"]
    assert [column["name"] for column in table["columns"]] == ["Köln", "0"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--csv-encoding", "base64"),
        ("--csv-encoding", "klingon"),
        ("--csv-separator", "too long"),
        ("--csv-separator", "\n"),
        ("--csv-header", "maybe"),
    ],
)
@pytest.mark.usefixtures("sandbox", "data")
def test_what_cannot_be_read_so_is_refused(program: Program, option: str, value: str) -> None:
    ended = program("run", "data/export.csv", option, value)
    assert ended.code == 2
    assert option in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.usefixtures("sandbox")
def test_a_folder(program: Program, data: Path) -> None:
    (data / "dwh.duckdb").unlink()
    ended = program("run", "data", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["columns"] == 6
    assert program("run", "data/").code == 0
