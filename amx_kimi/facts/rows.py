"""The rows of the facts files, typed; `amx_kimi.typed` validates them at load."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

__all__ = ["EffortRow", "EndpointRow", "ModelRow", "Prices", "TierRow"]

Mode = Literal["thinking", "chat"]


@dataclass(frozen=True)
class Prices:
    """Prices per 1M tokens, in the currency of their key. `hit` is for cached prompt tokens."""

    hit: Decimal
    miss: Decimal
    output: Decimal
    write_5m: Decimal | None = None


@dataclass(frozen=True)
class EffortRow:
    """How reasoning effort is sent to a model, and which values it accepts."""

    dialect: Literal["none", "reasoning", "reasoning_effort", "thinking"]
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelRow:
    """One model; the columns are described at the head of models.yml."""

    id: str
    family: str
    context: int
    thinking: Literal["never", "optional", "always"]
    effort: EffortRow = EffortRow("none")
    max_output: int | None = None
    prices: Mapping[str, Prices] = field(default_factory=dict)
    temperature: Mapping[Mode, float] = field(default_factory=dict)
    logprobs: tuple[Mode, ...] = ()
    json_mode: bool = False
    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_tokens"
    tools: bool = False
    vision: bool = False
    batch: bool = False
    pick: str = ""
    aliases: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    retired_on: datetime.date | None = None
    successor: str = ""
    open_weights: bool = False
    source: str = ""
    date: datetime.date | None = None

    @property
    def live(self) -> bool:
        """Whether Moonshot's own endpoints serve it, by this table."""
        return self.retired_on is None and not self.open_weights


@dataclass(frozen=True)
class EndpointRow:
    """One endpoint; the columns are described at the head of endpoints.yml."""

    name: str
    url: str
    protocol: Literal["openai", "anthropic"] = "openai"
    region: str = ""
    other_region: str = ""
    openai_sibling: str = ""
    currency: str = ""
    list_prices: bool = False
    auth: Literal["key", "none"] = "key"
    keys_from: str = ""
    effort: Literal["", "none", "reasoning", "reasoning_effort", "thinking"] = ""
    json_mode: bool = True
    model_prefix: str = ""
    cache_key: bool = False
    own: bool = False
    source: str = ""
    date: datetime.date | None = None

    @property
    def label(self) -> str:
        """Its name in messages, or its URL if it has none."""
        return self.url if self.name == "any" else self.name


@dataclass(frozen=True)
class TierRow:
    """One rate-limit tier: concurrent requests, requests and tokens per minute, tokens per day."""

    tier: int
    concurrency: int
    rpm: int
    tpm: int
    tpd: int | None = None
