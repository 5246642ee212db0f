"""As whom BigQuery is asked: by a file or Application Default Credentials, or for another."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import google.auth
from google.auth import impersonated_credentials
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.exceptions import GoogleAuthError
from sqlalchemy import URL

from amx_kimi.addresses import is_this_machine
from amx_kimi.databases.bigquery.errors import explained
from amx_kimi.errors import SourceError

__all__ = ["credentials_of", "options_of"]

_OPTIONS = ("credentials_path", "impersonate_service_account", "api_endpoint", "location")
_SCOPE = "https://www.googleapis.com/auth/bigquery"
_CLOUD = "https://www.googleapis.com/auth/cloud-platform"


def options_of(url: URL) -> Mapping[str, str]:
    """The options of a URL.

    Raises:
        SourceError: there is another one, or `api_endpoint` is another machine's without TLS.
    """
    found = {name: text if isinstance(text, str) else text[-1] for name, text in url.query.items()}
    if unknown := sorted(found.keys() - set(_OPTIONS)):
        raise SourceError(
            f"A BigQuery URL has no option {unknown[0]!r}",
            remedy=f"There are {', '.join(_OPTIONS)}.",
        )
    place = urlsplit(found.get("api_endpoint", ""))
    if place.geturl() and place.scheme != "https" and not _is_emulator(found):
        raise SourceError(
            "The api_endpoint of the BigQuery URL has no https://",
            remedy="http:// is allowed only for an emulator on this machine.",
        )
    return found


def _is_emulator(options: Mapping[str, str]) -> bool:
    place = urlsplit(options.get("api_endpoint", ""))
    return place.scheme == "http" and is_this_machine(place.hostname or "")


def credentials_of(options: Mapping[str, str], *, read_only: bool) -> tuple[Credentials, str]:
    """Credentials, and the project that they name, or "".

    Raises:
        SourceError: there are none, or they cannot be used.
    """
    if _is_emulator(options):
        return AnonymousCredentials(), ""
    scope = f"{_SCOPE}.readonly" if read_only else _SCOPE
    account = options.get("impersonate_service_account")
    try:
        with warnings.catch_warnings():  # such as: a quota project is not set
            warnings.simplefilter("ignore")
            found, project = _own(options, _CLOUD if account else scope)
    except (GoogleAuthError, ValueError, OSError) as error:
        raise explained(error, "The credentials for BigQuery cannot be used") from None
    if account:
        found = impersonated_credentials.Credentials(found, account, [scope])
    return found, project or ""


def _own(options: Mapping[str, str], scope: str) -> tuple[Credentials, str | None]:
    if path := options.get("credentials_path"):
        file = str(Path(path).expanduser())
        found, project = google.auth.load_credentials_from_file(file, scopes=[scope])
    else:
        found, project = google.auth.default(scopes=[scope])
    return found, project
