"""Choosing by name, and what is near a typo."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.patterns import is_chosen, listed, near, unmet

PLACES = [
    *(("sales", "orders"), ("sales", "tmp_1"), ("crm", "orders"), ("crm", "a.b"), ("s", "x[1]")),
    *(("s", "sales"), ("", "plain"), ("", "tmp_2"), ("s", "50%"), ("s", "a*b")),
]


def chosen(*patterns: str) -> list[str]:
    return [".".join(filter(None, place)) for place in PLACES if is_chosen(patterns, *place[::-1])]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["orders"], ["sales.orders", "crm.orders"]),
        (["crm.orders"], ["crm.orders"]),
        (["sales.*"], ["sales.orders", "sales.tmp_1"]),
        (["s*"], ["s.sales"]),  # no schema's tables
        (["s.s*"], ["s.sales"]),
        (["*.orders"], ["sales.orders", "crm.orders"]),
        (["tmp_*"], ["sales.tmp_1", "tmp_2"]),
        (["tmp_?", "!sales.*"], ["tmp_2"]),
        (["tmp_[2-9]"], ["tmp_2"]),
        (["sales.*", "!tmp_*"], ["sales.orders"]),
        (["!tmp_*", "sales.*"], ["sales.orders"]),
        (["!sales.orders", "orders"], ["crm.orders"]),
        (["a.b"], ["crm.a.b"]),
        (["crm.a.b"], ["crm.a.b"]),
        (["x[1]"], ["s.x[1]"]),
        (["50%"], ["s.50%"]),
        (["a*b"], ["crm.a.b", "s.a*b"]),
        (["ORDERS"], []),
    ],
)
def test_patterns(patterns: list[str], names: list[str]) -> None:
    assert chosen(*patterns) == names


def test_all_but_what_is_taken_out() -> None:
    everything = chosen()
    assert len(everything) == len(PLACES)
    left = chosen("!*.orders", "!tmp_*", "!plain")
    assert left == ["crm.a.b", "s.x[1]", "s.sales", "s.50%", "s.a*b"]
    assert chosen("!nothing_*") == everything


name = st.text(min_size=1, max_size=8).filter(lambda text: not text.startswith("!"))


@given(name, name)
def test_a_name_means_itself_whatever_is_in_it(table: str, schema: str) -> None:
    assert is_chosen([table], table, schema)
    assert is_chosen([f"{schema}.{table}"], table, schema)
    assert not is_chosen([table, f"!{table}"], table, schema)
    assert not is_chosen([f"!{schema}.{table}"], table, schema)
    assert unmet([table, f"{schema}.{table}", f"!{table}"], [(schema, table)]) == []


def test_what_meets_nothing() -> None:
    assert unmet(["ordres", "sales.*", "crm.*x", "!tmp_*", "!zz_*"], PLACES) == ["ordres", "crm.*x"]
    # Misspelt, it would let in what was to be left out.
    assert unmet(["!ordres"], PLACES) == ["!ordres"]


def test_names_that_are_near() -> None:
    names = [f"t{n}" for n in range(13)]
    assert near("ordres", ["x", "order_lines", "orders"]) == "orders, order_lines"
    assert near("ORDERS", ["orders"]) == "orders"
    assert near("!ordres", ["orders"]) == "orders"
    assert near("zzzzzz", names) == "t0, t1, t2, t3, t4 and 8 more"
    assert near("x", []) == ""


@pytest.mark.parametrize(("count", "ends"), [(0, ""), (5, "t4"), (6, "t4 and 1 more")])
def test_lists_say_how_many_more(count: int, ends: str) -> None:
    assert listed([f"t{n}" for n in range(count)]).endswith(ends)
    assert listed(["a"] * 3_005) == "a, a, a, a, a and 3,000 more"
