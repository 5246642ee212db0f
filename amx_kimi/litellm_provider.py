"""Kimi as a LiteLLM provider: `import amx_kimi.litellm_provider`, and `kimi/…` models work.

    import amx_kimi.litellm_provider, litellm
    litellm.completion(model="kimi/kimi-k2.6", messages=[…], api_key=…)
    litellm.completion(model="kimi/@nightly", messages=[…])    # an LLM profile of AMX's config.yml

Importing this module registers the provider by LiteLLM's public custom-provider interface; nothing
else does. Policy, limits, retries and errors are those of the rest of amx-kimi.
"""

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import litellm
from litellm import ModelResponse
from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import Delta, ModelResponseStream, StreamingChoices

from amx_kimi.client import shared_client
from amx_kimi.config import (
    FoundKey,
    Overlay,
    Profile,
    active_profile,
    clean_key,
    find_key,
    load_overlay,
    load_profile,
    profile_names,
)
from amx_kimi.errors import ConfigError, KimiError, MissingKeyError, TruncatedError
from amx_kimi.litellm_errors import as_litellm
from amx_kimi.litellm_models import model_rows, usage_of
from amx_kimi.settings import EFFORTS, Settings
from amx_kimi.tokens import count_messages
from amx_kimi.types import Ask, Reply

__all__ = ["KimiLLM", "handler", "register"]

_PROVIDER = "kimi"
_OURS = {
    *("temperature", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "logprobs"),
    *("top_logprobs", "stream", "stream_options", "reasoning_effort", "thinking", "max_retries"),
    *("n", "model", "messages", "extra_body", "extra_headers"),
}


class KimiLLM(CustomLLM):
    """LiteLLM's handler for `kimi/<model id>` and `kimi/@<profile>`."""

    def completion(self, *_: Any, **call: Any) -> ModelResponse:
        """A whole answer.

        Raises:
            litellm exceptions: AuthenticationError, RateLimitError … as LiteLLM's users know them.
        """
        return _Call(call).answer()

    async def acompletion(self, *_: Any, **call: Any) -> ModelResponse:
        """As `completion`, in the caller's event loop."""
        return await _Call(call).answer_later()

    def streaming(self, *_: Any, **call: Any) -> Iterator[Any]:
        """The answer in pieces, content and reasoning, then usage. Returns with the first piece, or
        raises: so that LiteLLM's Router can go elsewhere."""
        return _Stream(_Call(call)).begun().pieces()

    def astreaming(self, *_: Any, **call: Any) -> AsyncIterator[Any]:  # type: ignore[override]
        """As `streaming`, for the caller's event loop; LiteLLM calls it in a thread."""
        stream = _Stream(_Call(call))
        return (stream if _in_event_loop() else stream.begun()).pieces_later()


class _Call:
    """One call of LiteLLM's, as ours."""

    def __init__(self, call: dict[str, Any]) -> None:
        self._call = call
        self._model = str(call["model"])
        try:
            settings = Settings.from_environment()
            self.profile, key = _profile(call, settings)
            self.ask = _ask(call)
            self.client = shared_client(self.profile, settings, key)
        except KimiError as error:
            raise as_litellm(error, self._model) from None
        self.seconds = _seconds(call.get("timeout"))

    def answer(self) -> ModelResponse:
        future = self.client.submit(self.ask)
        return self._response(self.result(future))

    async def answer_later(self) -> ModelResponse:
        future = self.client.submit(self.ask)
        with suppress(Exception):  # `result` below says what it was
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), self.seconds)
        return self._response(self.result(future, wait=False))

    def result(self, future: "Future[Reply]", *, wait: bool = True) -> Reply:
        """What came of it.

        Raises:
            litellm exceptions: it failed, or the call's own timeout has passed.
        """
        try:
            return future.result(self.seconds if wait else 0)
        except KimiError as error:
            return self._cut_or_raise(error)
        except TimeoutError:
            future.cancel()
            raise self.timeout() from None

    def timeout(self) -> Exception:
        """LiteLLM's exception for a timeout of the caller's own."""
        said = f"No answer within the call's timeout of {self.seconds:g} s"
        return litellm.exceptions.Timeout(said, self._model, _PROVIDER)

    def _cut_or_raise(self, error: KimiError) -> Reply:
        """As chat APIs do, an answer that was cut comes as it is, with finish_reason=length."""
        if isinstance(error, TruncatedError) and error.reply is not None:
            return error.reply
        raise as_litellm(error, self._model) from None

    def _response(self, reply: Reply) -> ModelResponse:
        response = cast(ModelResponse, self._call["model_response"])
        message = {
            "role": "assistant",
            "content": reply.content,
            "reasoning_content": reply.reasoning or None,
            "tool_calls": list(reply.tool_calls) or None,
        }
        logprobs = [
            {"token": t.token, "logprob": t.logprob, "top_logprobs": []} for t in reply.logprobs
        ]
        choice = {
            "index": 0,
            "finish_reason": reply.finish_reason,
            "message": {key: value for key, value in message.items() if value is not None},
            **({"logprobs": {"content": logprobs}} if logprobs else {}),
        }
        made = ModelResponse(model=self.profile.model, choices=[choice])
        response.choices, response.model = made.choices, self.profile.model
        response.usage = usage_of(reply, self.ask)
        if reply.cost is not None and self.profile.facts().currency == "USD":
            response._hidden_params["response_cost"] = float(reply.cost)  # the profile's own prices
        return response


class _Stream:
    """An answer in pieces, from the client's thread to a generator of either kind."""

    def __init__(self, call: _Call) -> None:
        self._call = call
        self._heard: queue.SimpleQueue[ModelResponseStream | None] = queue.SimpleQueue()
        self._first: list[ModelResponseStream | None] = []
        self._wake: Callable[[], object] = lambda: None
        self._id = ModelResponseStream(choices=[]).id
        self._future = call.client.submit(
            replace(call.ask, once=True),
            on_content=lambda text: self._put(Delta(content=text, role="assistant")),
            on_thinking=lambda text: self._put(
                Delta(content=None, reasoning_content=text, role="assistant")
            ),
        )
        self._future.add_done_callback(lambda _: self._push(None))

    def begun(self) -> "_Stream":
        """Itself, once the first piece is there.

        Raises:
            litellm exceptions: there will be none.
        """
        self._first = [self._next()]
        if self._first == [None]:
            self._call.result(self._future)
        return self

    def pieces(self) -> Iterator[ModelResponseStream]:
        """Each piece as it comes, then usage and the end."""
        try:
            while (piece := self._first.pop() if self._first else self._next()) is not None:
                yield piece
            yield from self._end(self._call.result(self._future))
        finally:
            self._future.cancel()

    async def pieces_later(self) -> AsyncIterator[ModelResponseStream]:
        """As `pieces`, for an event loop."""
        loop, there = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(there.set)
        try:
            while True:
                there.clear()
                while self._first or not self._heard.empty():
                    piece = self._first.pop() if self._first else self._heard.get_nowait()
                    if piece is None:
                        for last in self._end(self._call.result(self._future)):
                            yield last
                        return
                    yield piece
                try:
                    await asyncio.wait_for(there.wait(), self._call.seconds)
                except TimeoutError:
                    raise self._call.timeout() from None
        finally:
            self._wake = lambda: None
            self._future.cancel()

    def _next(self) -> ModelResponseStream | None:
        try:
            return self._heard.get(timeout=self._call.seconds)
        except queue.Empty:
            self._future.cancel()
            raise self._call.timeout() from None

    def _put(self, delta: Delta) -> None:
        self._push(self._piece(delta))

    def _push(self, piece: ModelResponseStream | None) -> None:
        self._heard.put(piece)
        with suppress(RuntimeError):  # the caller's event loop is closed: nobody listens
            self._wake()

    def _end(self, reply: Reply) -> Iterator[ModelResponseStream]:
        """Tool calls, usage, and why it ended."""
        if reply.tool_calls:
            calls = [{**call, "index": index} for index, call in enumerate(reply.tool_calls)]
            yield self._piece(Delta(content=None, tool_calls=calls, role="assistant"))
        counted = self._piece(Delta(content=""))  # before the end: LiteLLM drops what comes with it
        counted.usage = usage_of(reply, self._call.ask)
        yield counted
        yield self._piece(Delta(content=None), finish_reason=reply.finish_reason or "stop")

    def _piece(self, delta: Delta, finish_reason: str | None = None) -> ModelResponseStream:
        choice = StreamingChoices(index=0, delta=delta, finish_reason=finish_reason)
        return ModelResponseStream(id=self._id, model=self._call.profile.model, choices=[choice])


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _seconds(timeout: Any) -> float | None:
    """The call's timeout, in seconds: LiteLLM gives a number or httpx's."""
    seconds = getattr(timeout, "read", timeout)
    return float(seconds) if seconds else None


def _profile(call: dict[str, Any], settings: Settings) -> tuple[Profile, FoundKey]:
    """Whom to ask, and with which key: a profile's goes to that profile's endpoint only."""
    model, base = str(call["model"]), call.get("api_base") or None
    overlays = load_overlay(settings.config_dir)
    if model.startswith("@"):
        profile = load_profile(model[1:], settings)
    else:
        profile = _active(settings) or Profile("(litellm)", overlays.endpoint("", None))
        profile = replace(profile, model=overlays.aliases.get(model, model))
    if base and (endpoint := overlays.endpoint("", base)).url != profile.base_url:
        elsewhere = replace(profile.overlay, endpoint="", api_key_ref="", auth="")
        profile = replace(profile, endpoint=endpoint, api_key="", overlay=elsewhere)
    profile = replace(profile, overlay=_overlay(profile.overlay, call["optional_params"]))
    if call.get("api_key"):
        key = clean_key(str(call["api_key"]))
        return profile, FoundKey(key, "the caller's api_key")
    try:
        return profile, find_key(profile, settings)
    except MissingKeyError:
        if profile.endpoint.name != "any":
            raise
        return profile, FoundKey(None, "none was given")


def _overlay(overlay: Overlay, params: dict[str, Any]) -> Overlay:
    """The call's own `thinking` and `reasoning_effort`."""
    thinking, effort = params.get("thinking"), params.get("reasoning_effort")
    if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "disabled"):
        overlay = replace(overlay, thinking=thinking["type"] == "enabled")
    if effort is None:
        return overlay
    if effort not in EFFORTS:
        raise ConfigError(f"reasoning_effort is {effort!r:.40}; it is one of {', '.join(EFFORTS)}")
    return replace(overlay, effort=effort)


def _active(settings: Settings) -> Profile | None:
    """The active profile, if it is one of Kimi's; an error in it is not passed over."""
    name = active_profile(settings)
    provider = profile_names(settings).get(name or "", "").strip().lower()
    return load_profile(name, settings) if provider == _PROVIDER else None


def _ask(call: dict[str, Any]) -> Ask:
    params: dict[str, Any] = call["optional_params"]
    extra = {**params, **(params.get("extra_body") or {})}
    if (params.get("n") or 1) > 1:
        raise ConfigError("n is above 1: Kimi is asked for one answer a call")
    messages = [dict(message) for message in call["messages"]]
    return Ask(
        messages=messages,
        prompt_tokens=count_messages(messages),
        max_tokens=params.get("max_completion_tokens") or params.get("max_tokens"),
        tools=tuple(params.get("tools") or ()),
        tool_choice=params.get("tool_choice"),
        label="LiteLLM",
        temperature=params.get("temperature"),
        logprobs=bool(params.get("logprobs")),
        extra={name: value for name, value in extra.items() if name not in _OURS},
        own=frozenset(extra),
    )


handler = KimiLLM()
"""What the LiteLLM Proxy's YAML names as `custom_handler`."""


def register() -> None:
    """Register the provider, and the prices of its models, with LiteLLM. Twice is once."""
    if not any(item["provider"] == _PROVIDER for item in litellm.custom_provider_map):
        litellm.custom_provider_map.append({"provider": _PROVIDER, "custom_handler": handler})
    from litellm.utils import custom_llm_setup

    custom_llm_setup()  # type: ignore[no-untyped-call]
    litellm.register_model(model_rows(_PROVIDER))


register()
