"""The fault language: ``overload:0.1, 500:0.05, rate@3, stall@5-7, empty@9-``.

``kind:p`` strikes each chat request on its own with probability p, drawn from the seed and the
request's number; ``kind@n`` strikes the n-th chat request, ``kind@n-m`` a range of them and
``kind@n-`` all from the n-th. The first rule that strikes wins. A manner of another server's
(``manners``) is a kind as well.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache

from amx_kimi.sandbox.manners import names

REJECTIONS = (
    *("overload", "rate", "tpd", "quota", "500", "503", "504html"),
    *("unauthorized", "forbidden", "filter", "reset-before"),
)
ANSWER_FAULTS = (
    *("half-json", "empty", "endless", "wrong-names", "repeat", "length", "length-empty"),
    "hostile",
)
STREAM_FAULTS = ("reset-between", "reset-within", "no-done", "stall", "drip")
KINDS = REJECTIONS + ANSWER_FAULTS + STREAM_FAULTS

_ALIASES = {"reset": "reset-before", "504": "504html"}
_RULE = re.compile(r"([a-z0-9-]+)(?::([0-9.]+)|@(\d+)(?:(-)(\d+)?)?)")


@dataclass(frozen=True)
class Rule:
    """One fault: with a probability, or for the requests ``first`` to ``last``."""

    kind: str
    probability: float = 0.0
    first: int = 0
    last: int | None = None

    def strikes(self, number: int, seed: int) -> bool:
        """Whether the request of this number is struck."""
        if self.first:
            return self.first <= number and (self.last is None or number <= self.last)
        return random.Random(f"{seed}:{number}:{self.kind}").random() < self.probability


def _kind(text: str) -> str:
    kind = text.removeprefix("429-")
    kind = _ALIASES.get(kind, kind)
    if kind not in KINDS and kind not in names():
        known = ", ".join([*KINDS, *names()])
        raise ValueError(f"faults: unknown kind {text!r}; known are {known}")
    return kind


def _rule(item: str) -> Rule:
    match = _RULE.fullmatch(item)
    if match is None:
        raise ValueError(f"faults: {item!r} is not kind:probability, kind@n, kind@n-m or kind@n-")
    kind, chance, first, dash, last = match.groups()
    kind = _kind(kind)
    if chance is not None:
        try:
            probability = float(chance)
        except ValueError:
            raise ValueError(f"faults: {item!r} has no number after the colon") from None
        if not 0 <= probability <= 1:
            raise ValueError(f"faults: the probability in {item!r} is not within 0 and 1")
        return Rule(kind, probability=probability)
    start = int(first)
    end = int(last) if last else (None if dash else start)
    if start < 1 or (end is not None and end < start):
        raise ValueError(f"faults: {item!r} counts requests from 1, upwards")
    return Rule(kind, first=start, last=end)


@lru_cache(maxsize=64)
def parse(text: str) -> tuple[Rule, ...]:
    """The rules of a fault text; ValueError names what is wrong with it."""
    return tuple(_rule(item) for item in re.split(r"[,\s]+", text.strip()) if item)


def draw(text: str, number: int, seed: int) -> str | None:
    """The kind of fault that strikes the request of this number, if any."""
    for rule in parse(text):
        if rule.strikes(number, seed):
            return rule.kind
    return None
