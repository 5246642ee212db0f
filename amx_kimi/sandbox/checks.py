"""Which chat requests are refused, as kimi-api.md has it; what the others ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amx_kimi.sandbox.options import Options
from amx_kimi.sandbox.refusals import invalid
from amx_kimi.sandbox.rows import Row, find

Message = Mapping[str, Any]

ROLES = ("system", "user", "assistant", "tool")
FORMATS = ("text", "json_object", "json_schema")
GATEWAY_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
FIXED = {"top_p": 0.95, "n": 1, "presence_penalty": 0, "frequency_penalty": 0}
MOST_TOP_LOGPROBS = 20


@dataclass(frozen=True)
class Ask:
    """A chat request that passed: what it wants."""

    row: Row
    model: str
    messages: Sequence[Message]
    thinking: bool
    effort: str
    max_tokens: int | None
    stream: bool
    include_usage: bool
    response_format: str
    schema: Mapping[str, Any] | None
    logprobs: bool
    top_logprobs: int
    tools: Sequence[Mapping[str, Any]]
    tool_choice: object
    cache_ttl: str


def check(body: Mapping[str, Any], options: Options, *, coding: bool) -> Ask:
    """What a request's body asks for; Refusal names what is wrong with it."""
    row = find(body.get("model"), options, coding)
    for name in options.refuse:
        if name in body:
            raise invalid(f"Invalid request: unknown parameter: {name}")
    messages = _messages(body)
    _images(messages, row)
    thinking, effort = _thinking(body, row, options, coding)
    _sampling(body, row, thinking)
    kind, schema = _response_format(body, messages)
    if thinking:
        _history(messages)
    return Ask(
        row=row,
        model=str(body["model"]),
        messages=messages,
        thinking=thinking,
        effort=effort,
        max_tokens=_max_tokens(body),
        stream=_flag(body, "stream"),
        include_usage=_flag(_object(body, "stream_options"), "include_usage"),
        response_format=kind,
        schema=schema,
        logprobs=_logprobs(body, row, options, thinking),
        top_logprobs=body.get("top_logprobs") or 0,
        tools=_tools(body, row),
        tool_choice=body.get("tool_choice"),
        cache_ttl=_cache_ttl(body),
    )


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"Invalid request: {name} must be an object")
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise invalid(f"Invalid request: {name} must be a boolean")
    return bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _messages(body: Mapping[str, Any]) -> list[Message]:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("Invalid request: messages must not be empty")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise invalid(f"Invalid request: message {index} has no valid role")
        content = message.get("content")
        if isinstance(content, list):
            if not all(isinstance(p, dict) and isinstance(p.get("type"), str) for p in content):
                raise invalid(f"Invalid request: message {index} has an invalid content part")
        elif not isinstance(content, str | None):
            raise invalid(f"Invalid request: the content of message {index} is not text")
        if not content and message["role"] in ("user", "system"):
            raise invalid(f"Invalid request: message {index} must not be empty")
    return messages


def _images(messages: Sequence[Message], row: Row) -> None:
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] == "text":
                continue
            if not row.vision:
                raise invalid(f"Invalid request: {part['type']} is not supported by this model")
            holder = part.get(part["type"])
            url = holder.get("url") if isinstance(holder, dict) else holder
            if not str(url).startswith(("data:", "ms://")):
                raise invalid("Invalid request: unsupported image url, use base64 or ms://")


def _history(messages: Sequence[Message]) -> None:
    for index, message in enumerate(messages):
        if message.get("tool_calls") and not message.get("reasoning_content"):
            raise invalid(
                "thinking is enabled but reasoning_content is missing in assistant tool call "
                f"message at index {index}"
            )


def _thinking(
    body: Mapping[str, Any], row: Row, options: Options, coding: bool
) -> tuple[bool, str]:
    """Whether the model thinks, and how hard."""
    thinking = row.thinking != "never"
    sent = body.get("thinking")
    if sent is not None:
        kind = sent.get("type") if isinstance(sent, dict) else sent
        if not row.thinking_types:
            raise invalid("Invalid request: unknown parameter: thinking")
        if kind not in row.thinking_types:
            allowed = " or ".join(row.thinking_types)
            raise invalid(f"invalid thinking: only type {allowed} is allowed for this model")
        thinking = kind == "enabled"
    effort = _reasoning_effort(body, row, coding) or row.default_effort
    reasoning = body.get("reasoning")
    if reasoning is not None:
        effort = _reasoning(reasoning, row, options) or effort
        if effort == "none":
            if row.thinking == "always":
                raise invalid("Reasoning is mandatory for this endpoint and cannot be disabled")
            thinking = False
    return thinking, effort


def _reasoning_effort(body: Mapping[str, Any], row: Row, coding: bool) -> str | None:
    effort = body.get("reasoning_effort")
    if effort is None:
        return None
    if "thinking" in body:
        raise invalid("Invalid request: reasoning_effort cannot be used together with thinking")
    if not row.efforts and not coding:
        return None
    if effort not in row.efforts:
        allowed = ", ".join(row.efforts)
        raise invalid(f"invalid reasoning_effort: only {allowed} are allowed for this model")
    return str(effort)


def _reasoning(reasoning: object, row: Row, options: Options) -> str | None:
    if not (row.reasoning or options.gateway):
        raise invalid("Invalid request: unknown parameter: reasoning")
    if not isinstance(reasoning, dict):
        raise invalid("Invalid request: reasoning must be an object")
    effort = reasoning.get("effort")
    if effort is None:
        return "none" if reasoning.get("enabled") is False else None
    if reasoning.get("max_tokens") is not None:
        raise invalid("Only one of reasoning.effort and reasoning.max_tokens can be specified")
    if effort not in GATEWAY_EFFORTS:
        raise invalid(f"invalid reasoning.effort: {effort!r}")
    return str(effort)


def _sampling(body: Mapping[str, Any], row: Row, thinking: bool) -> None:
    _temperature(body.get("temperature"), row, thinking)
    fixed = row.temperature is not None
    for name, only in FIXED.items():
        value = body.get(name)
        if value is None:
            continue
        if not _is_number(value):
            raise invalid(f"invalid {name}: it must be a number")
        if value != only and (fixed or name == "n"):
            raise invalid(f"invalid {name}: only {only:g} is allowed for this model")


def _temperature(value: object, row: Row, thinking: bool) -> None:
    if value is None:
        return
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise invalid("invalid temperature: it must be a number")
    only = row.temperature
    if not thinking and row.off_temperature is not None:
        only = row.off_temperature
    if only is None:
        if not 0 <= value <= 1:
            raise invalid("invalid temperature: it must be between 0 and 1")
    elif value != only:
        raise invalid(f"invalid temperature: only {only:g} is allowed for this model")


def _max_tokens(body: Mapping[str, Any]) -> int | None:
    """``max_completion_tokens`` wins over the deprecated ``max_tokens``."""
    found: int | None = None
    for name in ("max_tokens", "max_completion_tokens"):
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise invalid(f"Invalid request: {name} must be a positive integer")
        found = value
    return found


def _response_format(
    body: Mapping[str, Any], messages: Sequence[Message]
) -> tuple[str, Mapping[str, Any] | None]:
    wanted = _object(body, "response_format")
    kind = wanted.get("type", "text")
    if kind not in FORMATS:
        raise invalid(f"Invalid request: response_format.type must be one of {', '.join(FORMATS)}")
    schema = None
    if kind == "json_schema":
        holder = wanted.get("json_schema")
        schema = holder.get("schema") if isinstance(holder, dict) else None
        if not isinstance(schema, dict):
            raise invalid("Invalid request: response_format.json_schema.schema is required")
    if kind == "json_object" and messages[-1].get("partial"):
        raise invalid("Invalid request: partial cannot be used with response_format json_object")
    return str(kind), schema


def _logprobs(body: Mapping[str, Any], row: Row, options: Options, thinking: bool) -> bool:
    wanted = _flag(body, "logprobs")
    top = body.get("top_logprobs")
    if options.logprobs == "refuse" and ("logprobs" in body or "top_logprobs" in body):
        raise invalid("Invalid request: unknown parameter: logprobs")
    if top is not None:
        if not isinstance(top, int) or isinstance(top, bool) or not 0 <= top <= MOST_TOP_LOGPROBS:
            raise invalid(f"invalid top_logprobs: it must be within 0 and {MOST_TOP_LOGPROBS}")
        if not wanted:
            raise invalid("invalid top_logprobs: logprobs must be true")
    gives = row.logprobs == "always" or (row.logprobs == "off" and not thinking)
    return wanted and gives and options.logprobs == "model"


def _tools(body: Mapping[str, Any], row: Row) -> Sequence[Mapping[str, Any]]:
    tools = body.get("tools") or []
    named = isinstance(tools, list) and all(
        isinstance(tool, dict)
        and isinstance(tool.get("function"), dict)
        and isinstance(tool["function"].get("name"), str)
        for tool in tools
    )
    if not named:
        raise invalid("Invalid request: every tool needs a function with a name")
    choice = body.get("tool_choice")
    if choice == "required" and not row.tool_choice_required:
        raise invalid("tool_choice 'required' is not supported by this model")
    if isinstance(choice, dict):
        valid = isinstance(choice.get("function"), dict)
    else:
        valid = choice in (None, "none", "auto", "required")
    if not valid:
        raise invalid(f"Invalid request: invalid tool_choice {choice!r}")
    return list(tools)


def _cache_ttl(body: Mapping[str, Any]) -> str:
    wanted = _object(body, "prompt_cache_options")
    ttl = wanted.get("ttl", "5m")
    if wanted.get("mode", "implicit") != "implicit" or ttl not in ("5m", "1h"):
        raise invalid("Invalid request: prompt_cache_options takes mode implicit and ttl 5m or 1h")
    return str(ttl)
