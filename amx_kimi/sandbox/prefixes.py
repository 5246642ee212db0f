"""The prefix cache: which leading blocks of 256 tokens a prompt shares with earlier ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

BLOCK = 256
_MOST_BLOCKS = 200_000


def block_keys(scope: Hashable, tokens: Sequence[Hashable]) -> list[int]:
    """A key for each full block, which depends on all blocks before it and on the scope."""
    keys: list[int] = []
    last: Hashable = scope
    if len(tokens) <= BLOCK:
        return keys
    for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
        last = hash((last, tuple(tokens[start : start + BLOCK])))
        keys.append(last)
    return keys


class PrefixCache:
    """The blocks seen so far, the least recently used forgotten first."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def cached_tokens(self, keys: Sequence[int]) -> int:
        """How many leading tokens are already there."""
        hits = 0
        for key in keys:
            if key not in self._blocks:
                break
            self._blocks.move_to_end(key)
            hits += 1
        return hits * BLOCK

    def add(self, keys: Sequence[int]) -> None:
        """Remember a prompt's blocks."""
        for key in keys:
            self._blocks[key] = None
        while len(self._blocks) > _MOST_BLOCKS:
            self._blocks.popitem(last=False)
