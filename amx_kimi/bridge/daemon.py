"""AMX's scheduler: only `amx-kimi enable` gives it Kimi, because the operating system starts it."""

from collections.abc import Callable
from typing import Any

from amx_kimi.bridge.enable import status

__all__ = ["install"]


def install(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`install_daemon`, which installs nothing that would run without Kimi. AMX prints its message,
    and Studio shows it."""
    if status().enabled:
        return original(*args, **kwargs)
    return {
        "message": (
            "Not installed: the operating system starts the scheduler, but this AMX has Kimi only "
            "because `amx-kimi amx` started it. Run `amx-kimi enable` once, then install it again."
        ),
        "path": None,
    }
