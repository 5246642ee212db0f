"""Our errors as AMX's: fatal ones stop AMX's run with the remedy; others affect one batch only."""

import threading

from amx_kimi.errors import KimiError, TruncatedError

__all__ = ["as_amx", "forget_fatal", "last_fatal"]

_THREAD = threading.local()


def as_amx(error: KimiError) -> Exception:
    """AMX's exception for `error`; a fatal one is remembered for this thread.

    AMX's profile agent swallows every exception of a call, even fatal ones (0.19.0,
    agents/profile_agent.py:509).
    """
    from amx.llm._provider_errors import FatalLLMError, LLMTruncationError

    if isinstance(error, TruncatedError) and error.reply and error.reply.content.strip():
        cut: Exception = LLMTruncationError(str(error))
        return cut
    if error.stops_run or isinstance(error, TruncatedError):
        fatal: Exception = FatalLLMError(str(error), original_message=error.message)
        _THREAD.fatal = fatal
        return fatal
    return error


def last_fatal() -> Exception | None:
    """The fatal error of this thread since `forget_fatal`, if any."""
    found: Exception | None = getattr(_THREAD, "fatal", None)
    return found


def forget_fatal() -> None:
    """Forget the fatal error of this thread."""
    _THREAD.fatal = None
