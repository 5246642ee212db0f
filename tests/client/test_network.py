"""Proxies and certificate authorities, as the environment says."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi
import pytest
import trustme

from amx_kimi.addresses import is_this_machine
from amx_kimi.client import KimiClient, wire
from amx_kimi.errors import ConfigError, KimiError, SilenceError, UnreachableError
from amx_kimi.sandbox import Sandbox

from .helpers import Script, Scripted, chat, piece, profile, response, stream, with_client

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


HERE = [
    *(
        "localhost",
        "LOCALHOST",
        "localhost.",
        "app.localhost",
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "0",
    ),
    *("::1", "[::1]", "::ffff:127.0.0.1", "[::ffff:7f00:1]", "::127.0.0.1", "0x7f.1", "2130706433"),
    *("0.0.0.0", "::", "ip6-localhost", "%31%32%37.0.0.1", socket.gethostname()),
]


@pytest.mark.parametrize("host", HERE, ids=[*HERE[:-1], "its name"])
def test_this_machine_in_all_its_spellings(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize("host", ["example.org", "128.0.0.1", "10.0.0.1", "::2", "::ffff:8.8.8.8"])
def test_other_machines(host: str) -> None:
    assert not is_this_machine(host)


@pytest.mark.parametrize("host", ["127.0.0.2", "[::ffff:127.0.0.1]", "app.localhost", "10.1.2.3"])
def test_plain_http_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    with Scripted(response("")) as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(KimiError):
            chat(profile(f"http://{host}:9/v1"), retries=0)
        assert not proxy.requests


@pytest.mark.usefixtures("_dead_proxy")
def test_a_proxy_is_used_for_everybody_else() -> None:
    with pytest.raises(UnreachableError, match="HTTPS_PROXY"):
        chat(profile("https://10.255.255.1/v1"), retries=0)


def test_a_proxy_that_refuses_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(response("", 407)) as server:
        monkeypatch.setenv("HTTPS_PROXY", server.url.removesuffix("/v1"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(UnreachableError, match="407"):
            chat(profile("https://api.moonshot.ai/v1"), retries=0)
    assert server.requests[0][0].startswith("CONNECT api.moonshot.ai:443")
    assert "authorization" not in server.requests[0][1]


@pytest.mark.parametrize("text", ["", "no PEM", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_ca_bundle_that_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text(text)
    monkeypatch.setenv("AMX_CA_BUNDLE", str(bundle))
    with pytest.raises(ConfigError, match=r"AMX_CA_BUNDLE .*ca\.pem"):
        KimiClient(profile("https://api.moonshot.ai/v1"))


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    """A corporate certificate authority, and its certificate as a file."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "corporate.pem"))
    return ca, tmp_path / "corporate.pem"


@contextmanager
def behind_tls(ca: trustme.CA, host: str, *scripts: Script) -> Iterator[Scripted]:
    """A server on loopback that has a certificate for `host`, on loopback or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(host).configure_cert(context)
    with Scripted(*scripts, tls=context) as server:
        server.url = server.url.replace("http:", "https:")
        yield server


@pytest.mark.parametrize("variable", ["AMX_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_corporate_authority_is_believed_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch, authority: tuple[trustme.CA, Path], variable: str
) -> None:
    ca, bundle = authority
    answer = stream(piece("OK", "stop"))
    with behind_tls(ca, "127.0.0.1", answer) as server:
        with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            chat(profile(server.url), retries=0)
        assert "AMX_CA_BUNDLE" in caught.value.remedy
        assert server.requests == []  # no key was sent
        monkeypatch.setenv(variable, str(bundle))
        assert chat(profile(server.url), retries=0).content == "OK"


def test_a_bundle_is_added_to_the_systems_own(
    monkeypatch: pytest.MonkeyPatch, authority: tuple[trustme.CA, Path], tmp_path: Path
) -> None:
    ca, bundle = authority
    systems = trustme.CA()
    systems.cert_pem.write_to_path(str(tmp_path / "system.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    monkeypatch.setenv("AMX_CA_BUNDLE", str(bundle))
    for signer in (ca, systems):
        with behind_tls(signer, "127.0.0.1", stream(piece("OK", "stop"))) as server:
            assert chat(profile(server.url), retries=0).content == "OK"


def test_certifis_authorities_are_believed_too(
    monkeypatch: pytest.MonkeyPatch, authority: tuple[trustme.CA, Path]
) -> None:
    ca, bundle = authority
    monkeypatch.setattr(certifi, "where", lambda: str(bundle))
    with behind_tls(ca, "127.0.0.1", stream(piece("OK", "stop"))) as server:
        assert chat(profile(server.url), retries=0).content == "OK"


def test_another_hosts_certificate_is_refused(
    monkeypatch: pytest.MonkeyPatch, authority: tuple[trustme.CA, Path]
) -> None:
    ca, bundle = authority
    monkeypatch.setenv("AMX_CA_BUNDLE", str(bundle))
    with behind_tls(ca, "api.moonshot.ai", stream()) as server:
        with pytest.raises(UnreachableError, match="IP address mismatch"):
            chat(profile(server.url), retries=0)
        assert server.requests == []


def test_a_proxys_password_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:canary-password@127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UnreachableError) as caught:
        chat(profile("https://api.moonshot.ai/v1"), retries=0)
    assert "canary" not in str(caught.value)


def named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Have every name mean this address."""

    def found(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize("address", ["8.8.8.8", "::ffff:8.8.8.8", "2001:4860:4860::8888"])
def test_a_bare_name_that_means_a_public_address(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    named(monkeypatch, address)
    with pytest.raises(ConfigError, match="unencrypted"):
        KimiClient(profile("http://kimi/v1"))


@pytest.mark.parametrize("address", ["10.0.0.8", "127.0.0.1", "fd00::1", "fe80::1%eth0"])
def test_a_bare_name_of_the_private_network(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    named(monkeypatch, address)
    KimiClient(profile("http://kimi/v1"))


def test_a_list_of_models_that_drips_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_MOST_GET_SECONDS", 0.3)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
        while True:
            connection.sendall(b" ")
            time.sleep(0.01)

    with Scripted(drip) as server, pytest.raises(SilenceError):
        with_client(profile(server.url), lambda client: client.models())


def test_our_servers_listen_on_loopback_only(start_sandbox: Callable[..., Sandbox]) -> None:
    port = int(start_sandbox().root.rpartition(":")[2])
    listening = {
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    }
    assert listening == {f"0100007F:{port:04X}"}  # 127.0.0.1


def test_a_handshake_that_never_ends_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMX_LLM_TIMEOUT_SEC", "0.2")
    with Scripted(response("")) as server, pytest.raises(UnreachableError):
        chat(profile(server.url.replace("http:", "https:")), retries=0)
