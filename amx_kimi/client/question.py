"""A caller's question: a text, or chat messages in OpenAI's shape, and options."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from amx_kimi.tokens import count_messages
from amx_kimi.types import Ask, Message

__all__ = ["Question", "Wishes", "ask_of"]

Question = Ask | str | Sequence[Message]


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

    Raises:
        TypeError: options are given in addition to an `Ask`, which has its own.
    """
    if isinstance(question, Ask):
        if wishes:
            raise TypeError(f"an Ask has its own {', '.join(wishes)}")
        return question
    messages: Sequence[Message]
    messages = [{"role": "user", "content": question}] if isinstance(question, str) else question
    return Ask(messages=messages, prompt_tokens=count_messages(messages), **wishes)
