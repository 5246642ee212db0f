"""Sending an answer: at once, at a pace, or broken in the ways a network breaks."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from aiohttp import web

from amx_kimi.sandbox.state import Visit
from amx_kimi.sandbox.wire import DONE, Event

LONGEST_STALL = 60.0
_ENOUGH = 16_384
_DRIP = 4_096
_BREAKS = ("reset-between", "reset-within", "stall")
_MIDDLE = 0.5


@dataclass(frozen=True)
class Body:
    """What is to be sent, and how it ends."""

    events: Iterator[Event]
    reason: str
    content_type: str
    tail: bytes = b""
    length: int | None = None


def event_stream(events: Iterator[Event], reason: str, fault: str | None) -> Body:
    """A body of server-sent events."""
    tail = b"" if fault == "no-done" else DONE
    return Body(events, reason, "text/event-stream; charset=utf-8", tail)


def whole(data: bytes, reason: str) -> Body:
    """A JSON body; it comes in two halves, so that it can break in the middle."""
    half = len(data) // 2
    parts = (Event(data[:half], _MIDDLE, has_text=True), Event(data[half:], 1.0))
    return Body(iter(parts), reason, "application/json", length=len(data))


def abort(request: web.Request) -> None:
    """Reset the connection, as a peer that went away."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def send(visit: Visit, body: Body) -> web.StreamResponse:
    """Send it all, and note the end just before the last byte goes out."""
    response = web.StreamResponse(headers={"Content-Type": body.content_type})
    response.content_length = body.length
    if body.length is None:
        response.headers["Cache-Control"] = "no-cache"
    try:
        await response.prepare(visit.request)
        if await _send_events(visit, response, body):
            await response.write_eof()
    except ConnectionError:
        visit.end(499, "client_closed_request")
    return response


async def _send_events(visit: Visit, response: web.StreamResponse, body: Body) -> bool:
    delay = visit.options.chunk_delay
    buffer = bytearray()
    for event in body.events:
        last_text = event.fraction >= _MIDDLE if event.has_text else event.fraction >= 1.0
        if visit.fault in _BREAKS and last_text:
            await _break(visit, response, bytes(buffer), event)
            return False
        buffer += event.data
        visit.fraction = event.fraction
        if delay or len(buffer) >= _ENOUGH:
            await _write(visit, response, bytes(buffer))
            buffer.clear()
            if delay:
                await asyncio.sleep(delay)
    visit.end(200, reason=None if visit.fault == "no-done" else body.reason)
    await _write(visit, response, bytes(buffer) + body.tail)
    return True


async def _write(visit: Visit, response: web.StreamResponse, data: bytes) -> None:
    if visit.fault == "drip":
        for at in range(min(_DRIP, len(data))):
            await response.write(data[at : at + 1])
            await asyncio.sleep(0)
        data = data[_DRIP:]
    if data:
        await response.write(data)


async def _break(visit: Visit, response: web.StreamResponse, pending: bytes, event: Event) -> None:
    extra = event.data[: len(event.data) // 2] if visit.fault == "reset-within" else event.data
    visit.fraction = event.fraction
    await response.write(pending + extra)
    if visit.fault == "stall":
        await asyncio.sleep(LONGEST_STALL)
    visit.end(200)
    abort(visit.request)
