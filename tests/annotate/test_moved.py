"""When a column's data moved so far that its description may be wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.annotate.moved import moved

CODES = {"distinct": 3, "samples": ["A", "B", "C"]}


@pytest.mark.parametrize(
    ("before", "now", "what"),
    [
        (CODES, CODES, ""),
        (CODES, {"distinct": 4, "samples": ["A", "B", "C", "D"]}, ""),
        (CODES, {"distinct": 3, "samples": ["X", "Y", "A"]}, "values X, Y"),
        (CODES, {"distinct": 900, "samples": ["K1", "K2"]}, "different values 3 -> 900"),
        ({"distinct": 5_000}, {"distinct": 90_000}, ""),
        ({"distinct": 0}, {"distinct": 8}, "empty before"),
        ({"distinct": 8}, {"distinct": 0}, "empty now"),
        ({"distinct": 0, "rows": 0}, {"distinct": 8, "rows": 8}, "empty before"),
        ({"rows": 0}, {"distinct": 8, "rows": 8}, "empty before"),
        ({"rows": 0}, {"rows": 8}, "empty before"),
        ({"rows": 8}, {"rows": 0}, "empty now"),
        ({"rows": 8}, {"distinct": 0, "rows": 0}, "empty now"),
        ({"rows": 8}, {"distinct": 0, "rows": 8}, ""),  # it may have been nulls before
        ({"rows": None}, {"distinct": 0}, ""),
        ({"samples": ["A"]}, {"distinct": 0}, "empty now"),
        ({"keys": ["a"]}, {"distinct": 0}, "empty now"),
        ({"distinct": 0, "rows": 9}, {"distinct": 0, "rows": 900}, ""),
        ({"max": "99"}, {"max": "150"}, ""),
        ({"max": "99"}, {"max": "120000"}, "max 99 -> 120000"),
        ({"max": "2024-01-01"}, {"max": "2026-01-01"}, ""),
        ({"check": "x > 0"}, {"check": "x > 1"}, "check"),
        ({"check": "x > 0"}, {}, ""),
        ({}, CODES, ""),
    ],
)
def test_what_counts(before: dict[str, Any], now: dict[str, Any], what: str) -> None:
    assert moved(before, now) == what


facts = st.fixed_dictionaries(
    {},
    optional={
        "distinct": st.integers(0, 10**9),
        "samples": st.lists(st.text(max_size=5), max_size=8),
        "max": st.one_of(st.text(max_size=8), st.floats().map(str), st.integers().map(str)),
        "keys": st.lists(st.text(max_size=5)),
        "rows": st.none() | st.integers(0, 10**9),
    },
)


@given(facts)
def test_what_stays_has_not_moved(seen: dict[str, Any]) -> None:
    assert moved(seen, seen) == ""


@given(facts, facts)
def test_any_facts_can_be_compared(before: dict[str, Any], now: dict[str, Any]) -> None:
    assert isinstance(moved(before, now), str)
