"""Review in a spreadsheet: out, changed as spreadsheets do, and in again."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.errors import ConfigFileError
from amx_kimi.journal import Journal, Run, decisions, results, runs
from amx_kimi.publish.decision_file import _shown as shown
from amx_kimi.publish.decision_file import (
    clean,
    no_formula,
    read_decisions,
    write_decisions,
)
from amx_kimi.types import Item, Suggestion
from tests.publish.helpers import journal_with

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return journal_with(
        tmp_path / "j.db",
        [
            (Item("s", "t", "", "table", 0), Suggestion(("A table.",), "medium")),
            (Item("s", "t", "a", "column", 1, "int"), Suggestion(("One.", "Two."), "high")),
            (Item("s", "t", "=b", "column", 2, "int"), Suggestion(("=SUM(A1)", "-x"), "low")),
            (Item("s", "t", "c", "column", 3, "int"), None),
        ],
    )


def the_run(journal: Journal) -> Run:
    return journal.read(runs.find_run, "last")


def rows_of(journal: Journal) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    assert write_decisions(out, journal.stream(results.described, the_run(journal).id)) == 3
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))


def read(
    journal: Journal, path: Path, rows: list[dict[str, str]], delimiter: str = ","
) -> tuple[dict[str, str | None], list[str]]:
    """What a file decides, by column, and why others are refused."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    run = the_run(journal)
    found = list(read_decisions(path, journal, run))
    names = {row.id: row.item.column for row in journal.stream(results.described, run.id)}
    kept = {names[row.decided.id]: row.decided.text for row in found if row.decided}
    return kept, [f"{row.number}: {row.refused}" for row in found if not row.decided]


def test_what_goes_out_is_no_formula(journal: Journal) -> None:
    rows = rows_of(journal)
    assert [row["column"] for row in rows] == ["", "a", "'=b"]
    assert rows[2]["wording_1"] == "'=SUM(A1)"
    assert {row["decision"] for row in rows} == {""}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_decisions_come_in(journal: Journal, tmp_path: Path, delimiter: str) -> None:
    rows = rows_of(journal)
    rows[0]["decision"] = "Accept"
    rows[1]["decision"] = "2"
    rows[2]["text"] = "My own:\r\nline"
    kept, refused = read(journal, tmp_path / "d.csv", rows, delimiter)
    assert kept == {"": "A table.", "a": "Two.", "=b": "My own:\nline"}
    assert refused == []


def test_nothing_decided_is_nothing_kept_and_twice_is_once(
    journal: Journal, tmp_path: Path
) -> None:
    assert read(journal, tmp_path / "d.csv", rows_of(journal)) == ({}, [])
    run = the_run(journal)
    rows = rows_of(journal)
    rows[1]["decision"], rows[2]["decision"] = "reject", "1"
    found = [r.decided for r in _read(journal, tmp_path, rows) if r.decided]
    journal.write_now(decisions.decide, found, "ann")
    again = rows_of(journal)
    assert [row["decision"] for row in again] == ["", "reject", "1"]
    assert again[1]["decided_by"] == "ann"
    assert read(journal, tmp_path / "d.csv", again) == ({}, [])
    again[1]["decision"] = "1"
    assert read(journal, tmp_path / "d.csv", again) == ({"a": "One."}, [])
    assert journal.read(decisions.progress, run.id)["reject"] == 1


def _read(journal: Journal, folder: Path, rows: list[dict[str, str]]) -> list[object]:
    read(journal, folder / "d.csv", rows)
    return list(read_decisions(folder / "d.csv", journal, the_run(journal)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"decision": "maybe"}, "'maybe' is not a decision"),
        ({"decision": "3"}, "'3' is not a decision"),
        ({"decision": "0"}, "'0' is not a decision"),
        ({"decision": "edit"}, "'edit' is not a decision"),
        ({"decision": "reject", "text": "x"}, "there is a text"),
        ({"decision": "1", "wording_1": "Changed."}, "enter your own text in `text`"),
        ({"decision": "1", "table": "other"}, "table is 'other', not 't'"),
        ({"decision": "1", "id": "999"}, "no suggestion with this id"),
        ({"decision": "1", "id": "x"}, "no suggestion with this id"),
        ({"decision": "1", "id": "²"}, "no suggestion with this id"),
        ({"decision": "1", "id": "9" * 30}, "no suggestion with this id"),
        ({"decision": "²"}, "'²' is not a decision"),
        ({"text": "y" * 60_001}, "60,001 characters"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_number(
    journal: Journal, tmp_path: Path, change: dict[str, str], why: str
) -> None:
    rows = rows_of(journal)
    rows[0]["decision"] = "accept"
    rows[1] |= change
    kept, refused = read(journal, tmp_path / "d.csv", rows)
    assert kept == {"": "A table."}
    assert len(refused) == 1
    assert refused[0].startswith("3: ")
    assert why in refused[0]


def test_a_row_that_stands_twice(journal: Journal, tmp_path: Path) -> None:
    rows = rows_of(journal)
    rows[1]["decision"] = "1"
    kept, refused = read(journal, tmp_path / "d.csv", [*rows, {**rows[1], "decision": "2"}])
    assert (kept, len(refused)) == ({"a": "One."}, 1)
    assert "earlier row" in refused[0]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"a,b\r\n1,2\r\n", "has no column column, decision, id, table"),
        ("id;größe".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_files_that_are_none(journal: Journal, tmp_path: Path, content: bytes, error: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigFileError, match=error):
        list(read_decisions(path, journal, the_run(journal)))
    with pytest.raises(ConfigFileError, match="cannot be read"):
        list(read_decisions(tmp_path / "no.csv", journal, the_run(journal)))


@given(TEXT)
def test_the_mark_against_formulas_comes_off_again(text: str) -> None:
    assert shown(no_formula(text)) == text
    assert no_formula(text)[:1] not in tuple("=+-@\t\r")


@given(TEXT)
def test_a_persons_text_has_no_controls(text: str) -> None:
    plain = clean(text)
    assert not any(ord(c) < 32 and c not in "\n\t" for c in plain)
    assert clean(plain) == plain


def test_a_file_that_is_older_than_a_decision_undoes_nothing(
    journal: Journal, tmp_path: Path
) -> None:
    rows = rows_of(journal)
    rows[1]["decision"] = "1"
    kept = [r.decided for r in _read(journal, tmp_path, rows) if r.decided]  # type: ignore[attr-defined]
    journal.write_now(decisions.decide, [replace(kept[0], action="edit", text="Bob's.")], "bob")
    decided, refused = read(journal, tmp_path / "d.csv", rows)
    assert decided == {}
    assert "decided by bob after the file was written" in refused[0]
