"""How BigQuery's kind logs in, and what its pure functions promise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.databases.bigquery.resources import comments_of, edited, fold
from amx_kimi.databases.dialect import Place, statement
from amx_kimi.databases.opening import dialect_of, open_comments, open_source
from amx_kimi.errors import SourceError
from tests.warehouses.bigquery_server import (
    PROJECT,
    Replay,
    field,
    key_file,
    without_descriptions,
)


@pytest.fixture
def replay() -> Iterator[Replay]:
    server = Replay()
    yield server
    server.close()


def test_reading_asks_for_the_right_to_read_only(
    replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay.add("s", "t", field("id"))
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", replay.address)
    url = f"bigquery:///?credentials_path={key_file(tmp_path, replay.address)}"
    source = open_source(url)
    assert (source.identity, source.schemas()) == (f"bigquery://{PROJECT}", ["s"])
    assert source.reopen.startswith(f"bigquery://{PROJECT}")
    source.close()
    open_comments(url).close()
    assert replay.scopes == [
        "https://www.googleapis.com/auth/bigquery.readonly",
        "https://www.googleapis.com/auth/bigquery",
    ]


def test_a_login_that_expired(
    replay: Replay, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    replay.refusals["POST", "/token"] = (
        400,
        {"error": "invalid_grant", "error_description": "Token has been expired or revoked."},
    )
    path = key_file(tmp_path, replay.address)
    with pytest.raises(SourceError, match="expired or revoked") as caught:
        open_source(f"bigquery://{PROJECT}?credentials_path={path}")
    assert "gcloud auth application-default login" in caught.value.remedy
    assert capfd.readouterr() == ("", "")


def test_no_login(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(SourceError, match=r"cannot be used: .*credentials were not found") as told:
        open_source(f"bigquery://{PROJECT}")
    assert "credentials_path" in told.value.remedy
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["SECRET no json", '{"type": "service_account"}', "{}"])
def test_a_key_file_that_is_none_is_not_repeated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(text)
    with pytest.raises(SourceError, match="credentials for BigQuery cannot be used") as caught:
        open_source(f"bigquery://{PROJECT}?credentials_path={path}")
    assert "SECRET" not in str(caught.value)
    with pytest.raises(SourceError, match="credentials for BigQuery cannot be used"):
        open_source(f"bigquery://{PROJECT}?credentials_path={tmp_path}/none.json")


def test_without_a_project_those_that_can_be_seen_are_listed(replay: Replay) -> None:
    with pytest.raises(SourceError, match="names no project") as caught:
        open_source(f"bigquery:///?api_endpoint={replay.address}")
    assert f"--catalog PROJECT; you can see {PROJECT}." in caught.value.remedy


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("api_endpoint=http://bq.example.com", "has no https://"),
        ("api_endpoint=localhost:9050", "has no https://"),
        ("arraysize=5", "no option 'arraysize'"),
    ],
)
def test_options_that_cannot_be_used(query: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        open_source(f"bigquery://{PROJECT}/sales?{query}")


def test_a_server_that_is_not_there(replay: Replay) -> None:
    replay.close()
    with pytest.raises(SourceError, match="BigQuery cannot be reached") as caught:
        open_source(replay.url())
    assert "proxy" in caught.value.remedy


NAMES = st.text(st.sampled_from("ab_2019"), min_size=1, max_size=12)
LISTED = st.dictionaries(
    NAMES | st.dates().map(lambda day: f"e_{day:%Y%m%d}"), st.sampled_from(["TABLE", "VIEW"])
)


@given(LISTED)
def test_folding_keeps_every_table_once(listed: dict[str, str]) -> None:
    folded = fold(listed.items())
    tables = [table for some in folded.values() for table in some]
    assert sorted(tables) == sorted(listed)
    for name, some in folded.items():
        assert some == sorted(some, reverse=True)
        assert (len(some) > 1) == name.endswith("*")
        assert all(table.startswith(name.removesuffix("*")) for table in some)


def test_what_is_no_shard() -> None:
    listed = ["a_20241301", "a_20241302", "x20240101", "x20240102", "b_20240101", "v_20240101"]
    types = dict.fromkeys(listed, "TABLE") | {"v_20240102": "VIEW"}
    assert set(fold(types.items())) == set(types)


SCHEMAS = st.recursive(
    st.builds(field, st.sampled_from("abc"), description=st.text(max_size=3)),
    lambda inner: st.builds(
        lambda name, fields: field(name, "RECORD", fields=fields),
        st.sampled_from("abc"),
        st.lists(inner, max_size=3, unique_by=lambda one: one["name"]),
    ),
)


@given(st.lists(SCHEMAS, max_size=3, unique_by=lambda one: one["name"]), st.data())
def test_a_description_is_exchanged_and_nothing_else(
    fields: list[dict[str, Any]], data: st.DataObject
) -> None:
    resource = {"schema": {"fields": fields}}
    before = json.dumps(resource)
    there = comments_of(resource)
    paths = [path for path in there if path]
    chosen = data.draw(st.sets(st.sampled_from(paths))) if paths else set()
    after = {"schema": {"fields": edited(resource, dict.fromkeys(chosen, "New."))}}
    assert comments_of(after) == there | dict.fromkeys(chosen, "New.")
    assert without_descriptions(after) == without_descriptions(resource)
    assert json.dumps(resource) == before


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@given(
    st.sampled_from(["table", "view", "materialized view", "foreign table"]),
    st.sampled_from(["", "id", "select", "Größe %:?", "it's"]),
    TEXTS,
)
def test_the_sql_of_a_comment_is_bigquerys(kind: str, column: str, text: str) -> None:
    place = Place("sales", "Größe 2024", column, kind)
    sql = statement(dialect_of("bigquery"), place, text)
    if kind == "materialized view" and column:
        assert sql.startswith("--")
        return
    found = sqlglot.parse_one(sql, dialect="bigquery")
    literals = [one.this for one in found.find_all(sqlglot.exp.Literal)]
    assert literals == [text] or isinstance(found, sqlglot.exp.Command)
