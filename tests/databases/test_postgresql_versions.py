"""PostgreSQL 18 is what the other tests run on: older servers tell and keep the same."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from amx_kimi.databases.base import Comment, Selection
from amx_kimi.databases.opening import open_comments, open_source

SHOP = (
    "CREATE SCHEMA shop",
    "CREATE TYPE shop.mood AS ENUM ('sad', 'ok')",
    "CREATE DOMAIN shop.plz AS text CHECK (VALUE ~ '^[0-9]+$')",
    "CREATE TABLE shop.orte (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "
    "plz shop.plz NOT NULL, twice int GENERATED ALWAYS AS (length(plz) * 2) STORED, "
    "UNIQUE (id, plz))",
    "CREATE TABLE shop.kunden (knr bigint NOT NULL, ort int REFERENCES shop.orte, m shop.mood,"
    " net numeric(10,2)[] DEFAULT '{}' CHECK (cardinality(net) < 9), tag date NOT NULL,"
    " PRIMARY KEY (knr, tag)) PARTITION BY RANGE (tag)",
    "CREATE TABLE shop.kunden_1 PARTITION OF shop.kunden FOR VALUES FROM ('2026-01-01') TO "
    "('2027-01-01')",
    "CREATE VIEW shop.alle AS SELECT knr, m FROM shop.kunden",
    "CREATE MATERIALIZED VIEW shop.jede AS SELECT plz FROM shop.orte",
    "COMMENT ON COLUMN shop.orte.plz IS 'written by people'",
    "INSERT INTO shop.orte (plz) SELECT (n % 3)::text FROM generate_series(1, 300) n",
    "INSERT INTO shop.kunden SELECT n, 1, 'ok', '{1.5}', '2026-05-05' "
    "FROM generate_series(1, 90) n",
    "ANALYZE",
)


@contextmanager
def wheel() -> Iterator[str]:
    """PostgreSQL 16 of the package `pgserver`."""
    pgserver = pytest.importorskip("pgserver", reason="it has no wheel for this Python")
    with tempfile.TemporaryDirectory(prefix="amx-kimi-pg-") as folder:
        server = pgserver.get_server(folder)
        yield server.get_uri()
        server.cleanup()


@contextmanager
def debian() -> Iterator[str]:
    """The newest PostgreSQL that Debian's packages installed here."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or getpass.getuser() != "root" or not shutil.which("runuser"):
        pytest.skip("no PostgreSQL of Debian here, or another user than root")
    folder = Path(tempfile.mkdtemp(prefix="amx-kimi-pg-"))
    shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = ("runuser", "-u", "postgres", "--")
    places = ("-D", folder / "data")
    subprocess.run(
        [*user, programs[-1] / "initdb", *places, "-A", "trust", "-E", "UTF8"],
        check=True,
        capture_output=True,
    )
    options = ("-p", str(port), "-k", str(folder), "-h", "127.0.0.1", "-F")
    server = subprocess.Popen(
        [*user, programs[-1] / "postgres", *places, *options], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(3_000):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close()
                break
            except (OSError, psycopg.OperationalError):
                assert server.poll() is None
                time.sleep(0.01)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def told(url: str) -> tuple[list[Any], dict[str, Any]]:
    """All that a server tells of the shop: its items, and statistics by column."""
    source = open_source(url)
    # How a server spells the SQL of a view is its own.
    selected = source.items(Selection(("shop",)))
    items = [replace(item, definition=str(bool(item.definition))) for item in selected]
    facts = {}
    for table in (item for item in items if not item.column):
        columns = [one.column for one in items if one.column and one.table == table.table]
        for name, found in source.profile(table, columns).items():
            facts[f"{table.table}.{name}"] = found
    source.close()
    return items, facts


@pytest.mark.parametrize("server", [wheel, debian], ids=["16", "15"])
def test_an_older_server_tells_and_keeps_the_same(server: Any, fresh_postgres: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with server() as url:
            for each in (url, fresh_postgres):
                with psycopg.connect(each, autocommit=True) as connection:
                    for statement in SHOP:
                        connection.execute(statement)
            assert told(url) == told(fresh_postgres)
            database = open_comments(url)
            for table in ("orte", "kunden", "alle", "jede"):
                column = {"orte": "id", "jede": "plz"}.get(table, "knr")
                wanted = [Comment("", None, "It's."), Comment(column, None, "Das «ß».")]
                assert database.write("shop", table, wanted) == []
                present = database.read([("shop", table)])["shop", table].comments
                assert (present[""], present[column]) == ("It's.", "Das «ß».")
            database.close()
