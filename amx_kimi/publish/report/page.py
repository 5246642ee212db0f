"""Streams the page: first the figures, then table by table, through a template."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import IO, Any

from jinja2 import Environment, StrictUndefined, Template

from amx_kimi.databases.registry import shown_identity
from amx_kimi.journal import Described, Journal, Run, decisions, results, runs
from amx_kimi.publish.report.figures import Figures, figures_of
from amx_kimi.text import counted, visible
from amx_kimi.types import CONFIDENCES

__all__ = ["write_report"]

_PIECES = 200  # of the template's output that are written together
_MOST_LINKS = 2_000
_LONGEST = 2_000  # characters of a text that the page shows


@dataclass(frozen=True)
class _Table:
    """A table for the template; its own row is missing if the run described only some columns."""

    number: int
    name: str
    own: Described | None
    rows: list[Described]


def write_report(file: IO[str], journal: Journal, run: Run) -> None:
    """Write the report of a run.

    Raises:
        JournalError: the journal cannot be read.
    """
    figures = journal.read(figures_of, run.id)
    style, script = _text("report.css"), _text("report.js")
    stream = _template().stream(
        run=run,
        totals=journal.read(runs.totals, run.id),
        decided=journal.read(decisions.progress, run.id),
        figures=figures,
        options=_options(run),
        confidences=CONFIDENCES,
        shares=_shares(figures),
        database=shown_identity(run.database),
        names=_names(figures),
        tables=_tables(journal, run),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    stream.enable_buffering(_PIECES)
    for piece in stream:
        file.write(piece)


def _tables(journal: Journal, run: Run) -> Iterator[_Table]:
    groups = groupby(
        journal.stream(results.described, run.id),
        key=lambda row: (row.item.schema, row.item.table),
    )
    for number, ((schema, table), group) in enumerate(groups, 1):
        rows = list(group)
        own = next((row for row in rows if not row.item.column), None)
        name = ".".join(part for part in (schema, table) if part)
        yield _Table(number, name, own, [row for row in rows if row.item.column])


def _names(figures: Figures) -> list[str]:
    """The tables to jump to; none if there are too many, because people can search."""
    return figures.tables if len(figures.tables) <= _MOST_LINKS else []


def _shares(figures: Figures) -> list[tuple[str, float, float]]:
    """The parts of the bar: band, start and width, in percent."""
    shares: list[tuple[str, float, float]] = []
    begin = 0.0
    for band in CONFIDENCES:
        width = 100 * figures.confidence[band] / max(1, figures.confidence.total())
        shares.append((band, round(begin, 3), round(width, 3)))
        begin += width
    return shares


def _options(run: Run) -> Mapping[str, Any]:
    options: dict[str, Any] = json.loads(run.options)
    return options


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["plain"] = plain
    environment.filters["counted"] = counted
    environment.filters["when"] = lambda text: (text or "")[:16].replace("T", " ")
    return environment.from_string(_text("report.html.j2"))


def plain(text: object) -> str:
    """A text of a database, model or person, shortened and without control characters."""
    shown = visible(str(text))
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _text(name: str) -> str:
    return files("amx_kimi.publish.report").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    """A hash for the page's content security policy, which allows only our own style and script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
