"""`LLMProvider.chat` for kimi profiles: with our policy and client, and AMX's result and
exceptions."""

import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from types import SimpleNamespace
from typing import Any

from amx_kimi.bridge.errors import as_amx
from amx_kimi.bridge.profile import is_kimi, key_of, profile_of
from amx_kimi.client import shared_client
from amx_kimi.errors import KimiError
from amx_kimi.settings import Settings
from amx_kimi.tokens import count_messages
from amx_kimi.types import Ask, Reply

__all__ = ["chat", "configure_env"]

_Callback = Callable[[str], None]

_LABEL = "DESCRIPTION_1:"  # AMX's own format of an answer
_MOST_TURNS = 1_000
_OURS = ("tools", "tool_choice")
_NOT_SENT = (
    "timeout",
    "request_timeout",
    "logprobs",
    "top_logprobs",
    "stream_options",
    "num_probs",
)
_LOCK = threading.Lock()
_REASONING: OrderedDict[str, str] = OrderedDict()  # what was asked -> thought before a tool call


def configure_env(original: Callable[..., Any], provider: Any) -> Any:
    """Does nothing: AMX would write keys and bases into `os.environ`, where the next provider finds
    them."""
    return None if is_kimi(provider.cfg) else original(provider)


def chat(
    original: Callable[..., Any], provider: Any, messages: Sequence[Any], *args: Any, **kwargs: Any
) -> Any:
    """AMX's `LLMProvider.chat(messages, temperature, max_tokens, use_logprobs, …)`.

    Raises:
        FatalLLMError: every further call would fail the same way; says what to do.
        LLMTruncationError: the answer was cut, even with the larger budget.
        RunCancelled: AMX's cancel token was set.
    """
    if not is_kimi(provider.cfg):
        return original(provider, messages, *args, **kwargs)
    positional = ("temperature", "max_tokens", "use_logprobs", "on_thinking", "on_content")
    return _chat(provider, messages, **dict(zip(positional, args, strict=False)), **kwargs)


def _chat(
    provider: Any,
    messages: Sequence[Any],
    *,
    temperature: float | None = None,
    max_tokens: int | None = None,
    use_logprobs: bool = True,
    on_thinking: Callable[[str], None] | None = None,
    on_content: Callable[[str], None] | None = None,
    cancel_token: Any = None,
    **kwargs: Any,
) -> Any:
    from amx.utils.cancel import get_active_cancel_token, raise_if_cancelled

    raise_if_cancelled(phase="LLM call")
    started = time.perf_counter()
    known = (*_OURS, *_NOT_SENT)
    extra = {k: v for k, v in kwargs.items() if k not in known and k[:1] != "_"}
    chat_messages = _with_reasoning(messages)
    ask = Ask(
        messages=chat_messages,
        prompt_tokens=count_messages(chat_messages),
        max_tokens=max_tokens or provider.cfg.max_tokens,
        tools=tuple(kwargs.get("tools") or ()),
        tool_choice=kwargs.get("tool_choice"),
        whole=True,
        label="AMX",
        temperature=temperature,
        logprobs=use_logprobs,
        once=on_content is not None,
        extra=extra,
        holds=lambda text: _LABEL in text,
    )
    tokens = [token for token in (cancel_token, get_active_cancel_token()) if token is not None]
    try:
        settings = Settings.from_environment()
        profile = profile_of(provider.cfg, settings)
        client = shared_client(profile, settings, key_of(provider.cfg, profile, settings))
        reply = client.chat(
            ask,
            on_content=_quiet(on_content),
            on_thinking=_cumulative(on_thinking),
            cancelled=(lambda: any(token.is_set() for token in tokens)) if tokens else None,
        )
    except CancelledError:
        from amx.agents.orchestrator import RunCancelled

        raise RunCancelled("Cancelled during a request") from None
    except KimiError as error:
        raise as_amx(error) from None
    _remember(messages, reply)
    return _result(reply, time.perf_counter() - started)


def _quiet(callback: _Callback | None) -> _Callback | None:
    """A callback whose errors do not affect the answer, as in AMX."""
    if callback is None:
        return None

    def call(piece: str) -> None:
        try:
            callback(piece)
        except Exception:
            return

    return call


def _cumulative(callback: _Callback | None) -> _Callback | None:
    """AMX's `on_thinking`, which gets the whole thinking so far each time."""
    quiet, so_far = _quiet(callback), [""]
    if quiet is None:
        return None

    def call(piece: str) -> None:
        so_far[0] += piece
        quiet(so_far[0])

    return call


def _remember(asked: Sequence[Any], reply: Reply) -> None:
    """Keep the thinking before a tool call: AMX drops it, but Kimi expects it back."""
    if not reply.tool_calls or not reply.reasoning:
        return
    with _LOCK:
        _REASONING[_digest(asked)] = reply.reasoning
        while len(_REASONING) > _MOST_TURNS:
            _REASONING.popitem(last=False)


def _with_reasoning(messages: Sequence[Any]) -> list[Mapping[str, Any]]:
    """The history with `reasoning_content` restored in our own tool-call turns.

    A turn is recognized by everything before it, because ids such as `look:0` occur repeatedly.
    """
    whole: list[Mapping[str, Any]] = []
    for place, message in enumerate(messages):
        if message.get("tool_calls") and not message.get("reasoning_content"):
            thought = _REASONING.get(_digest(messages[:place]))
            message = {**message, "reasoning_content": thought} if thought else message
        whole.append(message)
    return whole


def _digest(messages: Sequence[Any]) -> str:
    text = json.dumps(messages, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _result(reply: Reply, seconds: float) -> Any:
    """AMX's `ChatResult`, with everything that AMX reads from it."""
    from amx.llm._logprob_confidence import logprob_confidence_score
    from amx.llm.provider import ChatResult, ToolCall

    logprobs = [_token(token.token, token.logprob) for token in reply.logprobs] or None
    usage: dict[str, Any] = {"model_processing_sec": seconds}
    if reply.usage.known:
        usage |= {
            "prompt_tokens": reply.usage.prompt,
            "completion_tokens": reply.usage.completion,
            "total_tokens": reply.usage.prompt + reply.usage.completion,
        }
        if reply.usage.reasoning:
            usage["thinking_tokens"] = reply.usage.reasoning
    calls = []
    for call in reply.tool_calls:
        function = call["function"]
        calls.append(ToolCall(call["id"], function["name"], function["arguments"] or "{}"))
    return ChatResult(
        content=reply.content,
        usage=usage,
        logprobs=logprobs,
        finish_reason=reply.finish_reason,
        confidence_score=logprob_confidence_score(logprobs),
        tool_calls=calls or None,
        thinking_content=reply.reasoning,
        thinking_tokens=reply.usage.reasoning,
    )


def _token(token: str, logprob: float) -> SimpleNamespace:
    return SimpleNamespace(token=token, logprob=logprob, bytes=None, top_logprobs=[])
