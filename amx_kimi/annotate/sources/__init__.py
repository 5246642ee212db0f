"""Databases that can be described, and how one is opened from a URL, a path or AMX's profile."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from amx_kimi.annotate.sources.base import RawFacts, Reading, Selection, Source, TableGoneError
from amx_kimi.config import DatabaseProfile
from amx_kimi.errors import SourceError

__all__ = [
    "RawFacts",
    "Reading",
    "Selection",
    "Source",
    "TableGoneError",
    "check_selection",
    "database_url",
    "files_or_url",
    "open_source",
]

_SUPPORTED = (
    "postgresql://user@host:5432/database, sqlite:///file.db, duckdb:///file.duckdb, the path of "
    "such a file, or files of data (.parquet, .csv, .json)"
)
_FILE_BACKENDS = ("sqlite", "duckdb")


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
            f"{_shown(str(target))!r:.60} is neither a database URL nor a file",
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
    if backend in ("postgresql", "postgres"):
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
    """Refuse a schema that the database does not have.

    Raises:
        SourceError: names the missing schema and the nearest ones.
    """
    known = source.schemas()
    for schema in selection.schemas:
        if schema not in known:
            near = difflib.get_close_matches(schema, known, 3, 0.5) or known[:20]
            there = ", ".join(name for name in near if name) or "none: this database has no schemas"
            raise SourceError(f"There is no schema {schema!r}", remedy=f"There is: {there}.")


def _open_file(path: Path, reading: Reading, backend: str) -> Source:
    if backend == "duckdb":
        from amx_kimi.annotate.sources.duckdb import DuckdbSource

        return DuckdbSource(path, reading)
    from amx_kimi.annotate.sources.sqlite import SqliteSource

    return SqliteSource(path, reading)


def _is_duckdb(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(12)[8:] == b"DUCK"
    except OSError:
        return False


def _shown(text: str) -> str:
    """What an error repeats of a target that does not parse: a password may stand in it."""
    scheme, mark, _ = text.partition("://")
    if mark:
        return f"{scheme}://…"
    return text if "@" not in text else "…@…"
