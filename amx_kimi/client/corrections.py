"""What a 400 teaches: the endpoint is believed over our table."""

import re
from collections.abc import Mapping
from typing import Any

from amx_kimi.errors import ContentFilterError, ContextError, ModelNotFoundError, ServiceError
from amx_kimi.facts import Quirk, model_key

__all__ = ["MOST_CORRECTIONS", "correction"]

MOST_CORRECTIONS = 4
"""Distinct parameters that one question may have corrected before the 400 is final."""

_NEVER = frozenset({"model", "messages", "stream", "tools"})
_ONLY = re.compile(r"only (\d+(?:\.\d+)?)")
_NUMBER = re.compile(r"\b(\d{4,8})\b")
_LIMIT = re.compile(r"(?:limit|maximum|context length|window)\D{1,30}?(\d{4,8})\b")
_CEILING = re.compile(
    r"(?:at most|less than or equal to|<=|maximum(?: value)?(?: is| of)?)\s*(\d{3,8})"
)


def correction(error: ServiceError, body: Mapping[str, Any], context: int) -> Quirk | None:
    """The change to `body` that the 400's text asks for, or None when it names nothing we sent.

    A 404 for `moonshotai/…` or another vendor's prefix asks for the bare id.

    `context` is the model's in tokens, as we know it; a smaller one in the text replaces it.
    """
    text = error.message
    if isinstance(error, ModelNotFoundError):
        model = str(body["model"])
        return Quirk("model", "set", model_key(model)) if "/" in model else None
    if isinstance(error, ContentFilterError):
        return None
    if isinstance(error, ContextError):
        return _smaller_context(text, context)
    named = _first_named(text, body)
    if named is None:
        return _demanded_temperature(text, body)
    if named in ("max_tokens", "max_completion_tokens") and (ceiling := _CEILING.search(text)):
        return Quirk("max_output", "set", int(ceiling[1]))
    return Quirk(named, "drop")


def _smaller_context(text: str, context: int) -> Quirk | None:
    # The text counts prompt and request too, so the number that is called a limit goes first. A
    # text with a number as large as our context says nothing new.
    numbers = [int(n) for n in _NUMBER.findall(text)]
    called = [int(n) for n in _LIMIT.findall(text)[:1]] or numbers
    if context in numbers or not called or max(called) >= context:
        return None
    return Quirk("context", "set", max(called))


def _first_named(text: str, body: Mapping[str, Any]) -> str | None:
    places = {
        name: found.start()
        for name in body
        if name not in _NEVER and (found := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text))
    }
    return min(places, key=lambda name: places[name]) if places else None


def _demanded_temperature(text: str, body: Mapping[str, Any]) -> Quirk | None:
    if "temperature" not in text or "temperature" in body:
        return None
    only = _ONLY.search(text)
    return Quirk("temperature", "set", float(only[1])) if only else None
