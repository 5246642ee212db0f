"""Finds the database that a command means, and asks for its password in a terminal."""

from collections.abc import Sequence
from dataclasses import replace

import click
from sqlalchemy.engine import make_url

from amx_kimi.annotate.opening import Target
from amx_kimi.config import AMX_MOST_ROWS, load_database
from amx_kimi.databases.base import Reading
from amx_kimi.databases.opening import (
    database_url,
    files_or_url,
    open_source,
    wants_password,
)
from amx_kimi.errors import ConfigError, SourceError
from amx_kimi.journal import Run
from amx_kimi.settings import Settings

_WANTS_PASSWORD = ("no password supplied", "(using password: NO)")  # PostgreSQL's words, MySQL's
__all__ = ["find_target", "target_of", "with_password"]


def find_target(urls: Sequence[str], db_profile: str | None, settings: Settings) -> Target:
    """The database that the arguments name: a URL, files, or one of AMX's database profiles.

    Without arguments, it is AMX's active database profile.

    Raises:
        KimiError: there is no such profile, or the arguments name no database.
    """
    if urls and db_profile:
        raise click.UsageError("Give a URL or --db-profile, not both.")
    if urls:
        return Target(files_or_url(urls))
    try:
        found = load_database(db_profile, settings)
    except ConfigError:
        if db_profile:
            raise
        raise click.UsageError(
            "Which database? Give a URL, or --db-profile NAME for one of AMX's database profiles."
        ) from None
    most = found.profiling_max_rows
    reading = Reading(
        samples=found.profiling_mode != "metadata",
        # AMX writes its default into every profile, so the default is no choice of the user's.
        most_rows=most if most and most != AMX_MOST_ROWS else 0,
    )
    return Target(database_url(found), found.name, reading)


def target_of(run: Run, urls: Sequence[str], db_profile: str | None, settings: Settings) -> Target:
    """The database that the arguments name; without arguments, the one that the run described.

    Raises:
        KimiError: as `find_target`.
    """
    if not urls and db_profile is None:
        kind, _, place = run.source.partition(":")
        db_profile, urls = (place, ()) if kind == "db-profile" else (None, (run.source,))
    return find_target(urls, db_profile, settings)


def with_password(target: Target, *, ask: bool) -> Target:
    """The target, with a password typed by the user if its server requires one.

    Raises:
        SourceError: it cannot be opened for another reason.
    """
    if not (ask and wants_password(target.url)):
        return target
    try:
        open_source(target.url).close()
    except SourceError as error:
        if not any(words in error.message for words in _WANTS_PASSWORD):
            raise
    else:
        return target
    password = click.prompt("Database password", hide_input=True, err=True)
    return replace(target, url=make_url(target.url).set(password=password))
