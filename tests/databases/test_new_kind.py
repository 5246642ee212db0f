"""A stranger adds a kind of database: one module (`tests.databases.toy`) and one row."""

from __future__ import annotations

import json

import pytest

from amx_kimi.cli import cli
from amx_kimi.cli.main import run_main
from amx_kimi.databases import registry
from amx_kimi.databases.registry import Kind
from tests.databases import toy

ROW = Kind(
    name="toy",
    title="Toy",
    module="tests.databases.toy",
    schemes=("toy",),
    is_read=True,
    is_written=True,
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
