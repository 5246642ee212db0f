"""A connection to SQL Server, set up in the same way for reading and writing.

pymssql (FreeTDS) encrypts, but does not check the server's certificate; pyodbc with Microsoft's
driver does both.
"""

from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, Connection, Engine, event

from amx_kimi.databases.drivers import with_driver
from amx_kimi.databases.server.connect import connect, engine_of, identity_of, rows_of
from amx_kimi.errors import SourceError

__all__ = ["DEDICATED", "REMEDIES", "REMEDY", "SERVERLESS", "edition", "engine", "identity"]

DEDICATED, SERVERLESS = 6, 11
"""Editions of Azure Synapse (SERVERPROPERTY, Microsoft's reference, 2026)."""

REMEDY = (
    "Check host, port, database (--catalog NAME), user and password. Add ?encrypt=no if the "
    "server cannot encrypt."
)
REMEDIES = {
    r"Login failed|\(18456\)": "Check user and password. A login needs a user in this database.",
    r"Cannot open database|\(4060\)": "Check the database's name (--catalog NAME), and whether the "
    "login has a user there.",
    r"not currently available|\(40613\)": "The database is paused or moving. Try again "
    "in a minute.",
    r"not allowed to access the server": "Add this machine's address to the server's firewall.",
    r"multi-factor|MFA|AADSTS": "pymssql knows only SQL logins. With pyodbc, add "
    "?authentication=ActiveDirectoryInteractive to the URL.",
    r"[Ee]ncryption|SSL|TLS|certificate": "If the server has no certificate that this machine "
    "trusts: ?trust_server_certificate=yes. If it cannot encrypt: ?encrypt=no (in an AMX profile, "
    "encrypt: false).",
    r"IM002|Data source name not found|Can't open lib": "Install Microsoft's ODBC driver, name the "
    "one that is there (?driver=NAME), or use pymssql: mssql+pymssql://…",
}
_SET_UP = ("SET LOCK_TIMEOUT 5000",)
_READ_ONLY = ("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",)
_WRITING = ("SET XACT_ABORT ON",)
_ODBC = "ODBC Driver 18 for SQL Server"
_ANSWERS = {
    **dict.fromkeys(("yes", "true", "1", "mandatory"), "yes"),
    **dict.fromkeys(("no", "false", "0", "optional"), "no"),
    "strict": "strict",
}
_CATALOGS = "SELECT name FROM sys.databases WHERE HAS_DBACCESS(name) = 1 AND database_id > 4"
_MOST_CATALOGS = 30


def engine(url: URL, *, read_only: bool) -> Engine:
    """An engine with one connection to a database, which is not open yet.

    Raises:
        SourceError: no driver is installed, it cannot do what the URL asks for, or the URL names no
            database.
    """
    full, options = _with_options(url)
    if read_only:
        full, options = _reading_only(full, options)
    if not url.database:
        raise _no_database(full, options)
    set_up = (*_SET_UP, *(_READ_ONLY if read_only else _WRITING))
    made = engine_of(full, options, set_up)
    if _driver(full) == "pyodbc":
        event.listen(made, "connect", lambda connection, _: setattr(connection, "timeout", 30))
    return made


def identity(url: URL) -> str:
    """The identity of a URL's database."""
    return identity_of(url, 1433)


def edition(connection: Connection) -> int:
    """The edition of the server."""
    query = "SELECT CAST(SERVERPROPERTY('EngineEdition') AS int) AS edition"
    found = rows_of(connection, query)
    connection.rollback()
    return int(found[0]["edition"] or 0)


def _with_options(url: URL) -> tuple[URL, dict[str, Any]]:
    """The URL with a driver, and the driver's options."""
    asked = {_plain(name): str(value) for name, value in url.query.items()}
    encrypt = _answer("encrypt", asked.get("encrypt", "yes"))
    trusts = _answer("trust_server_certificate", asked.get("trustservercertificate", "no")) == "yes"
    checks = encrypt != "no" and not trusts
    rest = [name for name in url.query if _plain(name) in ("encrypt", "trustservercertificate")]
    plain = url.set(drivername=url.drivername.replace("sqlserver", "mssql"))
    plain = plain.difference_update_query(rest)
    if checks and "+" not in plain.drivername and find_spec("pyodbc"):
        plain = plain.set(drivername="mssql+pyodbc")
    full = with_driver(plain, SourceError)
    if _driver(full) == "pyodbc":
        query = {"Encrypt": encrypt, "APP": "amx-kimi", "TrustServerCertificate": _word(trusts)}
        query = {**query, "driver": full.query.get("driver", _ODBC)}  # type: ignore[dict-item]
        return full.update_query_dict(query), {"timeout": 10}
    if checks or encrypt == "strict":
        raise SourceError(
            "pymssql cannot check the server's certificate",
            remedy="Add ?trust_server_certificate=yes to the URL (in an AMX profile, "
            "trust_server_certificate: true) to encrypt without that check, or install pyodbc and "
            "Microsoft's ODBC driver, which check it.",
        )
    options = {"login_timeout": 10, "timeout": 30, "appname": "amx-kimi"}
    # Without the option, only the login is encrypted, as with ODBC's Encrypt=no.
    required = {"encryption": "require"} if encrypt == "yes" else {}
    return full.difference_update_query(["driver"]), {**options, **required}


def _reading_only(url: URL, options: dict[str, Any]) -> tuple[URL, dict[str, Any]]:
    if _driver(url) == "pyodbc":
        return url.update_query_dict({"ApplicationIntent": "ReadOnly"}), options
    return url, {**options, "read_only": True}


def _no_database(url: URL, options: dict[str, Any]) -> SourceError:
    made = engine_of(url.set(database="master"), options, ())
    connection = connect(made, REMEDY, REMEDIES)
    try:
        names = sorted(str(row["name"]) for row in rows_of(connection, _CATALOGS))
    finally:
        connection.close()
        made.dispose()
    told = ", ".join(names[:_MOST_CATALOGS]) + (", …" if len(names) > _MOST_CATALOGS else "")
    return SourceError(
        "The URL names no database",
        remedy=f"Add --catalog NAME, or /NAME to the URL. You may see: {told or 'none'}.",
    )


def _driver(url: URL) -> str:
    return url.drivername.partition("+")[2]


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _word(answer: bool) -> str:
    return "yes" if answer else "no"


def _answer(option: str, value: str) -> str:
    if value.lower() not in _ANSWERS:
        raise SourceError(f"The option {option} cannot be {value!r:.20}", remedy="Write yes or no.")
    return _ANSWERS[value.lower()]
