"""YAML that somebody wrote, as plain values: no more of them than its text shows."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

__all__ = ["FAST_LOADER", "UNREADABLE", "YAMLTextError", "load_yaml"]

_MOST_BITS = 14_000  # Python prints no whole number of more than 4,300 digits
_SLACK = 1_000
_SEXAGESIMAL = re.compile(r"(?::[0-5]?[0-9]){100}")  # `1:59:59…`: quadratic to read
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
"""What a parser of YAML raises for a value that its tag, or its look, does not fit."""
_UNFINISHED = -1
FAST_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""For files of ours: several times as fast, where PyYAML was built with libyaml. What people write
is read by the parser that AMX uses."""


class YAMLTextError(ValueError):
    """What is wrong with a text; `line` counts from 1, None where no line is to blame."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


def load_yaml(text: str, loader: type[Any] = yaml.SafeLoader) -> Any:
    """The document in a text, read as AMX reads it (PyYAML).

    Aliases that multiply into more values than the text has characters, or that stand inside of
    what they name, are refused: whatever walks over such a document hangs.

    Raises:
        YAMLTextError: it is not YAML, or no plain document.
    """
    if _SEXAGESIMAL.search(text):
        raise YAMLTextError("a number in it is out of range")
    try:
        document = yaml.load(text, loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "not valid YAML"
        raise YAMLTextError(problem, mark.line + 1 if mark else None) from None
    except RecursionError:
        raise YAMLTextError("it is nested too deeply") from None
    except yaml.YAMLError as error:
        raise YAMLTextError(str(error)) from None
    except UNREADABLE as error:
        raise YAMLTextError(f"a value in it cannot be read ({error})") from None
    if _weight(document, {}) > len(text) + _SLACK:
        raise YAMLTextError("its aliases multiply")
    return document


def _weight(value: Any, known: dict[int, int]) -> int:
    """How many values it is, each alias counted as often as it stands there."""
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise YAMLTextError("a number in it is out of range")
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping):
        parts = (part for pair in value.items() for part in pair)
    elif isinstance(value, list | tuple | set):
        parts = value
    else:
        return 1
    if id(value) in known:
        if known[id(value)] == _UNFINISHED:
            raise YAMLTextError("an alias is inside of what it refers to")
        return known[id(value)]
    known[id(value)] = _UNFINISHED
    inside = sum(_weight(part, known) for part in parts)
    known[id(value)] = 1 + inside
    return known[id(value)]
