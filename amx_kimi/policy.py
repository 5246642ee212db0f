"""Decides what to send: a pure function from a profile, the facts, the settings and an `Ask`.

Each value of a plan has its reason, even if it is not sent; `amx-kimi explain` prints them. There
is no I/O, clock or environment here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from amx_kimi.config.profile import AMX_DEFAULTS, Profile
from amx_kimi.facts import HABITS, Facts
from amx_kimi.settings import EFFORTS, Effort, Settings
from amx_kimi.types import Ask

__all__ = ["FLOOR", "RETRY_CAP", "RequestPlan", "Value", "plan"]

FLOOR = 32_768
"""The smallest output budget on reasoning routes, in tokens (AMX's documentation)."""

RETRY_CAP = 131_072
"""The most output tokens of the retry on finish_reason=length, unless kimi.yml raises it."""

Mode = Literal["thinking", "chat"]
_FIXED = frozenset({"top_p", "n", "presence_penalty", "frequency_penalty"})
_RETRY_FACTOR = 4
_LEAST_ROOM = 1_024  # the budget if, by our count, the prompt fills the context


@dataclass(frozen=True)
class Value:
    """One parameter of the request; it is not sent if `value` is None."""

    value: Any
    reason: str


@dataclass(frozen=True)
class RequestPlan:
    """What to send for one `Ask`: every parameter with its reason.

    `budget` is the output budget in tokens, and `retry_budget` that of the one retry on
    finish_reason=length (None: there is no larger one). `reserved` is what the request counts
    against the account's token limits up front.
    """

    values: Mapping[str, Value]
    ask: Ask
    thinking: bool
    budget: int
    retry_budget: int | None

    @property
    def body(self) -> dict[str, Any]:
        """The request's JSON body."""
        sent = {name: v.value for name, v in self.values.items() if v.value is not None}
        return {**sent, "messages": list(self.ask.messages)}

    @property
    def reserved(self) -> int:
        """Prompt and output budget, in tokens."""
        return self.ask.prompt_tokens + self.budget


def plan(
    profile: Profile, facts: Facts, settings: Settings, ask: Ask, *, budget: int | None = None
) -> RequestPlan:
    """The plan of a request. `budget` (of a retry) replaces the one that policy would choose."""
    effort = _effort(profile, settings)
    thinking, why = _thinking(profile, facts, effort)
    mode: Mode = "thinking" if thinking else "chat"
    tokens = _budget(profile, facts, settings, ask, thinking, budget)
    field, field_why = _max_tokens_field(facts)
    values = {
        "model": Value(facts.wire_model, _model_reason(facts)),
        "stream": Value(True, "always, because the service times out after long silences"),
        "stream_options": Value({"include_usage": True}, "to count tokens"),
        field: Value(tokens.value, f"{tokens.reason}; {field_why}"),
        **_effort_values(facts, thinking, why, effort),
        "temperature": _temperature(profile, facts, ask, mode),
        "logprobs": _logprobs(profile, facts, ask, mode),
        "response_format": _response_format(facts, ask),
        "prompt_cache_key": _cache_key(facts, ask),
    }
    values |= _callers_own(facts, ask, mode)
    if ask.tools:
        values["tools"] = Value(list(ask.tools), "the caller's tools")
        values["tool_choice"] = Value(ask.tool_choice, "the caller's choice")
    return RequestPlan(
        values=_learned(values, facts),
        ask=ask,
        thinking=thinking,
        budget=tokens.value,
        retry_budget=_retry_budget(profile, facts, ask, tokens.value),
    )


def _model_reason(facts: Facts) -> str:
    row = facts.model
    if row.retired_on and facts.endpoint.own:
        return f"retired on {row.retired_on}, sent anyway; successor: {row.successor}"
    if not facts.known:
        return f"unknown to amx-kimi; treated like the family {row.family}"
    return "the profile's model"


def _effort(profile: Profile, settings: Settings) -> Value:
    if settings.effort:
        return Value(settings.effort, "AMX_REASONING_EFFORT")
    if profile.overlay.effort:
        return Value(profile.overlay.effort, "kimi.yml")
    return Value("low", "the default")


def _thinking(profile: Profile, facts: Facts, effort: Value) -> tuple[bool, str]:
    if facts.model.thinking == "never":
        return False, "this model does not think"
    if facts.model.thinking == "always":
        return True, "this model always thinks"
    if facts.model.effort.dialect not in ("thinking", "reasoning"):
        return True, "it thinks by default, and this endpoint cannot switch that off"
    if effort.value in ("none", "minimal"):
        return False, f"effort {effort.value} ({effort.reason})"
    if profile.overlay.thinking is not None:
        return profile.overlay.thinking, f"kimi.yml: thinking {profile.overlay.thinking}".lower()
    if profile.overlay.effort not in (None, "none", "minimal"):
        return True, f"kimi.yml: effort {profile.overlay.effort}"
    return (
        False,
        "off for descriptions, if optional (`thinking: true` in kimi.yml switches it on)",
    )


def _effort_values(facts: Facts, thinking: bool, why: str, effort: Value) -> dict[str, Value]:
    dialect, allowed = facts.model.effort.dialect, facts.model.effort.values
    if dialect == "none" or facts.model.thinking == "never":
        return {"effort": Value(None, f"not sent: {why} and accepts no effort")}
    if dialect == "thinking":
        return {"thinking": Value({"type": "enabled" if thinking else "disabled"}, why)}
    if not thinking:
        return {"reasoning": Value({"enabled": False}, why)}
    nearest = _nearest(effort.value, allowed)
    asked = f"effort {effort.value} from {effort.reason}"
    reason = asked if nearest == effort.value else f"the model's nearest value to {asked}"
    if dialect == "reasoning":
        return {"reasoning": Value({"effort": nearest}, reason)}
    return {"reasoning_effort": Value(nearest, reason)}


def _nearest(effort: Effort, allowed: tuple[str, ...]) -> str:
    """The allowed effort that is nearest to the wanted one; of two, the cheaper."""
    rank: dict[str, int] = {name: position for position, name in enumerate(EFFORTS)}
    ordered = sorted(allowed or ("low", "medium", "high"), key=lambda name: rank.get(name, 0))
    return min(ordered, key=lambda name: abs(rank.get(name, 0) - rank[effort]))


def _budget(
    profile: Profile,
    facts: Facts,
    settings: Settings,
    ask: Ask,
    thinking: bool,
    fixed: int | None,
) -> Value:
    if fixed is not None:
        return Value(fixed, "the retry on finish_reason=length")
    wanted = _wanted_budget(profile, settings, ask, thinking)
    most, limit = _most(facts, ask)
    if wanted.value > most:
        return Value(most, f"lowered from {wanted.value}: {limit}")
    return wanted


def _wanted_budget(profile: Profile, settings: Settings, ask: Ask, thinking: bool) -> Value:
    if not thinking:
        if ask.max_tokens:
            return Value(ask.max_tokens, "the caller's max_tokens")
        return Value(profile.max_tokens, "the profile's max_tokens")
    # AMX writes its default into every profile, so this value is not the user's choice.
    said = 0 if profile.max_tokens == AMX_DEFAULTS["max_tokens"] else profile.max_tokens
    floor = settings.min_max_tokens or FLOOR
    source = "AMX_LLM_MIN_MAX_TOKENS" if settings.min_max_tokens else "its default"
    asked = max(said, ask.max_tokens or 0)
    if asked > floor:
        return Value(
            asked, "the caller's max_tokens" if asked != said else "the profile's max_tokens"
        )
    return Value(floor, f"the floor of reasoning routes, {source}")


def _most(facts: Facts, ask: Ask) -> tuple[int, str]:
    """The largest budget that fits, and what limits it. Our token count may be 10% too low."""
    room = facts.model.context - ask.prompt_tokens - ask.prompt_tokens // 10 - 64
    room = max(room, min(_LEAST_ROOM, facts.model.context))
    limits = [(room, f"the context of {facts.model.context} leaves no more room")]
    if facts.model.max_output:
        limits.append((facts.model.max_output, "the model's maximum"))
    if (quirk := facts.quirks.get("max_output")) and isinstance(quirk.value, int):
        limits.append((quirk.value, "the endpoint said so"))
    return min(limits)


def _retry_budget(profile: Profile, facts: Facts, ask: Ask, budget: int) -> int | None:
    cap = profile.overlay.max_retry_tokens or RETRY_CAP
    larger = min(budget * _RETRY_FACTOR, cap, _most(facts, ask)[0])
    return larger if larger > budget else None


def _max_tokens_field(facts: Facts) -> tuple[str, str]:
    field = facts.model.max_tokens_field
    other = "max_tokens" if field == "max_completion_tokens" else "max_completion_tokens"
    if field in facts.quirks:
        return other, f"this endpoint refused {field}"
    return field, "the model's name for it"


def _temperature(profile: Profile, facts: Facts, ask: Ask, mode: Mode) -> Value:
    fixed = facts.model.temperature.get(mode)
    if fixed is not None:
        return Value(None, f"not sent: fixed at {fixed} for this model")
    if ask.temperature is not None:
        return Value(ask.temperature, "the caller's temperature")
    return Value(profile.temperature, "the profile's temperature")


def _callers_own(facts: Facts, ask: Ask, mode: Mode) -> dict[str, Value]:
    """The caller's other parameters, without those that are fixed if the temperature is."""
    fixed = facts.model.temperature.get(mode) is not None
    return {
        name: Value(None, "not sent: fixed for this model")
        if fixed and name in _FIXED
        else Value(value, "the caller's own")
        for name, value in ask.extra.items()
    }


def _logprobs(profile: Profile, facts: Facts, ask: Ask, mode: Mode) -> Value:
    if not ask.logprobs:
        return Value(None, "not requested by the caller")
    if not profile.force_logprobs:
        return Value(None, "not requested: the profile's force_logprobs is off")
    if mode not in facts.model.logprobs:
        return Value(None, "not requested: this model returns none here")
    return Value(True, "for confidence from token probabilities")


def _response_format(facts: Facts, ask: Ask) -> Value:
    if not ask.json_mode:
        return Value(None, "not requested by the caller")
    if not facts.model.json_mode:
        return Value(None, "not requested: not known to work here")
    return Value({"type": "json_object"}, "the answer is one JSON object")


def _cache_key(facts: Facts, ask: Ask) -> Value:
    if not ask.cache_key or not facts.endpoint.cache_key:
        return Value(None, "not sent: no common prefix, or not known here")
    return Value(ask.cache_key, "routes requests with a common prefix to one cache")


def _learned(values: dict[str, Value], facts: Facts) -> dict[str, Value]:
    """Omit or change what the endpoint refused: it knows better than the table."""
    for name, quirk in facts.quirks.items():
        when = f"on {quirk.learned_on}" if quirk.learned_on else "in this run"
        since = f"learned from this endpoint {when}"
        if name in values and quirk.action == "drop":
            values[name] = Value(None, f"not sent: refused, {since}")
        elif quirk.action == "set" and name not in HABITS:
            values[name] = Value(quirk.value, since)
    if values["stream"].value is None:
        values["stream_options"] = Value(None, "not sent: it belongs to a stream")
    return values
