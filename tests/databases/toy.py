"""A kind of database of a stranger's own, in memory: all that one has to write for a new kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import URL

from amx_kimi.databases.base import (
    Comment,
    Comments,
    Present,
    Reading,
    Selection,
    Source,
    split_by_before,
)
from amx_kimi.databases.dialect import Dialect
from amx_kimi.errors import SourceError
from amx_kimi.types import Item, RawFacts

TABLES = {"kunden": {"knr": ("INTEGER", [1, 2, 3]), "st": ("TEXT", ["A", "A", "B"])}}
COMMENTS: dict[tuple[str, str], str] = {}


class ToySource:
    """The tables to read."""

    def __init__(self, url: URL) -> None:
        if url.host != "shop":
            raise SourceError(f"There is no toy database {url.host!r}", remedy="Try toy://shop.")
        self.identity = self.reopen = "toy://shop"
        self.notes: list[str] = []

    def schemas(self) -> list[str]:
        return [""]

    def tables(self) -> list[tuple[str, str]]:
        return [("", table) for table in TABLES]

    def items(self, selection: Selection) -> Iterator[Item]:
        for table, columns in TABLES.items():
            if selection.takes("", table):
                yield Item("", table, "", "table", 0, comment=COMMENTS.get((table, ""), ""))
                for position, (column, (kind, _)) in enumerate(columns.items(), 1):
                    comment = COMMENTS.get((table, column), "")
                    yield Item("", table, column, "column", position, type=kind, comment=comment)

    def profile(self, table: Item, columns: Sequence[str]) -> Mapping[str, RawFacts]:
        found = {}
        for column in columns:
            values = TABLES[table.table][column][1]
            found[column] = RawFacts(nulls=0, distinct=len(set(values)))
        return found

    def close(self) -> None:
        pass


class ToyComments:
    """The comments to write."""

    identity, caution = "toy://shop", ""
    dialect = Dialect("toy", sqlglot="postgres", table="TABLE {table} {text}", column="COL {text}")

    def read(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        return {
            ("", table): Present(
                "table", {c: COMMENTS.get((table, c)) for c in ("", *TABLES[table])}
            )
            for _, table in tables
            if table in TABLES
        }

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        now = self.read([(schema, table)]).get((schema, table))
        fitting, others = split_by_before(now, wanted)
        for one in fitting:
            if one.after is None:
                COMMENTS.pop((table, one.column), None)
            else:
                COMMENTS[table, one.column] = one.after
        return others

    def close(self) -> None:
        pass


def open_source(url: URL, _: Reading) -> Source:
    return ToySource(url)


def open_comments(_: URL) -> Comments:
    return ToyComments()


def cost(url: URL, _: Reading) -> str:
    """A toy database called so in its options bills for being read."""
    return "Reading toys wakes the warehouse TOYS" if "billed" in url.query else ""


def dialect(_: str) -> Dialect:
    return ToyComments.dialect
