"""What a source gives: an inventory, and the raw statistics of a few columns.

Raw values exist between a source and `redact` only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from sqlalchemy import URL
from sqlalchemy.engine import make_url

from amx_kimi.errors import SourceError
from amx_kimi.patterns import is_chosen
from amx_kimi.types import Item

__all__ = [
    "MOST_VALUES",
    "Csv",
    "RawFacts",
    "Reading",
    "Selection",
    "Source",
    "TableGoneError",
    "file_url",
    "quoted",
]

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
class Csv:
    """How files of separated values are to be read: an encoding (Python's name), a separator, and
    whether the first line holds the columns' names; "" is for each file to be guessed."""

    encoding: str = ""
    separator: str = ""
    header: Literal["", "yes", "no"] = ""


@dataclass(frozen=True)
class Reading:
    """How deep a source may look: `samples` False leaves it with the catalog, `data` lets it look
    into tables of a server that its catalog knows nothing of, unless they have more than
    `most_rows` rows (0: no bound). `csv` is how files of separated values are read."""

    samples: bool = True
    data: bool = False
    most_rows: int = 0
    csv: Csv = Csv()


@dataclass(frozen=True)
class Selection:
    """Which tables: by patterns (`amx_kimi.patterns`) of schemas, and of `table` or `schema.table`;
    empty means all. `extensions`: what belongs to an extension of the server, too."""

    schemas: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    extensions: bool = False

    def takes(self, schema: str, table: str) -> bool:
        """Whether this table is selected."""
        return is_chosen(self.schemas, schema) and is_chosen(self.tables, table, schema)


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

    def tables(self) -> list[tuple[str, str]]:
        """Every table and view that can be chosen, by schema and name.

        Raises:
            SourceError: the catalog cannot be read.
        """

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


def quoted(name: str) -> str:
    """A name as SQL has it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def file_url(backend: str, path: Path) -> str:
    """What opens a database's file again: a URL, or its path where SQLAlchemy could not read that
    (2.0 escapes no `?` in a file's name)."""
    url = URL.create(backend, database=str(path)).render_as_string()
    return url if make_url(url).database == str(path) else str(path)
