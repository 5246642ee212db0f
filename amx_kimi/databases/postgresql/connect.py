"""A connection to PostgreSQL, set up in the same way for reading and writing."""

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from amx_kimi.databases.drivers import with_driver
from amx_kimi.databases.postgresql import sql
from amx_kimi.errors import SourceError

__all__ = [
    "connect",
    "engine_of",
    "identity_of",
    "reason_of",
    "set_session",
    "without_secrets",
]

_CONNECT_SECONDS = 10
_SETTINGS = (
    "client_encoding = 'UTF8'",
    "application_name = 'amx-kimi'",
    "standard_conforming_strings = on",
)


def engine_of(url: URL, *, read_only: bool) -> Engine:
    """An engine with one connection, which is not open yet.

    Raises:
        SourceError: no driver is installed.
    """
    full = with_driver(url, SourceError)
    timeout = "timeout" if full.drivername.endswith("pg8000") else "connect_timeout"
    engine = create_engine(
        full,
        connect_args={timeout: _CONNECT_SECONDS},
        pool_size=1,
        max_overflow=0,
        execution_options={"postgresql_readonly": True} if read_only else {},
    )

    def set_up(connection: Any, _: Any) -> None:
        if read_only:
            _forbid_writing(connection)
        cursor = connection.cursor()
        for setting in _SETTINGS:
            cursor.execute(f"SET {setting}")
        cursor.close()
        connection.commit()

    # Set before SQLAlchemy's first queries: without an encoding, psycopg returns bytes.
    event.listen(engine, "connect", set_up, insert=True)
    return engine


def connect(engine: Engine) -> Connection:
    """Open the connection.

    Raises:
        SourceError: the server cannot be reached, or it refuses.
    """
    try:
        return engine.connect()
    except SQLAlchemyError as error:
        raise SourceError(
            f"{without_secrets(engine.url).render_as_string()} cannot be opened: "
            f"{reason_of(error)}",
            remedy="Check host, port, database, user and password (PGPASSWORD or ~/.pgpass).",
        ) from None


def set_session(connection: Connection, *, statement: str, lock: str) -> None:
    """Settings for the current transaction: names mean only the server's own, and how long to wait
    for a statement and for a lock."""
    connection.execute(text(sql.SESSION), {"statement": statement, "lock": lock})


def identity_of(url: URL) -> str:
    """The identity of a URL's database, without driver, user or password."""
    host = url.host or url.query.get("host", "localhost")
    database = url.database or url.username
    return f"postgresql://{host}:{url.port or 5432}/{database}"


def reason_of(error: SQLAlchemyError) -> str:
    """The server's message, in one line, without the statement."""
    message = str(getattr(error, "orig", None) or error)
    return " ".join(message.partition("\nLINE ")[0].split())


def without_secrets(url: URL) -> URL:
    """The URL without passwords, for messages and the journal."""
    query = url.difference_update_query(("password", "sslpassword")).query
    return URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)


def _forbid_writing(connection: Any) -> None:
    if hasattr(connection, "read_only"):  # psycopg: from the first transaction on
        connection.read_only = True
    elif hasattr(connection, "set_session"):  # psycopg2
        connection.set_session(readonly=True)
