"""Checks what callers of the Python API give, before anything is created or sent.

Each function returns the value in the one form that the rest works with, or says which argument is
wrong and what it may be.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from inspect import iscoroutinefunction
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from amx_kimi.conceal import shown
from amx_kimi.errors import ConfigError, KimiError
from amx_kimi.text import is_blank

__all__ = [
    "flag",
    "function",
    "instance",
    "mappings",
    "number",
    "one_of",
    "optional_text",
    "refused",
    "text",
    "texts",
    "whole",
    "wrong",
]

_T = TypeVar("_T")

_ADVICE: Mapping[str, str] = {
    "api_key": "Give the key as a text; it starts with sk-. Without one, AMX_LLM_API_KEY is used.",
    "backoff": "Give the seconds of the first pause, such as 0.25.",
    "base_url": "Give an API's address, such as https://api.moonshot.ai/v1, or an endpoint's name.",
    "cancelled": "Give a function without arguments that returns True or False.",
    "context": "Give the path of a file, or a list of paths.",
    "database": "Give a database URL, the path of a database's file, or paths of data files.",
    "journal": "Give a Journal, the path of its file, or a URL.",
    "key": "Give a text as api_key instead.",
    "language": "Give a name or a code, such as en or de.",
    "limit": "Leave it out to describe all columns.",
    "max_cost": "Give an amount in the endpoint's currency, or leave it out for no cap.",
    "max_tokens": "Leave it out to use the profile's.",
    "model": "Give a model's id, such as kimi-k2.6.",
    "name": "Give the name of an LLM profile, or leave it out for the active one.",
    "on_content": "Give a function that takes a text; it may put it into a queue for async code.",
    "on_progress": "Give a function that takes a Progress.",
    "on_thinking": "Give a function that takes a text; it may put it into a queue for async code.",
    "patience": "Give the seconds that one question may wait, such as 1800.",
    "profile": "Give the name of an LLM profile, or what load_profile() returned.",
    "question": "Give a text, or messages such as [{'role': 'user', 'content': 'Hello'}].",
    "retries": "Give how often a failure is retried, such as 7; 0 is never.",
    "run": "Give a run's id, the beginning of one, or last.",
    "schemas": "Give a name or pattern, or a list of them; leave it out for all.",
    "settings": "Leave it out: the environment is then read.",
    "store": "Give the path of a file, or a URL such as postgresql://user@host/database.",
    "tables": "Give a name or pattern, or a list of them; leave it out for all.",
    "temperature": "Leave it out to use the profile's.",
    "tool_choice": "Give one of these words, or a dict that names a function.",
    "tools": "Give a list of tools, each a dict as in OpenAI's API.",
}
"""What to do about a wrong argument, by its name."""


def wrong(
    name: str, must: str, value: object, *, error: type[KimiError] = ConfigError
) -> KimiError:
    """The error for an argument of a wrong type; the value is not shown, as it may be a key."""
    kind = "None" if value is None else type(value).__name__
    return refused(f"{name} must be {must}, not {kind}", name, error)


def refused(said: str, name: str, error: type[KimiError] = ConfigError) -> KimiError:
    """The error for an argument with a value that is not allowed."""
    plain = name.partition(",")[0]
    return error(said, remedy=_ADVICE.get(plain, f"help() of what you called explains {plain}."))


def text(name: str, value: object) -> str:
    """A text that is not blank."""
    if not isinstance(value, str):
        raise wrong(name, "a text", value)
    if is_blank(value):
        raise refused(f"{name} is blank", name)
    return value


def optional_text(name: str, value: object) -> str:
    """A text; "" and None are none."""
    if value is None or isinstance(value, str):
        return value or ""
    raise wrong(name, "a text", value)


def texts(
    name: str, value: object, *, paths: bool = False, error: type[KimiError] = ConfigError
) -> tuple[str, ...]:
    """Texts (or paths, as texts), of which one alone needs no list around it."""
    one, allowed = ("a text or a path", str | Path) if paths else ("a text", str)
    if isinstance(value, allowed):
        value = [value]
    if isinstance(value, bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        raise wrong(name, f"{one}, or a list of them", value, error=error)
    found = tuple(value)
    for number_, each in enumerate(found, 1):
        if not isinstance(each, allowed):
            raise wrong(f"{name}, number {number_},", one, each, error=error)
        if is_blank(str(each)):
            raise refused(f"{name}, number {number_}, is blank", name, error)
    return tuple(map(str, found))


def mappings(name: str, value: object, must: str = "a list of dicts") -> list[dict[str, Any]]:
    """Documents that can be sent as JSON, such as messages; an iterator is read to its end."""
    if isinstance(value, str | bytes | bytearray | Mapping) or not isinstance(value, Iterable):
        raise wrong(name, must, value)
    found = []
    for number_, each in enumerate(value, 1):
        if not isinstance(each, Mapping):
            raise wrong(f"{name}, number {number_},", "a dict", each)
        try:
            json.dumps(document := dict(each), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            said = f"{name}, number {number_}, cannot be sent as JSON: {error!s:.200}"
            raise refused(said, name) from None
        found.append(document)
    return found


def flag(name: str, value: object) -> bool:
    """True or False; a word such as "no" would count as True."""
    if isinstance(value, bool):
        return value
    raise wrong(name, "True or False", value)


def whole(name: str, value: object, least: int = 1) -> int:
    """A whole number from `least`."""
    must = f"a whole number from {least}"
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise wrong(name, must, value)
    if value < least:
        raise refused(f"{name} is {shown(int(value))}, but must be {must}", name)
    return int(value)


def number(name: str, value: object, least: float, most: float = math.inf) -> float:
    """A finite number in this range."""
    must = f"a number from {least:g}" + (f" to {most:g}" if most < math.inf else "")
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise wrong(name, must, value)
    figure = float(value)
    if not (math.isfinite(figure) and least <= figure <= most):
        raise refused(f"{name} is {shown(figure)}, but must be {must}", name)
    return figure


def one_of(name: str, value: object, allowed: Iterable[_T]) -> _T:
    """One of some words."""
    words = list(allowed)
    for word in words:
        if isinstance(value, str) and value == word:
            return word
    known = ", ".join(repr(word) for word in words)
    raise refused(f"{name} is {shown(value)}, but must be one of {known}", name)


def function(name: str, value: Callable[..., _T] | None) -> Callable[..., _T] | None:
    """A function, or None; an async one would never be awaited."""
    if value is None:
        return None
    if not callable(value):
        raise wrong(name, "a function", value)
    if iscoroutinefunction(value) or iscoroutinefunction(getattr(value, "__call__", None)):  # noqa: B004
        raise refused(f"{name} is an async function, which is not awaited here", name)
    return value


def instance(name: str, value: object, kind: type[_T]) -> _T:
    """An object of this class."""
    if isinstance(value, kind):
        return value
    raise wrong(name, f"of the class {kind.__name__}", value)
