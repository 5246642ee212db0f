"""aimock (npm), with fixtures, as a proxy, and with its chaos."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import KEY
from tests.consumers.environments import needs_npm, node_program
from tests.consumers.servers.conftest import (
    COLUMNS,
    Run,
    assert_all_right,
    assert_ended_well,
    right_answer,
)
from tests.consumers.serving import free_port, serving

Start = Callable[..., str]
pytestmark = [pytest.mark.slow, needs_npm]


@pytest.fixture
def aimock(tmp_path: Path) -> Iterator[Start]:
    """Start it with flags and fixtures; its base URL."""
    with ExitStack() as stack:

        def start(*flags: str, content: str, asked: str = "describe") -> str:
            folder = tmp_path / "fixtures"
            folder.mkdir()
            one = {"match": {"userMessage": asked}, "response": {"content": content}}
            (folder / "one.json").write_text(json.dumps({"fixtures": [one]}))
            port = free_port()
            program = node_program("aimock", "@copilotkit/aimock@1.43.0", "llmock")
            command = [str(program), "--port", str(port), "--fixtures", str(folder), *flags]
            url = f"http://127.0.0.1:{port}"
            stack.enter_context(serving(command, f"{url}/health", tmp_path))
            return f"{url}/v1"

        yield start


def test_a_fixture_with_the_answer(aimock: Start, run: Run) -> None:
    outcome = run(aimock(content=right_answer()))
    assert_all_right(outcome)
    assert outcome.figures["tokens"]["completion"] > 0


def test_a_proxy_to_the_sandbox(aimock: Start, run: Run, start_sandbox) -> None:
    sandbox = start_sandbox(keys=(KEY,))
    upstream = sandbox.url.removesuffix("/v1")
    url = aimock("--proxy-only", "--provider-openai", upstream, content="unused", asked="nothing")
    outcome = run(url, key=KEY)
    assert outcome.code == 0, outcome.told
    assert outcome.figures["described"] == COLUMNS
    assert outcome.figures["tokens"]["prompt"] == sandbox.totals.prompt_tokens


@pytest.mark.parametrize("said", ["I am sorry, I can only chat.", '{"message": "Hello"}'])
def test_an_answer_without_entries(aimock: Start, run: Run, said: str) -> None:
    assert_ended_well(run(aimock(content=said)), most_requests=3)


def test_no_fixture_fits(aimock: Start, run: Run) -> None:
    outcome = run(aimock(content="unused", asked="never said"))
    assert_ended_well(outcome, most_requests=3)
    assert "No fixture matched" in outcome.told


@pytest.mark.parametrize("chaos", ["malformed", "disconnect"])
def test_chaos_at_every_request(aimock: Start, run: Run, chaos: str) -> None:
    url = aimock(f"--chaos-{chaos}", "1", content=right_answer())
    assert_ended_well(run(url), most_requests=12)
