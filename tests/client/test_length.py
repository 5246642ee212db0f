"""finish_reason=length: asked again with four times the budget, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from amx_kimi.client import KimiClient
from amx_kimi.errors import BrokenStreamError, ContextError, TruncatedError
from amx_kimi.sandbox import Sandbox

from .helpers import (
    CHAT,
    Memory,
    Scripted,
    ask,
    chat,
    piece,
    profile,
    response,
    stream,
    with_client,
)

Start = Callable[..., Sandbox]


def budgets(sandbox: Sandbox) -> list[int]:
    bodies = [seen.body for seen in sandbox.chats]
    return [body["max_tokens"] for body in bodies if body]


def test_an_empty_answer_is_asked_again_once_with_four_times_the_budget(
    start_sandbox: Start,
) -> None:
    sandbox = start_sandbox(faults="length-empty@1")
    reply = chat(profile(sandbox.url))
    assert budgets(sandbox) == [32_768, 131_072]
    assert reply.content
    assert [(a.reason, a.outcome, a.budget) for a in reply.attempts] == [
        ("first", "ok", 32_768),
        ("length", "ok", 131_072),
    ]
    assert reply.usage.completion == sandbox.totals.completion_tokens > 32_768
    assert reply.cost == sandbox.totals.cost


def test_then_the_error_says_what_was_tried(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="length-empty@1-")
    memory = Memory()

    async def use(client: KimiClient) -> None:
        client.record_with(memory, "r1")
        await client.chat(ask(label="orders"))

    with pytest.raises(TruncatedError) as caught:
        with_client(profile(sandbox.url), use)
    text = str(caught.value)
    assert "32,768 and then 131,072" in text
    assert "AMX_LLM_MIN_MAX_TOKENS" in text
    assert "orders, kimi-k2-thinking" in text
    assert budgets(sandbox) == [32_768, 131_072]
    assert sum(a.cost for a in memory.settled.values() if a.cost) == sandbox.totals.cost


def test_on_a_chat_route_the_error_names_max_tokens(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="length-empty@1-")
    with pytest.raises(TruncatedError, match="max_tokens") as caught:
        chat(profile(sandbox.url, CHAT, max_tokens=400))
    assert "AMX_LLM_MIN_MAX_TOKENS" in str(caught.value)
    assert "400 and then 1,600" in str(caught.value)


def test_a_cut_answer_is_returned_as_cut(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="length@1")
    reply = chat(profile(sandbox.url))
    assert reply.finish_reason == "length"
    assert reply.content
    assert len(reply.attempts) == len(sandbox.chats) == 1


def test_a_caller_that_needs_it_whole_gets_the_larger_budget(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="length@1")
    reply = chat(profile(sandbox.url), ask(whole=True))
    assert reply.finish_reason == "stop"
    assert budgets(sandbox) == [32_768, 131_072]
    assert reply.cost == sandbox.totals.cost
    with pytest.raises(TruncatedError):
        chat(profile(start_sandbox(faults="length@1-").url), ask(whole=True))


def test_without_a_larger_budget_there_is_no_second_try(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="length-empty@1-")
    with pytest.raises(TruncatedError, match="tried 131,072 tokens"):
        chat(profile(sandbox.url), ask(max_tokens=131_072))
    assert len(sandbox.chats) == 1


def test_kimi_yml_raises_the_cap(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="length-empty@1")
    chat(profile(sandbox.url, overlay={"max_retry_tokens": 200_000}), ask(max_tokens=60_000))
    assert budgets(sandbox) == [60_000, 200_000]


def test_the_larger_try_is_itself_retried_with_its_budget(start_sandbox: Start) -> None:
    sandbox = start_sandbox(faults="length-empty@1,500@2")
    reply = chat(profile(sandbox.url))
    assert [a.outcome for a in reply.attempts] == ["ok", "ServerError", "ok"]
    assert budgets(sandbox) == [32_768, 131_072, 131_072]


def test_tool_calls_are_an_answer_though_cut() -> None:
    call = {"delta": {"tool_calls": [{"function": {"name": "f"}}]}}
    with Scripted(stream(piece(choice=call), piece(finish="length"))) as server:
        reply = chat(profile(server.url))
    assert len(reply.tool_calls) == 1
    assert len(server.requests) == 1


def refused(message: str) -> list[bytes]:
    return response({"error": {"type": "invalid_request_error", "message": message}}, 400)


def sent(server: Scripted) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in server.requests]


def test_corrections_and_retries_of_the_larger_try_keep_its_budget() -> None:
    empty, whole = stream(piece("", "length")), stream(piece("Done", "stop"))
    busy = response({"error": {"type": "engine_overloaded_error", "message": "later"}}, 429)
    scripts = (empty, busy, refused("unknown parameter: reasoning"), whole)
    with Scripted(*scripts) as server:
        reply = chat(profile(server.url))
    assert [body["max_tokens"] for body in sent(server)] == [32_768, 131_072, 131_072, 131_072]
    assert "reasoning" not in sent(server)[-1]
    assert [a.reason for a in reply.attempts][1:] == [
        "length",
        "OverloadedError",
        "without reasoning",
    ]


def test_a_smaller_context_found_by_the_larger_try_lowers_its_budget() -> None:
    text = "maximum context length is 65536 tokens. However, you requested 131092 tokens"
    scripts = (stream(piece("", "length")), refused(text), stream(piece("Done", "stop")))
    with Scripted(*scripts) as server:
        reply = chat(profile(server.url))
    first, second, third = (body["max_tokens"] for body in sent(server))
    assert (first, second) == (32_768, 131_072)
    assert 60_000 < third < 65_536
    assert reply.content == "Done"


def test_a_context_too_small_for_a_larger_budget_falls_back_to_the_first() -> None:
    text = "maximum context length is 32768 tokens. However, you requested 131092 tokens"
    scripts = (stream(piece("", "length")), refused(text), stream(piece("", "length")))
    with Scripted(*scripts) as server, pytest.raises(TruncatedError):
        chat(profile(server.url))
    assert len(server.requests) == 3


def test_a_context_error_without_a_smaller_context_is_final() -> None:
    text = "maximum context length is 262144 tokens. However, you requested 262500 tokens"
    with Scripted(refused(text)) as server, pytest.raises(ContextError) as caught:
        chat(profile(server.url))
    assert caught.value.splittable
    assert len(server.requests) == 1


def test_a_stream_without_anything_usable_is_broken() -> None:
    with Scripted(response({"choices": []})) as server, pytest.raises(BrokenStreamError):
        chat(profile(server.url), retries=0)
