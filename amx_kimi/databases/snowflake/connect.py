"""A connection to Snowflake, set up in the same way for reading and writing.

Nothing here needs a warehouse: logging in and SHOW commands are done by Snowflake's cloud services.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any
from urllib.parse import unquote

import sqlalchemy
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from amx_kimi.databases.base import quoted
from amx_kimi.databases.drivers import need_driver
from amx_kimi.databases.server.connect import engine_of
from amx_kimi.errors import SourceError

__all__ = ["checked_database", "engine", "identity", "literal", "place_of", "shown"]

_DOMAIN = ".snowflakecomputing.com"
_PARAMETERS = {
    "QUERY_TAG": "amx-kimi",
    # Queries of a large INFORMATION_SCHEMA take a minute, and a suspended warehouse some seconds.
    "STATEMENT_TIMEOUT_IN_SECONDS": 120,
    # Some accounts set it, and names that differ by case only would be the same.
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
}
_LOGIN_SECONDS = 60  # a person may have to confirm it on a phone
# snowflake-sqlalchemy takes these from no URL, because others may have written it. Ours is the
# user's own.
_DIRECT = ("host", "port", "protocol", "private_key_file", "token_file_path")
_GONE_IN_5 = ("insecure_mode", "ocsp_fail_open")  # driver 5 checks revocation otherwise (CRL)
_WITH_BROWSER = ("externalbrowser", "oauth_authorization_code")
_WITH_PASSWORD = ("", "snowflake", "username_password_mfa")
_PART = re.compile(r'"(?:[^"]|"")*"|[^/]+')
_UNQUOTED = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")


def engine(url: URL) -> Engine:
    """An engine with one connection, which is not open yet.

    Raises:
        SourceError: no driver is installed, or the URL lacks what the login needs.
    """
    need_driver("snowflake")
    if not logging.getLogger("snowflake").handlers:  # its warnings would go to the terminal
        logging.getLogger("snowflake").addHandler(logging.NullHandler())
    options, login = _options(url), _login(url)
    query = url.difference_update_query([*_DIRECT, *_dropped()]).query
    plain = URL.create(url.drivername, url.username, host=_account(url), query=query)
    made = engine_of(plain, {**options, **login}, ())
    # SQLAlchemy's own questions (version, schema) are queries, which may start a warehouse.
    made.dialect.initialize = _ask_nothing  # type: ignore[method-assign]
    return made


def identity(url: URL) -> str:
    """The identity of a URL's database: account and database, without user, warehouse and role."""
    return f"snowflake://{_account(url)}/{place_of(url)[0]}"


def place_of(url: URL) -> tuple[str, str]:
    """The database and the schema that a URL names, as the catalog writes them; "" for none."""
    text = url.database or ""
    if sqlalchemy.__version__.startswith("2.0."):  # which leaves %20 as it is
        text = unquote(text)
    parts = [_stored(part) for part in _PART.findall(text)]
    database, schema = [*parts, "", ""][:2]
    return database, schema


def checked_database(connection: Connection, url: URL) -> str:
    """The database that a URL names; without one, the connection is closed.

    Raises:
        SourceError: it names none; the remedy lists those that the role sees.
    """
    if database := place_of(url)[0]:
        return database
    try:
        names = [_written(str(row["name"])) for row in shown(connection, "SHOW DATABASES")]
    except SQLAlchemyError:
        names = []
    connection.close()
    connection.engine.dispose()
    raise SourceError(
        "The URL names no database of this Snowflake account",
        remedy=f"Add --catalog NAME. The role sees: {', '.join(names) or 'none'}.",
    )


def shown(connection: Connection, statement: str) -> list[Mapping[str, Any]]:
    """The rows of a statement, by lower-case names. It has no parameters: a percent sign, a colon
    or a question mark in a name is nothing else.

    Raises:
        SQLAlchemyError: it is refused.
    """
    bare = connection.execution_options(no_parameters=True)
    found = bare.exec_driver_sql(statement)
    return [{key.lower(): row[key] for key in row} for row in found.mappings()]


def literal(text: str) -> str:
    """A text as a literal; in Snowflake, a backslash escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def _ask_nothing(connection: Connection) -> None:
    del connection


def _stored(name: str) -> str:
    """A name as the catalog writes it: without quotes, upper case is meant."""
    if name.startswith('"'):
        return name[1:-1].replace('""', '"')
    return name.upper() if _UNQUOTED.fullmatch(name) else name


def _written(name: str) -> str:
    """A name as a person has to write it."""
    return name if _stored(name) == name else quoted(name)


def _account(url: URL) -> str:
    """The account's identifier, however it was pasted."""
    host = (url.host or "").lower()
    return (host.partition("://")[2] or host).partition("/")[0].removesuffix(_DOMAIN)


def _options(url: URL) -> dict[str, Any]:
    found: dict[str, Any] = {name: url.query[name] for name in _DIRECT if name in url.query}
    if port := found.get("port") or url.port:
        found["port"] = int(port) if str(port).isdecimal() else port
    if _account(url).endswith(".snowflakecomputing.cn"):
        found = {"host": _account(url), "port": 443, **found}
    return {
        **found,
        "application": "amx_kimi",
        "login_timeout": _LOGIN_SECONDS,
        "session_parameters": _PARAMETERS,
    }


def _login(url: URL) -> dict[str, Any]:
    """What proves who the user is, from the URL or where Snowflake's own clients look for it."""
    query = url.query
    kind = str(query.get("authenticator", "")).lower()
    if kind in _WITH_BROWSER and not sys.stdin.isatty():
        raise SourceError(
            f"The login {kind} needs a person and a browser, and this is no terminal",
            remedy="Use a key pair (?private_key_file=FILE) or a token (?token_file_path=FILE).",
        )
    found: dict[str, Any] = {}
    if query.keys() & {"private_key_file", "private_key"}:
        phrase = os.environ.get("PRIVATE_KEY_PASSPHRASE")
        if phrase and not query.keys() & {"private_key_file_pwd", "private_key_passphrase"}:
            found["private_key_file_pwd"] = phrase
        return found if kind else {**found, "authenticator": "SNOWFLAKE_JWT"}
    if not kind and query.keys() & {"token", "token_file_path"}:
        return {"authenticator": "oauth"}
    names = ("SNOWFLAKE_PASSWORD", "SNOWSQL_PWD")
    password = url.password or next(filter(None, map(os.environ.get, names)), None)
    if password is None and kind in _WITH_PASSWORD:
        raise SourceError(
            "The login cannot begin: no password supplied",
            remedy="Put it into the variable SNOWFLAKE_PASSWORD, or use a key pair "
            "(?private_key_file=FILE) or a token (?token_file_path=FILE).",
        )
    return {"password": str(password)} if password is not None else {}


def _dropped() -> tuple[str, ...]:
    major = version("snowflake-connector-python").partition(".")[0]
    return _GONE_IN_5 if int(major) >= 5 else ()
