"""`export --format dbt` into the property files of a project, at the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from amx_kimi.types import Item, Suggestion
from tests.cli.conftest import Program
from tests.publish.helpers import journal_with

EXPORT = ("export", "last", "--format", "dbt", "--unreviewed")


@pytest.fixture
def shop(home: Path, tmp_path: Path) -> Path:
    """A dbt project, and a run over two tables: `kstst` is described in one of its files."""
    home.mkdir()
    found: list[tuple[Item, Suggestion | None]] = []
    for table, columns in (("kstst", ["kst", "bez"]), ("pers", ["persnr", "mobil"])):
        found.append((Item("", table, "", "table", 0), Suggestion(("A table.",), "high")))
        for position, name in enumerate(columns, 1):
            item = Item("", table, name, "column", position, "int")
            found.append((item, Suggestion(("A column.",), "high")))
    journal_with(home / "kimi.db", found).close()
    folder = tmp_path / "shop"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: shop\n")
    (folder / "models/a.yml").write_text("version: 2\n")
    (folder / "models/b.yml").write_text("models:\n- name: kstst\n")
    return folder


def test_other_files_of_the_project_keep_their_tables(program: Program, shop: Path) -> None:
    ended = program(*EXPORT, "--as", "models", "--out", "shop/models/a.yml")
    assert ended.code == 0, ended.err
    assert "Skipped: kstst is described in models/b.yml" in ended.err
    document = yaml.safe_load((shop / "models/a.yml").read_text())
    assert [model["name"] for model in document["models"]] == ["pers"]
    assert (shop / "models/b.yml").read_text() == "models:\n- name: kstst\n"


def test_a_new_file_of_the_project(program: Program, shop: Path) -> None:
    ended = program(*EXPORT, "--as", "models", "--out", "shop/models/c.yml", "--strict")
    assert ended.code == 1
    assert "Skipped: kstst is described in models/b.yml" in ended.err
    document = yaml.safe_load((shop / "models/c.yml").read_text())
    assert [model["name"] for model in document["models"]] == ["pers"]


def test_nothing_new_is_no_file_and_no_change(program: Program, shop: Path) -> None:
    new = shop / "models/c.yml"
    ended = program(*EXPORT, "--as", "models", "--out", str(new), "--table", "kstst")
    assert ended.code == 0
    assert "Skipped: kstst is described in models/b.yml" in ended.err
    assert "accepted" not in ended.err
    assert not new.exists()
    path = shop / "models/b.yml"
    assert "merged into" in program(*EXPORT, "--out", str(path)).err
    before = path.stat().st_mtime_ns
    assert "already in" in program(*EXPORT, "--out", str(path)).err
    assert path.stat().st_mtime_ns == before


def test_a_project_that_is_elsewhere(program: Program, shop: Path) -> None:
    words = (*EXPORT, "--as", "models", "--out", "new.yml")
    assert program(*words, "--project", "shop").code == 0
    path = shop.parent / "new.yml"
    assert [model["name"] for model in yaml.safe_load(path.read_text())["models"]] == ["pers"]
    none = program(*words, "--project", "shop/models")
    assert none.code == 2
    assert "is not a dbt project" in none.err


def test_strict(program: Program, shop: Path) -> None:
    words = (*EXPORT, "--out", "shop/models/b.yml")
    path = shop / "models/b.yml"
    assert program(*words, "--strict").code == 0
    path.write_text("models:\n- name: kstst\n- name: kstst\n")
    assert program(*words).code == 0
    ended = program(*words, "--strict")
    assert ended.code == 1
    assert "Skipped: kstst occurs 2 times" in ended.err


def test_only_what_is_there(program: Program, shop: Path) -> None:
    path = shop / "models/b.yml"
    ended = program(*EXPORT, "--out", str(path), "--only-existing", "--strict")
    assert ended.code == 0, ended.err
    assert "without an entry there" in ended.err
    (model,) = yaml.safe_load(path.read_text())["models"]
    assert (set(model), model["name"]) == ({"name", "description", "config"}, "kstst")
    assert program(*EXPORT, "--out", "new.yml", "--only-existing").code == 2
    assert not (shop.parent / "new.yml").exists()


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("format_", ["jsonl", "csv", "dbt", "datahub", "markdown", "json"])
def test_some_tables_only(program: Program, format_: str) -> None:
    words = ["export", "last", "--format", format_]
    words += ["--unreviewed"] * (format_ in ("dbt", "datahub"))
    assert "mobil" in program(*words).out  # a column of pers
    for pattern in ("kstst", "k*", "!pers"):
        some = program(*words, "--table", pattern)
        assert some.code == 0, some.err
        assert "kstst" in some.out
        assert "mobil" not in some.out
    wrong = program(*words, "--table", "nope")
    assert wrong.code == 2
    assert "has no results for nope" in wrong.err
    assert program(*words, "--schema", "nope").code == 2


@pytest.mark.usefixtures("shop")
def test_options_of_other_formats(program: Program) -> None:
    for words in (("--strict",), ("--only-existing",), ("--project", "shop")):
        ended = program("export", "last", "--format", "csv", *words)
        assert ended.code == 2
        assert f"{words[0]} requires --format dbt" in ended.err
