"""The sandbox's memory, and one request's way through it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from aiohttp import web

from amx_kimi.sandbox.limits import Limiter
from amx_kimi.sandbox.options import Options
from amx_kimi.sandbox.plan import Bill
from amx_kimi.sandbox.prefixes import PrefixCache
from amx_kimi.sandbox.record import Record, Seen, Totals
from amx_kimi.sandbox.refusals import invalid
from amx_kimi.sandbox.rows import Row


class State:
    """Options and everything counted. Only the event loop's thread touches it."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.under_way = 0
        self.reset()

    def reset(self) -> None:
        """Forget requests, totals, limits and cached prefixes; the options stay."""
        self.record = Record()
        self.limiter = Limiter()
        self.prefixes = PrefixCache()
        self._chats = 0

    def next_chat(self) -> int:
        """The number of a chat request, from 1."""
        self._chats += 1
        return self._chats

    def totals(self) -> Totals:
        """The sums so far."""
        return replace(self.record.totals, peak=self.limiter.peak)


class Visit:
    """One request from its arrival to its line in the record."""

    def __init__(self, state: State, request: web.Request, raw: bytes) -> None:
        self.at = time.monotonic()
        self.options = state.options
        self.state = state
        self.request = request
        self.key = _bearer(request.headers.get("Authorization"))
        self.fault: str | None = None
        self.manners: frozenset[str] = frozenset()
        self.size = len(raw)
        self._raw = raw
        self.is_chat = False
        self.fraction = 0.0
        self.on_end: Callable[[], None] | None = None
        self._record = state.record
        self._charge: tuple[Bill, Row, str] | None = None
        self._ended = False
        self._body = _parse(raw) if raw else None

    @property
    def coding(self) -> bool:
        """Whether this is the Kimi Code endpoint."""
        return "coding" in self.request.path.split("/")

    @property
    def text(self) -> str:
        """The body as text."""
        return self._raw.decode("utf-8", "replace")

    def json(self) -> dict[str, Any]:
        """The body as a JSON object, or a 400."""
        if not isinstance(self._body, dict):
            raise invalid("Invalid request: the body is not a JSON object")
        return self._body

    def charge(self, bill: Bill, row: Row, ttl: str) -> None:
        """From here on the request costs, as far as its answer gets."""
        self._charge = (bill, row, ttl)

    def end(self, status: int, error_type: str | None = None, reason: str | None = None) -> None:
        """Note how it ended and give its place free; only the first call counts."""
        if self._ended:
            return
        self._ended = True
        if self.on_end is not None:
            self.on_end()
        usage, cost = None, Decimal(0)
        if self._charge is not None:
            bill, row, ttl = self._charge
            bill = bill if reason is not None else bill.part(self.fraction)
            usage, cost = bill.figures(), bill.cost(row, ttl)
        options = self.options
        self._record.add(
            self._seen(status, error_type, reason, usage, cost),
            chat=self.is_chat,
            keep=options.keep,
            keep_body=options.keep_bodies,
        )

    def _seen(
        self,
        status: int,
        error_type: str | None,
        reason: str | None,
        usage: dict[str, int] | None,
        cost: Decimal,
    ) -> Seen:
        return Seen(
            method=self.request.method,
            path=self.request.path,
            headers={name.lower(): value for name, value in self.request.headers.items()},
            body=self._body if isinstance(self._body, dict) else None,
            key=self.key,
            status=status,
            error_type=error_type,
            at=self.at,
            usage=usage,
            finish_reason=reason,
            fault=self.fault,
            cost=cost,
        )


def _bearer(header: str | None) -> str | None:
    scheme, _, key = (header or "").partition(" ")
    return key.strip() or None if scheme.lower() == "bearer" else None


def _parse(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
