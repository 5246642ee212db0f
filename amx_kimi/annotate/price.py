"""What 1,000 typical columns would take: an estimate before any database is known."""

from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from amx_kimi.annotate.pack import Expectation
from amx_kimi.annotate.prompt import SYSTEM
from amx_kimi.config import Profile
from amx_kimi.facts import cost
from amx_kimi.policy import plan
from amx_kimi.settings import Settings
from amx_kimi.tokens import count_tokens
from amx_kimi.types import Ask, Usage

__all__ = ["Thousand", "per_thousand"]

_PROMPT_PER_COLUMN = 52  # of the sample ERP, samples included (demo, 2026-11-23)
_TYPICAL_PROMPT = 4_000


@dataclass(frozen=True)
class Thousand:
    """An estimate for 1,000 columns; `cost` is None without a price."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal | None
    currency: str | None


def per_thousand(profile: Profile, settings: Settings) -> Thousand:
    """What 1,000 columns would take with this profile, by the sample ERP's average column."""
    facts = profile.facts()
    probe = plan(profile, facts, settings, Ask((), _TYPICAL_PROMPT))
    expected = Expectation(profile.n_alternatives, probe.thinking, profile.description_verbosity)
    fixed = profile.column_batch_size if profile.overlay.batch == "fixed" else None
    items = fixed or expected.most_items(probe.budget)
    requests = ceil(1_000 / items)
    prompt = requests * count_tokens(SYSTEM) + 1_000 * _PROMPT_PER_COLUMN
    output = requests * expected.output(items)
    price = cost(Usage(prompt=prompt, completion=output), facts.prices)
    return Thousand(requests, prompt, output, price, facts.currency)
