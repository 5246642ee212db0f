"""What a column's name says of its values, in the languages that people name columns in."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Literal

from amx_kimi.annotate.redact.words import column_words

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
    if _ending(words["kinds"]["en"], words["kinds"]["de"], words["kinds"]["other"]).search(name):
        return "kind"
    if _beginning(words["kinds"]["first"]).search(name):
        return "kind"
    if _names_a_thing(name, _plain(table[:_LONGEST])):
        return "thing"
    return "personal" if _anywhere(*words["personal"].values()).search(name) else ""


def _names_a_thing(name: str, table: str) -> bool:
    """`product_name`, `filename`, `nombre_producto`, and `name` in a table `products`."""
    words = column_words()
    things = tuple(words["things"].values())
    called = _folded(words["names"]).split()
    for one in called:
        if name == one:
            return any(_ending(*things).search(form) for form in _singulars(table))
        before, after = name.removesuffix(one), name.removeprefix(one)
        if before != name and _ending(*things).search(before.removesuffix("_")):
            return True
        if after != name and after.startswith("_") and _ending(*things).search(after):
            return True
    return False


def _singulars(name: str) -> tuple[str, ...]:
    return (name, re.sub("ies$", "y", name))


def _plain(name: str) -> str:
    """A name in small letters without accents, its words joined by `_`."""
    spaced = _HUMP.sub("_", unicodedata.normalize("NFKC", name))
    letters = (c if unicodedata.category(c)[0] in "LM" else "_" for c in _folded(spaced))
    return "_".join(part for part in "".join(letters).split("_") if part)


def _folded(text: str) -> str:
    bare = _ACCENT.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFC", bare).translate(_OTHER_LETTERS)


@cache
def _anywhere(*lists: str) -> re.Pattern[str]:
    return re.compile("|".join(_pattern(word) for word in _all(lists)))


@cache
def _ending(*lists: str) -> re.Pattern[str]:
    return re.compile("|".join(_pattern(word.rstrip("$") + "$") for word in _all(lists)))


@cache
def _beginning(*lists: str) -> re.Pattern[str]:
    return re.compile("|".join(_pattern("^" + word) for word in _all(lists)))


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
