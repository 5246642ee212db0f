"""Files of separated values: in what encoding, between what, and whether the first line is names.

What nobody says is guessed, and what was guessed is told.
"""

import codecs
import gzip
import io
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from amx_kimi.errors import SourceError
from amx_kimi.files import open_regular
from amx_kimi.redact.columns import sense_of
from amx_kimi.redact.detectors import is_formatted
from amx_kimi.redact.people import is_full_name
from amx_kimi.redact.shapes import shape

__all__ = ["UTF8", "Layout", "encoding_of", "in_utf8", "is_somebodys", "looks_like_data"]

UTF8 = ("utf-8", "utf-8-sig", "ascii")
"""What DuckDB reads as it is."""

_BLOCK, _BLOCKS = 65_536, 256
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16's, with which it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LIKELY = (  # what spreadsheets write where they do not write UTF-8
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "gb18030", "big5", "cp932", "cp949"),
)
_WESTERN = "cp1252"
_LATIN = ("cp1252", "cp1250", "cp1254")
_HIGH = re.compile(rb"[\x80-\xff]+")
_LETTER = re.compile(rb"[\x80\xc0-\xff]")  # one, or a euro, in cp1252
_FIGURE = re.compile(r"[-+€$£¥]?\s?\d[\d.,:/' TZ+-]*\s?[%€$£¥]?")
_LEAST_DIGITS = 3


@dataclass(frozen=True)
class Layout:
    """How a file was read: its encoding, what separates its values, whether its first line is the
    columns' names."""

    encoding: str
    separator: str
    header: bool

    def __str__(self) -> str:
        between = {"\t": "tab", " ": "blank"}.get(self.separator, f"`{self.separator}`")
        names = "has the columns' names" if self.header else "is data; the columns have no names"
        return f"{self.encoding}, separated by {between}; the first line {names}"


def encoding_of(path: Path) -> str:
    """The encoding that a file is probably in, by its first 16 MB: Python's name of it.

    Raises:
        OSError: it cannot be read.
    """
    if _is_zst(path):
        return "utf-8"  # only DuckDB can look into it, and expects that
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _opened(path) as file:
        for number, block in enumerate(iter(lambda: file.read(_BLOCK), b"")):
            if number == 0 and (sure := _by_its_bytes(block)):
                return sure
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                return _likely(block)
            if number == _BLOCKS:
                break
    return "utf-8"


def _by_its_bytes(head: bytes) -> str:
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    if b"\0" not in head:
        return ""
    return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"


def _likely(block: bytes) -> str:
    """The encoding of a text in none of Unicode's. In doubt it is Western: a single letter among
    ASCII would be a sign of Chinese, too."""
    from charset_normalizer import from_bytes

    foreign = b"\n".join(line for line in block.split(b"\n") if not line.isascii())
    found = from_bytes(foreign, cp_isolation=list(_LIKELY))
    best = found.best()
    western = next((one for one in found if _WESTERN in one.could_be_from_charset), None)
    if best and western and (western.chaos, -western.coherence) <= (best.chaos, -best.coherence):
        return _WESTERN
    runs = _HIGH.findall(foreign)
    alone = sum(bool(_LETTER.fullmatch(run)) for run in runs) * 2 > len(runs)
    if best is None or (alone and best.encoding not in _LATIN):
        return "latin-1" if best is None else _WESTERN
    return best.encoding


def in_utf8(path: Path, encoding: str, folder: Path) -> Path:
    """A copy of a file in UTF-8, in `folder`, for those who read nothing else.

    Raises:
        SourceError: it is not in this encoding.
        OSError: it cannot be read, or there is no room.
    """
    if _is_zst(path):
        raise SourceError("only UTF-8 can be read from a .zst; unpack it first")
    copy = folder / f"{len(list(folder.iterdir()))}.csv"
    try:
        with (
            _opened(path) as raw,
            io.TextIOWrapper(raw, encoding, newline="") as text,
            copy.open("w", encoding="utf-8", newline="") as file,
        ):
            shutil.copyfileobj(text, file)
    except UnicodeError:
        raise SourceError(
            f"it is not in {encoding}; set its encoding with --csv-encoding"
        ) from None
    return copy


def looks_like_data(first: Sequence[str | None], rows: Sequence[Sequence[str | None]]) -> bool:
    """Whether the first line of a file is a row like the others, rather than the columns' names.

    A figure, somebody's address, or a value that stands in its column again, is no name; whatever
    stands over figures is one.
    """
    columns = [
        (cell, [value for row in rows if (value := row[at])])
        for at, cell in enumerate(first)
        if cell
    ]
    if any(is_somebodys(cell) or _FIGURE.fullmatch(cell) for cell, _ in columns):
        return True
    if any(_mostly(_FIGURE.fullmatch(value) for value in values) for _, values in columns):
        return False
    return any(_is_like(cell, values) for cell, values in columns)


def is_somebodys(name: str) -> bool:
    """Whether a column's name is rather somebody's address, number or key."""
    return any(
        is_formatted(part, ())
        for part in name.split("_")
        if "@" in part or "://" in part or sum(map(str.isdigit, part)) >= _LEAST_DIGITS
    )


def _is_like(cell: str, values: Sequence[str]) -> bool:
    """Whether a cell is of the same kind as the values below it."""
    if cell in values:
        return True
    if any(map(str.isdigit, cell)) and _mostly(shape(value) == shape(cell) for value in values):
        return True
    is_name = is_full_name(cell) and not sense_of(cell)
    return is_name and _mostly(map(is_full_name, values))


def _mostly(holds: Iterable[Any]) -> bool:
    """Whether it holds of more than half, and of one at least."""
    each = [bool(one) for one in holds]
    return sum(each) * 2 > len(each)


def _is_zst(path: Path) -> bool:
    return path.suffix.lower() == ".zst"


def _opened(path: Path) -> IO[bytes]:
    packed = path.suffix.lower() == ".gz"
    file = open_regular(path)
    if not packed:
        return file
    file.close()
    return cast("IO[bytes]", gzip.open(path))
