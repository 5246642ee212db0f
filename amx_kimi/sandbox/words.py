"""Names taken apart: ``cust_ord_nr`` is customer, order, number, and a number is a key."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

import yaml

_BREAKS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-zäöüß]+|\d+|[^\W\d_a-zA-Z]+")
_VOWEL = re.compile(r"[aeiouyäöü]", re.IGNORECASE)
_MOST_WORDS = 12
_LONGEST_NAME = 400
_LONGEST_WORD = 40
_SHORTEST_PLAIN = 5


@dataclass(frozen=True)
class Word:
    """A part of a name. ``known`` is whether the table has it, ``plain`` whether it reads well.

    ``link`` is the German form before another word of a compound.
    """

    en: str
    de: str
    link: str
    kind: str = ""
    known: bool = False
    plain: bool = False


@dataclass(frozen=True)
class Lexicon:
    """The parsed ``words.yml``."""

    words: dict[str, Word]
    noise: frozenset[str]
    generic: frozenset[str]
    flag_prefixes: frozenset[str]
    templates: dict[str, dict[str, Any]]


@cache
def lexicon() -> Lexicon:
    """Words, noise and templates."""
    text = (files(__package__) / "words.yml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    words: dict[str, Word] = {}
    for english, german, kind, spellings in data["words"]:
        alone, _, link = german.partition("/")
        word = Word(english, alone, link or alone, kind, known=True)
        for spelling in [*spellings.split(), english.replace(" ", ""), alone.lower()]:
            words.setdefault(spelling, word)
    return Lexicon(
        words=words,
        noise=frozenset(data["noise"]),
        generic=frozenset(data["generic"]),
        flag_prefixes=frozenset(data["flag_prefixes"]),
        templates=data["templates"],
    )


@lru_cache(maxsize=4096)
def split(name: str) -> tuple[Word, ...]:
    """The words of a name, without articles of the trade such as ``tbl`` and ``is``."""
    tokens = _tokens(name)
    useful = [token for token in tokens if token not in lexicon().noise] or tokens
    found = [word for token in useful[:_MOST_WORDS] for word in _read(token)]
    return tuple(_key_word_last(found))


def is_flag(name: str) -> bool:
    """Whether a name starts like a yes-or-no question."""
    return bool(set(_tokens(name)[:1]) & lexicon().flag_prefixes)


def _tokens(name: str) -> list[str]:
    out: list[str] = []
    words = lexicon().words
    end = -1
    for match in _BREAKS.finditer(name[:_LONGEST_NAME]):
        token = match.group().lower()[:_LONGEST_WORD]
        touches = bool(out) and match.start() == end and token.isdigit()
        # name1 is a word of its own; xq7 is no better known in two pieces.
        if touches and (out[-1] + token in words or out[-1] not in words):
            out[-1] += token
        else:
            out.append(token)
        end = match.end()
    return out


def _read(token: str) -> list[Word]:
    words = lexicon().words
    if token in words:
        return [words[token]]
    if token.endswith("s") and token[:-1] in words:
        return [words[token[:-1]]]
    for at in range(len(token) - 2, 1, -1):
        if token[:at] in words and token[at:] in words:
            return [words[token[:at]], words[token[at:]]]
    readable = len(token) >= _SHORTEST_PLAIN and len(_VOWEL.findall(token)) * 5 >= len(token)
    german = token.capitalize()
    return [Word(token, german, german, plain=readable)]


def _key_word_last(found: list[Word]) -> list[Word]:
    if len(found) > 1 and found[0].kind and not found[-1].kind:
        return [*found[1:], found[0]]
    return found
