"""A connection to Amazon Redshift, set up in the same way for reading and writing.

The driver is Amazon's own, as in AMX: it knows the logins of IAM and of identity providers. Its
options are those of the URL.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Engine
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from amx_kimi.databases.registry import find_kind
from amx_kimi.databases.server.connect import (
    connect,
    engine_of,
    identity_of,
    reason_of,
    rows_of,
    without_secrets,
)
from amx_kimi.databases.server.remedies import Remedies, remedy_for
from amx_kimi.errors import SourceError

__all__ = ["REMEDY", "billed", "engine", "identity", "opening"]

REMEDY = "Check host, port, database, user and password, and whether this network may connect."

_PORT = 5439
_ANY_DATABASE = "dev"  # which every cluster has, unless it was renamed
_SECONDS = 30  # of the socket: to connect, and for each answer
# COMMIT ends a transaction in which a statement failed, too.
_SET_UP = ("!SET statement_timeout TO 25000", "!COMMIT")
_READ_ONLY = ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "COMMIT")
_WORDS = {"true": True, "false": False}

_REMEDIES: Remedies = {
    "password authentication failed": "Check user and password.",
    "does not exist": "Check the name of the database.",
    "refuses SSL": "Add ?ssl=false to the URL; an AMX profile has no field for it.",
    "ExpiredToken": "The AWS login has expired: log in again (aws sso login --profile NAME).",
    "NoCredentials": "Log in to AWS, or name a profile: ?iam=true&profile=NAME.",
    "Unable to locate credentials": "Log in to AWS, or name a profile: ?iam=true&profile=NAME.",
    "AccessDenied": "Ask for the right redshift:GetClusterCredentials, or name another profile.",
    "ClusterNotFound": "Check cluster_identifier and region.",
    r"time[d ]*out": "Check host and port, the security group, and whether the cluster is paused.",
}


def engine(url: URL, *, read_only: bool) -> Engine:
    """An engine with one connection, which is not open yet.

    Raises:
        SourceError: no driver is installed, or an option of the URL is not usable.
    """
    logging.getLogger("redshift_connector").addHandler(logging.NullHandler())
    told = {name: _WORDS[str(text)] for name, text in url.query.items() if text in _WORDS}
    options: dict[str, Any] = {"application_name": "amx-kimi", "timeout": _SECONDS, **told}
    try:
        return engine_of(url, options, (*_SET_UP, *(_READ_ONLY if read_only else ())))
    except NoSuchModuleError:
        kind = find_kind("redshift")
        raise SourceError(
            "SQLAlchemy's dialect for Amazon Redshift is not installed",
            remedy=f"Install it: {kind.install if kind else ''}",
        ) from None


@contextmanager
def opening(url: URL) -> Iterator[None]:
    """While a database is opened: the URL must name one, and Amazon's errors become ours.

    Raises:
        SourceError: it cannot be opened; says why.
    """
    shown = without_secrets(url).render_as_string()
    if not url.database:
        raise SourceError(
            f"{shown} names no database",
            remedy=f"Use --catalog NAME, or redshift://host/DATABASE. There are: {_databases(url)}",
        )
    try:
        yield
    except SourceError as error:
        remedy = remedy_for(_REMEDIES, error.message, error.remedy)
        raise SourceError(error.message, remedy=remedy) from None
    except Exception as error:  # boto's and the identity providers' are of many classes
        words = f"{type(error).__name__}: {reason_of(error):.300}"
        remedy = remedy_for(_REMEDIES, words, REMEDY)
        raise SourceError(f"{shown} cannot be opened: {words}", remedy=remedy) from None


def billed(url: URL) -> str:
    """What a serverless workgroup bills; "" for a cluster."""
    host = (url.host or "").lower()
    group = url.query.get("serverless_work_group") or host.partition(".")[0]
    is_serverless = "redshift-serverless" in host or any(
        url.query.get(name) not in (None, "", "false")
        for name in ("is_serverless", "serverless_work_group")
    )
    if not is_serverless:
        return ""
    return (
        f"The Redshift Serverless workgroup {group} bills for each query, also of the catalog: "
        "RPU-hours, for at least 60 seconds"
    )


def identity(url: URL) -> str:
    """The identity of a URL's database."""
    name = url.query.get("serverless_work_group") or url.query.get("cluster_identifier")
    return identity_of(url if url.host else url.set(host=str(name or "localhost")), _PORT)


def _databases(url: URL) -> str:
    query = "SELECT datname AS name FROM pg_database WHERE datallowconn ORDER BY datname"
    made = engine(url.set(database=_ANY_DATABASE), read_only=True)
    try:
        with connect(made, REMEDY) as connection:
            names = [str(row["name"]) for row in rows_of(connection, query)]
    except SQLAlchemyError as error:
        return f"unknown ({reason_of(error):.200})"
    except SourceError as error:
        return f"unknown ({error.message:.200})"
    finally:
        made.dispose()
    return ", ".join(name for name in names if name not in ("padb_harvest", "template1")) + "."
