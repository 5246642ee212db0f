"""How many columns a request carries: so many that its fixed cost is shared, so few that the
answer (and the thinking before it) fits the output budget at the first try.

Counts are cl100k estimates, corrected by the real counts that replies report.
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
"""Most prompt tokens of a request, where the context has room for more."""

_MOST_ITEMS = 60  # beyond this, models begin to forget columns
_MOST_GROWN = 120  # what whole answers may grow to, where each request's reservation is what binds
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
    """What a request is expected to take. The ratios are real over estimated tokens so far."""

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
        """All tokens that the output budget has to hold."""
        return self.answer(items) + self.thinking(items)

    def most_items(self, budget: int, most: int = _MOST_ITEMS) -> int:
        """How many items, up to `most`, fit a budget at the first try; at least one."""
        fitting = (n for n in range(most, 1, -1) if self.output(n) <= budget * _SHARE_OF_BUDGET)
        return next(fitting, 1)

    def corrected(self, items: int, counted_prompt: int, reply: Reply) -> "Expectation":
        """What the first, whole attempt of a reply teaches."""
        usage = reply.attempts[-1].usage if reply.attempts else reply.usage
        if not usage.known or not usage.completion or reply.finish_reason != "stop":
            return self
        visible = usage.completion - usage.reasoning
        return replace(
            self,
            prompt_ratio=_follow(self.prompt_ratio, usage.prompt / max(1, counted_prompt)),
            answer_ratio=_follow(
                self.answer_ratio, self.answer_ratio * visible / max(1, self.answer(items))
            ),
            thinking_ratio=_follow(
                self.thinking_ratio,
                self.thinking_ratio * usage.reasoning / max(1, self.thinking(items)),
            )
            if self.thinks and usage.reasoning
            else self.thinking_ratio,
        )


class Packer:
    """Fills batches, table by table.

    `budget` is the output budget of a request; `fixed` (columns a request; tables ride along)
    replaces the expectation; `most_prompt` bounds the prompt, in tokens. With `scarce`, what a
    request reserves of the account's tokens a minute is what the run waits for: then whole answers
    let requests grow further.
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
        self.first: int | None = None  # at most so many, until answers are known to be usable
        self._whole = _MOST_ITEMS  # so many are answered whole, by what replies showed
        self._pieces: list[Piece] = []
        self._weight = self._items = self._tokens = 0

    @property
    def most(self) -> int:
        """How many items a request carries now (columns, with a fixed size)."""
        most = self._fixed or self.expectation.most_items(self._budget, self._whole)
        return min(most, self.first or most)

    def add(self, piece: Piece) -> Iterator[Batch]:
        """Take in a table's piece; yields the batches that are full.

        A table that fits one request is not torn apart; a wide one is cut, its context repeated.
        """
        most = self.most
        if self._weight and self._weight + self._weigh(piece) > most >= self._weigh(piece):
            yield from self.flush()
        rest: Piece | None = piece
        while rest is not None:
            most = self.most  # what came back meanwhile may have changed it
            taken, rest = self._cut(rest, most - self._weight)
            self._pieces.append(taken)
            self._weight += self._weigh(taken)
            self._items += taken.size
            if rest is not None or self._weight >= most or self._is_full():
                yield from self.flush()

    def flush(self) -> Iterator[Batch]:
        """The batch that is begun, if any."""
        if self._pieces:
            yield Batch(tuple(self._pieces))
        self._pieces, self._weight, self._items, self._tokens = [], 0, 0, 0

    def _weigh(self, piece: Piece) -> int:
        """What counts towards the size of a request: with a fixed size, columns alone."""
        return len(piece.columns) if self._fixed else piece.size

    def _is_full(self) -> bool:
        return self._tokens >= self._most_prompt or self._items >= self._grown + (self._fixed or 0)

    def _cut(self, piece: Piece, room: int) -> tuple[Piece, Piece | None]:
        """As much of a piece as has room; at least one item, so that it always goes on."""
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
        """How many requests so many items take, and their output in tokens: an estimate."""
        most = self.most
        requests = -(-items // most)
        return requests, requests * self.expectation.output(min(items, most)) if items else 0

    @property
    def most_prompt(self) -> int:
        """The most tokens of a prompt."""
        return self._most_prompt

    def too_large(self, prompt: int) -> None:
        """Learn that a prompt of so many tokens was refused for its size."""
        self._most_prompt = max(1, min(self._most_prompt, prompt // 2))

    def observe(self, items: int, counted_prompt: int, reply: Reply) -> None:
        """Learn from a reply to a request of so many items what requests take."""
        self.expectation = self.expectation.corrected(items, counted_prompt, reply)

    def answered(self, items: int, missing: int) -> None:
        """Learn from how many items of a request its answer lacked: from now on as many as it
        had, and after answers to full requests that are whole, more again."""
        if missing and items > 1:
            self._whole = min(self._whole, items - missing or items // 2)
            self._grown = min(self._grown, max(_MOST_ITEMS, items - 1))
        elif items > self._whole // 2:
            self._whole = min(self._grown, self._whole + _GROWTH)


def packer_of(job: Job, facts: Facts, settings: Settings, limits: Limits | None = None) -> Packer:
    """A packer for the budget that policy gives to a request of this profile, and for the account's
    limits (as the profile states them, when left out)."""
    limits = limits or account_limits(job.profile)
    most_prompt = min(MOST_PROMPT, facts.model.context // 2)
    if learnt := facts.quirks.get("prompt"):
        most_prompt = min(most_prompt, learnt.value)
    probe = plan(job.profile, facts, settings, Ask(messages=(), prompt_tokens=most_prompt))
    expectation = Expectation(job.wanted.alternatives, probe.thinking, job.wanted.style)
    scarce = limits.tpm is not None and limits.tpm // probe.reserved < (limits.rpm or math.inf)
    return Packer(expectation, probe.budget, job.fixed_size, most_prompt, scarce=scarce)


def _count(entry: dict[str, object]) -> int:
    return count_tokens(json.dumps(entry, ensure_ascii=False, separators=(",", ":"), default=str))


def _follow(old: float, new: float) -> float:
    bounded = min(max(new, 0.2), 5.0)
    return old + _MEMORY * (bounded - old)
