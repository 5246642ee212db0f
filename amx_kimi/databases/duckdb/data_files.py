"""Data files (Parquet, CSV, JSON) as tables, through DuckDB: each file is a table."""

import os
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from amx_kimi.databases.base import Reading, Selection, Source, no_file, quoted
from amx_kimi.databases.drivers import need_driver
from amx_kimi.databases.duckdb.connect import CONFIG, reason_of
from amx_kimi.databases.duckdb.csv_files import (
    UTF8,
    Layout,
    encoding_of,
    in_utf8,
    is_somebodys,
    looks_like_data,
)
from amx_kimi.databases.duckdb.source import DuckdbSource
from amx_kimi.errors import SourceError
from amx_kimi.patterns import listed
from amx_kimi.redact.shapes import shape
from amx_kimi.types import Item

__all__ = ["FILE_KINDS", "FilesSource", "files_url", "open_source", "paths_of"]

FILE_KINDS = {
    ".parquet": "read_parquet",
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}
"""DuckDB's function for each suffix; `.gz` or `.zst` may follow the suffix."""

_PACKED = (".gz", ".zst")
_FIRST_ROWS = 200
_MOST_NAMES = 20


def open_source(url: URL, reading: Reading) -> Source:
    """As `Backend.open_source`, for a URL from `files_url`."""
    found = url.query.get("path", ())
    paths = (found,) if isinstance(found, str) else found
    return FilesSource([Path(path) for path in paths], reading)


class FilesSource(DuckdbSource):
    """Some files, in a DuckDB in memory that can read only these files.

    Raises:
        SourceError: duckdb is not installed, a file is missing, or none of them can be read.
    """

    def __init__(self, paths: Sequence[Path], reading: Reading) -> None:
        need_driver("duckdb")
        import duckdb

        places = [_placed(path) for path in paths]
        for path in places:
            if not path.is_file():
                raise no_file(path, "file")
        self._rows_of: dict[str, int | None] = {}
        self._encodings: dict[Path, str] = {}
        self._layouts: dict[Layout, list[str]] = defaultdict(list)
        self._copies: tempfile.TemporaryDirectory[str] | None = None
        connection = duckdb.connect(":memory:", config=CONFIG)
        self._begin(connection, reading)
        try:
            files = {path: file for path in places if (file := self._readable(path))}
            allowed = [text for file in files.values() for text in (str(file), _literal(file))]
            connection.execute("SET allowed_paths = ?", [allowed])
            connection.execute("SET enable_external_access = false")
            for name, path in zip(_names(places), places, strict=True):
                if path in files:
                    self._attach(name, path, files[path])
            connection.execute("SET lock_configuration = true")
            self.notes += [_in_words(layout, files) for layout, files in self._layouts.items()]
            if not self._rows_of:
                raise SourceError(f"None of the files can be read. {' '.join(self.notes)}")
        except BaseException:
            self.close()
            raise
        self.identity = f"files:{os.path.commonpath([path.parent for path in places])}"
        self.reopen = files_url(places).render_as_string()

    def schemas(self) -> list[str]:
        """Files have no schemas."""
        return [""]

    def tables(self) -> list[tuple[str, str]]:
        """As `Source.tables`."""
        return [("", name) for name in self._rows_of]

    def close(self) -> None:
        """Close the database in memory, and delete copies."""
        super().close()
        if self._copies:
            self._copies.cleanup()

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`; each file is a table, named like the file without suffix."""
        for item in super().items(Selection()):
            if selection.takes("", item.table):
                here = replace(item, schema="", definition="")
                if not item.column:
                    rows = self._rows_of.get(item.table)
                    here = replace(here, kind="table", rows=rows, details={"storage": "file"})
                yield here

    def profile(self, table: Item, columns: Sequence[str]) -> Any:
        """As `Source.profile`: from the first rows, unless it is a Parquet file."""
        return super().profile(replace(table, schema="main"), columns)

    def _readable(self, path: Path) -> Path | None:
        """The file, or a copy of it in UTF-8, for DuckDB to read; None, with a note, if neither
        works."""
        if FILE_KINDS[_kind(path)] != "read_csv":
            return path
        try:
            encoding = self._reading.csv.encoding or encoding_of(path)
            self._encodings[path] = encoding
            if encoding in UTF8:
                return path
            self._copies = self._copies or tempfile.TemporaryDirectory(prefix="amx-kimi-")
            return in_utf8(path, encoding, Path(self._copies.name))
        except (SourceError, OSError) as error:
            self._leave_out(path, error)
            return None

    def _attach(self, name: str, path: Path, file: Path) -> None:
        import duckdb

        kind, place = FILE_KINDS[_kind(path)], _text(_literal(file))
        layout = None
        try:
            source = f"{kind}({place})"
            if kind == "read_csv":
                layout = self._layout(path, place)
                between = _text(layout.separator)
                source = f"{kind}({place}, delim = {between}, header = {layout.header})"
            self._connection.execute(f"CREATE VIEW {quoted(name)} AS SELECT * FROM {source}")
            if name_of_data := self._data_in_header(quoted(name)):
                self._connection.execute(f"DROP VIEW {quoted(name)}")
                raise SourceError(
                    f"a column is called {name_of_data}, so its first line (or its keys) may "
                    "be data"
                )
            self._rows_of[name] = self._count(place) if kind == "read_parquet" else None
            if layout:
                self._layouts[layout].append(path.name)
        except (duckdb.Error, UnicodeError, SourceError) as error:
            self._leave_out(path, error)

    def _leave_out(self, path: Path, error: Exception) -> None:
        self.notes.append(f"{path.name} is skipped: {reason_of(error):.200}")

    def _layout(self, path: Path, place: str) -> Layout:
        """How to read a CSV or TSV file: as the user set it, else as guessed.

        Raises:
            SourceError: it is empty.
        """
        said = self._reading.csv
        separator = said.separator or self._separator(place)
        lines = self._connection.execute(
            f"SELECT * FROM read_csv({place}, delim = {_text(separator)}, header = false, "
            f"all_varchar = true) LIMIT {_FIRST_ROWS}"
        ).fetchall()
        if not lines:
            raise SourceError("it is empty")
        header = said.header == "yes"
        if not said.header:
            header = not looks_like_data(lines[0], lines[1:])
        return Layout(self._encodings[path], separator, header)

    def _separator(self, place: str) -> str:
        found = self._connection.execute(f"SELECT delimiter FROM sniff_csv({place})").fetchone()
        return str(found[0]) if found else ","

    def _count(self, place: str) -> int | None:
        query = f"SELECT sum(num_rows) FROM parquet_file_metadata({place})"
        counted = self._connection.execute(query).fetchone()
        return int(counted[0]) if counted and counted[0] is not None else None

    def _data_in_header(self, view: str) -> str:
        """The shape of a column's name that looks like somebody's address or number, if any."""
        rows = self._connection.execute(f"DESCRIBE SELECT * FROM {view}").fetchall()
        return next((shape(name) for name, *_ in rows if is_somebodys(name)), "")


def _in_words(layout: Layout, files: Sequence[str]) -> str:
    return f"{listed(files, _MOST_NAMES)}: read as {layout}"


def paths_of(texts: Sequence[str]) -> list[Path] | None:
    """The data files that these texts name, with patterns such as `data/*.parquet` resolved.

    Returns None if they do not name data files.

    Raises:
        SourceError: a pattern matches nothing, or only some are data files.
    """
    found = [_meant(text) for text in texts]
    paths = [path for some in found if some for path in some]
    if paths and None in found:
        raise SourceError(
            "One run cannot describe several databases, or a database together with data files",
            remedy="Give one URL, or only data files.",
        )
    return paths or None


def _meant(text: str) -> list[Path] | None:
    """The data files that one text names."""
    path = Path(text).expanduser()
    if not text or "://" in text:
        return None
    if path.is_dir():
        found = _data_files(path.iterdir())
        if not found:
            raise SourceError(
                f"There are no data files in the folder {text}",
                remedy=f"Data files are {', '.join(FILE_KINDS)}, also with .gz or .zst. For files "
                "in subfolders, use a pattern: 'data/*/*.csv'.",
            )
        return found
    if _kind(path) not in FILE_KINDS:
        return None
    if any(letter in text for letter in "*?[") and not path.exists():
        pattern = str(path.relative_to(path.anchor))
        matches = Path(path.anchor or ".").glob(pattern)
        if not (found := _data_files(matches)):
            raise SourceError(
                f"No file matches {text!r}",
                remedy=f"It was looked for from the folder {Path.cwd()}, unless it begins with /.",
            )
        return found
    return [path]


def _data_files(paths: Iterable[Path]) -> list[Path]:
    return sorted(
        path
        for path in paths
        if _kind(path) in FILE_KINDS and not path.name.startswith(".") and path.is_file()
    )


def files_url(paths: Sequence[Path]) -> URL:
    """A URL that names the files, for the journal to open them again."""
    places = tuple(str(_placed(path)) for path in paths)
    return URL.create("files", query={"path": places})


def _text(text: str) -> str:
    """A text quoted for SQL."""
    return "'" + text.replace("'", "''") + "'"


def _literal(path: Path) -> str:
    """The path for DuckDB, with those characters escaped that would make it a pattern."""
    return re.sub(r"[\[*?]", lambda mark: f"[{mark[0]}]", str(path))


def _placed(path: Path) -> Path:
    """A file with its own name, not that of the file to which it links."""
    return path.parent.resolve() / path.name


def _kind(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in _PACKED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _stem(path: Path) -> str:
    name = path.name
    for suffix in (*_PACKED, _kind(path)):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
    return name


def _names(paths: Sequence[Path]) -> list[str]:
    """The files' names without suffix; with suffix or folder if two would be the same. Names that
    differ only in case are the same to DuckDB."""

    def unique(names: Sequence[str]) -> list[bool]:
        counts = Counter(name.casefold() for name in names)
        return [counts[name.casefold()] == 1 for name in names]

    stems, names = [_stem(path) for path in paths], [path.name for path in paths]
    whole = zip(stems, unique(stems), names, unique(names), paths, strict=True)
    found: list[str] = []
    for stem, alone, name, alone_too, path in whole:
        best = stem if alone else name if alone_too else str(path)
        earlier = [str(other).casefold() for other in paths[: len(found)]]
        same = earlier.count(str(path).casefold())
        found.append(f"{best} ({same + 1})" if same else best)
    return found
