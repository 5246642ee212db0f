"""One call of LiteLLM's, as ours: whom to ask, with which key, and what came of it."""

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import litellm
from litellm import ModelResponse

from amx_kimi.client import shared_client
from amx_kimi.config import (
    FoundKey,
    Overlay,
    Profile,
    active_profile,
    at_base_url,
    direct_key,
    direct_profile,
    load_overlay,
    load_profile,
    profile_names,
)
from amx_kimi.errors import ConfigError, KimiError, TruncatedError
from amx_kimi.litellm_provider.errors import as_litellm
from amx_kimi.litellm_provider.models import usage_of
from amx_kimi.settings import EFFORTS, Settings
from amx_kimi.tokens import count_messages
from amx_kimi.types import Ask, Reply

__all__ = ["PROVIDER", "Call"]

PROVIDER = "kimi"
_OURS = {
    *("temperature", "max_tokens", "max_completion_tokens", "tools", "tool_choice", "logprobs"),
    *("top_logprobs", "stream", "stream_options", "reasoning_effort", "thinking", "max_retries"),
    *("n", "model", "messages", "extra_body", "extra_headers"),
}


class Call:
    """One call: `ask` is the question, `profile` and `client` are whom it goes to, and `seconds`
    is the caller's own timeout.

    Raises:
        litellm exceptions: the call makes no sense, or there is no key.
    """

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
        """The whole answer.

        Raises:
            litellm exceptions: as `result`.
        """
        future = self.client.submit(self.ask)
        return self._response(self.result(future))

    async def answer_later(self) -> ModelResponse:
        """As `answer`, in the caller's event loop."""
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
        return litellm.exceptions.Timeout(said, self._model, PROVIDER)

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


def _seconds(timeout: Any) -> float | None:
    """The call's timeout, in seconds: LiteLLM gives a number or httpx's."""
    seconds = getattr(timeout, "read", timeout)
    return float(seconds) if seconds else None


def _profile(call: dict[str, Any], settings: Settings) -> tuple[Profile, FoundKey]:
    """Whom to ask, and with which key: a profile's goes to that profile's endpoint only."""
    model, base = str(call["model"]), call.get("api_base") or None
    if model.startswith("@"):
        profile = load_profile(model[1:], settings)
    elif active := _active(settings):
        profile = replace(active, model=load_overlay(settings.config_dir).aliases.get(model, model))
    else:
        profile = direct_profile(model, settings)
    if base:
        profile = at_base_url(profile, str(base), settings)
    profile = replace(profile, overlay=_overlay(profile.overlay, call["optional_params"]))
    return profile, direct_key(profile, str(call.get("api_key") or ""), settings)


def _overlay(overlay: Overlay, params: dict[str, Any]) -> Overlay:
    """The call's own `thinking` and `reasoning_effort`."""
    thinking, effort = params.get("thinking"), params.get("reasoning_effort")
    if isinstance(thinking, dict) and thinking.get("type") in ("enabled", "disabled"):
        overlay = replace(overlay, thinking=thinking["type"] == "enabled")
    if effort is None:
        return overlay
    if effort not in EFFORTS:
        raise ConfigError(
            f"reasoning_effort is {effort!r:.40}; it must be one of {', '.join(EFFORTS)}"
        )
    return replace(overlay, effort=effort)


def _active(settings: Settings) -> Profile | None:
    """The active profile, if it is one of Kimi's; an error in it is not passed over."""
    name = active_profile(settings)
    provider = profile_names(settings).get(name or "", "").strip().lower()
    return load_profile(name, settings) if provider == PROVIDER else None


def _ask(call: dict[str, Any]) -> Ask:
    params: dict[str, Any] = call["optional_params"]
    extra = {**params, **(params.get("extra_body") or {})}
    if (params.get("n") or 1) > 1:
        raise ConfigError("n must be 1: Kimi gives one answer per call")
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
