"""Files of separated values: what is guessed of them, and what people say."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from amx_kimi.databases.base import Csv, Reading, Selection
from amx_kimi.databases.duckdb.csv_files import encoding_of, looks_like_data
from amx_kimi.databases.opening import open_source
from amx_kimi.errors import SourceError

GERMAN = "Straße;Größe;Preis €\nMüllerweg;3;4,50 €\nJägerplatz;4;5,50 €\n"
CHINESE = "姓名,城市,金额\n张三,北京,3\n李四,上海,4\n"


def look(path: Path, csv: Csv | None = None) -> tuple[list[str], list[str], int]:
    """A file's columns, the notes, and how many rows are seen in it."""
    source = open_source(str(path), Reading(csv=csv or Csv()))
    try:
        table, *columns = source.items(Selection())
        names = [item.column for item in columns]
        facts = source.profile(table, names)
        first = facts[names[0]]
        return names, source.notes, sum(count for _, count in first.values) + (first.nulls or 0)
    finally:
        source.close()


@pytest.mark.parametrize(
    ("text", "encoding", "said"),
    [
        (GERMAN, "utf-8", "utf-8"),
        (GERMAN, "utf-8-sig", "utf-8"),
        (GERMAN, "cp1252", "cp1252"),
        (GERMAN, "utf-16", "utf-16"),
        (GERMAN, "utf-16-le", "utf-16-le"),
        (GERMAN, "utf-16-be", "utf-16-be"),
        (GERMAN, "utf-32", "utf-32"),
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "utf-16-le", "utf-16-le"),
    ],
)
def test_encodings(tmp_path: Path, text: str, encoding: str, said: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode(encoding))
    names, notes, rows = look(path)
    separator = text[text.index("\n") - 1] if ";" not in text else ";"
    assert names == text.splitlines()[0].split(";" if ";" in text else ",")
    assert rows == 2
    assert notes == [
        f"x.csv: read as {said}, separated by `{';' if ';' in text else ','}`; "
        "the first line has the columns' names"
    ]
    assert separator
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(text.encode(encoding)))
    assert look(path.with_suffix(".csv.gz"))[0] == names


def test_an_encoding_that_shows_late(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"id;ort\n" + b"1;Bonn\n" * 20_000 + "2;Köln\n".encode("cp1252"))
    assert encoding_of(path) == "cp1252"
    # A letter of UTF-8 that two blocks share is one.
    path.write_bytes(b"x" * 65_535 + "é\n".encode())
    assert encoding_of(path) == "utf-8"


def test_what_people_say_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("a|b;c\nä|2;3\n".encode("cp1250"))
    said = Csv(encoding="cp1250", separator="|", header="no")
    names, notes, rows = look(path, said)
    assert names == ["column0", "column1"]
    assert rows == 2
    assert notes == [
        "x.csv: read as cp1250, separated by `|`; the first line is data; the columns have no names"
    ]
    assert look(path, Csv(separator=";", header="yes"))[0] == ["a|b", "c"]
    path.write_bytes(b"a,b\n\x81\x00,1\n")
    with pytest.raises(SourceError, match="it is not in cp932; --csv-encoding"):
        look(path, Csv(encoding="cp932"))


def test_packed_by_zstandard_only_utf8_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.zst"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 'é' AS a, 1 AS b) TO '{path}'")
    assert look(path)[0] == ["a", "b"]
    with pytest.raises(SourceError, match="unpack it first"):
        look(path, Csv(encoding="cp1252"))


def test_each_file_is_told(tmp_path: Path) -> None:
    for name, text in {"a": "x;y\n1;2\n", "b": "x;y\n1;2\n", "c": "x,y\n1,2\n", "d": ""}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    source = open_source(str(tmp_path))
    source.close()
    assert [note.partition(";")[0] for note in source.notes] == [
        "d.csv is skipped: it is empty",
        "a.csv, b.csv: read as utf-8, separated by `",
        "c.csv: read as utf-8, separated by `,`",
    ]


def test_nothing_is_left_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.csv").write_bytes(GERMAN.encode("cp1252"))
    (tmp_path / "t").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "t"))
    source = open_source(str(tmp_path / "x.csv"))
    (folder,) = (tmp_path / "t").iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    source.close()
    assert list((tmp_path / "t").iterdir()) == []


NAMES = [
    ("id,status", ["1,open", "2,done"]),
    ("Customer Name,Order Date", ["Anna Schmidt,01.02.2024", "Bob Meier,02.03.2024"]),
    ("Account Manager,Amount", ["Anna Schmidt,5", "Bob Meier,7"]),
    (",a,b", ["0,x,y", "1,z,w"]),
    ("a,b,c", []),
    ("kd_nr,plz_2", ["K-1,x", "K-2,y"]),
    ("First Name,Last Name", ["Anna,Schmidt", "Bob,Meier"]),
    ("shipping_address_line_1,customerregistrationdate", ["a,b", "c,d"]),
    ("q1,q2", ["yes,no", "no,yes"]),
]
DATA = [
    ("Anna Schmidt,anna@example.org", ["Bob Meier,bob@example.org"]),
    ("Anna Schmidt,anna@example.org", []),
    ("Anna Schmidt,Berlin", ["Bob Meier,Hamburg", "Eva Kern,Bonn"]),
    ("Berlin,DE", ["Paris,FR", "Berlin,DE", "Rome,IT"]),
    ("Berlin,DE", ["Paris,FR", "Bonn,DE"]),
    ("7,x", ["8,y"]),
    ("A,2024-01-02", ["B,2024-01-03"]),
    ("x,4.50 €", ["y,3.20 €"]),
    ("AB-1042,x", ["AB-1043,y", "CD-2001,z"]),
    ("x,+49 170 1234567", ["y,+49 171 7654321"]),
    ("x,12:30", ["y,13:40"]),
]


@pytest.mark.parametrize(("first", "rows"), NAMES)
def test_a_line_of_names(first: str, rows: list[str]) -> None:
    assert not looks_like_data(first.split(","), [row.split(",") for row in rows])


@pytest.mark.parametrize(("first", "rows"), DATA)
def test_a_line_of_data(first: str, rows: list[str]) -> None:
    assert looks_like_data(first.split(","), [row.split(",") for row in rows])
