"""The bytes of an answer: one JSON body, or the events of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from amx_kimi.sandbox.plan import Plan, Token

DONE = b"data: [DONE]\n\n"
REASONING_WIDTH = 80
CONTENT_WIDTH = 24
TOKENS_A_CHUNK = 5


@dataclass(frozen=True)
class Head:
    """What every object of one answer repeats."""

    id: str
    model: str
    created: int
    top_logprobs: int = 0


@dataclass(frozen=True)
class Event:
    """One event, and the part of the answer's tokens that is out with it."""

    data: bytes
    fraction: float
    has_text: bool = False


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dumps(value: Any) -> str:
    """Compact JSON with characters as they are."""
    return _ENCODER.encode(value)


def _event(value: Any) -> bytes:
    return f"data: {dumps(value)}\n\n".encode(errors="replace")


def logprob_items(entries: tuple[Token, ...], top: int) -> list[dict[str, Any]]:
    """Tokens as ``choices[0].logprobs.content`` has them."""
    return [{**_token(entry), "top_logprobs": _rivals(entry, top)} for entry in entries]


def _token(entry: Token) -> dict[str, Any]:
    return {
        "token": entry.text,
        "logprob": entry.logprob,
        "bytes": list(entry.text.encode("utf-8")),
    }


def _rivals(entry: Token, top: int) -> list[dict[str, Any]]:
    if not top:
        return []
    rivals = [Token(f" option{n}", round(entry.logprob - 2.0 - n, 6)) for n in range(1, top)]
    return [_token(rival) for rival in (entry, *rivals)]


def body(head: Head, plan: Plan, usage: dict[str, Any] | None) -> bytes:
    """The answer as one JSON object."""
    message: dict[str, Any] = {"role": "assistant", "content": plan.content}
    if plan.reasoning:
        message["reasoning_content"] = plan.reasoning
    if plan.tool_calls:
        message["tool_calls"] = list(plan.tool_calls)
    choice: dict[str, Any] = {
        "index": 0,
        "message": message,
        "finish_reason": plan.finish_reason,
    }
    if plan.logprobs is not None:
        choice["logprobs"] = {"content": logprob_items(plan.logprobs, head.top_logprobs)}
    answer = {**_object(head, "chat.completion"), "choices": [choice]}
    return dumps(answer if usage is None else {**answer, "usage": usage}).encode(errors="replace")


def _object(head: Head, kind: str) -> dict[str, Any]:
    return {"id": head.id, "object": kind, "created": head.created, "model": head.model}


def events(
    head: Head, plan: Plan, usage: dict[str, Any] | None, *, shape: str, include: bool, chunks: int
) -> Iterator[Event]:
    """The events of a stream, up to but not including ``[DONE]``."""
    base = _object(head, "chat.completion.chunk")
    total = max(1, plan.reasoning_tokens + plan.content_tokens)
    thought = plan.reasoning_tokens / total
    yield Event(_event(_chunk(base, {"role": "assistant", "content": ""})), 0.0)
    yield from _texts(base, "reasoning_content", _reasoning_slices(plan), 0.0, thought)
    if plan.logprobs is not None:
        yield from _scored(base, head, plan.logprobs, thought, chunks)
    else:
        yield from _texts(base, "content", _slices(plan.content, chunks), thought, 1.0)
    if plan.tool_calls:
        calls = [{"index": n, **call} for n, call in enumerate(plan.tool_calls)]
        yield Event(_event(_chunk(base, {"tool_calls": calls})), 1.0)
    last = _chunk(base, {}, plan.finish_reason)
    if shape == "choices" and usage is not None:
        last["choices"][0]["usage"] = usage
    yield Event(_event(last), 1.0)
    if include and usage is not None and shape != "choices":
        yield Event(_event({**base, "choices": [], "usage": usage}), 1.0)


def _chunk(base: dict[str, Any], delta: dict[str, Any], reason: str | None = None) -> Any:
    return {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def _slices(text: str, chunks: int) -> list[str]:
    width = -(-len(text) // chunks) if chunks else CONTENT_WIDTH
    return [text[at : at + width] for at in range(0, len(text), max(1, width))]


def _reasoning_slices(plan: Plan) -> list[str]:
    text = plan.reasoning
    return [text[at : at + REASONING_WIDTH] for at in range(0, len(text), REASONING_WIDTH)]


def _texts(
    base: dict[str, Any], name: str, slices: list[str], start: float, end: float
) -> Iterator[Event]:
    # Only the text changes from chunk to chunk, so only the text is encoded anew.
    before, after = dumps(_chunk(base, {name: "\0"})).split('"\\u0000"')
    for number, text in enumerate(slices, 1):
        data = f"data: {before}{dumps(text)}{after}\n\n".encode()
        yield Event(data, start + (end - start) * number / len(slices), has_text=True)


def _scored(
    base: dict[str, Any], head: Head, entries: tuple[Token, ...], start: float, chunks: int
) -> Iterator[Event]:
    size = max(1, -(-len(entries) // chunks)) if chunks else TOKENS_A_CHUNK
    for at in range(0, len(entries), size):
        group = entries[at : at + size]
        chunk = _chunk(base, {"content": "".join(entry.text for entry in group)})
        chunk["choices"][0]["logprobs"] = {"content": logprob_items(group, head.top_logprobs)}
        done = min(1.0, (at + size) / len(entries))
        yield Event(_event(chunk), start + (1.0 - start) * done, has_text=True)
