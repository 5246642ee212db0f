"""AMX's labeled text: its prompts recognized, and answered as its line-based parser wants."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from amx_kimi.sandbox import describe
from amx_kimi.sandbox.shapes import Answer, Column, Described, Part, Table

_LABEL = re.compile(r"^DESCRIPTION_(\d+):", re.MULTILINE)
_TABLE = re.compile(r"^Table: (.+)$", re.MULTILINE)
_ROWS = re.compile(r"^Row count: (\d+)", re.MULTILINE)
_FOREIGN_KEYS = re.compile(r"^Outgoing foreign keys[^:]*: (\[.*\])$", re.MULTILINE)
_COLUMN = re.compile(r"^  - (.+?)(?: \| type=([^|\n]*)(.*)| \(type=(.*)\))$", re.MULTILINE)
_SAMPLES = re.compile(r"samples=(\[.*?\])(?: \||$)")
_NULLS = re.compile(r"nulls=(\d+)/")
_MERGED = re.compile(r"^### (.+)$", re.MULTILINE)
_SLOTS = re.compile(r"Still to fill: (.+)")
_TOP_UP = re.compile(r"^You previously generated alternatives for: (.+?)\.?$", re.MULTILINE)
_NEEDED = re.compile(r"Return exactly (\d+) NEW description")
_EXISTING = re.compile(r'^\s*(?:EXISTING_\d+:|SEED_DESCRIPTION:\n) *"(.*)"$', re.MULTILINE)
_SHARED = re.compile(r"^Column name: (.+)\nDtype family:", re.MULTILINE)
_META = re.compile(r"^DESCRIPTION: <concise (schema|database) description>", re.MULTILINE)
_CONFIDENCES = {"h": "HIGH", "m": "MEDIUM", "l": "LOW"}


@dataclass(frozen=True)
class Request:
    """A parsed labeled-text request."""

    table: Table
    alternatives: int
    per_alternative_confidence: bool = False

    @property
    def columns(self) -> int:
        """How many columns it asks for."""
        return len(self.table.columns)


def parse(system: str, user: str) -> Request | None:
    """A request for COLUMN blocks, or None when the prompt is something else."""
    template = f"{system}\n{user}"
    labels = [int(number) for number in _LABEL.findall(template)]
    if not labels or "COLUMN: <column_name>" not in template:
        return None
    if "COLUMN: <column_name>" in user:
        columns = tuple(Column(name=name) for name in _MERGED.findall(user))
        table = Table(name="")
    else:
        listing = user.partition("\nColumns:\n")[2].partition("\n\n")[0]
        columns = _with_keys(tuple(map(_column, _COLUMN.finditer(listing))), user)
        table = Table(name=_first(_TABLE, user), rows=int(_first(_ROWS, user) or 0))
    return Request(
        table=replace(table, columns=columns, ask="TABLE_DESCRIPTION_1: <" in system),
        alternatives=max(labels),
        per_alternative_confidence="CONFIDENCE_1: <" in system,
    )


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match.group(1).strip() if match else ""


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _column(match: re.Match[str]) -> Column:
    name, type_, rest, short_type = match.groups()
    samples = _literal(_first(_SAMPLES, rest or ""))
    return Column(
        name=name,
        type=(type_ or short_type or "").strip(),
        nulls=int(_first(_NULLS, rest or "") or 0),
        samples=tuple(map(str, samples)) if isinstance(samples, list) else (),
    )


def _with_keys(columns: tuple[Column, ...], user: str) -> tuple[Column, ...]:
    keys = _literal(_first(_FOREIGN_KEYS, user))
    targets: dict[str, str] = {}
    for key in keys if isinstance(keys, list) else []:
        if isinstance(key, dict):
            names = key.get("constrained_columns") or key.get("columns") or ()
            target = key.get("referred_table") or key.get("ref_table")
            targets |= {str(name): str(target) for name in names if target}
    return tuple(replace(column, fk=targets.get(column.name, "")) for column in columns)


def answer(request: Request, forgotten: frozenset[int], fault: str | None) -> Answer:
    """A block for each column, and the table's own where it was asked for."""
    parts: list[Part] = []
    for place, column in enumerate(request.table.columns):
        if place in forgotten:
            continue
        if column.name == "(table-level)":
            found = describe.table(replace(request.table, columns=()), "en", request.alternatives)
        else:
            found = describe.column(column, request.table, "en", request.alternatives)
        shown = f"other_{column.name[::-1]}" if fault == "wrong-names" else column.name
        block = _block(shown, found, request.per_alternative_confidence)
        parts += [block] * (2 if fault == "repeat" else 1)
    if request.table.ask:
        parts.append(_table_block(request))
    return Answer(tuple(parts), columns=request.columns)


def _block(name: str, found: Described, each: bool) -> Part:
    confidence = _CONFIDENCES[found.confidence]
    lines = [f"COLUMN: {name}"]
    for number, wording in enumerate(found.wordings, 1):
        lines.append(f"DESCRIPTION_{number}: {wording}")
        if each:
            lines.append(f"CONFIDENCE_{number}: {confidence}")
    lines += [f"CONFIDENCE: {confidence}", f"REASONING: {describe.because(found)}", "", ""]
    return Part("\n".join(lines), found.confidence)


def _table_block(request: Request) -> Part:
    found = describe.table(request.table, "en", request.alternatives)
    lines = [f"TABLE_DESCRIPTION_{n}: {text}" for n, text in enumerate(found.wordings, 1)]
    lines.append(f"TABLE_CONFIDENCE: {_CONFIDENCES[found.confidence]}\n")
    return Part("\n".join(lines), found.confidence)


def other_answer(user: str) -> Answer | None:
    """AMX's smaller questions: more alternatives, a shared column, a schema's summary."""
    asset = _TOP_UP.search(user)
    if asset:
        return _top_up(asset.group(1), user)
    shared = _SHARED.search(user)
    if shared:
        found = describe.column(Column(name=shared.group(1)), Table(name=""), "en", 1)
        return Answer((Part(found.wordings[0], found.confidence),), columns=1)
    meta = _META.search(user)
    if meta:
        text = f"Holds the business records that its {meta.group(1)}'s tables describe."
        label = f"DESCRIPTION: {text}\nCONFIDENCE: MEDIUM\nREASONING: {describe.plain()}\n"
        return Answer((Part(label, "m"),))
    return None


def _top_up(asset: str, user: str) -> Answer:
    needed = int(_first(_NEEDED, user) or 1)
    taken = set(_EXISTING.findall(user))
    names = asset.removesuffix(" (table-level)").split(".")
    if asset.endswith(" (table-level)"):
        found = describe.table(Table(name=names[-1]), "en", needed + len(taken) + 1)
    else:
        table = Table(name=names[-2] if names[1:] else "")
        found = describe.column(Column(name=names[-1]), table, "en", needed + len(taken) + 1)
    fresh = [wording for wording in found.wordings if wording not in taken][:needed]
    lines = [f"DESCRIPTION_{n}: {text}" for n, text in enumerate(fresh, 1)]
    return Answer((Part("\n".join(lines), found.confidence),), columns=1)
