"""A connection to Databricks, set up in the same way for reading and writing; what it costs, and
what to do when it is refused."""

import logging
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.request import getproxies

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.exc import SQLAlchemyError

from amx_kimi.databases.base import Reading
from amx_kimi.databases.databricks.login import machine_login
from amx_kimi.databases.drivers import with_driver
from amx_kimi.databases.server.connect import engine_of, identity_of, reason_of, rows_of
from amx_kimi.databases.server.remedies import Remedies, remedy_for
from amx_kimi.errors import SourceError

__all__ = [
    "REMEDIES",
    "REMEDY",
    "catalog_of",
    "cost_of",
    "engine",
    "identity",
    "need_catalog",
    "schema_of",
]

REMEDY = "Check host, http_path and token; `databricks warehouses list` shows the warehouses."

_PORT = 443
_REACH_SECONDS = 10
# A warehouse that was stopped answers 503 until it has started: seconds for a serverless one,
# minutes for a classic one.
_START_SECONDS = 300
_STATEMENT_SECONDS = 60
_OPTIONS: Mapping[str, str] = {  # of a URL, and the connector's names
    "auth_type": "auth_type",
    "client_id": "oauth_client_id",
    "azure_client_id": "azure_client_id",
    "azure_client_secret": "azure_client_secret",
    "azure_tenant_id": "azure_tenant_id",
    "azure_workspace_resource_id": "azure_workspace_resource_id",
    "tls_trusted_ca_file": "_tls_trusted_ca_file",
    "tls_no_verify": "_tls_no_verify",
}
_OTHERS = ("http_path", "catalog", "schema", "client_secret")
_OURS: Mapping[str, Any] = {
    "catalog": None,  # every name that is sent has its catalog
    "schema": None,
    "user_agent_entry": "amx-kimi",
    "query_tags": {"application": "amx-kimi"},
    "session_configuration": {"STATEMENT_TIMEOUT": _STATEMENT_SECONDS},
    "enable_telemetry": False,
    "use_cloud_fetch": False,  # results come from the workspace, not from a storage's address
    "_socket_timeout": 120,
    "_retry_stop_after_attempts_duration": _START_SECONDS,
}
_NO_LOGIN = (
    "Write the token into DATABRICKS_TOKEN, or into the URL as its password; "
    "?auth_type=databricks-oauth logs in with a browser, and ?client_id=… with "
    "DATABRICKS_CLIENT_SECRET as a service principal."
)
_WAREHOUSE = "Check http_path: it is under Connection details of the SQL warehouse."
# Words of Databricks' answers and error classes (its "Error classes", 2026), and what helps.
REMEDIES: Remedies = {
    "access token": "Make a new personal access token, or log in again: this one is not valid.",
    "IP ACL": "Connect from a network that the workspace's IP access lists allow.",
    "Private access": "Connect from a network that the workspace allows (private link).",
    "SQL warehouse": f"{_WAREHOUSE} You need the permission CAN USE on it.",
    "RESOURCE_DOES_NOT_EXIST": _WAREHOUSE,
    "ENDPOINT_NOT_FOUND": _WAREHOUSE,
    "max retry duration": "The warehouse did not start in time: start it, and try again.",
    "NO_SUCH_CATALOG": "Check --catalog; SHOW CATALOGS lists those that you may see.",
    "SCHEMA_NOT_FOUND": "Only catalogs of Unity Catalog have an information_schema.",
    "UC_NOT_ENABLED": "The warehouse or cluster must have Unity Catalog.",
    "PERMISSION": "You need USE CATALOG, and USE SCHEMA and SELECT for what is read.",
    "No such file": "Check the path of tls_trusted_ca_file.",
    "CERTIFICATE_VERIFY_FAILED": "Name your proxy's certificates: ?tls_trusted_ca_file=FILE.",
}
_NOT_UNITY: Mapping[str, str] = {
    "hive_metastore": "it is a legacy metastore, whose catalog can only be read table by table",
    "system": "its information_schema tells of all catalogs",
}


def engine(url: URL) -> Engine:
    """An engine with one connection, which is not open yet.

    Raises:
        SourceError: no driver is installed, the server is out of reach, or the URL names no
            warehouse, no login, or an option that there is not.
    """
    for library in ("databricks", "urllib3"):  # or their warnings go to the terminal
        logging.getLogger(library).addHandler(logging.NullHandler())
    if not (url.host and url.query.get("http_path")):
        raise SourceError(
            "The URL names no SQL warehouse",
            remedy="Write databricks://HOST?http_path=/sql/1.0/warehouses/ID&catalog=NAME, with "
            "the token in DATABRICKS_TOKEN.",
        )
    reason = _NOT_UNITY.get(catalog_of(url))
    if reason:
        raise SourceError(
            f"The catalog {catalog_of(url)} cannot be described: {reason}",
            remedy="Use --catalog NAME for a catalog of Unity Catalog.",
        )
    with_driver(url, SourceError)
    place, options = (url.host, url.port or _PORT), _options(url)
    ca_file, no_verify = options.get("_tls_trusted_ca_file"), options.get("_tls_no_verify")
    verify: bool | str = not no_verify and (ca_file or True)
    if not getproxies():  # or the host may be known to the proxy only
        _reach(*place, verify)
    options |= _login(url, verify)
    made = engine_of(url, {**_OURS, "_port": place[1], **options}, ())
    event.listen(made, "handle_error", _mark_lost)
    return made


def _options(url: URL) -> dict[str, Any]:
    texts = {name: str(text) for name, text in url.query.items()}
    if unknown := sorted(texts.keys() - _OPTIONS.keys() - set(_OTHERS)):
        raise SourceError(
            f"Databricks' URLs have no option {unknown[0]!r}",
            remedy=f"They have {', '.join([*_OTHERS, *_OPTIONS])}.",
        )
    options: dict[str, Any] = {_OPTIONS[name]: texts[name] for name in _OPTIONS if name in texts}
    options["_tls_no_verify"] = texts.get("tls_no_verify", "no").lower() not in ("false", "0", "no")
    return options


def _login(url: URL, verify: bool | str) -> dict[str, Any]:
    """What logs in: the token, or what the URL and Databricks' own variables say else."""
    texts = {name: str(text) for name, text in url.query.items()}
    client = texts.get("client_id") or os.environ.get("DATABRICKS_CLIENT_ID")
    secret = texts.get("client_secret") or os.environ.get("DATABRICKS_CLIENT_SECRET")
    token = url.password or os.environ.get("DATABRICKS_TOKEN")
    if "auth_type" in texts or (token and "client_id" not in texts):
        return {"access_token": token}
    if not (client and secret):
        raise SourceError("Databricks needs a token or another login", remedy=_NO_LOGIN)
    place = f"https://{url.host}:{url.port or _PORT}"
    headers = machine_login(place, client, secret, verify=verify)
    return {"access_token": None, "credentials_provider": lambda: headers}


def _reach(host: str, port: int, verify: bool | str) -> None:
    """Fail at once where the connector would try again for minutes."""
    try:
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((host, port), _REACH_SECONDS) as plain:
            context.wrap_socket(plain, server_hostname=host).close()
    except OSError as error:
        remedy = remedy_for(REMEDIES, str(error), REMEDY)
        raise SourceError(f"{host}:{port} cannot be reached: {error}", remedy=remedy) from None


def _mark_lost(context: Any) -> None:
    """Tell SQLAlchemy which of the driver's errors mean a lost connection."""
    from databricks.sql.exc import RequestError

    if isinstance(context.original_exception, RequestError):
        context.is_disconnect = True


def catalog_of(url: URL) -> str:
    """The catalog that a URL names, as Unity Catalog stores it; "" if it names none."""
    return str(url.query.get("catalog") or "").lower()


def schema_of(url: URL) -> str:
    """The schema that a URL names; "" if it names none."""
    return str(url.query.get("schema") or url.database or "").lower()


def need_catalog(connection: Connection, url: URL) -> None:
    """Check that the URL names a catalog.

    Raises:
        SourceError: it names none; lists those that can be seen, if they can.
    """
    if catalog_of(url):
        return
    try:
        found = [str(row["catalog"]) for row in rows_of(connection, "SHOW CATALOGS")]
    except SQLAlchemyError as error:
        reason = reason_of(error)
        raise SourceError(
            f"The catalogs cannot be listed: {reason}", remedy=remedy_for(REMEDIES, reason)
        ) from None
    names = ", ".join(name for name in found if name not in _NOT_UNITY)
    raise SourceError(
        "The URL names no catalog", remedy=f"Use --catalog NAME for one of: {names or 'none'}."
    )


def identity(url: URL) -> str:
    """The identity of a catalog, without user, warehouse and schema."""
    return identity_of(url.set(host=str(url.host).lower(), database=catalog_of(url)), _PORT)


def cost_of(url: URL, reading: Reading) -> str:
    """As `Backend.cost`."""
    path = str(url.query.get("http_path") or "")
    kind = "SQL warehouse" if "/sql/1.0/" in path else "cluster"
    rows = ", also to read rows of its tables" if reading.data else ""
    return (
        f"This uses the {kind} {path.rstrip('/').rpartition('/')[2]} of {url.host}{rows}: "
        "Databricks starts it if it is stopped, and bills the time that it runs"
    )
