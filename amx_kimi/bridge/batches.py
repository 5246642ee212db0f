"""AMX's column batches: concurrent for kimi, too, and a fatal error ends the run."""

from collections.abc import Callable
from typing import Any

from amx_kimi.bridge.errors import forget_fatal, last_fatal
from amx_kimi.bridge.profile import is_kimi

__all__ = ["most_at_once", "single_batch", "workers"]

_MOST_AT_ONCE = 32


def workers(original: Callable[..., int], agent: Any, n_batches: int) -> int:
    """How many column batches of a table run concurrently: all, because our limiter keeps the
    limits."""
    if not is_kimi(agent.llm.cfg):
        return original(agent, n_batches)
    return most_at_once(n_batches)


def most_at_once(batches: int) -> int:
    """All of them, within reason."""
    return max(1, min(_MOST_AT_ONCE, batches))


def single_batch(original: Callable[..., Any], agent: Any, *args: Any, **kwargs: Any) -> Any:
    """One column batch, whose fatal error is raised again instead of being swallowed."""
    if not is_kimi(agent.llm.cfg):
        return original(agent, *args, **kwargs)
    forget_fatal()
    suggestions = original(agent, *args, **kwargs)
    if (fatal := last_fatal()) is not None:
        raise fatal
    return suggestions
