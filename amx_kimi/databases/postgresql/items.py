"""Turns rows of PostgreSQL's catalogs into items of the inventory. Pure functions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

from amx_kimi.databases.base import Selection
from amx_kimi.text import is_blank
from amx_kimi.types import Item

__all__ = ["Structure", "items_of"]

_T = TypeVar("_T")
_ColumnId = tuple[int, int]  # the oid of its relation, and its number there

_KEYS = {"p": "primary", "u": "unique", "f": "foreign"}
_ROLES = {"p": "pk", "u": "unique", "f": "fk"}
_STORAGE = {"m": "materialized view", "f": "foreign table"}


@dataclass
class Structure:
    """What the catalogs say about tables and types, besides their columns, by oid."""

    roles: dict[_ColumnId, set[str]] = field(default_factory=lambda: defaultdict(set))
    targets: dict[_ColumnId, str] = field(default_factory=dict)
    checks: dict[_ColumnId, list[str]] = field(default_factory=lambda: defaultdict(list))
    domain_checks: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    keys: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    enums: Mapping[int, list[str]] = field(default_factory=dict)
    fields: Mapping[int, str] = field(default_factory=dict)
    partitions: Mapping[int, tuple[int, int | None]] = field(default_factory=dict)
    parents: Mapping[int, str] = field(default_factory=dict)
    reads: Mapping[int, list[str]] = field(default_factory=dict)
    definitions: Mapping[_ColumnId, str] = field(default_factory=dict)
    type_comments: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Mapping[str, Sequence[Any]]) -> "Structure":
        """From the rows of queries, by our fields' names; those of keys and checks are called
        `constraints`."""
        type_comments = dict(map(tuple, rows["type_comments"]))
        found = cls(
            enums=dict(map(tuple, rows["enums"])),
            fields=dict(map(tuple, rows["fields"])),
            partitions={root: (count, size) for root, count, size in rows["partitions"]},
            parents=dict(map(tuple, rows["parents"])),
            reads=dict(map(tuple, rows["reads"])),
            definitions={(oid, number): text for oid, number, text in rows["definitions"]},
            type_comments={oid: text for oid, text in type_comments.items() if not is_blank(text)},
        )
        for row in rows["constraints"]:
            found._add(row)
        return found

    def _add(self, row: Sequence[Any]) -> None:
        relation, domain, kind, numbers, names, target, target_names, expression = row
        if kind == "c":
            if expression and domain:
                self.domain_checks[domain].append(expression)
            elif expression and numbers:
                self.checks[relation, numbers[0]].append(expression)
            return
        numbers = numbers or ()
        if len(numbers) > 1:
            refers = f" -> {target} ({', '.join(target_names)})" if target else ""
            members = ", ".join(names)
            self.keys[relation].append(f"{_KEYS[kind]} ({members}){refers}")
        if kind != "u" or len(numbers) == 1:
            for place, number in enumerate(numbers):
                self.roles[relation, number].add(_ROLES[kind])
                if target and place < len(target_names):
                    refers = f"{target}.{target_names[place]}"
                    self.targets.setdefault((relation, number), refers)


def items_of(
    first: Any, rows: Iterable[Any], structure: Structure, selection: Selection
) -> Iterator[Item]:
    """A table, then its columns, in the order of `rows`."""
    current = None
    for row in chain([first] if first else [], rows):
        if not selection.takes(row.nspname, row.relname):
            continue
        if row.oid != current:
            current = row.oid
            yield _table(row, structure)
        if row.attnum is not None:
            yield _column(row, structure)


def _table(row: Any, structure: Structure) -> Item:
    is_view = row.relkind in ("v", "m")
    partitions, below = structure.partitions.get(row.oid, (0, 0))
    rows = below if partitions else row.rows
    details = {
        "storage": _STORAGE.get(row.relkind),
        "partitions": partitions or None,
        "inherits": structure.parents.get(row.oid),
        "reads": structure.reads.get(row.oid) if is_view else None,
        "keys": structure.keys.get(row.oid),
    }
    return Item(
        schema=row.nspname,
        table=row.relname,
        column="",
        kind="view" if is_view else "table",
        position=0,
        comment=row.comment,
        rows=rows
        if rows is not None and rows >= 0 and row.relkind != "v"
        else None,  # -1: never analyzed
        definition=structure.definitions.get((row.oid, 0)) or "",
        details=_told(details),
    )


def _column(row: Any, structure: Structure) -> Item:
    place = (row.oid, row.attnum)
    types = (row.atttypid, row.inner_type)
    checks = [*structure.checks.get(place, ()), *structure.domain_checks.get(row.atttypid, ())]
    details = {
        "domain": row.base,
        "type_comment": _first(structure.type_comments, types),
        "values": _first(structure.enums, types),
        "fields": _first(structure.fields, types),
        "check": " AND ".join(checks) or None,
        "generated": structure.definitions.get(place),
        "identity": row.identity or None,
    }
    return Item(
        schema=row.nspname,
        table=row.relname,
        column=row.attname,
        kind="column",
        position=row.attnum,
        type=row.type,
        nullable=not row.attnotnull,
        key_role=",".join(sorted(structure.roles.get(place, ()))),
        fk=structure.targets.get(place, ""),
        comment=row.column_comment,
        details=_told(details),
    )


def _first(of: Mapping[int, _T], types: Iterable[int]) -> _T | None:
    """What is known about a column's type, or else about its base or element type."""
    return next((of[oid] for oid in types if oid in of), None)


def _told(details: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in details.items() if value is not None}
