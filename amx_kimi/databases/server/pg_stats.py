"""Turns rows of `pg_stats` and `pg_stats_ext` into raw facts, for PostgreSQL and its relatives.
Pure functions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from amx_kimi.databases.base import MOST_VALUES
from amx_kimi.databases.samples import document_keys
from amx_kimi.types import RawFacts

__all__ = ["statistics_of"]


def statistics_of(
    rows: Sequence[Any],
    extended: Iterable[Any],
    columns: Sequence[str],
    estimate: int,
    analyzed: int,
) -> dict[str, RawFacts]:
    """Facts about the columns in the statistics. A later row for a column wins.

    `estimate` is the table's number of rows; `analyzed` is that of the table or partition that the
    statistics describe. A value counts as often as it was in the rows that ANALYZE read.
    """
    facts = {}
    for name, *figures, sample in rows:
        facts[name] = _facts(estimate, min(analyzed, sample), figures)
    least_sample = min((*(row[-1] for row in rows), analyzed))
    for names, combinations, shares in extended:
        for name, (values, seen) in _alone(names, combinations, shares, least_sample).items():
            if name in columns and not facts.get(name, RawFacts()).values:
                facts[name] = replace(facts.get(name, RawFacts()), values=values, seen=seen)
    return facts


def _facts(rows: int, sampled: int, figures: Sequence[Any]) -> RawFacts:
    null_fraction, distinct, values, frequencies, least, greatest, *more = figures
    elements, element_frequencies, documents, text_search = more
    nulls = round(rows * null_fraction)
    # Below zero it is a share of the rows (PostgreSQL's documentation of pg_stats).
    count = round(-distinct * rows) if distinct < 0 else round(distinct)
    if documents is not None or (values and values[0].startswith("{") and elements is None):
        texts = (*(documents or ()), *(values or ()))
        keys = document_keys((text, 1) for text in texts)
        if keys:
            return RawFacts(nulls=nulls if rows else None, keys=keys)
    if elements:  # the elements of arrays say more than whole arrays
        common = zip(elements, element_frequencies or [], strict=False)
        frequent = _counted(common, sampled) if not text_search else ()
        return RawFacts(nulls=nulls if rows else None, values=frequent, seen=len(elements))
    common = zip(values or [], frequencies or [], strict=False)
    # The histogram leaves out the most common values.
    known = [value for value in (least, greatest, *(values or ())) if value is not None]
    ordered = sorted(known, key=_order)
    return RawFacts(
        nulls=nulls if rows else None,
        # ANALYZE counts no different values where it finds none at all.
        distinct=0 if null_fraction == 1 else count or None,
        least=ordered[0] if ordered else None,
        greatest=ordered[-1] if ordered else None,
        values=_counted(common, sampled),
    )


def _counted(common: Iterable[tuple[str, float]], rows: int) -> tuple[tuple[str, int], ...]:
    found = sorted(common, key=lambda pair: -pair[1])[:MOST_VALUES]
    return tuple((value, round(share * rows)) for value, share in found)


def _alone(
    names: Sequence[str],
    combinations: Sequence[Sequence[str | None]],
    shares: Sequence[float],
    rows: int,
) -> dict[str, tuple[tuple[tuple[str, int], ...], int]]:
    """Each column's frequent values, and how many of them are different, from the frequent
    combinations of several columns."""
    found: dict[str, dict[str, float]] = {name: defaultdict(float) for name in names}
    for combination, share in zip(combinations, shares, strict=False):
        for name, value in zip(names, combination, strict=False):
            if value is not None:
                found[name][value] += share
    return {name: (_counted(all_.items(), rows), len(all_)) for name, all_ in found.items()}


def _order(value: str) -> tuple[bool, Decimal, str]:
    """Numbers by their size, before NaN and texts by their letters."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("nan")
    return (True, Decimal(0), value) if number.is_nan() else (False, number, "")
