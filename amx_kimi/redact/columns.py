"""What a column's name says of its values, in the languages that people name columns in."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from amx_kimi.redact.words import column_words

__all__ = ["Sense", "sense_of"]

Sense = Literal["personal", "kind", "thing", ""]
"""What the values are: a person's, kinds of something (`card_type`), names of what is nobody
(`product_name`); "" where the name says nothing."""

_LONGEST = 200  # names are not longer in any database that we know
_HUMP = re.compile(r"(?<=[a-zß-öø-ÿ\d])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-ZÀ-ÖØ-Þ])(?=[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ])")
_ACCENT = re.compile("[\u0300-\u036f]")
_OTHER_LETTERS = str.maketrans(
    {"ı": "i", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "þ": "th"}
)


@lru_cache(maxsize=10_000)
def sense_of(column: str, table: str = "") -> Sense:
    """What a column's name says; a bare `name` is of what its table's name says."""
    name = _plain(column[:_LONGEST])
    words = column_words()
    kinds = words["kinds"]
    if _ending(kinds["en"], kinds["de"], kinds["other"]).search(name):
        return "kind"
    if _beginning(kinds["first"]).search(name):
        return "kind"
    if _names_a_thing(name, _plain(table[:_LONGEST])):
        return "thing"
    return "personal" if _sounds_personal(name) else ""


def _sounds_personal(name: str) -> bool:
    personal = _personal_words()
    return (
        any(
            part in personal.whole
            or part.startswith(personal.beginnings)
            or part.endswith(personal.ends)
            for part in name.split("_")
        )
        or any(word in name for word in personal.anywhere)
        or personal.others.search(name) is not None
    )


def _names_a_thing(name: str, table: str) -> bool:
    """`product_name`, `filename`, `nombre_producto`, and `name` in a table `products`."""
    words = column_words()
    thing = _ending(*words["things"].values())
    # What follows the word for a name says whose it is in some languages; not so `name_line_1`.
    followed = _ending(words["things"]["other"])
    for called in _folded(words["names"]).split():
        if name == called:
            return any(thing.search(form) for form in _contents(table))
        before, after = name.removesuffix(called), name.removeprefix(called)
        if before != name and thing.search(before.removesuffix("_")):
            return True
        if after.startswith("_") and followed.search(after):
            return True
    return False


def _contents(table: str) -> tuple[str, ...]:
    """What a table holds by its name: `customer` of `customer_list`; `country`, too, of
    `countries`."""
    containers = _folded(column_words()["containers"]).split()
    parts = table.split("_")
    while parts and parts[-1] in containers:
        parts.pop()
    held = "_".join(parts)
    return (held, re.sub("ies$", "y", held))


def _plain(name: str) -> str:
    """A name in small letters without accents, its words joined by `_`."""
    spaced = _HUMP.sub("_", unicodedata.normalize("NFKC", name))
    letters = (c if unicodedata.category(c)[0] in "LM" else "_" for c in _folded(spaced))
    return "_".join(part for part in "".join(letters).split("_") if part)


def _folded(text: str) -> str:
    bare = _ACCENT.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFC", bare).translate(_OTHER_LETTERS)


@dataclass(frozen=True)
class _Words:
    """A thousand words by how they are looked for: as one pattern they take half a second."""

    whole: frozenset[str]
    beginnings: tuple[str, ...]
    ends: tuple[str, ...]
    anywhere: tuple[str, ...]
    others: re.Pattern[str]


@cache
def _personal_words() -> _Words:
    words = set(_all(column_words()["personal"].values()))
    anywhere = {word for word in words if word.isalpha() and not word.isascii()}
    plain = {word for word in words - anywhere if word.isascii() and word.strip("*").isalpha()}
    both = {word for word in plain if word.startswith("*") and word.endswith("*")}
    ends = {word[1:] for word in plain - both if word.startswith("*")}
    return _Words(
        frozenset(_forms(word for word in plain if word.isalpha())),
        tuple(word[:-1] for word in plain - both if word.endswith("*")),
        tuple(_forms(ends)),
        tuple(anywhere | {word.strip("*") for word in both}),
        re.compile("|".join(map(_pattern, sorted(words - plain - anywhere)))),
    )


def _forms(words: Iterable[str]) -> Iterator[str]:
    """Words, and what may be their plurals."""
    return (form for word in words for form in (word, f"{word}s", f"{word}es"))


@cache
def _ending(*lists: str) -> re.Pattern[str]:
    patterns = [_pattern(word.rstrip("$") + "$") for word in _all(lists)]
    return re.compile("|".join(patterns))


@cache
def _beginning(*lists: str) -> re.Pattern[str]:
    patterns = [_pattern("^" + word) for word in _all(lists)]
    return re.compile("|".join(patterns))


def _all(lists: Iterable[str]) -> Iterable[str]:
    return sorted({word for words in lists for word in _folded(words).split()})


def _pattern(word: str) -> str:
    """A word of the table as a pattern over a plain name."""
    first, last = word.startswith("^"), word.endswith("$")
    word = word.strip("^$")
    body = re.escape(word.strip("*")).replace(r"\*", "[^_]*").replace(r"\.", "_?")
    if not word.strip("*").isascii():
        return ("^" if first else "") + body + ("$" if last else "")
    begins = "^" if first else "" if word.startswith("*") else "(?:^|_)"
    ends = "[^_]*" if word.endswith("*") else "(?:e?s)?"
    return f"{begins}{body}{ends}" + ("$" if last else "(?:_|$)")
