"""Writes accepted suggestions as comments to a database, and undoes that.

`plan` compares the wanted comments with the present ones. `apply_plan` writes them, in one
transaction per table. `undo` restores the comments from before the run's first write. Each comment
is in the journal before it is in the database, so all of this can be interrupted and repeated.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import IO, Literal

from amx_kimi.blocks import blocks
from amx_kimi.databases.base import Comment, Comments, Present, RefusedError
from amx_kimi.databases.dialect import Dialect, Place, cut, keeps_comment, statement, too_long
from amx_kimi.errors import JournalError
from amx_kimi.journal import Described, Journal, Run, results, writes
from amx_kimi.publish.choose import Choice
from amx_kimi.text import counted, is_blank, one_line
from amx_kimi.types import Item

__all__ = [
    "Change",
    "Outcome",
    "Rules",
    "apply_plan",
    "plan",
    "plan_offline",
    "plan_undo",
    "undo",
    "write_sql",
]

State = Literal["write", "undo", "same", "kept", "gone", "long", "stands", "unstored"]
_TABLES_AT_ONCE = 100


@dataclass(frozen=True)
class Rules:
    """What may be written: which texts, whether they may replace people's (`overwrite`), and
    whether too long ones are cut (`cut`) rather than refused."""

    choice: Choice = field(default_factory=Choice)
    overwrite: bool = False
    cut: bool = False


@dataclass(frozen=True)
class Change:
    """One comment, before and after. Its state is one of these (`why` says more):

    - `write`, `undo`: to be written, or to be restored
    - `same`: already the same
    - `kept`: text written by people
    - `gone`: its table or column no longer exists
    - `long`: too long for the database
    - `unstored`: the database stores no comment there, such as on a view
    - `stands`: rejected, but our text is still there
    """

    id: int
    place: Place
    before: str | None
    after: str
    state: State
    why: str = ""

    @property
    def name(self) -> str:
        """`schema.table.column`."""
        place = self.place
        return ".".join(part for part in (place.schema, place.table, place.column) if part)


@dataclass
class Outcome:
    """The result: the number of comments in each state (`written`, `undone`, `same` …), a line for
    each that could not be written, and the names of those where people's text was `kept`.
    `promised` is how many were to be processed."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    promised: int = 0

    def count(self, change: Change) -> None:
        """Count a change that is not (or not yet) written."""
        self.counts[change.state] += 1
        if change.why:
            self.problems.append(f"{change.name}: {change.why}")
        elif change.state == "kept":
            self.kept.append(change.name)

    def check(self) -> None:
        """Check that all promised changes were processed.

        Raises:
            JournalError: some were not.
        """
        if (done := sum(self.counts.values())) != self.promised:
            raise JournalError(
                f"Only {done:,} of {counted(self.promised, 'comment')} were processed",
                remedy="This is a bug in amx-kimi. The journal has all of them: check "
                "`amx-kimi apply RUN --dry-run`, and run the command again.",
            )


def plan(
    journal: Journal, run: Run, database: Comments, rules: Rules
) -> Iterator[list[list[Change]]]:
    """What would change in a database: tables of changes, some hundred tables at a time.

    Raises:
        SourceError: the catalog cannot be read.
    """
    mine = journal.read(writes.ours, database.identity)
    for some in blocks(_chosen(journal, run, rules.choice), _TABLES_AT_ONCE):
        there = database.read([_table(table.rows[0]) for table in some])
        yield [
            [
                _change(row, there.get(_table(row)), database.dialect, rules, mine)
                for row in table.rows
                if _stands(row, there.get(_table(row)), mine)
            ]
            for table in some
        ]


def plan_offline(
    journal: Journal, run: Run, dialect: Dialect, rules: Rules
) -> Iterator[list[list[Change]]]:
    """The same without a database: the comments in the run's inventory are the present ones."""
    for some in blocks(_chosen(journal, run, rules.choice), _TABLES_AT_ONCE):
        yield [
            [
                _change(row, table.inventoried, dialect, rules, {})
                for row in table.rows
                if not _is_rejected(row)
            ]
            for table in some
        ]


def apply_plan(
    journal: Journal, database: Comments, chunks: Iterable[list[list[Change]]]
) -> Outcome:
    """Write a plan; if the database refuses something, only its table is affected.

    Raises:
        SourceError: the connection was lost; what was written stays, and is in the journal.
    """
    outcome = Outcome()
    for tables in chunks:
        outcome.promised += sum(map(len, tables))
        for change in (change for table in tables for change in table if change.state != "write"):
            outcome.count(change)
        todo = [[c for c in table if c.state == "write"] for table in tables]
        _write_tables(journal, database, [table for table in todo if table], outcome)
    outcome.check()
    return outcome


def plan_undo(journal: Journal, run: Run, database: Comments) -> Iterator["UndoTable"]:
    """What an undo would do, table by table; writes nothing."""
    found = list(journal.stream(writes.to_undo, run.id, database.identity))
    for some in blocks(found, _TABLES_AT_ONCE):
        places = [(table[0].schema, table[0].table) for table in some]
        there = database.read(places)
        for table, place in zip(some, places, strict=True):
            yield _undo_table(table, there.get(place))


def undo(journal: Journal, run: Run, database: Comments) -> Outcome:
    """Restore the comments from before a run, wherever the run's comments are still there.

    Raises:
        SourceError: the connection was lost; the undo can be repeated.
        JournalError: not all changes were processed.
    """
    outcome = Outcome()
    found = journal.stream(writes.to_undo, run.id, database.identity)
    outcome.promised = sum(map(len, found))
    for table in plan_undo(journal, run, database):
        for change in table.changes:
            if change.state != "undo":
                outcome.count(change)
        _restore(journal, database, table, outcome)
    outcome.check()
    return outcome


def write_sql(
    file: IO[str], dialect: Dialect, run: Run, chunks: Iterable[list[list[Change]]]
) -> Outcome:
    """Write the statements of a plan to a file, in one transaction per table."""
    outcome = Outcome()
    file.write(
        f"-- AI-generated by {one_line(run.model)}, amx-kimi run {run.id}, for {dialect.name}\n"
    )
    for line in dialect.head:
        file.write(line + "\n")
    for table in (table for tables in chunks for table in tables):
        lines = []
        for change in table:
            outcome.count(change)
            if change.state == "write":
                lines.append(statement(dialect, change.place, change.after))
        if lines:
            framed = [dialect.begin, *lines, dialect.end]
            file.write("\n" + "\n".join(line for line in framed if line) + "\n")
    return outcome


@dataclass(frozen=True)
class _Chosen:
    """A table's rows that have something to write; `inventoried` is how the run saw it."""

    rows: list[Described]
    inventoried: Present


def _chosen(journal: Journal, run: Run, choice: Choice) -> Iterator[_Chosen]:
    """Tables that have something to write."""
    rows = journal.stream(results.described, run.id)
    for _, group in groupby(rows, key=_table):
        everything = list(group)
        wanted = [row for row in everything if choice.text(row) is not None or _is_rejected(row)]
        if wanted:
            yield _Chosen(wanted, _inventoried(everything))


def _table(row: Described) -> tuple[str, str]:
    return row.item.schema, row.item.table


def _change(
    row: Described, there: Present | None, dialect: Dialect, rules: Rules, mine: Mapping[int, bool]
) -> Change:
    item, after = row.item, rules.choice.text(row) or ""
    place = Place(item.schema, item.table, item.column, there.kind if there else "table")
    if there is None or item.column not in there.comments:
        why = "the column is gone" if there else "the table is gone"
        return Change(row.id, place, None, after, "gone", why)
    before = there.comments[item.column]
    if _is_rejected(row):
        why = "it was rejected, but our text is still there (--undo restores the earlier comments)"
        return Change(row.id, place, before, "", "stands", why)
    if not keeps_comment(dialect, place):
        return Change(row.id, place, before, after, "unstored")
    if rules.cut:
        after = cut(dialect, place, after)
    change = Change(row.id, place, before, after, "write")
    if before == after:
        return _as(change, "same")
    may_go = rules.overwrite or not before or is_blank(before) or _gives_way(row, before, mine)
    if not may_go:
        return _as(change, "kept")
    if (most := too_long(dialect, place, after)) is not None:
        allowed = f"{dialect.name} allows {most:,} {dialect.unit}"
        return _as(change, "long", f"{len(after):,} characters; {allowed}")
    return change


def _gives_way(row: Described, before: str, mine: Mapping[int, bool]) -> bool:
    """Whether the present comment is ours and may be replaced. A text that a person wrote may be
    replaced only by what people decided."""
    worded = mine.get(_hash(row.item, before))
    return worded is not None and not (worded and row.decision is None)


def _as(change: Change, state: State, why: str = "") -> Change:
    return Change(change.id, change.place, change.before, change.after, state, why)


def _hash(item: Item, text: str) -> int:
    return hash((item.schema, item.table, item.column, text))


def _inventoried(rows: Sequence[Described]) -> Present:
    own = next((row.item for row in rows if not row.item.column), None)
    kind = str(own.details.get("storage") or own.kind) if own else "table"
    known = kind if kind in ("view", "materialized view", "foreign table") else "table"
    return Present(known, {row.item.column: row.item.comment or None for row in rows})


def _is_rejected(row: Described) -> bool:
    return row.decision is not None and row.decision.action == "reject"


def _stands(row: Described, there: Present | None, mine: Mapping[int, bool]) -> bool:
    """Whether a row belongs to a plan; a rejected one only while our text is still there."""
    if not _is_rejected(row):
        return True
    before = there.comments.get(row.item.column) if there else None
    return before is not None and _hash(row.item, before) in mine


def _write_tables(
    journal: Journal, database: Comments, tables: Sequence[list[Change]], outcome: Outcome
) -> None:
    """Write tables of changes, with a row in the journal before and after."""
    flat = [change for table in tables for change in table]
    rows = [writes.Written(change.id, change.before, change.after) for change in flat]
    begun = journal.write_now(writes.begin_writes, database.identity, rows)
    ids = dict(zip((c.id for c in flat), begun, strict=True))
    written: list[int] = []
    refused: list[int] = []
    reached = 0
    try:
        for table in tables:
            done = _write_table(database, table, outcome)
            written += [ids[id_] for id_ in done]
            refused += [ids[change.id] for change in table if change.id not in done]
            reached += 1
    finally:
        # After an error, the state of that table is unknown: its rows stay open, and undo checks.
        refused += [ids[change.id] for table in tables[reached + 1 :] for change in table]
        journal.write_now(writes.end_writes, written)
        journal.write_now(writes.cancel_writes, refused)


def _write_table(database: Comments, table: Sequence[Change], outcome: Outcome) -> set[int]:
    """Write one table's comments; returns the ids of those that are there now."""
    place = table[0].place
    wanted = [Comment(c.place.column, c.before, c.after) for c in table]
    moved: set[str] = set()
    refused: set[str] = set()
    try:
        moved = {one.column for one in database.write(place.schema, place.table, wanted)}
    except RefusedError as error:
        refused = _refused(error, wanted)
        outcome.problems.append(f"{_named(place)}: {error.message}")
    for change in table:
        if change.place.column in moved:
            outcome.problems.append(f"{change.name}: somebody else has changed it in the meantime")
    written = {change.id for change in table if change.place.column not in moved | refused}
    outcome.counts["refused"] += len(table) - len(written)
    outcome.counts["written"] += len(written)
    return written


def _refused(error: RefusedError, wanted: Sequence[Comment]) -> set[str]:
    columns = {one.column for one in wanted}
    return columns.intersection(error.columns) if error.columns else columns


@dataclass(frozen=True)
class UndoTable:
    """One table of an undo: what to restore, the ids of writes whose text is no longer there
    (`settled`), and everything as changes."""

    restore: list[tuple[writes.Undo, Change]]
    settled: list[int]
    changes: list[Change]


def _undo_table(table: Sequence[writes.Undo], present: Present | None) -> UndoTable:
    found = UndoTable([], [], [])
    comments = present.comments if present else {}
    for one in table:
        place = Place(one.schema, one.table, one.column)
        now = comments.get(one.column)
        change = Change(one.ids[0], place, now, one.before or "", "undo")
        if one.column not in comments:
            change = _as(change, "gone", "it is gone")
            if present:  # a missing table may be visible to another role
                found.settled.extend(one.ids)
        elif now == one.before:
            change = _as(change, "same")
            found.settled.extend(one.ids)
        elif now in one.after:
            found.restore.append((one, change))
        else:
            change = _as(change, "kept", "somebody else has changed it since")
            found.settled.extend(one.ids)
        found.changes.append(change)
    return found


def _restore(journal: Journal, database: Comments, table: UndoTable, outcome: Outcome) -> None:
    """Write the earlier comments, and note in the journal what was done."""
    settled = list(table.settled)
    if table.restore:
        place = table.restore[0][1].place
        wanted = [Comment(one.column, now.before, one.before) for one, now in table.restore]
        try:
            others = {one.column for one in database.write(place.schema, place.table, wanted)}
        except RefusedError as error:
            others = _refused(error, wanted)
            outcome.problems.append(f"{_named(place)}: {error.message}")
        done = [one for one, _ in table.restore if one.column not in others]
        outcome.counts["refused"] += len(others)
        outcome.counts["undone"] += len(done)
        settled += [id_ for one in done for id_ in one.ids]
    journal.write_now(writes.end_undo, settled)


def _named(place: Place) -> str:
    return ".".join(part for part in (place.schema, place.table) if part)
