"""The model table against the documented one (kimi-api.md, November 2026), row by row."""

from datetime import date
from decimal import Decimal

import pytest

from amx_kimi.facts import ModelRow, Prices, load_catalog

M, K256, K128 = 1_048_576, 262_144, 131_072


def usd(hit: str, miss: str, output: str, *writes: str) -> Prices:
    return Prices(Decimal(hit), Decimal(miss), Decimal(output), *map(Decimal, writes))


# id, context, USD per 1M tokens, thinking
LIVE: list[tuple[str, int, Prices | None, str]] = [
    ("kimi-k3.1-pro", M, usd("0.20", "2", "10", "2"), "always"),
    ("kimi-k3.1-pro-highspeed", M, usd("0.20", "4", "20", "4"), "always"),
    ("kimi-k3", M, usd("0.30", "3", "15", "3"), "always"),
    ("kimi-k2.7-code", K256, usd("0.19", "0.95", "4"), "always"),
    ("kimi-k2.7-code-highspeed", K256, usd("0.38", "1.90", "8"), "always"),
    ("kimi-k2.6", K256, usd("0.16", "0.95", "4"), "optional"),
    ("kimi-for-coding", K256, None, "always"),
    ("k3", M, None, "always"),
    ("k3-256k", K256, None, "always"),
    ("k3.1-pro", M, None, "always"),
]

K2 = usd("0.15", "0.60", "2.50")
# id, context, USD per 1M tokens, thinking, retired
RETIRED: list[tuple[str, int, Prices | None, str, date | None]] = [
    ("kimi-k2.5", K256, usd("0.10", "0.60", "3.00"), "optional", date(2026, 8, 31)),
    ("moonshot-v1-8k", 8_192, None, "never", date(2026, 8, 31)),
    ("moonshot-v1-32k", 32_768, None, "never", date(2026, 8, 31)),
    ("moonshot-v1-128k", K128, None, "never", date(2026, 8, 31)),
    ("moonshot-v1-8k-vision-preview", 8_192, None, "never", date(2026, 8, 31)),
    ("moonshot-v1-32k-vision-preview", 32_768, None, "never", date(2026, 8, 31)),
    ("moonshot-v1-128k-vision-preview", K128, None, "never", date(2026, 8, 31)),
    ("moonshot-v1-auto", K128, None, "never", date(2026, 8, 31)),
    ("kimi-k2-thinking", K256, K2, "always", date(2026, 5, 25)),
    ("kimi-k2-thinking-turbo", K256, K2, "always", date(2026, 5, 25)),
    ("kimi-k2-0905-preview", K256, K2, "never", date(2026, 5, 25)),
    ("kimi-k2-turbo-preview", K256, usd("0.60", "2.40", "10.00"), "never", date(2026, 5, 25)),
    ("kimi-k2-0711-preview", K128, K2, "never", date(2026, 5, 25)),
    ("kimi-k2", K128, K2, "never", None),
    ("kimi-k2-instruct", K128, K2, "never", None),
    ("kimi-latest", K128, None, "never", date(2026, 1, 28)),
    ("kimi-thinking-preview", K128, None, "always", date(2025, 11, 11)),
]

IDS = [row[0] for row in LIVE] + [row[0] for row in RETIRED]


def row(model: str) -> ModelRow:
    assert load_catalog().knows(model)
    return load_catalog().model(model)


def test_no_row_is_missing_and_none_is_there_without_a_source() -> None:
    assert sorted(r.id for r in load_catalog().models) == sorted(IDS)
    for found in load_catalog().models:
        assert found.source, found.id
        assert found.pick, found.id
        assert found.date is not None, found.id
        assert found.date <= date(2026, 11, 21), found.id


@pytest.mark.parametrize(("model", "context", "prices", "thinking"), LIVE)
def test_a_live_model(model: str, context: int, prices: Prices | None, thinking: str) -> None:
    found = row(model)
    assert (found.id, found.context, found.thinking) == (model, context, thinking)
    assert found.prices.get("USD") == prices
    assert found.live
    assert found.retired_on is None
    assert not found.successor


@pytest.mark.parametrize(("model", "context", "prices", "thinking", "retired"), RETIRED)
def test_a_retired_model(
    model: str, context: int, prices: Prices | None, thinking: str, retired: date | None
) -> None:
    found = row(model)
    assert (found.id, found.context, found.thinking) == (model, context, thinking)
    assert found.prices.get("USD") == prices
    assert found.retired_on == retired
    assert not found.live
    assert found.open_weights == (retired is None)


@pytest.mark.parametrize("model", IDS)
def test_a_successor_is_a_live_model(model: str) -> None:
    found = row(model)
    assert bool(found.successor) != found.live
    if found.successor:
        assert row(found.successor).live


@pytest.mark.parametrize("model", [r[0] for r in RETIRED if r[3] == "never"])
def test_a_retired_chat_model_is_succeeded_by_the_one_that_can_stop_thinking(model: str) -> None:
    assert row(model).successor == "kimi-k2.6"


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("kimi-k3", Prices(Decimal(2), Decimal(20), Decimal(100))),
        ("kimi-k2.6", Prices(Decimal("1.10"), Decimal("6.50"), Decimal(27))),
    ],
)
def test_chinese_prices(model: str, prices: Prices) -> None:
    assert row(model).prices["CNY"] == prices


@pytest.mark.parametrize(
    ("model", "temperature"),
    [
        ("kimi-k3", {"thinking": 1.0}),
        ("kimi-k3.1-pro", {"thinking": 1.0}),
        ("kimi-k2.7-code", {"thinking": 1.0}),
        ("kimi-k2.6", {"thinking": 1.0, "chat": 0.6}),
        ("kimi-k2-thinking", {"thinking": 1.0}),
        ("kimi-k2-thinking-turbo", {"thinking": 1.0}),
        ("kimi-for-coding", {"thinking": 1.0}),
        ("moonshot-v1-8k", {}),
        ("kimi-k2-0905-preview", {}),
    ],
)
def test_fixed_temperatures(model: str, temperature: dict[str, float]) -> None:
    assert row(model).temperature == temperature


@pytest.mark.parametrize("model", [r[0] for r in LIVE])
def test_every_live_model_has_a_fixed_temperature_in_every_mode(model: str) -> None:
    modes = {"always": {"thinking"}, "optional": {"thinking", "chat"}}[row(model).thinking]
    assert set(row(model).temperature) == modes


@pytest.mark.parametrize(
    ("model", "dialect", "values"),
    [
        ("kimi-k3", "reasoning_effort", ("low", "high", "max")),
        ("kimi-k3.1-pro", "reasoning_effort", ("low", "high", "max")),
        ("k3-256k", "reasoning_effort", ("low", "high", "max")),
        ("kimi-k2.6", "thinking", ()),
        ("kimi-k2.5", "thinking", ()),
        ("kimi-k2.7-code", "none", ()),
        ("kimi-for-coding", "none", ()),
        ("kimi-k2-thinking", "reasoning", ("low", "medium", "high")),
        ("moonshot-v1-8k", "none", ()),
    ],
)
def test_effort_dialects(model: str, dialect: str, values: tuple[str, ...]) -> None:
    assert (row(model).effort.dialect, row(model).effort.values) == (dialect, values)


def test_the_rest_of_the_documented_columns() -> None:
    assert {r.id for r in load_catalog().models if r.batch} == {"kimi-k2.6", "kimi-k2.7-code"}
    assert row("kimi-k3").max_output == M
    assert row("kimi-k2.5").vision
    assert row("moonshot-v1-32k-vision-preview").vision
    assert not row("moonshot-v1-32k").vision
    assert row("kimi-k2p5") == row("kimi-k2.5")
    # The K2 reasoning routes return no log-probabilities.
    assert not row("kimi-k2-thinking").logprobs
    assert not row("kimi-k2.7-code").logprobs
    assert row("kimi-k2.6").logprobs == ("chat",)
    assert row("kimi-k3").max_tokens_field == "max_completion_tokens"


@pytest.mark.parametrize("model", ["kimi-for-coding", "k3", "k3-256k", "k3.1-pro"])
def test_subscription_models_are_at_kimi_code_only(model: str) -> None:
    assert "kimi-coding" in row(model).endpoints
    assert "moonshot-ai" not in row(model).endpoints


def test_no_other_model_is_bound_to_an_endpoint() -> None:
    bound = {r.id for r in load_catalog().models if r.endpoints}
    assert bound == {"kimi-for-coding", "k3", "k3-256k", "k3.1-pro"}
