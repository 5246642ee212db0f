"""Choosing a database driver: `postgresql://` takes the one that is there."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from amx_kimi.errors import KimiError

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["with_driver"]

_POSTGRESQL = ("psycopg", "psycopg2", "pg8000")


def with_driver(url: "URL", error: type[KimiError]) -> "URL":
    """`url` with an installed driver in its name.

    Raises:
        KimiError: as the class `error`: no driver is installed (with the pip line), or a password
            has an `@` that the URL takes for its end.
    """
    if "@" in (url.host or ""):  # what stands before it is looked up as a host, and shown
        raise error(
            "The URL of the database has more than one @",
            remedy="Write %40 for an @ in a user's name or a password.",
        )
    if url.drivername in ("postgresql", "postgres"):
        for driver in _POSTGRESQL:
            if find_spec(driver):
                return url.set(drivername=f"postgresql+{driver}")
        raise _missing("PostgreSQL", 'pip install "amx-kimi[postgres]"', error)
    backend, _, driver = url.drivername.partition("+")
    if backend == "postgresql" and driver not in _POSTGRESQL:
        raise error(
            f"The driver {driver!r} is none that amx-kimi can use",
            remedy=f"Leave it out, or take one of {', '.join(_POSTGRESQL)}.",
        )
    if driver and backend == "postgresql" and not find_spec(driver):
        raise _missing(f"PostgreSQL named {driver!r}", f"pip install {driver}", error)
    return url


def _missing(what: str, line: str, error: type[KimiError]) -> KimiError:
    return error(f"No driver for {what} is installed", remedy=f"Install one: {line}")
