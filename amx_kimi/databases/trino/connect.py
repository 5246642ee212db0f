"""A connection to a Trino cluster, set up in the same way for reading and writing.

The driver opens nothing by itself: it sends each statement as an HTTP request (Trino's
documentation, "Trino client REST API", November 2026). So a wrong host or password shows with the
first statement, which lists the catalogs.
"""

import logging
import warnings
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_plus

from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from amx_kimi.databases.server.connect import (
    engine_of,
    identity_of,
    reason_of,
    rows_of,
    without_secrets,
)
from amx_kimi.databases.server.remedies import Remedies, remedy_for
from amx_kimi.errors import SourceError

__all__ = ["REMEDY", "code_of", "engine", "identity", "open_catalog", "place_of"]
__all__ += ["REMEDIES", "reopening"]

REMEDY = "Check host, port, catalog, user and password."
_NAME = "amx-kimi"
_TIMEOUT = (10, 30)  # to connect, and until the next byte, in seconds
_LONGEST = "30s"
_TLS_PORT, _PORT = 443, 8080
_OWN = ("http_scheme", "verify", "tls_trusted_ca_file")
_LOGINS = ("access_token", "cert", "externalAuthentication")
_LONGEST_ANSWER = 200

_ANSWERS = {
    "error 401": "the login was refused (401)",
    "error 403": "this address is forbidden for this user (403)",
    "error 404": "there is no Trino at this address (404)",
}
REMEDIES: Remedies = {
    r"\(401\)": "Check user and password, or the token (an expired one is refused, too).",
    r"\(403\)": "Check the network policy, and whether the user may use this cluster.",
    r"\(404\)": "Check host and port; a proxy may stand before the cluster.",
    "no Trino": "Check host, port and http_scheme.",
    "CERTIFICATE_VERIFY_FAILED": "Give the authority's file: ?tls_trusted_ca_file=FILE.",
    "WRONG_VERSION_NUMBER": "The server speaks no https on this port: name its port for https "
    "(without a password, ?http_scheme=http).",
    "Access Denied": "Ask for this right, or name another user or role (?roles=).",
    "maximum run time": 'Choose some schemas with --schema, or wait longer: ?session_properties={"'
    'query_max_run_time": "10m"}.',
    "Max retries exceeded": "Check host, port, network and VPN.",
}


def engine(url: URL) -> Engine:
    """An engine with one connection, which is not open yet.

    Raises:
        SourceError: no driver is installed, or an option of the URL is not usable.
    """
    logging.getLogger("trino").addHandler(logging.NullHandler())  # or it warns on the terminal
    if _has_login(url) and _scheme(url) == "http" and "allow_insecure_auth" not in url.query:
        raise SourceError(
            "Passwords and tokens are sent over https only",
            remedy="Use ?http_scheme=https, and the cluster's port for it.",
        )
    if not url.host:
        raise SourceError("The URL names no host", remedy="Write trino://user@host:443/catalog.")
    options: dict[str, Any] = {"request_timeout": _TIMEOUT, "http_scheme": _scheme(url)}
    if "source" not in url.query:
        options["source"] = _NAME
    if "client_tags" not in url.query:
        options["client_tags"] = [_NAME]
    if str(url.query.get("verify", "")).lower() in ("false", "0", "no"):
        _hush()
        options["http_session"] = _session(verify=False)
    elif authority := url.query.get("tls_trusted_ca_file"):
        options["http_session"] = _session(verify=str(authority))
    plain = url.difference_update_query(_OWN).set(database=(url.database or "").lower())
    made = engine_of(plain, options, ())
    event.listen(made, "handle_error", _in_sqlalchemys_words)
    return made


def open_catalog(connection: Connection, url: URL) -> str:
    """Check the login and the catalog that a URL names; returns the catalog's name.

    Raises:
        SourceError: the cluster refuses, or there is no such catalog; names those that there are.
    """
    shown = without_secrets(url).render_as_string()
    try:
        catalogs = sorted(str(row["catalog"]) for row in rows_of(connection, "SHOW CATALOGS"))
    except SQLAlchemyError as error:
        reason = reason_of(error)
        raise SourceError(
            f"{shown} cannot be opened: {reason:.400}", remedy=remedy_for(REMEDIES, reason, REMEDY)
        ) from None
    name = place_of(url)[0]
    if name not in catalogs:
        seen = ", ".join(one for one in catalogs if one != "system") or "none"
        raise SourceError(
            f"{shown} names no catalog" if not name else f"There is no catalog {name!r} for you",
            remedy=f"Use --catalog NAME, or {url.get_backend_name()}://host/CATALOG. You may see: "
            f"{seen}.",
        )
    if "query_max_run_time" not in str(url.query.get("session_properties", "")):
        with suppress(SQLAlchemyError):  # a cluster may forbid that
            rows_of(connection, f"SET SESSION query_max_run_time = '{_LONGEST}'")
    return name


def place_of(url: URL) -> tuple[str, str]:
    """The catalog and the schema that a URL names, or ""; Trino's names are in lower case."""
    catalog, _, schema = (unquote_plus(url.database or "")).lower().partition("/")
    return catalog, schema


def identity(url: URL) -> str:
    """The identity of a URL's catalog."""
    port = _TLS_PORT if _scheme(url) == "https" else _PORT
    return identity_of(url.set(database=place_of(url)[0]), port)


def reopening(url: URL) -> str:
    """A URL that opens the catalog again, without the password."""
    plain = without_secrets(url)
    if _scheme(url) == "https":  # which is otherwise told by the password
        plain = plain.update_query_dict({"http_scheme": "https"})
    return plain.render_as_string()


def code_of(error: DBAPIError) -> str:
    """Trino's name of an error, such as `TABLE_NOT_FOUND`, or ""."""
    return str(getattr(error.orig, "error_name", None) or "")


def _scheme(url: URL) -> str:
    told = url.query.get("http_scheme")
    return str(told or ("https" if _has_login(url) or url.port == _TLS_PORT else "http"))


def _has_login(url: URL) -> bool:
    return bool(url.password) or any(name in url.query for name in _LOGINS)


def _session(*, verify: str | bool) -> Any:
    """What sends requests. Without this, REQUESTS_CA_BUNDLE would be stronger than the URL."""
    from requests import Session

    class Chosen(Session):
        def merge_environment_settings(
            self, url: Any, proxies: Any, stream: Any, chosen: Any, cert: Any
        ) -> Any:
            chosen = verify if chosen is None else chosen
            return super().merge_environment_settings(url, proxies, stream, chosen, cert)

    return Chosen()


def _hush() -> None:
    """A person who asked for no verification needs no warning for each request."""
    from urllib3.exceptions import InsecureRequestWarning

    warnings.filterwarnings("ignore", category=InsecureRequestWarning)


def _in_sqlalchemys_words(context: ExceptionContext) -> OperationalError | None:
    """Refused HTTP requests, and answers that are not Trino's, are no errors of PEP 249."""
    error = context.original_exception
    if context.sqlalchemy_exception is None and isinstance(error, Exception):
        told = str(error)
        words = next((text for start, text in _ANSWERS.items() if told.startswith(start)), told)
        if isinstance(error, ValueError | LookupError):  # no JSON, or another's
            words = "what answers at this address is no Trino"
        plain = Exception(f"{words:.{_LONGEST_ANSWER}}")
        return OperationalError(context.statement, None, plain)
    return None
