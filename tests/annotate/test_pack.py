"""Packing: every item in exactly one request, in order, and never too many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.annotate.batch import Batch, Piece
from amx_kimi.annotate.job import Job
from amx_kimi.annotate.pack import Expectation, Packer, packer_of
from amx_kimi.client import Limits
from amx_kimi.settings import Settings
from amx_kimi.types import Attempt, Reply, Usage

from .helpers import batch_of, piece_of, profile_at, table_item

EXPECTATION = Expectation(alternatives=3, thinks=False)


def pieces_of(sizes: Sequence[tuple[int, bool]], comment: str = "") -> list[Piece]:
    pieces, first = [], 1
    for number, (columns, ask) in enumerate(sizes):
        table = table_item(f"t{number}", comment=comment)
        names = [f"c{n}" for n in range(columns)]
        pieces.append(piece_of(table, names, first_id=first, ask=ask))
        first += columns + 1
    return pieces


def packed(pieces: Sequence[Piece], packer: Packer) -> list[Batch]:
    batches = [batch for piece in pieces for batch in packer.add(piece)]
    return [*batches, *packer.flush()]


def ids_of(batch: Batch | Piece) -> list[int]:
    """The ids of what is asked, in order."""
    if isinstance(batch, Batch):
        return [id_ for piece in batch.pieces for id_ in ids_of(piece)]
    return [*([batch.ask.id] if batch.ask else []), *(stored.id for stored, _ in batch.columns)]


SIZES = st.lists(
    st.tuples(st.integers(0, 20), st.booleans()).filter(lambda s: s[0] or s[1]), max_size=12
)


@given(SIZES, st.none() | st.integers(1, 30), st.integers(1_000, 100_000), st.booleans())
def test_every_item_once_in_order_and_never_too_many(
    sizes: list[tuple[int, bool]], fixed: int | None, budget: int, thinks: bool
) -> None:
    expectation = Expectation(3, thinks)
    pieces = pieces_of(sizes)
    batches = packed(pieces, Packer(expectation, budget, fixed))
    wanted = [id_ for piece in pieces for id_ in ids_of(piece)]
    assert [id_ for batch in batches for id_ in ids_of(batch)] == wanted
    most = fixed or expectation.most_items(budget)
    for batch in batches:
        columns = sum(len(piece.columns) for piece in batch.pieces)
        assert batch.size
        assert (columns if fixed else batch.size) <= most
        assert sorted(stored.id for stored in batch.refs.values()) == sorted(ids_of(batch))


@given(st.integers(61, 200), st.integers(2, 60))
def test_a_wide_table_is_cut_and_its_context_repeated(columns: int, fixed: int) -> None:
    (piece,) = pieces_of([(columns, True)])
    batches = packed([piece], Packer(EXPECTATION, 100_000, fixed))
    assert len(batches) >= columns / fixed
    for number, batch in enumerate(batches):
        (part,) = batch.pieces
        assert part.table == piece.table
        assert part.neighbours == piece.neighbours
        assert (part.ask is not None) == (number == 0)


def test_small_tables_share_a_request() -> None:
    batches = packed(pieces_of([(3, True)] * 5), Packer(EXPECTATION, 100_000))
    assert [len(batch.pieces) for batch in batches] == [5]


def test_a_table_that_fits_one_request_is_not_torn_apart() -> None:
    batches = packed(pieces_of([(6, True), (6, True), (2, True)]), Packer(EXPECTATION, 1, 10))
    assert [[len(p.columns) for p in batch.pieces] for batch in batches] == [[6], [6, 2]]


def test_a_lone_table_with_a_batch_size_of_one() -> None:
    batches = packed(pieces_of([(2, True), (0, True)]), Packer(EXPECTATION, 100_000, 1))
    assert [list(batch.refs) for batch in batches] == [["T1", "1"], ["1"], ["T1"]]


def test_with_a_fixed_size_a_tables_own_entry_rides_along() -> None:
    batches = packed(pieces_of([(5, True), (5, True), (3, True)]), Packer(EXPECTATION, 1, 10))
    assert [batch.size for batch in batches] == [12, 4]


def test_tables_that_ride_along_do_not_ride_without_end() -> None:
    batches = packed(pieces_of([(0, True)] * 200), Packer(EXPECTATION, 100_000, 10))
    assert [batch.size for batch in batches] == [70, 70, 60]


def test_a_table_too_wide_for_one_request_fills_up_the_begun_batch() -> None:
    batches = packed(pieces_of([(6, False), (14, False)]), Packer(EXPECTATION, 1, 10))
    assert [[len(p.columns) for p in batch.pieces] for batch in batches] == [[6, 4], [10]]


def test_the_prompt_is_bounded_by_what_the_context_has_room_for() -> None:
    pieces = pieces_of([(40, True)])
    (whole,) = packed(pieces, Packer(EXPECTATION, 1_000_000))
    few = packed(pieces, Packer(EXPECTATION, 1_000_000, most_prompt=200))
    assert whole.size == 41
    assert len(few) > 2
    assert [id_ for batch in few for id_ in ids_of(batch)] == ids_of(whole)


def test_long_comments_end_a_batch_earlier() -> None:
    long = "A rather long comment of a table, word by word by word. " * 12
    few = packed(pieces_of([(1, True)] * 300, long), Packer(EXPECTATION, 1_000_000, 500))
    many = packed(pieces_of([(1, True)] * 300), Packer(EXPECTATION, 1_000_000, 500))
    assert len(many) == 2
    assert len(few) > 2


def test_a_table_with_endless_names_still_goes_on() -> None:
    names = [f"{n}{'word ' * 17_000}" for n in range(4)]
    piece = piece_of(table_item("t"), names)
    batches = packed([replace(piece, neighbours=())], Packer(EXPECTATION, 1_000_000))
    assert [len(batch.pieces[0].columns) for batch in batches] == [1, 1, 1, 1]


# Expectations


@given(st.integers(1, 5), st.booleans(), st.integers(1, 200_000), *[st.floats(0.2, 5)] * 2)
def test_most_items_fit_half_the_budget(
    alternatives: int, thinks: bool, budget: int, answer_ratio: float, thinking_ratio: float
) -> None:
    made = Expectation(
        alternatives, thinks, answer_ratio=answer_ratio, thinking_ratio=thinking_ratio
    )
    most = made.most_items(budget)
    assert most >= 1
    assert most == 1 or made.output(most) <= budget / 2
    assert most == 60 or made.output(most + 1) > budget / 2


def test_the_measured_answer_of_three_wordings() -> None:
    assert EXPECTATION.answer(101) - EXPECTATION.answer(1) == 3_700  # 37 a column (design.md)
    assert EXPECTATION.output(60) == EXPECTATION.answer(60)
    assert Expectation(3, True).output(60) > 2 * EXPECTATION.output(60)


def test_a_longer_style_is_expected_to_take_more_words() -> None:
    def wordings(style: str) -> int:
        made = Expectation(1, False, style)
        return made.answer(101) - made.answer(1) - 700  # all but the ids

    styles = ("brief", "detailed", "comprehensive", "exhaustive")
    assert [wordings(style) / wordings("brief") for style in styles] == [1, 2, 5, 10]
    assert Expectation(3, False, "exhaustive").most_items(8_000) < EXPECTATION.most_items(8_000)


def reply(
    prompt: int, visible: int, reasoning: int = 0, finish: str = "stop", *, known: bool = True
) -> Reply:
    usage = Usage(prompt, 0, visible + reasoning, reasoning, known=known)
    first = Attempt(1, "first", 1, "ok", Usage(9, 0, 9), None, 1.0)
    attempts = (first, replace(first, usage=usage))
    return Reply("", "", finish, usage + usage, None, "m", attempts=attempts)


@given(st.floats(0.25, 4.5), st.floats(0.25, 4.5), st.floats(0.25, 4.5), st.integers(1, 60))
def test_corrections_converge_to_what_replies_report(
    prompt: float, answer: float, thinking: float, items: int
) -> None:
    start = made = Expectation(3, True)
    for _ in range(60):
        seen = reply(
            round(10_000 * prompt),
            round(start.answer(items) * answer),
            round(start.thinking(items) * thinking),
        )
        made = made.corrected(items, 10_000, seen)
    assert made.prompt_ratio == pytest.approx(prompt, rel=0.05)
    assert made.answer(items) == pytest.approx(start.answer(items) * answer, rel=0.05, abs=2)
    assert made.thinking(items) == pytest.approx(start.thinking(items) * thinking, rel=0.05)


@pytest.mark.parametrize(
    "seen",
    [
        reply(50, 50, known=False),
        reply(50, 0),
        reply(50, 500, finish="length"),
        reply(50, 500, finish="content_filter"),
    ],
)
def test_a_reply_that_tells_nothing_teaches_nothing(seen: Reply) -> None:
    assert EXPECTATION.corrected(3, 100, seen) == EXPECTATION


def test_an_absurd_reply_is_not_believed() -> None:
    made = EXPECTATION.corrected(1, 1, reply(10**9, 10**9))
    assert made.prompt_ratio <= 5
    assert made.answer_ratio <= 5
    made = EXPECTATION.corrected(1, 10**9, reply(1, 1))
    assert min(made.prompt_ratio, made.answer_ratio) > 0


def test_a_model_without_thinking_learns_no_thinking() -> None:
    assert EXPECTATION.corrected(1, 100, reply(100, 50, 900)).thinking_ratio == 1.0
    assert Expectation(3, True).corrected(1, 100, reply(100, 50)).thinking_ratio == 1.0


def test_the_usage_of_the_reply_counts_where_there_are_no_attempts() -> None:
    bare = replace(reply(200, 50), attempts=(), usage=Usage(200, 0, 50))
    assert EXPECTATION.corrected(1, 100, bare).prompt_ratio > 1


def test_a_packer_that_observes_long_answers_asks_for_less_at_once() -> None:
    packer = Packer(EXPECTATION, 4_000)
    before = packed(pieces_of([(200, True)]), packer)
    for _ in range(10):
        packer.observe(10, 100, reply(100, EXPECTATION.answer(10) * 4))
    after = packed(pieces_of([(200, True)]), packer)
    assert max(batch.size for batch in after) < max(batch.size for batch in before)


# Batches


@given(SIZES.filter(bool), st.data())
def test_only_and_halves_partition(sizes: list[tuple[int, bool]], data: st.DataObject) -> None:
    batch = Batch(tuple(pieces_of(sizes)), tries=1)
    ids = ids_of(batch)
    wanted = data.draw(st.sets(st.sampled_from(ids)))
    some = batch.only(list(wanted), tries=2)
    rest = batch.only([id_ for id_ in ids if id_ not in wanted], tries=2)
    assert ids_of(some) == [id_ for id_ in ids if id_ in wanted]
    assert sorted(ids_of(some) + ids_of(rest)) == sorted(ids)
    assert some.tries == 2
    assert all(piece.size for piece in some.pieces)
    if batch.size > 1:
        halves = batch.halves()
        assert sorted(id_ for half in halves for id_ in ids_of(half)) == sorted(ids)
        assert {half.size for half in halves} <= {batch.size // 2, -(-batch.size // 2)}
        assert [half.tries for half in halves] == [1, 1]


def test_a_batch_names_itself() -> None:
    assert batch_of("a", "b").label == "3 items of public.orders"
    two = Batch(tuple(pieces_of([(1, False), (2, True)])))
    assert two.label == "4 items of public.t0 and 1 more table"
    assert list(two.refs) == ["T2", "1", "2", "3"]


def test_incomplete_answers_shrink_a_request_and_whole_ones_grow_it_again() -> None:
    packer = Packer(EXPECTATION, 100_000)
    packer.answered(60, missing=0)
    assert packer.most == 60
    packer.answered(60, missing=15)
    assert packer.most == 45
    packer.answered(45, missing=45)
    assert packer.most == 22
    packer.answered(5, missing=0)  # the end of a run: no evidence for more
    packer.answered(1, missing=1)  # one stubborn column: no evidence for less
    assert packer.most == 22
    for _ in range(60):
        packer.answered(packer.most, missing=0)
    assert packer.most == 60


def test_where_reservations_bind_whole_answers_grow_a_request_further() -> None:
    packer = Packer(EXPECTATION, 100_000, scarce=True)
    assert packer.most == 60
    for _ in range(100):
        packer.answered(packer.most, missing=0)
    assert packer.most == 120
    packer.answered(120, missing=20)  # so many are too many, and are not tried again
    for _ in range(100):
        packer.answered(packer.most, missing=0)
    assert packer.most == 119
    assert Packer(EXPECTATION, 4_000, scarce=True).most == Packer(EXPECTATION, 4_000).most


@pytest.mark.parametrize(
    ("tpm", "rpm", "scarce"), [(2_000_000, 100, True), (9_000_000, 100, False), (None, 100, False)]
)
def test_a_floor_that_takes_the_minutes_tokens_is_scarce(
    tpm: int | None, rpm: int, scarce: bool
) -> None:
    profile = profile_at("http://127.0.0.1:1/v1", "kimi-k3")
    job = Job(profile)
    packer = packer_of(job, profile.facts(), Settings(), Limits(rpm=rpm, tpm=tpm))
    for _ in range(100):
        packer.answered(packer.most, missing=0)
    assert (packer.most > 60) == scarce
