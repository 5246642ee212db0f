"""A production PostgreSQL: what is folded, what is never touched, and what nobody notices."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import make_url

from amx_kimi.annotate.opening import Target
from amx_kimi.annotate.run import execute
from amx_kimi.databases.base import Reading, Selection, Source
from amx_kimi.databases.opening import open_source
from amx_kimi.types import Item, RawFacts

from .helpers import Database, World

Worlds = Callable[..., World]


@pytest.fixture
def db(postgres: Database) -> Database:
    return postgres


@contextmanager
def opened(db: Database, reading: Reading | None = None) -> Iterator[Source]:
    source = open_source(db.url, reading)
    try:
        yield source
    finally:
        source.close()


def by_name(db: Database) -> dict[str, Item]:
    with opened(db) as source:
        return {item.name: item for item in source.items(Selection())}


def facts_of(db: Database, name: str, *columns: str, **reading: Any) -> dict[str, RawFacts]:
    with opened(db, Reading(**reading)) as source:
        found = {item.name: item for item in source.items(Selection())}
        return dict(source.profile(found[name], columns))


# Deep


def test_partitions_are_folded_into_their_parent(db: Database) -> None:
    db.execute(
        "CREATE TABLE m (at date NOT NULL, region text, v int) PARTITION BY RANGE (at)",
        "CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')"
        " PARTITION BY LIST (region)",
        "CREATE TABLE m_1_de PARTITION OF m_1 FOR VALUES IN ('de')",
        "CREATE TABLE m_1_at PARTITION OF m_1 FOR VALUES IN ('at')",
        "CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
        "INSERT INTO m SELECT '2024-05-01', 'de', 7 FROM generate_series(1, 100)",
        "INSERT INTO m SELECT '2025-05-01', 'fr', 8 FROM generate_series(1, 10)",
        "ANALYZE m_1_de",  # as autovacuum would: the parent itself is never analysed
        "ANALYZE m_2",
    )
    found = by_name(db)
    assert [*found] == ["public.m", "public.m.at", "public.m.region", "public.m.v"]
    assert found["public.m"].details == {"partitions": 3}
    assert found["public.m"].rows == 110
    assert facts_of(db, "public.m", "v")["v"].values == (("7", 100),)


def test_a_value_counts_as_often_as_analyze_saw_it(db: Database) -> None:
    db.execute(
        "CREATE TABLE m (at int, v text) PARTITION BY RANGE (at)",
        "CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM (100) TO (100000)",
        "INSERT INTO m SELECT n, CASE WHEN n < 4 THEN 'rare' ELSE 'open' END"
        " FROM generate_series(0, 59) n",
        "INSERT INTO m SELECT n, 'open' FROM generate_series(100, 149) n",
        "CREATE TABLE t AS SELECT CASE WHEN n % 1000 = 0 THEN 'rare' ELSE 'open' END AS v"
        " FROM generate_series(1, 9000) n",
        "ALTER TABLE t ALTER v SET STATISTICS 1",
        "ANALYZE m_1",  # the largest partition, with four of them
        "ANALYZE t",
    )
    assert dict(facts_of(db, "public.m", "v")["v"].values)["rare"] == 4
    seen = dict(facts_of(db, "public.t", "v")["v"].values)
    assert sum(seen.values()) <= 300
    assert seen.get("rare", 0) < 5


def test_inheritance_views_and_foreign_tables(db: Database) -> None:
    db.execute(
        "CREATE TABLE base (a int)",
        "CREATE TABLE child (b int) INHERITS (base)",
        "CREATE VIEW v AS SELECT c.b, base.a FROM child c, base",
        "CREATE MATERIALIZED VIEW mv AS SELECT a % 2 AS half FROM generate_series(1, 100) a",
        "ANALYZE mv",
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing",
        "CREATE FOREIGN TABLE ft (x text) SERVER elsewhere",
    )
    found = by_name(db)
    assert found["public.child"].details == {"inherits": "public.base"}
    assert found["public.v"].details == {"reads": ["public.base", "public.child"]}
    assert found["public.ft"].details == {"storage": "foreign table"}
    assert (found["public.mv"].kind, found["public.mv"].details["storage"]) == (
        *("view", "materialized view"),
    )
    assert facts_of(db, "public.mv", "half")["half"].seen == 0
    assert dict(facts_of(db, "public.mv", "half")["half"].values) == {"0": 50, "1": 50}
    assert facts_of(db, "public.ft", "x", data=True) == {}


def test_types_checks_and_keys(db: Database) -> None:
    db.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE TYPE place AS (street text, city varchar(40))",
        "CREATE DOMAIN cents AS bigint CHECK (VALUE >= 0)",
        "CREATE TABLE t (a int, b int, m mood, ms mood[], p place, ps place[], c cents,"
        " st text CHECK (st IN ('new', 'done')), g int GENERATED ALWAYS AS (a + b) STORED,"
        " i int GENERATED BY DEFAULT AS IDENTITY, PRIMARY KEY (a, b))",
        'CREATE TABLE "Mixed Case" ("Ä b" int, x int, y int,'
        " FOREIGN KEY (x, y) REFERENCES t (a, b), UNIQUE (x, y))",
    )
    found = by_name(db)
    details = {name.removeprefix("public."): item.details for name, item in found.items()}
    assert details["t.m"] == details["t.ms"] == {"values": ["sad", "ok"]}
    assert details["t.p"] == {"fields": "street text, city character varying(40)"}
    assert details["t.ps"]["fields"].startswith("street text")
    assert details["t.c"] == {"domain": "bigint", "check": "CHECK ((VALUE >= 0))"}
    assert "'new'::text, 'done'::text" in details["t.st"]["check"]
    assert details["t.g"] == {"generated": "(a + b)"}
    assert details["t.i"] == {"identity": True}
    assert details["t"] == {"keys": ["primary (a, b)"]}
    assert details["Mixed Case"] == {"keys": ["foreign (x, y) -> public.t (a, b)", "unique (x, y)"]}
    assert found["public.Mixed Case.x"].fk == "public.t.a"
    assert "public.Mixed Case.Ä b" in found


def test_documents_and_arrays(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (doc jsonb, tags text[])",
        """INSERT INTO t SELECT jsonb_build_object('lang', 'de', 'n', g), ARRAY['red', 'blue']
           FROM generate_series(1, 200) g""",
        "ANALYZE t",
    )
    facts = facts_of(db, "public.t", "doc", "tags")
    assert {key for key, _ in facts["doc"].keys} == {"lang", "n"}
    assert facts["doc"].values == ()
    assert dict(facts["tags"].values) == {"red": 200, "blue": 200}


def test_statistics_of_several_columns_stand_in(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a text, b text)",
        "INSERT INTO t SELECT chr(65 + g % 3), chr(97 + g % 3) FROM generate_series(1, 300) g",
        "CREATE STATISTICS s (mcv) ON a, b FROM t",
        "ANALYZE t",
        "ALTER TABLE t ALTER a SET STATISTICS 0",
        "DELETE FROM pg_statistic WHERE starelid = 't'::regclass AND staattnum = 1",
    )
    assert dict(facts_of(db, "public.t", "a")["a"].values) == {"A": 100, "B": 100, "C": 100}


# Gentle


def test_only_with_profile_data_a_table_is_looked_into(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (a int, doc json)",
        """INSERT INTO t SELECT g % 3, '{"k": 1}' FROM generate_series(1, 300) g""",
        "CREATE TABLE big (a int)",
        "INSERT INTO big SELECT g % 3 FROM generate_series(1, 50000) g",
        "CREATE VIEW slow AS SELECT pg_sleep(60)::text AS pg_sleep",
    )
    assert facts_of(db, "public.t", "a") == {}
    facts = facts_of(db, "public.t", "a", "doc", data=True)
    assert facts["a"] == RawFacts(0, 3, "0", "2", (("1", 100), ("2", 100), ("0", 100)))
    assert facts["doc"].keys == (("k", 300),)
    assert facts_of(db, "public.slow", "pg_sleep", data=True) == {}
    assert facts_of(db, "public.t", "a", data=True, samples=False) == {}
    db.execute("ANALYZE big", "DELETE FROM pg_statistic")
    sampled = facts_of(db, "public.big", "a", data=True)["a"]
    assert (sampled.distinct, sampled.least) == (None, None)
    assert sum(count for _, count in sampled.values) <= 1_001
    assert facts_of(db, "public.big", "a", data=True, most_rows=1_000) == {}


def test_strange_names_are_looked_into(db: Database) -> None:
    db.execute(
        'CREATE SCHEMA "S%p"',
        """CREATE TABLE "S%p"."t:x ""q"" \\b%s" ("c%s" int, "a:b" text, "quo""te" jsonb)""",
        """INSERT INTO "S%p"."t:x ""q"" \\b%s"
           SELECT g, 'x' || g % 3, '{"k": 1}' FROM generate_series(1, 100) g""",
    )
    facts = facts_of(db, 'S%p.t:x "q" \\b%s', "c%s", "a:b", 'quo"te', data=True)
    assert (facts["c%s"].distinct, facts["a:b"].distinct) == (100, 3)
    assert facts['quo"te'].keys == (("k", 100),)


def test_a_role_that_sees_half(db: Database) -> None:
    role = make_url(db.url).database
    db.execute(
        "CREATE TABLE mine (a int)",
        "CREATE TABLE theirs (a int)",
        "INSERT INTO mine VALUES (1), (1)",
        "INSERT INTO theirs VALUES (1), (1)",
        "ANALYZE",
        f"CREATE ROLE {role} LOGIN",
        f"GRANT SELECT ON mine TO {role}",
    )
    url = make_url(db.url).set(username=role).render_as_string(hide_password=False)
    source = open_source(url, Reading(data=True))
    try:
        found = {item.name: item for item in source.items(Selection())}
        assert source.profile(found["public.mine"], ["a"])["a"].values == (("1", 2),)
        assert source.profile(found["public.theirs"], ["a"]) == {}
        assert "permission denied" in source.notes[0]
    finally:
        source.close()


def test_a_lock_on_a_late_table_costs_definitions_only(db: Database) -> None:
    db.execute(
        *(f"CREATE TABLE a{n} ({', '.join(f'c{m} int' for m in range(50))})" for n in range(40)),
        "CREATE TABLE z (a int)",
        "CREATE VIEW zv AS SELECT a FROM z",
    )
    with psycopg.connect(db.url) as other:
        other.execute("LOCK z IN ACCESS EXCLUSIVE MODE")
        with opened(db) as source:
            found = {item.name: item for item in source.items(Selection())}
            assert "skipped" in source.notes[0]
        other.rollback()
    assert len(found) == 40 * 51 + 4
    assert found["public.zv"].definition == ""


def test_a_locked_partition_costs_nothing(db: Database) -> None:
    db.execute(
        "CREATE TABLE m (a int) PARTITION BY RANGE (a)",
        "CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM (10) TO (20)",
    )
    assert by_name(db)["public.m"].rows is None
    db.execute("INSERT INTO m SELECT g % 10 FROM generate_series(1, 100) g", "ANALYZE m_1")
    with psycopg.connect(db.url) as other:
        other.execute("LOCK m_2 IN ACCESS EXCLUSIVE MODE")
        assert len(facts_of(db, "public.m", "a")["a"].values) == 8
        other.rollback()


def test_names_in_arrays_are_many_words(db: Database) -> None:
    db.execute(
        "CREATE TABLE t (names text[], words tsvector)",
        "INSERT INTO t SELECT ARRAY['Weber' || chr(97 + g % 26) || chr(97 + g / 26 % 26)],"
        " to_tsvector('simple', 'Weber' || g % 9) FROM generate_series(1, 5000) g",
        "ANALYZE t",
    )
    facts = facts_of(db, "public.t", "names", "words")
    assert facts["names"].seen >= 30
    assert facts["words"].values == ()


def test_a_restart_costs_nothing(db: Database) -> None:
    db.execute("CREATE TABLE t (a int)", "INSERT INTO t VALUES (1), (1)", "ANALYZE t")
    with opened(db) as source:
        table = next(iter(source.items(Selection())))
        db.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'amx-kimi' AND datname = current_database()"
        )
        assert source.profile(table, ["a"])["a"].values == (("1", 2),)


@pytest.fixture
def server_log(postgres_url: str) -> Iterator[Callable[[str], list[str]]]:
    """What the server wrote of a database's statements."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET log_line_prefix = '<<%d|%a>> '")
        admin.execute("ALTER SYSTEM SET log_statement = 'all'")
        admin.execute("SELECT pg_reload_conf()")
        row = admin.execute("SELECT current_setting('data_directory')").fetchone()
        assert row
        folder = Path(row[0])

        def lines(database: str) -> list[str]:
            text = (folder / "log").read_text(errors="replace")
            entries = re.split(r"(?m)^<<", text)
            mine = (entry for entry in entries if entry.startswith(f"{database}|"))
            return [entry for entry in mine if "|amx-kimi>>" in entry]

        yield lines
        admin.execute("ALTER SYSTEM RESET log_statement")
        admin.execute("ALTER SYSTEM RESET log_line_prefix")
        admin.execute("SELECT pg_reload_conf()")


def test_what_the_server_sees_of_a_run(
    db: Database, worlds: Worlds, server_log: Callable[[str], list[str]]
) -> None:
    names = ", ".join(f"c{n} int" for n in range(59))
    db.execute(f"CREATE TABLE m (at date NOT NULL, {names}) PARTITION BY RANGE (at)")
    db.execute(
        "DO $$ BEGIN FOR d IN 0..364 LOOP EXECUTE format("
        "'CREATE TABLE m_%s PARTITION OF m FOR VALUES FROM (%L) TO (%L)', d,"
        " date '2024-01-01' + d, date '2024-01-02' + d); END LOOP; END $$"
    )
    db.execute("CREATE VIEW slow AS SELECT pg_sleep(60)::text AS p, at FROM m")
    world = worlds(db)
    result = world.run()
    assert (result.totals.columns, result.totals.described) == (62, 62)
    tables = [t for q in world.questions() for t in q["tables"] if t["name"] == "public.m"]
    assert {t["partitions"] for t in tables} == {365}
    entries = server_log(make_url(db.url).database or "")
    found = (re.search(r"LOG:\s+(?:statement|execute [^:]*): (.*)", e, re.DOTALL) for e in entries)
    texts = [one[1].strip() for one in found if one]
    begun = [text for text in texts if text.upper().startswith("BEGIN")]
    assert len(begun) > 5
    assert set(begun) == {"BEGIN READ ONLY"}
    kinds = {text.split()[0].upper() for text in texts if text}
    assert kinds <= {"BEGIN", "SELECT", "SHOW", "SET", "WITH", "COMMIT", "ROLLBACK"} | {
        *("DECLARE", "FETCH", "CLOSE", "SAVEPOINT", "RELEASE")
    }
    assert not any(re.search(r'FROM "?(public"?\.)?"?(slow|m_?\d*)"?\b', text) for text in texts)
    assert not any("ERROR" in entry for entry in entries)


# Discreet


def test_four_codes_leave_and_no_person(db: Database, worlds: Worlds) -> None:
    from faker import Faker

    fake = Faker("de_DE")
    Faker.seed(5)
    people = [
        (fake.name(), fake.email(), fake.iban(), fake.address(), "NODE"[n % 4]) for n in range(400)
    ]
    db.execute("CREATE TABLE p (nm text, em text, ib text, ad text, c5 text)")
    with psycopg.connect(db.url, autocommit=True) as there:
        with there.cursor() as cursor:
            for _ in range(6):  # each value occurs six times
                cursor.executemany("INSERT INTO p VALUES (%s, %s, %s, %s, %s)", people)
        there.execute("ANALYZE p")
        there.execute("COMMENT ON TABLE p IS 'Ask anna.schmidt@firma.de or +49 30 123456-78'")
    world = worlds(db)
    world.run()
    sent = json.dumps([seen.body for seen in world.sandbox.chats], ensure_ascii=False)
    with world.journal as journal:
        kept = journal.read(
            lambda c: json.dumps(
                [list(map(str, row)) for row in c.exec_driver_sql("SELECT * FROM columns")],
                ensure_ascii=False,
            )
        )
    for text in (sent, kept):
        for name, mail, iban, address, _ in people:
            for value in (name, mail, iban, *address.split("\n")):
                assert value not in text
        assert "anna.schmidt" not in text
        assert "123456" not in text
    (table,) = world.questions()[0]["tables"]
    code = next(column for column in table["columns"] if column["name"] == "c5")
    assert set(code["samples"]) == set("NODE")


def test_names_only(db: Database, worlds: Worlds) -> None:
    db.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE TABLE t (a int PRIMARY KEY, st text CHECK (st <> 'x'), m mood)",
        "INSERT INTO t SELECT g, 'open', 'ok' FROM generate_series(1, 50) g",
        "COMMENT ON TABLE t IS 'Said'",
        "ANALYZE t",
        "CREATE VIEW v AS SELECT a FROM t WHERE st = 'open'",
    )
    world = worlds(db)
    world.run(names_only=True, all_columns=True)
    tables = {t["name"]: t for t in world.questions()[0]["tables"]}
    assert tables["public.t"]["columns"] == [
        {"id": 1, "name": "a", "type": "integer", "key": "primary"},
        {"id": 2, "name": "st", "type": "text"},
        {"id": 3, "name": "m", "type": "public.mood"},
    ]
    assert set(tables["public.t"]) == {"id", "name", "ask", "columns"}
    assert set(tables["public.v"]) == {"id", "name", "ask", "columns"}


def test_metadata_mode_forbids_to_look_into_tables(db: Database, worlds: Worlds) -> None:
    db.execute("CREATE TABLE t (a int)")
    world = worlds(db)
    target = Target(db.url, "dwh", reading=Reading(samples=False))
    with pytest.raises(Exception, match="profiling_mode: metadata"):
        execute(replace(world.spec(replace(world.job(), profile_data=True)), target=target))


def test_what_an_extension_made_is_left_out_and_counted(db: Database) -> None:
    db.execute(
        "CREATE TABLE mine (a int)",
        "CREATE TABLE spatial (a int)",
        "CREATE VIEW spatial_view AS SELECT 1 AS a",
        "CREATE SCHEMA chunks",
        "CREATE TABLE chunks.chunk (a int)",
        "CREATE DOMAIN theirs AS int",
        "COMMENT ON DOMAIN theirs IS 'Not a person''s'",
        "CREATE TABLE uses (t theirs)",
        "ALTER EXTENSION plpgsql ADD TABLE spatial",
        "ALTER EXTENSION plpgsql ADD VIEW spatial_view",
        "ALTER EXTENSION plpgsql ADD SCHEMA chunks",
        "ALTER EXTENSION plpgsql ADD DOMAIN theirs",
    )
    with opened(db) as source:
        found = {item.name: item for item in source.items(Selection())}
        assert [n for n, i in found.items() if not i.column] == ["public.mine", "public.uses"]
        assert "type_comment" not in found["public.uses.t"].details
        assert source.notes == [
            "Skipped 3 tables and views of extensions (plpgsql); --with-extensions includes them"
        ]
    with opened(db) as source:
        everything = source.items(Selection(extensions=True))
        assert len([item for item in everything if not item.column]) == 5
        assert source.notes == []
        assert list(source.items(Selection(("chunks",)))) == []
        assert source.notes[0].startswith("Skipped 1 table or view")


def test_the_comments_of_types_people_made(db: Database) -> None:
    db.execute(
        "CREATE DOMAIN cents AS bigint",
        "COMMENT ON DOMAIN cents IS 'An amount in cents; ask anna@example.org'",
        "CREATE DOMAIN blank AS int",
        "COMMENT ON DOMAIN blank IS '  '",
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "COMMENT ON TYPE mood IS 'How somebody feels'",
        "CREATE TABLE t (c cents, cs cents[], b blank, m mood, i int)",
    )
    with opened(db) as source:
        told = {i.column: i.details.get("type_comment") for i in source.items(Selection())}
    cents, mood = "An amount in cents; ask anna@example.org", "How somebody feels"
    assert told == {"": None, "c": cents, "cs": cents, "b": None, "m": mood, "i": None}


def test_the_comment_of_a_domain_is_sent_without_addresses(db: Database, worlds: Worlds) -> None:
    db.execute(
        "CREATE DOMAIN cents AS bigint",
        "COMMENT ON DOMAIN cents IS 'An amount in cents; ask anna@example.org'",
        "CREATE TABLE t (c cents)",
    )
    world = worlds(db)
    world.run()
    (column,) = world.questions()[0]["tables"][0]["columns"]
    assert column["type_comment"] == "An amount in cents; ask a***@e***.org"


def test_a_role_whose_names_mean_something_else(db: Database) -> None:
    """A function of somebody's own, before the server's, would be called in its place."""
    role = f"strange_{secrets.token_hex(4)}"
    db.execute(
        f"CREATE ROLE {role} LOGIN",
        "CREATE SCHEMA evil",
        f"GRANT USAGE ON SCHEMA evil TO {role}",
        "CREATE FUNCTION evil.obj_description(oid, text) RETURNS text LANGUAGE sql AS "
        "$$ SELECT 'evil' $$",
        "CREATE FUNCTION evil.format_type(oid, int) RETURNS text LANGUAGE sql AS "
        "$$ SELECT 'evil' $$",
        "CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS "
        "$$ SELECT 'evil' $$",
        f"ALTER ROLE {role} SET search_path = evil, public, pg_catalog",
        "CREATE TYPE evil.mood AS ENUM ('ok')",
        "CREATE TABLE t (a int, m evil.mood)",
        "COMMENT ON TABLE t IS 'good'",
        "CREATE VIEW v AS SELECT a FROM t",
    )
    theirs = make_url(db.url).set(username=role).render_as_string(hide_password=False)
    with opened(Database(theirs, "postgresql")) as source:
        found = {item.name: item for item in source.items(Selection())}
    assert found["public.t"].comment == "good"
    assert found["public.t.a"].type == "integer"
    assert found["public.t.m"].type == "evil.mood"
    assert "public.t" in found["public.v"].definition
