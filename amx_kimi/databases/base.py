"""What every kind of database offers: a `Source` to read from, `Comments` to write, a dialect.

Raw values exist only between a source and `redact`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from sqlalchemy import URL
from sqlalchemy.engine import make_url

from amx_kimi.errors import SourceError
from amx_kimi.patterns import is_chosen
from amx_kimi.types import Item, RawFacts

if TYPE_CHECKING:  # imports sqlglot, which is not needed for reading
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
    "no_file",
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
    """How to read CSV and TSV files: an encoding (Python's name), a separator, and whether there is
    a header line. "" means: guess it for each file."""

    encoding: str = ""
    separator: str = ""
    header: Literal["", "yes", "no"] = ""


@dataclass(frozen=True)
class Reading:
    """What a source may read.

    - `samples`: False means only the catalog
    - `data`: also rows of a server's tables that have no statistics, unless they have more than
      `most_rows` rows (0: no limit)
    - `csv`: how CSV and TSV files are read
    - `agreed`: a person agreed to what the database bills for reading it (`Backend.cost`)
    """

    samples: bool = True
    data: bool = False
    most_rows: int = 0
    csv: Csv = Csv()
    agreed: bool = False


@dataclass(frozen=True)
class Selection:
    """Which tables: patterns (`amx_kimi.patterns`) of schemas, and of `table` or `schema.table`;
    empty means all. `extensions` includes what belongs to an extension of the server."""

    schemas: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    extensions: bool = False

    def takes(self, schema: str, table: str) -> bool:
        """Whether this table is selected."""
        return is_chosen(self.schemas, schema) and is_chosen(self.tables, table, schema)


class Source(Protocol):
    """An open database, used from one thread.

    `identity` names the database, without driver, user or password. `reopen` is a URL without the
    password. `notes` tell people what was skipped or combined.
    """

    identity: str
    reopen: str
    notes: list[str]

    def schemas(self) -> list[str]:
        """The schemas that can be selected; "" if the database has none."""

    def tables(self) -> list[tuple[str, str]]:
        """Every table and view that can be selected, by schema and name.

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
        never scanned. What is unknown or not permitted is omitted.

        Raises:
            TableGoneError: the table no longer exists.
        """

    def close(self) -> None:
        """Close the connection."""


class RefusedError(SourceError):
    """The database refused a table's comments; none of them was written, or if `columns` names some
    ("" is the table itself), none of these."""

    stops_run = False

    def __init__(self, message: str, *, columns: Collection[str] = ()) -> None:
        super().__init__(message)
        self.columns = columns


@dataclass(frozen=True)
class Present:
    """A relation as it is now: its kind (`table`, `view`, `materialized view`, `foreign table`),
    and its comments by column ("" is the relation itself; None: it has no comment)."""

    kind: str
    comments: Mapping[str, str | None]


@dataclass(frozen=True)
class Comment:
    """A comment to write; it is written only if the present comment is `before`."""

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
        """The present comments of these (schema, table); tables that are gone are omitted.

        Raises:
            SourceError: the catalog cannot be read.
        """

    def write(self, schema: str, table: str, wanted: Sequence[Comment]) -> list[Comment]:
        """Write a table's comments in one transaction, all or none.

        Returns:
            Those that were not written, because the present comment is not `before`.

        Raises:
            RefusedError: the database refused, for example because a right is missing.
            SourceError: the connection was lost.
        """

    def close(self) -> None:
        """Close the connection."""


class Backend(Protocol):
    """What the module of a kind of database defines. A kind that is only read needs no
    `open_comments`; a kind that is neither read nor written needs only `dialect`. Only a kind whose
    reading may be billed needs `cost`."""

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
    def cost(url: URL, reading: Reading) -> str:
        """What reading this database may cost, for a person who has to agree; "" if nothing."""

    @staticmethod
    def dialect(kind: str) -> "Dialect":
        """The dialect of statements that write comments for this kind."""


def split_by_before(
    now: Present | None, wanted: Sequence[Comment]
) -> tuple[list[Comment], list[Comment]]:
    """The comments whose `before` is the present comment, and the others."""
    there = now.comments if now else {}
    fitting: list[Comment] = []
    others: list[Comment] = []
    for one in wanted:
        fits = one.column in there and there[one.column] == one.before
        (fitting if fits else others).append(one)
    return fitting, others


def quoted(name: str) -> str:
    """A name quoted for SQL, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


def file_of(url: URL) -> Path:
    """The database file that a URL names.

    Raises:
        SourceError: it names none, or a folder, a pipe or a device.
    """
    if not url.database:
        scheme = url.get_backend_name()
        raise SourceError(
            f"The URL {scheme}:// names no file",
            remedy=f"Write {scheme}:///folder/file, with three slashes, or only the file's path.",
        )
    path = Path(url.database).expanduser()
    if path.name and path.exists() and not path.is_file():
        raise SourceError(f"{path} is not a database file, but a folder, a pipe or a device")
    return path


def no_file(path: Path, kind: str) -> SourceError:
    """The error for a file that is not there."""
    return SourceError(
        f"There is no {kind} {path}",
        remedy=f"It was looked for at {path.absolute()}.",
    )


def file_url(backend: str, path: Path) -> str:
    """A URL that opens a database file again, or its path if SQLAlchemy cannot read such a URL
    (2.0 does not escape `?` in a file name)."""
    url = URL.create(backend, database=str(path)).render_as_string()
    return url if make_url(url).database == str(path) else str(path)
