"""Turns rows of a server's catalog into items of the inventory. Pure functions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from amx_kimi.databases.base import Selection
from amx_kimi.types import Item

__all__ = ["Column", "Key", "Keys", "Relation", "items_of"]

_WORDS = {"pk": "primary", "unique": "unique", "fk": "foreign"}
_Place = tuple[str, str, str]


@dataclass(frozen=True)
class Relation:
    """A table or view; `kind` is `table`, `view`, `materialized view` or `foreign table`, `rows` an
    estimate, `definition` a view's SQL."""

    schema: str
    name: str
    kind: str = "table"
    comment: str = ""
    rows: int | None = None
    definition: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A column; `details` are those of `Item`."""

    schema: str
    table: str
    name: str
    position: int
    type: str
    nullable: bool = True
    comment: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Key:
    """A constraint of a table, and for a foreign key what it refers to (`schema.table`)."""

    schema: str
    table: str
    role: Literal["pk", "unique", "fk"]
    columns: Sequence[str]
    target: str = ""
    target_columns: Sequence[str] = ()


class Keys:
    """What constraints say of columns and tables."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.roles: dict[_Place, set[str]] = defaultdict(set)
        self.targets: dict[_Place, str] = {}
        self.composite: dict[tuple[str, str], list[str]] = defaultdict(list)
        for key in keys:
            self._add(key)

    def _add(self, key: Key) -> None:
        if len(key.columns) > 1:
            refers = f" -> {key.target} ({', '.join(key.target_columns)})" if key.target else ""
            told = f"{_WORDS[key.role]} ({', '.join(key.columns)}){refers}"
            self.composite[key.schema, key.table].append(told)
            if key.role == "unique":
                return
        for number, column in enumerate(key.columns):
            place = (key.schema, key.table, column)
            self.roles[place].add(key.role)
            if number < len(key.target_columns):
                self.targets.setdefault(place, f"{key.target}.{key.target_columns[number]}")


def items_of(
    relations: Iterable[Relation], columns: Iterable[Column], keys: Keys, selection: Selection
) -> Iterator[Item]:
    """Each selected relation, then its columns; `columns` come in order, table by table."""
    left = {(one.schema, one.name): one for one in relations}
    left = {place: one for place, one in left.items() if selection.takes(*place)}
    current: tuple[str, str] | None = None
    for column in columns:
        place = (column.schema, column.table)
        if place != current:
            relation = left.pop(place, None)
            if relation is None:
                continue
            current = place
            yield _table(relation, keys)
        yield _column(column, keys)
    for relation in left.values():  # no column of it may be seen
        yield _table(relation, keys)


def _table(relation: Relation, keys: Keys) -> Item:
    place = (relation.schema, relation.name)
    storage = relation.kind if relation.kind not in ("table", "view") else None
    details = {"storage": storage, "keys": keys.composite.get(place), **relation.details}
    return Item(
        schema=relation.schema,
        table=relation.name,
        column="",
        kind="view" if "view" in relation.kind else "table",
        position=0,
        comment=relation.comment,
        rows=relation.rows,
        definition=relation.definition,
        details=_told(details),
    )


def _column(column: Column, keys: Keys) -> Item:
    place = (column.schema, column.table, column.name)
    return Item(
        schema=column.schema,
        table=column.table,
        column=column.name,
        kind="column",
        position=column.position,
        type=column.type,
        nullable=column.nullable,
        key_role=",".join(sorted(keys.roles.get(place, ()))),
        fk=keys.targets.get(place, ""),
        comment=column.comment,
        details=_told(column.details),
    )


def _told(details: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in details.items() if value is not None}
