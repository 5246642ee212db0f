"""Real SQLite files, from tame to hostile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from amx_kimi.databases.base import Selection, Source, TableGoneError
from amx_kimi.databases.opening import open_source
from amx_kimi.errors import SourceError
from amx_kimi.types import Item, RawFacts

from .helpers import Database


@pytest.fixture
def db(sqlite_database: Database) -> Database:
    return sqlite_database


@contextmanager
def opened(database: Database) -> Iterator[Source]:
    source = open_source(database.url)
    try:
        yield source
    finally:
        source.close()


def items_of(database: Database, selection: Selection | None = None) -> list[Item]:
    with opened(database) as source:
        return list(source.items(selection or Selection()))


def columns_of(database: Database, table: str) -> dict[str, Item]:
    return {i.column: i for i in items_of(database) if i.table == table and i.column}


def facts_of(database: Database, table: str, *columns: str) -> dict[str, RawFacts]:
    with opened(database) as source:
        return dict(source.profile(Item("", table, "", "table", 0), columns))


def path_of(database: Database) -> Path:
    return Path(database.url.removeprefix("sqlite:///"))


def test_tables_and_columns(db: Database) -> None:
    db.execute(
        "CREATE TABLE b (id INTEGER PRIMARY KEY, note TEXT NOT NULL, x)",
        "CREATE TABLE a (y DECIMAL(10,2))",
    )
    assert items_of(db) == [
        Item("", "a", "", "table", 0),
        Item("", "a", "y", "column", 1, "DECIMAL(10,2)"),
        Item("", "b", "", "table", 0),
        Item("", "b", "id", "column", 1, "INTEGER", False, "pk"),
        Item("", "b", "note", "column", 2, "TEXT", False),
        Item("", "b", "x", "column", 3),
    ]


def test_keys(db: Database) -> None:
    db.execute(
        "CREATE TABLE c (id INTEGER PRIMARY KEY, code TEXT UNIQUE, a, b, UNIQUE (a, b))",
        "CREATE TABLE o (x, y, c_id REFERENCES c(id), c2 REFERENCES c, m, n,"
        " PRIMARY KEY (x, y), FOREIGN KEY (m, n) REFERENCES c(a, b))",
        "CREATE INDEX plain ON o (m)",
        "CREATE UNIQUE INDEX extra ON o (n)",
    )
    c = columns_of(db, "c")
    assert {n: i.key_role for n, i in c.items()} == {"id": "pk", "code": "unique", "a": "", "b": ""}
    o = columns_of(db, "o")
    assert {name: (i.key_role, i.fk) for name, i in o.items()} == {
        "x": ("pk", ""),
        "y": ("pk", ""),
        "c_id": ("fk", "c.id"),
        "c2": ("fk", "c"),
        "m": ("fk", "c.a"),
        "n": ("fk", "c.b"),
    }
    assert not o["x"].nullable


def test_views_have_their_definition_and_are_never_read(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a INTEGER, b)",
        "INSERT INTO t VALUES (1, 2)",
        "CREATE VIEW bad AS SELECT a, abs(-9223372036854775807 - a) AS boom FROM t",
        "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT max(i) AS most FROM n",
    )
    found = {i.name: i for i in items_of(db)}
    assert found["bad"].kind == "view"
    assert "boom FROM t" in found["bad"].definition
    assert [name for name in found if name.startswith("bad.")] == ["bad.a", "bad.boom"]
    assert found["endless.most"].kind == "column"
    with opened(db) as source:
        assert source.profile(found["bad"], ["a", "boom"]) == {}
        assert source.profile(found["endless"], ["most"]) == {}


def test_a_broken_view_costs_only_its_columns(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a)",
        "CREATE VIEW lost AS SELECT * FROM nowhere",
        "CREATE VIEW ring AS SELECT * FROM lost",
        "CREATE TABLE z (a)",
    )
    assert [i.name for i in items_of(db)] == ["lost", "ring", "t", "t.a", "z", "z.a"]


def test_shadow_tables_are_left_to_their_virtual_table(db: Database) -> None:
    db.execute(
        "CREATE VIRTUAL TABLE notes USING fts5(body, author)",
        "CREATE TABLE notes_by_day (day)",
    )
    assert [i.name for i in items_of(db)] == [
        *("notes", "notes.body", "notes.author", "notes_by_day", "notes_by_day.day")
    ]


def test_a_column_without_a_name_is_left_out(db: Database) -> None:
    db.execute('CREATE TABLE t (a, "", b)', "INSERT INTO t VALUES (1, 2, 3)")
    assert [i.name for i in items_of(db)] == ["t", "t.a", "t.b"]


def test_generated_columns(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a INTEGER, s AS (a * 2) STORED, v TEXT GENERATED ALWAYS AS (a || 'x'))",
        "INSERT INTO t (a) VALUES (3)",
    )
    assert list(columns_of(db, "t")) == ["a", "s", "v"]
    facts = facts_of(db, "t", "a", "s", "v")
    assert [f.values for f in facts.values()] == [(("3", 1),), (("6", 1),), (("3x", 1),)]


STRANGE = [
    'qu"ote',
    "it's",
    "a.b",
    "🚀 名前",
    "line\nbreak",
    "tab\t",
    "[x]",
    "`y`",
    "select",
    "%s ?",
    "",
]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize("table", [name for name in STRANGE if name])
def test_strange_names(db: Database, table: str) -> None:
    columns = [name for name in STRANGE if name]
    db.execute(
        f"CREATE TABLE {quoted(table)} ({', '.join(map(quoted, columns))},"
        f" UNIQUE ({quoted(columns[0])}))",
        f"INSERT INTO {quoted(table)} VALUES ({', '.join('7' for _ in columns)})",
    )
    found = columns_of(db, table)
    assert list(found) == columns
    assert found[columns[0]].key_role == "unique"
    facts = facts_of(db, table, *columns)
    assert {name: f.values for name, f in facts.items()} == dict.fromkeys(columns, (("7", 1),))
    assert len(items_of(db, Selection(tables=(table,)))) == len(columns) + 1


def test_two_thousand_columns(db: Database) -> None:
    columns = [f"c{n}" for n in range(2_000)]
    db.execute(
        f"CREATE TABLE w ({', '.join(columns)})",
        f"INSERT INTO w VALUES ({', '.join(str(n) for n in range(2_000))})",
    )
    assert list(columns_of(db, "w")) == columns
    facts = facts_of(db, "w", *columns)
    assert facts["c1999"].values == (("1999", 1),)
    assert list(facts) == columns


def test_statistics_of_a_small_table_are_exact(db: Database) -> None:
    db.execute("CREATE TABLE t (a, b, c)")
    for row in ("9, 'x', NULL", "10, 'y', NULL", "100, 'x', NULL", "10, NULL, NULL"):
        db.execute(f"INSERT INTO t VALUES ({row})")
    facts = facts_of(db, "t", "a", "b", "c")
    assert facts["a"] == RawFacts(0, 3, "9", "100", (("10", 2), ("9", 1), ("100", 1)))
    assert facts["b"] == RawFacts(1, 2, "x", "y", (("x", 2), ("y", 1)))
    assert facts["c"] == RawFacts(4, 0, None, None, ())


def test_only_frequent_values_of_a_large_table(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
        " INSERT INTO t SELECT i % 20 FROM n",
    )
    facts = facts_of(db, "t", "a")["a"]
    assert (facts.nulls, facts.distinct, facts.least, facts.greatest) == (None,) * 4
    assert len(facts.values) == 8
    assert all(count >= 40 for _, count in facts.values)


def test_numbers_come_before_texts(db: Database) -> None:
    db.execute("CREATE TABLE t (a)", "INSERT INTO t VALUES (2.5), ('10'), (30), ('b'), (-1)")
    facts = facts_of(db, "t", "a")["a"]
    assert (facts.least, facts.greatest) == ("-1", "b")


def test_an_empty_table(db: Database) -> None:
    db.execute("CREATE TABLE t (a)")
    assert facts_of(db, "t", "a") == {"a": RawFacts(0, 0, None, None, ())}


def test_without_rowid(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a TEXT PRIMARY KEY, b) WITHOUT ROWID", "INSERT INTO t VALUES ('k', 1)"
    )
    assert list(columns_of(db, "t")) == ["a", "b"]
    assert facts_of(db, "t", "a")["a"].values == (("k", 1),)


def test_blobs_megabytes_and_bytes_that_are_no_text(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (blob, long, bytes, nul)",
        "INSERT INTO t VALUES (zeroblob(1000000), printf('%.*c', 2000000, 'x'),"
        " CAST(x'ff41fe' AS TEXT), CAST(x'610062' AS TEXT))",
    )
    facts = facts_of(db, "t", "blob", "long", "bytes", "nul")
    assert facts["blob"].values == (("binary", 1),)
    ((long, _),) = facts["long"].values
    assert len(long) <= 300
    assert facts["bytes"].values == (("\ufffdA\ufffd", 1),)
    assert facts["nul"].values[0][0].startswith("a")


def test_names_that_are_no_text(db: Database) -> None:
    db.execute("CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    path = path_of(db)
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE t (a)", b"CREATE TABLE t (\xff)"))
    assert [i.column for i in items_of(db)] == ["", "\ufffd"]
    assert facts_of(db, "t", "\ufffd") == {"\ufffd": RawFacts()}


def test_row_estimates_after_analyze_only(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a)", "CREATE INDEX i ON t (a)", "INSERT INTO t VALUES (1), (2), (3)"
    )
    assert items_of(db)[0].rows is None
    db.execute("ANALYZE")
    assert {i.table: i.rows for i in items_of(db) if not i.column} == {"t": 3}
    for nonsense in ("nonsense", " "):
        db.execute(f"UPDATE sqlite_stat1 SET stat = '{nonsense}'")
        assert items_of(db)[0].rows is None


def test_a_dropped_table(db: Database) -> None:
    db.execute("CREATE TABLE t (a)", "CREATE TABLE u (a)")
    with opened(db) as source:
        table = next(source.items(Selection()))
        db.execute("DROP TABLE t")
        with pytest.raises(TableGoneError, match="table t was dropped") as caught:
            source.profile(table, ["a"])
        assert not caught.value.stops_run
        assert source.profile(Item("", "u", "", "table", 0), ["a"]).keys() == {"a"}


def test_a_dropped_column_costs_statistics_and_invents_none(db: Database) -> None:
    db.execute("CREATE TABLE t (a, b)", "INSERT INTO t VALUES (1, 2)")
    with opened(db) as source:
        db.execute("ALTER TABLE t DROP COLUMN b")
        facts = source.profile(Item("", "t", "", "table", 0), ["a", "b"])
    assert facts.get("b", RawFacts()) == RawFacts()


def test_a_damaged_table_costs_its_statistics(db: Database) -> None:
    db.execute("CREATE TABLE t (a)", "INSERT INTO t VALUES (printf('%.*c', 50000, 'x'))")
    path = path_of(db)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    assert [i.name for i in items_of(db)] == ["t", "t.a"]
    assert facts_of(db, "t", "a").get("a", RawFacts()) == RawFacts()


def test_a_damaged_catalog_is_an_error(db: Database) -> None:
    db.execute("CREATE TABLE t (a)")
    path = path_of(db)
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE t (a)", b"CRXXTE TABLE t (a)"))
    with pytest.raises(SourceError, match=r"source\.db"):
        items_of(db)


def test_a_catalog_that_fails_half_way_is_an_error_not_a_loss(db: Database) -> None:
    db.execute("CREATE TABLE t (a)")
    with opened(db) as source:
        found = source.items(Selection())
        assert next(found).name == "t"
        source._connection.set_progress_handler(lambda: 1, 1)  # type: ignore[attr-defined]
        with pytest.raises(SourceError, match=r"source\.db: its catalog cannot be read"):
            list(found)
        source._connection.set_progress_handler(None, 1)  # type: ignore[attr-defined]


def test_a_locked_file_is_an_error_not_a_loss(db: Database) -> None:
    db.execute("CREATE TABLE t (a)")
    with opened(db) as source, closing(sqlite3.connect(path_of(db))) as other:
        inner = source._connection  # type: ignore[attr-defined]
        inner.execute("PRAGMA busy_timeout = 1")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceError, match="locked"):
            list(source.items(Selection()))
        assert source.profile(Item("", "t", "", "table", 0), ["a"]) == {"a": RawFacts()}


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_file_is_not_changed(db: Database, mode: str) -> None:
    db.execute(f"PRAGMA journal_mode = {mode}", "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)")
    before = path_of(db).read_bytes()
    with opened(db) as source:
        (table, column) = source.items(Selection())
        source.profile(table, [column.column])
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            source._connection.execute("INSERT INTO t VALUES (2)")  # type: ignore[attr-defined]
    assert path_of(db).read_bytes() == before


def test_a_write_ahead_log_of_a_process_at_work_is_read(db: Database) -> None:
    with closing(sqlite3.connect(path_of(db))) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("CREATE TABLE t (a)")
        writer.execute("INSERT INTO t VALUES (42)")
        writer.commit()
        before = path_of(db).read_bytes()
        assert facts_of(db, "t", "a")["a"].values == (("42", 1),)
        assert path_of(db).read_bytes() == before


def test_identity_and_reopen(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db.execute("CREATE TABLE t (a)")
    monkeypatch.chdir(tmp_path)
    names: Sequence[str] = (db.url, str(path_of(db)), "source.db", "sqlite:///source.db")
    seen = set()
    for name in names:
        source = open_source(name)
        seen.add((source.identity, source.reopen))
        source.close()
    assert len(seen) == 1
    ((_, reopen),) = seen
    again = open_source(reopen)
    assert [i.name for i in again.items(Selection())] == ["t", "t.a"]
    assert again.schemas() == [""]
    again.close()


@pytest.mark.parametrize("name", ["a b.db", "100%25.db", "what?.db", "ü#1.db", "a&b=c.db"])
def test_files_with_strange_names(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
    source = open_source(str(path))
    reopen = source.reopen
    assert [i.name for i in source.items(Selection())] == ["t", "t.a"]
    source.close()
    again = open_source(reopen)
    assert again.identity == source.identity
    again.close()


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no SQLite file .*gone\.db"):
        open_source(f"sqlite:///{tmp_path}/gone.db")
    assert not (tmp_path / "gone.db").exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///"])
def test_no_file_named(url: str) -> None:
    with pytest.raises(SourceError, match="names no file"):
        open_source(url)


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary, " * 200)
    with pytest.raises(SourceError, match=r"notes\.txt cannot be read as SQLite"):
        open_source(str(path))
