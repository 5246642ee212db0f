"""Types as in DDL, and facts from histograms. Pure functions.

Sources: Microsoft's reference of `sys.columns` and `sys.dm_db_stats_histogram` (SQL Server 2016 to
2025, read in November 2026).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from amx_kimi.databases.base import MOST_VALUES
from amx_kimi.types import RawFacts

__all__ = ["facts_of_histogram", "sampled", "spelled"]

_BYTES = {"char", "varchar", "binary", "varbinary"}
_PAIRS = {"nchar", "nvarchar"}
_EXACT = {"decimal", "numeric"}
_SCALED = {"datetime2", "datetimeoffset", "time"}
_FLOAT_DIGITS = 53

_VALUE_LENGTH = 300
_SAMPLED = {
    **dict.fromkeys(("char", "varchar", "nchar", "nvarchar"), "LEFT({column}, {most})"),
    **dict.fromkeys(("text", "ntext"), "SUBSTRING({column}, 1, {most})"),
    **dict.fromkeys(("binary", "varbinary", "image", "timestamp"), "SUBSTRING({column}, 1, 16)"),
    **dict.fromkeys(("geography", "geometry", "hierarchyid"), "LEFT({column}.ToString(), {most})"),
    "xml": "LEFT(CAST({column} AS nvarchar(max)), {most})",
    "sql_variant": "CAST({column} AS nvarchar({most}))",
    "datetimeoffset": "CONVERT(nvarchar(40), {column}, 121)",
}


def spelled(row: Mapping[str, Any]) -> str:
    """A column's type as in DDL, from `type`, `length` (bytes; -1 is max), `precision`, `scale`,
    `base` and `type_schema` (of a type that a user defined, else null)."""
    name = str(row["type"])
    if row["type_schema"]:
        base = spelled({**row, "type": row["base"], "type_schema": None}) if row["base"] else ""
        return f"{row['type_schema']}.{name}" + (f" ({base})" if base else "")
    if name in _BYTES | _PAIRS:
        length = int(row["length"])
        size = length // 2 if name in _PAIRS else length
        return f"{name}({'max' if length < 0 else size})"
    if name in _EXACT:
        return f"{name}({row['precision']},{row['scale']})"
    if name in _SCALED:
        return f"{name}({row['scale']})"
    if name == "float" and row["precision"] != _FLOAT_DIGITS:
        return f"float({row['precision']})"
    return name


def sampled(column: str, base: str) -> str:
    """An expression for a short value of a column (its quoted name) of this system type."""
    return _SAMPLED.get(base, "{column}").format(column=column, most=_VALUE_LENGTH)


def facts_of_histogram(steps: Sequence[Mapping[str, Any]]) -> RawFacts:
    """Facts from a histogram's steps, in order; the step of nulls, if there is one, has no
    `value`."""
    nulls = sum(float(step["equal_rows"] or 0) for step in steps if step["value"] is None)
    told = [step for step in steps if step["value"] is not None]
    if not told:
        return RawFacts(nulls=round(nulls), distinct=0)
    between = sum(int(step["distinct_range_rows"] or 0) for step in told)
    frequent = sorted(told, key=lambda step: -float(step["equal_rows"] or 0))
    values = [(str(one["value"]), round(float(one["equal_rows"] or 0))) for one in frequent]
    return RawFacts(
        nulls=round(nulls),
        distinct=between + len(told),
        least=str(told[0]["value"]),
        greatest=str(told[-1]["value"]),
        values=tuple((value, count) for value, count in values if count)[:MOST_VALUES],
    )
