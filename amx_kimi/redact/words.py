"""The tables of words (`words/`), read once, when something is first looked at."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from amx_kimi.plain_yaml import FAST_LOADER, load_yaml

__all__ = ["between_names", "column_words", "first_names", "function_words", "last_names"]
__all__ += ["ordinary_words", "surnames"]


def column_words() -> Mapping[str, Any]:
    """What the names of columns are made of: `personal` by language, `kinds`, `things`,
    `names`, `containers`."""
    return _table("columns")


@cache
def ordinary_words() -> frozenset[str]:
    """Words in small letters that are no names: English, and of German, trade and places those that
    stand in statuses, products and kinds."""
    english = _text("english.txt").split("\n\n", 1)[1]
    tables = _table("ordinary")
    others = (tables[name] for name in tables if name not in ("function", "between"))
    return frozenset(english.split()).union(*(words.split() for words in others))


@cache
def function_words() -> frozenset[str]:
    """Words that stand beside others in a status, never in a name."""
    return frozenset(_table("ordinary")["function"].split())


@cache
def between_names() -> frozenset[str]:
    """Words that may stand between a first and a last name."""
    return frozenset(_table("ordinary")["between"].split())


@cache
def first_names() -> frozenset[str]:
    """Ordinary words that are first names as well."""
    return frozenset(_table("names")["first"].split())


@cache
def last_names() -> frozenset[str]:
    """Ordinary words that are last names as well."""
    names = _table("names")
    return frozenset(names["last"].split()).union(names["german"].split())


@cache
def surnames() -> Mapping[str, frozenset[str]]:
    """What names begin with where they are written without a space, by script."""
    return {script: frozenset(words.split()) for script, words in _table("surnames").items()}


@cache
def _table(name: str) -> Mapping[str, Any]:
    table: Mapping[str, Any] = load_yaml(_text(f"{name}.yml"), FAST_LOADER)
    return table


def _text(name: str) -> str:
    return (files(__package__) / "words" / name).read_text(encoding="utf-8")
