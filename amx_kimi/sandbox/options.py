"""What the sandbox can be told: one frozen dataclass, its checks, and changes from JSON."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from amx_kimi.sandbox import faults as fault_language
from amx_kimi.sandbox.manners import names

USAGE_SHAPES = ("flat", "nested", "both", "choices", "none")
LOGPROBS = ("model", "silent", "refuse")
REGIONS = ("global", "cn")
LARGEST_TIER = 5

_CHOICES = {"region": REGIONS, "usage_shape": USAGE_SHAPES, "logprobs": LOGPROBS}
_AT_LEAST_ONE = ("most_bytes", "concurrency", "rpm", "tpm", "tpd", "forget_every")
_NOT_NEGATIVE = (
    *("latency", "chunk_delay", "chunks", "thinking_base", "thinking_per_column"),
    *("thinking_spread", "forget_above", "keep"),
)


def _opt(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Options:
    """How the sandbox behaves; every field's help says what it does."""

    port: int = _opt(0, "port on 127.0.0.1; 0 chooses a free one")
    keys: tuple[str, ...] = _opt((), "accepted keys (default: every key that starts with sk-)")
    auth: bool = _opt(True, "whether a key is required; if not, it behaves like a local proxy")
    region: str = _opt("global", "whose account: currency of the balance, wording of a 401")
    tier: int | None = _opt(None, "account tier 0 to 5 with its limits; none: no limits")
    concurrency: int | None = _opt(None, "concurrent requests, instead of the tier's")
    rpm: int | None = _opt(None, "requests per minute, instead of the tier's")
    tpm: int | None = _opt(None, "tokens per minute, charged up front, instead of the tier's")
    tpd: int | None = _opt(None, "tokens per day, charged up front, instead of the tier's")
    minute: float = _opt(60.0, "seconds that a minute of the limits lasts (a day: 1440 of them)")
    limit_figures: bool = _opt(True, "whether a 429 names limit and wait")
    retry_after: bool = _opt(True, "whether a 429 or 503 carries Retry-After")
    latency: float = _opt(0.0, "seconds until the first byte of an answer")
    chunk_delay: float = _opt(0.0, "seconds between two chunks of a stream")
    chunks: int = _opt(0, "about this many content chunks; 0: a few words each")
    thinking_base: int = _opt(200, "thinking tokens of a request, at effort low")
    thinking_per_column: int = _opt(20, "thinking tokens for each column asked, at effort low")
    thinking_spread: float = _opt(0.0, "thinking varies by this fraction up and down, seeded")
    forget_above: int = _opt(0, "forget some columns of larger requests than this; 0: never")
    forget_every: int = _opt(7, "which columns to forget (7: every seventh)")
    usage_shape: str = _opt("flat", "where cached tokens are counted; none: no usage at all")
    logprobs: str = _opt("model", "as the model's row says, silent (ignored) or refuse (a 400)")
    refuse_retired: bool = _opt(False, "404 for models that Moonshot retired")
    models: tuple[str, ...] = _opt((), "serve only these model ids")
    extra_models: tuple[str, ...] = _opt((), "ids of future models, which always think")
    gateway: bool = _opt(False, "behave like OpenRouter: moonshotai/ ids, reasoning everywhere")
    strict_json: bool = _opt(True, "honor response_format; otherwise add prose and a fence")
    refuse: tuple[str, ...] = _opt((), "body parameters that get a 400 naming them")
    sets: tuple[str, ...] = _opt(
        (), "a behavior of another server, such as think-tags or base-resp"
    )
    moderates: tuple[str, ...] = _opt((), "words whose requests are refused as moderated")
    most_bytes: int | None = _opt(None, "larger requests get a 413, as from a proxy in front")
    faults: str = _opt("", "faults such as overload:0.1,500:0.05,rate@3,stall@5-7")
    seed: int = _opt(0, "seed of everything drawn")
    balance: float = _opt(49.58, "money in the account; if not above 0, every chat is refused")
    cache: bool = _opt(True, "whether prefixes of prompts are cached")
    keep: int = _opt(100_000, "how many of the latest requests are remembered")
    keep_bodies: bool = _opt(True, "whether remembered requests keep their bodies")

    def __post_init__(self) -> None:
        for name in _hints():
            _check_type(name, getattr(self, name))
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: {getattr(self, name)!r} is none of {', '.join(allowed)}")
        for name in _AT_LEAST_ONE:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name}: {value} is less than 1")
        for name in _NOT_NEGATIVE:
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: {getattr(self, name)} is negative or not finite")
        self._check_ranges()
        fault_language.parse(self.faults)
        for name in self.sets:
            if name not in names():
                raise ValueError(f"set: unknown manner {name!r}; known are {', '.join(names())}")

    def _check_ranges(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port: {self.port} is not within 0 and 65535")
        if self.tier is not None and not 0 <= self.tier <= LARGEST_TIER:
            raise ValueError(f"tier: {self.tier} is not within 0 and {LARGEST_TIER}")
        if not 0 < self.minute < float("inf"):
            raise ValueError(f"minute: {self.minute} is not a positive number of seconds")
        if self.thinking_spread > 1:
            raise ValueError(f"thinking_spread: {self.thinking_spread} is more than 1")
        if self.balance != self.balance or abs(self.balance) == float("inf"):
            raise ValueError(f"balance: {self.balance} is not finite")


@cache
def _hints() -> dict[str, Any]:
    return typing.get_type_hints(Options)


def _wanted(hint: Any) -> tuple[tuple[type, ...], str]:
    parts = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kinds = tuple(typing.get_origin(part) or part for part in parts)
    names = {tuple: "list of strings", types.NoneType: "null", str: "string", bool: "boolean"}
    return kinds, " or ".join(names.get(kind, kind.__name__) for kind in kinds)


def _check_type(name: str, value: Any) -> None:
    kinds, label = _wanted(_hints()[name])
    if isinstance(value, bool):
        fits = bool in kinds
    elif isinstance(value, tuple):
        fits = tuple in kinds and all(isinstance(item, str) for item in value)
    else:
        fits = isinstance(value, kinds) or (float in kinds and isinstance(value, int))
    if not fits:
        raise ValueError(f"{name}: {value!r} is not a {label}")


def changed(options: Options, changes: Mapping[str, Any]) -> Options:
    """A copy with these fields changed; lists count as tuples, a list of faults as their text."""
    known = _hints()
    for name in changes:
        if name not in known:
            raise ValueError(f"{name}: no such option; known are {', '.join(sorted(known))}")
    values = {name: _from_json(name, value) for name, value in changes.items()}
    if values.get("port", options.port) != options.port:
        raise ValueError("port: cannot change while the sandbox runs")
    return dataclasses.replace(options, **values)


def _from_json(name: str, value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if name == "faults" and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return tuple(value)
