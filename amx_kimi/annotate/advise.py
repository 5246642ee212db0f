"""Compares profiles for a database: the cost and time of each, and a recommendation.

All figures are estimates, like those of a dry run, within the account's limits. Nothing is sent.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import anyio

from amx_kimi.annotate.estimate import Estimate, estimate
from amx_kimi.annotate.job import Job
from amx_kimi.annotate.opening import Target, temporary_run
from amx_kimi.annotate.reader import Reader
from amx_kimi.client import account_limits
from amx_kimi.client.limiter import Limits
from amx_kimi.config import LearnedStore, Profile
from amx_kimi.facts import Facts
from amx_kimi.journal import Journal, runs
from amx_kimi.policy import plan
from amx_kimi.settings import Settings
from amx_kimi.types import Ask

__all__ = ["Advice", "Offer", "advise", "recommend"]

ASSUMED_SPEED = 40.0
"""Output tokens per second of a request, if the journal has no figure for the model: a guess."""

_FIRST_BYTE = 1.0  # seconds, a guess too
_AT_ONCE = 8
_PENNIES = {"USD": Decimal("0.50"), "CNY": Decimal("3.50")}


@dataclass(frozen=True)
class Offer:
    """An estimate for one profile.

    `seconds` is the time within the account's limits; `bound` names the limit that determines it.
    `measured` says whether the model's speed comes from the journal.
    """

    profile: Profile
    estimate: Estimate
    seconds: float
    bound: str
    measured: bool
    thinks: bool

    @property
    def items(self) -> int:
        """How many columns and tables would be asked about."""
        return self.estimate.asked + self.estimate.tables

    @property
    def currency(self) -> str | None:
        """The endpoint's currency."""
        return self.profile.facts().currency


@dataclass(frozen=True)
class Advice:
    """The offers, the recommended one, and the one for escalating low-confidence results."""

    offers: tuple[Offer, ...]
    best: Offer
    escalate: Offer | None
    reasons: tuple[str, ...]


def advise(
    jobs: Sequence[Job], target: Target, journal: Journal, settings: Settings
) -> tuple[Offer, ...]:
    """An offer for each job; the jobs differ only in their profile.

    Raises:
        KimiError: the database or the journal is unusable.
    """

    async def look() -> tuple[Offer, ...]:
        speeds = journal.read(runs.speeds)
        learned = LearnedStore(settings.config_dir)
        offers = []
        async with Reader(lambda: target.open(jobs[0])) as reader:
            for job in jobs:
                quirks = learned.quirks(job.profile.base_url, job.profile.model)
                facts = job.profile.facts(quirks)
                async with temporary_run(job, target, journal, reader) as run:
                    found = await estimate(run, facts, settings)
                offers.append(offer(job, found, facts, settings, speeds))
        return tuple(offers)

    return anyio.run(look)


def offer(
    job: Job, found: Estimate, facts: Facts, settings: Settings, speeds: Mapping[str, float]
) -> Offer:
    """The offer for an estimate with a job's profile; `speeds` are tokens per second by model."""
    each = found.completion_tokens / found.requests if found.requests else 0
    speed = speeds.get(facts.wire_model)
    seconds = _FIRST_BYTE + each / (speed or ASSUMED_SPEED)
    planned = plan(job.profile, facts, settings, Ask(messages=(), prompt_tokens=3_000))
    limits = account_limits(job.profile)
    whole, bound = duration(found.requests, seconds, planned.reserved, limits)
    return Offer(job.profile, found, whole, bound, speed is not None, planned.thinking)


def duration(requests: int, seconds: float, reserved: int, limits: Limits) -> tuple[float, str]:
    """The seconds that `requests` take, and the limit that determines them.

    Each request takes `seconds` and reserves so many tokens.
    """
    at_once = limits.concurrency or limits.hint or _AT_ONCE
    ways = {"concurrency": math.ceil(requests / at_once) * seconds}
    for name, most in (
        ("requests per minute", limits.rpm),
        ("tokens per minute", limits.tpm and max(1, limits.tpm // reserved)),
    ):
        if most:
            waits = max(0, math.ceil(requests / most) - 1)
            ways[name] = waits * limits.length + seconds
    bound = max(ways, key=lambda name: ways[name])
    return (ways[bound], bound) if requests else (0.0, "nothing to ask")


def recommend(offers: Sequence[Offer]) -> Advice:
    """Recommend the most careful profile if it costs little, else the cheapest, with escalation of
    low-confidence results; with reasons."""
    everything = tuple(offers)
    currency = offers[0].currency or ""
    priced = [
        (one.estimate.cost, one)
        for one in offers
        if one.estimate.cost is not None and one.currency == currency
    ]
    if not priced:
        reason = "No prices are known. The first profile is your active one."
        return Advice(everything, offers[0], None, (reason,))
    low, cheap = min(priced, key=lambda pair: (pair[0], pair[1].seconds))
    high, careful = max(priced, key=lambda pair: (pair[1].thinks, pair[0]))
    if not cheap.items:
        return Advice(everything, cheap, None, ("Everything is already described.",))
    if careful is cheap:
        return Advice(everything, cheap, None, ("It is the cheapest, and the most careful.",))
    if (careful.estimate.most or high) <= _PENNIES.get(currency, Decimal(0)):
        reason = (
            f"This database is small: the most careful profile costs about {high:.2f} {currency}, "
            f"{high - low:.2f} more than the cheapest."
        )
        return Advice(everything, careful, None, (reason,))
    return Advice(
        everything,
        cheap,
        careful,
        (
            f"{cheap.profile.name} costs {_range(cheap)}; "
            f"{careful.profile.name} {_range(careful)} for the same.",
            f"Thinking pays for low-confidence results: {careful.profile.name} costs about "
            f"{high / 10:.2f} {currency} for each tenth of the columns.",
        ),
    )


def _range(offer: Offer) -> str:
    found = offer.estimate
    return f"{found.least:.2f} to {found.most:.2f} {offer.currency}"
