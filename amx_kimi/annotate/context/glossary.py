"""A glossary: finds which of its terms occur in a name or a comment."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from amx_kimi.errors import ConfigFileError

__all__ = ["Glossary", "words_of"]

_Words = tuple[str, ...]

_WORD = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-zß-ÿ])(?=[A-ZÀ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])")
_REFERENCE = re.compile(r"(?:(?:see|siehe|s\.)\s+|(?:=|→|->)\s*)(?P<term>.+?)\.?", re.IGNORECASE)


def words_of(name: str) -> tuple[str, ...]:
    """The words of an identifier or a text, in lower case: `KdNr_2` has kd, nr, 2."""
    return tuple(word.casefold() for word in _WORD.findall(_HUMP.sub(" ", name)))


@dataclass(frozen=True)
class Glossary:
    """Terms and their meanings, with references between them resolved."""

    meanings: Mapping[str, str]

    @classmethod
    def of(cls, entries: Iterable[tuple[str, str, str]]) -> "Glossary":
        """A glossary from (term, meaning, place). `see Customer` means the other term's meaning.

        Raises:
            ConfigFileError: a term has two meanings or none, or references form a circle.
        """
        meanings: dict[str, str] = {}
        spelled: dict[_Words, tuple[str, str]] = {}
        for term, meaning, where in entries:
            key = words_of(term)
            if not key or not meaning.strip():
                raise ConfigFileError(f"{where}: the term {term!r:.60} has no words or no meaning")
            first, place = spelled.setdefault(key, (term, where))
            if meanings.setdefault(first, meaning.strip()) != meaning.strip():
                raise ConfigFileError(
                    f"{where}: the term {term!r:.60} has a different meaning than at {place}",
                    remedy="Keep one of the two, or combine them in one entry.",
                )
        names = {key: term for key, (term, _) in spelled.items()}
        return cls({term: _resolved(term, meanings, names) for term in meanings})

    def about(self, *texts: str) -> dict[str, str]:
        """The terms that occur in any of these names or comments, in the glossary's order."""
        found: set[str] = set()
        for text in texts:
            words = words_of(text)
            found.update(term for word in words for term in self._solid.get(word, ()))
            found.update(self._solid.get("".join(words), ()))
            for start, word in enumerate(words):
                found.update(
                    term
                    for key, term in self._by_first.get(word, ())
                    if words[start : start + len(key)] == key
                )
        return {term: self.meanings[term] for term in self.meanings if term in found}

    @cached_property
    def _by_first(self) -> Mapping[str, list[tuple[_Words, str]]]:
        index: dict[str, list[tuple[_Words, str]]] = {}
        for term in self.meanings:
            key = words_of(term)
            index.setdefault(key[0], []).append((key, term))
        return index

    @cached_property
    def _solid(self) -> Mapping[str, list[str]]:
        """Terms by their words joined, as in old schemas: KDNR for the term `KD-Nr`."""
        index: dict[str, list[str]] = {}
        for term in self.meanings:
            index.setdefault("".join(words_of(term)), []).append(term)
        return index


def _resolved(term: str, meanings: Mapping[str, str], names: Mapping[_Words, str]) -> str:
    chain = list(_chain(term, meanings, names))
    if chain[-1] in chain[:-1]:
        raise ConfigFileError(
            f"References in the glossary form a circle: {' → '.join(chain)}",
            remedy="Give one of these terms its own meaning.",
        )
    meaning = meanings[chain[-1]]
    if len(chain) == 1:
        return meaning
    return f"{chain[-1]}: {meaning}"


def _chain(term: str, meanings: Mapping[str, str], names: Mapping[_Words, str]) -> Iterator[str]:
    passed: set[str] = set()
    while True:
        yield term
        if term in passed:
            return
        passed.add(term)
        reference = _REFERENCE.fullmatch(meanings[term])
        target = names.get(words_of(reference["term"])) if reference else None
        if target is None:
            return
        term = target
