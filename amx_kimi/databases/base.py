"""What every kind of database offers: a `Source` to read from, `Comments` to write, a dialect.

Raw values exist only between a source and `redact`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from sqlalchemy import URL
from sqlalchemy.engine import make_url

from amx_kimi.errors import SourceError
from amx_kimi.patterns import is_chosen
from amx_kimi.types import Item, RawFacts

if TYPE_CHECKING:  # it brings sqlglot, which whoever only reads does not need
    from amx_kimi.databases.dialect import Dialect

__all__ = [
    "MOST_VALUES",
    "Backend",
    "Comment",
    "Comments",
    "Csv",
    "Present",
    "Reading",
    "RefusedError",
    "Selection",
    "Source",
    "TableGoneError",
    "file_of",
    "file_url",
    "quoted",
    "split_by_before",
]

MOST_VALUES = 8
"""How many of a column's most frequent values are read."""


class TableGoneError(SourceError):
    """The table was dropped since the inventory."""

    stops_run = False


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


class RefusedError(SourceError):
    """The database refused a table's comments: none of them was written."""

    stops_run = False


@dataclass(frozen=True)
class Present:
    """A relation as it stands: its kind (`table`, `view`, `materialized view`, `foreign table`),
    and its comments by column ("" is the relation itself; None: it has no comment)."""

    kind: str
    comments: Mapping[str, str | None]


@dataclass(frozen=True)
class Comment:
    """A comment to write: `before` is what has to stand there."""

    column: str
    before: str | None
    after: str | None


class Comments(Protocol):
    """A database that is open to write comments, used from one thread.

    `identity` names the database as `Source.identity` does. `caution` is what a person should know
    before the first write, or "".
    """

    identity: str
    dialect: "Dialect"
    caution: str

    def read(self, tables: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Present]:
        """What stands at these (schema, table). Those that are gone are left out.

        Raises:
            SourceError: the catalog cannot be read.
        """

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        """Write a table's comments in one transaction, all or none.

        Returns:
            Those that were not written, because something other than `before` stands there now.

        Raises:
            RefusedError: the database refused, for example because a right is missing.
            SourceError: the connection was lost.
        """

    def close(self) -> None:
        """Close the connection."""


class Backend(Protocol):
    """What the module of a kind of database defines. A kind that is only read needs no
    `open_comments`, and one that is neither read nor written needs `dialect` alone."""

    @staticmethod
    def open_source(url: URL, reading: Reading) -> Source:
        """Open a database to read it.

        Raises:
            SourceError: no driver is installed, or it cannot be opened.
        """

    @staticmethod
    def open_comments(url: URL) -> Comments:
        """Open a database to write its comments.

        Raises:
            SourceError: no driver is installed, or it cannot be opened.
        """

    @staticmethod
    def dialect(kind: str) -> "Dialect":
        """How statements that write comments are spelled for this kind."""


def split_by_before(
    now: Present | None, wanted: Sequence[Comment]
) -> tuple[list[Comment], list[Comment]]:
    """The comments whose `before` stands there now, and the others."""
    there = now.comments if now else {}
    fitting: list[Comment] = []
    others: list[Comment] = []
    for one in wanted:
        fits = one.column in there and there[one.column] == one.before
        (fitting if fits else others).append(one)
    return fitting, others


def quoted(name: str) -> str:
    """A name as SQL has it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def file_of(url: URL) -> Path:
    """The file that a URL of a database in a file names.

    Raises:
        SourceError: it is a folder, a pipe or a device.
    """
    path = Path(url.database or "").expanduser()
    if path.name and path.exists() and not path.is_file():
        raise SourceError(f"{path} is not a database file, but a folder, a pipe or a device")
    return path


def file_url(backend: str, path: Path) -> str:
    """What opens a database's file again: a URL, or its path where SQLAlchemy could not read that
    (2.0 escapes no `?` in a file's name)."""
    url = URL.create(backend, database=str(path)).render_as_string()
    return url if make_url(url).database == str(path) else str(path)
