"""A connection to Oracle in the driver's thin mode, set up the same way for reading and writing."""

from typing import Any

from sqlalchemy import URL, Connection, Engine, event

from amx_kimi.databases.server.connect import engine_of, identity_of

__all__ = ["REMEDIES", "REMEDY", "engine", "identity"]

REMEDY = "Check host, port, service_name, user and password."
REMEDIES = {  # python-oracledb's error codes (DPY), and Oracle's
    r"ORA-01017": "Check user and password; passwords tell upper from lower case.",
    r"ORA-12514|DPY-6001": "The listener does not know this service: check ?service_name=NAME.",
    r"ORA-12505|DPY-6003": "The listener does not know this SID. Most databases are named by a "
    "service: ?service_name=NAME instead of /SID.",
    r"ORA-12541|DPY-6005|DPY-6000": "Nobody listens there: check host and port, and the firewall.",
    r"ORA-12154|DPY-4000|DPY-4026|DPY-4027": "This name is in no tnsnames.ora that is read: add "
    "?config_dir=FOLDER, or write host, port and service_name.",
    r"ORA-28000": "The account is locked; an administrator unlocks it.",
    r"ORA-28001|ORA-28002": "The password has expired: change it with another client.",
    r"ORA-01045": "The user needs the privilege CREATE SESSION.",
    r"ORA-01033|ORA-01034|ORA-12528": "The database is starting or stopping. Try again later.",
    r"DPY-3010": "The driver's thin mode needs Oracle 12.1 or later.",
    r"DPY-3015": "The user has only a password of an old kind: set it again.",
    r"DPY-3001|ORA-12660": "The server wants native encryption, which the driver's thin mode does "
    "not have: use TLS (?protocol=tcps), or ask the administrator.",
    r"DPY-4011|ORA-28759|ORA-28860|certificate": "Check whether the port wants TLS "
    "(?protocol=tcps), and the wallet (?wallet_location=FOLDER).",
}
_TIMEOUT = 30_000  # milliseconds
# A linguistic order mixes the columns of names that differ by case only.
_SET_UP = ("ALTER SESSION SET NLS_SORT = BINARY", "ALTER SESSION SET NLS_COMP = BINARY")
_WRITING = ("ALTER SESSION SET DDL_LOCK_TIMEOUT = 5",)


def engine(url: URL, *, read_only: bool) -> Engine:
    """An engine with one connection, which is not open yet.

    Raises:
        SourceError: no driver is installed.
    """
    if "service_name" in url.query:  # counts before a SID, as in AMX
        url = url.set(database="")
    options = {"tcp_connect_timeout": 10.0, "retry_count": 0}
    made = engine_of(url, options, (*_SET_UP, *(() if read_only else _WRITING)))
    event.listen(made, "connect", _name_session)
    if read_only:
        event.listen(made, "begin", _begin_read_only)
    return made


def identity(url: URL) -> str:
    """The identity of a URL's database: host and service, or a TNS name."""
    service = str(url.query.get("service_name") or url.database or "")
    return identity_of(url.set(database=service), 1521)


def _name_session(connection: Any, _: Any) -> None:
    connection.call_timeout = _TIMEOUT
    connection.module = "amx-kimi"  # in V$SESSION


def _begin_read_only(connection: Connection) -> None:
    connection.exec_driver_sql("SET TRANSACTION READ ONLY")
