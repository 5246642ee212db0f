"""The connections: only our own headers, no redirects, limited silence, TLS always verified."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

import certifi
import httpx
import truststore

from amx_kimi.addresses import is_this_machine, public_address
from amx_kimi.client.bounds import bounded
from amx_kimi.errors import ConfigError
from amx_kimi.files import open_regular
from amx_kimi.settings import Settings
from amx_kimi.types import Secret

__all__ = ["Connections", "versioned"]

_CONNECT_SECONDS = 20.0


class Connections:
    """Connections to one endpoint, with the environment's proxies (for https only).

    Each is an httpx client with one connection, because httpx's own pool checks the socket of every
    idle connection at each request: half of all the work with 50 of them (`benchmarks/README.md`).

    Raises:
        ConfigError: AMX_CA_BUNDLE is not a PEM file, a plain http name leads to a public address,
            or a proxy of the environment is not usable.
    """

    def __init__(self, base_url: str, key: Secret | None, settings: Settings) -> None:
        self._url = httpx.URL(base_url + "/")
        if self._url.scheme == "http" and (address := public_address(self._url.host)):
            raise ConfigError(
                f"{base_url} leads to {address}: the key would be sent unencrypted over a public "
                "network",
                remedy="Use https. Plain http is allowed only to loopback and private addresses.",
            )
        # Not a dict, so that a traceback with local variables does not show the key.
        self._headers = httpx.Headers(
            {"User-Agent": f"amx-kimi/{version('amx-kimi')}", "Accept-Encoding": "identity"}
        )
        if key:
            self._headers["Authorization"] = f"Bearer {key.reveal()}"
        self._timeout = httpx.Timeout(
            settings.silence_seconds,
            connect=min(_CONNECT_SECONDS, settings.silence_seconds),
            pool=None,
        )
        self._tls = _tls(settings)
        self._idle: list[httpx.AsyncClient] = [self._first()]

    @contextmanager
    def take(self) -> Iterator[httpx.AsyncClient]:
        """A connection that nobody else uses now; an open one if there is one."""
        http = self._idle.pop() if self._idle else self._open()
        try:
            yield http
        finally:
            self._idle.append(http)

    async def aclose(self) -> None:
        """Close them."""
        while self._idle:
            await self._idle.pop().aclose()

    def _first(self) -> httpx.AsyncClient:
        """The first connection, which tells whether the environment's proxies are usable."""
        try:
            return self._open()
        except ImportError:
            raise ConfigError(
                "The environment names a SOCKS proxy, but the package for it is not installed",
                remedy="pip install 'amx-kimi[socks]'",
            ) from None
        except (
            ValueError,
            TypeError,
            KeyError,
            httpx.InvalidURL,
        ):  # no local: it may hold a password
            raise ConfigError(
                "A proxy variable does not contain a usable URL",
                remedy="Check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY. A proxy is "
                "written as http://host:port or socks5://host:port.",
            ) from None

    def _open(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self._url,
            headers=self._headers,
            timeout=self._timeout,
            follow_redirects=False,
            verify=self._tls,
            # Through a proxy, plain http would show the key to whoever runs the proxy; and no proxy
            # leads to this machine.
            trust_env=self._url.scheme == "https" and not is_this_machine(self._url.host),
            event_hooks={"response": [bounded]},
        )


def versioned(base_url: str) -> str | None:
    """`base_url` with `/v1` appended; None if its path already ends in a version."""
    path = httpx.URL(base_url).path.rstrip("/")
    return None if re.search(r"/v\d+\w*$", path) else f"{base_url.rstrip('/')}/v1"


def _tls(settings: Settings) -> ssl.SSLContext:
    """The system's certificate authorities (a corporate CA's place), certifi's, and the user's."""
    if not settings.ca_bundle:
        return _usual_tls(certifi.where())
    context = _trusting(certifi.where())
    try:
        open_regular(Path(settings.ca_bundle)).close()  # a pipe would be waited for
        context.load_verify_locations(settings.ca_bundle)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(f"AMX_CA_BUNDLE {settings.ca_bundle}: not a PEM file: {error}") from None
    return context


@cache
def _usual_tls(authorities: str) -> ssl.SSLContext:
    """One for all clients of this process: to read the authorities takes longer than a request."""
    return _trusting(authorities)


def _trusting(authorities: str) -> ssl.SSLContext:
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authorities)
    return context
