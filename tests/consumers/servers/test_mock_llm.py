"""mock-llm (npm): an echo by default; never tells usage; its refusals stream with status 200."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.consumers.environments import needs_npm, node_program
from tests.consumers.servers.conftest import (
    Run,
    assert_all_right,
    assert_ended_well,
    right_answer,
)
from tests.consumers.serving import free_port, serving

Start = Callable[..., str]
pytestmark = [pytest.mark.slow, needs_npm]


@pytest.fixture
def mock_llm(tmp_path: Path) -> Iterator[Start]:
    """Start it, with a rule for chats or with its defaults; its base URL."""
    with ExitStack() as stack:

        def start(answer: Any = None, status: int = 200) -> str:
            program = node_program("mock-llm", "@dwmkerr/mock-llm@0.1.29", "mock-llm")
            command = [str(program)]
            if answer is not None:
                response = {"status": status, "content": json.dumps(answer)}
                rule = {"path": "/v1/chat/completions", "match": "@", "response": response}
                streaming = {"chunkSize": 50, "chunkIntervalMs": 1}
                config = tmp_path / "rules.yaml"
                config.write_text(yaml.safe_dump({"streaming": streaming, "rules": [rule]}))
                command += ["--config", str(config)]
            port = free_port()
            environment = {"HOST": "127.0.0.1", "PORT": str(port)}
            url = f"http://127.0.0.1:{port}"
            stack.enter_context(serving(command, f"{url}/health", tmp_path, environment))
            return f"{url}/v1"

        yield start


def _completion(content: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"choices": [{"message": message, "finish_reason": "stop"}]}


def test_a_rule_with_the_answer(mock_llm: Start, run: Run) -> None:
    assert_all_right(run(mock_llm(_completion(right_answer()))))


def test_an_answer_without_entries(mock_llm: Start, run: Run) -> None:
    assert_ended_well(run(mock_llm(_completion("Hi there!"))), most_requests=3)


@pytest.mark.parametrize("said", ["Incorrect API key provided.", "Invalid token"])
def test_a_refusal_in_a_stream_with_status_200(mock_llm: Start, run: Run, said: str) -> None:
    error = {"message": said, "type": "authentication_error", "code": "invalid_api_key"}
    outcome = run(mock_llm({"error": error}, 401))
    assert_ended_well(outcome, most_requests=1)
    assert said in outcome.told
