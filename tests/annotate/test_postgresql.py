"""A real PostgreSQL."""

from __future__ import annotations

import gc
import secrets
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from amx_kimi.databases import drivers
from amx_kimi.databases.base import Selection, Source, TableGoneError
from amx_kimi.databases.opening import open_source
from amx_kimi.databases.postgresql import source as room
from amx_kimi.errors import SourceError
from amx_kimi.types import Item, RawFacts

from .helpers import Database


@pytest.fixture
def db(postgres: Database) -> Database:
    return postgres


@contextmanager
def opened(database: Database | str | URL) -> Iterator[Source]:
    source = open_source(database.url if isinstance(database, Database) else database)
    try:
        yield source
    finally:
        source.close()


def items_of(database: Database, *schemas: str) -> list[Item]:
    with opened(database) as source:
        return list(source.items(Selection(schemas)))


def by_name(database: Database) -> dict[str, Item]:
    return {item.name: item for item in items_of(database)}


def table(name: str, schema: str = "public", kind: Any = "table") -> Item:
    return Item(schema, name, "", kind, 0)


def facts_of(database: Database, name: str, *columns: str) -> dict[str, RawFacts]:
    with opened(database) as source:
        return dict(source.profile(table(name), columns))


def raw(source: Source, statement: str) -> Any:
    """One value through the source's own session."""
    connection = source._connection  # type: ignore[attr-defined]
    with connection.begin():
        return connection.exec_driver_sql(statement).scalar()


# The inventory


def test_tables_columns_and_types(db: Database) -> None:
    db.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE DOMAIN cents AS numeric(12,2) CHECK (VALUE >= 0)",
        "CREATE TABLE t (id bigint PRIMARY KEY, price numeric(10,2), tags text[], m mood,"
        " c cents NOT NULL, v varchar(20), ts timestamptz, j jsonb)",
        "CREATE TABLE a (dropped int, x int)",
        "ALTER TABLE a DROP COLUMN dropped",
    )
    assert items_of(db) == [
        table("a"),
        Item("public", "a", "x", "column", 2, "integer"),
        table("t"),
        Item("public", "t", "id", "column", 1, "bigint", False, "pk"),
        Item("public", "t", "price", "column", 2, "numeric(10,2)"),
        Item("public", "t", "tags", "column", 3, "text[]"),
        Item("public", "t", "m", "column", 4, "public.mood", details={"values": ["sad", "ok"]}),
        Item(
            *("public", "t", "c", "column", 5, "public.cents", False),
            details={"domain": "numeric(12,2)", "check": "CHECK ((VALUE >= (0)::numeric))"},
        ),
        Item("public", "t", "v", "column", 6, "character varying(20)"),
        Item("public", "t", "ts", "column", 7, "timestamp with time zone"),
        Item("public", "t", "j", "column", 8, "jsonb"),
    ]


def test_keys(db: Database) -> None:
    db.execute(
        "CREATE SCHEMA crm",
        "CREATE TABLE crm.c (id int PRIMARY KEY, code text UNIQUE, a int, b int, UNIQUE (a, b))",
        "CREATE TABLE o (x int, y int, c_id int UNIQUE REFERENCES crm.c, m int, n int,"
        " PRIMARY KEY (x, y), FOREIGN KEY (m, n) REFERENCES crm.c (a, b))",
        "CREATE UNIQUE INDEX partial ON o (n) WHERE n > 0",
    )
    found = by_name(db)
    keys = {name: (i.key_role, i.fk) for name, i in found.items() if i.column}
    assert keys == {
        "crm.c.id": ("pk", ""),
        "crm.c.code": ("unique", ""),
        "crm.c.a": ("", ""),
        "crm.c.b": ("", ""),
        "public.o.x": ("pk", ""),
        "public.o.y": ("pk", ""),
        "public.o.c_id": ("fk,unique", "crm.c.id"),
        "public.o.m": ("fk", "crm.c.a"),
        "public.o.n": ("fk", "crm.c.b"),
    }


def test_comments(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a int)",
        "COMMENT ON TABLE t IS 'Of tables'",
        "COMMENT ON COLUMN t.a IS 'It''s \"a\"\nline'",
        "CREATE VIEW v AS SELECT a FROM t",
        "COMMENT ON VIEW v IS 'Of views'",
    )
    assert {name: i.comment for name, i in by_name(db).items()} == {
        "public.t": "Of tables",
        "public.t.a": 'It\'s "a"\nline',
        "public.v": "Of views",
        "public.v.a": "",
    }


def test_views_have_their_definition_and_are_never_read(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a int)",
        "INSERT INTO t VALUES (0)",
        "CREATE VIEW boom AS SELECT 1 / a AS x, a FROM t",
        "CREATE VIEW slow AS SELECT pg_sleep(60) IS NULL AS y",
        "CREATE MATERIALIZED VIEW m AS SELECT a + 1 AS z FROM t",
    )
    started = time.monotonic()
    found = by_name(db)
    with opened(db) as source:
        for name in ("boom", "slow", "m"):
            view = found[f"public.{name}"]
            assert (view.kind, view.rows) == ("view", None)
            assert source.profile(view, ["x", "y", "z"]) == {}
    assert time.monotonic() - started < 20
    assert "(1 / a) AS x" in found["public.boom"].definition
    assert "pg_sleep" in found["public.slow"].definition
    assert "(a + 1) AS z" in found["public.m"].definition
    assert {"public.boom.x", "public.boom.a", "public.slow.y", "public.m.z"} <= found.keys()
    assert not found["public.boom.x"].definition


def test_partitions_are_their_parent(db: Database) -> None:
    db.execute(
        "CREATE TABLE p (k int, v text) PARTITION BY RANGE (k)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (100) TO (200)",
        "INSERT INTO p SELECT n, CASE WHEN n < 150 THEN 'old' ELSE 'new' END"
        " FROM generate_series(0, 199) n",
        "ANALYZE p",
    )
    assert list(by_name(db)) == ["public.p", "public.p.k", "public.p.v"]
    assert by_name(db)["public.p"].rows == 200
    assert dict(facts_of(db, "p", "v")["v"].values) == {"old": 150, "new": 50}


def test_schemas(db: Database) -> None:
    db.execute(
        "CREATE SCHEMA b", "CREATE SCHEMA a", "CREATE TABLE a.t (x int)", "CREATE TABLE b.t (y int)"
    )
    with opened(db) as source:
        assert source.schemas() == ["a", "b", "public"]
    assert [i.name for i in items_of(db)] == ["a.t", "a.t.x", "b.t", "b.t.y"]
    assert [i.name for i in items_of(db, "b")] == ["b.t", "b.t.y"]
    with opened(db) as source:
        chosen = source.items(Selection(tables=("a.t",)))
        assert [i.name for i in chosen] == ["a.t", "a.t.x"]


STRANGE = ["MixedCase", 'qu"ote', "a.b", "🚀 名前", "line\nbreak", "it's", "%s :x ?", "select"]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def test_strange_names(db: Database) -> None:
    columns = ", ".join(f"{quoted(name)} int" for name in STRANGE)
    for name in STRANGE:
        db.execute(
            f"CREATE SCHEMA {quoted(name)}",
            f"CREATE TABLE {quoted(name)}.{quoted(name)} ({columns})",
            f"INSERT INTO {quoted(name)}.{quoted(name)} SELECT {', '.join('7' for _ in STRANGE)}"
            " FROM generate_series(1, 10)",
            f"ANALYZE {quoted(name)}.{quoted(name)}",
        )
    with opened(db) as source:
        assert sorted(source.schemas()) == sorted([*STRANGE, "public"])
        for name in STRANGE:
            found = list(source.items(Selection((name,))))
            assert [i.column for i in found] == ["", *STRANGE]
            facts = source.profile(found[0], STRANGE)
            assert {n: f.values for n, f in facts.items()} == dict.fromkeys(STRANGE, (("7", 10),))


def test_an_empty_database_and_a_table_without_columns(db: Database) -> None:
    assert items_of(db) == []
    db.execute("CREATE TABLE nothing ()")
    assert items_of(db) == [table("nothing")]
    assert facts_of(db, "nothing") == {}


def test_sixteen_hundred_columns(db: Database) -> None:
    db.execute(f"CREATE TABLE w ({', '.join(f'c{n} int' for n in range(1_600))})")
    assert [i.column for i in items_of(db)] == ["", *(f"c{n}" for n in range(1_600))]


# Statistics


def test_statistics_after_analyze(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (id int, state text, half int, tags int[], e text)",
        "INSERT INTO t SELECT n, CASE WHEN n % 4 = 0 THEN 'open' ELSE 'done' END,"
        " CASE WHEN n % 2 = 0 THEN n END, ARRAY[1, 2], NULL FROM generate_series(1, 400) n",
        "ANALYZE t",
    )
    assert by_name(db)["public.t"].rows == 400
    facts = facts_of(db, "t", "id", "state", "half", "tags", "e")
    assert facts["id"] == RawFacts(0, 400, "1", "400", ())
    assert facts["state"] == RawFacts(0, 2, "done", "open", (("done", 300), ("open", 100)))
    assert (facts["half"].nulls, facts["half"].distinct) == (200, 200)
    assert facts["tags"].values == (("1", 400), ("2", 400))
    assert facts["e"] == RawFacts(400, 0, None, None, ())


def test_at_most_eight_values(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a int)",
        "INSERT INTO t SELECT n % 20 FROM generate_series(1, 2000) n",
        "ANALYZE t",
    )
    assert len(facts_of(db, "t", "a")["a"].values) == 8


def test_never_analysed(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)")
    assert by_name(db)["public.t"].rows is None
    assert facts_of(db, "t", "a") == {}


def test_the_extremes_are_those_of_frequent_and_rare_values(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a int, b int)",
        # Frequent at both ends of a, in the middle of b; the rest is for the histogram.
        "INSERT INTO t SELECT CASE n % 3 WHEN 0 THEN 1000 WHEN 1 THEN -9 ELSE n END,"
        " CASE WHEN n % 2 = 0 THEN 500 ELSE n END FROM generate_series(2, 901) n",
        "ANALYZE t",
    )
    facts = facts_of(db, "t", "a", "b")
    assert (facts["a"].least, facts["a"].greatest) == ("-9", "1000")
    assert (facts["b"].least, facts["b"].greatest) == ("3", "901")


def test_numbers_are_ordered_by_size(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a int, f float8, s text)",
        "INSERT INTO t SELECT (ARRAY[9, 10, 100, -2])[1 + n % 4],"
        " (ARRAY['NaN', '2', '-Infinity', '1e3'])[1 + n % 4]::float8,"
        " (ARRAY['nan', 'b', '7', 'sNaN'])[1 + n % 4] FROM generate_series(1, 400) n",
        "ANALYZE t",
    )
    facts = facts_of(db, "t", "a", "f", "s")
    assert (facts["a"].least, facts["a"].greatest) == ("-2", "100")
    assert (facts["f"].least, facts["f"].greatest) == ("-Infinity", "NaN")
    assert (facts["s"].least, facts["s"].greatest) == ("7", "sNaN")


def test_without_a_row_count_the_nulls_are_unknown(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a int)",
        "INSERT INTO t SELECT NULLIF(n % 2, 0) FROM generate_series(1, 100) n",
        "ANALYZE t",
        "TRUNCATE t",  # the row count is lost, the statistics stay
        "INSERT INTO t VALUES (1)",
    )
    facts = facts_of(db, "t", "a")["a"]
    assert facts.nulls is None
    assert facts.least == "1"


def test_only_the_columns_that_are_asked_for(db: Database) -> None:
    db.execute("CREATE TABLE t (a int, b int)", "INSERT INTO t VALUES (1, 2)", "ANALYZE t")
    assert facts_of(db, "t", "b").keys() == {"b"}


def test_a_role_without_rights_sees_names_only(db: Database) -> None:
    role = f"reader_{secrets.token_hex(4)}"
    db.execute(
        f"CREATE ROLE {role} LOGIN",
        "CREATE TABLE t (a int, b int)",
        "INSERT INTO t VALUES (1, 2)",
        "ANALYZE t",
        f"GRANT SELECT (b) ON t TO {role}",
        "CREATE SCHEMA secret",
        "CREATE TABLE secret.s (x int)",
    )
    with opened(make_url(db.url).set(username=role)) as source:
        found = list(source.items(Selection()))
        assert [i.name for i in found] == [
            *("public.t", "public.t.a", "public.t.b"),
            *("secret.s", "secret.s.x"),
        ]
        assert source.profile(found[0], ["a", "b"]).keys() == {"b"}
        assert source.profile(found[3], ["x"]) == {}


EMPTIED = {
    "never filled": ["CREATE TABLE t (a text)"],
    "never filled, analysed": ["CREATE TABLE t (a text)", "ANALYZE t"],
    "deleted, analysed": ["DELETE FROM t", "ANALYZE t"],
    "deleted, vacuumed": ["DELETE FROM t", "VACUUM t"],
    "truncated": ["TRUNCATE t"],
    "truncated, analysed": ["TRUNCATE t", "ANALYZE t"],
}
FILLED = (
    "CREATE TABLE t (a text)",
    "INSERT INTO t SELECT 'gone' FROM generate_series(1, 50)",
    "ANALYZE t",
)


@pytest.mark.parametrize("how", EMPTIED)
def test_an_emptied_table_tells_nothing_of_its_deleted_rows(db: Database, how: str) -> None:
    db.execute(*(() if how.startswith("never") else FILLED), *EMPTIED[how])
    assert facts_of(db, "t", "a") == {"a": RawFacts(0, 0)}


@pytest.mark.parametrize(
    "statements",
    [
        ["ALTER TABLE t ALTER a TYPE varchar USING a || 'x'"],  # a new file, without figures
        ["TRUNCATE t", "ANALYZE t", "INSERT INTO t SELECT 'new' FROM generate_series(1, 50)"],
    ],
)
def test_a_filled_table_without_figures_is_not_empty(db: Database, statements: list[str]) -> None:
    db.execute(*FILLED, *statements)
    assert facts_of(db, "t", "a").get("a", RawFacts()).nulls is None


def test_emptied_partitions(db: Database) -> None:
    db.execute(
        "CREATE TABLE p (k int, a text) PARTITION BY LIST (k)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
        "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2)",
        "INSERT INTO p SELECT 1 + n % 2, 'gone' FROM generate_series(1, 100) n",
        "ANALYZE p",
        "DELETE FROM p WHERE k = 1",
        "ANALYZE p1",
    )

    def found() -> RawFacts:
        with opened(db) as source:
            parent = next(iter(source.items(Selection(tables=("p",)))))
            return source.profile(parent, ["a"])["a"]

    assert found().values
    db.execute("TRUNCATE p2", "VACUUM p1")
    assert found() == RawFacts(0, 0)


def test_a_locked_table_that_nobody_analysed_costs_nothing(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)")
    with locked(db, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE"), opened(db) as source:
        assert source.profile(table("t"), ["a"]) == {}
        assert source.notes == []


def test_a_dropped_table(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a int)", "CREATE TABLE u (a int)", "INSERT INTO u VALUES (1)", "ANALYZE u"
    )
    with opened(db) as source:
        db.execute("DROP TABLE t")
        with pytest.raises(TableGoneError, match=r"public\.t was dropped") as caught:
            source.profile(table("t"), ["a"])
        assert not caught.value.stops_run
        with pytest.raises(TableGoneError):
            source.profile(table("t", kind="view"), ["a"])
        assert source.profile(table("u"), ["a"]).keys() == {"a"}


# A database at work


@contextmanager
def locked(db: Database, statement: str) -> Iterator[None]:
    with psycopg.connect(db.url) as other:
        other.execute(statement)  # type: ignore[call-overload]
        yield
        other.rollback()


def test_a_locked_table_costs_nothing(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (1)", "ANALYZE t")
    with locked(db, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE"):
        assert [i.name for i in items_of(db)] == ["public.t", "public.t.a"]
        assert facts_of(db, "t", "a")["a"].values == (("1", 2),)


def test_a_locked_table_costs_the_definitions_of_its_views(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)", "CREATE VIEW v AS SELECT a FROM t")
    with opened(db) as source:
        source._connection.exec_driver_sql("SET lock_timeout = 1")  # type: ignore[attr-defined]
        source._connection.commit()  # type: ignore[attr-defined]
        with locked(db, "LOCK TABLE t IN ACCESS EXCLUSIVE MODE"):
            found = list(source.items(Selection()))
        assert [i.name for i in found] == ["public.t", "public.t.a", "public.v", "public.v.a"]
        assert not found[2].definition
        assert list(source.items(Selection()))[2].definition


def test_a_locked_catalog_costs_statistics_only(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "ANALYZE t")
    with opened(db) as source:
        source._connection.exec_driver_sql("SET lock_timeout = 1")  # type: ignore[attr-defined]
        source._connection.commit()  # type: ignore[attr-defined]
        with locked(db, "LOCK TABLE pg_statistic IN ACCESS EXCLUSIVE MODE"):
            assert source.profile(table("t"), ["a"]) == {}
        assert source.profile(table("t"), ["a"]).keys() == {"a"}


def test_a_statement_timeout_costs_statistics_only(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "ANALYZE t")
    with opened(db) as source:
        source._connection.exec_driver_sql("SET statement_timeout = 20")  # type: ignore[attr-defined]
        source._connection.commit()  # type: ignore[attr-defined]
        with locked(db, "LOCK TABLE pg_statistic IN ACCESS EXCLUSIVE MODE"):
            assert source.profile(table("t"), ["a"]) == {}


@pytest.fixture
def broken_cursors() -> Iterator[None]:
    """psycopg's server-side cursors cannot be closed once their connection is lost."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def kill(db: Database) -> None:
    db.execute(
        "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity"
        " WHERE application_name = 'amx-kimi' AND datname = current_database()"
    )


def test_a_lost_connection_is_made_anew(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)", "ANALYZE t")
    with opened(db) as source:
        kill(db)
        assert source.profile(table("t"), ["a"]).keys() <= {"a"}
        assert source.profile(table("t"), ["a"]).keys() == {"a"}
        with pytest.raises(TableGoneError):
            source.profile(table("no"), ["a"])
        assert raw(source, "SHOW transaction_read_only") == "on"


@pytest.mark.usefixtures("broken_cursors")
def test_a_connection_lost_before_the_inventory_is_made_anew(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)", "CREATE VIEW v AS SELECT a FROM t")
    with opened(db) as source:
        kill(db)
        found = list(source.items(Selection()))
    assert [i.name for i in found] == ["public.t", "public.t.a", "public.v", "public.v.a"]
    assert "SELECT" in found[2].definition


@pytest.mark.usefixtures("broken_cursors")
def test_a_connection_lost_during_the_inventory_is_an_error(db: Database) -> None:
    for name in ("a", "b"):
        db.execute(f"CREATE TABLE {name} ({', '.join(f'c{n} int' for n in range(1_500))})")
    with opened(db) as source:
        found = source.items(Selection())
        assert next(found).name == "public.a"
        kill(db)
        with pytest.raises(SourceError, match="catalog cannot be read"):
            list(found)


def test_a_connection_lost_before_the_schemas_is_made_anew(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)")
    with opened(db) as source:
        kill(db)
        assert source.schemas() == ["public"]
        kill(db)
        assert source.tables() == [("public", "t")]


def test_a_server_that_is_gone_is_an_error(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(db) as source:
        kill(db)

        def refuse() -> None:
            raise SQLAlchemyError("gone")

        monkeypatch.setattr(room, "_RECONNECT_SECONDS", (0.01, 0.01))
        monkeypatch.setattr(source._engine, "connect", refuse)  # type: ignore[attr-defined]
        with pytest.raises(SourceError, match="cannot be opened: gone"):
            source.profile(table("t"), ["a"])


def test_the_session_is_read_only_and_impatient(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)")
    with opened(db) as source:
        for statement in (
            "INSERT INTO t VALUES (1)",
            "COMMENT ON TABLE t IS 'x'",
            "CREATE TABLE u ()",
        ):
            with pytest.raises(SQLAlchemyError, match="read-only"):
                raw(source, statement)
        with source._transaction() as inside:  # type: ignore[attr-defined]
            shown = [
                inside.exec_driver_sql(f"SHOW {name}").scalar()
                for name in (
                    *("statement_timeout", "lock_timeout", "transaction_read_only"),
                    "idle_in_transaction_session_timeout",
                )
            ]
        assert shown == ["5s", "1s", "on", "1min"]
        # Nothing outlives the transaction: a pooler may give the session to somebody else.
        assert raw(source, "SHOW statement_timeout") == "0"
        assert raw(source, "SHOW default_transaction_read_only") == "off"
        assert raw(source, "SHOW client_encoding") == "UTF8"
        with psycopg.connect(db.url) as other:
            row = other.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'amx-kimi' AND datname = current_database()"
            ).fetchone()
        assert row == (1,)


def other_encoding(db: Database, *statements: str) -> Database:
    """A database that knows no encoding, with bytes that are not UTF-8."""
    url = make_url(db.url)
    db.execute(
        f"CREATE DATABASE {url.database}_ascii TEMPLATE template0 ENCODING 'SQL_ASCII'"
        " LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    ascii_ = url.set(database=f"{url.database}_ascii")
    with psycopg.connect(ascii_.render_as_string(hide_password=False), autocommit=True) as there:
        there.execute("SET client_encoding = SQL_ASCII")
        for statement in statements:
            there.execute(statement.encode("latin-1"))
    return Database(ascii_.render_as_string(hide_password=False), "postgresql")


def test_values_that_are_not_utf8_cost_statistics_only(db: Database) -> None:
    odd = other_encoding(
        db,
        "CREATE TABLE t (a text)",
        "INSERT INTO t SELECT 'stra\xdfe' FROM generate_series(1, 9)",
        "ANALYZE t",
    )
    with opened(odd) as source:
        assert [i.name for i in source.items(Selection())] == ["public.t", "public.t.a"]
        assert source.profile(table("t"), ["a"]) == {}
        assert len(list(source.items(Selection()))) == 2


def test_names_that_are_not_utf8_are_an_error(db: Database) -> None:
    odd = other_encoding(db, "CREATE TABLE \xfcbel (a int)")
    with opened(odd) as source, pytest.raises(SourceError):
        list(source.items(Selection()))


def test_schemas_that_are_not_utf8_are_an_error(db: Database) -> None:
    odd = other_encoding(db, "CREATE SCHEMA \xfcbel")
    with opened(odd) as source, pytest.raises(SourceError):
        source.schemas()


def test_closing_leaves_no_session(db: Database) -> None:
    with opened(db) as source:
        list(source.items(Selection()))
    with psycopg.connect(db.url) as other:
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'amx-kimi' AND datname = current_database()"
        )
        deadline = time.monotonic() + 10
        while other.execute(query).fetchone() != (0,) and time.monotonic() < deadline:
            other.rollback()
        assert other.execute(query).fetchone() == (0,)


# URLs


SECRET = "s3cr3t-pa55"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"database": "no_such_db"}, ["no_such_db"]),
        ({"username": "no_such_role"}, ["no_such_role"]),
        ({"host": "127.0.0.1", "port": 1, "query": {}}, ["127.0.0.1:1", "refused"]),
        ({"query": {"host": "/no/such/folder"}}, ["/no/such/folder"]),
    ],
)
def test_what_cannot_be_opened_is_said_without_the_password(
    postgres_url: str, changes: dict[str, Any], words: list[str]
) -> None:
    url = make_url(postgres_url).set(password=SECRET).set(**changes)
    with pytest.raises(SourceError) as caught:
        open_source(url)
    for word in ["cannot be opened", "Check host", *words]:
        assert word in unquote(str(caught.value))  # SQLAlchemy 2.0 escapes a folder
    assert SECRET not in str(caught.value)
    assert "\n" not in caught.value.message


def test_a_password_in_the_query_is_no_less_secret(postgres_url: str) -> None:
    url = make_url(postgres_url).set(database="no_such_db").update_query_dict({"password": SECRET})
    with pytest.raises(SourceError) as caught:
        open_source(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
def test_url_forms_identity_and_reopen(db: Database, driver: str) -> None:
    db.execute("CREATE TABLE t (a int)")
    url = make_url(db.url).set(drivername=driver, password=SECRET)
    for target in (url, url.render_as_string(hide_password=False)):
        with opened(target) as source:
            identity, reopen = source.identity, source.reopen
        for secret in (SECRET, "***", "psycopg"):
            assert secret not in identity + reopen
        assert "postgres@" not in identity
        assert identity.endswith(f":5432/{url.database}")
        with opened(reopen) as again:
            assert again.identity == identity
            assert [i.name for i in again.items(Selection())] == ["public.t", "public.t.a"]


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg2cffi", "nonsense"])
def test_a_driver_that_cannot_be_used_is_refused_by_name(driver: str) -> None:
    with pytest.raises(SourceError, match=f"'{driver}' is not supported by amx-kimi") as caught:
        open_source(f"postgresql+{driver}://u:{SECRET}@h/db")
    assert "psycopg, psycopg2, pg8000" in caught.value.remedy
    assert SECRET not in str(caught.value)


def test_a_missing_driver_is_named_with_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "find_spec", lambda _: None)
    with pytest.raises(SourceError, match="pip install pg8000"):
        open_source("postgresql+pg8000://u@h/db")


def test_no_driver_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "find_spec", lambda _: None)
    with pytest.raises(SourceError, match=r"pip install .amx-kimi\[postgres\]"):
        open_source("postgresql://u@h/db")
