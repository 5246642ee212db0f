"""What is sent: by table, by property, and as snapshots of every model row's request body."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.config import Overlay, Profile
from amx_kimi.facts import EndpointRow, Facts, Quirk, load_catalog, match_endpoint
from amx_kimi.policy import FLOOR, RETRY_CAP, RequestPlan, plan
from amx_kimi.settings import EFFORTS, Settings
from amx_kimi.types import Ask

from .snapshots.update import PATH, cases, text

MODELS = [row.id for row in load_catalog().models]
ALWAYS = [row.id for row in load_catalog().models if row.thinking == "always"]
NEVER = [row.id for row in load_catalog().models if row.thinking == "never"]
OPTIONAL = ["kimi-k2.6", "kimi-k2.5"]
MESSAGES = [{"role": "user", "content": "hi"}]


def at(name: str) -> EndpointRow:
    if name == "any":
        return match_endpoint(load_catalog(), "http://127.0.0.1:8000/v1")
    row = load_catalog().endpoint(name)
    assert row is not None
    return row


def decide(
    model: str,
    endpoint: str = "moonshot-ai",
    *,
    learned: tuple[Quirk, ...] = (),
    settings: Settings | None = None,
    ask: dict[str, Any] | None = None,
    overlay: Overlay | None = None,
    budget: int | None = None,
    **fields: Any,
) -> RequestPlan:
    profile = Profile(
        name="p", endpoint=at(endpoint), model=model, overlay=overlay or Overlay(), **fields
    )
    asked = Ask(**{"messages": MESSAGES, "prompt_tokens": 100, **(ask or {})})
    return plan(profile, profile.facts(learned), settings or Settings(), asked, budget=budget)


# --- snapshots


def test_the_body_of_every_model_row_is_the_snapshot() -> None:
    expected = PATH.read_text("utf-8")
    assert json.loads(text()) == json.loads(expected)
    assert text() == expected  # also its order; wanted? python tests/snapshots/update.py


def test_the_snapshots_leave_no_row_out() -> None:
    assert {model.id for model, _ in cases()} == set(MODELS)
    used = {endpoint.name for _, endpoint in cases()}
    assert {"moonshot-ai", "openrouter", "any", "kimi-coding", "cliproxy"} == used


# --- reasons


@pytest.mark.parametrize(
    ("effort", "reason"),
    [
        ("medium", "effort medium from AMX_REASONING_EFFORT"),
        ("max", "the model's nearest value to effort max from AMX_REASONING_EFFORT"),
    ],
)
def test_the_reason_of_an_effort(effort: Any, reason: str) -> None:
    decided = decide("kimi-k2-thinking", "moonshot-cn", settings=Settings(effort=effort))
    assert decided.values["reasoning"].reason == reason


def test_a_budget_that_just_fits_is_not_lowered() -> None:
    room = 8_192 - 100 - 10 - 64
    for wanted, lowered in ((room, False), (room + 1, True)):
        decided = decide("moonshot-v1-8k", max_tokens=wanted)
        assert decided.budget == room
        assert ("lowered" in decided.values["max_tokens"].reason) == lowered


def test_what_is_fixed_with_the_temperature_is_not_sent_and_the_rest_is() -> None:
    asked = {"extra": {"top_p": 0.5, "seed": 7}}
    fixed = decide("kimi-k3", ask=asked).body
    assert ("top_p" in fixed, fixed["seed"]) == (False, 7)
    free = decide("moonshot-v1-8k", ask=asked).body
    assert (free["top_p"], free["seed"]) == (0.5, 7)


# --- the output budget


@pytest.mark.parametrize("model", [*ALWAYS, "kimi-k9", "new-model-thinking", "Qwen3-Thinking:free"])
def test_reasoning_routes_have_a_floor(model: str) -> None:
    decided = decide(model)
    assert decided.thinking
    assert decided.budget == FLOOR == 32_768
    assert decided.budget in decided.body.values()


@pytest.mark.parametrize(
    ("said", "minimum", "asked", "budget"),
    [
        (16_384, None, None, 32_768),  # AMX's default says nothing
        (4_096, None, None, 32_768),
        (50_000, None, None, 50_000),
        (16_384, 8_000, None, 8_000),
        (4_096, 8_000, None, 8_000),
        (9_000, 8_000, None, 9_000),
        (16_384, 1, None, 1),
        (16_384, 100_000, None, 100_000),
        (50_000, 100_000, None, 100_000),
        (16_384, None, 400, 32_768),
        (16_384, None, 40_000, 40_000),
        (16_384, 200, 400, 400),
        (50_000, None, 40_000, 50_000),
        (50_000, None, 60_000, 60_000),
    ],
)
def test_the_budget_of_a_reasoning_route(
    said: int, minimum: int | None, asked: int | None, budget: int
) -> None:
    decided = decide(
        "kimi-k2-thinking",
        max_tokens=said,
        settings=Settings(min_max_tokens=minimum),
        ask={"max_tokens": asked},
    )
    assert decided.budget == decided.body["max_tokens"] == budget


@pytest.mark.parametrize("model", [*NEVER, *OPTIONAL])
def test_chat_routes_have_no_floor(model: str) -> None:
    settings = Settings(min_max_tokens=100_000)
    assert decide(model, max_tokens=4_096, settings=settings).budget == 4_096
    assert decide(model, max_tokens=4_096, ask={"max_tokens": 700}).budget == 700


@pytest.mark.parametrize(
    ("model", "prompt", "lowered"),
    [
        ("kimi-k2-thinking", 225_000, True),
        ("kimi-k2-thinking", 100_000, False),
        ("kimi-k2-thinking", 260_000, True),
        ("kimi-k3", 200_000, False),
        ("moonshot-v1-8k", 1_000, True),
        ("moonshot-v1-128k", 1_000, False),
    ],
)
def test_the_context_lowers_the_budget_only_as_far_as_it_must(
    model: str, prompt: int, lowered: bool
) -> None:
    context = load_catalog().model(model).context
    roomy, tight = decide(model), decide(model, ask={"prompt_tokens": prompt})
    unforced = 16_384 if model.startswith("moonshot") else roomy.budget
    assert (tight.budget < unforced) == lowered
    if lowered:
        assert "lowered" in tight.values["max_tokens"].reason
        # Our count may be 10% short, and no more room than that is given away.
        spare = context - prompt - tight.budget
        assert spare <= prompt // 10 + 100
        assert tight.budget >= 1_024


@pytest.mark.parametrize(
    ("learned", "budget"),
    [
        (Quirk("max_output", "set", 8_192), 8_192),
        (Quirk("max_output", "set", 500_000), 32_768),
        (Quirk("context", "set", 20_000), None),
        (Quirk("max_output", "set", "unknown shape"), 32_768),
    ],
)
def test_the_endpoint_knows_its_limits_better(learned: Quirk, budget: int | None) -> None:
    decided = decide("kimi-k2-thinking", learned=(learned,))
    if budget is None:
        assert 19_000 < decided.budget < 20_000
    else:
        assert decided.budget == budget
    assert set(decided.body) == set(decide("kimi-k2-thinking").body)


def test_the_retrys_budget_replaces_the_other() -> None:
    decided = decide("kimi-k3", budget=131_072)
    assert decided.budget == decided.body["max_completion_tokens"] == 131_072
    assert "retry" in decided.values["max_completion_tokens"].reason


@pytest.mark.parametrize(
    ("model", "said", "most", "retry"),
    [
        ("kimi-k2.6", 4_096, None, 16_384),
        ("kimi-k2.6", 16_384, None, 65_536),
        ("kimi-k3", 16_384, None, 131_072),
        ("kimi-k3", 100_000, None, 131_072),
        ("kimi-k3", 131_072, None, None),
        ("kimi-k3", 200_000, None, None),
        ("kimi-k3", 200_000, 500_000, 500_000),
        ("kimi-k3", 100_000, 1_000_000, 400_000),
        ("kimi-k3", 16_384, 40_000, 40_000),
        ("kimi-k3", 16_384, 30_000, None),
        ("kimi-k3", 300_000, 2_000_000, 1_048_402),
        ("moonshot-v1-8k", 4_096, None, 8_018),
        ("moonshot-v1-8k", 16_384, None, None),
    ],
)
def test_the_retry_takes_four_times_as_much_up_to_its_caps(
    model: str, said: int, most: int | None, retry: int | None
) -> None:
    decided = decide(model, max_tokens=said, overlay=Overlay(max_retry_tokens=most))
    assert decided.retry_budget == retry
    assert RETRY_CAP == 131_072


def test_what_is_charged_up_front() -> None:
    decided = decide("kimi-k2.6", max_tokens=4_096, ask={"prompt_tokens": 904})
    assert decided.reserved == 5_000


@pytest.mark.parametrize(
    ("model", "learned", "field"),
    [
        ("kimi-k3", (), "max_completion_tokens"),
        ("kimi-k2-thinking", (), "max_tokens"),
        ("kimi-k3", ("max_completion_tokens",), "max_tokens"),
        ("kimi-k2-thinking", ("max_tokens",), "max_completion_tokens"),
        ("kimi-k3", ("max_tokens",), "max_completion_tokens"),
        ("kimi-k3", ("max_completion_tokens", "max_tokens"), None),
    ],
)
def test_the_budgets_field(model: str, learned: tuple[str, ...], field: str | None) -> None:
    decided = decide(model, learned=tuple(Quirk(name, "drop") for name in learned))
    sent = {"max_tokens", "max_completion_tokens"} & set(decided.body)
    assert sent == ({field} if field else set())


# --- effort and thinking


@pytest.mark.parametrize(
    ("model", "endpoint", "effort", "sent"),
    [
        ("kimi-k3", "moonshot-ai", None, {"reasoning_effort": "low"}),
        ("kimi-k3", "moonshot-ai", "none", {"reasoning_effort": "low"}),
        ("kimi-k3", "moonshot-ai", "minimal", {"reasoning_effort": "low"}),
        ("kimi-k3", "moonshot-ai", "low", {"reasoning_effort": "low"}),
        ("kimi-k3", "moonshot-ai", "medium", {"reasoning_effort": "low"}),
        ("kimi-k3", "moonshot-ai", "high", {"reasoning_effort": "high"}),
        ("kimi-k3", "moonshot-ai", "max", {"reasoning_effort": "max"}),
        ("k3.1-pro", "kimi-coding", "high", {"reasoning_effort": "high"}),
        ("kimi-k2-thinking", "moonshot-cn", None, {"reasoning": {"effort": "low"}}),
        ("kimi-k2-thinking", "moonshot-cn", "none", {"reasoning": {"effort": "low"}}),
        ("kimi-k2-thinking", "moonshot-cn", "medium", {"reasoning": {"effort": "medium"}}),
        ("kimi-k2-thinking", "moonshot-cn", "max", {"reasoning": {"effort": "high"}}),
        ("kimi-k2.7-code", "moonshot-ai", "high", {}),
        ("kimi-k2.7-code", "openrouter", "high", {"reasoning": {"effort": "high"}}),
        ("kimi-for-coding", "kimi-coding", "max", {}),
        ("kimi-k2.6", "moonshot-ai", None, {"thinking": {"type": "disabled"}}),
        ("kimi-k2.6", "moonshot-ai", "none", {"thinking": {"type": "disabled"}}),
        ("kimi-k2.6", "openrouter", None, {"reasoning": {"enabled": False}}),
        ("kimi-k2.6", "openrouter", "minimal", {"reasoning": {"enabled": False}}),
        ("moonshot-v1-8k", "moonshot-ai", "high", {}),
        ("moonshot-v1-8k", "openrouter", "high", {}),
        ("a-model-of-tomorrow", "any", "high", {}),
    ],
)
def test_effort_is_said_in_the_models_dialect(
    model: str, endpoint: str, effort: Any, sent: dict[str, Any]
) -> None:
    body = decide(model, endpoint, settings=Settings(effort=effort)).body
    words = ("reasoning", "reasoning_effort", "thinking", "effort")
    assert {name: body[name] for name in words if name in body} == sent


@pytest.mark.parametrize(
    ("overlay", "effort", "thinks"),
    [
        (Overlay(), None, False),
        (Overlay(), "high", False),
        (Overlay(thinking=True), None, True),
        (Overlay(thinking=False), None, False),
        (Overlay(effort="high"), None, True),
        (Overlay(effort="high", thinking=False), None, False),
        (Overlay(effort="none"), None, False),
        (Overlay(effort="minimal"), None, False),
        (Overlay(effort="none", thinking=True), None, False),
        (Overlay(effort="high"), "none", False),
        (Overlay(effort="none"), "low", False),
        (Overlay(effort="none", thinking=True), "low", True),
        (Overlay(thinking=True), "minimal", False),
    ],
)
@pytest.mark.parametrize("endpoint", ["moonshot-ai", "openrouter"])
def test_optional_thinking_is_off_unless_the_profile_says_otherwise(
    overlay: Overlay, effort: Any, thinks: bool, endpoint: str
) -> None:
    decided = decide("kimi-k2.6", endpoint, overlay=overlay, settings=Settings(effort=effort))
    assert decided.thinking == thinks
    assert decided.budget == (32_768 if thinks else 16_384)
    assert ("logprobs" in decided.body) == (not thinks)
    if endpoint == "moonshot-ai":
        expected = {"type": "enabled" if thinks else "disabled"}
        assert decided.body["thinking"] == expected
    else:
        assert decided.body["reasoning"].get("enabled", True) == thinks


@pytest.mark.parametrize("model", ALWAYS)
@pytest.mark.parametrize("overlay", [Overlay(thinking=False), Overlay(effort="none")])
def test_what_always_thinks_cannot_be_told_not_to(model: str, overlay: Overlay) -> None:
    decided = decide(model, overlay=overlay)
    assert decided.thinking
    assert "thinking" not in decided.body


@pytest.mark.parametrize("model", NEVER)
def test_what_never_thinks_is_not_told_to(model: str) -> None:
    decided = decide(
        model, overlay=Overlay(thinking=True, effort="high"), settings=Settings(effort="max")
    )
    assert not decided.thinking


def test_the_environment_beats_the_profile() -> None:
    overlay = Overlay(effort="high")
    decided = decide("kimi-k3", overlay=overlay, settings=Settings(effort="max"))
    assert decided.body["reasoning_effort"] == "max"
    assert "AMX_REASONING_EFFORT" in decided.values["reasoning_effort"].reason
    assert decide("kimi-k3", overlay=overlay).body["reasoning_effort"] == "high"


def test_a_switch_that_the_endpoint_refuses_means_that_it_thinks() -> None:
    for endpoint, parameter in (("moonshot-ai", "thinking"), ("openrouter", "reasoning")):
        decided = decide("kimi-k2.6", endpoint, learned=(Quirk(parameter, "drop"),))
        assert decided.thinking
        assert decided.budget == FLOOR
        assert parameter not in decided.body
        assert "refused" in decided.values[parameter].reason


@pytest.mark.parametrize("word", ["none", "reasoning_effort"])
@pytest.mark.parametrize("overlay", [Overlay(), Overlay(thinking=False, effort="none")])
def test_without_a_word_for_off_what_can_think_is_planned_as_thinking(
    word: Any, overlay: Overlay
) -> None:
    endpoint = replace(at("any"), effort=word)
    profile = Profile(name="p", endpoint=endpoint, model="kimi-k2.6", overlay=overlay)
    decided = plan(profile, profile.facts(), Settings(), Ask(MESSAGES, 100))
    assert decided.thinking
    assert decided.budget == FLOOR
    expected = "low" if word == "reasoning_effort" else None
    assert decided.body.get("reasoning_effort") == expected


# --- the other parameters


@pytest.mark.parametrize("model", NEVER)
def test_chat_routes_take_the_profiles_values(model: str) -> None:
    body = decide(model, temperature=0.7, max_tokens=2_048).body
    assert body["temperature"] == 0.7
    assert body["max_tokens"] == 2_048


@pytest.mark.parametrize("endpoint", ["moonshot-ai", "openrouter", "any"])
@pytest.mark.parametrize("model", [*ALWAYS, *OPTIONAL])
def test_a_fixed_temperature_is_not_sent(model: str, endpoint: str) -> None:
    for overlay in (Overlay(), Overlay(thinking=True)):
        decided = decide(model, endpoint, temperature=0.2, overlay=overlay)
        assert "temperature" not in decided.body
        assert "fixed" in decided.values["temperature"].reason


@pytest.mark.parametrize(
    ("model", "forced", "asked"),
    [
        ("kimi-k2.6", True, True),
        ("kimi-k2.6", False, False),
        ("kimi-k3", True, True),
        ("kimi-k2-thinking", True, False),
        ("kimi-k2.7-code", True, False),
        ("kimi-k2-0905-preview", True, True),
        ("a-model-of-tomorrow", True, False),
    ],
)
def test_logprobs_are_asked_only_where_they_come_back(
    model: str, forced: bool, asked: bool
) -> None:
    assert ("logprobs" in decide(model, force_logprobs=forced).body) == asked


@pytest.mark.parametrize(
    ("model", "endpoint", "wanted", "sent"),
    [
        ("kimi-k2.6", "moonshot-ai", True, True),
        ("kimi-k2.6", "moonshot-ai", False, False),
        ("kimi-k2.6", "openrouter", True, True),
        ("kimi-k2.6", "any", True, False),
        ("a-model-of-tomorrow", "moonshot-ai", True, False),
    ],
)
def test_json_mode(model: str, endpoint: str, wanted: bool, sent: bool) -> None:
    body = decide(model, endpoint, ask={"json_mode": wanted}).body
    assert body.get("response_format") == ({"type": "json_object"} if sent else None)


@pytest.mark.parametrize(
    ("endpoint", "key", "sent"),
    [("moonshot-ai", "run-1", "run-1"), ("moonshot-ai", "", None), ("openrouter", "run-1", None)],
)
def test_the_cache_key(endpoint: str, key: str, sent: str | None) -> None:
    body = decide("kimi-k2.6", endpoint, ask={"cache_key": key}).body
    assert body.get("prompt_cache_key") == sent


def test_tools_are_passed_on() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    body = decide("kimi-k3", ask={"tools": [tool], "tool_choice": "auto"}).body
    assert (body["tools"], body["tool_choice"]) == ([tool], "auto")
    body = decide("kimi-k3", ask={"tools": (tool,)}).body
    assert body["tools"] == [tool]
    assert "tool_choice" not in body
    assert "tools" not in decide("kimi-k3").body


@pytest.mark.parametrize(
    ("model", "endpoint", "part"),
    [
        ("kimi-k2-thinking", "moonshot-cn", "retired on 2026-05-25, sent anyway"),
        ("kimi-k2-thinking", "moonshot-cn", "kimi-k3"),
        ("kimi-k2-thinking", "openrouter", "the profile's model"),
        ("kimi-k3", "moonshot-ai", "the profile's model"),
        ("kimi-k9", "moonshot-ai", "family kimi"),
    ],
)
def test_the_models_reason(model: str, endpoint: str, part: str) -> None:
    decided = decide(model, endpoint)
    assert part in decided.values["model"].reason
    assert decided.body["model"]


# --- quirks


@pytest.mark.parametrize(
    ("quirk", "before", "after"),
    [
        (Quirk("logprobs", "drop"), True, None),
        (Quirk("stream_options", "drop"), {"include_usage": True}, None),
        (Quirk("response_format", "drop"), {"type": "json_object"}, None),
        (Quirk("prompt_cache_key", "drop"), "run-1", None),
        (Quirk("temperature", "set", 1.0), None, 1.0),
        (Quirk("top_p", "set", 0.95), None, 0.95),
        (Quirk("never_sent", "drop"), None, None),
        (Quirk("context", "set", 100_000), None, None),
        (Quirk("max_output", "set", 10_000), None, None),
    ],
)
def test_what_an_endpoint_taught_is_applied(quirk: Quirk, before: Any, after: Any) -> None:
    ask = {"json_mode": True, "cache_key": "run-1"}
    plain = decide("kimi-k2.6", ask=ask)
    taught = decide("kimi-k2.6", ask=ask, learned=(quirk,))
    assert plain.body.get(quirk.parameter) == before
    assert taught.body.get(quirk.parameter) == after
    ours = {"max_completion_tokens", quirk.parameter}
    unchanged = {k: v for k, v in plain.body.items() if k not in ours}
    assert {k: v for k, v in taught.body.items() if k not in ours} == unchanged


def test_the_reason_of_a_quirk_names_its_day() -> None:
    old = Quirk("logprobs", "drop", learned_on=date(2026, 11, 20))
    assert "2026-11-20" in decide("kimi-k2.6", learned=(old,)).values["logprobs"].reason
    new = Quirk("logprobs", "drop")
    assert "this run" in decide("kimi-k2.6", learned=(new,)).values["logprobs"].reason


# --- properties

ENDPOINTS = ["moonshot-ai", "moonshot-cn", "kimi-coding", "cliproxy", "openrouter", "any"]
EFFORT = st.none() | st.sampled_from(EFFORTS)
TOKENS = st.integers(1, 2_000_000)
NAMES = st.sampled_from([*MODELS, "kimi-k9", "kimi-k3.9", "x-thinking", "llama", ""])
OVERLAYS = st.builds(
    Overlay,
    thinking=st.none() | st.booleans(),
    effort=EFFORT,
    max_retry_tokens=st.none() | TOKENS,
)
PROFILES = st.builds(
    Profile,
    name=st.just("p"),
    endpoint=st.sampled_from(ENDPOINTS).map(at),
    model=NAMES,
    temperature=st.floats(0, 2),
    max_tokens=TOKENS,
    force_logprobs=st.booleans(),
    overlay=OVERLAYS,
)
SETTINGS = st.builds(Settings, min_max_tokens=st.none() | st.integers(1, 10_000_000), effort=EFFORT)
ASKS = st.builds(
    Ask,
    messages=st.just(MESSAGES),
    prompt_tokens=st.integers(0, 2_000_000),
    max_tokens=st.none() | TOKENS,
    json_mode=st.booleans(),
    cache_key=st.sampled_from(["", "k"]),
    tools=st.sampled_from([(), ({"type": "function"},)]),
    tool_choice=st.sampled_from([None, "auto"]),
)
SENT = ["thinking", "reasoning", "reasoning_effort", "logprobs", "max_tokens", "stream_options"]
QUIRKS = st.lists(
    st.builds(Quirk, st.sampled_from([*SENT, "max_completion_tokens"]), st.just("drop"))
    | st.builds(
        Quirk, st.sampled_from(["context", "max_output"]), st.just("set"), st.integers(1, 10**6)
    ),
    max_size=3,
).map(tuple)


def planned(
    profile: Profile, settings: Settings, ask: Ask, learned: tuple[Quirk, ...]
) -> tuple[RequestPlan, Facts]:
    facts = profile.facts(learned)
    return plan(profile, facts, settings, ask), facts


@given(PROFILES, SETTINGS, ASKS, QUIRKS)
def test_every_plan_is_sound(
    profile: Profile, settings: Settings, ask: Ask, learned: tuple[Quirk, ...]
) -> None:
    decided, facts = planned(profile, settings, ask, learned)
    body = decided.body
    assert None not in body.values()
    assert body["messages"] == MESSAGES
    assert body["stream"] is True
    assert body["model"] == facts.wire_model
    assert all(value.reason.strip() for value in decided.values.values())
    for name, value in decided.values.items():
        left_out = value.value is None and name != "tool_choice"
        assert value.reason.startswith("not ") == left_out, name
    mode = "thinking" if decided.thinking else "chat"
    if mode in facts.model.temperature:
        assert "temperature" not in body
    assert "logprobs" not in body or mode in facts.model.logprobs
    assert 1 <= decided.budget <= facts.model.context
    assert decided.retry_budget is None or decided.budget < decided.retry_budget
    if decided.retry_budget is not None:
        cap = profile.overlay.max_retry_tokens or RETRY_CAP
        assert decided.retry_budget <= min(cap, decided.budget * 4, facts.model.context)
    spoken = {"thinking", "reasoning", "reasoning_effort"} & set(body)
    assert len(spoken) <= 1
    assert facts.model.thinking != "never" or (not decided.thinking and not spoken)
    assert json.loads(json.dumps(body)) == body


@given(PROFILES, SETTINGS, ASKS)
def test_the_floor_holds_wherever_the_context_allows(
    profile: Profile, settings: Settings, ask: Ask
) -> None:
    decided, facts = planned(profile, settings, ask, ())
    floor = settings.min_max_tokens or FLOOR
    room = facts.model.context - ask.prompt_tokens - ask.prompt_tokens // 10 - 64
    if decided.thinking:
        assert decided.budget >= min(floor, room)


@given(PROFILES, SETTINGS, ASKS)
def test_planning_is_pure(profile: Profile, settings: Settings, ask: Ask) -> None:
    before = replace(profile), replace(settings), replace(ask)
    first, _ = planned(profile, settings, ask, ())
    second, _ = planned(profile, settings, ask, ())
    assert first == second
    assert (profile, settings, ask) == before


@given(PROFILES, SETTINGS, ASKS)
def test_the_retrys_plan_differs_in_its_budget_only(
    profile: Profile, settings: Settings, ask: Ask
) -> None:
    first, facts = planned(profile, settings, ask, ())
    if first.retry_budget is None:
        return
    again = plan(profile, facts, settings, ask, budget=first.retry_budget)
    assert again.budget == first.retry_budget
    field = facts.model.max_tokens_field
    assert again.body == {**first.body, field: first.retry_budget}
