"""A canary key inside the process: reprs, pickles, tracebacks with locals, libraries' logs."""

from __future__ import annotations

import logging
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from amx_kimi.client import KimiClient, SyncKimiClient
from amx_kimi.config import Profile, find_key
from amx_kimi.errors import KimiError
from amx_kimi.sandbox import Sandbox
from amx_kimi.sandbox.faults import ANSWER_FAULTS, KINDS
from amx_kimi.settings import Settings
from amx_kimi.types import Secret
from tests.canary import CANARY, leaks

from .helpers import Scripted, ask, chat, profile, response, stream, with_client

Start = Callable[..., Sandbox]


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Everything that any library logs, httpx, httpcore and asyncio among them."""
    with caplog.at_level(logging.DEBUG):
        for name in ("httpx", "httpcore", "anyio", "asyncio", "aiohttp", "amx_kimi"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        yield caplog
        for name in ("httpx", "httpcore", "anyio", "asyncio", "aiohttp", "amx_kimi"):
            logging.getLogger(name).setLevel(logging.NOTSET)


def holders(url: str) -> list[Any]:
    """Everything that has the key, or what has it."""
    who = profile(url, api_key=CANARY)
    settings = Settings(api_key=Secret(CANARY))
    return [who, settings, Secret(CANARY), find_key(who, settings)]


def test_no_repr_and_no_text_shows_it(start_sandbox: Start) -> None:
    url = start_sandbox().url
    for one in holders(url):
        for text in (repr(one), str(one), f"{one}", f"{one!r:>200}", repr([one]), repr({1: one})):
            assert leaks(text) == []

    async def look(client: KimiClient) -> None:
        await client.chat(ask())
        for one in (client, client.key, client._connections, vars(client), client._limiter):
            assert leaks(repr(one)) == []
        with client._connections.take() as http:
            for part in (http, http.headers, vars(client._connections)):
                assert leaks(repr(part)) == []

    with_client(profile(url, api_key=CANARY), look)
    with SyncKimiClient(profile(url, api_key=CANARY)) as client:
        assert leaks(repr(client) + repr(vars(client))) == []


@pytest.mark.parametrize("number", range(4))
def test_no_pickle_has_it(number: int) -> None:
    one = holders("http://127.0.0.1:9/v1")[number]
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(one)


def test_a_profile_without_a_key_in_clear_is_pickled() -> None:
    one = profile("http://127.0.0.1:9/v1", api_key="keyring://amx/p/api_key")
    again = pickle.loads(pickle.dumps(one))
    assert isinstance(again, Profile)
    assert again == one


@pytest.mark.parametrize(
    "fault", [*sorted({*KINDS} - {*ANSWER_FAULTS, "drip"}), "echo", "nobody", "ca"]
)
def test_no_traceback_shows_it_even_with_the_locals(
    start_sandbox: Start,
    logged: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
    fault: str,
) -> None:
    """As `rich` and typer print them, in a program that has us inside."""
    monkeypatch.setenv("AMX_LLM_TIMEOUT_SEC", "0.3")
    if fault == "ca":
        (tmp_path / "ca.pem").write_text("none")
        monkeypatch.setenv("AMX_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with Scripted(_repeated()) as echo:
        url = start_sandbox(faults=f"{fault}@1-" if fault in KINDS else "").url
        url = {"echo": echo.url, "nobody": "http://127.0.0.1:9/v1"}.get(fault, url)
        who = profile(url, api_key=CANARY)
        try:
            chat(who, retries=0, patience=0.0)
        except KimiError:
            told = traceback.TracebackException(*sys.exc_info(), capture_locals=True)  # type: ignore[arg-type]
        else:
            raise AssertionError("it went well")
    text = "".join(told.format())
    assert "client" in text
    assert leaks(text) == []
    assert leaks(logged.text) == []
    assert logged.records or fault == "ca"


def _repeated() -> list[bytes]:
    """A refusal that repeats the key."""
    error = {"type": "incorrect_api_key_error", "message": f"{CANARY} is wrong"}
    return response({"error": error}, 401)


def test_redirects_carry_no_key_away(start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    with Scripted(response("", 307, location=f"{sandbox.url}/chat/completions")) as server:
        with pytest.raises(KimiError, match="307"):
            chat(profile(server.url, api_key=CANARY), retries=0)
        with pytest.raises(KimiError, match="307"):
            with_client(profile(server.url, api_key=CANARY), lambda client: client.models())
    assert sandbox.seen == []


def test_an_answer_that_repeats_the_key_is_told_without_it() -> None:
    """In a list of models, say."""
    with Scripted(response({"error": CANARY}, 400)) as server, pytest.raises(KimiError) as caught:
        with_client(profile(server.url, api_key=CANARY), lambda client: client.models())
    assert leaks(str(caught.value)) == []
    broken = stream({"error": {"type": "server_error", "message": f"no {CANARY}"}})
    with Scripted(broken) as server, pytest.raises(KimiError) as caught:
        chat(profile(server.url, api_key=CANARY), retries=0)
    assert leaks(str(caught.value)) == []


def test_httpx_alone_would_have_hidden_it_too() -> None:
    """What we rely on: its headers hide the key in their repr."""
    assert leaks(repr(httpx.Headers({"Authorization": f"Bearer {CANARY}"}))) == []
