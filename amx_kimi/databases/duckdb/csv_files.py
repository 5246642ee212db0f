"""CSV and TSV files: finds their encoding and separator, and whether they have a header line.

What the user does not set is guessed, and a note says what was guessed.
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
"""The encodings that DuckDB reads directly."""

_BLOCK, _BLOCKS = 65_536, 256
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark is the beginning of this one
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LIKELY = (  # what spreadsheets write instead of UTF-8
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
    """How a file was read: its encoding, its separator, and whether it has a header line."""

    encoding: str
    separator: str
    header: bool

    def __str__(self) -> str:
        between = {"\t": "tab", " ": "blank"}.get(self.separator, f"`{self.separator}`")
        names = "has the columns' names" if self.header else "is data; the columns have no names"
        return f"{self.encoding}, separated by {between}; the first line {names}"


def encoding_of(path: Path) -> str:
    """The probable encoding of a file (Python's name), from its first 16 MB.

    Raises:
        OSError: it cannot be read.
    """
    if _is_zst(path):
        return "utf-8"  # only DuckDB can decompress it, and expects UTF-8
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
    even = head[::2].count(0)
    odd = head[1::2].count(0)
    return "utf-16-le" if odd > even else "utf-16-be"


def _likely(block: bytes) -> str:
    """The encoding of a text that is not in a Unicode encoding. In doubt it is a Western one,
    because a single letter among ASCII would also fit Chinese."""
    from charset_normalizer import from_bytes

    foreign = b"\n".join(line for line in block.split(b"\n") if not line.isascii())
    found = from_bytes(foreign, cp_isolation=list(_LIKELY))
    best = found.best()
    western = next((one for one in found if _WESTERN in one.could_be_from_charset), None)
    if best and western and (western.chaos, -western.coherence) <= (best.chaos, -best.coherence):
        return _WESTERN
    runs = _HIGH.findall(foreign)
    letters = [run for run in runs if _LETTER.fullmatch(run)]
    alone = len(letters) * 2 > len(runs)
    if best is None or (alone and best.encoding not in _LATIN):
        return "latin-1" if best is None else _WESTERN
    return best.encoding


def in_utf8(path: Path, encoding: str, folder: Path) -> Path:
    """A copy of a file in UTF-8, in `folder`, because DuckDB reads nothing else.

    Raises:
        SourceError: it is not in this encoding.
        OSError: it cannot be read, or the disk is full.
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
        raise SourceError(f"it is not in {encoding}; --csv-encoding sets the encoding") from None
    return copy


def looks_like_data(first: Sequence[str | None], rows: Sequence[Sequence[str | None]]) -> bool:
    """Whether the first line of a file is a row of data, rather than a header.

    A figure, somebody's address, or a value that occurs again in its column is not a name. A text
    above figures is a name.
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
    """Whether a column's name looks like somebody's address, number or key."""
    return any(
        is_formatted(part, ())
        for part in name.split("_")
        if "@" in part or "://" in part or sum(map(str.isdigit, part)) >= _LEAST_DIGITS
    )


def _is_like(cell: str, values: Sequence[str]) -> bool:
    """Whether a cell is of the same kind as the values below it."""
    if cell in values:
        return True
    alike = (shape(value) == shape(cell) for value in values)
    if any(map(str.isdigit, cell)) and _mostly(alike):
        return True
    is_name = is_full_name(cell) and not sense_of(cell)
    return is_name and _mostly(map(is_full_name, values))


def _mostly(holds: Iterable[Any]) -> bool:
    """Whether it is true for more than half, and for at least one."""
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
