"""AMX's wizard, with our questions as soon as the person picks kimi."""

from collections.abc import Callable
from typing import Any

from amx_kimi.settings import Settings

__all__ = ["block"]


class _Picked(Exception):
    """Raised when kimi is picked, because we ask the other questions."""


def block(original: Callable[..., Any], defaults: Any = None) -> Any:
    """AMX's `interactive_llm_block(defaults)`: its first question, then ours for kimi.

    Returns AMX's `LLMConfig`; AMX saves it, key included.
    """
    import amx.cli_support.commands.profiles as host

    ask_choice = host.ask_choice

    def asked(*args: Any, **kwargs: Any) -> Any:
        answer = ask_choice(*args, **kwargs)
        if answer == "kimi":
            raise _Picked
        return answer

    host.ask_choice = asked
    try:
        return original(defaults)
    except _Picked:
        pass
    finally:
        host.ask_choice = ask_choice
    return _ours(defaults)


def _ours(defaults: Any) -> Any:
    from amx.config import LLMConfig

    from amx_kimi.wizard.inside import collect_for_amx
    from amx_kimi.wizard.terminal import Cancelled

    kimi = defaults if str(getattr(defaults, "provider", "")) == "kimi" else None
    try:
        fields = collect_for_amx(vars(kimi) if kimi else {}, Settings.from_environment())
    except Cancelled:
        raise KeyboardInterrupt from None  # as in AMX's own questions
    from dataclasses import replace

    return replace(kimi, **fields) if kimi else LLMConfig(**fields)
