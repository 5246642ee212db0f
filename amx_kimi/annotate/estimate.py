"""Estimates requests, tokens and cost: for the dry run, the question about money, `advise` and the
wizard.

`estimate` packs a run's inventory as the run would. `estimate_items` knows only the number of
columns and tables. Both are expectations: answers and thinking may be longer or shorter.
"""

import math
from dataclasses import dataclass, replace
from decimal import Decimal

from amx_kimi.annotate.asking import question
from amx_kimi.annotate.job import Job, OpenRun
from amx_kimi.annotate.pack import packer_of
from amx_kimi.annotate.pending import batches
from amx_kimi.annotate.prompt import SYSTEM
from amx_kimi.annotate.trial import first_size, is_proven
from amx_kimi.client import worst_case
from amx_kimi.facts import Facts, Prices, cost
from amx_kimi.journal import answers, items, runs
from amx_kimi.policy import plan
from amx_kimi.settings import Settings
from amx_kimi.text import counted
from amx_kimi.tokens import count_tokens
from amx_kimi.types import Usage

__all__ = ["Estimate", "estimate", "estimate_items"]

_PROMPT_PER_ITEM = 52  # tokens, samples included: of the sample ERP (demo, 2026-11-23)
_LEAST, _MOST = 0.5, 2.0  # how far thinking and answers may be from what is expected


@dataclass(frozen=True)
class Estimate:
    """What asking would take; nothing was sent.

    - `cost`: in the endpoint's currency, between `least` and `most`; None if no price is known
    - `one`: the worst case of a single request, which a cap must cover
    - `columns`: all columns of a run; `asked`: those to ask about; `tables`: tables to ask about
    - `known`: how many of these columns earlier runs described with other settings
    - `reused`: answered by earlier runs; `shared`: answered by the same column of another table
    - `notes`: those of the source, and what changed
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal | None
    least: Decimal | None
    most: Decimal | None
    one: Decimal | None = None
    columns: int = 0
    tables: int = 0
    asked: int = 0
    known: int = 0
    reused: int = 0
    shared: int = 0
    notes: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """The columns and tables to ask about, such as `12 columns and 1 table`."""
        tables = f" and {counted(self.tables, 'table')}" if self.tables else ""
        return counted(self.asked, "column") + tables


async def estimate(run: OpenRun, facts: Facts, settings: Settings) -> Estimate:
    """Estimate a run with this inventory, packed as in the run; reads statistics."""
    journal, job = run.journal, run.job
    packer = packer_of(job, facts, settings)
    pending = journal.read(items.count_pending, run.id)
    packer.first = first_size(pending, packer.most, proven=is_proven(facts))
    expected = packer.expectation
    requests = prompt = completion = 0
    dearest: Decimal | None = None
    async for batch in batches(run, packer):
        requests += 1
        packer.first = None
        ask = question(batch, job, expected, run.id)
        worst = worst_case(plan(job.profile, facts, settings, ask), facts)
        if worst is not None:
            dearest = max(dearest or worst, worst)
        prompt += ask.prompt_tokens
        completion += expected.output(batch.size)
    totals = journal.read(runs.totals, run.id)
    return replace(
        _priced(requests, prompt, completion, facts.prices),
        one=dearest,
        columns=totals.columns,
        tables=journal.read(items.count_items, run.id) - pending,
        asked=pending,
        known=journal.read(answers.count_known, run.id, job.wanted.language),
        reused=totals.reused,
        shared=totals.shared + totals.waiting,
        notes=tuple(run.reader.source.notes),
    )


def estimate_items(count: int, job: Job, facts: Facts, settings: Settings) -> Estimate:
    """Estimate asking about `count` columns and tables, without looking at them."""
    packer = packer_of(job, facts, settings)
    requests, completion = packer.expected(count)
    prompt = requests * count_tokens(SYSTEM) + count * _PROMPT_PER_ITEM
    return replace(_priced(requests, prompt, completion, facts.prices), columns=count, asked=count)


def _priced(requests: int, prompt: int, completion: int, prices: Prices | None) -> Estimate:
    def at(factor: float) -> Decimal | None:
        return cost(Usage(prompt=prompt, completion=math.ceil(completion * factor)), prices)

    return Estimate(requests, prompt, completion, at(1), at(_LEAST), at(_MOST))
