"""Counts the columns of a database that have comments, for CI, from the catalog alone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from amx_kimi.types import Item

__all__ = ["Coverage", "measure"]


@dataclass(frozen=True)
class Coverage:
    """The number of columns, and of those that have a comment."""

    columns: int = 0
    commented: int = 0

    @property
    def percent(self) -> float:
        """0 to 100; 100 for a database without columns."""
        return 100.0 * self.commented / self.columns if self.columns else 100.0


def measure(found: Iterable[Item], missing: list[Item]) -> Coverage:
    """Count columns (not tables); those without a comment are added to `missing`."""
    columns = commented = 0
    for item in _columns(found):
        columns += 1
        if item.comment:
            commented += 1
        else:
            missing.append(item)
    return Coverage(columns, commented)


def _columns(found: Iterable[Item]) -> Iterator[Item]:
    return (item for item in found if item.column)
