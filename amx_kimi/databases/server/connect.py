"""A connection to a server through SQLAlchemy, set up in the same way for every kind."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import URL, Connection, Engine, String, bindparam, create_engine, event, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from amx_kimi.databases.drivers import with_driver
from amx_kimi.databases.registry import find_kind
from amx_kimi.databases.server.remedies import NONE, Remedies, remedy_for
from amx_kimi.errors import SourceError

__all__ = ["connect", "engine_of", "identity_of", "reason_of", "rows_of", "without_secrets"]

_SECRET = re.compile(
    r"pass(?!ive)|pwd|secret|token|api_?key|private_?key|credential|logdata|proxy|odbc_connect|headers",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?:file|path|dir)$", re.IGNORECASE)
_LISTS = ("schemas", "tables")
_WRITTEN_OUT = ("databricks",)  # takes 256 parameters at most
_NOISE = re.compile(  # what drivers of SQL Server put around the server's words
    r"DB-Lib error message \d+, severity \d+:|\[(?:Microsoft|ODBC Driver [^\]]*|SQL Server)\]"
    r"|General SQL Server error: Check messages from the SQL Server|Help: https://docs.oracle.\S+"
)


def engine_of(url: URL, options: Mapping[str, Any], set_up: Sequence[str]) -> Engine:
    """An engine with one connection, which is not open yet; `options` are the driver's, `set_up`
    statements for each new connection.

    A statement of `set_up` that this version of the server does not know is skipped, unless it
    begins with `!`.

    Raises:
        SourceError: no driver is installed, or an option of the URL is not usable.
    """
    full = with_driver(url, SourceError)
    try:
        engine = create_engine(full, connect_args=dict(options), pool_size=1, max_overflow=0)
    except NoSuchModuleError:
        raise
    except (TypeError, ValueError, ArgumentError) as error:
        raise _unusable(error) from None

    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        for statement in set_up:
            try:
                cursor.execute(statement.removeprefix("!"))
            except Exception:
                if statement.startswith("!"):
                    raise
        cursor.close()

    event.listen(engine, "connect", prepare, insert=True)
    return engine


def connect(engine: Engine, remedy: str, remedies: Remedies = NONE) -> Connection:
    """Open the connection; if that fails, `remedies` and else `remedy` say what to do.

    Raises:
        SourceError: the server cannot be reached, or it refuses.
    """
    try:
        return engine.connect()
    except (TypeError, ValueError, AttributeError) as error:
        raise _unusable(error) from None
    except Exception as error:  # some drivers raise errors of their own, too
        reason = reason_of(error)
        raise SourceError(
            f"{without_secrets(engine.url).render_as_string()} cannot be opened: {reason}",
            remedy=remedy_for(remedies, reason, remedy),
        ) from None


def rows_of(connection: Connection, query: str, **values: Any) -> list[Mapping[str, Any]]:
    """The rows of a query, by lower-case names; `:schemas` and `:tables` may be lists.

    Raises:
        SQLAlchemyError: it cannot be read.
    """
    statement = text(query)
    out: dict[str, Any] = {}
    if connection.dialect.name in _WRITTEN_OUT:
        out = {"literal_execute": True, "type_": String()}
    for name in values.keys() & set(_LISTS):
        statement = statement.bindparams(bindparam(name, expanding=True, **out))
    found = connection.execute(statement, values)
    return [{key.lower(): row[key] for key in row} for row in found.mappings()]


def _unusable(error: Exception) -> SourceError:
    return SourceError(
        f"An option of the URL cannot be used: {error!s:.200}",
        remedy="The options of a URL are the driver's own; leave out what follows the `?`.",
    )


def identity_of(url: URL, port: int) -> str:
    """The identity of a URL's database, without driver, user or password."""
    kind = find_kind(url.get_backend_name())
    name = kind.name if kind else url.get_backend_name()
    return f"{name}://{url.host or 'localhost'}:{url.port or port}/{url.database or ''}"


def reason_of(error: Exception) -> str:
    """The server's message, in one line, without the statement."""
    cause = getattr(error, "orig", None) or error
    # PEP 249 drivers give (code, message), or a message; some have it as an attribute, or as bytes.
    told = getattr(cause, "message", None)
    parts = [told] if isinstance(told, str) else list(_texts(cause.args)) or [str(cause)]
    lines = _NOISE.sub("\n", " ".join(parts)).splitlines()
    return " ".join(" ".join(dict.fromkeys(line.strip() for line in lines)).split())


def _texts(arguments: Sequence[Any]) -> Iterator[str]:
    for one in arguments:
        if isinstance(one, tuple):
            yield from _texts(one)
        elif isinstance(one, Mapping):  # PostgreSQL's fields, by letter: M is the message
            yield str(one.get("M", one))
        elif isinstance(one, bytes | str):
            yield one if isinstance(one, str) else one.decode("utf-8", "replace")


def without_secrets(url: URL) -> URL:
    """The URL without passwords, for messages and the journal."""
    query = {name: text for name, text in url.query.items() if not _is_secret(name)}
    kind = find_kind(url.get_backend_name())
    scheme = kind.schemes[0] if kind else url.get_backend_name()
    return URL.create(scheme, url.username, None, url.host, url.port, url.database, query)


def _is_secret(option: str) -> bool:
    """Whether an option of a URL may be a secret, or hold one, and not only the path of a file."""
    return bool(_SECRET.search(option)) and not _PATH.search(option)
