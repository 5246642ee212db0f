"""`runs delete` and `journal prune`: say what is lost, ask, and count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.cli.conftest import Program
from tests.terminal import Screen


@pytest.fixture
def two(program: Program, documented: Any, start_sandbox: Any, erp: Path) -> tuple[str, str]:
    """Two runs, the second of which reuses the first's answers."""
    documented(start_sandbox().url)
    ids = []
    for tables in (("kstst",), ("kstst", "pers")):
        words = [word for table in tables for word in ("--table", table)]
        ids.append(program("run", str(erp), *words, "--json").json["run"])
    return ids[0], ids[1]


def test_without_a_terminal_it_wants_a_word(program: Program, two: tuple[str, str]) -> None:
    for words in (("runs", "delete", *two), ("journal", "prune", "--older-than", "0d")):
        ended = program(*words)
        assert ended.code == 2
        assert "This deletes 2 runs, with" in ended.err
        assert "of these: `amx-kimi run` would ask about them, and pay, again" in ended.err
        assert "Nothing was deleted. Without a terminal, --yes is required." in ended.err
    assert len(program("runs", "--json").json) == 2
    ended = program("runs", "delete", two[0], "--yes", "--json")
    assert (ended.code, ended.json) == (0, {"deleted": [two[0]]})
    assert "would ask" not in ended.err
    assert [run["run"] for run in program("runs", "--json").json] == [two[1]]
    assert program("runs", "delete", two[0], "--yes").code == 2
    assert program("runs", "delete").code == 2


def test_what_was_deleted_is_reused_where_another_run_has_it(
    program: Program, two: tuple[str, str], erp: Path
) -> None:
    assert program("runs", "delete", two[0], "--yes").code == 0
    again = program("run", str(erp), "--table", "kstst", "--json").json
    assert again["requests"] == 0
    assert again["described"] == again["reused"] == again["columns"]


def test_on_a_terminal_it_asks(program: Program, two: tuple[str, str]) -> None:
    screen = Screen("runs", "delete", "last")
    screen.wait("This deletes 1 run,", two[1], "Delete 1 run?")
    screen.type("n")
    assert screen.end() == 130
    screen = Screen("journal", "prune", "--older-than", "2100-01-01")
    screen.wait("Delete 2 runs?")
    screen.type("y")
    screen.wait("Deleted 2 runs.")
    assert screen.end() == 0
    assert program("runs", "--json").json == []


@pytest.mark.parametrize("age", ["", "90", "d", "-1d", "x", "99999y", "2026-02-30", "9999999d"])
def test_ages_that_are_none(program: Program, age: str) -> None:
    ended = program("journal", "prune", "--older-than", age, "--yes")
    assert ended.code == 2
    assert "--older-than" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("age", ["90d", "12w", "1y", "2020-01-31"])
def test_nothing_is_that_old(program: Program, two: tuple[str, str], age: str) -> None:
    ended = program("journal", "prune", "--older-than", age, "--yes", "--json")
    assert (ended.code, ended.json) == (0, {"deleted": []})
    assert len(program("runs", "--json").json) == len(two)


def test_a_run_whose_comments_stand_in_a_database(
    program: Program, documented: Any, start_sandbox: Any, tmp_path: Path
) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("CREATE TABLE orders (customer_name varchar, net_amt int)")
    documented(start_sandbox().url)
    run = program("run", "w.duckdb", "--json").json["run"]
    program("review", "last", "--accept", "low")
    assert program("apply", "last", "--yes", "--json").json["written"] == 3
    refused = program("runs", "delete", run, "--yes")
    assert refused.code == 2
    assert f"it can be deleted after `amx-kimi apply {run} --undo`" in refused.err
    kept = program("journal", "prune", "--older-than", "0d", "--yes", "--json")
    assert (kept.code, kept.json) == (0, {"deleted": []})
    assert f"Kept: The run {run} wrote comments" in kept.err
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("COMMENT ON TABLE orders IS 'By Ann'")
        connection.execute("ALTER TABLE orders DROP COLUMN customer_name")
    undone = program("apply", "last", "--yes", "--undo", "--json").json
    assert (undone["undone"], undone["kept"], undone["gone"]) == (1, 1, 1)
    assert program("runs", "delete", run, "--yes").code == 0
