"""Prints tables that fit the width of the terminal.

A table shows as many columns as fit at their natural width, and the others below each row. Words
are never broken: the terminal wraps what is longer than a line, so that it can still be copied.
"""

import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

import click

from amx_kimi.text import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["Cell", "Column", "Row", "lay_out", "print_lines", "print_table", "screen_width"]

_GAP = 2
_INDENT = 4
_BETWEEN = " · "
_FLOWS_FROM = 36  # a narrower column of prose is hard to read
_WIDEST = 160  # of prose beside its row
_LONGEST = 96  # of prose below its row


@dataclass(frozen=True)
class Column:
    """A column of a table.

    If not all columns fit, those with the highest `rank` go below their row first, each after its
    head, or without it if `plain`. `flows` marks prose, which may be wrapped.
    """

    head: str
    rank: int = 0
    right: bool = False
    flows: bool = False
    plain: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell's text, which may contain anything, and rich's style for it."""

    text: str
    style: str = ""


Row = Sequence[Cell | str]


def screen_width() -> int:
    """The terminal's width, or that of COLUMNS; 0 if the output goes to a pipe or file."""
    return shutil.get_terminal_size((0, 0)).columns


def print_table(columns: Sequence[Column], rows: Iterable[Row]) -> None:
    """Print a table. In a pipe or file, each row is one line."""
    print_lines(lay_out(columns, rows, screen_width()))


def print_lines(lines: "Iterable[Text]", *, paged: bool = False) -> None:
    """Print lines as they are; with `paged`, through a pager if they do not fit the terminal."""
    shown = _rendered(lines)
    if not (paged and sys.stdin.isatty() and sys.stdout.isatty()):
        for line in shown:
            click.echo(line, nl=False)
        return
    first = list(islice(shown, shutil.get_terminal_size().lines - 1))
    more = next(shown, None)
    if more is None:
        click.echo("".join(first), nl=False)
    else:
        click.echo_via_pager(chain(first, [more], shown))


def _rendered(lines: "Iterable[Text]") -> Iterator[str]:
    console = _console()
    for line in lines:
        with console.capture() as capture:
            console.print(line)
        yield capture.get()


@cache
def _console() -> "Console":
    from rich.console import Console

    # Without soft_wrap, rich wraps lines at a width of its own choice if there is no terminal.
    return Console(highlight=False, soft_wrap=True)


def lay_out(columns: Sequence[Column], rows: Iterable[Row], width: int) -> "list[Text]":
    """The lines of a table, head first; at most `width` wide (0: no limit)."""
    cells = [[_plain(cell) for cell in row] for row in rows]
    places = range(len(columns))
    filled = [max((_width(row[place].text) for row in cells), default=0) for place in places]
    widths = [
        max(_width(column.head), longest) if longest or not cells else 0
        for column, longest in zip(columns, filled, strict=True)
    ]
    beside = _beside(columns, widths, width)
    room = _room(columns, widths, beside, width)
    lines = _lines(columns, [Cell(column.head, "bold") for column in columns], room)
    for row in cells:
        lines += _lines(columns, row, room)
        lines += _below(columns, row, [place for place in places if place not in room], width)
    return lines


def _plain(cell: Cell | str) -> Cell:
    cell = Cell(cell) if isinstance(cell, str) else cell
    return Cell(one_line(cell.text), cell.style)


def _width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _beside(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """The indexes of the columns that fit beside each other."""
    least = [
        min(natural, _FLOWS_FROM) if column.flows else natural
        for column, natural in zip(columns, widths, strict=True)
    ]
    beside = [place for place, natural in enumerate(widths) if natural]
    while width and len(beside) > 1:
        needed = sum(least[place] + _GAP for place in beside) - _GAP
        if needed <= width:
            break
        beside.remove(max(beside, key=lambda place: (columns[place].rank, place)))
    return beside


def _room(
    columns: Sequence[Column], widths: Sequence[int], beside: Sequence[int], width: int
) -> dict[int, int]:
    """The width of each column, by index. Columns of prose share what the others leave, the
    shortest first."""
    room = {place: widths[place] for place in beside}
    flowing = [place for place in beside if columns[place].flows]
    prose = sorted(flowing, key=lambda place: widths[place])
    gaps = _GAP * (len(beside) - 1)
    others = sum(room[place] for place in beside if place not in prose)
    left = width - gaps - others
    for done, place in enumerate(prose if width else ()):
        share = left // (len(prose) - done)
        room[place] = max(1, min(widths[place], _WIDEST, share))
        left -= room[place]
    return room


def _lines(columns: Sequence[Column], row: Sequence[Cell], room: Mapping[int, int]) -> "list[Text]":
    """The lines of one row, as many as its longest prose needs."""
    from rich.text import Text

    texts = {
        place: _wrapped(row[place].text, wide if columns[place].flows else 0)
        for place, wide in room.items()
    }
    lines = []
    for parts in zip_longest(*texts.values(), fillvalue=""):
        line = Text()
        for (place, wide), part in zip(room.items(), parts, strict=True):
            blank = " " * max(0, wide - _width(part))
            before, after = (blank, "") if columns[place].right else ("", blank)
            line.append(before)
            line.append(part, row[place].style or None)
            line.append(after + " " * _GAP)
        line.rstrip()
        lines.append(line)
    return lines


def _below(
    columns: Sequence[Column], row: Sequence[Cell], places: Sequence[int], width: int
) -> "list[Text]":
    """The lines below a row, for columns that did not fit: short ones together, prose apart."""
    from rich.text import Text

    room = min(width, _LONGEST) - _INDENT
    short: list[str] = []
    for place in places:
        column, text = columns[place], row[place].text
        if text and not column.flows:
            short.append(text if column.plain else f"{column.head}: {text}")
    texts = [(text, "dim") for text in _together(short, room)]
    for place in places:
        cell = row[place]
        if columns[place].flows and cell.text:
            texts += [(text, cell.style) for text in _wrapped(cell.text, room)]
    return [Text(" " * _INDENT).append(text, style or None) for text, style in texts]


def _together(items: Sequence[str], width: int) -> list[str]:
    """Items in lines, as many in each as fit; none is broken."""
    lines: list[str] = []
    for item in items:
        if lines and _width(lines[-1]) + len(_BETWEEN) + _width(item) <= width:
            lines[-1] += _BETWEEN + item
        else:
            lines.append(item)
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most `width` cells (0: one line). Words are not broken, except in
    scripts without blanks between words, such as Chinese."""
    from rich.text import Text

    if not width:
        return [text]
    if _width(text) == len(text):
        words = textwrap.TextWrapper(max(width, 1), break_long_words=False, break_on_hyphens=False)
        return words.wrap(text) or [""]
    lines = Text(text).wrap(_console(), max(width, 1))
    return [line.plain.rstrip() for line in lines]
