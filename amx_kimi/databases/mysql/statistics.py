"""Turns statistics of MySQL (`COLUMN_STATISTICS`) and MariaDB (`mysql.column_stats`) into facts.

Sources: MySQL 8.4 reference manual, "Optimizer Statistics"; MariaDB documentation, "Engine-
Independent Table Statistics" and "Histogram-Based Statistics" (both November 2026).
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from amx_kimi.databases.base import MOST_VALUES
from amx_kimi.types import RawFacts

__all__ = ["facts_of_mariadb", "facts_of_mysql"]


def facts_of_mysql(row: Mapping[str, Any], rows: int) -> RawFacts:
    """A row of `information_schema.COLUMN_STATISTICS`, of a table with about so many rows."""
    histogram = _document(row["histogram"])
    buckets: Sequence[Sequence[Any]] = histogram.get("buckets") or ()
    nulls = round(rows * float(histogram.get("null-values") or 0))
    if not buckets:
        return RawFacts(nulls=nulls)
    if histogram.get("histogram-type") == "singleton":
        shares, before = [], 0.0
        for value, reached, *_ in buckets:
            shares.append((_plain(value), float(reached) - before))
            before = float(reached)
        ends = shares[0][0], shares[-1][0]
        return RawFacts(nulls, len(shares), *ends, _frequent(shares, rows))
    distinct = sum(int(bucket[3]) for bucket in buckets if len(bucket) > 3)
    return RawFacts(nulls, distinct or None, _plain(buckets[0][0]), _plain(buckets[-1][1]))


def facts_of_mariadb(row: Mapping[str, Any], rows: int) -> RawFacts:
    """A row of `mysql.column_stats`, of a table with about so many rows."""
    share = float(row["nulls"] or 0)
    frequency = float(row["frequency"] or 0)
    distinct = round(rows * (1 - share) / frequency) if frequency else None
    buckets = _document(row["histogram"]).get("histogram_hb") or ()
    alone = [
        (str(bucket["start"]), float(bucket["size"]))
        for bucket in buckets
        if bucket.get("ndv") == 1 and "start" in bucket
    ]
    return RawFacts(
        nulls=round(rows * share),
        distinct=0 if share == 1 else distinct,
        least=_text(row["least"]),
        greatest=_text(row["greatest"]),
        values=_frequent(alone, round(rows * (1 - share))),
    )


def _frequent(shares: Sequence[tuple[str, float]], rows: int) -> tuple[tuple[str, int], ...]:
    found = sorted(shares, key=lambda pair: -pair[1])[:MOST_VALUES]
    return tuple((value, round(share * rows)) for value, share in found)


def _document(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    try:
        found = json.loads(value or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _plain(value: Any) -> str:
    """A value of a histogram; texts are written as `base64:type254:QUJD`."""
    text = str(value)
    if text.startswith("base64:"):
        try:
            return base64.b64decode(text.rpartition(":")[2], validate=True).decode(
                "utf-8", "replace"
            )
        except (ValueError, binascii.Error):
            return ""
    return text


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)
