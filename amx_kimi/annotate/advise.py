"""Which profile for this database: what each would cost and how long it would take, and why one.

All of it is estimates, from the inventory, the packer's expectations and the account's limits;
nothing is sent, and no value is looked at.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import anyio

from amx_kimi.annotate.execute import Target, begin
from amx_kimi.annotate.inventory import take_inventory
from amx_kimi.annotate.job import Job
from amx_kimi.annotate.reader import Reader
from amx_kimi.annotate.run import packer_of
from amx_kimi.annotate.spend import forecast
from amx_kimi.client import account_limits
from amx_kimi.client.limiter import Limits
from amx_kimi.config import Profile
from amx_kimi.journal import Journal, items, runs
from amx_kimi.policy import plan
from amx_kimi.settings import Settings
from amx_kimi.types import Ask

__all__ = ["Advice", "Offer", "advise", "recommend"]

ASSUMED_SPEED = 40.0
"""Output tokens a second of one request, where the journal has none of this model: a guess."""

_FIRST_BYTE = 1.0  # seconds, a guess too
_AT_ONCE = 8
_PENNIES = {"USD": Decimal("0.50"), "CNY": Decimal("3.50")}


@dataclass(frozen=True)
class Offer:
    """What one profile would take: an estimate. `seconds` at the account's limits, of which `bound`
    is the one that binds; `measured` says whether the model's speed is the journal's."""

    profile: Profile
    items: int
    requests: int
    least: Decimal | None
    most: Decimal | None
    seconds: float
    bound: str
    measured: bool
    thinks: bool

    @property
    def currency(self) -> str | None:
        """Of the endpoint."""
        return self.profile.facts().currency

    @property
    def cost(self) -> Decimal | None:
        """The middle of the range."""
        return (self.least + self.most) / 2 if self.least is not None and self.most else self.most


@dataclass(frozen=True)
class Advice:
    """The offers, which one is recommended, and to which what comes back low is escalated."""

    offers: tuple[Offer, ...]
    best: Offer
    escalate: Offer | None
    reasons: tuple[str, ...]


def advise(
    jobs: Sequence[Job], target: Target, journal: Journal, settings: Settings
) -> tuple[Offer, ...]:
    """An offer for each job, which differ in their profile.

    Raises:
        KimiError: the database or the journal is unusable.
    """

    async def look() -> tuple[Offer, ...]:
        speeds = journal.read(runs.speeds)
        async with Reader(lambda: target.open(jobs[0])) as reader:
            counts = [await _count(job, target, journal, reader) for job in jobs]
        return tuple(
            offer(job, count, settings, speeds) for job, count in zip(jobs, counts, strict=True)
        )

    return anyio.run(look)


async def _count(job: Job, target: Target, journal: Journal, reader: Reader) -> int:
    """How many items the job would ask about, after what its model was asked before."""
    run = await journal.write(begin, job, target, reader)
    try:
        await take_inventory(reader, journal, run, job)
        return journal.read(items.count_items, run)
    finally:
        with anyio.CancelScope(shield=True):
            await journal.write(runs.forget_run, run)


def offer(job: Job, count: int, settings: Settings, speeds: Mapping[str, float]) -> Offer:
    """What a job over so many items takes; `speeds` are tokens a second by model."""
    facts = job.profile.facts()
    packer = packer_of(job, facts, settings)
    expected = forecast(packer, count, facts.prices)
    _, output = packer.expected(count)
    requests = expected.requests
    each = output / requests if requests else 0
    speed = speeds.get(facts.wire_model)
    seconds = _FIRST_BYTE + each / (speed or ASSUMED_SPEED)
    planned = plan(job.profile, facts, settings, Ask(messages=(), prompt_tokens=3_000))
    whole, bound = duration(requests, seconds, planned.reserved, account_limits(job.profile))
    return Offer(
        profile=job.profile,
        items=count,
        requests=requests,
        least=expected.least,
        most=expected.most,
        seconds=whole,
        bound=bound,
        measured=speed is not None,
        thinks=planned.thinking,
    )


def duration(requests: int, seconds: float, reserved: int, limits: Limits) -> tuple[float, str]:
    """Seconds for so many requests that take `seconds` each and reserve so many tokens, and the
    limit that binds."""
    at_once = limits.concurrency or limits.hint or _AT_ONCE
    ways = {"requests at once": math.ceil(requests / at_once) * seconds}
    for name, most in (
        ("requests a minute", limits.rpm),
        ("tokens a minute", limits.tpm and max(1, limits.tpm // reserved)),
    ):
        if most:
            ways[name] = max(0, math.ceil(requests / most) - 1) * limits.length + seconds
    bound = max(ways, key=lambda name: ways[name])
    return (ways[bound], bound) if requests else (0.0, "nothing to ask")


def recommend(offers: Sequence[Offer]) -> Advice:
    """Careful where that costs pennies, else cheap with the low ones escalated; with reasons."""
    currency = offers[0].profile.facts().currency or ""
    priced = [one for one in offers if one.cost is not None and one.currency == currency]
    if not priced:
        reasons = ("No price is known for any of them; the first is your active one.",)
        return Advice(tuple(offers), offers[0], None, reasons)
    cheap = min(priced, key=lambda one: (one.cost, one.seconds))
    careful = max(priced, key=lambda one: (one.thinks, one.cost))
    if not cheap.items:
        return Advice(tuple(offers), cheap, None, ("Everything is described already.",))
    if careful is cheap:
        return Advice(tuple(offers), cheap, None, ("It is the cheapest, and the most careful.",))
    assert cheap.most is not None
    assert careful.most is not None
    if careful.most <= _PENNIES.get(currency, Decimal(0)):
        reason = (
            f"This database is small: the most careful reading costs at most {careful.most:.2f} "
            f"{currency}, {careful.most - cheap.most:.2f} more than the cheapest."
        )
        return Advice(tuple(offers), careful, None, (reason,))
    low, high = (careful.least or careful.most) / 10, careful.most / 10
    return Advice(
        tuple(offers),
        cheap,
        careful,
        (
            f"{cheap.profile.name} costs {cheap.least:.2f} to {cheap.most:.2f} {currency}; "
            f"{careful.profile.name} {careful.least:.2f} to {careful.most:.2f} for the same.",
            f"Where thinking pays is what comes back low: {careful.profile.name} costs about "
            f"{low:.2f} to {high:.2f} {currency} for each tenth of the columns.",
        ),
    )
