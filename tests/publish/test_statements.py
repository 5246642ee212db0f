"""The SQL of comments: every dialect's shape, and that nothing in a text or a name gets out."""

from __future__ import annotations

import click
import duckdb
import psycopg
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from amx_kimi.cli.apply import apply
from amx_kimi.databases.dialect import Place, cut, statement, too_long
from amx_kimi.databases.opening import dialect_of
from amx_kimi.databases.registry import names_of_dialects

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
NASTY = [
    "it's",
    "'; DROP TABLE x; --",
    "back\\slash \\' end\\",
    "$$ $1 %s %% :x {y} {{z}}",
    "two\nlines\r\nand\ttabs",
    "‮right to left‬ עברית",
    "\x1b[31mred\x1b[0m",
    '"double" `tick` [bracket]',
    "",
]


@pytest.mark.parametrize(
    ("dialect", "place", "wanted"),
    [
        ("postgresql", Place("s", "t"), """COMMENT ON TABLE "s"."t" IS 'it''s';"""),
        ("postgresql", Place("s", "t", "c"), """COMMENT ON COLUMN "s"."t"."c" IS 'it''s';"""),
        (
            "postgresql",
            Place("s", "t", kind="materialized view"),
            """COMMENT ON MATERIALIZED VIEW "s"."t" IS 'it''s';""",
        ),
        ("duckdb", Place("s", "v", kind="view"), """COMMENT ON VIEW "s"."v" IS 'it''s';"""),
        ("snowflake", Place("s", "T"), """COMMENT ON TABLE "S"."T" IS 'it\\'s';"""),
        (
            "snowflake",
            Place("s", "v", "Cc", "view"),
            """ALTER VIEW "S"."V" MODIFY COLUMN "Cc" COMMENT 'it\\'s';""",
        ),
        (
            "bigquery",
            Place("s", "t", "c"),
            "ALTER TABLE `s`.`t` ALTER COLUMN `c` SET OPTIONS (description = 'it\\'s');",
        ),
        ("databricks", Place("s", "t"), "COMMENT ON TABLE `s`.`t` IS 'it\\'s';"),
        ("mysql", Place("s", "t"), "ALTER TABLE `s`.`t` COMMENT = 'it''s';"),
        ("oracle", Place("s", "t", "c"), """COMMENT ON COLUMN "S"."T"."C" IS 'it''s';"""),
    ],
)
def test_shapes(dialect: str, place: Place, wanted: str) -> None:
    assert statement(dialect_of(dialect), place, "it's") == wanted


def test_sql_server_and_mysql_name_everything_in_texts() -> None:
    place = Place("s", "o'k", "c", "view")
    server = statement(dialect_of("sqlserver"), place, "it's")
    assert server.count("N'it''s'") == 2
    assert "N'VIEW', N'o''k', N'COLUMN', N'c'" in server
    assert "OBJECT_ID(N'[s].[o''k]')" in server
    mysql = statement(dialect_of("mysql"), Place("s", "o'k", "c"), "it's")
    assert "TABLE_NAME = 'o''k'" in mysql
    assert "QUOTE('it''s')" in mysql
    assert "'`s`.`o''k`'" in mysql


def test_sql_server_has_names_and_texts_beyond_ascii() -> None:
    server = statement(dialect_of("sqlserver"), Place("übung", "größe", "maß"), "Länge")
    for literal in ("'übung'", "'größe'", "'maß'", "'Länge'"):
        assert server.count(literal) == server.count(f"N{literal}") > 0
    assert "@kimi" in statement(dialect_of("sqlserver"), Place("", "t"), "x")


def test_removal() -> None:
    assert statement(dialect_of("duckdb"), Place("", "t"), None) == 'COMMENT ON TABLE "t" IS NULL;'


@pytest.mark.parametrize(
    "name", sorted({*names_of_dialects()} - {"sqlserver", "mysql"})
)  # see above
@pytest.mark.parametrize("text", NASTY)
def test_a_text_is_one_literal(name: str, text: str) -> None:
    dialect = dialect_of(name)
    before, after = statement(dialect, Place("", "t"), "Z").split("Z")
    written = statement(dialect, Place("", "t"), text)
    literal = written.removeprefix(before[:-1]).removesuffix(after[1:])
    (parsed,) = sqlglot.parse(f"SELECT {literal}", dialect=dialect.sqlglot)
    assert parsed is not None
    wanted = text if dialect.lines else text.replace("\n", " ")
    assert parsed.expressions[0].this == wanted


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT.filter(bool))
def test_duckdb_keeps_text_and_names(text: str, name: str) -> None:
    with duckdb.connect() as connection:
        quoted = '"' + name.replace('"', '""') + '"'
        connection.execute(f'CREATE TABLE "t" ({quoted} int)')
        connection.execute(statement(dialect_of("duckdb"), Place("main", "t", name), text))
        query = "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 't'"
        assert connection.execute(query).fetchall() == [(name, text)]


def test_postgresql_keeps_text_and_names(fresh_postgres: str) -> None:
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        for number, text in enumerate(NASTY[:-1]):
            name = f'x{number} "{text[:20]}"'
            quoted = '"' + name.replace('"', '""') + '"'
            connection.execute(f"CREATE TABLE {quoted} (c int)".encode())
            line = statement(dialect_of("postgresql"), Place("public", name, "c"), text)
            connection.execute(line.encode())
            found = connection.execute(
                "SELECT col_description(c.oid, 1) FROM pg_class c WHERE relname = %s", [name]
            ).fetchone()
            assert found == (text,)


@pytest.mark.parametrize(
    ("dialect", "text", "most"),
    [
        ("bigquery", "x" * 1_025, 1_024),
        ("bigquery", "x" * 1_024, None),
        ("oracle", "ü" * 2_001, 4_000),
        ("oracle", "ü" * 2_000, None),
        ("sqlserver", "😀" * 1_876, 3_750),
        ("postgresql", "x" * 60_000, None),
    ],
)
def test_too_long(dialect: str, text: str, most: int | None) -> None:
    row, place = dialect_of(dialect), Place("s", "t", "c")
    assert too_long(row, place, text) == most
    shorter = cut(row, place, text)
    assert too_long(row, place, shorter) is None
    assert (shorter == text) == (most is None)
    assert most is None or (shorter.endswith("…") and len(shorter) > len(text) * 0.97)


def test_lines_and_names_that_clients_would_take_for_their_own() -> None:
    server = statement(dialect_of("sqlserver"), Place("s", "t"), "a\nGO\nb")
    assert "a GO b" in server
    oracle = statement(dialect_of("oracle"), Place("s", "t"), "a;\n/\nb")
    assert "'a; / b'" in oracle
    note = statement(dialect_of("mysql"), Place("s", "v\nDROP TABLE x", kind="view"), "text")
    assert note.startswith("-- ")
    assert "\n" not in note
    big = statement(dialect_of("bigquery"), Place("s", "t\\"), "x")
    assert big.startswith("ALTER TABLE `s`.`t\\\\` SET")


def test_the_command_line_names_every_dialect() -> None:
    (option,) = (one for one in apply.params if one.name == "dialect")
    assert isinstance(option.type, click.Choice)
    assert set(option.type.choices) == {*names_of_dialects()}
