"""SQL Server's kind, through pymssql and a real socket, against documented catalogs
(`sqlserver_server`): read, described, written, checked, undone."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

pytest.importorskip("pymssql")

from amx_kimi.databases.base import (
    Comment,
    Reading,
    RefusedError,
    Selection,
    TableGoneError,
)
from amx_kimi.databases.opening import open_comments, open_source
from amx_kimi.databases.server.connect import reason_of
from amx_kimi.databases.sqlserver import connect
from amx_kimi.databases.sqlserver.facts import facts_of_histogram, sampled, spelled
from amx_kimi.errors import SourceError
from amx_kimi.types import Item
from tests.command import run
from tests.databases.sqlserver_server import Catalog, Server, ServerError

ODD = """we]ird "(' :x ? 100 %"""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(Catalog())
    fill(made.catalog)
    yield made
    made.close()


def fill(catalog: Catalog) -> None:
    orte = catalog.table(
        "dbo",
        "orte",
        {"id": "int not null pk identity", "plz": "nvarchar(10)"},
        rows=3,
        comment="written by people",
    )
    catalog.alias("dbo", "Telefon", "nvarchar")
    kunden = catalog.table(
        "vertrieb",
        "Kunden",
        {
            "knr": "bigint not null pk",
            "ort": "int",
            "select": "decimal(18,2)",
            "Größe": "float",
            ODD: "varchar(max)",
            "tel": "Telefon(20)",
            "ab": "datetime2(7) row start hidden",
            "sum": "money",
            "mail": "nvarchar(320) sparse",
        },
        rows=50_000,
    )
    catalog.table("vertrieb", "KUNDEN", {"a": "int"})
    catalog.table(
        "dbo", "alle", {"knr": "int"}, kind="V", sql="CREATE VIEW alle AS SELECT knr FROM Kunden"
    )
    catalog.table("dbo", "extern", {"a": "int"}, rows=9, is_external=1)
    catalog.table("sys", "eigene", {"a": "int"})
    catalog.insert("foreign_key_columns", 77, 1, kunden, 2, orte, 1)
    catalog.insert("indexes", kunden, 2, 0, 1, 0)
    catalog.insert("index_columns", kunden, 2, 2, 1)
    catalog.insert("index_columns", kunden, 2, 6, 2)
    catalog.insert("computed_columns", kunden, 8, "([knr]*(2))")
    catalog.insert("masked_columns", kunden, 9, "email()")
    catalog.insert("stats", orte, 2, 0)
    catalog.insert("stats_columns", orte, 2, 1, 2)
    for step in ((1, None, 0, 1, 0), (2, "10115", 0, 4, 0), (3, "20095", 3, 7, 2)):
        catalog.insert("steps", orte, 2, *step)


def url_of(server: Server, more: str = "encrypt=no", database: str = "shop") -> str:
    return f"mssql://sa:{server.catalog.password}@127.0.0.1:{server.port}/{database}?{more}"


def inventory(url: str, selection: Selection | None = None) -> dict[str, Item]:
    source = open_source(url)
    try:
        return {item.name: item for item in source.items(selection or Selection())}
    finally:
        source.close()


@pytest.mark.usefixtures("profile")
def test_described_written_checked_and_undone_from_an_amx_profile(
    server: Server, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = yaml.safe_load((home / "config.yml").read_text())
    config["db_profiles"] = {
        "erp": {
            "backend": "mssql",
            "host": "127.0.0.1",
            "port": server.port,
            "user": "sa",
            "password": server.catalog.password,
            "database": "shop",
            "driver": "ODBC Driver 18 for SQL Server",
            "encrypt": False,
            "trust_server_certificate": False,
        }
    }
    (home / "config.yml").write_text(yaml.safe_dump(config))
    before = server.catalog.comments()
    run("run", "--db-profile", "erp", "--yes")
    run("show", "last")
    run("apply", "last", "--unreviewed", "--yes")
    assert "Comments: 18 written" in capsys.readouterr().out
    after = server.catalog.comments()
    assert after["dbo.orte"] == "written by people"
    assert {f"vertrieb.Kunden.{ODD}", "vertrieb.KUNDEN.a", "dbo.alle", "dbo.extern.a"} <= set(after)
    run("check", url_of(server), "--min-coverage", "100")
    run("apply", "last", "--undo", "--yes")
    assert server.catalog.comments() == before
    run("run", url_of(server), "--only-changed", "--yes")
    told = capsys.readouterr()
    assert "Secret-9" not in told.out + told.err


def test_the_inventory_tells_keys_types_views_and_details(server: Server) -> None:
    items = inventory(url_of(server))
    assert "sys.eigene" not in items
    assert items["dbo.orte"].comment == "written by people"
    assert (items["dbo.orte.id"].key_role, items["dbo.orte.id"].details) == (
        "pk",
        {"identity": "identity"},
    )
    assert items["vertrieb.Kunden"].rows == 50_000
    assert items["vertrieb.Kunden"].details["keys"] == ["unique (ort, tel)"]
    assert (items["vertrieb.Kunden.ort"].key_role, items["vertrieb.Kunden.ort"].fk) == (
        "fk",
        "dbo.orte.id",
    )
    types = {name.rpartition(".")[2]: item.type for name, item in items.items() if item.column}
    assert types["select"] == "decimal(18,2)"
    assert types["tel"] == "dbo.Telefon (nvarchar(20))"
    assert types["ab"] == "datetime2(7)"
    assert items[f"vertrieb.Kunden.{ODD}"].type == "varchar(max)"
    assert items["vertrieb.Kunden.ab"].details == {
        "generated": "ALWAYS AS ROW START",
        "hidden": True,
    }
    assert items["vertrieb.Kunden.sum"].details == {"generated": "([knr]*(2))"}
    assert items["vertrieb.Kunden.mail"].details == {"sparse": True, "masking": "email()"}
    assert (items["dbo.alle"].kind, items["dbo.alle"].rows) == ("view", None)
    assert items["dbo.alle"].definition.startswith("CREATE VIEW")
    assert items["dbo.extern"].details == {"storage": "foreign table"}
    assert items["vertrieb.KUNDEN.a"].position == 1
    only = inventory(url_of(server), Selection(("vertrieb",), ("KUNDEN",)))
    assert list(only) == ["vertrieb.KUNDEN", "vertrieb.KUNDEN.a"]


def test_the_session_is_named_read_only_and_waits_little(server: Server) -> None:
    inventory(url_of(server))
    login = server.catalog.logins[-1]
    assert (login["application"], login["read_only"]) == ("amx-kimi", True)
    assert "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED" in server.catalog.asked
    assert "SET LOCK_TIMEOUT 5000" in server.catalog.asked


def test_statements_do_not_grow_with_the_tables(server: Server) -> None:
    inventory(url_of(server))
    few = len(server.catalog.asked)
    server.catalog.asked.clear()
    server.catalog.rows(
        "INSERT INTO sys.objects SELECT 't' || i, 200000 + i, 1, 'U ', 0 FROM range(300) r(i)"
    )
    server.catalog.rows(
        "INSERT INTO sys.columns SELECT 200000 + i, 'c' || j, j, 56, 56, 4, 10, 0, 1, 0, 0, 0, 0 "
        "FROM range(300) r(i), range(100) s(j)"
    )
    began = time.thread_time()  # of our own work: the server has threads of its own
    assert len(inventory(url_of(server))) > 30_000
    assert time.thread_time() - began < 5
    assert len(server.catalog.asked) == few
    selects = [
        one for one in server.catalog.asked if "FROM sys." in one and "system_views" not in one
    ]
    assert len(selects) <= 12


def test_statistics_are_the_servers_histogram(server: Server) -> None:
    table = inventory(url_of(server))["dbo.orte"]
    source = open_source(url_of(server))
    facts = source.profile(table, ["id", "plz"])
    assert "id" not in facts
    assert (facts["plz"].nulls, facts["plz"].distinct) == (1, 4)
    assert (facts["plz"].least, facts["plz"].greatest) == ("10115", "20095")
    assert facts["plz"].values == (("20095", 7), ("10115", 4))
    server.catalog.refuse.append(
        ("dm_db_stats_histogram", ServerError(297, "The user does not have permission."))
    )
    assert source.profile(table, ["plz"]) == source.profile(table, ["plz"]) == {}
    assert source.notes == [
        "The server does not tell its histograms: The user does not have permission."
    ]
    source.close()


def test_rows_are_read_only_when_allowed_and_not_of_external_tables(server: Server) -> None:
    catalog = server.catalog
    catalog.rows("CREATE SCHEMA vertrieb")
    names = ", ".join(f'"{one.replace(chr(34), chr(34) * 2)}" VARCHAR' for one in ("knr", ODD))
    catalog.rows(f"CREATE TABLE vertrieb.Kunden ({names})")
    catalog.rows("INSERT INTO vertrieb.Kunden VALUES ('1', 'a'), ('2', 'a'), ('3', NULL)")
    items = inventory(url_of(server))
    kunden, extern = items["vertrieb.Kunden"], items["dbo.extern"]
    source = open_source(url_of(server))
    assert source.profile(kunden, [ODD]) == {}
    source.close()
    source = open_source(url_of(server), Reading(data=True))
    facts = source.profile(kunden, ["knr", ODD])
    assert (facts[ODD].values, facts[ODD].nulls) == ((("a", 2),), 1)
    asked = next(one for one in catalog.asked if "SELECT TOP" in one)
    assert asked.startswith("SELECT TOP (1001) [knr], LEFT([we]]ird ")
    assert source.profile(extern, ["a"]) == {}
    catalog.rows("DROP TABLE vertrieb.Kunden")
    with pytest.raises(TableGoneError):
        source.profile(kunden, ["knr"])
    catalog.rows("DELETE FROM sys.columns")
    with pytest.raises(TableGoneError):
        source.profile(kunden, ["knr"])
    source.close()


def test_a_lost_connection_is_opened_again(server: Server) -> None:
    table = inventory(url_of(server))["dbo.orte"]
    source = open_source(url_of(server))
    cut = ["once"]
    server.hang_up = lambda sql: "dm_db_stats_histogram" in sql and bool(cut) and bool(cut.pop())
    assert source.profile(table, ["plz"])["plz"].distinct == 4
    cut += ["once", "and again"]
    assert source.profile(table, ["plz"]) == {}
    assert source.profile(table, ["plz"])["plz"].distinct == 4
    source.close()


@pytest.mark.parametrize("missing", ["sys.indexes", "foreign_key_columns"])
def test_keys_that_may_not_be_seen_are_a_note(server: Server, missing: str) -> None:
    refusal = ServerError(229, "The SELECT permission was denied.")
    server.catalog.refuse.append((missing, refusal))
    source = open_source(url_of(server))
    assert len(list(source.items(Selection()))) > 10
    assert source.notes == ["Keys are unknown: The SELECT permission was denied."]
    source.close()


def test_views_whose_sql_is_not_told_are_a_note(server: Server) -> None:
    server.catalog.table("dbo", "geheim", {"a": "int"}, kind="V", sql=None)
    source = open_source(url_of(server))
    assert "dbo.geheim" in {item.name for item in source.items(Selection())}
    assert ["VIEW DEFINITION" in note for note in source.notes] == [True]
    source.close()


@pytest.mark.parametrize("edition", [6, 11])
def test_synapse_is_read_without_what_its_views_lack(server: Server, edition: int) -> None:
    server.catalog.edition = edition
    server.catalog.rows("ALTER TABLE sys.columns DROP COLUMN is_hidden")
    server.catalog.rows("ALTER TABLE sys.columns DROP COLUMN generated_always_type")
    server.catalog.rows("DROP TABLE sys.masked_columns")
    items = inventory(url_of(server))
    assert (items["vertrieb.Kunden"].rows, items["vertrieb.Kunden.ab"].details) == (None, {})
    with pytest.raises(SourceError, match="no extended properties"):
        open_comments(url_of(server))


@pytest.mark.parametrize(
    "text",
    [
        "it's",
        "a\\b",
        "100 % %s",
        "zwei\nZeilen\nGO\n",
        "„Größe“ 😀",
        "';--",
        "漢字 $(x) :y ?",
        "x" * 3_750,
    ],
)
def test_texts_arrive_and_leave(server: Server, text: str) -> None:
    before = server.catalog.comments()
    database = open_comments(url_of(server))
    for table, columns in (("Kunden", ("", "select", ODD)), ("KUNDEN", ("a",))):
        for column in columns:
            assert database.write("vertrieb", table, [Comment(column, None, text)]) == []
            present = database.read([("vertrieb", table)])["vertrieb", table].comments
            assert present[column] == text
            assert database.write("vertrieb", table, [Comment(column, text, text + ".")][:0]) == []
            assert database.write("vertrieb", table, [Comment(column, text, None)]) == []
    assert database.write("dbo", "alle", [Comment("knr", None, text)]) == []
    assert database.read([("dbo", "alle")])["dbo", "alle"].kind == "view"
    assert database.write("dbo", "alle", [Comment("knr", text, None)]) == []
    assert server.catalog.comments() == before
    assert database.read([("dbo", "gone")]) == {}
    assert database.read([]) == {}
    database.close()


@pytest.mark.parametrize(
    "error",
    [
        ServerError(15247, "User does not have permission to perform this action."),
        ServerError(1205, "Transaction was deadlocked on lock resources with another process."),
        ServerError(1222, "Lock request time out period exceeded."),
    ],
)
def test_all_or_none_of_a_table_are_written(server: Server, error: ServerError) -> None:
    before = server.catalog.comments()
    database = open_comments(url_of(server))
    server.catalog.refuse.append((r"N'plz'", error))
    wanted = [Comment("id", None, "Number."), Comment("plz", None, "Postcode.")]
    with pytest.raises(RefusedError, match=error.text):
        database.write("dbo", "orte", wanted)
    assert server.catalog.comments() == before
    server.catalog.refuse.clear()
    assert database.write("dbo", "orte", wanted) == []
    assert server.catalog.comments()["dbo.orte.plz"] == "Postcode."
    database.close()


def test_what_somebody_wrote_meanwhile_and_what_is_too_long(server: Server) -> None:
    database = open_comments(url_of(server))
    wanted = [Comment("id", None, "Number."), Comment("", "another", "Places.")]
    assert database.write("dbo", "orte", wanted) == [wanted[1]]
    assert server.catalog.comments()["dbo.orte"] == "written by people"
    with pytest.raises(RefusedError, match="too long"):
        database.write("dbo", "orte", [Comment("plz", None, "x" * 3_751)])
    server.hang_up = lambda sql: "extendedproperty" in sql
    with pytest.raises(SourceError, match="connection was lost"):
        database.write("dbo", "orte", [Comment("plz", None, "Postcode.")])
    database.close()


def test_many_tables_are_read_at_once(server: Server) -> None:
    server.catalog.rows(
        "INSERT INTO sys.objects SELECT 't' || i, 200000 + i, 1, 'U ', 0 FROM range(2500) r(i)"
    )
    database = open_comments(url_of(server))
    wanted = [("dbo", f"t{number}") for number in range(2_500)]
    assert set(database.read(wanted)) == set(wanted)
    database.close()


@pytest.mark.parametrize(
    ("more", "database", "words", "remedy"),
    [
        ("encrypt=no", "", "names no database", "Büro, shop"),
        ("", "shop", "cannot check the server's certificate", "trust_server_certificate=yes"),
        ("encrypt=strict", "shop", "cannot check", "pyodbc"),
        ("trust_server_certificate=yes", "shop", "cannot be opened", "?encrypt=no"),
        ("encrypt=perhaps", "shop", "cannot be 'perhaps'", "yes or no"),
        ("encrypt=no&foo=1", "shop", "option of the URL", "driver's own"),
        ("encrypt=no", "gone", "cannot be opened", "--catalog"),
    ],
)
def test_what_cannot_be_opened(
    server: Server, more: str, database: str, words: str, remedy: str
) -> None:
    with pytest.raises(SourceError, match=re.escape(words)) as caught:
        open_source(url_of(server, more, database))
    assert remedy in str(caught.value)
    assert "Secret-9" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "words", "remedy"),
    [
        ("Secret-9", "wrong-one", "Login failed for user 'sa'.", "Check user and password."),
        ("/shop", "/gone", 'Cannot open database "gone"', "--catalog NAME"),
    ],
)
def test_a_refused_login_is_one_clear_sentence(
    server: Server, old: str, new: str, words: str, remedy: str
) -> None:
    # In a process of its own: pymssql tells the server's words at the first refusal only.
    command = [sys.executable, "-m", "amx_kimi", "check", url_of(server).replace(old, new)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert words in done.stderr
    assert remedy in done.stderr
    assert not re.search("wrong-one|Secret-9|DB-Lib|Traceback", done.stderr + done.stdout)


@pytest.mark.usefixtures("profile")
def test_a_catalog_is_chosen_at_the_command_line(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    url = url_of(server, database="")
    run("check", url, "--catalog", "Büro", code=1)
    assert server.catalog.logins[-1]["database"] == "Büro"
    assert f"sqlserver://127.0.0.1:{server.port}/Büro" in str(
        open_source(url_of(server, database="B%C3%BCro")).identity
    )
    capsys.readouterr()


def test_a_source_opens_again_by_its_url(server: Server) -> None:
    source = open_source(url_of(server, "encrypt=no").replace("mssql:", "sqlserver:"))
    assert "Secret-9" not in source.reopen
    url = make_url(source.reopen).set(password=server.catalog.password)
    assert open_source(url).tables() == source.tables()


def test_microsofts_driver_is_taken_where_it_can_check(monkeypatch: pytest.MonkeyPatch) -> None:
    # pyodbc does not run here: only what would be handed to it is looked at.
    monkeypatch.setattr(connect, "find_spec", lambda _: True)
    monkeypatch.setattr(connect, "with_driver", lambda url, _: url)
    full, options = connect._with_options(make_url("mssql://u:p@h/db"))
    assert (full.drivername, options) == ("mssql+pyodbc", {"timeout": 10})
    assert full.query == {
        "APP": "amx-kimi",
        "Encrypt": "yes",
        "TrustServerCertificate": "no",
        "driver": "ODBC Driver 18 for SQL Server",
    }
    amx = "mssql+pyodbc://u:p@h/db?driver=Mine&Encrypt=no&TrustServerCertificate=yes"
    full, _ = connect._with_options(make_url(amx))
    assert (full.query["driver"], full.query["Encrypt"]) == ("Mine", "no")
    assert full.query["TrustServerCertificate"] == "yes"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            (
                "42S02",
                "[42S02] [Microsoft][ODBC Driver 18 for SQL Server][SQL Server]Invalid (208)",
            ),
            "42S02 [42S02] Invalid (208)",
        ),
        (
            ((20009, b"DB-Lib error message 20009, severity 9:\nUnable to connect\n"),),
            "Unable to connect",
        ),
    ],
)
def test_the_words_of_drivers_become_one_line(told: Any, reason: str) -> None:
    assert reason_of(Exception(*told)) == reason


@pytest.mark.parametrize(
    ("row", "type_"),
    [
        ({"type": "nvarchar", "length": 100}, "nvarchar(50)"),
        ({"type": "nchar", "length": 20}, "nchar(10)"),
        ({"type": "nvarchar", "length": -1}, "nvarchar(max)"),
        ({"type": "varchar", "length": 50}, "varchar(50)"),
        ({"type": "varbinary", "length": -1}, "varbinary(max)"),
        ({"type": "char", "length": 1}, "char(1)"),
        ({"type": "numeric", "length": 9, "precision": 18, "scale": 2}, "numeric(18,2)"),
        ({"type": "time", "length": 5, "precision": 16, "scale": 7}, "time(7)"),
        ({"type": "datetimeoffset", "length": 8, "precision": 26, "scale": 0}, "datetimeoffset(0)"),
        ({"type": "float", "length": 8, "precision": 53}, "float"),
        ({"type": "real", "length": 4, "precision": 24}, "real"),
        ({"type": "xml", "length": -1}, "xml"),
        ({"type": "sysname", "length": 256}, "sysname"),
        (
            {"type": "Name", "type_schema": "dbo", "base": "nvarchar", "length": 100},
            "dbo.Name (nvarchar(50))",
        ),
        ({"type": "Punkt", "type_schema": "geo", "base": None, "length": 8}, "geo.Punkt"),
    ],
)
def test_types_are_spelled_as_in_ddl(row: dict[str, Any], type_: str) -> None:
    empty = {"type_schema": None, "base": None, "precision": 0, "scale": 0}
    assert spelled({**empty, **row}) == type_


TYPES = [
    "int",
    "nvarchar",
    "text",
    "varbinary",
    "xml",
    "geography",
    "sql_variant",
    "datetimeoffset",
    "",
]


@pytest.mark.parametrize("base", TYPES)
def test_a_sample_of_each_type_is_t_sql(base: str) -> None:
    (tree,) = sqlglot.parse(f"SELECT TOP (1) {sampled('[a]]b]', base)} FROM [t]", read="tsql")
    assert tree is not None


STEPS = st.lists(
    st.tuples(st.text(min_size=1), st.floats(0, 1e6), st.integers(0, 1_000)), max_size=12
)


@given(STEPS, st.none() | st.integers(0, 500))
def test_a_histogram_is_counted(steps: list[tuple[str, float, int]], nulls: int | None) -> None:
    rows = [
        {"value": value, "equal_rows": equal, "distinct_range_rows": between}
        for value, equal, between in steps
    ]
    first = [{"value": None, "equal_rows": nulls, "distinct_range_rows": 0}] if nulls else []
    facts = facts_of_histogram([*first, *rows])
    assert facts.nulls == (nulls or 0)
    assert facts.distinct == sum(between for *_, between in steps) + len(steps)
    assert (facts.least, facts.greatest) == ((steps[0][0], steps[-1][0]) if steps else (None, None))
    counts = [count for _, count in facts.values]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) <= 8
