"""One HTTP exchange: a request body out, a streamed answer in, whole or not at all.

httpx with httpx-sse: our own headers only, no redirects, bounded bodies. A stream is complete only
with `[DONE]`; usage is read in each of its four shapes.
"""

import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
from httpx_sse import EventSource, ServerSentEvent, SSEError

from amx_kimi.client.convert import convert_error, stated_limits
from amx_kimi.errors import BrokenStreamError, ReplyError, SilenceError, UnreachableError
from amx_kimi.facts import Facts
from amx_kimi.types import TokenLogprob, Usage

__all__ = ["Callbacks", "WireReply", "bounded", "exchange", "get_json", "read_usage"]

_MOST_BYTES = 64 * 1024 * 1024
_MOST_ERROR_BYTES = 64 * 1024
_AFTER_DONE_SECONDS = 0.5
_MOST_GET_SECONDS = 60.0
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Callbacks:
    """What a caller hears while an answer streams: pieces of content and of reasoning."""

    on_content: Callable[[str], None] | None = None
    on_thinking: Callable[[str], None] | None = None


@dataclass
class WireReply:
    """What arrived of one answer."""

    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    finish_reason: str = ""
    usage: Usage = field(default_factory=lambda: Usage(known=False))
    logprobs: list[TokenLogprob] = field(default_factory=list)
    tool_calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    model: str = ""
    limits: Mapping[str, int] = field(default_factory=dict)  # as `X-RateLimit-Limit-…` says


async def exchange(
    http: httpx.AsyncClient,
    body: Mapping[str, Any],
    *,
    facts: Facts,
    call: str,
    callbacks: Callbacks,
) -> WireReply:
    """POST `body` to chat/completions and read the answer to its end.

    Raises:
        UnreachableError, SilenceError, BrokenStreamError: no whole answer arrived.
        ServiceError: the endpoint refused.
        ReplyError: what arrived is not a chat completion.
    """
    try:
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        async with http.stream(
            "POST", "chat/completions", content=content, headers=_JSON
        ) as response:
            if response.status_code != 200:
                raise convert_error(  # no local: the text may repeat our key
                    response.status_code,
                    response.headers,
                    await _read_bounded(response),
                    facts=facts,
                    call=call,
                )
            if "text/event-stream" in response.headers.get("content-type", ""):
                reply = await _read_stream(response, facts, call, callbacks)
            else:
                await response.aread()
                reply = _read_whole(response, facts, call, callbacks)
            reply.limits = stated_limits(response.headers)
            return reply
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise _unreachable(error, facts, call) from None
    except httpx.TimeoutException:
        raise SilenceError(
            f"{facts.endpoint.label} was silent for longer than is allowed",
            call=call,
            remedy="AMX_LLM_TIMEOUT_SEC sets the longest silence, in seconds.",
        ) from None
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise BrokenStreamError(
            f"The connection to {facts.endpoint.label} broke: {type(error).__name__}", call=call
        ) from None


async def get_json(http: httpx.AsyncClient, path: str, *, facts: Facts) -> Any:
    """GET a JSON document below the endpoint's base URL.

    Raises:
        UnreachableError, SilenceError, ServiceError, ReplyError: as `exchange`.
    """
    call = f"GET {path}"
    try:
        with anyio.fail_after(_MOST_GET_SECONDS):
            response = await http.get(path)
    except (httpx.TimeoutException, TimeoutError):
        raise SilenceError(f"{facts.endpoint.label} did not answer", call=call) from None
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise _unreachable(error, facts, call) from None
    if response.status_code != 200:
        raise convert_error(
            response.status_code, response.headers, response.text, facts=facts, call=call
        )
    try:
        return response.json()
    except (ValueError, RecursionError):
        raise ReplyError(f"{facts.endpoint.label} sent no JSON", call=call) from None


async def bounded(response: httpx.Response) -> None:
    """An httpx response hook: whatever the server sends, no more than 64 MB are read."""
    response.stream = _BoundedStream(response.stream)  # type: ignore[arg-type]


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for chunk in self._stream:
            total += len(chunk)
            if total > _MOST_BYTES:
                raise httpx.ReadError("the answer is longer than 64 MB")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _read_bounded(response: httpx.Response) -> str:
    data = b""
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > _MOST_ERROR_BYTES:
            break
    return data[:_MOST_ERROR_BYTES].decode("utf-8", "replace")


async def _read_stream(
    response: httpx.Response, facts: Facts, call: str, callbacks: Callbacks
) -> WireReply:
    reply = WireReply()
    try:
        events = EventSource(response).aiter_sse()
        async for event in events:
            if event.data == "[DONE]":
                await _read_out(events)
                return reply
            if event.data:
                _absorb(reply, event.data, facts, call, callbacks)
    except (SSEError, UnicodeDecodeError):
        pass
    raise BrokenStreamError(
        f"The stream from {facts.endpoint.label} ended before [DONE]",
        call=call,
        remedy="An answer without it may be cut, so it is not used.",
    )


async def _read_out(events: AsyncIterator[ServerSentEvent]) -> None:
    """A connection is used again only when its answer was read to the very end."""
    with anyio.move_on_after(_AFTER_DONE_SECONDS), suppress(httpx.TransportError, SSEError):
        async for _ in events:
            pass


def _read_whole(
    response: httpx.Response, facts: Facts, call: str, callbacks: Callbacks
) -> WireReply:
    """A gateway that ignores `stream` answers in one piece."""
    reply = WireReply()
    _absorb(reply, response.text, facts, call, callbacks)
    if not reply.finish_reason:
        raise BrokenStreamError(f"{facts.endpoint.label} sent no chat completion", call=call)
    return reply


def _absorb(reply: WireReply, text: str, facts: Facts, call: str, callbacks: Callbacks) -> None:
    try:
        document = json.loads(text)
        if document.get("error"):
            raise convert_error(200, {}, text, facts=facts, call=call)
        content, reasoning = _absorb_chunk(reply, document)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise BrokenStreamError(
            f"{facts.endpoint.label} sent something that is no part of a chat completion", call=call
        ) from None
    if reasoning and callbacks.on_thinking:
        callbacks.on_thinking(reasoning)
    if content and callbacks.on_content:
        callbacks.on_content(content)


def _absorb_chunk(reply: WireReply, document: dict[str, Any]) -> tuple[str, str]:
    """Add a chunk to `reply`; returns its pieces of content and of reasoning."""
    reply.model = document.get("model") or reply.model
    choices = document.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    for holder in (choice, document):
        if isinstance(usage := holder.get("usage"), dict):
            counted = read_usage(usage)
            reply.usage = counted if counted.known else reply.usage
    delta = choice.get("delta") or choice.get("message") or {}
    reasoning = str(delta.get("reasoning_content") or delta.get("reasoning") or "")
    content = str(delta.get("content") or "")
    reply.reasoning.append(reasoning)
    reply.content.append(content)
    if delta.get("tool_calls"):
        _absorb_tool_calls(reply.tool_calls, delta["tool_calls"])
    reply.logprobs += _logprobs((choice.get("logprobs") or {}).get("content") or [])
    reply.finish_reason = choice.get("finish_reason") or reply.finish_reason
    return content, reasoning


def _logprobs(tokens: list[dict[str, Any]]) -> list[TokenLogprob]:
    """Malformed ones are left out: they then do not cover the answer, and are not used."""
    return [
        TokenLogprob(token["token"], float(token["logprob"]))
        for token in tokens
        if isinstance(token.get("token"), str) and _finite(token.get("logprob"))
    ]


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _absorb_tool_calls(calls: dict[int, dict[str, Any]], pieces: list[dict[str, Any]]) -> None:
    for position, piece in enumerate(pieces):
        call = calls.setdefault(
            piece.get("index", position),
            {"id": "", "type": "function", "function": {"name": "", "arguments": ""}},
        )
        call["id"] = piece.get("id") or call["id"]
        function = piece.get("function") or {}
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Usage in Moonshot's shape (flat `cached_tokens`), in OpenAI's (nested), or in both."""
    prompt_details = usage.get("prompt_tokens_details") or {}
    completion_details = usage.get("completion_tokens_details") or {}
    prompt = _count(usage.get("prompt_tokens"))
    return Usage(
        prompt=prompt,
        cached=min(
            prompt,
            max(_count(usage.get("cached_tokens")), _count(prompt_details.get("cached_tokens"))),
        ),
        completion=_count(usage.get("completion_tokens")),
        reasoning=_count(completion_details.get("reasoning_tokens")),
        cache_write=max(
            _count(usage.get("cache_write_tokens")),
            _count(prompt_details.get("cache_write_tokens")),
        ),
        known=isinstance(usage.get("prompt_tokens"), int),
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _unreachable(error: Exception, facts: Facts, call: str) -> UnreachableError:
    return UnreachableError(
        f"{facts.endpoint.url} cannot be reached: {error or type(error).__name__}",
        call=call,
        remedy="Check api_base, the network, HTTPS_PROXY, and AMX_CA_BUNDLE for a corporate CA.",
    )
