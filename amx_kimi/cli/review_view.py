"""What a review shows, as lines for a terminal of a given width. Pure functions."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.utils import get_cwidth

from amx_kimi.journal import Described
from amx_kimi.publish.review import Review
from amx_kimi.text import one_line

__all__ = ["STYLES", "detail", "heading", "items", "shortened"]

STYLES = {
    "bar": "reverse",
    "cursor": "bold",
    "high": "ansigreen",
    "medium": "ansiyellow",
    "low": "ansired",
    "name": "bold",
    "dim": "ansibrightblack",
    "message": "bold",
}
_MARKS = {"accept": "✓", "edit": "✎", "reject": "✗"}
_BESIDE_NAME = 12  # cursor, mark, confidence and the blanks between
_SHORT_NAME = 24


def heading(review: Review, columns: int) -> StyleAndTextTuples:
    """The table, and how much is decided. The table's name is shortened to fit."""
    where = ".".join(filter(None, review.table)) if review.table else "–"
    place = ""
    if review.tables:
        place = f" · table {review.at_table + 1} of {len(review.tables)}"
    done = f" · {review.decided:,} of {review.total:,} decided"
    run = f" · run {review.run.id}"
    filtered = one_line(str(review.filter))
    shown = f"[{shortened(filtered, _SHORT_NAME)}] " if filtered else ""
    room = columns - 1 - sum(map(get_cwidth, (shown, place, done, run)))
    table = shortened(one_line(where), max(8, room))
    return [("", f" {shown}{table}{place}{done}{run}")]


def items(review: Review, columns: int, height: int) -> StyleAndTextTuples:
    """The items around the cursor, one line each."""
    names = [one_line(row.item.column or "(the table)") for row in review.rows]
    half = max(_SHORT_NAME, (columns - _BESIDE_NAME) // 2)
    width = min(half, max(map(get_cwidth, names), default=0))
    last_first = len(review.rows) - height
    first = max(0, min(review.at_row - height // 2, last_first))
    lines: StyleAndTextTuples = []
    for number in range(first, min(first + height, len(review.rows))):
        name = shortened(names[number], width)
        padded = name + " " * (width - get_cwidth(name))
        lines += _item(review.rows[number], padded, here=number == review.at_row)
    return lines


def _item(row: Described, name: str, *, here: bool) -> StyleAndTextTuples:
    style = "class:cursor" if here else ""
    sure = row.answer.confidence
    mark = _MARKS.get(row.decision.action, " ") if row.decision else " "
    text = row.text if row.text is not None else "rejected"
    return [
        (style, f"{'▸' if here else ' '}{mark} {name} "),
        (f"class:{sure}", f"{sure:<7}"),
        (style, f"{one_line(text)}\n"),
    ]


def detail(review: Review, columns: int) -> StyleAndTextTuples:
    """Everything known about the item under the cursor."""
    row = review.row
    if row is None or row.suggestion is None:
        return [("", "No items to show. x shows everything, q leaves.")]
    item, found = row.item, row.suggestion
    about = ", ".join(filter(None, (item.type or item.kind, item.key_role, item.fk)))
    score = f" {found.score:.2f}" if found.score is not None else ""
    lines: StyleAndTextTuples = [
        ("class:name", one_line(item.name)),
        ("", f"  {one_line(about)}   confidence "),
        (f"class:{found.confidence}", found.confidence),
        ("class:dim", f" ({found.signal}{score})\n"),
    ]
    if item.comment:
        lines.append(("", _wrapped("Comment now: ", item.comment, columns)))
    if seen := _seen(row.facts):
        lines.append(("class:dim", _wrapped("The model saw: ", seen, columns)))
    for number, alternative in enumerate(found.alternatives, 1):
        lines.append(("", _wrapped(f" {number}  ", alternative, columns)))
    if (worded := review.worded.get(row.id)) and not row.decision:
        who = f"Written by {worded.by} in run {worded.run} (e edits it): "
        lines.append(("class:name", _wrapped(who, worded.text, columns)))
    return [*lines, ("class:message", _wrapped("", _decided(row), columns))]


def shortened(text: str, columns: int) -> str:
    """`text` in at most `columns`. It is cut in the middle, because similar names often differ
    at their end."""
    if get_cwidth(text) <= columns:
        return text
    half = (columns - 1) // 2
    tail = _that_fit(text[::-1], half)[::-1]
    head = _that_fit(text, columns - 1 - get_cwidth(tail))
    return f"{head}…{tail}"


def _that_fit(letters: Sequence[str], columns: int) -> str:
    """As many of the first letters as fit into `columns`."""
    taken, used = "", 0
    for letter in letters:
        used += get_cwidth(letter)
        if used > columns:
            break
        taken += letter
    return taken


def _wrapped(head: str, text: str, columns: int) -> str:
    """A paragraph as wide as the terminal, not broken within words."""
    width = max(20, columns - 1)
    lines = textwrap.wrap(head + one_line(text), width, subsequent_indent="    ")
    return "\n".join(lines or [head]) + "\n"


def _decided(row: Described) -> str:
    decision = row.decision
    if decision is None:
        return "Open."
    when = decision.at[:16].replace("T", " ")
    said = {"accept": "Accepted", "edit": "Edited", "reject": "Rejected"}[decision.action]
    text = f": {decision.text}" if decision.text is not None else ""
    return f"{said} by {decision.by}, {when}{text}"


def _seen(facts: Mapping[str, Any]) -> str:
    parts = []
    for key, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        parts.append(f"{key} {shown}")
    return "; ".join(parts)[:400]
