"""Technical columns that are the same in many tables: one is asked, the others share its answer.

They have `in_tables` among their details, so that the one is described for all of them; the others
wait for it.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    insert,
    literal,
    select,
    update,
)

from amx_kimi.journal.runs import now
from amx_kimi.journal.schema import columns, suggestions

__all__ = ["fail_waiting", "share", "spread"]

_FEWEST_TABLES = 3
_LIKE = ("type", "nullable", "comment", "details")


def share(connection: Connection, run: str, names: Collection[str]) -> int:
    """Of pending columns with one of these names (lower case, no underscores) that have the same
    type and shape in three tables or more, leave one pending. Keys are asked each. Returns how many
    wait."""
    plain = func.replace(func.lower(columns.c.column_name), "_", "")
    query = select(columns).where(
        columns.c.run_id == run,
        columns.c.status == "pending",
        columns.c.kind == "column",
        columns.c.key_role == "",
        plain.in_(names),
    )
    groups = defaultdict(list)
    for row in connection.execute(query.order_by(columns.c.id)):
        alike = [getattr(row, name) for name in _LIKE]
        groups[(row.column_name.lower(), *alike)].append(row)
    waiting: list[dict[str, Any]] = []
    for rows in groups.values():
        tables = {(row.schema_name, row.table_name) for row in rows}
        if len(tables) < _FEWEST_TABLES:
            continue
        first, *others = rows
        told = json.loads(first.details) if first.details else {}
        details = json.dumps({**told, "in_tables": len(tables)}, ensure_ascii=False)
        connection.execute(_TELL, [{"item": row.id, "told": details} for row in rows])
        waiting += [{"item": row.id, "asked": first.id} for row in others]
    if waiting:
        connection.execute(_WAIT, waiting)
    return len(waiting)


def spread(connection: Connection, asked: Sequence[int]) -> None:
    """Give the answers of these columns to those that wait for them."""
    copied = ("alternatives", "confidence", "score", "model")
    answers = select(
        columns.c.id,
        columns.c.reuse_key,
        *(suggestions.c[name] for name in copied),
        literal("shared"),
        literal(now()),
    ).join(suggestions, suggestions.c.column_id == columns.c.shared_with)
    target = ("column_id", "reuse_key", *copied, "signal", "created_at")
    waiting = _wait_for(asked)
    connection.execute(insert(suggestions).from_select(target, answers.where(*waiting)))
    connection.execute(update(columns).where(*waiting).values(status="shared"))


def fail_waiting(connection: Connection, asked: Sequence[int], error: str) -> None:
    """What waits for these columns gets no answer either."""
    connection.execute(
        update(columns).where(*_wait_for(asked)).values(status="failed", error=error)
    )


_ITEM = update(columns).where(columns.c.id == bindparam("item"))
_TELL = _ITEM.values(details=bindparam("told"))
_WAIT = _ITEM.values(status="waiting", shared_with=bindparam("asked"))


def _wait_for(asked: Sequence[int]) -> tuple[ColumnElement[bool], ...]:
    return columns.c.shared_with.in_(asked), columns.c.status == "waiting"
