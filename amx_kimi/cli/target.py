"""Finds the database that a command means; asks about its cost, and for its password."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import click
from sqlalchemy.engine import make_url

from amx_kimi.annotate.opening import Target
from amx_kimi.cli.common import warn
from amx_kimi.config import AMX_MOST_ROWS, load_database
from amx_kimi.databases.base import Reading
from amx_kimi.databases.opening import (
    cost_of,
    database_url,
    files_or_url,
    in_catalog,
    open_source,
    wants_password,
)
from amx_kimi.errors import ConfigError, SourceError
from amx_kimi.journal import Run
from amx_kimi.settings import Settings

# How servers say that a login without a password was refused.
_REFUSED = re.compile(r"password|login failed|authenticat|ORA-010(?:05|17)|\b401\b", re.IGNORECASE)
_NOT_AGREED = 2
__all__ = ["find_target", "target_of"]


def find_target(
    urls: Sequence[str], db_profile: str | None, settings: Settings, options: Mapping[str, Any]
) -> Target:
    """The database that the arguments name: a URL, files, or one of AMX's database profiles; ready
    to be read.

    Without arguments, it is AMX's active database profile.

    Raises:
        KimiError: there is no such profile, the arguments name no database, or nobody agreed to
            what reading it costs.
    """
    target = _named(urls, db_profile, settings)
    if catalog := options.get("catalog"):
        target = replace(target, url=in_catalog(target.url, catalog), catalog=catalog)
    return _with_password(_agreed(target, options), options)


def _named(urls: Sequence[str], db_profile: str | None, settings: Settings) -> Target:
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
    return Target(database_url(found), found.name, reading=reading)


def target_of(
    run: Run,
    urls: Sequence[str],
    db_profile: str | None,
    settings: Settings,
    options: Mapping[str, Any],
) -> Target:
    """The database that the arguments name; without arguments, the one that the run described.

    Raises:
        KimiError: as `find_target`.
    """
    if not urls and db_profile is None:
        kind, _, place = run.source.partition(":")
        word, _, catalog = kind.partition("/")
        db_profile, urls = (place, ()) if word == "db-profile" else (None, (run.source,))
        options = {**options, "catalog": options.get("catalog") or unquote(catalog)}
    return find_target(urls, db_profile, settings, options)


def _may_ask(options: Mapping[str, Any]) -> bool:
    return not options["no_input"] and sys.stdin.isatty()


def _agreed(target: Target, options: Mapping[str, Any]) -> Target:
    """The target, if a person agrees to what reading it costs, or if it costs nothing. With the
    option `comments`, only its comments are read."""
    reading = replace(target.reading, data=bool(options.get("profile_data")))
    cost = cost_of(target.url, reading, comments=bool(options.get("comments")))
    if cost and not options.get("yes") and _may_ask(options):
        if not click.confirm(f"{cost}. Continue?", err=True):
            warn("Nothing was read.")
            raise click.exceptions.Exit(_NOT_AGREED)
        options = {**options, "yes": True}
    agreed = not cost or bool(options.get("yes"))
    return replace(target, reading=replace(target.reading, agreed=agreed))


def _with_password(target: Target, options: Mapping[str, Any]) -> Target:
    """The target, with a password typed by the user if its server requires one.

    Raises:
        SourceError: it cannot be opened for another reason.
    """
    if not (_may_ask(options) and wants_password(target.url)):
        return target
    try:
        open_source(target.url, target.reading).close()
    except SourceError as error:
        if make_url(target.url).password or not _REFUSED.search(error.message):
            raise
    else:
        return target
    password = click.prompt("Database password", hide_input=True, err=True)
    return replace(target, url=make_url(target.url).set(password=password))
