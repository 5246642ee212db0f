"""Tables at every width: no word is broken, nothing is lost, no line is longer than need be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from amx_kimi.cli.tables import Column, lay_out
from amx_kimi.facts import load_catalog
from amx_kimi.text import counted
from tests.cli.conftest import Program
from tests.terminal import Screen

WIDTHS = (60, 80, 120, 200)
COLUMNS = st.lists(
    st.builds(
        Column,
        head=st.sampled_from(["", "Run", "A longer head"]),
        rank=st.integers(0, 3),
        right=st.booleans(),
        flows=st.booleans(),
        plain=st.booleans(),
    ),
    min_size=1,
    max_size=7,
)
WORDS = ("a", "of", "2026-11-28", "0.0123", "kimi-k2.6", "sqlite:/data/erp.db", "x" * 30)
CELLS = st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)


@given(data=st.data(), columns=COLUMNS, width=st.sampled_from((0, 40, *WIDTHS)))
def test_no_word_is_broken_or_lost(data: st.DataObject, columns: list[Column], width: int) -> None:
    row = st.lists(CELLS, min_size=len(columns), max_size=len(columns))
    rows = data.draw(st.lists(row, max_size=4))
    lines = [line.plain for line in lay_out(columns, rows, width)]
    shown = " ".join(lines).split()
    for cell in (cell for row in rows for cell in row):
        for word in cell.split():
            shown.remove(word)  # as often as it was given
    if not width:
        assert len(lines) <= len(rows) + 1
    for line in lines if width else ():
        # Wider only where the first column, or one thing that is not prose, needs it.
        whole = max((len(cell) for row in rows for cell in row), default=0)
        assert cell_len(line) <= max(width, whole + 20)


@given(
    st.lists(st.text(st.sampled_from("订单编号客户 金额"), max_size=200), min_size=1),
    st.sampled_from(WIDTHS),
)
def test_what_has_no_blanks_is_cut_between_letters(texts: list[str], width: int) -> None:
    lines = lay_out([Column("A"), Column("B", flows=True)], [["x", text] for text in texts], width)
    assert all(cell_len(line.plain) <= width for line in lines)
    letters = "".join("".join(line.plain for line in lines).split())
    assert all(
        "".join(text.split()) in letters.replace("x", "") for text in texts if len(texts) == 1
    )


@pytest.fixture
def described(program: Program, documented: Any, start_sandbox: Any, erp: Path) -> Program:
    documented(start_sandbox().url, model="kimi-k2.6")
    for table in ("kstst", "pers"):
        assert program("run", str(erp), "--table", table).code == 0
    return program


def test_the_commands_at_each_width(described: Program, erp: Path) -> None:
    ids = [run["run"] for run in described("runs", "--json").json]
    models = [row.id for row in load_catalog().models]
    for width in WIDTHS:
        env = {"COLUMNS": str(width)}
        for words, names in (
            (("runs",), [*ids, "sqlite:", "kimi-k2.6"]),
            (("usage",), ids),
            (("usage", "--by", "day"), []),
            (("models", "--retired"), models),
            (("llm-profiles",), ["kimi-thinking", "config.yml, in plain text"]),
            (("advise", str(erp)), ["kimi-deep"]),
            (("show", "last"), ["pers"]),
        ):
            out = described(*words, env=env).out
            short = re.sub(r"\S{50,}", "", out)  # paths of this machine
            assert max(map(len, short.splitlines())) <= width or words[0] == "advise", out
            assert all(name in out for name in names), out
        assert re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", described("runs", env=env).out)
    assert len(described("runs", env={"COLUMNS": ""}).out.splitlines()) == len(ids) + 1  # in a pipe


def test_show_pages_on_a_terminal(described: Program) -> None:
    del described
    screen = Screen("show", "last", env={"PAGER": "cat -n"})
    screen.wait("     1", "pers")
    assert screen.end() == 0
    screen = Screen("show", "last", "--low", env={"PAGER": "false"})
    assert screen.end() == 0


def test_show_what_came_back_low(
    program: Program, documented: Any, start_sandbox: Any, tmp_path: Path
) -> None:
    import json
    import sqlite3

    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE odd (xq1 int, customer_name text)")
        connection.execute("CREATE TABLE plain (customer_name text)")
    connection.close()
    documented(start_sandbox().url)
    assert program("run", "x.db").code == 0
    rows = [json.loads(line) for line in program("show", "last", "--json").out.splitlines()]
    low = {row["column"] for row in rows if row["confidence"] == "low"}
    assert "xq1" in low
    found = program("show", "last", "--low", "--json").out.splitlines()
    assert {json.loads(line)["column"] for line in found} == low
    out = program("show", "last", "--low").out
    assert "xq1" in out
    assert "plain" not in out
    assert "customer_name" not in out
    (own,) = [row for row in rows if row["table"] == "odd" and not row["column"]]
    whole = program("show", "last", "--table", "odd").out.splitlines()
    assert whole[:2] == [f"odd  {own['confidence']}", own["description"]]
    assert whole[2].split() == ["Column", "Type", "Confidence", "Description"]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 columns"), (1, "1 column"), (2, "2 columns"), (1200, "1,200 columns")],
)
def test_counts_agree_with_their_noun(count: int, text: str) -> None:
    assert counted(count, "column") == text
    assert counted(count, "retry", "retries").endswith("retry" if count == 1 else "retries")
