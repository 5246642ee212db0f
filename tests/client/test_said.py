"""What a server says went wrong, whatever it sends: never an error of our own."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.client.answers import WireReply, absorb, is_chunk
from amx_kimi.client.convert import convert_error
from amx_kimi.client.said import is_refusal, read_said
from amx_kimi.errors import ServiceError
from amx_kimi.facts import load_catalog, resolve

ENDPOINT = load_catalog().endpoint("moonshot-ai")
assert ENDPOINT is not None
FACTS = resolve("kimi-k3", ENDPOINT)
KEYS = st.sampled_from(
    [
        *("error", "errors", "message", "msg", "code", "type", "detail", "metadata", "raw", "loc"),
        *("choices", "delta", "content", "text", "usage", "base_resp", "status_code", "status"),
        *("object", "headers", "finish_reason", "tool_calls", "index", "function", "logprobs"),
    ]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just("error")
)
DOCUMENTS: Any = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS, st.integers(100, 599))
def test_any_document_is_an_error_of_ours(document: Any, status: int) -> None:
    is_refusal(document)
    for body in (document, json.dumps(document)):
        error = convert_error(status, {}, body, facts=FACTS, call="")
        assert isinstance(error, ServiceError)
        assert len(error.message) < 1_000


@given(DOCUMENTS)
def test_any_chunk_is_absorbed_or_is_none(document: Any) -> None:
    if is_chunk(document):
        # What the wire says is not a chat completion.
        with suppress(ValueError, TypeError, AttributeError, KeyError, IndexError):
            absorb(WireReply(), document)


@pytest.mark.parametrize(
    ("document", "refused"),
    [
        ({"choices": [], "error": None, "base_resp": {"status_code": 0}}, False),
        ({"choices": [], "base_resp": {"status_code": "0", "status_msg": "success"}}, False),
        ({"base_resp": {"status_code": "1004"}}, True),
        ({"code": 0, "message": "ok", "data": {}}, False),
        ({"code": 200, "msg": "success"}, False),
        ({"status": "processing", "message": "hold on"}, False),
        ({"code": "Throttling", "message": "slow down"}, True),
        ({"success": False, "message": "no"}, True),
        ({"detail": "Not Found"}, True),
        ({"errors": [{"message": "no"}]}, True),
        ({"choices": [{"error": {"code": 502}}]}, True),
        ({"choices": 5}, False),
        ([{"error": {"code": 429}}], True),
        ({"error": {}}, False),
        ("text", False),
    ],
)
def test_what_a_refusal_is(document: Any, refused: bool) -> None:
    assert is_refusal(document) is refused


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "Provider returned error", "metadata": {"raw": "busy"}}}, "busy"),
        ({"detail": [{"loc": ["body", "x"], "msg": "no"}]}, "body.x: no"),
        ('{"detail": "[{\\"loc\\": [\\"x\\"], \\"msg\\": \\"no\\"}]"}', "x: no"),
        ({"error": {"message": 'Upstream: {"error": {"message": "no"}}'}}, "Upstream | no"),
        ("<html><title>413 Too Large</title>", "413 Too Large"),
        ({"error": "a text"}, "a text"),
        ("plain", "plain"),
        ({}, ""),
    ],
)
def test_the_words_wherever_they_stand(body: Any, text: str) -> None:
    assert read_said(body).text == text
