"""Every fault, over the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from amx_kimi.sandbox import Options, faults

from .helpers import PATH, Client, ask, contract

Start = Callable[..., Client]
USER = contract("cust_id", "ord_dt", "st", ask_table=True, alternatives=3)

REJECTIONS = [
    ("overload", 429, "engine_overloaded_error"),
    ("rate", 429, "rate_limit_reached_error"),
    ("tpd", 429, "rate_limit_reached_error"),
    ("quota", 429, "exceeded_current_quota_error"),
    ("500", 500, "server_error"),
    ("503", 503, "server_unavailable"),
    ("unauthorized", 401, "invalid_authentication_error"),
    ("forbidden", 403, "permission_denied_error"),
    ("filter", 400, "content_filter"),
]


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", []),
        ("overload:0.1, 500:0.05", [("overload", 0.1, 0, None), ("500", 0.05, 0, None)]),
        ("429-rate@3", [("rate", 0.0, 3, 3)]),
        ("reset:0.02 stall@5-7", [("reset-before", 0.02, 0, None), ("stall", 0.0, 5, 7)]),
        ("empty@9-", [("empty", 0.0, 9, None)]),
    ],
)
def test_the_language(text: str, rules: list[tuple[Any, ...]]) -> None:
    found = [(rule.kind, rule.probability, rule.first, rule.last) for rule in faults.parse(text)]
    assert found == rules


@pytest.mark.parametrize("text", ["fire:0.1", "500", "500:2", "500:.", "500@0", "500@5-3", "@1"])
def test_what_it_does_not_understand(text: str) -> None:
    with pytest.raises(ValueError, match=r"^faults: "):
        Options(faults=text)


def test_draws_are_seeded() -> None:
    drawn = [faults.draw("500:0.3,empty:0.3", number, 7) for number in range(1, 400)]
    assert drawn == [faults.draw("500:0.3,empty:0.3", number, 7) for number in range(1, 400)]
    assert 80 < drawn.count("500") < 160
    assert 50 < drawn.count("empty") < 130


@pytest.mark.parametrize(("kind", "status", "type_"), REJECTIONS)
def test_rejections(start: Start, kind: str, status: int, type_: str) -> None:
    client = start(faults=f"{kind}@1")
    answer = client.chat()
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, type_)
    assert client.chat().status_code == 200
    seen = client.sandbox.chats[0]
    assert (seen.status, seen.error_type, seen.fault) == (status, type_, kind)
    assert seen.cost == 0


def test_504_is_a_page(start: Start) -> None:
    answer = start(faults="504html@1").chat()
    assert (answer.status_code, answer.headers["content-type"]) == (504, "text/html; charset=utf-8")
    assert "<html>" in answer.text


def test_reset_before_any_byte(start: Start) -> None:
    client = start(faults="reset-before@1")
    with pytest.raises(httpx.TransportError):
        client.chat()
    assert client.chat().status_code == 200
    assert [seen.status for seen in client.sandbox.chats] == [0, 200]


def read_into(got: bytearray, client: Client, body: dict[str, Any]) -> None:
    with client.http.stream("POST", client.sandbox.url + PATH, json=body) as answer:
        for data in answer.iter_raw():
            got += data


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("kind", ["reset-between", "reset-within"])
def test_reset_in_the_middle(start: Start, kind: str, stream: bool) -> None:
    client = start(faults=f"{kind}@1")
    got = bytearray()
    with pytest.raises(httpx.TransportError):
        read_into(got, client, ask(USER, stream=stream))
    assert b"content" in got
    assert b"[DONE]" not in got
    assert got.endswith(b"\n\n") == (stream and kind == "reset-between")
    seen = client.sandbox.chats[0]
    assert (seen.status, seen.finish_reason) == (200, None)
    whole = client.chat(user=USER).json()["usage"]["completion_tokens"]
    assert seen.usage is not None
    assert 0 < seen.usage["completion_tokens"] < whole
    assert client.sandbox.totals.failed == 1


def test_a_stream_without_done(start: Start) -> None:
    client = start(faults="no-done@1")
    answer = client.chat(user=USER, stream=True)
    assert '"finish_reason":"stop"' in answer.text
    assert "[DONE]" not in answer.text
    assert client.sandbox.chats[0].finish_reason is None


@pytest.mark.parametrize("stream", [True, False])
def test_stall_until_the_client_leaves(start: Start, stream: bool) -> None:
    client = start(faults="stall@1")
    body = ask(USER, stream=stream)
    with pytest.raises(httpx.ReadTimeout):
        client.http.post(client.sandbox.url + PATH, json=body, timeout=0.2)
    assert client.chat().status_code == 200
    seen = client.sandbox.chats[0]
    assert (seen.status, seen.error_type) == (499, "client_closed_request")
    assert seen.cost > 0


def test_a_stall_does_not_keep_the_sandbox(start: Start) -> None:
    client = start(faults="stall@1")
    http = httpx.Client(headers=client.http.headers, trust_env=False)
    with (
        http,
        http.stream("POST", client.sandbox.url + PATH, json=ask(USER, stream=True)) as answer,
    ):
        assert next(answer.iter_raw())


def test_drip_gives_the_same_bytes(start: Start) -> None:
    client = start(faults="drip@1")
    first = [event["choices"] for event in client.stream(user=USER)]
    assert first == [event["choices"] for event in client.stream(user=USER)]


def test_half_an_answer(start: Start) -> None:
    choice = start(faults="half-json@1").chat(user=USER).json()["choices"][0]
    assert choice["finish_reason"] == "stop"
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice["message"]["content"])


@pytest.mark.parametrize(
    ("kind", "reason", "has_content"),
    [("empty", "stop", False), ("length", "length", True), ("length-empty", "length", False)],
)
def test_short_answers(start: Start, kind: str, reason: str, has_content: bool) -> None:
    client = start(faults=f"{kind}@1-2")
    for model in ("kimi-k2-thinking", "kimi-k2-0905-preview"):
        choice = client.chat(user=USER, model=model, max_tokens=2000).json()["choices"][0]
        assert choice["finish_reason"] == reason
        assert bool(choice["message"]["content"]) == has_content
        usage = client.sandbox.chats[-1].usage
        assert usage is not None
        assert (usage["completion_tokens"] == 2000) == (kind == "length-empty")


def test_endless_runs_into_the_limit(start: Start) -> None:
    choice = start(faults="endless@1").chat(user=USER, max_tokens=3000).json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert len(choice["message"]["content"]) > 6000


def test_leaving_an_endless_answer(start: Start) -> None:
    client = start(faults="endless@1", chunk_delay=0.001)
    body = ask(USER, stream=True)
    with client.http.stream("POST", client.sandbox.url + PATH, json=body) as answer:
        next(answer.iter_raw())
    assert client.chat().status_code == 200
    seen = client.sandbox.chats[0]
    assert seen.status == 499
    assert seen.usage is not None
    assert seen.usage["completion_tokens"] < 32_768


@pytest.mark.parametrize("labelled", [False, True])
def test_wrong_and_repeated_names(start: Start, labelled: bool) -> None:
    client = start(faults="wrong-names@1,repeat@2")
    user = USER
    if labelled:
        user = "COLUMN: <column_name>\nDESCRIPTION_1: <x>\n\n### cust_id\n  [db] a"
    wrong, repeated = client.content(user=user), client.content(user=user)
    assert "cust_id" not in wrong.replace("public.orders", "")
    assert repeated.count(" cust_id") == 2
