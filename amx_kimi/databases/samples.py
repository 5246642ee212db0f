"""Turns values that were read into raw facts, for every kind of source."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from amx_kimi.databases.base import MOST_VALUES
from amx_kimi.types import RawFacts

__all__ = ["document_keys", "sample_facts"]

_MOST_DOCUMENT = 200_000


def sample_facts(counter: "Counter[Any]", *, whole: bool) -> RawFacts:
    """Facts from values: exact if they are all of a small table; of a sample, only the frequent
    values count. `counter` has the values as the database returned them, with None for null."""
    nulls = counter.pop(None, 0)
    values = tuple((str(value), count) for value, count in counter.most_common(MOST_VALUES))
    keys = document_keys((value, count) for value, count in counter.items())
    if keys:
        values = ()
    if not whole:
        return RawFacts(values=values, seen=len(counter), keys=keys)
    ordered = sorted(counter, key=lambda v: (isinstance(v, str), v)) if not keys else []
    least = str(ordered[0]) if ordered else None
    greatest = str(ordered[-1]) if ordered else None
    return RawFacts(nulls, len(counter), least, greatest, values, keys=keys)


def document_keys(values: Iterable[tuple[Any, int]]) -> tuple[tuple[str, int], ...]:
    """The top-level keys of JSON objects among (text, how often), most frequent first."""
    keys: Counter[str] = Counter()
    for value, count in values:
        for key in _keys(value):
            keys[key] += count
    return tuple(keys.most_common())


def _keys(value: Any) -> Sequence[str]:
    if not isinstance(value, str) or not value.startswith("{") or len(value) > _MOST_DOCUMENT:
        return ()
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return ()
    return list(document) if isinstance(document, dict) else ()
