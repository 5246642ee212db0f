"""Cutting into blocks, at the borders where one falls out."""

from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.blocks import blocks


@given(st.integers(0, 500), st.integers(1, 120))
def test_everything_is_there_once_in_order(count: int, size: int) -> None:
    found = list(blocks(range(count), size))
    assert [item for block in found for item in block] == list(range(count))
    assert all(len(block) == size for block in found[:-1])
    assert all(found)


def test_nothing_is_read_ahead() -> None:
    rest = iter(range(10))
    assert next(blocks(rest, 3)) == [0, 1, 2]
    assert next(rest) == 3
