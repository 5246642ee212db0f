"""Review in a spreadsheet: writes a run's suggestions as CSV, and reads decisions back.

`decision` is `accept`, the number of an alternative, `reject`, or empty (undecided). People enter
their own text in `text`. A row counts only if its item and alternatives are still those in the
journal, so that nobody accepts a text that they have not read.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from amx_kimi.blocks import blocks
from amx_kimi.errors import ConfigFileError
from amx_kimi.files import open_regular
from amx_kimi.journal import Described, Journal, Run, results
from amx_kimi.journal.decisions import Decided, Decision
from amx_kimi.text import visible, without_controls

__all__ = ["MOST_TEXT", "Row", "clean", "no_formula", "read_decisions", "write_decisions"]

MOST_TEXT = 60_000
"""The longest text that a person may write, in characters."""

_WORDINGS = 5
_FIELDS = (
    *("id", "schema", "table", "column", "type", "comment", "confidence", "signal"),
    *(f"wording_{n}" for n in range(1, _WORDINGS + 1)),
    *("decision", "text", "decided_by", "decided_at"),
)
_AT_ONCE = 500
_MOST_BYTES = 1 << 30
_MOST_CELL = 10_000_000  # more than any text, so that a long text is refused by row, not by file
_NUMBER = re.compile(r"[0-9]{1,18}")
_STARTS = "[=+\\-@\t\r＝＋－＠﹦﹢﹣﹫−]"  # some spreadsheets treat wide ones like the others
_FORMULA = re.compile(f"'*{_STARTS}")
_NEUTRALISED = re.compile(f"'+{_STARTS}")


@dataclass(frozen=True)
class Row:
    """The result of a row: a decision, or why it is refused. `number` is the row's number in a
    spreadsheet (the header is 1)."""

    number: int
    decided: Decided | None = None
    refused: str = ""


def clean(text: str) -> str:
    """A person's text as the journal keeps it: no control characters except line ends and tabs."""
    plain = without_controls(text.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(line.rstrip() for line in plain.strip().split("\n"))


def no_formula(text: str) -> str:
    """A text marked so that no spreadsheet reads it as a formula; reading removes the mark."""
    return "'" + text if _FORMULA.match(text) else text


def write_decisions(file: IO[str], rows: Iterable[Described]) -> int:
    """Write the items that have a suggestion, with decisions so far; returns the number of rows."""
    writer = csv.DictWriter(file, _FIELDS, lineterminator="\r\n")
    writer.writeheader()
    count = 0
    for row in rows:
        if row.suggestion is not None:
            writer.writerow({key: no_formula(value) for key, value in _cells(row).items()})
            count += 1
    return count


def read_decisions(path: Path, journal: Journal, run: Run) -> Iterator[Row]:
    """The rows of a file that decide something, or are refused.

    Raises:
        ConfigFileError: it is not such a file.
    """
    seen: set[int] = set()
    csv.field_size_limit(_MOST_CELL)
    try:
        with io.TextIOWrapper(
            open_regular(path, _MOST_BYTES), encoding="utf-8-sig", newline=""
        ) as file:
            reader = csv.DictReader(file, delimiter=_delimiter(file))
            missing = {"id", "table", "column", "decision"} - set(reader.fieldnames or ())
            if missing:
                raise ConfigFileError(
                    f"{path} has no column {', '.join(sorted(missing))}",
                    remedy="`amx-kimi review RUN --out FILE` writes such a file.",
                )
            for some in blocks(enumerate(reader, 2), _AT_ONCE):
                yield from _checked(some, journal, run, seen)
    except OSError as error:
        raise ConfigFileError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigFileError(
            f"{path} is not UTF-8", remedy="Save it as CSV UTF-8 in the spreadsheet."
        ) from None
    except csv.Error as error:
        raise ConfigFileError(f"{path} is not a CSV file: {error}") from None


def _cells(row: Described) -> dict[str, str]:
    item, suggestion, decision = row.item, row.answer, row.decision
    wordings = enumerate(suggestion.alternatives[:_WORDINGS], 1)
    said = ""
    if decision:
        number = _number_of(decision.text, suggestion.alternatives)
        said = "reject" if decision.text is None else str(number or "edit")
    return {
        "id": str(row.id),
        "schema": visible(item.schema),
        "table": visible(item.table),
        "column": visible(item.column),
        "type": visible(item.type),
        "comment": visible(item.comment),
        "confidence": suggestion.confidence,
        "signal": suggestion.signal,
        **{f"wording_{n}": wording for n, wording in wordings},
        "decision": said,
        "text": (decision.text or "") if decision and said == "edit" else "",
        "decided_by": decision.by if decision else "",
        "decided_at": decision.at if decision else "",
    }


def _number_of(text: str | None, alternatives: Sequence[str]) -> int | None:
    return alternatives.index(text) + 1 if text in alternatives else None


def _delimiter(file: IO[str]) -> str:
    """The separator; spreadsheets write `;` if the comma is the decimal sign."""
    heading = file.readline()
    file.seek(0)
    return max(",;\t", key=heading.count)


def _checked(
    numbered: Sequence[tuple[int, dict[str, str]]], journal: Journal, run: Run, seen: set[int]
) -> Iterator[Row]:
    ids = [_id(cells.get("id")) for _, cells in numbered]
    known = {row.id: row for row in journal.read(results.described_items, run.id, ids)}
    for number, cells in numbered:
        plain = {key: _shown(value) for key, value in cells.items() if isinstance(value, str)}
        if not any(plain.values()):
            continue
        id_ = _id(plain.get("id"))
        row = known.get(id_)
        if None in cells:
            yield Row(number, refused="it has more cells than the header line")
        elif id_ in seen:
            yield Row(number, refused=f"the id {id_} is also in an earlier row")
        elif row is None or row.suggestion is None:
            yield Row(number, refused=f"run {run.id} has no suggestion with this id")
        else:
            seen.add(id_)
            yield from _decided(number, plain, row)


def _id(cell: str | None) -> int:
    text = (cell or "").strip()
    return int(text) if _NUMBER.fullmatch(text) else -1


def _shown(cell: str) -> str:
    return cell[1:] if _NEUTRALISED.match(cell) else cell


def _decided(number: int, cells: dict[str, str], row: Described) -> Iterator[Row]:
    before = _cells(row)
    for field in _FIELDS[1:4] + _FIELDS[8 : 8 + _WORDINGS]:
        if field not in cells:
            continue
        given, expected = cells[field], before.get(field, "")
        if _same(given) != _same(expected):
            why = f"{field} is {given!r:.60}, not {expected!r:.60}"
            hint = "; enter your own text in `text`" if field.startswith("wording") else ""
            yield Row(number, refused=why + hint)
            return
    said = cells.get("decision", "").strip().lower()
    text = clean(cells.get("text", ""))
    unchanged = (said, text) == (before["decision"], clean(before["text"]))
    if unchanged or not (said or text):
        return
    decided = _decision(said, text, row)
    if isinstance(decided, Decided) and _is_same(decided, row.decision):
        return  # the file was read before; the decision stays with whoever made it
    if cells.get("decided_at", "").strip() != before["decided_at"]:
        since = f"decided by {before['decided_by']}" if before["decided_by"] else "reopened"
        yield Row(number, refused=f"it was {since} after the file was written")
        return
    yield (
        Row(number, decided=replace(decided, over=row.decision))
        if isinstance(decided, Decided)
        else Row(number, refused=decided)
    )


def _is_same(new: Decided, present: Decision | None) -> bool:
    return present is not None and (new.action, new.text) == (present.action, present.text)


def _decision(said: str, text: str, row: Described) -> Decided | str:
    """The decision of a row, or why it is refused."""
    wordings = row.answer.alternatives
    if len(text) > MOST_TEXT:
        return f"the text has {len(text):,} characters; at most {MOST_TEXT:,} are allowed"
    if said in ("", "edit", "accept") and text:
        return Decided(row.id, "edit", text)
    if said == "accept":
        return Decided(row.id, "accept", wordings[0])
    if text:
        return f"there is a text, but the decision is {said!r:.20}"
    if said == "reject":
        return Decided(row.id, "reject")
    if _NUMBER.fullmatch(said) and 1 <= int(said) <= len(wordings):
        return Decided(row.id, "accept", wordings[int(said) - 1])
    return (
        f"{said!r:.20} is not a decision: use accept, reject, edit (with a text), or a number from "
        f"1 to {len(wordings)}"
    )


def _same(text: str) -> str:
    """A text without differences in line ends and blanks, which spreadsheets change."""
    return " ".join(text.split())
