"""What people choose by name, such as `orders`, `sales.*` or `!tmp_*`, and what is near a typo."""

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

__all__ = ["is_chosen", "listed", "near", "unmet"]

_NO = "!"
_WILD = frozenset("*?[")


def is_chosen(patterns: Sequence[str], name: str, schema: str = "") -> bool:
    """Whether `patterns` take in what is called `name`, or `schema.name`.

    A pattern is a name, which may have `*`, `?` and `[…]` in it; with a dot it is of
    `schema.name`, too. One that begins with `!` takes out what it matches. Where no other pattern
    is given, everything else is taken in.
    """
    wanted = [pattern for pattern in patterns if not pattern.startswith(_NO)]
    unwanted = [pattern.removeprefix(_NO) for pattern in patterns if pattern.startswith(_NO)]
    if any(_matches(pattern, name, schema) for pattern in unwanted):
        return False
    return not wanted or any(_matches(pattern, name, schema) for pattern in wanted)


def unmet(patterns: Sequence[str], known: Sequence[tuple[str, str]]) -> list[str]:
    """The patterns that match nothing of `known`, pairs of (schema, name).

    One that takes out may match nothing, if it is more than a name: it is a rule for whatever
    comes. A name that is to be left out has to be there: misspelled, it would let everything in.
    """
    return [
        pattern
        for pattern in patterns
        if not (pattern.startswith(_NO) and _WILD & set(pattern))
        and not any(_matches(pattern.removeprefix(_NO), name, schema) for schema, name in known)
    ]


def near(name: str, known: Iterable[str], most: int = 5) -> str:
    """The names like `name`, or else the first ones: `a, b and 8 more`; "" when there are none."""
    names = list(dict.fromkeys(known))
    by_small = {one.casefold(): one for one in reversed(names)}
    wanted = name.removeprefix(_NO).casefold()
    alike = difflib.get_close_matches(wanted, by_small, most, 0.6)
    return listed([by_small[one] for one in alike] or names, most)


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first of some names, and how many more there are: `a, b, c and 8 more`."""
    shown = ", ".join(names[:most])
    more = len(names) - most
    return f"{shown} and {more:,} more" if more > 0 else shown


def _matches(pattern: str, name: str, schema: str) -> bool:
    whole = f"{schema}.{name}" if schema else name
    if pattern in (name, whole):
        return True
    if not _WILD & set(pattern):
        return False
    # Without a dot it is no schema's: `s*` is not everything in `sales`.
    return fnmatchcase(name, pattern) or ("." in pattern and fnmatchcase(whole, pattern))
