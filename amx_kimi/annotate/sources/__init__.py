"""Databases that can be described, and how one is opened from a URL, a path or AMX's profile."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from amx_kimi.annotate.sources.base import (
    Csv,
    RawFacts,
    Reading,
    Selection,
    Source,
    TableGoneError,
)
from amx_kimi.conceal import shown
from amx_kimi.config import DatabaseProfile
from amx_kimi.errors import SourceError
from amx_kimi.patterns import near, unmet
from amx_kimi.private import open_regular

__all__ = [
    "SERVERS",
    "Csv",
    "RawFacts",
    "Reading",
    "Selection",
    "Source",
    "TableGoneError",
    "check_selection",
    "database_url",
    "files_or_url",
    "nothing_found",
    "open_source",
]

_SUPPORTED = (
    "postgresql://user@host:5432/database, sqlite:///file.db, duckdb:///file.duckdb, the path of "
    "such a file, or files of data (.parquet, .csv, .json) or a folder of them"
)
_FILE_BACKENDS = ("sqlite", "duckdb")
SERVERS = ("postgresql", "postgres")
"""The backends, by SQLAlchemy's names, that may want a password."""


def open_source(target: str | URL, reading: Reading | None = None) -> Source:
    """Open a database read-only: a SQLAlchemy URL, or the path of a SQLite or DuckDB file.

    Raises:
        SourceError: not a URL, not supported, no driver, or it cannot be opened; says which.
    """
    reading = reading or Reading()
    if isinstance(target, str):
        target = files_or_url([target])
    try:
        url = make_url(target)
    except (SQLAlchemyError, ValueError):
        raise SourceError(
            f"{shown(str(target))} is neither a database URL nor a file",
            remedy=f"It looks like {_SUPPORTED}.",
        ) from None
    backend = url.get_backend_name()
    if backend in _FILE_BACKENDS:
        return _open_file(Path(url.database or "").expanduser(), reading, backend)
    if backend == "files":
        from amx_kimi.annotate.sources.data_files import FilesSource

        found = url.query.get("path", ())
        paths = (found,) if isinstance(found, str) else found
        return FilesSource([Path(path) for path in paths], reading)
    if backend in SERVERS:
        from amx_kimi.annotate.sources.postgresql import PostgresqlSource

        return PostgresqlSource(url, reading)
    raise SourceError(
        f"Databases of the kind {backend!r} cannot be described yet", remedy=f"Now: {_SUPPORTED}."
    )


def files_or_url(texts: Sequence[str]) -> str | URL:
    """What a command line means: files of data (patterns too), a database's file, or a URL.

    Raises:
        SourceError: a pattern without matches, or several databases.
    """
    from amx_kimi.annotate.sources.data_files import files_url, paths_of

    if paths := paths_of(texts):
        return files_url(paths)
    if len(texts) > 1:
        raise SourceError(
            "Only one database can be described in a run; several files may be files of data only",
            remedy=f"Give one of: {_SUPPORTED}.",
        )
    path = Path(texts[0])
    if "://" not in texts[0] and path.is_file():
        backend = "duckdb" if _is_duckdb(path) else "sqlite"
        return URL.create(backend, database=str(path))
    return texts[0]


def database_url(profile: DatabaseProfile) -> URL:
    """The URL of one of AMX's database profiles.

    Raises:
        SourceError: its backend cannot be described yet.
    """
    if profile.backend in _FILE_BACKENDS:
        return URL.create(profile.backend, database=profile.database or profile.host)
    if profile.backend != "postgresql":
        raise SourceError(
            f"The database profile {profile.name!r} is for {profile.backend}, which cannot be "
            "described yet",
            remedy=f"Now: {_SUPPORTED}.",
        )
    return URL.create(
        "postgresql",
        username=profile.user or None,
        password=profile.password.reveal() if profile.password else None,
        host=profile.host or None,
        port=profile.port,
        database=profile.database or None,
    )


def check_selection(source: Source, selection: Selection) -> None:
    """Refuse a schema or a table that the database does not have, or a pattern of none.

    Raises:
        SourceError: names what is missing, and the nearest ones.
    """
    schemas = source.schemas()
    if missing := unmet(selection.schemas, [("", schema) for schema in schemas]):
        there = near(missing[0], filter(None, schemas)) or "none: this database has no schemas"
        named = ", ".join(map(repr, missing))
        raise SourceError(f"There is no schema {named}", remedy=f"There is: {there}.")
    if not selection.tables:
        return
    here = Selection(selection.schemas)
    tables = [place for place in source.tables() if here.takes(*place)]
    if missing := unmet(selection.tables, tables):
        there = near(missing[0], _names(tables, whole="." in missing[0])) or "none"
        raise SourceError(
            f"There is no table {', '.join(missing)}",
            remedy="Give the name as the database has it, as table or schema.table, or a pattern. "
            f"There is: {there}.",
        )


def nothing_found(source: Source, selection: Selection) -> SourceError:
    """The error of a selection in which there is no table."""
    where = f" in {', '.join(selection.schemas)}" if selection.schemas else ""
    called = f" called {', '.join(selection.tables)}" if selection.tables else ""
    return SourceError(
        f"The database has no tables{where}{called} that this user can see",
        remedy=" ".join(source.notes),
    )


def _names(tables: Iterable[tuple[str, str]], *, whole: bool) -> list[str]:
    return [f"{schema}.{name}" if schema and whole else name for schema, name in tables]


def _open_file(path: Path, reading: Reading, backend: str) -> Source:
    if path.name and path.exists() and not path.is_file():
        raise SourceError(f"{path} is no file of a database: a folder, a pipe or a device")
    if backend == "duckdb":
        from amx_kimi.annotate.sources.duckdb import DuckdbSource

        return DuckdbSource(path, reading)
    from amx_kimi.annotate.sources.sqlite import SqliteSource

    return SqliteSource(path, reading)


def _is_duckdb(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return file.read(12)[8:] == b"DUCK"
    except OSError:
        return False
