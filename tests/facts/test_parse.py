"""Malformed facts files: each error names file, row and column."""

from contextlib import suppress
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.errors import FactsError
from amx_kimi.facts import Catalog, load_catalog, parse_catalog

MODELS = """
families:
  - {name: fam, pattern: 'fam-.*', context: 1000, thinking: never}
  - {name: unknown, pattern: '.*', context: 2000, thinking: always}
models:
  - {id: fam-1, family: fam, aliases: [fam-one], successor: fam-2, retired_on: 2026-01-01}
  - {id: fam-2, family: fam, prices: {USD: {hit: 1, miss: 2, output: 3}}}
"""
ENDPOINTS = """
endpoints:
  - {name: here, url: 'https://here/v1'}
  - {name: any, url: ''}
"""
TIERS = "tiers: [{tier: 0, concurrency: 1, rpm: 3, tpm: 500000}]"


def parse(models: str = MODELS, endpoints: str = ENDPOINTS, tiers: str = TIERS) -> Catalog:
    return parse_catalog(models, endpoints, tiers)


def test_a_small_catalog() -> None:
    catalog = parse()
    assert [row.id for row in catalog.models] == ["fam-1", "fam-2"]
    assert catalog.model("fam-one").id == "fam-1"
    assert catalog.model("fam-2").context == 1000
    assert catalog.model("fam-9").thinking == "never"
    assert catalog.model("else").context == 2000


def test_the_shipped_files_are_the_catalog() -> None:
    folder = files("amx_kimi.facts")
    texts = [(folder / f"{n}.yml").read_text("utf-8") for n in ("models", "endpoints", "tiers")]
    assert parse_catalog(*texts) == load_catalog()


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("models:", "models: [", ["models.yml", "not YAML"]),
        ("retired_on: 2026-01-01", "retired_on: 2026-13-01", ["models.yml", "not YAML", "month"]),
        ("context: 1000", "context: lots", ["models.yml", "'fam-1'", "'context'", "'lots'"]),
        ("context: 1000, ", "", ["models.yml", "'fam-1'", "'context'", "missing"]),
        ("thinking: never", "thinking: maybe", ["models.yml", "'fam-1'", "'thinking'", "'maybe'"]),
        ("thinking: never", "thinks: never", ["models.yml", "'fam-1'", "'thinks'", "known:"]),
        ("hit: 1", "hit: free", ["models.yml", "'fam-2'", "'prices'", "'hit'", "'free'"]),
        ("hit: 1", "hit: -1", ["models.yml", "'fam-2'", "'hit'", "zero or more"]),
        ("hit: 1, ", "", ["models.yml", "'fam-2'", "'hit'", "missing"]),
        ("retired_on: 2026-01-01", "retired_on: soon", ["models.yml", "'fam-1'", "'retired_on'"]),
        ("family: fam, prices", "family: fame, prices", ["models.yml", "'fam-2'", "'fame'"]),
        ("family: fam, prices", "prices", ["models.yml", "'fam-2'", "unknown family None"]),
        ("successor: fam-2", "successor: fam-3", ["models.yml", "'fam-1'", "successor 'fam-3'"]),
        ("id: fam-2", "id: fam-1", ["models.yml", "'fam-1'", "twice"]),
        ("id: fam-2", "id: fam-one", ["models.yml", "'fam-one'", "twice"]),
        ("- {id: fam-1", "- just text\n  - {id: fam-1", ["models.yml", "a model", "'just text'"]),
        ("'fam-.*'", "'fam-('", ["models.yml", "family 'fam'", "bad pattern"]),
        ("pattern: '.*'", "pattern: 'x'", ["models.yml", "last family"]),
        ("- {name: fam,", "- 7\n  - {name: fam,", ["models.yml", "a family", "7"]),
        ("models:", "rows:", ["'models'", "list of rows"]),
        ("families:", "tribes:", ["'families'", "list of rows"]),
    ],
)
def test_a_malformed_models_file(old: str, new: str, parts: list[str]) -> None:
    text = MODELS.replace(old, new, 1)
    assert text != MODELS
    with pytest.raises(FactsError) as caught:
        parse(models=text)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("endpoints: [", ["endpoints.yml", "not YAML"]),
        ("- 1", ["endpoints.yml", "expected a mapping"]),
        ("endpoints: {a: b}", ["'endpoints'", "list of rows"]),
        ("endpoints: [text]", ["endpoints.yml", "expected a mapping", "'text'"]),
        ("endpoints: [{name: a, url: u}]", ["endpoints.yml", "'any'", "missing"]),
        ("endpoints: [{name: any, url: ''}, {name: any, url: ''}]", ["'any'", "twice"]),
        ("endpoints: [{name: any}]", ["endpoints.yml", "'any'", "'url'", "missing"]),
        ("endpoints: [{name: any, url: u, auth: token}]", ["'any'", "'auth'", "'token'"]),
    ],
)
def test_a_malformed_endpoints_file(text: str, parts: list[str]) -> None:
    with pytest.raises(FactsError) as caught:
        parse(endpoints=text)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["tiers.yml", "expected a mapping"]),
        ("tiers: 3", ["'tiers'", "list of rows"]),
        ("tiers: [{tier: 0}]", ["tiers.yml", "row 0", "'concurrency'", "missing"]),
        (TIERS.replace("rpm: 3", "rpm: many"), ["tiers.yml", "row 0", "'rpm'", "'many'"]),
    ],
)
def test_a_malformed_tiers_file(text: str, parts: list[str]) -> None:
    with pytest.raises(FactsError) as caught:
        parse(tiers=text)
    for part in parts:
        assert part in str(caught.value)


@given(st.integers(0, len(MODELS) - 1), st.text(max_size=3))
def test_a_slip_of_the_pen_never_ends_in_another_error(position: int, typed: str) -> None:
    with suppress(FactsError):
        assert parse(models=MODELS[:position] + typed + MODELS[position + 1 :]).families
