"""Which database a text or a profile of AMX's names."""

from __future__ import annotations

from pathlib import Path

import pytest

from amx_kimi.config import DatabaseProfile
from amx_kimi.databases.base import Selection
from amx_kimi.databases.opening import database_url, open_source
from amx_kimi.databases.selection import check_selection
from amx_kimi.errors import SourceError
from amx_kimi.types import Secret

from .helpers import Database


@pytest.mark.parametrize("text", ["", "erp.db", "no such file", "://", "sqlite//x", "http//"])
def test_neither_url_nor_file(text: str) -> None:
    with pytest.raises(SourceError, match="neither a database URL nor a file") as caught:
        open_source(text)
    assert "the path of a SQLite" in caught.value.remedy
    assert "postgresql://" in caught.value.remedy


@pytest.mark.parametrize("url", ["vertica+vertica_python://u@h/db", "http://example.org"])
def test_other_kinds_of_database(url: str) -> None:
    kind = url.split(":")[0].split("+")[0]
    with pytest.raises(SourceError, match=f"no dialect for {kind}://"):
        open_source(url)


def test_a_bad_port() -> None:
    with pytest.raises(SourceError, match="neither a database URL"):
        open_source("postgresql://u@h:port/db")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ada:hunter2pass@h:port/db",
        "postgresql://ada:hunter2pass",
        "ada:hunter2pass@h/db",
        "postgresql:/ada:hunter2pass@h/db",
    ],
)
def test_a_password_in_what_is_no_url_is_not_shown(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        open_source(text)
    assert "hunter2pass" not in str(caught.value)


def test_amx_profiles(tmp_path: Path) -> None:
    fields = {"host": "h", "port": "5433", "user": "u", "database": "my db"}
    full = DatabaseProfile("p", "postgresql", fields, {"password": Secret("p@ss:w/rd")})
    url = database_url(full)
    assert (url.drivername, url.host, url.port) == ("postgresql", "h", 5433)
    assert (url.username, url.password, url.database) == ("u", "p@ss:w/rd", "my db")
    bare = database_url(DatabaseProfile("p", "postgresql"))
    assert (bare.host, bare.port, bare.username, bare.password, bare.database) == (None,) * 5
    file = database_url(DatabaseProfile("p", "sqlite", {"database": f"{tmp_path}/x.db"}))
    assert (file.drivername, file.database) == ("sqlite", f"{tmp_path}/x.db")


def test_an_amx_profile_of_another_backend() -> None:
    with pytest.raises(SourceError, match="'wh' is for db2"):
        database_url(DatabaseProfile("wh", "db2"))


@pytest.mark.parametrize(
    ("selection", "schema", "table", "taken"),
    [
        (Selection(), "s", "t", True),
        (Selection(("s",)), "s", "t", True),
        (Selection(("r",)), "s", "t", False),
        (Selection(tables=("t",)), "s", "t", True),
        (Selection(tables=("s.t",)), "s", "t", True),
        (Selection(tables=("r.t",)), "s", "t", False),
        (Selection(("r",), ("t",)), "s", "t", False),
        (Selection(tables=("a.b",)), "", "a.b", True),
    ],
)
def test_selections(selection: Selection, schema: str, table: str, taken: bool) -> None:
    assert selection.takes(schema, table) is taken


def test_a_schema_in_sqlite(sqlite_database: Database) -> None:
    source = open_source(sqlite_database.url)
    with pytest.raises(SourceError, match="no schema 'main'") as caught:
        check_selection(source, Selection(("main",)))
    source.close()
    assert "no schemas" in caught.value.remedy
