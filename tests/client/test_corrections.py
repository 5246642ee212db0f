"""What a 400 teaches, and when it is remembered."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from amx_kimi.client.corrections import correction
from amx_kimi.config import LearnedStore
from amx_kimi.errors import BadRequestError, ConfigFileError, ContentFilterError, ContextError
from amx_kimi.facts import Quirk
from amx_kimi.sandbox import Sandbox

from .helpers import (
    CHAT,
    THINKING,
    Scripted,
    ask,
    chat,
    describe,
    piece,
    profile,
    response,
    stream,
    with_client,
)

Start = Callable[..., Sandbox]

BODY: dict[str, Any] = {
    **{"model": "m", "messages": [], "stream": True, "tools": [], "tool_choice": "auto"},
    **{"stream_options": {}, "max_tokens": 9, "temperature": 0.2, "logprobs": True},
    **{"reasoning": {}, "reasoning_effort": "low", "thinking": {}, "response_format": {}},
}
TABLE = [
    ("invalid temperature: only 1 is allowed for this model", Quirk("temperature", "drop")),
    ("unknown parameter: logprobs", Quirk("logprobs", "drop")),
    ("`reasoning` and `logprobs` are not supported", Quirk("reasoning", "drop")),
    ("reasoning_effort is not supported", Quirk("reasoning_effort", "drop")),
    ("thinking is not supported", Quirk("thinking", "drop")),
    ("response_format.type is unsupported", Quirk("response_format", "drop")),
    ("tool_choice 'required' is not supported", Quirk("tool_choice", "drop")),
    ("max_tokens must be at most 4096", Quirk("max_output", "set", 4096)),
    ("max_tokens: the maximum value is 8192", Quirk("max_output", "set", 8192)),
    ("max_tokens is deprecated", Quirk("max_tokens", "drop")),
    ("messages must not be empty", None),
    ("model is not supported", None),
    ("the tools are malformed", None),
    ("something went wrong", None),
    ("top_p is not supported", None),
]


def bad(text: str, kind: type[BadRequestError] = BadRequestError) -> BadRequestError:
    return kind(text, status=400)


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_the_parameter_that_the_text_names(text: str, expected: Quirk | None) -> None:
    assert correction(bad(text), BODY, 262_144) == expected


def test_a_temperature_that_was_not_sent_may_be_demanded() -> None:
    bare = {"model": "m", "messages": []}
    demanded = correction(bad("invalid temperature: only 0.6 is allowed"), bare, 10_000)
    assert demanded == Quirk("temperature", "set", 0.6)
    assert correction(bad("temperature is wrong"), bare, 10_000) is None
    assert correction(bad("only 1 is allowed"), bare, 10_000) is None


@pytest.mark.parametrize(
    ("text", "context", "expected"),
    [
        ("exceeded model token limit: 131072 (requested: 140000)", 262_144, 131_072),
        (
            "maximum context length is 16384 tokens. However, you requested 34768 tokens "
            "(2000 in the messages, 32768 in the completion)",
            262_144,
            16_384,
        ),
        ("max_tokens 32768 is too large: maximum context length is 16384", 262_144, 16_384),
        ("prompt + max_tokens exceed what fits, 65536", 262_144, 65_536),
        ("exceeded model token limit: 262144 (requested: 262500)", 262_144, None),
        ("your context is too long", 262_144, None),
        ("the context window of 8192 tokens is too small for 20000", 262_144, 8_192),
        ("maximum context length is 300000 tokens, you sent 20000", 262_144, None),
        ("the limit of output is 32768 in a context of 262144", 262_144, None),
        ("30000 tokens are too many for the context length: 20000", 262_144, 20_000),
    ],
)
def test_a_smaller_context_is_read_from_the_text(
    text: str, context: int, expected: int | None
) -> None:
    quirk = correction(bad(text, ContextError), BODY, context)
    assert quirk == (Quirk("context", "set", expected) if expected else None)


def test_a_content_filter_teaches_nothing() -> None:
    assert correction(bad("temperature", ContentFilterError), BODY, 10) is None


@pytest.mark.parametrize(
    ("model", "refuse"),
    [
        (CHAT, "temperature"),
        (CHAT, "logprobs"),
        (THINKING, "reasoning"),
        (THINKING, "max_tokens"),
        (THINKING, "stream_options"),
        ("kimi-k2.6", "thinking"),
        ("kimi-k2.6", "response_format"),
        ("kimi-k3", "reasoning_effort"),
        ("kimi-k3", "max_completion_tokens"),
    ],
)
def test_a_refused_parameter_is_left_out_learnt_and_not_sent_again(
    start_sandbox: Start, home: Path, model: str, refuse: str
) -> None:
    sandbox = start_sandbox(refuse=(refuse,), thinking_base=10)
    who = profile(sandbox.url, model, endpoint="moonshot-ai")
    question = ask(describe(), json_mode=True)
    reply = chat(who, question)
    assert [a.outcome for a in reply.attempts] == ["BadRequestError", "ok"]
    assert reply.attempts[1].reason == f"without {refuse}"
    assert reply.attempts[0].usage.completion == 0
    assert reply.content
    learned = json.loads((home / "kimi-learned.json").read_text())
    assert learned[sandbox.url][model][refuse]["action"] == "drop"
    assert len(chat(who, question).attempts) == 1
    assert [seen.status for seen in sandbox.chats] == [400, 200, 200]


def test_one_client_does_not_repeat_its_mistake(start_sandbox: Start) -> None:
    sandbox = start_sandbox(logprobs="refuse")

    async def twice(client: Any) -> list[int]:
        return [len((await client.chat(ask())).attempts) for _ in range(2)]

    assert with_client(profile(sandbox.url, CHAT), twice) == [2, 1]


def test_several_parameters_one_after_the_other(start_sandbox: Start, home: Path) -> None:
    sandbox = start_sandbox(refuse=("logprobs", "temperature", "stream_options", "max_tokens"))
    reply = chat(profile(sandbox.url, CHAT))
    assert len(reply.attempts) == 5
    learned = json.loads((home / "kimi-learned.json").read_text())
    assert len(learned[sandbox.url][CHAT]) == 4


def test_five_are_too_many_and_nothing_is_learnt(start_sandbox: Start, home: Path) -> None:
    names = ("logprobs", "temperature", "stream_options", "max_tokens", "max_completion_tokens")
    sandbox = start_sandbox(refuse=names)
    with pytest.raises(BadRequestError, match="max_completion_tokens"):
        chat(profile(sandbox.url, CHAT))
    assert len(sandbox.chats) == 5
    assert not (home / "kimi-learned.json").exists()


def test_one_parameter_is_corrected_once(home: Path) -> None:
    text = {"error": {"type": "invalid_request_error", "message": "max_tokens: at most 4096"}}
    with Scripted(response(text, 400)) as server, pytest.raises(BadRequestError):
        chat(profile(server.url))
    budgets = [json.loads(body)["max_tokens"] for _, _, body in server.requests]
    assert budgets == [32_768, 4_096]
    assert not (home / "kimi-learned.json").exists()


def test_a_400_that_names_nothing_we_sent_is_raised() -> None:
    body = {"error": {"type": "invalid_request_error", "message": "Invalid request"}}
    with Scripted(response(body, 400)) as server, pytest.raises(BadRequestError) as caught:
        chat(profile(server.url))
    assert len(server.requests) == 1
    assert "amx-kimi explain" in str(caught.value)


def test_a_demanded_temperature_is_sent_from_then_on() -> None:
    body = {"error": {"message": "invalid temperature: only 1 is allowed for this model"}}
    with Scripted(response(body, 400), stream(piece("Hi", "stop"))) as server:
        chat(profile(server.url))
        chat(profile(server.url))
    sent = [json.loads(body).get("temperature") for _, _, body in server.requests]
    assert sent == [None, 1.0, 1.0]


def test_a_smaller_context_lowers_the_budget_and_is_remembered(
    start_sandbox: Start, home: Path
) -> None:
    sandbox = start_sandbox(extra_models=("moonshot-v1-8k-own",))
    who = profile(sandbox.url, "moonshot-v1-8k", max_tokens=16_000)
    reply = chat(who)  # the table knows this context
    assert len(reply.attempts) == 1
    body = {"error": {"message": "exceeded model token limit: 20000 (requested: 32788)"}}
    with Scripted(response(body, 400), stream(piece("Hi", "stop"))) as server:
        reply = chat(profile(server.url))
    assert reply.attempts[0].budget == 32_768
    assert 19_000 < reply.attempts[1].budget < 20_000
    learned = json.loads((home / "kimi-learned.json").read_text())
    assert learned[server.url][THINKING]["context"]["value"] == 20_000


def test_an_answer_is_not_lost_when_what_was_learnt_cannot_be_kept(
    start_sandbox: Start,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object) -> None:
        raise ConfigFileError("the disk is full")

    monkeypatch.setattr(LearnedStore, "learn", refuse)
    with caplog.at_level(logging.INFO, "amx_kimi"):
        reply = chat(profile(start_sandbox(logprobs="refuse").url, CHAT))
    assert reply.content
    assert "the disk is full" in caplog.text
