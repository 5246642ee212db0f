"""Merging where a project says one thing in several places: aliases, templates, files, versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from amx_kimi.errors import ConfigFileError
from amx_kimi.journal import Described
from amx_kimi.publish.choose import Choice
from amx_kimi.publish.dbt import Merged, MergeRules, merge_dbt, project_around, read_project

from .test_dbt import RUN, row

ALL = Choice(unreviewed=True)
ORDERS = [row("", "Orders."), row("id", "Key."), row("net", "Net.")]


def merged(
    folder: Path,
    files: dict[str, str],
    rows: list[Described] = ORDERS,
    *,
    section: Any = "sources",
    **options: Any,
) -> tuple[str, Any, Merged]:
    """What becomes of the first of a project's files: its text, its document, and the outcome."""
    (folder / "dbt_project.yml").write_text("name: shop\n")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    path = folder / next(iter(files))
    project = read_project(folder, without=path)
    text, outcome = merge_dbt(path, rows, MergeRules(RUN, ALL, section, **options), project)
    return text, yaml.safe_load(text), outcome


def texts(entry: dict[str, Any]) -> dict[str, str | None]:
    """The descriptions of an entry's columns."""
    return {one["name"]: one.get("description") for one in entry.get("columns", ())}


# Aliases

SHARED = {
    "an item": "models:\n  - name: items\n    columns:\n      - &id\n        name: id\n"
    "  - name: orders\n    columns:\n      - *id\n      - name: net\n",
    "a merge key": "x: &id {name: id, quote: true}\nmodels:\n  - name: orders\n    columns:\n"
    "      - <<: *id\n      - name: net\n",
    "a merge key with more": "x: &id {quote: true}\nmodels:\n  - name: orders\n    columns:\n"
    "      - <<: *id\n        name: id\n      - name: net\n",
    "the named one": "models:\n  - name: orders\n    columns:\n      - &id\n        name: id\n"
    "      - name: net\n  - name: items\n    columns:\n      - *id\n",
}


@pytest.mark.parametrize("name", SHARED)
def test_a_column_that_others_share_is_left_alone(name: str, tmp_path: Path) -> None:
    _, found, outcome = merged(tmp_path, {"models/a.yml": SHARED[name]})
    (problem,) = outcome.problems
    assert "sales.orders.id" in problem
    assert "alias" in problem
    by_name = {model["name"]: model for model in found["models"]}
    assert texts(by_name["orders"]) == {"id": None, "net": "Net."}
    assert by_name["orders"]["description"] == "Orders."
    assert by_name.get("items", {}).get("columns", [{"name": "id"}]) == [{"name": "id"}]


@pytest.mark.parametrize(
    "text",
    [
        "models:\n  - &m\n    name: orders\n    columns:\n      - name: id\nseeds: [*m]\n",
        "x: &m [{name: orders, columns: [{name: id}]}]\nmodels: *m\n",
        "x: &c [{name: id}]\nmodels:\n  - name: orders\n    columns: *c\n",
        "x: &c {columns: [{name: id}]}\nmodels:\n  - name: orders\n    <<: *c\n",
    ],
)
def test_columns_of_an_entry_that_others_share(text: str, tmp_path: Path) -> None:
    _, found, outcome = merged(tmp_path, {"models/a.yml": text})
    assert outcome.problems
    assert texts(found["models"][0]) == {"id": None}


def test_a_persons_text_may_be_shared(tmp_path: Path) -> None:
    text = (
        "models:\n  - name: items\n    description: &d By Ann.\n"
        "  - name: orders\n    description: *d\n    columns:\n      - name: id\n"
        "        description: *d\n"
    )
    new, found, outcome = merged(tmp_path, {"models/a.yml": text})
    assert (outcome.problems, outcome.kept) == ([], 2)
    assert texts(found["models"][1]) == {"id": "By Ann.", "net": "Net."}
    assert "description: *d\n    columns" in new


# Sources whose schema is a template


def source(name: str, schema: str) -> str:
    return f"sources:\n  - name: {name}\n    schema: {schema}\n    tables:\n      - name: orders\n"


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("sales", "\"{{ var('s', 'raw') }}\""),
        ("SALES", "\"{{ var('s', 'raw') }}\""),
        ("shop", "\"{{ var('s', 'raw') }}\""),  # it may be, and a second one is refused
        ("shop", "'{% if x %}a{% else %}b{% endif %}'"),
        ("shop", "sales"),
        ("shop", "'\"sales\"'"),
    ],
)
def test_a_table_of_this_source(tmp_path: Path, name: str, schema: str) -> None:
    _, found, outcome = merged(tmp_path, {"models/a.yml": source(name, schema)})
    (only,) = found["sources"]
    assert outcome.problems == []
    assert [texts(table) for table in only["tables"]] == [{"id": "Key.", "net": "Net."}]


def test_a_table_of_another_schema(tmp_path: Path) -> None:
    _, found, outcome = merged(tmp_path, {"models/a.yml": source("shop", "other")})
    assert outcome.problems == []
    theirs, added = found["sources"]
    assert texts(theirs["tables"][0]) == {}
    assert (added["schema"], texts(added["tables"][0])) == ("sales", {"id": "Key.", "net": "Net."})


def test_a_source_of_this_name_for_another_schema(tmp_path: Path) -> None:
    old = source("sales", "other")
    new, _, outcome = merged(tmp_path, {"models/a.yml": old})
    (problem,) = outcome.problems
    assert (new, outcome.added) == (old, 0)
    assert "sales.orders has the same name as another table in" in problem


def test_the_source_of_the_schema_comes_before_one_with_a_template(tmp_path: Path) -> None:
    both = source("raw", "'{{ x }}'") + source("sure", "sales").removeprefix("sources:\n")
    _, found, outcome = merged(tmp_path, {"models/a.yml": both})
    assert outcome.problems == []
    assert [texts(one["tables"][0]) for one in found["sources"]] == [
        {},
        {"id": "Key.", "net": "Net."},
    ]


def test_two_that_may_be_it_are_left_alone(tmp_path: Path) -> None:
    both = source("a", "'{{ x }}'") + source("b", "'{{ y }}'").removeprefix("sources:\n")
    new, _, outcome = merged(tmp_path, {"models/a.yml": both})
    assert (new, outcome.added) == (both, 0)
    assert "sales.orders occurs 2 times" in outcome.problems[0]


# The project's other files

OTHER = {
    "models": ("models/deep/b.yml", "models: [{name: orders}]\n"),
    "sources": ("models/b.yaml", "sources: [{name: sales, tables: [{name: orders}]}]\n"),
    "seeds": ("seeds/b.yml", "seeds: [{name: orders}]\n"),
    "snapshots": ("snapshots/b.yml", "snapshots: [{name: orders}]\n"),
    "an alias": ("models/b.yml", "models: [{name: stg, config: {alias: orders}}]\n"),
    "an identifier": (
        "models/b.yml",
        "sources: [{name: sales, tables: [{name: o, identifier: orders}]}]\n",
    ),
    "a version": ("models/b.yml", "models: [{name: orders, versions: [{v: 1}]}]\n"),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_another_file_describes_is_left_to_it(name: str, tmp_path: Path) -> None:
    path, text = OTHER[name]
    old = "version: 2\n"
    new, _, outcome = merged(tmp_path, {"models/a.yml": old, path: text})
    assert (new, outcome.added) == (old, 0)
    assert outcome.problems == [f"sales.orders is described in {path}"]


def test_what_this_file_has_is_its_own(tmp_path: Path) -> None:
    files = {"models/a.yml": "models: [{name: orders}]\n", OTHER["seeds"][0]: OTHER["seeds"][1]}
    _, found, outcome = merged(tmp_path, files)
    assert outcome.problems == []
    assert found["models"][0]["description"] == "Orders."


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ("model-paths: [private]\n", "private/b.yml"),
        ("source-paths: [old]\n", "old/b.yml"),
        ("", "models/b.yml"),
    ],
)
def test_where_a_project_keeps_its_files(config: str, path: str, tmp_path: Path) -> None:
    others = {path: "models: [{name: orders}]\n", "target/b.yml": "models: [{name: items}]\n"}
    for name, text in {"dbt_project.yml": f"name: shop\n{config}", **others}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = read_project(tmp_path)
    assert [(entry.name, found.shown(entry.file)) for entry in found.entries] == [("orders", path)]
    assert project_around(tmp_path / path) == tmp_path.resolve()


def test_a_file_of_the_project_that_is_broken_is_a_warning(tmp_path: Path) -> None:
    files = {"models/a.yml": "", "models/b.yml": "models: [", "models/c.yml": "- a\n"}
    _, found, outcome = merged(tmp_path, files)
    assert found["sources"][0]["tables"][0]["name"] == "orders"
    assert len(outcome.warnings) == 2
    assert all("its descriptions are unknown" in line for line in outcome.warnings)


def test_a_folder_that_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="is not a dbt project"):
        read_project(tmp_path)
    (tmp_path / "dbt_project.yml").write_text("a: [")
    with pytest.raises(ConfigFileError, match="is not valid YAML"):
        read_project(tmp_path)


# Versions

VERSIONS = """\
models:
  - name: orders
    latest_version: 1
    columns:
      - name: id
      - name: net
    versions:
      - v: 1
      - v: 2
        columns:
          - include: all
            exclude: [net]
          - name: gross
      - v: 3
        columns: []
"""


def test_a_version_has_its_own_columns(tmp_path: Path) -> None:
    rows = [row("gross", "Gross.", "orders_v2"), row("net", "Net of it.", "orders_v2")]
    _, found, outcome = merged(tmp_path, {"models/a.yml": VERSIONS}, rows)
    assert outcome.problems == []
    (model,) = found["models"]
    assert texts(model) == {"id": None, "net": None}
    include, *own = model["versions"][1]["columns"]
    assert include == {"include": "all", "exclude": ["net"]}
    assert texts({"columns": own}) == {"gross": "Gross.", "net": "Net of it."}


def test_the_models_columns_are_of_every_version_that_includes_them(tmp_path: Path) -> None:
    rows = [row("id", "Key."), row("id", "Key of 1.", "orders_v1"), row("id", "2.", "orders_v2")]
    _, found, outcome = merged(tmp_path, {"models/a.yml": VERSIONS}, rows)
    assert texts(found["models"][0]) == {"id": "Key.", "net": None}
    assert outcome.added == 1
    assert [line.split(":")[0] for line in outcome.problems] == [
        "sales.orders_v1",
        "sales.orders_v2",
    ]


def test_the_latest_version_under_the_models_own_name(tmp_path: Path) -> None:
    text = (
        "models:\n  - name: orders\n    latest_version: 2\n    columns:\n      - name: id\n"
        "    versions:\n      - v: 1\n      - v: 2\n        config: {alias: orders}\n"
    )
    _, found, outcome = merged(tmp_path, {"models/a.yml": text}, [row("id", "Key.")])
    assert (outcome.problems, texts(found["models"][0])) == ([], {"id": "Key."})


def test_two_schemas_of_a_template(tmp_path: Path) -> None:
    text = source("erp", "\"{{ var('raw_schema', 'raw') }}\"")
    rows = [row("id", "Of the mart."), row("id", "Raw.", schema="raw")]
    new, _, outcome = merged(tmp_path, {"models/a.yml": text}, rows)
    assert (new, len(outcome.problems)) == (text, 2)
    _, found, outcome = merged(tmp_path, {"models/a.yml": text}, rows[1:])
    assert texts(found["sources"][0]["tables"][0]) == {"id": "Raw."}


def test_a_versions_own_description(tmp_path: Path) -> None:
    rows = [row("", "Orders."), row("", "Of {{ 2 }}.", "orders_v2")]
    _, found, outcome = merged(tmp_path, {"models/a.yml": VERSIONS}, rows)
    (model,) = found["models"]
    assert (outcome.problems, outcome.added) == ([], 2)
    assert model["description"] == "Orders."
    assert model["versions"][1]["v"] == 2
    assert model["versions"][1]["description"].startswith("Of {")
    assert "description" not in model["versions"][0]


# Names and keys


@pytest.mark.parametrize("name", ["'\"e mail\"'", "'`e mail`'", "'[e mail]'", "e mail", "E MAIL"])
def test_a_quoted_name_is_its_column(name: str, tmp_path: Path) -> None:
    text = f"models:\n  - name: orders\n    columns:\n      - name: {name}\n        quote: true\n"
    _, found, outcome = merged(tmp_path, {"models/a.yml": text}, [row("e mail", "Address.")])
    (column,) = found["models"][0]["columns"]
    assert (column["description"], outcome.problems) == ("Address.", [])


def test_a_double_key_is_a_warning(tmp_path: Path) -> None:
    text = (
        "models:\n  - name: orders\n    tags: [a]\n    tags: [b]\n    columns:\n      - name: id\n"
    )
    _, found, outcome = merged(tmp_path, {"models/a.yml": text})
    assert texts(found["models"][0]) == {"id": "Key.", "net": "Net."}
    (warning,) = outcome.warnings
    assert "line 4: 'tags' occurs twice" in warning


# What is there only


def test_only_what_is_there(tmp_path: Path) -> None:
    text = "models:\n  - name: orders\n    columns:\n      - name: id\n"
    rows = [*ORDERS, row("a", "A.", "more"), row("b", "B.", "more")]
    _, found, outcome = merged(tmp_path, {"models/a.yml": text}, rows, only_existing=True)
    assert (outcome.added, outcome.absent, outcome.problems) == (2, 3, [])
    assert list(found) == ["models"]
    assert texts(found["models"][0]) == {"id": "Key."}
