"""The sync face: in a running loop, in several threads, with callbacks and cancel checks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import pytest

from amx_kimi.client import SyncKimiClient
from amx_kimi.errors import AuthenticationError, MissingKeyError
from amx_kimi.journal import Journal, RunRecorder, runs
from amx_kimi.sandbox import Sandbox

from .helpers import KEY, ask, describe, profile, until

Start = Callable[..., Sandbox]


def test_it_answers(start_sandbox: Start) -> None:
    with SyncKimiClient(profile(start_sandbox().url)) as client:
        assert client.chat(ask()).content
        assert client.models()


def test_it_answers_inside_a_running_loop(start_sandbox: Start) -> None:
    sandbox = start_sandbox()

    async def main() -> str:
        with SyncKimiClient(profile(sandbox.url)) as client:
            return client.chat(ask()).content

    assert asyncio.run(main())


def test_it_answers_many_threads(start_sandbox: Start) -> None:
    sandbox = start_sandbox(latency=0.3)
    with (
        SyncKimiClient(profile(sandbox.url)) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        replies = list(pool.map(lambda _: client.chat(ask()), range(16)))
    assert all(reply.content for reply in replies)
    assert sandbox.totals.peak > 4


def test_callbacks_run_in_the_callers_thread_and_in_order(start_sandbox: Start) -> None:
    threads: set[int] = set()
    content: list[str] = []
    thinking: list[str] = []

    def hear(pieces: list[str]) -> Callable[[str], None]:
        def callback(piece: str) -> None:
            threads.add(threading.get_ident())
            pieces.append(piece)

        return callback

    with SyncKimiClient(profile(start_sandbox().url)) as client:
        reply = client.chat(ask(describe(10)), on_content=hear(content), on_thinking=hear(thinking))
    assert "".join(content) == reply.content
    assert "".join(thinking) == reply.reasoning
    assert threads == {threading.get_ident()}


def test_a_cancel_check_runs_in_the_callers_thread(start_sandbox: Start) -> None:
    threads: set[int] = set()

    def cancelled() -> bool:
        threads.add(threading.get_ident())
        return False

    sandbox = start_sandbox(latency=0.25)
    with SyncKimiClient(profile(sandbox.url)) as client:
        assert client.chat(ask(), cancelled=cancelled).content
    assert threads == {threading.get_ident()}


def test_cancelled_drops_the_request(start_sandbox: Start) -> None:
    sandbox = start_sandbox(latency=30.0)
    with SyncKimiClient(profile(sandbox.url)) as client:
        with pytest.raises(CancelledError):
            client.chat(ask(), cancelled=lambda: sandbox.totals.peak > 0)
        until(lambda: sandbox.chats)
        assert sandbox.chats[0].status == 499
        until(lambda: client._client._limiter.state.in_flight == 0)


def test_cancelled_before_it_began_sends_nothing_more(start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    with SyncKimiClient(profile(sandbox.url)) as client:
        with pytest.raises(CancelledError):
            client.chat(ask(), cancelled=lambda: True)
        assert client.chat(ask()).content


def test_an_error_of_a_callback_drops_the_request(start_sandbox: Start) -> None:
    def stop(_: str) -> None:
        raise ZeroDivisionError

    sandbox = start_sandbox(chunk_delay=0.02)
    with SyncKimiClient(profile(sandbox.url)) as client:
        with pytest.raises(ZeroDivisionError):
            client.chat(ask(describe(30)), on_content=stop)
        until(lambda: sandbox.chats)
        assert sandbox.chats[0].status == 499


def test_errors_reach_the_caller(start_sandbox: Start) -> None:
    sandbox = start_sandbox(keys=("sk-x",))
    with (
        SyncKimiClient(profile(sandbox.url)) as client,
        pytest.raises(AuthenticationError),
    ):
        client.chat(ask())
    with pytest.raises(MissingKeyError):
        SyncKimiClient(profile(sandbox.url, api_key=""))


def test_a_dropped_request_is_settled_in_the_journal(start_sandbox: Start, home: Path) -> None:
    sandbox = start_sandbox(latency=30.0)
    who = profile(sandbox.url)
    with Journal(home / "kimi.db") as journal, SyncKimiClient(who) as client:
        fields = {"source": "s", "database": "d", "profile": "p", "model": "m", "endpoint": "e"}
        run = journal.write_now(runs.begin_run, **fields, currency="USD", options="{}")
        client._client.record_with(RunRecorder(journal, run), run)
        with pytest.raises(CancelledError):
            client.chat(ask(), cancelled=lambda: sandbox.totals.peak > 0)
        until(lambda: client._client._limiter.state.in_flight == 0)
        until(lambda: client._client.budget.reserved == 0)
        until(lambda: journal.read(_outcomes) == ["Cancelled"])
        totals = journal.read(runs.totals, run)
    assert (totals.requests, totals.uncertain) == (1, 1)
    assert totals.cost == client._client.budget.spent


def _outcomes(connection: object) -> list[str]:
    from sqlalchemy import select

    from amx_kimi.journal.schema import requests

    return list(connection.execute(select(requests.c.outcome)).scalars())  # type: ignore[attr-defined]


SCRIPT = f"""
import sys
from dataclasses import replace
from amx_kimi.client import SyncKimiClient
from amx_kimi.config import Profile
from amx_kimi.facts import load_catalog, match_endpoint
from amx_kimi.types import Ask
row = match_endpoint(load_catalog(), sys.argv[1])
client = SyncKimiClient(Profile("p", row, model="kimi-k2-thinking", api_key="{KEY}"))
print(client.chat(Ask([{{"role": "user", "content": "Hello"}}], 3)).finish_reason)
"""


def test_a_process_that_forgets_to_close_ends(start_sandbox: Start) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, start_sandbox().url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "stop\n", "")


FORK = """
import os, sys, warnings
warnings.filterwarnings("ignore", "This process", DeprecationWarning)  # Python 3.12's, at fork
from amx_kimi.client import shared_client
from amx_kimi.config import FoundKey, load_profile
from amx_kimi.settings import Settings
from amx_kimi.types import Ask, Secret
settings = Settings.from_environment()
def chat():
    client = shared_client(load_profile(settings=settings), settings, FoundKey(Secret("sk-k"), ""))
    return client.chat(Ask([{"role": "user", "content": "Reply with OK."}], 10)).content
first = chat()
child = os.fork()
if child == 0:
    print(chat(), flush=True)
    sys.exit(0)
_, status = os.waitpid(child, 0)
print(first, chat(), status)
"""


def test_a_forked_child_begins_anew(start_sandbox: Start, home: Path) -> None:
    home.mkdir()
    known = f"provider: kimi, model: kimi-k2.6, api_base: '{start_sandbox().url}'"
    (home / "config.yml").write_text(f"llm_profiles: {{p: {{{known}}}}}")
    done = subprocess.run(
        [sys.executable, "-c", FORK], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("OK\nOK OK 0\n", "")
