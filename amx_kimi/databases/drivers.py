"""Chooses a driver: a URL without one uses the first that is installed."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from amx_kimi.databases.registry import Kind, find_kind
from amx_kimi.errors import KimiError, SourceError

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["need_driver", "with_driver"]


def need_driver(scheme: str) -> None:
    """Check that a driver is installed for URLs with this first part.

    Raises:
        SourceError: none is; with the pip line.
    """
    kind = find_kind(scheme)
    if kind and not any(map(_is_installed, kind.drivers)):
        raise _missing(kind, error=SourceError)


def with_driver(url: "URL", error: type[KimiError]) -> "URL":
    """`url` with an installed driver in its name.

    Raises:
        KimiError: of the class `error`: no driver is installed (with the pip line), or a password
            contains an `@`, which ends it in a URL.
    """
    if "@" in (url.host or ""):  # the text before it would be used and shown as a host
        raise error(
            "The database URL has more than one @",
            remedy="Write %40 for an @ in a user name or password.",
        )
    scheme, _, driver = url.drivername.partition("+")
    kind = find_kind(scheme)
    if kind is None or not kind.drivers:
        return url
    if not all(map(_is_installed, kind.needs)):
        raise _missing(kind, error)
    if not driver:
        installed = next(filter(_is_installed, kind.drivers), None)
        if installed is None:
            raise _missing(kind, error)
        return url.set(drivername=(kind.engine or f"{kind.name}+{{}}").format(installed))
    if driver not in kind.drivers:
        raise error(
            f"The driver {driver!r} is not supported by amx-kimi",
            remedy=f"Remove it from the URL, or use one of {', '.join(kind.drivers)}.",
        )
    if not _is_installed(driver):
        line = kind.install if driver == kind.drivers[0] else f"pip install {driver}"
        raise error(
            f"The driver {driver!r} for {kind.title} is not installed",
            remedy=f"Install it: {line}",
        )
    return url


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


def _missing(kind: Kind, error: type[KimiError]) -> KimiError:
    return error(f"No driver for {kind.title} is installed", remedy=f"Install one: {kind.install}")
