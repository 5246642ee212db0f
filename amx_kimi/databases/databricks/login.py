"""Logs a service principal in (OAuth, machine to machine). The connector leaves that to its
caller."""

import time
from collections.abc import Callable, Mapping

from amx_kimi.errors import SourceError

__all__ = ["machine_login"]

_EARLY_SECONDS = 60  # a token is renewed so long before it ends
Headers = Callable[[], Mapping[str, str]]


def machine_login(place: str, client: str, secret: str, *, verify: bool | str) -> Headers:
    """Log in at once. What is returned makes the headers of each request, and logs in again before
    the token ends.

    Raises:
        SourceError: Databricks refuses the client.
    """
    token, ends = _fetch(place, client, secret, verify)

    def headers() -> Mapping[str, str]:
        nonlocal token, ends
        if time.monotonic() > ends - _EARLY_SECONDS:
            token, ends = _fetch(place, client, secret, verify)
        return {"Authorization": f"Bearer {token}"}

    return headers


def _fetch(place: str, client: str, secret: str, verify: bool | str) -> tuple[str, float]:
    import ssl

    import httpx

    trusted = ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify
    asked = {"grant_type": "client_credentials", "scope": "all-apis"}
    try:
        with httpx.Client(verify=trusted, timeout=30) as web:
            answer = web.post(f"{place}/oidc/v1/token", data=asked, auth=(client, secret))
        told = answer.json() if answer.content else {}
        if answer.status_code == 200:
            return str(told["access_token"]), time.monotonic() + float(told["expires_in"])
        reason = told.get("error_description") or told.get("error") or answer.status_code
    except (httpx.HTTPError, OSError, ValueError, KeyError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error!s:.200}"
    raise SourceError(
        f"Databricks does not let the service principal {client} in: {reason!s:.300}",
        remedy="Check client_id and client_secret (DATABRICKS_CLIENT_SECRET), and that the service "
        "principal belongs to the workspace.",
    )
