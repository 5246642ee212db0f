"""AMX's scheduler: the operating system starts it, so only `amx-kimi enable` gets Kimi into it."""

from collections.abc import Callable
from typing import Any

from amx_kimi.bridge.enable import status

__all__ = ["install"]


def install(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`install_daemon`, whose message AMX prints and Studio shows: nothing is installed that would
    run without Kimi."""
    if status().enabled:
        return original(*args, **kwargs)
    return {
        "message": (
            "Not installed: the operating system starts the scheduler, but this AMX has Kimi only "
            "because `amx-kimi amx` started it. Run `amx-kimi enable` once, then install it again."
        ),
        "path": None,
    }
