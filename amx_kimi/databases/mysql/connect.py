"""A connection to MySQL or MariaDB, set up in the same way for reading and writing."""

import os
from pathlib import Path

from sqlalchemy import URL, Engine

from amx_kimi.databases.server.connect import engine_of, identity_of

__all__ = ["REMEDY", "engine", "identity"]

REMEDY = (
    "Check host, port, database, user and password (MYSQL_PWD or ~/.my.cnf), and whether the "
    "server wants TLS (?ssl_ca=FILE)."
)

_OPTIONS = {"connect_timeout": 10, "read_timeout": 120, "charset": "utf8mb4"}
# Without modes, names are quoted with backticks and zero dates are allowed, whatever the server's
# settings are.
_SET_UP = ("!SET SESSION sql_mode = ''", "!SET NAMES utf8mb4", "SET SESSION lock_wait_timeout = 5")
_READ_ONLY = (
    "!SET SESSION TRANSACTION READ ONLY",
    "SET SESSION max_execution_time = 10000",  # MySQL, milliseconds
    "SET SESSION max_statement_time = 10",  # MariaDB, seconds
)


def engine(url: URL, *, read_only: bool) -> Engine:
    """An engine with one connection, which is not open yet.

    Raises:
        SourceError: no driver is installed.
    """
    set_up = (*_SET_UP, *_READ_ONLY) if read_only else _SET_UP
    plain = url.set(drivername=url.drivername.replace("mariadb", "mysql"))
    return engine_of(plain, {**_OPTIONS, **_from_the_users_own(plain)}, set_up)


def _from_the_users_own(url: URL) -> dict[str, str]:
    """Where MySQL's own clients look for what a URL does not say."""
    options = {"read_default_file": str(Path("~/.my.cnf").expanduser())}
    if url.password is None and (password := os.environ.get("MYSQL_PWD")):
        options["password"] = password
    return options


def identity(url: URL) -> str:
    """The identity of a URL's server, and of its database if it names one."""
    return identity_of(url, 3306)
