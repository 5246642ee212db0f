"""What the sandbox has seen and billed."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Seen:
    """One request and how it ended.

    ``status`` is 0 where the connection was closed before any byte and 499 where the client
    left; ``finish_reason`` is None for every answer that did not end properly. ``usage`` is what
    was billed, in one shape whatever the answer's shape was.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any] | None
    key: str | None
    status: int
    error_type: str | None
    at: float
    usage: dict[str, int] | None = None
    finish_reason: str | None = None
    fault: str | None = None
    cost: Decimal = Decimal(0)

    def public(self) -> dict[str, Any]:
        """As JSON, with nothing left of the key but its end."""
        data = asdict(self)
        data["key"] = masked(self.key)
        data["cost"] = str(self.cost)
        data["headers"] = {
            name: masked(value) if name in ("authorization", "cookie", "x-api-key") else value
            for name, value in self.headers.items()
        }
        return data


def masked(secret: str | None) -> str | None:
    """``sk-…last4``; a short secret shows nothing of itself."""
    if secret is None:
        return None
    return f"sk-…{secret[-4:]}" if len(secret) >= 12 else "sk-…"


@dataclass(frozen=True)
class Totals:
    """Sums over the chat completions: ``rejected`` are the 429s, ``failed`` all other failures.

    Tokens and ``cost`` (USD, by the sandbox's own prices) hold for what was generated, also of
    streams that broke off.
    """

    requests: int = 0
    answered: int = 0
    rejected: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    cost: Decimal = Decimal(0)
    peak: int = 0

    def public(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "cost": str(self.cost)}

    def plus(self, seen: Seen) -> Totals:
        """With one more chat completion."""
        answered = seen.status == 200 and seen.finish_reason is not None
        rejected = seen.status == 429
        usage = seen.usage or {}
        return replace(
            self,
            requests=self.requests + 1,
            answered=self.answered + answered,
            rejected=self.rejected + rejected,
            failed=self.failed + (not answered and not rejected),
            prompt_tokens=self.prompt_tokens + usage.get("prompt_tokens", 0),
            cached_tokens=self.cached_tokens + usage.get("cached_tokens", 0),
            completion_tokens=self.completion_tokens + usage.get("completion_tokens", 0),
            reasoning_tokens=self.reasoning_tokens + usage.get("reasoning_tokens", 0),
            cost=self.cost + seen.cost,
        )


class Record:
    """The latest requests and the totals of all."""

    def __init__(self) -> None:
        self.seen: deque[Seen] = deque()
        self.totals = Totals()

    def add(self, seen: Seen, *, chat: bool, keep: int, keep_body: bool) -> None:
        """Note a request that has ended."""
        if chat:
            self.totals = self.totals.plus(seen)
        self.seen.append(seen if keep_body else replace(seen, body=None))
        while len(self.seen) > keep:
            self.seen.popleft()
