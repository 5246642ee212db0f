"""`review`: in a real terminal, in one go, and in a spreadsheet."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Program
from tests.terminal import Window


@pytest.fixture
def reviewed(program: Program, documented: Any, start_sandbox: Any, tmp_path: Path) -> Any:
    """A finished run over two small tables; returns its sandbox."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE items (item_id int, xq1 int)")
        connection.execute("CREATE TABLE orders (order_id int, cust_name text, net_amt int)")
    connection.close()
    sandbox = start_sandbox()
    documented(sandbox.url)
    ended = program("run", str(path))
    assert ended.code == 0, ended.err
    return sandbox


def decided(program: Program) -> dict[str, tuple[str | None, str | None]]:
    """What was decided, and what stands, by name."""
    rows = map(json.loads, program("show", "last", "--json").out.splitlines())
    return {
        f"{row['table']}.{row['column']}".rstrip("."): (row["decision"], row["description"])
        for row in rows
    }


@pytest.mark.usefixtures("reviewed")
def test_a_sitting_in_a_terminal(program: Program) -> None:
    before = decided(program)
    screen = Window("review", "last", "--by", "ann")
    screen.wait("items", "table 1 of 2", "0 of 7 decided", "confidence", "a accept")
    screen.type("a", enter=False)
    screen.wait("1 of 7 decided", "The model saw")
    screen.type("2", enter=False)
    screen.wait("2 of 7 decided")
    screen.type("r", enter=False)
    screen.wait("orders", "3 of 7 decided")
    screen.type("e", enter=False)
    screen.wait("Text: ")
    screen.type(" Mine.")
    screen.wait("4 of 7 decided")
    screen.type("q", enter=False)
    screen.wait("Decided: 4 of", "amx-kimi export")
    assert screen.end() == 0
    found = decided(program)
    assert found["items"] == ("accept", before["items"][1])
    assert found["items.item_id"][0] == "accept"
    assert found["items.item_id"] != before["items.item_id"]
    assert found["items.xq1"] == ("reject", None)
    assert found["orders"] == ("edit", f"{before['orders'][1]} Mine.")

    # Back again: at the first that is open.
    screen = Window("review", "last")
    screen.wait("orders", "4 of 7 decided", "▸", "order_id")
    screen.type("A", enter=False)
    screen.wait("Accepted")
    screen.type("u", enter=False)
    screen.wait("4 of 7 decided")
    screen.type("x1", enter=False)
    screen.wait("5 of 7 decided")
    screen.type("uu", enter=False)
    screen.wait("nothing to undo in this review")
    screen.type("q", enter=False)
    assert screen.end() == 0
    assert decided(program) == found


@pytest.mark.usefixtures("reviewed")
def test_filters_and_help(program: Program) -> None:
    screen = Window("review", "last")
    screen.wait("0 of 7 decided")
    screen.type("/", enter=False)
    screen.wait("Show items with: ")
    screen.type("CUST")
    screen.wait("table 1 of 1", "[“CUST”]")
    screen.type("t", enter=False)
    screen.wait("Show tables with: ")
    screen.type("item")
    screen.wait("No items to show")
    screen.type("x", enter=False)
    screen.wait("table 1 of 2")
    screen.type("ccc", enter=False)
    screen.wait("[low]")
    screen.type("?", enter=False)
    screen.wait("ask again, with a hint", "leave; all is saved")
    screen.type("a", enter=False)  # closes the help, and accepts nothing
    screen.wait("0 of 7 decided", "Open.")
    screen.type("q", enter=False)
    assert screen.end() == 0
    assert {action for action, _ in decided(program).values()} == {None}


def test_asking_again_with_a_hint(program: Program, reviewed: Any) -> None:
    reviewed.reset()
    screen = Window("review", "last")
    screen.wait("0 of 7 decided")
    screen.type("jjh", enter=False)
    screen.wait("Hint for the model: ")
    screen.type("a quality score from 1 to 5")
    screen.wait("Asked again: a new answer", "Before: “", "A quality score from 1 to 5")
    screen.type("a", enter=False)
    screen.wait("1 of 7 decided")
    screen.type("q", enter=False)
    assert screen.end() == 0
    assert decided(program)["items.xq1"][1].startswith("A quality score from 1 to 5")
    (seen,) = reviewed.chats
    assert '"hint":"a quality score from 1 to 5"' in seen.body["messages"][-1]["content"]
    usage = program("usage", "--json").json
    assert usage[0]["requests"] == 2


def test_a_hint_that_fails_leaves_everything(program: Program, reviewed: Any) -> None:
    reviewed.set(faults="unauthorized@1-")
    before = decided(program)
    screen = Window("review", "last")
    screen.wait("0 of 7 decided")
    screen.type("h", enter=False)
    screen.wait("Hint for the model: ")
    screen.type("anything")
    screen.wait("answered 401")
    screen.type("q", enter=False)
    assert screen.end() == 0
    assert decided(program) == before


def test_an_answer_that_takes_long_is_not_waited_for(reviewed: Any) -> None:
    reviewed.set(latency=600.0)
    screen = Window("review", "last")
    screen.wait("0 of 7 decided")
    screen.type("h", enter=False)
    screen.wait("Hint for the model: ")
    screen.type("anything")
    screen.wait("Asking")
    screen.type("\x03", enter=False)
    assert screen.end() == 0


def test_one_may_stop_waiting_and_go_on(reviewed: Any) -> None:
    reviewed.set(latency=600.0)
    screen = Window("review", "last")
    screen.wait("0 of 7 decided")
    screen.type("h", enter=False)
    screen.wait("Hint for the model: ")
    screen.type("anything")
    shown = screen.wait("Asking about items … ", "Esc stops waiting")
    (first,) = re.findall(r"… \d+ s", shown)
    screen.until(lambda now: first not in now, "other seconds")
    screen.type("a", enter=False)  # nothing is decided meanwhile
    screen.type("\x1b", enter=False)
    screen.wait("Stopped waiting.", "0 of 7 decided")
    screen.type("a", enter=False)
    screen.wait("1 of 7 decided")
    screen.type("q", enter=False)
    assert screen.end() == 0


@pytest.mark.usefixtures("reviewed")
def test_undo_says_what_and_asks_where_that_is_not_shown(program: Program) -> None:
    screen = Window("review", "last")
    screen.wait("0 of 7 decided")
    screen.type("a", enter=False)
    screen.wait("1 of 7 decided")
    screen.type("u", enter=False)
    screen.wait("Undone: items was accepted, and is open again.", "0 of 7 decided")
    screen.type("A", enter=False)
    said = screen.wait("Accepted", "of this table")
    count = re.search(r"Accepted (\d) items? of", said)
    assert count
    screen.type("t", enter=False)
    screen.wait("Show tables with: ")
    screen.type("orders")
    screen.wait("table 1 of 1")
    for answer in ("", "n"):
        screen.type("u", enter=False)
        screen.wait("; the filter hides", "Undo that? (y/n)")
        screen.type(answer)
        screen.wait("Nothing was undone.", f"{count[1]} of 7 decided")
        screen.type("k", enter=False)
        screen.wait(f"{count[1]} of 7 decided", "Open.")
    screen.type("u", enter=False)
    screen.wait("Undo that? (y/n)")
    screen.type("y")
    screen.wait("Undone: ", "open again.", "0 of 7 decided", "table 1 of 1")
    screen.type("q", enter=False)
    assert screen.end() == 0
    assert {action for action, _ in decided(program).values()} == {None}


def test_names_use_the_room_there_is(
    program: Program, documented: Any, start_sandbox: Any, tmp_path: Path
) -> None:
    names = [f"customer_billing_address_line_{n}_text" for n in (1, 2)]
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute(f"CREATE TABLE t ({names[0]} text, {names[1]} text)")
    connection.close()
    documented(start_sandbox().url)
    assert program("run", str(tmp_path / "shop.db")).code == 0
    screen = Window("review", "last", columns=110)
    screen.wait(*(f"{name} " for name in names))
    screen.type("q", enter=False)
    assert screen.end() == 0
    screen = Window("review", "last")
    screen.wait("customer_billin", "…", "line_1_text ", "line_2_text ")
    screen.type("q", enter=False)
    assert screen.end() == 0


@pytest.mark.usefixtures("reviewed")
def test_accepting_all_leaves_what_a_person_worded_in_another_run(
    program: Program, documented: Any, reviewed: Any, tmp_path: Path
) -> None:
    screen = Window("review", "last", "--by", "ann")
    screen.wait("0 of 7 decided")
    screen.type("e", enter=False)
    screen.wait("Text: ")
    screen.type(" Mine.")
    screen.wait("1 of 7 decided")
    screen.type("q", enter=False)
    assert screen.end() == 0
    ((_, mine),) = [pair for pair in decided(program).values() if pair[0]]
    assert mine
    documented(reviewed.url, model="kimi-k3")
    assert program("run", str(tmp_path / "shop.db")).code == 0
    accepted = program("review", "last", "--accept", "low")
    assert accepted.code == 0
    assert "Skipped, because a person wrote their text in another run: 1." in " ".join(
        accepted.err.split()
    )
    assert decided(program)["items"][0] is None

    screen = Window("review", "last", "--by", "bob")
    screen.wait("6 of 7 decided", "Written by ann in run", "(e edits it)")
    screen.type("e", enter=False)
    screen.wait("Text: ")
    screen.type("")
    screen.wait("7 of 7 decided")
    screen.type("q", enter=False)
    assert screen.end() == 0
    assert decided(program)["items"] == ("edit", mine)


@pytest.mark.usefixtures("reviewed")
def test_a_file_that_does_not_say_what_it_replaces_replaces_nothing(
    program: Program, tmp_path: Path
) -> None:
    assert program("review", "last", "--accept", "low", "--by", "ann").code == 0
    before = decided(program)
    assert program("review", "last", "--out", "d.csv").code == 0
    path = tmp_path / "d.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["decision"] = "reject"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ("id", "table", "column", "decision"), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    ended = program("review", "last", "--decisions", "d.csv")
    assert ended.code == 1
    assert "it was decided by ann after the file was written" in ended.err
    assert decided(program) == before


@pytest.mark.usefixtures("reviewed")
def test_an_editor_of_ones_own(program: Program, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nprintf 'Two\\nlines.' > \"$1\"\n")
    editor.chmod(0o700)
    screen = Window("review", "last", env={"EDITOR": str(editor), "VISUAL": str(editor)})
    screen.wait("0 of 7 decided")
    screen.type("E", enter=False)
    screen.wait("1 of 7 decided")
    screen.type("q", enter=False)
    assert screen.end() == 0
    assert decided(program)["items"] == ("edit", "Two\nlines.")


@pytest.mark.usefixtures("reviewed")
def test_without_a_terminal(program: Program, tmp_path: Path) -> None:
    refused = program("review", "last")
    assert refused.code == 2
    assert "--accept high" in refused.err
    accepted = program("review", "last", "--accept", "high", "--json").json
    assert 0 < accepted["accepted"] == accepted["accept"] < 7
    assert program("review", "last", "--accept", "high", "--json").json["accepted"] == 0
    assert program("review", "last", "--out", "d.csv").code == 0
    with (tmp_path / "d.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    (low,) = [row for row in rows if row["column"] == "xq1"]
    low["text"] = "A score."
    rows[0]["decision"] = "nonsense"
    with (tmp_path / "d.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    ended = program("review", "last", "--decisions", "d.csv")
    assert ended.code == 1
    assert "d.csv, row 2: 'nonsense' is not a decision" in ended.err
    assert decided(program)["items.xq1"] == ("edit", "A score.")
    both = program("review", "last", "--accept", "high", "--out", "x.csv")
    assert (both.code, (tmp_path / "x.csv").exists()) == (2, False)


@pytest.mark.usefixtures("reviewed")
def test_a_decision_goes_along_with_what_is_reused(program: Program, tmp_path: Path) -> None:
    program("review", "last", "--accept", "low", "--by", "ann")
    before = decided(program)
    again = program("run", str(tmp_path / "shop.db"), "--json").json
    assert (again["reused"], again["requests"]) == (5, 0)
    assert decided(program) == before
    assert {action for action, _ in before.values()} == {"accept"}
