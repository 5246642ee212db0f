"""A stranger adds a kind of database: one module (`tests.databases.toy`) and one row."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import amx_kimi
from amx_kimi.cli import cli
from amx_kimi.cli.main import run_main
from amx_kimi.config import DatabaseProfile
from amx_kimi.databases import registry
from amx_kimi.databases.opening import database_url
from amx_kimi.databases.registry import Kind
from amx_kimi.errors import SourceError
from tests.databases import toy

ROW = Kind(
    name="toy",
    title="Toy",
    module="tests.databases.toy",
    schemes=("toy",),
    is_read=True,
    is_written=True,
    fields={"host": "account|host", "database": "catalog/database", "mode": "mode"},
    amx="toy",
    catalog="host",
    costs=True,
)


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch, start_sandbox) -> None:
    """The row is in the registry, and a profile is active."""
    monkeypatch.setattr(registry, "KINDS", (*registry.KINDS, ROW))
    monkeypatch.setattr(toy, "COMMENTS", {})
    monkeypatch.setenv("AMX_LLM_API_KEY", "sk-test-0123456789abcdef")
    url = start_sandbox().url
    assert run("add-llm-profile", "p", "--model", "kimi-k2.6", "--api-base", url) == 0


def run(*words: str) -> int:
    return run_main(cli, [*words])


@pytest.mark.usefixtures("kind")
def test_it_is_read_described_written_and_undone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("run", "toy://shop", "--yes") == 0
    assert run("apply", "last", "--unreviewed", "--yes") == 0
    assert set(toy.COMMENTS) == {("kunden", ""), ("kunden", "knr"), ("kunden", "st")}
    assert all(toy.COMMENTS.values())
    assert run("check", "toy://shop") == 0
    assert run("export", "last", "--format", "json") == 0
    capsys.readouterr()
    assert run("export", "last", "--format", "datahub", "--unreviewed") == 0
    urns = {one["entityUrn"] for one in json.loads(capsys.readouterr().out)}
    assert urns == {"urn:li:dataset:(urn:li:dataPlatform:toy,shop.kunden,PROD)"}
    assert run("apply", "last", "--undo", "--yes") == 0
    assert toy.COMMENTS == {}
    capsys.readouterr()
    assert run("run", "toy://other", "--yes") == 2
    assert "There is no toy database 'other'" in capsys.readouterr().err


def test_without_the_row_it_is_no_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "toy://shop") == 2
    assert "SQLAlchemy has no dialect for toy://" in capsys.readouterr().err


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize(
    "command", [("run",), ("run", "--dry-run"), ("check",), ("payload",), ("advise",)], ids=str
)
def test_what_reading_costs_is_agreed_to_first(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*command, "toy://shop?billed=1", "--no-input") == 2
    said = capsys.readouterr().err
    assert "Reading toys wakes the warehouse TOYS" in said
    assert "--yes" in said
    # `check` counts missing comments.
    assert run(*command, "toy://shop?billed=1", "--yes") == int(command == ("check",))


@pytest.mark.usefixtures("kind")
def test_what_reading_costs_is_agreed_to_from_python(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="wakes the warehouse") as caught:
        amx_kimi.describe("toy://shop?billed=1", journal=tmp_path / "j.db")
    assert "read_cost=True" in caught.value.remedy
    done = amx_kimi.describe("toy://shop?billed=1", journal=tmp_path / "j.db", read_cost=True)
    assert done.status == "complete"


@pytest.mark.usefixtures("kind")
def test_a_catalog_is_chosen_kept_and_written_to(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("run", "toy://other", "--catalog", "shop") == 0
    config = yaml.safe_load((home / "config.yml").read_text())
    config["db_profiles"] = {"toys": {"backend": "toy", "account": "other", "mode": "x"}}
    (home / "config.yml").write_text(yaml.safe_dump(config))
    assert run("run", "--db-profile", "toys", "--catalog", "shop", "--all") == 0
    assert run("apply", "last", "--unreviewed", "--yes") == 0
    assert all(toy.COMMENTS.values())
    capsys.readouterr()
    assert run("run", "sqlite:///x.db", "--catalog", "c") == 2
    assert "SQLite has no catalogs" in capsys.readouterr().err


@pytest.mark.usefixtures("kind")
def test_fields_of_an_amx_profile() -> None:
    fields = {"host": "https://h.example/x", "port": "5432", "catalog": "c", "mode": "false"}
    url = database_url(DatabaseProfile("p", "toy", fields))
    assert url.render_as_string() == "toy://h.example/c"
    more = {"account": "a", "database": "d", "catalog": "c", "mode": "fast"}
    assert database_url(DatabaseProfile("p", "toy", {**fields, **more})).render_as_string() == (
        "toy://a/c/d?mode=fast"
    )
