"""Decides whether a column's data changed so much that its description may no longer hold."""

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["moved"]

_TIMES = 4  # as many different values, or as few
_CODES = 20  # different values or fewer are codes, whose set matters
_MAGNITUDE = 100  # times the largest number
_SCHEMA = ("values", "check", "generated", "keys")  # what the schema or documents tell


def moved(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What changed between two facts of a column, in a few words, or "".

    The facts are those of `ColumnFacts.as_json`, and its table's `rows`. The tests are coarse on
    purpose: growth, new dates and other samples of the same kind are no change. What is known at
    only one of the two times is not compared.
    """
    tests = (_empty, _distinct, _codes, _largest, _told)
    return "; ".join(filter(None, (test(before, now) for test in tests)))


def _empty(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old, new = _is_empty(before), _is_empty(now)
    if old is None or new is None:
        old, new = _has_no_rows(before), _has_no_rows(now)
    if old is None or new is None or old == new:
        return ""
    return "empty before" if old else "empty now"


def _is_empty(facts: Mapping[str, Any]) -> bool | None:
    """Whether a column had no values; None if unknown."""
    if (distinct := facts.get("distinct")) is not None:
        return not distinct
    if any(facts.get(key) for key in ("samples", "keys", "min", "max")):
        return False
    return _has_no_rows(facts) or None  # with rows, it may still be nothing but nulls


def _has_no_rows(facts: Mapping[str, Any]) -> bool | None:
    rows = facts.get("rows")
    return None if rows is None else not rows


def _distinct(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old = before.get("distinct") or 0
    new = now.get("distinct") or 0
    few, many = sorted((old, new))
    # Columns of ids grow anyway; but a few codes that become many values are a change.
    if not few or few > _CODES or many < few * _TIMES:
        return ""
    return f"different values {old:,} -> {new:,}"


def _codes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    most = max(before.get("distinct") or 0, now.get("distinct") or 0)
    if not 0 < most <= _CODES:
        return ""
    old = set(before.get("samples") or ())
    new = set(now.get("samples") or ())
    if not old or not new or len(old & new) * 2 >= len(new):
        return ""
    return f"values {', '.join(sorted(map(str, new - old)))}"


def _largest(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old = _number(before.get("max"))
    new = _number(now.get("max"))
    if not old or not new or 1 / _MAGNITUDE < abs(new / old) < _MAGNITUDE:
        return ""
    return f"max {before['max']} -> {now['max']}"


def _told(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    known = [key for key in _SCHEMA if key in before and key in now]
    return ", ".join(key for key in known if before[key] != now[key])


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
