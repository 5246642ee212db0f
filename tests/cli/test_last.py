"""`last` is what a person means by it; what is known need not be paid for again."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest

from amx_kimi.journal import Journal, prune

from .conftest import Program

COLUMNS = 6
ITEMS = COLUMNS + 2


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "dwh.duckdb"
    with duckdb.connect(str(path)) as connection:
        for table in ("a", "b"):
            connection.execute(f"CREATE TABLE {table} (xq1 INTEGER, id INTEGER, email VARCHAR)")
    return path


def shown(program: Program, run: str = "last") -> list[dict[str, Any]]:
    lines = program("show", run, "--json").out.splitlines()
    return [json.loads(line) for line in lines]


def test_after_an_escalation_last_is_the_run_that_it_belongs_to(
    program: Program, documented: Any, start_sandbox: Any, warehouse: Path
) -> None:
    documented(start_sandbox().url)
    ended = program("run", str(warehouse), "--yes", "--json", "--escalate", "kimi-deep")
    assert ended.code == 0, ended.err
    base, again = ended.json["run"], ended.json["escalated"]["run"]
    assert len(shown(program)) == ITEMS
    assert shown(program, again) == shown(program, base)
    assert program("review", again, "--accept", "low").code == 0
    listed = {run["run"]: run for run in program("runs", "--json").json}
    assert set(listed) == {base, again}
    assert f"of {base}" in program("runs").out
    done = program("apply", "last", "--yes", "--json")
    assert done.json["written"] == ITEMS


def test_what_asked_again_goes_with_its_run(
    program: Program, documented: Any, start_sandbox: Any, warehouse: Path
) -> None:
    documented(start_sandbox().url)
    first = program("run", str(warehouse), "--yes", "--json").json["run"]
    ended = program("run", str(warehouse), "--yes", "--json", "--all", "--escalate", "kimi-deep")
    base, again = ended.json["run"], ended.json["escalated"]["run"]
    gone = program("runs", "delete", base, "--yes", "--json")
    assert set(gone.json["deleted"]) == {base, again}
    assert again in gone.err
    assert [run["run"] for run in program("runs", "--json").json] == [first]
    assert {row["run"] for row in shown(program)} == {first}


def test_an_escalation_whose_run_was_deleted_stands_alone(
    program: Program, documented: Any, start_sandbox: Any, warehouse: Path, home: Path
) -> None:
    documented(start_sandbox().url)
    ended = program("run", str(warehouse), "--yes", "--json", "--escalate", "kimi-deep")
    base, again = ended.json["run"], ended.json["escalated"]["run"]
    with Journal(home / "kimi.db") as journal:  # as version 0.1.0 could leave it
        journal.write_now(prune.delete_runs, [base])
    assert {row["run"] for row in shown(program)} == {again}
    assert program("review", "last", "--accept", "low").code == 0


def test_shared_answers_are_known_under_other_settings_too(
    program: Program, documented: Any, start_sandbox: Any, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "s.db") as connection:
        for table in range(4):
            connection.execute(f"CREATE TABLE orders_{table} (created_at text, net_{table} int)")
    connection.close()
    sandbox = start_sandbox()
    documented(sandbox.url)
    first = program("run", "s.db", "--yes", "--json").json
    assert first["shared"]
    documented(sandbox.url, model="kimi-k2.6", temperature=0.6)
    kept = program("run", "s.db", "--yes", "--json", "--keep-known").json
    assert (kept["requests"], kept["described"]) == (0, first["described"])


def test_after_apply_last_is_the_run_with_something_in_it(
    program: Program, documented: Any, start_sandbox: Any, warehouse: Path
) -> None:
    documented(start_sandbox().url)
    first = program("run", str(warehouse), "--yes", "--json").json["run"]
    assert program("apply", "last", "--unreviewed", "--yes").code == 0
    second = program("run", str(warehouse), "--yes", "--json")
    assert (second.json["columns"], second.json["requests"]) == (0, 0)
    for command in (("show", "last"), ("review", "last", "--accept", "high")):
        assert program(*command).code == 0
    assert {row["run"] for row in shown(program)} <= {first}
    undone = program("apply", "last", "--undo", "--yes", "--json")
    assert undone.json["undone"] == ITEMS


def test_what_is_known_under_other_settings_is_said_and_taken(
    program: Program, documented: Any, start_sandbox: Any, warehouse: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    assert program("run", str(warehouse), "--yes").code == 0
    assert program("review", "last", "--accept", "low").code == 0
    documented(sandbox.url, model="kimi-k2.6", temperature=0.6)
    dry = program("run", str(warehouse), "--dry-run", "--json")
    assert (dry.json["asked"], dry.json["tables"], dry.json["known"]) == (COLUMNS, 2, COLUMNS)
    told = program("run", str(warehouse), "--dry-run")
    assert "6 columns and 2 tables" in told.out
    assert "6 of them were described with other settings; --keep-known reuses them" in told.err
    other = program("run", str(warehouse), "--dry-run", "--json", "--language", "de")
    assert other.json["known"] == 0
    sandbox.reset()
    kept = program("run", str(warehouse), "--yes", "--keep-known", "--json")
    assert (kept.code, kept.json["reused"], len(sandbox.chats)) == (0, COLUMNS, 0)
    assert program("apply", "last", "--yes", "--json").json["written"] == ITEMS


def test_the_question_asks_about_what_the_dry_run_said(
    program: Program, documented: Any, start_sandbox: Any, warehouse: Path
) -> None:
    prices = {"custom_input_cost_per_mtok": 900.0, "custom_output_cost_per_mtok": 9000.0}
    documented(start_sandbox().url, **prices)
    dry = program("run", str(warehouse), "--dry-run", "--json").json
    asked = program("run", str(warehouse))
    assert asked.code == 2
    cost = dry["cost"]
    wanted = f"6 columns and 2 tables in about 1 request may cost {cost['least']:.2f} to"
    assert wanted in asked.err
    assert f"{cost['most']:.2f}" in asked.err
