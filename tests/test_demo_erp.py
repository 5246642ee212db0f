"""The demo's database: whole, consistent, and the same every time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from amx_kimi.demo import erp


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("erp") / "erp.db"
    erp.build_sqlite(path)
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def _names(base: sqlite3.Connection, kind: str) -> list[str]:
    query = "select name from sqlite_master where type = ? and name not like 'sqlite%'"
    return [name for (name,) in base.execute(query, (kind,))]


def _columns(base: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in base.execute(f"pragma table_info({table})")]


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_it_is_as_large_as_the_demo_promises(base: sqlite3.Connection) -> None:
    tables = _names(base, "table")
    assert len(tables) >= 12
    assert sum(len(_columns(base, table)) for table in tables) >= 150
    assert len(_names(base, "view")) == 2
    assert not base.execute("pragma foreign_key_check").fetchall()


def test_every_table_has_a_key_and_rows_and_every_view_answers(base: sqlite3.Connection) -> None:
    for table in _names(base, "table"):
        assert any(row[5] for row in base.execute(f"pragma table_info({table})")), table
        assert 40 <= base.execute(f"select count(*) from {table}").fetchone()[0] <= 500, table
    for view in _names(base, "view"):
        assert base.execute(f"select count(*) from {view}").fetchone()[0] > 0, view


def test_names_and_comments_give_nothing_away(base: sqlite3.Connection) -> None:
    assert not base.execute("select 1 from sqlite_master where sql like '%--%'").fetchall()
    assert all(name == name.lower() for name in _names(base, "table"))


def test_some_columns_are_mostly_null_and_some_hold_long_text(base: sqlite3.Connection) -> None:
    sparse = [
        f"{table}.{column}"
        for table in _names(base, "table")
        for column in _columns(base, table)
        if base.execute(f"select count({column}) < count(*) / 5 from {table}").fetchone()[0]
    ]
    assert {"pers.austdt", "kdstm.name2", "aufk.abgrd", "zusfl.resv1"} <= set(sparse)
    assert base.execute("select max(length(intxt)) from aufk").fetchone()[0] > 300


def test_amounts_agree_from_line_to_invoice(base: sqlite3.Connection) -> None:
    lines = "select round(sum(p.netto) - k.netto, 2) from aufk k join aufp p using (aufnr)"
    assert {row[0] for row in base.execute(f"{lines} group by aufnr")} == {0}
    paid = "select round(sum(z.betr + coalesce(z.skbtr, 0)) + r.offen - r.brutto, 2)"
    paid += " from rechk r join zahl z using (rechnr) group by rechnr"
    assert {row[0] for row in base.execute(paid)} == {0}


def test_people_and_accounts_look_real_and_are_not(base: sqlite3.Connection) -> None:
    for iban, email in base.execute("select iban, email from kdstm"):
        assert int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97 == 1
        assert email.isascii()
        assert email.endswith(".example")


def test_text_and_numbers_fit_the_declared_types() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in erp.statements():
            connection.execute(statement)
        for table, records in erp.rows():
            kinds = [row[2] for row in connection.execute(f"pragma table_info({table})")]
            for record in records:
                assert len(record) == len(kinds), table
                for value, kind in zip(record, kinds, strict=True):
                    if isinstance(value, str):
                        size = int(kind.partition("(")[2].rstrip(")"))
                        assert len(value) <= size, (table, value)
                        assert "var" in kind.lower() or len(value) == size, (table, kind, value)


def test_the_same_seed_gives_the_same_database(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        erp.build_sqlite(tmp_path / name, seed)
    assert _dump(tmp_path / "a") == _dump(tmp_path / "b") != _dump(tmp_path / "c")


def test_scale_multiplies_the_rows() -> None:
    small, large = (dict(erp.rows(scale=scale)) for scale in (1, 3))
    assert len(large["kdstm"]) == 3 * len(small["kdstm"])
    assert len(large["mabu"]) > 2 * len(small["mabu"])


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine.db"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        erp.build_sqlite(path)
    assert path.read_text() == "mine"


def test_a_failure_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erp, "statements", lambda: ["create nonsense"])
    with pytest.raises(sqlite3.OperationalError):
        erp.build_sqlite(tmp_path / "erp.db")
    assert not (tmp_path / "erp.db").exists()
