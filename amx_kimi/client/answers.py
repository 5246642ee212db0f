"""Turns the documents of an answer, streamed or not, of any known shape, into one `WireReply`.

Content and thinking are distinguished by their place (fields, typed parts) and by the marks around
them. Usage is read in all its shapes; it is unknown if it is not plausible.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from amx_kimi.arguments import function
from amx_kimi.client.thoughts import ThoughtFilter, split_thoughts
from amx_kimi.types import TokenLogprob, Usage

__all__ = ["Callbacks", "Listening", "WireReply", "absorb", "is_chunk", "read_usage"]

_CONTENTS = ("content", "text", "output_text", "refusal")
_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "thought", "reasoning_text")
_KNOWN = frozenset((*_CONTENTS, *_THOUGHTS, "role", "name", "id", "type", "finish_reason"))
# How such types begin, after `redacted_`.
_THOUGHT_PARTS = ("think", "reason", "thought", "analysis")
_PART_TEXTS = ("text", "thinking", "think", "reasoning", "reasoning_content", "content", "summary")
_MOST_TOKENS = 1_000_000_000  # a larger count cannot be right
_DEEPEST = 5


@dataclass(frozen=True)
class Callbacks:
    """A caller's callbacks while an answer streams: for pieces of content and of reasoning.

    Raises:
        ConfigError: one of them cannot be called, or is async.
    """

    on_content: Callable[[str], None] | None = None
    on_thinking: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        function("on_content", self.on_content)
        function("on_thinking", self.on_thinking)


@dataclass
class WireReply:
    """What has arrived of one answer. `done`: the stream said that it ended; `streamed`: it came in
    deltas; `others`: texts in unknown fields, by their names."""

    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    finish_reason: str = ""
    usage: Usage = field(default_factory=lambda: Usage(known=False))
    logprobs: list[TokenLogprob] = field(default_factory=list)
    tool_calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    model: str = ""
    limits: Mapping[str, int] = field(default_factory=dict)  # as `X-RateLimit-Limit-…` says
    others: dict[str, list[str]] = field(default_factory=dict)
    streamed: bool = False
    done: bool = False

    @property
    def text(self) -> str:
        """The content so far."""
        return "".join(self.content)

    @property
    def begun(self) -> bool:
        """Whether anything was generated."""
        return any(self.content) or any(self.reasoning) or bool(self.tool_calls or self.others)

    def settle(self) -> None:
        """Join the pieces, and remove thinking from the content, once everything has arrived."""
        for call in self.tool_calls.values():
            call["function"]["arguments"] = "".join(call["function"]["arguments"])
        content, thoughts = split_thoughts(self.text)
        if thoughts or content != self.text:
            self.logprobs = []  # they no longer cover the content, token by token
            self.content = [content.strip()]
            self.reasoning.append(thoughts)


class Listening:
    """Passes pieces on to the caller, without thinking that is inside the content."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._filter = ThoughtFilter() if callbacks.on_content else None

    def hear(self, content: str, reasoning: str) -> None:
        """Pass on pieces as they arrived."""
        if self._filter and content:
            content, thought = self._filter.feed(content)
            reasoning += thought
        self._tell(content, reasoning)

    def close(self) -> None:
        """Pass on the rest: there are no more pieces."""
        if self._filter:
            self._tell(*self._filter.close())

    def _tell(self, content: str, reasoning: str) -> None:
        if reasoning and self._callbacks.on_thinking:
            self._callbacks.on_thinking(reasoning)
        if content and self._callbacks.on_content:
            self._callbacks.on_content(content)


def is_chunk(document: Any) -> bool:
    """Whether a document is an answer, or a piece of one."""
    is_dict = isinstance(document, dict) and "choices" in document
    return is_dict and isinstance(document["choices"], list | None)


def absorb(reply: WireReply, document: Mapping[str, Any]) -> tuple[str, str]:
    """Add a document to `reply`; returns its pieces of content and of reasoning.

    Raises:
        ValueError, TypeError, AttributeError, KeyError: it has another shape.
    """
    if isinstance(document.get("model"), str):
        reply.model = document["model"] or reply.model
    choice = _first_choice(document["choices"])
    for holder in (choice, document):
        if isinstance(usage := holder.get("usage"), dict):
            counted = read_usage(usage)
            reply.usage = counted if counted.known else reply.usage
    reply.streamed = reply.streamed or "delta" in choice
    said = choice.get("delta") or choice.get("message") or choice
    content, thoughts = _content(said)
    for name, text in said.items() if said is not choice else ():
        if isinstance(text, str) and text and name not in _KNOWN:
            reply.others.setdefault(str(name), []).append(text)
    reply.reasoning.append(thoughts)
    reply.content.append(content)
    if said.get("tool_calls"):
        _absorb_tool_calls(reply.tool_calls, said["tool_calls"])
    logprobs = choice.get("logprobs")
    if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
        reply.logprobs += _logprobs(logprobs["content"])
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason not in ("", "null"):
        reply.finish_reason = reason
    return content, thoughts


def _first_choice(choices: list[dict[str, Any]] | None) -> dict[str, Any]:
    """The one answer that was requested, even if a server gives several."""
    return next((one for one in choices or () if not one.get("index")), {})


def _content(said: Mapping[str, Any]) -> tuple[str, str]:
    """Content and thinking of a message or a delta."""
    content: list[str] = []
    thoughts = [_text(said[name]) for name in _THOUGHTS if said.get(name)][:1]  # not both spellings
    for name in _CONTENTS:
        for text, is_thought in _parts(said.get(name)):
            (thoughts if is_thought else content).append(text)
        if content:
            break
    return "".join(content), "".join(thoughts)


def _parts(value: Any, depth: int = 0) -> Iterator[tuple[str, bool]]:
    """The texts of a content, and whether each is thinking; other kinds of parts are ignored."""
    if isinstance(value, str):
        yield value, False
    elif isinstance(value, list) and depth < _DEEPEST:
        for part in value:
            yield from _parts(part, depth + 1)
    elif isinstance(value, Mapping):
        kind = str(value.get("type") or "text").lower().removeprefix("redacted_")
        if kind.startswith(_THOUGHT_PARTS) or value.get("thought") is True:
            yield _text(value), True
        elif kind.endswith("text"):
            yield _text(value), False


def _text(value: Any, depth: int = 0) -> str:
    """The text in a text, a part, or a list of parts."""
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return "".join(_text(one, depth + 1) for one in value)
    if isinstance(value, Mapping):
        found = (_text(value[name], depth + 1) for name in _PART_TEXTS if value.get(name))
        return next(found, "")
    return ""


def _logprobs(tokens: list[dict[str, Any]]) -> list[TokenLogprob]:
    """Malformed ones are omitted. The rest then does not cover the answer, so none are used."""
    return [
        TokenLogprob(token["token"], float(token["logprob"]))
        for token in tokens
        if isinstance(token.get("token"), str) and _is_finite(token.get("logprob"))
    ]


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _absorb_tool_calls(calls: dict[int, dict[str, Any]], pieces: list[dict[str, Any]]) -> None:
    for position, piece in enumerate(pieces):
        call = calls.setdefault(
            piece.get("index", position),
            {"id": "", "type": "function", "function": {"name": "", "arguments": []}},
        )
        call["id"] = piece.get("id") or call["id"]
        function = piece.get("function") or {}
        call["function"]["name"] += function.get("name") or ""
        if piece_of_arguments := function.get("arguments"):
            call["function"]["arguments"].append(str(piece_of_arguments))


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Usage in Moonshot's shape (flat `cached_tokens`), in OpenAI's (nested), or in both; unknown
    if an essential figure is missing or impossible."""
    prompt = _count(usage.get("prompt_tokens"))
    completion = _count(usage.get("completion_tokens"))
    if prompt is None or completion is None:
        return Usage(known=False)

    def most(name: str, details: str) -> int:
        inner = usage.get(details)
        nested = inner.get(name) if isinstance(inner, Mapping) else None
        return max(_count(usage.get(name)) or 0, _count(nested) or 0)

    return Usage(
        prompt=prompt,
        cached=min(prompt, most("cached_tokens", "prompt_tokens_details")),
        completion=completion,
        reasoning=min(completion, most("reasoning_tokens", "completion_tokens_details")),
        cache_write=min(prompt, most("cache_write_tokens", "prompt_tokens_details")),
    )


def _count(value: Any) -> int | None:
    """A number of tokens, or None if it cannot be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _MOST_TOKENS and value == int(value) else None
