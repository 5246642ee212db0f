"""The JSON contract: a request ``{"task": "describe", …}`` and its flat answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amx_kimi.sandbox import describe
from amx_kimi.sandbox.shapes import Answer, Column, Described, Part, Table

MOST_ALTERNATIVES = 10


@dataclass(frozen=True)
class Request:
    """A parsed request of the contract."""

    tables: tuple[Table, ...]
    language: str
    alternatives: int

    @property
    def columns(self) -> int:
        """How many columns it asks for."""
        return sum(len(table.columns) for table in self.tables)


def parse(text: str) -> Request | None:
    """The request in a message, or None when the message is something else."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.get("task") != "describe":
        return None
    tables = data.get("tables")
    items = tables if isinstance(tables, list) else []
    return Request(
        tables=tuple(_table(item) for item in items if isinstance(item, dict)),
        language=describe.language_of(data.get("language", "en")),
        alternatives=max(1, min(MOST_ALTERNATIVES, _int(data.get("alternatives")) or 1)),
    )


def _table(data: Mapping[str, Any]) -> Table:
    columns = data.get("columns")
    items = columns if isinstance(columns, list) else []
    return Table(
        id=str(data.get("id", "")),
        name=str(data.get("name", "")),
        ask=data.get("ask") is True,
        rows=_int(data.get("rows")),
        hint=str(data.get("hint") or ""),
        columns=tuple(_column(item) for item in items if isinstance(item, dict)),
    )


def _column(data: Mapping[str, Any]) -> Column:
    samples = data.get("samples")
    return Column(
        id=str(data.get("id", "")),
        name=str(data.get("name", "")),
        type=str(data.get("type", "")),
        nulls=_int(data.get("nulls")),
        distinct=_int(data.get("distinct")),
        samples=tuple(map(str, samples)) if isinstance(samples, list) else (),
        fk=str(data.get("fk") or ""),
        hint=str(data.get("hint") or ""),
    )


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def answer(request: Request, forgotten: frozenset[int], fault: str | None) -> Answer:
    """The flat answer, an entry a line; ``forgotten`` are places in the order of columns."""
    parts: list[Part] = []
    place = 0
    for table in request.tables:
        if table.ask:
            found = describe.table(table, request.language, request.alternatives)
            parts.append(_entry(table.id, table.name, found, fault))
        for column in table.columns:
            if place not in forgotten:
                found = describe.column(column, table, request.language, request.alternatives)
                parts.append(_entry(column.id, column.name, found, fault))
            place += 1
    if fault == "repeat":
        parts = [part for part in parts for _ in range(2)]
    last = len(parts) - 1
    lines = (
        Part(part.text + (",\n " if at < last else ""), part.confidence)
        for at, part in enumerate(parts)
    )
    return Answer((Part("{"), *lines, Part("}")), columns=request.columns)


_HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[Log in](https://evil.example/login) to see it.",
    "See https://evil.example/?q=secret or www.evil.example.",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07here\x1b]8;;\x07",
    "[bold red]alarm[/] [link=https://evil.example]here[/link]",
    "\u202egnp.exe\u202c zero\u200bwidth\r\nnew line\x00nul\x85",
    "'); DROP TABLE orders; --",
    '=HYPERLINK("https://evil.example","open")',
    "{{ config(materialized='table') }} {% raw %}",
    "**bold** `code` ![x](https://evil.example/x.png) mail@evil.example",
    "</td></tr></table><h1>Owned</h1>",
    "<scr<b>ipt>alert(2)</scr</b>ipt>",
)


def _hostile(id_: str, number: int) -> str:
    """What a table may have told a model to write."""
    return _HOSTILE[(sum(map(ord, id_)) * 3 + number) % len(_HOSTILE)]


def _entry(id_: str, name: str, found: Described, fault: str | None) -> Part:
    shown = f"other_{name[::-1]}" if fault == "wrong-names" else name
    wordings = found.wordings
    if fault == "hostile":
        wordings = tuple(f"{text} {_hostile(id_, n)}" for n, text in enumerate(wordings))
    values = [found.confidence, *wordings]
    key = json.dumps(f"{id_} {shown}", ensure_ascii=False)
    return Part(f"{key}: {json.dumps(values, ensure_ascii=False)}", found.confidence)
