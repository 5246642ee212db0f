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
from dataclasses import replace
from typing import Any, cast

import litellm
from litellm import ModelResponse
from litellm.llms.custom_llm import CustomLLM
from litellm.types.utils import Delta, ModelResponseStream, StreamingChoices, Usage

from amx_kimi.client import shared_client
from amx_kimi.config import FoundKey, Profile, active_profile, find_key, load_overlay, load_profile
from amx_kimi.errors import KimiError, MissingKeyError, TruncatedError
from amx_kimi.facts import load_catalog
from amx_kimi.litellm_errors import as_litellm
from amx_kimi.settings import EFFORTS, Settings
from amx_kimi.tokens import count_messages
from amx_kimi.types import Ask, Reply, Secret

__all__ = ["KimiLLM", "handler", "register"]

_PROVIDER = "kimi"
_OURS = {
    *("temperature", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "logprobs"),
    *("top_logprobs", "stream", "stream_options", "reasoning_effort", "thinking", "max_retries"),
}


class KimiLLM(CustomLLM):
    """LiteLLM's handler for `kimi/<model id>` and `kimi/@<profile>`."""

    def completion(self, *_: Any, **call: Any) -> ModelResponse:
        """A whole answer.

        Raises:
            litellm exceptions: AuthenticationError, RateLimitError … as LiteLLM's users know them.
        """
        return _Call(call).answer(lambda future: future.result())

    async def acompletion(self, *_: Any, **call: Any) -> ModelResponse:
        """As `completion`, in the caller's event loop."""
        return await _Call(call).answer_later()

    def streaming(self, *_: Any, **call: Any) -> Iterator[Any]:
        """The answer in pieces, content and reasoning, then usage."""
        yield from _Call(call).pieces()

    async def astreaming(self, *_: Any, **call: Any) -> AsyncIterator[Any]:  # type: ignore[override]
        """As `streaming`, in the caller's event loop."""
        async for piece in _Call(call).pieces_later():
            yield piece


class _Call:
    """One call of LiteLLM's, as ours."""

    def __init__(self, call: dict[str, Any]) -> None:
        self._call = call
        self._model = str(call["model"])
        try:
            settings = _settings(call["optional_params"])
            profile, key = _profile(call, settings)
            self._ask = _ask(call)
            self._profile = profile
            self._client = shared_client(profile, settings, key)
        except KimiError as error:
            raise as_litellm(error, self._model) from None

    def answer(self, wait: Callable[["Future[Reply]"], Reply]) -> ModelResponse:
        return self._response(self._guarded(lambda: wait(self._client.submit(self._ask))))

    async def answer_later(self) -> ModelResponse:
        try:
            reply = await asyncio.wrap_future(self._client.submit(self._ask))
        except KimiError as error:
            reply = self._cut_or_raise(error)
        return self._response(reply)

    def pieces(self) -> Iterator[ModelResponseStream]:
        heard: queue.SimpleQueue[ModelResponseStream | None] = queue.SimpleQueue()
        future = self._begin(heard.put)
        try:
            while (piece := heard.get()) is not None:
                yield piece
            yield from self._end(self._guarded(future.result))
        finally:
            future.cancel()

    async def pieces_later(self) -> AsyncIterator[ModelResponseStream]:
        heard: asyncio.Queue[ModelResponseStream | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        future = self._begin(lambda piece: loop.call_soon_threadsafe(heard.put_nowait, piece))
        try:
            while (piece := await heard.get()) is not None:
                yield piece
            for piece in self._end(self._guarded(future.result)):
                yield piece
        finally:
            future.cancel()

    def _begin(self, put: Callable[[ModelResponseStream | None], Any]) -> "Future[Reply]":
        future = self._client.submit(
            replace(self._ask, once=True),
            on_content=lambda text: put(self._piece(Delta(content=text, role="assistant"))),
            on_thinking=lambda text: put(
                self._piece(Delta(content=None, reasoning_content=text, role="assistant"))
            ),
        )
        future.add_done_callback(lambda _: put(None))
        return future

    def _end(self, reply: Reply) -> Iterator[ModelResponseStream]:
        """Tool calls, usage, and why it ended."""
        if reply.tool_calls:
            calls = [{**call, "index": index} for index, call in enumerate(reply.tool_calls)]
            yield self._piece(Delta(content=None, tool_calls=calls, role="assistant"))
        if reply.usage.known:  # before the end: LiteLLM drops what comes with it
            counted = self._piece(Delta(content=""))
            counted.usage = _usage(reply)
            yield counted
        yield self._piece(Delta(content=None), finish_reason=reply.finish_reason or "stop")

    def _piece(self, delta: Delta, finish_reason: str | None = None) -> ModelResponseStream:
        choice = StreamingChoices(index=0, delta=delta, finish_reason=finish_reason)
        return ModelResponseStream(model=self._profile.model, choices=[choice])

    def _guarded(self, call: Callable[[], Reply]) -> Reply:
        try:
            return call()
        except KimiError as error:
            return self._cut_or_raise(error)

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
        logprobs = [{"token": t.token, "logprob": t.logprob} for t in reply.logprobs]
        choice = {
            "index": 0,
            "finish_reason": reply.finish_reason,
            "message": {key: value for key, value in message.items() if value is not None},
            **({"logprobs": {"content": logprobs}} if logprobs else {}),
        }
        made = ModelResponse(model=self._profile.model, choices=[choice])
        response.choices, response.model = made.choices, self._profile.model
        if reply.usage.known:
            response.usage = _usage(reply)
        return response


def _usage(reply: Reply) -> Usage:
    """LiteLLM's usage, of all attempts together; cached tokens where its costs look for them."""
    usage = reply.usage
    return Usage(
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        total_tokens=usage.prompt + usage.completion,
        prompt_tokens_details={"cached_tokens": usage.cached},
        completion_tokens_details={"reasoning_tokens": usage.reasoning},
    )


def _settings(params: dict[str, Any]) -> Settings:
    settings = Settings.from_environment()
    effort = params.get("reasoning_effort")
    return replace(settings, effort=effort) if effort in EFFORTS else settings


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
        profile = Profile("(litellm)", endpoint, model=profile.model)
    thinking = call["optional_params"].get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "disabled"):
        on = thinking["type"] == "enabled"
        profile = replace(profile, overlay=replace(profile.overlay, thinking=on))
    if call.get("api_key"):
        return profile, FoundKey(Secret(str(call["api_key"])), "the caller's api_key")
    try:
        return profile, find_key(profile, settings)
    except MissingKeyError:
        if profile.endpoint.name != "any":
            raise
        return profile, FoundKey(None, "none was given")


def _active(settings: Settings) -> Profile | None:
    name = active_profile(settings)
    try:
        return load_profile(name, settings) if name else None
    except KimiError:  # another provider's: it says nothing about Kimi
        return None


def _ask(call: dict[str, Any]) -> Ask:
    params: dict[str, Any] = call["optional_params"]
    extra = {**params, **(params.get("extra_body") or {})}
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
        extra={name: value for name, value in extra.items() if name not in {*_OURS, "extra_body"}},
    )


handler = KimiLLM()
"""What the LiteLLM Proxy's YAML names as `custom_handler`."""


def register() -> None:
    """Register the provider, and the prices of its models, with LiteLLM. Twice is once."""
    if not any(item["provider"] == _PROVIDER for item in litellm.custom_provider_map):
        litellm.custom_provider_map.append({"provider": _PROVIDER, "custom_handler": handler})
    from litellm.utils import custom_llm_setup

    custom_llm_setup()  # type: ignore[no-untyped-call]
    litellm.register_model(
        {f"{_PROVIDER}/{row.id}": _model_row(row) for row in load_catalog().models}
    )


def _model_row(row: Any) -> dict[str, Any]:
    """A model as LiteLLM's price map has it: USD per token."""
    known: dict[str, Any] = {
        "litellm_provider": _PROVIDER,
        "mode": "chat",
        "max_input_tokens": row.context,
        "max_output_tokens": row.max_output or row.context,
        "supports_function_calling": row.tools,
        "supports_vision": row.vision,
        "supports_reasoning": row.thinking != "never",
    }
    if usd := row.prices.get("USD"):
        known |= {
            "input_cost_per_token": float(usd.miss / 1_000_000),
            "output_cost_per_token": float(usd.output / 1_000_000),
            "cache_read_input_token_cost": float(usd.hit / 1_000_000),
        }
    return known


register()
