"""Profiles at a sandbox or at a scripted server, and ways to ask through them."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio

from amx_kimi.client import KimiClient
from amx_kimi.config import Overlay, Profile
from amx_kimi.facts import EndpointRow, load_catalog, match_endpoint
from amx_kimi.types import Ask, Attempt, Reply

KEY = "sk-test-0123456789abcdef"
THINKING = "kimi-k2-thinking"
CHAT = "kimi-k2-0905-preview"
BULK = "kimi-k2.6"
QUICK = 0.01

T = TypeVar("T")


def profile(url: str, model: str = THINKING, *, endpoint: str = "", **fields: Any) -> Profile:
    """A profile at `url`; `endpoint` gives it the habits of that endpoint's row."""
    row: EndpointRow | None = load_catalog().endpoint(endpoint) if endpoint else None
    found = replace(row, url=url) if row else match_endpoint(load_catalog(), url)
    overlay = Overlay(**fields.pop("overlay", {}))
    return Profile("p", found, **{"model": model, "api_key": KEY, "overlay": overlay, **fields})


def ask(text: str = "Say something about databases, please", **fields: Any) -> Ask:
    messages = fields.pop("messages", [{"role": "user", "content": text}])
    return Ask(messages, **{"prompt_tokens": 20, **fields})


def describe(columns: int = 3) -> str:
    """A request of our contract."""
    rows = [{"id": n, "name": f"col_{n}", "type": "TEXT"} for n in range(1, columns + 1)]
    table = {"id": "T1", "name": "public.orders", "ask": True, "columns": rows}
    return json.dumps({"task": "describe", "language": "en", "alternatives": 1, "tables": [table]})


def with_client(who: Profile, use: Callable[[KimiClient], Awaitable[T]], **options: Any) -> T:
    """Run `use` with a client that is closed afterwards."""

    async def main() -> T:
        async with KimiClient(who, **{"backoff": QUICK, **options}) as client:
            return await use(client)

    return anyio.run(main)


def chat(who: Profile, question: Ask | None = None, **options: Any) -> Reply:
    """One question through a client of its own."""
    heard = {name: options.pop(name) for name in ("on_content", "on_thinking") if name in options}
    return with_client(who, lambda client: client.chat(question or ask(), **heard), **options)


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until `condition` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.002)


async def until_async(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """The same without holding the event loop up."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 -- it is another thread's
            await anyio.sleep(0.002)


@dataclass
class Memory:
    """A recorder that remembers."""

    begun: list[dict[str, Any]] = field(default_factory=list)
    settled: dict[int, Attempt] = field(default_factory=dict)

    async def begin(self, ask: Ask, **sent: Any) -> int:
        self.begun.append({"label": ask.label, **sent})
        return len(self.begun)

    async def settle(self, request: int, attempt: Attempt) -> None:
        self.settled[request] = attempt


def response(body: bytes | str | dict[str, Any], status: int = 200, **headers: str) -> list[bytes]:
    """A whole HTTP response; a dict is sent as JSON."""
    kind = "application/json" if isinstance(body, dict) else "text/html"
    text = json.dumps(body) if isinstance(body, dict) else body
    data = text.encode() if isinstance(text, str) else text
    fields = {"Content-Type": kind, "Content-Length": str(len(data)), "Connection": "close"}
    fields |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return [f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode(), data]


def stream(*events: str | dict[str, Any], done: bool = True) -> list[bytes]:
    """A stream of events, its connection closed at the end."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return [head, *(f"data: {t}\n\n".encode() for t in [*texts, *["[DONE]"] * done])]


def piece(content: str = "", finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of a streamed chat completion."""
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return {"model": "scripted", "choices": [{**choice, **more.pop("choice", {})}], **more}


Script = Sequence[bytes] | Callable[[socket.socket], None]


class Scripted:
    """A server on loopback that answers each request with the next of `scripts`, byte by byte as
    written; the last one again when they run out. It remembers the requests."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self._tls = tls
        self._open: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection.makefile("rb") as incoming:
                line = incoming.readline().decode()
                headers: dict[str, str] = {}
                while field_ := incoming.readline().decode().strip():
                    name, _, value = field_.partition(": ")
                    headers[name.lower()] = value
                body = incoming.read(int(headers.get("content-length", 0)))
            self.requests.append((line, headers, body))
            script = self._scripts[min(len(self.requests), len(self._scripts)) - 1]
            if callable(script):
                script(connection)
            else:
                for data in script:
                    connection.sendall(data)
                connection.shutdown(socket.SHUT_RDWR)
