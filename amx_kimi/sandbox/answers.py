"""Which answer a request gets: the contract's, AMX's, a tool call, or a plain sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from amx_kimi.sandbox import amx_text, contract, describe
from amx_kimi.sandbox.checks import Ask, Message
from amx_kimi.sandbox.options import Options
from amx_kimi.sandbox.shapes import Answer, Part
from amx_kimi.sandbox.wire import dumps

_PING = re.compile(r"\b(reply|respond|answer|say)\b.{0,40}\bok\b|\bping\b", re.IGNORECASE)
_CALL = re.compile(r"\bcall\b", re.IGNORECASE)
_LONGEST_PING = 200
_DEEPEST_SCHEMA = 6
_EXAMPLES: dict[str, Any] = {"integer": 1, "number": 1.0, "boolean": True, "null": None}


def answer(ask: Ask, options: Options, fault: str | None) -> Answer:
    """The answer to a request that passed its checks."""
    found = _answer(ask, options, fault)
    found = Answer(
        tuple(Part(_encodable(part.text), part.confidence) for part in found.parts),
        found.columns,
        found.tool_calls,
    )
    return _continued(found, ask.messages[-1])


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _answer(ask: Ask, options: Options, fault: str | None) -> Answer:
    user = _last_text(ask, "user")
    request = contract.parse(user)
    if request is not None:
        forgotten = _forgotten(request.columns, options)
        return _wrapped(contract.answer(request, forgotten, fault), options)
    labelled = amx_text.parse(_last_text(ask, "system"), user)
    if labelled is not None:
        return amx_text.answer(labelled, _forgotten(labelled.columns, options), fault)
    if ask.tools and _wants_call(ask, user):
        return Answer((), tool_calls=(_tool_call(ask),))
    return amx_text.other_answer(user) or _small_talk(ask, user, options)


def _last_text(ask: Ask, role: str) -> str:
    for message in reversed(ask.messages):
        if message.get("role") == role:
            return _text(message.get("content"))
    return ""


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return content if isinstance(content, str) else ""


def _forgotten(columns: int, options: Options) -> frozenset[int]:
    if not options.forget_above or columns <= options.forget_above:
        return frozenset()
    every = options.forget_every
    return frozenset(at for at in range(columns) if (at + 1 + options.seed) % every == 0)


def _wrapped(found: Answer, options: Options) -> Answer:
    if options.strict_json:
        return found
    before, after = Part("Here are the descriptions:\n\n```json\n"), Part("\n```\n")
    return Answer((before, *found.parts, after), found.columns)


def _small_talk(ask: Ask, user: str, options: Options) -> Answer:
    text = "OK" if len(user) < _LONGEST_PING and _PING.search(user) else describe.plain()
    if ask.response_format != "text" and options.strict_json:
        made = example(ask.schema) if ask.schema else {"answer": text}
        text = dumps(made)
    return Answer((Part(text, "h"),))


def _wants_call(ask: Ask, user: str) -> bool:
    if ask.tool_choice == "none":
        return False
    if ask.tool_choice == "required" or isinstance(ask.tool_choice, dict):
        return True
    return ask.messages[-1].get("role") == "user" and bool(_CALL.search(user))


def _tool_call(ask: Ask) -> dict[str, Any]:
    function: Mapping[str, Any] = ask.tools[0]["function"]
    if isinstance(ask.tool_choice, dict):
        wanted = ask.tool_choice.get("function", {}).get("name")
        named = [tool["function"] for tool in ask.tools if tool["function"]["name"] == wanted]
        function = named[0] if named else function
    arguments = example(function.get("parameters") or {"type": "object"})
    name = str(function["name"])
    return {
        "id": f"sandbox-call-{name}:0",
        "type": "function",
        "function": {"name": name, "arguments": dumps(arguments)},
    }


def example(schema: object, name: str = "value", depth: int = 0) -> Any:
    """A value that fits a JSON schema, near enough."""
    if not isinstance(schema, dict) or depth > _DEEPEST_SCHEMA:
        return name
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            return example(schema[key][0], name, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        properties = schema.get("properties")
        items = properties.items() if isinstance(properties, dict) else ()
        return {key: example(value, key, depth + 1) for key, value in items}
    if kind == "array":
        return [example(schema.get("items"), name, depth + 1)]
    return _EXAMPLES.get(str(kind), name)


def _continued(found: Answer, last: Message) -> Answer:
    """With ``partial``, the answer goes on where the last message ends."""
    start = _text(last.get("content")) if last.get("partial") else ""
    if not start or not found.text.startswith(start):
        return found
    return Answer((Part(found.text.removeprefix(start)),), found.columns, found.tool_calls)
