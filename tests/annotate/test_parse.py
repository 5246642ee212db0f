"""The parser: whatever a model answers, whole entries are kept and nothing else."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.annotate.batch import Batch
from amx_kimi.annotate.parse import parse

from .helpers import answer, batch_of, piece_of, table_item

BATCH = batch_of("cust_id", "net_amt")
GOOD = {
    "T1 public.orders": ["h", "Orders.", "Sales orders."],
    "1 cust_id": ["m", "Customer.", "Who ordered."],
    "2 net_amt": ["l", "Net amount.", "Amount without tax."],
}


def words(content: str, batch: Batch = BATCH, most: int = 3) -> dict[str, tuple[str, ...]]:
    return {ref: entry.wordings for ref, entry in parse(content, batch, most).items()}


def test_contract() -> None:
    found = parse(answer(GOOD), BATCH, 3)
    assert {ref: (e.confidence, *e.wordings) for ref, e in found.items()} == {
        "T1": ("high", "Orders.", "Sales orders."),
        "1": ("medium", "Customer.", "Who ordered."),
        "2": ("low", "Net amount.", "Amount without tax."),
    }


@pytest.mark.parametrize(
    "around",
    [
        "```json\nANSWER\n```",
        "```\nANSWER\n```\nLet me know if you need more!",
        'Sure! Here is the "catalog" you asked for: 5" of it.\n\nANSWER',
        'ANSWER\n\nNote: the "1 cust_id" column: [unclear] whether it\'s unique.',
        'I think "1 cust_id": is a key.\nANSWER',
        '<think>{"a": 1}</think>\nANSWER',
        "\ufeffANSWER",
        '{"answer": ANSWER}',
        "[ANSWER]",
    ],
)
def test_prose_and_fences(around: str) -> None:
    assert words(around.replace("ANSWER", answer(GOOD))) == words(answer(GOOD))


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
def test_cut_at_every_character(ascii_only: bool, indent: int | None) -> None:
    entries = {**GOOD, "2 net_amt": ["l", 'A "net" \\ amount: [€], ümlaut 🚀', "Zwei\tWörter"]}
    content = json.dumps(entries, ensure_ascii=ascii_only, indent=indent)
    whole = parse(content, BATCH, 3)
    assert len(whole) == 3
    before: dict[str, object] = {}
    for length in range(len(content) + 1):
        found = parse(content[:length], BATCH, 3)
        assert found.items() >= before.items(), length
        assert found.items() <= whole.items(), length
        before = dict(found)
    assert before == whole


LIST_SHAPES = st.lists(st.text(max_size=40), min_size=1, max_size=4)


@given(st.lists(LIST_SHAPES, min_size=1, max_size=4), st.booleans(), st.data())
def test_every_prefix_has_only_whole_entries(
    lists: list[list[str]], ascii_only: bool, data: st.DataObject
) -> None:
    batch = batch_of(*(f"col_{n}" for n in range(len(lists))), ask=False)
    entries = {f"{n} col_{n - 1}": ["h", *texts] for n, texts in enumerate(lists, 1)}
    content = json.dumps(entries, ensure_ascii=ascii_only)
    whole = parse(content, batch, 4)
    cut = data.draw(st.integers(0, len(content)))
    later = data.draw(st.integers(cut, len(content)))
    first, second = parse(content[:cut], batch, 4), parse(content[:later], batch, 4)
    assert first.items() <= second.items() <= whole.items()


@given(st.text(alphabet='"\\{}[]:,Th1 2aub\n', max_size=80))
def test_no_answer_crashes(content: str) -> None:
    for ref, entry in parse(content, BATCH, 3).items():
        assert ref in BATCH.refs
        assert 1 <= len(entry.wordings) <= 3
        start, end = entry.span
        assert 0 <= start <= end <= len(content)


@pytest.mark.parametrize(
    ("key", "ref"),
    [
        ("1 cust_id", "1"),
        ("1 CUST_ID", "1"),
        ("1: cust_id", "1"),
        ("1. cust_id", "1"),
        ("1) cust_id", "1"),
        ("1 - cust_id", "1"),
        ('1 "cust_id"', "1"),
        ("1 `cust_id`", "1"),
        ("1 public.orders.cust_id", "1"),
        ("  1   cust_id ", "1"),
        ("1", "1"),
        ("1 customer", "1"),  # a wrong name that is nobody's: the id decides
        ("1 ", "1"),
        ("cust_id", "1"),
        (" Cust_ID ", "1"),
        ("T1 public.orders", "T1"),
        ("T1", "T1"),
        ("T1 orders", "T1"),
        ("public.orders", "T1"),
        ("1 net_amt", None),  # contradicts: another item's name
        ("1 public.orders", None),
        ("T1 cust_id", None),
        ("3 cust_idx", None),
        ("T2 public.orders2", None),
        ("12 nobody", None),
        ("nobody", None),
        ("", None),
        ("confidence", None),
        ("1234567890 cust", None),
    ],
)
def test_keys(key: str, ref: str | None) -> None:
    assert words(answer({key: ["h", "x"]})) == ({ref: ("x",)} if ref else {})


def test_swapped_names_are_missing() -> None:
    assert words(answer({"1 net_amt": ["h", "Amount."], "2 cust_id": ["h", "Customer."]})) == {}


def test_an_unknown_id_with_a_known_name_counts_by_its_name() -> None:
    assert words(answer({"7 cust_id": ["h", "Customer."]})).keys() <= {"1"}


def test_only_names() -> None:
    content = answer({"public.orders": ["h", "O"], "net_amt": ["h", "N"], "cust_id": ["m", "C"]})
    assert words(content) == {"T1": ("O",), "2": ("N",), "1": ("C",)}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('{"gr\\u00f6\\u00dfe": ["h", "x"]}', "größe"),  # a name that is written with escapes
        (r'{"1 cust\_id": ["h", "x"]}', "cust_id"),  # its escape is Markdown's: the id decides
        ('"1 cust_id": ["h", "x"]', "cust_id"),  # no braces around
    ],
)
def test_keys_as_models_write_them(content: str, name: str) -> None:
    assert words(content, batch_of(name, ask=False)) == {"1": ("x",)}


def test_a_name_that_two_tables_share_needs_its_id() -> None:
    batch = Batch(
        (
            piece_of(table_item("orders"), ["id"], ask=False),
            piece_of(table_item("users"), ["id"], first_id=10, ask=False),
        )
    )
    assert words(answer({"id": ["h", "Order number."]}), batch) == {}
    both = {"1 id": ["h", "Order."], "2 id": ["h", "User."]}
    assert words(answer(both), batch) == {"1": ("Order.",), "2": ("User.",)}


def test_missing_ids_are_missing() -> None:
    assert words(answer({"2 net_amt": ["h", "Amount."]})) == {"2": ("Amount.",)}


def test_the_last_of_two_entries_counts() -> None:
    content = '{"1 cust_id": ["h", "First."], "1 cust_id": ["l", "Second."]}'
    found = parse(content, BATCH, 3)
    assert (found["1"].wordings, found["1"].confidence) == (("Second.",), "low")
    assert found["1"].span == (content.index("Second."), content.index("Second.") + 7)


DRAFT = {"1 cust_id": ["h", "A draft."], "2 net_amt": ["h", "A draft."]}
REAL = {"1 cust_id": ["h", "Customer."], "2 net_amt": ["h", "Amount."]}
BOTH = {"1": ("Customer.",), "2": ("Amount.",)}
ONE = json.dumps({"1 cust_id": ["h", "Customer."]})


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (f"{answer(DRAFT)}\n{answer(REAL)}", BOTH),
        (f"Perhaps {answer(DRAFT)}. No, better:\n{answer(REAL)}", BOTH),
        (f"```json\n{answer(DRAFT)}\n```\n```json\n{answer(REAL)}\n```", BOTH),
        (f'The "2 net_amt": ["h", "A draft."] is clear.\n{answer(REAL)}', BOTH),
        (f"{answer(DRAFT)} Now for good: {ONE[:-1]}, ", {"1": ("Customer.",)}),  # cut
        (f"{answer(DRAFT)}\n{ONE}", {"1": ("Customer.",)}),
        (f"{answer({**GOOD, **DRAFT})} Now for good: {ONE[:-1]}, ", {"1": ("Customer.",)}),  # cut
        (f"{answer(REAL)}\n" * 3 + ONE[:-4], BOTH),  # a loop, cut
        ('{"1 cust_id": ["h", "Customer."]}\n{"2 net_amt": ["h", "Amount."]}', BOTH),
        ('[{"1 cust_id": ["h", "Customer."]}, {"2 net_amt": ["h", "Amount."]}]', BOTH),
        ('{"t": {"1 cust_id": ["h", "Customer."]}, "c": {"2 net_amt": ["h", "Amount."]}}', BOTH),
    ],
)
def test_of_two_answers_the_last_one_counts(
    content: str, found: dict[str, tuple[str, ...]]
) -> None:
    assert words(content) == found


@pytest.mark.parametrize(
    ("said", "confidence"),
    [
        *(("h", "high"), ("m", "medium"), ("l", "low")),
        *(("high", "high"), ("medium", "medium"), ("low", "low"), ("med", "medium")),
        *(("H", "high"), (" High ", "high"), ("MEDIUM", "medium")),
    ],
)
def test_confidence_words(said: str, confidence: str) -> None:
    entry = parse(answer({"1 cust_id": [said, "x"]}), BATCH, 3)["1"]
    assert (entry.confidence, entry.wordings) == (confidence, ("x",))


@pytest.mark.parametrize(
    ("said", "confidence"),
    [
        *(("High confidence", "high"), ("confidence: high", "high"), ("very high", "high")),
        *(("hoch", "high"), ("高", "high"), ("h/m", "high"), ("medium-high", "medium")),
        *(
            ("niedrig", "low"),
            ("0.9", "low"),
            ("95%", "low"),
            ("9/10", "low"),
            ("quite sure", "low"),
        ),
    ],
)
def test_a_confidence_in_other_words_is_no_wording(said: str, confidence: str) -> None:
    text = "The number of the customer who has ordered."
    entry = parse(answer({"1 cust_id": [said, text]}), BATCH, 3)["1"]
    assert (entry.confidence, entry.wordings) == (confidence, (text,))


@pytest.mark.parametrize(
    "text",
    ["High", "Low stock.", "Low stock level", "高等教育学校", "Net 30", "Sure as one ever can be"],
)
def test_a_wording_that_begins_as_a_confidence(text: str) -> None:
    entry = parse(answer({"1 cust_id": ["h", text, "Another."]}), BATCH, 3)["1"]
    assert text in entry.wordings


@pytest.mark.parametrize(("said", "label"), [("s" * 20, True), ("s" * 21, False)])
def test_an_unknown_label_is_short(said: str, label: bool) -> None:
    text = "The number of the customer who has ordered, as the shop's own register has it."
    entry = parse(answer({"1 cust_id": [said, text]}), BATCH, 3)["1"]
    assert entry.wordings == ((text,) if label else (said, text))


@pytest.mark.parametrize(("length", "label"), [(60, True), (59, False)])
def test_an_unknown_label_is_a_third_of_the_wordings_at_most(length: int, label: bool) -> None:
    entry = parse(answer({"1 cust_id": ["s" * 20, "w" * length]}), BATCH, 3)["1"]
    assert (len(entry.wordings) == 1) == label


@pytest.mark.parametrize(
    "text",
    ["...", "…", "<description>", "null", "N/A", "TODO", "first wording", "-", "[description]"],
)
def test_what_stands_in_the_place_of_a_wording_is_none(text: str) -> None:
    assert parse(answer({"1 cust_id": ["h", text, text]}), BATCH, 3) == {}
    both = parse(
        answer({"1 cust_id": ["h", "Real."]}) + answer({"1 cust_id": ["h", text]}), BATCH, 3
    )
    assert both["1"].wordings == ("Real.",)


@pytest.mark.parametrize("prose", ["", "Wait, one correction:", "I was least sure of this one:"])
def test_a_correction_replaces_what_it_names(prose: str) -> None:
    whole = answer({"1 cust_id": ["h", "One."], "2 net_amt": ["h", "Two."], "T1": ["h", "All."]})
    found = parse(f"{whole}\n{prose}\n" + answer({"2 net_amt": ["l", "Two, or so."]}), BATCH, 3)
    assert {ref: entry.wordings[0] for ref, entry in found.items()} == {
        **{"1": "One.", "2": "Two, or so.", "T1": "All."}
    }


def test_a_correction_may_be_corrected() -> None:
    drafts = (answer({"2 net_amt": ["l", f"Two, the {nth}."]}) for nth in ("second", "third"))
    found = words("\nWait:\n".join((answer(GOOD), *drafts)), most=1)
    assert found == {"T1": ("Orders.",), "1": ("Customer.",), "2": ("Two, the third.",)}


@pytest.mark.parametrize("said", ["certain", "0.9", "hm"])
def test_an_unknown_confidence_is_low_and_nothing_is_lost(said: str) -> None:
    entry = parse(answer({"1 cust_id": [said, "x"]}), BATCH, 3)["1"]
    assert entry.confidence == "low"
    assert "x" in entry.wordings


@pytest.mark.parametrize(
    ("value", "wordings"),
    [
        ("Customer.", ("Customer.",)),
        (["h", "a", "b", "c", "d"], ("a", "b", "c")),
        (["h", "a"], ("a",)),
        (["a", "b"], ("a", "b")),
        (["h", "a", "a", "b"], ("a", "b")),
        (["h", "", "  ", "a"], ("a",)),
        (["h", 3, None, True, "a", 1.5], ("a",)),
        (["h", {"x": "no", "y": 1}, "a"], ("a",)),
        (["h", ["no", "no"], "a"], ("a",)),
        (["h", " a \n\t b\u0000\u001b[31m c\u2028d "], ("a b c d",)),
        (["h", "h"], ("h",)),
        (["h", "\ud83d\ude80 rocket"], ("🚀 rocket",)),
        (["h", "half \ud83d pair"], ("half pair",)),
    ],
)
def test_values(value: object, wordings: tuple[str, ...]) -> None:
    assert words(json.dumps({"1 cust_id": value})) == {"1": wordings}


@pytest.mark.parametrize(
    "value", ["h", "", [], ["h"], ["h", ""], ["h", None, 7], ["m", {"text": "no"}], {"h": "x"}, 5]
)
def test_values_without_a_wording_are_missing(value: object) -> None:
    content = answer({"1 cust_id": value, "2 net_amt": ["h", "Amount."]})
    assert words(content) == {"2": ("Amount.",)}


def test_raw_newlines_in_a_wording_are_understood() -> None:
    assert words('{"1 cust_id": ["h", "two\nlines\tand a tab"]}') == {"1": ("two lines and a tab",)}


@pytest.mark.parametrize(
    "broken",
    [
        '"1 cust_id": ["h", "unclosed list"',
        '"1 cust_id": ["h", "unclosed text]',
        '"1 cust_id": ["h", "unclosed text',
        '"1 cust_id": ["h", "bad escape \\q"]',
        '"1 cust_id": ["h", "bad \\u12"]',
        '"1 cust_id": {"wording": "nested"}',
        '"1 cust_id": [["h", ["deeper", ["still"]]]',
        '"1 cust_id" ["h", "no colon"]',
        '"1 cust_id": nonsense',
    ],
)
def test_a_broken_entry_costs_only_itself(broken: str) -> None:
    after = '"2 net_amt": ["m", "Amount."]}'
    assert words("{" + broken + ",\n " + after) == {"2": ("Amount.",)}


def test_what_a_wording_says_is_never_an_entry() -> None:
    inside = 'see "2 net_amt": ["h", "stolen"] and \n"T1 public.orders": "stolen"'
    content = answer({"1 cust_id": ["h", inside]})
    assert words(content) == {"1": (" ".join(inside.split()),)}


def test_wordings_are_bounded() -> None:
    (wording,) = words(answer({"1 cust_id": ["h", "x" * 50_000]}))["1"]
    assert len(wording) == 4_000


NAMES = ['say "hi"', "a\nb", "🚀 名前", "tab\tname", "back\\slash", "it's", "a.b.c", "2 nd", "[x]:"]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_strange_names(ascii_only: bool) -> None:
    batch = batch_of(*NAMES, ask=False)
    entries = {f"{n} {name}": ["h", f"w{n}"] for n, name in enumerate(NAMES, 1)}
    content = json.dumps(entries, ensure_ascii=ascii_only)
    assert words(content, batch) == {str(n): (f"w{n}",) for n in range(1, len(NAMES) + 1)}


def test_a_name_of_a_thousand_characters() -> None:
    name = "n" * 1_000
    assert words(answer({f"1 {name}": ["h", "x"]}), batch_of(name)) == {"1": ("x",)}


@given(st.text(min_size=1, max_size=30))
def test_any_name(name: str) -> None:
    batch = batch_of(name, ask=False)
    assert words(json.dumps({f"1 {name}": ["h", "x"]}), batch) == {"1": ("x",)}


# Spans


WRITINGS = {
    "plain": '"Größe der Liste"',
    "lower": '"Gr\\u00f6\\u00dfe der Liste"',
    "upper": '"Gr\\u00F6\\u00DFe der Liste"',
    "mixed": '"Gr\\u00f6ße der \\u004ciste"',
    "slash": '"a\\/b \\"c\\" d"',
    "pair": '"\\ud83d\\ude80 rocket"',
}


@pytest.mark.parametrize("written", WRITINGS.values(), ids=WRITINGS)
def test_the_span_is_the_first_wording_as_written(written: str) -> None:
    copy = json.dumps(json.loads(written), ensure_ascii=False)
    content = (
        f'{{"2 net_amt": ["h", {copy}], "1 cust_id": ["h", "", {written}, "z"], "T1": {copy}}}'
    )
    start, end = parse(content, BATCH, 3)["1"].span
    assert f'"{content[start:end]}"' == written
    assert content.index("1 cust_id") < start < content.index('"T1"')


@given(LIST_SHAPES, st.booleans())
def test_spans_decode_to_the_first_wording(texts: list[str], ascii_only: bool) -> None:
    entries = {"2 net_amt": ["m", *texts], "1 cust_id": ["h", *texts]}
    content = json.dumps(entries, ensure_ascii=ascii_only)
    for entry in parse(content, BATCH, 9, markup=True).values():
        start, end = entry.span
        decoded = "".join(
            c if c.isprintable() else " " for c in json.loads(content[start - 1 : end + 1])
        )
        assert " ".join(decoded.split()) == entry.wordings[0]


@pytest.mark.parametrize(
    "content",
    [
        '{"columns": [{"1 cust_id": "Customer."}, {"2 net_amt": "Amount."}]}',
        '{"answer": [{"T1": "Orders.", "1 cust_id": "Customer.", "2 net_amt": "Amount."}]}',
        '{"T1": ["h", "Orders."], "T1": [{"1 cust_id": "Customer."}, {"2 net_amt": "Amount."}]}',
    ],
)
def test_entries_in_a_list_of_objects_count(content: str) -> None:
    assert {"1", "2"} <= set(parse(content, BATCH, 3))


# Size


MEGABYTE = 1_000_000
GARBAGE = {
    "quotes": '"' * MEGABYTE,
    "escaped quotes": '"' + '\\"' * (MEGABYTE // 2),
    "escaped keys": '"' + '\\"k\\":' * (MEGABYTE // 6),
    "open lists": '"a":[' * (MEGABYTE // 5),
    "open objects": '"a":[{' * (MEGABYTE // 6),
    "brackets": '"a":' + "[" * MEGABYTE,
    "backslashes": '"a": "' + "\\" * MEGABYTE,
    "one long text": '"1 a": "' + "x" * MEGABYTE,
    "one long number": '"1 a": ["h", ' + "9" * MEGABYTE + "]",
    "escaped entries": '"a":"\\/",' * (MEGABYTE // 9),
    "open texts": '"a":"b' * (MEGABYTE // 6),
    "keys": '"a":' * (MEGABYTE // 4),
    "spaces": '"a"' + " " * MEGABYTE,
    "newlines": '"a":\n' * (MEGABYTE // 5),
    "commas": '["a",' + ',":[",' * (MEGABYTE // 6),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_a_megabyte_of_garbage_is_no_trap(content: str) -> None:
    """A guard against a hang, which squares take here: not a measurement."""
    started = time.process_time()
    parse(content, BATCH, 3)
    assert time.process_time() - started < 60


def test_an_entry_after_a_megabyte_of_garbage() -> None:
    assert words(GARBAGE["open objects"] + "\n" + answer(GOOD)).keys() == {"T1", "1", "2"}
