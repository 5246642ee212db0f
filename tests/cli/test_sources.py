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
    assert "bad.parquet is left out" in ended.err
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
    assert (ended.code, "two-letter code" in ended.err) == (2, True)


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
    assert "cannot be one run" in ended.err
