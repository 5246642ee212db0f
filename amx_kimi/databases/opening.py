"""Opens a database from a URL, a path, data files, or one of AMX's database profiles."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from amx_kimi.conceal import shown
from amx_kimi.config import DatabaseProfile
from amx_kimi.databases.base import Comments, Reading, Source
from amx_kimi.databases.registry import (
    Kind,
    find_kind,
    kind_of,
    kind_of_amx,
    kind_of_file,
    names_of_dialects,
    other_kind,
)
from amx_kimi.errors import SourceError
from amx_kimi.files import open_regular

if TYPE_CHECKING:  # imports sqlglot
    from amx_kimi.databases.dialect import Dialect

__all__ = [
    "cost_of",
    "database_url",
    "dialect_of",
    "files_or_url",
    "in_catalog",
    "open_comments",
    "open_source",
    "wants_password",
]

_SUPPORTED = (
    "a database's URL, such as postgresql://user@host:5432/database (docs/databases.md has all), "
    "the path of a SQLite or DuckDB file, or data files (.parquet, .csv, .json) or a folder of them"
)
_URL_PARTS = ("username", "password", "host", "port", "database")
_ON = ("verify", "encrypt")  # fields that AMX has on by default; others are off
_AMX_PORT = "5432"  # AMX's default, in profiles of every backend


def open_source(target: str | URL, reading: Reading | None = None) -> Source:
    """Open a database read-only: a SQLAlchemy URL, or the path of a database's file.

    Raises:
        SourceError: it is not a URL, not supported, has no driver, or cannot be opened; or reading
            it is billed, and nobody agreed.
    """
    reading = reading or Reading()
    url, kind = _resolve(target)
    if not reading.agreed and (cost := cost_of(url, reading)):
        raise SourceError(
            cost, remedy="If you agree to that, use --yes (in Python: read_cost=True)."
        )
    if not kind.is_read:
        raise SourceError(
            f"{url.get_backend_name()!r} databases cannot be described yet",
            remedy=f"Now: {_SUPPORTED}.",
        )
    with _complete(kind):
        return kind.backend().open_source(url, reading)


def cost_of(target: str | URL, reading: Reading, *, comments: bool = False) -> str:
    """What reading a database may cost, for a person who has to agree; "" if nothing. `comments`:
    only its comments are read and written.

    Raises:
        SourceError: it is neither a URL nor a file.
    """
    url, kind = _resolve(target)
    is_billed = kind.comments_cost if comments else kind.costs
    return kind.backend().cost(url, reading) if is_billed else ""


def in_catalog(target: str | URL, catalog: str) -> URL:
    """The URL of another catalog of the same server.

    Raises:
        SourceError: such databases have no catalogs.
    """
    url, kind = _resolve(target)
    if not kind.catalog:
        raise SourceError(
            f"{kind.title} has no catalogs",
            remedy="Use --schema, or another database or service in the URL, instead of --catalog.",
        )
    if kind.catalog in _URL_PARTS:
        return url.set(**{kind.catalog: catalog})  # type: ignore[arg-type]
    return url.update_query_dict({kind.catalog: catalog})


def open_comments(target: str | URL, *, agreed: bool = False) -> Comments:
    """Open a database to write its comments. `agreed`: a person agreed to what that costs.

    Raises:
        SourceError: it cannot be opened, or comments cannot be written to it; or that is billed,
            and nobody agreed.
    """
    url, kind = _resolve(target)
    if not agreed and (cost := cost_of(url, Reading(), comments=True)):
        raise SourceError(cost, remedy="If you agree to that, use --yes.")
    if kind.is_written:
        with _complete(kind):
            return kind.backend().open_comments(url)
    is_known = kind.is_read and find_kind(url.get_backend_name())
    reason = f"Comments cannot be written to {url.get_backend_name()!r} databases yet"
    raise SourceError(
        f"{kind.title} cannot store comments" if is_known else reason,
        remedy="Use --to URL for another database that has these tables. --sql FILE --dialect D "
        f"writes statements ({', '.join(names_of_dialects())}; ansi is for any database with "
        "COMMENT ON). `export` writes dbt, DataHub and others.",
    )


def dialect_of(name: str) -> "Dialect":
    """The dialect of a kind of database, by its name.

    Raises:
        LookupError: there is none of that name.
    """
    kind = kind_of(name)
    if kind is None:
        raise LookupError(f"no kind of database is called {name!r}")
    return kind.backend().dialect(name)


def wants_password(target: str | URL) -> bool:
    """Whether a database is of a kind that may ask for a password."""
    try:
        kind = _resolve(target)[1]
    except SourceError:  # raised again, with its reason, when it is opened
        return False
    return kind.has_password


def files_or_url(texts: Sequence[str]) -> str | URL:
    """What a command line names: data files (or patterns of them), a database file, or a URL.

    Raises:
        SourceError: a pattern without matches, or several databases.
    """
    from amx_kimi.databases.duckdb.data_files import files_url, paths_of

    if paths := paths_of(texts):
        return files_url(paths)
    if len(texts) > 1:
        raise SourceError(
            "One run can describe only one database; several files must all be data files",
            remedy=f"Give one of: {_SUPPORTED}.",
        )
    path = Path(texts[0])
    if "://" not in texts[0] and path.is_file():
        return URL.create(_scheme_of_file(path), database=str(path))
    return texts[0]


def database_url(profile: DatabaseProfile) -> URL:
    """The URL of one of AMX's database profiles.

    Raises:
        SourceError: its backend cannot be described yet.
    """
    kind = kind_of_amx(profile.backend)
    if kind is None or not kind.is_read:
        raise SourceError(
            f"The database profile {profile.name!r} is for {profile.backend}, whose fields are not "
            "known",
            remedy="If SQLAlchemy has a dialect for it, give its URL instead of the profile.",
        )
    fields = {name: text for name, text in profile.fields.items() if _says_something(name, text)}
    if kind.name != "postgresql" and fields.get("port") == _AMX_PORT:
        del fields["port"]
    if host := fields.get("host"):  # people paste what their browser shows
        place = host.partition("://")[2] or host
        fields["host"] = place if place.startswith("/") else place.partition("/")[0]
    fields |= {name: secret.reveal() for name, secret in profile.secrets.items()}
    filled = {part: _filled(fields, names) for part, names in kind.fields.items()}
    parts: dict[str, Any] = {part: filled.pop(part, "") or None for part in _URL_PARTS}
    if parts["port"]:
        parts["port"] = int(parts["port"])
    return URL.create(
        kind.schemes[0], **parts, query={name: text for name, text in filled.items() if text}
    )


@contextmanager
def _complete(kind: Kind) -> Iterator[None]:
    """While a driver is imported, which may lack a package of its own."""
    try:
        yield
    except ImportError as error:
        raise SourceError(
            f"A package for {kind.title} is missing: {error}",
            remedy=f"Install it: {kind.install}" if kind.install else "",
        ) from None


def _says_something(name: str, text: str) -> bool:
    return text != ("true" if name in _ON else "false")


def _filled(fields: Mapping[str, str], names: str) -> str:
    if "/" in names:
        first, second = (fields.get(name, "") for name in names.split("/"))
        return "/".join(filter(None, (first, second))) if first else ""
    return next(filter(None, (fields.get(name) for name in names.split("|"))), "")


def _resolve(target: str | URL) -> tuple[URL, Kind]:
    """The URL of a target, and its kind."""
    if isinstance(target, str):
        target = files_or_url([target])
    try:
        url = make_url(target)
    except (SQLAlchemyError, ValueError):
        raise SourceError(
            f"{shown(str(target))} is neither a database URL nor a file",
            remedy=f"Give one of: {_SUPPORTED}.",
        ) from None
    return url, find_kind(url.get_backend_name()) or other_kind(url.get_backend_name())


_WITHOUT_SIGNATURE = "sqlite"
"""The kind of a file without a signature: an empty file is an empty SQLite database."""


def _scheme_of_file(path: Path) -> str:
    try:
        with open_regular(path) as file:
            start = file.read(64)
    except OSError:  # raised again, with its reason, when it is opened
        return _WITHOUT_SIGNATURE
    kind = kind_of_file(start)
    return kind.schemes[0] if kind else _WITHOUT_SIGNATURE
