"""How long to pause before a request is tried again."""

import random

from amx_kimi.errors import KimiError, ServiceError

__all__ = ["backoff_seconds", "pause_seconds"]

_LONGEST_BACKOFF = 30.0
_BELIEVED = 3
_LEAST = 5.0
_LONGEST_WAIT = 300.0  # a longer wait is reported as an error


def pause_seconds(error: KimiError, tries: int, first: float) -> float | None:
    """The pause after the n-th such error: what the service asked for, else doubling from `first`.

    None when the error is not retryable, or the service asks for more than five minutes.
    """
    wanted = error.retry_after if isinstance(error, ServiceError) else None
    if not error.retryable or (wanted or 0.0) > _LONGEST_WAIT:
        return None
    if not wanted:
        return backoff_seconds(tries, first)
    # A service that keeps asking for milliseconds gets longer pauses.
    least = min(backoff_seconds(tries - _BELIEVED, first), _LEAST) if tries > _BELIEVED else 0.0
    return max(wanted, least) + random.random() * first


def backoff_seconds(failures: int, first: float) -> float:
    """The pause after the n-th failure: doubling, between half and all of it, at most 30 s."""
    whole = min(first * 2.0 ** min(failures - 1, 99), _LONGEST_BACKOFF)
    return whole * (0.5 + random.random() / 2)
