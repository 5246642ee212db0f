"""A review: where a person stands in a run's tables, what is shown, and each decision kept at once.

Holds the table in sight and nothing else of the run; what was decided is the journal's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from amx_kimi.journal import Described, Journal, Run, decisions, results
from amx_kimi.journal.decisions import Action, Decided, Decision
from amx_kimi.publish.decision_file import clean
from amx_kimi.types import CONFIDENCES, Confidence

__all__ = ["Filter", "Review", "accept_all"]

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


class Review:
    """A review of a run by one person.

    `tables` are those with something to show, by the present filter; `rows` the items of the table
    in sight, and `row` the one that the cursor is on.
    """

    def __init__(self, journal: Journal, run: Run, by: str) -> None:
        self.journal, self.run, self.by = journal, run, by
        self.filter = Filter()
        self.tables: list[tuple[str, str]] = []
        self.rows: list[Described] = []
        self.at_table = self.at_row = 0
        self.counts: Mapping[str, int] = {}
        self._undo: list[list[tuple[int, Decision | None]]] = []
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
        """Decide about the item under the cursor."""
        if self.row:
            self._keep([Decided(self.row.id, action, text)])

    def accept(self, number: int = 1) -> bool:
        """Accept a wording; False when there is none of that number."""
        row = self.row
        if row is None or row.suggestion is None or number > len(row.suggestion.alternatives):
            return False
        self.decide("accept", row.suggestion.alternatives[number - 1])
        return True

    def edit(self, text: str) -> bool:
        """Take a text of one's own; False when it is empty."""
        if plain := clean(text):
            self.decide("edit", plain)
        return bool(plain)

    def accept_table(self, confidence: Confidence = "high") -> int:
        """Accept what is still open of this table and at least so sure; returns how many."""
        return self._keep([_accepted(row) for row in self.rows if _is_open(row, confidence)])

    def undo(self) -> bool:
        """Take the last decision (or the last many at once) of this sitting back."""
        if not self._undo:
            return False
        before = self._undo.pop()
        ids = [id_ for id_, _ in before]
        now = self.journal.read(results.described_items, self.run.id, ids)
        mine = {row.id for row in now if row.decision and row.decision.by == self.by}
        before = [(id_, old) for id_, old in before if id_ in mine]
        if not before:  # somebody else has decided since: that is not ours to take back
            return False
        rows = [
            Decided(id_, old.action, old.text, old.by, old.at) if old else Decided(id_, "open")
            for id_, old in before
        ]
        self.journal.write_now(decisions.decide, rows, self.by)
        self._look_again(before[0][0])
        return True

    def refresh(self) -> None:
        """Read the table in sight again, after something else has changed it."""
        self._look_again(self.row.id if self.row else None)

    def _keep(self, rows: Sequence[Decided]) -> int:
        if rows:
            before = {row.id: row.decision for row in self.rows}
            self.journal.write_now(decisions.decide, rows, self.by)
            self._undo = [*self._undo, [(one.id, before.get(one.id)) for one in rows]]
            self._undo = self._undo[-_MOST_UNDO:]
            if place := self.table:
                # What no longer passes the filter stays in sight until one goes on.
                fresh = self.journal.read(results.described_table, self.run.id, *place)
                by_id = {row.id: row for row in fresh}
                self.rows = [by_id.get(row.id, row) for row in self.rows]
            self.counts = self.journal.read(decisions.progress, self.run.id)
        return len(rows)

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
        self.rows, self.at_table, self.at_row = [], 0, 0
        if self.tables:
            self._go(*(place or (0, 0)))

    def _go(self, table: int, row: int) -> None:
        self.at_table = table
        self.rows = self._rows_of(*self.tables[table])
        self.at_row = row % len(self.rows) if self.rows else 0

    def _rows_of(self, schema: str, table: str) -> list[Described]:
        found = self.journal.read(results.described_table, self.run.id, schema, table)
        return [row for row in found if self.filter.takes(row)]


def accept_all(journal: Journal, run: Run, least: Confidence, by: str) -> int:
    """Accept the best wording of everything that is open and at least so sure; returns how many."""
    count = 0
    some: list[Decided] = []
    for row in journal.stream(results.described, run.id):
        if _is_open(row, least):
            some.append(_accepted(row))
        if len(some) == _AT_ONCE:
            journal.write_now(decisions.decide, some, by)
            count, some = count + len(some), []
    journal.write_now(decisions.decide, some, by)
    return count + len(some)


def _is_open(row: Described, least: Confidence) -> bool:
    if row.suggestion is None or row.decision:
        return False
    return CONFIDENCES.index(row.suggestion.confidence) <= CONFIDENCES.index(least)


def _accepted(row: Described) -> Decided:
    assert row.suggestion is not None
    return Decided(row.id, "accept", row.suggestion.alternatives[0])
