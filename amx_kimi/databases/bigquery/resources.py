"""What the resources of BigQuery's API say of tables and columns. Pure functions.

Shapes: the REST reference of `tables` and `TableFieldSchema`, as of November 2026.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from amx_kimi.databases.server.catalog import Column, Key, Relation

__all__ = [
    "STORED",
    "columns_of",
    "comments_of",
    "edited",
    "fields_of",
    "fold",
    "keys_of",
    "kind_of",
    "relation_of",
    "values_at",
]

STORED = ("TABLE", "SNAPSHOT")
"""The types of tables whose rows are BigQuery's own, so that listing them is free."""

_KINDS = {"VIEW": "view", "MATERIALIZED_VIEW": "materialized view", "EXTERNAL": "foreign table"}
_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}
_LONGEST_DEFINITION = 4_000
_LONGEST_VALUE = 200
_SHARD = re.compile(r"(.+_)([0-9]{8})")
_PLAIN = (str, bool, int, float, Decimal, date, datetime, time)
_Resource = Mapping[str, Any]


def fold(listed: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Tables (name, type) by the names that they are described under. Date-sharded ones
    (`events_20240101`, …) are one: `events_*`, with its shards, newest first."""
    folded: dict[str, list[str]] = defaultdict(list)
    for name, type_ in listed:
        shard = _SHARD.fullmatch(name) if type_ == "TABLE" else None
        folded[f"{shard[1]}*" if shard and _is_date(shard[2]) else name].append(name)
    return {
        name if len(tables) > 1 else tables[0]: sorted(tables, reverse=True)
        for name, tables in folded.items()
    }


def _is_date(digits: str) -> bool:
    try:
        datetime.strptime(digits, "%Y%m%d")
    except ValueError:
        return False
    return True


def kind_of(resource: _Resource) -> str:
    """As `Present.kind`."""
    return _KINDS.get(resource.get("type", ""), "table")


def relation_of(resource: _Resource, schema: str, name: str, shards: int) -> Relation:
    """A table; `shards` is how many it stands for."""
    view = resource.get("view") or resource.get("materializedView") or {}
    partitions = shards if shards > 1 else int(resource.get("numPartitions") or 0)
    clustered = (resource.get("clustering") or {}).get("fields")
    details = {
        "partitions": partitions or None,
        "partitioned_by": _partitioned_by(resource),
        "clustered_by": list(clustered) if clustered else None,
    }
    if resource.get("type") == "SNAPSHOT":
        details["storage"] = "snapshot"
    return Relation(
        schema,
        name,
        kind_of(resource),
        resource.get("description") or "",
        _rows(resource) if shards == 1 else None,
        str(view.get("query") or "")[:_LONGEST_DEFINITION],
        details,
    )


def _rows(resource: _Resource) -> int | None:
    if resource.get("type") not in STORED or "numRows" not in resource:
        return None
    streaming = resource.get("streamingBuffer") or {}  # not among `numRows`
    return int(resource["numRows"]) + int(streaming.get("estimatedRows") or 0)


def _partitioned_by(resource: _Resource) -> str | None:
    if by_time := resource.get("timePartitioning"):
        return f"{by_time.get('field') or '_PARTITIONTIME'} ({by_time.get('type', 'DAY')})"
    if by_range := resource.get("rangePartitioning"):
        steps = by_range.get("range") or {}
        return f"{by_range.get('field')} (steps of {steps.get('interval')})"
    return None


def columns_of(resource: _Resource, schema: str, name: str) -> Iterator[Column]:
    """Every column; a nested one is called by its path (`a.b.c`) and follows the one it is in."""
    for position, (path, field) in enumerate(fields_of(resource), start=1):
        nullable = field.get("mode", "NULLABLE") == "NULLABLE"
        comment = field.get("description") or ""
        yield Column(schema, name, path, position, _type(field), nullable, comment)


def fields_of(resource: _Resource) -> Iterator[tuple[str, _Resource]]:
    """Every field at any depth, by its path."""
    yield from _walk((resource.get("schema") or {}).get("fields") or (), "")


def _walk(fields: Sequence[_Resource], prefix: str) -> Iterator[tuple[str, _Resource]]:
    for field in fields:
        path = f"{prefix}{field['name']}"
        yield path, field
        yield from _walk(field.get("fields") or (), f"{path}.")


def _type(field: _Resource) -> str:
    """A type as SQL calls it; what is in a STRUCT follows as columns of its own."""
    name = str(_TYPES.get(field["type"], field["type"]))
    sizes = [field[size] for size in ("maxLength", "precision", "scale") if field.get(size)]
    if name == "STRUCT":
        name = "STRUCT<…>"
    elif name == "RANGE":
        name = f"RANGE<{(field.get('rangeElementType') or {}).get('type', '…')}>"
    elif sizes:
        name = f"{name}({', '.join(map(str, sizes))})"
    return f"ARRAY<{name}>" if field.get("mode") == "REPEATED" else name


def keys_of(resource: _Resource, schema: str, name: str) -> Iterator[Key]:
    """The keys of a table, which BigQuery does not enforce."""
    constraints = resource.get("tableConstraints") or {}
    if primary := (constraints.get("primaryKey") or {}).get("columns"):
        yield Key(schema, name, "pk", list(primary))
    for key in constraints.get("foreignKeys") or ():
        pairs = key.get("columnReferences") or ()
        other = key["referencedTable"]
        yield Key(
            schema,
            name,
            "fk",
            [pair["referencingColumn"] for pair in pairs],
            f"{other['datasetId']}.{other['tableId']}",
            [pair["referencedColumn"] for pair in pairs],
        )


def comments_of(resource: _Resource) -> dict[str, str | None]:
    """As `Present.comments`."""
    found = {path: field.get("description") or None for path, field in fields_of(resource)}
    return {"": resource.get("description") or None, **found}


def edited(resource: _Resource, comments: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """All fields, some of them with another description; None removes it."""
    return _edited((resource.get("schema") or {}).get("fields") or (), "", comments)


def _edited(
    fields: Sequence[_Resource], prefix: str, comments: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    found = []
    for field in fields:
        path = f"{prefix}{field['name']}"
        copy = dict(field)
        if path in comments:
            copy["description"] = comments[path]
        if field.get("fields"):
            copy["fields"] = _edited(field["fields"], f"{path}.", comments)
        found.append(copy)
    return found


def values_at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """The values of a nested field in a row, each element of a repeated one; None is a null."""
    if isinstance(value, list):
        for element in value:
            yield from values_at(element, path)
    elif path and isinstance(value, Mapping):
        yield from values_at(value.get(path[0]), path[1:])
    else:
        yield _plain(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, _PLAIN):
        return value[:_LONGEST_VALUE] if isinstance(value, str) else value
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)[:_LONGEST_VALUE]
