"""`run --escalate`: what came back low is asked again, of a stronger profile."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Program
from tests.conftest import KEY


@pytest.fixture
def cryptic(tmp_path: Path) -> Path:
    """One telling name, three that are not, and a technical column in each table."""
    path = tmp_path / "cryptic.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (customer_name text, xq1 int, zzk int)")
        connection.execute("CREATE TABLE items (wvx int, order_date date)")
    connection.close()
    return path


def models_of(sandbox: Any) -> list[str]:
    return [seen.body["model"] for seen in sandbox.chats]


def exported(program: Program, run: str) -> dict[str, Any]:
    lines = program("show", run, "--json").out.splitlines()
    return {row["column"]: row for row in map(json.loads, lines) if row["column"]}


def test_low_ones_are_asked_again_by_a_preset(
    program: Program, documented: Any, start_sandbox: Any, cryptic: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    ended = program("run", str(cryptic), "--escalate", "kimi-deep", "--json")
    assert ended.code == 0, ended.err
    assert models_of(sandbox) == ["kimi-k2-thinking", "kimi-k3"]
    asked = sandbox.chats[1].body["messages"][-1]["content"]
    assert '"name":"xq1"' in asked
    assert '"name":"customer_name"' not in asked
    assert ended.json["described"] == 5
    assert ended.json["escalated"]["columns"] >= 3
    models = {name: row["model"] for name, row in exported(program, ended.json["run"]).items()}
    assert models["xq1"] == "kimi-k3"
    assert models["customer_name"] == "kimi-k2-thinking"


def test_a_finished_run_is_escalated_later_and_nothing_is_paid_twice(
    program: Program, documented: Any, start_sandbox: Any, cryptic: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    program("run", str(cryptic))
    ended = program("run", "--resume", "last", "--escalate", "kimi-deep")
    assert ended.code == 0, ended.err
    assert "had low confidence; asking kimi-deep (kimi-k3)" in ended.err
    assert models_of(sandbox) == ["kimi-k2-thinking", "kimi-k3"]


def test_a_cap_holds_for_both(
    program: Program, documented: Any, start_sandbox: Any, cryptic: Path
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    ended = program("run", str(cryptic), "--escalate", "kimi-deep", "--max-cost", "0.10")
    assert ended.code == 3
    assert models_of(sandbox) == ["kimi-k2-thinking"]
    run = program("runs", "--json").json[0]["run"]
    assert run in ended.err
    done = program("run", "--resume", run, "--max-cost", "5")
    assert done.code == 0, done.err
    first = program("runs", "--json").json[1]["run"]
    assert exported(program, first)["xq1"]["model"] == "kimi-k3"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--escalate", "kimi-deeep"], "kimi-deep"),
        (["--escalate", "kimi-thinking"], "has the same model and settings"),
        (["--escalate", "kimi-deep", "--dry-run"], "cannot be combined with --dry-run"),
    ],
)
def test_what_cannot_be_escalated(
    program: Program,
    documented: Any,
    start_sandbox: Any,
    cryptic: Path,
    options: list[str],
    said: str,
) -> None:
    sandbox = start_sandbox()
    documented(sandbox.url)
    ended = program("run", str(cryptic), *options)
    assert (ended.code, len(sandbox.chats)) == (2, 0)
    assert said in ended.err


def test_a_second_run_that_is_not_begun_takes_no_report_away(
    program: Program,
    documented: Any,
    start_sandbox: Any,
    cryptic: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would cost more than a dollar, and without a terminal nobody can agree."""
    sandbox = start_sandbox()
    documented(sandbox.url)
    monkeypatch.setenv("AMX_LLM_API_KEY", KEY)
    base = ("--preset", "kimi-deep", "--api-base", sandbox.url, "--no-check")
    assert program("add-llm-profile", "dear", *base).code == 0
    prices = ("custom_input_cost_per_mtok=5000", "custom_output_cost_per_mtok=5000")
    assert program("set-llm-profile", "dear", *prices).code == 0
    ended = program("run", str(cryptic), "--escalate", "dear", "--json")
    assert ended.code == 2, ended.err
    assert ended.json["described"] == 5
    assert "escalated" not in ended.json
    assert "Low-confidence results were not asked again" in ended.err
    assert "Not started" in ended.err
    assert models_of(sandbox) == ["kimi-k2-thinking"]


def test_what_was_deferred_is_still_new_after_an_escalation(
    program: Program, documented: Any, start_sandbox: Any, cryptic: Path
) -> None:
    documented(start_sandbox().url)
    assert program("run", str(cryptic), "--limit", "2", "--escalate", "kimi-deep").code == 0
    ended = program("run", str(cryptic), "--only-changed", "--json")
    assert ended.json["described"] == 3
