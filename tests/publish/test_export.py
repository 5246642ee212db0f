"""Exports: what is read back is what was there."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.errors import ConfigFileError
from amx_kimi.journal import Described, Run
from amx_kimi.journal.decisions import Decision
from amx_kimi.publish.export import FORMATS, as_row, open_output
from amx_kimi.text import HIDDEN
from amx_kimi.types import Item, Suggestion

ROOT = Path(__file__).parents[2]
RUN = Run(
    "20261121-abc123", "sqlite:///x", "sqlite:/x", "p", "kimi-k3", "http://e/v1", "USD", "{}",
    "complete", 1, "h:1", None, "2026-11-21", None,
)  # fmt: skip
TABLE = Item("public", "orders", "", "table", 0, comment="All orders")
COLUMN = Item("public", "orders", "net_amt", "column", 1, "numeric(10,2)", key_role="pk,fk")
GOOD = Suggestion(("Net amount.", "Amount without tax.", "Sum."), "high", "logprobs", 0.91)


def described(
    item: Item = COLUMN, suggestion: Suggestion | None = GOOD, status: str = "described"
) -> Described:
    return Described(item, status, None, {"nulls": 3}, suggestion, "kimi-k3")


def named(name: str, text: str = "x", **more: str) -> Described:
    return described(
        Item("s", "t", name, "column", 1, more.get("type", "int"), comment=more.get("comment", "")),
        Suggestion((text, text + "2"), "low"),
    )


def written(kind: str, *rows: Described) -> str:
    out = io.StringIO(newline="")
    FORMATS[kind](out, RUN, iter(rows))
    return out.getvalue()


def csv_rows(*rows: Described) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written("csv", *rows), newline="")))


FAILED = Described(TABLE, "failed", "left out, 3 times", {}, None, None)


def test_formats() -> None:
    assert set(FORMATS) == {"json", "jsonl", "csv", "markdown"}


def test_a_row_has_its_provenance() -> None:
    assert as_row(described(), RUN) == {
        "schema": "public",
        "table": "orders",
        "column": "net_amt",
        "kind": "column",
        "type": "numeric(10,2)",
        "key_role": "pk,fk",
        "fk": "",
        "comment": "",
        "status": "described",
        "description": "Net amount.",
        "alternatives": ["Amount without tax.", "Sum."],
        "confidence": "high",
        "signal": "logprobs",
        "score": 0.91,
        "decision": None,
        "reviewed_by": None,
        "reviewed_at": None,
        "facts": {"nulls": 3},
        "error": None,
        "model": "kimi-k3",
        "run": RUN.id,
        "generated_by": "AI",
    }
    failed = as_row(FAILED, RUN)
    assert (failed["description"], failed["alternatives"]) == (None, [])
    assert failed["generated_by"] is None
    assert (failed["confidence"], failed["score"], failed["error"]) == (
        None,
        None,
        "left out, 3 times",
    )


def test_json() -> None:
    text = written("json", FAILED, described())
    document = json.loads(text)
    assert document.pop("items") == [as_row(FAILED, RUN), as_row(described(), RUN)]
    assert document == {
        "run": RUN.id,
        "model": "kimi-k3",
        "database": "sqlite:/x",
        "generated_by": "AI",
    }
    assert len(text.splitlines()) == 4
    assert json.loads(written("json"))["items"] == []


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
STARTS = "=+-@\t\r＝＋－＠﹦﹢﹣﹫−"
PRINTABLE = HOSTILE.map(
    lambda text: HIDDEN.sub(lambda found: found[0] if found[0] in "\t\r\n" else "", text)
)


@given(st.lists(st.tuples(HOSTILE, HOSTILE, HOSTILE), max_size=4))
def test_json_round_trips(texts: list[tuple[str, str, str]]) -> None:
    rows = [named(name, text, type=kind) for name, text, kind in texts]
    found = json.loads(written("json", *rows))["items"]
    assert [(r["column"], r["description"], r["type"]) for r in found] == texts


def test_no_escape_reaches_a_terminal() -> None:
    row = named("a\x1b]0;x\x07b\x9b\u202egpj", "text\x1b[31m\u2066", comment="\x1b\u200f\ufeff")
    for kind in ("csv", "markdown"):
        text = written(kind, row)
        assert not set(text) & set("\x1b\x07\x9b\u202e\u2066\u200f\ufeff")


@given(st.lists(st.tuples(PRINTABLE, PRINTABLE, PRINTABLE), max_size=4))
def test_csv_round_trips_and_has_no_formula(texts: list[tuple[str, str, str]]) -> None:
    described = [named(name, text, comment=comment) for name, text, comment in texts]
    rows = csv_rows(*described)
    assert len(rows) == len(texts)
    for row, (name, text, _), one in zip(rows, texts, described, strict=True):
        wanted = (name, text, one.item.comment)  # a comment of blanks is none
        found = (row["column"], row["description"], row["comment"])
        for cell, text in zip(found, wanted, strict=True):
            assert cell[:1] not in tuple("=+-@\t\r＝＋－＠")
            assert cell == text or (cell == "'" + text and text.lstrip("'")[0] in STARTS)
        assert row["alternatives"] in (wanted[1] + "2", "'" + wanted[1] + "2")


def test_csv_columns() -> None:
    row, failed = csv_rows(described(), FAILED)
    assert row["schema"] == "public"
    assert row["alternatives"] == "Amount without tax. | Sum."
    assert (row["confidence"], row["signal"], row["model"]) == ("high", "logprobs", "kimi-k3")
    assert row["run"] == RUN.id
    assert (failed["error"], failed["description"]) == ("left out, 3 times", "")
    assert failed["status"] == "failed"


@pytest.mark.parametrize(
    "formula", ['=HYPERLINK("http://x")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]
)
def test_formulas_are_neutralised_wherever_they_stand(formula: str) -> None:
    item = Item(formula, formula, formula, "column", 1, formula, comment=formula)
    row = Described(
        item, "failed", formula, {}, Suggestion((formula, formula + "2"), "low"), formula
    )
    (found,) = csv_rows(row)
    for name in ("schema", "table", "column", "type", "description", "comment"):
        assert found[name] == "'" + formula
    assert found["alternatives"] == "'" + formula + "2"
    assert found["error"] == found["model"] == "'" + formula


def test_markdown() -> None:
    commented = Item("public", "orders", "b", "column", 2, "int", comment="Known.")
    text = written(
        "markdown",
        described(TABLE, Suggestion(("Sales orders.",), "high")),
        described(),
        described(commented, None, "commented"),
        described(Item("public", "v", "", "view", 0), None, "failed"),
    )
    assert text == (
        "# Data dictionary\n\n"
        "AI-generated by kimi-k3 in run 20261121-abc123 from sqlite:/x; "
        "*reviewed* says who accepted or edited it.\n\n"
        "## public.orders\n\nSales orders.\n\n"
        "| Column | Type | Description | Confidence | Reviewed |\n|---|---|---|---|---|\n"
        "| net\\_amt | numeric(10,2) | Net amount. | high |  |\n"
        "| b | int | Known. | commented |  |\n\n"
        "## public.v\n\n\n\n"
        "| Column | Type | Description | Confidence | Reviewed |\n|---|---|---|---|---|\n"
    )


def cells_of(line: str) -> list[str]:
    """The cells of a table's line, unescaped."""
    cells, cell, escaped = [], "", False
    for character in line:
        if escaped:
            cell, escaped = cell + character, False
        elif character == "\\":
            escaped = True
        elif character == "|":
            cells.append(cell.strip(" "))
            cell = ""
        else:
            assert character not in "`*_{}[]<>#", line
            cell += character
    return cells[1:]


@given(HOSTILE.filter(str.strip), HOSTILE, HOSTILE)
def test_markdown_cells_hold_hostile_names(name: str, kind: str, text: str) -> None:
    lines = written("markdown", named(name, text, type=kind)).split("\n")
    assert len(lines) == 5
    cells = cells_of(lines[3])
    wanted = (HIDDEN.sub("�", " ".join(part.split())) for part in (name, kind, text))
    assert cells == [*wanted, "low", ""]


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "[a](http://x)", "![i](x)", "`c`", "a|b", "# h\n# i"]
)
def test_markdown_headings_hold_hostile_names(name: str) -> None:
    table = Item("", name, "", "table", 0)
    lines = written("markdown", described(table, Suggestion((name,), "low"))).splitlines()
    heading = next(line for line in lines if line.startswith("## "))
    plain = " ".join(name.split())
    assert cells_of(f"|{heading[3:]}|") == [plain]
    assert len([line for line in lines if line.startswith("#")]) == 2


# The file


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with open_output(path) as file:
        file.write("ä\r\n")
        assert not path.exists()
    assert path.read_bytes() == "ä\r\n".encode()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "out.csv"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with open_output(path, 0o644) as file:
        file.write("ö")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with open_output(path) as file:  # whoever widened it knows why
        file.write("ü")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")

    def rows() -> Iterator[Described]:
        yield described()
        raise error

    with pytest.raises(error), open_output(path) as file:
        FORMATS["json"](file, RUN, rows())
    assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "out.json"]


def test_a_full_disk_is_named_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    with (
        pytest.raises(ConfigFileError, match=r"out\.json cannot be written: No space left"),
        open_output(path),
    ):
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "out.json"]


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.md"
    path.write_text("old and longer than the new")
    with open_output(path) as file:
        file.write("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("place", ["no/such/folder/out.csv", "folder"])
def test_what_cannot_be_written(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(ConfigFileError, match="cannot be written"),
        open_output(tmp_path / place) as file,
    ):
        file.write("x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "home"]


def test_what_a_person_decided_stands_in_every_format() -> None:
    edited = replace(
        described(), decision=Decision("edit", "Net of tax.", "ann", "2026-11-25T10:00")
    )
    rejected = replace(described(), decision=Decision("reject", None, "bob", "2026-11-25T10:00"))
    row = as_row(edited, RUN)
    assert (row["description"], row["decision"], row["reviewed_by"]) == (
        "Net of tax.",
        "edit",
        "ann",
    )
    assert row["generated_by"] == "person"
    assert row["alternatives"] == ["Net amount.", "Amount without tax.", "Sum."]
    gone = as_row(rejected, RUN)
    assert (gone["description"], gone["generated_by"]) == (None, None)
    assert "| Net of tax. | high | ann, edited |" in written("markdown", edited)
    assert csv_rows(edited)[0]["reviewed_by"] == "ann"


def test_json_lines_are_as_the_schema_says() -> None:
    schema = json.loads((ROOT / "docs" / "suggestion.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    accepted = replace(
        described(), decision=Decision("accept", "Sum.", "ann", "2026-11-25T10:00:00+00:00")
    )
    lines = written("jsonl", FAILED, described(), accepted).splitlines()
    assert len(lines) == 3
    for line in map(json.loads, lines):
        validator.validate(line)
        assert set(line) == set(schema["required"])
    assert not validator.is_valid({**json.loads(lines[0]), "confidence": "sure"})


def test_a_device_and_a_link_are_written_to_and_not_replaced(tmp_path: Path) -> None:
    with open_output(Path("/dev/null")) as file:
        file.write("x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    real = tmp_path / "real.yml"
    real.write_text("old")
    real.chmod(0o640)
    (tmp_path / "link.yml").symlink_to(real)
    with open_output(tmp_path / "link.yml") as file:
        file.write("new")
    assert (tmp_path / "link.yml").is_symlink()
    assert (real.read_text(), stat.S_IMODE(real.stat().st_mode)) == ("new", 0o640)
