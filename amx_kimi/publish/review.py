"""A review: where a person stands in a run's tables, what is shown, and each decision kept at once.

Holds the table in sight and nothing else of the run; what was decided is the journal's.
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
    """What is shown: of one confidence, with a text in name or wordings, of tables whose name has a
    text, and only what is still open."""

    confidence: Confidence | None = None
    text: str = ""
    table: str = ""
    open_only: bool = False

    def takes(self, row: Described) -> bool:
        """Whether an item is shown; without a suggestion there is nothing to decide."""
        if row.suggestion is None or (self.open_only and row.decision):
            return False
        if self.confidence and row.suggestion.confidence != self.confidence:
            return False
        if self.table and self.table.lower() not in replace(row.item, column="").name.lower():
            return False
        said = (row.item.name, row.item.comment, row.text or "", *row.suggestion.alternatives)
        return not self.text or any(self.text.lower() in part.lower() for part in said)

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
    """What was decided at once: the items with that decision, and as they were before."""

    done: Sequence[Described]
    before: Sequence[Described]

    def hidden(self, shown: Filter) -> int:
        """How many of them a filter shows neither now nor once they are taken back."""
        pairs = zip(self.done, self.before, strict=True)
        return sum(not (shown.takes(done) or shown.takes(before)) for done, before in pairs)


@dataclass(frozen=True)
class Accepted:
    """How many items were accepted at once, and how many open ones were left to a person: in
    another run, one has worded them."""

    count: int = 0
    left: int = 0

    def __add__(self, other: "Accepted") -> "Accepted":
        return Accepted(self.count + other.count, self.left + other.left)


_Change = tuple[Decision | None, Decision | None]
"""What held of an item before a decision of this sitting, and since."""


class Review:
    """A review of a run by one person.

    `tables` are those with something to show, by the present filter; `rows` the items of the table
    in sight, and `row` the one that the cursor is on. `worded` has, by item of that table, what a
    person has worded in another run.
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
        """The item that the cursor is on; None where the filter leaves nothing."""
        return self.rows[self.at_row] if self.rows else None

    @property
    def table(self) -> tuple[str, str] | None:
        """(schema, table) in sight."""
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
        """Show other items; the cursor stays where it can."""
        here = self.row.id if self.row else None
        self.filter = new
        self._look_again(here)

    def move(self, rows: int) -> None:
        """Up or down, into the neighbouring table at its ends."""
        target = self.at_row + rows
        if 0 <= target < len(self.rows):
            self.at_row = target
        elif rows > 0 and self.at_table + 1 < len(self.tables):
            self._go(self.at_table + 1, 0)
        elif rows < 0 and self.at_table > 0:
            self._go(self.at_table - 1, -1)

    def move_table(self, tables: int) -> None:
        """To another table."""
        target = max(0, min(len(self.tables) - 1, self.at_table + tables))
        if self.tables and target != self.at_table:
            self._go(target, 0)

    def to_next_open(self, *, from_start: bool = False) -> bool:
        """To the next item that nobody has decided; False, and nowhere, when there is none."""
        if not self.counts.get("open"):
            return False
        start = -1 if from_start else self.at_row
        for row in range(start + 1, len(self.rows)):
            if not self.rows[row].decision:
                self.at_row = row
                return True
        order = [*range(self.at_table + 1, len(self.tables)), *range(self.at_table + 1)]
        for table in order:
            schema, name = self.tables[table]
            for row, found in enumerate(self._rows_of(schema, name)):
                if not found.decision:
                    self._go(table, row)
                    return True
        return False

    def decide(self, action: Action, text: str | None = None) -> None:
        """Decide about the item under the cursor.

        Raises:
            JournalError: somebody has decided about it since it was shown; it is shown anew.
        """
        row = self.row
        if row and not self._keep([Decided(row.id, action, text, over=row.decision)]):
            raise JournalError(
                f"{row.item.name} was decided by somebody else in the meantime",
                remedy="Nothing was changed. Look at it again.",
            )

    def accept(self, number: int = 1) -> bool:
        """Accept a wording; False when there is none of that number.

        Raises:
            JournalError: as for `decide`.
        """
        row = self.row
        if row is None or row.suggestion is None or number > len(row.suggestion.alternatives):
            return False
        self.decide("accept", row.suggestion.alternatives[number - 1])
        return True

    def edit(self, text: str) -> bool:
        """Take a text of one's own; False when it is empty.

        Raises:
            JournalError: as for `decide`.
        """
        if plain := clean(text):
            self.decide("edit", plain)
        return bool(plain)

    def accept_table(self, confidence: Confidence = "high") -> Accepted:
        """Accept what is still open of this table and at least so sure."""
        rows, left = _acceptable(self.journal, self.run, self.rows, confidence)
        return Accepted(self._keep(rows), left)

    def last_step(self) -> Step | None:
        """What `undo` would take back; None: nothing was decided in this sitting."""
        if not self._steps:
            return None
        step = self._steps[-1]
        rows = self.journal.read(results.described_items, self.run.id, list(step))
        done = [replace(row, decision=step[row.id][1]) for row in rows]
        return Step(done, [replace(row, decision=step[row.id][0]) for row in rows])

    def undo(self) -> Sequence[Described]:
        """Take the last decision of this sitting back, or the last many that were made at once;
        returns the items as they stand now. What somebody has decided since is left as it is."""
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
        """Read the table in sight again, after something else has changed it.

        What no longer passes the filter stays in sight until one goes on.
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
        """Tables and rows anew; the cursor on the item `here`, if it is shown."""
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
    """Accept the best wording of everything that is open and at least so sure."""
    done = Accepted()
    for some in blocks(journal.stream(results.described, run.id), _AT_ONCE):
        rows, left = _acceptable(journal, run, some, least)
        kept = journal.write_now(decisions.decide, rows, by)
        done += Accepted(len(kept), left)
    return done


def _acceptable(
    journal: Journal, run: Run, rows: Sequence[Described], least: Confidence
) -> tuple[list[Decided], int]:
    """What may be accepted without a look at each, and how many a person has worded elsewhere."""
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
