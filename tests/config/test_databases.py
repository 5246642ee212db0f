"""AMX's `db_profiles`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from amx_kimi.config import DatabaseProfile, load_database
from amx_kimi.errors import ConfigError, ConfigFileError
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

Write = Callable[[str, str], Path]

CONFIG = """
db_profiles:
  erp:
    backend: postgresql
    host: db.example.com
    port: '5433'
    user: reader
    password: in-clear
    database: erp
    profiling_mode: full
  file: {backend: duckdb, database: /data/x.duckdb, port: null, password: null,
    profiling_mode: Metadata, profiling_max_rows: 5000}
  bare: {}
active_db_profile: erp
"""


def test_a_database_of_amx(write: Write, settings: Settings) -> None:
    write("config.yml", CONFIG)
    server = {"host": "db.example.com", "port": "5433", "user": "reader", "database": "erp"}
    options = {"backend": "postgresql", "profiling_mode": "full"}
    erp = DatabaseProfile(
        "erp", "postgresql", {**server, **options}, {"password": Secret("in-clear")}
    )
    assert load_database("erp", settings) == erp
    assert load_database(None, settings) == erp
    assert "in-clear" not in repr(erp)
    assert load_database("file", settings) == DatabaseProfile(
        "file",
        "duckdb",
        {
            "backend": "duckdb",
            "database": "/data/x.duckdb",
            "profiling_mode": "Metadata",
            "profiling_max_rows": "5000",
        },
        profiling_mode="metadata",
        profiling_max_rows=5_000,
    )
    assert load_database("bare", settings) == DatabaseProfile("bare", "postgresql")


@pytest.mark.parametrize(
    ("name", "part"),
    [("epr", "Did you mean erp?"), ("zzz", "Known: erp, file, bare.")],
)
def test_an_unknown_database(write: Write, settings: Settings, name: str, part: str) -> None:
    path = write("config.yml", CONFIG)
    with pytest.raises(ConfigError) as caught:
        load_database(name, settings)
    assert f"No database profile {name!r} in {path}" in str(caught.value)
    assert part in str(caught.value)


def test_no_database_at_all(settings: Settings) -> None:
    with pytest.raises(ConfigError, match=r"There are none\."):
        load_database("erp", settings)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("db_profiles: [erp]", "db_profiles must be a mapping"),
        ("db_profiles: {erp: text}", "database profile 'erp': expected a mapping"),
        ("db_profiles: {erp: {port: many}}", "port is 'many', expected a number"),
        ("db_profiles: {erp: {port: .inf}}", "port is inf, expected a number"),
        ("db_profiles: {erp: {port: [1]}}", "port is [1], expected a number"),
    ],
)
def test_a_malformed_entry(write: Write, settings: Settings, text: str, part: str) -> None:
    path = write("config.yml", text)
    with pytest.raises(ConfigFileError) as caught:
        load_database("erp", settings)
    assert str(path) in str(caught.value)
    assert part in str(caught.value)


def test_a_password_that_the_keyring_does_not_hold(write: Write, settings: Settings) -> None:
    write("config.yml", "db_profiles: {erp: {password: 'keyring:db_profiles/erp/password'}}")
    with pytest.raises(ConfigError) as caught:
        load_database("erp", settings)
    assert "keyring:db_profiles/erp/password is not in the OS keyring" in str(caught.value)
    assert "URL" in caught.value.remedy
