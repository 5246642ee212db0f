"""Databases of both kinds, and a world around them to run in."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from sqlalchemy.engine import make_url

from amx_kimi.sandbox import Sandbox
from amx_kimi.settings import Settings

from .helpers import Database, World, journal_at

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Database:
    """An empty SQLite file."""
    database = Database(f"sqlite:///{tmp_path}/source.db", "sqlite")
    database.execute("PRAGMA user_version = 1")
    return database


@pytest.fixture
def postgres(postgres_url: str) -> Database:
    """An empty PostgreSQL database of this test's own."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
    url = make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    return Database(url, "postgresql")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """The same test on both kinds."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres"
    database: Database = request.getfixturevalue(name)
    return database


@pytest.fixture
def worlds(
    start_sandbox: Callable[..., Sandbox], tmp_path: Path, home: Path
) -> Iterator[Callable[..., World]]:
    """Make a world: a sandbox and a journal for a database."""
    with ExitStack() as stack:

        def make(database: Database, *, thinking_base: int = 20, **options: Any) -> World:
            journal = stack.enter_context(journal_at(tmp_path))
            sandbox = start_sandbox(thinking_base=thinking_base, **options)
            return World(database, sandbox, journal, settings=Settings(config_dir=home))

        yield make
