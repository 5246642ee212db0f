"""What a program may do to the Python API: listeners that raise, forks, loops, pickles, files."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pytest

import amx_kimi
from amx_kimi import errors
from amx_kimi.demo.erp import build_sqlite
from amx_kimi.sandbox import Sandbox
from tests.conftest import KEY

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.fixture
def sandbox(start_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setenv("AMX_LLM_API_KEY", KEY)
    return start_sandbox()


@pytest.fixture
def erp(tmp_path: Path) -> str:
    build_sqlite(tmp_path / "erp.db")
    return str(tmp_path / "erp.db")


def describe(database: str, sandbox: Sandbox, **more: Any) -> amx_kimi.Run:
    return amx_kimi.describe(
        database, model="kimi-k2.6", base_url=sandbox.url, **{"limit": 30, **more}
    )


@pytest.mark.parametrize("raised", [ValueError("mine"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("requests", [0, 1])
def test_what_a_listener_raises_reaches_the_caller_and_loses_nothing(
    erp: str,
    sandbox: Sandbox,
    raised: BaseException,
    requests: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def listen(progress: Any) -> None:
        if progress.requests >= requests:
            raise raised

    with pytest.raises(type(raised)):
        describe(erp, sandbox, on_progress=listen)
    assert sandbox.totals.requests >= requests
    with amx_kimi.Journal() as journal:
        (run,) = journal.runs()
        assert run.status == ("interrupted" if raised.args == () else "stopped")
        answered = sandbox.totals.answered
        assert bool(journal.totals(run.id).described) == bool(answered)
    assert describe(erp, sandbox).status == "complete"
    asked = [name for seen in sandbox.chats for name in _names(seen.body)]
    assert len(asked) == len(set(asked))  # nothing was paid for twice
    assert capsys.readouterr().err == ""


def _names(body: Any) -> Iterator[str]:
    for table in json.loads(body["messages"][-1]["content"])["tables"]:
        for column in table["columns"]:
            yield f"{table['name']}.{column['name']}"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if issubclass(kind, amx_kimi.KimiError)])
def test_errors_cross_processes(kind: type[amx_kimi.KimiError]) -> None:
    more = {"status": 429} if issubclass(kind, amx_kimi.ServiceError) else {}
    error = kind("It failed", call="chat", remedy="Try again.", **more)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_a_client_stays_in_its_loop(sandbox: Sandbox) -> None:
    client = amx_kimi.KimiClient(model="kimi-k2.6", base_url=sandbox.url)
    with asyncio.Runner() as here, asyncio.Runner() as there:
        assert here.run(client.chat("Reply with OK.")).content
        with pytest.raises(amx_kimi.ConfigError, match="another event loop or process"):
            there.run(client.chat("Reply with OK."))
        here.run(client.aclose())


def test_a_client_and_a_journal_stay_in_their_process(erp: str, sandbox: Sandbox) -> None:
    with (
        amx_kimi.Journal() as journal,
        amx_kimi.SyncKimiClient(model="kimi-k2.6", base_url=sandbox.url) as client,
    ):
        assert client.chat("Reply with OK.").content
        assert describe(erp, sandbox, journal=journal).status == "complete"
        for attempt in (
            lambda: client.chat("Reply with OK."),
            lambda: describe(erp, sandbox, journal=journal),
        ):
            assert _in_a_fork(attempt) in ("ConfigError", "JournalError")


def _in_a_fork(attempt: Callable[[], object]) -> str:
    """The class of the error that a forked child gets."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except BaseException as error:
            os.write(sender, type(error).__name__.encode())
        os._exit(0)
    os.close(sender)
    os.waitpid(child, 0)
    with os.fdopen(receiver) as file:
        return file.read()


def test_a_file_of_somebody_elses_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE customers (id)")
    connection.close()
    before = path.read_bytes(), path.stat().st_mode
    with pytest.raises(amx_kimi.JournalError, match="database of something else"):
        amx_kimi.Journal(path)
    assert (path.read_bytes(), path.stat().st_mode) == before
    assert [*tmp_path.glob("app.db*")] == [path]


def test_one_duckdb_file_is_described_twice_at_once(tmp_path: Path, sandbox: Sandbox) -> None:
    path = tmp_path / "erp.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE kdstm (kdnr INTEGER, plz VARCHAR)")
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(describe, str(path), sandbox, journal=tmp_path / f"{n}.db")
            for n in range(2)
        ]
        assert [run.result().status for run in runs] == ["complete", "complete"]
    with duckdb.connect(str(path)), pytest.raises(amx_kimi.SourceError, match="opened it itself"):
        describe(str(path), sandbox)
