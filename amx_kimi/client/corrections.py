"""What to change after a refusal: the endpoint knows better than our table."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from amx_kimi.errors import (
    ContentFilterError,
    ContextError,
    KimiError,
    ModelNotFoundError,
    TooLargeError,
)
from amx_kimi.facts import Quirk, load_refusals, model_key

__all__ = ["MOST_CORRECTIONS", "correction", "without_stream"]

MOST_CORRECTIONS = 4
"""How many parameters of one question may be corrected before a 400 is final."""

_NEVER = frozenset({"model", "messages", "stream", "tools"})
_OUTPUT = ("max_tokens", "max_completion_tokens")
_NO_STREAM = re.compile(
    r"\bstream(?:ing)?\b.{0,40}(?:not (?:supported|allowed|available|enabled)|unsupported|disabled)"
    r"|(?:not support|disable|without)\w*\s+stream|stream\s?[=:]\s?false",
    re.IGNORECASE,
)
_ONLY = re.compile(r"only (\d+(?:\.\d+)?)")
_NUMBER = re.compile(r"\b(\d{4,8})\b")
_LIMIT = re.compile(r"(?:limit|maximum|context (?:length|size)|window)\D{1,30}?(\d{4,8})\b")
_CEILING = re.compile(
    r"(?:at most|no more than|not exceed|up to|less than or equal to|maximum(?: value)?(?: is| of)?"
    r"|limit is|greater than\D{1,60}|<=|≤|\d >|range\D{1,40}\d{1,8}, ?|between \d{1,8} and)"
    r"\W{0,3}(\d{2,8})\b"
)


def correction(error: KimiError, body: Mapping[str, Any], context: int) -> Quirk | None:
    """The change to `body` for which the 400's text asks; None if it names nothing that we sent.

    A parameter may be named by its sibling (`max_tokens` for `max_completion_tokens`). A 404 for
    `moonshotai/…` or another vendor's prefix asks for the bare id.

    `context` is the model's in tokens, as we know it; a smaller one in the text replaces it.
    """
    text = _plain(error.message)
    if isinstance(error, ModelNotFoundError):
        model = str(body["model"])
        return Quirk("model", "set", model_key(model)) if "/" in model else None
    if isinstance(error, ContentFilterError | TooLargeError):
        return None
    if isinstance(error, ContextError):
        return _smaller_context(text, context)
    named = _first_named(text, body)
    if named is None:
        is_of_stream = _NO_STREAM.search(text)
        return without_stream(body) if is_of_stream else _demanded_temperature(text, body)
    if named in _OUTPUT and (ceiling := _CEILING.search(text)):
        return Quirk("max_output", "set", int(ceiling[1]))
    return Quirk(named, "drop")


def without_stream(body: Mapping[str, Any]) -> Quirk | None:
    """The change that asks for the answer in one piece, if a stream was requested."""
    return Quirk("stream", "drop") if body.get("stream") else None


def _plain(text: str) -> str:
    """A text with plain figures: `4,096` and '4096' become 4096."""
    unquoted = re.sub(r"[`'\"‘’“”*]", "", text)
    return re.sub(r"(?<=\d)[,_](?=\d{3}(?!\d))", "", unquoted)


def _smaller_context(text: str, context: int) -> Quirk | None:
    # The text also has the numbers of prompt and request, so a number that is called a limit takes
    # precedence. A text with a number as large as our context says nothing new.
    numbers = [int(n) for n in _NUMBER.findall(text)]
    called = [int(n) for n in _LIMIT.findall(text)[:1]] or numbers
    if context in numbers or not called or max(called) >= context:
        return None
    return Quirk("context", "set", max(called))


def _first_named(text: str, body: Mapping[str, Any]) -> str | None:
    """The first of our parameters in the text; its own name takes precedence over a sibling's."""
    for names_of in (_itself, _siblings):
        places = {
            name: found.start()
            for name in body
            if name not in _NEVER and (found := _search(text, names_of(name)))
        }
        if places:
            return min(places, key=lambda name: places[name])
    return None


def _search(text: str, names: Iterator[str]) -> re.Match[str] | None:
    either = "|".join(map(re.escape, names))
    return re.search(rf"(?<!\w)(?:{either})(?!\w)", text, re.IGNORECASE) if either else None


def _itself(name: str) -> Iterator[str]:
    yield name


def _siblings(name: str) -> Iterator[str]:
    for family in load_refusals().siblings:
        if name in family:
            yield from (other for other in family if other != name)


def _demanded_temperature(text: str, body: Mapping[str, Any]) -> Quirk | None:
    if "temperature" not in text or "temperature" in body:
        return None
    only = _ONLY.search(text)
    return Quirk("temperature", "set", float(only[1])) if only else None
