"""Anything that is too much for one go, cut into blocks."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

__all__ = ["blocks"]

_T = TypeVar("_T")


def blocks(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """`items` in lists of `size`, the last of which may be shorter; read as they are asked for.

    `itertools.batched` is for Python 3.12 and later.
    """
    rest = iter(items)
    while block := list(islice(rest, size)):
        yield block
