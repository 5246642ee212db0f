"""One HTTP exchange: sends a request body, and reads a complete answer or raises.

The content decides what an answer is, not its status or Content-Type: an answer, streamed or in
one piece; a refusal (even with status 200); or no API at all.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import anyio
import httpx

from amx_kimi.client.answers import Callbacks, Listening, WireReply, absorb, is_chunk
from amx_kimi.client.convert import convert_error, service_text
from amx_kimi.client.documents import DONE, Documents, Event, MalformedError
from amx_kimi.client.said import is_refusal, read_said
from amx_kimi.client.waits import stated_limits
from amx_kimi.errors import (
    BrokenStreamError,
    NotAnApiError,
    ReplyError,
    SilenceError,
    UnreachableError,
)
from amx_kimi.facts import Facts

__all__ = ["exchange", "get_json"]

_MOST_EVENTS = 1_000_000  # several for each token of the longest answer
_MOST_TEXT = 8 * 1024 * 1024  # characters, of content and of thinking: four for each token
_MOST_LIST_BYTES = 4 * 1024 * 1024
_MOST_ERROR_BYTES = 64 * 1024
_AFTER_DONE_SECONDS = 0.5
_MOST_GET_SECONDS = 60.0
_JSON = {"Content-Type": "application/json"}
_NOT_A_PART = (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError)


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
        ServiceError: the endpoint refused; `NotAnApiError`: it is none.
    """
    try:
        content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        async with http.stream(
            "POST", "chat/completions", content=content, headers=_JSON
        ) as response:
            if not response.is_success:
                raise convert_error(  # no local: the text may repeat our key
                    response.status_code,
                    response.headers,
                    await _read_bounded(response),
                    facts=facts,
                    call=call,
                )
            reply = await _Reading(response, facts, call, callbacks).read()
            reply.limits = stated_limits(response.headers)
            return reply
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        raise _unreachable(error, facts, call) from None
    except httpx.TimeoutException:
        raise SilenceError(
            f"{facts.endpoint.label} was silent for longer than allowed",
            call=call,
            remedy="AMX_LLM_TIMEOUT_SEC sets the longest silence, in seconds.",
        ) from None
    except httpx.UnsupportedProtocol as error:
        raise _unreachable(error, facts, call) from None
    except httpx.RequestError as error:
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
    except httpx.RequestError as error:
        raise _unreachable(error, facts, call) from None
    if not response.is_success:
        raise convert_error(
            response.status_code, response.headers, response.text, facts=facts, call=call
        )
    if len(response.content) > _MOST_LIST_BYTES:
        raise ReplyError(
            f"{facts.endpoint.label} sent more than {_MOST_LIST_BYTES:,} bytes", call=call
        )
    text = response.text.removeprefix("\ufeff")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        if text.lstrip()[:1] == "<":
            raise _no_api(text, facts, call) from None
        raise ReplyError(f"{facts.endpoint.label} did not send JSON", call=call) from None
    if is_refusal(document) and not document.get("data"):
        raise convert_error(200, response.headers, document, facts=facts, call=call)
    return document


async def _read_bounded(response: httpx.Response) -> str:
    data = b""
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > _MOST_ERROR_BYTES:
            break
    return data[:_MOST_ERROR_BYTES].decode("utf-8", "replace")


class _Reading:
    """Reads an answer whose status is no refusal, from its first byte to its end."""

    def __init__(
        self, response: httpx.Response, facts: Facts, call: str, callbacks: Callbacks
    ) -> None:
        self._response, self._facts, self._call = response, facts, call
        self._listening = Listening(callbacks)
        self._documents = Documents()
        self._reply = WireReply()
        self._events = self._characters = 0

    async def read(self) -> WireReply:
        """The whole answer.

        Raises:
            ServiceError, BrokenStreamError: as `exchange`.
        """
        try:
            chunks = self._response.aiter_bytes()
            async for chunk in chunks:
                if self._take(self._documents.feed(chunk)):
                    await _read_out(chunks)
                    break
            else:
                self._take(self._documents.close())
        except (MalformedError, UnicodeDecodeError):
            raise self._broken("sent something that is not a chat completion") from None
        self._listening.close()
        return self._ended()

    def _take(self, events: Any) -> bool:
        """Process events; returns whether one of them was the end."""
        for event in events:
            if event is DONE:
                self._reply.done = True
                return True
            self._absorb(event)
        return False

    def _absorb(self, event: Event) -> None:
        self._events += 1
        if self._events > _MOST_EVENTS:
            raise self._broken(f"sent more than {_MOST_EVENTS:,} events")
        document = event.document
        if isinstance(document, dict) and is_chunk(document.get("data")):
            document = document["data"]  # wrapped once more by a gateway
        if event.name == "error" or is_refusal(document):
            raise convert_error(
                200,
                self._response.headers,
                document,
                facts=self._facts,
                call=self._call,
                begun=self._reply.begun,
            )
        if not is_chunk(document):
            if not isinstance(document, dict) or "choices" in document:
                raise self._broken("sent something that is not a chat completion")
            if event.name or self._documents.kind == "events":
                return  # a gateway's own event, such as a ping
            raise _no_api(json.dumps(document)[:_MOST_ERROR_BYTES], self._facts, self._call)
        try:
            content, reasoning = absorb(self._reply, document)
        except _NOT_A_PART:
            raise self._broken("sent something that is not a chat completion") from None
        self._characters += len(content) + len(reasoning)
        if self._characters > _MOST_TEXT:
            raise self._broken(f"sent more than {_MOST_TEXT:,} characters")
        self._listening.hear(content, reasoning)

    def _ended(self) -> WireReply:
        """What arrived, if it is complete."""
        reply, documents = self._reply, self._documents
        if documents.kind == "other":
            head = documents.head[:_MOST_ERROR_BYTES].decode("utf-8", "replace")
            if not head.strip():
                raise self._broken("sent an empty answer")
            raise _no_api(head, self._facts, self._call)
        is_document = not reply.streamed  # complete JSON is a whole answer
        if is_document and reply.begun:
            reply.finish_reason = reply.finish_reason or "stop"
        if reply.finish_reason == "error":
            raise self._broken("broke its answer off (finish_reason=error)")
        if not reply.begun and not reply.finish_reason:
            raise self._broken("sent an empty answer")
        if not (reply.done or is_document or (reply.usage.known and reply.finish_reason)):
            error = self._broken("ended its stream before [DONE]")
            error.at_end = True
            error.remedy = "A complete answer ends with it, or has finish_reason and usage."
            raise error
        reply.settle()
        return reply

    def _broken(self, what: str) -> BrokenStreamError:
        return BrokenStreamError(f"{self._facts.endpoint.label} {what}", call=self._call)


async def _read_out(chunks: AsyncIterator[bytes]) -> None:
    """Read to the very end, because only then can the connection be reused."""
    with anyio.move_on_after(_AFTER_DONE_SECONDS), suppress(httpx.RequestError):
        async for _ in chunks:
            pass


def _no_api(text: str, facts: Facts, call: str) -> NotAnApiError:
    """The error for something that answers 200 but is not a chat API."""
    is_page = text.lstrip()[:1] == "<"
    shown = service_text(read_said(text).text if is_page else text)
    what = (
        f"a web page ({shown:.80})"
        if is_page
        else f"something that is not a chat completion ({shown:.80})"
    )
    return NotAnApiError(
        f"{facts.endpoint.url} answered with {what if shown else 'nothing'}",
        status=200,
        call=call,
        remedy="Something else answers at this address. Correct api_base; most end in /v1.",
    )


def _unreachable(error: Exception, facts: Facts, call: str) -> UnreachableError:
    return UnreachableError(
        f"{facts.endpoint.url} cannot be reached: {error or type(error).__name__}",
        call=call,
        remedy="Check api_base, the network, HTTPS_PROXY, and AMX_CA_BUNDLE for a corporate CA.",
    )
