"""Files of data as tables, through DuckDB: Parquet, CSV and JSON, each file a table."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from amx_kimi.annotate.redact.detectors import is_formatted
from amx_kimi.annotate.redact.shapes import shape
from amx_kimi.annotate.sources.base import Reading, Selection
from amx_kimi.annotate.sources.duckdb import CONFIG, DuckdbSource, need_duckdb, reason_of
from amx_kimi.errors import SourceError
from amx_kimi.types import Item

__all__ = ["FILE_KINDS", "FilesSource", "files_url", "paths_of"]

FILE_KINDS = {
    ".parquet": "read_parquet",
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}
"""By suffix (a further `.gz` or `.zst` is fine), the function of DuckDB that reads it."""

_PACKED = (".gz", ".zst")


class FilesSource(DuckdbSource):
    """Some files, in a DuckDB in memory that may read these and nothing else.

    Raises:
        SourceError: duckdb is not installed, a file is missing, or none of them can be read.
    """

    def __init__(self, paths: Sequence[Path], reading: Reading) -> None:
        need_duckdb()
        import duckdb

        places = [path.resolve() for path in paths]
        for path in places:
            if not path.is_file():
                raise SourceError(f"There is no file {path}")
        connection = duckdb.connect(":memory:", config=CONFIG)
        allowed = [text for path in places for text in (str(path), _literal(path))]
        connection.execute("SET allowed_paths = ?", [allowed])
        connection.execute("SET enable_external_access = false")
        self._begin(connection, reading)
        self._rows_of: dict[str, int | None] = {}
        for name, path in zip(_names(places), places, strict=True):
            self._attach(name, path)
        connection.execute("SET lock_configuration = true")
        if not self._rows_of:
            self.close()
            raise SourceError(f"None of the files can be read. {' '.join(self.notes)}")
        self.identity = f"files:{os.path.commonpath([path.parent for path in places])}"
        self.reopen = files_url(places).render_as_string()

    def schemas(self) -> list[str]:
        """Files have no schemas."""
        return [""]

    def items(self, selection: Selection) -> Iterator[Item]:
        """As `Source.items`; each file is a table of its name without suffix."""
        for item in super().items(Selection()):
            if selection.takes("", item.table):
                here = replace(item, schema="", definition="")
                if not item.column:
                    rows = self._rows_of.get(item.table)
                    here = replace(here, kind="table", rows=rows, details={"storage": "file"})
                yield here

    def profile(self, table: Item, columns: Sequence[str]) -> Any:
        """As `Source.profile`: of its first rows, where it is not a Parquet file."""
        return super().profile(replace(table, schema="main"), columns)

    def _attach(self, name: str, path: Path) -> None:
        import duckdb

        reader = FILE_KINDS[_kind(path)]
        place = _literal(path).replace("'", "''")
        quoted = '"' + name.replace('"', '""') + '"'
        try:
            query = f"SELECT * FROM {reader}('{place}')"
            self._connection.execute(f"CREATE VIEW {quoted} AS {query}")
            if name_of_data := self._data_in_header(quoted):
                self._connection.execute(f"DROP VIEW {quoted}")
                self.notes.append(
                    f"{path.name} is left out: a column is called {name_of_data}, so its first "
                    "line (or its keys) seem to be data"
                )
                return
            self._rows_of[name] = None
            if reader == "read_parquet":
                counted = self._connection.execute(
                    f"SELECT sum(num_rows) FROM parquet_file_metadata('{place}')"
                ).fetchone()
                self._rows_of[name] = int(counted[0]) if counted and counted[0] else None
        except (duckdb.Error, UnicodeError) as error:
            self.notes.append(f"{path.name} is left out: {reason_of(error):.200}")

    def _data_in_header(self, quoted: str) -> str:
        """The shape of a column's name that is somebody's address or number, if there is one."""
        rows = self._connection.execute(f"DESCRIBE SELECT * FROM {quoted}").fetchall()
        return next((shape(name) for name, *_ in rows if is_formatted(name, ())), "")


def paths_of(texts: Sequence[str]) -> list[Path] | None:
    """The files of data that are meant, patterns such as `data/*.parquet` resolved; None when it
    is not files of data that are meant.

    Raises:
        SourceError: a pattern matches nothing, or some are files of data and some are not.
    """
    paths: list[Path] = []
    for text in texts:
        path = Path(text).expanduser()
        if "://" in text or _kind(path) not in FILE_KINDS:
            continue
        if any(letter in text for letter in "*?[") and not path.exists():
            found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
            if not found:
                raise SourceError(f"No file matches {text!r}")
            paths += found
        else:
            paths.append(path)
    if paths and len(paths) < len(texts):
        raise SourceError(
            "Several databases, or files of data beside a database, cannot be one run",
            remedy="Give one URL, or files of data only.",
        )
    return paths or None


def files_url(paths: Sequence[Path]) -> URL:
    """A URL that names the files, for the journal to open them again."""
    return URL.create("files", query={"path": tuple(str(path.resolve()) for path in paths)})


def _literal(path: Path) -> str:
    """The path for DuckDB, which takes some letters for patterns."""
    return re.sub(r"[\[*?]", lambda mark: f"[{mark[0]}]", str(path))


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
    """The files' names without suffix, or with it (or their folders) where two would be the same;
    DuckDB's names differ in more than case."""

    def unique(names: Sequence[str]) -> list[bool]:
        counts = Counter(name.casefold() for name in names)
        return [counts[name.casefold()] == 1 for name in names]

    stems, names = [_stem(path) for path in paths], [path.name for path in paths]
    whole = zip(stems, unique(stems), names, unique(names), paths, strict=True)
    found: list[str] = []
    for stem, alone, name, alone_too, path in whole:
        best = stem if alone else name if alone_too else str(path)
        same = sum(
            other.casefold() == str(path).casefold() for other in map(str, paths[: len(found)])
        )
        found.append(f"{best} ({same + 1})" if same else best)
    return found
