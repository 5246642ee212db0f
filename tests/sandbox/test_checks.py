"""Which requests are refused, and with what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .helpers import KEY, PATH, Client, ask, contract

Start = Callable[..., Client]
OFF = {"type": "disabled"}
ON = {"type": "enabled"}
TOOL = {"type": "function", "function": {"name": "f"}}
CALLED: list[dict[str, Any]] = [
    {"role": "user", "content": "go"},
    {"role": "assistant", "content": "", "tool_calls": [{"id": "1", **TOOL}]},
    {"role": "tool", "tool_call_id": "1", "content": "done"},
]
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
WEB_IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
THOUGHT = [CALLED[0], {**CALLED[1], "reasoning_content": "hm"}, CALLED[2]]

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("kimi-k2.6", {"temperature": 0.2}, "invalid temperature: only 1 is allowed for this model"),
    ("kimi-k2.6", {"temperature": 1, "thinking": OFF}, "invalid temperature: only 0.6 is allowed"),
    ("kimi-k2-thinking", {"temperature": 0.2}, "only 1 is allowed"),
    ("kimi-k3", {"temperature": True}, "invalid temperature"),
    ("moonshot-v1-8k", {"temperature": 1.5}, "between 0 and 1"),
    ("kimi-k3", {"top_p": 0.9}, "invalid top_p: only 0.95"),
    ("kimi-k3", {"presence_penalty": 1}, "invalid presence_penalty"),
    ("kimi-k3", {"n": 2}, "invalid n"),
    ("moonshot-v1-8k", {"n": 2}, "invalid n"),
    ("kimi-k3", {"thinking": ON}, "unknown parameter: thinking"),
    ("kimi-k2.7-code", {"thinking": OFF}, "only type enabled"),
    ("kimi-k2.6", {"thinking": {"type": "auto"}}, "only type enabled or disabled"),
    ("moonshot-v1-8k", {"thinking": ON}, "unknown parameter: thinking"),
    ("kimi-k3", {"reasoning_effort": "medium"}, "invalid reasoning_effort"),
    ("kimi-k2.6", {"reasoning_effort": "low", "thinking": ON}, "together with thinking"),
    ("kimi-k2.6", {"reasoning": {"effort": "low"}}, "unknown parameter: reasoning"),
    ("kimi-k2-thinking", {"reasoning": {"effort": "some"}}, "invalid reasoning.effort"),
    ("kimi-k2-thinking", {"reasoning": {"effort": "none"}}, "mandatory"),
    ("kimi-k2-thinking", {"reasoning": {"effort": "low", "max_tokens": 9}}, "Only one of"),
    ("kimi-k2-thinking", {"reasoning": 1}, "must be an object"),
    ("kimi-k2.6", {"max_tokens": 0}, "max_tokens must be a positive integer"),
    ("kimi-k2.6", {"max_completion_tokens": "9"}, "max_completion_tokens must be"),
    ("moonshot-v1-8k", {"max_tokens": 8190}, "exceeded model token limit: 8192"),
    ("moonshot-v1-8k", {"user": "word " * 9000}, "exceeded model token limit: 8192"),
    ("kimi-k2.6", {"tools": [TOOL], "tool_choice": "required"}, "tool_choice 'required'"),
    ("kimi-k2.6", {"tools": [{}]}, "every tool needs a function"),
    ("kimi-k2.6", {"tools": [TOOL], "tool_choice": "maybe"}, "invalid tool_choice"),
    ("moonshot-v1-8k", {"top_logprobs": 2}, "logprobs must be true"),
    ("moonshot-v1-8k", {"logprobs": True, "top_logprobs": 21}, "within 0 and 20"),
    ("kimi-k2.6", {"response_format": {"type": "xml"}}, "response_format.type"),
    ("kimi-k2.6", {"response_format": {"type": "json_schema"}}, "json_schema.schema is required"),
    ("kimi-k2.6", {"stream": "yes"}, "stream must be a boolean"),
    ("kimi-k2.6", {"messages": []}, "messages must not be empty"),
    ("kimi-k2.6", {"messages": [{"role": "robot"}]}, "no valid role"),
    ("kimi-k2.6", {"messages": [{"role": "user", "content": ""}]}, "must not be empty"),
    ("kimi-k2.6", {"messages": [{"role": "user", "content": 1}]}, "is not text"),
    ("kimi-k2.6", {"messages": [{"role": "user", "content": [1]}]}, "invalid content part"),
    ("kimi-k2.6", {"user": [WEB_IMAGE]}, "unsupported image url"),
    ("moonshot-v1-8k", {"user": [IMAGE]}, "image_url is not supported"),
    ("kimi-k2.6", {"messages": CALLED}, "reasoning_content is missing"),
    ("kimi-k3", {"messages": CALLED}, "reasoning_content is missing"),
    ("kimi-k3", {"prompt_cache_options": {"ttl": "2h"}}, "prompt_cache_options"),
]
ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("kimi-k2.6", {"temperature": 1, "top_p": 0.95, "n": 1, "presence_penalty": 0}),
    ("kimi-k2.6", {"temperature": 0.6, "thinking": OFF}),
    ("kimi-k2.6", {"reasoning_effort": "anything"}),
    ("kimi-k2.6", {"messages": CALLED, "thinking": OFF}),
    ("kimi-k2.6", {"messages": THOUGHT}),
    ("kimi-k2.6", {"user": [IMAGE, {"type": "text", "text": "What is it?"}]}),
    ("kimi-k2.6", {"max_tokens": 500, "max_completion_tokens": 600}),
    ("kimi-k2.6", {"prompt_cache_key": "x", "store": False, "logprobs": True}),
    ("kimi-k2.7-code", {"thinking": ON}),
    ("kimi-k3", {"reasoning_effort": "max"}),
    ("kimi-k3", {"tools": [TOOL], "tool_choice": "required"}),
    ("kimi-k2-thinking", {"reasoning": {"effort": "low"}}),
    ("moonshot-v1-8k", {"temperature": 0.2, "top_p": 0.5}),
    ("kimi-k2p5", {}),
]


def test_refusals(client: Client) -> None:
    for model, body, text in REFUSED:
        answer = client.chat(model=model, **body)
        error = answer.json()["error"]
        assert (answer.status_code, error["type"]) == (400, "invalid_request_error"), (model, body)
        assert text in error["message"], (model, body)
    assert client.sandbox.totals.failed == len(REFUSED)
    assert client.sandbox.totals.cost == 0


def test_what_is_in_order_passes(client: Client) -> None:
    for model, body in ACCEPTED:
        answer = client.chat(model=model, **body)
        assert answer.status_code == 200, (model, body, answer.text)


@pytest.mark.parametrize("raw", [b"{", b"[]", b"", b"\xff\xfe", b"[" * 100_000])
def test_a_broken_body_is_a_400(client: Client, raw: bytes) -> None:
    answer = client.http.post(client.sandbox.url + PATH, content=raw)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("model", ["kimi-k9", "moonshotai/kimi-k2.6", "kimi-for-coding"])
def test_an_unknown_model_is_a_404(client: Client, model: str) -> None:
    answer = client.chat(model=model)
    message = f"Not found the model {model} or Permission denied"
    error = {"type": "resource_not_found_error", "message": message}
    assert (answer.status_code, answer.json()) == (404, {"error": error})


def test_retired_models_are_served_or_not(start: Start) -> None:
    client = start()
    assert client.chat(model="kimi-k2-thinking").status_code == 200
    client.sandbox.set(refuse_retired=True)
    assert client.chat(model="kimi-k2-thinking").status_code == 404
    assert client.chat(model="kimi-k2.6").status_code == 200


def test_served_models_can_be_chosen(start: Start) -> None:
    client = start(models=("kimi-k3",), extra_models=("kimi-k9",))
    assert client.chat(model="kimi-k2.6").status_code == 404
    assert client.chat(model="kimi-k9", temperature=0.2).status_code == 400
    answer = client.chat(model="kimi-k9").json()
    assert answer["choices"][0]["message"]["reasoning_content"]
    listed = client.get("/v1/models").json()["data"]
    assert [item["id"] for item in listed] == ["kimi-k3", "kimi-k9"]


def test_a_gateway_takes_its_own_ids_and_reasoning_everywhere(start: Start) -> None:
    client = start(gateway=True)
    body = {"model": "moonshotai/kimi-k2.6", "reasoning": {"effort": "none"}}
    answer = client.chat(**body).json()
    assert answer["model"] == "moonshotai/kimi-k2.6"
    assert "reasoning_content" not in answer["choices"][0]["message"]


def test_parameters_can_be_refused(start: Start) -> None:
    client = start(refuse=("response_format", "seed"), logprobs="refuse")
    for name, value in (("seed", 1), ("response_format", {"type": "text"}), ("logprobs", True)):
        answer = client.chat(**{name: value})
        assert answer.status_code == 400
        assert f"unknown parameter: {name}" in answer.json()["error"]["message"]


def test_keys(start: Start) -> None:
    client = start(keys=(KEY,))
    assert client.chat().status_code == 200
    for header in ({}, {"Authorization": "Bearer sk-other"}, {"Authorization": KEY}):
        answer = client.http.request(
            "POST", client.sandbox.url + PATH, json=ask(), headers={"Authorization": "", **header}
        )
        error = {"type": "invalid_authentication_error", "message": "Invalid Authentication"}
        assert (answer.status_code, answer.json()) == (401, {"error": error})
    client.sandbox.set(keys=(), region="cn")
    answer = client.http.get(client.sandbox.url + "/models", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, "region" in answer.text) == (401, True)
    client.sandbox.set(auth=False)
    answer = client.http.post(client.sandbox.url + PATH, json=ask(), headers={"Authorization": ""})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["", "/v1", "/api/provider/kimi", "/api/v1", "/v1/deep/er"], ids=str
)
def test_any_prefix_will_do(client: Client, path: str) -> None:
    body = ask(user=contract("id"))
    assert client.post(f"{path}{PATH}", body).status_code == 200
    assert client.sandbox.chats[-1].path == f"{path}{PATH}"


def test_the_coding_endpoint_has_its_own_models(client: Client) -> None:
    assert client.post(f"/coding/v1{PATH}", ask(model="kimi-for-coding")).status_code == 200
    assert client.post(f"/coding/v1{PATH}", ask(model="kimi-k2.6")).status_code == 404
    body = ask(model="k3", reasoning_effort="huge")
    assert client.post(f"/coding/v1{PATH}", body).status_code == 400
    items = {item["id"]: item for item in client.get("/coding/v1/models").json()["data"]}
    assert items["k3"]["think_efforts"]["valid_efforts"] == ["low", "high", "max"]
    assert items["kimi-for-coding"]["supports_thinking_type"] == "only"


def test_a_path_that_is_none_is_a_404(client: Client) -> None:
    for answer in (client.get("/v1/nothing"), client.get("/v1" + PATH)):
        assert answer.status_code == 404
        assert answer.json()["error"]["type"] == "resource_not_found_error"
        assert answer.headers["x-sandbox"] == "amx-kimi stand-in, not Kimi"
