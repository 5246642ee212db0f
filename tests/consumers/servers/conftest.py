"""A small database, a profile for a server that others wrote, and what a user sees of a run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.conftest import Program, program

__all__ = ["program"]

TABLES = {"auftrag": ("anr", "kdnr", "betrag"), "kunde": ("kdnr", "name1", "plz")}
COLUMNS = sum(len(columns) for columns in TABLES.values())
ITEMS = COLUMNS + len(TABLES)
_LONGEST = 600  # seconds; a real model on a busy machine takes its time


class Outcome(NamedTuple):
    """What a run came to: its exit code and figures, what it told, and what the journal holds:
    every wording, and why items have none."""

    code: int
    figures: dict[str, Any]
    told: str
    wordings: list[str]
    reasons: set[str]


Run = Callable[..., Outcome]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two tables with cryptic names, and a few rows."""
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        CREATE TABLE kunde (kdnr INTEGER PRIMARY KEY, name1 TEXT, plz TEXT);
        CREATE TABLE auftrag (anr INTEGER PRIMARY KEY, kdnr INTEGER REFERENCES kunde, betrag REAL);
        INSERT INTO kunde VALUES (1, 'Ada', '10115'), (2, 'Otto', '20095');
        INSERT INTO auftrag VALUES (1, 1, 9.5), (2, 1, 19.0), (3, 2, 7.25);
        """
    )
    connection.close()
    return path


@pytest.fixture
def run(program: Program, shop: Path) -> Run:
    """Make a profile for a server and describe the shop there, as a user would."""

    def make(url: str, *flags: str, key: str = "", model: str = "kimi-k2.6") -> Outcome:
        env = {"SERVER_KEY": key}
        access = "--api-key-ref=env:SERVER_KEY" if key else "--preset=self-hosted"
        where = (f"--api-base={url}", f"--model={model}")
        added = program("add-llm-profile", "there", "--no-check", access, *where, env=env)
        assert added.code == 0, added.err
        ended = program("run", str(shop), "--yes", "--json", *flags, env=env, timeout=_LONGEST)
        shown = program("show", "last", "--json")
        for one in (ended, shown):
            assert "Traceback" not in one.err
            assert "This is a bug" not in one.err
        figures = ended.json if ended.out else {}
        items = [json.loads(line) for line in shown.out.splitlines()]
        reasons = {item["error"] for item in items if item["error"]}
        return Outcome(ended.code, figures, ended.err, _wordings(items), reasons)

    return make


def _wordings(items: list[dict[str, Any]]) -> list[str]:
    found = [[item["description"], *(item["alternatives"] or [])] for item in items]
    return [wording for wordings in found for wording in wordings if wording]


def right_answer() -> str:
    """The answer to the one question that the shop needs, as the contract wants it."""
    entries: dict[str, list[str]] = {}
    number = 0
    for position, (table, columns) in enumerate(TABLES.items(), 1):
        entries[f"T{position} {table}"] = ["h", f"Right for {table}."]
        for column in columns:
            number += 1
            entries[f"{number} {column}"] = ["m", f"Right for {table}.{column}."]
    return json.dumps(entries)


def assert_all_right(outcome: Outcome) -> None:
    """Everything was described, by one request, with the wordings of `right_answer`."""
    assert outcome.code == 0, outcome.told
    assert outcome.figures["described"] == COLUMNS
    assert outcome.figures["requests"] == 1
    assert len(outcome.wordings) == ITEMS
    assert all(wording.startswith("Right for ") for wording in outcome.wordings)


def assert_ended_well(outcome: Outcome, *, most_requests: int) -> None:
    """Nothing was described: the run says so, soon, and has kept nothing wrong."""
    assert outcome.code in (1, 2), outcome.told
    assert "Stopped" in outcome.told or any(why in outcome.told for why in outcome.reasons)
    assert outcome.wordings == []
    assert outcome.figures.get("described", 0) == 0
    assert outcome.figures.get("requests", 0) <= most_requests, outcome.told
