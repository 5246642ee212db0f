"""The connection: our own headers only, no redirects, bounded silence, TLS always verified."""

import ssl
from importlib.metadata import version

import certifi
import httpx
import truststore

from amx_kimi.client.wire import bounded
from amx_kimi.errors import ConfigError
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

__all__ = ["open_http"]

_CONNECT_SECONDS = 20.0


def open_http(base_url: str, key: Secret | None, settings: Settings) -> httpx.AsyncClient:
    """A client for one endpoint; proxies as the environment says.

    Raises:
        ConfigError: AMX_CA_BUNDLE is not a PEM file.
    """
    headers = {"User-Agent": f"amx-kimi/{version('amx-kimi')}", "Accept-Encoding": "identity"}
    if key:
        headers["Authorization"] = f"Bearer {key.reveal()}"
    url = httpx.URL(base_url + "/")
    return httpx.AsyncClient(
        base_url=url,
        headers=headers,
        timeout=httpx.Timeout(
            settings.silence_seconds,
            connect=min(_CONNECT_SECONDS, settings.silence_seconds),
            pool=None,
        ),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        follow_redirects=False,
        verify=_tls(settings),
        # A proxy from the environment is no way to this very machine.
        trust_env=url.host not in ("localhost", "127.0.0.1", "::1"),
        event_hooks={"response": [bounded]},
    )


def _tls(settings: Settings) -> ssl.SSLContext:
    """The system's certificate authorities (a corporate CA's place), certifi's, and the user's."""
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certifi.where())
    if settings.ca_bundle:
        try:
            context.load_verify_locations(settings.ca_bundle)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(
                f"AMX_CA_BUNDLE {settings.ca_bundle}: not a PEM file: {error}"
            ) from None
    return context
