"""Removes thinking that is inside the content of an answer.

The marks are data (`facts/thoughts.yml`). Text before a closing mark without an opening one is
thinking, too, and so is text after an opening mark that is never closed.
"""

import json
import re
from functools import cache

from amx_kimi.facts import load_thoughts

__all__ = ["ThoughtFilter", "split_thoughts"]

_FENCE = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL)
_MOST_LOOKS = 2  # for JSON: at the beginning, and after the thought before it


def split_thoughts(content: str) -> tuple[str, str]:
    """`content` without the thinking in it, and that thinking."""
    marks = _marks()
    if not marks.any.search(content):
        return content, ""
    thoughts: list[str] = []
    kept: list[str] = []
    place = 0
    while opening := marks.open.search(content, place):
        if len(thoughts) < _MOST_LOOKS and _is_json(content[place:]):
            break  # a text in JSON may speak of marks
        kept.append(content[place : opening.start()])
        closing = marks.close.search(content, opening.end())
        thoughts.append(content[opening.end() : closing.start() if closing else None])
        place = closing.end() if closing else len(content)
    rest = "".join([*kept, content[place:]])
    if _is_json(rest):
        return rest, "\n".join(thoughts)
    if alone := list(marks.close.finditer(rest)):
        thoughts.insert(0, rest[: alone[-1].start()])
        rest = rest[alone[-1].end() :]
    return marks.noise.sub("", rest), "\n".join(thoughts)


def _is_json(text: str) -> bool:
    """Whether a text is one JSON document, alone or in a fence."""
    fenced = _FENCE.fullmatch(text.strip())
    try:
        return isinstance(json.loads(fenced[1] if fenced else text), dict | list)
    except (ValueError, RecursionError):
        return False


class ThoughtFilter:
    """The same for an answer that arrives in pieces, while it streams to the caller.

    Two cases cannot be recognized: a thought without an opening mark, before it ends; and a mark
    inside JSON, which is treated as one.
    """

    def __init__(self) -> None:
        self._thinks = False
        self._held = ""

    def feed(self, piece: str) -> tuple[str, str]:
        """The content and thinking that are certain by now, and were not returned before."""
        marks, content, thinking = _marks(), [""], [""]
        text, self._held = self._held + piece, ""
        while True:
            found = (marks.close if self._thinks else marks.any).search(text)
            part = thinking if self._thinks else content
            if found is None:
                cut = _safe(text, marks.texts)
                part.append(text[:cut])
                self._held = text[cut:]
                return "".join(content), "".join(thinking)
            part.append(text[: found.start()])
            self._thinks = marks.open.fullmatch(found[0]) is not None
            text = text[found.end() :]

    def close(self) -> tuple[str, str]:
        """The text that was held back because it could be the beginning of a mark."""
        held, self._held = self._held, ""
        return ("", held) if self._thinks else (held, "")


class _Marks:
    def __init__(self) -> None:
        table = load_thoughts()
        self.open = _either([row.open for row in table.marks])
        self.close = _either([row.close for row in table.marks])
        self.noise = _either(list(table.noise))
        both = [text for row in table.marks for text in (row.open, row.close)]
        self.any = _either(both)
        self.texts = tuple(text.lower() for text in both)


@cache
def _marks() -> _Marks:
    return _Marks()


def _either(texts: list[str]) -> re.Pattern[str]:
    longest_first = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)


def _safe(text: str, marks: tuple[str, ...]) -> int:
    """The place where an incomplete mark could begin; else the end."""
    tail = text[-max(map(len, marks)) + 1 :].lower()
    for at in range(len(tail)):
        if any(mark.startswith(tail[at:]) for mark in marks):
            return len(text) - len(tail) + at
    return len(text)
