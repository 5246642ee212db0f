"""What a source gives: an inventory, and the raw statistics of a few columns.

Raw values exist between a source and `redact` only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from amx_kimi.errors import SourceError
from amx_kimi.types import Item

__all__ = ["MOST_VALUES", "RawFacts", "Reading", "Selection", "Source", "TableGoneError"]

MOST_VALUES = 8
"""How many of a column's most frequent values are looked at."""


class TableGoneError(SourceError):
    """The table was dropped since the inventory."""

    stops_run = False


@dataclass(frozen=True)
class RawFacts:
    """A column's unmasked statistics; None is unknown. `values` are (value, how often it occurs)
    most frequent first; `nulls` and `distinct` are counts, estimates where the catalog has them.
    `seen` is how many different values were looked at where `distinct` is unknown; `keys` are the
    top-level keys of documents, and in how many of those looked at each occurs."""

    nulls: int | None = None
    distinct: int | None = None
    least: str | None = None
    greatest: str | None = None
    values: tuple[tuple[str, int], ...] = ()
    seen: int = 0
    keys: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Reading:
    """How deep a source may look: `samples` False leaves it with the catalog, `data` lets it look
    into tables of a server that its catalog knows nothing of, unless they have more than
    `most_rows` rows (0: no bound)."""

    samples: bool = True
    data: bool = False
    most_rows: int = 0


@dataclass(frozen=True)
class Selection:
    """Which tables: by schema, and by `table` or `schema.table`; empty means all."""

    schemas: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def takes(self, schema: str, table: str) -> bool:
        """Whether this table is selected."""
        if self.schemas and schema not in self.schemas:
            return False
        return not self.tables or table in self.tables or f"{schema}.{table}" in self.tables


class Source(Protocol):
    """An open database, used from one thread.

    `identity` says which database it is, without driver, user or password; `reopen` is a URL
    without the password; `notes` are what a person should know of what was left out, or folded.
    """

    identity: str
    reopen: str
    notes: list[str]

    def schemas(self) -> list[str]:
        """The schemas that can be chosen, "" where the database has none."""

    def items(self, selection: Selection) -> Iterator[Item]:
        """Every selected table and view, each followed by its columns in order.

        Raises:
            SourceError: the catalog cannot be read.
        """

    def profile(self, table: Item, columns: Sequence[str]) -> Mapping[str, RawFacts]:
        """Statistics of some columns of a table, from the catalog or a bounded sample; a view is
        never scanned. What is unknown or not permitted is left out.

        Raises:
            TableGoneError: the table no longer exists.
        """

    def close(self) -> None:
        """Close the connection."""
