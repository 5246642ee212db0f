"""Mappings into dataclasses: each kind of column, and what a wrong one says."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.errors import ConfigFileError, FactsError
from amx_kimi.typed import build


@dataclass(frozen=True)
class Inner:
    price: Decimal


@dataclass(frozen=True)
class Row:
    id: str
    size: int = 0
    ratio: float = 0.0
    on: bool = False
    day: datetime.date | None = None
    mode: Literal["a", "b"] = "a"
    names: tuple[str, ...] = ()
    rates: Mapping[str, float] = field(default_factory=dict)
    inner: Inner | None = None
    inners: Mapping[Literal["x", "y"], Inner] = field(default_factory=dict)


def test_every_kind_of_column() -> None:
    values = {
        "id": "r",
        "size": 3,
        "ratio": 1,
        "on": True,
        "day": datetime.date(2026, 8, 31),
        "mode": "b",
        "names": ["n", "m"],
        "rates": {"k": 0.5},
        "inner": {"price": 0.95},
        "inners": {"x": {"price": 2}},
    }
    assert build(Row, values, "file, row") == Row(
        "r",
        3,
        1.0,
        True,
        datetime.date(2026, 8, 31),
        "b",
        ("n", "m"),
        {"k": 0.5},
        Inner(Decimal("0.95")),
        {"x": Inner(Decimal(2))},
    )


def test_what_is_left_out_takes_its_default_and_null_is_a_value_where_allowed() -> None:
    assert build(Row, {"id": "r", "day": None, "inner": None}, "w") == Row("r")
    assert build(Row, {"id": "r", "size": 0, "ratio": 0, "inner": {"price": 0}}, "w") == Row(
        "r", inner=Inner(Decimal(0))
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "w: expected a mapping, found None"),
        ([1], "w: expected a mapping, found [1]"),
        ({}, "w: the key 'id' is missing"),
        ({"id": "r", "sise": 1}, "w: unknown key 'sise' (known: id, size"),
        ({"id": "r", 7: 1}, "w: unknown key '7'"),
        ({"id": 5}, "w, key 'id': expected str, found 5"),
        ({"id": None}, "w, key 'id': expected str, found None"),
        ({"id": "r", "size": "3"}, "w, key 'size': expected int, found '3'"),
        ({"id": "r", "size": 3.5}, "w, key 'size': expected int, found 3.5"),
        ({"id": "r", "size": True}, "w, key 'size': expected int, found True"),
        ({"id": "r", "size": -1}, "w, key 'size': -1 is not a number of zero or more"),
        ({"id": "r", "ratio": float("nan")}, "w, key 'ratio': nan is not a number"),
        ({"id": "r", "ratio": float("inf")}, "w, key 'ratio': inf is not a number"),
        ({"id": "r", "ratio": "x"}, "w, key 'ratio': expected float, found 'x'"),
        ({"id": "r", "on": 1}, "w, key 'on': expected bool, found 1"),
        ({"id": "r", "on": "yes"}, "w, key 'on': expected bool, found 'yes'"),
        ({"id": "r", "day": "2026-01-01"}, "w, key 'day': expected date, found '2026-01-01'"),
        (
            {"id": "r", "day": datetime.datetime(2026, 1, 1)},
            "w, key 'day': expected date, found datetime.datetime",
        ),
        ({"id": "r", "mode": "c"}, "w, key 'mode': 'c' is not one of 'a', 'b'"),
        ({"id": "r", "mode": ["a"]}, "w, key 'mode': ['a'] is not one of 'a', 'b'"),
        ({"id": "r", "names": "n"}, "w, key 'names': expected a list, found 'n'"),
        ({"id": "r", "names": [1]}, "w, key 'names': expected str, found 1"),
        ({"id": "r", "rates": [1]}, "w, key 'rates': expected a mapping, found [1]"),
        ({"id": "r", "rates": {1: 1}}, "w, key 'rates': expected str, found 1"),
        ({"id": "r", "rates": {"k": "v"}}, "w, key 'rates': expected float, found 'v'"),
        ({"id": "r", "inner": 3}, "w, key 'inner': expected a mapping, found 3"),
        ({"id": "r", "inner": {}}, "w, key 'inner': the key 'price' is missing"),
        ({"id": "r", "inner": {"price": "1"}}, "w, key 'inner', key 'price': expected Decimal"),
        ({"id": "r", "inners": {"z": {"price": 1}}}, "w, key 'inners': 'z' is not one of 'x', 'y'"),
    ],
)
def test_a_wrong_row_names_place_and_reason(values: Any, message: str) -> None:
    with pytest.raises(FactsError) as caught:
        build(Row, values, "w")
    assert str(caught.value).startswith(message)


def test_the_error_class_is_the_callers() -> None:
    with pytest.raises(ConfigFileError, match=r"kimi\.yml: the key 'id' is missing"):
        build(Row, {}, "kimi.yml", ConfigFileError)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(FactsError) as caught:
        build(Row, {"id": ["x" * 5000]}, "w")
    assert len(str(caught.value)) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([*Row.__dataclass_fields__, "other"])


@given(st.dictionaries(KEYS, JSON))
def test_any_mapping_is_built_or_refused_by_name(values: dict[str, Any]) -> None:
    message, row = "here", Row("r")
    try:
        row = build(Row, values, "here")
    except FactsError as error:
        message = str(error)
    assert message.startswith("here")
    assert isinstance(row.id, str)
    assert type(row.size) is int
    assert row.size >= 0
    assert row.ratio >= 0
