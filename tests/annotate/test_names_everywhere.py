"""A column of many people's names leaves as shapes from whatever it is read."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pytest
from faker import Faker

from amx_kimi.databases.base import Selection
from amx_kimi.databases.opening import open_source
from amx_kimi.redact import Redactor
from amx_kimi.types import Item

from .helpers import Database

LOCALES = ("zh_CN", "ja_JP", "ko_KR", "hi_IN", "ar_SA", "th_TH", "ru_RU", "de_DE", "tr_TR", "vi_VN")


def names_of(locale: str) -> list[str]:
    """40 different names, a quarter of them decomposed."""
    faker = Faker(locale)
    faker.seed_instance(4711)
    # Some locales have few last names.
    made = [faker.last_name() for _ in range(15)] + [faker.name() for _ in range(500)]
    found = list(dict.fromkeys(made))[:40]
    return [
        unicodedata.normalize("NFD" if n % 4 == 0 else "NFC", name) for n, name in enumerate(found)
    ]


COLUMNS = {f"c{n}": names_of(locale) for n, locale in enumerate(LOCALES)}
ROWS = [[*row, "open"] for row in zip(*COLUMNS.values(), strict=True) for _ in range(9)]


def sql() -> Iterator[str]:
    yield f"CREATE TABLE people ({', '.join(f'{name} text' for name in (*COLUMNS, 'st'))})"
    for row in ROWS:
        values = ", ".join("'" + value.replace("'", "''") + "'" for value in row)
        yield f"INSERT INTO people VALUES ({values})"


def shown(target: str) -> dict[str, Sequence[str]]:
    source = open_source(target)
    try:
        found: list[Item] = list(source.items(Selection()))
        (table,) = (item for item in found if not item.column)
        columns = [item for item in found if item.column]
        raw = source.profile(table, [item.column for item in columns])
    finally:
        source.close()
    return {item.column: Redactor().column(item, raw[item.column]).samples for item in columns}


def check(samples: dict[str, Sequence[str]]) -> None:
    assert samples.pop("st") == ("open",)
    assert set(samples) == set(COLUMNS)
    for name, seen in samples.items():
        assert seen
        assert not set(seen) & set(COLUMNS[name]), (name, seen)


def test_in_a_database(database: Database) -> None:
    database.execute(*sql(), "ANALYZE people")
    check(shown(database.url))


def test_in_duckdb(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        for statement in sql():
            connection.execute(statement)
    check(shown(f"duckdb:///{tmp_path}/x.duckdb"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_in_a_file(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "people.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([[*COLUMNS, "st"], *ROWS])
    from amx_kimi.databases.opening import files_or_url

    check(shown(files_or_url([str(path)])))  # type: ignore[arg-type]
