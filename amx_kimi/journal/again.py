"""Low answers asked again in a run of their own, whose answers then replace them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from amx_kimi.journal.runs import totals
from amx_kimi.journal.schema import columns, runs, suggestions

__all__ = ["adopt", "count_low", "spent_again"]

_LOW = (suggestions.c.confidence == "low", columns.c.status != "unchanged")
_COPIED = ("alternatives", "confidence", "signal", "score", "model")


def count_low(connection: Connection, run: str) -> int:
    """How many items (columns and tables) of a run came back low."""
    query = select(func.count()).select_from(columns.join(suggestions, _OWN))
    return connection.execute(query.where(columns.c.run_id == run, *_LOW)).scalar_one()


def spent_again(connection: Connection, run: str) -> Decimal:
    """What the runs cost that asked again what was low in this one."""
    again = runs.c.options.like(f'%"again_of": "{run}"%')
    found = connection.execute(select(runs.c.id).where(again)).scalars()
    costs = (totals(connection, id_).cost for id_ in found)
    return sum((cost or Decimal(0) for cost in costs), Decimal(0))


_OWN = suggestions.c.column_id == columns.c.id


def adopt(connection: Connection, run: str, again: str) -> int:
    """Give a run's low items the answers of the run that asked again; returns how many."""
    first, second = columns.alias(), columns.alias()
    mine, better = suggestions.alias(), suggestions.alias()
    low = mine.c.id.label("mine")
    copied = [better.c[name] for name in _COPIED]
    query = (
        select(low, *copied)
        .select_from(first)
        .join(mine, mine.c.column_id == first.c.id)
        .join(
            second,
            (second.c.run_id == again)
            & (second.c.schema_name == first.c.schema_name)
            & (second.c.table_name == first.c.table_name)
            & (second.c.column_name == first.c.column_name),
        )
        .join(better, better.c.column_id == second.c.id)
        .where(
            *(first.c.run_id == run, first.c.status != "unchanged"),
            mine.c.confidence == "low",
        )
    )
    found: Sequence[Row[Any]] = connection.execute(query).all()
    for row in found:
        values = {name: getattr(row, name) for name in _COPIED}
        replaced = update(suggestions).where(suggestions.c.id == row.mine)
        connection.execute(replaced.values(**values))
    return len(found)
