"""dbt's schema.yml: what is written is what is read, and people's files stay theirs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from amx_kimi.errors import ConfigFileError
from amx_kimi.journal import Described
from amx_kimi.journal.decisions import Decision
from amx_kimi.publish.choose import Choice
from amx_kimi.publish.dbt import MergeRules, escape, merge_dbt, write_dbt
from amx_kimi.types import Item, Suggestion

from .test_export import RUN

ALL = Choice(unreviewed=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def row(column: str, text: str, table: str = "orders", schema: str = "sales") -> Described:
    item = Item(schema, table, column, "column" if column else "table", 1, "int")
    return Described(item, "described", None, {}, Suggestion((text,), "high"), "kimi-k3")


ROWS = [row("", "Orders."), row("id", "Key."), row("net", "Net amount.")]


def written(rows: list[Described], choice: Choice = ALL, section: Any = "sources") -> Any:
    out = io.StringIO()
    write_dbt(out, RUN, rows, choice, section)
    return yaml.safe_load(out.getvalue())


def test_sources() -> None:
    found = written([*ROWS, row("", "Items.", "items"), row("", "Other.", "x", "other")])
    assert [source["name"] for source in found["sources"]] == ["sales", "other"]
    orders, items = found["sources"][0]["tables"]
    assert (orders["name"], orders["description"]) == ("orders", "Orders.")
    assert [column["name"] for column in orders["columns"]] == ["id", "net"]
    assert items["description"] == "Items."
    meta = orders["columns"][0]["config"]["meta"]["amx_kimi"]
    assert meta.pop("digest")
    assert meta == {
        "ai_generated": True,
        "model": "kimi-k3",
        "run": RUN.id,
        "confidence": "high",
    }


def test_models_and_nothing() -> None:
    assert [m["name"] for m in written(ROWS, section="models")["models"]] == ["orders"]
    assert written(ROWS, Choice()) == {"version": 2, "sources": []}
    assert written([], section="models") == {"version": 2, "models": []}


def test_the_reviewer_is_named_and_an_edit_is_a_persons() -> None:
    edited = Described(
        **{**vars(ROWS[1]), "decision": Decision("edit", "The key.", "ann", "2026-11-25T10:00:00")}
    )
    (table,) = written([edited], Choice())["sources"][0]["tables"]
    meta = table["columns"][0]["config"]["meta"]["amx_kimi"]
    assert (meta["reviewer"], meta["ai_generated"]) == ("ann", False)
    assert table["columns"][0]["description"] == "The key."


@given(st.lists(st.tuples(TEXT.filter(str.strip), TEXT.filter(str.strip)), max_size=4))
@example([("{{", "{% a")])
@example([("0\r", "0")])
def test_what_is_written_is_what_dbt_reads(pairs: list[tuple[str, str]]) -> None:
    rows = [row(name, text) for name, text in pairs]
    found = written(rows)
    columns = found["sources"][0]["tables"][0]["columns"] if rows else []
    for column, (name, text) in zip(columns, pairs, strict=True):
        # To dbt, a name is a template, too.
        assert rendered(column["name"]) == with_plain_line_ends(name)
        assert rendered(column["description"]) == with_plain_line_ends(text).strip()


def with_plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def rendered(text: str) -> str:
    """As dbt shows a description: its Jinja, which drops one final line end."""
    return jinja2.Environment(keep_trailing_newline=True).from_string(text).render()


@pytest.mark.parametrize("text", ["{{ x }}", "{% if %}", "{# c #}", "a {{{ b", "{ {", "}} %} #}"])
def test_braces_are_no_template(text: str) -> None:
    assert rendered(escape(text)) == text


FILE = """\
version: 2

# The team's own models.
models:
  - name: orders   # the big one
    description: "{{ doc('orders') }}"
    columns:
      - name: id
        tests: [unique, not_null]
      - name: ID2
        description: 'A person wrote this: no'
        meta: {owner: ann}

sources:
  - name: raw
    schema: sales
    tables:
      - name: items
        columns:
          - name: sku
            description: ""
"""


def merged(
    tmp_path: Path, text: str, rows: list[Described], **options: Any
) -> tuple[str, Any, list[str]]:
    path = tmp_path / "schema.yml"
    path.write_text(text)
    found, outcome = merge_dbt(path, rows, MergeRules(RUN, ALL, "sources", **options))
    assert path.read_text() == text
    return found, yaml.safe_load(found), outcome.problems


def test_a_persons_file_stays_a_persons(tmp_path: Path) -> None:
    rows = [row("", "Ours."), row("id", "Key."), row("id2", "Ours."), row("new", "New: yes")]
    text, found, problems = merged(tmp_path, FILE, rows)
    assert problems == []
    (orders,) = found["models"]
    assert orders["description"] == "{{ doc('orders') }}"
    by_name = {column["name"]: column for column in orders["columns"]}
    assert by_name["id"]["description"] == "Key."
    assert by_name["id"]["tests"] == ["unique", "not_null"]
    assert by_name["ID2"]["description"] == "A person wrote this: no"
    assert "config" not in by_name["ID2"]
    assert by_name["new"]["description"] == "New: yes"
    for line in FILE.splitlines():
        assert line in text.splitlines(), line


def test_the_files_own_indentation_is_kept(tmp_path: Path) -> None:
    flat = "version: 2\nmodels:\n- name: orders\n  columns:\n  - name: id\n    tests: [unique]\n"
    text, _, _ = merged(tmp_path, flat, [row("id", "Key.")])
    for line in flat.splitlines():
        assert line in text.splitlines(), line


def test_what_is_ours_is_brought_up_to_date_and_an_edit_of_it_is_kept(tmp_path: Path) -> None:
    first, _, _ = merged(tmp_path, FILE, [row("id", "Key.")])
    again, _, _ = merged(tmp_path, first, [row("id", "Key.")])
    assert again == first
    newer, found, _ = merged(tmp_path, first, [row("id", "The key.")])
    assert found["models"][0]["columns"][0]["description"] == "The key."
    touched = newer.replace("The key.", "The key, says Ann.")
    _, found, _ = merged(tmp_path, touched, [row("id", "Key again.")])
    assert found["models"][0]["columns"][0]["description"] == "The key, says Ann."
    _, found, _ = merged(tmp_path, touched, [row("id", "Key again.")], overwrite=True)
    assert found["models"][0]["columns"][0]["description"] == "Key again."


def test_sources_are_found_by_schema_and_new_ones_added(tmp_path: Path) -> None:
    rows = [row("sku", "Article.", "items"), row("x", "X.", "more"), row("y", "Y.", "z", "hr")]
    _, found, _ = merged(tmp_path, FILE, rows)
    raw, hr = found["sources"]
    assert [table["name"] for table in raw["tables"]] == ["items", "more"]
    assert raw["tables"][0]["columns"][0]["description"] == "Article."
    assert (hr["name"], hr["schema"]) == ("hr", "hr")
    assert len(found["models"]) == 1


def test_what_stands_twice_is_left_alone(tmp_path: Path) -> None:
    twice = FILE.replace("sources:", "seeds:\n  - name: orders\n\nsources:")
    _, found, problems = merged(tmp_path, twice, [row("id", "Key.")])
    assert "description" not in found["models"][0]["columns"][0]
    assert "sales.orders occurs 2 times" in problems[0]
    column = FILE.replace("- name: ID2", "- name: id")
    _, _, problems = merged(tmp_path, column, [row("id", "Key.")])
    assert problems == ["sales.orders.id occurs 2 times there"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("models: [", "line 1 is not valid YAML"),
        ("- a\n- b\n", "expected a mapping"),
        ("models: {a: b}\n", "line 1: models must be a list"),
        ("version: 2\nmodels:\n  - name: a\n    columns: {}\n", "line 3: columns must be"),
        ("a: 1\n---\na: 2\n", "line 2 is not valid YAML: it contains two documents"),
        ("models: *x\n", "line 1 is not valid YAML: the alias"),
        ("a: \0\n", "is not valid YAML"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, error: str) -> None:
    with pytest.raises(ConfigFileError, match=error):
        merged(tmp_path, text, ROWS)


def test_an_empty_file_is_a_beginning(tmp_path: Path) -> None:
    _, found, _ = merged(tmp_path, "", ROWS)
    assert found["sources"][0]["tables"][0]["name"] == "orders"


@pytest.mark.parametrize(
    "text",
    [
        "models:\n  - name: orders\n    columns:\n",
        "sources:\n",
        "sources:\n  - name: sales\n    tables:\n",
        "models:\n  - name: orders\n    config:\n",
        "models:\n  - name: orders\n    config: {meta: }\n",
    ],
)
def test_keys_without_a_value(tmp_path: Path, text: str) -> None:
    _, found, problems = merged(tmp_path, text, ROWS)
    assert problems == []
    assert "Key." in str(found)


def test_one_model_is_not_two_tables(tmp_path: Path) -> None:
    rows = [row("id", "A."), row("id", "B.", schema="other")]
    _, found, problems = merged(tmp_path, "models:\n  - name: orders\n", rows)
    assert "columns" not in found["models"][0]
    assert problems == [
        "sales.orders and other.orders share one entry here; export only one of them, "
        "with --schema",
        "other.orders and sales.orders share one entry here; export only one of them, "
        "with --schema",
    ]
    out = io.StringIO()
    result = write_dbt(out, RUN, rows, ALL, "models")
    assert (result.added, len(result.problems)) == (1, 1)
    assert len(yaml.safe_load(out.getvalue())["models"]) == 1


COMMENTED = """\
version: 2
models:
  - name: orders
    columns:
      - name: id

      # about net
      - name: net
        tests: [unique]  # inline

      # about cust
      - name: cust
        tests:
          - unique

  # about items, by a person
  - name: items
    meta: {a: 1}

# about sources
sources:
  - name: s
    tables:
      - name: t
# end of the file
"""


def test_comments_stay_where_they_stand(tmp_path: Path) -> None:
    rows = [row("", "O."), row("id", "Key."), row("net", "Net."), row("cust", "C."), row("x", "X.")]
    rows += [row("", "I.", "items"), row("n", "New.", "more", "s"), row("m", "M.", "t", "s")]
    text, found, problems = merged(tmp_path, COMMENTED, rows)
    assert problems == []
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for comment, after in (
        ("# about net", "- name: net"),
        ("# about cust", "- name: cust"),
        ("# about items, by a person", "- name: items"),
        ("# about sources", "sources:"),
    ):
        assert lines[lines.index(comment) + 1] == after
    assert lines[-1] == "# end of the file"
    assert "tests: [unique]  # inline" in lines
    assert [column["name"] for column in found["models"][0]["columns"]] == [
        "id",
        "net",
        "cust",
        "x",
    ]
    again, _, _ = merged(tmp_path, text, rows)
    assert again == text


def test_columns_by_an_alias_are_left_alone(tmp_path: Path) -> None:
    text = (
        "models:\n  - name: orders\n    columns: &all\n      - name: id\n"
        "  - name: items\n    columns: *all\n"
    )
    _, found, problems = merged(tmp_path, text, [row("id", "Key.")])
    assert "its columns are or contain an alias" in problems[0]
    assert "description" not in found["models"][0]["columns"][0]


def test_line_ends_of_windows_stay(tmp_path: Path) -> None:
    path = tmp_path / "s.yml"
    path.write_bytes(b"models:\r\n  - name: orders\r\n")
    text, _ = merge_dbt(path, ROWS, MergeRules(RUN, ALL, "sources"))
    assert text.count("\n") == text.count("\r\n") > 5


def test_columns_that_differ_in_case_only(tmp_path: Path) -> None:
    rows = [row("id", "Small."), row("Id", "Large.")]
    first, found, problems = merged(tmp_path, "models:\n  - name: orders\n", rows)
    names = [column["name"] for column in found["models"][0]["columns"]]
    assert (sorted(names), problems) == (["Id", "id"], [])
    again, _, problems = merged(tmp_path, first, rows)
    assert (again, problems) == (first, [])
