"""Merging into dbt's property files adds lines, and leaves every other byte as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.journal import Described
from amx_kimi.publish.choose import Choice
from amx_kimi.publish.dbt import Merged, MergeRules, merge_dbt

from .test_dbt import row
from .test_export import RUN

ALL = Choice(unreviewed=True)
ROWS = [
    row("", "Orders."),
    row("id", "Key: it's #1."),
    row("e mail", "Where to write."),
    row("new", "New."),
]


def merge(
    path: Path, text: str, rows: list[Described] = ROWS, **options: Any
) -> tuple[str, Merged]:
    """What a merge makes of a file with these bytes."""
    path.write_bytes(text.encode())
    rules = MergeRules(RUN, ALL, options.pop("section", "sources"), **options)
    return merge_dbt(path, rows, rules)


EMPTY = re.compile(r"description:[ \t]*(\"\"|''|~|null)?(?=[ \t]*(#.*|[,}].*)?\r?$)", re.MULTILINE)


def assert_only_added(old: str, new: str) -> None:
    """Every line stands there in its order, but for empty descriptions; what stands in braces or
    brackets may have got something inside."""
    assert old.endswith("\n") == new.endswith("\n")
    there = iter(re.split(r"(?<=\n)", new))
    for line in re.split(r"(?<=\n)", old):
        if EMPTY.search(line) or re.search(r"[{}\[\]]", line):
            continue
        is_last = not line.endswith("\n")
        assert any(one == line or (is_last and one.rstrip() == line.rstrip()) for one in there), (
            line
        )
    rest = iter(new)
    assert all(character in rest for character in EMPTY.sub("", old))


def read(text: str) -> Any:
    """A document as dbt reads it."""
    return yaml.load(text.removeprefix("\ufeff"), yaml.CSafeLoader)


def described(text: str) -> dict[str, str]:
    """The descriptions of the columns of every model and table in a file."""
    document = read(text)
    tables = [table for source in document.get("sources") or () for table in source["tables"]]
    models = [model for key in ("models", "seeds") for model in document.get(key) or ()]
    return {
        f"{entry['name']}.{column['name']}": column.get("description", "")
        for entry in (*models, *tables)
        for column in entry.get("columns") or ()
    }


ODD = {
    "a mark": "\ufeffmodels:\n  - name: orders\n    columns:\n      - name: id\n",
    "a start": "---\nmodels:\n- name: orders\n  columns:\n  - name: id\n...\n",
    "windows": "models:\r\n  - name: orders\r\n    columns:\r\n"
    "      - name: id   \r\n\r\n# end\r\n",
    "no end": "models:\n  - name: orders\n    columns:\n      - name: id",
    "no end of windows": "models:\r\n  - name: orders\r\n    columns:\r\n      - name: id",
    "tabs": "models:\n  - name: orders\t# a\ttab\n    columns:\n      - name:\tid\t# x\n",
    "flow": "models:\n  - {name: orders,   columns: [ {name: id ,tests: [unique]},{name: b} ]}\n",
    "flow of lines": "models:\n  - name: orders\n    columns: [\n      {name: id,  # a\n"
    "       tests: [unique]},\n      {name: b},\n    ]\n",
    "json": '{"models": [{"name": "orders", "columns": [{"name": "id"}]}]}',
    "wrapped": "models:\n  - name: orders\n    description: A text\n      in two\n\n      lines\n"
    "    columns:\n      - name: id\n        description: 'a\n          b'\n",
    "blocks": "models:\n  - name: orders\n    description: >-\n      A text\n\n      of two\n\n\n"
    "    columns:\n      - name: id\n        meta: {a: 1}\n"
    "      - name: z\n        description: |+\n"
    "          kept\n\n\n# end\n",
    "a block at the end": "models:\n  - name: orders\n    description: |\n      A text",
    "nulls": "models:\n  - name: orders\n    description: null\n    docs: null\n    tests: ~\n"
    "    columns:\n      - name: id\n        description:   # to do\n",
    "keys": '"models":\n  - "name": orders\n    ? columns\n    : - name: id\n',
    "quotes": "models:\n  - name: 'orders'\n    columns:\n"
    '      - name: "id"\n        "tests": []\n',
    "anchors": "x: &x [unique]\nmodels: &m\n  - &o\n    name: &n orders\n    columns: &c\n"
    "      - &i\n        name: id\n        tests: *x\n",
    "deep": "models:\n      -   name: orders\n          columns:\n                -   name: id\n",
    "astral": "# 😀\nmodels:\n  - name: orders # 😀 é\n    columns:\n      - name: id # ü\n",
    "config": "models:\n  - name: orders\n    config: {materialized: view}\n    columns:\n"
    "      - name: id\n        config:\n          tags: [a]\n        tests: [unique]\n",
    "comments": "models:\n  - name: orders\n    # description: no\n    columns:\n      # first\n"
    "      - name: id\n        # of id\n      # last\n  # of models\n# of all\n",
}


@pytest.mark.parametrize("name", ODD)
def test_bytes_stay(name: str, tmp_path: Path) -> None:
    old = ODD[name]
    new, merged = merge(tmp_path / "a.yml", old)
    assert merged.problems == []
    assert_only_added(old, new)
    found = described(new)
    assert found["orders.new"] == "New."
    assert found["orders.id"] in ("Key: it's #1.", "a b")
    again, repeated = merge(tmp_path / "a.yml", new)
    assert (again, repeated.added) == (new, merged.added)


def test_nothing_of_a_run_is_nothing_in_the_file(tmp_path: Path) -> None:
    for old in ODD.values():
        assert merge(tmp_path / "a.yml", old, []) == (old, Merged())


# Files in odd styles

WORDS = st.sampled_from(["a", "it's", "#1", "x: y", "ü😀", "", "b  ", "1", "null"])


def folded(words: list[str], indent: str) -> str:
    return f"\n{indent}  ".join(word.replace("#", "").replace(": ", "") or "w" for word in words)


@st.composite
def descriptions(draw: Any, indent: str) -> str:
    """A description, or none, as the lines of a block mapping."""
    words = draw(st.lists(WORDS, min_size=1, max_size=3))
    block = "".join(f"\n{indent}  {word}".rstrip(" ") for word in ["w", *words])
    gap = "\n" * draw(st.integers(0, 2))
    return draw(
        st.sampled_from(
            [
                *("", "description: ''", "description:", 'description: ""  # to do'),
                f"description: w{folded(words, indent)}",
                f"description: '{folded(words, indent)}'".replace("it's", "its"),
                *(f"description: {head}{block}{gap}" for head in ("|", ">-", "|+  # c", ">")),
            ]
        )
    )


@st.composite
def columns(draw: Any, name: str, column: int) -> str:
    """A column's entry, with its dash at `column`."""
    dash = " " * column + "-" + " " * draw(st.integers(1, 3))
    if draw(st.integers(0, 4)) == 0:
        rest = draw(
            st.sampled_from(["", ", description: ''", " , tests: [ unique ]", ",", ", x: "])
        )
        return f"{dash}{{name: {name}{rest}}}"
    indent = " " * len(dash)
    parts = [f"name: {name}" + draw(st.sampled_from(["", "  # c", "\t# c"]))]
    parts += [part for part in [draw(descriptions(indent))] if part]
    parts += draw(
        st.lists(st.sampled_from(["meta: {a: 1}", "config:", "quote: false"]), unique=True)
    )
    parts += draw(
        st.sampled_from([[], [f"tests:\n{indent}- unique"], ["tests: [ unique,\n\n  b ]"]])
    )
    if draw(st.booleans()):
        parts.reverse()
    comment = draw(st.sampled_from(["", "\n", f"\n{indent}# of it", "\n# of none\n"]))
    return dash + f"\n{indent}".join(parts) + comment


@st.composite
def files(draw: Any) -> str:
    """A property file with the model `orders`."""
    offset = draw(st.sampled_from([0, 2, 4]))
    column = offset + 2 + draw(st.sampled_from([0, 2]))
    names = draw(st.lists(st.sampled_from(["id", '"e mail"', "z", "y"]), max_size=3, unique=True))
    names = [f"'{name}'" if name.startswith('"') else name for name in names]
    lines = [draw(st.sampled_from(["", "---", "# top", "version: 2"])), "models:"]
    lines += [" " * offset + "- name: orders"]
    lines += [" " * (offset + 2) + "columns:"] * bool(names)
    lines += [draw(columns(name, column)) for name in names]
    lines += draw(
        st.sampled_from([[], [" " * offset + "- {name: items}"], ["sources: []  # none"]])
    )
    text = "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n", "\n# end", "\n  # end\n"]))
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return draw(st.sampled_from(["", "\ufeff"])) + text


@given(files())
def test_any_style(tmp_path_factory: pytest.TempPathFactory, old: str) -> None:
    path = tmp_path_factory.mktemp("any") / "a.yml"
    try:
        read(old)
    except yaml.YAMLError:
        return
    new, merged = merge(path, old)
    assert merged.problems == []
    assert_only_added(old, new)
    found = described(new)
    assert {"orders.id", "orders.e mail", "orders.new"} <= {name.replace('"', "") for name in found}
    for name, text in described(old).items():
        if text and text.strip():
            assert found[name].rstrip("\n") == text.rstrip("\n")
    assert merged.added + merged.kept == len(ROWS)
    assert merge(path, new)[0] == new
    replaced, outcome = merge(path, old, overwrite=True)
    assert (outcome.added, outcome.kept) == (len(ROWS), 0)
    assert described(replaced)["orders.id"] == "Key: it's #1."
