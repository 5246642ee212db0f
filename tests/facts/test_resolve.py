"""One model at one endpoint: ids, families, prices, quirks, costs."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.facts import (
    EndpointRow,
    Facts,
    Prices,
    Quirk,
    cost,
    load_catalog,
    match_endpoint,
    model_key,
    parse_catalog,
    resolve,
)
from amx_kimi.types import Usage


def at(name: str) -> EndpointRow:
    row = load_catalog().endpoint(name)
    assert row is not None
    return row


SELF_HOSTED = match_endpoint(load_catalog(), "http://127.0.0.1:8000/v1")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("kimi-k2.6", "kimi-k2.6"),
        ("moonshotai/Kimi-K2.6", "kimi-k2.6"),
        ("openrouter/moonshotai/kimi-k2", "kimi-k2"),
        ("kimi/kimi-k3", "kimi-k3"),
        ("moonshotai/kimi-k2:free", "kimi-k2"),
        ("  KIMI-LATEST\n", "kimi-latest"),
        ("", ""),
    ],
)
def test_a_model_key(text: str, key: str) -> None:
    assert model_key(text) == key


@pytest.mark.parametrize(
    ("model", "family", "thinking", "context"),
    [
        ("kimi-k2.6-thinking", "k2-thinking", "always", 262_144),
        ("Qwen3-235B-Thinking", "k2-thinking", "always", 262_144),
        ("deepseek-thinking:free", "k2-thinking", "always", 262_144),
        ("kimi-k2-thinking-1105", "k2-thinking", "always", 262_144),
        ("kimi-k3.2", "k3", "always", 1_048_576),
        ("kimi-k3-flash", "k3", "always", 1_048_576),
        ("k3.2-pro", "k3", "always", 1_048_576),
        ("kimi-k2.8-code", "k2-code", "always", 262_144),
        ("kimi-k2.8", "k2-point", "optional", 262_144),
        ("kimi-k2p8", "k2-point", "optional", 262_144),
        ("kimi-k2-1201-preview", "k2", "never", 131_072),
        ("moonshot-v1-64k", "moonshot-v1", "never", 131_072),
        ("kimi-for-coding-2", "kimi-code", "always", 262_144),
        ("kimi-k4", "kimi", "always", 262_144),
        ("kimi-next", "kimi", "always", 262_144),
        ("llama-4", "unknown", "always", 131_072),
        ("my\nmodel", "unknown", "always", 131_072),
        ("", "unknown", "always", 131_072),
    ],
)
def test_an_unknown_id_takes_its_familys_row(
    model: str, family: str, thinking: str, context: int
) -> None:
    facts = resolve(model, at("moonshot-ai"))
    assert not facts.known
    assert facts.model.id == model_key(model)
    assert (facts.model.family, facts.model.thinking) == (family, thinking)
    assert facts.model.context == context
    assert facts.prices is None
    assert facts.currency is None


def test_the_cautious_default_asks_for_nothing_special() -> None:
    row = resolve("something-else", SELF_HOSTED).model
    assert (row.effort.dialect, row.json_mode, row.logprobs) == ("none", False, ())
    assert "thinking" in row.temperature  # whatever the profile says, it is not sent
    assert {row.tools, row.batch} == {False}


@given(st.text(max_size=40))
def test_every_text_resolves(model: str) -> None:
    for endpoint in (at("moonshot-ai"), at("openrouter"), SELF_HOSTED):
        facts = resolve(model, endpoint)
        assert facts.model.context > 0
        assert facts.known == load_catalog().knows(model)


@pytest.mark.parametrize(
    ("endpoint", "model", "wire"),
    [
        ("moonshot-ai", "kimi-k2.6", "kimi-k2.6"),
        ("moonshot-ai", "moonshotai/Kimi-K2.6", "kimi-k2.6"),
        ("moonshot-ai", "kimi/kimi-k3", "kimi-k3"),
        ("moonshot-ai", "kimi-k2p5", "kimi-k2.5"),
        ("openrouter", "kimi-k2.6", "moonshotai/kimi-k2.6"),
        ("openrouter", "moonshotai/kimi-k2.6", "moonshotai/kimi-k2.6"),
        ("openrouter", "moonshotai/kimi-k2:free", "moonshotai/kimi-k2:free"),
        ("openrouter", "kimi-k9:nitro", "moonshotai/kimi-k9:nitro"),
        ("kimi-coding", "kimi-for-coding", "kimi-for-coding"),
        ("cliproxy", "kimi-for-coding", "kimi-for-coding"),
    ],
)
def test_the_id_on_the_wire(endpoint: str, model: str, wire: str) -> None:
    if endpoint == "openrouter" and model.startswith("kimi-k9"):
        assert not resolve(model, at(endpoint)).known
    assert resolve(model, at(endpoint)).wire_model == wire


@pytest.mark.parametrize(
    ("model", "wire"),
    [
        ("moonshotai/Kimi-K2-Thinking", "moonshotai/Kimi-K2-Thinking"),
        ("Kimi-K2.6", "Kimi-K2.6"),
        ("kimi/Kimi-K2.6", "Kimi-K2.6"),
        (" Kimi-K2.6\n", "Kimi-K2.6"),
        ("/models/kimi-k2", "/models/kimi-k2"),
        ("kimi-k2p5", "kimi-k2p5"),
    ],
)
def test_a_self_hosted_endpoint_keeps_the_id_as_it_was_given(model: str, wire: str) -> None:
    facts = resolve(model, SELF_HOSTED)
    assert facts.wire_model == wire
    assert facts.known


def test_prices_are_in_the_endpoints_currency() -> None:
    assert resolve("kimi-k2.6", at("moonshot-ai")).prices == Prices(
        Decimal("0.16"), Decimal("0.95"), Decimal(4)
    )
    china = resolve("kimi-k2.6", at("moonshot-cn"))
    assert (china.currency, china.prices and china.prices.output) == ("CNY", Decimal(27))
    # Nobody lists this one in yuan, and a subscription bills nothing by the token.
    assert resolve("kimi-k2-thinking", at("moonshot-cn")).prices is None
    assert resolve("kimi-for-coding", at("kimi-coding")).currency is None


def test_a_profiles_own_prices_win() -> None:
    own = Prices(Decimal(1), Decimal(1), Decimal(2))
    assert resolve("kimi-k2.6", at("moonshot-ai"), prices=own).prices == own
    free = Prices(Decimal(0), Decimal(0), Decimal(0))
    assert resolve("kimi-k2.6", SELF_HOSTED, prices=free).prices == free


def test_own_prices_are_in_the_endpoints_currency_or_in_dollars() -> None:
    own = Prices(Decimal(1), Decimal(1), Decimal(2))
    assert resolve("kimi-k2.6", at("moonshot-cn"), prices=own).currency == "CNY"
    nowhere = replace(SELF_HOSTED, currency="")
    assert resolve("mine", nowhere, prices=own).currency == "USD"
    assert resolve("mine", nowhere).currency is None


def test_an_endpoint_without_a_name_of_its_own_is_called_by_its_url() -> None:
    assert SELF_HOSTED.label == "http://127.0.0.1:8000/v1"
    assert at("moonshot-ai").label == "moonshot-ai"


@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k3", "kimi-k2.7-code"])
def test_openrouter_speaks_its_own_effort_dialect(model: str) -> None:
    effort = resolve(model, at("openrouter")).model.effort
    assert effort.dialect == "reasoning"
    assert "low" in effort.values


def test_an_endpoint_without_json_mode() -> None:
    assert resolve("kimi-k2.6", at("moonshot-ai")).model.json_mode
    assert not resolve("kimi-k2.6", SELF_HOSTED).model.json_mode


def test_another_catalog_can_be_given() -> None:
    catalog = parse_catalog(
        "families: [{name: f, pattern: '.*', context: 7, thinking: never}]\n"
        "models: [{id: m, family: f}]",
        "endpoints: [{name: any, url: ''}]",
        "tiers: []",
    )
    facts = resolve("m", at("moonshot-ai"), catalog=catalog)
    assert (facts.known, facts.model.context) == (True, 7)


# --- what an endpoint taught us


def facts_of(model: str, *learned: Quirk, endpoint: str = "moonshot-ai") -> Facts:
    return resolve(model, at(endpoint), learned)


def test_a_learned_context_replaces_the_tables() -> None:
    quirk = Quirk("context", "set", 65_536, date(2026, 11, 1))
    facts = facts_of("kimi-k2.6", quirk)
    assert facts.model.context == 65_536
    assert facts.quirks == {"context": quirk}
    assert facts_of("kimi-k2.6", Quirk("context", "set", "much")).model.context == 262_144


@pytest.mark.parametrize(
    ("model", "parameter", "action", "thinking"),
    [
        ("kimi-k2.6", "thinking", "drop", "always"),
        ("kimi-k2.6", "reasoning", "drop", "always"),
        ("kimi-k2.6", "thinking", "set", "optional"),
        ("kimi-k2.6", "logprobs", "drop", "optional"),
        ("kimi-k3", "thinking", "drop", "always"),
        ("moonshot-v1-8k", "thinking", "drop", "never"),
    ],
)
def test_what_cannot_be_switched_off_thinks(
    model: str, parameter: str, action: str, thinking: str
) -> None:
    quirk = Quirk(parameter, action)  # type: ignore[arg-type]
    assert facts_of(model).with_quirk(quirk).model.thinking == thinking


def test_with_quirk_is_a_changed_copy() -> None:
    before = facts_of("kimi-k2.6")
    first = before.with_quirk(Quirk("logprobs", "drop"))
    second = first.with_quirk(Quirk("temperature", "set", 1.0))
    assert before.quirks == {}
    assert set(first.quirks) == {"logprobs"}
    assert set(second.quirks) == {"logprobs", "temperature"}
    again = second.with_quirk(Quirk("temperature", "drop"))
    assert again.quirks["temperature"].action == "drop"
    assert replace(second, quirks={}) == before


# --- money

K3 = Prices(*map(Decimal, ("0.30", "3", "15", "3")))
PRO = Prices(*map(Decimal, ("0.20", "2", "10", "2.5")))
K26 = Prices(*map(Decimal, ("0.16", "0.95", "4")))


@pytest.mark.parametrize(
    ("usage", "prices", "amount"),
    [
        (Usage(prompt=1_000_000), K26, "0.95"),
        (Usage(prompt=1_000_000, cached=1_000_000), K26, "0.16"),
        (Usage(prompt=1_000_000, cached=400_000), K26, "0.634"),
        (Usage(completion=1_000_000), K26, "4"),
        (Usage(completion=500_000, reasoning=400_000), K26, "2"),
        (Usage(prompt=1, completion=1), K26, "0.00000495"),
        (Usage(prompt=1_200, cached=1_000, completion=300), K3, "0.0054"),
        (Usage(prompt=1_000_000, cache_write=1_000_000), K3, "3"),
        (Usage(prompt=1_000_000, cache_write=500_000), PRO, "2.25"),
        (Usage(prompt=1_000_000, cache_write=500_000), K26, "0.95"),
        (Usage(prompt=5, cached=10), K26, "0.0000016"),
        (Usage(), K26, "0"),
    ],
)
def test_costs_are_exact(usage: Usage, prices: Prices, amount: str) -> None:
    assert cost(usage, prices) == Decimal(amount)


def test_what_is_unknown_costs_nobody_knows_what() -> None:
    assert cost(Usage(prompt=10), None) is None
    assert cost(Usage(prompt=10, known=False), K26) is None


COUNTS = st.integers(0, 10**7)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_costs_add_up(p1: int, c1: int, o1: int, p2: int, c2: int, o2: int) -> None:
    one = Usage(prompt=p1 + c1, cached=c1, completion=o1)
    two = Usage(prompt=p2 + c2, cached=c2, completion=o2)
    parts = [cost(usage, K3) for usage in (one, two)]
    assert cost(one + two, K3) == sum(part for part in parts if part is not None)


@given(COUNTS, COUNTS, COUNTS)
def test_a_cached_token_is_never_dearer(prompt: int, cached: int, output: int) -> None:
    usage = Usage(prompt=prompt + cached, cached=cached, completion=output)
    for row in load_catalog().models:
        for prices in row.prices.values():
            with_cache = cost(usage, prices)
            without = cost(replace(usage, cached=0), prices)
            assert with_cache is not None
            assert without is not None
            assert 0 <= with_cache <= without
