"""DuckDB files, and files of data as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from amx_kimi.databases.base import Csv, Reading, Selection, Source, TableGoneError
from amx_kimi.databases.duckdb.connect import reason_of
from amx_kimi.databases.opening import files_or_url, open_source
from amx_kimi.databases.samples import document_keys
from amx_kimi.errors import SourceError
from amx_kimi.types import Item, RawFacts


@contextmanager
def opened(target: Path | str, reading: Reading | None = None) -> Iterator[Source]:
    source = open_source(str(target), reading)
    try:
        yield source
    finally:
        source.close()


def build(path: Path, *statements: str) -> Path:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def by_name(source: Source, selection: Selection | None = None) -> dict[str, Item]:
    return {item.name: item for item in source.items(selection or Selection())}


def facts_of(source: Source, table: str, *columns: str) -> Mapping[str, RawFacts]:
    return source.profile(by_name(source)[table], columns)


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return build(
        tmp_path / "dwh.duckdb",
        "CREATE SCHEMA crm",
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        """CREATE TABLE crm."Kunden" (id INT PRIMARY KEY, st VARCHAR CHECK (st IN ('A', 'B')),
           m mood, pref STRUCT(lang VARCHAR, opt BOOLEAN)[], doc JSON,
           net DECIMAL(9,2) GENERATED ALWAYS AS (id * 2))""",
        """CREATE TABLE crm.lines (o INT, p INT, k INT REFERENCES crm."Kunden", q INT UNIQUE,
           PRIMARY KEY (o, p))""",
        """INSERT INTO crm."Kunden" (id, st, m, doc) SELECT i, ['A', 'B'][i % 2 + 1],
           'ok', '{"lang": "de", "n": 1}' FROM range(100) t(i)""",
        """COMMENT ON TABLE crm."Kunden" IS 'Customers'""",
        """COMMENT ON COLUMN crm."Kunden".st IS 'State'""",
        """CREATE VIEW crm.slow AS SELECT count(*) AS n FROM range(100000000000)""",
    )


def test_the_inventory(warehouse: Path) -> None:
    with opened(warehouse) as source:
        assert source.schemas() == ["crm"]
        found = by_name(source)
    assert found["crm.Kunden"].comment == "Customers"
    assert found["crm.Kunden"].rows == 100
    assert found["crm.Kunden.st"].comment == "State"
    assert found["crm.Kunden.st"].details == {"check": "CHECK((st IN ('A', 'B')))"}
    assert found["crm.Kunden.m"].type == "ENUM of 2"
    assert found["crm.Kunden.m"].details == {"values": ["sad", "ok"]}
    assert found["crm.Kunden.pref"].type == "STRUCT(lang VARCHAR, opt BOOLEAN)[]"
    tells = duckdb.__version__ >= "2"  # before, its catalog knows nothing of it
    assert ("generated" in found["crm.Kunden.net"].details) == tells
    assert found["crm.Kunden.id"].key_role == "pk"
    assert found["crm.lines"].details == {"keys": ["primary (o, p)"]}
    assert found["crm.lines.k"].fk == "crm.Kunden.id"
    assert found["crm.lines.q"].key_role == "unique"
    assert found["crm.slow"].kind == "view"
    assert "(100000000000)" in found["crm.slow"].definition
    assert [item.name for item in found.values() if not item.column] == [
        *("crm.Kunden", "crm.lines", "crm.slow")
    ]


def test_statistics_of_a_sample(warehouse: Path) -> None:
    with opened(warehouse) as source:
        facts = facts_of(source, "crm.Kunden", "id", "st", "pref", "doc")
        assert source.profile(by_name(source)["crm.slow"], ["n"]) == {}
    assert facts["st"] == RawFacts(0, 2, "A", "B", (("A", 50), ("B", 50)), seen=2)
    assert (facts["id"].distinct, facts["id"].least, facts["id"].greatest) == (100, "0", "99")
    assert facts["pref"].values == ()
    assert facts["doc"].keys == (("lang", 100), ("n", 100))
    assert facts["doc"].values == ()


def test_a_large_table_is_looked_into(tmp_path: Path) -> None:
    path = build(
        tmp_path / "x.duckdb", "CREATE TABLE t AS SELECT i % 7 AS a FROM range(1000000) r(i)"
    )
    with opened(path) as source:
        facts = facts_of(source, "main.t", "a")["a"]
        assert (facts.distinct, facts.nulls, facts.least) == (None, None, None)
        assert {value for value, _ in facts.values} == set("0123456")
        assert sum(count for _, count in facts.values) <= 10_001
    for reading in (Reading(samples=False), Reading(most_rows=1_000)):
        with opened(path, reading) as source:
            assert facts_of(source, "main.t", "a") == {}


def test_a_date_that_means_for_ever_costs_no_statistics(tmp_path: Path) -> None:
    path = build(
        tmp_path / "x.duckdb",
        'CREATE TABLE t ("a {0}" DATE, b TIMESTAMP, c INT)',
        "INSERT INTO t VALUES ('9999-12-31', '9999-12-31 00:00:00', NULL)",
        "INSERT INTO t VALUES ('2020-01-01', NULL, 7)",
    )
    with opened(path) as source:
        facts = facts_of(source, "main.t", "a {0}", "b", "c")
        assert source.notes == []
    dates = facts["a {0}"]
    assert (dates.least, dates.greatest, dates.distinct) == ("2020-01-01", "9999-12-31", 2)
    assert (facts["b"].nulls, facts["c"].nulls, facts["c"].least) == (1, 1, "7")


def test_an_empty_table(tmp_path: Path) -> None:
    columns = {"a": "INT", "b": "STRUCT(x INT)", "c": "BLOB", "d": "JSON", "e": "VARCHAR[]"}
    ddl = ", ".join(map(" ".join, columns.items()))
    path = build(tmp_path / "x.duckdb", f"CREATE TABLE t ({ddl})")
    with opened(path) as source:
        facts = facts_of(source, "main.t", *columns)
        assert facts == dict.fromkeys(columns, RawFacts(0, 0))


def test_what_is_not_looked_into_is_no_null(tmp_path: Path) -> None:
    path = build(
        tmp_path / "x.duckdb",
        "CREATE TABLE t (b BLOB, j JSON)",
        """INSERT INTO t VALUES ('x', '{"a": "' || repeat('x', 50000) || '"}'), (NULL, NULL)""",
    )
    with opened(path) as source:
        facts = facts_of(source, "main.t", "b", "j")
    assert (facts["b"].nulls, facts["b"].values, facts["b"].distinct) == (1, (), None)
    assert facts["j"].nulls == 1


def test_a_table_that_is_gone_and_a_column(warehouse: Path) -> None:
    with opened(warehouse) as source:
        with pytest.raises(TableGoneError):
            source.profile(Item("crm", "gone", "", "table", 0), ["a"])
        assert source.profile(Item("crm", "Kunden", "", "table", 0), ["nope"]) == {}
        assert "statistics" in source.notes[0]


def test_nothing_is_written_and_nothing_else_is_read(warehouse: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with opened(warehouse) as source:
        connection = source._connection  # type: ignore[attr-defined]
        for statement in (
            "CREATE TABLE crm.x (a INT)",
            f"SELECT * FROM '{tmp_path}/secret.csv'",
            "SET enable_external_access = true",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)


def test_a_file_that_is_no_duckdb(tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_text("hello " * 1_000)
    with pytest.raises(SourceError, match="cannot be read as DuckDB"):
        open_source(f"duckdb:///{tmp_path}/x.duckdb")
    with pytest.raises(SourceError, match="There is no DuckDB file"):
        open_source(f"duckdb:///{tmp_path}/no.duckdb")


def test_the_url_opens_it_again(warehouse: Path) -> None:
    with opened(warehouse) as source:
        reopen, identity = source.reopen, source.identity
    with opened(reopen) as source:
        assert source.identity == identity


# Files of data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT i AS id, ['A', 'B'][i % 2 + 1] AS st "
                           "FROM range(100) r(i)")  # fmt: skip
        for name in ("a.parquet", "b.csv", "c.json", "a.csv"):
            connection.execute(f"COPY t TO '{tmp_path}/{name}'")
    return tmp_path


def test_each_file_is_a_table(folder: Path) -> None:
    names = ["a.parquet", "b.csv", "c.json"]
    source = open_source(files_or_url([str(folder / name) for name in names]))
    found = by_name(source)
    assert [*found] == [*("a", "a.id", "a.st", "b", "b.id", "b.st", "c", "c.id", "c.st")]
    assert found["a"].rows == 100
    assert (found["a"].kind, found["a"].details) == ("table", {"storage": "file"})
    for table in ("a", "b", "c"):
        assert facts_of(source, table, "st")["st"].values == (("A", 50), ("B", 50))
    assert [i.name for i in source.items(Selection(tables=("b",)))] == ["b", "b.id", "b.st"]
    again = open_source(source.reopen)
    assert again.identity == source.identity
    source.close()
    again.close()


def test_files_of_the_same_name(folder: Path) -> None:
    source = open_source(files_or_url([str(folder / "a.parquet"), str(folder / "a.csv")]))
    assert {i.name for i in source.items(Selection()) if not i.column} == {"a.parquet", "a.csv"}
    source.close()


def test_a_pattern(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for pattern in ("*.csv", f"{folder}/*.csv"):
        with opened(pattern) as source:
            assert {i.name for i in source.items(Selection()) if not i.column} == {"a", "b"}
    with pytest.raises(SourceError, match="No file matches"):
        files_or_url(["no*.parquet"])


def test_a_corrupt_file_is_left_out_and_said(folder: Path) -> None:
    (folder / "bad.parquet").write_bytes(b"PAR1 and no more")
    paths = [str(folder / name) for name in ("bad.parquet", "b.csv")]
    source = open_source(files_or_url(paths))
    assert [i.name for i in source.items(Selection()) if not i.column] == ["b"]
    assert source.notes[0].startswith("bad.parquet is skipped")
    source.close()
    with pytest.raises(SourceError, match="None of the files can be read"):
        open_source(paths[0])


def test_names_that_are_data_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "people.json").write_text('[{"anna@example.org": 1}, {"bob@example.org": 2}]')
    with pytest.raises(SourceError, match="may be data") as caught:
        open_source(str(tmp_path / "people.json"))
    assert "anna@" not in str(caught.value)
    (tmp_path / "people.csv").write_text("anna@example.org,1\nbob@example.org,2\n")
    with pytest.raises(SourceError, match="may be data") as caught:
        open_source(str(tmp_path / "people.csv"), Reading(csv=Csv(header="yes")))
    assert "anna@" not in str(caught.value)


def test_long_names_are_no_data(tmp_path: Path) -> None:
    names = ["shipping_address_line_1", "customerregistrationdate", "pk_customer_2023", "a b c 12"]
    path = tmp_path / "x.parquet"
    with duckdb.connect() as connection:
        columns = ", ".join(f'{n} AS "{name}"' for n, name in enumerate(names))
        connection.execute(f"COPY (SELECT {columns}) TO '{path}'")
    with opened(path) as source:
        assert [item.column for item in source.items(Selection()) if item.column] == names


def test_a_folder_is_its_files_of_data(folder: Path) -> None:
    (folder / ".hidden.csv").write_text("a\n1\n")
    (folder / "readme.txt").write_text("no data")
    (folder / "deeper").mkdir()
    with opened(folder) as source:
        assert source.tables() == [("", name) for name in ("a.csv", "a.parquet", "b", "c")]
    with pytest.raises(SourceError, match="no data files in the folder"):
        open_source(str(folder / "deeper"))


def test_names_that_duckdb_would_take_for_a_pattern(tmp_path: Path) -> None:
    for name in ("x[1].csv", "st*r.csv", "C.csv", "c.csv"):
        (tmp_path / name).write_text("a\n1\n")
    paths = [str(tmp_path / name) for name in ("x[1].csv", "st*r.csv", "C.csv", "c.csv")]
    source = open_source(files_or_url(paths))
    assert len([i for i in source.items(Selection()) if not i.column]) == 4
    assert not [note for note in source.notes if "is skipped" in note]
    backwards = open_source(files_or_url(paths[::-1]))
    assert backwards.identity == source.identity
    source.close()
    backwards.close()


def test_a_schema_that_is_called_as_its_file_is(tmp_path: Path) -> None:
    path = build(
        tmp_path / "shop.duckdb", "CREATE SCHEMA shop", "CREATE TABLE shop.shop.t AS SELECT 1 AS a"
    )
    with opened(path) as source:
        assert facts_of(source, "shop.t", "a")["a"].distinct == 1
        assert facts_of(source, "shop.t") == {}
        assert source.notes == []


def test_an_error_repeats_no_data() -> None:
    text = "CSV Error on Line: 7\nOriginal Line: anna@x\nBad\nLINE 1: SELECT"
    assert reason_of(duckdb.InvalidInputException(text)) == "CSV Error on Line: 7 Bad"


def test_files_read_no_other_file(folder: Path) -> None:
    with opened(folder / "b.csv") as source:
        connection = source._connection  # type: ignore[attr-defined]
        for statement in (f"SELECT * FROM '{folder}/a.csv'", "SET allowed_paths = ['/']"):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)


@pytest.mark.parametrize(
    "texts", [("a.csv", "postgresql://h/d"), ("postgresql://h/d", "postgresql://h/e")]
)
def test_one_database_a_run(texts: tuple[str, ...]) -> None:
    with pytest.raises(SourceError, match="One run can"):
        files_or_url(texts)


def test_the_keys_of_documents() -> None:
    texts = ['{"a": 1, "b": {"c": 2}}', '{"a": 2}', "[1]", "{bad", "", json.dumps({"z": 1})]
    assert document_keys((text, 2) for text in texts) == (("a", 4), ("b", 2), ("z", 2))
    assert document_keys([(None, 1), (5, 1), ("{" * 100_000, 1)]) == ()
