"""A connection to MySQL or MariaDB, set up in the same way for reading and writing."""

import os
from configparser import Error as ConfigParserError
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine

from amx_kimi.databases.server.connect import engine_of, identity_of
from amx_kimi.errors import SourceError

__all__ = ["REMEDY", "engine", "identity"]

REMEDY = (
    "Check host, port, database, user and password (MYSQL_PWD or ~/.my.cnf), and whether the "
    "server wants TLS (?ssl_ca=FILE)."
)

_OPTIONS = {"connect_timeout": 10, "read_timeout": 30, "charset": "utf8mb4"}
# Without modes, names are quoted with backticks and zero dates are allowed, whatever the server's
# settings are.
_SET_UP = ("!SET SESSION sql_mode = ''", "!SET NAMES utf8mb4", "SET SESSION lock_wait_timeout = 5")
_WRITING = ("SET SESSION system_versioning_alter_history = KEEP",)  # MariaDB's versioned tables
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
    set_up = (*_SET_UP, *(_READ_ONLY if read_only else _WRITING))
    plain = url.set(drivername=url.drivername.replace("mariadb", "mysql"))
    return engine_of(plain, {**_OPTIONS, **_from_the_users_own(plain)}, set_up)


def _from_the_users_own(url: URL) -> dict[str, Any]:
    """The password, in UTF-8 (PyMySQL takes a text for Latin-1), and where MySQL's own clients look
    for what a URL does not say."""
    options: dict[str, Any] = {}
    if password := url.password or os.environ.get("MYSQL_PWD"):
        options["password"] = str(password).encode("utf-8", "replace")
    path = Path("~/.my.cnf").expanduser()
    if path.is_file():
        _check_options(path)
        options["read_default_file"] = str(path)
    return options


def _check_options(path: Path) -> None:
    try:
        RawConfigParser(strict=False, allow_no_value=True).read(path, "utf-8")
    except (ConfigParserError, UnicodeDecodeError, OSError):  # its words repeat lines of the file
        raise SourceError(
            f"{path} is not an option file that MySQL can read",
            remedy="Its options must stand below a line [client].",
        ) from None


def identity(url: URL) -> str:
    """The identity of a URL's server, and of its database if it names one."""
    return identity_of(url, 3306)
