"""llmock (PyPI): scripted answers and faults, and its own verdict on how a client took them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.consumers.environments import environment_with
from tests.consumers.servers.conftest import (
    COLUMNS,
    Run,
    assert_all_right,
    assert_ended_well,
    right_answer,
)
from tests.consumers.serving import free_port, serving

pytestmark = pytest.mark.slow


class Llmock:
    """A running server: its base URL, what it is told to do, and its verdict."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.base = f"{url}/v1"

    def behave(self, *behaviors: dict[str, Any]) -> None:
        """Queue behaviours; one with `times: None` is for good."""
        scenario = {"behaviors": behaviors}
        httpx.post(f"{self._url}/_llmock/scenario", json=scenario).raise_for_status()

    @property
    def failings(self) -> list[str]:
        """What the client did wrong, by the server's verdict."""
        verdict = httpx.get(f"{self._url}/_llmock/verdict", params={"format": "text"}).text
        return [line for line in verdict.splitlines() if "FAIL" in line]


@pytest.fixture
def llmock(tmp_path: Path) -> Iterator[Callable[..., Llmock]]:
    """Start it with flags."""
    with ExitStack() as stack:

        def start(*flags: str) -> Llmock:
            program = environment_with("llmock", "llmock==0.2.2", ours=False).with_name("llmock")
            port = free_port()
            command = [str(program), "serve", "--port", str(port), *flags]
            url = f"http://127.0.0.1:{port}"
            stack.enter_context(serving(command, f"{url}/health", tmp_path))
            return Llmock(url)

        yield start


REPLY = {"type": "reply", "text": right_answer(), "times": None}


def test_a_scripted_answer(llmock, run: Run) -> None:
    server = llmock()
    server.behave(REPLY)
    assert_all_right(run(server.base))
    assert not server.failings


@pytest.mark.parametrize("style", ["varied", "echo"])
def test_prose_only(llmock, run: Run, style: str) -> None:
    server = llmock("--response-style", style)
    assert_ended_well(run(server.base), most_requests=3)
    assert not server.failings


FAULTS = {
    "refusals": [
        {"type": "fail", "status": 429, "retry_after": 1, "times": 2},
        {"type": "fail", "status": 529},
    ],
    "streams": [
        {"type": "stream_fault", "kind": kind, "after_chunks": 3}
        for kind in ("truncate", "malformed")
    ],
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_faults_that_pass(llmock, run: Run, faults: list[dict[str, Any]]) -> None:
    server = llmock()
    server.behave(*faults, REPLY)
    outcome = run(server.base)
    assert outcome.code == 0, outcome.told
    assert outcome.figures["described"] == COLUMNS
    assert not server.failings


@pytest.mark.parametrize("status", [401, 402])
def test_a_refusal_for_good(llmock, run: Run, status: int) -> None:
    server = llmock()
    server.behave({"type": "fail", "status": status, "times": None})
    outcome = run(server.base)
    assert_ended_well(outcome, most_requests=3)
    assert str(status) in outcome.told
    assert not server.failings
