"""Thinking inside content, marked in any of the ways of models: taken out wherever it is."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.client.thoughts import ThoughtFilter, split_thoughts
from amx_kimi.facts import load_thoughts

MARKS = [(row.open, row.close) for row in load_thoughts().marks]
ANSWER = '{"1 a": ["h", "An answer."]}'


@pytest.mark.parametrize(("start", "end"), MARKS)
@pytest.mark.parametrize(
    "shape",
    [
        "{start}why{end}{answer}",
        "\n{start}why{end}\n\n{answer}\n",
        "{answer}{start}why{end}",
        "why{end}{answer}",
        "{start}why{start}why{end}why{end}{answer}",
        "{start}why{end}{answer}{start}why",
        "why{end}{start}why{end}{answer}",
    ],
)
def test_what_is_thought_is_taken_out(start: str, end: str, shape: str) -> None:
    content, thoughts = split_thoughts(shape.format(start=start, end=end, answer=ANSWER))
    assert content.strip() == ANSWER
    assert "why" in thoughts


def test_a_thought_that_never_ends_leaves_nothing() -> None:
    assert split_thoughts("<think>I wonder")[0] == ""


@pytest.mark.parametrize("text", ["", ANSWER, "a < b and [1] > c", "think, he said", "<thin"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert split_thoughts(text) == (text, "")


PARTS = st.lists(
    st.one_of(
        st.sampled_from([mark for pair in MARKS[:5] for mark in pair]),
        st.text("ab <[◁|>\n", max_size=6),
    ),
    max_size=8,
)


@given(PARTS, st.lists(st.integers(0, 80), max_size=6))
def test_pieces_say_the_same_as_the_whole(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    whole, cut = ThoughtFilter(), ThoughtFilter()

    def heard(one: ThoughtFilter, pieces: list[str]) -> tuple[str, str]:
        told = [*(one.feed(piece) for piece in pieces), one.close()]
        return "".join(content for content, _ in told), "".join(thought for _, thought in told)

    pieces = [text[a:b] for a, b in pairwise(places)]
    assert heard(cut, pieces) == heard(whole, [text])


@given(PARTS)
def test_nothing_is_invented(parts: list[str]) -> None:
    content, _ = split_thoughts("".join(parts))
    assert len(content) <= len("".join(parts))


@pytest.mark.parametrize("before", ["", "<think>Hm: [THINK]</think>\n"])
@pytest.mark.parametrize("around", ["{}", "```json\n{}\n```", "\n{}\n"])
def test_marks_inside_of_an_answers_texts_are_text(before: str, around: str) -> None:
    text = '{"1 log": ["h", "What was said, with its `<think>` block.", "Up to </think>."]}'
    content, thoughts = split_thoughts(before + around.replace("{}", text))
    assert content.strip() == around.replace("{}", text).strip()
    assert thoughts == ("Hm: [THINK]" if before else "")
