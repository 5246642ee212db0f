"""A review: the position in a run's tables, what is shown, and decisions, which are saved at once.

Only the current table is kept in memory; decisions are in the journal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from amx_kimi.blocks import blocks
from amx_kimi.errors import JournalError
from amx_kimi.journal import Described, Journal, Run, decisions, results
from amx_kimi.journal.decisions import Action, Decided, Decision, Worded
from amx_kimi.publish.decision_file import clean
from amx_kimi.types import CONFIDENCES, Confidence

__all__ = ["Accepted", "Filter", "Review", "Step", "accept_all"]

_AT_ONCE = 500
_MOST_UNDO = 1_000


@dataclass(frozen=True)
class Filter:
    """What is shown: items of one confidence, with a text in their name or alternatives, of tables
    with a text in their name, and only open items."""

    confidence: Confidence | None = None
    text: str = ""
    table: str = ""
    open_only: bool = False

    def takes(self, row: Described) -> bool:
        """Whether an item is shown; items without a suggestion never are."""
        if row.suggestion is None or (self.open_only and row.decision):
            return False
        if self.confidence and row.suggestion.confidence != self.confidence:
            return False
        if self.table:
            table = replace(row.item, column="").name
            if self.table.lower() not in table.lower():
                return False
        if not self.text:
            return True
        said = (row.item.name, row.item.comment, row.text or "", *row.suggestion.alternatives)
        return any(self.text.lower() in part.lower() for part in said)

    def __str__(self) -> str:
        parts = (
            self.confidence or "",
            f"“{self.text}”" if self.text else "",
            f"table “{self.table}”" if self.table else "",
            "open only" if self.open_only else "",
        )
        return ", ".join(filter(None, parts))


@dataclass(frozen=True)
class Step:
    """Decisions that were made together: the items with the decision, and as they were before."""

    done: Sequence[Described]
    before: Sequence[Described]

    def hidden(self, shown: Filter) -> int:
        """How many of its items a filter hides, both now and after an undo."""
        pairs = zip(self.done, self.before, strict=True)
        return sum(not (shown.takes(done) or shown.takes(before)) for done, before in pairs)


@dataclass(frozen=True)
class Accepted:
    """How many items were accepted together, and how many were skipped because a person wrote their
    text in another run."""

    count: int = 0
    left: int = 0

    def __add__(self, other: "Accepted") -> "Accepted":
        return Accepted(self.count + other.count, self.left + other.left)


_Change = tuple[Decision | None, Decision | None]
"""An item's state before a decision of this review, and since."""


class Review:
    """A review of a run by one person.

    `tables` are those that the filter shows, `rows` the items of the current table, and `row` the
    item under the cursor. `worded` has the texts that people wrote for these items in other runs.
    """

    def __init__(self, journal: Journal, run: Run, by: str) -> None:
        self.journal, self.run, self.by = journal, run, by
        self.filter = Filter()
        self.tables: list[tuple[str, str]] = []
        self.rows: list[Described] = []
        self.at_table = self.at_row = 0
        self.counts: Mapping[str, int] = {}
        self.worded: Mapping[int, Worded] = {}
        self._steps: list[dict[int, _Change]] = []
        self._look_again(None)
        self.to_next_open(from_start=True)

    @property
    def row(self) -> Described | None:
        """The item under the cursor; None if the filter hides everything."""
        return self.rows[self.at_row] if self.rows else None

    @property
    def table(self) -> tuple[str, str] | None:
        """The current (schema, table)."""
        return self.tables[self.at_table] if self.tables else None

    @property
    def decided(self) -> int:
        """How many items are decided."""
        return sum(count for action, count in self.counts.items() if action != "open")

    @property
    def total(self) -> int:
        """How many items have a suggestion."""
        return sum(self.counts.values())

    def set_filter(self, new: Filter) -> None:
        """Show other items; the cursor stays on its item if possible."""
        here = self.row.id if self.row else None
        self.filter = new
        self._look_again(here)

    def move(self, rows: int) -> None:
        """Move up or down; at the end of a table, to the next table."""
        target = self.at_row + rows
        if 0 <= target < len(self.rows):
            self.at_row = target
        elif rows > 0 and self.at_table + 1 < len(self.tables):
            self._go(self.at_table + 1, 0)
        elif rows < 0 and self.at_table > 0:
            self._go(self.at_table - 1, -1)

    def move_table(self, tables: int) -> None:
        """Move to another table."""
        last = len(self.tables) - 1
        target = max(0, min(last, self.at_table + tables))
        if self.tables and target != self.at_table:
            self._go(target, 0)

    def to_next_open(self, *, from_start: bool = False) -> bool:
        """Move to the next undecided item; False if there is none."""
        if not self.counts.get("open"):
            return False
        start = -1 if from_start else self.at_row
        for row in range(start + 1, len(self.rows)):
            if not self.rows[row].decision:
                self.at_row = row
                return True
        following = range(self.at_table + 1, len(self.tables))
        for table in (*following, *range(self.at_table + 1)):
            schema, name = self.tables[table]
            for row, found in enumerate(self._rows_of(schema, name)):
                if not found.decision:
                    self._go(table, row)
                    return True
        return False

    def decide(self, action: Action, text: str | None = None) -> None:
        """Decide about the item under the cursor.

        Raises:
            JournalError: somebody else has decided about it since it was shown; it is shown again.
        """
        row = self.row
        if row and not self._keep([Decided(row.id, action, text, over=row.decision)]):
            raise JournalError(
                f"{row.item.name} was decided by somebody else in the meantime",
                remedy="Nothing was changed. Look at it again.",
            )

    def accept(self, number: int = 1) -> bool:
        """Accept an alternative; False if there is none with this number.

        Raises:
            JournalError: as for `decide`.
        """
        row = self.row
        if row is None or row.suggestion is None or number > len(row.suggestion.alternatives):
            return False
        self.decide("accept", row.suggestion.alternatives[number - 1])
        return True

    def edit(self, text: str) -> bool:
        """Use the person's own text; False if it is empty.

        Raises:
            JournalError: as for `decide`.
        """
        if plain := clean(text):
            self.decide("edit", plain)
        return bool(plain)

    def accept_table(self, confidence: Confidence = "high") -> Accepted:
        """Accept the open items of this table at or above a confidence."""
        rows, left = _acceptable(self.journal, self.run, self.rows, confidence)
        return Accepted(self._keep(rows), left)

    def last_step(self) -> Step | None:
        """What `undo` would undo; None if nothing was decided in this review."""
        if not self._steps:
            return None
        step = self._steps[-1]
        rows = self.journal.read(results.described_items, self.run.id, list(step))
        done = [replace(row, decision=step[row.id][1]) for row in rows]
        before = [replace(row, decision=step[row.id][0]) for row in rows]
        return Step(done, before)

    def undo(self) -> Sequence[Described]:
        """Undo the last decision of this review, or the last ones that were made together.

        Returns the items as they are now. What somebody else has decided since stays.
        """
        if not self._steps:
            return []
        step = self._steps.pop()
        rows = [_restored(id_, before, since) for id_, (before, since) in step.items()]
        kept = self.journal.write_now(decisions.decide, rows, self.by)
        now = self.journal.read(results.described_items, self.run.id, list(kept))
        shown = next((row.id for row in now if self.filter.takes(row)), None)
        self._look_again(shown or (self.row.id if self.row else None))
        return now

    def refresh(self) -> None:
        """Read the current table again, after something else has changed it.

        Items that no longer pass the filter stay visible until the person moves on.
        """
        self.counts = self.journal.read(decisions.progress, self.run.id)
        if place := self.table:
            fresh = self.journal.read(results.described_table, self.run.id, *place)
            by_id = {row.id: row for row in fresh}
            self.rows = [by_id.get(row.id, row) for row in self.rows]

    def _keep(self, rows: Sequence[Decided]) -> int:
        kept = self.journal.write_now(decisions.decide, rows, self.by)
        if kept:
            step = {row.id: (row.over, kept[row.id]) for row in rows if row.id in kept}
            self._steps = [*self._steps, step][-_MOST_UNDO:]
        self.refresh()
        return len(kept)

    def _look_again(self, here: int | None) -> None:
        """Load tables and rows again, with the cursor on the item `here`, if it is shown."""
        self.counts = self.journal.read(decisions.progress, self.run.id)
        self.tables, place = [], None
        for key, group in groupby(
            self.journal.stream(results.described, self.run.id),
            key=lambda row: (row.item.schema, row.item.table),
        ):
            shown = [row.id for row in group if self.filter.takes(row)]
            if here in shown:
                place = (len(self.tables), shown.index(here))
            if shown:
                self.tables.append(key)
        self.rows, self.worded, self.at_table, self.at_row = [], {}, 0, 0
        if self.tables:
            self._go(*(place or (0, 0)))

    def _go(self, table: int, row: int) -> None:
        self.at_table = table
        self.rows = self._rows_of(*self.tables[table])
        self.at_row = row % len(self.rows) if self.rows else 0
        ids = [row.id for row in self.rows]
        self.worded = self.journal.read(decisions.worded_elsewhere, self.run.id, ids)

    def _rows_of(self, schema: str, table: str) -> list[Described]:
        found = self.journal.read(results.described_table, self.run.id, schema, table)
        return [row for row in found if self.filter.takes(row)]


def accept_all(journal: Journal, run: Run, least: Confidence, by: str) -> Accepted:
    """Accept the best alternative of all open items at or above a confidence."""
    done = Accepted()
    for some in blocks(journal.stream(results.described, run.id), _AT_ONCE):
        rows, left = _acceptable(journal, run, some, least)
        kept = journal.write_now(decisions.decide, rows, by)
        done += Accepted(len(kept), left)
    return done


def _acceptable(
    journal: Journal, run: Run, rows: Sequence[Described], least: Confidence
) -> tuple[list[Decided], int]:
    """The items that may be accepted together, and how many are skipped because a person wrote
    their text in another run."""
    open_rows = [row for row in rows if _is_open(row, least)]
    worded = journal.read(decisions.worded_elsewhere, run.id, [row.id for row in open_rows])
    return [_accepted(row) for row in open_rows if row.id not in worded], len(worded)


def _restored(id_: int, before: Decision | None, since: Decision | None) -> Decided:
    if before is None:
        return Decided(id_, "open", over=since)
    return Decided(id_, before.action, before.text, before.by, before.at, over=since)


def _is_open(row: Described, least: Confidence) -> bool:
    if row.suggestion is None or row.decision:
        return False
    return CONFIDENCES.index(row.suggestion.confidence) <= CONFIDENCES.index(least)


def _accepted(row: Described) -> Decided:
    return Decided(row.id, "accept", row.answer.alternatives[0])
