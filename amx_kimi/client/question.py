"""A caller's question: a text, or chat messages in OpenAI's shape, and options."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

from amx_kimi.arguments import (
    flag,
    mappings,
    number,
    one_of,
    refused,
    text,
    whole,
    wrong,
)
from amx_kimi.config import RANGES
from amx_kimi.tokens import count_messages
from amx_kimi.types import Ask, Message

__all__ = ["Question", "Wishes", "ask_of"]

Question = Ask | str | Iterable[Message]


class Wishes(TypedDict, total=False):
    """What a caller may ask for beside the messages; see `Ask`."""

    max_tokens: int | None
    temperature: float | None
    tools: Sequence[Mapping[str, Any]]
    tool_choice: Any
    json_mode: bool
    whole: bool
    label: str


def ask_of(question: Question, wishes: Wishes) -> Ask:
    """The question with its tokens counted.

    A refusal of what the caller wishes is the caller's to hear: it is wrong for this one question,
    and says nothing about others.

    Raises:
        ConfigError: the question or a wish is not usable; names it.
        TypeError: options are given in addition to an `Ask`, which has its own, or are unknown.
    """
    if isinstance(question, Ask):
        if wishes:
            raise TypeError(f"an Ask has its own {', '.join(wishes)}")
        return question
    if unknown := [name for name in wishes if name not in _CHECKS]:
        raise TypeError(f"chat has no option {unknown[0]!r}; it has {', '.join(_CHECKS)}")
    messages = _messages(question)
    given = {
        name: _CHECKS[name](name, value) for name, value in wishes.items() if value is not None
    }
    return Ask(
        messages=messages,
        prompt_tokens=count_messages(messages),
        own=_OWN.intersection(given),
        **given,
    )


def _messages(question: object) -> list[dict[str, Any]]:
    if isinstance(question, str):
        return [{"role": "user", "content": text("question", question)}]
    messages = mappings("question", question, "a text or a list of messages")
    if not messages:
        raise refused("question has no messages", "question")
    for place, message in enumerate(messages, 1):
        where = f"question, number {place},"
        text(f"{where} role", message.get("role"))
        if not isinstance(message.get("content"), str | list | tuple | None):
            raise wrong(f"{where} content", "a text or a list of parts", message["content"])
    return messages


def _tool_choice(name: str, value: object) -> Any:
    if isinstance(value, Mapping):
        return mappings(name, [value])[0]
    return one_of(name, value, ("auto", "none", "required"))


def _temperature(name: str, value: object) -> float:
    _, least, most = RANGES[name]
    return number(name, value, least, most)


_CHECKS: Mapping[str, Callable[[str, object], Any]] = {
    "max_tokens": whole,
    "temperature": _temperature,
    "tools": mappings,
    "tool_choice": _tool_choice,
    "json_mode": flag,
    "whole": flag,
    "label": text,
}
_OWN = frozenset({"temperature", "tools", "tool_choice"})
"""Whose refusal is the caller's to hear. That of max_tokens is about its name or size and is
corrected: a value that is none was refused before. `json_mode` is policy's."""
