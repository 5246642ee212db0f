"""Rate limits of one account: requests at once, and sliding windows for RPM, TPM and TPD.

Tokens are charged when a request comes, as prompt + max tokens, whatever it generates.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from amx_kimi.sandbox.rows import Tier

DAY_IN_MINUTES = 1440


@dataclass(frozen=True)
class Hit:
    """A limit that a request would step over, and the seconds until it would not."""

    name: str
    limit: int
    wait: float


class Window:
    """The amounts of the last ``length`` seconds."""

    def __init__(self) -> None:
        self._entries: deque[tuple[float, int]] = deque()
        self._sum = 0

    def wait(self, now: float, length: float, amount: int, limit: int) -> float | None:
        """Seconds until this amount fits, or None when it does now."""
        while self._entries and self._entries[0][0] <= now - length:
            self._sum -= self._entries.popleft()[1]
        excess = self._sum + amount - limit
        if excess <= 0:
            return None
        for at, spent in self._entries:
            excess -= spent
            if excess <= 0:
                return at + length - now
        return length

    def add(self, now: float, amount: int) -> None:
        """Charge an amount."""
        self._entries.append((now, amount))
        self._sum += amount


class Limiter:
    """The state of one account. Time is given, never read."""

    def __init__(self) -> None:
        self.under_way = 0
        self.peak = 0
        self._requests = Window()
        self._minute = Window()
        self._day = Window()

    def enter(self, tier: Tier, now: float, minute: float, tokens: int) -> Hit | None:
        """Let a request in and charge it, or say which limit keeps it out."""
        hit = self._hit(tier, now, minute, tokens)
        if hit is not None:
            return hit
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        if tier.rpm is not None:
            self._requests.add(now, 1)
        if tier.tpm is not None:
            self._minute.add(now, tokens)
        if tier.tpd is not None:
            self._day.add(now, tokens)
        return None

    def leave(self) -> None:
        """A request has ended."""
        self.under_way -= 1

    def _hit(self, tier: Tier, now: float, minute: float, tokens: int) -> Hit | None:
        if tier.concurrency is not None and self.under_way >= tier.concurrency:
            return Hit("concurrency", tier.concurrency, 1.0)
        checks = (
            ("RPM", self._requests, minute, 1, tier.rpm),
            ("TPM", self._minute, minute, tokens, tier.tpm),
            ("TPD", self._day, minute * DAY_IN_MINUTES, tokens, tier.tpd),
        )
        for name, window, length, amount, limit in checks:
            if limit is None:
                continue
            wait = window.wait(now, length, amount, limit)
            if wait is not None:
                return Hit(name, limit, wait)
        return None
