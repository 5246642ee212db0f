"""Databases that can be described, and how one is opened from a URL, a path or AMX's profile."""

import difflib
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from amx_kimi.annotate.sources.base import RawFacts, Selection, Source, TableGoneError
from amx_kimi.config import DatabaseProfile
from amx_kimi.errors import SourceError

__all__ = [
    "RawFacts",
    "Selection",
    "Source",
    "TableGoneError",
    "check_selection",
    "database_url",
    "open_source",
]

_SUPPORTED = "sqlite:///path/to/file.db and postgresql://user@host:5432/database"


def open_source(target: str | URL) -> Source:
    """Open a database read-only: a SQLAlchemy URL, or the path of a SQLite file.

    Raises:
        SourceError: not a URL, not supported, no driver, or it cannot be opened; says which.
    """
    if isinstance(target, str) and "://" not in target and Path(target).is_file():
        target = URL.create("sqlite", database=target)
    try:
        url = make_url(target)
    except (SQLAlchemyError, ValueError):
        raise SourceError(
            f"{_shown(str(target))!r:.60} is neither a database URL nor a file",
            remedy=f"It looks like {_SUPPORTED}.",
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite":
        from amx_kimi.annotate.sources.sqlite import SqliteSource

        return SqliteSource(Path(url.database or "").expanduser())
    if backend in ("postgresql", "postgres"):
        from amx_kimi.annotate.sources.postgresql import PostgresqlSource

        return PostgresqlSource(url)
    raise SourceError(
        f"Databases of the kind {backend!r} cannot be described yet", remedy=f"Now: {_SUPPORTED}."
    )


def database_url(profile: DatabaseProfile) -> URL:
    """The URL of one of AMX's database profiles.

    Raises:
        SourceError: its backend cannot be described yet.
    """
    if profile.backend == "sqlite":
        return URL.create("sqlite", database=profile.database)
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


def _shown(text: str) -> str:
    """What an error repeats of a target that does not parse: a password may stand in it."""
    scheme, mark, _ = text.partition("://")
    if mark:
        return f"{scheme}://…"
    return text if "@" not in text else "…@…"
