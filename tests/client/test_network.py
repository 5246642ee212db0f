"""Proxies and certificate authorities, as the environment says."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import anyio
import certifi
import pytest

from amx_kimi.client import KimiClient
from amx_kimi.errors import ConfigError, UnreachableError
from amx_kimi.sandbox import Sandbox

from .helpers import Scripted, chat, profile, response

PROXIES = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY")


@pytest.fixture
def _dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_dead_proxy")
def test_a_proxy_is_no_way_to_this_very_machine(start_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = start_sandbox()
    assert chat(profile(sandbox.url)).content
    assert chat(profile(sandbox.url.replace("127.0.0.1", "localhost"))).content


@pytest.mark.usefixtures("_dead_proxy")
def test_a_proxy_is_used_for_everybody_else() -> None:
    with pytest.raises(UnreachableError, match="HTTPS_PROXY"):
        chat(profile("http://10.255.255.1/v1"), retries=0)


def test_a_proxy_that_refuses_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(response("", 407)) as server:
        monkeypatch.setenv("HTTPS_PROXY", server.url.removesuffix("/v1"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(UnreachableError, match="407"):
            chat(profile("https://api.moonshot.ai/v1"), retries=0)
    assert server.requests[0][0].startswith("CONNECT api.moonshot.ai:443")
    assert "authorization" not in server.requests[0][1]


def test_a_ca_bundle_is_added(
    monkeypatch: pytest.MonkeyPatch, start_sandbox: Callable[..., Sandbox]
) -> None:
    monkeypatch.setenv("AMX_CA_BUNDLE", certifi.where())
    assert chat(profile(start_sandbox().url)).content


@pytest.mark.parametrize("text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_ca_bundle_that_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text(text)
    monkeypatch.setenv("AMX_CA_BUNDLE", str(bundle))
    with pytest.raises(ConfigError, match=r"AMX_CA_BUNDLE .*ca\.pem"):
        KimiClient(profile("https://api.moonshot.ai/v1"))


def test_certificates_are_checked() -> None:
    async def main() -> None:
        async with KimiClient(profile("https://api.moonshot.ai/v1")) as client:
            with client._connections.take() as http:
                context = http._transport._pool._ssl_context  # type: ignore[attr-defined]
                assert context.verify_mode == ssl.CERT_REQUIRED
                assert context.check_hostname
                assert http.follow_redirects is False

    anyio.run(main)


def test_a_handshake_that_never_ends_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMX_LLM_TIMEOUT_SEC", "0.2")
    with Scripted(response("")) as server, pytest.raises(UnreachableError):
        chat(profile(server.url.replace("http:", "https:")), retries=0)
