"""Confidence by hand-computed figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.annotate.confidence import score_spans, suggestion
from amx_kimi.annotate.parse import Entry
from amx_kimi.types import Confidence, TokenLogprob

from .helpers import profile_at

PROFILE = profile_at("http://127.0.0.1:1/v1")


def tokens(*pairs: tuple[str, float]) -> list[TokenLogprob]:
    return [TokenLogprob(text, logprob) for text, logprob in pairs]


def test_weighted_by_length() -> None:
    # "abcd" (4 characters at -0.1) and "ef" (2 at -0.7): (0.4 + 1.4) / 6 = 0.3
    found = score_spans("abcdef", tokens(("abcd", -0.1), ("ef", -0.7)), [(0, 6)])
    assert found == [pytest.approx(math.exp(-0.3))]
    assert found == [pytest.approx(0.7408, abs=1e-4)]


def test_only_the_span_counts_and_a_token_on_its_edge_by_its_part() -> None:
    # of `["h", "net"]`: the span is net, token ` "ne` has two characters in it, `t` one
    content = '["h", "net"]'
    made = tokens(('["h",', -9.0), (' "ne', -0.3), ("t", -0.6), ('"]', -9.0))
    (score,) = score_spans(content, made, [(7, 10)])
    assert score == pytest.approx(math.exp(-(2 * 0.3 + 1 * 0.6) / 3))


def test_several_spans() -> None:
    made = tokens(("aa", -0.1), ("bb", -0.5), ("cc", -2.0))
    assert score_spans("aabbcc", made, [(0, 2), (4, 6), (2, 4)]) == [
        pytest.approx(math.exp(-0.1)),
        pytest.approx(math.exp(-2.0)),
        pytest.approx(math.exp(-0.5)),
    ]


@pytest.mark.parametrize(
    "made",
    [
        [],
        tokens(("ab", -0.1)),
        tokens(("ab", -0.1), ("cd", -0.1)),
        tokens(("ab", -0.1), ("c", -0.1), ("d", -0.1)),
        tokens(("xyz", -0.1)),
    ],
)
def test_tokens_that_do_not_cover_the_content(made: list[TokenLogprob]) -> None:
    assert score_spans("abc", made, [(0, 1), (1, 2)]) == [None, None]


def test_an_empty_span_has_no_score() -> None:
    assert score_spans("abc", tokens(("abc", -0.1)), [(1, 1)]) == [None]


def test_empty_tokens_and_positive_figures_do_no_harm() -> None:
    assert score_spans("ab", tokens(("", -5.0), ("ab", 0.2), ("", -5.0)), [(0, 2)]) == [1.0]


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.floats(-50, 0)), min_size=1))
def test_a_score_lies_between_its_tokens(pairs: list[tuple[str, float]]) -> None:
    content = "".join(text for text, _ in pairs)
    (score,) = score_spans(content, tokens(*pairs), [(0, len(content))])
    assert score is not None
    least, most = (math.exp(pick(p for _, p in pairs)) for pick in (min, max))
    assert least * (1 - 1e-9) <= score <= most * (1 + 1e-9)


@pytest.mark.parametrize(
    ("score", "confidence"),
    [
        *((1.0, "high"), (0.85, "high"), (0.8499, "medium")),
        *((0.5, "medium"), (0.4999, "low"), (0.0, "low")),
    ],
)
def test_the_profiles_default_bands(score: float, confidence: str) -> None:
    found = suggestion(Entry(("x",), "low", (0, 1)), score, PROFILE)
    assert (found.confidence, found.signal, found.score) == (confidence, "logprobs", score)


def test_other_bands() -> None:
    strict = profile_at("http://127.0.0.1:1/v1", logprob_high=0.99, logprob_medium=0.9)
    entry = Entry(("x",), "high", (0, 1))
    found = [suggestion(entry, score, strict).confidence for score in (0.99, 0.95, 0.89)]
    assert found == ["high", "medium", "low"]


@pytest.mark.parametrize("declared", ["high", "medium", "low"])
def test_without_a_score_the_declared_bucket_counts(declared: Confidence) -> None:
    found = suggestion(Entry(("x", "y"), declared, (0, 1)), None, PROFILE)
    assert (found.alternatives, found.confidence) == (("x", "y"), declared)
    assert (found.signal, found.score) == ("declared", None)


@given(
    st.lists(st.tuples(st.text(max_size=4), st.floats(-5, 0)), max_size=30),
    st.integers(0, 60),
    st.integers(0, 60),
)
def test_every_character_of_a_span_weighs_its_tokens_probability(
    pairs: list[tuple[str, float]], start: int, length: int
) -> None:
    content = "".join(text for text, _ in pairs)
    each = [logprob for text, logprob in pairs for _ in text][start : start + length]
    (score,) = score_spans(content, tokens(*pairs), [(start, start + length)])
    expected = math.exp(sum(each) / len(each)) if each else None
    assert score == (pytest.approx(expected) if expected is not None else None)
