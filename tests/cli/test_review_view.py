"""What a review shows, by width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from amx_kimi.cli.review_view import shortened

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@given(TEXT, st.integers(1, 40))
def test_what_is_shortened_fits_and_keeps_both_ends(text: str, columns: int) -> None:
    short = shortened(text, columns)
    assert get_cwidth(short) <= columns
    if get_cwidth(text) <= columns:
        assert short == text
    else:
        head, _, tail = short.partition("…")
        assert text.startswith(head)
        assert text.endswith(tail) or "…" in text


def test_names_that_differ_at_their_end_stay_apart() -> None:
    one, other = (shortened(f"customer_billing_address_line_{n}", 24) for n in (1, 2))
    assert (one, other) == ("customer_bil…ress_line_1", "customer_bil…ress_line_2")
