"""Thinking, budgets, usage shapes, caching, cost, log-probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from amx_kimi.sandbox import tokens

from .helpers import Client, contract

Start = Callable[..., Client]
OFF = {"type": "disabled"}
LONG = "A long system prompt about columns. " * 100


def usage_of(answer: Any) -> dict[str, Any]:
    usage: dict[str, Any] = answer.json()["usage"]
    return usage


def reasoning(client: Client, **body: Any) -> int:
    usage = usage_of(client.chat(user=contract("a", "b", "c"), **body))
    tokens_: int = usage["completion_tokens_details"]["reasoning_tokens"]
    return tokens_


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"model": "kimi-k2-0905-preview"}, 0),
        ({"model": "kimi-k2.6"}, 160),
        ({"model": "kimi-k2.6", "thinking": OFF}, 0),
        ({"model": "kimi-k2-thinking", "reasoning": {"effort": "low"}}, 160),
        ({"model": "kimi-k2-thinking", "reasoning": {"effort": "medium"}}, 240),
        ({"model": "kimi-k3", "reasoning_effort": "high"}, 320),
        ({"model": "kimi-k3"}, 480),
    ],
)
def test_thinking_is_a_base_and_so_much_a_column(
    start: Start, body: dict[str, Any], expected: int
) -> None:
    assert reasoning(start(thinking_base=100), **body) == expected


def test_thinking_spreads_with_the_seed(start: Start) -> None:
    client = start(thinking_spread=0.5, seed=3)
    first = [reasoning(client, model="kimi-k2.6") for _ in range(4)]
    client.sandbox.reset()
    assert [reasoning(client, model="kimi-k2.6") for _ in range(4)] == first
    assert len(set(first)) > 1
    assert all(130 <= figure <= 390 for figure in first)


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_eats_the_budget(client: Client, stream: bool) -> None:
    body: dict[str, Any] = {"model": "kimi-k2-thinking", "max_tokens": 100}
    if stream:
        choices = [event["choices"][0] for event in client.stream(**body)]
        content = "".join(choice["delta"].get("content", "") for choice in choices)
        reason = choices[-1]["finish_reason"]
    else:
        choice = client.chat(**body).json()["choices"][0]
        content, reason = choice["message"]["content"], choice["finish_reason"]
    assert (content, reason) == ("", "length")
    usage = client.sandbox.chats[-1].usage
    assert usage is not None
    assert usage["completion_tokens"] == usage["reasoning_tokens"] == 100


def test_content_that_does_not_fit_is_cut(client: Client) -> None:
    user = contract(*"abcdefgh")
    whole = client.content(user=user)
    answer = client.chat(user=user, max_tokens=50)
    choice = answer.json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert whole.startswith(choice["message"]["content"])
    assert usage_of(answer)["completion_tokens"] == 50
    assert tokens.count(choice["message"]["content"]) == 50


def test_the_estimate_agrees_with_the_usage(client: Client) -> None:
    messages = [{"role": "user", "content": "How many tokens are these?"}]
    body = {"model": "kimi-k2.6", "messages": messages}
    estimate = client.post("/v1/tokenizers/estimate-token-count", body).json()
    total = usage_of(client.chat(messages=messages))["prompt_tokens"]
    assert estimate["data"]["total_tokens"] == total
    assert client.post("/v1/tokenizers/estimate-token-count", {"model": "x"}).status_code == 404


def long_chat(client: Client, user: str, **body: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": LONG}, {"role": "user", "content": user}]
    return usage_of(client.chat(messages=messages, **body))


def test_prefixes_are_cached_in_blocks(client: Client) -> None:
    first, second = long_chat(client, "one"), long_chat(client, "two")
    assert first["cached_tokens"] == 0
    assert second["cached_tokens"] == second["prompt_tokens"] // 256 * 256
    assert usage_of(client.chat())["cached_tokens"] == 0
    other = {"Authorization": "Bearer sk-another-key-0"}
    client.http.headers.update(other)
    assert long_chat(client, "one")["cached_tokens"] == 0


def test_the_cache_can_be_off_and_effort_breaks_it(start: Start) -> None:
    client = start()
    assert long_chat(client, "one", model="kimi-k3", reasoning_effort="low")["cached_tokens"] == 0
    assert long_chat(client, "one", model="kimi-k3", reasoning_effort="max")["cached_tokens"] == 0
    client.sandbox.set(cache=False)
    assert long_chat(client, "one", model="kimi-k3", reasoning_effort="max")["cached_tokens"] == 0


@pytest.mark.parametrize(
    ("shape", "flat", "nested"),
    [("flat", True, False), ("nested", False, True), ("both", True, True)],
)
def test_shapes_of_usage(start: Start, shape: str, flat: bool, nested: bool) -> None:
    client = start(usage_shape=shape)
    events = client.stream(stream_options={"include_usage": True})
    assert events[-1]["choices"] == []
    for usage in (usage_of(client.chat()), events[-1]["usage"]):
        assert ("cached_tokens" in usage, "prompt_tokens_details" in usage) == (flat, nested)
    assert "usage" not in client.stream()[-1]


def test_usage_inside_choices_or_nowhere(start: Start) -> None:
    client = start(usage_shape="choices")
    assert client.stream()[-1]["choices"][0]["usage"]["completion_tokens"] > 0
    client.sandbox.set(usage_shape="none")
    events = client.stream(stream_options={"include_usage": True})
    assert all("usage" not in event for event in events)
    assert "usage" not in client.chat().json()


def test_cost_by_its_own_prices(client: Client) -> None:
    long_chat(client, "one", model="kimi-k2.6", thinking=OFF)
    usage = long_chat(client, "two", model="kimi-k2.6", thinking=OFF)
    cached, prompt = usage["cached_tokens"], usage["prompt_tokens"]
    dollars = (
        Decimal("0.16") * cached
        + Decimal("0.95") * (prompt - cached)
        + 4 * usage["completion_tokens"]
    ) / 1_000_000
    assert client.sandbox.chats[-1].cost == dollars
    totals = client.sandbox.totals
    assert totals.cost == sum(seen.cost for seen in client.sandbox.chats)
    assert (totals.requests, totals.answered, totals.cached_tokens) == (2, 2, cached)


def test_cache_writes_are_billed(client: Client) -> None:
    usage = long_chat(client, "one", model="kimi-k3", prompt_cache_options={"ttl": "1h"})
    written, prompt = usage["cache_write_tokens"], usage["prompt_tokens"]
    dollars = Decimal(6 * written + 3 * (prompt - written) + 15 * usage["completion_tokens"])
    assert client.sandbox.chats[-1].cost == dollars / 1_000_000


@pytest.mark.parametrize(
    ("name", "low", "high"), [("cust_id", 0.85, 1.0), ("cust_zzq", 0.5, 0.85), ("zzq", 0.0, 0.5)]
)
def test_logprobs_agree_with_the_confidence(
    client: Client, name: str, low: float, high: float
) -> None:
    body: dict[str, Any] = {"user": contract(name), "logprobs": True, "top_logprobs": 2}
    choice = client.chat(**body).json()["choices"][0]
    items = choice["logprobs"]["content"]
    assert "".join(item["token"] for item in items) == choice["message"]["content"]
    assert all(len(item["top_logprobs"]) == 2 for item in items)
    inner = items[3:-3]
    assert low <= math.exp(sum(item["logprob"] for item in inner) / len(inner)) < high
    events = client.stream(**body)
    choices = [event["choices"][0] for event in events]
    streamed = [
        item
        for choice in choices
        for item in (choice.get("logprobs") or {"content": []})["content"]
    ]
    assert streamed == items


@pytest.mark.parametrize(
    ("model", "body", "given"),
    [
        ("kimi-k2.6", {"thinking": OFF}, True),
        ("kimi-k2.6", {}, False),
        ("kimi-k2-thinking", {}, False),
        ("kimi-k3", {}, True),
    ],
)
def test_logprobs_by_model(start: Start, model: str, body: dict[str, Any], given: bool) -> None:
    client = start()
    choice = client.chat(model=model, logprobs=True, **body).json()["choices"][0]
    assert ("logprobs" in choice) == given
    client.sandbox.set(logprobs="silent")
    assert "logprobs" not in client.chat(model=model, logprobs=True, **body).json()["choices"][0]


def test_chunks_join_to_the_whole(start: Start) -> None:
    client = start(chunks=10)
    user = contract("ord_dt", "Straße", "😀", language="de")
    events = client.stream(user=user, model="kimi-k2.6")
    deltas = [event["choices"][0]["delta"] for event in events]
    pieces = [delta["content"] for delta in deltas if delta.get("content")]
    assert len(pieces) == 10
    assert "".join(pieces) == client.content(user=user, model="kimi-k2.6")
    assert deltas[0]["role"] == "assistant"
    names = ["reasoning" if "reasoning_content" in delta else "content" for delta in deltas[1:-1]]
    assert names == sorted(names, reverse=True)
    assert events[-1]["choices"][0]["finish_reason"] == "stop"


def test_without_the_rank_file_a_token_is_four_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tokens, "encoding", lambda: None)
    tokens.encode.cache_clear()
    assert tokens.count("123456789") == 3
    assert tokens.encode("12345") == ["1234", "5"]
    assert tokens.cut("123456789", 1) == "1234"
    assert tokens.pieces("12345") == ["1234", "5"]
    tokens.encode.cache_clear()


def test_pieces_keep_characters_whole() -> None:
    text = json.dumps("Grüße 😀 漢字", ensure_ascii=False)
    assert "".join(tokens.pieces(text)) == text
