"""The endpoint and tier tables against the documented ones, and finding a row by URL."""

import pytest

from amx_kimi.facts import TierRow, load_catalog, match_endpoint

# name, url, protocol, currency, auth, own
ENDPOINTS = [
    ("moonshot-ai", "https://api.moonshot.ai/v1", "openai", "USD", "key", True),
    ("moonshot-cn", "https://api.moonshot.cn/v1", "openai", "CNY", "key", True),
    ("kimi-coding", "https://api.kimi.com/coding/v1", "openai", "", "key", True),
    ("kimi-coding-anthropic", "https://api.kimi.com/coding", "anthropic", "", "key", True),
    ("kimi-coding-global", "https://api.kimi.ai/coding/v1", "openai", "", "key", True),
    ("cliproxy", "http://127.0.0.1:8317/api/provider/kimi", "openai", "", "none", False),
    ("openrouter", "https://openrouter.ai/api/v1", "openai", "USD", "key", False),
    ("any", "", "openai", "USD", "key", False),
]


@pytest.mark.parametrize(("name", "url", "protocol", "currency", "auth", "own"), ENDPOINTS)
def test_an_endpoint(
    name: str, url: str, protocol: str, currency: str, auth: str, own: bool
) -> None:
    row = load_catalog().endpoint(name)
    assert row is not None
    assert (row.url, row.protocol, row.currency) == (url, protocol, currency)
    assert (row.auth, row.own) == (auth, own)
    assert row.source
    assert row.date is not None


def test_no_endpoint_is_missing() -> None:
    assert [row.name for row in load_catalog().endpoints] == [row[0] for row in ENDPOINTS]
    assert load_catalog().endpoint("moonshot") is None


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("moonshot-ai", "moonshot-cn"),
        ("moonshot-cn", "moonshot-ai"),
        ("kimi-coding", "kimi-coding-global"),
        ("kimi-coding-global", "kimi-coding"),
    ],
)
def test_the_region_to_try_on_a_401(name: str, other: str) -> None:
    row = load_catalog().endpoint(name)
    assert row is not None
    assert row.other_region == other


def test_where_keys_come_from() -> None:
    names = ("moonshot-ai", "moonshot-cn", "kimi-coding")
    rows = [load_catalog().endpoint(name) for name in names]
    assert [row.keys_from for row in rows if row] == [
        "platform.kimi.ai",
        "platform.kimi.com",
        "Kimi Code",
    ]


def test_openrouter_has_its_own_spelling_and_dialect() -> None:
    row = load_catalog().endpoint("openrouter")
    assert row is not None
    assert row.model_prefix == "moonshotai/"
    assert row.effort == "reasoning"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        *((row[1], row[0]) for row in ENDPOINTS if row[1]),
        ("https://api.moonshot.ai/v1/", "moonshot-ai"),
        ("HTTPS://API.Moonshot.AI/v1", "moonshot-ai"),
        (" https://api.moonshot.cn/v1 ", "moonshot-cn"),
        ("https://api.kimi.com/coding/", "kimi-coding-anthropic"),
        ("http://127.0.0.1:8317/api/provider/kimi/", "cliproxy"),
        ("http://127.0.0.1:8318/api/provider/kimi", "any"),
        ("http://api.moonshot.ai/v1", "any"),
        ("https://api.moonshot.ai/v2", "any"),
        ("https://api.moonshot.ai.evil.example/v1", "any"),
        ("https://api.moonshot.ai:8443/v1", "any"),
    ],
)
def test_an_endpoint_is_found_by_its_url(url: str, name: str) -> None:
    row = match_endpoint(load_catalog(), url)
    assert row.name == name
    if name == "any":
        assert row.url == row.label == url
    else:
        assert row.label == name


def test_tiers() -> None:
    assert load_catalog().tiers == (
        TierRow(0, 1, 3, 500_000, 1_500_000),
        TierRow(1, 15, 100, 2_000_000),
        TierRow(2, 40, 100, 3_000_000),
        TierRow(3, 50, 200, 3_000_000),
        TierRow(4, 60, 200, 4_000_000),
        TierRow(5, 100, 300, 5_000_000),
    )
