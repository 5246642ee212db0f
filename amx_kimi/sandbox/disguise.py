"""An answer in the manners of another server: its content, its shape, its label."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from amx_kimi.sandbox.manners import CONTENTS
from amx_kimi.sandbox.shapes import Answer, Part
from amx_kimi.sandbox.stream import Body
from amx_kimi.sandbox.wire import Event, dumps

_TYPES = {
    "stream-as-json": "application/json",
    "stream-as-text": "text/plain; charset=utf-8",
    "stream-unlabelled": "application/octet-stream",
    "json-as-stream": "text/event-stream",
}
_USAGES = {"usage-huge": 2**63, "usage-float": 1e26, "usage-negative": -7, "usage-text": "many"}


def retold(answer: Answer, manners: frozenset[str]) -> Answer:
    """The answer with what these manners put into its content."""
    for name, (_, retell) in CONTENTS.items():
        if name in manners and not answer.tool_calls:
            answer = Answer((Part(retell(answer.text), "h"),), answer.columns)
    return answer


def disguised(body: Body, manners: frozenset[str]) -> Body:
    """What is sent, in the shape and under the label that these manners give it."""
    is_stream = body.length is None
    label = next((_TYPES[name] for name in _TYPES if name in manners), body.content_type)
    tail = body.tail
    if manners & {"ends-without-done", "json-lines"}:
        tail = b""
    elif "done-blank" in manners:
        tail = tail.replace(b"[DONE]", b"[DONE] ")
    events = _events(body, manners, is_stream) if manners else body.events
    length = body.length if not manners else None
    return replace(body, events=events, content_type=label, tail=tail, length=length)


def _events(body: Body, manners: frozenset[str], is_stream: bool) -> Iterator[Event]:
    source: Iterable[Event] = body.events
    if not is_stream:
        whole = b"".join(event.data for event in source)
        source = [Event(dumps(_changed(json.loads(whole), manners)).encode(), 1.0)]
    mark = b"\xef\xbb\xbf" if "bom" in manners else b""
    for event in source:
        data = event.data
        if is_stream:
            document = _changed(json.loads(data.removeprefix(b"data: ")), manners)
            data = _framed(dumps(document).encode(), manners)
        yield replace(event, data=mark + data)
        mark = b""


def _framed(document: bytes, manners: frozenset[str]) -> bytes:
    if "json-lines" in manners:
        return document + b"\n"
    end = b"\n" if "no-blank-lines" in manners else b"\n\n"
    return b"data: " + document + end


def _changed(document: dict[str, Any], manners: frozenset[str]) -> dict[str, Any]:
    """A chunk, or a whole answer, in another shape."""
    for choice in document.get("choices") or ():
        if "filtered" in manners and choice.get("finish_reason"):
            choice["finish_reason"] = "content_filter"
        if "finish-null" in manners:
            choice["finish_reason"] = None
        said = choice.get("delta") or choice.get("message")
        if said and "parts" in manners:
            _in_parts(said)
        if said and "thought-flag" in manners:
            thought = said.pop("reasoning_content", None)
            parts = [{"type": "text", "text": thought, "thought": True}] if thought else []
            text = said.get("content")
            said["content"] = [*parts, {"type": "text", "text": text}] if text else parts
        if said and "in-other-field" in manners:
            said["response"], said["content"] = said.get("content"), ""
    if "two-choices" in manners and document.get("choices"):
        other = {"role": "assistant", "content": "DRAFT of another choice."}
        key = "delta" if "delta" in document["choices"][0] else "message"
        document["choices"].insert(0, {"index": 1, key: other, "finish_reason": None})
    figure = next((value for name, value in _USAGES.items() if name in manners), None)
    if figure is not None and document.get("usage"):
        document["usage"] = dict.fromkeys(("prompt_tokens", "completion_tokens"), figure)
    return document


def _in_parts(said: dict[str, Any]) -> None:
    parts: list[dict[str, Any]] = []
    if thought := said.pop("reasoning_content", None):
        parts.append({"type": "thinking", "thinking": [{"type": "text", "text": thought}]})
    if text := said.get("content"):
        parts.append({"type": "text", "text": text})
        parts.append({"type": "image_url", "image_url": {"url": "data:,x"}})
    said["content"] = parts
