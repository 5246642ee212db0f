"""What is written and undone, and what the journal knows of it, whatever the database does."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from amx_kimi.databases.base import Comment, Present, RefusedError, split_by_before
from amx_kimi.databases.opening import dialect_of
from amx_kimi.errors import SourceError
from amx_kimi.journal import Journal, Run, runs
from amx_kimi.publish.apply import Outcome, Rules, apply_plan, plan, plan_offline, undo, write_sql
from amx_kimi.publish.choose import Choice
from amx_kimi.types import Item, Suggestion
from tests.publish.helpers import journal_with

Place = tuple[str, str]
TABLES = {("s", table): ("", "x", "y") for table in ("a", "b", "c")}
FOUND = [
    (Item(*place, column, "column" if column else "table", n), Suggestion((f"{column}!",), "high"))
    for place, columns in TABLES.items()
    for n, column in enumerate(columns)
]
RULES = Rules(Choice(unreviewed=True))


class Memory:
    """A database in memory; `before_write` is called with the table that is to be written."""

    identity, caution = "memory://s", ""
    dialect = dialect_of("postgresql")

    def __init__(self) -> None:
        self.comments: dict[Place, dict[str, str | None]] = {
            place: dict.fromkeys(columns) for place, columns in TABLES.items()
        }
        self.before_write: Callable[[Place], None] = lambda _: None

    def read(self, tables: Sequence[Place]) -> Mapping[Place, Present]:
        there = [place for place in tables if place in self.comments]
        return {place: Present("table", dict(self.comments[place])) for place in there}

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        place = (schema, table)
        self.before_write(place)
        fitting, others = split_by_before(self.read([place])[place], wanted)
        self.comments[place] |= {one.column: one.after for one in fitting}
        return others

    def close(self) -> None:
        pass

    @property
    def written(self) -> set[str]:
        """`table.column` of all that has a comment."""
        return {
            f"{table}.{column}"
            for (_, table), comments in self.comments.items()
            for column, text in comments.items()
            if text
        }


ALL = {f"{table}.{column}" for _, table in TABLES for column in ("", "x", "y")}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with journal_with(tmp_path / "j.db", FOUND) as opened:
        yield opened


@pytest.fixture
def memory() -> Memory:
    return Memory()


def the_run(journal: Journal) -> Run:
    return journal.read(runs.find_run, "last")


def figures(outcome: Outcome) -> dict[str, int]:
    return dict(+outcome.counts)  # those above zero


def applied(journal: Journal, memory: Memory) -> Outcome:
    return apply_plan(journal, memory, plan(journal, the_run(journal), memory, RULES))


def test_everything_is_written_once_and_undone(journal: Journal, memory: Memory) -> None:
    assert figures(applied(journal, memory)) == {"written": 9}
    assert memory.written == ALL
    assert figures(applied(journal, memory)) == {"same": 9}
    assert figures(undo(journal, the_run(journal), memory)) == {"undone": 9}
    assert memory.written == set()
    assert figures(undo(journal, the_run(journal), memory)) == {}


def test_what_somebody_writes_in_the_meantime_is_named_and_stays(
    journal: Journal, memory: Memory
) -> None:
    def meanwhile(place: Place) -> None:
        if place == ("s", "b"):
            memory.comments[place]["x"] = "A person's."

    memory.before_write = meanwhile
    outcome = applied(journal, memory)
    assert figures(outcome) == {"written": 8, "refused": 1}
    assert outcome.problems == ["s.b.x: somebody else has changed it in the meantime"]
    memory.before_write = lambda _: None
    assert figures(undo(journal, the_run(journal), memory)) == {"undone": 8}
    assert memory.written == {"b.x"}


def test_what_is_gone_is_named(journal: Journal, memory: Memory) -> None:
    del memory.comments["s", "b"], memory.comments["s", "c"]["x"]
    outcome = applied(journal, memory)
    assert figures(outcome) == {"gone": 4, "written": 5}
    assert outcome.problems == [
        *(f"s.b{column}: the table is gone" for column in ("", ".x", ".y")),
        "s.c.x: the column is gone",
    ]


@pytest.mark.parametrize("cut", [False, True])
def test_what_is_too_long_is_refused_or_cut(tmp_path: Path, memory: Memory, *, cut: bool) -> None:
    memory.dialect = dialect_of("mysql")
    said = Suggestion(("word " * 500,), "high")
    rules = Rules(Choice(unreviewed=True), cut=True) if cut else RULES
    item = Item("s", "a", "x", "column", 1)
    with journal_with(tmp_path / "l.db", [(item, said)]) as journal:
        outcome = apply_plan(journal, memory, plan(journal, the_run(journal), memory, rules))
    text = memory.comments["s", "a"]["x"]
    assert figures(outcome) == ({"written": 1} if cut else {"long": 1})
    assert (text or "").endswith("…") == cut
    assert len(text or "") <= 1_024


@pytest.mark.parametrize(
    ("columns", "counts", "left"),
    [
        ((), {"written": 6, "refused": 3}, {"b.", "b.x", "b.y"}),
        (("x",), {"written": 8, "refused": 1}, {"b.x"}),
        (("", "y"), {"written": 7, "refused": 2}, {"b.", "b.y"}),
    ],
)
def test_what_is_refused_is_counted_and_all_else_undone(
    journal: Journal,
    memory: Memory,
    columns: Sequence[str],
    counts: dict[str, int],
    left: set[str],
) -> None:
    whole = memory.write

    def write(schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        if table == "b":
            refused = columns or ("", "x", "y")
            whole(schema, table, [one for one in wanted if one.column not in refused])
            raise RefusedError("no right", columns=columns)
        return whole(schema, table, wanted)

    memory.write = write  # type: ignore[method-assign]
    outcome = applied(journal, memory)
    assert (figures(outcome), outcome.problems) == (counts, ["s.b: no right"])
    assert memory.written == ALL - left
    assert undo(journal, the_run(journal), memory).counts["undone"] == counts["written"]
    assert memory.written == set()


@pytest.mark.parametrize("lost_at", ["a", "b", "c"])
@pytest.mark.parametrize("is_written", [True, False])
def test_a_lost_connection_leaves_nothing_that_undo_does_not_know(
    journal: Journal, memory: Memory, lost_at: str, *, is_written: bool
) -> None:
    whole = memory.write

    def write(schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        if table == lost_at and not is_written:
            raise SourceError("lost")
        others = whole(schema, table, wanted)
        if table == lost_at:
            raise SourceError("lost")
        return others

    memory.write = write  # type: ignore[method-assign]
    with pytest.raises(SourceError):
        applied(journal, memory)
    tables = "abc"[: "abc".index(lost_at) + is_written]
    assert memory.written == {name for name in ALL if name[0] in tables}
    memory.write = whole  # type: ignore[method-assign]
    applied(journal, memory)
    assert memory.written == ALL
    assert undo(journal, the_run(journal), memory).counts["undone"] == 9
    assert memory.written == set()


@pytest.mark.parametrize(
    ("kind", "storage", "statement"),
    [
        ("table", None, "COMMENT ON TABLE"),
        ("view", None, "COMMENT ON VIEW"),
        ("view", "materialized view", "COMMENT ON MATERIALIZED VIEW"),
        ("table", "foreign table", "COMMENT ON FOREIGN TABLE"),
        ("table", "something new", "COMMENT ON TABLE"),
    ],
)
def test_without_a_database_the_inventory_tells_the_kind(
    tmp_path: Path, kind: str, storage: str | None, statement: str
) -> None:
    details = {"storage": storage} if storage else {}
    item = Item("s", "t", "", kind, 0, details=details)  # type: ignore[arg-type]
    with journal_with(tmp_path / "k.db", [(item, Suggestion(("Text.",), "high"))]) as journal:
        run, file = the_run(journal), io.StringIO()
        dialect = dialect_of("postgresql")
        write_sql(file, dialect, run, plan_offline(journal, run, dialect, RULES))
    assert f'{statement} "s"."t" IS' in file.getvalue()
