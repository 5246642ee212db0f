"""Keys that hide themselves, usage that adds up, names of items."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.types import Ask, Item, Secret, Usage, mask_key

KEY = "sk-abcdefghijklmnop-9876"


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (KEY, "sk-…9876"),
        ("twelve-chars", "sk-…hars"),
        ("eleven-char", "sk-…"),
        ("sk-1", "sk-…"),
        ("", "sk-…"),
    ],
)
def test_a_masked_key(key: str, shown: str) -> None:
    assert mask_key(key) == shown


@given(st.text(min_size=1, max_size=200))
def test_at_most_four_characters_of_a_key_are_shown(key: str) -> None:
    shown = mask_key(key).removeprefix("sk-…")
    assert len(shown) <= 4
    assert key.endswith(shown)
    assert len(shown) * 3 <= len(key)


@pytest.mark.parametrize(
    "show",
    [repr, str, "{}".format, "{!r}".format, lambda s: f"{s}", lambda s: [s]],
)
def test_a_secret_shows_itself_nowhere(show: object) -> None:
    assert "abcdef" not in str(show(Secret(KEY)))  # type: ignore[operator]
    assert "9876" in str(show(Secret(KEY)))  # type: ignore[operator]


def test_a_secret_is_revealed_on_demand_only() -> None:
    assert Secret(KEY).reveal() == KEY
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(Secret(KEY))
    with pytest.raises(TypeError, match="cannot be pickled"):
        copy.deepcopy(Secret(KEY))
    assert not hasattr(Secret(KEY), "__dict__")


def test_secrets_compare_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a")
    assert not Secret("")


COUNTS = st.integers(0, 10**9)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.booleans())


def test_usage_adds_each_kind_of_token() -> None:
    total = Usage(100, 40, 30, 20, 10) + Usage(1, 2, 3, 4, 5)
    assert total == Usage(101, 42, 33, 24, 15, known=True)


@given(USAGES, USAGES, USAGES)
def test_usage_sums_in_any_order_and_unknown_stays_unknown(a: Usage, b: Usage, c: Usage) -> None:
    assert (a + b) + c == c + (b + a)
    assert a + Usage() == a
    assert (a + b).known == (a.known and b.known)


@pytest.mark.parametrize(
    ("schema", "table", "column", "name"),
    [
        ("public", "orders", "id", "public.orders.id"),
        ("public", "orders", "", "public.orders"),
        ("", "orders", "id", "orders.id"),
        ("", "orders", "", "orders"),
    ],
)
def test_the_name_of_an_item(schema: str, table: str, column: str, name: str) -> None:
    assert Item(schema, table, column, "column", 1).name == name


def test_an_ask_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Ask([], 1).prompt_tokens = 2  # type: ignore[misc]
