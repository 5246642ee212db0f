"""AMX's history: handed over again, what people did there stays theirs."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from amx_kimi.errors import SourceError
from amx_kimi.journal import Described
from amx_kimi.journal.decisions import Decision
from amx_kimi.publish.amx_history import Handed, hand_over
from amx_kimi.types import Item, Suggestion

from .test_export import RUN

WHEN = "2026-11-25T10:00:00+00:00"
RUN_ = replace(RUN, started_at=WHEN, finished_at=WHEN)
ACCEPTED, REJECTED = Decision("accept", "One.", "ann", WHEN), Decision("reject", None, "ann", WHEN)


def row(column: str, decision: Decision | None) -> Described:
    item = Item("s", "t", column, "column", 1, "int")
    said = Suggestion(("One.", "Two."), "high")
    return Described(item, "described", None, {}, said, "kimi-k3", decision)


def hand(folder: Path, *rows: Described) -> Handed:
    return hand_over(RUN_, rows, folder / "amx", folder, profile="shop", version="1")


def waiting(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (folder / ".amx" / "pending_metadata.json").read_text()
    )
    return found


def results(folder: Path) -> dict[str, tuple[Any, ...]]:
    with sqlite3.connect(folder / "amx" / "history.db") as db:
        found = db.execute("SELECT column_name, evaluation, chosen_description FROM run_results")
        rows = {name: tuple(rest) for name, *rest in found}
    db.close()
    return rows


def test_again_it_is_brought_up_to_date(tmp_path: Path) -> None:
    first = hand(tmp_path, row("a", ACCEPTED), row("b", None))
    assert (first.suggestions, first.pending) == (2, 1)
    again = hand(tmp_path, row("a", REJECTED), row("b", ACCEPTED))
    assert (again.run, again.pending) == (first.run, 1)
    assert [one["column"] for one in waiting(tmp_path)] == ["b"]
    assert results(tmp_path) == {"a": ("skipped", ""), "b": ("accepted", "One.")}
    hand(tmp_path, row("a", REJECTED), row("b", REJECTED))
    assert waiting(tmp_path) == []


def test_a_text_that_amx_cannot_show_takes_its_old_one_off_the_list(tmp_path: Path) -> None:
    hand(tmp_path, row("a", ACCEPTED))
    worded = Decision("edit", "See [/docs].", "ann", WHEN)
    again = hand(tmp_path, row("a", worded))
    assert (again.pending, len(again.problems)) == (0, 1)
    assert waiting(tmp_path) == []


def test_what_people_decided_in_amx_stays(tmp_path: Path) -> None:
    hand(tmp_path, row("a", None), row("b", ACCEPTED))
    with sqlite3.connect(tmp_path / "amx" / "history.db") as db:
        db.execute(
            "UPDATE run_results SET evaluation = 'custom', chosen_description = 'Theirs.', "
            "evaluated_at = 1.0"
        )
    db.close()
    hand(tmp_path, row("a", ACCEPTED), row("b", REJECTED))
    assert set(results(tmp_path).values()) == {("custom", "Theirs.")}


def test_the_list_of_others_is_theirs(tmp_path: Path) -> None:
    path = tmp_path / ".amx" / "pending_metadata.json"
    path.parent.mkdir()
    theirs = {"schema": "s", "table": "t", "column": "a", "result_id": 9, "source": "human"}
    path.write_text(json.dumps([theirs]))
    handed = hand(tmp_path, row("a", ACCEPTED), row("b", ACCEPTED))
    assert (handed.pending, len(handed.problems)) == (1, 1)
    assert waiting(tmp_path)[0] == theirs
    for broken in ("{}", "null", "["):
        path.write_text(broken)
        with pytest.raises(SourceError, match="cannot be read"):
            hand(tmp_path, row("a", ACCEPTED))
        assert path.read_text() == broken


@pytest.mark.parametrize("name", ["amx/history.db", ".amx/pending_metadata.json"])
def test_a_pipe_in_place_of_amxs_files_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(SourceError, match="a pipe, a device or the like"):
        hand(tmp_path, row("a", ACCEPTED))
