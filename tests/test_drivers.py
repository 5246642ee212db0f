"""Which driver a database URL takes."""

import importlib.util
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from amx_kimi.databases.drivers import with_driver
from amx_kimi.errors import ConfigError, KimiError, SourceError

DRIVERS = ("psycopg", "psycopg2", "pg8000")


def installed(monkeypatch: pytest.MonkeyPatch, folder: Path, names: set[str]) -> None:
    """Make exactly these drivers importable."""
    for name in DRIVERS:
        if name in names:
            monkeypatch.delitem(sys.modules, name, raising=False)
            (folder / f"{name}.py").touch()
        else:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"psycopg", "psycopg2", "pg8000"}, "psycopg"),
        ({"psycopg2", "pg8000"}, "psycopg2"),
        ({"pg8000"}, "pg8000"),
    ],
)
@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_postgresql_takes_the_driver_that_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: set[str], chosen: str, scheme: str
) -> None:
    installed(monkeypatch, tmp_path, there)
    url = with_driver(make_url(f"{scheme}://u:p@h:5433/db?sslmode=require"), SourceError)
    assert url.render_as_string(hide_password=False) == (
        f"postgresql+{chosen}://u:p@h:5433/db?sslmode=require"
    )


@pytest.mark.parametrize("error", [SourceError, ConfigError])
def test_without_a_driver_the_pip_line_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: type[KimiError]
) -> None:
    installed(monkeypatch, tmp_path, set())
    with pytest.raises(error) as caught:
        with_driver(make_url("postgresql://u:secret@h/db"), error)
    assert 'pip install "amx-kimi[postgres]"' in str(caught.value)
    assert "PostgreSQL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_named_driver_has_to_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, tmp_path, {"pg8000"})
    url = make_url("postgresql+pg8000://h/db")
    assert with_driver(url, SourceError) == url
    with pytest.raises(SourceError, match="pip install psycopg2"):
        with_driver(make_url("postgresql+psycopg2://h/db"), SourceError)


@pytest.mark.parametrize("driver", ["asyncpg", "nosuch", "psycopg_async", "psycopg2cffi"])
@pytest.mark.parametrize("error", [SourceError, ConfigError])
def test_a_driver_that_we_cannot_use_is_refused_by_name(
    driver: str, error: type[KimiError]
) -> None:
    with pytest.raises(error, match=f"{driver!r} is not supported by amx-kimi") as caught:
        with_driver(make_url(f"postgresql+{driver}://u:secret@h/db"), error)
    assert all(name in caught.value.remedy for name in DRIVERS)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["sqlite:///a.db", "sqlite+pysqlite:///a.db", "db2://h/db"])
def test_other_databases_are_left_alone(text: str) -> None:
    url = make_url(text)
    assert with_driver(url, SourceError) == url
