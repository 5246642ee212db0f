"""BigQuery's refusals, with what to do about them."""

import re
from typing import TypeGuard

from google.api_core.exceptions import (
    ClientError,
    Forbidden,
    GoogleAPICallError,
    GoogleAPIError,
    NotFound,
    RetryError,
)
from google.auth.exceptions import GoogleAuthError, TransportError
from requests.exceptions import RequestException

from amx_kimi.errors import SourceError

__all__ = ["FAILURES", "explained", "is_about_one", "reason_of"]

FAILURES = (GoogleAPIError, GoogleAuthError, RequestException)
"""What a call of the API raises."""

_LOG_IN = (
    "Log in again with `gcloud auth application-default login`, or name a key file: "
    "?credentials_path=FILE, or credentials_path in AMX's database profile."
)
_OF_ALL = ("quotaExceeded", "rateLimitExceeded", "accessNotConfigured", "billingNotEnabled")
_CALL = re.compile(r"^[A-Z]+ https?://\S+: ")
_PERMISSION = re.compile(r"\b(?:bigquery|resourcemanager|serviceusage)\.\w+\.\w+\b")
_ROLES = {
    "bigquery.tables.update": "roles/bigquery.dataEditor",
    "bigquery.tables.getData": "roles/bigquery.dataViewer",
    "serviceusage.services.use": "roles/serviceusage.serviceUsageConsumer",
}
_READER = "roles/bigquery.metadataViewer"

# Parts of the API's messages or its `reason`s (BigQuery's page on error messages, 2026), in the
# order in which they are looked for.
_REMEDIES = {
    "accessNotConfigured": "Enable the BigQuery API in the project, or check the project's id.",
    "has not been used in project": "Enable the BigQuery API in the project, or check its id.",
    "has not enabled BigQuery": "Enable the BigQuery API in the project, or check its id.",
    "Not found: Project": "Check the project's id (not its name or number), --catalog PROJECT.",
    "Not found: Dataset": "Check the dataset's name; without one, all of the project are read.",
    "iam.serviceAccounts.getAccessToken": "To act as a service account, you need "
    "roles/iam.serviceAccountTokenCreator on it.",
    "quotaExceeded": "Wait, or ask for more quota; nothing was written.",
    "rateLimitExceeded": "Wait a minute, and repeat the command.",
    "billing": "Enable billing in the project. (What amx-kimi calls is free, but an account that "
    "is closed refuses that, too.)",
    "sandbox": "The project is in BigQuery's sandbox, which does not allow this.",
    "invalid_grant": _LOG_IN,
    "eauthenticat": _LOG_IN,
    "credentials were not found": _LOG_IN,
    "invalid authentication credentials": _LOG_IN,
}


def reason_of(error: Exception) -> str:
    """What the API said, in one line, without the address that was called."""
    if isinstance(error, RetryError) and isinstance(error.cause, Exception):
        return reason_of(error.cause)
    if isinstance(error, RequestException | TransportError):
        return "BigQuery cannot be reached"
    told = error.message if isinstance(error, GoogleAPICallError) else None
    parts = [part for part in error.args if isinstance(part, str)]
    plain = _CALL.sub("", str(told or " ".join(parts) or error))
    return " ".join(plain.split())[:500]


def _codes(error: Exception) -> list[str]:
    told = error.errors if isinstance(error, GoogleAPICallError) else ()
    return [str(one.get("reason")) for one in told if isinstance(one, dict)]


def is_about_one(error: Exception) -> TypeGuard[ClientError]:
    """Whether only this one table is gone or closed to the user."""
    is_of_all = any(code in _OF_ALL for code in _codes(error))
    return isinstance(error, NotFound) or (isinstance(error, Forbidden) and not is_of_all)


def explained(error: Exception, what: str = "") -> SourceError:
    """The error for a person: what was wrong, and what to do about it."""
    reason = reason_of(error)
    return SourceError(f"{what}: {reason}" if what else reason, remedy=_remedy(error, reason))


def _remedy(error: Exception, reason: str) -> str:
    words = " ".join([reason, *_codes(error)])
    for part, remedy in _REMEDIES.items():
        if part in words:
            return remedy
    if permission := _PERMISSION.search(words):
        role = _ROLES.get(permission[0], _READER)
        return f"Ask for a role that has {permission[0]}, such as {role}."
    if isinstance(error, RequestException | TransportError | RetryError):
        return "Check the network, a proxy (HTTPS_PROXY), and ?api_endpoint= if there is one."
    return _LOG_IN if isinstance(error, GoogleAuthError) else ""
