"""Decides how many columns a request carries.

So many that its fixed cost is shared, but so few that the answer and the thinking before it fit
the output budget at the first try. Token counts are cl100k estimates, corrected by the real counts
in replies.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from amx_kimi.annotate.batch import Batch, Piece
from amx_kimi.annotate.job import Job
from amx_kimi.annotate.prompt import column_entry, table_entry
from amx_kimi.client import Limits, account_limits
from amx_kimi.facts import Facts
from amx_kimi.policy import plan
from amx_kimi.settings import Settings
from amx_kimi.tokens import count_tokens
from amx_kimi.types import Ask, Reply

__all__ = ["MOST_PROMPT", "Expectation", "Packer", "packer_of"]

MOST_PROMPT = 16_000
"""The most prompt tokens of a request, even if the context has room for more."""

_MOST_ITEMS = 60  # beyond this, models begin to forget columns
_MOST_GROWN = 120  # the most items if tokens per minute are scarce and answers stay complete
_SHARE_OF_BUDGET = 0.5  # the rest is slack for a model that thinks or writes more than expected
_ANSWER_BASE = 16
_ANSWER_PER_ITEM = 7  # 37 tokens a column with three wordings, measured over the contract's shape
_ANSWER_PER_WORDING = 10
_STYLE_FACTOR = {"detailed": 2, "comprehensive": 5, "exhaustive": 10}  # against brief, by AMX
_THINKING_BASE = 1_500
_THINKING_PER_ITEM = 60
_GROWTH = 1  # items that a whole answer to a full request adds
_MEMORY = 0.3  # how fast an expectation follows what replies report


@dataclass(frozen=True)
class Expectation:
    """How many tokens a request is expected to take. The ratios are real tokens to estimated ones,
    so far."""

    alternatives: int
    thinks: bool
    style: str = "brief"
    prompt_ratio: float = 1.0
    answer_ratio: float = 1.0
    thinking_ratio: float = 1.0

    def answer(self, items: int) -> int:
        """Tokens of the visible answer."""
        wordings = self.alternatives * _ANSWER_PER_WORDING * _STYLE_FACTOR.get(self.style, 1)
        per_item = _ANSWER_PER_ITEM + wordings
        return round((_ANSWER_BASE + items * per_item) * self.answer_ratio)

    def thinking(self, items: int) -> int:
        """Tokens of thinking before it."""
        if not self.thinks:
            return 0
        return round((_THINKING_BASE + items * _THINKING_PER_ITEM) * self.thinking_ratio)

    def output(self, items: int) -> int:
        """All tokens that the output budget must hold."""
        return self.answer(items) + self.thinking(items)

    def most_items(self, budget: int, most: int = _MOST_ITEMS) -> int:
        """How many items (1 to `most`) fit a budget at the first try."""
        room = budget * _SHARE_OF_BUDGET
        fitting = (items for items in range(most, 1, -1) if self.output(items) <= room)
        return next(fitting, 1)

    def corrected(self, items: int, counted_prompt: int, reply: Reply) -> "Expectation":
        """The expectation, corrected by the usage of a complete reply."""
        usage = reply.attempts[-1].usage if reply.attempts else reply.usage
        if not usage.known or not usage.completion or reply.finish_reason != "stop":
            return self
        visible = usage.completion - usage.reasoning
        thinking_ratio = self.thinking_ratio
        if self.thinks and usage.reasoning:
            real = thinking_ratio * usage.reasoning / max(1, self.thinking(items))
            thinking_ratio = _follow(thinking_ratio, real)
        return replace(
            self,
            prompt_ratio=_follow(self.prompt_ratio, usage.prompt / max(1, counted_prompt)),
            answer_ratio=_follow(
                self.answer_ratio, self.answer_ratio * visible / max(1, self.answer(items))
            ),
            thinking_ratio=thinking_ratio,
        )


class Packer:
    """Fills batches, table by table.

    - `budget`: the output budget of a request
    - `fixed`: columns per request, instead of the expectation; tables are not counted
    - `most_prompt`: the most tokens of a prompt
    - `scarce`: tokens per minute, which each request reserves, limit the run. Requests then grow
      further, as long as answers are complete.
    """

    def __init__(
        self,
        expectation: Expectation,
        budget: int,
        fixed: int | None = None,
        most_prompt: int = MOST_PROMPT,
        *,
        scarce: bool = False,
    ) -> None:
        self.expectation = expectation
        self._grown = _MOST_GROWN if scarce else _MOST_ITEMS
        self._budget = budget
        self._fixed = fixed
        self._most_prompt = most_prompt
        self.first: int | None = None  # the most items until answers are known to be usable
        self._whole = _MOST_ITEMS  # the most items that were answered completely, so far
        self._pieces: list[Piece] = []
        self._weight = self._items = self._tokens = 0

    @property
    def most(self) -> int:
        """How many items (or, with a fixed size, columns) a request carries now."""
        most = self._fixed or self.expectation.most_items(self._budget, self._whole)
        return min(most, self.first or most)

    def add(self, piece: Piece) -> Iterator[Batch]:
        """Add a table's piece; yields the batches that are full.

        A table that fits one request is not split. A wide table is split, with its context
        repeated.
        """
        most = self.most
        weight = self._weigh(piece)
        if self._weight and self._weight + weight > most >= weight:
            yield from self.flush()
        rest: Piece | None = piece
        while rest is not None:
            most = self.most  # replies may have changed it meanwhile
            taken, rest = self._cut(rest, most - self._weight)
            self._pieces.append(taken)
            self._weight += self._weigh(taken)
            self._items += taken.size
            if rest is not None or self._weight >= most or self._is_full():
                yield from self.flush()

    def flush(self) -> Iterator[Batch]:
        """The last, partial batch, if any."""
        if self._pieces:
            yield Batch(tuple(self._pieces))
        self._pieces, self._weight, self._items, self._tokens = [], 0, 0, 0

    def _weigh(self, piece: Piece) -> int:
        """The size of a piece; with a fixed size, only columns count."""
        return len(piece.columns) if self._fixed else piece.size

    def _is_full(self) -> bool:
        most_items = self._grown + (self._fixed or 0)
        return self._tokens >= self._most_prompt or self._items >= most_items

    def _cut(self, piece: Piece, room: int) -> tuple[Piece, Piece | None]:
        """The part of a piece that fits (at least one item), and the rest."""
        self._tokens += _count(table_entry(piece, 1))
        taken = 0
        room -= self._weigh(piece) - len(piece.columns)  # the table's own entry
        most = max(0 if piece.ask else 1, room)
        for stored, facts in piece.columns[:most]:
            if taken and self._tokens >= self._most_prompt:
                break
            self._tokens += _count(column_entry(stored.item, facts, 100))
            taken += 1
        if taken >= len(piece.columns):
            return piece, None
        return (
            replace(piece, columns=piece.columns[:taken]),
            replace(piece, columns=piece.columns[taken:], ask=None),
        )

    def expected(self, items: int) -> tuple[int, int]:
        """An estimate for `items`: the number of requests, and their output tokens."""
        most = self.most
        requests = -(-items // most)
        return requests, requests * self.expectation.output(min(items, most)) if items else 0

    @property
    def most_prompt(self) -> int:
        """The most tokens of a prompt."""
        return self._most_prompt

    def too_large(self, prompt: int) -> None:
        """Learn that a prompt of this many tokens was refused for its size."""
        self._most_prompt = max(1, min(self._most_prompt, prompt // 2))

    def observe(self, items: int, counted_prompt: int, reply: Reply) -> None:
        """Learn from a reply to a request of `items` how many tokens requests take."""
        self.expectation = self.expectation.corrected(items, counted_prompt, reply)

    def answered(self, items: int, missing: int) -> None:
        """Learn from how many items an answer lacked.

        After an incomplete answer, requests carry only as many items as it had. After complete
        answers to full requests, they grow again.
        """
        if missing and items > 1:
            self._whole = min(self._whole, items - missing or items // 2)
            self._grown = min(self._grown, max(_MOST_ITEMS, items - 1))
        elif items > self._whole // 2:
            self._whole = min(self._grown, self._whole + _GROWTH)


def packer_of(job: Job, facts: Facts, settings: Settings, limits: Limits | None = None) -> Packer:
    """A packer for the output budget that policy gives to this profile's requests, and for the
    account's limits (default: those of the profile)."""
    limits = limits or account_limits(job.profile)
    most_prompt = min(MOST_PROMPT, facts.model.context // 2)
    if learned := facts.quirks.get("prompt"):
        most_prompt = min(most_prompt, learned.value)
    probe = plan(job.profile, facts, settings, Ask(messages=(), prompt_tokens=most_prompt))
    expectation = Expectation(job.wanted.alternatives, probe.thinking, job.wanted.style)
    scarce = limits.tpm is not None and limits.tpm // probe.reserved < (limits.rpm or math.inf)
    return Packer(expectation, probe.budget, job.fixed_size, most_prompt, scarce=scarce)


def _count(entry: dict[str, object]) -> int:
    return count_tokens(json.dumps(entry, ensure_ascii=False, separators=(",", ":"), default=str))


def _follow(old: float, new: float) -> float:
    bounded = min(max(new, 0.2), 5.0)
    return old + _MEMORY * (bounded - old)
