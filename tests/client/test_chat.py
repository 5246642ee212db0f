"""A question's way to an answer, its usage, its cost and what goes over the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import anyio
import pytest

from amx_kimi.client import KimiClient, Limits, account_limits
from amx_kimi.client.backoff import backoff_seconds
from amx_kimi.errors import BrokenStreamError, MissingKeyError, ReplyError
from amx_kimi.sandbox import Sandbox
from amx_kimi.settings import Settings

from .helpers import (
    BULK,
    CHAT,
    KEY,
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
TOOL = {
    "type": "function",
    "function": {"name": "lookup", "parameters": {"properties": {"name": {"type": "string"}}}},
}


def test_a_thinking_model_answers_with_content_reasoning_and_one_attempt(
    start_sandbox: Start,
) -> None:
    sandbox = start_sandbox()
    reply = chat(profile(sandbox.url), ask(describe()))
    assert list(json.loads(reply.content)) == ["T1 public.orders", "1 col_1", "2 col_2", "3 col_3"]
    assert reply.reasoning
    assert reply.finish_reason == "stop"
    assert reply.model == THINKING
    assert reply.usage.known
    assert reply.usage.reasoning > 0
    assert reply.logprobs == ()
    assert reply.tool_calls == ()
    [attempt] = reply.attempts
    assert (attempt.number, attempt.reason, attempt.outcome) == (1, "first", "ok")
    assert attempt.budget == 32_768
    assert (attempt.usage, attempt.cost) == (reply.usage, reply.cost)
    assert attempt.seconds > 0


@pytest.mark.parametrize("model", [THINKING, CHAT, BULK, "kimi-k3", "kimi-k2.7-code"])
@pytest.mark.parametrize("shape", ["flat", "nested", "both", "choices"])
def test_usage_and_cost_are_the_services_in_every_shape(
    start_sandbox: Start, shape: str, model: str
) -> None:
    sandbox = start_sandbox(usage_shape=shape)
    long = ask("The same long prompt, so that its beginning is cached. " * 200)

    async def twice(client: KimiClient) -> tuple[Decimal | None, int]:
        first, second = await client.chat(long), await client.chat(long)
        assert first.usage.cached == 0
        assert second.usage.cached > 1000
        assert first.cost is not None
        assert second.cost is not None
        total = first.usage + second.usage
        billed = sandbox.totals
        assert total.prompt == billed.prompt_tokens
        assert total.cached == billed.cached_tokens
        assert total.completion == billed.completion_tokens
        assert total.reasoning == billed.reasoning_tokens
        return first.cost + second.cost, client.requests

    cost, requests = with_client(profile(sandbox.url, model), twice)
    assert cost == sandbox.totals.cost
    assert requests == 2


def test_without_usage_the_cost_is_unknown(start_sandbox: Start) -> None:
    reply = chat(profile(start_sandbox(usage_shape="none").url))
    assert not reply.usage.known
    assert reply.cost is None


def test_a_profiles_own_prices_win(start_sandbox: Start) -> None:
    prices: dict[str, Any] = {"custom_input_cost_per_mtok": 1.0, "custom_output_cost_per_mtok": 2.0}
    reply = chat(
        profile(start_sandbox(extra_models=("my-own-model",)).url, "my-own-model", **prices),
        ask("hello"),
    )
    expected = Decimal(reply.usage.prompt + 2 * reply.usage.completion) / 1_000_000
    assert reply.cost == expected


def test_logprobs_cover_the_content(start_sandbox: Start) -> None:
    for model in (CHAT, BULK):
        reply = chat(profile(start_sandbox().url, model), ask(describe()))
        assert "".join(token.token for token in reply.logprobs) == reply.content
        assert all(token.logprob <= 0 for token in reply.logprobs)


def test_logprobs_that_do_not_come_are_none(start_sandbox: Start) -> None:
    sandbox = start_sandbox(logprobs="silent")
    reply = chat(profile(sandbox.url, CHAT))
    assert reply.logprobs == ()
    assert sandbox.chats[0].body is not None
    assert sandbox.chats[0].body["logprobs"] is True


def test_callbacks_hear_every_piece_in_order(start_sandbox: Start) -> None:
    content: list[str] = []
    thinking: list[str] = []
    reply = chat(
        profile(start_sandbox().url),
        ask(describe(20)),
        on_content=content.append,
        on_thinking=thinking.append,
    )
    assert len(content) > 5
    assert "".join(content) == reply.content
    assert "".join(thinking) == reply.reasoning


def test_an_error_of_a_callback_reaches_the_caller_and_frees_the_place(
    start_sandbox: Start,
) -> None:
    def stop(_: str) -> None:
        raise ZeroDivisionError

    async def use(client: KimiClient) -> int:
        with pytest.raises(ZeroDivisionError):
            await client.chat(ask(), on_content=stop)
        return client._limiter.state.in_flight

    assert with_client(profile(start_sandbox().url), use) == 0


def test_a_gateway_that_does_not_stream_answers_in_one_piece() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "cached_tokens": 9}
    message = {"role": "assistant", "content": "Hello", "reasoning_content": "Hm"}
    body = {
        "model": "gateway/x",
        "choices": [{"message": message, "finish_reason": "stop"}],
        "usage": usage,
    }
    heard: list[str] = []
    with Scripted(response(body)) as server:
        reply = chat(profile(server.url), on_content=heard.append)
    assert (reply.content, reply.reasoning, reply.model) == ("Hello", "Hm", "gateway/x")
    assert (reply.usage.prompt, reply.usage.cached, reply.usage.completion) == (7, 7, 3)
    assert heard == ["Hello"]


def test_tool_calls_are_put_together(start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    reply = chat(profile(sandbox.url), ask("Please call the tool", tools=[TOOL]))
    [call] = reply.tool_calls
    assert call["function"]["name"] == "lookup"
    assert json.loads(call["function"]["arguments"]) == {"name": "name"}
    assert call["id"]
    assert reply.finish_reason == "tool_calls"
    body = sandbox.chats[0].body
    assert body is not None
    assert body["tools"] == [TOOL]
    assert "tool_choice" not in body


def test_tool_calls_come_in_pieces_with_and_without_an_index() -> None:
    def part(index: int, **function: str) -> dict[str, object]:
        return piece(choice={"delta": {"tool_calls": [{"index": index, "function": function}]}})

    first = piece(choice={"delta": {"tool_calls": [{"id": "a", "function": None}]}})
    parts = [part(1, name="two"), part(0, name="o"), part(0, name="ne", arguments='{"a"')]
    script = stream(first, *parts, part(0, arguments=":1}"), piece(finish="tool_calls"))
    with Scripted(script) as server:
        one, two = chat(profile(server.url)).tool_calls
    assert one["id"] == "a"
    assert one["function"] == {"name": "one", "arguments": '{"a":1}'}
    assert two["function"] == {"name": "two", "arguments": ""}


def test_the_profiles_key_is_sent_and_our_own_name(
    start_sandbox: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "MOONSHOT_API_KEY", "AMX_LLM_API_KEY"):
        monkeypatch.setenv(name, "sk-somebody-elses-key")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-somebody")
    sandbox = start_sandbox()
    chat(profile(sandbox.url))
    [seen] = sandbox.chats
    assert seen.key == KEY
    assert seen.headers["user-agent"] == f"amx-kimi/{version('amx-kimi')}"
    assert set(seen.headers) == {
        *("host", "accept", "accept-encoding", "authorization", "connection"),
        *("content-length", "content-type", "user-agent"),
    }
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["content-type"] == "application/json"


def test_an_endpoint_that_needs_no_key_gets_none(start_sandbox: Start) -> None:
    sandbox = start_sandbox(auth=False)
    chat(profile(sandbox.url, endpoint="cliproxy"))
    assert "authorization" not in sandbox.chats[0].headers


def test_without_a_key_there_is_no_client() -> None:
    with pytest.raises(MissingKeyError):
        KimiClient(profile("http://127.0.0.1:9/v1", api_key=""))


def test_connections_are_used_again(start_sandbox: Start) -> None:
    scripts = Scripted(response({"choices": [{"message": {}, "finish_reason": "stop"}]}))
    with scripts as server:
        chat(profile(server.url))
    sandbox = start_sandbox()

    async def three(client: KimiClient) -> list[str]:
        for _ in range(3):
            await client.chat(ask())
        with client._connections.take() as http:
            return [repr(c) for c in http._transport._pool.connections]  # type: ignore[attr-defined]

    [connection] = with_client(profile(sandbox.url), three)
    assert "Request Count: 3" in connection


def test_a_server_that_goes_on_after_done_is_not_waited_for() -> None:
    def linger(connection: object) -> None:
        for data in stream(piece("Hi", "stop")):
            connection.sendall(data)  # type: ignore[attr-defined]

    with Scripted(linger) as server:
        reply = chat(profile(server.url))
    assert reply.content == "Hi"
    assert reply.attempts[0].seconds < 5


@pytest.mark.parametrize("after", [b"data: more\n\n", b"data: x\n", b"\xff\xfe"])
def test_what_follows_done_is_ignored(after: bytes) -> None:
    with Scripted([*stream(piece("Hi", "stop")), after]) as server:
        assert chat(profile(server.url)).content == "Hi"


def test_the_body_is_what_policy_planned(start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    question = ask('Answer in JSON: {"a": 1}', json_mode=True, cache_key="run-1", label="x")
    chat(profile(sandbox.url, BULK, endpoint="moonshot-ai"), question)
    assert sandbox.chats[0].body == {
        "model": BULK,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 16_384,
        "thinking": {"type": "disabled"},
        "logprobs": True,
        "response_format": {"type": "json_object"},
        "prompt_cache_key": "run-1",
        "messages": [{"role": "user", "content": 'Answer in JSON: {"a": 1}'}],
    }


def test_odd_text_is_sent_and_received_whole(start_sandbox: Start) -> None:
    sandbox = start_sandbox()
    text = 'quotes " and \\ and \n and \x00 and é 表 😀 and lone \ud83d surrogates'
    chat(profile(sandbox.url), ask(text))
    body = sandbox.chats[0].body
    assert body is not None
    assert body["messages"][0]["content"] == text.replace("\ud83d", "?")


def test_an_emoji_cut_in_two_pieces_is_whole_and_a_lone_half_is_replaced() -> None:
    pieces = [piece("a \ud83d"), piece("\ude00 b"), piece(" \ud83d", "stop")]
    with Scripted(stream(*pieces)) as server:
        reply = chat(profile(server.url))
    assert reply.content == "a 😀 b �"
    assert reply.content.encode()


def test_odd_but_valid_chunks_are_understood() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 0.0,
        "prompt_tokens_details": None,
        "cached_tokens": -3,
        "cache_write_tokens": 2.5,
    }
    chunks: list[Any] = [
        {"choices": None, "model": None},
        {"choices": []},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"reasoning": "Hm"}, "logprobs": None}], "usage": None},
        "",
        piece("Hi", "stop", usage=usage),
    ]
    heard: list[str] = []
    script = stream(*chunks)
    script.insert(2, b": a comment\n\n")
    with Scripted(script) as server:
        reply = chat(profile(server.url), on_thinking=heard.append)
    assert (reply.content, reply.reasoning) == ("Hi", "Hm")
    assert heard == ["Hm"]
    assert reply.usage.prompt == 10
    assert (reply.usage.cached, reply.usage.completion, reply.usage.cache_write) == (0, 0, 0)


USAGES: list[dict[str, Any]] = [
    {},
    {"completion_tokens": 7},
    {"prompt_tokens": None, "completion_tokens": 7},
    *(
        {"prompt_tokens": 10, "completion_tokens": figure}
        for figure in (None, True, -1, 2**63, 1e26, float("inf"), float("nan"), "7", [7], 7.5)
    ),
]


@pytest.mark.parametrize("usage", USAGES)
def test_usage_that_cannot_be_one_is_unknown(usage: dict[str, Any]) -> None:
    own = {"custom_input_cost_per_mtok": 1.0, "custom_output_cost_per_mtok": 2.0}
    with Scripted(stream(piece("Hi", "stop", usage=usage))) as server:
        reply = chat(profile(server.url, **own))
    assert not reply.usage.known
    assert reply.cost is None


def test_odd_logprobs_are_left_out() -> None:
    tokens = [
        {"token": "H", "logprob": -0.5},
        {"token": None, "logprob": -0.5},
        {"logprob": -0.5},
        *({"token": "x", "logprob": value} for value in (None, "-0.5", float("nan"))),
        *({"token": "x", "logprob": value} for value in (float("-inf"), -(10**400))),
        {"token": "i", "logprob": 0},
    ]
    with Scripted(stream(piece("Hi", "stop", choice={"logprobs": {"content": tokens}}))) as server:
        reply = chat(profile(server.url))
    assert reply.content == "Hi"
    assert [(one.token, one.logprob) for one in reply.logprobs] == [("H", -0.5), ("i", 0.0)]


def test_the_endpoints_models_are_listed(start_sandbox: Start) -> None:
    sandbox = start_sandbox(models=("kimi-k3", BULK))
    rows = with_client(profile(sandbox.url), lambda client: client.models())
    assert {row["id"] for row in rows} == {"kimi-k3", BULK}


@pytest.mark.parametrize(
    ("document", "expected"),
    [({"data": [{"id": "x"}, 3]}, [{"id": "x"}]), ({"data": None}, []), ({}, [])],
)
def test_odd_lists_of_models(document: dict[str, object], expected: object) -> None:
    with Scripted(response(document)) as server:
        assert with_client(profile(server.url), lambda c: c.models()) == expected
    with Scripted(response("[1]")) as server:
        assert with_client(profile(server.url), lambda c: c.models()) == []


@pytest.mark.parametrize("body", ["no json", "[" * 100_000])
def test_a_list_of_models_that_is_no_json(body: str) -> None:
    with Scripted(response(body)) as server, pytest.raises(ReplyError, match="did not send JSON"):
        with_client(profile(server.url), lambda client: client.models())


def test_a_list_of_models_in_a_broken_encoding_is_an_error_of_ours() -> None:
    script = response(b"not gzip", content_encoding="gzip")
    with Scripted(script) as server, pytest.raises(Exception, match="cannot be reached"):
        with_client(profile(server.url), lambda client: client.models())
    with Scripted(script) as server, pytest.raises(BrokenStreamError, match="DecodingError"):
        chat(profile(server.url), retries=0)


def test_the_accounts_limits_come_from_kimi_yml() -> None:
    at = "http://127.0.0.1:9/v1"
    assert account_limits(profile(at)) == Limits()
    tier = Limits(rpm=100, tpm=2_000_000, hint=15)
    assert account_limits(profile(at, overlay={"tier": 1})) == tier
    own = {"tier": 1, "concurrency": 2, "rpm": 7, "tpm": 9}
    assert account_limits(profile(at, overlay=own)) == Limits(2, 7, 9)
    assert account_limits(profile(at, overlay={"tier": 77})) == Limits()


def test_what_was_learnt_of_an_account_never_passes_what_is_stated() -> None:
    at = "http://127.0.0.1:9/v1"
    learned = {"concurrency": 50, "rpm": 100, "tpm": 1_000}
    assert account_limits(profile(at), learned) == Limits(rpm=100, tpm=1_000, hint=50)
    stated = account_limits(profile(at, overlay={"concurrency": 200, "rpm": 600}), learned)
    assert stated == Limits(concurrency=200, rpm=100, tpm=1_000, hint=50)
    assert account_limits(profile(at, overlay={"concurrency": 9}), learned).hint == 9
    risen = account_limits(profile(at, overlay={"tier": 5}), learned)
    assert (risen.rpm, risen.tpm, risen.hint) == (300, 5_000_000, 50)


def test_two_clients_of_one_key_share_a_limiter_and_other_keys_do_not() -> None:
    at = "http://127.0.0.1:9/v1"

    async def main() -> None:
        one, two = KimiClient(profile(at)), KimiClient(profile(at))
        other = KimiClient(profile(at, api_key="sk-another-0123456789"))
        assert one._limiter is two._limiter
        assert one._limiter is not other._limiter
        for client in (one, two, other):
            await client.aclose()

    anyio.run(main)


def test_backoff_doubles_up_to_half_a_minute() -> None:
    for failures in range(1, 40):
        whole = min(0.5 * 2 ** (failures - 1), 30.0)
        assert whole / 2 <= backoff_seconds(failures, 0.5) <= whole
    assert backoff_seconds(10_000, 0.5) <= 30.0


def test_settings_may_be_given(start_sandbox: Start, tmp_path: Path) -> None:
    sandbox = start_sandbox()
    settings = Settings(min_max_tokens=40_000, effort="high", config_dir=tmp_path)
    chat(profile(sandbox.url), settings=settings)
    body = sandbox.chats[0].body
    assert body is not None
    assert (body["max_tokens"], body["reasoning"]) == (40_000, {"effort": "high"})
